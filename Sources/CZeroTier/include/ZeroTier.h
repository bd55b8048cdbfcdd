/*
 * The ZeroTier SDK: virtual networks and Berkeley sockets on them, inside one process. First generation of the
 * interface (libzt up to 1.3.2). Link with -lzt.
 *
 *     zts_start("state", callback, 9994);      the service runs in threads of its own
 *     ... ZTS_EVENT_NODE_ONLINE ...            the callback is told
 *     zts_join(0x8056c2e21c000001);
 *     ... ZTS_EVENT_NETWORK_READY_IP4 ...
 *     fd = zts_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
 *
 * Every function may be called from any thread, also from the callback. Error codes and constants: ZeroTierConstants.h.
 * One service per process; several nodes in one process: the zts_instance_* functions at the end.
 *
 * Two address layouts. Structures that the library fills for control functions and events (struct zts_*_details) hold
 * host addresses, struct sockaddr_storage, whose family is the host's. Socket functions write the stack's layout, struct
 * zts_sockaddr_in and zts_sockaddr_in6, with a length and a family byte, and accept both layouts. Port and address are in
 * network byte order and at the same offsets in both.
 */
#ifndef ZT_SDK_H
#define ZT_SDK_H

#include <netdb.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#ifndef __cplusplus
#include <stdbool.h>
#endif

#include "ZeroTierConstants.h"

/* The interface has always used bool; C90 compilers may call that an extension. */
#if defined(__clang__) && !defined(__cplusplus)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc99-extensions"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Addresses and other structures of the stack ------------------------------------------------------------------ */

typedef uint32_t zts_in_addr_t;
typedef uint16_t zts_in_port_t;
typedef uint8_t zts_sa_family_t;

struct zts_in_addr {
    zts_in_addr_t s_addr;
};

struct zts_in6_addr {
    union un {
        uint32_t u32_addr[4];
        uint8_t u8_addr[16];
    } un;
};

struct zts_sockaddr_in {
    uint8_t sin_len; /* not read by the library */
    zts_sa_family_t sin_family; /* ZTS_AF_INET */
    zts_in_port_t sin_port;
    struct zts_in_addr sin_addr;
    char sin_zero[SIN_ZERO_LEN];
};

struct zts_sockaddr_in6 {
    uint8_t sin6_len; /* not read by the library */
    zts_sa_family_t sin6_family; /* ZTS_AF_INET6 */
    zts_in_port_t sin6_port;
    uint32_t sin6_flowinfo;
    struct zts_in6_addr sin6_addr;
    uint32_t sin6_scope_id;
};

struct zts_sockaddr {
    uint8_t sa_len;
    zts_sa_family_t sa_family;
    char sa_data[14];
};

struct zts_sockaddr_storage {
    uint8_t s2_len;
    zts_sa_family_t ss_family;
    char s2_data1[2];
    uint32_t s2_data2[3];
    uint32_t s2_data3[3];
};

struct zts_iovec {
    void *iov_base;
    size_t iov_len;
};

/* The message functions take the host's struct msghdr, not this one. */
struct zts_msghdr {
    void *msg_name;
    socklen_t msg_namelen;
    struct iovec *msg_iov;
    int msg_iovlen;
    void *msg_control;
    socklen_t msg_controllen;
    int msg_flags;
};

/* Strict C89 and C99 do not define it: of POSIX. */
struct timespec;

/* One message of a batch. Laid out as the host's struct mmsghdr. */
struct zts_mmsghdr {
    struct msghdr msg_hdr;
    unsigned int msg_len; /* bytes sent or received */
};

struct zts_linger {
    int l_onoff;
    int l_linger; /* seconds */
};

struct zts_pollfd {
    int fd;
    short events; /* ZTS_POLL* */
    short revents;
};

typedef unsigned int zts_nfds_t;

#ifdef FD_SETSIZE
#define ZTS_FD_SET_BYTES_ ((FD_SETSIZE + 7) / 8)
#else
#define ZTS_FD_SET_BYTES_ (1024 / 8)
#endif

typedef struct zts_fd_set {
    unsigned char fd_bits[ZTS_FD_SET_BYTES_];
} zts_fd_set;

/* ---- What events and control functions tell ----------------------------------------------------------------------- */

/** This node. */
struct zts_node_details {
    uint64_t address; /* the node ID, 40 bits */
    uint64_t clock; /* milliseconds since 1970 */
    bool online;
    bool portMappingEnabled;
    bool multipathEnabled;
    uint16_t primaryPort; /* UDP */
    uint64_t planetWorldId;
    uint64_t planetWorldTimestamp; /* milliseconds since 1970 */
    uint8_t versionMajor; /* of this library */
    uint8_t versionMinor;
    uint8_t versionRev;
};

/** What the callback is given. The library owns it and everything it points to; both end when the callback returns. */
struct zts_callback_msg {
    int eventCode;
    /* At most one of these is not NULL, but two with members of this node's networks: see the list of events. */
    struct zts_node_details *node;
    struct zts_network_details *network;
    struct zts_netif_details *netif;
    struct zts_virtual_network_route *route;
    struct zts_physical_path *path;
    struct zts_peer_details *peer;
    struct zts_addr_details *addr;
};

