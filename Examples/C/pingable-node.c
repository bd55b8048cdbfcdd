/* A node on a network with a controller that assigns IPv4 addresses. Any other member can ping it. Where members are
 * admitted one by one, authorize the number that it prints. It keeps nothing on disk.
 *   pingable-node <network, 16 digits> [planet file] */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3) {
        printf("pingable-node <network, 16 digits> [planet file]\n");
        return 2;
    }
    print_by_line();
    const uint64_t network = network_id(argv[1]);
    use_planet(argc == 3 ? argv[2] : NULL);
    start();
    if (zts_net_join(network) != ZTS_ERR_OK) fail("cannot join");
    while (zts_addr_is_assigned(network, ZTS_AF_INET) != 1) zts_util_delay(50);
    char address[ZTS_IP_MAX_STR_LEN];
    if (zts_addr_get_str(network, ZTS_AF_INET, address, sizeof address) != ZTS_ERR_OK) fail("no address");
    printf("ping this node at %s\n", address);
    for (;;) zts_util_delay(500);
}
