/* Generation 1 and a controller: what configurations, refusals and a collision of identities become.
 * Tests/TestController/Script.swift says what each network has. */
#include "matrix.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ZeroTier.h"

enum { MOST_ROUTES = 8, PORT = 4000, PORT_OF_NAMES = 53 };

/* ---- What came with the events: the last of each code, and the routes ---- */

static struct zts_network_details networks[ZTS_EVENT_NETWORK_DOWN + 1];
static struct zts_netif_details interfaces[ZTS_EVENT_NETIF_LINK_DOWN + 1];
static struct zts_addr_details addresses[ZTS_EVENT_ADDR_REMOVED_IP6 + 1];
static struct {
    int code;
    struct zts_virtual_network_route route;
} routes[MOST_ROUTES];
static int route_count;

void note_1(const void *memory)
{
    const struct zts_callback_msg *message = memory;
    int code = message->eventCode;
    if (message->network) networks[code] = *message->network;
    if (message->netif) interfaces[code] = *message->netif;
    if (message->addr) addresses[code] = *message->addr;
    if (message->route && route_count < MOST_ROUTES) {
        routes[route_count].code = code;
        routes[route_count++].route = *message->route;
    }
}

/* "address/port", in one of a few buffers; the port is a prefix length, mostly. */
static const char *text_of(const struct sockaddr_storage *address)
{
    static char texts[4][INET6_ADDRSTRLEN + 8];
    static int next;
    char *text = texts[next++ % 4];
    const void *bytes = address->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                                                      : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;
    if (!inet_ntop(address->ss_family, bytes, text, INET6_ADDRSTRLEN)) return "";
    sprintf(text + strlen(text), "/%u", ntohs(((const struct sockaddr_in *)address)->sin_port));
    return text;
}

static bool is_text(const struct sockaddr_storage *address, const char *text)
{
    return strcmp(text_of(address), text) == 0;
}

/* Whether it has a number of its own, below 100, between these. */
static bool is_within(const struct sockaddr_storage *address, const char *head, const char *tail)
{
    const char *text = text_of(address);
    if (strncmp(text, head, strlen(head)) != 0) return false;
    size_t digits = strspn(text + strlen(head), "0123456789abcdef");
    return (digits == 1 || digits == 2) && strcmp(text + strlen(head) + digits, tail) == 0;
}

static bool is_route(const struct zts_virtual_network_route *route, const char *target, const char *via)
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

/* Whether the node was seen while it asked is chance; peers and paths depend on what is around. */
static bool is_chance(int code)
{
    return code == ZTS_EVENT_NETWORK_REQUESTING_CONFIG || (code >= ZTS_EVENT_PEER_P2P && code <= ZTS_EVENT_PATH_DEAD);
}

#define UP ZTS_EVENT_NODE_UP, ZTS_EVENT_NODE_ONLINE
#define DOWN ZTS_EVENT_NODE_NORMAL_TERMINATION, ZTS_EVENT_NODE_DOWN
#define ADDED_IP4 ZTS_EVENT_NETIF_UP, ZTS_EVENT_NETIF_LINK_UP, ZTS_EVENT_ADDR_ADDED_IP4
#define READY_IP4 ZTS_EVENT_NETWORK_READY_IP4, ZTS_EVENT_NETWORK_OK
#define INTERFACE_LEFT                                                                                                 \
    ZTS_EVENT_NETIF_LINK_DOWN, ZTS_EVENT_NETIF_DOWN, ZTS_EVENT_NETIF_REMOVED, ZTS_EVENT_NETWORK_DOWN
#define LEFT_IP4 ZTS_EVENT_ADDR_REMOVED_IP4, ZTS_EVENT_ROUTE_REMOVED, INTERFACE_LEFT

static uint64_t join(int number, int until)
{
    uint64_t network = network_of(number);
    start_1(ZTS_EVENT_NODE_ONLINE);
    REQUIRE(zts_join(network) == ZTS_ERR_OK);
    REQUIRE(event_comes(until, 1));
    return network;
}

static bool is_everything(const struct zts_network_details *details, uint64_t network)
{
    return details->nwid == network && details->mtu == 2000 && details->num_addresses == 2
        && is_within(&details->addr[0], "10.144.1.", "/24") && is_within(&details->addr[1], "fd00:90:1::", "/64")
        && details->num_routes == 3 && is_route(&details->routes[0], "10.144.1.0/24", NULL)
        && is_route(&details->routes[1], "fd00:90:1::/64", NULL)
        && is_route(&details->routes[2], "10.200.0.0/16", "10.144.1.1/0");
}