/** An address of this node on a network. */
struct zts_addr_details {
    uint64_t nwid;
    struct sockaddr_storage addr;
};

/** The virtual interface of a network. */
struct zts_netif_details {
    uint64_t nwid;
    uint64_t mac; /* low 48 bits, printed from the most significant byte */
    int mtu;
};

/** A route of a network. */
struct zts_virtual_network_route {
    struct sockaddr_storage target; /* the prefix length is in the port, network byte order */
    struct sockaddr_storage via; /* family 0: no gateway */
    uint16_t flags;
    uint16_t metric;
};

/** A joined network. */
struct zts_network_details {
    uint64_t nwid;
    int mtu;
    short num_addresses;
    struct sockaddr_storage addr[ZTS_MAX_ASSIGNED_ADDRESSES]; /* prefix length in the port */
    unsigned int num_routes;
    struct zts_virtual_network_route routes[ZTS_MAX_NETWORK_ROUTES];
};

/** What the controller of a network may set on this node: each 1 or 0. */
struct zts_network_settings {
    int allow_managed; /* addresses and routes; without it there are none. Default: 1 */
    int allow_global; /* also those in global address space. Default: 0 */
    int allow_default; /* also a route to everywhere. Default: 0 */
    int allow_dns; /* name servers. Default: 0 */
};

/** A path to a peer over the physical network. */
struct zts_physical_path {
    struct sockaddr_storage address;
    uint64_t lastSend; /* milliseconds since 1970, 0 for never */
    uint64_t lastReceive;
    uint64_t trustedPathId;
    int expired;
    int preferred;
};

enum zts_peer_role {
    ZTS_PEER_ROLE_LEAF = 0, /* an ordinary node */
    ZTS_PEER_ROLE_MOON = 1, /* a root of a moon */
    ZTS_PEER_ROLE_PLANET = 2 /* a root of the planet */
};

/** A peer. */
struct zts_peer_details {
    uint64_t address; /* its node ID */
    int versionMajor; /* -1 if unknown */
    int versionMinor;
    int versionRev;
    int latency; /* milliseconds, -1 if unknown */
    enum zts_peer_role role;
    unsigned int pathCount;
    struct zts_physical_path paths[ZT_MAX_PEER_NETWORK_PATHS];
};

struct zts_peer_list {
    struct zts_peer_details *peers;
    unsigned long peerCount;
};

/* ---- Service ------------------------------------------------------------------------------------------------------ */

/* Forks: nodes do not live on in a child of the process. Every call there fails with ZTS_ERR_SERVICE and says so: call
 * daemon() before zts_start(). Signals: threads of the library block them all. A blocking call is interrupted by a handler
 * as a call of the kernel is, with ZTS_EINTR (signal(7)). Cancellation: a thread that is cancelled where it waits in a call on
 * a socket, or for a name server, ends within a second; the call has let go of the socket, and cleanup handlers may call the
 * library. It is cancelled nowhere else in a call. A handler that jumps out of a call (siglongjmp) leaves what the call had, as
 * with other libraries: a send or a receive of all that was in its middle keeps others from the same until that socket is closed. */

/** Whether networks are remembered in the directory and rejoined at the next start. On unless switched off. */
ZT_SOCKET_API void ZTCALL zts_set_network_caching(bool enabled);

/** Whether peers' paths are remembered in the directory. On unless switched off. */
ZT_SOCKET_API void ZTCALL zts_set_peer_caching(bool enabled);

/**
 * Starts the service and returns at once; the callback is told how far it comes, beginning with ZTS_EVENT_NODE_UP.
 * @param path directory of the identity and of what is remembered; made if there is none
 * @param userCallbackFunc called with one event at a time, in order, on a thread of the library; should return soon
 * @param port UDP port, 0 for any
 * @return ZTS_ERR_OK; ZTS_ERR_INVALID_OP if the service runs or zts_free() was called; ZTS_ERR_INVALID_ARG
 */
ZT_SOCKET_API int ZTCALL zts_start(
    const char *path, void (*userCallbackFunc)(struct zts_callback_msg *), int port);

/**
 * Stops the service and returns at once; ZTS_EVENT_NODE_DOWN is the last event. Sockets stay allocated, but calls fail
 * until the next start. What was written to connections that were closed before, or shut for writing, is still delivered:
 * for up to 5 s, then the peer gets a reset. The process has to live until ZTS_EVENT_NODE_DOWN or zts_free() for that.
 * A start that follows at once waits for the end. @return ZTS_ERR_OK, or ZTS_ERR_SERVICE if the service does not run
 */
ZT_SOCKET_API int ZTCALL zts_stop(void);

/**
 * Stops the service, waits for its end and starts it again with the same arguments and networks.
 * @return as zts_start(), or ZTS_ERR_SERVICE if the service does not run
 */
ZT_SOCKET_API int ZTCALL zts_restart(void);

/**
 * Stops everything for the rest of the process, waits for it and releases all sockets, threads and memory. Instances, at
 * the end of this file, go on. Every later call that needs the service returns ZTS_ERR_SERVICE or ZTS_ERR_INVALID_OP.
 * @return ZTS_ERR_OK, or ZTS_ERR_INVALID_OP the second time
 */
