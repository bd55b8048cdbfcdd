/*
 * The ZeroTier SDK: virtual networks and Berkeley sockets on them, inside one process. Second generation of the
 * interface (libzt 1.3.3 to 1.8.10 and later). Link with -lzt.
 *
 *     zts_init_from_storage("state");          before the start: zts_init_*
 *     zts_node_start();                        the service runs in threads of its own
 *     while (! zts_node_is_online()) {         why it does not start: zts_get_start_error()
 *         if (zts_get_start_error()) exit(1);
 *         zts_util_delay(50);
 *     }
 *     zts_net_join(0x8056c2e21c000001);
 *     while (! zts_net_transport_is_ready(0x8056c2e21c000001)) zts_util_delay(50);
 *     fd = zts_tcp_client("10.147.17.5", 80);
 *
 * Every function may be called from any thread, also from the event handler. The library holds both generations;
 * twenty-four functions have the same name in the other one and another meaning, so this header binds their names to symbols
 * of their own (zts18_...). Source code does not change. For programs that look names up themselves (dlsym, ctypes), a second
 * library, zt18/libzt.so, has this generation's functions under the plain names.
 *
 * Several nodes in one process: the zts_instance_* functions in ZeroTier.h, which a source file of its own includes.
 * Their sockets work with the functions here.
 */
#ifndef ZTS_SOCKETS_H
#define ZTS_SOCKETS_H

#if (defined(ZT_SDK_H) || defined(ZT_CONSTANTS_H)) && !defined(ZTS_BOTH_GENERATIONS)
#error "ZeroTier.h and ZeroTierSockets.h are two generations of one interface: include one of them"
#endif

#ifndef ZTS_NO_STDINT_H
#include <stdint.h>
#endif
#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef ZTS_API
#define ZTS_API
#endif
#ifndef ZTCALL
#define ZTCALL
#endif

#if !defined(ZTS_ENABLE_PYTHON) && !defined(ZTS_ENABLE_PINVOKE) && !defined(ZTS_ENABLE_JAVA)
#define ZTS_C_API_ONLY 1
#endif

/* The symbol behind a name that both generations have. */
#if defined(ZTS_BOTH_GENERATIONS)
#define ZTS_OWN_(name)
#elif defined(__APPLE__)
#define ZTS_OWN_(name) __asm__("_zts18_" #name)
#elif defined(__GNUC__)
#define ZTS_OWN_(name) __asm__("zts18_" #name)
#else
#define ZTS_OWN_(name)
#endif
#if defined(ZTS_BOTH_GENERATIONS) || !defined(__GNUC__)
#define zts_socket zts18_socket
#define zts_connect zts18_connect
#define zts_bind zts18_bind
#define zts_listen zts18_listen
#define zts_accept zts18_accept
#define zts_send zts18_send
#define zts_recv zts18_recv
#define zts_read zts18_read
#define zts_write zts18_write
#define zts_close zts18_close
#define zts_getpeername zts18_getpeername
#define zts_getsockname zts18_getsockname
#define zts_controller_enable zts18_controller_enable
#define zts_controller_network_create zts18_controller_network_create
#define zts_controller_network_delete zts18_controller_network_delete
#define zts_controller_network_list zts18_controller_network_list
#define zts_controller_network_get zts18_controller_network_get
#define zts_controller_network_set zts18_controller_network_set
#define zts_controller_member_list zts18_controller_member_list
#define zts_controller_member_get zts18_controller_member_get
#define zts_controller_member_set zts18_controller_member_set
#define zts_controller_member_authorize zts18_controller_member_authorize
#define zts_controller_member_delete zts18_controller_member_delete
#endif

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

#define ZTS_MAC_ADDRSTRLEN 18
#define ZTS_INET_ADDRSTRLEN 16
#define ZTS_INET6_ADDRSTRLEN 46
#define ZTS_IP_MAX_STR_LEN ZTS_INET6_ADDRSTRLEN
#define ZTS_STORE_DATA_LEN 4096
#define ZTS_MAX_NETWORK_SHORT_NAME_LENGTH 127
#define ZTS_MAX_NETWORK_ROUTES 32
#define ZTS_MAX_ASSIGNED_ADDRESSES 16
#define ZTS_MAX_PEER_NETWORK_PATHS 64
#define ZTS_MAX_MULTICAST_SUBSCRIPTIONS 1024
#define ZTS_MAX_NUM_ROOTS 16
#define ZTS_MAX_ENDPOINTS_PER_ROOT 32
#define ZTS_MAX_ENDPOINT_STR_LEN (ZTS_INET6_ADDRSTRLEN + 6)
#define ZTS_ID_STR_BUF_LEN 384

#ifndef ZTS_BOTH_GENERATIONS

/* ---- Return codes ------------------------------------------------------------------------------------------------- */

typedef enum {
    /** No error. */
    ZTS_ERR_OK = 0,
    /** The socket call failed; zts_errno says why. */
    ZTS_ERR_SOCKET = -1,
    /** The node does not run, or already does and must not. */
    ZTS_ERR_SERVICE = -2,
    /** An argument is invalid. */
    ZTS_ERR_ARG = -3,
    /** No result: the network, peer or address is unknown. */
    ZTS_ERR_NO_RESULT = -4,
    /** Anything else. For this and every other code, zts_last_error_message() says why. */
    ZTS_ERR_GENERAL = -5
} zts_error_t;

/* ---- Events --------------------------------------------------------------------------------------------------------
 * zts_event_msg_t.event_code. In brackets: the member of the message that is not NULL. */

typedef enum {
    /** [node] The node has started. */
    ZTS_EVENT_NODE_UP = 200,
    /** [node] A root answers. */
    ZTS_EVENT_NODE_ONLINE = 201,
    /** [node] No root answers (any more); zts_last_error_message() says why in the handler. Comes too, and again every
     * minute, while a node that was started does not come online. */
    ZTS_EVENT_NODE_OFFLINE = 202,
    /** [node] The node has stopped. The last event of a run. */
    ZTS_EVENT_NODE_DOWN = 203,
    /** [node] The node could not start, or its address belongs to another node too. */
    ZTS_EVENT_NODE_FATAL_ERROR = 204,

    /** [network] The controller does not know the network. */
    ZTS_EVENT_NETWORK_NOT_FOUND = 210,
    /** [network] The controller wants a newer protocol. */
    ZTS_EVENT_NETWORK_CLIENT_TOO_OLD = 211,
    /** [network] Waiting for the controller's answer. */
    ZTS_EVENT_NETWORK_REQ_CONFIG = 212,
    /** [network] Configured. Comes after the READY events. */
    ZTS_EVENT_NETWORK_OK = 213,
    /** [network] The controller does not admit this node (yet). */
    ZTS_EVENT_NETWORK_ACCESS_DENIED = 214,
    /** [network] The first IPv4 address is usable. */
    ZTS_EVENT_NETWORK_READY_IP4 = 215,
    /** [network] The first IPv6 address is usable. */
    ZTS_EVENT_NETWORK_READY_IP6 = 216,
    /** [network] Both families became usable at once. Comes after the other two. */
    ZTS_EVENT_NETWORK_READY_IP4_IP6 = 217,
    /** [network] The network was left, or the node stops. */
    ZTS_EVENT_NETWORK_DOWN = 218,
    /** [network] The configuration changed. */
    ZTS_EVENT_NETWORK_UPDATE = 219,

    /** [none] The TCP/IP stack has started. */
    ZTS_EVENT_STACK_UP = 220,
    /** [none] The TCP/IP stack has stopped for good, by zts_node_free(). */
    ZTS_EVENT_STACK_DOWN = 221,

    /** [netif] The virtual interface of a network. */
    ZTS_EVENT_NETIF_UP = 230,
    ZTS_EVENT_NETIF_DOWN = 231,
    ZTS_EVENT_NETIF_REMOVED = 232,
    ZTS_EVENT_NETIF_LINK_UP = 233,
    ZTS_EVENT_NETIF_LINK_DOWN = 234,

    /** [peer] Packets to the peer go directly. */
    ZTS_EVENT_PEER_DIRECT = 240,
    /** [peer] Packets to the peer go through a root. */
    ZTS_EVENT_PEER_RELAY = 241,
    /** [peer] No way to the peer is known. */
    ZTS_EVENT_PEER_UNREACHABLE = 242,
    /** [peer] A path to the peer was found. */
    ZTS_EVENT_PEER_PATH_DISCOVERED = 243,
    /** [peer] A path to the peer does not answer any more. */
    ZTS_EVENT_PEER_PATH_DEAD = 244,

    /** [route] A route came or went. */
    ZTS_EVENT_ROUTE_ADDED = 250,
    ZTS_EVENT_ROUTE_REMOVED = 251,

    /** [addr] An address came or went. */
    ZTS_EVENT_ADDR_ADDED_IP4 = 260,
    ZTS_EVENT_ADDR_REMOVED_IP4 = 261,
    ZTS_EVENT_ADDR_ADDED_IP6 = 262,
    ZTS_EVENT_ADDR_REMOVED_IP6 = 263,

    /** [cache, len] Something to be kept: for programs without a storage directory. */
    ZTS_EVENT_STORE_IDENTITY_SECRET = 270,
    ZTS_EVENT_STORE_IDENTITY_PUBLIC = 271,
    ZTS_EVENT_STORE_PLANET = 272,
    ZTS_EVENT_STORE_PEER = 273,
    ZTS_EVENT_STORE_NETWORK = 274,

    /** [network, peer] Of networks that this node controls: a node asks to be let in. Once, and again after ten minutes of
     * silence. */
    ZTS_EVENT_CONTROLLER_MEMBER_WAITING = 280,
    /** [network, peer] A member was made, let in or out, changed or deleted; zts_controller_member_get() says what it is. */
    ZTS_EVENT_CONTROLLER_MEMBER_CHANGED = 281,
    /** [network] A network was made or changed; or deleted, and then only net_id and status NOT_FOUND are set. */
    ZTS_EVENT_CONTROLLER_NETWORK_CHANGED = 282
} zts_event_t;

