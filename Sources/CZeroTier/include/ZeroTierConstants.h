/*
 * Constants of the ZeroTier SDK, first generation of the interface (libzt up to 1.3.2).
 *
 * Included by ZeroTier.h. The second generation (libzt 1.3.3 and later) is ZeroTierSockets.h; the two give the same
 * names other values and refuse to be included together.
 */
#ifndef ZT_CONSTANTS_H
#define ZT_CONSTANTS_H

#if defined(ZTS_SOCKETS_H) && !defined(ZTS_BOTH_GENERATIONS)
#error "ZeroTier.h and ZeroTierSockets.h are two generations of one interface: include one of them"
#endif

/* Nothing to decorate on this platform; programs may use both. */
#ifndef ZT_SOCKET_API
#define ZT_SOCKET_API
#endif
#ifndef ZTCALL
#define ZTCALL
#endif

/* ---- Return codes --------------------------------------------------------------------------------------------------
 * Functions return one of these, or what they are asked for (a descriptor, a count). zts_strerror() names them. */

/** No error. */
#define ZTS_ERR_OK 0
/** The socket call failed; zts_errno says why. Only with this code does zts_errno mean something. */
#define ZTS_ERR (-1)
/** An argument is invalid. */
#define ZTS_ERR_INVALID_ARG (-2)
/** The service does not run, or is not online yet: try again. */
#define ZTS_ERR_SERVICE (-3)
/** The call makes no sense in this state. */
#define ZTS_ERR_INVALID_OP (-4)
/** Nothing is wrong, but there is no result, for instance because the network or peer is unknown. */
#define ZTS_ERR_NO_RESULT (-5)
/** Anything else; zts_last_error_message() says what. */
#define ZTS_ERR_GENERAL (-6)

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

/** The UDP port of programs that do not care. */
#define ZTS_DEFAULT_PORT 9994
/** Addresses in struct zts_network_details. */
#define ZTS_MAX_ASSIGNED_ADDRESSES 16
/** Routes in struct zts_network_details. */
#define ZTS_MAX_NETWORK_ROUTES 32
/** Paths in struct zts_peer_details. */
#define ZT_MAX_PEER_NETWORK_PATHS 16
#define SIN_ZERO_LEN 8

/* ---- Events --------------------------------------------------------------------------------------------------------
 * What the callback of zts_start() is told: zts_callback_msg.eventCode. In brackets: the member of the message that is
 * not NULL. */

/** Never delivered. */
#define ZTS_EVENT_NONE (-1)

/** [node] The service has started. If its directory or a secret in it is not its owner's alone, zts_last_error_message() says
 * so in the callback. */
#define ZTS_EVENT_NODE_UP 0
/** [node] No root answers (any more); zts_last_error_message() says why in the callback. Comes too, and again every minute,
 * while a node that was started does not come online. */
#define ZTS_EVENT_NODE_OFFLINE 1
/** [node] A root answers: networks can be joined. */
#define ZTS_EVENT_NODE_ONLINE 2
/** [node] The service has stopped. Nothing of this run follows. */
#define ZTS_EVENT_NODE_DOWN 3
/** [node] Another node has this node's address. The service restarts with a new identity. */
#define ZTS_EVENT_NODE_IDENTITY_COLLISION 4
/** [node] The service could not start: port taken, storage not writable. zts_last_error_message() says which. */
#define ZTS_EVENT_NODE_UNRECOVERABLE_ERROR 16
/** [node] The service is stopping, as asked. */
#define ZTS_EVENT_NODE_NORMAL_TERMINATION 17

/** [network] The controller does not know the network. */
#define ZTS_EVENT_NETWORK_NOT_FOUND 32
/** [network] The controller wants a newer protocol. */
#define ZTS_EVENT_NETWORK_CLIENT_TOO_OLD 33
/** [network] Waiting for the controller's answer. */
#define ZTS_EVENT_NETWORK_REQUESTING_CONFIG 34
/** [network] Configured. Comes after the READY events. */
#define ZTS_EVENT_NETWORK_OK 35
/** [network] The controller does not admit this node (yet). */
#define ZTS_EVENT_NETWORK_ACCESS_DENIED 36
/** [network] The first IPv4 address is usable. */
#define ZTS_EVENT_NETWORK_READY_IP4 37
/** [network] The first IPv6 address is usable. */
#define ZTS_EVENT_NETWORK_READY_IP6 38
/** [network] Both families became usable at once. Comes after the other two. */
#define ZTS_EVENT_NETWORK_READY_IP4_IP6 39
/** [network] The network was left, or the service stops. */
#define ZTS_EVENT_NETWORK_DOWN 40

