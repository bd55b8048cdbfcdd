/* What the examples of the second generation share: arguments, roots of one's own, starting and joining. */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ZeroTierSockets.h"

/* Every line at once, also into a pipe. */
static inline void print_by_line(void) { setvbuf(stdout, NULL, _IOLBF, BUFSIZ); }

/* Ends the program with what the library says about the last call of the control interface. */
static inline void fail(const char *what)
{
    printf("%s: %s\n", what, zts_last_error_message());
    exit(1);
}

/* Ends the program with what went wrong in the last call of the socket interface. */
static inline void fail_socket(const char *what)
{
    printf("%s: %s\n", what, zts_strerror(zts_errno));
    exit(1);
}

/* A number of the command line; the program ends when it is none or too large. */
static inline uint64_t number(const char *text, int base, uint64_t most)
{
    char *end = NULL;
    const uint64_t value = strtoull(text, &end, base);
    if (end == text || *end || value > most) {
        printf("not a number up to %" PRIu64 ": %s\n", most, text);
        exit(2);
    }
    return value;
}

static inline uint64_t network_id(const char *text) { return number(text, 16, UINT64_MAX); }
static inline unsigned short port_number(const char *text) { return (unsigned short)number(text, 10, 65535); }

/* Roots other than ZeroTier's: a planet file, which an example without a storage directory takes as its last argument.
 * (With a directory, the file is called "planet" in it.) NULL leaves the usual roots. */
static inline void use_planet(const char *path)
{
    if (!path) return;
    char planet[ZTS_STORE_DATA_LEN];
    FILE *file = fopen(path, "rb");
    const size_t length = file ? fread(planet, 1, sizeof planet, file) : 0;
    if (file) fclose(file);
    if (!length) {
        printf("cannot read %s\n", path);
        exit(1);
    }
    if (zts_init_set_roots(planet, (unsigned int)length) != ZTS_ERR_OK) fail("not a planet");
}

/* Starts and waits until a root answers. */
static inline void start(void)
{
    if (zts_node_start() != ZTS_ERR_OK) fail("cannot start");
    while (!zts_node_is_online()) {
        if (zts_get_start_error()) fail("cannot start");
        zts_util_delay(50);
    }
    printf("online as %010" PRIx64 "\n", zts_node_get_id());
}

/* Joins and waits for an address. */
static inline void join(uint64_t network)
{
    if (zts_net_join(network) != ZTS_ERR_OK) fail("cannot join");
    while (zts_net_transport_is_ready(network) != 1) zts_util_delay(50);
    char text[ZTS_IP_MAX_STR_LEN];
    if (zts_addr_get_str(network, ZTS_AF_INET, text, sizeof text) == ZTS_ERR_OK) printf("address %s\n", text);
    if (zts_addr_get_str(network, ZTS_AF_INET6, text, sizeof text) == ZTS_ERR_OK) printf("address %s\n", text);
}

/* All of it, for a node that keeps its identity in a directory. */
static inline void enter(const char *path, uint64_t network)
{
    if (zts_init_from_storage(path) != ZTS_ERR_OK) fail("cannot use the directory");
    start();
    join(network);
}

#endif
