/* Generation 1, ZeroTier.h: arguments are checked first, then that the service runs. */
#include "matrix.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ZeroTier.h"

#define GENERATION 1
#define ERRNO_EBADF 9
#define ERRNO_EFAULT 14
#define ERRNO_EINVAL 22
#define ERRNO_ENAMETOOLONG 36
#define ERRNO_ENOSYS 38
#define ERRNO_EPROTONOSUPPORT 93
#define ERRNO_EAFNOSUPPORT 97
#define ERRNO_ENETDOWN 100
#define ERRNO_ENETUNREACH 101
#define ERRNO_ECONNREFUSED 111

enum {
    SERVICE = ZTS_ERR_SERVICE,
    ARGUMENT = ZTS_ERR_INVALID_ARG,
    OPERATION = ZTS_ERR_INVALID_OP,
    NO_RESULT = ZTS_ERR_NO_RESULT
};

/* ---- Events ---- */

static uint64_t own_id;
static _Atomic int hook_code = -1;
static void (*hook)(void);

/* The one member that belongs to the event is there, and filled. */
static void told(struct zts_callback_msg *message)
{
    int code = message->eventCode;
    EXPECT((message->node != NULL) == NODE_EVENT_TYPE(code));
    bool is_of_controller = code >= ZTS_EVENT_CONTROLLER_MEMBER_WAITING;
    bool is_of_member = is_of_controller && code != ZTS_EVENT_CONTROLLER_NETWORK_CHANGED;
    EXPECT((message->network != NULL) == (is_of_controller || NETWORK_EVENT_TYPE(code)));
    EXPECT((message->netif != NULL) == NETIF_EVENT_TYPE(code));
    EXPECT((message->route != NULL) == ROUTE_EVENT_TYPE(code));
    EXPECT((message->path != NULL) == PATH_EVENT_TYPE(code));
    EXPECT((message->peer != NULL) == (is_of_member || PEER_EVENT_TYPE(code)));
    EXPECT((message->addr != NULL) == ADDR_EVENT_TYPE(code));
    if (message->node) {
        if (code != ZTS_EVENT_NODE_UNRECOVERABLE_ERROR && own_id) EXPECT(message->node->address == own_id);
        EXPECT(message->node->clock > 1600000000000);
        if (code == ZTS_EVENT_NODE_ONLINE) {
            own_id = message->node->address;
            EXPECT(own_id != 0 && message->node->online && message->node->primaryPort != 0);
            EXPECT(message->node->planetWorldId != 0);
        }
        if (code == ZTS_EVENT_NODE_OFFLINE) EXPECT(!message->node->online);
    }
    if (message->network)
        EXPECT(message->network->nwid != 0 && (is_of_controller || message->network->mtu >= 1280));
    if (message->network && message->network->nwid == NETWORK
        && (code == ZTS_EVENT_NETWORK_OK || code == ZTS_EVENT_NETWORK_READY_IP6))
        EXPECT(message->network->num_addresses == 1 && message->network->addr[0].ss_family == AF_INET6);
    if (message->netif)
        EXPECT(message->netif->nwid != 0 && message->netif->mac != 0 && message->netif->mtu >= 1280);
    if (message->addr)
        EXPECT(message->addr->nwid != 0
            && message->addr->addr.ss_family == (code < ZTS_EVENT_ADDR_ADDED_IP6 ? AF_INET : AF_INET6));
    if (message->peer)
        EXPECT(message->peer->address != 0);
    if (message->path)
        EXPECT(message->path->address.ss_family == AF_INET || message->path->address.ss_family == AF_INET6);
    if (message->route)
        EXPECT(message->route->target.ss_family != 0);
    if (code == ZTS_EVENT_NODE_UNRECOVERABLE_ERROR)
        EXPECT(zts_last_error_message()[0] != 0);
    if (code == hook_code) {
        hook_code = -1;
        hook();
    }
    note_1(message);
    event_came(code);
}

static bool is_ready(void) { return zts_get_network_status(NETWORK) == ZTS_EVENT_NETWORK_READY_IP6; }

static void start(int port, int until)
{
    REQUIRE(zts_start(directory, told, port) == ZTS_ERR_OK);
    REQUIRE(event_comes(until, 1));
}

static void stop(void)
{
    REQUIRE(zts_stop() == ZTS_ERR_OK);
    REQUIRE(event_comes(ZTS_EVENT_NODE_DOWN, 1));
}

void start_1(int until) { start(0, until); }

void stop_1(void) { stop(); }

static void join(void)
{
    REQUIRE(zts_join(NETWORK) == ZTS_ERR_OK);
    REQUIRE(event_comes(ZTS_EVENT_NETWORK_OK, 1));
    REQUIRE(waits(is_ready));
}

void join_1(void) { join(); }

/* ---- States ---- */

static int kept = NO_DESCRIPTOR; /* a stream socket made while the service ran */

void enter_state_1(void)
{
    if (state == NEVER)
        return;
    bool goes_online = state == ONLINE || state == READY;
    start(0, goes_online ? ZTS_EVENT_NODE_ONLINE : ZTS_EVENT_NODE_UP);
    kept = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    REQUIRE(kept >= 0);
    if (state == READY) join();
    if (state == STOPPED) stop();
    if (state == FREED) REQUIRE(zts_free() == ZTS_ERR_OK);
}

/* ---- Rows ---- */

static char text[1024];
static struct sockaddr_storage address;
static struct zts_network_details network;
static struct zts_peer_details peers[16];
static struct zts_stats statistics;
static struct zts_stats_proto counters;

/* The planet's root, as the node knows it. */
static uint64_t root_id(void)
{
    static struct zts_peer_details known[16];
    int count = 16;
    return zts_get_peers(known, &count) == ZTS_ERR_OK ? known[0].address : STRANGER;
}

/* 10.1.2.3:53 in either layout; one that is none. */
static struct sockaddr *server(void)
{
    static struct zts_sockaddr_in result;
    result = (struct zts_sockaddr_in) { .sin_family = ZTS_AF_INET, .sin_port = htons(53) };
    result.sin_addr.s_addr = htonl(0x0a010203);
    return (struct sockaddr *)&result;
}

static struct sockaddr *at_home(int port)
{
    static struct zts_sockaddr_in result;
    result = (struct zts_sockaddr_in) { .sin_family = ZTS_AF_INET, .sin_port = htons((uint16_t)port) };
    result.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return (struct sockaddr *)&result;
}

static struct sockaddr *nowhere(void)
{
    static struct sockaddr_in6 result;
    result = (struct sockaddr_in6) { .sin6_family = AF_INET6 };
    return (struct sockaddr *)&result;
}

/* A new stream socket of IPv4 while the service runs; there may be many. */
static int fresh(void)
{
    int made = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    return made < 0 ? NO_DESCRIPTOR : made;
}

static struct sockaddr *any(void) { return (struct sockaddr *)&address; }

/* A set with the bit of a descriptor that is not open. */
static fd_set *unknown_descriptor(void)
{
    static fd_set set;
    FD_ZERO(&set);
    FD_SET(999, &set);
    return &set;
}

