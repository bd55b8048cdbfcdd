/* connect. */
#include "conformance.h"

CASE(to_a_listener)
{
    const struct ends ends = pair();
    BITS(ends.client, OUT);
    BITS(ends.server, OUT);
    EQUAL(get(ends.client, SOL_SOCKET, SO_ERROR), 0);
}

CASE(over_ipv6)
{
    const int fd = tcp6(), client = tcp6();
    const struct name any = name_of("::1", 0);
    OK(bind(fd, AT(any)));
    OK(listen(fd, 1));
    const struct name name = own_name(fd);
    OK(connect(client, AT(name)));
    const int server = accept(fd, NULL, NULL);
    put(client, "six");
    READS(server, "six");
}

CASE(under_way)
{
    const int fd = pending();
    BITS_STAY(fd, 0);
    char byte = 0;
    FAILS(recv(fd, &byte, 1, 0), EAGAIN);
    FAILS(send(fd, &byte, 1, 0), EAGAIN);
}

CASE(under_way_and_again)
{
    const int listening = listener(0);
    const struct name name = own_name(listening);
    OK(connect(tcp(), AT(name)));
    wait_for(listening, IN);
    const int fd = nonblocking(tcp());
    FAILS(connect(fd, AT(name)), EINPROGRESS);
    FAILS(connect(fd, AT(name)), EALREADY);
    FAILS(connect(fd, AT(name)), EALREADY);
    EQUAL(get(fd, SOL_SOCKET, SO_ERROR), 0);
}

CASE(under_way_then_done)
{
    const int listening = listener(4), fd = nonblocking(tcp());
    const struct name name = own_name(listening);
    const int result = connect(fd, AT(name));
    TRUE(result == 0 || errno == EINPROGRESS);
    BITS(fd, OUT);
    EQUAL(get(fd, SOL_SOCKET, SO_ERROR), 0);
    /* A call that has not heard of the end yet may be the one that hears of it. */
    if (connect(fd, AT(name)) != 0) EQUAL(errno, EISCONN);
    FAILS(connect(fd, AT(name)), EISCONN);
}

CASE(refused)
{
    const struct name name = name_of("127.0.0.1", free_port());
    const int fd = tcp();
    FAILS(connect(fd, AT(name)), ECONNREFUSED);
    EQUAL(get(fd, SOL_SOCKET, SO_ERROR), 0);
}

CASE(refused_over_ipv6)
{
    const int holder = tcp6(), fd = tcp6();
    const struct name any = name_of("::1", 0);
    OK(bind(holder, AT(any)));
    const struct name name = own_name(holder);
    FAILS(connect(fd, AT(name)), ECONNREFUSED);
}

CASE(refused_then_connected_with_the_same_socket)
{
    const int fd = tcp(), listening = listener(1);
    struct name name = name_of("127.0.0.1", free_port());
    FAILS(connect(fd, AT(name)), ECONNREFUSED);
    name = own_name(listening);
    OK(connect(fd, AT(name)));
    put(fd, "later");
    READS(accept(listening, NULL, NULL), "later");
}

static int refused_later(struct name *name)
{
    const int fd = nonblocking(tcp());
    *name = name_of("127.0.0.1", free_port());
    FAILS(connect(fd, AT(*name)), EINPROGRESS);
    return fd;
}

