/* socket, bind, listen, getsockname, getpeername. */
#include "conformance.h"

CASE(a_family_that_is_none) { FAILS(socket(77, SOCK_STREAM, 0), EAFNOSUPPORT); }

CASE(a_type_that_is_none) { FAILS(socket(AF_INET, 77, 0), EINVAL); }

CASE(a_protocol_that_is_not_the_types)
{
    FAILS(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
    FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
}

CASE(a_raw_socket_without_a_protocol) { FAILS(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT); }

CASE(the_types_own_protocol)
{
    TRUE(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) >= 0);
    TRUE(socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP) >= 0);
}

CASE(calls_on_no_descriptor)
{
    char byte = 0;
    const struct name name = name_of("127.0.0.1", 0);
    FAILS(bind(999, AT(name)), EBADF);
    FAILS(connect(999, AT(name)), EBADF);
    FAILS(listen(999, 1), EBADF);
    FAILS(accept(999, NULL, NULL), EBADF);
    FAILS(send(999, &byte, 1, 0), EBADF);
    FAILS(recv(999, &byte, 1, 0), EBADF);
    FAILS(shutdown(999, SHUT_RD), EBADF);
    FAILS(setsockopt(999, SOL_SOCKET, SO_REUSEADDR, &byte, 1), EBADF);
    FAILS(fcntl(999, F_GETFL, 0), EBADF);
    FAILS(close(999), EBADF);
    FAILS(close(-1), EBADF);
}

CASE(a_descriptor_is_gone_after_close)
{
    const int fd = tcp();
    OK(close(fd));
    FAILS(close(fd), EBADF);
    FAILS(listen(fd, 1), EBADF);
}

CASE(bind_with_a_short_ipv4_address)
{
    const int fd = tcp();
    const struct name name = name_of("127.0.0.1", 0);
    REFUSED(bind(fd, &name.address.any, 15));
    OK(bind(fd, AT(name)));
}

CASE(bind_with_a_short_ipv6_address)
{
    const int fd = tcp6();
    const struct name name = name_of("::1", 0);
    FAILS(bind(fd, &name.address.any, 23), EINVAL);
    OK(bind(fd, &name.address.any, 24));
}

CASE(bind_an_ipv4_socket_to_ipv6)
{
    const struct name name = name_of("::1", 0);
    FAILS(bind(tcp(), AT(name)), EAFNOSUPPORT);
    FAILS(bind(udp(), AT(name)), EAFNOSUPPORT);
}

CASE(bind_an_ipv6_socket_to_ipv4)
{
    const struct name name = name_of("127.0.0.1", 0);
    FAILS(bind(tcp6(), AT(name)), EINVAL);
    FAILS(bind(udp6(), AT(name)), EINVAL);
}

CASE(bind_without_a_family)
{
    struct name name = name_of("0.0.0.0", 0);
    name.address.v4.sin_family = AF_UNSPEC;
    OK(bind(tcp(), AT(name)));
    OK(bind(udp(), AT(name)));
    name = name_of("127.0.0.1", 0);
    name.address.v4.sin_family = AF_UNSPEC;
    FAILS(bind(tcp(), AT(name)), EAFNOSUPPORT);
    FAILS(bind(udp(), AT(name)), EAFNOSUPPORT);
}

CASE(bind_to_somebody_elses_address)
{
    struct name name = name_of("203.0.113.9", 0);
    FAILS(bind(tcp(), AT(name)), EADDRNOTAVAIL);
    FAILS(bind(udp(), AT(name)), EADDRNOTAVAIL);
    name = name_of("2001:db8::9", 0);
    FAILS(bind(tcp6(), AT(name)), EADDRNOTAVAIL);
    FAILS(bind(udp6(), AT(name)), EADDRNOTAVAIL);
}

CASE(bind_to_broadcast)
{
    const struct name name = name_of("255.255.255.255", 0);
    OK(bind(tcp(), AT(name)));
    OK(bind(udp(), AT(name)));
}

CASE(bind_to_multicast)
{
    const struct name name = name_of("239.1.2.3", 0);
    OK(bind(tcp(), AT(name)));
    OK(bind(udp(), AT(name)));
}

