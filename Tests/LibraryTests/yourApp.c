/* Starts and stops a node: `yourApp <state directory>`. Second generation. */
#include <inttypes.h>
#include <stdio.h>

#include "ZeroTierSockets.h"

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    if (zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0) != ZTS_ERR_SERVICE) return 3;
    if (zts_init_from_storage(argv[1]) != ZTS_ERR_OK || zts_node_start() != ZTS_ERR_OK) return 4;
    while (zts_node_get_id() >> 40) zts_util_delay(10);
    const uint64_t node = zts_node_get_id();
    const int fd = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    if (fd < 0 || zts_close(fd) != ZTS_ERR_OK) return 5;
    if (zts_node_free() != ZTS_ERR_OK) return 6;
    printf("node %010" PRIx64 "\n", node);
    return 0;
}