ZT_SOCKET_API int ZTCALL zts_free(void);

/** 1 between a start and the following stop, otherwise 0. */
ZT_SOCKET_API int ZTCALL zts_core_running(void);

/**
 * The directory given to zts_start().
 * @param len in: room in homePath; out: length without the final 0, or the room needed if it was too small
 * @return ZTS_ERR_OK, ZTS_ERR_INVALID_ARG, ZTS_ERR_SERVICE before the first start or after zts_free()
 */
ZT_SOCKET_API int ZTCALL zts_get_path(char *homePath, size_t *len);

/** The node ID; (uint64_t)ZTS_ERR_SERVICE before the identity is loaded. */
ZT_SOCKET_API uint64_t ZTCALL zts_get_node_id(void);

/* ---- Networks -----------------------------------------------------------------------------------------------------
 * Joining, leaving and counting need the node online, the rest needs it running; else ZTS_ERR_SERVICE. */

/** Joins a network; the callback is told how far it comes. Joining again is no error. */
ZT_SOCKET_API int ZTCALL zts_join(const uint64_t nwid);

/** Leaves a network. Leaving one that was not joined is no error. */
ZT_SOCKET_API int ZTCALL zts_leave(const uint64_t nwid);

/** Leaves all networks. */
ZT_SOCKET_API int ZTCALL zts_leave_all(void);

/** How many networks are joined. */
ZT_SOCKET_API int ZTCALL zts_get_num_joined_networks(void);

/** Describes a network; ZTS_ERR_NO_RESULT if it was not joined. */
ZT_SOCKET_API int ZTCALL zts_get_network_details(uint64_t nwid, struct zts_network_details *nd);

/** Describes all networks. @param num in: room in nds; out: how many were written */
ZT_SOCKET_API int ZTCALL zts_get_all_network_details(struct zts_network_details *nds, int *num);

/** What the controller of a joined network may set; ZTS_ERR_NO_RESULT if it was not joined. */
ZT_SOCKET_API int ZTCALL zts_get_network_settings(uint64_t nwid, struct zts_network_settings *settings);

/** Changes what the controller of a joined network may set: addresses and routes come and go at once. It is stored with the
 * network and kept until it is left. ZTS_ERR_NO_RESULT if it was not joined; ZTS_ERR_INVALID_ARG if a member is neither
 * 0 nor 1. */
ZT_SOCKET_API int ZTCALL zts_set_network_settings(uint64_t nwid, const struct zts_network_settings *settings);

/** 1 if this node has an address on the network, else 0. */
ZT_SOCKET_API int ZTCALL zts_has_address(const uint64_t nwid);

/** How many addresses this node has on the network. */
ZT_SOCKET_API int ZTCALL zts_get_num_assigned_addresses(const uint64_t nwid);

/** One of the addresses, host layout. @param addrlen in: room; out: size of the address */
ZT_SOCKET_API int ZTCALL zts_get_address_at_index(
    const uint64_t nwid, const int index, struct sockaddr *addr, socklen_t *addrlen);

/** The first address of a family, host layout; ZTS_ERR_NO_RESULT if there is none. */
ZT_SOCKET_API int ZTCALL zts_get_address(
    const uint64_t nwid, struct sockaddr_storage *addr, const int address_family);

/** The 6PLANE address that a node has on a network, by calculation. */
ZT_SOCKET_API int ZTCALL zts_get_6plane_addr(
    struct sockaddr_storage *addr, const uint64_t nwid, const uint64_t nodeId);

/** The RFC 4193 address that a node has on a network, by calculation. */
ZT_SOCKET_API int ZTCALL zts_get_rfc4193_addr(
    struct sockaddr_storage *addr, const uint64_t nwid, const uint64_t nodeId);

/** The ID of the ad-hoc network that needs no controller: IPv6, and TCP connections to these ports only. UDP passes on all. */
ZT_SOCKET_API uint64_t ZTCALL zts_generate_adhoc_nwid_from_range(
    uint16_t startPortOfRange, uint16_t endPortOfRange);

/* ---- Roots and peers ---------------------------------------------------------------------------------------------- */

/** Adds the roots of a moon, asked for at the root moonSeed. */
ZT_SOCKET_API int ZTCALL zts_orbit(uint64_t moonWorldId, uint64_t moonSeed);

/** Drops the roots of a moon. Dropping one that was not added is no error. */
ZT_SOCKET_API int ZTCALL zts_deorbit(uint64_t moonWorldId);

/** How many peers are known. */
ZT_SOCKET_API int ZTCALL zts_get_peer_count(void);

/**
 * Describes all peers. @param num in: room in pds; out: how many were written
 * @return ZTS_ERR_INVALID_ARG, with num unchanged, if there is not room for all
 */
ZT_SOCKET_API int ZTCALL zts_get_peers(struct zts_peer_details *pds, int *num);

/** Describes a peer; ZTS_ERR_NO_RESULT if it is unknown. */
ZT_SOCKET_API int ZTCALL zts_get_peer(struct zts_peer_details *pd, uint64_t peerId);

