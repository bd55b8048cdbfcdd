/* Echoes what TCP clients send, one client after the other, and shows three ways to wait for data without blocking in
 * the read: asking again and again, select, and poll (which poll.c uses for many clients at once).
 *   nonblockingserver <state directory> <network, 16 digits> <local address, :: or 0.0.0.0 for any> <port>
 *                     [fcntl, select or poll; poll unless given] */
#include "common.h"

enum technique { TECHNIQUE_FCNTL, TECHNIQUE_SELECT, TECHNIQUE_POLL };

/* Does something else until there is data (or room, when writing). */
static void wait_for(enum technique technique, int fd, int writing)
{
    if (technique == TECHNIQUE_POLL) {
        struct zts_pollfd entry = { fd, writing ? ZTS_POLLOUT : ZTS_POLLIN, 0 };
        while (zts_bsd_poll(&entry, 1, 100) == 0) continue;
    } else if (technique == TECHNIQUE_SELECT) {
        /* Of sets, timeouts and numbers, select changes the sets: they are made anew each time. Only descriptors below
         * ZTS_FD_SETSIZE, 1024, fit into one. */
        zts_fd_set set;
        struct zts_timeval timeout;
        do {
            ZTS_FD_ZERO(&set);
            ZTS_FD_SET(fd, &set);
            timeout.tv_sec = 0;
            timeout.tv_usec = 100000;
        } while (zts_bsd_select(ZTS_FD_SETSIZE, writing ? NULL : &set, writing ? &set : NULL, NULL, &timeout) == 0);
    } else {
        zts_util_delay(1);
    }
}

/* Everything that one client sends, up to the end of its stream. */
static void serve(enum technique technique, int fd)
{
    /* Two ways to switch blocking off. */
    const int flags = zts_bsd_fcntl(fd, ZTS_F_GETFL, 0);
    const int code = technique == TECHNIQUE_FCNTL ? zts_bsd_fcntl(fd, ZTS_F_SETFL, flags | ZTS_O_NONBLOCK)
                                                  : zts_set_blocking(fd, 0);
    if (flags < 0 || code < 0) fail_socket("cannot switch blocking off");
    char buffer[4096];
    unsigned long total = 0;
    for (;;) {
        const ssize_t count = zts_read(fd, buffer, sizeof buffer);
        if (count == 0) break;
        if (count < 0 && zts_errno == ZTS_EAGAIN) {
            wait_for(technique, fd, 0);
            continue;
        }
        if (count < 0) {
            printf("cannot read: %s\n", zts_strerror(zts_errno));
            break;
        }
        for (ssize_t sent = 0; sent < count;) {
            const ssize_t step = zts_write(fd, buffer + sent, (size_t)(count - sent));
            if (step > 0) {
                sent += step;
            } else if (zts_errno == ZTS_EAGAIN) {
                wait_for(technique, fd, 1);
            } else {
                printf("cannot write: %s\n", zts_strerror(zts_errno));
                zts_close(fd);
                return;
            }
        }
        total += (unsigned long)count;
    }
    printf("echoed %lu bytes\n", total);
    zts_close(fd);
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "fcntl", "select", "poll" };
    int technique = TECHNIQUE_POLL;
    if (argc == 6) {
        technique = TECHNIQUE_FCNTL;
        while (technique <= TECHNIQUE_POLL && strcmp(argv[5], names[technique])) technique++;
    }
    if ((argc != 5 && argc != 6) || technique > TECHNIQUE_POLL) {
        printf("nonblockingserver <state directory> <network, 16 digits> <local address, :: or 0.0.0.0 for any> <port> "
               "[fcntl, select or poll; poll unless given]\n");
        return 2;
    }
    print_by_line();
    const unsigned short port = port_number(argv[4]);
    enter(argv[1], network_id(argv[2]));
    const int listener = zts_socket(zts_util_get_ip_family(argv[3]), ZTS_SOCK_STREAM, 0);
    if (listener < 0) fail_socket("no socket");
    if (zts_bind(listener, argv[3], port) < 0) fail_socket("cannot bind");
    if (zts_listen(listener, 100) < 0) fail_socket("cannot listen");
    printf("listening on port %u, waiting with %s\n", port, names[technique]);
    for (;;) {
        char remote[ZTS_IP_MAX_STR_LEN];
        unsigned short remote_port = 0;
        const int client = zts_accept(listener, remote, sizeof remote, &remote_port);
        if (client < 0) fail_socket("cannot accept");
        printf("client %s, port %u\n", remote, remote_port);
        serve((enum technique)technique, client);
    }
}
