#!/usr/bin/env python3
"""Writes generation1.c and generation2.c: assertions about the size, alignment and every offset of the structures, and
the value of every constant, of the two C interfaces on a 64-bit system. Run it after changing a table below."""

ERRORS_1 = """EPERM 1 ENOENT 2 ESRCH 3 EINTR 4 EIO 5 ENXIO 6 E2BIG 7 ENOEXEC 8 EBADF 9 ECHILD 10 EAGAIN 11 EWOULDBLOCK 11
ENOMEM 12 EACCES 13 EFAULT 14 ENOTBLK 15 EBUSY 16 EEXIST 17 EXDEV 18 ENODEV 19 ENOTDIR 20 EISDIR 21 EINVAL 22 ENFILE 23
EMFILE 24 ENOTTY 25 ETXTBSY 26 EFBIG 27 ENOSPC 28 ESPIPE 29 EROFS 30 EMLINK 31 EPIPE 32 EDOM 33 ERANGE 34 EDEADLK 35
EDEADLOCK 35 ENAMETOOLONG 36 ENOLCK 37 ENOSYS 38 ENOTEMPTY 39 ELOOP 40 ENOMSG 42 EIDRM 43 ECHRNG 44 EL2NSYNC 45
EL3HLT 46 EL3RST 47 ELNRNG 48 EUNATCH 49 ENOCSI 50 EL2HLT 51 EBADE 52 EBADR 53 EXFULL 54 ENOANO 55 EBADRQC 56
EBADSLT 57 EBFONT 59 ENOSTR 60 ENODATA 61 ETIME 62 ENOSR 63 ENONET 64 ENOPKG 65 EREMOTE 66 ENOLINK 67 EADV 68
ESRMNT 69 ECOMM 70 EPROTO 71 EMULTIHOP 72 EDOTDOT 73 EBADMSG 74 EOVERFLOW 75 ENOTUNIQ 76 EBADFD 77 EREMCHG 78
ELIBACC 79 ELIBBAD 80 ELIBSCN 81 ELIBMAX 82 ELIBEXEC 83 EILSEQ 84 ERESTART 85 ESTRPIPE 86 EUSERS 87 ENOTSOCK 88
EDESTADDRREQ 89 EMSGSIZE 90 EPROTOTYPE 91 ENOPROTOOPT 92 EPROTONOSUPPORT 93 ESOCKTNOSUPPORT 94 EOPNOTSUPP 95
EPFNOSUPPORT 96 EAFNOSUPPORT 97 EADDRINUSE 98 EADDRNOTAVAIL 99 ENETDOWN 100 ENETUNREACH 101 ENETRESET 102
ECONNABORTED 103 ECONNRESET 104 ENOBUFS 105 EISCONN 106 ENOTCONN 107 ESHUTDOWN 108 ETOOMANYREFS 109 ETIMEDOUT 110
ECONNREFUSED 111 EHOSTDOWN 112 EHOSTUNREACH 113 EALREADY 114 EINPROGRESS 115 ESTALE 116 EUCLEAN 117 ENOTNAM 118
ENAVAIL 119 EISNAM 120 EREMOTEIO 121 EDQUOT 122 ENOMEDIUM 123 EMEDIUMTYPE 124"""

ERRORS_2 = """EPERM 1 ENOENT 2 ESRCH 3 EINTR 4 EIO 5 ENXIO 6 EBADF 9 EAGAIN 11 EWOULDBLOCK 11 ENOMEM 12 EACCES 13 EFAULT 14
EBUSY 16 EEXIST 17 ENODEV 19 EINVAL 22 ENFILE 23 EMFILE 24 ENOSYS 38 ENOTSOCK 88 EDESTADDRREQ 89 EMSGSIZE 90
EPROTOTYPE 91 ENOPROTOOPT 92 EPROTONOSUPPORT 93 ESOCKTNOSUPPORT 94 EOPNOTSUPP 95 EPFNOSUPPORT 96 EAFNOSUPPORT 97
EADDRINUSE 98 EADDRNOTAVAIL 99 ENETDOWN 100 ENETUNREACH 101 ECONNABORTED 103 ECONNRESET 104 ENOBUFS 105 EISCONN 106
ENOTCONN 107 ETIMEDOUT 110 ECONNREFUSED 111 EHOSTUNREACH 113 EALREADY 114 EINPROGRESS 115"""

