/* Generation 2, ZeroTierSockets.h: that the node runs is checked before the arguments. */
#include "matrix.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ZeroTierSockets.h"

#define GENERATION 2
#define ERRNO_EAFNOSUPPORT ZTS_EAFNOSUPPORT

enum { SERVICE = ZTS_ERR_SERVICE, ARGUMENT = ZTS_ERR_ARG, NO_RESULT = ZTS_ERR_NO_RESULT, GENERAL = ZTS_ERR_GENERAL };

/* ---- Events ---- */

static uint64_t own_id;
static _Atomic int hook_code = -1;
static void (*hook)(void);
static char stored_identity[384];
static bool is_told_of_public_identity;

static bool is_between(int code, int first, int last) { return code >= first && code <= last; }

/* The one member that belongs to the event is there, and filled. */
static void told(void *memory)
{
    zts_event_msg_t *message = memory;
    int code = message->event_code;
    bool is_stored = is_between(code, ZTS_EVENT_STORE_IDENTITY_SECRET, ZTS_EVENT_STORE_NETWORK);
    EXPECT((message->node != NULL) == is_between(code, ZTS_EVENT_NODE_UP, ZTS_EVENT_NODE_FATAL_ERROR));
    bool is_of_controller
        = is_between(code, ZTS_EVENT_CONTROLLER_MEMBER_WAITING, ZTS_EVENT_CONTROLLER_NETWORK_CHANGED);
    EXPECT((message->network != NULL)
        == (is_of_controller || is_between(code, ZTS_EVENT_NETWORK_NOT_FOUND, ZTS_EVENT_NETWORK_UPDATE)));
    EXPECT((message->netif != NULL) == is_between(code, ZTS_EVENT_NETIF_UP, ZTS_EVENT_NETIF_LINK_DOWN));
    EXPECT((message->peer != NULL)
        == ((is_of_controller && code != ZTS_EVENT_CONTROLLER_NETWORK_CHANGED)
            || is_between(code, ZTS_EVENT_PEER_DIRECT, ZTS_EVENT_PEER_PATH_DEAD)));
    EXPECT((message->route != NULL) == is_between(code, ZTS_EVENT_ROUTE_ADDED, ZTS_EVENT_ROUTE_REMOVED));
    EXPECT((message->addr != NULL) == is_between(code, ZTS_EVENT_ADDR_ADDED_IP4, ZTS_EVENT_ADDR_REMOVED_IP6));
    EXPECT((message->cache != NULL) == is_stored);
    EXPECT((message->len > 0) == is_stored);
    if (message->node) {
        if (own_id && code != ZTS_EVENT_NODE_FATAL_ERROR) EXPECT(message->node->node_id == own_id);
        if (code == ZTS_EVENT_NODE_ONLINE) {
            own_id = message->node->node_id;
            EXPECT(own_id != 0 && message->node->port_primary != 0);
        }
    }
    if (message->network)
        EXPECT(message->network->net_id != 0 && (is_of_controller || message->network->mtu >= 1280));
    if (message->network && message->network->net_id == NETWORK
        && (code == ZTS_EVENT_NETWORK_OK || code == ZTS_EVENT_NETWORK_READY_IP6)) {
        EXPECT(message->network->mac != 0 && message->network->status == ZTS_NETWORK_STATUS_OK);
        EXPECT(message->network->assigned_addr_count == 1);
        EXPECT(message->network->assigned_addrs[0].ss_family == ZTS_AF_INET6);
    }
    if (message->netif)
        EXPECT(message->netif->net_id != 0 && message->netif->mac != 0 && message->netif->mtu >= 1280);
    if (message->addr)
        EXPECT(message->addr->net_id != 0
            && message->addr->addr.ss_family == (code < ZTS_EVENT_ADDR_ADDED_IP6 ? ZTS_AF_INET : ZTS_AF_INET6));
    if (message->peer)
        EXPECT(message->peer->peer_id != 0);
    if (code == ZTS_EVENT_PEER_PATH_DISCOVERED)
        EXPECT(message->peer->path_count > 0 && message->peer->paths[0].address.ss_family == ZTS_AF_INET);
    if (message->route)
        EXPECT(message->route->target.ss_family != 0);
    /* Text has a final 0 that its length does not count. */
    if (code == ZTS_EVENT_STORE_IDENTITY_SECRET) {
        EXPECT(strlen(message->cache) == (size_t)message->len && message->len < (int)sizeof stored_identity);
        memset(stored_identity, 0, sizeof stored_identity);
        memcpy(stored_identity, message->cache, (size_t)message->len);
    }
    if (code == ZTS_EVENT_STORE_IDENTITY_PUBLIC) {
        EXPECT(strlen(message->cache) == (size_t)message->len);
        EXPECT(strncmp(message->cache, stored_identity, (size_t)message->len) == 0);
        is_told_of_public_identity = true;
    }
    if (code == ZTS_EVENT_NODE_FATAL_ERROR)
        EXPECT(zts_last_error_message()[0] != 0);
    if (code == hook_code) {
        hook_code = -1;
        hook();
    }
    note_2(message);
    event_came(code);
}

static bool is_ready(void) { return zts_net_transport_is_ready(NETWORK) == 1; }

static void start(int until)
{
    REQUIRE(zts_node_start() == ZTS_ERR_OK);
    REQUIRE(event_comes(until, 1));
}

static void set_up(int until)
{
    REQUIRE(zts_init_from_storage(directory) == ZTS_ERR_OK);
    REQUIRE(zts_init_set_event_handler(told) == ZTS_ERR_OK);
    start(until);
}

static void stop(void)
{
    REQUIRE(zts_node_stop() == ZTS_ERR_OK);
    REQUIRE(event_comes(ZTS_EVENT_NODE_DOWN, 1));
}

void start_2(int until) { start(until); }

void set_up_2(int until) { set_up(until); }

void set_handler_2(void) { REQUIRE(zts_init_set_event_handler(told) == ZTS_ERR_OK); }

void stop_2(void) { stop(); }

static void join(void)
{
    REQUIRE(zts_net_join(NETWORK) == ZTS_ERR_OK);
    REQUIRE(event_comes(ZTS_EVENT_NETWORK_OK, 1));
    REQUIRE(waits(is_ready));
}

/* ---- States ---- */

static int kept = NO_DESCRIPTOR; /* a stream socket made while the node ran */
static int listener = NO_DESCRIPTOR; /* 127.0.0.1, port 7 */

void enter_state_2(void)
{
    if (state == NEVER)
        return;
    bool goes_online = state == ONLINE || state == READY;
    set_up(goes_online ? ZTS_EVENT_NODE_ONLINE : ZTS_EVENT_NODE_UP);
    kept = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    listener = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    REQUIRE(kept >= 0 && listener >= 0);
    REQUIRE(zts_bind(listener, "127.0.0.1", 7) == ZTS_ERR_OK && zts_listen(listener, 16) == ZTS_ERR_OK);
    if (state == READY) join();
    if (state == STOPPED) stop();
    if (state == FREED) REQUIRE(zts_node_free() == ZTS_ERR_OK);
}

/* ---- Rows ---- */

static char text[4096], other_text[4096];
static uint64_t mac;
static uint32_t distinguisher;
static uint16_t flags, metric;
static unsigned short port;
static struct zts_sockaddr_storage address, addresses[16];
static zts_stats_counter_t statistics;

/* The planet's root: its address begins the identity that is the first in the planet. */
static uint64_t root_id(void)
{
    uint64_t id = 0;
    /* Type, number, time, key, signature, count. */
    for (int i = 0; i < 5; i++)
        id = id << 8 | planet[1 + 8 + 8 + 64 + 96 + 1 + i];
    return id;
}

static struct zts_sockaddr *server(void)
{
    static struct zts_sockaddr_in result;
    result = (struct zts_sockaddr_in) { .sin_family = ZTS_AF_INET, .sin_port = htons(53) };
    result.sin_addr.s_addr = htonl(0x0a010203);
    return (struct zts_sockaddr *)&result;
}

static struct zts_sockaddr *any(void) { return (struct zts_sockaddr *)&address; }

/* A fresh socket while the node runs. */
static int fresh(int type)
{
    int made = zts_socket(ZTS_AF_INET, type, 0);
    return made < 0 ? NO_DESCRIPTOR : made;
}

static zts_fd_set *unknown_descriptor(void)
{
    static zts_fd_set set;
    ZTS_FD_ZERO(&set);
    ZTS_FD_SET(999, &set);
    return &set;
}

static struct zts_timeval *no_time(void)
{
    static struct zts_timeval time;
    time = (struct zts_timeval) { 0, 0 };
    return &time;
}

static struct zts_pollfd *entry(void)
{
    static struct zts_pollfd entry;
    entry = (struct zts_pollfd) { NO_DESCRIPTOR, ZTS_POLLIN, 0 };
    return &entry;
}

static struct zts_iovec *piece(void)
{
    static struct zts_iovec piece;
    piece = (struct zts_iovec) { text, 1 };
    return &piece;
}

