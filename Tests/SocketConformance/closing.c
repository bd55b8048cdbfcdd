/* shutdown, close, resets and pending errors. */
#include "conformance.h"

CASE(shutdown_of_what_is_not_connected)
{
    FAILS(shutdown(tcp(), SHUT_WR), ENOTCONN);
    FAILS(shutdown(tcp(), SHUT_RDWR), ENOTCONN);
    FAILS(shutdown(bound(tcp()), SHUT_RD), ENOTCONN);
    FAILS(shutdown(udp(), SHUT_RDWR), ENOTCONN);
}

CASE(shutdown_of_nothing_known) { FAILS(shutdown(pair().client, 7), EINVAL); }

CASE(shutdown_of_an_unconnected_datagram_socket_wakes_recv)
{
    const int fd = bound(udp());
    struct call call = {0};
    start(&call, fd, call_recv);
    FAILS(shutdown(fd, SHUT_RD), ENOTCONN);
    finish(&call);
    EQUAL(call.result, 0);
}

CASE(the_sending_side)
{
    const struct ends ends = pair();
    put(ends.client, "all of it");
    OK(shutdown(ends.client, SHUT_WR));
    FAILS(send(ends.client, "x", 1, MSG_NOSIGNAL), EPIPE);
    OK(shutdown(ends.client, SHUT_WR));
    BITS(ends.client, OUT);
    BITS(ends.server, IN | OUT | RDHUP);
    READS(ends.server, "all of it");
    char byte;
    EQUAL(recv(ends.server, &byte, 1, 0), 0);
    put(ends.server, "answer");
    READS(ends.client, "answer");
}

CASE(the_receiving_side)
{
    const struct ends ends = pair();
    char byte;
    OK(shutdown(ends.client, SHUT_RD));
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
    BITS(ends.client, IN | OUT | RDHUP);
    BITS_STAY(ends.server, OUT);
    put(ends.server, "late");
    pause_for(50);
    READS(ends.client, "late");
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
    put(ends.client, "and back");
    READS(ends.server, "and back");
}

CASE(the_receiving_side_wakes_recv)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.client, call_recv);
    OK(shutdown(ends.client, SHUT_RD));
    finish(&call);
    EQUAL(call.result, 0);
}

CASE(both_sides)
{
    const struct ends ends = pair();
    OK(shutdown(ends.client, SHUT_RDWR));
    BITS(ends.client, IN | OUT | HUP | RDHUP);
    FAILS(send(ends.client, "x", 1, MSG_NOSIGNAL), EPIPE);
    char byte;
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
    BITS(ends.server, IN | OUT | RDHUP);
    /* What comes now is answered with a reset. */
    EQUAL(send(ends.server, "x", 1, MSG_NOSIGNAL), 1);
    BITS(ends.server, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(ends.server, SOL_SOCKET, SO_ERROR), EPIPE);
    EQUAL(get(ends.client, SOL_SOCKET, SO_ERROR), ECONNRESET);
}

CASE(either_side_while_connecting)
{
    const int sides[3] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
    for (int index = 0; index < 3; index++) {
        const int fd = pending();
        OK(shutdown(fd, sides[index]));
        BITS(fd, OUT | ERR | HUP);
        EQUAL(get(fd, SOL_SOCKET, SO_ERROR), ECONNRESET);
        BITS(fd, OUT | HUP);
    }
}

CASE(shutdown_wakes_connect)
{
    const int listening = listener(0);
    struct call call = {.to = own_name(listening)};
    OK(connect(tcp(), AT(call.to)));
    wait_for(listening, IN);
    const int fd = tcp();
    start(&call, fd, call_connect);
    TRUE(!call.is_done);
    OK(shutdown(fd, SHUT_RDWR));
    finish(&call);
    EQUAL(call.result, -1);
    EQUAL(call.number, ECONNRESET);
}

CASE(the_receiving_side_of_datagrams)
{
    const struct ends ends = udp_pair();
    char byte;
    OK(shutdown(ends.client, SHUT_RD));
    BITS(ends.client, IN | OUT | RDHUP);
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
    OK(shutdown(ends.client, SHUT_WR));
    BITS(ends.client, IN | OUT | HUP | RDHUP);
}

CASE(the_sending_side_of_datagrams)
{
    const struct ends ends = udp_pair();
    OK(shutdown(ends.client, SHUT_WR));
    FAILS(send(ends.client, "x", 1, MSG_NOSIGNAL), EPIPE);
    put(ends.server, "in");
    READS(ends.client, "in");
}

