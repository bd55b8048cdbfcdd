// Sends a line by TCP and prints what comes back.
//   client <state directory> <network, 16 digits> <IPv4 address> <port>
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::printf("client <state directory> <network, 16 digits> <IPv4 address> <port>\n");
        return 2;
    }
    enter(argv[1], std::strtoull(argv[2], NULL, 16), 0);

    struct zts_sockaddr_in remote;
    std::memset(&remote, 0, sizeof remote);
    remote.sin_family = ZTS_AF_INET;
    remote.sin_port = htons((uint16_t)std::atoi(argv[4]));
    if (inet_pton(AF_INET, argv[3], &remote.sin_addr) != 1) return 2;

    int fd;
    for (;;) {
        fd = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
        if (zts_connect(fd, (const struct sockaddr *)&remote, sizeof remote) == 0) break;
        std::printf("not yet: %s\n", zts_strerror(zts_errno));
        zts_close(fd); // the way to the peer may take a moment: again, with a new socket
        sleep(1);
    }
    const char line[] = "a line for the echo\n";
    zts_write(fd, line, sizeof line - 1);
    char answer[128];
    const int count = zts_read(fd, answer, sizeof answer);
    if (count > 0) std::printf("%.*s", count, answer);
    zts_close(fd);
    zts_stop();
    return count > 0 ? 0 : 1;
}