CASE(bind_anywhere_on_the_loopback_network)
{
    const struct name name = name_of("127.9.8.7", 0);
    const int fd = tcp();
    OK(bind(fd, AT(name)));
    struct sockaddr_storage own;
    socklen_t length = 28;
    OK(getsockname(fd, (struct sockaddr *)&own, &length));
    NAME_IS(own, "127.9.8.7", own_port(fd));
}

CASE(bind_twice)
{
    const struct name name = name_of("127.0.0.1", 0);
    FAILS(bind(bound(tcp()), AT(name)), EINVAL);
    FAILS(bind(bound(udp()), AT(name)), EINVAL);
}

CASE(bind_when_connected)
{
    const struct name name = name_of("127.0.0.1", 0);
    FAILS(bind(pair().client, AT(name)), EINVAL);
    FAILS(bind(udp_pair().client, AT(name)), EINVAL);
}

CASE(bind_to_a_port_that_is_held)
{
    struct name name = own_name(bound(tcp()));
    FAILS(bind(tcp(), AT(name)), EADDRINUSE);
    name = own_name(bound(udp()));
    FAILS(bind(udp(), AT(name)), EADDRINUSE);
}

CASE(tcp_and_udp_ports_are_apart)
{
    const struct name name = own_name(bound(tcp()));
    OK(bind(udp(), AT(name)));
}

CASE(a_port_of_another_address_is_free)
{
    struct name name = own_name(bound(tcp()));
    name.address.v4.sin_addr.s_addr = htonl(0x7f000002);
    OK(bind(tcp(), AT(name)));
}

CASE(a_wildcard_and_an_address_collide)
{
    struct name name = own_name(bound(tcp()));
    name.address.v4.sin_addr.s_addr = 0;
    FAILS(bind(tcp(), AT(name)), EADDRINUSE);
    const int wild = udp();
    struct name any = name_of("0.0.0.0", 0);
    OK(bind(wild, AT(any)));
    name = own_name(wild);
    FAILS(bind(udp(), AT(name)), EADDRINUSE);
}

CASE(a_closed_sockets_port_is_free_at_once)
{
    const int fd = bound(tcp());
    const struct name name = own_name(fd);
    OK(close(fd));
    OK(bind(tcp(), AT(name)));
}

static int reusing(void)
{
    const int fd = tcp();
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    return fd;
}

CASE(reuse_of_both_while_none_listens)
{
    const struct name name = own_name(bound(reusing()));
    FAILS(bind(tcp(), AT(name)), EADDRINUSE);
    OK(bind(reusing(), AT(name)));
}

CASE(reuse_of_one_is_not_enough)
{
    const struct name name = own_name(bound(tcp()));
    FAILS(bind(reusing(), AT(name)), EADDRINUSE);
}

CASE(reuse_does_not_pass_a_listener)
{
    const int fd = bound(reusing());
    OK(listen(fd, 1));
    struct name name = own_name(fd);
    FAILS(bind(reusing(), AT(name)), EADDRINUSE);
    name.address.v4.sin_addr.s_addr = 0;
    FAILS(bind(reusing(), AT(name)), EADDRINUSE);
}

CASE(one_of_two_that_share_a_port_listens)
{
    const int first = bound(reusing());
    const struct name name = own_name(first);
    const int second = reusing();
    OK(bind(second, AT(name)));
    OK(listen(first, 1));
    FAILS(listen(second, 1), EADDRINUSE);
}

/* A connection of a listener that is gone. */
static struct name left_over(bool old_reuses, bool waits)
{
    const int fd = bound(old_reuses ? reusing() : tcp());
    OK(listen(fd, 1));
    const struct name name = own_name(fd);
    const struct ends ends = pair_of(tcp(), fd);
    OK(close(fd));
    if (waits) {
        /* The server's end closes first: TIME-WAIT is there. */
        OK(close(ends.server));
        BITS(ends.client, IN | OUT | RDHUP);
        OK(close(ends.client));
        pause_for(50);
    }
    return name;
}

CASE(reuse_beside_an_established_connection)
{
    const struct name name = left_over(true, false);
    const int fd = reusing();
    OK(bind(fd, AT(name)));
    OK(listen(fd, 1));
}

CASE(reuse_beside_time_wait)
{
    const struct name name = left_over(true, true);
    const int fd = reusing();
    OK(bind(fd, AT(name)));
    OK(listen(fd, 1));
}

