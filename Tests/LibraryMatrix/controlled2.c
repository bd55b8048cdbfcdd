/* Generation 2 and a controller: what configurations, refusals and a collision of identities become.
 * Tests/TestController/Script.swift says what each network has. */
#include "matrix.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ZeroTierSockets.h"

enum { MOST_ROUTES = 8, FIRST_CODE = ZTS_EVENT_NODE_UP, CODES = 100, PORT = 4000, PORT_OF_NAMES = 53 };

/* ---- What came with the events: the last of each code, and the routes ---- */

static zts_net_info_t networks[CODES];
static zts_netif_info_t interfaces[CODES];
static zts_addr_info_t addresses[CODES];
static struct {
    int code;
    zts_route_info_t route;
} routes[MOST_ROUTES];
static int route_count;
static char secret[384]; /* the last that was to be stored */

#define NETWORK_TOLD(name) (&networks[ZTS_EVENT_NETWORK_##name - FIRST_CODE])
#define ADDRESS_TOLD(name) (&addresses[ZTS_EVENT_ADDR_##name - FIRST_CODE])

void note_2(const void *memory)
{
    const zts_event_msg_t *message = memory;
    int code = message->event_code;
    if (message->network) networks[code - FIRST_CODE] = *message->network;
    if (message->netif) interfaces[code - FIRST_CODE] = *message->netif;
    if (message->addr) addresses[code - FIRST_CODE] = *message->addr;
    if (message->route && route_count < MOST_ROUTES) {
        routes[route_count].code = code;
        routes[route_count++].route = *message->route;
    }
    if (code == ZTS_EVENT_STORE_IDENTITY_SECRET) snprintf(secret, sizeof secret, "%s", (const char *)message->cache);
}

/* "address/port", in one of a few buffers; the port is a prefix length, mostly. */
static const char *text_of(const struct zts_sockaddr_storage *address)
{
    static char texts[4][ZTS_IP_MAX_STR_LEN + 8];
    static int next;
    char *text = texts[next++ % 4];
    unsigned short port = 0;
    unsigned size = address->ss_family == ZTS_AF_INET ? 16 : 28;
    if (zts_util_ntop((struct zts_sockaddr *)address, size, text, ZTS_IP_MAX_STR_LEN, &port) != ZTS_ERR_OK) return "";
    sprintf(text + strlen(text), "/%u", port);
    return text;
}

static bool is_text(const struct zts_sockaddr_storage *address, const char *text)
{
    return strcmp(text_of(address), text) == 0;
}

/* Whether the text has a number of its own, below 100, between these. */
static bool is_between(const char *text, const char *head, const char *tail)
{
    if (strncmp(text, head, strlen(head)) != 0) return false;
    size_t digits = strspn(text + strlen(head), "0123456789abcdef");
    return (digits == 1 || digits == 2) && strcmp(text + strlen(head) + digits, tail) == 0;
}

static bool is_within(const struct zts_sockaddr_storage *address, const char *head, const char *tail)
{
    return is_between(text_of(address), head, tail);
}

static bool is_route(const zts_route_info_t *route, const char *target, const char *via)
{
    return is_text(&route->target, target) && route->flags == 0 && route->metric == 0
        && (via ? is_text(&route->via, via) : route->via.ss_family == 0);
}

/* The next route that was told of. */
static int next_route;
static bool route_came(int code, const char *target, const char *via)
{
    if (next_route >= route_count || routes[next_route].code != code) return false;
    return is_route(&routes[next_route++].route, target, via);
}

/* ---- Sequences ---- */

/* Whether the node was seen while it asked is chance; peers and paths depend on what is around; files are not ours. */
static bool is_chance(int code)
{
    return code == ZTS_EVENT_NETWORK_REQ_CONFIG || (code >= ZTS_EVENT_PEER_DIRECT && code <= ZTS_EVENT_PEER_PATH_DEAD)
        || (code >= ZTS_EVENT_STORE_IDENTITY_SECRET && code <= ZTS_EVENT_STORE_NETWORK);
}

