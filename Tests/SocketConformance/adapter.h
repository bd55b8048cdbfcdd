/* The usual names, for either target. */
#ifndef ADAPTER_H
#define ADAPTER_H

#ifdef CONFORMANCE_HOST

/* Shows with IN on every socket; the C library has no bit for it. */
#define RDHUP POLLRDHUP
#define POLL_ALL (POLLIN | POLLOUT | POLLPRI | POLLRDHUP)
#define TARGET "host"

#else

#include "ZeroTier.h"

#define RDHUP 0
#define POLL_ALL (ZTS_POLLIN | ZTS_POLLOUT | ZTS_POLLPRI)
#define TARGET "zts"

#undef errno
#define errno zts_errno
#define pollfd zts_pollfd

#define socket zts_socket
#define bind zts_bind
#define listen zts_listen
#define accept zts_accept
#define accept4 zts_accept4
#define connect zts_connect
#define shutdown zts_shutdown
#define close zts_close
#define read zts_read
#define write zts_write
#define recv zts_recv
#define send zts_send
#define recvfrom zts_recvfrom
#define sendto zts_sendto
#define recvmsg zts_recvmsg
#define sendmsg zts_sendmsg
#define recvmmsg zts_recvmmsg
#define sendmmsg zts_sendmmsg
#define mmsghdr zts_mmsghdr
#define getsockname zts_getsockname
#define getpeername zts_getpeername
#define getsockopt zts_getsockopt
#define setsockopt zts_setsockopt
#define select zts_select
#define poll zts_poll
#define fcntl zts_fcntl
#define ioctl zts_ioctl

#undef POLLIN
#undef POLLOUT
#undef POLLERR
#undef POLLHUP
#undef POLLPRI
#undef POLLNVAL
#undef POLLRDNORM
#undef POLLWRNORM
#define POLLIN ZTS_POLLIN
#define POLLOUT ZTS_POLLOUT
#define POLLERR ZTS_POLLERR
#define POLLHUP ZTS_POLLHUP
#define POLLPRI ZTS_POLLPRI
#define POLLNVAL ZTS_POLLNVAL
#define POLLRDNORM ZTS_POLLRDNORM
#define POLLWRNORM ZTS_POLLWRNORM

#undef MSG_PEEK
#undef MSG_WAITALL
#undef MSG_OOB
#undef MSG_DONTWAIT
#undef MSG_MORE
#undef MSG_WAITFORONE
#define MSG_PEEK ZTS_MSG_PEEK
#define MSG_WAITALL ZTS_MSG_WAITALL
#define MSG_OOB ZTS_MSG_OOB
#define MSG_DONTWAIT ZTS_MSG_DONTWAIT
#define MSG_MORE ZTS_MSG_MORE
#define MSG_WAITFORONE ZTS_MSG_WAITFORONE

#undef SOL_SOCKET
#undef SO_REUSEADDR
#undef SO_REUSEPORT
#undef SO_KEEPALIVE
#undef SO_BROADCAST
#undef SO_LINGER
#undef SO_OOBINLINE
#undef SO_SNDBUF
#undef SO_RCVBUF
#undef SO_SNDLOWAT
#undef SO_RCVLOWAT
#undef SO_SNDTIMEO
#undef SO_RCVTIMEO
#undef SO_ERROR
#undef SO_TYPE
#undef SO_ACCEPTCONN
#undef SO_NO_CHECK
#define SOL_SOCKET ZTS_SOL_SOCKET
#define SO_REUSEADDR ZTS_SO_REUSEADDR
#define SO_REUSEPORT ZTS_SO_REUSEPORT
#define SO_KEEPALIVE ZTS_SO_KEEPALIVE
#define SO_BROADCAST ZTS_SO_BROADCAST
#define SO_LINGER ZTS_SO_LINGER
#define SO_OOBINLINE ZTS_SO_OOBINLINE
#define SO_SNDBUF ZTS_SO_SNDBUF
#define SO_RCVBUF ZTS_SO_RCVBUF
#define SO_SNDLOWAT ZTS_SO_SNDLOWAT
#define SO_RCVLOWAT ZTS_SO_RCVLOWAT
#define SO_SNDTIMEO ZTS_SO_SNDTIMEO
#define SO_RCVTIMEO ZTS_SO_RCVTIMEO
#define SO_ERROR ZTS_SO_ERROR
#define SO_TYPE ZTS_SO_TYPE
#define SO_ACCEPTCONN ZTS_SO_ACCEPTCONN
#define SO_NO_CHECK ZTS_SO_NO_CHECK

#undef IPPROTO_IP
#undef IPPROTO_TCP
#undef IPPROTO_UDP
#undef IPPROTO_IPV6
#define IPPROTO_IP ZTS_IPPROTO_IP
#define IPPROTO_TCP ZTS_IPPROTO_TCP
#define IPPROTO_UDP ZTS_IPPROTO_UDP
#define IPPROTO_IPV6 ZTS_IPPROTO_IPV6
#undef IP_TOS
#undef IP_TTL
#undef IPV6_V6ONLY
#define IP_TOS ZTS_IP_TOS
#define IP_TTL ZTS_IP_TTL
#define IPV6_V6ONLY ZTS_IPV6_V6ONLY
#undef TCP_NODELAY
#undef TCP_KEEPIDLE
#undef TCP_KEEPINTVL
#undef TCP_KEEPCNT
#define TCP_NODELAY ZTS_TCP_NODELAY
#define TCP_KEEPIDLE ZTS_TCP_KEEPIDLE
#define TCP_KEEPINTVL ZTS_TCP_KEEPINTVL
#define TCP_KEEPCNT ZTS_TCP_KEEPCNT

#undef AF_INET
#undef AF_INET6
#undef AF_UNSPEC
#define AF_INET ZTS_AF_INET
#define AF_INET6 ZTS_AF_INET6
#define AF_UNSPEC ZTS_AF_UNSPEC
#undef F_GETFL
#undef F_SETFL
#undef O_NONBLOCK
#define F_GETFL ZTS_F_GETFL
#define F_SETFL ZTS_F_SETFL
#define O_NONBLOCK ZTS_O_NONBLOCK
#undef FIONREAD
#undef FIONBIO
#define FIONREAD ZTS_FIONREAD
#define FIONBIO ZTS_FIONBIO
#undef SHUT_RD
#undef SHUT_WR
#undef SHUT_RDWR
#define SHUT_RD ZTS_SHUT_RD
#define SHUT_WR ZTS_SHUT_WR
#define SHUT_RDWR ZTS_SHUT_RDWR

#endif
#endif
