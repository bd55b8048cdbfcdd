/* poll and select. */
#include "conformance.h"

CASE(fresh_sockets)
{
    BITS(tcp(), OUT | HUP);
    BITS(bound(tcp()), OUT | HUP);
    BITS(udp(), OUT);
    BITS(tcp6(), OUT | HUP);
    BITS(udp6(), OUT);
}

CASE(an_idle_connection)
{
    const struct ends ends = pair();
    BITS_STAY(ends.client, OUT);
    BITS_STAY(ends.server, OUT);
}

CASE(data_to_read)
{
    const struct ends ends = pair();
    put(ends.client, "xy");
    BITS(ends.server, IN | OUT);
    char byte;
    EQUAL(recv(ends.server, &byte, 1, 0), 1);
    /* Level-triggered. */
    BITS_STAY(ends.server, IN | OUT);
    EQUAL(recv(ends.server, &byte, 1, 0), 1);
    BITS(ends.server, OUT);
}

CASE(the_receive_low_water_mark)
{
    const struct ends ends = pair();
    set(ends.server, SOL_SOCKET, SO_RCVLOWAT, 10);
    put(ends.client, "123456789");
    BITS_STAY(ends.server, OUT);
    put(ends.client, "0");
    BITS(ends.server, IN | OUT);
    READS(ends.server, "1234567890");
    put(ends.client, "x");
    BITS_STAY(ends.server, OUT);
    OK(shutdown(ends.client, SHUT_WR));
    BITS(ends.server, IN | OUT | RDHUP);
}

CASE(a_full_send_buffer)
{
    const struct ends ends = pair();
    const long sent = fill(ends.client);
    BITS_STAY(ends.client, 0);
    /* A little room is not enough. */
    char block[1000];
    wait_for(ends.server, IN);
    EQUAL(recv(ends.server, block, 1000, 0), 1000);
    BITS_STAY(ends.client, 0);
    EQUAL(drain(ends.server), sent - 1000);
    BITS(ends.client, OUT);
}

CASE(a_full_send_buffer_with_something_to_read)
{
    const struct ends ends = pair();
    fill(ends.client);
    put(ends.server, "x");
    BITS(ends.client, IN);
}

CASE(poll_with_nothing)
{
    const long begin = milliseconds_now();
    EQUAL(poll(NULL, 0, 80), 0);
    TRUE(milliseconds_now() - begin >= 70);
    EQUAL(poll(NULL, 0, 0), 0);
}

CASE(poll_times_out)
{
    struct pollfd entry = {.fd = listener(1), .events = POLLIN};
    const long begin = milliseconds_now();
    EQUAL(poll(&entry, 1, 80), 0);
    TRUE(milliseconds_now() - begin >= 70);
    EQUAL(entry.revents, 0);
}

CASE(poll_with_descriptors_that_are_none)
{
    const int gone = tcp();
    OK(close(gone));
    struct pollfd entries[3] = {
        {.fd = 900, .events = POLLIN}, {.fd = -1, .events = POLLIN, .revents = 77}, {.fd = gone, .events = 0}};
    EQUAL(poll(entries, 3, 1000), 2);
    EQUAL(entries[0].revents, NVAL);
    EQUAL(entries[1].revents, 0);
    EQUAL(entries[2].revents, NVAL);
}

CASE(poll_counts_descriptors)
{
    const struct ends ends = pair();
    put(ends.client, "x");
    wait_for(ends.server, IN);
    struct pollfd entries[3] = {{.fd = ends.client, .events = POLLIN | POLLOUT},
        {.fd = ends.server, .events = POLLIN | POLLOUT}, {.fd = ends.client, .events = POLLIN}};
    EQUAL(poll(entries, 3, 0), 2);
    EQUAL(entries[0].revents, OUT);
    EQUAL(entries[1].revents, IN | OUT);
    EQUAL(entries[2].revents, 0);
}

CASE(poll_tells_errors_unasked)
{
    const struct ends ends = pair();
    reset(ends.server);
    wait_for(ends.client, IN);
    struct pollfd entry = {.fd = ends.client, .events = 0};
    EQUAL(poll(&entry, 1, 1000), 1);
    EQUAL(entry.revents, ERR | HUP);
}

CASE(poll_tells_normal_data)
{
    const struct ends ends = pair();
    put(ends.client, "x");
    wait_for(ends.server, IN);
    struct pollfd entry = {.fd = ends.server, .events = POLLRDNORM | POLLWRNORM};
    EQUAL(poll(&entry, 1, 0), 1);
    EQUAL(entry.revents, POLLRDNORM | POLLWRNORM);
}

CASE(poll_is_woken_by_data)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.server, call_poll);
    TRUE(!call.is_done);
    put(ends.client, "x");
    finish(&call);
    EQUAL(call.result, IN);
    TRUE(call.took < 4500);
}

CASE(poll_is_woken_by_a_connection)
{
    const int listening = listener(1);
    const struct name name = own_name(listening);
    struct call call = {0};
    start(&call, listening, call_poll);
    OK(connect(tcp(), AT(name)));
    finish(&call);
    EQUAL(call.result, IN);
    TRUE(call.took < 4500);
}

CASE(poll_is_woken_by_a_datagram)
{
    const struct ends ends = udp_pair();
    struct call call = {0};
    start(&call, ends.server, call_poll);
    put(ends.client, "x");
    finish(&call);
    EQUAL(call.result, IN);
    TRUE(call.took < 4500);
}

