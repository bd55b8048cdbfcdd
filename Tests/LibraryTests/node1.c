#include "node.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "ZeroTier.h"
#include "peer.h"

volatile struct events events;
const int FORMS = 1;

static void told(struct zts_callback_msg *message)
{
    events.up += message->eventCode == ZTS_EVENT_NODE_UP;
    events.online += message->eventCode == ZTS_EVENT_NODE_ONLINE;
    events.down += message->eventCode == ZTS_EVENT_NODE_DOWN;
}

int node_start(const char *home) { return zts_start(home, told, 0); }
int node_stop(void) { return zts_stop(); }
int node_free(void) { return zts_free(); }
int node_is_online(void) { return zts_get_node_status() == ZTS_EVENT_NODE_ONLINE; }
int node_join(uint64_t network) { return zts_join(network); }
void node_remembers(int on) { zts_set_network_caching(on); }

int node_address(uint64_t network, int family, char *text)
{
    struct sockaddr_storage address;
    if (zts_get_address(network, &address, family == 4 ? ZTS_AF_INET : ZTS_AF_INET6) != ZTS_ERR_OK) return 0;
    const void *bytes = family == 4 ? (void *)&((struct sockaddr_in *)&address)->sin_addr
                                    : (void *)&((struct sockaddr_in6 *)&address)->sin6_addr;
    return inet_ntop(family == 4 ? AF_INET : AF_INET6, bytes, text, 64) != NULL;
}

int is_without_service(int result) { return result == ZTS_ERR_SERVICE; }
int node_errno(void) { return zts_errno; }
const char *node_message(void) { return zts_last_error_message(); }

union name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t name_of(const char *address, int port, union name *name)
{
    memset(name, 0, sizeof *name);
    if (inet_pton(AF_INET, address, &name->v4.sin_addr) == 1) {
        name->v4.sin_family = AF_INET;
        name->v4.sin_port = htons((uint16_t)port);
        return sizeof name->v4;
    }
    NEED(inet_pton(AF_INET6, address, &name->v6.sin6_addr) == 1);
    name->v6.sin6_family = AF_INET6;
    name->v6.sin6_port = htons((uint16_t)port);
    return sizeof name->v6;
}

int stream_socket(void) { return zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0); }

int datagram_socket(int family)
{
    const int fd = zts_socket(family == 4 ? ZTS_AF_INET : ZTS_AF_INET6, ZTS_SOCK_DGRAM, 0);
    const struct timeval second = { 1, 0 };
    NEED(fd >= 0 && zts_setsockopt(fd, ZTS_SOL_SOCKET, ZTS_SO_RCVTIMEO, &second, sizeof second) == 0);
    return fd;
}

int connected(const char *address, int port, int milliseconds)
{
    union name name;
    const socklen_t length = name_of(address, port, &name);
    (void)milliseconds;
    const int fd = stream_socket();
    return zts_connect(fd, &name.any, length) == ZTS_ERR_OK ? fd : -1;
}

int listening(int port)
{
    union name name;
    const socklen_t length = name_of("::", port, &name);
    const int fd = stream_socket();
    return zts_bind(fd, &name.any, length) == ZTS_ERR_OK && zts_listen(fd, 1) == ZTS_ERR_OK ? fd : -1;
}

int node_accept(int listener) { return zts_accept(listener, NULL, NULL); }
long node_send(int fd, const void *bytes, size_t length) { return zts_send(fd, bytes, length, 0); }
long node_receive(int fd, void *bytes, size_t room) { return zts_recv(fd, bytes, room, 0); }
int node_close(int fd) { return zts_close(fd); }

long exchange(
    int fd, const char *address, int port, const void *bytes, size_t length, void *back, size_t room, int tries)
{
    union name name;
    const socklen_t size = name_of(address, port, &name);
    for (int i = 0; i < tries; i++) {
        if (zts_sendto(fd, bytes, length, 0, &name.any, size) != (ssize_t)length) continue;
        const long count = zts_recvfrom(fd, back, room, 0, NULL, NULL);
        if (count >= 0 || zts_errno != ZTS_EAGAIN) return count;
    }
    return -1;
}

int connect_in_form(int form, int fd, int port)
{
    union name name;
    struct sockaddr_storage nobody;
    (void)form;
    NEED(zts_get_6plane_addr(&nobody, NETWORK_6, 0x1234567890) == ZTS_ERR_OK);
    memcpy(&name.v6, &nobody, sizeof name.v6);
    name.v6.sin6_port = htons((uint16_t)port);
    return zts_connect(fd, &name.any, sizeof name.v6);
}

void node_expect_counts(void)
{
    struct zts_stats all;
    NEED(zts_get_all_stats(&all) == ZTS_ERR_OK);
    printf("link %u/%u, ARP %u/%u, fragments %u/%u, IP %u/%u, ICMP %u/%u, IPv6 %u/%u, ICMPv6 %u/%u, ND %u/%u, UDP %u/%u\n",
        all.link.xmit, all.link.recv, all.etharp.xmit, all.etharp.recv, all.ip_frag.xmit, all.ip_frag.recv, all.ip.xmit,
        all.ip.recv, all.icmp.xmit, all.icmp.recv, all.ip6.xmit, all.ip6.recv, all.icmp6.xmit, all.icmp6.recv,
        all.nd6.xmit, all.nd6.recv, all.udp.xmit, all.udp.recv);
    NEED(all.etharp.xmit > 0 && all.etharp.recv > 0);
    NEED(all.ip_frag.xmit > 0 && all.ip_frag.recv > 0 && all.ip6_frag.xmit > 0 && all.ip6_frag.recv > 0);
    NEED(all.icmp.recv > 0 && all.icmp6.recv > 0);
    NEED(all.nd6.xmit + all.nd6.recv > 0);
    NEED(all.udp.xmit > 0 && all.udp.recv > 0 && all.link.xmit > 0 && all.link.recv > 0);
    static const int protocols[] = { ZTS_STATS_PROTOCOL_LINK, ZTS_STATS_PROTOCOL_ETHARP, ZTS_STATS_PROTOCOL_IP,
        ZTS_STATS_PROTOCOL_UDP, ZTS_STATS_PROTOCOL_ICMP, ZTS_STATS_PROTOCOL_IP6, ZTS_STATS_PROTOCOL_ICMP6 };
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        struct zts_stats_proto one;
        NEED(zts_get_protocol_stats(protocols[i], &one) == ZTS_ERR_OK && one.recv > 0);
    }
}
