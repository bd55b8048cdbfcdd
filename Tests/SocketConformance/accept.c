/* accept and the queue before it. */
#include "conformance.h"

/* How many connections a backlog lets through; the rest wait in SYN-SENT. */
static void check_backlog(int backlog, int admitted)
{
    const int listening = listener(backlog);
    const struct name name = own_name(listening);
    int fds[16];
    for (int index = 0; index < admitted + 2; index++) {
        fds[index] = nonblocking(tcp());
        if (connect(fds[index], AT(name)) != 0) EQUAL(errno, EINPROGRESS);
        if (index < admitted) BITS(fds[index], OUT);
    }
    for (int index = admitted; index < admitted + 2; index++) BITS_STAY(fds[index], 0);
}

CASE(backlog_0_admits_one) { check_backlog(0, 1); }

CASE(backlog_1_admits_two) { check_backlog(1, 2); }

CASE(backlog_5_admits_six) { check_backlog(5, 6); }

CASE(a_negative_backlog_is_the_largest)
{
    const int listening = listener(-1);
    const struct name name = own_name(listening);
    for (int index = 0; index < 300; index++) OK(connect(tcp(), AT(name)));
}

CASE(a_client_that_found_the_queue_full_gets_in_later)
{
    const int listening = listener(0);
    const struct name name = own_name(listening);
    OK(connect(tcp(), AT(name)));
    wait_for(listening, IN);
    const int fd = nonblocking(tcp());
    FAILS(connect(fd, AT(name)), EINPROGRESS);
    BITS_STAY(fd, 0);
    TRUE(accept(listening, NULL, NULL) >= 0);
    wait_for(fd, OUT);
    BITS(fd, OUT);
    TRUE(accept(listening, NULL, NULL) >= 0);
}

CASE(readable_while_something_waits)
{
    const int listening = listener(4);
    const struct name name = own_name(listening);
    BITS_STAY(listening, 0);
    OK(connect(tcp(), AT(name)));
    OK(connect(tcp(), AT(name)));
    BITS(listening, IN);
    TRUE(accept(listening, NULL, NULL) >= 0);
    BITS(listening, IN);
    TRUE(accept(listening, NULL, NULL) >= 0);
    BITS_STAY(listening, 0);
}

CASE(nothing_waits)
{
    FAILS(accept(nonblocking(listener(1)), NULL, NULL), EAGAIN);
}

CASE(nothing_comes_in_time)
{
    const int listening = listener(1);
    set_time(listening, SO_RCVTIMEO, 80);
    const long begin = milliseconds_now();
    FAILS(accept(listening, NULL, NULL), EAGAIN);
    TRUE(milliseconds_now() - begin >= 70);
}

CASE(with_a_socket_that_does_not_listen)
{
    FAILS(accept(tcp(), NULL, NULL), EINVAL);
    FAILS(accept(bound(tcp()), NULL, NULL), EINVAL);
    FAILS(accept(pair().client, NULL, NULL), EINVAL);
    FAILS(accept(udp(), NULL, NULL), EOPNOTSUPP);
}

CASE(the_peers_name)
{
    const int listening = listener(1), client = tcp();
    const struct name name = own_name(listening);
    OK(connect(client, AT(name)));
    struct sockaddr_storage peer;
    socklen_t length = 28;
    TRUE(accept(listening, (struct sockaddr *)&peer, &length) >= 0);
    EQUAL(length, 16);
    NAME_IS(peer, "127.0.0.1", own_port(client));
}

CASE(in_the_order_of_arrival)
{
    const int listening = listener(4);
    const struct name name = own_name(listening);
    int clients[3];
    for (int index = 0; index < 3; index++) {
        clients[index] = tcp();
        OK(connect(clients[index], AT(name)));
        pause_for(5);
    }
    for (int index = 0; index < 3; index++) {
        struct sockaddr_storage peer;
        socklen_t length = 28;
        TRUE(accept(listening, (struct sockaddr *)&peer, &length) >= 0);
        EQUAL(port_in(&peer), own_port(clients[index]));
    }
}