static void questions(uint64_t network)
{
    static struct zts_network_details details[2];
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int count = 2;
    EXPECT(zts_get_network_status(network) == ZTS_EVENT_NETWORK_READY_IP4_IP6);
    EXPECT(zts_get_num_joined_networks() == 1);
    EXPECT(zts_get_network_details(network, &details[1]) == ZTS_ERR_OK && is_everything(&details[1], network));
    EXPECT(zts_get_all_network_details(details, &count) == ZTS_ERR_OK && count == 1);
    EXPECT(is_everything(&details[0], network));
    EXPECT(zts_has_address(network) == 1);
    EXPECT(zts_get_num_assigned_addresses(network) == 2);
    EXPECT(zts_get_address_at_index(network, 0, (struct sockaddr *)&address, &size) == ZTS_ERR_OK);
    EXPECT(size == sizeof(struct sockaddr_in) && is_within(&address, "10.144.1.", "/0"));
    size = sizeof address;
    EXPECT(zts_get_address_at_index(network, 1, (struct sockaddr *)&address, &size) == ZTS_ERR_OK);
    EXPECT(size == sizeof(struct sockaddr_in6) && is_within(&address, "fd00:90:1::", "/0"));
    EXPECT(zts_get_address_at_index(network, 2, (struct sockaddr *)&address, &size) == ZTS_ERR_INVALID_ARG);
    EXPECT(zts_get_address(network, &address, AF_INET) == ZTS_ERR_OK && is_within(&address, "10.144.1.", "/0"));
    EXPECT(zts_get_address(network, &address, ZTS_AF_INET6) == ZTS_ERR_OK);
    EXPECT(is_within(&address, "fd00:90:1::", "/0"));
}

static void managed(void)
{
    uint64_t network = join(1, ZTS_EVENT_NETWORK_OK);
    EXPECT(is_everything(&networks[ZTS_EVENT_NETWORK_READY_IP4], network));
    EXPECT(is_everything(&networks[ZTS_EVENT_NETWORK_READY_IP6], network));
    EXPECT(is_everything(&networks[ZTS_EVENT_NETWORK_READY_IP4_IP6], network));
    EXPECT(is_everything(&networks[ZTS_EVENT_NETWORK_OK], network));
    EXPECT(interfaces[ZTS_EVENT_NETIF_UP].nwid == network && interfaces[ZTS_EVENT_NETIF_UP].mtu == 2000);
    EXPECT(addresses[ZTS_EVENT_ADDR_ADDED_IP4].nwid == network);
    EXPECT(is_within(&addresses[ZTS_EVENT_ADDR_ADDED_IP4].addr, "10.144.1.", "/0"));
    EXPECT(addresses[ZTS_EVENT_ADDR_ADDED_IP6].nwid == network);
    EXPECT(is_within(&addresses[ZTS_EVENT_ADDR_ADDED_IP6].addr, "fd00:90:1::", "/0"));
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "10.144.1.0/24", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "fd00:90:1::/64", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "10.200.0.0/16", "10.144.1.1/0"));
    questions(network);
    EXPECT(zts_leave(network) == ZTS_ERR_OK);
    REQUIRE(event_comes(ZTS_EVENT_NETWORK_DOWN, 1));
    static struct zts_network_details details;
    EXPECT(networks[ZTS_EVENT_NETWORK_DOWN].nwid == network);
    EXPECT(is_within(&addresses[ZTS_EVENT_ADDR_REMOVED_IP4].addr, "10.144.1.", "/0"));
    EXPECT(is_within(&addresses[ZTS_EVENT_ADDR_REMOVED_IP6].addr, "fd00:90:1::", "/0"));
    EXPECT(route_came(ZTS_EVENT_ROUTE_REMOVED, "10.144.1.0/24", NULL));
    EXPECT(zts_get_network_details(network, &details) == ZTS_ERR_NO_RESULT);
    EXPECT(zts_get_network_status(network) == ZTS_ERR_NO_RESULT);
    EXPECT(zts_get_num_assigned_addresses(network) == ZTS_ERR_NO_RESULT);
    EXPECT(zts_get_num_joined_networks() == 0);
    stop_1();
    EVENTS_ARE("a network of a controller", is_chance, ZTS_EVENT_STACK_UP, UP, ADDED_IP4, ZTS_EVENT_NETIF_UP,
        ZTS_EVENT_ADDR_ADDED_IP6, ZTS_EVENT_ROUTE_ADDED, ZTS_EVENT_ROUTE_ADDED, ZTS_EVENT_ROUTE_ADDED,
        ZTS_EVENT_NETWORK_READY_IP4, ZTS_EVENT_NETWORK_READY_IP6, ZTS_EVENT_NETWORK_READY_IP4_IP6,
        ZTS_EVENT_NETWORK_OK, ZTS_EVENT_ADDR_REMOVED_IP4, ZTS_EVENT_ADDR_REMOVED_IP6, ZTS_EVENT_ROUTE_REMOVED,
        ZTS_EVENT_ROUTE_REMOVED, ZTS_EVENT_ROUTE_REMOVED, INTERFACE_LEFT, DOWN);
}