SOCKETS = """SOCK_STREAM 1 SOCK_DGRAM 2 SOCK_RAW 3 AF_UNSPEC 0 AF_INET 2 AF_INET6 10 PF_UNSPEC 0 PF_INET 2 PF_INET6 10
IPPROTO_IP 0 IPPROTO_ICMP 1 IPPROTO_TCP 6 IPPROTO_UDP 17 IPPROTO_IPV6 41 IPPROTO_ICMPV6 58 IPPROTO_UDPLITE 136
IPPROTO_RAW 255 MSG_PEEK 1 MSG_WAITALL 2 MSG_OOB 4 MSG_DONTWAIT 8 MSG_MORE 16 MSG_WAITFORONE 0x10000 F_GETFL 3 F_SETFL 4 O_NONBLOCK 1
O_NDELAY 1 SHUT_RD 0 SHUT_WR 1 SHUT_RDWR 2 SOL_SOCKET 0xfff SO_DEBUG 1 SO_ACCEPTCONN 2 SO_REUSEADDR 4 SO_KEEPALIVE 8
SO_DONTROUTE 0x10 SO_BROADCAST 0x20 SO_USELOOPBACK 0x40 SO_LINGER 0x80 SO_DONTLINGER -129 SO_OOBINLINE 0x100
SO_REUSEPORT 0x200 SO_SNDBUF 0x1001 SO_RCVBUF 0x1002 SO_SNDLOWAT 0x1003 SO_RCVLOWAT 0x1004 SO_SNDTIMEO 0x1005
SO_RCVTIMEO 0x1006 SO_ERROR 0x1007 SO_TYPE 0x1008 SO_CONTIMEO 0x1009 SO_NO_CHECK 0x100a IP_TOS 1 IP_TTL 2
TCP_NODELAY 1 TCP_KEEPALIVE 2 TCP_KEEPIDLE 3 TCP_KEEPINTVL 4 TCP_KEEPCNT 5 IPV6_CHECKSUM 7 IPV6_V6ONLY 27
IOCPARM_MASK 0x7f IOC_VOID 0x20000000 IOC_OUT 0x40000000 IOC_IN 0x80000000 IOC_INOUT 0xc0000000 FIONREAD 0x4008667f
FIONBIO 0x8008667e IO('a',1) 0x20006101 POLLIN 1 POLLOUT 2 POLLERR 4 POLLNVAL 8 POLLRDNORM 0x10 POLLRDBAND 0x20
POLLPRI 0x40 POLLWRNORM 0x80 POLLWRBAND 0x100 POLLHUP 0x200 FD_SETSIZE 1024"""

