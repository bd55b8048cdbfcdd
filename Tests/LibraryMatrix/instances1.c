/* Generation 1: several nodes in one process. */
#include "matrix.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "ZeroTier.h"

#define GENERATION 1
#define ERRNO_EAFNOSUPPORT 97
#define ERRNO_EINVAL 22

enum {
    SERVICE = ZTS_ERR_SERVICE,
    ARGUMENT = ZTS_ERR_INVALID_ARG,
    OPERATION = ZTS_ERR_INVALID_OP,
    NO_RESULT = ZTS_ERR_NO_RESULT
};

/* ---- Rows ---- */

static struct sockaddr_storage address;
static struct zts_network_details network;
static struct zts_peer_details peers[16];
static struct zts_stats statistics;
static struct zts_stats_proto counters;

static uint64_t own;
static char text[4096];

static struct sockaddr *any(void) { return (struct sockaddr *)&address; }

static bool instance_runs(void) { return zts_instance_join(1, UNKNOWN) == ZTS_ERR_OK; }

static bool instance_is_ready(void)
{
    return zts_instance_get_network_status(1, NETWORK) == ZTS_EVENT_NETWORK_READY_IP6;
}

static struct zts_network_settings settings = { 1, 0, 0, 0 };

static bool instance_starts_again(void) { return zts_instance_start_again(1) == ZTS_ERR_OK; }

/* The address of the planet's first root follows type, number, time, key, signature and count. */
static uint64_t root_of_planet(void) { return network_of(0) >> 24; }

static void rows_of_a_stopped_instance(void)
{
    ROW(zts_instance_stop, (2), ALWAYS(ARGUMENT));
    ROW(zts_instance_stop, (1), ALWAYS(0));
    ROW(zts_instance_stop, (1), ALWAYS(SERVICE));
    SAYS(SERVICE, "stopped");
    ROW(zts_instance_is_running, (1), ALWAYS(0));
    ROW(zts_instance_is_online, (1), ALWAYS(0));
    ROW(zts_instance_get_node_id, (1), ALWAYS(SERVICE));
    ROW(zts_instance_get_node_status, (1), ALWAYS(ZTS_EVENT_NODE_OFFLINE));
    ROW(zts_instance_join, (1, NETWORK), ALWAYS(SERVICE));
    ROW(zts_instance_leave, (1, NETWORK), ALWAYS(SERVICE));
    ROW(zts_instance_get_num_joined_networks, (1), ALWAYS(SERVICE));
    ROW(zts_instance_get_network_status, (1, NETWORK), ALWAYS(SERVICE));
    ROW(zts_instance_get_network_details, (1, NETWORK, &network), ALWAYS(SERVICE));
    ROW(zts_instance_get_network_settings, (1, NETWORK, &settings), ALWAYS(SERVICE));
    ROW(zts_instance_set_network_settings, (1, NETWORK, &settings), ALWAYS(SERVICE));
    ROW(zts_instance_get_all_network_details, (1, &network, number_of(1)), ALWAYS(SERVICE));
    ROW(zts_instance_get_num_assigned_addresses, (1, NETWORK), ALWAYS(SERVICE));
    ROW(zts_instance_get_address_at_index, (1, NETWORK, 0, any(), length_of(128)), ALWAYS(SERVICE));
    ROW(zts_instance_get_address, (1, NETWORK, &address, ZTS_AF_INET6), ALWAYS(SERVICE));
    ROW(zts_instance_orbit, (1, MOON, STRANGER), ALWAYS(SERVICE));
    ROW(zts_instance_deorbit, (1, MOON), ALWAYS(SERVICE));
    ROW(zts_instance_get_peer_count, (1), ALWAYS(SERVICE));
    ROW(zts_instance_get_peers, (1, peers, number_of(16)), ALWAYS(SERVICE));
    ROW(zts_instance_get_peer, (1, peers, STRANGER), ALWAYS(SERVICE));
    ROW(zts_instance_get_peer_status, (1, STRANGER), ALWAYS(SERVICE));
    ROW(zts_instance_get_all_stats, (1, &statistics), ALWAYS(0));
    ROW(zts_instance_get_protocol_stats, (1, ZTS_STATS_PROTOCOL_TCP, &counters), ALWAYS(0));
    ROW(zts_instance_controller_network_create, (1, &own, "{}"), ALWAYS(SERVICE));
    ROW(zts_instance_controller_network_list, (1, text, room_of(sizeof text)), ALWAYS(SERVICE));
    ROW(zts_instance_controller_enable, (1, true), ALWAYS(0));
    ROW(zts_instance_controller_enable, (1, false), ALWAYS(0));
    ROW(zts_instance_socket, (1, ZTS_AF_INET6, ZTS_SOCK_STREAM, 0), ALWAYS(SERVICE));
    ROW(zts_instance_restart, (1), ALWAYS(SERVICE));
    VALUE(waits(instance_starts_again), ALWAYS(true));
    ROW(zts_instance_start_again, (1), ALWAYS(OPERATION));
    ROW(zts_instance_start_again, (2), ALWAYS(ARGUMENT));
    ROW(zts_instance_is_running, (1), ALWAYS(1));
    /* What it had joined is remembered in its directory. */
    VALUE(waits(instance_is_ready), ALWAYS(true));
    ROW(zts_instance_restart, (1), ALWAYS(0));
    ROW(zts_instance_restart, (2), ALWAYS(ARGUMENT));
    VALUE(waits(instance_is_ready), ALWAYS(true));
}

