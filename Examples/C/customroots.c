/* A planet of one's own: signs it with new keys, starts a node that knows no other root, prints the roots that answer.
 *   customroots [<root's public identity> <endpoint> <endpoint>]     an endpoint is "address/port"
 * Without arguments the root is one that does not exist. The identity of a real one is in its identity.public file. */
#include "common.h"

static void on_event(void *argument)
{
    const zts_event_msg_t *message = argument;
    switch (message->event_code) {
    case ZTS_EVENT_PEER_DIRECT:
    case ZTS_EVENT_PEER_RELAY:
        if (message->peer->role == ZTS_PEER_ROLE_PLANET)
            printf("root %010" PRIx64 ", %u paths\n", message->peer->peer_id, message->peer->path_count);
        break;
    case ZTS_EVENT_NODE_ONLINE: printf("online as %010" PRIx64 "\n", message->node->node_id); break;
    case ZTS_EVENT_NODE_OFFLINE: printf("offline: no root answers\n"); break;
    default: break;
    }
}

int main(int argc, char **argv)
{
    if (argc != 1 && argc != 4) {
        printf("customroots [<root's public identity> <endpoint> <endpoint>]\n");
        return 2;
    }
    print_by_line();
    char identity[ZTS_ID_STR_BUF_LEN];
    char first[ZTS_MAX_ENDPOINT_STR_LEN] = "192.0.2.1/9993";
    char second[ZTS_MAX_ENDPOINT_STR_LEN] = "2001:db8::1/9993";
    if (argc == 4) {
        snprintf(identity, sizeof identity, "%s", argv[1]);
        snprintf(first, sizeof first, "%s", argv[2]);
        snprintf(second, sizeof second, "%s", argv[3]);
    } else {
        unsigned int length = sizeof identity;
        if (zts_id_new(identity, &length) != ZTS_ERR_OK) fail("no identity");
    }

    static zts_root_set_t set; /* all NULL: what is not set below ends the lists */
    set.public_id_str[0] = identity;
    set.endpoint_ip_str[0][0] = first;
    set.endpoint_ip_str[0][1] = second;

    /* The number names the planet; the time grows with every later version, which is signed with the current key. */
    const uint64_t planet_id = 149604618, timestamp = 1700000000000;
    static char roots[ZTS_STORE_DATA_LEN];
    char previous[128], current[128];
    unsigned int roots_length = sizeof roots, previous_length = sizeof previous, current_length = sizeof current;
    if (zts_util_sign_root_set(roots, &roots_length, previous, &previous_length, current, &current_length, planet_id,
            timestamp, &set)
        != ZTS_ERR_OK)
        fail("cannot sign");
    printf("planet of %u bytes, keys of %u and %u bytes\n", roots_length, previous_length, current_length);

    if (zts_init_set_roots(roots, roots_length) != ZTS_ERR_OK) fail("not a planet");
    if (zts_init_set_event_handler(on_event) != ZTS_ERR_OK) fail("no event handler");
    if (zts_node_start() != ZTS_ERR_OK) fail("cannot start");
    for (;;) zts_util_delay(500);
}