static struct timeval *no_time(void)
{
    static struct timeval time;
    time = (struct timeval) { 0, 0 };
    return &time;
}

static struct zts_pollfd *entry(void)
{
    static struct zts_pollfd entry;
    entry = (struct zts_pollfd) { NO_DESCRIPTOR, ZTS_POLLIN, 0 };
    return &entry;
}

static struct msghdr *message(void)
{
    static struct iovec piece;
    static struct msghdr message;
    piece = (struct iovec) { text, 1 };
    message = (struct msghdr) { .msg_iov = &piece, .msg_iovlen = 1 };
    return &message;
}

static struct zts_mmsghdr *batch(void)
{
    static struct zts_mmsghdr batch;
    batch = (struct zts_mmsghdr) { .msg_hdr = *message() };
    return &batch;
}

static struct timespec *time_limit(long seconds)
{
    static struct timespec limit;
    limit = (struct timespec) { .tv_sec = seconds };
    return &limit;
}

static void rows_of_the_service(void)
{
    ROW_VOID(zts_set_network_caching, (true));
    ROW_VOID(zts_set_peer_caching, (true));
    ROW(zts_trace_set, ("none"), ALWAYS(0));
    ROW(zts_trace_set, ("tcp,nonsense"), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "nonsense");
    ROW(zts_trace_set, (NULL), ALWAYS(ARGUMENT));
    ROW(zts_core_running, (), 0, 1, 1, 1, 0, 0);
    ROW(zts_get_path, (text, room_of(sizeof text)), SERVICE, 0, 0, 0, 0, SERVICE);
    VALUE(strcmp(text, directory), SKIP, 0, 0, 0, 0, SKIP);
    VALUE(room == strlen(directory), SKIP, 1, 1, 1, 1, SKIP);
    ROW(zts_get_path, (text, room_of(1)), SERVICE, ARGUMENT, ARGUMENT, ARGUMENT, ARGUMENT, SERVICE);
    SAYS(ARGUMENT, "bytes");
    VALUE(room == strlen(directory) + 1, SKIP, 1, 1, 1, 1, SKIP);
    ROW(zts_get_path, (NULL, room_of(sizeof text)), ALWAYS(ARGUMENT));
    ROW(zts_get_path, (text, NULL), ALWAYS(ARGUMENT));
    ROW(zts_get_node_id, (), RUN(SOME));
    ROW(zts_get_node_status, (), ZTS_EVENT_NODE_OFFLINE, ZTS_EVENT_NODE_OFFLINE, ZTS_EVENT_NODE_ONLINE,
        ZTS_EVENT_NODE_ONLINE, ZTS_EVENT_NODE_OFFLINE, ZTS_EVENT_NODE_OFFLINE);
    ROW(_zts_can_perform_service_operation, (), 0, 0, 1, 1, 0, 0);
    ROW(zts_start, (directory, NULL, 0), ARGUMENT, OPERATION, OPERATION, OPERATION, ARGUMENT, OPERATION);
    SAYS(ARGUMENT, "callback");
    ROW(zts_start, (NULL, told, 0), ARGUMENT, OPERATION, OPERATION, OPERATION, ARGUMENT, OPERATION);
    SAYS(ARGUMENT, "path");
    SAYS(OPERATION, state == FREED ? "freed" : "runs already");
    ROW(zts_start, ("", told, 0), ARGUMENT, OPERATION, OPERATION, OPERATION, ARGUMENT, OPERATION);
    ROW(zts_start, (directory, told, -1), ARGUMENT, OPERATION, OPERATION, OPERATION, ARGUMENT, OPERATION);
    ROW(zts_start, (directory, told, 65536), ARGUMENT, OPERATION, OPERATION, OPERATION, ARGUMENT, OPERATION);
    SAYS(ARGUMENT, "port");
}

