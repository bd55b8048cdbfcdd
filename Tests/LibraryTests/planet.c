/* Signs a planet whose root nobody runs, on this machine: `planet <file>`. With it as roots, a started node sends nothing
 * elsewhere. Second generation, and all of it works without a node. */
#include <stdio.h>

#include "ZeroTierSockets.h"

int main(int argc, char **argv)
{
    static zts_root_set_t set;
    static char roots[ZTS_STORE_DATA_LEN];
    char identity[ZTS_ID_STR_BUF_LEN], endpoint[] = "127.0.0.1/9", previous[128], current[128];
    unsigned int identity_length = sizeof identity, length = sizeof roots;
    unsigned int previous_length = sizeof previous, current_length = sizeof current;
    if (argc != 2) return 2;
    if (zts_id_new(identity, &identity_length) != ZTS_ERR_OK) return 3;
    if (zts_id_pair_is_valid(identity, ZTS_ID_STR_BUF_LEN) != 1) return 4;
    set.public_id_str[0] = identity;
    set.endpoint_ip_str[0][0] = endpoint;
    if (zts_util_sign_root_set(roots, &length, previous, &previous_length, current, &current_length, 1, 1, &set)
        != ZTS_ERR_OK)
        return 5;
    FILE *file = fopen(argv[1], "wb");
    if (!file || fwrite(roots, 1, length, file) != length || fclose(file)) return 6;
    printf("planet of %u bytes\n", length);
    return 0;
}