CONSTANTS_1 = """ERR_OK 0 ERR -1 ERR_INVALID_ARG -2 ERR_SERVICE -3 ERR_INVALID_OP -4 ERR_NO_RESULT -5 ERR_GENERAL -6
DEFAULT_PORT 9994 MAX_ASSIGNED_ADDRESSES 16 MAX_NETWORK_ROUTES 32 EVENT_NONE -1 EVENT_NODE_UP 0 EVENT_NODE_OFFLINE 1
EVENT_NODE_ONLINE 2 EVENT_NODE_DOWN 3 EVENT_NODE_IDENTITY_COLLISION 4 EVENT_NODE_UNRECOVERABLE_ERROR 16
EVENT_NODE_NORMAL_TERMINATION 17 EVENT_NETWORK_NOT_FOUND 32 EVENT_NETWORK_CLIENT_TOO_OLD 33
EVENT_NETWORK_REQUESTING_CONFIG 34 EVENT_NETWORK_OK 35 EVENT_NETWORK_ACCESS_DENIED 36 EVENT_NETWORK_READY_IP4 37
EVENT_NETWORK_READY_IP6 38 EVENT_NETWORK_READY_IP4_IP6 39 EVENT_NETWORK_DOWN 40 EVENT_STACK_UP 48 EVENT_STACK_DOWN 49
EVENT_NETIF_UP 64 EVENT_NETIF_DOWN 65 EVENT_NETIF_REMOVED 66 EVENT_NETIF_LINK_UP 67 EVENT_NETIF_LINK_DOWN 68
EVENT_PEER_P2P 96 EVENT_PEER_RELAY 97 EVENT_PEER_UNREACHABLE 98 EVENT_PATH_DISCOVERED 112 EVENT_PATH_ALIVE 113
EVENT_PATH_DEAD 114 EVENT_ROUTE_ADDED 128 EVENT_ROUTE_REMOVED 129 EVENT_ADDR_ADDED_IP4 144 EVENT_ADDR_REMOVED_IP4 145
EVENT_ADDR_ADDED_IP6 146 EVENT_ADDR_REMOVED_IP6 147 EVENT_ADDR_NEW_IP4 144 EVENT_ADDR_NEW_IP6 146 PEER_ROLE_LEAF 0
PEER_ROLE_MOON 1 PEER_ROLE_PLANET 2 STATS_PROTOCOL_LINK 0 STATS_PROTOCOL_ETHARP 1 STATS_PROTOCOL_IP 2
STATS_PROTOCOL_UDP 3 STATS_PROTOCOL_TCP 4 STATS_PROTOCOL_ICMP 5 STATS_PROTOCOL_IP_FRAG 6 STATS_PROTOCOL_IP6 7
STATS_PROTOCOL_ICMP6 8 STATS_PROTOCOL_IP6_FRAG 9"""

