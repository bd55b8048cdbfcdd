// Sends a line by TCP over IPv4 and prints what comes back. The other end: server.cpp.
//   client <state directory> <network, 16 digits> <IPv4 address> <port>
// Client and server both use UDP port 9998: two of them need two machines (or network namespaces).
#include "common.h"

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::printf("client <state directory> <network, 16 digits> <IPv4 address> <port>\n");
        return 2;
    }
    struct zts_sockaddr_in remote;
    std::memset(&remote, 0, sizeof remote);
    remote.sin_family = ZTS_AF_INET;
    remote.sin_port = htons(portNumber(argv[4]));
    if (inet_pton(AF_INET, argv[3], &remote.sin_addr) != 1) {
        std::printf("not an IPv4 address: %s\n", argv[3]);
        return 2;
    }
    enter(argv[1], networkID(argv[2]), 9998);

    int fd;
    for (;;) {
        fd = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
        if (fd < 0) {
            std::printf("no socket: %s\n", zts_strerror(zts_errno));
            return 1;
        }
        if (zts_connect(fd, (const struct sockaddr *)&remote, sizeof remote) == 0) break;
        std::printf("not yet: %s (%d)\n", zts_strerror(zts_errno), zts_errno);
        zts_close(fd); // the way to the peer may take a moment: again, with a new socket
        sleep(1);
    }
    const char line[] = "a line for the server\n";
    const int sent = zts_write(fd, line, sizeof line - 1);
    if (sent != (int)sizeof line - 1) {
        std::printf("cannot write: %s\n", zts_strerror(zts_errno));
        return 1;
    }
    std::printf("sent %d bytes: %s", sent, line);
    char answer[128];
    const int count = zts_read(fd, answer, sizeof answer);
    if (count > 0)
        std::printf("received %d bytes: %.*s", count, count, answer);
    else
        std::printf("no answer: %s\n", count == 0 ? "closed" : zts_strerror(zts_errno));
    zts_close(fd);
    zts_stop();
    return count > 0 ? 0 : 1;
}