/* ---- Status and statistics ---------------------------------------------------------------------------------------- */

/** ZTS_EVENT_NODE_ONLINE or ZTS_EVENT_NODE_OFFLINE; at any time. Why it is offline, the callback is told
 * with ZTS_EVENT_NODE_OFFLINE, and calls that want it online say in their message. */
ZT_SOCKET_API int ZTCALL zts_get_node_status(void);

/** The event code (ZTS_EVENT_NETWORK_*) that describes the network's state; ZTS_ERR_NO_RESULT if it was not joined. */
ZT_SOCKET_API int ZTCALL zts_get_network_status(uint64_t nwid);

/** ZTS_EVENT_PEER_P2P, ZTS_EVENT_PEER_RELAY or ZTS_EVENT_PEER_UNREACHABLE. */
ZT_SOCKET_API int ZTCALL zts_get_peer_status(uint64_t peerId);

struct zts_stats;

#ifndef LWIP_STATS
/** Counters of a protocol. They wrap around. */
struct zts_stats_proto {
    uint32_t xmit; /* sent */
    uint32_t recv; /* received */
    uint32_t fw; /* forwarded */
    uint32_t drop; /* dropped */
    uint32_t chkerr; /* with a wrong checksum */
    uint32_t lenerr; /* with a wrong length */
    uint32_t memerr; /* for which there was no room */
    uint32_t rterr; /* for which there was no route */
    uint32_t proterr; /* malformed */
    uint32_t opterr; /* with malformed options */
    uint32_t err; /* other errors */
    uint32_t cachehit;
};

/** Group membership counters. Always 0 from rx_v1 on, and in mld6: these are not counted apart. */
struct zts_stats_igmp {
    uint32_t xmit;
    uint32_t recv;
    uint32_t drop;
    uint32_t chkerr;
    uint32_t lenerr;
    uint32_t memerr;
    uint32_t proterr;
    uint32_t rx_v1;
    uint32_t rx_group;
    uint32_t rx_general;
    uint32_t rx_report;
    uint32_t tx_join;
    uint32_t tx_leave;
    uint32_t tx_report;
};

struct zts_stats_syselem {
    uint32_t used;
    uint32_t max;
    uint32_t err;
};

/** Always 0: the stack has nothing of the kind. */
struct zts_stats_sys {
    struct zts_stats_syselem sem;
    struct zts_stats_syselem mutex;
    struct zts_stats_syselem mbox;
};

/** All counters. */
struct zts_stats {
    struct zts_stats_proto link;
    struct zts_stats_proto etharp;
    struct zts_stats_proto ip_frag;
    struct zts_stats_proto ip;
    struct zts_stats_proto icmp;
    struct zts_stats_igmp igmp;
    struct zts_stats_proto udp;
    struct zts_stats_proto tcp;
    struct zts_stats_sys sys;
    struct zts_stats_proto ip6;
    struct zts_stats_proto icmp6;
    struct zts_stats_proto ip6_frag;
    struct zts_stats_igmp mld6;
    struct zts_stats_proto nd6;
};
#endif /* LWIP_STATS */

/** All counters. Available in every build. */
ZT_SOCKET_API int ZTCALL zts_get_all_stats(struct zts_stats *statsDest);

/** The counters of one protocol. @param protocolType ZTS_STATS_PROTOCOL_* @param protoStatsDest a struct zts_stats_proto */
ZT_SOCKET_API int ZTCALL zts_get_protocol_stats(int protocolType, void *protoStatsDest);

/** 1 if the service runs and the node is online, else 0. */
ZT_SOCKET_API int ZTCALL _zts_can_perform_service_operation(void);

/* ---- Sockets ------------------------------------------------------------------------------------------------------
 * As in BSD. Descriptors are small numbers of the library's own, 0 included, not the host's. Functions return
 * ZTS_ERR (-1) and set zts_errno, or ZTS_ERR_INVALID_ARG for NULL pointers and impossible lengths, or ZTS_ERR_SERVICE
 * while the service does not run; zts_last_error_message() says why. addr may be a struct zts_sockaddr_in or
 * zts_sockaddr_in6, cast. */

ZT_SOCKET_API int ZTCALL zts_socket(int socket_family, int socket_type, int protocol);

/** Connects; blocks until the peer answers, unless the socket is non-blocking (ZTS_EINPROGRESS). The way to the peer may
 * still be in the making: it is good practice to try again, with a new socket. */
ZT_SOCKET_API int ZTCALL zts_connect(int fd, const struct sockaddr *addr, socklen_t addrlen);

ZT_SOCKET_API int ZTCALL zts_bind(int fd, const struct sockaddr *addr, socklen_t addrlen);
ZT_SOCKET_API int ZTCALL zts_listen(int fd, int backlog);
ZT_SOCKET_API int ZTCALL zts_accept(int fd, struct sockaddr *addr, socklen_t *addrlen);

/** As zts_accept(). @param flags ZTS_O_NONBLOCK or the host's SOCK_NONBLOCK makes the new socket non-blocking */
ZT_SOCKET_API int ZTCALL zts_accept4(int fd, struct sockaddr *addr, socklen_t *addrlen, int flags);