#define UP ZTS_EVENT_NODE_UP, ZTS_EVENT_NODE_ONLINE
#define ADDED_IP4 ZTS_EVENT_NETIF_UP, ZTS_EVENT_NETIF_LINK_UP, ZTS_EVENT_ADDR_ADDED_IP4
#define READY_IP4 ZTS_EVENT_NETWORK_READY_IP4, ZTS_EVENT_NETWORK_OK
#define INTERFACE_LEFT                                                                                                 \
    ZTS_EVENT_NETIF_LINK_DOWN, ZTS_EVENT_NETIF_DOWN, ZTS_EVENT_NETIF_REMOVED, ZTS_EVENT_NETWORK_DOWN
#define LEFT_IP4 ZTS_EVENT_ADDR_REMOVED_IP4, ZTS_EVENT_ROUTE_REMOVED, INTERFACE_LEFT

static uint64_t join(int number, int until)
{
    uint64_t network = network_of(number);
    set_up_2(ZTS_EVENT_NODE_ONLINE);
    REQUIRE(zts_net_join(network) == ZTS_ERR_OK);
    REQUIRE(event_comes(until, 1));
    return network;
}

static bool is_everything(const zts_net_info_t *info, uint64_t network)
{
    return info->net_id == network && info->mac == zts_net_get_mac(network) && strcmp(info->name, "everything") == 0
        && info->status == ZTS_NETWORK_STATUS_OK && info->type == ZTS_NETWORK_TYPE_PUBLIC && info->mtu == 2000
        && info->bridge == 0 && info->broadcast_enabled == 1 && info->port_error == 0 && info->netconf_rev == 1
        && info->assigned_addr_count == 2 && is_within(&info->assigned_addrs[0], "10.144.1.", "/24")
        && is_within(&info->assigned_addrs[1], "fd00:90:1::", "/64") && info->route_count == 3
        && is_route(&info->routes[0], "10.144.1.0/24", NULL) && is_route(&info->routes[1], "fd00:90:1::/64", NULL)
        && is_route(&info->routes[2], "10.200.0.0/16", "10.144.1.1/0");
}

static void questions(uint64_t network)
{
    char text[128];
    struct zts_sockaddr_storage address, all[16];
    unsigned count = 16;
    EXPECT(zts_net_transport_is_ready(network) == 1);
    EXPECT(zts_net_get_status(network) == ZTS_NETWORK_STATUS_OK);
    EXPECT(zts_net_get_type(network) == ZTS_NETWORK_TYPE_PUBLIC);
    EXPECT(zts_net_get_mtu(network) == 2000 && zts_net_get_broadcast(network) == 1);
    EXPECT(zts_net_get_name(network, text, 127) == ZTS_ERR_OK && strcmp(text, "everything") == 0);
    EXPECT(zts_route_is_assigned(network, ZTS_AF_INET) == 1 && zts_route_is_assigned(network, ZTS_AF_INET6) == 1);
    EXPECT(zts_addr_is_assigned(network, ZTS_AF_INET) == 1 && zts_addr_is_assigned(network, ZTS_AF_INET6) == 1);
    EXPECT(zts_addr_get(network, ZTS_AF_INET, &address) == ZTS_ERR_OK && is_within(&address, "10.144.1.", "/0"));
    EXPECT(zts_addr_get(network, ZTS_AF_INET6, &address) == ZTS_ERR_OK && is_within(&address, "fd00:90:1::", "/0"));
    EXPECT(zts_addr_get_str(network, ZTS_AF_INET, text, 46) == ZTS_ERR_OK && is_between(text, "10.144.1.", ""));
    EXPECT(zts_addr_get_str(network, ZTS_AF_INET6, text, 46) == ZTS_ERR_OK && is_between(text, "fd00:90:1::", ""));
    EXPECT(zts_addr_get_all(network, all, &count) == ZTS_ERR_OK && count == 2);
    EXPECT(is_within(&all[0], "10.144.1.", "/0") && is_within(&all[1], "fd00:90:1::", "/0"));
}