/** [none] The TCP/IP stack has started. Once per process. */
#define ZTS_EVENT_STACK_UP 48
/** [none] The TCP/IP stack has stopped for good, by zts_free(). The last event. */
#define ZTS_EVENT_STACK_DOWN 49

/** [netif] An address was put on the network's virtual interface. */
#define ZTS_EVENT_NETIF_UP 64
/** [netif] The interface goes down. */
#define ZTS_EVENT_NETIF_DOWN 65
/** [netif] The interface is gone. */
#define ZTS_EVENT_NETIF_REMOVED 66
/** [netif] The interface carries traffic. */
#define ZTS_EVENT_NETIF_LINK_UP 67
/** [netif] The interface does not carry traffic (any more). */
#define ZTS_EVENT_NETIF_LINK_DOWN 68

/** [peer] Packets to the peer go directly. */
#define ZTS_EVENT_PEER_P2P 96
/** [peer] Packets to the peer go through a root. */
#define ZTS_EVENT_PEER_RELAY 97
/** [peer] No way to the peer is known. */
#define ZTS_EVENT_PEER_UNREACHABLE 98

/** [path] A path to a peer was found. */
#define ZTS_EVENT_PATH_DISCOVERED 112
/** [path] A silent path answers again. */
#define ZTS_EVENT_PATH_ALIVE 113
/** [path] A path does not answer any more. */
#define ZTS_EVENT_PATH_DEAD 114

/** [route] The network has a new route. */
#define ZTS_EVENT_ROUTE_ADDED 128
/** [route] The network lost a route. */
#define ZTS_EVENT_ROUTE_REMOVED 129

/** [addr] An IPv4 address was assigned. */
#define ZTS_EVENT_ADDR_ADDED_IP4 144
/** [addr] An IPv4 address was taken away. */
#define ZTS_EVENT_ADDR_REMOVED_IP4 145
/** [addr] An IPv6 address was assigned. */
#define ZTS_EVENT_ADDR_ADDED_IP6 146
/** [addr] An IPv6 address was taken away. */
#define ZTS_EVENT_ADDR_REMOVED_IP6 147

/* As the documentation's sample log has them. */
#define ZTS_EVENT_ADDR_NEW_IP4 ZTS_EVENT_ADDR_ADDED_IP4
#define ZTS_EVENT_ADDR_NEW_IP6 ZTS_EVENT_ADDR_ADDED_IP6

/* Which group a code belongs to, and so which member of the message is there. */
#define NODE_EVENT_TYPE(code) ((code) >= ZTS_EVENT_NODE_UP && (code) <= ZTS_EVENT_NODE_NORMAL_TERMINATION)
#define NETWORK_EVENT_TYPE(code) ((code) >= ZTS_EVENT_NETWORK_NOT_FOUND && (code) <= ZTS_EVENT_NETWORK_DOWN)
#define STACK_EVENT_TYPE(code) ((code) >= ZTS_EVENT_STACK_UP && (code) <= ZTS_EVENT_STACK_DOWN)
#define NETIF_EVENT_TYPE(code) ((code) >= ZTS_EVENT_NETIF_UP && (code) <= ZTS_EVENT_NETIF_LINK_DOWN)
#define PEER_EVENT_TYPE(code) ((code) >= ZTS_EVENT_PEER_P2P && (code) <= ZTS_EVENT_PEER_UNREACHABLE)
#define PATH_EVENT_TYPE(code) ((code) >= ZTS_EVENT_PATH_DISCOVERED && (code) <= ZTS_EVENT_PATH_DEAD)
#define ROUTE_EVENT_TYPE(code) ((code) >= ZTS_EVENT_ROUTE_ADDED && (code) <= ZTS_EVENT_ROUTE_REMOVED)
#define ADDR_EVENT_TYPE(code) ((code) >= ZTS_EVENT_ADDR_ADDED_IP4 && (code) <= ZTS_EVENT_ADDR_REMOVED_IP6)