static struct zts_msghdr *message(void)
{
    static struct zts_msghdr message;
    message = (struct zts_msghdr) { .msg_iov = piece(), .msg_iovlen = 1 };
    return &message;
}

static struct zts_mmsghdr *batch(void)
{
    static struct zts_mmsghdr batch;
    batch = (struct zts_mmsghdr) { .msg_hdr = *message() };
    return &batch;
}

static struct zts_timespec *time_limit(long seconds)
{
    static struct zts_timespec limit;
    limit = (struct zts_timespec) { .tv_sec = seconds };
    return &limit;
}

static zts_ip_addr *server_ip(void)
{
    static zts_ip_addr result;
    result = (zts_ip_addr) { .type = 0 };
    result.u_addr.ip4.addr = htonl(0x0a010203);
    return &result;
}

static zts_root_set_t *root_set(bool has_root)
{
    static zts_root_set_t set;
    memset(&set, 0, sizeof set);
    if (has_root) set.public_id_str[0] = public_identity;
    set.endpoint_ip_str[0][0] = "192.0.2.1/9993";
    return &set;
}

static void rows_of_settings(void)
{
    ROW(zts_id_new, (text, length_of(384)), ALWAYS(0));
    VALUE(length > 256 && length < 384 && text[10] == ':', ALWAYS(true));
    ROW(zts_id_new, (text, length_of(383)), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "ZTS_ID_STR_BUF_LEN");
    ROW(zts_id_new, (NULL, length_of(384)), ALWAYS(ARGUMENT));
    ROW(zts_id_new, (text, NULL), ALWAYS(ARGUMENT));
    ROW(zts_id_pair_is_valid, (identity, 384), ALWAYS(1));
    ROW(zts_id_pair_is_valid, (public_identity, 384), ALWAYS(0));
    ROW(zts_id_pair_is_valid, (identity, 383), ALWAYS(0));
    ROW(zts_id_pair_is_valid, (NULL, 384), ALWAYS(0));
    ROW(zts_init_from_storage, (directory), OFF(0));
    ROW(zts_init_from_storage, (NULL), OFF(ARGUMENT));
    ROW(zts_init_from_storage, (""), OFF(ARGUMENT));
    SAYS(ARGUMENT, "path");
    SAYS(SERVICE, "before the start");
    ROW(zts_init_from_memory, (identity, 384), OFF(0));
    ROW(zts_init_from_memory, (public_identity, 384), OFF(ARGUMENT));
    SAYS(ARGUMENT, "secret");
    ROW(zts_init_from_memory, (NULL, 384), OFF(ARGUMENT));
    ROW(zts_init_from_memory, (identity, 0), OFF(ARGUMENT));
    ROW(zts_init_set_event_handler, (told), OFF(0));
    ROW(zts_init_set_event_handler, (NULL), OFF(ARGUMENT));
    ROW(zts_init_set_tcp_relay, ("192.0.2.1", 443), OFF(GENERAL));
    SAYS(GENERAL, "TCP");
    ROW(zts_init_set_tcp_relay, (NULL, 443), OFF(ARGUMENT));
    ROW(zts_init_set_tcp_relay, ("nowhere", 443), OFF(ARGUMENT));
    ROW(zts_init_allow_tcp_relay, (0), OFF(0));
    ROW(zts_init_allow_tcp_relay, (1), OFF(GENERAL));
    ROW(zts_init_force_tcp_relay, (0), OFF(0));
    ROW(zts_init_force_tcp_relay, (1), OFF(GENERAL));
    ROW(zts_init_blacklist_if, ("docker", 6), OFF(0));
    ROW(zts_init_blacklist_if, (NULL, 6), OFF(ARGUMENT));
    ROW(zts_init_blacklist_if, ("docker", 0), OFF(ARGUMENT));
    ROW(zts_init_blacklist_if, ("a-name-with-16-b", 16), OFF(ARGUMENT));
    ROW(zts_init_set_roots, (planet, planet_length), OFF(0));
    ROW(zts_init_set_roots, (NULL, planet_length), OFF(ARGUMENT));
    ROW(zts_init_set_roots, (planet, 0), OFF(ARGUMENT));
    ROW(zts_init_set_roots, (planet, 4097), OFF(ARGUMENT));
    ROW(zts_init_set_roots, (identity, 384), OFF(ARGUMENT));
    ROW(zts_init_set_low_bandwidth_mode, (0), OFF(0));
    ROW(zts_init_set_low_bandwidth_mode, (1), OFF(GENERAL));
    ROW(zts_init_set_port, (0), OFF(0));
    ROW(zts_init_set_random_port_range, (20000, 45500), OFF(0));
    ROW(zts_init_set_random_port_range, (45500, 20000), OFF(ARGUMENT));
    ROW(zts_init_allow_secondary_port, (0), OFF(0));
    ROW(zts_init_allow_secondary_port, (1), OFF(GENERAL));
    ROW(zts_init_allow_port_mapping, (0), OFF(0));
    ROW(zts_init_allow_port_mapping, (1), OFF(GENERAL));
    ROW(zts_init_allow_net_cache, (1), OFF(0));
    ROW(zts_init_allow_peer_cache, (1), OFF(0));
    ROW(zts_init_allow_roots_cache, (1), OFF(0));
    ROW(zts_init_allow_id_cache, (1), OFF(0));
}

static void rows_of_the_node(void)
{
    ROW(zts_node_is_online, (), 0, 0, 1, 1, 0, 0);
    ROW(zts_node_get_id, (), RUN(SOME));
    ROW(zts_node_get_id_pair, (text, length_of(384)), RUN(0));
    VALUE(length > 256 && text[10] == ':', SKIP, true, true, true, SKIP, SKIP);
    ROW(zts_node_get_id_pair, (text, length_of(383)), RUN(ARGUMENT));
    ROW(zts_node_get_id_pair, (NULL, length_of(384)), RUN(ARGUMENT));
    ROW(zts_node_get_id_pair, (text, NULL), RUN(ARGUMENT));
    ROW(zts_node_get_port, (), RUN(SOME));
    ROW(zts_moon_orbit, (MOON, STRANGER), RUN(0));
    ROW(zts_moon_orbit, (0, STRANGER), RUN(0));
    ROW(zts_moon_deorbit, (MOON), RUN(0));
    ROW(zts_moon_deorbit, (MOON), RUN(0));
    ROW(zts_moon_deorbit, (0), RUN(0));
}

static void rows_of_networks(void)
{
    static zts_net_settings_t settings;
    static const zts_net_settings_t usual = { 1, 0, 0, 0 }, odd = { 1, 0, 0, 2 };
    ROW(zts_net_join, (UNKNOWN), RUN(0));
    ROW(zts_net_join, (0), RUN(ARGUMENT));
    SAYS(ARGUMENT, "network ID");
    ROW(zts_net_leave, (UNKNOWN), RUN(0));
    ROW(zts_net_leave, (UNKNOWN), RUN(0));
    ROW(zts_net_leave, (0), RUN(ARGUMENT));
    ROW(zts_net_transport_is_ready, (NETWORK), RUN3(0, 0, 1));
    ROW(zts_net_transport_is_ready, (0), RUN(0));
    ROW(zts_net_get_mac, (NETWORK), RUN3(NO_RESULT, NO_RESULT, SOME));
    SAYS(NO_RESULT, "not joined");
    ROW(zts_net_get_mac, (0), RUN(ARGUMENT));
    ROW(zts_net_get_mac_str, (NETWORK, text, 18), RUN3(NO_RESULT, NO_RESULT, 0));
    VALUE(strlen(text), SKIP, SKIP, SKIP, 17, SKIP, SKIP);
    ROW(zts_net_get_mac_str, (NETWORK, text, 17), RUN(ARGUMENT));
    ROW(zts_net_get_mac_str, (NETWORK, NULL, 18), RUN(ARGUMENT));
    ROW(zts_net_get_mac_str, (0, text, 18), RUN(ARGUMENT));
    ROW(zts_net_get_broadcast, (NETWORK), RUN3(NO_RESULT, NO_RESULT, 0));
    ROW(zts_net_get_broadcast, (0), RUN(ARGUMENT));
    ROW(zts_net_get_mtu, (NETWORK), RUN3(NO_RESULT, NO_RESULT, 2800));
    ROW(zts_net_get_mtu, (0), RUN(ARGUMENT));
    ROW(zts_net_get_name, (NETWORK, text, 127), ON(NO_RESULT, 0));
    ROW(zts_net_get_name, (NETWORK, text, 128), ON(ARGUMENT, ARGUMENT));
    ROW(zts_net_get_name, (NETWORK, NULL, 127), ON(ARGUMENT, ARGUMENT));
    ROW(zts_net_get_name, (0, text, 127), ON(ARGUMENT, ARGUMENT));
    ROW(zts_net_get_status, (NETWORK), RUN3(NO_RESULT, NO_RESULT, ZTS_NETWORK_STATUS_OK));
    ROW(zts_net_get_status, (0), RUN(ARGUMENT));
    ROW(zts_net_get_type, (NETWORK), RUN3(NO_RESULT, NO_RESULT, ZTS_NETWORK_TYPE_PUBLIC));
    ROW(zts_net_get_type, (0), RUN(ARGUMENT));
    ROW(zts_net_get_settings, (NETWORK, &settings), RUN3(NO_RESULT, NO_RESULT, 0));
    VALUE(settings.allow_managed == 1 && settings.allow_global == 0, SKIP, SKIP, SKIP, 1, SKIP, SKIP);
    ROW(zts_net_get_settings, (0, &settings), RUN(ARGUMENT));
    ROW(zts_net_get_settings, (NETWORK, NULL), RUN(ARGUMENT));
    ROW(zts_net_set_settings, (NETWORK, &usual), RUN3(NO_RESULT, NO_RESULT, 0));
    ROW(zts_net_set_settings, (0, &usual), RUN(ARGUMENT));
    ROW(zts_net_set_settings, (NETWORK, NULL), RUN(ARGUMENT));
    ROW(zts_net_set_settings, (NETWORK, &odd), RUN(ARGUMENT));
    SAYS(ARGUMENT, "allow_dns");
    ROW(zts_net_compute_adhoc_id, (1, 65535), ALWAYS((long long)0xff0001ffff000000));
}