static void questions_by_index(uint64_t network)
{
    char text[ZTS_IP_MAX_STR_LEN], via[ZTS_IP_MAX_STR_LEN];
    uint16_t flags = 7, metric = 7;
    uint64_t mac = 0;
    uint32_t distinguisher = 0;
    bool has_broadcast = false;
    EXPECT(zts_core_lock_obtain() == ZTS_ERR_OK);
    EXPECT(zts_core_query_addr_count(network) == 2);
    EXPECT(zts_core_query_addr(network, 0, text, 46) == ZTS_ERR_OK && is_between(text, "10.144.1.", ""));
    EXPECT(zts_core_query_addr(network, 1, text, 46) == ZTS_ERR_OK && is_between(text, "fd00:90:1::", ""));
    EXPECT(zts_core_query_addr(network, 2, text, 46) == ZTS_ERR_ARG);
    EXPECT(zts_core_query_route_count(network) == 3);
    EXPECT(zts_core_query_route(network, 0, text, via, 46, &flags, &metric) == ZTS_ERR_OK);
    EXPECT(strcmp(text, "10.144.1.0") == 0 && strcmp(via, "0.0.0.0") == 0 && flags == 0 && metric == 0);
    EXPECT(zts_core_query_route(network, 1, text, via, 46, &flags, &metric) == ZTS_ERR_OK);
    EXPECT(strcmp(text, "fd00:90:1::") == 0 && strcmp(via, "0.0.0.0") == 0);
    EXPECT(zts_core_query_route(network, 2, text, via, 46, &flags, &metric) == ZTS_ERR_OK);
    EXPECT(strcmp(text, "10.200.0.0") == 0 && strcmp(via, "10.144.1.1") == 0);
    EXPECT(zts_core_query_route(network, 3, text, via, 46, &flags, &metric) == ZTS_ERR_ARG);
    int groups = zts_core_query_mc_count(network);
    for (int i = 0; i < groups; i++) {
        EXPECT(zts_core_query_mc(network, (unsigned)i, &mac, &distinguisher) == ZTS_ERR_OK);
        /* The group by which an IPv4 address is asked for has the address in it. */
        has_broadcast |= mac == 0xffffffffffff && distinguisher >> 8 == 0x0a9001;
    }
    EXPECT(has_broadcast);
    EXPECT(zts_core_query_mc(network, (unsigned)groups, &mac, &distinguisher) == ZTS_ERR_ARG);
    EXPECT(zts_core_lock_release() == ZTS_ERR_OK);
}