CASE(both_have_ended)
{
    const struct ends ends = pair();
    OK(shutdown(ends.client, SHUT_WR));
    BITS(ends.server, IN | OUT | RDHUP);
    OK(shutdown(ends.server, SHUT_WR));
    BITS(ends.client, IN | OUT | HUP | RDHUP);
    BITS(ends.server, IN | OUT | HUP | RDHUP);
    char byte;
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
    EQUAL(recv(ends.server, &byte, 1, 0), 0);
}

CASE(both_end_at_once)
{
    const struct ends ends = pair();
    put(ends.client, "c");
    put(ends.server, "s");
    OK(shutdown(ends.client, SHUT_WR));
    OK(shutdown(ends.server, SHUT_WR));
    BITS(ends.client, IN | OUT | HUP | RDHUP);
    BITS(ends.server, IN | OUT | HUP | RDHUP);
    READS(ends.client, "s");
    READS(ends.server, "c");
}

CASE(close_sends_what_is_queued)
{
    const struct ends ends = pair();
    const long sent = fill(ends.client);
    OK(close(ends.client));
    long taken = 0;
    char block[4096];
    for (;;) {
        const ssize_t count = recv(ends.server, block, sizeof block, 0);
        if (count <= 0) {
            EQUAL(count, 0);
            break;
        }
        taken += count;
    }
    EQUAL(taken, sent);
}

CASE(close_of_one_end)
{
    const struct ends ends = pair();
    OK(close(ends.client));
    BITS(ends.server, IN | OUT | RDHUP);
    char byte;
    EQUAL(recv(ends.server, &byte, 1, 0), 0);
    EQUAL(get(ends.server, SOL_SOCKET, SO_ERROR), 0);
}

CASE(close_with_unread_data_resets)
{
    const struct ends ends = pair();
    put(ends.client, "unread");
    wait_for(ends.server, IN);
    OK(close(ends.server));
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    char byte;
    FAILS(recv(ends.client, &byte, 1, 0), ECONNRESET);
}

CASE(close_with_linger_of_zero_resets)
{
    const struct ends ends = pair();
    const long sent = fill(ends.client);
    reset(ends.client);
    BITS(ends.server, IN | OUT | ERR | HUP | RDHUP);
    TRUE(drain(ends.server) <= sent);
}

static long close_it(struct call *call) { return close(call->fd); }

CASE(close_with_linger_waits)
{
    const struct ends ends = pair();
    fill(ends.client);
    OK(fcntl(ends.client, F_SETFL, 0));
    set_linger(ends.client, 1, 20);
    struct call call = {0};
    start(&call, ends.client, close_it);
    TRUE(!call.is_done);
    drain(ends.server);
    OK(close(ends.server));
    finish(&call);
    EQUAL(call.result, 0);
    TRUE(call.took < 15000);
}

CASE(close_with_linger_gives_up_waiting)
{
    const struct ends ends = pair();
    const long sent = fill(ends.client);
    OK(fcntl(ends.client, F_SETFL, 0));
    set_linger(ends.client, 1, 1);
    const long begin = milliseconds_now();
    OK(close(ends.client));
    const long took = milliseconds_now() - begin;
    TRUE(took >= 900);
    TRUE(took < 10000);
    /* It goes on in the background. */
    EQUAL(drain(ends.server), sent);
}

CASE(close_with_linger_and_nothing_to_wait_for)
{
    const struct ends ends = pair();
    set_linger(ends.client, 1, 20);
    OK(close(ends.server));
    BITS(ends.client, IN | OUT | RDHUP);
    const long begin = milliseconds_now();
    OK(close(ends.client));
    TRUE(milliseconds_now() - begin < 10000);
}

CASE(data_for_a_closed_socket_resets)
{
    const struct ends ends = pair();
    OK(close(ends.server));
    BITS(ends.client, IN | OUT | RDHUP);
    /* The first one is taken. */
    EQUAL(send(ends.client, "x", 1, MSG_NOSIGNAL), 1);
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(ends.client, SOL_SOCKET, SO_ERROR), EPIPE);
    FAILS(send(ends.client, "x", 1, MSG_NOSIGNAL), EPIPE);
}

CASE(data_for_a_closed_socket_then_send)
{
    const struct ends ends = pair();
    OK(close(ends.server));
    BITS(ends.client, IN | OUT | RDHUP);
    EQUAL(send(ends.client, "x", 1, MSG_NOSIGNAL), 1);
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    FAILS(send(ends.client, "x", 1, MSG_NOSIGNAL), EPIPE);
    FAILS(send(ends.client, "x", 1, MSG_NOSIGNAL), EPIPE);
}

CASE(a_reset_as_recv_sees_it)
{
    const struct ends ends = pair();
    char byte;
    reset(ends.server);
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    FAILS(recv(ends.client, &byte, 1, 0), ECONNRESET);
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
    FAILS(send(ends.client, "x", 1, MSG_NOSIGNAL), EPIPE);
    BITS(ends.client, IN | OUT | HUP | RDHUP);
}

