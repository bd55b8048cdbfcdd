// A node on the ad-hoc network of a port range, which needs no controller: ping it.
//   adhoc <state directory> <first port> <last port>
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::printf("adhoc <state directory> <first port> <last port>\n");
        return 2;
    }
    zts_set_network_caching(false);
    const uint64_t network = zts_generate_adhoc_nwid_from_range(
        (uint16_t)std::atoi(argv[2]), (uint16_t)std::atoi(argv[3]));
    enter(argv[1], network, 0);
    for (;;) sleep(1);
}