static void managed(void)
{
    uint64_t network = join(1, ZTS_EVENT_NETWORK_OK);
    EXPECT(is_everything(NETWORK_TOLD(READY_IP4), network) && is_everything(NETWORK_TOLD(READY_IP6), network));
    EXPECT(is_everything(NETWORK_TOLD(READY_IP4_IP6), network) && is_everything(NETWORK_TOLD(OK), network));
    const zts_netif_info_t *interface = &interfaces[ZTS_EVENT_NETIF_UP - FIRST_CODE];
    EXPECT(interface->net_id == network && interface->mtu == 2000 && interface->mac == zts_net_get_mac(network));
    EXPECT(ADDRESS_TOLD(ADDED_IP4)->net_id == network && ADDRESS_TOLD(ADDED_IP6)->net_id == network);
    EXPECT(is_within(&ADDRESS_TOLD(ADDED_IP4)->addr, "10.144.1.", "/0"));
    EXPECT(is_within(&ADDRESS_TOLD(ADDED_IP6)->addr, "fd00:90:1::", "/0"));
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "10.144.1.0/24", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "fd00:90:1::/64", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "10.200.0.0/16", "10.144.1.1/0"));
    questions(network);
    questions_by_index(network);
    EXPECT(zts_net_leave(network) == ZTS_ERR_OK);
    REQUIRE(event_comes(ZTS_EVENT_NETWORK_DOWN, 1));
    EXPECT(NETWORK_TOLD(DOWN)->net_id == network);
    EXPECT(is_within(&ADDRESS_TOLD(REMOVED_IP4)->addr, "10.144.1.", "/0"));
    EXPECT(is_within(&ADDRESS_TOLD(REMOVED_IP6)->addr, "fd00:90:1::", "/0"));
    EXPECT(route_came(ZTS_EVENT_ROUTE_REMOVED, "10.144.1.0/24", NULL));
    EXPECT(zts_net_get_status(network) == ZTS_ERR_NO_RESULT && zts_net_get_mtu(network) == ZTS_ERR_NO_RESULT);
    EXPECT(zts_core_query_addr_count(network) == ZTS_ERR_NO_RESULT);
    EXPECT(zts_addr_is_assigned(network, ZTS_AF_INET) == 0 && zts_net_transport_is_ready(network) == 0);
    stop_2();
    EVENTS_ARE("a network of a controller", is_chance, ZTS_EVENT_STACK_UP, UP, ADDED_IP4, ZTS_EVENT_NETIF_UP,
        ZTS_EVENT_ADDR_ADDED_IP6, ZTS_EVENT_ROUTE_ADDED, ZTS_EVENT_ROUTE_ADDED, ZTS_EVENT_ROUTE_ADDED,
        ZTS_EVENT_NETWORK_READY_IP4, ZTS_EVENT_NETWORK_READY_IP6, ZTS_EVENT_NETWORK_READY_IP4_IP6,
        ZTS_EVENT_NETWORK_OK, ZTS_EVENT_ADDR_REMOVED_IP4, ZTS_EVENT_ADDR_REMOVED_IP6, ZTS_EVENT_ROUTE_REMOVED,
        ZTS_EVENT_ROUTE_REMOVED, ZTS_EVENT_ROUTE_REMOVED, INTERFACE_LEFT, ZTS_EVENT_NODE_DOWN);
}

static void denied(void)
{
    struct zts_sockaddr_storage address;
    uint64_t network = join(2, ZTS_EVENT_NETWORK_ACCESS_DENIED);
    EXPECT(NETWORK_TOLD(ACCESS_DENIED)->net_id == network);
    EXPECT(NETWORK_TOLD(ACCESS_DENIED)->status == ZTS_NETWORK_STATUS_ACCESS_DENIED);
    EXPECT(NETWORK_TOLD(ACCESS_DENIED)->assigned_addr_count == 0);
    EXPECT(zts_net_get_status(network) == ZTS_NETWORK_STATUS_ACCESS_DENIED);
    EXPECT(zts_net_transport_is_ready(network) == 0 && zts_addr_is_assigned(network, ZTS_AF_INET) == 0);
    EXPECT(zts_addr_get(network, ZTS_AF_INET, &address) == ZTS_ERR_NO_RESULT);
    EXPECT(zts_core_query_addr_count(network) == 0 && zts_core_query_route_count(network) == 0);
    /* Who is refused asks again by itself. */
    put_member(network, zts_node_get_id(), 1);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_OK, 1));
    EXPECT(zts_net_get_status(network) == ZTS_NETWORK_STATUS_OK && zts_net_transport_is_ready(network) == 1);
    EXPECT(zts_addr_get(network, ZTS_AF_INET6, &address) == ZTS_ERR_NO_RESULT);
    EXPECT(zts_route_is_assigned(network, ZTS_AF_INET6) == 0);
    stop_2();
    EVENTS_ARE("denied, then admitted", is_chance, ZTS_EVENT_STACK_UP, UP, ZTS_EVENT_NETWORK_ACCESS_DENIED, ADDED_IP4,
        ZTS_EVENT_ROUTE_ADDED, READY_IP4, LEFT_IP4, ZTS_EVENT_NODE_DOWN);
}

