/* Sends a line by TCP and prints what comes back. The other end: server.c.
 *   client <state directory> <network, 16 digits> <address> <port> */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 5) {
        printf("client <state directory> <network, 16 digits> <address> <port>\n");
        return 2;
    }
    print_by_line();
    const unsigned short port = port_number(argv[4]);
    enter(argv[1], network_id(argv[2]));
    int fd;
    while ((fd = zts_tcp_client(argv[3], port)) < 0) {
        /* The way to the peer may take a moment. */
        printf("not yet: %s\n", zts_strerror(zts_errno));
        zts_util_delay(500);
    }
    const char line[] = "a line for the server\n";
    if (zts_write(fd, line, sizeof line - 1) != (ssize_t)sizeof line - 1) fail_socket("cannot write");
    printf("sent %u bytes: %s", (unsigned)sizeof line - 1, line);
    char answer[128];
    const ssize_t count = zts_read(fd, answer, sizeof answer);
    if (count < 0) fail_socket("cannot read");
    printf("received %d bytes: %.*s", (int)count, (int)count, answer);
    zts_close(fd);
    zts_node_stop();
    return count > 0 ? 0 : 1;
}
