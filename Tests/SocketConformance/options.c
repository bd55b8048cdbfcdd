/* setsockopt and getsockopt: defaults, limits, errors. */
#include "conformance.h"

CASE(buffers_of_a_stream)
{
    const int fd = tcp();
    EQUAL(get(fd, SOL_SOCKET, SO_RCVBUF), 131072);
    EQUAL(get(fd, SOL_SOCKET, SO_SNDBUF), 16384);
}

CASE(buffers_of_datagrams)
{
    const int fd = udp();
    EQUAL(get(fd, SOL_SOCKET, SO_RCVBUF), 212992);
    EQUAL(get(fd, SOL_SOCKET, SO_SNDBUF), 212992);
}

CASE(a_buffer_is_doubled)
{
    const int fds[2] = {tcp(), udp()};
    for (int index = 0; index < 2; index++) {
        set(fds[index], SOL_SOCKET, SO_RCVBUF, 100000);
        EQUAL(get(fds[index], SOL_SOCKET, SO_RCVBUF), 200000);
        set(fds[index], SOL_SOCKET, SO_SNDBUF, 100000);
        EQUAL(get(fds[index], SOL_SOCKET, SO_SNDBUF), 200000);
    }
}

CASE(the_smallest_buffers)
{
    const int fd = tcp();
    set(fd, SOL_SOCKET, SO_RCVBUF, 1);
    EQUAL(get(fd, SOL_SOCKET, SO_RCVBUF), 2304);
    set(fd, SOL_SOCKET, SO_SNDBUF, 1);
    EQUAL(get(fd, SOL_SOCKET, SO_SNDBUF), 4608);
}

CASE(a_set_send_buffer_bounds)
{
    const int listening = tcp(), client = tcp();
    set(listening, SOL_SOCKET, SO_RCVBUF, 20000);
    bound(listening);
    OK(listen(listening, 1));
    set(client, SOL_SOCKET, SO_SNDBUF, 20000);
    const struct ends ends = pair_of(client, listening);
    const long sent = fill(ends.client);
    TRUE(sent >= 10000);
    TRUE(sent <= 400000);
    EQUAL(drain(ends.server), sent);
}

CASE(a_small_receive_buffer_still_takes_all)
{
    const int listening = tcp();
    set(listening, SOL_SOCKET, SO_RCVBUF, 1);
    bound(listening);
    OK(listen(listening, 1));
    const struct ends ends = pair_of(tcp(), listening);
    char block[20000], taken[20000];
    for (size_t index = 0; index < sizeof block; index++) block[index] = (char)(index * 7);
    set_nonblocking(ends.client);
    size_t sent = 0, received = 0;
    for (long end = milliseconds_now() + 20000; received < sizeof block && milliseconds_now() < end;) {
        if (sent < sizeof block) {
            const ssize_t count = send(ends.client, block + sent, sizeof block - sent, 0);
            if (count > 0) sent += (size_t)count;
        }
        const ssize_t count = recv(ends.server, taken + received, sizeof taken - received, MSG_DONTWAIT);
        if (count > 0) received += (size_t)count;
        else pause_for(1);
    }
    EQUAL(received, sizeof block);
    EQUAL(memcmp(block, taken, sizeof block), 0);
}

#ifdef CONFORMANCE_HOST
CASE(segment_size)
{
    const int fd = tcp();
    EQUAL(get(fd, IPPROTO_TCP, TCP_MAXSEG), 536);
    int value = 87;
    FAILS(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &value, sizeof value), EINVAL);
    value = 32768;
    FAILS(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &value, sizeof value), EINVAL);
    set(fd, IPPROTO_TCP, TCP_MAXSEG, 88);
    set(fd, IPPROTO_TCP, TCP_MAXSEG, 32767);
}
#else
/* lwIP's option of the same number: the idle time in milliseconds. It has none for the segment size. */
CASE(keepalive_in_milliseconds)
{
    const int fd = tcp();
    EQUAL(get(fd, IPPROTO_TCP, ZTS_TCP_KEEPALIVE), 7200000);
    set(fd, IPPROTO_TCP, ZTS_TCP_KEEPALIVE, 9000);
    EQUAL(get(fd, IPPROTO_TCP, TCP_KEEPIDLE), 9);
    int value = 0;
    FAILS(setsockopt(fd, IPPROTO_TCP, ZTS_TCP_KEEPALIVE, &value, sizeof value), EINVAL);
}
#endif