CASE(a_peer_that_was_reset_before)
{
    const int listening = listener(1), client = tcp();
    const struct name name = own_name(listening);
    OK(connect(client, AT(name)));
    wait_for(listening, IN);
    reset(client);
    pause_for(30);
    const int fd = accept(listening, NULL, NULL);
    TRUE(fd >= 0);
    BITS(fd, IN | OUT | ERR | HUP | RDHUP);
    char byte;
    FAILS(recv(fd, &byte, 1, 0), ECONNRESET);
    EQUAL(recv(fd, &byte, 1, 0), 0);
}

CASE(a_peer_that_wrote_and_closed_before)
{
    const int listening = listener(1), client = tcp();
    const struct name name = own_name(listening);
    OK(connect(client, AT(name)));
    put(client, "bye");
    OK(close(client));
    wait_for(listening, IN);
    const int fd = accept(listening, NULL, NULL);
    READS(fd, "bye");
    char byte;
    EQUAL(recv(fd, &byte, 1, 0), 0);
}

CASE(inherits_switches)
{
    const int listening = listener(1);
    set(listening, IPPROTO_TCP, TCP_NODELAY, 1);
    set(listening, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(listening, IPPROTO_TCP, TCP_KEEPIDLE, 100);
    set(listening, IPPROTO_TCP, TCP_KEEPINTVL, 11);
    set(listening, IPPROTO_TCP, TCP_KEEPCNT, 4);
    const int fd = pair_of(tcp(), listening).server;
    EQUAL(get(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    EQUAL(get(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    EQUAL(get(fd, IPPROTO_TCP, TCP_KEEPIDLE), 100);
    EQUAL(get(fd, IPPROTO_TCP, TCP_KEEPINTVL), 11);
    EQUAL(get(fd, IPPROTO_TCP, TCP_KEEPCNT), 4);
}

CASE(inherits_buffers)
{
    const int listening = tcp();
    set(listening, SOL_SOCKET, SO_RCVBUF, 30000);
    set(listening, SOL_SOCKET, SO_SNDBUF, 40000);
    bound(listening);
    OK(listen(listening, 1));
    const int fd = pair_of(tcp(), listening).server;
    EQUAL(get(fd, SOL_SOCKET, SO_RCVBUF), 60000);
    EQUAL(get(fd, SOL_SOCKET, SO_SNDBUF), 80000);
}

CASE(inherits_linger)
{
    const int listening = listener(1);
    set_linger(listening, 1, 7);
    const int fd = pair_of(tcp(), listening).server;
    struct linger linger = {0, 0};
    socklen_t length = sizeof linger;
    OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
    EQUAL(length, sizeof linger);
    EQUAL(linger.l_onoff, 1);
    EQUAL(linger.l_linger, 7);
}

CASE(inherits_fields_of_the_header)
{
    const int listening = listener(1);
    set(listening, IPPROTO_IP, IP_TTL, 33);
    set(listening, IPPROTO_IP, IP_TOS, 0x10);
    const int fd = pair_of(tcp(), listening).server;
    EQUAL(get(fd, IPPROTO_IP, IP_TTL), 33);
    EQUAL(get(fd, IPPROTO_IP, IP_TOS), 0x10);
}

CASE(inherits_ipv6_only)
{
    const int listening = tcp6();
    set(listening, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    const struct name any = name_of("::1", 0);
    OK(bind(listening, AT(any)));
    OK(listen(listening, 1));
    const int fd = pair_of(tcp6(), listening).server;
    EQUAL(get(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
}

CASE(does_not_inherit_nonblocking)
{
    const int listening = nonblocking(listener(1)), client = tcp();
    const struct name name = own_name(listening);
    OK(connect(client, AT(name)));
    wait_for(listening, IN);
    const int fd = accept(listening, NULL, NULL);
    TRUE(fd >= 0);
    EQUAL(fcntl(fd, F_GETFL, 0) & O_NONBLOCK, 0);
}

CASE(accept4_can_make_it_nonblocking)
{
    const int listening = listener(1), client = tcp();
    const struct name name = own_name(listening);
    OK(connect(client, AT(name)));
    const int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    TRUE(fd >= 0);
    char byte;
    FAILS(recv(fd, &byte, 1, 0), EAGAIN);
}

CASE(shutdown_of_a_listener)
{
    for (int how = 0; how < 2; how++) {
        const int listening = listener(2), client = tcp();
        const struct name name = own_name(listening);
        OK(connect(client, AT(name)));
        wait_for(listening, IN);
        OK(shutdown(listening, how ? SHUT_RDWR : SHUT_RD));
        BITS(client, IN | OUT | ERR | HUP | RDHUP);
        char byte;
        FAILS(recv(client, &byte, 1, 0), ECONNRESET);
        FAILS(accept(listening, NULL, NULL), EINVAL);
        BITS(listening, OUT | HUP);
        FAILS(connect(tcp(), AT(name)), ECONNREFUSED);
    }
}

CASE(a_listener_that_was_shut_listens_again)
{
    const int listening = listener(2);
    OK(shutdown(listening, SHUT_RD));
    OK(listen(listening, 2));
    /* The port may be another: it was not chosen by the program. */
    const struct name name = own_name(listening);
    const int client = tcp();
    OK(connect(client, AT(name)));
    TRUE(accept(listening, NULL, NULL) >= 0);
}

CASE(a_port_that_was_asked_for_stays_after_shutdown)
{
    const int listening = tcp(), client = tcp(), later = tcp();
    const struct name name = name_of("127.0.0.1", 20010);
    OK(bind(listening, AT(name)));
    OK(listen(listening, 2));
    OK(connect(client, AT(name)));
    wait_for(listening, IN);
    OK(shutdown(listening, SHUT_RD));
    BITS(client, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(own_port(listening), 20010);
    EQUAL(get(listening, SOL_SOCKET, SO_ACCEPTCONN), 0);
    OK(listen(listening, 2));
    OK(connect(later, AT(name)));
    TRUE(accept(listening, NULL, NULL) >= 0);
}

CASE(shutdown_of_a_listener_wakes_accept)
{
    const int listening = listener(1);
    struct call call = {0};
    start(&call, listening, call_accept);
    TRUE(!call.is_done);
    OK(shutdown(listening, SHUT_RDWR));
    finish(&call);
    EQUAL(call.result, -1);
    EQUAL(call.number, EINVAL);
}

CASE(close_of_a_listener_resets_what_waits)
{
    const int listening = listener(2), client = tcp();
    const struct name name = own_name(listening);
    OK(connect(client, AT(name)));
    wait_for(listening, IN);
    OK(close(listening));
    BITS(client, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(client, SOL_SOCKET, SO_ERROR), ECONNRESET);
}

CASE(close_of_a_listener_leaves_what_was_accepted)
{
    const int listening = listener(2);
    const struct ends ends = pair_of(tcp(), listening);
    OK(close(listening));
    put(ends.client, "still");
    READS(ends.server, "still");
    put(ends.server, "here");
    READS(ends.client, "here");
}

CASE(an_ipv4_peer_of_an_ipv6_listener)
{
    const int listening = tcp6(), client = tcp();
    const struct name any = name_of("::", 0);
    OK(bind(listening, AT(any)));
    OK(listen(listening, 1));
    const struct name name = name_of("127.0.0.1", own_port(listening));
    OK(connect(client, AT(name)));
    struct sockaddr_storage peer, own;
    socklen_t length = 28;
    const int fd = accept(listening, (struct sockaddr *)&peer, &length);
    TRUE(fd >= 0);
    EQUAL(length, 28);
    NAME_IS(peer, "::ffff:127.0.0.1", own_port(client));
    length = 28;
    OK(getsockname(fd, (struct sockaddr *)&own, &length));
    NAME_IS(own, "::ffff:127.0.0.1", own_port(listening));
    put(fd, "both");
    READS(client, "both");
}

CASE(recv_and_send_of_a_listener)
{
    const int listening = listener(1);
    char byte = 0;
    FAILS(recv(listening, &byte, 1, 0), ENOTCONN);
    FAILS(send(listening, &byte, 1, MSG_NOSIGNAL), EPIPE);
}