CONSTANTS_2 = """ERR_OK 0 ERR_SOCKET -1 ERR_SERVICE -2 ERR_ARG -3 ERR_NO_RESULT -4 ERR_GENERAL -5 EVENT_NODE_UP 200
EVENT_NODE_ONLINE 201 EVENT_NODE_OFFLINE 202 EVENT_NODE_DOWN 203 EVENT_NODE_FATAL_ERROR 204 EVENT_NETWORK_NOT_FOUND 210
EVENT_NETWORK_CLIENT_TOO_OLD 211 EVENT_NETWORK_REQ_CONFIG 212 EVENT_NETWORK_OK 213 EVENT_NETWORK_ACCESS_DENIED 214
EVENT_NETWORK_READY_IP4 215 EVENT_NETWORK_READY_IP6 216 EVENT_NETWORK_READY_IP4_IP6 217 EVENT_NETWORK_DOWN 218
EVENT_NETWORK_UPDATE 219 EVENT_STACK_UP 220 EVENT_STACK_DOWN 221 EVENT_NETIF_UP 230 EVENT_NETIF_DOWN 231
EVENT_NETIF_REMOVED 232 EVENT_NETIF_LINK_UP 233 EVENT_NETIF_LINK_DOWN 234 EVENT_PEER_DIRECT 240 EVENT_PEER_RELAY 241
EVENT_PEER_UNREACHABLE 242 EVENT_PEER_PATH_DISCOVERED 243 EVENT_PEER_PATH_DEAD 244 EVENT_ROUTE_ADDED 250
EVENT_ROUTE_REMOVED 251 EVENT_ADDR_ADDED_IP4 260 EVENT_ADDR_REMOVED_IP4 261 EVENT_ADDR_ADDED_IP6 262
EVENT_ADDR_REMOVED_IP6 263 EVENT_STORE_IDENTITY_SECRET 270 EVENT_STORE_IDENTITY_PUBLIC 271 EVENT_STORE_PLANET 272
EVENT_STORE_PEER 273 EVENT_STORE_NETWORK 274 NETWORK_STATUS_REQUESTING_CONFIGURATION 0 NETWORK_STATUS_OK 1
NETWORK_STATUS_ACCESS_DENIED 2 NETWORK_STATUS_NOT_FOUND 3 NETWORK_STATUS_PORT_ERROR 4 NETWORK_STATUS_CLIENT_TOO_OLD 5
NETWORK_TYPE_PRIVATE 0 NETWORK_TYPE_PUBLIC 1 PEER_ROLE_LEAF 0 PEER_ROLE_MOON 1 PEER_ROLE_PLANET 2 MAC_ADDRSTRLEN 18
INET_ADDRSTRLEN 16 INET6_ADDRSTRLEN 46 IP_MAX_STR_LEN 46 STORE_DATA_LEN 4096 MAX_NETWORK_SHORT_NAME_LENGTH 127
MAX_NUM_ROOTS 16 MAX_NETWORK_ROUTES 32 MAX_ASSIGNED_ADDRESSES 16 MAX_PEER_NETWORK_PATHS 64
MAX_MULTICAST_SUBSCRIPTIONS 1024 MAX_ENDPOINT_STR_LEN 52 ID_STR_BUF_LEN 384 MAX_ENDPOINTS_PER_ROOT 32
IPADDR_NONE 0xffffffff IPADDR_LOOPBACK 0x7f000001 IPADDR_ANY 0 IPADDR_BROADCAST 0xffffffff INADDR_NONE 0xffffffff
INADDR_LOOPBACK 0x7f000001 INADDR_ANY 0 INADDR_BROADCAST 0xffffffff SO_BINDTODEVICE 0x100b IP_PKTINFO 8
IP_ADD_MEMBERSHIP 3 IP_DROP_MEMBERSHIP 4 IP_MULTICAST_TTL 5 IP_MULTICAST_IF 6 IP_MULTICAST_LOOP 7 IPV6_JOIN_GROUP 12
IPV6_ADD_MEMBERSHIP 12 IPV6_LEAVE_GROUP 13 IPV6_DROP_MEMBERSHIP 13 UDPLITE_SEND_CSCOV 1 UDPLITE_RECV_CSCOV 2 MSG_TRUNC 4
MSG_CTRUNC 8 O_RDONLY 2 O_WRONLY 4 O_RDWR 6 IPTOS_TOS_MASK 0x1e IPTOS_LOWDELAY 0x10 IPTOS_THROUGHPUT 8
IPTOS_RELIABILITY 4 IPTOS_LOWCOST 2 IPTOS_MINCOST 2 IPTOS_PREC_MASK 0xe0 IPTOS_PREC_NETCONTROL 0xe0
IPTOS_PREC_INTERNETCONTROL 0xc0 IPTOS_PREC_CRITIC_ECP 0xa0 IPTOS_PREC_FLASHOVERRIDE 0x80 IPTOS_PREC_FLASH 0x60
IPTOS_PREC_IMMEDIATE 0x40 IPTOS_PREC_PRIORITY 0x20 IPTOS_PREC_ROUTINE 0 IPTOS_TOS(0xff) 0x1e IPTOS_PREC(0xff) 0xe0"""

BARE_1 = "ZT_MAX_PEER_NETWORK_PATHS 16 SIN_ZERO_LEN 8 LWIP_SOCKET_OFFSET 0 MEMP_NUM_NETCONN 1024"
BARE_2 = "LWIP_SOCKET_OFFSET 0 MEMP_NUM_NETCONN 1024"

# Type: size alignment; member offset ...
ADDRESSES = """
zts_in_addr_t: 4 4
zts_in_port_t: 2 2
zts_sa_family_t: 1 1
struct zts_in_addr: 4 4; s_addr 0
struct zts_in6_addr: 16 4; un 0 un.u32_addr 0 un.u8_addr 0
struct zts_sockaddr_in: 16 4; sin_len 0 sin_family 1 sin_port 2 sin_addr 4 sin_zero 8
struct zts_sockaddr_in6: 28 4; sin6_len 0 sin6_family 1 sin6_port 2 sin6_flowinfo 4 sin6_addr 8 sin6_scope_id 24
struct zts_sockaddr: 16 1; sa_len 0 sa_family 1 sa_data 2
struct zts_sockaddr_storage: 28 4; s2_len 0 ss_family 1 s2_data1 2 s2_data2 4 s2_data3 16
struct zts_iovec: 16 8; iov_base 0 iov_len 8
struct zts_msghdr: 48 8; msg_name 0 msg_namelen 8 msg_iov 16 msg_iovlen 24 msg_control 32 msg_controllen 40 msg_flags 44
struct zts_linger: 8 4; l_onoff 0 l_linger 4
zts_fd_set: 128 1; fd_bits 0
struct zts_pollfd: 8 4; fd 0 events 4 revents 6
zts_nfds_t: 4 4
"""