CASE(defaults_of_tcp)
{
    const int fd = tcp();
    EQUAL(get(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    EQUAL(get(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    EQUAL(get(fd, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
    EQUAL(get(fd, IPPROTO_TCP, TCP_KEEPINTVL), 75);
    EQUAL(get(fd, IPPROTO_TCP, TCP_KEEPCNT), 9);
    EQUAL(get(fd, IPPROTO_TCP, TCP_SYNCNT), 6);
    EQUAL(get(fd, IPPROTO_TCP, TCP_LINGER2), 60);
    EQUAL(get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

CASE(defaults_of_ip)
{
    EQUAL(get(tcp(), IPPROTO_IP, IP_TTL), 64);
    EQUAL(get(tcp(), IPPROTO_IP, IP_TOS), 0);
    EQUAL(get(udp(), IPPROTO_IP, IP_TTL), 64);
    EQUAL(get(udp(), IPPROTO_IP, IP_MULTICAST_TTL), 1);
    EQUAL(get(udp(), IPPROTO_IP, IP_MULTICAST_LOOP), 1);
}

CASE(defaults_of_ipv6)
{
    EQUAL(get(udp6(), IPPROTO_IPV6, IPV6_UNICAST_HOPS), 64);
    EQUAL(get(udp6(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 1);
    EQUAL(get(udp6(), IPPROTO_IPV6, IPV6_MULTICAST_LOOP), 1);
    EQUAL(get(tcp6(), IPPROTO_IPV6, IPV6_V6ONLY), 0);
    EQUAL(get(tcp6(), IPPROTO_IPV6, IPV6_TCLASS), 0);
}

CASE(defaults_of_sockets)
{
    EQUAL(get(tcp(), SOL_SOCKET, SO_REUSEADDR), 0);
    EQUAL(get(tcp(), SOL_SOCKET, SO_REUSEPORT), 0);
    EQUAL(get(udp(), SOL_SOCKET, SO_BROADCAST), 0);
    EQUAL(get(tcp(), SOL_SOCKET, SO_RCVLOWAT), 1);
    EQUAL(get(tcp(), SOL_SOCKET, SO_SNDLOWAT), 1);
    EQUAL(get(tcp(), SOL_SOCKET, SO_ERROR), 0);
    EQUAL(get(tcp(), SOL_SOCKET, SO_ACCEPTCONN), 0);
    EQUAL(get(listener(1), SOL_SOCKET, SO_ACCEPTCONN), 1);
    EQUAL(get(udp(), SOL_SOCKET, SO_NO_CHECK), 0);
    EQUAL(get(tcp(), SOL_SOCKET, SO_OOBINLINE), DIFFERS(0, 1, "urgent data is in line"));
}

CASE(types_of_sockets)
{
    EQUAL(get(tcp(), SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    EQUAL(get(udp6(), SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
}

static void check_range(int fd, int level, int option, int least, int most)
{
    int value = least - 1;
    FAILS(setsockopt(fd, level, option, &value, sizeof value), EINVAL);
    value = most + 1;
    FAILS(setsockopt(fd, level, option, &value, sizeof value), EINVAL);
    set(fd, level, option, least);
    EQUAL(get(fd, level, option), least);
    set(fd, level, option, most);
    EQUAL(get(fd, level, option), most);
}

CASE(range_of_keepidle) { check_range(tcp(), IPPROTO_TCP, TCP_KEEPIDLE, 1, 32767); }

CASE(range_of_keepintvl) { check_range(tcp(), IPPROTO_TCP, TCP_KEEPINTVL, 1, 32767); }

CASE(range_of_keepcnt) { check_range(tcp(), IPPROTO_TCP, TCP_KEEPCNT, 1, 127); }

CASE(range_of_syncnt) { check_range(tcp(), IPPROTO_TCP, TCP_SYNCNT, 1, 127); }

CASE(range_of_ttl)
{
    const int fd = udp();
    check_range(fd, IPPROTO_IP, IP_TTL, 1, 255);
    /* The default again. */
    set(fd, IPPROTO_IP, IP_TTL, -1);
    EQUAL(get(fd, IPPROTO_IP, IP_TTL), 64);
}

CASE(range_of_multicast_ttl)
{
    const int fd = udp();
    int value = 256;
    FAILS(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &value, sizeof value), EINVAL);
    set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 0);
    EQUAL(get(fd, IPPROTO_IP, IP_MULTICAST_TTL), 0);
    set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 255);
    EQUAL(get(fd, IPPROTO_IP, IP_MULTICAST_TTL), 255);
    set(fd, IPPROTO_IP, IP_MULTICAST_TTL, -1);
    EQUAL(get(fd, IPPROTO_IP, IP_MULTICAST_TTL), 1);
}

CASE(range_of_hops)
{
    const int fd = udp6();
    int value = 256;
    FAILS(setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &value, sizeof value), EINVAL);
    set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9);
    EQUAL(get(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 9);
    set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1);
    EQUAL(get(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 64);
}

CASE(congestion_control_by_name)
{
    const int fd = tcp();
    char name[20];
    socklen_t length = sizeof name;
    EQUAL(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
    EQUAL(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
    EQUAL(length, 16);
    EQUAL(strcmp(name, "reno"), 0);
    FAILS(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "none such", 9), ENOENT);
    FAILS(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0), EINVAL);
}

CASE(range_of_user_timeout)
{
    const int fd = tcp();
    int value = -1;
    FAILS(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value), EINVAL);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1234);
    EQUAL(get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 1234);
}

CASE(type_of_service)
{
    /* The two bits of congestion marks are the protocol's, with TCP. */
    const int fd = tcp();
    set(fd, IPPROTO_IP, IP_TOS, 0x13);
    EQUAL(get(fd, IPPROTO_IP, IP_TOS), 0x10);
    const int datagrams = udp();
    set(datagrams, IPPROTO_IP, IP_TOS, 0x13);
    EQUAL(get(datagrams, IPPROTO_IP, IP_TOS), 0x13);
}

CASE(switches)
{
    const int stream = tcp(), datagrams = udp();
    const struct {
        int fd, level, option;
    } options[] = {
        {stream, SOL_SOCKET, SO_REUSEADDR},
        {stream, SOL_SOCKET, SO_REUSEPORT},
        {stream, SOL_SOCKET, SO_KEEPALIVE},
        {stream, IPPROTO_TCP, TCP_NODELAY},
        {datagrams, SOL_SOCKET, SO_BROADCAST},
        {datagrams, SOL_SOCKET, SO_NO_CHECK},
        {datagrams, IPPROTO_IP, IP_MULTICAST_LOOP},
    };
    for (size_t index = 0; index < sizeof options / sizeof *options; index++) {
        /* Any value but 0 is on, and 1 is read. */
        set(options[index].fd, options[index].level, options[index].option, 7);
        EQUAL(get(options[index].fd, options[index].level, options[index].option), 1);
        set(options[index].fd, options[index].level, options[index].option, 0);
        EQUAL(get(options[index].fd, options[index].level, options[index].option), 0);
    }
}

CASE(an_option_that_is_none)
{
    int value = 1;
    socklen_t length = sizeof value;
    FAILS(setsockopt(tcp(), SOL_SOCKET, 0x7777, &value, sizeof value), ENOPROTOOPT);
    FAILS(getsockopt(tcp(), SOL_SOCKET, 0x7777, &value, &length), ENOPROTOOPT);
    FAILS(setsockopt(tcp(), IPPROTO_TCP, 0x7777, &value, sizeof value), ENOPROTOOPT);
    FAILS(getsockopt(tcp(), IPPROTO_TCP, 0x7777, &value, &length), ENOPROTOOPT);
    FAILS(setsockopt(tcp(), IPPROTO_IP, 0x7777, &value, sizeof value), ENOPROTOOPT);
    FAILS(getsockopt(tcp(), IPPROTO_IP, 0x7777, &value, &length), ENOPROTOOPT);
}

CASE(a_level_that_is_none)
{
    int value = 1;
    socklen_t length = sizeof value;
    FAILS(setsockopt(tcp(), 0x7777, 1, &value, sizeof value), ENOPROTOOPT);
    FAILS(getsockopt(tcp(), 0x7777, 1, &value, &length), DIFFERS(EOPNOTSUPP, ENOPROTOOPT, "one number for both"));
}

CASE(an_option_that_can_only_be_read)
{
    int value = 1;
    FAILS(setsockopt(tcp(), SOL_SOCKET, SO_TYPE, &value, sizeof value), ENOPROTOOPT);
    FAILS(setsockopt(tcp(), SOL_SOCKET, SO_ERROR, &value, sizeof value), ENOPROTOOPT);
    FAILS(setsockopt(tcp(), SOL_SOCKET, SO_ACCEPTCONN, &value, sizeof value), ENOPROTOOPT);
    FAILS(setsockopt(tcp(), SOL_SOCKET, SO_SNDLOWAT, &value, sizeof value), ENOPROTOOPT);
}

CASE(a_value_that_is_short)
{
    int value = 1;
    FAILS(setsockopt(tcp(), SOL_SOCKET, SO_REUSEADDR, &value, 3), EINVAL);
    FAILS(setsockopt(tcp(), IPPROTO_TCP, TCP_NODELAY, &value, 3), EINVAL);
    const struct linger linger = {1, 0};
    FAILS(setsockopt(tcp(), SOL_SOCKET, SO_LINGER, &linger, 7), EINVAL);
    const struct timeval time = {1, 0};
    FAILS(setsockopt(tcp(), SOL_SOCKET, SO_RCVTIMEO, &time, 15), EINVAL);
}

CASE(a_value_that_does_not_fit_is_cut)
{
    const int fd = tcp();
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0x0102);
    unsigned char bytes[8] = {9, 9, 9, 9, 9, 9, 9, 9};
    socklen_t length = 2;
    OK(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, bytes, &length));
    EQUAL(length, 2);
    EQUAL(bytes[0], 2);
    EQUAL(bytes[1], 1);
    EQUAL(bytes[2], 9);
    length = 8;
    OK(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, bytes, &length));
    EQUAL(length, 4);
    EQUAL(bytes[4], 9);
}

CASE(ipv6_only_after_bind)
{
    const int fd = tcp6();
    const struct name name = name_of("::1", 0);
    OK(bind(fd, AT(name)));
    int value = 1;
    FAILS(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof value), EINVAL);
    const int datagrams = udp6();
    OK(bind(datagrams, AT(name)));
    FAILS(setsockopt(datagrams, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof value), EINVAL);
}

CASE(ipv6_options_of_ipv4)
{
    int value = 1;
    FAILS(setsockopt(tcp(), IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof value), ENOPROTOOPT);
}

CASE(tcp_options_of_udp)
{
    int value = 1;
    socklen_t length = sizeof value;
    FAILS(setsockopt(udp(), IPPROTO_TCP, TCP_NODELAY, &value, sizeof value), ENOPROTOOPT);
    FAILS(getsockopt(udp(), IPPROTO_TCP, TCP_NODELAY, &value, &length),
        DIFFERS(EOPNOTSUPP, ENOPROTOOPT, "one number for both"));
}

CASE(linger)
{
    const int fd = tcp();
    struct linger value = {9, 9};
    socklen_t length = sizeof value;
    OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &length));
    EQUAL(length, 8);
    EQUAL(value.l_onoff, 0);
    EQUAL(value.l_linger, 0);
    set_linger(fd, 1, 30);
    OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &length));
    EQUAL(value.l_onoff, 1);
    EQUAL(value.l_linger, 30);
}

