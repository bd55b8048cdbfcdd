/* Prints the TCP/IP stack's counters every second, for ever. The node keeps nothing on disk.
 *   statistics <network, 16 digits> [planet file] */
#include "common.h"

/* The library's structure is four counters for each of these, in this order. */
static const char *const protocols[] = { "link", "etharp", "ip4", "ip6", "icmp4", "icmp6", "udp", "tcp", "nd6" };
enum { PROTOCOLS = sizeof protocols / sizeof *protocols };

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3) {
        printf("statistics <network, 16 digits> [planet file]\n");
        return 2;
    }
    print_by_line();
    const uint64_t network = network_id(argv[1]);
    use_planet(argc == 3 ? argv[2] : NULL);
    start();
    join(network);
    for (;;) {
        zts_stats_counter_t counters;
        uint32_t values[PROTOCOLS][4];
        if (zts_stats_get_all(&counters) != ZTS_ERR_OK) fail("no counters");
        memcpy(values, &counters, sizeof values);
        for (int index = 0; index < PROTOCOLS; index++)
            printf("%-6s sent %" PRIu32 " received %" PRIu32 " dropped %" PRIu32 " errors %" PRIu32 "\n",
                protocols[index], values[index][0], values[index][1], values[index][2], values[index][3]);
        printf("--\n");
        zts_util_delay(1000);
    }
}