static void rows_of_addresses(void)
{
    ROW(zts_route_is_assigned, (NETWORK, ZTS_AF_INET6), RUN3(NO_RESULT, NO_RESULT, 0));
    ROW(zts_route_is_assigned, (NETWORK, ZTS_AF_INET), RUN3(NO_RESULT, NO_RESULT, 0));
    ROW(zts_route_is_assigned, (NETWORK, 99), RUN(ARGUMENT));
    ROW(zts_route_is_assigned, (0, ZTS_AF_INET6), RUN(ARGUMENT));
    ROW(zts_addr_is_assigned, (NETWORK, ZTS_AF_INET6), 0, 0, 0, 1, 0, 0);
    ROW(zts_addr_is_assigned, (NETWORK, ZTS_AF_INET), ALWAYS(0));
    ROW(zts_addr_is_assigned, (NETWORK, 99), 0, ARGUMENT, ARGUMENT, ARGUMENT, 0, 0);
    ROW(zts_addr_is_assigned, (0, ZTS_AF_INET6), ALWAYS(ARGUMENT));
    ROW(zts_addr_get, (NETWORK, ZTS_AF_INET6, &address), RUN3(NO_RESULT, NO_RESULT, 0));
    VALUE(address.ss_family, SKIP, SKIP, SKIP, ZTS_AF_INET6, SKIP, SKIP);
    ROW(zts_addr_get, (NETWORK, ZTS_AF_INET, &address), RUN(NO_RESULT));
    ROW(zts_addr_get, (NETWORK, 99, &address), RUN(ARGUMENT));
    SAYS(ARGUMENT, "family");
    ROW(zts_addr_get, (NETWORK, ZTS_AF_INET6, NULL), RUN(ARGUMENT));
    ROW(zts_addr_get, (0, ZTS_AF_INET6, &address), RUN(ARGUMENT));
    ROW(zts_addr_get_str, (NETWORK, ZTS_AF_INET6, text, 46), RUN3(NO_RESULT, NO_RESULT, 0));
    ROW(zts_addr_get_str, (NETWORK, ZTS_AF_INET, text, 46), RUN(NO_RESULT));
    ROW(zts_addr_get_str, (NETWORK, 99, text, 46), RUN(ARGUMENT));
    ROW(zts_addr_get_str, (0, ZTS_AF_INET6, text, 46), ALWAYS(ARGUMENT));
    ROW(zts_addr_get_str, (NETWORK, ZTS_AF_INET6, text, 45), ALWAYS(ARGUMENT));
    ROW(zts_addr_get_str, (NETWORK, ZTS_AF_INET6, NULL, 46), ALWAYS(ARGUMENT));
    ROW(zts_addr_get_all, (NETWORK, addresses, length_of(16)), RUN3(NO_RESULT, NO_RESULT, 0));
    VALUE(length, SKIP, SKIP, SKIP, 1, SKIP, SKIP);
    ROW(zts_addr_get_all, (NETWORK, addresses, length_of(15)), RUN(ARGUMENT));
    ROW(zts_addr_get_all, (NETWORK, NULL, length_of(16)), RUN(ARGUMENT));
    ROW(zts_addr_get_all, (NETWORK, addresses, NULL), RUN(ARGUMENT));
    ROW(zts_addr_get_all, (0, addresses, length_of(16)), RUN(ARGUMENT));
    ROW(zts_addr_compute_6plane, (NETWORK, STRANGER, &address), ALWAYS(0));
    VALUE(address.ss_family, ALWAYS(ZTS_AF_INET6));
    ROW(zts_addr_compute_6plane, (0, STRANGER, &address), ALWAYS(ARGUMENT));
    ROW(zts_addr_compute_6plane, (NETWORK, 0, &address), ALWAYS(ARGUMENT));
    ROW(zts_addr_compute_6plane, (NETWORK, STRANGER, NULL), ALWAYS(ARGUMENT));
    ROW(zts_addr_compute_rfc4193, (NETWORK, STRANGER, &address), ALWAYS(0));
    ROW(zts_addr_compute_rfc4193, (0, STRANGER, &address), ALWAYS(ARGUMENT));
    ROW(zts_addr_compute_rfc4193, (NETWORK, 0, &address), ALWAYS(ARGUMENT));
    ROW(zts_addr_compute_rfc4193, (NETWORK, STRANGER, NULL), ALWAYS(ARGUMENT));
    ROW(zts_addr_compute_6plane_str, (NETWORK, STRANGER, text, 46), ALWAYS(0));
    ROW(zts_addr_compute_6plane_str, (NETWORK, STRANGER, text, 47), ALWAYS(ARGUMENT));
    ROW(zts_addr_compute_6plane_str, (NETWORK, STRANGER, NULL, 46), ALWAYS(ARGUMENT));
    ROW(zts_addr_compute_rfc4193_str, (NETWORK, STRANGER, text, 46), ALWAYS(0));
    ROW(zts_addr_compute_rfc4193_str, (NETWORK, STRANGER, text, 45), ALWAYS(ARGUMENT));
    ROW(zts_addr_compute_rfc4193_str, (NETWORK, STRANGER, NULL, 46), ALWAYS(ARGUMENT));
}

/* By index, with the lock and without it: the same. */
static void rows_of_queries(void)
{
    ROW(zts_core_query_addr_count, (NETWORK), RUN3(NO_RESULT, NO_RESULT, 1));
    ROW(zts_core_query_addr, (NETWORK, 0, text, 46), RUN3(NO_RESULT, NO_RESULT, 0));
    ROW(zts_core_query_addr, (NETWORK, 1, text, 46), RUN3(NO_RESULT, NO_RESULT, ARGUMENT));
    SAYS(ARGUMENT, "none at 1");
    ROW(zts_core_query_addr, (NETWORK, 0, NULL, 46), RUN3(NO_RESULT, NO_RESULT, ARGUMENT));
    ROW(zts_core_query_addr, (NETWORK, 0, text, 2), RUN3(NO_RESULT, NO_RESULT, ARGUMENT));
    ROW(zts_core_query_route_count, (NETWORK), RUN3(NO_RESULT, NO_RESULT, 0));
    ROW(zts_core_query_route, (NETWORK, 0, text, other_text, 46, &flags, &metric),
        RUN3(NO_RESULT, NO_RESULT, ARGUMENT));
    ROW(zts_core_query_mc_count, (NETWORK), RUN3(NO_RESULT, NO_RESULT, SOME));
    ROW(zts_core_query_mc, (NETWORK, 0, &mac, &distinguisher), RUN3(NO_RESULT, NO_RESULT, 0));
    ROW(zts_core_query_mc, (NETWORK, 1000, &mac, &distinguisher), RUN3(NO_RESULT, NO_RESULT, ARGUMENT));
    ROW(zts_core_query_mc, (NETWORK, 0, NULL, &distinguisher), RUN3(NO_RESULT, NO_RESULT, ARGUMENT));
    ROW(zts_core_query_path_count, (root_id()), RUN3(COUNT, SOME, SOME));
    ROW(zts_core_query_path_count, (STRANGER), RUN(NO_RESULT));
    ROW(zts_core_query_path, (root_id(), 0, text, 64), SERVICE, SKIP, 0, 0, SERVICE, SERVICE);
    ROW(zts_core_query_path, (root_id(), 1000, text, 64), RUN(ARGUMENT));
    ROW(zts_core_query_path, (root_id(), 0, NULL, 64), RUN(ARGUMENT));
    ROW(zts_core_query_path, (STRANGER, 0, text, 64), RUN(NO_RESULT));
    SAYS(NO_RESULT, "unknown");
    ROW(zts_core_query_addr_count, (0), RUN(NO_RESULT));
    ROW(zts_core_query_route_count, (0), RUN(NO_RESULT));
    ROW(zts_core_query_mc_count, (0), RUN(NO_RESULT));
}

