/* The loads as a program against the finished library; Tests/LibraryStress/run starts it beside a root.
 *     stress starts|cycles|threads|sockets DIRECTORY OTHER COUNT-OR-SECONDS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ZeroTier.h"
#include "stress.h"

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s starts|cycles|threads|sockets DIRECTORY OTHER COUNT-OR-SECONDS\n", argv[0]);
        return 2;
    }
    int count = atoi(argv[4]);
    uint64_t network = zts_generate_adhoc_nwid_from_range(1, 65535);
    /* A hang ends the process with a signal instead of waiting for ever. */
    alarm((unsigned)(120 + 2 * (count < 1000 ? count : 1000)));
    int failed = strcmp(argv[1], "starts") == 0 ? stress_starts(argv[2], network, count)
        : strcmp(argv[1], "cycles") == 0        ? stress_cycles(argv[2], network, count)
        : strcmp(argv[1], "sockets") == 0       ? stress_sockets(argv[2], argv[3], network, count)
                                                : stress_threads(argv[2], argv[3], network, 64, count);
    if (zts_free() != ZTS_ERR_OK)
        failed++;
    printf("%s %d: %d failed\n", argv[1], count, failed);
    return failed != 0;
}