CASE(poll_is_woken_by_the_end)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.server, call_poll);
    OK(close(ends.client));
    finish(&call);
    EQUAL(call.result, IN);
    TRUE(call.took < 4500);
}

static long poll_output(struct call *call)
{
    struct pollfd entry = {.fd = call->fd, .events = POLLOUT};
    return poll(&entry, 1, 10000) == 1 ? entry.revents : 0;
}

CASE(poll_is_woken_by_room)
{
    const struct ends ends = pair();
    fill(ends.client);
    struct call call = {0};
    start(&call, ends.client, poll_output);
    TRUE(!call.is_done);
    drain(ends.server);
    finish(&call);
    EQUAL(call.result, OUT);
    TRUE(call.took < 9000);
}

static int select_one(int fd, bool reads, bool writes, int milliseconds)
{
    fd_set read_set, write_set, except_set;
    FD_ZERO(&read_set);
    FD_ZERO(&write_set);
    FD_ZERO(&except_set);
    if (reads) FD_SET(fd, &read_set);
    if (writes) FD_SET(fd, &write_set);
    FD_SET(fd, &except_set);
    struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000};
    const int count = select(fd + 1, &read_set, &write_set, &except_set, &time);
    const int bits = (FD_ISSET(fd, &read_set) ? 1 : 0) | (FD_ISSET(fd, &write_set) ? 2 : 0)
        | (FD_ISSET(fd, &except_set) ? 4 : 0);
    return count < 0 ? count : count * 8 + bits;
}

CASE(select_of_a_connection)
{
    const struct ends ends = pair();
    EQUAL(select_one(ends.server, true, true, 0), 8 + 2);
    put(ends.client, "x");
    wait_for(ends.server, IN);
    EQUAL(select_one(ends.server, true, true, 0), 16 + 3);
    EQUAL(select_one(ends.server, true, false, 0), 8 + 1);
}

CASE(select_of_a_fresh_socket) { EQUAL(select_one(tcp(), true, true, 0), 16 + 3); }

CASE(select_of_a_reset_connection)
{
    const struct ends ends = pair();
    reset(ends.server);
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(select_one(ends.client, true, true, 1000), 16 + 3);
}

CASE(select_of_an_idle_listener)
{
    const int fd = listener(1);
    const long begin = milliseconds_now();
    EQUAL(select_one(fd, true, true, 80), 0);
    TRUE(milliseconds_now() - begin >= 70);
}

CASE(select_with_no_descriptor)
{
    struct timeval time = {0, 80000};
    const long begin = milliseconds_now();
    EQUAL(select(0, NULL, NULL, NULL, &time), 0);
    TRUE(milliseconds_now() - begin >= 70);
}

CASE(select_with_a_descriptor_that_is_none)
{
    const int fd = tcp();
    OK(close(fd));
    FAILS(select_one(fd, true, false, 1000), EBADF);
}

CASE(select_with_a_bad_count)
{
    struct timeval time = {0, 0};
    FAILS(select(-1, NULL, NULL, NULL, &time), EINVAL);
#ifndef CONFORMANCE_HOST
    /* Linux cuts it to what the process may have. */
    FAILS(select(1025, NULL, NULL, NULL, &time), EINVAL);
#endif
}

CASE(select_with_a_bad_time)
{
    struct timeval time = {-1, 0};
    FAILS(select(0, NULL, NULL, NULL, &time), EINVAL);
}

static long select_read(struct call *call) { return select_one(call->fd, true, false, 5000); }

CASE(select_is_woken)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.server, select_read);
    TRUE(!call.is_done);
    put(ends.client, "x");
    finish(&call);
    EQUAL(call.result, 8 + 1);
    TRUE(call.took < 4500);
}

CASE(the_except_set_stays_empty)
{
    const struct ends ends = pair();
    put(ends.client, "x");
    wait_for(ends.server, IN);
    fd_set except_set;
    FD_ZERO(&except_set);
    FD_SET(ends.server, &except_set);
    struct timeval time = {0, 50000};
    EQUAL(select(ends.server + 1, NULL, NULL, &except_set, &time), 0);
    TRUE(!FD_ISSET(ends.server, &except_set));
}

CASE(select_without_a_time_waits)
{
    const struct ends ends = pair();
    put(ends.client, "x");
    fd_set read_set;
    FD_ZERO(&read_set);
    FD_SET(ends.server, &read_set);
    EQUAL(select(ends.server + 1, &read_set, NULL, NULL, NULL), 1);
    TRUE(FD_ISSET(ends.server, &read_set));
}

CASE(poll_without_a_time_waits)
{
    const struct ends ends = pair();
    put(ends.client, "x");
    struct pollfd entry = {.fd = ends.server, .events = POLLIN};
    EQUAL(poll(&entry, 1, -1), 1);
    EQUAL(entry.revents, IN);
}

CASE(datagrams_in_the_queue)
{
    const struct ends ends = udp_pair();
    BITS_STAY(ends.server, OUT);
    put(ends.client, "x");
    put(ends.client, "y");
    BITS(ends.server, IN | OUT);
    READS(ends.server, "x");
    BITS_STAY(ends.server, IN | OUT);
    READS(ends.server, "y");
    BITS(ends.server, OUT);
}

CASE(a_pending_error_is_told_once)
{
    const struct ends ends = pair();
    reset(ends.server);
    BITS(ends.client, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(get(ends.client, SOL_SOCKET, SO_ERROR), ECONNRESET);
    BITS_STAY(ends.client, IN | OUT | HUP | RDHUP);
}
