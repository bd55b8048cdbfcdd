/* Sends a line by TCP and prints what comes back: client <state directory> <network> <address> <port> */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 5) {
        printf("client <state directory> <network, 16 digits> <address> <port>\n");
        return 2;
    }
    enter(argv[1], strtoull(argv[2], NULL, 16));
    int fd;
    while ((fd = zts_tcp_client(argv[3], (unsigned short)atoi(argv[4]))) < 0) printf("%s\n", zts_strerror(zts_errno));
    const char line[] = "a line for the echo\n";
    zts_write(fd, line, sizeof line - 1);
    char answer[128];
    const ssize_t count = zts_read(fd, answer, sizeof answer);
    if (count > 0) printf("%.*s", (int)count, answer);
    zts_close(fd);
    zts_node_stop();
    return count > 0 ? 0 : 1;
}
