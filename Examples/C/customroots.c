/* A planet of one's own: one root, signed with new keys. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ZeroTierSockets.h"

int main(void)
{
    char identity[ZTS_ID_STR_BUF_LEN];
    unsigned int length = sizeof identity;
    if (zts_id_new(identity, &length) != ZTS_ERR_OK) return 1;
    static zts_root_set_t set;
    char endpoint[] = "192.0.2.1/9993";
    set.public_id_str[0] = identity;
    set.endpoint_ip_str[0][0] = endpoint;
    static char roots[ZTS_STORE_DATA_LEN];
    char previous[128], current[128];
    unsigned int roots_length = sizeof roots, previous_length = sizeof previous, current_length = sizeof current;
    const int code = zts_util_sign_root_set(
        roots, &roots_length, previous, &previous_length, current, &current_length, 149604618, 1, &set);
    printf("%s: %u bytes\n", zts_strerror(code), roots_length);
    return code == ZTS_ERR_OK && zts_init_set_roots(roots, roots_length) == ZTS_ERR_OK ? 0 : 1;
}
