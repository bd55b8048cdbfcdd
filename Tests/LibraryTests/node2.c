#include "node.h"

#include <stdio.h>
#include <string.h>

#include "ZeroTierSockets.h"

#include "peer.h"

volatile struct events events;
const int FORMS = 2;

static void told(void *argument)
{
    const zts_event_msg_t *message = argument;
    events.up += message->event_code == ZTS_EVENT_NODE_UP;
    events.online += message->event_code == ZTS_EVENT_NODE_ONLINE;
    events.down += message->event_code == ZTS_EVENT_NODE_DOWN;
}

int node_start(const char *home)
{
    /* Settings are made before each start; those of the run before go on to hold. */
    if (zts_init_from_storage(home) != ZTS_ERR_OK || zts_init_set_event_handler(told) != ZTS_ERR_OK) return -1;
    return zts_node_start();
}
int node_stop(void) { return zts_node_stop(); }
int node_free(void) { return zts_node_free(); }
int node_is_online(void) { return zts_node_is_online(); }
int node_join(uint64_t network) { return zts_net_join(network); }
void node_remembers(int on) { NEED(zts_init_allow_net_cache((unsigned)on) == ZTS_ERR_OK); }

int node_address(uint64_t network, int family, char *text)
{
    char address[ZTS_IP_MAX_STR_LEN];
    if (zts_addr_get_str(network, family == 4 ? ZTS_AF_INET : ZTS_AF_INET6, address, sizeof address) != ZTS_ERR_OK) return 0;
    strcpy(text, address);
    return 1;
}

int is_without_service(int result) { return result == ZTS_ERR_SERVICE; }
int node_errno(void) { return zts_errno; }
const char *node_message(void) { return zts_last_error_message(); }

int stream_socket(void) { return zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0); }

int datagram_socket(int family)
{
    const int fd = zts_udp_client(family == 4 ? "0.0.0.0" : "::");
    NEED(fd >= 0 && zts_set_recv_timeout(fd, 1, 0) == ZTS_ERR_OK);
    return fd;
}

int connected(const char *address, int port, int milliseconds)
{
    const int fd = stream_socket();
    return zts_connect(fd, address, (unsigned short)port, milliseconds) == ZTS_ERR_OK ? fd : -1;
}

int listening(int port)
{
    const int fd = stream_socket();
    return zts_bind(fd, "::", (unsigned short)port) == ZTS_ERR_OK && zts_listen(fd, 1) == ZTS_ERR_OK ? fd : -1;
}

int node_accept(int listener)
{
    char from[ZTS_IP_MAX_STR_LEN];
    unsigned short port;
    return zts_accept(listener, from, sizeof from, &port);
}

long node_send(int fd, const void *bytes, size_t length) { return zts_send(fd, bytes, length, 0); }
long node_receive(int fd, void *bytes, size_t room) { return zts_recv(fd, bytes, room, 0); }
int node_close(int fd) { return zts_close(fd); }

static struct zts_sockaddr_storage name_of(const char *address, int port, zts_socklen_t *length)
{
    struct zts_sockaddr_storage name;
    *length = sizeof name;
    NEED(zts_util_ipstr_to_saddr(address, (unsigned short)port, (struct zts_sockaddr *)&name, length) == ZTS_ERR_OK);
    return name;
}

long exchange(
    int fd, const char *address, int port, const void *bytes, size_t length, void *back, size_t room, int tries)
{
    zts_socklen_t size;
    const struct zts_sockaddr_storage name = name_of(address, port, &size);
    for (int i = 0; i < tries; i++) {
        if (zts_bsd_sendto(fd, bytes, length, 0, (const struct zts_sockaddr *)&name, size) != (ssize_t)length) continue;
        const long count = zts_bsd_recvfrom(fd, back, room, 0, NULL, NULL);
        if (count >= 0 || zts_errno != ZTS_EAGAIN) return count;
    }
    return -1;
}

int connect_in_form(int form, int fd, int port)
{
    char nobody[ZTS_IP_MAX_STR_LEN];
    NEED(zts_addr_compute_6plane_str(NETWORK_6, 0x1234567890, nobody, sizeof nobody) == ZTS_ERR_OK);
    if (form == 0) return zts_connect(fd, nobody, (unsigned short)port, 30000);
    zts_socklen_t size;
    const struct zts_sockaddr_storage name = name_of(nobody, port, &size);
    return zts_bsd_connect(fd, (const struct zts_sockaddr *)&name, size);
}

void node_expect_counts(void)
{
    zts_stats_counter_t all;
    NEED(zts_stats_get_all(&all) == ZTS_ERR_OK);
    printf("link %u/%u, ARP %u/%u, IP %u/%u, ICMP %u/%u, IPv6 %u/%u, ICMPv6 %u/%u, ND %u/%u, UDP %u/%u\n", all.link_tx,
        all.link_rx, all.etharp_tx, all.etharp_rx, all.ip4_tx, all.ip4_rx, all.icmp4_tx, all.icmp4_rx, all.ip6_tx,
        all.ip6_rx, all.icmp6_tx, all.icmp6_rx, all.nd6_tx, all.nd6_rx, all.udp_tx, all.udp_rx);
    NEED(all.etharp_tx > 0 && all.etharp_rx > 0 && all.ip4_tx > 0 && all.ip4_rx > 0 && all.ip6_tx > 0 && all.ip6_rx > 0);
    NEED(all.icmp4_rx > 0 && all.icmp6_rx > 0 && all.nd6_tx + all.nd6_rx > 0);
    NEED(all.udp_tx > 0 && all.udp_rx > 0 && all.link_tx > 0 && all.link_rx > 0);
}