static void rows_of_the_lock(void)
{
    ROW(zts_core_lock_release, (), ALWAYS(SERVICE));
    SAYS(SERVICE, "hold");
    rows_of_queries();
    ROW(zts_core_lock_obtain, (), RUN(0));
    rows_of_queries();
    ROW(zts_core_lock_release, (), RUN(0));
}

static void rows_of_bsd_sockets(void)
{
    ROW(zts_stats_get_all, (&statistics), RUN(0));
    ROW(zts_stats_get_all, (NULL), RUN(ARGUMENT));
    ROW(zts_bsd_socket, (ZTS_AF_INET6, ZTS_SOCK_STREAM, 0), RUN(DESCRIPTOR));
    ROW(zts_bsd_socket, (99, ZTS_SOCK_STREAM, 0), RUN(FAILS(ZTS_EAFNOSUPPORT)));
    ROW(zts_bsd_connect, (NO_DESCRIPTOR, server(), 16), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_connect, (NO_DESCRIPTOR, NULL, 16), RUN(ARGUMENT));
    ROW(zts_bsd_connect, (NO_DESCRIPTOR, server(), 15), RUN(ARGUMENT));
    SAYS(ARGUMENT, "16 bytes");
    ROW(zts_bsd_bind, (NO_DESCRIPTOR, server(), 16), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_bind, (NO_DESCRIPTOR, NULL, 16), RUN(ARGUMENT));
    ROW(zts_bsd_bind, (NO_DESCRIPTOR, server(), 15), RUN(ARGUMENT));
    ROW(zts_bsd_listen, (NO_DESCRIPTOR, 1), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_accept, (NO_DESCRIPTOR, NULL, NULL), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_setsockopt, (NO_DESCRIPTOR, ZTS_SOL_SOCKET, ZTS_SO_KEEPALIVE, number_of(1), 4), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_setsockopt, (kept, ZTS_SOL_SOCKET, ZTS_SO_KEEPALIVE, number_of(1), 4), RUN(0));
    ROW(zts_bsd_getsockopt, (NO_DESCRIPTOR, ZTS_SOL_SOCKET, ZTS_SO_TYPE, &number, length_of(4)), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_getsockopt, (kept, ZTS_SOL_SOCKET, ZTS_SO_TYPE, number_of(0), length_of(4)), RUN(0));
    ROW(zts_bsd_getsockname, (NO_DESCRIPTOR, any(), length_of(28)), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_getsockname, (listener, any(), length_of(28)), RUN(0));
    ROW(zts_bsd_getsockname, (listener, NULL, length_of(28)), RUN(ARGUMENT));
    ROW(zts_bsd_getsockname, (listener, any(), NULL), RUN(ARGUMENT));
    ROW(zts_bsd_getpeername, (NO_DESCRIPTOR, any(), length_of(28)), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_getpeername, (kept, any(), length_of(28)), RUN(FAILS(ZTS_ENOTCONN)));
    SAYS(-1, "not connected");
    ROW(zts_bsd_getpeername, (kept, NULL, length_of(28)), RUN(ARGUMENT));
    ROW(zts_bsd_getpeername, (kept, any(), NULL), RUN(ARGUMENT));
    ROW(zts_bsd_close, (fresh(ZTS_SOCK_STREAM)), FAILS(ZTS_EBADF), 0, 0, 0, FAILS(ZTS_EBADF), SERVICE);
    ROW(zts_bsd_select, (0, NULL, NULL, NULL, no_time()), RUN(0));
    ROW(zts_bsd_select, (1025, NULL, NULL, NULL, no_time()), RUN(FAILS(ZTS_EINVAL)));
    ROW(zts_bsd_select, (1000, unknown_descriptor(), NULL, NULL, no_time()), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_fcntl, (NO_DESCRIPTOR, ZTS_F_GETFL, 0), RUN(FAILS(ZTS_EBADF)));
    /* No translation here: the host's flag means nothing. */
    ROW(zts_bsd_fcntl, (kept, ZTS_F_SETFL, 04000), RUN(0));
    ROW(zts_bsd_fcntl, (kept, ZTS_F_GETFL, 0), RUN(6));
    ROW(zts_bsd_poll, (NULL, 0, 0), RUN(0));
    ROW(zts_bsd_poll, (entry(), 1, 0), RUN(1));
    ROW(zts_bsd_poll, (NULL, 1, 0), RUN(FAILS(ZTS_EFAULT)));
    ROW(zts_bsd_ioctl, (NO_DESCRIPTOR, ZTS_FIONREAD, &number), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_ioctl, (kept, 0, &number), RUN(FAILS(ZTS_ENOSYS)));
    ROW(zts_bsd_ioctl, (kept, ZTS_FIONREAD, NULL), RUN(ARGUMENT));
    ROW(zts_bsd_send, (NO_DESCRIPTOR, text, 1, 0), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_send, (NO_DESCRIPTOR, text, 0, 0), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_send, (NO_DESCRIPTOR, NULL, 1, 0), RUN(ARGUMENT));
    ROW(zts_bsd_sendto, (NO_DESCRIPTOR, text, 1, 0, server(), 16), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_sendto, (NO_DESCRIPTOR, NULL, 1, 0, server(), 16), RUN(ARGUMENT));
    ROW(zts_bsd_sendto, (NO_DESCRIPTOR, text, 1, 0, NULL, 16), RUN(ARGUMENT));
    ROW(zts_bsd_sendto, (NO_DESCRIPTOR, text, 1, 0, server(), 15), RUN(ARGUMENT));
    ROW(zts_bsd_sendmsg, (NO_DESCRIPTOR, message(), 0), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_sendmsg, (NO_DESCRIPTOR, NULL, 0), RUN(ARGUMENT));
    ROW(zts_bsd_recv, (NO_DESCRIPTOR, text, 1, 0), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_recv, (NO_DESCRIPTOR, NULL, 1, 0), RUN(ARGUMENT));
    ROW(zts_bsd_recvfrom, (NO_DESCRIPTOR, text, 1, 0, NULL, NULL), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_recvfrom, (NO_DESCRIPTOR, NULL, 1, 0, NULL, NULL), RUN(ARGUMENT));
    ROW(zts_bsd_recvmsg, (NO_DESCRIPTOR, message(), 0), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_recvmsg, (NO_DESCRIPTOR, NULL, 0), RUN(ARGUMENT));
    ROW(zts_bsd_sendmmsg, (NO_DESCRIPTOR, batch(), 1, 0), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_sendmmsg, (NO_DESCRIPTOR, NULL, 1, 0), RUN(ARGUMENT));
    SAYS(ARGUMENT, "msgvec");
    ROW(zts_bsd_sendmmsg, (kept, NULL, 0, 0), RUN(0));
    ROW(zts_bsd_recvmmsg, (NO_DESCRIPTOR, batch(), 1, 0, NULL), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_recvmmsg, (NO_DESCRIPTOR, NULL, 1, 0, NULL), RUN(ARGUMENT));
    ROW(zts_bsd_recvmmsg, (kept, NULL, 0, 0, time_limit(0)), RUN(0));
    ROW(zts_bsd_recvmmsg, (kept, batch(), 1, 0, time_limit(-1)), RUN(FAILS(ZTS_EINVAL)));
    SAYS(-1, "timeout");
    ROW(zts_bsd_read, (NO_DESCRIPTOR, text, 1), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_read, (NO_DESCRIPTOR, NULL, 1), RUN(ARGUMENT));
    ROW(zts_bsd_readv, (NO_DESCRIPTOR, piece(), 1), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_readv, (NO_DESCRIPTOR, NULL, 1), RUN(ARGUMENT));
    ROW(zts_bsd_write, (NO_DESCRIPTOR, text, 1), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_write, (NO_DESCRIPTOR, NULL, 1), RUN(ARGUMENT));
    ROW(zts_bsd_writev, (NO_DESCRIPTOR, piece(), 1), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_writev, (NO_DESCRIPTOR, NULL, 1), RUN(ARGUMENT));
    ROW(zts_bsd_shutdown, (NO_DESCRIPTOR, ZTS_SHUT_RD), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bsd_shutdown, (kept, 99), RUN(FAILS(ZTS_EINVAL)));
    ROW(zts_bsd_gethostbyname, ("10.1.2.3"), 0, SOME, SOME, SOME, 0, 0);
    ROW(zts_bsd_gethostbyname, (NULL), ALWAYS(0));
    SAYS(0, "NULL");
}