ZT_SOCKET_API int ZTCALL zts_setsockopt(int fd, int level, int optname, const void *optval, socklen_t optlen);
ZT_SOCKET_API int ZTCALL zts_getsockopt(int fd, int level, int optname, void *optval, socklen_t *optlen);
ZT_SOCKET_API int ZTCALL zts_getsockname(int fd, struct sockaddr *addr, socklen_t *addrlen);
ZT_SOCKET_API int ZTCALL zts_getpeername(int fd, struct sockaddr *addr, socklen_t *addrlen);

/** The name set by zts_sethostname(); at first, the node ID in hexadecimal. */
ZT_SOCKET_API int ZTCALL zts_gethostname(char *name, size_t len);
ZT_SOCKET_API int ZTCALL zts_sethostname(const char *name, size_t len);

/** Looks a name up at the name servers, over the virtual networks. The result belongs to the calling thread until its
 * next call. NULL if there is none. */
ZT_SOCKET_API struct hostent *ZTCALL zts_gethostbyname(const char *name);

/** Closes a socket. Works also while the service does not run. */
ZT_SOCKET_API int ZTCALL zts_close(int fd);

/** Waits for descriptors below 1024; for more, use zts_poll(). */
ZT_SOCKET_API int ZTCALL zts_select(
    int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds, struct timeval *timeout);

/** ZTS_F_GETFL and ZTS_F_SETFL with ZTS_O_NONBLOCK or the host's O_NONBLOCK. */
ZT_SOCKET_API int ZTCALL zts_fcntl(int fd, int cmd, int flags);

/** ZTS_FIONREAD and ZTS_FIONBIO, or the host's. */
ZT_SOCKET_API int ZTCALL zts_ioctl(int fd, unsigned long request, void *argp);

ZT_SOCKET_API ssize_t ZTCALL zts_send(int fd, const void *buf, size_t len, int flags);
ZT_SOCKET_API ssize_t ZTCALL zts_sendto(
    int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t addrlen);
ZT_SOCKET_API ssize_t ZTCALL zts_sendmsg(int fd, const struct msghdr *msg, int flags);
ZT_SOCKET_API ssize_t ZTCALL zts_recv(int fd, void *buf, size_t len, int flags);
ZT_SOCKET_API ssize_t ZTCALL zts_recvfrom(
    int fd, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *addrlen);
ZT_SOCKET_API ssize_t ZTCALL zts_recvmsg(int fd, struct msghdr *msg, int flags);

/**
 * Sends up to 1024 messages by one call: datagrams that fit into the send queue are put there together. They keep their
 * order. Only msg_name, msg_namelen, msg_iov and msg_iovlen of each message are read; the
 * library writes msg_len, the number of bytes sent, of those that were sent and keeps no pointer after the call. A blocking
 * socket waits for room; the time-out of ZTS_SO_SNDTIMEO counts anew whenever there was some.
 * @param flags as of zts_sendmsg()
 * @return how many messages were sent; fewer than vlen if a later one failed or would have had to wait: call again with the
 * rest to learn why. ZTS_ERR with zts_errno if the first one failed
 */
ZT_SOCKET_API int ZTCALL zts_sendmmsg(int fd, struct zts_mmsghdr *msgvec, unsigned int vlen, int flags);

/**
 * Receives up to vlen messages by one call. Each one's msg_hdr is as for zts_recvmsg(): the program owns the memory, and
 * msg_namelen, which the call changes, has to be set before each call. msg_len is the number of bytes received.
 * A blocking socket waits until all vlen have come.
 * @param flags as of zts_recvmsg(); ZTS_MSG_WAITFORONE waits for the first message only and then takes what is there
 * @param timeout how long the call lasts at most, at any moment of it (Linux looks only when a message comes); zero takes
 * what is there; NULL is no limit beyond ZTS_SO_RCVTIMEO, which counts anew for each message. If something was received,
 * what is left of the time is written there.
 * @return how many messages were received. If none: ZTS_ERR with zts_errno, ZTS_EAGAIN when the time is over,
 * ZTS_EINVAL for a timeout that cannot be. An error after the first message is the next call's.
 */
ZT_SOCKET_API int ZTCALL zts_recvmmsg(
    int fd, struct zts_mmsghdr *msgvec, unsigned int vlen, int flags, struct timespec *timeout);

ZT_SOCKET_API int ZTCALL zts_read(int fd, void *buf, size_t len);
ZT_SOCKET_API int ZTCALL zts_write(int fd, const void *buf, size_t len);

/** As zts_read(), into buf + offset. */
ZT_SOCKET_API int ZTCALL zts_read_offset(int fd, void *buf, size_t offset, size_t len);

ZT_SOCKET_API int ZTCALL zts_shutdown(int fd, int how);

/** Waits for descriptors. @param timeout milliseconds, negative for ever @return how many are ready */
ZT_SOCKET_API int ZTCALL zts_poll(struct zts_pollfd *fds, zts_nfds_t nfds, int timeout);