static void not_found(void)
{
    uint64_t network = join(3, ZTS_EVENT_NETWORK_NOT_FOUND);
    EXPECT(NETWORK_TOLD(NOT_FOUND)->net_id == network);
    EXPECT(zts_net_get_status(network) == ZTS_NETWORK_STATUS_NOT_FOUND);
    EXPECT(zts_net_leave(network) == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_DOWN, 1));
    stop_2();
    EVENTS_ARE("a network that does not exist", is_chance, ZTS_EVENT_STACK_UP, UP, ZTS_EVENT_NETWORK_NOT_FOUND,
        ZTS_EVENT_NETWORK_DOWN, ZTS_EVENT_NODE_DOWN);
}

/* Neither generation has a word for it. */
static void sign_on(void)
{
    uint64_t network = join(7, ZTS_EVENT_NETWORK_ACCESS_DENIED);
    EXPECT(zts_net_get_status(network) == ZTS_NETWORK_STATUS_ACCESS_DENIED);
    stop_2();
    EVENTS_ARE("a network that wants its user to sign on", is_chance, ZTS_EVENT_STACK_UP, UP,
        ZTS_EVENT_NETWORK_ACCESS_DENIED, ZTS_EVENT_NETWORK_DOWN, ZTS_EVENT_NODE_DOWN);
}

/* Of a root that is no controller. */
static void not_a_controller(void)
{
    uint64_t network = join(1, ZTS_EVENT_NETWORK_NOT_FOUND);
    EXPECT(zts_net_get_status(network) == ZTS_NETWORK_STATUS_NOT_FOUND);
    stop_2();
    EVENTS_ARE("a network of a node without a controller", is_chance, ZTS_EVENT_STACK_UP, UP,
        ZTS_EVENT_NETWORK_NOT_FOUND, ZTS_EVENT_NETWORK_DOWN, ZTS_EVENT_NODE_DOWN);
}

