/* A node that the program keeps itself: the identity comes by an event and could be given to zts_init_from_memory(). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ZeroTierSockets.h"

static void on_event(void *argument)
{
    const zts_event_msg_t *message = argument;
    switch (message->event_code) {
    case ZTS_EVENT_STORE_IDENTITY_PUBLIC: printf("identity %.*s\n", message->len, (const char *)message->cache); break;
    case ZTS_EVENT_NODE_ONLINE: printf("online as %010" PRIx64 "\n", message->node->node_id); break;
    case ZTS_EVENT_NODE_DOWN: printf("down\n"); break;
    default: printf("event %d\n", message->event_code); break;
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const unsigned long seconds = argc > 1 ? strtoul(argv[1], NULL, 10) : 10;
    zts_init_set_event_handler(on_event);
    if (zts_node_start() != ZTS_ERR_OK) return 1;
    zts_util_delay(1000 * seconds);
    zts_node_free();
    return 0;
}