/* A node of its own: what becomes of the one of zts_start() is nothing to it. */
void rows_of_instances_1(void)
{
    static struct zts_network_details networks[4];
    ROW(zts_instance_start, ("", NULL, NULL, 0), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "memory");
    ROW(zts_instance_start, (other_directory, NULL, NULL, -1), ALWAYS(ARGUMENT));
    ROW(zts_instance_start, (other_directory, NULL, NULL, 65536), ALWAYS(ARGUMENT));
    ROW(zts_instance_free, (1), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "no instance 1");
    ROW(zts_instance_start, (other_directory, NULL, NULL, 0), ALWAYS(1));
    VALUE(waits(instance_runs), ALWAYS(true));
    ROW(zts_instance_is_running, (1), ALWAYS(1));
    ROW(zts_instance_is_running, (2), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_node_id, (1), ALWAYS(SOME));
    ROW(zts_instance_get_node_id, (2), ALWAYS(ARGUMENT));
    ROW(zts_instance_is_online, (1), 0, 0, COUNT, COUNT, 0, 0);
    ROW(zts_instance_is_online, (2), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_node_status, (1), ZTS_EVENT_NODE_OFFLINE, ZTS_EVENT_NODE_OFFLINE, SOME, SOME,
        ZTS_EVENT_NODE_OFFLINE, ZTS_EVENT_NODE_OFFLINE);
    ROW(zts_instance_get_node_status, (2), ALWAYS(ARGUMENT));
    ROW(zts_instance_join, (1, NETWORK), ALWAYS(0));
    ROW(zts_instance_join, (1, 0), ALWAYS(ARGUMENT));
    ROW(zts_instance_join, (2, NETWORK), ALWAYS(ARGUMENT));
    VALUE(waits(instance_is_ready), ALWAYS(true));
    ROW(zts_instance_get_num_joined_networks, (1), ALWAYS(2));
    ROW(zts_instance_get_num_joined_networks, (2), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_network_status, (1, NETWORK), ALWAYS(ZTS_EVENT_NETWORK_READY_IP6));
    ROW(zts_instance_get_network_status, (1, NOWHERE), ALWAYS(NO_RESULT));
    ROW(zts_instance_get_network_status, (1, 0), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_network_status, (2, NETWORK), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_network_details, (1, NETWORK, &network), ALWAYS(0));
    VALUE(network.nwid == NETWORK && network.num_addresses == 1, ALWAYS(true));
    ROW(zts_instance_get_network_details, (1, NOWHERE, &network), ALWAYS(NO_RESULT));
    ROW(zts_instance_get_network_details, (1, 0, &network), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_network_details, (1, NETWORK, NULL), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_network_details, (2, NETWORK, &network), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_network_settings, (1, NETWORK, &settings), ALWAYS(0));
    EXPECT(settings.allow_managed == 1 && settings.allow_global == 0);
    ROW(zts_instance_get_network_settings, (1, NOWHERE, &settings), ALWAYS(NO_RESULT));
    ROW(zts_instance_get_network_settings, (1, 0, &settings), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_network_settings, (1, NETWORK, NULL), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_network_settings, (2, NETWORK, &settings), ALWAYS(ARGUMENT));
    ROW(zts_instance_set_network_settings, (1, NETWORK, &settings), ALWAYS(0));
    ROW(zts_instance_set_network_settings, (1, NETWORK, NULL), ALWAYS(ARGUMENT));
    ROW(zts_instance_set_network_settings, (2, NETWORK, &settings), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_all_network_details, (1, networks, number_of(4)), ALWAYS(0));
    VALUE(number, ALWAYS(2));
    ROW(zts_instance_get_all_network_details, (1, networks, number_of(1)), ALWAYS(0));
    VALUE(number, ALWAYS(1));
    ROW(zts_instance_get_all_network_details, (1, NULL, number_of(4)), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_all_network_details, (1, networks, number_of(-1)), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_all_network_details, (2, networks, number_of(4)), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_num_assigned_addresses, (1, NETWORK), ALWAYS(1));
    ROW(zts_instance_get_num_assigned_addresses, (1, NOWHERE), ALWAYS(NO_RESULT));
    ROW(zts_instance_get_num_assigned_addresses, (2, NETWORK), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_address_at_index, (1, NETWORK, 0, any(), length_of(128)), ALWAYS(0));
    VALUE(length == 28 && address.ss_family == AF_INET6, ALWAYS(true));
    ROW(zts_instance_get_address_at_index, (1, NETWORK, 1, any(), length_of(128)), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_address_at_index, (1, NETWORK, 0, NULL, length_of(128)), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_address_at_index, (1, NOWHERE, 0, any(), length_of(128)), ALWAYS(NO_RESULT));
    ROW(zts_instance_get_address_at_index, (2, NETWORK, 0, any(), length_of(128)), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_address, (1, NETWORK, &address, ZTS_AF_INET6), ALWAYS(0));
    ROW(zts_instance_get_address, (1, NETWORK, &address, ZTS_AF_INET), ALWAYS(NO_RESULT));
    ROW(zts_instance_get_address, (1, NETWORK, &address, 99), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_address, (1, NETWORK, NULL, ZTS_AF_INET6), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_address, (2, NETWORK, &address, ZTS_AF_INET6), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_peer_count, (1), ALWAYS(SOME));
    ROW(zts_instance_get_peer_count, (2), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_peers, (1, peers, number_of(16)), ALWAYS(0));
    VALUE(number, ALWAYS(SOME));
    ROW(zts_instance_get_peers, (1, peers, number_of(0)), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_peers, (1, NULL, number_of(16)), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_peers, (2, peers, number_of(16)), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_peer, (1, peers, root_of_planet()), ALWAYS(0));
    VALUE(peers[0].role, ALWAYS(ZTS_PEER_ROLE_PLANET));
    ROW(zts_instance_get_peer, (1, peers, STRANGER), ALWAYS(NO_RESULT));
    ROW(zts_instance_get_peer, (1, peers, 0), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_peer, (1, NULL, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_peer, (2, peers, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_peer_status, (1, STRANGER), ALWAYS(ZTS_EVENT_PEER_UNREACHABLE));
    ROW(zts_instance_get_peer_status, (2, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_instance_orbit, (1, MOON, STRANGER), ALWAYS(0));
    ROW(zts_instance_orbit, (1, 0, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_instance_orbit, (2, MOON, STRANGER), ALWAYS(ARGUMENT));
    ROW(zts_instance_deorbit, (1, MOON), ALWAYS(0));
    ROW(zts_instance_deorbit, (1, 0), ALWAYS(0));
    ROW(zts_instance_deorbit, (2, MOON), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_all_stats, (1, &statistics), ALWAYS(0));
    ROW(zts_instance_get_all_stats, (1, NULL), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_all_stats, (2, &statistics), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_protocol_stats, (1, ZTS_STATS_PROTOCOL_ICMP6, &counters), ALWAYS(0));
    ROW(zts_instance_get_protocol_stats, (1, 10, &counters), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_protocol_stats, (1, ZTS_STATS_PROTOCOL_TCP, NULL), ALWAYS(ARGUMENT));
    ROW(zts_instance_get_protocol_stats, (2, ZTS_STATS_PROTOCOL_TCP, &counters), ALWAYS(ARGUMENT));
    ROW(zts_instance_controller_network_list, (1, text, room_of(sizeof text)), ALWAYS(SERVICE));
    ROW(zts_instance_controller_enable, (2, true), ALWAYS(ARGUMENT));
    ROW(zts_instance_controller_enable, (1, true), ALWAYS(0));
    ROW(zts_instance_controller_network_create, (1, &own, "{}"), ALWAYS(0));
    ROW(zts_instance_controller_network_create, (2, &own, "{}"), ALWAYS(ARGUMENT));
    ROW(zts_instance_controller_network_create, (1, &own, "{"), ALWAYS(ARGUMENT));
    SAYS(ARGUMENT, "line 1");
    ROW(zts_instance_controller_network_list, (1, text, room_of(sizeof text)), ALWAYS(0));
    ROW(zts_instance_controller_network_list, (2, text, room_of(sizeof text)), ALWAYS(ARGUMENT));
    ROW(zts_instance_controller_network_set, (1, own, "{\"name\":\"x\"}"), ALWAYS(0));
    ROW(zts_instance_controller_network_set, (2, own, "{}"), ALWAYS(ARGUMENT));
    ROW(zts_instance_controller_network_get, (1, own, text, room_of(sizeof text)), ALWAYS(0));
    ROW(zts_instance_controller_network_get, (1, own, text, room_of(5)), ALWAYS(ARGUMENT));
    ROW(zts_instance_controller_network_get, (1, UNKNOWN, text, room_of(sizeof text)), ALWAYS(NO_RESULT));
    ROW(zts_instance_controller_member_set, (1, own, STRANGER, "{}"), ALWAYS(0));
    ROW(zts_instance_controller_member_set, (1, UNKNOWN, STRANGER, "{}"), ALWAYS(NO_RESULT));
    ROW(zts_instance_controller_member_authorize, (1, own, STRANGER, true), ALWAYS(0));
    ROW(zts_instance_controller_member_authorize, (1, own, 0, true), ALWAYS(ARGUMENT));
    ROW(zts_instance_controller_member_list, (1, own, text, room_of(sizeof text)), ALWAYS(0));
    ROW(zts_instance_controller_member_list, (1, UNKNOWN, text, room_of(sizeof text)), ALWAYS(NO_RESULT));
    ROW(zts_instance_controller_member_get, (1, own, STRANGER, text, room_of(sizeof text)), ALWAYS(0));
    ROW(zts_instance_controller_member_get, (1, own, 1, text, room_of(sizeof text)), ALWAYS(NO_RESULT));
    ROW(zts_instance_controller_member_delete, (1, own, STRANGER), ALWAYS(0));
    ROW(zts_instance_controller_member_delete, (1, own, STRANGER), ALWAYS(NO_RESULT));
    ROW(zts_instance_controller_network_delete, (1, own), ALWAYS(0));
    ROW(zts_instance_controller_network_delete, (1, own), ALWAYS(NO_RESULT));
    ROW(zts_instance_controller_enable, (1, false), ALWAYS(0));
    ROW(zts_instance_controller_network_create, (1, &own, "{}"), ALWAYS(SERVICE));
    ROW(zts_instance_socket, (1, ZTS_AF_INET6, ZTS_SOCK_STREAM, 0), ALWAYS(DESCRIPTOR));
    ROW(zts_instance_socket, (1, 99, ZTS_SOCK_STREAM, 0), ALWAYS(FAILS(ERRNO_EAFNOSUPPORT)));
    ROW(zts_instance_socket, (2, ZTS_AF_INET6, ZTS_SOCK_STREAM, 0), ALWAYS(ARGUMENT));
    rows_of_a_stopped_instance();
    ROW(zts_instance_leave, (1, NETWORK), ALWAYS(0));
    ROW(zts_instance_leave, (1, NETWORK), ALWAYS(0));
    ROW(zts_instance_leave, (2, NETWORK), ALWAYS(ARGUMENT));
    ROW(zts_instance_free, (1), ALWAYS(0));
    ROW(zts_instance_free, (1), ALWAYS(ARGUMENT));
    ROW(zts_instance_free, (0), ALWAYS(ARGUMENT));
}

/* ---- Events, and each node's own life ---- */

static int told_of_instance, told_with_context;

/* Events of an instance are told from 1000 up. */
static void instance_told(int instance, struct zts_callback_msg *message, void *context)
{
    told_of_instance += instance != 1;
    told_with_context += context != &told_with_context;
    if (message->eventCode == ZTS_EVENT_NODE_UP) EXPECT(message->node != NULL && message->node->address != 0);
    event_came(1000 + message->eventCode);
}

/* What depends on the network around: peers and paths. */
static bool is_of_peers(int code) { return code >= ZTS_EVENT_PEER_P2P && code <= ZTS_EVENT_PATH_DEAD; }

static bool is_of_another(int code) { return code < 1000 || is_of_peers(code - 1000); }

static bool is_of_the_first(int code) { return code >= 1000 || is_of_peers(code); }

/* They are beyond what fits into a set: poll takes them, select refuses to look so far. */
static void descriptors_of_an_instance(void)
{
    int fd = zts_instance_socket(1, ZTS_AF_INET6, ZTS_SOCK_DGRAM, 0);
    struct zts_pollfd polled = { .fd = fd, .events = ZTS_POLLOUT };
    struct timeval none = { 0, 0 };
    fd_set set;
    FD_ZERO(&set);
    REQUIRE(fd >= FD_SETSIZE);
    EXPECT(zts_poll(&polled, 1, 0) == 1 && (polled.revents & ZTS_POLLOUT) != 0);
    EXPECT(zts_select(fd + 1, &set, NULL, NULL, &none) == -1 && zts_errno == ERRNO_EINVAL);
    EXPECT(zts_close(fd) == ZTS_ERR_OK);
}

#define OF_INSTANCE(name) (1000 + ZTS_EVENT_##name)

/* Each node has its own events, networks and life. */
void instances_1(void)
{
    start_1(ZTS_EVENT_NODE_ONLINE);
    join_1();
    REQUIRE(zts_instance_start(other_directory, instance_told, &told_with_context, 0) == 1);
    REQUIRE(event_comes(OF_INSTANCE(NODE_ONLINE), 1));
    EXPECT(zts_instance_get_node_status(1) == ZTS_EVENT_NODE_ONLINE);
    EXPECT(zts_instance_get_node_id(1) != zts_get_node_id());
    EXPECT(zts_instance_get_num_joined_networks(1) == 0 && zts_get_num_joined_networks() == 1);
    EXPECT(zts_instance_join(1, NETWORK) == ZTS_ERR_OK);
    REQUIRE(event_comes(OF_INSTANCE(NETWORK_OK), 1));
    EXPECT(zts_instance_get_peer_status(1, root_of_planet()) == ZTS_EVENT_PEER_P2P);
    descriptors_of_an_instance();
    /* The other one stops; this one does not notice. */
    events_forget();
    EXPECT(zts_instance_stop(1) == ZTS_ERR_OK);
    REQUIRE(event_comes(OF_INSTANCE(NODE_DOWN), 1));
    EXPECT(zts_get_num_joined_networks() == 1 && zts_has_address(NETWORK) == 1);
    EVENTS_ARE("an instance stops", is_of_another, OF_INSTANCE(ADDR_REMOVED_IP6), OF_INSTANCE(NETIF_LINK_DOWN),
        OF_INSTANCE(NETIF_DOWN), OF_INSTANCE(NETIF_REMOVED), OF_INSTANCE(NETWORK_DOWN),
        OF_INSTANCE(NODE_NORMAL_TERMINATION), OF_INSTANCE(NODE_DOWN));
    EVENTS_ARE("and nothing else", is_of_the_first, END);
    events_forget();
    EXPECT(zts_instance_start_again(1) == ZTS_ERR_OK);
    REQUIRE(event_comes(OF_INSTANCE(NETWORK_OK), 1));
    events_forget();
    EXPECT(zts_instance_restart(1) == ZTS_ERR_OK);
    REQUIRE(event_comes(OF_INSTANCE(NETWORK_OK), 1));
    REQUIRE(event_comes(OF_INSTANCE(NODE_ONLINE), 1));
    /* This one stops; the other does not notice. */
    events_forget();
    stop_1();
    EVENTS_ARE("the node of zts_start stops", is_of_the_first, ZTS_EVENT_ADDR_REMOVED_IP6, ZTS_EVENT_NETIF_LINK_DOWN,
        ZTS_EVENT_NETIF_DOWN, ZTS_EVENT_NETIF_REMOVED, ZTS_EVENT_NETWORK_DOWN, ZTS_EVENT_NODE_NORMAL_TERMINATION,
        ZTS_EVENT_NODE_DOWN);
    EVENTS_ARE("and the instance does not", is_of_another, END);
    EXPECT(zts_instance_get_node_status(1) == ZTS_EVENT_NODE_ONLINE);
    EXPECT(zts_instance_free(1) == ZTS_ERR_OK);
    EXPECT(told_of_instance == 0 && told_with_context == 0);
}

int listener_of_instance_1(int port, char text[46])
{
    REQUIRE(zts_instance_start(other_directory, NULL, NULL, 0) == 1);
    REQUIRE(waits(instance_runs));
    REQUIRE(zts_instance_join(1, NETWORK) == ZTS_ERR_OK);
    REQUIRE(waits(instance_is_ready));
    REQUIRE(zts_instance_get_address(1, NETWORK, &address, ZTS_AF_INET6) == ZTS_ERR_OK);
    inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr, text, 46);
    int listener = zts_instance_socket(1, ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    REQUIRE(listener >= 0 && zts_bind(listener, (struct sockaddr *)&name, sizeof name) == ZTS_ERR_OK);
    REQUIRE(zts_listen(listener, 4) == ZTS_ERR_OK);
    return listener;
}

void free_instance_1(void) { EXPECT(zts_instance_free(1) == ZTS_ERR_OK); }