/** [network, peer] Of networks that this node controls: a node asks to be let in. Once, and again after ten minutes of
 * silence. */
#define ZTS_EVENT_CONTROLLER_MEMBER_WAITING 160
/** [network, peer] A member was made, let in or out, changed or deleted; zts_controller_member_get() says what it is. */
#define ZTS_EVENT_CONTROLLER_MEMBER_CHANGED 161
/** [network] A network was made or changed; or deleted, and then only nwid is set. */
#define ZTS_EVENT_CONTROLLER_NETWORK_CHANGED 162

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

/* fcntl */
#define ZTS_F_GETFL 3
#define ZTS_F_SETFL 4
#define ZTS_O_NONBLOCK 1
#define ZTS_O_NDELAY 1

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

/* Level ZTS_IPPROTO_IP. */
#define ZTS_IP_TOS 1
#define ZTS_IP_TTL 2

/* Level ZTS_IPPROTO_TCP. ZTS_TCP_KEEPALIVE is in milliseconds, KEEPIDLE and KEEPINTVL in seconds. */
#define ZTS_TCP_NODELAY 0x01
#define ZTS_TCP_KEEPALIVE 0x02
#define ZTS_TCP_KEEPIDLE 0x03
#define ZTS_TCP_KEEPINTVL 0x04
#define ZTS_TCP_KEEPCNT 0x05

/* Level ZTS_IPPROTO_IPV6. */
#define ZTS_IPV6_CHECKSUM 7
#define ZTS_IPV6_V6ONLY 27

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
/* ---- Statistics selectors of zts_get_protocol_stats() --------------------------------------------------------------- */

#define ZTS_STATS_PROTOCOL_LINK 0
#define ZTS_STATS_PROTOCOL_ETHARP 1
#define ZTS_STATS_PROTOCOL_IP 2
#define ZTS_STATS_PROTOCOL_UDP 3
#define ZTS_STATS_PROTOCOL_TCP 4
#define ZTS_STATS_PROTOCOL_ICMP 5
#define ZTS_STATS_PROTOCOL_IP_FRAG 6
#define ZTS_STATS_PROTOCOL_IP6 7
#define ZTS_STATS_PROTOCOL_ICMP6 8
#define ZTS_STATS_PROTOCOL_IP6_FRAG 9

/* ---- Error numbers -------------------------------------------------------------------------------------------------
 * What zts_errno holds: Linux's numbers, on every platform. */