static void denied(void)
{
    static struct zts_network_details details;
    struct sockaddr_storage address;
    uint64_t network = join(2, ZTS_EVENT_NETWORK_ACCESS_DENIED);
    EXPECT(networks[ZTS_EVENT_NETWORK_ACCESS_DENIED].nwid == network);
    EXPECT(networks[ZTS_EVENT_NETWORK_ACCESS_DENIED].num_addresses == 0);
    EXPECT(zts_get_network_status(network) == ZTS_EVENT_NETWORK_ACCESS_DENIED);
    EXPECT(zts_get_network_details(network, &details) == ZTS_ERR_OK && details.num_addresses == 0);
    EXPECT(zts_has_address(network) == 0 && zts_get_num_assigned_addresses(network) == 0);
    EXPECT(zts_get_address(network, &address, ZTS_AF_INET) == ZTS_ERR_NO_RESULT);
    /* Who is refused asks again by itself. */
    put_member(network, zts_get_node_id(), 1);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_OK, 1));
    EXPECT(zts_get_network_status(network) == ZTS_EVENT_NETWORK_READY_IP4);
    EXPECT(zts_get_address(network, &address, ZTS_AF_INET6) == ZTS_ERR_NO_RESULT);
    stop_1();
    EVENTS_ARE("denied, then admitted", is_chance, ZTS_EVENT_STACK_UP, UP, ZTS_EVENT_NETWORK_ACCESS_DENIED, ADDED_IP4,
        ZTS_EVENT_ROUTE_ADDED, READY_IP4, LEFT_IP4, DOWN);
}

static void not_found(void)
{
    uint64_t network = join(3, ZTS_EVENT_NETWORK_NOT_FOUND);
    EXPECT(networks[ZTS_EVENT_NETWORK_NOT_FOUND].nwid == network);
    EXPECT(zts_get_network_status(network) == ZTS_EVENT_NETWORK_NOT_FOUND);
    EXPECT(zts_leave(network) == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_DOWN, 1));
    stop_1();
    EVENTS_ARE("a network that does not exist", is_chance, ZTS_EVENT_STACK_UP, UP, ZTS_EVENT_NETWORK_NOT_FOUND,
        ZTS_EVENT_NETWORK_DOWN, DOWN);
}

/* Neither generation has a word for it. */
static void sign_on(void)
{
    uint64_t network = join(7, ZTS_EVENT_NETWORK_ACCESS_DENIED);
    EXPECT(zts_get_network_status(network) == ZTS_EVENT_NETWORK_ACCESS_DENIED);
    stop_1();
    EVENTS_ARE("a network that wants its user to sign on", is_chance, ZTS_EVENT_STACK_UP, UP,
        ZTS_EVENT_NETWORK_ACCESS_DENIED, ZTS_EVENT_NETWORK_DOWN, DOWN);
}

/* Of a root that is no controller. */
static void not_a_controller(void)
{
    uint64_t network = join(1, ZTS_EVENT_NETWORK_NOT_FOUND);
    EXPECT(zts_get_network_status(network) == ZTS_EVENT_NETWORK_NOT_FOUND);
    stop_1();
    EVENTS_ARE("a network of a node without a controller", is_chance, ZTS_EVENT_STACK_UP, UP,
        ZTS_EVENT_NETWORK_NOT_FOUND, ZTS_EVENT_NETWORK_DOWN, DOWN);
}