static void rows_of_simple_sockets(void)
{
    ROW(zts_socket, (ZTS_AF_INET, ZTS_SOCK_STREAM, 0), RUN(DESCRIPTOR));
    ROW(zts_socket, (ZTS_AF_INET, 99, 0), RUN(FAILS(ZTS_EINVAL)));
    ROW(zts_connect, (fresh(ZTS_SOCK_STREAM), "127.0.0.1", 7, 5000), RUN(0));
    ROW(zts_connect, (NO_DESCRIPTOR, "127.0.0.1", 7, 5000), RUN(FAILS(ZTS_EBADF)));
    SAYS(-1, "descriptor");
    ROW(zts_connect, (fresh(ZTS_SOCK_STREAM), "127.0.0.1", 1, 5000), RUN(FAILS(ZTS_ECONNREFUSED)));
    SAYS(-1, "refused");
    ROW(zts_connect, (fresh(ZTS_SOCK_STREAM), "10.1.2.3", 7, 1), RUN(FAILS(ZTS_ETIMEDOUT)));
    SAYS(-1, state == READY ? "family" : "no network is joined");
    ROW(zts_connect, (kept, "127.0.0.1", 7, -1), RUN(ARGUMENT));
    SAYS(ARGUMENT, "timeout_ms");
    ROW(zts_connect, (kept, "nowhere", 7, 1), RUN(ARGUMENT));
    SAYS(ARGUMENT, "address");
    ROW(zts_connect, (kept, NULL, 7, 1), RUN(ARGUMENT));
    ROW(zts_bind, (fresh(ZTS_SOCK_STREAM), "127.0.0.1", 0), RUN(0));
    ROW(zts_bind, (fresh(ZTS_SOCK_STREAM), "127.0.0.1", 7), RUN(FAILS(ZTS_EADDRINUSE)));
    SAYS(-1, "another socket");
    ROW(zts_bind, (NO_DESCRIPTOR, "127.0.0.1", 7), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_bind, (kept, "nowhere", 7), RUN(ARGUMENT));
    ROW(zts_bind, (kept, NULL, 7), RUN(ARGUMENT));
    ROW(zts_listen, (NO_DESCRIPTOR, 1), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_listen, (listener, 16), RUN(0));
    ROW(zts_accept, (listener, text, 46, &port), RUN(DESCRIPTOR));
    ROW(zts_accept, (NO_DESCRIPTOR, text, 46, &port), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_accept, (listener, text, 45, &port), RUN(ARGUMENT));
    SAYS(ARGUMENT, "ZTS_IP_MAX_STR_LEN");
    ROW(zts_accept, (listener, NULL, 46, &port), RUN(ARGUMENT));
    ROW(zts_send, (NO_DESCRIPTOR, text, 1, 0), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_send, (NO_DESCRIPTOR, NULL, 1, 0), RUN(ARGUMENT));
    ROW(zts_recv, (NO_DESCRIPTOR, text, 1, 0), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_recv, (NO_DESCRIPTOR, NULL, 1, 0), RUN(ARGUMENT));
    ROW(zts_read, (NO_DESCRIPTOR, text, 1), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_read, (NO_DESCRIPTOR, NULL, 1), RUN(ARGUMENT));
    ROW(zts_write, (NO_DESCRIPTOR, text, 1), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_write, (NO_DESCRIPTOR, NULL, 1), RUN(ARGUMENT));
    ROW(zts_getpeername, (kept, text, 46, &port), RUN(FAILS(ZTS_ENOTCONN)));
    ROW(zts_getpeername, (NO_DESCRIPTOR, text, 46, &port), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_getpeername, (kept, text, 47, &port), RUN(ARGUMENT));
    ROW(zts_getpeername, (kept, NULL, 46, &port), RUN(ARGUMENT));
    ROW(zts_getsockname, (listener, text, 46, &port), RUN(0));
    VALUE(port == 7 && strcmp(text, "127.0.0.1") == 0, SKIP, true, true, true, SKIP, SKIP);
    ROW(zts_getsockname, (NO_DESCRIPTOR, text, 46, &port), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_getsockname, (listener, text, 47, &port), RUN(ARGUMENT));
    ROW(zts_getsockname, (listener, NULL, 46, &port), RUN(ARGUMENT));
    ROW(zts_shutdown_rd, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_shutdown_wr, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_shutdown_rdwr, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_shutdown_rdwr, (kept), RUN(FAILS(ZTS_ENOTCONN)));
    ROW(zts_tcp_client, ("127.0.0.1", 7), RUN(DESCRIPTOR));
    ROW(zts_tcp_client, ("nowhere", 7), RUN(ARGUMENT));
    ROW(zts_tcp_client, (NULL, 7), RUN(ARGUMENT));
    /* That it waits for a connection and returns it is the loop-back test of the socket suites. */
    ROW(zts_tcp_server, ("127.0.0.1", 7, text, 46, &port), RUN(FAILS(ZTS_EADDRINUSE)));
    ROW(zts_tcp_server, ("127.0.0.1", 8, text, 45, &port), RUN(ARGUMENT));
    ROW(zts_tcp_server, ("127.0.0.1", 8, NULL, 46, &port), RUN(ARGUMENT));
    ROW(zts_tcp_server, ("nowhere", 8, text, 46, &port), RUN(ARGUMENT));
    ROW(zts_udp_server, ("127.0.0.1", 9), RUN(DESCRIPTOR));
    ROW(zts_udp_server, ("nowhere", 9), RUN(ARGUMENT));
    ROW(zts_udp_server, (NULL, 9), RUN(ARGUMENT));
    ROW(zts_udp_client, ("127.0.0.1"), RUN(DESCRIPTOR));
    ROW(zts_udp_client, ("nowhere"), RUN(ARGUMENT));
    ROW(zts_udp_client, (NULL), RUN(ARGUMENT));
}

/* An option: on a descriptor that is not open, set, read back, and with an argument that is none. */
#define OPTION_ROWS(setter, getter, value, invalid, is)                                                                \
    ROW(setter, (NO_DESCRIPTOR, value), RUN(FAILS(ZTS_EBADF)));                                                        \
    ROW(setter, (kept, value), RUN(0));                                                                                \
    ROW(setter, (kept, invalid), RUN(ARGUMENT));                                                                       \
    ROW(getter, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));                                                               \
    ROW(getter, (kept), RUN(is))

static void rows_of_options(void)
{
    OPTION_ROWS(zts_set_no_delay, zts_get_no_delay, 1, 2, 1);
    OPTION_ROWS(zts_set_reuse_addr, zts_get_reuse_addr, 1, 2, 1);
    OPTION_ROWS(zts_set_keepalive, zts_get_keepalive, 1, -1, 1);
    OPTION_ROWS(zts_set_ttl, zts_get_ttl, 9, 256, 9);
    OPTION_ROWS(zts_set_blocking, zts_get_blocking, 0, 2, 0);
    /* Read back twice as large, as on Linux. */
    OPTION_ROWS(zts_set_send_buf_size, zts_get_send_buf_size, 65536, -1, 131072);
    OPTION_ROWS(zts_set_recv_buf_size, zts_get_recv_buf_size, 65536, -1, 131072);
    ROW(zts_set_linger, (NO_DESCRIPTOR, 1, 5), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_set_linger, (kept, 1, 5), RUN(0));
    ROW(zts_set_linger, (kept, 2, 5), RUN(ARGUMENT));
    SAYS(ARGUMENT, "0 nor 1");
    ROW(zts_set_linger, (kept, 1, -1), RUN(ARGUMENT));
    ROW(zts_get_linger_enabled, (kept), RUN(1));
    ROW(zts_get_linger_enabled, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_get_linger_value, (kept), RUN(5));
    ROW(zts_get_linger_value, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_set_recv_timeout, (NO_DESCRIPTOR, 3, 0), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_set_recv_timeout, (kept, 3, 999999), RUN(0));
    ROW(zts_set_recv_timeout, (kept, -1, 0), RUN(ARGUMENT));
    ROW(zts_set_recv_timeout, (kept, 0, -1), RUN(ARGUMENT));
    ROW(zts_get_recv_timeout, (kept), RUN(3));
    ROW(zts_get_recv_timeout, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_set_send_timeout, (NO_DESCRIPTOR, 3, 0), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_set_send_timeout, (kept, 4, 0), RUN(0));
    ROW(zts_set_send_timeout, (kept, -1, 0), RUN(ARGUMENT));
    ROW(zts_get_send_timeout, (kept), RUN(4));
    ROW(zts_get_send_timeout, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_get_last_socket_error, (kept), RUN(0));
    ROW(zts_get_last_socket_error, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_get_pending_data_size, (fresh(ZTS_SOCK_DGRAM)), RUN(0));
    ROW(zts_get_pending_data_size, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_get_data_available, (fresh(ZTS_SOCK_DGRAM)), RUN(0));
    ROW(zts_get_data_available, (NO_DESCRIPTOR), RUN(FAILS(ZTS_EBADF)));
    ROW(zts_close, (kept), FAILS(ZTS_EBADF), 0, 0, 0, 0, SERVICE);
    ROW(zts_close, (NO_DESCRIPTOR), FAILS(ZTS_EBADF), FAILS(ZTS_EBADF), FAILS(ZTS_EBADF), FAILS(ZTS_EBADF),
        FAILS(ZTS_EBADF), SERVICE);
}