static void changes(void)
{
    uint64_t network = join(4, ZTS_EVENT_NETWORK_OK);
    uint64_t own = zts_node_get_id();
    EXPECT(NETWORK_TOLD(OK)->assigned_addr_count == 1 && NETWORK_TOLD(OK)->route_count == 2);
    /* What changes for this member alone is no new revision of the network. */
    put_member(network, own, 1);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_UPDATE, 1));
    EXPECT(NETWORK_TOLD(UPDATE)->netconf_rev == 1 && NETWORK_TOLD(UPDATE)->assigned_addr_count == 2);
    EXPECT(NETWORK_TOLD(READY_IP6)->assigned_addr_count == 2);
    put_member(network, own, 2);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_UPDATE, 2));
    EXPECT(NETWORK_TOLD(UPDATE)->netconf_rev == 2 && strcmp(NETWORK_TOLD(UPDATE)->name, "step 2") == 0);
    EXPECT(NETWORK_TOLD(UPDATE)->mtu == 1400 && NETWORK_TOLD(UPDATE)->assigned_addr_count == 1);
    EXPECT(is_within(&NETWORK_TOLD(UPDATE)->assigned_addrs[0], "10.145.4.", "/24"));
    EXPECT(is_within(&ADDRESS_TOLD(REMOVED_IP4)->addr, "10.144.4.", "/0"));
    EXPECT(is_within(&ADDRESS_TOLD(REMOVED_IP6)->addr, "fd00:90:4::", "/0"));
    EXPECT(is_within(&ADDRESS_TOLD(ADDED_IP4)->addr, "10.145.4.", "/0"));
    EXPECT(interfaces[ZTS_EVENT_NETIF_UP - FIRST_CODE].mtu == 1400 && zts_net_get_mtu(network) == 1400);
    put_member(network, own, 3);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_UPDATE, 3));
    EXPECT(NETWORK_TOLD(UPDATE)->assigned_addr_count == 0 && NETWORK_TOLD(UPDATE)->route_count == 0);
    EXPECT(zts_net_get_status(network) == ZTS_NETWORK_STATUS_OK && zts_net_transport_is_ready(network) == 0);
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "10.144.4.0/24", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "fd00:90:4::/64", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_REMOVED, "10.144.4.0/24", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_REMOVED, "fd00:90:4::/64", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "10.145.4.0/24", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_REMOVED, "10.145.4.0/24", NULL));
    stop_2();
    EVENTS_ARE("changes of a configuration", is_chance, ZTS_EVENT_STACK_UP, UP, ADDED_IP4, ZTS_EVENT_ROUTE_ADDED,
        ZTS_EVENT_ROUTE_ADDED, READY_IP4, ZTS_EVENT_NETIF_UP, ZTS_EVENT_ADDR_ADDED_IP6, ZTS_EVENT_NETWORK_READY_IP6,
        ZTS_EVENT_NETWORK_UPDATE, ZTS_EVENT_ADDR_REMOVED_IP4, ZTS_EVENT_ADDR_REMOVED_IP6, ZTS_EVENT_NETIF_UP,
        ZTS_EVENT_ADDR_ADDED_IP4, ZTS_EVENT_ROUTE_REMOVED, ZTS_EVENT_ROUTE_REMOVED, ZTS_EVENT_ROUTE_ADDED,
        ZTS_EVENT_NETWORK_UPDATE, ZTS_EVENT_ADDR_REMOVED_IP4, ZTS_EVENT_NETIF_LINK_DOWN, ZTS_EVENT_NETIF_DOWN,
        ZTS_EVENT_ROUTE_REMOVED, ZTS_EVENT_NETWORK_UPDATE, ZTS_EVENT_NETIF_REMOVED, ZTS_EVENT_NETWORK_DOWN,
        ZTS_EVENT_NODE_DOWN);
}

/* A node that was admitted and is no more keeps its configuration, and knows. */
static void denied_later(void)
{
    uint64_t network = join(5, ZTS_EVENT_NETWORK_OK);
    uint64_t own = zts_node_get_id();
    stop_2();
    events_forget();
    put_member(network, own, 1);
    start_2(ZTS_EVENT_NODE_ONLINE);
    EXPECT(zts_net_join(network) == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_ACCESS_DENIED, 1));
    EXPECT(NETWORK_TOLD(ACCESS_DENIED)->assigned_addr_count == 1);
    EXPECT(zts_net_get_status(network) == ZTS_NETWORK_STATUS_ACCESS_DENIED);
    EXPECT(zts_addr_is_assigned(network, ZTS_AF_INET) == 1);
    events_forget();
    put_member(network, own, 0);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_OK, 1));
    EVENTS_ARE("admitted again", is_chance, READY_IP4);
    stop_2();
}

static void in_pieces(void)
{
    uint64_t network = join(6, ZTS_EVENT_NETWORK_OK);
    EXPECT(NETWORK_TOLD(OK)->type == ZTS_NETWORK_TYPE_PRIVATE && zts_net_get_type(network) == ZTS_NETWORK_TYPE_PRIVATE);
    EXPECT(is_within(&NETWORK_TOLD(OK)->assigned_addrs[0], "10.144.6.", "/24"));
    stop_2();
    EVENTS_ARE("a configuration in pieces", is_chance, ZTS_EVENT_STACK_UP, UP, ADDED_IP4, ZTS_EVENT_ROUTE_ADDED,
        READY_IP4, LEFT_IP4, ZTS_EVENT_NODE_DOWN);
}

/* ---- Traffic: another node of this process, by functions of the other header, which cannot be included here ---- */

