/* Echoes for many TCP clients at once on one thread, with non-blocking sockets and poll.
 *   poll <state directory> <network, 16 digits> <port> */
#include "common.h"

#define MOST 64

/* What each client sent and has not been given back yet. While there is something, nothing more is read from it. */
static struct {
    char bytes[4096];
    size_t begin, end;
} waiting[MOST];
static struct zts_pollfd entries[MOST];

static void watch(zts_nfds_t index, int fd, short events)
{
    entries[index].fd = fd;
    entries[index].events = events;
    entries[index].revents = 0;
}

/* Reads or writes as far as it goes; 0 when the client has gone. */
static int serve(zts_nfds_t index)
{
    const int fd = entries[index].fd;
    if (waiting[index].begin == waiting[index].end) {
        const ssize_t got = zts_read(fd, waiting[index].bytes, sizeof waiting[index].bytes);
        if (got == 0) return 0;
        if (got < 0) return zts_errno == ZTS_EAGAIN;
        waiting[index].begin = 0;
        waiting[index].end = (size_t)got;
    }
    const size_t left = waiting[index].end - waiting[index].begin;
    const ssize_t sent = zts_write(fd, waiting[index].bytes + waiting[index].begin, left);
    if (sent < 0 && zts_errno != ZTS_EAGAIN) return 0;
    if (sent > 0) waiting[index].begin += (size_t)sent;
    entries[index].events = waiting[index].begin == waiting[index].end ? ZTS_POLLIN : ZTS_POLLOUT;
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        printf("poll <state directory> <network, 16 digits> <port>\n");
        return 2;
    }
    print_by_line();
    const unsigned short port = port_number(argv[3]);
    enter(argv[1], network_id(argv[2]));
    zts_nfds_t count = 1;
    const int listener = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    if (listener < 0 || zts_bind(listener, "::", port) < 0 || zts_listen(listener, 16) < 0)
        fail_socket("cannot listen");
    zts_set_blocking(listener, 0);
    watch(0, listener, ZTS_POLLIN);
    printf("listening on port %u\n", port);
    while (zts_bsd_poll(entries, count, -1) >= 0) {
        if ((entries[0].revents & ZTS_POLLIN) && count < MOST) {
            const int client = zts_bsd_accept(listener, NULL, NULL);
            if (client >= 0) {
                zts_set_blocking(client, 0);
                waiting[count].begin = waiting[count].end = 0;
                watch(count++, client, ZTS_POLLIN);
                printf("%u clients\n", count - 1);
            }
        }
        for (zts_nfds_t index = 1; index < count; index++) {
            if (!entries[index].revents || serve(index)) continue;
            zts_close(entries[index].fd);
            count--;
            entries[index] = entries[count];
            waiting[index] = waiting[count];
            index--;
        }
    }
    fail_socket("cannot wait");
}