/* ---- Error numbers -------------------------------------------------------------------------------------------------
 * What zts_errno holds: Linux's numbers, on every platform. */

typedef enum {
    ZTS_EPERM = 1,
    ZTS_ENOENT = 2,
    ZTS_ESRCH = 3,
    ZTS_EINTR = 4,
    ZTS_EIO = 5,
    ZTS_ENXIO = 6,
    ZTS_EBADF = 9,
    ZTS_EAGAIN = 11,
    ZTS_EWOULDBLOCK = ZTS_EAGAIN,
    ZTS_ENOMEM = 12,
    ZTS_EACCES = 13,
    ZTS_EFAULT = 14,
    ZTS_EBUSY = 16,
    ZTS_EEXIST = 17,
    ZTS_ENODEV = 19,
    ZTS_EINVAL = 22,
    ZTS_ENFILE = 23,
    ZTS_EMFILE = 24,
    ZTS_ENOSYS = 38,
    ZTS_ENOTSOCK = 88,
    ZTS_EDESTADDRREQ = 89,
    ZTS_EMSGSIZE = 90,
    ZTS_EPROTOTYPE = 91,
    ZTS_ENOPROTOOPT = 92,
    ZTS_EPROTONOSUPPORT = 93,
    ZTS_ESOCKTNOSUPPORT = 94,
    ZTS_EOPNOTSUPP = 95,
    ZTS_EPFNOSUPPORT = 96,
    ZTS_EAFNOSUPPORT = 97,
    ZTS_EADDRINUSE = 98,
    ZTS_EADDRNOTAVAIL = 99,
    ZTS_ENETDOWN = 100,
    ZTS_ENETUNREACH = 101,
    ZTS_ECONNABORTED = 103,
    ZTS_ECONNRESET = 104,
    ZTS_ENOBUFS = 105,
    ZTS_EISCONN = 106,
    ZTS_ENOTCONN = 107,
    ZTS_ETIMEDOUT = 110,
    ZTS_ECONNREFUSED = 111,
    ZTS_EHOSTUNREACH = 113,
    ZTS_EALREADY = 114,
    ZTS_EINPROGRESS = 115
} zts_errno_t;

#ifdef __cplusplus
extern "C" {
#endif
/** The error number of the last socket call of the whole process, for programs that look the symbol up themselves.
 * Source that uses the name gets the calling thread's number instead, by the macro below. */
extern int zts_errno;

/** Where the calling thread's error number is. Never NULL. */
ZTS_API int *ZTCALL zts_errno_location(void);
#ifdef __cplusplus
}
#endif

#define zts_errno (*zts_errno_location())

/* ---- Sockets -------------------------------------------------------------------------------------------------------
 * These differ from the host's in general: pass ZTS_* constants to zts_* functions. */

#define ZTS_SOCK_STREAM 1
#define ZTS_SOCK_DGRAM 2
#define ZTS_SOCK_RAW 3

#define ZTS_AF_UNSPEC 0
#define ZTS_AF_INET 2
#define ZTS_AF_INET6 10
#define ZTS_PF_INET ZTS_AF_INET
#define ZTS_PF_INET6 ZTS_AF_INET6
#define ZTS_PF_UNSPEC ZTS_AF_UNSPEC

#define ZTS_IPPROTO_IP 0
#define ZTS_IPPROTO_ICMP 1
#define ZTS_IPPROTO_TCP 6
#define ZTS_IPPROTO_UDP 17
#define ZTS_IPPROTO_IPV6 41
#define ZTS_IPPROTO_ICMPV6 58
#define ZTS_IPPROTO_UDPLITE 136
#define ZTS_IPPROTO_RAW 255

/* Flags of the send and receive functions. The host's are understood too, but for its MSG_PEEK and MSG_OOB alone: these have
 * the numbers of ZTS_MSG_WAITALL and ZTS_MSG_PEEK. */
#define ZTS_MSG_PEEK 0x01
#define ZTS_MSG_WAITALL 0x02
#define ZTS_MSG_OOB 0x04
#define ZTS_MSG_DONTWAIT 0x08
#define ZTS_MSG_MORE 0x10
#define ZTS_MSG_WAITFORONE 0x10000 /* of the batch receive function: as on Linux */

/* Flags in zts_msghdr.msg_flags. */
#define ZTS_MSG_TRUNC 0x04
#define ZTS_MSG_CTRUNC 0x08

/* fcntl */
#define ZTS_F_GETFL 3
#define ZTS_F_SETFL 4
#define ZTS_O_NONBLOCK 1
#define ZTS_O_NDELAY 1
#define ZTS_O_RDONLY 2
#define ZTS_O_WRONLY 4
#define ZTS_O_RDWR (ZTS_O_RDONLY | ZTS_O_WRONLY)

/* shutdown */
#define ZTS_SHUT_RD 0
#define ZTS_SHUT_WR 1
#define ZTS_SHUT_RDWR 2

/* Socket options: level, then names. */
#define ZTS_SOL_SOCKET 0x0fff
#define ZTS_SO_DEBUG 0x0001
#define ZTS_SO_ACCEPTCONN 0x0002
#define ZTS_SO_REUSEADDR 0x0004
#define ZTS_SO_KEEPALIVE 0x0008
#define ZTS_SO_DONTROUTE 0x0010
#define ZTS_SO_BROADCAST 0x0020
#define ZTS_SO_USELOOPBACK 0x0040
#define ZTS_SO_LINGER 0x0080
#define ZTS_SO_DONTLINGER ((int)(~ZTS_SO_LINGER))
#define ZTS_SO_OOBINLINE 0x0100
#define ZTS_SO_REUSEPORT 0x0200
#define ZTS_SO_SNDBUF 0x1001
#define ZTS_SO_RCVBUF 0x1002
#define ZTS_SO_SNDLOWAT 0x1003
#define ZTS_SO_RCVLOWAT 0x1004
#define ZTS_SO_SNDTIMEO 0x1005
#define ZTS_SO_RCVTIMEO 0x1006
#define ZTS_SO_ERROR 0x1007
#define ZTS_SO_TYPE 0x1008
#define ZTS_SO_CONTIMEO 0x1009
#define ZTS_SO_NO_CHECK 0x100a
#define ZTS_SO_BINDTODEVICE 0x100b

