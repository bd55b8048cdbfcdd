/* A node without a directory: what it would have written comes by events, is kept here in memory, and makes the same
 * node again. A real program would put it into its own database or key chain.
 *   nostorage [planet file] */
#include "common.h"

static struct {
    char secret[ZTS_ID_STR_BUF_LEN];
    int secret_length;
    char public_identity[ZTS_ID_STR_BUF_LEN];
    int public_length;
    char planet[ZTS_STORE_DATA_LEN];
    int planet_length;
} kept;
/* Set by the library's thread, read by this one. */
static volatile int is_kept, is_down;

static int copy(char *to, int room, const zts_event_msg_t *message)
{
    const int length = message->len < room ? message->len : room;
    memcpy(to, message->cache, (size_t)length);
    return length;
}

/* What the message points to ends with the call: it is copied. */
static void on_event(void *argument)
{
    const zts_event_msg_t *message = argument;
    switch (message->event_code) {
    case ZTS_EVENT_STORE_IDENTITY_SECRET:
        kept.secret_length = copy(kept.secret, sizeof kept.secret, message);
        printf("to be kept: the secret identity, %d bytes\n", kept.secret_length);
        break;
    case ZTS_EVENT_STORE_IDENTITY_PUBLIC:
        kept.public_length = copy(kept.public_identity, sizeof kept.public_identity, message);
        printf("to be kept: the public identity, %d bytes\n", kept.public_length);
        break;
    case ZTS_EVENT_STORE_PLANET:
        kept.planet_length = copy(kept.planet, sizeof kept.planet, message);
        printf("to be kept: the planet, %d bytes\n", kept.planet_length);
        break;
    case ZTS_EVENT_STORE_PEER: printf("to be kept: a peer, %d bytes\n", message->len); break;
    case ZTS_EVENT_STORE_NETWORK: printf("to be kept: a network, %d bytes\n", message->len); break;
    case ZTS_EVENT_NODE_DOWN: is_down = 1; break;
    default: break;
    }
    is_kept = kept.secret_length && kept.public_length;
}

int main(int argc, char **argv)
{
    if (argc > 2) {
        printf("nostorage [planet file]\n");
        return 2;
    }
    print_by_line();
    if (zts_init_set_event_handler(on_event) != ZTS_ERR_OK) fail("no event handler");
    use_planet(argc == 2 ? argv[1] : NULL);
    start();
    const uint64_t first = zts_node_get_id();
    while (!is_kept) zts_util_delay(50);
    printf("public identity %.*s\n", kept.public_length, kept.public_identity);

    if (zts_node_stop() != ZTS_ERR_OK) fail("cannot stop");
    while (!is_down) zts_util_delay(50);
    printf("stopped\n");

    /* The same node again, from memory. */
    if (zts_init_from_memory(kept.secret, (unsigned int)kept.secret_length) != ZTS_ERR_OK) fail("not an identity");
    start();
    const int same = zts_node_get_id() == first;
    printf("%s\n", same ? "the same node again" : "another node");
    zts_node_free();
    return same ? 0 : 1;
}