CASE(refused_later_as_poll_sees_it)
{
    struct name name;
    const int fd = refused_later(&name);
    BITS(fd, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    EQUAL(get(fd, SOL_SOCKET, SO_ERROR), 0);
    BITS(fd, IN | OUT | HUP | RDHUP);
}

CASE(refused_later_as_select_sees_it)
{
    struct name name;
    const int fd = refused_later(&name);
    BITS(fd, IN | OUT | ERR | HUP | RDHUP);
    fd_set read_set, write_set, except_set;
    FD_ZERO(&read_set);
    FD_SET(fd, &read_set);
    write_set = except_set = read_set;
    struct timeval time = {5, 0};
    EQUAL(select(fd + 1, &read_set, &write_set, &except_set, &time), 2);
    TRUE(FD_ISSET(fd, &read_set));
    TRUE(FD_ISSET(fd, &write_set));
    TRUE(!FD_ISSET(fd, &except_set));
}

CASE(refused_later_as_recv_sees_it)
{
    struct name name;
    const int fd = refused_later(&name);
    BITS(fd, IN | OUT | ERR | HUP | RDHUP);
    char byte;
    FAILS(recv(fd, &byte, 1, 0), ECONNREFUSED);
    EQUAL(recv(fd, &byte, 1, 0), 0);
}

CASE(refused_later_as_send_sees_it)
{
    struct name name;
    const int fd = refused_later(&name);
    BITS(fd, IN | OUT | ERR | HUP | RDHUP);
    FAILS(send(fd, "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
    FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
}

CASE(refused_later_and_connect_again)
{
    struct name name;
    const int fd = refused_later(&name);
    BITS(fd, IN | OUT | ERR | HUP | RDHUP);
    FAILS(connect(fd, AT(name)), ECONNREFUSED);
    FAILS(connect(fd, AT(name)), EINPROGRESS);
}

CASE(refused_later_read_and_connect_again)
{
    struct name name;
    const int fd = refused_later(&name);
    BITS(fd, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    FAILS(connect(fd, AT(name)), ECONNABORTED);
    FAILS(connect(fd, AT(name)), EINPROGRESS);
}

CASE(without_a_route)
{
    struct name name = nowhere(80);
    FAILS(connect(tcp(), AT(name)), ENETUNREACH);
    FAILS(connect(udp(), AT(name)), ENETUNREACH);
    name = name_of("2001:db8::1", 80);
    FAILS(connect(tcp6(), AT(name)), ENETUNREACH);
    FAILS(connect(udp6(), AT(name)), ENETUNREACH);
}

CASE(to_a_neighbour_that_is_not_there)
{
    const struct name name = dead_neighbour(80);
    const int fd = network_tcp6();
    const long begin = milliseconds_now();
    FAILS(connect(fd, AT(name)), EHOSTUNREACH);
    const long took = milliseconds_now() - begin;
    TRUE(took >= 2000);
    TRUE(took < 15000);
}

CASE(to_a_neighbour_that_is_not_there_without_blocking)
{
    const struct name name = dead_neighbour(80);
    const int fd = nonblocking(network_tcp6());
    FAILS(connect(fd, AT(name)), EINPROGRESS);
    BITS_STAY(fd, 0);
    wait_for(fd, IN);
    BITS(fd, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(fd, SOL_SOCKET, SO_ERROR), EHOSTUNREACH);
}

CASE(with_a_send_timeout)
{
    const int listening = listener(0);
    const struct name name = own_name(listening);
    OK(connect(tcp(), AT(name)));
    wait_for(listening, IN);
    const int fd = tcp();
    set_time(fd, SO_SNDTIMEO, 100);
    const long begin = milliseconds_now();
    FAILS(connect(fd, AT(name)), EINPROGRESS);
    TRUE(milliseconds_now() - begin >= 90);
    FAILS(connect(fd, AT(name)), EALREADY);
    /* The handshake goes on: with room in the queue it ends. */
    TRUE(accept(listening, NULL, NULL) >= 0);
    wait_for(fd, OUT);
    BITS(fd, OUT);
}

CASE(with_a_user_timeout)
{
    const int listening = listener(0);
    const struct name name = own_name(listening);
    OK(connect(tcp(), AT(name)));
    wait_for(listening, IN);
    const int fd = tcp();
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 300);
    const long begin = milliseconds_now();
    FAILS(connect(fd, AT(name)), ETIMEDOUT);
    const long took = milliseconds_now() - begin;
    TRUE(took >= 250);
    TRUE(took < 10000);
}

CASE(tcp_to_broadcast_or_multicast)
{
    struct name name = name_of("255.255.255.255", 80);
    FAILS(connect(tcp(), AT(name)), ENETUNREACH);
    name = name_of("239.1.2.3", 80);
    FAILS(connect(tcp(), AT(name)), ENETUNREACH);
}

CASE(to_the_wildcard_address)
{
    const int listening = listener(1), fd = tcp();
    const struct name name = name_of("0.0.0.0", own_port(listening));
    OK(connect(fd, AT(name)));
    struct sockaddr_storage peer;
    socklen_t length = 28;
    OK(getpeername(fd, (struct sockaddr *)&peer, &length));
    NAME_IS(peer, "127.0.0.1", own_port(listening));
}

CASE(to_the_wildcard_address_of_ipv6)
{
    const int listening = tcp6(), fd = tcp6();
    const struct name any = name_of("::1", 0);
    OK(bind(listening, AT(any)));
    OK(listen(listening, 1));
    const struct name name = name_of("::", own_port(listening));
    OK(connect(fd, AT(name)));
    struct sockaddr_storage peer;
    socklen_t length = 28;
    OK(getpeername(fd, (struct sockaddr *)&peer, &length));
    NAME_IS(peer, "::1", own_port(listening));
}

CASE(to_port_0)
{
    const struct name name = name_of("127.0.0.1", 0);
    FAILS(connect(tcp(), AT(name)), DIFFERS(ECONNREFUSED, EADDRNOTAVAIL, "never sent"));
}

CASE(with_a_listener)
{
    const struct name name = own_name(listener(1));
    FAILS(connect(listener(1), AT(name)), EISCONN);
}

CASE(twice)
{
    const int listening = listener(2);
    const struct name name = own_name(listening);
    const struct ends ends = pair_of(tcp(), listening);
    FAILS(connect(ends.client, AT(name)), EISCONN);
    FAILS(connect(ends.server, AT(name)), EISCONN);
}

static struct name no_family(void)
{
    struct name name = name_of("0.0.0.0", 0);
    name.address.v4.sin_family = AF_UNSPEC;
    return name;
}

CASE(dissolved)
{
    const struct ends ends = pair();
    const struct name none = no_family();
    OK(connect(ends.client, AT(none)));
    BITS(ends.client, OUT | HUP | ERR);
    BITS(ends.server, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(ends.server, SOL_SOCKET, SO_ERROR), ECONNRESET);
    struct sockaddr_storage peer;
    socklen_t length = 28;
    FAILS(getpeername(ends.client, (struct sockaddr *)&peer, &length), ENOTCONN);
}

CASE(dissolved_and_used_again)
{
    const struct ends ends = pair();
    const struct name none = no_family();
    OK(connect(ends.client, AT(none)));
    get(ends.client, SOL_SOCKET, SO_ERROR);
    const int listening = listener(1);
    const struct ends again = pair_of(ends.client, listening);
    put(again.client, "again");
    READS(again.server, "again");
}

CASE(dissolved_while_under_way)
{
    const int fd = pending();
    const struct name none = no_family();
    OK(connect(fd, AT(none)));
    EQUAL(get(fd, SOL_SOCKET, SO_ERROR), ECONNRESET);
    BITS(fd, OUT | HUP);
    const int listening = listener(1);
    OK(fcntl(fd, F_SETFL, 0));
    const struct ends again = pair_of(fd, listening);
    put(again.client, "again");
    READS(again.server, "again");
}

CASE(a_listener_dissolved)
{
    const int listening = listener(1), client = tcp();
    const struct name name = own_name(listening), none = no_family();
    OK(connect(client, AT(name)));
    wait_for(listening, IN);
    OK(connect(listening, AT(none)));
    BITS(client, IN | OUT | ERR | HUP | RDHUP);
    BITS(listening, OUT | HUP);
    FAILS(accept(listening, NULL, NULL), EINVAL);
    FAILS(connect(tcp(), AT(name)), ECONNREFUSED);
}

CASE(udp_dissolved)
{
    const struct ends ends = udp_pair();
    const struct name none = no_family();
    OK(connect(ends.client, AT(none)));
    struct sockaddr_storage peer;
    socklen_t length = 28;
    FAILS(getpeername(ends.client, (struct sockaddr *)&peer, &length), ENOTCONN);
    FAILS(send(ends.client, "x", 1, 0), EDESTADDRREQ);
}

CASE(udp_dissolved_forgets_the_address_it_chose)
{
    const int fd = udp(), peer = bound(udp());
    const struct name name = own_name(peer), none = no_family();
    OK(connect(fd, AT(name)));
    OK(connect(fd, AT(none)));
    struct sockaddr_storage own;
    socklen_t length = 28;
    OK(getsockname(fd, (struct sockaddr *)&own, &length));
    unsigned char bytes[4];
    memcpy(bytes, (const char *)&own + 4, 4);
    EQUAL(bytes[0], 0);
}

CASE(udp_to_another_peer)
{
    const int fd = udp(), first = bound(udp()), second = bound(udp());
    struct name name = own_name(first);
    OK(connect(fd, AT(name)));
    name = own_name(second);
    OK(connect(fd, AT(name)));
    put(fd, "two");
    READS(second, "two");
    BITS_STAY(first, OUT);
}

CASE(to_itself)
{
    const int fd = bound(tcp());
    const struct name name = own_name(fd);
    OK(connect(fd, AT(name)));
    put(fd, "echo");
    READS(fd, "echo");
    struct sockaddr_storage own, peer;
    socklen_t length = 28;
    OK(getsockname(fd, (struct sockaddr *)&own, &length));
    length = 28;
    OK(getpeername(fd, (struct sockaddr *)&peer, &length));
    EQUAL(port_in(&own), port_in(&peer));
}

CASE(with_a_short_address)
{
    const int listening = listener(1);
    const struct name name = own_name(listening);
    REFUSED(connect(tcp(), &name.address.any, 15));
    const struct name six = name_of("::1", own_port(listening));
    FAILS(connect(tcp6(), &six.address.any, 23), EINVAL);
}

CASE(with_an_address_of_the_other_family)
{
    const struct name six = name_of("::1", 80);
    FAILS(connect(tcp(), AT(six)), EAFNOSUPPORT);
    FAILS(connect(udp(), AT(six)), EAFNOSUPPORT);
}

CASE(to_a_mapped_address)
{
    const int listening = listener(1);
    const struct name name = name_of("::ffff:127.0.0.1", own_port(listening));
    const int fd = tcp6();
    OK(connect(fd, AT(name)));
    const int server = accept(listening, NULL, NULL);
    put(fd, "mapped");
    READS(server, "mapped");
    struct sockaddr_storage own;
    socklen_t length = 28;
    OK(getsockname(fd, (struct sockaddr *)&own, &length));
    EQUAL(length, 28);
    NAME_IS(own, "::ffff:127.0.0.1", own_port(fd));
}

CASE(to_a_mapped_address_with_ipv6_only)
{
    const struct name name = name_of("::ffff:127.0.0.1", own_port(listener(1)));
    int fd = tcp6();
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    FAILS(connect(fd, AT(name)), ENETUNREACH);
    fd = udp6();
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    FAILS(connect(fd, AT(name)), ENETUNREACH);
}

CASE(from_a_bound_address)
{
    const int listening = listener(1), fd = tcp();
    const struct name from = name_of("127.0.0.5", 0);
    OK(bind(fd, AT(from)));
    const struct name to = own_name(listening);
    OK(connect(fd, AT(to)));
    struct sockaddr_storage peer;
    socklen_t length = 28;
    TRUE(accept(listening, (struct sockaddr *)&peer, &length) >= 0);
    NAME_IS(peer, "127.0.0.5", own_port(fd));
}

CASE(a_port_that_a_connection_has_is_taken)
{
    const int listening = listener(4);
    const struct name to = own_name(listening);
    const int first = bound(tcp());
    OK(connect(first, AT(to)));
    const struct name from = own_name(first);
    const int second = tcp();
    FAILS(bind(second, AT(from)), EADDRINUSE);
}

CASE(the_same_two_ends_twice)
{
    const int listening = listener(4);
    const struct name to = own_name(listening);
    const int first = tcp(), second = tcp();
    set(first, SOL_SOCKET, SO_REUSEADDR, 1);
    set(second, SOL_SOCKET, SO_REUSEADDR, 1);
    bound(first);
    const struct name from = own_name(first);
    OK(bind(second, AT(from)));
    OK(connect(first, AT(to)));
    FAILS(connect(second, AT(to)), EADDRNOTAVAIL);
}