int zts_instance_start(const char *path, void (*callback)(void), void *context, int port);
int zts_instance_free(int instance);
int zts_instance_join(int instance, uint64_t network);
int zts_instance_get_network_status(int instance, uint64_t network);
int zts_instance_socket(int instance, int family, int type, int protocol);
int zts_instance_get_address(int instance, uint64_t network, void *host_storage, int family);

static int instance;

static bool instance_has_joined(void) { return zts_instance_join(instance, network_of(1)) == 0; }

static bool instance_is_ready(void)
{
    enum { READY_IP4_IP6_1 = 39 };
    return zts_instance_get_network_status(instance, network_of(1)) == READY_IP4_IP6_1;
}

static char remote[46];
static unsigned short remote_port;

/* Accepts one client, as its documentation has it: the descriptor. */
static void *serve_one(void *result)
{
    *(int *)result = zts_tcp_server("0.0.0.0", PORT, remote, sizeof remote, &remote_port);
    return NULL;
}

static void *serve_names(void *socket)
{
    unsigned char message[512];
    struct zts_sockaddr_storage from;
    for (;;) {
        zts_socklen_t size = sizeof from;
        ssize_t count = zts_bsd_recvfrom(
            *(int *)socket, message, sizeof message - 16, 0, (struct zts_sockaddr *)&from, &size);
        if (count <= 0) return NULL;
        size_t length = answer_question(message, (size_t)count);
        if (length > 0) zts_bsd_sendto(*(int *)socket, message, length, 0, (struct zts_sockaddr *)&from, size);
    }
}