#define ZTS_EPERM 1
#define ZTS_ENOENT 2
#define ZTS_ESRCH 3
#define ZTS_EINTR 4
#define ZTS_EIO 5
#define ZTS_ENXIO 6
#define ZTS_E2BIG 7
#define ZTS_ENOEXEC 8
#define ZTS_EBADF 9
#define ZTS_ECHILD 10
#define ZTS_EAGAIN 11
#define ZTS_EWOULDBLOCK ZTS_EAGAIN
#define ZTS_ENOMEM 12
#define ZTS_EACCES 13
#define ZTS_EFAULT 14
#define ZTS_ENOTBLK 15
#define ZTS_EBUSY 16
#define ZTS_EEXIST 17
#define ZTS_EXDEV 18
#define ZTS_ENODEV 19
#define ZTS_ENOTDIR 20
#define ZTS_EISDIR 21
#define ZTS_EINVAL 22
#define ZTS_ENFILE 23
#define ZTS_EMFILE 24
#define ZTS_ENOTTY 25
#define ZTS_ETXTBSY 26
#define ZTS_EFBIG 27
#define ZTS_ENOSPC 28
#define ZTS_ESPIPE 29
#define ZTS_EROFS 30
#define ZTS_EMLINK 31
#define ZTS_EPIPE 32
#define ZTS_EDOM 33
#define ZTS_ERANGE 34
#define ZTS_EDEADLK 35
#define ZTS_EDEADLOCK ZTS_EDEADLK
#define ZTS_ENAMETOOLONG 36
#define ZTS_ENOLCK 37
#define ZTS_ENOSYS 38
#define ZTS_ENOTEMPTY 39
#define ZTS_ELOOP 40
#define ZTS_ENOMSG 42
#define ZTS_EIDRM 43
#define ZTS_ECHRNG 44
#define ZTS_EL2NSYNC 45
#define ZTS_EL3HLT 46
#define ZTS_EL3RST 47
#define ZTS_ELNRNG 48
#define ZTS_EUNATCH 49
#define ZTS_ENOCSI 50
#define ZTS_EL2HLT 51
#define ZTS_EBADE 52
#define ZTS_EBADR 53
#define ZTS_EXFULL 54
#define ZTS_ENOANO 55
#define ZTS_EBADRQC 56
#define ZTS_EBADSLT 57
#define ZTS_EBFONT 59
#define ZTS_ENOSTR 60
#define ZTS_ENODATA 61
#define ZTS_ETIME 62
#define ZTS_ENOSR 63
#define ZTS_ENONET 64
#define ZTS_ENOPKG 65
#define ZTS_EREMOTE 66
#define ZTS_ENOLINK 67
#define ZTS_EADV 68
#define ZTS_ESRMNT 69
#define ZTS_ECOMM 70
#define ZTS_EPROTO 71
#define ZTS_EMULTIHOP 72
#define ZTS_EDOTDOT 73
#define ZTS_EBADMSG 74
#define ZTS_EOVERFLOW 75
#define ZTS_ENOTUNIQ 76
#define ZTS_EBADFD 77
#define ZTS_EREMCHG 78
#define ZTS_ELIBACC 79
#define ZTS_ELIBBAD 80
#define ZTS_ELIBSCN 81
#define ZTS_ELIBMAX 82
#define ZTS_ELIBEXEC 83
#define ZTS_EILSEQ 84
#define ZTS_ERESTART 85
#define ZTS_ESTRPIPE 86
#define ZTS_EUSERS 87
#define ZTS_ENOTSOCK 88
#define ZTS_EDESTADDRREQ 89
#define ZTS_EMSGSIZE 90
#define ZTS_EPROTOTYPE 91
#define ZTS_ENOPROTOOPT 92
#define ZTS_EPROTONOSUPPORT 93
#define ZTS_ESOCKTNOSUPPORT 94
#define ZTS_EOPNOTSUPP 95
#define ZTS_EPFNOSUPPORT 96
#define ZTS_EAFNOSUPPORT 97
#define ZTS_EADDRINUSE 98
#define ZTS_EADDRNOTAVAIL 99
#define ZTS_ENETDOWN 100
#define ZTS_ENETUNREACH 101
#define ZTS_ENETRESET 102
#define ZTS_ECONNABORTED 103
#define ZTS_ECONNRESET 104
#define ZTS_ENOBUFS 105
#define ZTS_EISCONN 106
#define ZTS_ENOTCONN 107
#define ZTS_ESHUTDOWN 108
#define ZTS_ETOOMANYREFS 109
#define ZTS_ETIMEDOUT 110
#define ZTS_ECONNREFUSED 111
#define ZTS_EHOSTDOWN 112
#define ZTS_EHOSTUNREACH 113
#define ZTS_EALREADY 114
#define ZTS_EINPROGRESS 115
#define ZTS_ESTALE 116
#define ZTS_EUCLEAN 117
#define ZTS_ENOTNAM 118
#define ZTS_ENAVAIL 119
#define ZTS_EISNAM 120
#define ZTS_EREMOTEIO 121
#define ZTS_EDQUOT 122
#define ZTS_ENOMEDIUM 123
#define ZTS_EMEDIUMTYPE 124

#ifdef __cplusplus
extern "C" {
#endif

/** The error number of the last socket call of the whole process, for programs that look the symbol up themselves.
 * Source that uses the name gets the calling thread's number instead, by the macro below. */
extern int zts_errno;

/** Where the calling thread's error number is. Never NULL. */
ZT_SOCKET_API int *ZTCALL zts_errno_location(void);

#ifdef __cplusplus
}
#endif

#define zts_errno (*zts_errno_location())

#endif /* ZT_CONSTANTS_H */
