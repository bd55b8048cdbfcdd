/* A root of one's own: the node at which the others of a planet find each other, and which relays where nothing better is.
 *   root <state directory> <address> <port>
 * A node whose identity is in its planet serves as a root of it; nothing else makes one. The first start makes the identity
 * and a planet with this root alone, at that address and port, and leaves both in the directory. The others start with that
 * file `planet` in their directories, or with what is in it and zts_init_set_roots(). Ends with the end of its input. */
#include "common.h"

#include <sys/stat.h>
#include <sys/types.h>

static void write_file(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wbx");
    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

/* The identity, and the planet that names it. Its keys would sign a later version with other roots or addresses: a real
 * planet keeps them, customroots.c shows where they come out. */
static void found_planet(const char *identity_path, const char *planet_path, char *endpoint)
{
    char identity[ZTS_ID_STR_BUF_LEN];
    unsigned int length = sizeof identity;
    if (zts_id_new(identity, &length) != ZTS_ERR_OK) fail("no identity");
    static zts_root_set_t set; /* all NULL: what is not set below ends the lists */
    set.public_id_str[0] = identity;
    set.endpoint_ip_str[0][0] = endpoint;
    static char planet[ZTS_STORE_DATA_LEN];
    char previous[128], current[128];
    unsigned int planet_length = sizeof planet, previous_length = sizeof previous, current_length = sizeof current;
    if (zts_util_sign_root_set(planet, &planet_length, previous, &previous_length, current, &current_length,
            149604619, 1700000000000, &set)
        != ZTS_ERR_OK)
        fail("cannot sign");
    write_file(identity_path, identity, strlen(identity));
    write_file(planet_path, planet, planet_length);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        printf("root <state directory> <address> <port>\n");
        return 2;
    }
    print_by_line();
    umask(077); /* the identity is a secret */
    const unsigned short port = port_number(argv[3]);
    char identity_path[1024], planet_path[1024], endpoint[ZTS_MAX_ENDPOINT_STR_LEN];
    snprintf(identity_path, sizeof identity_path, "%s/identity.secret", argv[1]);
    snprintf(planet_path, sizeof planet_path, "%s/planet", argv[1]);
    snprintf(endpoint, sizeof endpoint, "%s/%u", argv[2], port);
    mkdir(argv[1], 0700);
    struct stat there;
    if (stat(planet_path, &there) != 0) found_planet(identity_path, planet_path, endpoint);

    if (zts_init_from_storage(argv[1]) != ZTS_ERR_OK) fail("cannot use the directory");
    if (zts_init_set_port(port) != ZTS_ERR_OK) fail("cannot use the port");
    if (zts_node_start() != ZTS_ERR_OK) fail("cannot start");
    while (zts_node_get_id() >> 40) {
        if (zts_get_start_error()) fail("cannot start");
        zts_util_delay(10);
    }
    printf("root %010" PRIx64 " at %s, planet in %s\n", zts_node_get_id(), endpoint, planet_path);
    while (getchar() != EOF) continue;
    return zts_node_free() != ZTS_ERR_OK;
}