STRUCTURES_1 = ADDRESSES + """
struct zts_mmsghdr: 64 8; msg_hdr 0 msg_len 56
struct zts_fd_set: 128 1; fd_bits 0
struct zts_node_details: 48 8; address 0 clock 8 online 16 portMappingEnabled 17 multipathEnabled 18 primaryPort 20 planetWorldId 24 planetWorldTimestamp 32 versionMajor 40 versionMinor 41 versionRev 42
struct zts_callback_msg: 64 8; eventCode 0 node 8 network 16 netif 24 route 32 path 40 peer 48 addr 56
struct zts_addr_details: 136 8; nwid 0 addr 8
struct zts_netif_details: 24 8; nwid 0 mac 8 mtu 16
struct zts_virtual_network_route: 264 8; target 0 via 128 flags 256 metric 258
struct zts_network_details: 10520 8; nwid 0 mtu 8 num_addresses 12 addr 16 num_routes 2064 routes 2072
struct zts_physical_path: 160 8; address 0 lastSend 128 lastReceive 136 trustedPathId 144 expired 152 preferred 156
struct zts_peer_details: 2592 8; address 0 versionMajor 8 versionMinor 12 versionRev 16 latency 20 role 24 pathCount 28 paths 32
struct zts_peer_list: 16 8; peers 0 peerCount 8
enum zts_peer_role: 4 4
struct zts_stats_proto: 48 4; xmit 0 recv 4 fw 8 drop 12 chkerr 16 lenerr 20 memerr 24 rterr 28 proterr 32 opterr 36 err 40 cachehit 44
struct zts_stats_igmp: 56 4; xmit 0 recv 4 drop 8 chkerr 12 lenerr 16 memerr 20 proterr 24 rx_v1 28 rx_group 32 rx_general 36 rx_report 40 tx_join 44 tx_leave 48 tx_report 52
struct zts_stats_syselem: 12 4; used 0 max 4 err 8
struct zts_stats_sys: 36 4; sem 0 mutex 12 mbox 24
struct zts_stats: 676 4; link 0 etharp 48 ip_frag 96 ip 144 icmp 192 igmp 240 udp 296 tcp 344 sys 392 ip6 428 icmp6 476 ip6_frag 524 mld6 572 nd6 628
"""

COUNTERS = " ".join(
    "%s_%s %d" % (name, part, 4 * (4 * i + j))
    for i, name in enumerate("link etharp ip4 ip6 icmp4 icmp6 udp tcp nd6".split())
    for j, part in enumerate("tx rx drop err".split()))