static void rows_of_utilities(void)
{
    zts_ip_addr parsed;
    unsigned previous_length = 128, current_length = 128;
    char previous[128], current[128];
    ROW(zts_dns_set_server, (0, server_ip()), ALWAYS(0));
    ROW(zts_dns_set_server, (2, server_ip()), ALWAYS(ARGUMENT));
    ROW(zts_dns_get_server, (0), ALWAYS(SOME));
    ROW(zts_dns_get_server, (2), ALWAYS(0));
    SAYS(0, "index");
    ROW(zts_dns_set_server, (0, NULL), ALWAYS(0));
    ROW(zts_dns_get_server, (0), ALWAYS(0));
#define KEYS previous, &previous_length, current, &current_length
    ROW(zts_util_sign_root_set, (text, length_of(sizeof text), KEYS, 7, 1, root_set(true)), ALWAYS(0));
    VALUE(length > 178 && length < sizeof text, ALWAYS(true));
    ROW(zts_util_sign_root_set, (text, length_of(16), KEYS, 7, 1, root_set(true)), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "bytes");
    ROW(zts_util_sign_root_set, (text, length_of(sizeof text), KEYS, 7, 1, root_set(false)), ALWAYS(ARGUMENT));
    ROW(zts_util_sign_root_set, (NULL, length_of(sizeof text), KEYS, 7, 1, root_set(true)), ALWAYS(ARGUMENT));
    ROW(zts_util_sign_root_set, (text, length_of(sizeof text), KEYS, 7, 1, NULL), ALWAYS(ARGUMENT));
    ROW_VOID(zts_util_delay, (1));
    ROW(zts_util_get_ip_family, ("10.1.2.3"), ALWAYS(ZTS_AF_INET));
    ROW(zts_util_get_ip_family, ("::1"), ALWAYS(ZTS_AF_INET6));
    ROW(zts_util_get_ip_family, ("nowhere"), ALWAYS(-1));
    ROW(zts_util_get_ip_family, (NULL), ALWAYS(-1));
    ROW(zts_util_ipstr_to_saddr, ("::1", 7, any(), length_of(28)), ALWAYS(0));
    ROW(zts_util_ipstr_to_saddr, ("::1", 7, any(), length_of(16)), ALWAYS(ARGUMENT));
    ROW(zts_util_ipstr_to_saddr, ("nowhere", 7, any(), length_of(28)), ALWAYS(ARGUMENT));
    ROW(zts_util_ipstr_to_saddr, (NULL, 7, any(), length_of(28)), ALWAYS(ARGUMENT));
    ROW(zts_util_ipstr_to_saddr, ("::1", 7, NULL, length_of(28)), ALWAYS(ARGUMENT));
    ROW(zts_util_ipstr_to_saddr, ("::1", 7, any(), NULL), ALWAYS(ARGUMENT));
    ROW(zts_util_ntop, (server(), 16, text, 46, &port), ALWAYS(0));
    VALUE(port == 53 && strcmp(text, "10.1.2.3") == 0, ALWAYS(true));
    ROW(zts_util_ntop, (server(), 16, text, 45, &port), ALWAYS(ARGUMENT));
    ROW(zts_util_ntop, (server(), 8, text, 46, &port), ALWAYS(ARGUMENT));
    ROW(zts_util_ntop, (NULL, 16, text, 46, &port), ALWAYS(ARGUMENT));
    ROW(zts_util_ntop, (server(), 16, NULL, 46, &port), ALWAYS(ARGUMENT));
    ROW(zts_ipaddr_ntoa, (server_ip()), ALWAYS(SOME));
    ROW(zts_ipaddr_ntoa, (NULL), ALWAYS(0));
    ROW(zts_ipaddr_aton, ("10.1.2.3", &parsed), ALWAYS(1));
    ROW(zts_ipaddr_aton, ("nowhere", &parsed), ALWAYS(0));
    ROW(zts_ipaddr_aton, (NULL, &parsed), ALWAYS(0));
    ROW(zts_inet_ntop, (ZTS_AF_INET, "\12\1\2\3", text, 16), ALWAYS(SOME));
    ROW(zts_inet_ntop, (ZTS_AF_INET, "\12\1\2\3", text, 4), ALWAYS(0));
    ROW(zts_inet_ntop, (99, "\12\1\2\3", text, 16), ALWAYS(0));
    ROW(zts_inet_pton, (ZTS_AF_INET, "10.1.2.3", text), ALWAYS(1));
    ROW(zts_inet_pton, (ZTS_AF_INET6, "10.1.2.3", text), ALWAYS(0));
    ROW(zts_inet_pton, (99, "10.1.2.3", text), ALWAYS(FAILS(ERRNO_EAFNOSUPPORT)));
    SAYS(-1, "family");
    ROW(zts_strerror, (ZTS_ERR_SERVICE), ALWAYS(SOME));
}

/* What changes the state comes last. */
/* Networks of one's own, on a node that is no controller before it is asked to be one. */
static void rows_of_the_controller(void)
{
    static uint64_t own;
    static uint64_t made;
    ROW(zts_controller_network_create, (&own, "{}"), ALWAYS(SERVICE));
    ROW(zts_controller_network_list, (text, room_of(sizeof text)), ALWAYS(SERVICE));
    ROW(zts_controller_member_list, (NETWORK, text, room_of(sizeof text)), ALWAYS(SERVICE));
    ROW(zts_controller_enable, (1), 0, 0, 0, 0, 0, SERVICE);
    SAYS(SERVICE, "freed");
    ROW(zts_controller_enable, (1), 0, 0, 0, 0, 0, SERVICE);
    ROW(zts_controller_network_create, (&own, "{\"name\":\"home\"}"), RUN(0));
    ROW(zts_controller_network_create, (NULL, "{}"), RUN(ARGUMENT));
    SAYS(ARGUMENT, "NULL");
    ROW(zts_controller_network_create, (&made, NULL), RUN(ARGUMENT));
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
    ROW(zts_controller_network_list, (text, NULL), RUN(ARGUMENT));
    SAYS(ARGUMENT, "len");
    ROW(zts_controller_network_get, (NETWORK, text, room_of(sizeof text)), RUN(NO_RESULT));
    SAYS(NO_RESULT, "no network");
    ROW(zts_controller_network_get, (0, text, room_of(sizeof text)), RUN(ARGUMENT));
    ROW(zts_controller_network_get, (NETWORK, text, NULL), RUN(ARGUMENT));
    ROW(zts_controller_network_set, (NETWORK, "{}"), RUN(ARGUMENT));
    SAYS(ARGUMENT, "begin with its own address");
    ROW(zts_controller_network_set, (0, "{}"), RUN(ARGUMENT));
    ROW(zts_controller_network_set, (NETWORK, NULL), RUN(ARGUMENT));
    ROW(zts_controller_member_list, (NETWORK, text, room_of(sizeof text)), RUN(NO_RESULT));
    ROW(zts_controller_member_list, (0, text, room_of(sizeof text)), RUN(ARGUMENT));
    ROW(zts_controller_member_list, (NETWORK, text, NULL), RUN(ARGUMENT));
    ROW(zts_controller_member_get, (NETWORK, STRANGER, text, room_of(sizeof text)), RUN(NO_RESULT));
    ROW(zts_controller_member_get, (NETWORK, 0, text, room_of(sizeof text)), RUN(ARGUMENT));
    ROW(zts_controller_member_get, (NETWORK, 1ULL << 40, text, room_of(sizeof text)), RUN(ARGUMENT));
    SAYS(ARGUMENT, "40 bits");
    ROW(zts_controller_member_get, (NETWORK, STRANGER, text, NULL), RUN(ARGUMENT));
    ROW(zts_controller_member_set, (NETWORK, STRANGER, "{}"), RUN(NO_RESULT));
    ROW(zts_controller_member_set, (NETWORK, STRANGER, NULL), RUN(ARGUMENT));
    ROW(zts_controller_member_set, (0, STRANGER, "{}"), RUN(ARGUMENT));
    ROW(zts_controller_member_authorize, (NETWORK, STRANGER, 1), RUN(NO_RESULT));
    ROW(zts_controller_member_authorize, (NETWORK, 0, 1), RUN(ARGUMENT));
    ROW(zts_controller_member_authorize, (0, STRANGER, 1), RUN(ARGUMENT));
    ROW(zts_controller_member_delete, (NETWORK, STRANGER), RUN(NO_RESULT));
    ROW(zts_controller_member_delete, (0, STRANGER), RUN(ARGUMENT));
    ROW(zts_controller_member_delete, (NETWORK, 0), RUN(ARGUMENT));
    ROW(zts_controller_network_delete, (NETWORK), RUN(NO_RESULT));
    ROW(zts_controller_network_delete, (0), RUN(ARGUMENT));
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
    ROW(zts_controller_member_authorize, (own, STRANGER, 1), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_member_get, (own, STRANGER, text, room_of(sizeof text)), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_member_list, (own, text, room_of(3)), SKIP, ARGUMENT, ARGUMENT, ARGUMENT, SKIP, SKIP);
    SAYS(ARGUMENT, "17 bytes");
    ROW(zts_controller_member_delete, (own, STRANGER), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_member_delete, (own, STRANGER), SKIP, NO_RESULT, NO_RESULT, NO_RESULT, SKIP, SKIP);
    ROW(zts_controller_network_delete, (own), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_network_delete, (own), SKIP, NO_RESULT, NO_RESULT, NO_RESULT, SKIP, SKIP);
    ROW(zts_controller_enable, (0), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_controller_network_list, (text, room_of(sizeof text)), SKIP, SERVICE, SERVICE, SERVICE, SKIP, SKIP);
}