CASE(no_reuse_beside_an_established_connection)
{
    const struct name name = left_over(true, false);
    FAILS(bind(tcp(), AT(name)), EADDRINUSE);
}

CASE(no_reuse_beside_time_wait)
{
    const struct name name = left_over(true, true);
    FAILS(bind(tcp(), AT(name)), EADDRINUSE);
}

CASE(reuse_where_the_old_listener_had_none)
{
    struct name name = left_over(false, false);
    FAILS(bind(reusing(), AT(name)), EADDRINUSE);
    name = left_over(false, true);
    FAILS(bind(reusing(), AT(name)), EADDRINUSE);
}

CASE(two_listeners_at_a_shared_port)
{
    const int first = tcp(), second = tcp();
    set(first, SOL_SOCKET, SO_REUSEPORT, 1);
    set(second, SOL_SOCKET, SO_REUSEPORT, 1);
    bound(first);
    const struct name name = own_name(first);
    OK(bind(second, AT(name)));
    OK(listen(first, 64));
    OK(listen(second, 64));
    FAILS(bind(tcp(), AT(name)), EADDRINUSE);
    /* By a hash: with 40 connections each gets some. */
    for (int index = 0; index < 40; index++) OK(connect(tcp(), AT(name)));
    set_nonblocking(first);
    set_nonblocking(second);
    wait_for(first, IN);
    wait_for(second, IN);
    int taken[2] = {0, 0};
    for (int tries = 0; taken[0] + taken[1] < 40 && tries < 1000; tries++) {
        if (accept(first, NULL, NULL) >= 0) taken[0]++;
        if (accept(second, NULL, NULL) >= 0) taken[1]++;
        if (taken[0] + taken[1] < 40) pause_for(1);
    }
    EQUAL(taken[0] + taken[1], 40);
    TRUE(taken[0] > 0);
    TRUE(taken[1] > 0);
}

static int reusing_udp(void)
{
    const int fd = udp();
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    return fd;
}

CASE(a_shared_udp_port_delivers_to_the_last)
{
    const int first = bound(reusing_udp());
    const struct name name = own_name(first);
    const int second = reusing_udp();
    OK(bind(second, AT(name)));
    EQUAL(sendto(udp(), "x", 1, 0, AT(name)), 1);
    BITS(second, IN | OUT);
    BITS_STAY(first, OUT);
}

CASE(a_shared_udp_port_needs_two_that_share)
{
    struct name name = own_name(bound(reusing_udp()));
    FAILS(bind(udp(), AT(name)), EADDRINUSE);
    name = own_name(bound(udp()));
    FAILS(bind(reusing_udp(), AT(name)), EADDRINUSE);
}

CASE(both_families_collide)
{
    const int fd = tcp6();
    struct name name = name_of("::", 0);
    OK(bind(fd, AT(name)));
    struct name four = name_of("0.0.0.0", own_port(fd));
    FAILS(bind(tcp(), AT(four)), EADDRINUSE);
}

CASE(both_families_collide_with_reuse_too)
{
    const int fd = tcp6();
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    struct name name = name_of("::", 0);
    OK(bind(fd, AT(name)));
    OK(listen(fd, 1));
    struct name four = name_of("0.0.0.0", own_port(fd));
    /* The stack takes each family's packets to its own listener, as lwIP does. */
    EQUAL(bind(reusing(), AT(four)), DIFFERS(-1, 0, "lwIP: both families listen on one port"));
}

CASE(ipv6_only_leaves_ipv4_free)
{
    const int fd = tcp6();
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    struct name name = name_of("::", 0);
    OK(bind(fd, AT(name)));
    struct name four = name_of("0.0.0.0", own_port(fd));
    const int other = tcp();
    OK(bind(other, AT(four)));
    OK(listen(fd, 1));
    OK(listen(other, 1));
}

CASE(bind_to_a_mapped_address)
{
    const struct name name = name_of("::ffff:127.0.0.1", 0);
    const int fd = tcp6();
    OK(bind(fd, AT(name)));
    struct sockaddr_storage own;
    socklen_t length = 28;
    OK(getsockname(fd, (struct sockaddr *)&own, &length));
    NAME_IS(own, "::ffff:127.0.0.1", own_port(fd));
}