static void traffic(void)
{
    char own[46], byte = 0;
    unsigned short port = 0;
    pthread_t thread;
    uint64_t network = join(1, ZTS_EVENT_NETWORK_OK);
    instance = zts_instance_start(other_directory, NULL, NULL, 0);
    REQUIRE(instance > 0 && waits(instance_has_joined) && waits(instance_is_ready));
    EXPECT(zts_addr_get_str(network, ZTS_AF_INET, own, 46) == ZTS_ERR_OK);
    /* A server for one client. */
    int accepted = NO_DESCRIPTOR, client = -1;
    REQUIRE(pthread_create(&thread, NULL, serve_one, &accepted) == 0);
    for (double end = now() + 30; client < 0 && now() < end; usleep(1000)) {
        client = zts_instance_socket(instance, ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
        if (zts_connect(client, own, PORT, 5000) == ZTS_ERR_OK) break;
        /* It does not listen yet. */
        zts_close(client);
        client = -1;
    }
    REQUIRE(client >= 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    REQUIRE(accepted >= 0);
    EXPECT(is_between(remote, "10.144.1.", "") && strcmp(remote, own) != 0);
    char name[46];
    EXPECT(zts_getsockname(client, name, 46, &port) == ZTS_ERR_OK);
    EXPECT(strcmp(name, remote) == 0 && port == remote_port);
    EXPECT(zts_getpeername(client, name, 46, &port) == ZTS_ERR_OK && strcmp(name, own) == 0 && port == PORT);
    EXPECT(zts_send(client, "x", 1, 0) == 1 && zts_recv(accepted, &byte, 1, 0) == 1 && byte == 'x');
    EXPECT(zts_shutdown_wr(client) == ZTS_ERR_OK && zts_recv(accepted, &byte, 1, 0) == 0);
    EXPECT(zts_close(accepted) == ZTS_ERR_OK && zts_close(client) == ZTS_ERR_OK);
    /* The listener is closed. */
    EXPECT(zts_tcp_client(own, PORT) < 0);
    /* A name server in the network. */
    int names = zts_instance_socket(instance, ZTS_AF_INET, ZTS_SOCK_DGRAM, 0);
    REQUIRE(zts_bind(names, "0.0.0.0", PORT_OF_NAMES) == ZTS_ERR_OK);
    REQUIRE(pthread_create(&thread, NULL, serve_names, &names) == 0);
    zts_ip_addr server;
    EXPECT(zts_ipaddr_aton(remote, &server) == 1 && zts_dns_set_server(1, &server) == ZTS_ERR_OK);
    struct zts_hostent *entry = zts_bsd_gethostbyname("www.matrix.test");
    EXPECT(entry && entry->h_addrtype == ZTS_AF_INET && entry->h_length == 4 && entry->h_addr_list[1] == NULL);
    EXPECT(entry && memcmp(entry->h_addr_list[0], "\12\1\2\3", 4) == 0);
    EXPECT(zts_dns_set_server(1, NULL) == ZTS_ERR_OK && zts_bsd_gethostbyname("www.matrix.test") == NULL);
    EXPECT(zts_instance_free(instance) == ZTS_ERR_OK);
    EXPECT(pthread_join(thread, NULL) == 0);
    stop_2();
}

/* ---- Another node has our address ---- */

static bool is_not_of_the_node(int code)
{
    return code != ZTS_EVENT_NETWORK_DOWN && !(code >= ZTS_EVENT_NODE_UP && code <= ZTS_EVENT_NODE_FATAL_ERROR);
}

static void expect_another_identity(void)
{
    EXPECT(zts_node_get_id() != 0 && zts_node_get_id() != COLLIDING);
    EXPECT(event_comes(ZTS_EVENT_STORE_IDENTITY_PUBLIC, 2));
    EXPECT(zts_id_pair_is_valid(secret, 384) == 1 && strcmp(secret, identity) != 0);
}

static void collision(void)
{
    write_file("networks.d/ff0001ffff000000.conf", "\n");
    write_file("identity.secret", identity);
    write_file("identity.public", public_identity);
    set_up_2(ZTS_EVENT_NODE_ONLINE);
    expect_another_identity();
    EXPECT(file_is("identity.secret.saved_after_collision", identity));
    EXPECT(file_is("identity.secret", secret));
    EXPECT(event_comes(ZTS_EVENT_NETWORK_OK, 1));
    EXPECT(zts_net_transport_is_ready(NETWORK) == 1 && zts_core_query_addr_count(NETWORK) == 1);
    stop_2();
    EVENTS_ARE("a collision", is_not_of_the_node, ZTS_EVENT_NODE_UP, ZTS_EVENT_NODE_FATAL_ERROR,
        ZTS_EVENT_NETWORK_DOWN, UP, ZTS_EVENT_NETWORK_DOWN, ZTS_EVENT_NODE_DOWN);
}

/* The program gave the identity: it is told of the one to keep instead. */
static void collision_of_memory(void)
{
    REQUIRE(zts_init_from_memory(identity, (unsigned)strlen(identity)) == ZTS_ERR_OK);
    REQUIRE(zts_init_set_roots(planet, planet_length) == ZTS_ERR_OK);
    set_handler_2();
    start_2(ZTS_EVENT_NODE_ONLINE);
    expect_another_identity();
    stop_2();
    EVENTS_ARE("a collision of what the program gave", is_not_of_the_node, ZTS_EVENT_NODE_UP,
        ZTS_EVENT_NODE_FATAL_ERROR, UP, ZTS_EVENT_NODE_DOWN);
}

const struct sequence controlled_2[] = {
    { "managed", CONTROLLER, managed },
    { "denied", CONTROLLER, denied },
    { "not-found", CONTROLLER, not_found },
    { "sign-on", CONTROLLER, sign_on },
    { "not-a-controller", ANSWERING, not_a_controller },
    { "changes", CONTROLLER, changes },
    { "denied-later", CONTROLLER, denied_later },
    { "in-pieces", CONTROLLER, in_pieces },
    { "traffic", CONTROLLER, traffic },
    { "collision", CONTROLLER, collision },
    { "collision-of-memory", CONTROLLER, collision_of_memory },
    { NULL, CONTROLLER, NULL },
};