static void rows_of_life(void)
{
    ROW(zts_node_stop, (), SERVICE, SKIP, SKIP, SKIP, SERVICE, SERVICE);
    ROW(zts_node_free, (), SERVICE, SKIP, SKIP, SKIP, SERVICE, SERVICE);
    ROW(zts_node_start, (), SKIP, SERVICE, SERVICE, SERVICE, SKIP, SERVICE);
    ROW(zts_node_stop, (), SKIP, 0, 0, 0, SKIP, SKIP);
    ROW(zts_node_stop, (), SKIP, SERVICE, SERVICE, SERVICE, SKIP, SKIP);
    ROW(zts_node_free, (), SKIP, SERVICE, SERVICE, SERVICE, SKIP, SKIP);
    ROW(zts_node_start, (), 0, SKIP, SKIP, SKIP, 0, SKIP);
    ROW(zts_node_start, (), SERVICE, SKIP, SKIP, SKIP, SERVICE, SKIP);
    ROW(zts_node_free, (), 0, SKIP, SKIP, SKIP, 0, SKIP);
    ROW(zts_node_free, (), SERVICE, SKIP, SKIP, SKIP, SERVICE, SERVICE);
    ROW(zts_node_start, (), SERVICE, SKIP, SKIP, SKIP, SERVICE, SERVICE);
}

void rows_2(void)
{
    rows_of_settings();
    rows_of_the_node();
    rows_of_networks();
    rows_of_addresses();
    rows_of_the_lock();
    rows_of_bsd_sockets();
    rows_of_simple_sockets();
    rows_of_options();
    rows_of_utilities();
    rows_of_the_controller();
    rows_of_life();
}

/* ---- Events in order ---- */

/* Peers and paths depend on what is around; what is to be stored has its own sequence. */
static bool is_of_peers(int code)
{
    return is_between(code, ZTS_EVENT_PEER_DIRECT, ZTS_EVENT_PEER_PATH_DEAD)
        || is_between(code, ZTS_EVENT_STORE_IDENTITY_SECRET, ZTS_EVENT_STORE_NETWORK);
}

#define UP ZTS_EVENT_NODE_UP, ZTS_EVENT_NODE_ONLINE
#define JOINED                                                                                                         \
    ZTS_EVENT_NETIF_UP, ZTS_EVENT_NETIF_LINK_UP, ZTS_EVENT_ADDR_ADDED_IP6, ZTS_EVENT_NETWORK_READY_IP6,                \
        ZTS_EVENT_NETWORK_OK
#define LEFT                                                                                                           \
    ZTS_EVENT_ADDR_REMOVED_IP6, ZTS_EVENT_NETIF_LINK_DOWN, ZTS_EVENT_NETIF_DOWN, ZTS_EVENT_NETIF_REMOVED,              \
        ZTS_EVENT_NETWORK_DOWN
#define REFUSED ZTS_EVENT_NODE_FATAL_ERROR, ZTS_EVENT_NODE_DOWN

static void life(void)
{
    set_up(ZTS_EVENT_NODE_ONLINE);
    join();
    EXPECT(zts_net_leave(NETWORK) == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_DOWN, 1));
    stop();
    EVENTS_ARE("start, join, leave, stop", is_of_peers, ZTS_EVENT_STACK_UP, UP, JOINED, LEFT, ZTS_EVENT_NODE_DOWN);
    events_forget();
    /* The handler stays. */
    start(ZTS_EVENT_NODE_ONLINE);
    EXPECT(event_comes(ZTS_EVENT_PEER_DIRECT, 1));
    EXPECT(event_comes(ZTS_EVENT_PEER_PATH_DISCOVERED, 1));
    stop();
    EVENTS_ARE("a second start", is_of_peers, UP, ZTS_EVENT_NODE_DOWN);
}

static void stop_joined(void)
{
    set_up(ZTS_EVENT_NODE_ONLINE);
    join();
    events_forget();
    stop();
    EVENTS_ARE("a stop takes the networks down", is_of_peers, LEFT, ZTS_EVENT_NODE_DOWN);
}

static void no_controller(void)
{
    set_up(ZTS_EVENT_NODE_ONLINE);
    EXPECT(zts_net_join(NOWHERE) == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_REQ_CONFIG, 1));
    EXPECT(zts_net_get_status(NOWHERE) == ZTS_NETWORK_STATUS_REQUESTING_CONFIGURATION);
    stop();
    EVENTS_ARE("a network without a controller", is_of_peers, ZTS_EVENT_STACK_UP, UP, ZTS_EVENT_NETWORK_REQ_CONFIG,
        ZTS_EVENT_NETWORK_DOWN, ZTS_EVENT_NODE_DOWN);
}

static void silent_root(void)
{
    set_up(ZTS_EVENT_NODE_UP);
    stop();
    EVENTS_ARE("a node that is offline stops", is_of_peers, ZTS_EVENT_STACK_UP, ZTS_EVENT_NODE_UP, ZTS_EVENT_NODE_DOWN);
}

static bool is_not_of_the_start(int code)
{
    return !is_between(code, ZTS_EVENT_STORE_IDENTITY_SECRET, ZTS_EVENT_STORE_PLANET) && code != ZTS_EVENT_NODE_UP;
}

static bool is_not_of_the_end(int code) { return code != ZTS_EVENT_STORE_PEER && code != ZTS_EVENT_NODE_DOWN; }

/* Without a directory the program is told what to keep, and gives it back at the next start. */
static void no_storage(void)
{
    REQUIRE(zts_init_set_roots(planet, planet_length) == ZTS_ERR_OK);
    REQUIRE(zts_init_set_event_handler(told) == ZTS_ERR_OK);
    start(ZTS_EVENT_NODE_ONLINE);
    EXPECT(event_comes(ZTS_EVENT_STORE_IDENTITY_SECRET, 1));
    EXPECT(event_comes(ZTS_EVENT_STORE_IDENTITY_PUBLIC, 1));
    EXPECT(is_told_of_public_identity);
    EXPECT(zts_id_pair_is_valid(stored_identity, 384) == 1);
    uint64_t id = zts_node_get_id();
    EXPECT(zts_net_join(NETWORK) == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_STORE_NETWORK, 1));
    stop();
    events_forget();
    REQUIRE(zts_init_from_memory(stored_identity, (unsigned)strlen(stored_identity)) == ZTS_ERR_OK);
    start(ZTS_EVENT_NODE_ONLINE);
    EXPECT(zts_node_get_id() == id);
    stop();
    EVENTS_ARE("the identity of the program", is_not_of_the_start, ZTS_EVENT_STORE_IDENTITY_SECRET,
        ZTS_EVENT_STORE_IDENTITY_PUBLIC, ZTS_EVENT_STORE_PLANET, ZTS_EVENT_NODE_UP);
}

/* Of the other header, which cannot be included here: a second node in this process. */
int zts_instance_start(const char *path, void (*callback)(void), void *context, int port);
uint64_t zts_instance_get_node_id(int instance);
int zts_instance_join(int instance, uint64_t network);

static int instance;

static bool instance_has_joined(void) { return zts_instance_join(instance, NETWORK) == 0; }

static bool peer_is_known(void)
{
    /* Datagrams until one has made the two known to each other. */
    char target[46];
    EXPECT(zts_addr_compute_6plane_str(NETWORK, zts_instance_get_node_id(instance), target, 46) == ZTS_ERR_OK);
    int sender = zts_socket(ZTS_AF_INET6, ZTS_SOCK_DGRAM, 0);
    EXPECT(zts_connect(sender, target, 9, 1000) == ZTS_ERR_OK);
    EXPECT(zts_send(sender, "x", 1, 0) == 1);
    EXPECT(zts_close(sender) == ZTS_ERR_OK);
    usleep(20000);
    return zts_core_query_path_count(zts_instance_get_node_id(instance)) > 0;
}