CASE(bind_to_a_mapped_address_with_ipv6_only)
{
    const struct name name = name_of("::ffff:127.0.0.1", 0);
    const int fd = tcp6();
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    FAILS(bind(fd, AT(name)), EINVAL);
}

CASE(listen_binds)
{
    const int fd = tcp();
    OK(listen(fd, 1));
    TRUE(own_port(fd) >= 32768);
    const struct name name = own_name(fd);
    OK(connect(tcp(), AT(name)));
}

CASE(listen_twice_changes_the_backlog)
{
    const int fd = listener(5);
    OK(listen(fd, 0));
    const struct name name = own_name(fd);
    OK(connect(tcp(), AT(name)));
    wait_for(fd, IN);
    const int second = nonblocking(tcp());
    FAILS(connect(second, AT(name)), EINPROGRESS);
    BITS_STAY(second, 0);
}

CASE(listen_when_connected) { FAILS(listen(pair().client, 1), EINVAL); }

CASE(listen_with_udp)
{
    FAILS(listen(udp(), 1), EOPNOTSUPP);
    FAILS(listen(bound(udp()), 1), EOPNOTSUPP);
}

CASE(the_name_of_a_fresh_socket)
{
    struct sockaddr_storage own;
    socklen_t length = 28;
    OK(getsockname(tcp(), (struct sockaddr *)&own, &length));
    EQUAL(length, 16);
    NAME_IS(own, "0.0.0.0", 0);
    length = 28;
    OK(getsockname(udp6(), (struct sockaddr *)&own, &length));
    EQUAL(length, 28);
    NAME_IS(own, "::", 0);
}

CASE(names_of_a_connection)
{
    const struct ends ends = pair();
    struct sockaddr_storage own, peer;
    socklen_t length = 28;
    OK(getsockname(ends.client, (struct sockaddr *)&own, &length));
    EQUAL(length, 16);
    length = 28;
    OK(getpeername(ends.server, (struct sockaddr *)&peer, &length));
    NAME_IS(own, "127.0.0.1", port_in(&peer));
    NAME_IS(peer, "127.0.0.1", port_in(&own));
    TRUE(port_in(&own) >= 32768 && port_in(&own) <= 60999);
}

CASE(the_name_after_a_udp_connect)
{
    const int peer = bound(udp()), fd = udp();
    const struct name name = own_name(peer);
    OK(connect(fd, AT(name)));
    struct sockaddr_storage own;
    socklen_t length = 28;
    OK(getsockname(fd, (struct sockaddr *)&own, &length));
    NAME_IS(own, "127.0.0.1", own_port(fd));
    TRUE(port_in(&own) >= 32768);
    length = 28;
    OK(getpeername(fd, (struct sockaddr *)&own, &length));
    NAME_IS(own, "127.0.0.1", own_port(peer));
}

CASE(a_name_that_does_not_fit_is_cut)
{
    const int fd = tcp6();
    const struct name name = name_of("::1", 0);
    OK(bind(fd, AT(name)));
    unsigned char memory[28];
    memset(memory, 0xee, sizeof memory);
    socklen_t length = 20;
    OK(getsockname(fd, (struct sockaddr *)memory, &length));
    EQUAL(length, 28);
    EQUAL(memory[20], 0xee);
    EQUAL(memory[19], 0);
}

CASE(no_peer_no_name)
{
    struct sockaddr_storage peer;
    socklen_t length = 28;
    FAILS(getpeername(tcp(), (struct sockaddr *)&peer, &length), ENOTCONN);
    FAILS(getpeername(udp(), (struct sockaddr *)&peer, &length), ENOTCONN);
    FAILS(getpeername(bound(tcp()), (struct sockaddr *)&peer, &length), ENOTCONN);
    FAILS(getpeername(listener(1), (struct sockaddr *)&peer, &length), ENOTCONN);
}

CASE(no_peer_name_after_a_reset)
{
    const struct ends ends = pair();
    struct sockaddr_storage peer;
    socklen_t length = 28;
    reset(ends.server);
    wait_for(ends.client, IN);
    char byte;
    FAILS(recv(ends.client, &byte, 1, 0), ECONNRESET);
    FAILS(getpeername(ends.client, (struct sockaddr *)&peer, &length), ENOTCONN);
}
