/* A node on the ad-hoc network of a port range, which needs no controller and no account. It keeps nothing on disk:
 * every run is another node. Any other node on the network can ping the address it prints.
 *   adhoc <first port> <last port> [planet file] */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        printf("adhoc <first port> <last port> [planet file]\n");
        return 2;
    }
    print_by_line();
    const uint64_t network = zts_net_compute_adhoc_id(port_number(argv[1]), port_number(argv[2]));
    use_planet(argc == 4 ? argv[3] : NULL);
    start();

    /* The identity: what comes before its third colon is public, what comes after it is secret. */
    char identity[ZTS_ID_STR_BUF_LEN];
    unsigned int length = sizeof identity;
    if (zts_node_get_id_pair(identity, &length) != ZTS_ERR_OK) fail("no identity");
    char *secret = identity;
    for (int colons = 0; *secret && colons < 3; secret++) colons += *secret == ':';
    printf("public identity %.*s\n", (int)(secret - identity - 1), identity);

    join(network);
    char address[ZTS_IP_MAX_STR_LEN];
    if (zts_addr_compute_6plane_str(network, zts_node_get_id(), address, sizeof address) != ZTS_ERR_OK)
        fail("no address");
    printf("ping this node at %s, on network %016" PRIx64 "\n", address, network);
    for (;;) zts_util_delay(500);
}