static void changes(void)
{
    uint64_t network = join(4, ZTS_EVENT_NETWORK_OK);
    uint64_t own = zts_get_node_id();
    EXPECT(networks[ZTS_EVENT_NETWORK_OK].mtu == 2800 && networks[ZTS_EVENT_NETWORK_OK].num_addresses == 1);
    put_member(network, own, 1);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_READY_IP6, 1));
    EXPECT(networks[ZTS_EVENT_NETWORK_READY_IP6].num_addresses == 2);
    EXPECT(zts_get_network_status(network) == ZTS_EVENT_NETWORK_READY_IP4_IP6);
    put_member(network, own, 2);
    EXPECT(event_comes(ZTS_EVENT_ROUTE_ADDED, 3));
    EXPECT(zts_get_network_status(network) == ZTS_EVENT_NETWORK_READY_IP4);
    EXPECT(is_within(&addresses[ZTS_EVENT_ADDR_REMOVED_IP4].addr, "10.144.4.", "/0"));
    EXPECT(is_within(&addresses[ZTS_EVENT_ADDR_REMOVED_IP6].addr, "fd00:90:4::", "/0"));
    EXPECT(is_within(&addresses[ZTS_EVENT_ADDR_ADDED_IP4].addr, "10.145.4.", "/0"));
    EXPECT(interfaces[ZTS_EVENT_NETIF_UP].mtu == 1400);
    put_member(network, own, 3);
    EXPECT(event_comes(ZTS_EVENT_ROUTE_REMOVED, 3));
    EXPECT(zts_get_network_status(network) == ZTS_EVENT_NETWORK_OK);
    EXPECT(zts_has_address(network) == 0);
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "10.144.4.0/24", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "fd00:90:4::/64", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_REMOVED, "10.144.4.0/24", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_REMOVED, "fd00:90:4::/64", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_ADDED, "10.145.4.0/24", NULL));
    EXPECT(route_came(ZTS_EVENT_ROUTE_REMOVED, "10.145.4.0/24", NULL));
    stop_1();
    EVENTS_ARE("changes of a configuration", is_chance, ZTS_EVENT_STACK_UP, UP, ADDED_IP4, ZTS_EVENT_ROUTE_ADDED,
        ZTS_EVENT_ROUTE_ADDED, READY_IP4, ZTS_EVENT_NETIF_UP, ZTS_EVENT_ADDR_ADDED_IP6, ZTS_EVENT_NETWORK_READY_IP6,
        ZTS_EVENT_ADDR_REMOVED_IP4, ZTS_EVENT_ADDR_REMOVED_IP6, ZTS_EVENT_NETIF_UP, ZTS_EVENT_ADDR_ADDED_IP4,
        ZTS_EVENT_ROUTE_REMOVED, ZTS_EVENT_ROUTE_REMOVED, ZTS_EVENT_ROUTE_ADDED, ZTS_EVENT_ADDR_REMOVED_IP4,
        ZTS_EVENT_NETIF_LINK_DOWN, ZTS_EVENT_NETIF_DOWN, ZTS_EVENT_ROUTE_REMOVED, ZTS_EVENT_NETIF_REMOVED,
        ZTS_EVENT_NETWORK_DOWN, DOWN);
}

/* A node that was admitted and is no more keeps its configuration, and knows. */
static void denied_later(void)
{
    uint64_t network = join(5, ZTS_EVENT_NETWORK_OK);
    uint64_t own = zts_get_node_id();
    stop_1();
    events_forget();
    put_member(network, own, 1);
    start_1(ZTS_EVENT_NETWORK_ACCESS_DENIED);
    EXPECT(networks[ZTS_EVENT_NETWORK_ACCESS_DENIED].num_addresses == 1);
    EXPECT(zts_get_network_status(network) == ZTS_EVENT_NETWORK_ACCESS_DENIED);
    EXPECT(zts_has_address(network) == 1);
    events_forget();
    put_member(network, own, 0);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_OK, 1));
    EVENTS_ARE("admitted again", is_chance, READY_IP4);
    stop_1();
}