STRUCTURES_2 = ADDRESSES + """
struct zts_mmsghdr: 56 8; msg_hdr 0 msg_len 48
struct zts_timespec: 16 8; tv_sec 0 tv_nsec 8
zts_socklen_t: 4 4
zts_node_info_t: 24 8; node_id 0 port_primary 8 port_secondary 10 port_tertiary 12 ver_major 14 ver_minor 15 ver_rev 16
zts_addr_info_t: 40 8; net_id 0 addr 8
zts_route_info_t: 60 4; target 0 via 28 flags 56 metric 58
zts_multicast_group_t: 16 8; mac 0 adi 8
zts_network_status_t: 4 4
zts_net_info_type_t: 4 4
zts_net_info_t: 18952 8; net_id 0 mac 8 name 16 status 144 type 148 mtu 152 dhcp 156 bridge 160 broadcast_enabled 164 port_error 168 netconf_rev 176 assigned_addr_count 184 assigned_addrs 188 route_count 636 routes 640 multicast_sub_count 2560 multicast_subs 2568 multicast_subs[0].adi 2576 multicast_subs[1] 2584
zts_path_t: 120 8; address 0 last_tx 32 last_rx 40 trusted_path_id 48 latency 56 unused_0 60 unused_1 64 unused_2 68 unused_3 72 unused_4 76 unused_5 80 unused_6 88 unused_7 96 ifname 104 expired 112 preferred 116
zts_peer_info_t: 7720 8; peer_id 0 ver_major 8 ver_minor 12 ver_rev 16 latency 20 role 24 path_count 28 unused_0 32 paths 40
zts_root_set_t: 4224 8; public_id_str 0 endpoint_ip_str 128
zts_netif_info_t: 24 8; net_id 0 mac 8 mtu 16
zts_event_msg_t: 72 8; event_code 0 node 8 network 16 netif 24 route 32 peer 40 addr 48 cache 56 len 64
zts_stats_counter_t: 144 4; """ + COUNTERS + """
zts_timeval: 16 8; tv_sec 0 tv_usec 8
struct zts_timeval: 16 8
zts_ip_mreq: 8 4; imr_multiaddr 0 imr_interface 4
zts_ipv6_mreq: 20 4; ipv6mr_multiaddr 0 ipv6mr_interface 16
struct zts_in_pktinfo: 8 4; ipi_ifindex 0 ipi_addr 4
struct zts_hostent: 32 8; h_name 0 h_aliases 8 h_addrtype 16 h_length 20 h_addr_list 24
struct zts_ip4_addr: 4 4; addr 0
struct zts_ip6_addr: 16 4; addr 0
zts_ip_addr: 20 4; u_addr 0 u_addr.ip6 0 u_addr.ip4 0 type 16
"""

HEAD = """/* Written by generate.py. Assertions about %s on a 64-bit system: C89 to C++20. */
#include "%s"
#include <stddef.h>

/* An array of a negative length does not compile. */
#define CONCATENATED_(a, b) a##b
#define CONCATENATED(a, b) CONCATENATED_(a, b)
#define HOLDS(condition) typedef char CONCATENATED(holds_, __LINE__)[(condition) ? 1 : -1] UNUSED
#ifdef __GNUC__
#define UNUSED __attribute__((unused))
#define ALIGNMENT(type) __alignof__(type)
#endif
"""


def words(text):
    items = text.split()
    return list(zip(items[0::2], items[1::2]))


def write(name, header, structures, constants, events):
    lines = [HEAD % (header, header)]
    for line in structures.strip().splitlines():
        if not line.strip():
            continue
        type_name, rest = line.split(":", 1)
        head, _, members = rest.partition(";")
        size, alignment = head.split()
        lines.append("HOLDS(sizeof(%s) == %s);" % (type_name, size))
        lines.append("HOLDS(ALIGNMENT(%s) == %s);" % (type_name, alignment))
        for member, offset in words(members):
            lines.append("HOLDS(offsetof(%s, %s) == %s);" % (type_name, member, offset))
    for constant, value in constants:
        lines.append("HOLDS(%s == %s);" % (constant, value))
    lines += events
    lines.append("HOLDS(sizeof(zts_errno) == sizeof(int));")
    lines.append("")
    lines.append("int main(void) { return 0; }")
    with open(name, "w") as file:
        file.write("\n".join(lines) + "\n")


def prefixed(text):
    return [("ZTS_" + name, value) for name, value in words(text)]


RANGES = [
    "HOLDS(%s_EVENT_TYPE(%d) && %s_EVENT_TYPE(%d) && !%s_EVENT_TYPE(%d) && !%s_EVENT_TYPE(%d));"
    % (name, first, name, last, name, first - 1, name, last + 1)
    for name, first, last in [
        ("NODE", 0, 17), ("NETWORK", 32, 40), ("STACK", 48, 49), ("NETIF", 64, 68), ("PEER", 96, 98),
        ("PATH", 112, 114), ("ROUTE", 128, 129), ("ADDR", 144, 147)]]

if __name__ == "__main__":
    import os
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    write(
        "generation1.c", "ZeroTier.h", STRUCTURES_1, prefixed(CONSTANTS_1 + " " + SOCKETS + " " + ERRORS_1) + words(BARE_1),
        RANGES)
    write(
        "generation2.c", "ZeroTierSockets.h", STRUCTURES_2,
        prefixed(CONSTANTS_2 + " " + SOCKETS + " " + ERRORS_2) + words(BARE_2), [])
