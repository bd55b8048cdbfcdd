/* The controller of a private network of one's own, for members in other processes: pingable-node.c is one.
 *   controller <state directory>
 * The first start makes the network, later ones find it in the directory. Says who waits to be let in, and reads lines:
 * "in <node>" lets a node in, "out <node>" lets it out, "show <node>" prints its record. Ends with the end of its input. */
#include "common.h"

static void told(void *memory)
{
    const zts_event_msg_t *message = memory;
    if (message->event_code == ZTS_EVENT_CONTROLLER_MEMBER_WAITING)
        printf("%010" PRIx64 " waits to be let in\n", message->peer->peer_id);
    if (message->event_code == ZTS_EVENT_CONTROLLER_MEMBER_CHANGED)
        printf("%010" PRIx64 " changed\n", message->peer->peer_id);
}

/* The first network that there is, or a new one. */
static uint64_t own_network(void)
{
    static const char *description
        = "{\"name\":\"home\",\"v4AssignMode\":{\"zt\":true},\"routes\":[{\"target\":\"10.147.17.0/24\"}],"
          "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.147.17.1\",\"ipRangeEnd\":\"10.147.17.254\"}]}";
    size_t length = 0;
    char *list = NULL;
    uint64_t network = 0;
    /* Without a buffer it says how long the list is. */
    if (zts_controller_network_list(NULL, &length) != ZTS_ERR_ARG) fail("no controller");
    list = malloc(length);
    if (!list || zts_controller_network_list(list, &length) != ZTS_ERR_OK) fail("no list");
    if (sscanf(list, "[\"%16" SCNx64, &network) != 1
        && zts_controller_network_create(&network, description) != ZTS_ERR_OK)
        fail("no network");
    free(list);
    return network;
}

static void show(uint64_t network, uint64_t node)
{
    char record[4096];
    size_t length = sizeof record;
    if (zts_controller_member_get(network, node, record, &length) == ZTS_ERR_OK) printf("%s\n", record);
    else printf("%s\n", zts_last_error_message());
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        printf("controller <state directory>\n");
        return 2;
    }
    print_by_line();
    if (zts_init_from_storage(argv[1]) != ZTS_ERR_OK) fail("cannot use the directory");
    if (zts_init_set_event_handler(told) != ZTS_ERR_OK) fail("no event handler");
    if (zts_controller_enable(1) != ZTS_ERR_OK) fail("no controller");
    start();
    const uint64_t network = own_network();
    printf("network %016" PRIx64 "\n", network);
    char line[128], word[8], digits[17];
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%7s %16s", word, digits) != 2) continue;
        const uint64_t node = number(digits, 16, 0xffffffffff);
        if (strcmp(word, "show") == 0)
            show(network, node);
        else if (zts_controller_member_authorize(network, node, strcmp(word, "in") == 0) != ZTS_ERR_OK)
            printf("%s\n", zts_last_error_message());
    }
    zts_node_stop();
    zts_node_free();
    return 0;
}
