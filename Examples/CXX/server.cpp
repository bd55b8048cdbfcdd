// Answers every TCP client, one after the other, with the bytes it sent.
//   server <state directory> <network, 16 digits> <4 or 6> <port>
// Client and server both use UDP port 9998: two of them need two machines (or network namespaces).
#include "common.h"

// The address of a connection's other end, as text.
static void printRemote(int fd)
{
    // Socket functions write the stack's own layout, with a length byte in front of the family.
    struct zts_sockaddr_in6 remote;
    socklen_t length = sizeof remote;
    if (zts_getpeername(fd, (struct sockaddr *)&remote, &length) < 0) {
        std::printf("client unknown: %s\n", zts_strerror(zts_errno));
        return;
    }
    char text[INET6_ADDRSTRLEN] = "?";
    if (remote.sin6_family == ZTS_AF_INET)
        inet_ntop(AF_INET, &((const struct zts_sockaddr_in *)&remote)->sin_addr, text, sizeof text);
    else
        inet_ntop(AF_INET6, &remote.sin6_addr, text, sizeof text);
    std::printf("client %s, port %u\n", text, (unsigned)ntohs(remote.sin6_port));
}

int main(int argc, char **argv)
{
    const bool is4 = argc == 5 && !std::strcmp(argv[3], "4");
    if (argc != 5 || (!is4 && std::strcmp(argv[3], "6"))) {
        std::printf("server <state directory> <network, 16 digits> <4 or 6> <port>\n");
        return 2;
    }
    const uint16_t port = portNumber(argv[4]);
    enter(argv[1], networkID(argv[2]), 9998);

    struct zts_sockaddr_in local4;
    std::memset(&local4, 0, sizeof local4);
    local4.sin_family = ZTS_AF_INET;
    local4.sin_port = htons(port);
    struct zts_sockaddr_in6 local6;
    std::memset(&local6, 0, sizeof local6);
    local6.sin6_family = ZTS_AF_INET6;
    local6.sin6_port = htons(port);

    const int listener = zts_socket(is4 ? ZTS_AF_INET : ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    const int bound = is4 ? zts_bind(listener, (const struct sockaddr *)&local4, sizeof local4)
                          : zts_bind(listener, (const struct sockaddr *)&local6, sizeof local6);
    if (listener < 0 || bound < 0 || zts_listen(listener, 100) < 0) {
        std::printf("cannot listen: %s\n", zts_strerror(zts_errno));
        return 1;
    }
    std::printf("listening on port %u\n", (unsigned)port);
    for (;;) {
        const int client = zts_accept(listener, NULL, NULL);
        if (client < 0) {
            std::printf("cannot accept: %s\n", zts_strerror(zts_errno));
            return 1;
        }
        printRemote(client);
        char buffer[4096];
        const int count = zts_read(client, buffer, sizeof buffer);
        if (count < 0) std::printf("cannot read: %s\n", zts_strerror(zts_errno));
        int sent = 0;
        while (sent < count) {
            const int step = zts_write(client, buffer + sent, (size_t)(count - sent));
            if (step <= 0) {
                std::printf("cannot write: %s\n", zts_strerror(zts_errno));
                break;
            }
            sent += step;
        }
        std::printf("echoed %d bytes\n", sent);
        zts_close(client); // what was written still arrives
    }
}
