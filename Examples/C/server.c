/* Echoes what one TCP client sends, up to the end of its stream.
 *   server <state directory> <network, 16 digits> <local address, :: or 0.0.0.0 for any> <port> */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 5) {
        printf("server <state directory> <network, 16 digits> <local address, :: or 0.0.0.0 for any> <port>\n");
        return 2;
    }
    print_by_line();
    const unsigned short port = port_number(argv[4]);
    enter(argv[1], network_id(argv[2]));
    printf("waiting for a client on port %u\n", port);
    char remote[ZTS_IP_MAX_STR_LEN];
    unsigned short remote_port = 0;
    const int fd = zts_tcp_server(argv[3], port, remote, sizeof remote, &remote_port);
    if (fd < 0) fail_socket("no client");
    printf("client %s, port %u\n", remote, remote_port);
    char buffer[4096];
    ssize_t count;
    unsigned long total = 0;
    while ((count = zts_read(fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t sent = 0; sent < count;) {
            const ssize_t step = zts_write(fd, buffer + sent, (size_t)(count - sent));
            if (step < 0) fail_socket("cannot write");
            sent += step;
        }
        total += (unsigned long)count;
    }
    if (count < 0) fail_socket("cannot read");
    printf("echoed %lu bytes\n", total);
    zts_close(fd);
    zts_node_stop();
    return 0;
}