/** Adds a name server, asked over the virtual networks. At most 8. */
ZT_SOCKET_API int ZTCALL zts_add_dns_nameserver(struct sockaddr *addr);
/** Removes a name server; ZTS_ERR_NO_RESULT if it is none. */
ZT_SOCKET_API int ZTCALL zts_del_dns_nameserver(struct sockaddr *addr);

/* ---- Network controller -------------------------------------------------------------------------------------------
 * Networks of one's own. The node answers for every network whose ID begins with its node ID; others join it by zts_join()
 * from anywhere, and the roots lead them here. A node may be a member of its own networks.
 *
 *     uint64_t network;
 *     zts_controller_enable(true);
 *     zts_controller_network_create(&network,
 *         "{\"name\":\"home\",\"v4AssignMode\":{\"zt\":true},\"routes\":[{\"target\":\"10.1.2.0/24\"}],"
 *         "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.1.2.1\",\"ipRangeEnd\":\"10.1.2.254\"}]}");
 *     ... ZTS_EVENT_CONTROLLER_MEMBER_WAITING ...
 *     zts_controller_member_authorize(network, node, true);
 *
 * Records are JSON objects with the fields of ZeroTier One's controller. Of a network: name, private, enableBroadcast,
 * multicastLimit, mtu, v4AssignMode, v6AssignMode, routes, ipAssignmentPools, rules, capabilities, tags, rulesSource (which is
 * compiled if there are no rules beside it), dns, authTokens, remoteTraceTarget, remoteTraceLevel and
 * certificateTimeoutWindowSize. Of a member: authorized, name, activeBridge, noAutoAssignIps, ipAssignments, tags,
 * capabilities, remoteTraceTarget and remoteTraceLevel. A change says what it changes, the rest stays; fields that it cannot
 * change are passed over. "{}" is a private network with nothing but defaults.
 *
 * A change is on the disk when its call returns, in controller.db of the node's directory; without a directory it is kept in
 * memory. A call that fails has changed nothing. Codes: ZTS_ERR_OK; ZTS_ERR_INVALID_ARG for a wrong argument or field,
 * which zts_last_error_message() names; ZTS_ERR_NO_RESULT if there is no such network or member; ZTS_ERR_SERVICE while the
 * node does not run or is no controller; ZTS_ERR_GENERAL if the disk refuses or a limit is reached. The node need not be
 * online. A text and its final 0 go to buf: len is the room on the way in and the text's length on the way out, or, with
 * ZTS_ERR_INVALID_ARG, the room needed: so buf may be NULL to ask for that. All may be called in the callback. */

/** Whether the node controls networks: at once if it runs (a start that is under way is waited for), and from each start
 * on. May be called before the start. Switched off, it answers nobody; networks stay on the disk. */
ZT_SOCKET_API int ZTCALL zts_controller_enable(bool enabled);
/** Makes a network. @param nwid gets its ID, whose last six digits are drawn */
ZT_SOCKET_API int ZTCALL zts_controller_network_create(uint64_t *nwid, const char *json);
/** Deletes a network. Its members are told and refuse each other. */
ZT_SOCKET_API int ZTCALL zts_controller_network_delete(uint64_t nwid);
/** An array of the IDs, as strings of 16 digits, ascending. */
ZT_SOCKET_API int ZTCALL zts_controller_network_list(char *buf, size_t *len);
/** The record of a network, with id, revision and creationTime. */
ZT_SOCKET_API int ZTCALL zts_controller_network_get(uint64_t nwid, char *buf, size_t *len);
/** Changes a network, or makes it under an ID that begins with this node's ID. Members that are there have it at once. */
ZT_SOCKET_API int ZTCALL zts_controller_network_set(uint64_t nwid, const char *json);
/** An object: the members' IDs, as strings of 10 digits, and their revisions. Who waits to be let in has revision 0; it is
 * forgotten after ten minutes of silence. */
ZT_SOCKET_API int ZTCALL zts_controller_member_list(uint64_t nwid, char *buf, size_t *len);
/** The record of a member, or of a node that waits, with id, revision, creationTime, identity, ipAssignments, vMajor, vMinor,
 * vRev, lastAuthorizedTime, lastDeauthorizedTime and others. */
ZT_SOCKET_API int ZTCALL zts_controller_member_get(uint64_t nwid, uint64_t nodeId, char *buf, size_t *len);
/** Changes a member, or makes one before it asks. */
ZT_SOCKET_API int ZTCALL zts_controller_member_set(uint64_t nwid, uint64_t nodeId, const char *json);
/** Lets a node in, or out: then others refuse it within a moment, and it gets ZTS_EVENT_NETWORK_ACCESS_DENIED. */
ZT_SOCKET_API int ZTCALL zts_controller_member_authorize(uint64_t nwid, uint64_t nodeId, bool authorized);
/** Forgets a member and its addresses. If it asks again, it waits. */
ZT_SOCKET_API int ZTCALL zts_controller_member_delete(uint64_t nwid, uint64_t nodeId);

/* ---- Additions of this library -------------------------------------------------------------------------------------- */

/** Names a return code or, if positive, an error number (zts_errno). Never NULL. */
ZT_SOCKET_API const char *ZTCALL zts_strerror(int code);