CASE(timeouts)
{
    const int fd = tcp();
    struct timeval value = {9, 9};
    socklen_t length = sizeof value;
    OK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, &length));
    EQUAL(length, sizeof value);
    EQUAL(value.tv_sec, 0);
    EQUAL(value.tv_usec, 0);
    set_time(fd, SO_RCVTIMEO, 1500);
    OK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, &length));
    EQUAL(value.tv_sec, 1);
    EQUAL(value.tv_usec, 500000);
    value.tv_usec = 1000000;
    FAILS(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value), EDOM);
}

CASE(a_negative_timeout_does_not_wait)
{
    const struct ends ends = pair();
    const struct timeval value = {-1, 0};
    char byte;
    OK(setsockopt(ends.client, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value));
    FAILS(recv(ends.client, &byte, 1, 0), EAGAIN);
}

CASE(low_water_of_zero_is_one)
{
    const int fd = tcp();
    set(fd, SOL_SOCKET, SO_RCVLOWAT, 0);
    EQUAL(get(fd, SOL_SOCKET, SO_RCVLOWAT), 1);
}

CASE(a_group_is_joined_and_left)
{
    const int fd = udp();
    struct ip_mreq group;
    memset(&group, 0, sizeof group);
    inet_pton(2, "239.1.2.3", &group.imr_multiaddr);
    inet_pton(2, "127.0.0.1", &group.imr_interface);
    OK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    FAILS(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), EADDRINUSE);
    OK(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group));
    FAILS(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group), EADDRNOTAVAIL);
}

CASE(a_group_that_is_none)
{
    const int fd = udp();
    struct ip_mreq group;
    memset(&group, 0, sizeof group);
    inet_pton(2, "10.1.2.3", &group.imr_multiaddr);
    FAILS(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), EINVAL);
    FAILS(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, 4), EINVAL);
}

CASE(nodelay_while_connected)
{
    const struct ends ends = pair();
    set(ends.client, IPPROTO_TCP, TCP_NODELAY, 1);
    EQUAL(get(ends.client, IPPROTO_TCP, TCP_NODELAY), 1);
    for (int index = 0; index < 20; index++) put(ends.client, "x");
    READS(ends.server, "xxxxxxxxxxxxxxxxxxxx");
}

CASE(flags_of_a_descriptor)
{
    const int fd = tcp();
    EQUAL(fcntl(fd, F_GETFL, 0) & O_NONBLOCK, 0);
    set_nonblocking(fd);
    EQUAL(fcntl(fd, F_GETFL, 0) & O_NONBLOCK, O_NONBLOCK);
    OK(fcntl(fd, F_SETFL, 0));
    EQUAL(fcntl(fd, F_GETFL, 0) & O_NONBLOCK, 0);
}