static void in_pieces(void)
{
    uint64_t network = join(6, ZTS_EVENT_NETWORK_OK);
    EXPECT(networks[ZTS_EVENT_NETWORK_OK].nwid == network);
    EXPECT(is_within(&networks[ZTS_EVENT_NETWORK_OK].addr[0], "10.144.6.", "/24"));
    stop_1();
    EVENTS_ARE("a configuration in pieces", is_chance, ZTS_EVENT_STACK_UP, UP, ADDED_IP4, ZTS_EVENT_ROUTE_ADDED,
        READY_IP4, LEFT_IP4, DOWN);
}

static bool is_not_of_the_node(int code)
{
    return code != ZTS_EVENT_NETWORK_DOWN && !(code >= ZTS_EVENT_NODE_UP && code <= ZTS_EVENT_NODE_NORMAL_TERMINATION);
}

/* Two at once, over a restart that asks the controller for both again. */
static void several(void)
{
    static struct zts_network_details details[3];
    int count = 3, room = 1;
    zts_set_network_caching(false);
    uint64_t first = join(1, ZTS_EVENT_NETWORK_OK), second = network_of(4);
    EXPECT(zts_join(second) == ZTS_ERR_OK && event_comes(ZTS_EVENT_NETWORK_OK, 2));
    EXPECT(zts_get_num_joined_networks() == 2);
    EXPECT(zts_get_all_network_details(details, &count) == ZTS_ERR_OK && count == 2);
    EXPECT(details[0].nwid + details[1].nwid == first + second && details[0].nwid != details[1].nwid);
    EXPECT(zts_get_all_network_details(details, &room) == ZTS_ERR_OK && room == 1);
    EXPECT(zts_restart() == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_OK, 4));
    EXPECT(zts_get_network_status(first) == ZTS_EVENT_NETWORK_READY_IP4_IP6);
    EXPECT(zts_get_network_status(second) == ZTS_EVENT_NETWORK_READY_IP4);
    EXPECT(zts_leave_all() == ZTS_ERR_OK);
    EXPECT(event_comes(ZTS_EVENT_NETWORK_DOWN, 4));
    EXPECT(zts_get_num_joined_networks() == 0);
    EXPECT(zts_get_network_status(first) == ZTS_ERR_NO_RESULT && zts_has_address(second) == 0);
    EXPECT(zts_stop() == ZTS_ERR_OK && event_comes(ZTS_EVENT_NODE_DOWN, 2));
    EVENTS_ARE("two networks, a restart, leave_all", is_not_of_the_node, UP, ZTS_EVENT_NETWORK_DOWN,
        ZTS_EVENT_NETWORK_DOWN, DOWN, UP, ZTS_EVENT_NETWORK_DOWN, ZTS_EVENT_NETWORK_DOWN, DOWN);
}

/* ---- Traffic: another node of this process ---- */

static int instance;
static struct sockaddr_storage peer;

static bool instance_has_joined(void) { return zts_instance_join(instance, network_of(1)) == ZTS_ERR_OK; }

static bool instance_is_ready(void)
{
    return zts_instance_get_network_status(instance, network_of(1)) == ZTS_EVENT_NETWORK_READY_IP4_IP6
        && zts_instance_get_address(instance, network_of(1), &peer, ZTS_AF_INET) == ZTS_ERR_OK;
}

static int bound(int type, int port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int made = zts_instance_socket(instance, ZTS_AF_INET, type, 0);
    REQUIRE(made >= 0 && zts_bind(made, (struct sockaddr *)&name, sizeof name) == ZTS_ERR_OK);
    return made;
}

static void *serve_names(void *socket)
{
    unsigned char message[512];
    struct sockaddr_storage from;
    for (;;) {
        socklen_t size = sizeof(struct zts_sockaddr_storage);
        ssize_t count = zts_recvfrom(*(int *)socket, message, sizeof message - 16, 0, (struct sockaddr *)&from, &size);
        if (count <= 0) return NULL;
        size_t length = answer_question(message, (size_t)count);
        if (length > 0) zts_sendto(*(int *)socket, message, length, 0, (struct sockaddr *)&from, size);
    }
}