/* Level ZTS_IPPROTO_IP. */
#define ZTS_IP_TOS 1
#define ZTS_IP_TTL 2
#define ZTS_IP_ADD_MEMBERSHIP 3
#define ZTS_IP_DROP_MEMBERSHIP 4
#define ZTS_IP_MULTICAST_TTL 5
#define ZTS_IP_MULTICAST_IF 6
#define ZTS_IP_MULTICAST_LOOP 7
#define ZTS_IP_PKTINFO 8

/* The byte of ZTS_IP_TOS. */
#define ZTS_IPTOS_TOS_MASK 0x1E
#define ZTS_IPTOS_TOS(tos) ((tos) & ZTS_IPTOS_TOS_MASK)
#define ZTS_IPTOS_LOWDELAY 0x10
#define ZTS_IPTOS_THROUGHPUT 0x08
#define ZTS_IPTOS_RELIABILITY 0x04
#define ZTS_IPTOS_LOWCOST 0x02
#define ZTS_IPTOS_MINCOST ZTS_IPTOS_LOWCOST
#define ZTS_IPTOS_PREC_MASK 0xe0
#define ZTS_IPTOS_PREC(tos) ((tos) & ZTS_IPTOS_PREC_MASK)
#define ZTS_IPTOS_PREC_NETCONTROL 0xe0
#define ZTS_IPTOS_PREC_INTERNETCONTROL 0xc0
#define ZTS_IPTOS_PREC_CRITIC_ECP 0xa0
#define ZTS_IPTOS_PREC_FLASHOVERRIDE 0x80
#define ZTS_IPTOS_PREC_FLASH 0x60
#define ZTS_IPTOS_PREC_IMMEDIATE 0x40
#define ZTS_IPTOS_PREC_PRIORITY 0x20
#define ZTS_IPTOS_PREC_ROUTINE 0x00

/* Level ZTS_IPPROTO_TCP. ZTS_TCP_KEEPALIVE is in milliseconds, KEEPIDLE and KEEPINTVL in seconds. */
#define ZTS_TCP_NODELAY 0x01
#define ZTS_TCP_KEEPALIVE 0x02
#define ZTS_TCP_KEEPIDLE 0x03
#define ZTS_TCP_KEEPINTVL 0x04
#define ZTS_TCP_KEEPCNT 0x05

/* Level ZTS_IPPROTO_IPV6. */
#define ZTS_IPV6_CHECKSUM 7
#define ZTS_IPV6_V6ONLY 27
#define ZTS_IPV6_JOIN_GROUP 12
#define ZTS_IPV6_ADD_MEMBERSHIP ZTS_IPV6_JOIN_GROUP
#define ZTS_IPV6_LEAVE_GROUP 13
#define ZTS_IPV6_DROP_MEMBERSHIP ZTS_IPV6_LEAVE_GROUP

/* Level ZTS_IPPROTO_UDPLITE. */
#define ZTS_UDPLITE_SEND_CSCOV 0x01
#define ZTS_UDPLITE_RECV_CSCOV 0x02

/* ioctl */
#define ZTS_IOCPARM_MASK 0x7fU
#define ZTS_IOC_VOID 0x20000000UL
#define ZTS_IOC_OUT 0x40000000UL
#define ZTS_IOC_IN 0x80000000UL
#define ZTS_IOC_INOUT (ZTS_IOC_IN | ZTS_IOC_OUT)
#define ZTS_IO(x, y) (ZTS_IOC_VOID | ((x) << 8) | (y))
#define ZTS_IOR(x, y, t) (ZTS_IOC_OUT | ((sizeof(t) & ZTS_IOCPARM_MASK) << 16) | ((x) << 8) | (y))
#define ZTS_IOW(x, y, t) (ZTS_IOC_IN | ((sizeof(t) & ZTS_IOCPARM_MASK) << 16) | ((x) << 8) | (y))
/** Writes the number of bytes that can be read, as an int. */
#define ZTS_FIONREAD ZTS_IOR('f', 127, unsigned long)
/** Reads an int: not 0 makes the socket non-blocking. */
#define ZTS_FIONBIO ZTS_IOW('f', 126, unsigned long)

/* poll */
#define ZTS_POLLIN 0x001
#define ZTS_POLLOUT 0x002
#define ZTS_POLLERR 0x004
#define ZTS_POLLNVAL 0x008
#define ZTS_POLLRDNORM 0x010
#define ZTS_POLLRDBAND 0x020
#define ZTS_POLLPRI 0x040
#define ZTS_POLLWRNORM 0x080
#define ZTS_POLLWRBAND 0x100
#define ZTS_POLLHUP 0x200

/* select: descriptor n is bit n % 8 of byte n / 8, as in a little-endian fd_set. */
#ifndef LWIP_SOCKET_OFFSET
#define LWIP_SOCKET_OFFSET 0
#endif
#ifndef MEMP_NUM_NETCONN
#define MEMP_NUM_NETCONN 1024
#endif
#ifndef ZTS_FD_SETSIZE
#define ZTS_FD_SETSIZE MEMP_NUM_NETCONN
#endif
#define ZTS_FDSETSAFESET(n, code)                                                                                      \
    do {                                                                                                               \
        if ((int)(n) >= LWIP_SOCKET_OFFSET && (int)(n) - LWIP_SOCKET_OFFSET < MEMP_NUM_NETCONN) {                      \
            code;                                                                                                      \
        }                                                                                                              \
    } while (0)
#define ZTS_FDSETSAFEGET(n, code)                                                                                      \
    ((int)(n) >= LWIP_SOCKET_OFFSET && (int)(n) - LWIP_SOCKET_OFFSET < MEMP_NUM_NETCONN ? (code) : 0)
#define ZTS_FD_BYTE_(n, p) ((p)->fd_bits[((n) - LWIP_SOCKET_OFFSET) / 8])
#define ZTS_FD_BIT_(n) (1u << (((n) - LWIP_SOCKET_OFFSET) & 7))
#define ZTS_FD_SET(n, p)                                                                                               \
    ZTS_FDSETSAFESET(n, ZTS_FD_BYTE_(n, p) = (unsigned char)(ZTS_FD_BYTE_(n, p) | ZTS_FD_BIT_(n)))
#define ZTS_FD_CLR(n, p)                                                                                               \
    ZTS_FDSETSAFESET(n, ZTS_FD_BYTE_(n, p) = (unsigned char)(ZTS_FD_BYTE_(n, p) & ~ZTS_FD_BIT_(n)))
#define ZTS_FD_ISSET(n, p) ZTS_FDSETSAFEGET(n, (ZTS_FD_BYTE_(n, p) & ZTS_FD_BIT_(n)) != 0)
#define ZTS_FD_ZERO(p) memset((void *)(p), 0, sizeof(*(p)))
#endif /* ZTS_BOTH_GENERATIONS */

/* Addresses as numbers in host byte order. */
#define ZTS_IPADDR_NONE ((uint32_t)0xffffffffUL)
#define ZTS_IPADDR_LOOPBACK ((uint32_t)0x7f000001UL)
#define ZTS_IPADDR_ANY ((uint32_t)0x00000000UL)
#define ZTS_IPADDR_BROADCAST ((uint32_t)0xffffffffUL)
#define ZTS_INADDR_NONE ZTS_IPADDR_NONE
#define ZTS_INADDR_LOOPBACK ZTS_IPADDR_LOOPBACK
#define ZTS_INADDR_ANY ZTS_IPADDR_ANY
#define ZTS_INADDR_BROADCAST ZTS_IPADDR_BROADCAST

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Addresses ---------------------------------------------------------------------------------------------------- */

#ifndef ZTS_BOTH_GENERATIONS
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

#define ZTS_IN6ADDR_ANY_INIT                                                                                           \
    {                                                                                                                  \
        {                                                                                                              \
            { 0, 0, 0, 0 }                                                                                             \
        }                                                                                                              \
    }
