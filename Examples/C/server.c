/* Echoes what one TCP client sends: server <state directory> <network> <local address> <port> */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 5) {
        printf("server <state directory> <network, 16 digits> <local address, or ::> <port>\n");
        return 2;
    }
    enter(argv[1], strtoull(argv[2], NULL, 16));
    char remote[ZTS_IP_MAX_STR_LEN];
    unsigned short port = 0;
    const int fd = zts_tcp_server(argv[3], (unsigned short)atoi(argv[4]), remote, sizeof remote, &port);
    if (fd < 0) {
        printf("%s\n", zts_strerror(zts_errno));
        return 1;
    }
    printf("client %s, port %u\n", remote, port);
    char buffer[4096];
    ssize_t count;
    while ((count = zts_read(fd, buffer, sizeof buffer)) > 0) zts_write(fd, buffer, (size_t)count);
    zts_close(fd);
    zts_node_stop();
    return 0;
}
