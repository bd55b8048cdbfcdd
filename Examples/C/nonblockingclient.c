/* Sends a line now and then, at random intervals, for ever, and prints what comes back without ever waiting for it.
 *   nonblockingclient <state directory> <network, 16 digits> <address> <port> */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 5) {
        printf("nonblockingclient <state directory> <network, 16 digits> <address> <port>\n");
        return 2;
    }
    print_by_line();
    const unsigned short port = port_number(argv[4]);
    const int family = zts_util_get_ip_family(argv[3]);
    if (family != ZTS_AF_INET && family != ZTS_AF_INET6) {
        printf("not an address: %s\n", argv[3]);
        return 2;
    }
    enter(argv[1], network_id(argv[2]));

    /* The connection is made the blocking way: 0 stands for the library's own time limit. */
    int fd;
    for (;;) {
        if ((fd = zts_socket(family, ZTS_SOCK_STREAM, 0)) < 0) fail_socket("no socket");
        if (zts_connect(fd, argv[3], port, 0) == ZTS_ERR_OK) break;
        printf("not yet: %s\n", zts_strerror(zts_errno));
        zts_close(fd);
        zts_util_delay(500);
    }
    printf("connected\n");
    if (zts_set_blocking(fd, 0) != ZTS_ERR_OK) fail_socket("cannot switch blocking off");

    for (unsigned long line = 1;; line++) {
        char text[64];
        const int length = snprintf(text, sizeof text, "line %lu\n", line);
        /* A line is short: either all of it finds room in the send buffer, or it is tried again. */
        ssize_t sent;
        while ((sent = zts_write(fd, text, (size_t)length)) < 0 && zts_errno == ZTS_EAGAIN) zts_util_delay(10);
        if (sent != length) fail_socket("cannot write");
        printf("sent: %s", text);

        zts_util_delay((unsigned long)(rand() % 200));
        char answer[4096];
        ssize_t count;
        while ((count = zts_read(fd, answer, sizeof answer)) > 0)
            printf("received %d bytes:\n%.*s", (int)count, (int)count, answer);
        if (count == 0) {
            printf("closed by the server\n");
            return 0;
        }
        if (zts_errno != ZTS_EAGAIN) fail_socket("cannot read");
    }
}