/* Peers that are no roots are remembered when the node stops. */
static void store_peer(void)
{
    REQUIRE(zts_init_set_roots(planet, planet_length) == ZTS_ERR_OK);
    REQUIRE(zts_init_set_event_handler(told) == ZTS_ERR_OK);
    start(ZTS_EVENT_NODE_ONLINE);
    join();
    instance = zts_instance_start(other_directory, NULL, NULL, 0);
    REQUIRE(instance > 0);
    REQUIRE(waits(instance_has_joined));
    REQUIRE(waits(peer_is_known));
    EXPECT(event_comes(ZTS_EVENT_PEER_DIRECT, 2));
    events_forget();
    stop();
    EXPECT(event_comes(ZTS_EVENT_STORE_PEER, 1));
    EVENTS_ARE("what is to be stored comes before the end", is_not_of_the_end, ZTS_EVENT_STORE_PEER,
        ZTS_EVENT_NODE_DOWN);
}

/* Offline means that no root answers; networks stay. */
static void root_leaves(void)
{
    set_up(ZTS_EVENT_NODE_ONLINE);
    join();
    EXPECT(kill(leaving_root, SIGSTOP) == 0);
    EXPECT(event_comes(ZTS_EVENT_NODE_OFFLINE, 1));
    EXPECT(zts_node_is_online() == 0);
    EXPECT(zts_net_get_name(NETWORK, text, 127) == ZTS_ERR_SERVICE);
    EXPECT(zts_net_transport_is_ready(NETWORK) == 1);
    EXPECT(kill(leaving_root, SIGCONT) == 0);
    EXPECT(event_comes(ZTS_EVENT_NODE_ONLINE, 2));
    stop();
    EVENTS_ARE("the root leaves and returns", is_of_peers, ZTS_EVENT_STACK_UP, UP, JOINED, ZTS_EVENT_NODE_OFFLINE,
        ZTS_EVENT_NODE_ONLINE, LEFT, ZTS_EVENT_NODE_DOWN);
}

static void freed(void)
{
    set_up(ZTS_EVENT_NODE_ONLINE);
    join();
    events_forget();
    EXPECT(zts_node_free() == ZTS_ERR_OK);
    /* It has waited for the last event. */
    EVENTS_ARE("free", is_of_peers, LEFT, ZTS_EVENT_NODE_DOWN, ZTS_EVENT_STACK_DOWN);
}

static void port_taken(void)
{
    struct sockaddr_in name = { .sin_family = AF_INET };
    socklen_t size = sizeof name;
    int socket_of_the_host = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT(bind(socket_of_the_host, (struct sockaddr *)&name, sizeof name) == 0);
    EXPECT(getsockname(socket_of_the_host, (struct sockaddr *)&name, &size) == 0);
    REQUIRE(zts_init_set_port(ntohs(name.sin_port)) == ZTS_ERR_OK);
    set_up(ZTS_EVENT_NODE_DOWN);
    EVENTS_ARE("the port is taken", is_of_peers, ZTS_EVENT_STACK_UP, REFUSED);
    EXPECT(zts_get_start_error() && strstr(zts_get_start_error(), "in use"));
    EXPECT(zts_node_stop() == ZTS_ERR_SERVICE);
    events_forget();
    REQUIRE(zts_init_set_port(0) == ZTS_ERR_OK);
    start(ZTS_EVENT_NODE_ONLINE);
    stop();
    EXPECT(zts_get_start_error() == NULL);
    EVENTS_ARE("any other port", is_of_peers, UP, ZTS_EVENT_NODE_DOWN);
}

static void not_writable(void)
{
    snprintf(text, sizeof text, "%s/planet/below", directory);
    REQUIRE(zts_init_from_storage(text) == ZTS_ERR_OK);
    REQUIRE(zts_init_set_event_handler(told) == ZTS_ERR_OK);
    start(ZTS_EVENT_NODE_DOWN);
    EVENTS_ARE("a directory below a file", is_of_peers, ZTS_EVENT_STACK_UP, REFUSED);
    EXPECT(zts_get_start_error() && strstr(zts_get_start_error(), "planet/below"));
}

/* ---- From inside the handler ---- */

static void in_event(int code, void (*body)(void))
{
    hook = body;
    hook_code = code;
}

static void call_everything(void)
{
    EXPECT(zts_node_start() == ZTS_ERR_SERVICE);
    EXPECT(zts_node_is_online() == 1);
    EXPECT(zts_core_lock_obtain() == ZTS_ERR_OK && zts_core_lock_release() == ZTS_ERR_OK);
    int made = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    EXPECT(made >= 0 && zts_close(made) == ZTS_ERR_OK);
    EXPECT(zts_net_join(NETWORK) == ZTS_ERR_OK);
}

static void callback_calls(void)
{
    in_event(ZTS_EVENT_NODE_ONLINE, call_everything);
    set_up(ZTS_EVENT_NETWORK_OK);
    stop();
    EVENTS_ARE("join in the handler", is_of_peers, ZTS_EVENT_STACK_UP, UP, JOINED, LEFT, ZTS_EVENT_NODE_DOWN);
}

static void call_stop(void)
{
    EXPECT(zts_node_stop() == ZTS_ERR_OK);
    EXPECT(zts_node_stop() == ZTS_ERR_SERVICE);
}

static void callback_stop(void)
{
    in_event(ZTS_EVENT_NODE_ONLINE, call_stop);
    set_up(ZTS_EVENT_NODE_DOWN);
    EVENTS_ARE("stop in the handler", is_of_peers, ZTS_EVENT_STACK_UP, UP, ZTS_EVENT_NODE_DOWN);
}

static void call_free(void)
{
    EXPECT(zts_node_free() == ZTS_ERR_OK);
    EXPECT(zts_node_free() == ZTS_ERR_SERVICE);
}

static void callback_free(void)
{
    in_event(ZTS_EVENT_NODE_ONLINE, call_free);
    set_up(ZTS_EVENT_STACK_DOWN);
    EVENTS_ARE("free in the handler", is_of_peers, ZTS_EVENT_STACK_UP, UP, ZTS_EVENT_NODE_DOWN, ZTS_EVENT_STACK_DOWN);
    EXPECT(zts_node_start() == ZTS_ERR_SERVICE);
}

/* The way to a restart in this generation: settings and a start, in the last event. */
static void call_after_the_end(void)
{
    EXPECT(zts_node_stop() == ZTS_ERR_SERVICE);
    EXPECT(zts_init_set_port(0) == ZTS_ERR_OK);
    EXPECT(zts_node_start() == ZTS_ERR_OK);
}

static void callback_start(void)
{
    in_event(ZTS_EVENT_NODE_DOWN, call_after_the_end);
    set_up(ZTS_EVENT_NODE_ONLINE);
    stop();
    REQUIRE(event_comes(ZTS_EVENT_NODE_ONLINE, 2));
    EVENTS_ARE("start in the handler", is_of_peers, ZTS_EVENT_STACK_UP, UP, ZTS_EVENT_NODE_DOWN, UP);
}

/* ---- Several nodes ---- */

/* An instance, which the other header makes, and this generation's calls on its sockets. */
static void two_nodes(void)
{
    set_up(ZTS_EVENT_NODE_ONLINE);
    join();
    char there[ZTS_IP_MAX_STR_LEN];
    int waiting = listener_of_instance_1(4000, there);
    EXPECT(zts_get_event_fd(waiting) >= 0);
    int client = zts_tcp_client(there, 4000);
    REQUIRE(client >= 0);
    char peer[ZTS_IP_MAX_STR_LEN], own[ZTS_IP_MAX_STR_LEN];
    int server = zts_accept(waiting, peer, sizeof peer, &port);
    REQUIRE(server >= 0);
    EXPECT(zts_addr_get_str(NETWORK, ZTS_AF_INET6, own, sizeof own) == ZTS_ERR_OK && strcmp(own, peer) == 0);
    EXPECT(zts_write(client, "word", 4) == 4 && zts_read(server, text, 4) == 4 && memcmp(text, "word", 4) == 0);
    EXPECT(zts_close(client) == ZTS_ERR_OK && zts_read(server, text, 4) == 0 && zts_close(server) == ZTS_ERR_OK);
    free_instance_1();
    EXPECT(zts_close(waiting) == -1);
    stop();
}

const struct sequence sequences_2[] = {
    { "life", ANSWERING, life },
    { "stop-joined", ANSWERING, stop_joined },
    { "no-controller", ANSWERING, no_controller },
    { "silent-root", SILENT, silent_root },
    { "no-storage", ANSWERING, no_storage },
    { "store-peer", ANSWERING, store_peer },
    { "free", ANSWERING, freed },
    { "port-taken", ANSWERING, port_taken },
    { "not-writable", SILENT, not_writable },
    { "callback-calls", ANSWERING, callback_calls },
    { "callback-stop", ANSWERING, callback_stop },
    { "callback-free", ANSWERING, callback_free },
    { "callback-start", ANSWERING, callback_start },
    { "root-leaves", LEAVING, root_leaves },
    { "two-nodes", ANSWERING, two_nodes },
    { NULL, ANSWERING, NULL },
};