/** Why the last call of this thread that failed did, in words: never empty after a failure, whether the code was
 * ZTS_ERR, another one or only NULL. A call that succeeds leaves it as it is: look at it after a failure only. In the
 * callback, until a call fails there: what the event is about, "" if there is nothing to say. Valid until this
 * thread's next call. */
ZT_SOCKET_API const char *ZTCALL zts_last_error_message(void);
/** Why the last start failed, which goes on after the call: the directory, the identity or the port. NULL
 * while the node starts, runs, or was stopped. Where no event is waited for, ask it beside the node's state.
 * The text is valid until the thread's next call. */
ZT_SOCKET_API const char *ZTCALL zts_get_start_error(void);

/**
 * Switches traces on and off: lines on standard error about what happens inside, for finding out why something does not
 * work. Holds for all nodes of the process, at once and for those started later. Each node prints at most 200 lines a
 * second and never waits for a reader; what is off costs nothing. Until the first call the environment variable
 * ZEROTIER_TRACE says what is on, in the same words; without it nothing, but "basic" in a library of `make host_debug`.
 * @param modules names between commas: transport, paths, networks, rules, arp (ARP and NDP), ip, udp, tcp, sockets,
 * storage; basic for all but the TCP/IP stack's, all, or none
 * @return ZTS_ERR_OK; a negative number if a name is not one of these, and nothing changes
 */
ZT_SOCKET_API int ZTCALL zts_trace_set(const char *modules);

/**
 * A descriptor of the host that follows a socket, to wait for it with epoll, poll or select beside the host's own
 * descriptors. Wait for reading (EPOLLIN, POLLIN). It is readable
 *   - while there is something to receive, a connection to accept, the end of the stream or an error to be told;
 *   - while both directions have ended, and from when the node is stopped (calls fail then);
 *   - after a call that sends or connects would have had to wait (ZTS_EAGAIN, ZTS_EINPROGRESS): once there is room,
 *     or the connection is made or has failed. The next call that sends, or after a connect zts_getsockopt() of
 *     ZTS_SO_ERROR, ends that.
 * It says what is, not what changed (level-triggered): it stays readable until calls have taken what is there. So
 * receive until ZTS_EAGAIN also while you wait for room, or wait for the room by zts_poll(). It may be readable
 * without reason, until the next call: the socket should not block.
 * The first call makes it, later ones return the same number. It belongs to the socket: wait for it, but do not read
 * or close it. It ends with the socket: take it out of an epoll set before zts_close().
 * @return the descriptor; ZTS_ERR (-1) with zts_errno ZTS_EBADF, or ZTS_EMFILE if the host gives none;
 * ZTS_ERR_SERVICE
 */
ZT_SOCKET_API int ZTCALL zts_get_event_fd(int fd);

/** A host descriptor that becomes readable whenever the callback was called, to wait for events beside other
 * descriptors. Read 8 bytes from it. The library closes it in zts_free(); after that, ZTS_ERR_SERVICE. */
ZT_SOCKET_API int ZTCALL zts_get_node_event_fd(void);

/* ---- Several nodes in one process -----------------------------------------------------------------------------------
 * Each has an identity, directory, port, callback and networks of its own, and an instance number from 1 up; return
 * codes are those above, with ZTS_ERR_INVALID_ARG for a number that names no instance. Sockets made on an instance work
 * with every zts_* socket function, of both generations, and so does zts_get_event_fd(); but not with the select functions:
 * their descriptors are larger than FD_SETSIZE, and zts_poll() waits for all. The node of zts_start() is none
 * of them. Unlike there, nothing requires that the node is online, only that it runs: else ZTS_ERR_SERVICE. Programs of
 * the second generation include this header in a source file of its own. */

/** Called as the callback of zts_start(), with the instance and the pointer given to zts_instance_start(). */
typedef void (*zts_instance_callback)(int instance, struct zts_callback_msg *msg, void *context);

/** Makes a node and starts it. @param path its directory; NULL: everything in memory @param callback may be NULL
 * @return the instance, or a return code */
ZT_SOCKET_API int ZTCALL zts_instance_start(
    const char *path, zts_instance_callback callback, void *context, int port);
/** As zts_stop(): the instance stays, and may be started again. ZTS_EVENT_NODE_DOWN is the last event. */
ZT_SOCKET_API int ZTCALL zts_instance_stop(int instance);
/** Starts a stopped instance as it was started first; one in memory with another identity.
 * One that follows a stop at once waits for its end. @return ZTS_ERR_INVALID_OP while it runs */
