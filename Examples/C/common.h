/* What the examples of the second generation share. */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ZeroTierSockets.h"

/* Starts, joins and waits for an address. */
static void enter(const char *path, uint64_t network)
{
    if (path) zts_init_from_storage(path);
    if (zts_node_start() != ZTS_ERR_OK) {
        printf("cannot start: %s\n", zts_last_error_message());
        exit(1);
    }
    while (!zts_node_is_online()) zts_util_delay(50);
    printf("online as %010" PRIx64 "\n", zts_node_get_id());
    zts_net_join(network);
    while (zts_net_transport_is_ready(network) != 1) zts_util_delay(50);
    char text[ZTS_IP_MAX_STR_LEN];
    if (zts_addr_get_str(network, ZTS_AF_INET, text, sizeof text) == ZTS_ERR_OK) printf("address %s\n", text);
    if (zts_addr_get_str(network, ZTS_AF_INET6, text, sizeof text) == ZTS_ERR_OK) printf("address %s\n", text);
    fflush(stdout);
}

#endif