#ifdef __GNUC__
__attribute__((unused))
#endif
static const struct zts_in6_addr zts_in6addr_any
    = ZTS_IN6ADDR_ANY_INIT;

/* Port and address in network byte order. */
struct zts_sockaddr_in {
    uint8_t sin_len; /* not read by the library */
    zts_sa_family_t sin_family; /* ZTS_AF_INET */
    zts_in_port_t sin_port;
    struct zts_in_addr sin_addr;
    char sin_zero[8];
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
#endif

typedef uint32_t zts_socklen_t;

/* ---- What events and queries tell --------------------------------------------------------------------------------- */

/** This node. */
typedef struct {
    uint64_t node_id; /* 40 bits */
    uint16_t port_primary; /* UDP */
    uint16_t port_secondary; /* 0: none */
    uint16_t port_tertiary; /* 0: none */
    uint8_t ver_major; /* of this library */
    uint8_t ver_minor;
    uint8_t ver_rev;
} zts_node_info_t;

/** An address of this node on a network. */
typedef struct {
    uint64_t net_id;
    struct zts_sockaddr_storage addr;
} zts_addr_info_t;

/** A route of a network. */
typedef struct {
    struct zts_sockaddr_storage target; /* the prefix length is in the port, network byte order */
    struct zts_sockaddr_storage via; /* family 0: no gateway */
    uint16_t flags;
    uint16_t metric;
} zts_route_info_t;

typedef struct {
    uint64_t mac; /* low 48 bits */
    unsigned long adi;
} zts_multicast_group_t;

typedef enum {
    ZTS_NETWORK_STATUS_REQUESTING_CONFIGURATION = 0,
    ZTS_NETWORK_STATUS_OK = 1,
    ZTS_NETWORK_STATUS_ACCESS_DENIED = 2,
    ZTS_NETWORK_STATUS_NOT_FOUND = 3,
    ZTS_NETWORK_STATUS_PORT_ERROR = 4,
    ZTS_NETWORK_STATUS_CLIENT_TOO_OLD = 5
} zts_network_status_t;

typedef enum {
    ZTS_NETWORK_TYPE_PRIVATE = 0, /* members are admitted one by one */
    ZTS_NETWORK_TYPE_PUBLIC = 1
} zts_net_info_type_t;

/** A joined network. */
typedef struct {
    uint64_t net_id;
    uint64_t mac; /* low 48 bits */
    char name[ZTS_MAX_NETWORK_SHORT_NAME_LENGTH + 1];
    zts_network_status_t status;
    zts_net_info_type_t type;
    unsigned int mtu;
    int dhcp;
    int bridge; /* 1: this node may bridge */
    int broadcast_enabled;
    int port_error;
    unsigned long netconf_rev;
    unsigned int assigned_addr_count;
    struct zts_sockaddr_storage assigned_addrs[ZTS_MAX_ASSIGNED_ADDRESSES]; /* prefix length in the port */
    unsigned int route_count;
    zts_route_info_t routes[ZTS_MAX_NETWORK_ROUTES];
    unsigned int multicast_sub_count;
    struct {
        uint64_t mac; /* low 48 bits */
        uint32_t adi;
    } multicast_subs[ZTS_MAX_MULTICAST_SUBSCRIPTIONS];
} zts_net_info_t;

/** A path to a peer over the physical network. */
typedef struct {
    struct zts_sockaddr_storage address;
    uint64_t last_tx; /* milliseconds since 1970, 0 for never */
    uint64_t last_rx;
    uint64_t trusted_path_id;
    float latency; /* milliseconds, -1 if unknown */
    float unused_0;
    float unused_1;
    float unused_2;
    float unused_3;
    float unused_4;
    uint64_t unused_5;
    uint64_t unused_6;
    float unused_7;
    char *ifname; /* NULL */
    int expired;
    int preferred;
} zts_path_t;

#ifdef ZTS_BOTH_GENERATIONS
typedef enum zts_peer_role zts_peer_role_t;
#else
typedef enum {
    ZTS_PEER_ROLE_LEAF = 0, /* an ordinary node */
    ZTS_PEER_ROLE_MOON = 1, /* a root of a moon */
    ZTS_PEER_ROLE_PLANET = 2 /* a root of the planet */
} zts_peer_role_t;
#endif

/** A peer. */
typedef struct {
    uint64_t peer_id;
    int ver_major; /* -1 if unknown */
    int ver_minor;
    int ver_rev;
    int latency; /* milliseconds, -1 if unknown */
    zts_peer_role_t role;
    unsigned int path_count;
    int unused_0;
    zts_path_t paths[ZTS_MAX_PEER_NETWORK_PATHS];
} zts_peer_info_t;

/** Roots for zts_util_sign_root_set(): identities and endpoints ("1.2.3.4/9993") as text, NULL after the last. */
typedef struct {
    char *public_id_str[ZTS_MAX_NUM_ROOTS];
    char *endpoint_ip_str[ZTS_MAX_NUM_ROOTS][ZTS_MAX_ENDPOINTS_PER_ROOT];
} zts_root_set_t;

/** The virtual interface of a network. */
typedef struct {
    uint64_t net_id;
    uint64_t mac; /* low 48 bits */
    int mtu;
} zts_netif_info_t;

/** What the event handler is given. The library owns it and everything it points to; both end when the handler returns. */
typedef struct {
    int16_t event_code;
    /* At most one of these is not NULL: see zts_event_t. */
    zts_node_info_t *node;
    zts_net_info_t *network;
    zts_netif_info_t *netif;
    zts_route_info_t *route;
    zts_peer_info_t *peer;
    zts_addr_info_t *addr;
    void *cache;
    int len; /* bytes at cache */
} zts_event_msg_t;

/* ---- Before the start ----------------------------------------------------------------------------------------------
 * All return ZTS_ERR_SERVICE while the node runs, except the first two. */

/** Makes an identity; takes up to a second. @param key_buf_len in: exactly ZTS_ID_STR_BUF_LEN; out: the length */
ZTS_API int ZTCALL zts_id_new(char *key, unsigned int *key_buf_len);

/** 1 if the text is a valid identity with its secret. @param len exactly ZTS_ID_STR_BUF_LEN */
ZTS_API int ZTCALL zts_id_pair_is_valid(const char *key, unsigned int len);

/** The directory of the identity and of what is remembered; made if there is none. */
ZTS_API int ZTCALL zts_init_from_storage(const char *path);

/** The identity with its secret, as text. */
ZTS_API int ZTCALL zts_init_from_memory(const char *key, unsigned int len);

/** The event handler: called with a zts_event_msg_t, one at a time, in order, on a thread of the library. */
ZTS_API int ZTCALL zts_init_set_event_handler(void (*callback)(void *));

/* There is no relay over TCP here: asking for it is refused with ZTS_ERR_GENERAL, switching it off is ZTS_ERR_OK. */
ZTS_API int ZTCALL zts_init_set_tcp_relay(const char *tcp_relay_addr, unsigned short tcp_relay_port);
ZTS_API int ZTCALL zts_init_allow_tcp_relay(int enabled);
ZTS_API int ZTCALL zts_init_force_tcp_relay(int enabled);

/** Does not use network interfaces whose name begins with this, nor those that come later; at most 15 bytes. A start without
 *  any interface left fails (ZTS_EVENT_NODE_FATAL_ERROR). */
ZTS_API int ZTCALL zts_init_blacklist_if(const char *prefix, unsigned int len);

/** A planet in serialised form, at most ZTS_STORE_DATA_LEN bytes. */
ZTS_API int ZTCALL zts_init_set_roots(const void *roots_data, unsigned int len);

/** There is no such mode here: asking for it is refused with ZTS_ERR_GENERAL. */
ZTS_API int ZTCALL zts_init_set_low_bandwidth_mode(int enabled);

/** The UDP port; 0 for a random one. */
ZTS_API int ZTCALL zts_init_set_port(unsigned short port);
ZTS_API int ZTCALL zts_init_set_random_port_range(unsigned short start_port, unsigned short end_port);

/* The node has one port and asks no gateway for a mapping: allowing either is refused with ZTS_ERR_GENERAL. */
ZTS_API int ZTCALL zts_init_allow_secondary_port(unsigned int allowed);
ZTS_API int ZTCALL zts_init_allow_port_mapping(unsigned int allowed);

/* What is remembered in the storage directory. On unless switched off. */
ZTS_API int ZTCALL zts_init_allow_net_cache(unsigned int allowed);
ZTS_API int ZTCALL zts_init_allow_peer_cache(unsigned int allowed);
ZTS_API int ZTCALL zts_init_allow_roots_cache(unsigned int allowed);
ZTS_API int ZTCALL zts_init_allow_id_cache(unsigned int allowed);

/* ---- Node --------------------------------------------------------------------------------------------------------- */

/** Starts the node and returns at once. */
ZTS_API int ZTCALL zts_node_start(void);
/** 1 if a root answers, else 0. */
ZTS_API int ZTCALL zts_node_is_online(void);
/** The node ID; (uint64_t)ZTS_ERR_SERVICE before the identity is loaded. */
ZTS_API uint64_t ZTCALL zts_node_get_id(void);
/** The identity with its secret. @param key_dst_len in: at least ZTS_ID_STR_BUF_LEN; out: the length */
ZTS_API int ZTCALL zts_node_get_id_pair(char *key, unsigned int *key_dst_len);
/** The UDP port. */
ZTS_API int ZTCALL zts_node_get_port(void);
/** Stops the node and returns at once; ZTS_EVENT_NODE_DOWN is the last event. What was written to connections that were
 * closed before, or shut for writing, is still delivered: for up to 5 s, then the peer gets a reset. The process has to live
 * until ZTS_EVENT_NODE_DOWN or zts_node_free() for that. A start that follows at once waits for the end. Nodes do not live
 * on in a child of the process: every call there fails and says so. */
ZTS_API int ZTCALL zts_node_stop(void);
/** Stops everything for the rest of the process and waits for it. */
ZTS_API int ZTCALL zts_node_free(void);
/** Adds the roots of a moon, asked for at the root moon_seed. */
ZTS_API int ZTCALL zts_moon_orbit(uint64_t moon_roots_id, uint64_t moon_seed);
ZTS_API int ZTCALL zts_moon_deorbit(uint64_t moon_roots_id);

/* ---- Networks and addresses ---------------------------------------------------------------------------------------- */

ZTS_API int ZTCALL zts_net_join(uint64_t net_id);
ZTS_API int ZTCALL zts_net_leave(uint64_t net_id);
/** 1 as soon as this node has an address on the network, else 0. */
ZTS_API int ZTCALL zts_net_transport_is_ready(const uint64_t net_id);
ZTS_API uint64_t ZTCALL zts_net_get_mac(uint64_t net_id);
/** "01:23:45:67:89:ab". @param len at least ZTS_MAC_ADDRSTRLEN */
ZTS_API int ZTCALL zts_net_get_mac_str(uint64_t net_id, char *dst, unsigned int len);
ZTS_API int ZTCALL zts_net_get_broadcast(uint64_t net_id);
ZTS_API int ZTCALL zts_net_get_mtu(uint64_t net_id);
/** @param len exactly ZTS_MAX_NETWORK_SHORT_NAME_LENGTH */
ZTS_API int ZTCALL zts_net_get_name(uint64_t net_id, char *dst, unsigned int len);
/** A zts_network_status_t. */
ZTS_API int ZTCALL zts_net_get_status(uint64_t net_id);
/** A zts_net_info_type_t. */
ZTS_API int ZTCALL zts_net_get_type(uint64_t net_id);
/** What the controller of a network may set on this node: each 1 or 0. */
typedef struct {
    int allow_managed; /* addresses and routes; without it there are none. Default: 1 */
    int allow_global; /* also those in global address space. Default: 0 */
    int allow_default; /* also a route to everywhere. Default: 0 */
    int allow_dns; /* name servers. Default: 0 */
} zts_net_settings_t;
/** What the controller of a joined network may set. */
ZTS_API int ZTCALL zts_net_get_settings(uint64_t net_id, zts_net_settings_t *settings);
/** Changes it: addresses and routes come and go at once. It is stored with the network and kept until it is left. */
ZTS_API int ZTCALL zts_net_set_settings(uint64_t net_id, const zts_net_settings_t *settings);
/** The ID of the ad-hoc network that needs no controller: IPv6, and TCP connections to these ports only. UDP passes on all. */
ZTS_API uint64_t ZTCALL zts_net_compute_adhoc_id(uint16_t start_port, uint16_t end_port);

/** 1 if the network has a route of the family (ZTS_AF_*), else 0. */
ZTS_API int ZTCALL zts_route_is_assigned(uint64_t net_id, unsigned int family);
/** 1 if this node has an address of the family, else 0. */
ZTS_API int ZTCALL zts_addr_is_assigned(uint64_t net_id, unsigned int family);
/** The first address of the family. */
ZTS_API int ZTCALL zts_addr_get(uint64_t net_id, unsigned int family, struct zts_sockaddr_storage *addr);
/** @param len at least ZTS_IP_MAX_STR_LEN */
ZTS_API int ZTCALL zts_addr_get_str(uint64_t net_id, unsigned int family, char *dst, unsigned int len);
/** @param count in: exactly ZTS_MAX_ASSIGNED_ADDRESSES; out: how many */
ZTS_API int ZTCALL zts_addr_get_all(uint64_t net_id, struct zts_sockaddr_storage *addr, unsigned int *count);
/* Addresses that a node has by calculation. The _str forms want len to be exactly ZTS_IP_MAX_STR_LEN. */
ZTS_API int ZTCALL zts_addr_compute_6plane(
    const uint64_t net_id, const uint64_t node_id, struct zts_sockaddr_storage *addr);
ZTS_API int ZTCALL zts_addr_compute_rfc4193(
    const uint64_t net_id, const uint64_t node_id, struct zts_sockaddr_storage *addr);
ZTS_API int ZTCALL zts_addr_compute_6plane_str(uint64_t net_id, uint64_t node_id, char *dst, unsigned int len);
ZTS_API int ZTCALL zts_addr_compute_rfc4193_str(uint64_t net_id, uint64_t node_id, char *dst, unsigned int len);

/* Queries by index. Between obtain and release, they all answer from the same moment. */
ZTS_API int ZTCALL zts_core_lock_obtain(void);
ZTS_API int ZTCALL zts_core_lock_release(void);
ZTS_API int ZTCALL zts_core_query_addr_count(uint64_t net_id);
ZTS_API int ZTCALL zts_core_query_addr(uint64_t net_id, unsigned int idx, char *addr, unsigned int len);
ZTS_API int ZTCALL zts_core_query_route_count(uint64_t net_id);
ZTS_API int ZTCALL zts_core_query_route(
    uint64_t net_id, unsigned int idx, char *target, char *via, unsigned int len, uint16_t *flags, uint16_t *metric);
ZTS_API int ZTCALL zts_core_query_path_count(uint64_t peer_id);
ZTS_API int ZTCALL zts_core_query_path(uint64_t peer_id, unsigned int idx, char *dst, unsigned int len);
ZTS_API int ZTCALL zts_core_query_mc_count(uint64_t net_id);
ZTS_API int ZTCALL zts_core_query_mc(uint64_t net_id, unsigned int idx, uint64_t *mac, uint32_t *adi);

/* ---- Statistics ---------------------------------------------------------------------------------------------------- */

/** Counters of the TCP/IP stack. They wrap around. */
typedef struct {
    uint32_t link_tx;
    uint32_t link_rx;
    uint32_t link_drop;
    uint32_t link_err;
    uint32_t etharp_tx;
    uint32_t etharp_rx;
    uint32_t etharp_drop;
    uint32_t etharp_err;
    uint32_t ip4_tx;
    uint32_t ip4_rx;
    uint32_t ip4_drop;
    uint32_t ip4_err;
    uint32_t ip6_tx;
    uint32_t ip6_rx;
    uint32_t ip6_drop;
    uint32_t ip6_err;
    uint32_t icmp4_tx;
    uint32_t icmp4_rx;
    uint32_t icmp4_drop;
    uint32_t icmp4_err;
    uint32_t icmp6_tx;
    uint32_t icmp6_rx;
    uint32_t icmp6_drop;
    uint32_t icmp6_err;
    uint32_t udp_tx;
    uint32_t udp_rx;
    uint32_t udp_drop;
    uint32_t udp_err;
    uint32_t tcp_tx;
    uint32_t tcp_rx;
    uint32_t tcp_drop;
    uint32_t tcp_err;
    uint32_t nd6_tx;
    uint32_t nd6_rx;
    uint32_t nd6_drop;
    uint32_t nd6_err;
} zts_stats_counter_t;

/** All counters. Available in every build. */
ZTS_API int ZTCALL zts_stats_get_all(zts_stats_counter_t *dst);

/* ---- Sockets as in BSD ---------------------------------------------------------------------------------------------
 * addr may be a struct zts_sockaddr_in or zts_sockaddr_in6, cast. */

#ifndef ZTS_BOTH_GENERATIONS
typedef struct zts_fd_set {
    unsigned char fd_bits[(ZTS_FD_SETSIZE + 7) / 8];
} zts_fd_set;

struct zts_iovec {
    void *iov_base;
    size_t iov_len;
};

struct zts_msghdr {
    void *msg_name;
    zts_socklen_t msg_namelen;
    struct zts_iovec *msg_iov;
    int msg_iovlen;
    void *msg_control;
    zts_socklen_t msg_controllen;
    int msg_flags;
};

struct zts_linger {
    int l_onoff;
    int l_linger; /* seconds */
};

typedef unsigned int zts_nfds_t;

struct zts_pollfd {
    int fd;
    short events; /* ZTS_POLL* */
    short revents;
};
#endif

typedef struct zts_timeval {
    long tv_sec;
    long tv_usec;
} zts_timeval;

typedef struct zts_timespec {
    long tv_sec;
    long tv_nsec;
} zts_timespec;

#ifdef ZTS_BOTH_GENERATIONS
#define zts_mmsghdr zts18_mmsghdr
#endif
/* One message of a batch. */
struct zts_mmsghdr {
    struct zts_msghdr msg_hdr;
    unsigned int msg_len; /* bytes sent or received */
};

typedef struct zts_ip_mreq {
    struct zts_in_addr imr_multiaddr;
    struct zts_in_addr imr_interface;
} zts_ip_mreq;

typedef struct zts_ipv6_mreq {
    struct zts_in6_addr ipv6mr_multiaddr;
    unsigned int ipv6mr_interface;
} zts_ipv6_mreq;

struct zts_in_pktinfo {
    unsigned int ipi_ifindex;
    struct zts_in_addr ipi_addr;
};

struct zts_hostent {
    char *h_name;
    char **h_aliases;
    int h_addrtype; /* ZTS_AF_* */
    int h_length;
    char **h_addr_list;
};
#ifndef h_addr
#define h_addr h_addr_list[0]
#endif

ZTS_API int ZTCALL zts_bsd_socket(int family, int type, int protocol);
ZTS_API int ZTCALL zts_bsd_connect(int fd, const struct zts_sockaddr *addr, zts_socklen_t addrlen);
ZTS_API int ZTCALL zts_bsd_bind(int fd, const struct zts_sockaddr *addr, zts_socklen_t addrlen);
ZTS_API int ZTCALL zts_bsd_listen(int fd, int backlog);
ZTS_API int ZTCALL zts_bsd_accept(int fd, struct zts_sockaddr *addr, zts_socklen_t *addrlen);
ZTS_API int ZTCALL zts_bsd_setsockopt(int fd, int level, int optname, const void *optval, zts_socklen_t optlen);
ZTS_API int ZTCALL zts_bsd_getsockopt(int fd, int level, int optname, void *optval, zts_socklen_t *optlen);
ZTS_API int ZTCALL zts_bsd_getsockname(int fd, struct zts_sockaddr *addr, zts_socklen_t *addrlen);
ZTS_API int ZTCALL zts_bsd_getpeername(int fd, struct zts_sockaddr *addr, zts_socklen_t *addrlen);
ZTS_API int ZTCALL zts_bsd_close(int fd);
ZTS_API int ZTCALL zts_bsd_select(
    int nfds, zts_fd_set *readfds, zts_fd_set *writefds, zts_fd_set *exceptfds, struct zts_timeval *timeout);
ZTS_API int ZTCALL zts_bsd_fcntl(int fd, int cmd, int flags);
ZTS_API int ZTCALL zts_bsd_poll(struct zts_pollfd *fds, zts_nfds_t nfds, int timeout);
ZTS_API int ZTCALL zts_bsd_ioctl(int fd, unsigned long request, void *argp);
ZTS_API ssize_t ZTCALL zts_bsd_send(int fd, const void *buf, size_t len, int flags);
ZTS_API ssize_t ZTCALL zts_bsd_sendto(
    int fd, const void *buf, size_t len, int flags, const struct zts_sockaddr *addr, zts_socklen_t addrlen);
ZTS_API ssize_t ZTCALL zts_bsd_sendmsg(int fd, const struct zts_msghdr *msg, int flags);
ZTS_API ssize_t ZTCALL zts_bsd_recv(int fd, void *buf, size_t len, int flags);
ZTS_API ssize_t ZTCALL zts_bsd_recvfrom(
    int fd, void *buf, size_t len, int flags, struct zts_sockaddr *addr, zts_socklen_t *addrlen);
ZTS_API ssize_t ZTCALL zts_bsd_recvmsg(int fd, struct zts_msghdr *msg, int flags);

/**
 * Sends up to 1024 messages by one call: datagrams that fit into the send queue are put there together. They keep their
 * order. Only msg_name, msg_namelen, msg_iov and msg_iovlen of each message are read; the
 * library writes msg_len, the number of bytes sent, of those that were sent and keeps no pointer after the call. A blocking
 * socket waits for room; the time-out of ZTS_SO_SNDTIMEO counts anew whenever there was some.
 * @param flags as of zts_bsd_sendmsg()
 * @return how many messages were sent; fewer than vlen if a later one failed or would have had to wait: call again with the
 * rest to learn why. ZTS_ERR_SOCKET with zts_errno if the first one failed, ZTS_ERR_ARG for NULL
 */
ZTS_API int ZTCALL zts_bsd_sendmmsg(int fd, struct zts_mmsghdr *msgvec, unsigned int vlen, int flags);

/**
 * Receives up to vlen messages by one call. Each one's msg_hdr is as for zts_bsd_recvmsg(): the program owns the memory, and
 * msg_namelen, which the call changes, has to be set before each call. msg_len is the number of bytes received.
 * A blocking socket waits until all vlen have come.
 * @param flags as of zts_bsd_recvmsg(); ZTS_MSG_WAITFORONE waits for the first message only and then takes what is there
 * @param timeout how long the call lasts at most, at any moment of it (Linux looks only when a message comes); zero takes
 * what is there; NULL is no limit beyond ZTS_SO_RCVTIMEO, which counts anew for each message. If something was received,
 * what is left of the time is written there.
 * @return how many messages were received. If none: ZTS_ERR_SOCKET with zts_errno, ZTS_EAGAIN when the time is over,
 * ZTS_EINVAL for a timeout that cannot be, ZTS_ERR_ARG for NULL. An error after the first message is the next call's.
 */
ZTS_API int ZTCALL zts_bsd_recvmmsg(
    int fd, struct zts_mmsghdr *msgvec, unsigned int vlen, int flags, struct zts_timespec *timeout);

ZTS_API ssize_t ZTCALL zts_bsd_read(int fd, void *buf, size_t len);
ZTS_API ssize_t ZTCALL zts_bsd_readv(int fd, const struct zts_iovec *iov, int iovcnt);
ZTS_API ssize_t ZTCALL zts_bsd_write(int fd, const void *buf, size_t len);
ZTS_API ssize_t ZTCALL zts_bsd_writev(int fd, const struct zts_iovec *iov, int iovcnt);
ZTS_API int ZTCALL zts_bsd_shutdown(int fd, int how);
#ifdef ZTS_BOTH_GENERATIONS
#undef zts_mmsghdr
#endif
/** Looks a name up at the name servers, over the virtual networks. The result belongs to the calling thread until its next
 * call. */
ZTS_API struct zts_hostent *ZTCALL zts_bsd_gethostbyname(const char *name);

/* ---- Sockets made simple -------------------------------------------------------------------------------------------
 * Addresses as text. Buffers for addresses have exactly ZTS_IP_MAX_STR_LEN bytes. */

ZTS_API int ZTCALL zts_socket(int family, int type, int protocol) ZTS_OWN_(socket);

/** Connects. A blocking socket is tried again until the time is over. @param timeout_ms 0 for 30 seconds */
ZTS_API int ZTCALL zts_connect(int fd, const char *ipstr, unsigned short port, int timeout_ms) ZTS_OWN_(connect);
ZTS_API int ZTCALL zts_bind(int fd, const char *ipstr, unsigned short port) ZTS_OWN_(bind);
ZTS_API int ZTCALL zts_listen(int fd, int backlog) ZTS_OWN_(listen);
ZTS_API int ZTCALL zts_accept(int fd, char *remote_addr, int len, unsigned short *port) ZTS_OWN_(accept);
ZTS_API ssize_t ZTCALL zts_send(int fd, const void *buf, size_t len, int flags) ZTS_OWN_(send);
ZTS_API ssize_t ZTCALL zts_recv(int fd, void *buf, size_t len, int flags) ZTS_OWN_(recv);
ZTS_API ssize_t ZTCALL zts_read(int fd, void *buf, size_t len) ZTS_OWN_(read);
ZTS_API ssize_t ZTCALL zts_write(int fd, const void *buf, size_t len) ZTS_OWN_(write);
ZTS_API int ZTCALL zts_close(int fd) ZTS_OWN_(close);
ZTS_API int ZTCALL zts_getpeername(int fd, char *remote_addr_str, int len, unsigned short *port) ZTS_OWN_(getpeername);
ZTS_API int ZTCALL zts_getsockname(int fd, char *local_addr_str, int len, unsigned short *port) ZTS_OWN_(getsockname);

ZTS_API int ZTCALL zts_shutdown_rd(int fd);
ZTS_API int ZTCALL zts_shutdown_wr(int fd);
ZTS_API int ZTCALL zts_shutdown_rdwr(int fd);

/** A connected socket. */
ZTS_API int ZTCALL zts_tcp_client(const char *remote_ipstr, unsigned short remote_port);
/** Waits for one connection and returns its socket. */
ZTS_API int ZTCALL zts_tcp_server(
    const char *local_ipstr, unsigned short local_port, char *remote_ipstr, int len, unsigned short *remote_port);
/** A bound datagram socket. */
ZTS_API int ZTCALL zts_udp_server(const char *local_ipstr, unsigned short local_port);
/** A datagram socket of the address's family. */
ZTS_API int ZTCALL zts_udp_client(const char *remote_ipstr);

/* Options. enabled is 0 or 1. */
ZTS_API int ZTCALL zts_set_no_delay(int fd, int enabled);
ZTS_API int ZTCALL zts_get_no_delay(int fd);
ZTS_API int ZTCALL zts_set_linger(int fd, int enabled, int value);
ZTS_API int ZTCALL zts_get_linger_enabled(int fd);
ZTS_API int ZTCALL zts_get_linger_value(int fd);
ZTS_API int ZTCALL zts_get_pending_data_size(int fd);
ZTS_API int ZTCALL zts_set_reuse_addr(int fd, int enabled);
ZTS_API int ZTCALL zts_get_reuse_addr(int fd);
ZTS_API int ZTCALL zts_set_recv_timeout(int fd, int seconds, int microseconds);
/** Whole seconds. */
ZTS_API int ZTCALL zts_get_recv_timeout(int fd);
ZTS_API int ZTCALL zts_set_send_timeout(int fd, int seconds, int microseconds);
/** Whole seconds. */
ZTS_API int ZTCALL zts_get_send_timeout(int fd);
ZTS_API int ZTCALL zts_set_send_buf_size(int fd, int size);
ZTS_API int ZTCALL zts_get_send_buf_size(int fd);
ZTS_API int ZTCALL zts_set_recv_buf_size(int fd, int size);
ZTS_API int ZTCALL zts_get_recv_buf_size(int fd);
/** @param ttl 0 to 255 */
ZTS_API int ZTCALL zts_set_ttl(int fd, int ttl);
ZTS_API int ZTCALL zts_get_ttl(int fd);
ZTS_API int ZTCALL zts_set_blocking(int fd, int enabled);
ZTS_API int ZTCALL zts_get_blocking(int fd);
ZTS_API int ZTCALL zts_set_keepalive(int fd, int enabled);
ZTS_API int ZTCALL zts_get_keepalive(int fd);
/** The socket's pending error number, which reading clears. */
ZTS_API int ZTCALL zts_get_last_socket_error(int fd);
/** Errors come as huge values. */
ZTS_API size_t ZTCALL zts_get_data_available(int fd);

/* ---- DNS and utilities --------------------------------------------------------------------------------------------- */

struct zts_ip4_addr {
    uint32_t addr; /* network byte order */
};

struct zts_ip6_addr {
    uint32_t addr[4]; /* network byte order */
#if defined(LWIP_IPV6_SCOPES) && LWIP_IPV6_SCOPES
    uint8_t zone;
#endif
};

typedef struct zts_ip_addr {
    union {
        struct zts_ip6_addr ip6;
        struct zts_ip4_addr ip4;
    } u_addr;
    uint8_t type; /* 0: IPv4, 6: IPv6 */
} zts_ip_addr;

/** @param index 0 or 1 */
ZTS_API int ZTCALL zts_dns_set_server(uint8_t index, const zts_ip_addr *addr);
/** NULL if there is none. */
ZTS_API const zts_ip_addr *ZTCALL zts_dns_get_server(uint8_t index);

/** Signs a planet with keys from the files previous.c25519 and current.c25519 in the working directory, or new ones.
 * Keys: 64 bytes public, 64 bytes secret. Lengths: room on the way in. */
ZTS_API int ZTCALL zts_util_sign_root_set(
    char *roots_out, unsigned int *roots_len, char *prev_key, unsigned int *prev_key_len, char *curr_key,
    unsigned int *curr_key_len, uint64_t id, uint64_t ts, zts_root_set_t *roots_spec);

ZTS_API void ZTCALL zts_util_delay(unsigned long milliseconds);
/** ZTS_AF_INET, ZTS_AF_INET6 or -1. */
ZTS_API int ZTCALL zts_util_get_ip_family(const char *ipstr);
ZTS_API int ZTCALL zts_util_ipstr_to_saddr(
    const char *src_ipstr, unsigned short port, struct zts_sockaddr *dstaddr, zts_socklen_t *addrlen);
/** @param len exactly ZTS_IP_MAX_STR_LEN */
ZTS_API int ZTCALL zts_util_ntop(
    struct zts_sockaddr *addr, zts_socklen_t addrlen, char *dst_str, int len, unsigned short *port);
/** The result belongs to the calling thread until its next call. */
ZTS_API char *ZTCALL zts_ipaddr_ntoa(const zts_ip_addr *addr);
/** 1 if it is an address, else 0. */
ZTS_API int ZTCALL zts_ipaddr_aton(const char *cp, zts_ip_addr *addr);
ZTS_API const char *ZTCALL zts_inet_ntop(int family, const void *src, char *dst, zts_socklen_t size);
ZTS_API int ZTCALL zts_inet_pton(int family, const char *src, void *dst);

/* ---- Network controller -------------------------------------------------------------------------------------------
 * Networks of one's own. The node answers for every network whose ID begins with its node ID; others join it by zts_net_join()
 * from anywhere, and the roots lead them here. A node may be a member of its own networks.
 *
 *     uint64_t network;
 *     zts_controller_enable(1);
 *     zts_controller_network_create(&network,
 *         "{\"name\":\"home\",\"v4AssignMode\":{\"zt\":true},\"routes\":[{\"target\":\"10.1.2.0/24\"}],"
 *         "\"ipAssignmentPools\":[{\"ipRangeStart\":\"10.1.2.1\",\"ipRangeEnd\":\"10.1.2.254\"}]}");
 *     ... ZTS_EVENT_CONTROLLER_MEMBER_WAITING ...
 *     zts_controller_member_authorize(network, node, 1);
 *
 * Records are JSON objects with the fields of ZeroTier One's controller. Of a network: name, private, enableBroadcast,
 * multicastLimit, mtu, v4AssignMode, v6AssignMode, routes, ipAssignmentPools, rules, capabilities, tags, rulesSource (which is
 * compiled if there are no rules beside it), dns, authTokens, remoteTraceTarget, remoteTraceLevel and
 * certificateTimeoutWindowSize. Of a member: authorized, name, activeBridge, noAutoAssignIps, ipAssignments, tags,
 * capabilities, remoteTraceTarget and remoteTraceLevel. A change says what it changes, the rest stays; fields that it cannot
 * change are passed over. "{}" is a private network with nothing but defaults.
 *
 * A change is on the disk when its call returns, in controller.db of the node's directory; without a directory it is kept in
 * memory. A call that fails has changed nothing. Codes: ZTS_ERR_OK; ZTS_ERR_ARG for a wrong argument or field,
 * which zts_last_error_message() names; ZTS_ERR_NO_RESULT if there is no such network or member; ZTS_ERR_SERVICE while the
 * node does not run or is no controller; ZTS_ERR_GENERAL if the disk refuses or a limit is reached. The node need not be
 * online. A text and its final 0 go to buf: len is the room on the way in and the text's length on the way out, or, with
 * ZTS_ERR_ARG, the room needed: so buf may be NULL to ask for that. All may be called in the event handler. */

/** Whether the node controls networks: at once if it runs (a start that is under way is waited for), and from each start
 * on. May be called before the start. Switched off, it answers nobody; networks stay on the disk. */
ZTS_API int ZTCALL zts_controller_enable(unsigned int enabled) ZTS_OWN_(controller_enable);
/** Makes a network. @param net_id gets its ID, whose last six digits are drawn */
ZTS_API int ZTCALL zts_controller_network_create(uint64_t *net_id, const char *json)
    ZTS_OWN_(controller_network_create);
/** Deletes a network. Its members are told and refuse each other. */
ZTS_API int ZTCALL zts_controller_network_delete(uint64_t net_id) ZTS_OWN_(controller_network_delete);
/** An array of the IDs, as strings of 16 digits, ascending. */
ZTS_API int ZTCALL zts_controller_network_list(char *buf, size_t *len) ZTS_OWN_(controller_network_list);
/** The record of a network, with id, revision and creationTime. */
ZTS_API int ZTCALL zts_controller_network_get(uint64_t net_id, char *buf, size_t *len) ZTS_OWN_(controller_network_get);
/** Changes a network, or makes it under an ID that begins with this node's ID. Members that are there have it at once. */
ZTS_API int ZTCALL zts_controller_network_set(uint64_t net_id, const char *json) ZTS_OWN_(controller_network_set);
/** An object: the members' IDs, as strings of 10 digits, and their revisions. Who waits to be let in has revision 0; it is
 * forgotten after ten minutes of silence. */
ZTS_API int ZTCALL zts_controller_member_list(uint64_t net_id, char *buf, size_t *len) ZTS_OWN_(controller_member_list);
/** The record of a member, or of a node that waits, with id, revision, creationTime, identity, ipAssignments, vMajor, vMinor,
 * vRev, lastAuthorizedTime, lastDeauthorizedTime and others. */
ZTS_API int ZTCALL zts_controller_member_get(uint64_t net_id, uint64_t node_id, char *buf, size_t *len)
    ZTS_OWN_(controller_member_get);
/** Changes a member, or makes one before it asks. */
ZTS_API int ZTCALL zts_controller_member_set(uint64_t net_id, uint64_t node_id, const char *json)
    ZTS_OWN_(controller_member_set);
/** Lets a node in, or out: then others refuse it within a moment, and it gets ZTS_EVENT_NETWORK_ACCESS_DENIED. */
ZTS_API int ZTCALL zts_controller_member_authorize(uint64_t net_id, uint64_t node_id, unsigned int authorized)
    ZTS_OWN_(controller_member_authorize);
/** Forgets a member and its addresses. If it asks again, it waits. */
ZTS_API int ZTCALL zts_controller_member_delete(uint64_t net_id, uint64_t node_id) ZTS_OWN_(controller_member_delete);

#ifndef ZTS_BOTH_GENERATIONS
/* ---- Additions of this library -------------------------------------------------------------------------------------- */

/** Names a return code or, if positive, an error number. */
ZTS_API const char *ZTCALL zts_strerror(int code) ZTS_OWN_(strerror);
/** Why the last call of this thread that failed did, in words: never empty after a failure, whether the code was
 * ZTS_ERR_SOCKET, another one or only NULL. A call that succeeds leaves it as it is: look at it after a failure only.
 * In the event handler, until a call fails there: what the event is about, "" if there is nothing to say. Valid until
 * this thread's next call. */
ZTS_API const char *ZTCALL zts_last_error_message(void);
/** Why the last start failed, which goes on after the call: the directory, the identity or the port. NULL
 * while the node starts, runs, or was stopped. Where no event is waited for, ask it beside the node's state.
 * The text is valid until the thread's next call. */
ZTS_API const char *ZTCALL zts_get_start_error(void);

/**
 * Switches traces on and off: lines on standard error about what happens inside, for finding out why something does not
 * work. Holds for all nodes of the process, at once and for those started later. Each node prints at most 200 lines a
 * second and never waits for a reader; what is off costs nothing. Until the first call the environment variable
 * ZEROTIER_TRACE says what is on, in the same words; without it nothing, but "basic" in a library of `make host_debug`.
 * @param modules names between commas: transport, paths, networks, rules, arp (ARP and NDP), ip, udp, tcp, sockets,
 * storage; basic for all but the TCP/IP stack's, all, or none
 * @return ZTS_ERR_OK; a negative number if a name is not one of these, and nothing changes
 */
ZTS_API int ZTCALL zts_trace_set(const char *modules);

/**
 * A descriptor of the host that follows a socket, to wait for it with epoll, poll or select beside the host's own
 * descriptors. Wait for reading (EPOLLIN, POLLIN). It is readable
 *   - while there is something to receive, a connection to accept, the end of the stream or an error to be told;
 *   - while both directions have ended, and from when the node is stopped (calls fail then);
 *   - after a call that sends or connects would have had to wait (ZTS_EAGAIN, ZTS_EINPROGRESS): once there is room,
 *     or the connection is made or has failed. The next call that sends, or after a connect
 *     zts_get_last_socket_error(), ends that.
 * It says what is, not what changed (level-triggered): it stays readable until calls have taken what is there. So
 * receive until ZTS_EAGAIN also while you wait for room, or wait for the room by zts_bsd_poll(). It may be readable
 * without reason, until the next call: the socket should not block.
 * The first call makes it, later ones return the same number. It belongs to the socket: wait for it, but do not read
 * or close it. It ends with the socket: take it out of an epoll set before zts_close().
 * @return the descriptor; ZTS_ERR_SOCKET (-1) with zts_errno ZTS_EBADF, or ZTS_EMFILE if the host gives none;
 * ZTS_ERR_SERVICE
 */
ZTS_API int ZTCALL zts_get_event_fd(int fd);

/** A host descriptor that becomes readable whenever the event handler was called, to wait for events beside other
 * descriptors. Read 8 bytes from it. The library closes it in zts_node_free(); after that, ZTS_ERR_SERVICE. */
ZTS_API int ZTCALL zts_get_node_event_fd(void);
#endif

#ifdef __cplusplus
}
#endif

#endif /* ZTS_SOCKETS_H */
