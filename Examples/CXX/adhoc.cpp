// A node on the ad-hoc network of a port range, which needs no controller and no account. Prints what happens, for
// ever; any other node on the network can ping the address it prints.
//   adhoc <state directory> <first port> <last port> <UDP port, 0 for any>
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::printf("adhoc <state directory> <first port> <last port> <UDP port, 0 for any>\n");
        return 2;
    }
    // An ad-hoc network is known by its number alone: nothing to remember in the directory.
    zts_set_network_caching(false);
    const uint64_t network = zts_generate_adhoc_nwid_from_range(portNumber(argv[2]), portNumber(argv[3]));
    enter(argv[1], network, portNumber(argv[4]));
    std::printf("ping this node at the address above, on network %016" PRIx64 "\n", network);
    for (;;) sleep(1);
}
