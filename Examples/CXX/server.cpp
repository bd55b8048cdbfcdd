// Echoes what TCP clients send, one client after the other.
//   server <state directory> <network, 16 digits> <port>
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::printf("server <state directory> <network, 16 digits> <port>\n");
        return 2;
    }
    enter(argv[1], std::strtoull(argv[2], NULL, 16), 0);

    struct zts_sockaddr_in6 local;
    std::memset(&local, 0, sizeof local);
    local.sin6_family = ZTS_AF_INET6; // all addresses of both families
    local.sin6_port = htons((uint16_t)std::atoi(argv[3]));
    const int listener = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    if (zts_bind(listener, (const struct sockaddr *)&local, sizeof local) < 0 || zts_listen(listener, 16) < 0) {
        std::printf("cannot listen: %s\n", zts_strerror(zts_errno));
        return 1;
    }
    for (;;) {
        const int client = zts_accept(listener, NULL, NULL);
        if (client < 0) {
            std::printf("cannot accept: %s\n", zts_strerror(zts_errno));
            return 1;
        }
        char buffer[4096];
        int count;
        while ((count = zts_read(client, buffer, sizeof buffer)) > 0) {
            for (int sent = 0; sent < count;) {
                const int step = zts_write(client, buffer + sent, (size_t)(count - sent));
                if (step <= 0) break;
                sent += step;
            }
        }
        zts_close(client);
    }
}
