/* A node that is told what happens instead of asking. It keeps nothing on disk.
 *   callbackapi <network, 16 digits> [planet file] */
#include "common.h"

/* Called on a thread of the library, with one event at a time. The message ends with the call. */
static void on_event(void *argument)
{
    const zts_event_msg_t *message = argument;
    char text[ZTS_IP_MAX_STR_LEN];
    struct zts_sockaddr *address;
    unsigned short port;
    switch (message->event_code) {
    case ZTS_EVENT_NODE_ONLINE: printf("event: online as %010" PRIx64 "\n", message->node->node_id); break;
    case ZTS_EVENT_NODE_OFFLINE: printf("event: offline, no root answers\n"); break;
    case ZTS_EVENT_NODE_FATAL_ERROR: printf("event: the node cannot run: %s\n", zts_last_error_message()); break;
    case ZTS_EVENT_NETWORK_NOT_FOUND:
        printf("event: network %016" PRIx64 " does not exist\n", message->network->net_id);
        break;
    case ZTS_EVENT_NETWORK_ACCESS_DENIED:
        printf("event: network %016" PRIx64 " does not admit this node yet\n", message->network->net_id);
        break;
    case ZTS_EVENT_NETWORK_READY_IP4:
        printf("event: network %016" PRIx64 " is ready for IPv4\n", message->network->net_id);
        break;
    case ZTS_EVENT_NETWORK_READY_IP6:
        printf("event: network %016" PRIx64 " is ready for IPv6\n", message->network->net_id);
        break;
    case ZTS_EVENT_ADDR_ADDED_IP4:
    case ZTS_EVENT_ADDR_ADDED_IP6:
        address = (struct zts_sockaddr *)&message->addr->addr;
        if (zts_util_ntop(address, sizeof message->addr->addr, text, sizeof text, &port) == ZTS_ERR_OK)
            printf("event: address %s\n", text);
        break;
    default: break;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3) {
        printf("callbackapi <network, 16 digits> [planet file]\n");
        return 2;
    }
    print_by_line();
    const uint64_t network = network_id(argv[1]);
    if (zts_init_set_event_handler(on_event) != ZTS_ERR_OK) fail("no event handler");
    use_planet(argc == 3 ? argv[2] : NULL);
    start();
    join(network);
    for (;;) zts_util_delay(500);
}
