/* Serves many TCP clients on one thread with non-blocking sockets: poll <state directory> <network> <port> */
#include "common.h"

#define MOST 64

int main(int argc, char **argv)
{
    if (argc != 4) {
        printf("poll <state directory> <network, 16 digits> <port>\n");
        return 2;
    }
    enter(argv[1], strtoull(argv[2], NULL, 16));
    struct zts_pollfd entries[MOST];
    zts_nfds_t count = 1;
    entries[0].fd = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    entries[0].events = ZTS_POLLIN;
    if (zts_bind(entries[0].fd, "::", (unsigned short)atoi(argv[3])) < 0 || zts_listen(entries[0].fd, 16) < 0) return 1;
    zts_set_blocking(entries[0].fd, 0);
    while (zts_bsd_poll(entries, count, -1) >= 0) {
        if ((entries[0].revents & ZTS_POLLIN) && count < MOST) {
            const int client = zts_bsd_accept(entries[0].fd, NULL, NULL);
            if (client >= 0) {
                zts_set_blocking(client, 0);
                entries[count].fd = client;
                entries[count].events = ZTS_POLLIN;
                entries[count].revents = 0;
                count++;
            }
        }
        for (zts_nfds_t index = 1; index < count; index++) {
            if (!entries[index].revents) continue;
            char buffer[4096];
            const ssize_t got = zts_read(entries[index].fd, buffer, sizeof buffer);
            if (got > 0) zts_write(entries[index].fd, buffer, (size_t)got);
            if (got == 0 || (got < 0 && zts_errno != ZTS_EAGAIN)) {
                zts_close(entries[index].fd);
                entries[index--] = entries[--count];
            }
        }
    }
    return 1;
}