static void traffic(void)
{
    uint64_t network = join(1, ZTS_EVENT_NETWORK_OK);
    instance = zts_instance_start(other_directory, NULL, NULL, 0);
    REQUIRE(instance > 0 && waits(instance_has_joined) && waits(instance_is_ready));
    /* A stream by the addresses that the controller gave. */
    int listener = bound(ZTS_SOCK_STREAM, PORT), client = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    REQUIRE(zts_listen(listener, 1) == ZTS_ERR_OK);
    ((struct sockaddr_in *)&peer)->sin_port = htons(PORT);
    REQUIRE(zts_connect(client, (struct sockaddr *)&peer, sizeof(struct sockaddr_in)) == ZTS_ERR_OK);
    struct zts_sockaddr_in from = { .sin_len = 0 };
    struct sockaddr_storage own;
    socklen_t size = sizeof from;
    int accepted = zts_accept(listener, (struct sockaddr *)&from, &size);
    REQUIRE(accepted >= 0);
    EXPECT(zts_get_address(network, &own, ZTS_AF_INET) == ZTS_ERR_OK);
    EXPECT(from.sin_addr.s_addr == ((struct sockaddr_in *)&own)->sin_addr.s_addr);
    char byte = 0;
    EXPECT(zts_write(client, "x", 1) == 1 && zts_read(accepted, &byte, 1) == 1 && byte == 'x');
    EXPECT(zts_close(client) == ZTS_ERR_OK && zts_read(accepted, &byte, 1) == 0);
    EXPECT(zts_close(accepted) == ZTS_ERR_OK && zts_close(listener) == ZTS_ERR_OK);
    /* A name server in the network. */
    int names = bound(ZTS_SOCK_DGRAM, PORT_OF_NAMES);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, serve_names, &names) == 0);
    ((struct sockaddr_in *)&peer)->sin_port = 0;
    EXPECT(zts_gethostbyname("www.matrix.test") == NULL);
    EXPECT(zts_add_dns_nameserver((struct sockaddr *)&peer) == ZTS_ERR_OK);
    struct hostent *entry = zts_gethostbyname("www.matrix.test");
    EXPECT(entry && entry->h_addrtype == ZTS_AF_INET && entry->h_length == 4 && entry->h_addr_list[1] == NULL);
    EXPECT(entry && memcmp(entry->h_addr_list[0], "\12\1\2\3", 4) == 0);
    EXPECT(zts_del_dns_nameserver((struct sockaddr *)&peer) == ZTS_ERR_OK);
    EXPECT(zts_gethostbyname("www.matrix.test") == NULL);
    EXPECT(zts_instance_free(instance) == ZTS_ERR_OK);
    EXPECT(pthread_join(thread, NULL) == 0);
    stop_1();
}

/* ---- Another node has our address ---- */

static void collision(void)
{
    write_file("networks.d/ff0001ffff000000.conf", "\n");
    write_file("identity.secret", identity);
    write_file("identity.public", public_identity);
    start_1(ZTS_EVENT_NODE_ONLINE);
    uint64_t own = zts_get_node_id();
    EXPECT(own != 0 && own != COLLIDING);
    EXPECT(file_is("identity.secret.saved_after_collision", identity));
    EXPECT(!file_is("identity.secret", identity) && !file_is("identity.public", public_identity));
    EXPECT(event_comes(ZTS_EVENT_NETWORK_OK, 1));
    EXPECT(zts_get_num_joined_networks() == 1 && zts_get_num_assigned_addresses(NETWORK) == 1);
    stop_1();
    EVENTS_ARE("a collision", is_not_of_the_node, ZTS_EVENT_NODE_UP, ZTS_EVENT_NODE_IDENTITY_COLLISION,
        ZTS_EVENT_NETWORK_DOWN, UP, ZTS_EVENT_NETWORK_DOWN, DOWN);
    /* The new identity is kept. */
    events_forget();
    start_1(ZTS_EVENT_NODE_ONLINE);
    EXPECT(zts_get_node_id() == own);
    stop_1();
}

const struct sequence controlled_1[] = {
    { "managed", CONTROLLER, managed },
    { "denied", CONTROLLER, denied },
    { "not-found", CONTROLLER, not_found },
    { "sign-on", CONTROLLER, sign_on },
    { "not-a-controller", ANSWERING, not_a_controller },
    { "changes", CONTROLLER, changes },
    { "denied-later", CONTROLLER, denied_later },
    { "in-pieces", CONTROLLER, in_pieces },
    { "several", CONTROLLER, several },
    { "traffic", CONTROLLER, traffic },
    { "collision", CONTROLLER, collision },
    { NULL, CONTROLLER, NULL },
};