ZT_SOCKET_API int ZTCALL zts_instance_start_again(int instance);
/** As zts_restart(): sockets and connections stay. */
ZT_SOCKET_API int ZTCALL zts_instance_restart(int instance);
/** Stops a node for good, waits for its end and releases the number and its sockets. */
ZT_SOCKET_API int ZTCALL zts_instance_free(int instance);
/** 1 between a start and the following stop, else 0: as zts_core_running(). */
ZT_SOCKET_API int ZTCALL zts_instance_is_running(int instance);
/** 1 if a root answers, else 0. */
ZT_SOCKET_API int ZTCALL zts_instance_is_online(int instance);
/** (uint64_t)ZTS_ERR_SERVICE before the identity is loaded. */
ZT_SOCKET_API uint64_t ZTCALL zts_instance_get_node_id(int instance);
/** As zts_get_node_status(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_node_status(int instance);

ZT_SOCKET_API int ZTCALL zts_instance_join(int instance, uint64_t nwid);
ZT_SOCKET_API int ZTCALL zts_instance_leave(int instance, uint64_t nwid);
/** As zts_get_num_joined_networks(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_num_joined_networks(int instance);
/** As zts_get_network_status(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_network_status(int instance, uint64_t nwid);
/** As zts_get_network_details(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_network_details(
    int instance, uint64_t nwid, struct zts_network_details *nd);
/** As zts_get_all_network_details(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_all_network_details(
    int instance, struct zts_network_details *nds, int *num);
/** As zts_get_network_settings(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_network_settings(
    int instance, uint64_t nwid, struct zts_network_settings *settings);
/** As zts_set_network_settings(). */
ZT_SOCKET_API int ZTCALL zts_instance_set_network_settings(
    int instance, uint64_t nwid, const struct zts_network_settings *settings);
/** As zts_get_num_assigned_addresses(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_num_assigned_addresses(int instance, uint64_t nwid);
/** As zts_get_address_at_index(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_address_at_index(
    int instance, uint64_t nwid, int index, struct sockaddr *addr, socklen_t *addrlen);
/** As zts_get_address(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_address(
    int instance, uint64_t nwid, struct sockaddr_storage *addr, int address_family);

/** As zts_orbit(). */
ZT_SOCKET_API int ZTCALL zts_instance_orbit(int instance, uint64_t moonWorldId, uint64_t moonSeed);
/** As zts_deorbit(). */
ZT_SOCKET_API int ZTCALL zts_instance_deorbit(int instance, uint64_t moonWorldId);
/** As zts_get_peer_count(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_peer_count(int instance);
/** As zts_get_peers(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_peers(int instance, struct zts_peer_details *pds, int *num);
/** As zts_get_peer(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_peer(int instance, struct zts_peer_details *pd, uint64_t peerId);
/** As zts_get_peer_status(). */
ZT_SOCKET_API int ZTCALL zts_instance_get_peer_status(int instance, uint64_t peerId);
/** As zts_get_all_stats(), of that node's stack; all is 0 while it does not run. */
ZT_SOCKET_API int ZTCALL zts_instance_get_all_stats(int instance, struct zts_stats *statsDest);
/** As zts_get_protocol_stats(), of that node's stack. */
ZT_SOCKET_API int ZTCALL zts_instance_get_protocol_stats(int instance, int protocolType, void *protoStatsDest);

/** As zts_controller_enable(). An instance without a directory keeps its networks in memory, and until it is stopped. */
ZT_SOCKET_API int ZTCALL zts_instance_controller_enable(int instance, bool enabled);
/** As zts_controller_network_create(). */
ZT_SOCKET_API int ZTCALL zts_instance_controller_network_create(int instance, uint64_t *nwid, const char *json);
/** As zts_controller_network_delete(). */
ZT_SOCKET_API int ZTCALL zts_instance_controller_network_delete(int instance, uint64_t nwid);
/** As zts_controller_network_list(). */
ZT_SOCKET_API int ZTCALL zts_instance_controller_network_list(int instance, char *buf, size_t *len);
/** As zts_controller_network_get(). */
ZT_SOCKET_API int ZTCALL zts_instance_controller_network_get(int instance, uint64_t nwid, char *buf, size_t *len);
/** As zts_controller_network_set(). */
ZT_SOCKET_API int ZTCALL zts_instance_controller_network_set(int instance, uint64_t nwid, const char *json);
/** As zts_controller_member_list(). */
ZT_SOCKET_API int ZTCALL zts_instance_controller_member_list(int instance, uint64_t nwid, char *buf, size_t *len);
/** As zts_controller_member_get(). */
ZT_SOCKET_API int ZTCALL zts_instance_controller_member_get(
    int instance, uint64_t nwid, uint64_t nodeId, char *buf, size_t *len);
/** As zts_controller_member_set(). */
ZT_SOCKET_API int ZTCALL zts_instance_controller_member_set(
    int instance, uint64_t nwid, uint64_t nodeId, const char *json);
/** As zts_controller_member_authorize(). */
ZT_SOCKET_API int ZTCALL zts_instance_controller_member_authorize(
    int instance, uint64_t nwid, uint64_t nodeId, bool authorized);
/** As zts_controller_member_delete(). */
ZT_SOCKET_API int ZTCALL zts_instance_controller_member_delete(int instance, uint64_t nwid, uint64_t nodeId);

/** As zts_socket(), on that node. */
ZT_SOCKET_API int ZTCALL zts_instance_socket(int instance, int socket_family, int socket_type, int protocol);

#ifdef __cplusplus
}
#endif

#if defined(__clang__) && !defined(__cplusplus)
#pragma clang diagnostic pop
#endif

#endif /* ZT_SDK_H */