static void rows_of_networks(void)
{
    static struct zts_network_settings settings;
    static const struct zts_network_settings usual = { 1, 0, 0, 0 }, odd = { 1, 0, 0, 2 };
    ROW(zts_join, (0), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "network ID");
    ROW(zts_join, (NETWORK), SERVICE, SERVICE, SKIP, 0, SERVICE, SERVICE);
    SAYS(SERVICE, state == OFFLINE ? "root" : "run");
    ROW(zts_leave, (UNKNOWN), ON(0, 0));
    ROW(zts_leave, (0), ON(0, 0));
    ROW(zts_get_num_joined_networks, (), ON(0, 1));
    ROW(zts_get_network_details, (NETWORK, &network), RUN3(NO_RESULT, NO_RESULT, 0));
    SAYS(NO_RESULT, "not joined");
    VALUE(network.nwid == NETWORK && network.num_addresses == 1 && network.mtu > 1279, SKIP, SKIP, SKIP, 1, SKIP, SKIP);
    ROW(zts_get_network_details, (0, &network), ALWAYS(ARGUMENT));
    ROW(zts_get_network_details, (NETWORK, NULL), ALWAYS(ARGUMENT));
    ROW(zts_get_network_settings, (NETWORK, &settings), RUN3(NO_RESULT, NO_RESULT, 0));
    SAYS(NO_RESULT, "not joined");
    VALUE(settings.allow_managed == 1 && settings.allow_global == 0, SKIP, SKIP, SKIP, 1, SKIP, SKIP);
    ROW(zts_get_network_settings, (0, &settings), ALWAYS(ARGUMENT));
    ROW(zts_get_network_settings, (NETWORK, NULL), ALWAYS(ARGUMENT));
    ROW(zts_set_network_settings, (NETWORK, &usual), RUN3(NO_RESULT, NO_RESULT, 0));
    ROW(zts_set_network_settings, (0, &usual), ALWAYS(ARGUMENT));
    ROW(zts_set_network_settings, (NETWORK, NULL), ALWAYS(ARGUMENT));
    ROW(zts_set_network_settings, (NETWORK, &odd), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "allow_dns");
    ROW(zts_get_all_network_details, (&network, number_of(1)), RUN(0));
    VALUE(number, SKIP, 0, 0, 1, SKIP, SKIP);
    ROW(zts_get_all_network_details, (&network, number_of(0)), RUN(0));
    VALUE(number, SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_get_all_network_details, (NULL, number_of(1)), ALWAYS(ARGUMENT));
    ROW(zts_get_all_network_details, (&network, NULL), ALWAYS(ARGUMENT));
    ROW(zts_get_all_network_details, (&network, number_of(-1)), ALWAYS(ARGUMENT));
    ROW(zts_has_address, (NETWORK), RUN3(0, 0, 1));
    ROW(zts_has_address, (0), ALWAYS(ARGUMENT));
    ROW(zts_get_num_assigned_addresses, (NETWORK), RUN3(NO_RESULT, NO_RESULT, 1));
    ROW(zts_get_address_at_index, (NETWORK, 0, any(), length_of(128)), RUN3(NO_RESULT, NO_RESULT, 0));
    VALUE(length == 28 && address.ss_family == AF_INET6, SKIP, SKIP, SKIP, 1, SKIP, SKIP);
    ROW(zts_get_address_at_index, (NETWORK, 1, any(), length_of(128)), RUN3(NO_RESULT, NO_RESULT, ARGUMENT));
    SAYS(ARGUMENT, "none at 1");
    ROW(zts_get_address_at_index, (NETWORK, -1, any(), length_of(128)), ALWAYS(ARGUMENT));
    ROW(zts_get_address_at_index, (NETWORK, 0, any(), length_of(27)), RUN3(NO_RESULT, NO_RESULT, ARGUMENT));
    ROW(zts_get_address_at_index, (NETWORK, 0, NULL, length_of(128)), ALWAYS(ARGUMENT));
    ROW(zts_get_address_at_index, (NETWORK, 0, any(), NULL), ALWAYS(ARGUMENT));
    ROW(zts_get_address, (NETWORK, &address, ZTS_AF_INET6), RUN3(NO_RESULT, NO_RESULT, 0));
    ROW(zts_get_address, (NETWORK, &address, ZTS_AF_INET), RUN(NO_RESULT));
    SAYS(NO_RESULT, state == READY ? "family" : "joined");
    ROW(zts_get_address, (NETWORK, &address, 99), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "ZTS_AF_INET");
    ROW(zts_get_address, (NETWORK, NULL, ZTS_AF_INET6), ALWAYS(ARGUMENT));
    ROW(zts_get_address, (0, &address, ZTS_AF_INET6), ALWAYS(ARGUMENT));
    ROW(zts_get_6plane_addr, (&address, NETWORK, STRANGER), ALWAYS(0));
    VALUE(address.ss_family, ALWAYS(AF_INET6));
    ROW(zts_get_6plane_addr, (NULL, NETWORK, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_get_6plane_addr, (&address, 0, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_get_6plane_addr, (&address, NETWORK, 0), ALWAYS(ARGUMENT));
    ROW(zts_get_rfc4193_addr, (&address, NETWORK, STRANGER), ALWAYS(0));
    ROW(zts_get_rfc4193_addr, (NULL, NETWORK, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_get_rfc4193_addr, (&address, 0, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_get_rfc4193_addr, (&address, NETWORK, 0), ALWAYS(ARGUMENT));
    ROW(zts_generate_adhoc_nwid_from_range, (1, 65535), ALWAYS((long long)0xff0001ffff000000));
}

static void rows_of_peers_and_states(void)
{
    ROW(zts_orbit, (0, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_orbit, (MOON, STRANGER), ON(0, 0));
    ROW(zts_deorbit, (MOON), ON(0, 0));
    ROW(zts_deorbit, (0), ON(0, 0));
    ROW(zts_get_peer_count, (), ON(SOME, SOME));
    ROW(zts_get_peers, (peers, number_of(16)), ON(0, 0));
    VALUE(number, SKIP, SKIP, SOME, SOME, SKIP, SKIP);
    VALUE(peers[0].role, SKIP, SKIP, ZTS_PEER_ROLE_PLANET, ZTS_PEER_ROLE_PLANET, SKIP, SKIP);
    ROW(zts_get_peers, (peers, number_of(0)), ON(ARGUMENT, ARGUMENT));
    SAYS(ARGUMENT, "room");
    VALUE(number, SKIP, SKIP, 0, 0, SKIP, SKIP);
    ROW(zts_get_peers, (NULL, number_of(16)), ALWAYS(ARGUMENT));
    ROW(zts_get_peers, (peers, NULL), ALWAYS(ARGUMENT));
    ROW(zts_get_peer, (peers, root_id()), ON(0, 0));
    ROW(zts_get_peer, (peers, STRANGER), ON(NO_RESULT, NO_RESULT));
    SAYS(NO_RESULT, "unknown");
    ROW(zts_get_peer, (NULL, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_get_peer, (peers, 0), ALWAYS(ARGUMENT));
    ROW(zts_get_network_status, (NETWORK), ON(NO_RESULT, ZTS_EVENT_NETWORK_READY_IP6));
    ROW(zts_get_network_status, (0), ALWAYS(ARGUMENT));
    ROW(zts_get_peer_status, (root_id()), ON(ZTS_EVENT_PEER_P2P, ZTS_EVENT_PEER_P2P));
    ROW(zts_get_peer_status, (STRANGER), ON(ZTS_EVENT_PEER_UNREACHABLE, ZTS_EVENT_PEER_UNREACHABLE));
    ROW(zts_get_all_stats, (&statistics), ALWAYS(0));
    ROW(zts_get_all_stats, (NULL), ALWAYS(ARGUMENT));
    ROW(zts_get_protocol_stats, (ZTS_STATS_PROTOCOL_LINK, &counters), ALWAYS(0));
    ROW(zts_get_protocol_stats, (ZTS_STATS_PROTOCOL_IP6_FRAG, &counters), ALWAYS(0));
    ROW(zts_get_protocol_stats, (-1, &counters), ALWAYS(ARGUMENT));
    ROW(zts_get_protocol_stats, (10, &counters), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "ZTS_STATS_PROTOCOL");
    ROW(zts_get_protocol_stats, (ZTS_STATS_PROTOCOL_TCP, NULL), ALWAYS(ARGUMENT));
}

static void rows_of_sockets(void)
{
    ROW(zts_socket, (ZTS_AF_INET, ZTS_SOCK_STREAM, 0), RUN(DESCRIPTOR));
    ROW(zts_socket, (ZTS_AF_INET6, ZTS_SOCK_DGRAM, 0), RUN(DESCRIPTOR));
    ROW(zts_socket, (99, ZTS_SOCK_STREAM, 0), RUN(FAILS(ERRNO_EAFNOSUPPORT)));
    SAYS(-1, "family");
    ROW(zts_socket, (ZTS_AF_INET, 99, 0), RUN(FAILS(ERRNO_EINVAL)));
    ROW(zts_socket, (ZTS_AF_INET, ZTS_SOCK_RAW, ZTS_IPPROTO_ICMP), RUN(FAILS(ERRNO_EPROTONOSUPPORT)));
    ROW(zts_connect, (NO_DESCRIPTOR, server(), 16), RUN(FAILS(ERRNO_EBADF)));
    SAYS(-1, "descriptor");
    ROW(zts_connect, (fresh(), server(), 16), RUN(FAILS(ERRNO_ENETUNREACH)));
    SAYS(-1, state == READY ? "family" : "no network is joined");
    ROW(zts_connect, (fresh(), at_home(1), 16), RUN(FAILS(ERRNO_ECONNREFUSED)));
    SAYS(-1, "refused");
    ROW(zts_connect, (NO_DESCRIPTOR, any(), 128), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_connect, (NO_DESCRIPTOR, NULL, 16), ALWAYS(ARGUMENT));
    ROW(zts_connect, (NO_DESCRIPTOR, server(), 15), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "16 bytes");
    ROW(zts_connect, (NO_DESCRIPTOR, server(), 29), ALWAYS(ARGUMENT));
    ROW(zts_bind, (NO_DESCRIPTOR, server(), 16), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_bind, (NO_DESCRIPTOR, NULL, 16), ALWAYS(ARGUMENT));
    ROW(zts_bind, (NO_DESCRIPTOR, server(), 15), ALWAYS(ARGUMENT));
    ROW(zts_bind, (NO_DESCRIPTOR, server(), 29), ALWAYS(ARGUMENT));
    ROW(zts_listen, (NO_DESCRIPTOR, 1), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_listen, (kept, 1), SERVICE, 0, 0, 0, SERVICE, SERVICE);
    ROW(zts_accept, (NO_DESCRIPTOR, NULL, NULL), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_accept4, (NO_DESCRIPTOR, NULL, NULL, ZTS_O_NONBLOCK), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_setsockopt, (NO_DESCRIPTOR, ZTS_SOL_SOCKET, ZTS_SO_KEEPALIVE, number_of(1), 4), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_setsockopt, (kept, ZTS_SOL_SOCKET, ZTS_SO_KEEPALIVE, number_of(1), 4), RUN(0));
    ROW(zts_setsockopt, (kept, ZTS_SOL_SOCKET, ZTS_SO_KEEPALIVE, NULL, 4), RUN(FAILS(ERRNO_EFAULT)));
    SAYS(-1, "NULL");
    ROW(zts_getsockopt, (NO_DESCRIPTOR, ZTS_SOL_SOCKET, ZTS_SO_KEEPALIVE, &number, length_of(4)),
        RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_getsockopt, (kept, ZTS_SOL_SOCKET, ZTS_SO_KEEPALIVE, number_of(0), length_of(4)), RUN(0));
    VALUE(number, SKIP, 1, 1, 1, SKIP, SKIP);
    ROW(zts_getsockopt, (kept, ZTS_SOL_SOCKET, ZTS_SO_KEEPALIVE, NULL, length_of(4)), RUN(FAILS(ERRNO_EFAULT)));
    ROW(zts_getsockopt, (kept, ZTS_SOL_SOCKET, ZTS_SO_KEEPALIVE, &number, NULL), RUN(FAILS(ERRNO_EFAULT)));
    ROW(zts_getsockname, (NO_DESCRIPTOR, any(), length_of(28)), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_getsockname, (kept, any(), length_of(28)), RUN(0));
    ROW(zts_getsockname, (NO_DESCRIPTOR, NULL, length_of(28)), ALWAYS(ARGUMENT));
    ROW(zts_getsockname, (NO_DESCRIPTOR, any(), NULL), ALWAYS(ARGUMENT));
    ROW(zts_getsockname, (NO_DESCRIPTOR, any(), length_of(15)), ALWAYS(ARGUMENT));
    ROW(zts_getsockname, (NO_DESCRIPTOR, any(), length_of(29)), ALWAYS(ARGUMENT));
    ROW(zts_getpeername, (NO_DESCRIPTOR, any(), length_of(28)), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_getpeername, (NO_DESCRIPTOR, NULL, length_of(28)), ALWAYS(ARGUMENT));
    ROW(zts_getpeername, (NO_DESCRIPTOR, any(), NULL), ALWAYS(ARGUMENT));
    ROW(zts_getpeername, (NO_DESCRIPTOR, any(), length_of(15)), ALWAYS(ARGUMENT));
    ROW(zts_getpeername, (NO_DESCRIPTOR, any(), length_of(29)), ALWAYS(ARGUMENT));
    ROW(zts_gethostname, (text, sizeof text), RUN(0));
    VALUE(strlen(text), SKIP, 10, 10, 10, SKIP, SKIP);
    ROW(zts_gethostname, (text, 3), RUN(FAILS(ERRNO_ENAMETOOLONG)));
    SAYS(-1, "11 bytes");
    ROW(zts_gethostname, (NULL, 16), ALWAYS(ARGUMENT));
    ROW(zts_gethostname, (text, 0), ALWAYS(ARGUMENT));
    ROW(zts_sethostname, ("matrix", 6), 0, 0, 0, 0, 0, SERVICE);
    ROW(zts_sethostname, (NULL, 6), ALWAYS(ARGUMENT));
    ROW(zts_sethostname, (text, 256), ALWAYS(ARGUMENT));
    ROW(zts_gethostname, (text, sizeof text), 0, 0, 0, 0, 0, SERVICE);
    VALUE(strcmp(text, "matrix"), 0, 0, 0, 0, 0, SKIP);
    ROW(zts_gethostbyname, ("10.1.2.3"), 0, SOME, SOME, SOME, 0, 0);
    ROW(zts_gethostbyname, ("-.-"), ALWAYS(0));
    SAYS(0, state == NEVER || state == STOPPED || state == FREED ? "run" : "name");
    ROW(zts_gethostbyname, (NULL), ALWAYS(0));
    ROW(zts_select, (0, NULL, NULL, NULL, no_time()), RUN(0));
    ROW(zts_select, (-1, NULL, NULL, NULL, no_time()), RUN(FAILS(ERRNO_EINVAL)));
    ROW(zts_select, (1025, NULL, NULL, NULL, no_time()), RUN(FAILS(ERRNO_EINVAL)));
    SAYS(-1, "poll");
    ROW(zts_select, (1000, unknown_descriptor(), NULL, NULL, no_time()), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_poll, (NULL, 0, 0), RUN(0));
    ROW(zts_poll, (entry(), 1, 0), RUN(1));
    ROW(zts_poll, (NULL, 1, 0), RUN(FAILS(ERRNO_EFAULT)));
    ROW(zts_fcntl, (NO_DESCRIPTOR, ZTS_F_GETFL, 0), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_fcntl, (kept, ZTS_F_SETFL, ZTS_O_NONBLOCK), RUN(0));
    ROW(zts_fcntl, (kept, ZTS_F_GETFL, 0), RUN(ZTS_O_NONBLOCK | 6));
    ROW(zts_ioctl, (NO_DESCRIPTOR, ZTS_FIONREAD, &number), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_ioctl, (kept, 0, &number), RUN(FAILS(ERRNO_ENOSYS)));
    ROW(zts_ioctl, (kept, ZTS_FIONREAD, NULL), ALWAYS(ARGUMENT));
    ROW(zts_send, (NO_DESCRIPTOR, text, 1, 0), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_send, (NO_DESCRIPTOR, NULL, 1, 0), ALWAYS(ARGUMENT));
    ROW(zts_send, (NO_DESCRIPTOR, text, 0, 0), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "len");
    ROW(zts_sendto, (NO_DESCRIPTOR, text, 1, 0, server(), 16), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_sendto, (NO_DESCRIPTOR, NULL, 1, 0, server(), 16), ALWAYS(ARGUMENT));
    ROW(zts_sendto, (NO_DESCRIPTOR, text, 0, 0, server(), 16), ALWAYS(ARGUMENT));
    ROW(zts_sendto, (NO_DESCRIPTOR, text, 1, 0, NULL, 16), ALWAYS(ARGUMENT));
    ROW(zts_sendto, (NO_DESCRIPTOR, text, 1, 0, server(), 15), ALWAYS(ARGUMENT));
    ROW(zts_sendto, (NO_DESCRIPTOR, text, 1, 0, server(), 29), ALWAYS(ARGUMENT));
    ROW(zts_sendmsg, (NO_DESCRIPTOR, message(), 0), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_sendmsg, (kept, NULL, 0), RUN(FAILS(ERRNO_EFAULT)));
    ROW(zts_recv, (NO_DESCRIPTOR, text, 1, 0), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_recv, (NO_DESCRIPTOR, NULL, 1, 0), ALWAYS(ARGUMENT));
    ROW(zts_recvfrom, (NO_DESCRIPTOR, text, 1, 0, NULL, NULL), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_recvfrom, (NO_DESCRIPTOR, NULL, 1, 0, NULL, NULL), ALWAYS(ARGUMENT));
    ROW(zts_recvmsg, (NO_DESCRIPTOR, message(), 0), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_recvmsg, (kept, NULL, 0), RUN(FAILS(ERRNO_EFAULT)));
    ROW(zts_sendmmsg, (NO_DESCRIPTOR, batch(), 1, 0), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_sendmmsg, (kept, NULL, 1, 0), RUN(FAILS(ERRNO_EFAULT)));
    SAYS(-1, "msgvec");
    ROW(zts_sendmmsg, (kept, NULL, 0, 0), RUN(0));
    ROW(zts_recvmmsg, (NO_DESCRIPTOR, batch(), 1, 0, NULL), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_recvmmsg, (NO_DESCRIPTOR, NULL, 0, 0, NULL), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_recvmmsg, (kept, NULL, 1, 0, NULL), RUN(FAILS(ERRNO_EFAULT)));
    ROW(zts_recvmmsg, (kept, NULL, 0, 0, time_limit(0)), RUN(0));
    ROW(zts_recvmmsg, (kept, batch(), 1, 0, time_limit(-1)), RUN(FAILS(ERRNO_EINVAL)));
    SAYS(-1, "timeout");
    ROW(zts_read, (NO_DESCRIPTOR, text, 1), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_read, (NO_DESCRIPTOR, NULL, 1), ALWAYS(ARGUMENT));
    ROW(zts_read_offset, (NO_DESCRIPTOR, text, 1, 1), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_read_offset, (NO_DESCRIPTOR, NULL, 1, 1), ALWAYS(ARGUMENT));
    ROW(zts_write, (NO_DESCRIPTOR, text, 1), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_write, (NO_DESCRIPTOR, NULL, 1), ALWAYS(ARGUMENT));
    ROW(zts_write, (NO_DESCRIPTOR, text, 0), ALWAYS(ARGUMENT));
    ROW(zts_shutdown, (NO_DESCRIPTOR, ZTS_SHUT_RDWR), RUN(FAILS(ERRNO_EBADF)));
    ROW(zts_shutdown, (kept, 99), RUN(FAILS(ERRNO_EINVAL)));
    SAYS(-1, "ZTS_SHUT");
    ROW(zts_add_dns_nameserver, (server()), RUN(0));
    ROW(zts_add_dns_nameserver, (NULL), ALWAYS(ARGUMENT));
    ROW(zts_add_dns_nameserver, (nowhere()), ALWAYS(ARGUMENT));
    ROW(zts_del_dns_nameserver, (server()), RUN(0));
    ROW(zts_del_dns_nameserver, (server()), RUN(NO_RESULT));
    SAYS(NO_RESULT, "name server");
    ROW(zts_del_dns_nameserver, (NULL), ALWAYS(ARGUMENT));
    ROW(zts_del_dns_nameserver, (nowhere()), ALWAYS(ARGUMENT));
    ROW(zts_get_event_fd, (kept), RUN(COUNT));
    ROW(zts_get_event_fd, (NO_DESCRIPTOR), RUN(FAILS(ERRNO_EBADF)));
    SAYS(-1, "descriptor");
    ROW(zts_get_event_fd, (-1), RUN(FAILS(ERRNO_EBADF)));
    /* Closing works also while the service does not run. */
    ROW(zts_close, (kept), FAILS(ERRNO_EBADF), 0, 0, 0, 0, SERVICE);
    ROW(zts_close, (NO_DESCRIPTOR), FAILS(ERRNO_EBADF), FAILS(ERRNO_EBADF), FAILS(ERRNO_EBADF), FAILS(ERRNO_EBADF),
        FAILS(ERRNO_EBADF), SERVICE);
    ROW(zts_close, (-1), FAILS(ERRNO_EBADF), FAILS(ERRNO_EBADF), FAILS(ERRNO_EBADF), FAILS(ERRNO_EBADF),
        FAILS(ERRNO_EBADF), SERVICE);
}

/* Networks of one's own, on a node that is no controller before it is asked to be one. */
static void rows_of_the_controller(void)
{
    static uint64_t own;
    static uint64_t made;
    ROW(zts_controller_network_create, (&own, "{}"), ALWAYS(SERVICE));
    ROW(zts_controller_network_list, (text, room_of(sizeof text)), ALWAYS(SERVICE));
    ROW(zts_controller_member_list, (NETWORK, text, room_of(sizeof text)), ALWAYS(SERVICE));
    ROW(zts_controller_enable, (true), 0, 0, 0, 0, 0, SERVICE);
    SAYS(SERVICE, "freed");
    ROW(zts_controller_enable, (true), 0, 0, 0, 0, 0, SERVICE);
    ROW(zts_controller_network_create, (&own, "{\"name\":\"home\"}"), RUN(0));
    ROW(zts_controller_network_create, (NULL, "{}"), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "NULL");
    ROW(zts_controller_network_create, (&made, NULL), ALWAYS(ARGUMENT));
    ROW(zts_controller_network_create, (&made, "{"), RUN(ARGUMENT));
    SAYS(ARGUMENT, "line 1");
    ROW(zts_controller_network_create, (&made, "{\"mtu\":\"x\"}"), RUN(ARGUMENT));
    SAYS(ARGUMENT, "mtu");
    ROW(zts_controller_network_list, (text, room_of(sizeof text)), RUN(0));
    ROW(zts_controller_network_list, (text, room_of(20)), RUN(ARGUMENT));
    SAYS(ARGUMENT, "21 bytes");
    ROW(zts_controller_network_list, (text, room_of(21)), RUN(0));
    ROW(zts_controller_network_list, (NULL, room_of(0)), RUN(ARGUMENT));
    SAYS(ARGUMENT, "21 bytes");
    ROW(zts_controller_network_list, (text, NULL), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "len");
    ROW(zts_controller_network_get, (NETWORK, text, room_of(sizeof text)), RUN(NO_RESULT));
    SAYS(NO_RESULT, "no network");
    ROW(zts_controller_network_get, (0, text, room_of(sizeof text)), ALWAYS(ARGUMENT));
    ROW(zts_controller_network_get, (NETWORK, text, NULL), ALWAYS(ARGUMENT));
    ROW(zts_controller_network_set, (NETWORK, "{}"), RUN(ARGUMENT));
    SAYS(ARGUMENT, "begin with its own address");
    ROW(zts_controller_network_set, (0, "{}"), ALWAYS(ARGUMENT));
    ROW(zts_controller_network_set, (NETWORK, NULL), ALWAYS(ARGUMENT));
    ROW(zts_controller_member_list, (NETWORK, text, room_of(sizeof text)), RUN(NO_RESULT));
    ROW(zts_controller_member_list, (0, text, room_of(sizeof text)), ALWAYS(ARGUMENT));
    ROW(zts_controller_member_list, (NETWORK, text, NULL), ALWAYS(ARGUMENT));
    ROW(zts_controller_member_get, (NETWORK, STRANGER, text, room_of(sizeof text)), RUN(NO_RESULT));
    ROW(zts_controller_member_get, (NETWORK, 0, text, room_of(sizeof text)), ALWAYS(ARGUMENT));
    ROW(zts_controller_member_get, (NETWORK, 1ULL << 40, text, room_of(sizeof text)), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "40 bits");
    ROW(zts_controller_member_get, (NETWORK, STRANGER, text, NULL), ALWAYS(ARGUMENT));
    ROW(zts_controller_member_set, (NETWORK, STRANGER, "{}"), RUN(NO_RESULT));
    ROW(zts_controller_member_set, (NETWORK, STRANGER, NULL), ALWAYS(ARGUMENT));
    ROW(zts_controller_member_set, (0, STRANGER, "{}"), ALWAYS(ARGUMENT));
    ROW(zts_controller_member_authorize, (NETWORK, STRANGER, true), RUN(NO_RESULT));
    ROW(zts_controller_member_authorize, (NETWORK, 0, true), ALWAYS(ARGUMENT));
    ROW(zts_controller_member_authorize, (0, STRANGER, true), ALWAYS(ARGUMENT));
    ROW(zts_controller_member_delete, (NETWORK, STRANGER), RUN(NO_RESULT));
    ROW(zts_controller_member_delete, (0, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_controller_member_delete, (NETWORK, 0), ALWAYS(ARGUMENT));
    ROW(zts_controller_network_delete, (NETWORK), RUN(NO_RESULT));
    ROW(zts_controller_network_delete, (0), ALWAYS(ARGUMENT));
    /* Of the network that there is, while the node runs. */
    if (!own)
        return;
    ROW(zts_controller_network_get, (own, text, room_of(sizeof text)), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_network_get, (own, text, room_of(9)), SKIP, ARGUMENT, ARGUMENT, ARGUMENT, SKIP, SKIP);
    ROW(zts_controller_network_set, (own, "{\"private\":false}"), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_network_set, (own, "{\"private\":[]}"), SKIP, ARGUMENT, ARGUMENT, ARGUMENT, SKIP, SKIP);
    SAYS(ARGUMENT, "private");
    ROW(zts_controller_member_list, (own, text, room_of(3)), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_member_get, (own, STRANGER, text, room_of(sizeof text)),
        SKIP, NO_RESULT, NO_RESULT, NO_RESULT, SKIP, SKIP);
    SAYS(NO_RESULT, "no member");
    ROW(zts_controller_member_set, (own, STRANGER, "{\"ipAssignments\":[\"x\"]}"),
        SKIP, ARGUMENT, ARGUMENT, ARGUMENT, SKIP, SKIP);
    SAYS(ARGUMENT, "ipAssignments");
    ROW(zts_controller_member_set, (own, STRANGER, "{\"name\":\"one\"}"), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_member_authorize, (own, STRANGER, true), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_member_get, (own, STRANGER, text, room_of(sizeof text)), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_member_list, (own, text, room_of(3)), SKIP, ARGUMENT, ARGUMENT, ARGUMENT, SKIP, SKIP);
    SAYS(ARGUMENT, "17 bytes");
    ROW(zts_controller_member_delete, (own, STRANGER), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_member_delete, (own, STRANGER), SKIP, NO_RESULT, NO_RESULT, NO_RESULT, SKIP, SKIP);
    ROW(zts_controller_network_delete, (own), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_network_delete, (own), SKIP, NO_RESULT, NO_RESULT, NO_RESULT, SKIP, SKIP);
    ROW(zts_controller_enable, (false), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_network_list, (text, room_of(sizeof text)), SKIP, SERVICE, SERVICE, SERVICE, SKIP, SKIP);
}

static int exported_errno(void);

static void rows_of_the_rest(void)
{
    ROW(zts_strerror, (ZTS_ERR_SERVICE), ALWAYS(SOME));
    ROW(zts_strerror, (12345), ALWAYS(SOME));
    ROW(zts_strerror, (-12345), ALWAYS(SOME));
    ROW(zts_last_error_message, (), ALWAYS(SOME));
    ROW(zts_get_start_error, () == NULL, ALWAYS(1));
    ROW(zts_errno_location, (), ALWAYS(SOME));
    ROW(zts_get_node_event_fd, (), COUNT, COUNT, COUNT, COUNT, COUNT, SERVICE);
    SAYS(SERVICE, "freed");
    /* The object, for programs that look the symbol up, has the number of the last call of any thread. */
    VALUE((zts_close(-1), exported_errno()), ERRNO_EBADF, ERRNO_EBADF, ERRNO_EBADF, ERRNO_EBADF, ERRNO_EBADF, SKIP);
}

/* What changes the state comes last. */
static void rows_of_life(void)
{
    ROW(zts_join, (NETWORK), SERVICE, SERVICE, 0, 0, SERVICE, SERVICE);
    ROW(zts_leave, (NETWORK), ON(0, 0));
    ROW(zts_leave_all, (), ON(0, 0));
    ROW(zts_stop, (), SERVICE, SKIP, SKIP, SKIP, SERVICE, SERVICE);
    ROW(zts_restart, (), RUN(0));
    ROW(zts_start, (directory, told, 0), SKIP, OPERATION, OPERATION, OPERATION, SKIP, OPERATION);
    ROW(zts_stop, (), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_stop, (), SKIP, SERVICE, SERVICE, SERVICE, SKIP, SKIP);
    ROW(zts_restart, (), SKIP, SERVICE, SERVICE, SERVICE, SKIP, SKIP);
    ROW(zts_start, (directory, told, 0), 0, SKIP, SKIP, SKIP, 0, SKIP);
    ROW(zts_free, (), 0, 0, 0, 0, 0, OPERATION);
    ROW(zts_free, (), ALWAYS(OPERATION));
    ROW(zts_start, (directory, told, 0), ALWAYS(OPERATION));
    ROW(zts_stop, (), ALWAYS(SERVICE));
    ROW(zts_restart, (), ALWAYS(SERVICE));
}

void rows_1(void)
{
    rows_of_the_service();
    rows_of_networks();
    rows_of_peers_and_states();
    rows_of_sockets();
    rows_of_the_controller();
    rows_of_instances_1();
    rows_of_the_rest();
    rows_of_life();
}

/* ---- Events in order ---- */

/* What depends on the network around: peers and paths. */
static bool is_of_peers(int code) { return code >= ZTS_EVENT_PEER_P2P && code <= ZTS_EVENT_PATH_DEAD; }

#define UP ZTS_EVENT_NODE_UP, ZTS_EVENT_NODE_ONLINE
#define JOINED                                                                                                         \
    ZTS_EVENT_NETIF_UP, ZTS_EVENT_NETIF_LINK_UP, ZTS_EVENT_ADDR_ADDED_IP6, ZTS_EVENT_NETWORK_READY_IP6,                \
        ZTS_EVENT_NETWORK_OK
#define LEFT                                                                                                           \
    ZTS_EVENT_ADDR_REMOVED_IP6, ZTS_EVENT_NETIF_LINK_DOWN, ZTS_EVENT_NETIF_DOWN, ZTS_EVENT_NETIF_REMOVED,              \
        ZTS_EVENT_NETWORK_DOWN
#define DOWN ZTS_EVENT_NODE_NORMAL_TERMINATION, ZTS_EVENT_NODE_DOWN
#define REFUSED ZTS_EVENT_NODE_UNRECOVERABLE_ERROR, ZTS_EVENT_NODE_DOWN

static void life(void)
{
    start(0, ZTS_EVENT_NODE_ONLINE);
    join();
    EXPECT(zts_leave(NETWORK) == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_DOWN, 1));
    stop();
    EVENTS_ARE("start, join, leave, stop", is_of_peers, ZTS_EVENT_STACK_UP, UP, JOINED, LEFT, DOWN);
    events_forget();
    /* The root is a peer like others. */
    start(0, ZTS_EVENT_NODE_ONLINE);
    EXPECT(event_comes(ZTS_EVENT_PEER_P2P, 1));
    EXPECT(event_comes(ZTS_EVENT_PATH_DISCOVERED, 1));
    stop();
    EVENTS_ARE("a second start", is_of_peers, UP, DOWN);
}

static void stop_joined(void)
{
    start(0, ZTS_EVENT_NODE_ONLINE);
    join();
    events_forget();
    stop();
    EVENTS_ARE("a stop takes the networks down", is_of_peers, LEFT, DOWN);
    events_forget();
    start(0, ZTS_EVENT_NETWORK_OK);
    stop();
    EVENTS_ARE("the network is remembered", is_of_peers, ZTS_EVENT_NODE_UP, ZTS_EVENT_NETIF_UP, ZTS_EVENT_NETIF_LINK_UP,
        ZTS_EVENT_ADDR_ADDED_IP6, ZTS_EVENT_NODE_ONLINE, ZTS_EVENT_NETWORK_READY_IP6, ZTS_EVENT_NETWORK_OK, LEFT, DOWN);
}

static void no_controller(void)
{
    start(0, ZTS_EVENT_NODE_ONLINE);
    EXPECT(zts_join(NOWHERE) == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_REQUESTING_CONFIG, 1));
    EXPECT(zts_get_network_status(NOWHERE) == ZTS_EVENT_NETWORK_REQUESTING_CONFIG);
    EXPECT(zts_leave(NOWHERE) == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_DOWN, 1));
    stop();
    EVENTS_ARE("a network without a controller", is_of_peers, ZTS_EVENT_STACK_UP, UP,
        ZTS_EVENT_NETWORK_REQUESTING_CONFIG, ZTS_EVENT_NETWORK_DOWN, DOWN);
}

static void silent_root(void)
{
    start(0, ZTS_EVENT_NODE_UP);
    stop();
    EVENTS_ARE("a node that is offline stops", is_of_peers, ZTS_EVENT_STACK_UP, ZTS_EVENT_NODE_UP, DOWN);
}

static bool is_not_of_the_node(int code) { return code != ZTS_EVENT_NETWORK_DOWN && !NODE_EVENT_TYPE(code); }

/* A connection over the network's own address: what is written to `ends[0]` comes out of `ends[1]`. */
static void connect_to_itself(int ends[2], int *listener)
{
    struct sockaddr_storage own;
    REQUIRE(zts_get_address(NETWORK, &own, ZTS_AF_INET6) == ZTS_ERR_OK);
    ((struct zts_sockaddr_in6 *)&own)->sin6_port = htons(4700);
    *listener = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    REQUIRE(zts_bind(*listener, (struct sockaddr *)&own, sizeof(struct zts_sockaddr_in6)) == ZTS_ERR_OK);
    REQUIRE(zts_listen(*listener, 1) == ZTS_ERR_OK);
    ends[0] = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    REQUIRE(zts_connect(ends[0], (struct sockaddr *)&own, sizeof(struct zts_sockaddr_in6)) == ZTS_ERR_OK);
    ends[1] = zts_accept(*listener, NULL, NULL);
    REQUIRE(ends[1] >= 0);
}

static void restarted(void)
{
    int ends[2], listener;
    char bytes[5] = "";
    zts_set_network_caching(false);
    start(0, ZTS_EVENT_NODE_ONLINE);
    uint64_t id = zts_get_node_id();
    join();
    connect_to_itself(ends, &listener);
    EXPECT(zts_send(ends[0], "left", 4, 0) == 4);
    events_forget();
    EXPECT(zts_restart() == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_OK, 1));
    EXPECT(zts_get_node_id() == id);
    /* The connection is the same one, with what was on its way. */
    EXPECT(zts_recv(ends[1], bytes, 4, 0) == 4 && strcmp(bytes, "left") == 0);
    EXPECT(zts_send(ends[1], "kept", 4, 0) == 4);
    EXPECT(zts_recv(ends[0], bytes, 4, 0) == 4 && strcmp(bytes, "kept") == 0);
    EXPECT(zts_stop() == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NODE_DOWN, 2));
    /* Descriptors are still there, without a node. */
    zts_errno = 0;
    EXPECT(zts_send(ends[0], "gone", 4, 0) == ZTS_ERR_SERVICE && zts_errno == ERRNO_ENETDOWN);
    zts_errno = 0;
    EXPECT(zts_accept(listener, NULL, NULL) == ZTS_ERR_SERVICE && zts_errno == ERRNO_ENETDOWN);
    EXPECT(zts_close(ends[0]) == ZTS_ERR_OK && zts_close(ends[1]) == ZTS_ERR_OK && zts_close(listener) == ZTS_ERR_OK);
    /* The address may be there before the root has answered, or after: only what has one order. */
    EVENTS_ARE("restart, then stop", is_not_of_the_node, ZTS_EVENT_NETWORK_DOWN, DOWN, UP,
        ZTS_EVENT_NETWORK_DOWN, DOWN);
}

/* Offline means that no root answers; networks stay. */
static void root_leaves(void)
{
    start(0, ZTS_EVENT_NODE_ONLINE);
    join();
    EXPECT(kill(leaving_root, SIGSTOP) == 0);
    EXPECT(event_comes(ZTS_EVENT_NODE_OFFLINE, 1));
    EXPECT(zts_get_node_status() == ZTS_EVENT_NODE_OFFLINE);
    EXPECT(zts_get_num_joined_networks() == ZTS_ERR_SERVICE);
    EXPECT(zts_has_address(NETWORK) == 1);
    EXPECT(kill(leaving_root, SIGCONT) == 0);
    EXPECT(event_comes(ZTS_EVENT_NODE_ONLINE, 2));
    EXPECT(zts_get_num_joined_networks() == 1);
    stop();
    EVENTS_ARE("the root leaves and returns", is_of_peers, ZTS_EVENT_STACK_UP, UP, JOINED, ZTS_EVENT_NODE_OFFLINE,
        ZTS_EVENT_NODE_ONLINE, LEFT, DOWN);
}

static void freed(void)
{
    start(0, ZTS_EVENT_NODE_ONLINE);
    join();
    events_forget();
    int event_descriptor = zts_get_node_event_fd();
    EXPECT(zts_free() == ZTS_ERR_OK);
    /* It has waited for the last event. */
    EVENTS_ARE("free", is_of_peers, LEFT, DOWN, ZTS_EVENT_STACK_DOWN);
    char byte[8];
    EXPECT(read(event_descriptor, byte, 8) < 0);
}

static int taken_port(void)
{
    struct sockaddr_in name = { .sin_family = AF_INET };
    socklen_t size = sizeof name;
    int socket_of_the_host = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT(bind(socket_of_the_host, (struct sockaddr *)&name, sizeof name) == 0);
    EXPECT(getsockname(socket_of_the_host, (struct sockaddr *)&name, &size) == 0);
    return ntohs(name.sin_port);
}

static void port_taken(void)
{
    start(taken_port(), ZTS_EVENT_NODE_DOWN);
    EVENTS_ARE("the port is taken", is_of_peers, ZTS_EVENT_STACK_UP, REFUSED);
    EXPECT(zts_core_running() == 0);
    EXPECT(zts_stop() == ZTS_ERR_SERVICE);
    events_forget();
    start(0, ZTS_EVENT_NODE_ONLINE);
    stop();
    EVENTS_ARE("any other port", is_of_peers, UP, DOWN);
}

static void not_writable(void)
{
    snprintf(text, sizeof text, "%s/planet/below", directory);
    EXPECT(zts_start(text, told, 0) == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NODE_DOWN, 1));
    EVENTS_ARE("a directory below a file", is_of_peers, ZTS_EVENT_STACK_UP, REFUSED);
}

/* ---- From inside the callback ---- */

static void in_event(int code, void (*body)(void))
{
    hook = body;
    hook_code = code;
}

static void call_everything(void)
{
    EXPECT(zts_start(directory, told, 0) == ZTS_ERR_INVALID_OP);
    EXPECT(zts_get_node_status() == ZTS_EVENT_NODE_ONLINE);
    EXPECT(zts_get_num_joined_networks() == 0);
    EXPECT(zts_get_peer_count() > 0);
    int made = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    EXPECT(made >= 0 && zts_close(made) == ZTS_ERR_OK);
    EXPECT(zts_join(NETWORK) == ZTS_ERR_OK);
}

static void callback_calls(void)
{
    in_event(ZTS_EVENT_NODE_ONLINE, call_everything);
    start(0, ZTS_EVENT_NETWORK_OK);
    stop();
    EVENTS_ARE("join in the callback", is_of_peers, ZTS_EVENT_STACK_UP, UP, JOINED, LEFT, DOWN);
}

static void call_stop(void)
{
    EXPECT(zts_stop() == ZTS_ERR_OK);
    EXPECT(zts_stop() == ZTS_ERR_SERVICE);
}

static void callback_stop(void)
{
    in_event(ZTS_EVENT_NODE_ONLINE, call_stop);
    start(0, ZTS_EVENT_NODE_DOWN);
    EVENTS_ARE("stop in the callback", is_of_peers, ZTS_EVENT_STACK_UP, UP, DOWN);
}

static void call_restart(void) { EXPECT(zts_restart() == ZTS_ERR_OK); }

static void callback_restart(void)
{
    in_event(ZTS_EVENT_NODE_ONLINE, call_restart);
    start(0, ZTS_EVENT_NODE_DOWN);
    REQUIRE(event_comes(ZTS_EVENT_NODE_ONLINE, 2));
    EVENTS_ARE("restart in the callback", is_of_peers, ZTS_EVENT_STACK_UP, UP, DOWN, UP);
    EXPECT(zts_free() == ZTS_ERR_OK);
}

static void call_free(void)
{
    EXPECT(zts_free() == ZTS_ERR_OK);
    EXPECT(zts_free() == ZTS_ERR_INVALID_OP);
}

static void callback_free(void)
{
    in_event(ZTS_EVENT_NODE_ONLINE, call_free);
    start(0, ZTS_EVENT_STACK_DOWN);
    EVENTS_ARE("free in the callback", is_of_peers, ZTS_EVENT_STACK_UP, UP, DOWN, ZTS_EVENT_STACK_DOWN);
    EXPECT(zts_start(directory, told, 0) == ZTS_ERR_INVALID_OP);
}

static void call_after_the_end(void)
{
    EXPECT(zts_stop() == ZTS_ERR_SERVICE);
    EXPECT(zts_restart() == ZTS_ERR_SERVICE);
    EXPECT(zts_start(directory, told, 0) == ZTS_ERR_OK);
}

static void callback_start(void)
{
    in_event(ZTS_EVENT_NODE_DOWN, call_after_the_end);
    start(0, ZTS_EVENT_NODE_ONLINE);
    stop();
    REQUIRE(event_comes(ZTS_EVENT_NODE_ONLINE, 2));
    EVENTS_ARE("start in the callback", is_of_peers, ZTS_EVENT_STACK_UP, UP, DOWN, UP);
    in_event(ZTS_EVENT_NODE_DOWN, call_free);
    EXPECT(zts_stop() == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_STACK_DOWN, 1));
}

const struct sequence sequences_1[] = {
    { "life", ANSWERING, life },
    { "stop-joined", ANSWERING, stop_joined },
    { "no-controller", ANSWERING, no_controller },
    { "silent-root", SILENT, silent_root },
    { "restart", ANSWERING, restarted },
    { "free", ANSWERING, freed },
    { "port-taken", ANSWERING, port_taken },
    { "not-writable", SILENT, not_writable },
    { "callback-calls", ANSWERING, callback_calls },
    { "callback-stop", ANSWERING, callback_stop },
    { "callback-restart", ANSWERING, callback_restart },
    { "callback-free", ANSWERING, callback_free },
    { "callback-start", ANSWERING, callback_start },
    { "root-leaves", LEAVING, root_leaves },
    { "instances", ANSWERING, instances_1 },
    { "epoll", SILENT, epoll_1 },
    { NULL, ANSWERING, NULL },
};

/* Below here the name is the exported object, not the header's macro. */
#undef zts_errno
static int exported_errno(void) { return zts_errno; }