CASE(a_reset_as_send_sees_it)
{
    const struct ends ends = pair();
    char byte;
    reset(ends.server);
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    FAILS(send(ends.client, "x", 1, MSG_NOSIGNAL), ECONNRESET);
    FAILS(send(ends.client, "x", 1, MSG_NOSIGNAL), EPIPE);
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
}

CASE(a_reset_as_the_option_sees_it)
{
    const struct ends ends = pair();
    char byte;
    reset(ends.server);
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(ends.client, SOL_SOCKET, SO_ERROR), ECONNRESET);
    EQUAL(get(ends.client, SOL_SOCKET, SO_ERROR), 0);
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
    FAILS(send(ends.client, "x", 1, MSG_NOSIGNAL), EPIPE);
}

CASE(a_reset_wakes_recv)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.client, call_recv);
    reset(ends.server);
    finish(&call);
    EQUAL(call.result, -1);
    EQUAL(call.number, ECONNRESET);
}

static long send_for_ever(struct call *call)
{
    char block[65536];
    memset(block, 0, sizeof block);
    long result;
    while ((result = send(call->fd, block, sizeof block, MSG_NOSIGNAL)) == (long)sizeof block) {}
    /* A call that was cut short tells at the next. */
    return result > 0 ? send(call->fd, block, sizeof block, MSG_NOSIGNAL) : result;
}

CASE(a_reset_wakes_send)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.client, send_for_ever);
    pause_for(300);
    TRUE(!call.is_done);
    reset(ends.server);
    finish(&call);
    EQUAL(call.result, -1);
    EQUAL(call.number, ECONNRESET);
}

CASE(shutdown_wakes_send)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.client, send_for_ever);
    pause_for(300);
    TRUE(!call.is_done);
    OK(shutdown(ends.client, SHUT_WR));
    finish(&call);
    EQUAL(call.result, -1);
    EQUAL(call.number, EPIPE);
}

CASE(unread_data_outlives_a_reset)
{
    const struct ends ends = pair();
    char byte;
    put(ends.server, "left");
    wait_for(ends.client, IN);
    reset(ends.server);
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    READS(ends.client, "left");
    FAILS(recv(ends.client, &byte, 1, 0), ECONNRESET);
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
}

CASE(unread_data_outlives_the_option)
{
    const struct ends ends = pair();
    char byte;
    put(ends.server, "left");
    wait_for(ends.client, IN);
    reset(ends.server);
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(ends.client, SOL_SOCKET, SO_ERROR), ECONNRESET);
    READS(ends.client, "left");
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
}

CASE(a_reset_after_the_peers_end)
{
    const struct ends ends = pair();
    put(ends.client, "unread");
    wait_for(ends.server, IN);
    /* End of the stream, then a reset since data was left. */
    OK(shutdown(ends.server, SHUT_WR));
    BITS(ends.client, IN | OUT | RDHUP);
    OK(close(ends.server));
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(ends.client, SOL_SOCKET, SO_ERROR), EPIPE);
}

CASE(a_failed_connect_closes)
{
    const int fd = pending();
    OK(close(fd));
    FAILS(close(fd), EBADF);
}

#ifndef CONFORMANCE_HOST
/* The C library's alone: a network can be left. */
void network_address(struct sockaddr_storage *address);
void leave_network(void);

CASE(the_network_is_left)
{
    const int listening = network_tcp6(), client = network_tcp6(), bystander = network_tcp6();
    struct sockaddr_storage own;
    network_address(&own);
    struct name name = name_of("::", 0);
    memcpy(&name.address.v6.sin6_addr, (const char *)&own + 8, 16);
    OK(bind(listening, AT(name)));
    OK(listen(listening, 1));
    const struct ends ends = pair_of(client, listening);
    put(ends.client, "before");
    READS(ends.server, "before");
    const struct name any = name_of("::", 0);
    OK(bind(bystander, AT(any)));
    OK(listen(bystander, 1));
    leave_network();
    BITS(ends.client, IN | OUT | ERR | HUP);
    BITS(ends.server, IN | OUT | ERR | HUP);
    char byte;
    FAILS(recv(ends.client, &byte, 1, 0), ENETDOWN);
    EQUAL(recv(ends.client, &byte, 1, 0), 0);
    EQUAL(get(ends.server, SOL_SOCKET, SO_ERROR), ENETDOWN);
    FAILS(accept(listening, NULL, NULL), ENETDOWN);
    BITS_STAY(bystander, 0);
}
#endif

CASE(descriptors_come_back)
{
    for (int times = 0; times < 3000; times++) {
        const int fd = tcp();
        if (close(fd) != 0 || fd > 100) {
            EQUAL(fd, -2);
            break;
        }
    }
}
