/* Sending and receiving. */
#include "conformance.h"

static char large[70000];

CASE(never_connected)
{
    char byte = 0;
    FAILS(recv(tcp(), &byte, 1, 0), ENOTCONN);
    FAILS(send(tcp(), &byte, 1, MSG_NOSIGNAL), EPIPE);
    FAILS(recv(bound(tcp()), &byte, 1, 0), ENOTCONN);
    FAILS(send(bound(tcp()), &byte, 1, MSG_NOSIGNAL), EPIPE);
}

CASE(nothing_there)
{
    const struct ends ends = pair();
    char byte;
    FAILS(recv(ends.client, &byte, 1, MSG_DONTWAIT), EAGAIN);
    FAILS(recv(nonblocking(ends.client), &byte, 1, 0), EAGAIN);
    FAILS(recv(bound(udp()), &byte, 1, MSG_DONTWAIT), EAGAIN);
}

CASE(nothing_comes_in_time)
{
    const struct ends ends = pair();
    const int datagrams = bound(udp());
    char byte;
    set_time(ends.client, SO_RCVTIMEO, 80);
    long begin = milliseconds_now();
    FAILS(recv(ends.client, &byte, 1, 0), EAGAIN);
    TRUE(milliseconds_now() - begin >= 70);
    set_time(datagrams, SO_RCVTIMEO, 80);
    begin = milliseconds_now();
    FAILS(recv(datagrams, &byte, 1, 0), EAGAIN);
    TRUE(milliseconds_now() - begin >= 70);
}

CASE(the_end_of_the_stream_stays)
{
    const struct ends ends = pair();
    put(ends.server, "last");
    OK(shutdown(ends.server, SHUT_WR));
    READS(ends.client, "last");
    char byte;
    for (int times = 0; times < 3; times++) EQUAL(recv(ends.client, &byte, 1, 0), 0);
}

CASE(no_bytes)
{
    const struct ends ends = pair();
    char byte = 0;
    /* Does not wait; with recv, Linux does. */
    EQUAL(read(ends.client, &byte, 0), 0);
#ifdef CONFORMANCE_HOST
    EQUAL(send(ends.client, &byte, 0, 0), 0);
#else
    EQUAL(recv(ends.client, &byte, 0, 0), 0);
    EQUAL(send(ends.client, &byte, 0, 0), ZTS_ERR_INVALID_ARG);
#endif
    BITS_STAY(ends.server, OUT);
}

CASE(bytes_arrive_in_order)
{
    const struct ends ends = pair();
    unsigned char block[4096];
    const long total = 2000000;
    long sent = 0, taken = 0;
    bool is_right = true;
    set_nonblocking(ends.client);
    const long end = milliseconds_now() + 15000;
    while (taken < total && milliseconds_now() < end) {
        if (sent < total) {
            for (long index = 0; index < (long)sizeof block; index++)
                block[index] = (unsigned char)((sent + index) * 2654435761u >> 13);
            const size_t length = sent + (long)sizeof block > total ? (size_t)(total - sent) : sizeof block;
            const ssize_t count = send(ends.client, block, length, 0);
            if (count > 0) sent += count;
        }
        const ssize_t count = recv(ends.server, block, sizeof block, MSG_DONTWAIT);
        for (ssize_t index = 0; index < count; index++)
            is_right = is_right && block[index] == (unsigned char)((taken + index) * 2654435761u >> 13);
        if (count > 0) taken += count;
    }
    EQUAL(sent, total);
    EQUAL(taken, total);
    TRUE(is_right);
}

CASE(a_full_buffer_without_blocking)
{
    const struct ends ends = pair();
    const long sent = fill(ends.client);
    TRUE(sent > 0);
    FAILS(send(ends.client, "x", 1, 0), EAGAIN);
    FAILS(send(ends.client, "x", 1, MSG_DONTWAIT), EAGAIN);
    EQUAL(drain(ends.server), sent);
    BITS(ends.client, OUT);
}

CASE(a_send_larger_than_the_room_is_partial)
{
    const struct ends ends = pair();
    const long room = 64 << 20;
    char *block = calloc(1, (size_t)room);
    set_nonblocking(ends.client);
    const long sent = (long)send(ends.client, block, (size_t)room, 0);
    TRUE(sent > 0 && sent < room);
    long taken = 0;
    for (long end = milliseconds_now() + 10000; taken < sent && milliseconds_now() < end;) taken += drain(ends.server);
    EQUAL(taken, sent);
    free(block);
}

CASE(a_blocking_send_that_times_out)
{
    const struct ends ends = pair();
    set_time(ends.client, SO_SNDTIMEO, 150);
    const long room = 64 << 20;
    char *block = calloc(1, (size_t)room);
    const long sent = (long)send(ends.client, block, (size_t)room, 0);
    TRUE(sent > 0 && sent < room);
    while (send(ends.client, block, 65536, 0) > 0) {}
    EQUAL(errno, EAGAIN);
    free(block);
}

static long send_much(struct call *call)
{
    const size_t room = 12 << 20;
    char *block = calloc(1, room);
    const long result = send(call->fd, block, room, 0);
    free(block);
    return result;
}

CASE(a_blocking_send_takes_all)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.client, send_much);
    long taken = 0;
    for (long end = milliseconds_now() + 15000; taken < 12 << 20 && milliseconds_now() < end;)
        taken += drain(ends.server);
    finish(&call);
    EQUAL(call.result, 12 << 20);
    EQUAL(taken, 12 << 20);
}

CASE(an_address_with_a_stream_is_ignored)
{
    const struct ends ends = pair();
    const struct name name = name_of("203.0.113.1", 9);
    EQUAL(sendto(ends.client, "there", 5, 0, AT(name)), 5);
    READS(ends.server, "there");
}

CASE(peek)
{
    const struct ends ends = pair();
    char buffer[8];
    put(ends.client, "peeked");
    for (int times = 0; times < 2; times++) {
        memset(buffer, 0, sizeof buffer);
        wait_for(ends.server, IN);
        EQUAL(recv(ends.server, buffer, 6, MSG_PEEK), 6);
        EQUAL(memcmp(buffer, "peeked", 6), 0);
    }
    READS(ends.server, "peeked");
    FAILS(recv(ends.server, buffer, 6, MSG_DONTWAIT), EAGAIN);
    FAILS(recv(ends.server, buffer, 6, MSG_DONTWAIT | MSG_PEEK), EAGAIN);
}

CASE(peek_at_a_datagram)
{
    const struct ends ends = udp_pair();
    char buffer[8];
    put(ends.client, "whole");
    wait_for(ends.server, IN);
    EQUAL(recv(ends.server, buffer, 2, MSG_PEEK), 2);
    EQUAL(recv(ends.server, buffer, 8, 0), 5);
    EQUAL(memcmp(buffer, "whole", 5), 0);
}

CASE(wait_for_all_without_blocking)
{
    const struct ends ends = pair();
    char buffer[8];
    set_nonblocking(ends.server);
    FAILS(recv(ends.server, buffer, 8, MSG_WAITALL), EAGAIN);
    put(ends.client, "some");
    wait_for(ends.server, IN);
    EQUAL(recv(ends.server, buffer, 8, MSG_WAITALL), 4);
}

static long recv_all(struct call *call) { return recv(call->fd, call->buffer, 8, MSG_WAITALL); }

CASE(wait_for_all)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.server, recv_all);
    put(ends.client, "half");
    pause_for(50);
    TRUE(!call.is_done);
    put(ends.client, "rest");
    finish(&call);
    EQUAL(call.result, 8);
    EQUAL(memcmp(call.buffer, "halfrest", 8), 0);
}

CASE(wait_for_all_ends_with_the_stream)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.server, recv_all);
    put(ends.client, "half");
    OK(shutdown(ends.client, SHUT_WR));
    finish(&call);
    EQUAL(call.result, 4);
}

CASE(wait_for_all_of_what_has_ended)
{
    const struct ends ends = pair();
    char buffer[8];
    put(ends.client, "half");
    OK(shutdown(ends.client, SHUT_WR));
    BITS(ends.server, IN | OUT | RDHUP);
    EQUAL(recv(ends.server, buffer, 8, MSG_WAITALL), 4);
    EQUAL(recv(ends.server, buffer, 8, MSG_WAITALL), 0);
}

CASE(wait_for_all_of_what_was_reset)
{
    const struct ends ends = pair();
    char buffer[8];
    put(ends.client, "half");
    wait_for(ends.server, IN);
    reset(ends.client);
    BITS(ends.server, IN | OUT | ERR | HUP | RDHUP);
    EQUAL(recv(ends.server, buffer, 8, MSG_WAITALL), 4);
    FAILS(recv(ends.server, buffer, 8, MSG_WAITALL), ECONNRESET);
}

CASE(wait_for_all_ends_with_the_time)
{
    const struct ends ends = pair();
    char buffer[8];
    set_time(ends.server, SO_RCVTIMEO, 80);
    put(ends.client, "half");
    EQUAL(recv(ends.server, buffer, 8, MSG_WAITALL), 4);
}

CASE(pieces_of_a_stream)
{
    const struct ends ends = pair();
    char first[] = "one,", second[] = "two";
    struct iovec out[3] = {{first, 4}, {second, 0}, {second, 3}};
    struct msghdr message = {.msg_iov = out, .msg_iovlen = 3};
    EQUAL(sendmsg(ends.client, &message, 0), 7);
    char left[3], right[8];
    struct iovec in[2] = {{left, 3}, {right, 8}};
    struct msghdr taken = {.msg_iov = in, .msg_iovlen = 2};
    wait_for(ends.server, IN);
    pause_for(20);
    EQUAL(recvmsg(ends.server, &taken, 0), 7);
    EQUAL(memcmp(left, "one", 3), 0);
    EQUAL(memcmp(right, ",two", 4), 0);
    EQUAL(taken.msg_flags & MSG_TRUNC, 0);
}

CASE(pieces_of_a_datagram)
{
    const struct ends ends = udp_pair();
    char first[] = "one,", second[] = "two";
    struct iovec out[2] = {{first, 4}, {second, 3}};
    struct msghdr message = {.msg_iov = out, .msg_iovlen = 2};
    EQUAL(sendmsg(ends.client, &message, 0), 7);
    char left[3], right[8];
    struct iovec in[2] = {{left, 3}, {right, 8}};
    struct sockaddr_storage source;
    struct msghdr taken = {.msg_iov = in, .msg_iovlen = 2, .msg_name = &source, .msg_namelen = 28};
    EQUAL(recvmsg(ends.server, &taken, 0), 7);
    EQUAL(memcmp(left, "one", 3), 0);
    EQUAL(memcmp(right, ",two", 4), 0);
    EQUAL(taken.msg_namelen, 16);
    NAME_IS(source, "127.0.0.1", own_port(ends.client));
}

CASE(a_datagram_that_does_not_fit_is_cut)
{
    const struct ends ends = udp_pair();
    char buffer[8];
    put(ends.client, "0123456789");
    EQUAL(recv(ends.server, buffer, 4, 0), 4);
    EQUAL(memcmp(buffer, "0123", 4), 0);
    FAILS(recv(ends.server, buffer, 4, MSG_DONTWAIT), EAGAIN);
    put(ends.client, "0123456789");
    struct iovec in = {buffer, 4};
    struct msghdr taken = {.msg_iov = &in, .msg_iovlen = 1};
    EQUAL(recvmsg(ends.server, &taken, 0), 4);
    EQUAL(taken.msg_flags & MSG_TRUNC, MSG_TRUNC);
    put(ends.client, "0123456789");
    EQUAL(recv(ends.server, buffer, 4, MSG_TRUNC), 10);
}

CASE(pieces_that_cannot_be)
{
    const struct ends ends = udp_pair();
    char buffer[4] = "abc";
    struct iovec piece = {buffer, (size_t)-1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    FAILS(sendmsg(ends.client, &message, 0), EINVAL);
    FAILS(recvmsg(ends.server, &message, MSG_DONTWAIT), EINVAL);
    piece.iov_base = NULL;
    piece.iov_len = 3;
    FAILS(sendmsg(ends.client, &message, 0), EFAULT);
    BITS(ends.server, OUT);
}

CASE(an_empty_datagram)
{
    const struct ends ends = udp_pair();
    char buffer[4];
    struct iovec none = {buffer, 0};
    struct msghdr message = {.msg_iov = &none, .msg_iovlen = 1};
    EQUAL(sendmsg(ends.client, &message, 0), 0);
    BITS(ends.server, IN | OUT);
    EQUAL(recv(ends.server, buffer, 4, 0), 0);
    BITS(ends.server, OUT);
    FAILS(recv(ends.server, buffer, 4, MSG_DONTWAIT), EAGAIN);
}

CASE(datagrams_keep_their_bounds)
{
    const struct ends ends = udp_pair();
    char buffer[16];
    put(ends.client, "a");
    put(ends.client, "bb");
    put(ends.client, "ccc");
    for (int length = 1; length <= 3; length++) EQUAL(recv(ends.server, buffer, 16, 0), length);
}

CASE(a_datagram_without_a_destination)
{
    FAILS(send(udp(), "x", 1, 0), EDESTADDRREQ);
    FAILS(send(bound(udp()), "x", 1, 0), EDESTADDRREQ);
}

CASE(the_largest_datagram)
{
    const struct ends ends = udp_pair();
    large[0] = 'a';
    large[65506] = 'z';
    EQUAL(send(ends.client, large, 65507, 0), 65507);
    memset(large, 0, sizeof large);
    EQUAL(recv(ends.server, large, sizeof large, 0), 65507);
    EQUAL(large[0], 'a');
    EQUAL(large[65506], 'z');
    FAILS(send(ends.client, large, 65508, 0), EMSGSIZE);
}

CASE(the_largest_datagram_of_ipv6)
{
    const int from = udp6(), to = udp6();
    const struct name any = name_of("::1", 0);
    OK(bind(to, AT(any)));
    const struct name name = own_name(to);
    memset(large, 0, sizeof large);
    large[65526] = 'z';
    EQUAL(sendto(from, large, 65527, 0, AT(name)), 65527);
    memset(large, 0, sizeof large);
    EQUAL(recv(to, large, sizeof large, 0), 65527);
    EQUAL(large[65526], 'z');
    FAILS(sendto(from, large, 65528, 0, AT(name)), EMSGSIZE);
}

CASE(a_datagram_longer_than_the_path_and_not_to_be_cut)
{
    const int fd = network_udp6();
    const struct name name = dead_neighbour(9);
    const int always = 2;
    OK(setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &always, sizeof always));
    FAILS(sendto(fd, large, 20000, 0, AT(name)), EMSGSIZE);
    EQUAL(sendto(fd, large, 500, 0, AT(name)), 500);
}

CASE(a_datagram_to_port_0)
{
    const struct name name = name_of("127.0.0.1", 0);
    FAILS(sendto(udp(), "x", 1, 0, AT(name)), EINVAL);
}

CASE(a_datagram_without_a_route)
{
    struct name name = nowhere(9);
    FAILS(sendto(udp(), "x", 1, 0, AT(name)), ENETUNREACH);
    name = name_of("2001:db8::1", 9);
    FAILS(sendto(udp6(), "x", 1, 0, AT(name)), ENETUNREACH);
}

CASE(a_broadcast_needs_permission)
{
    const int fd = udp();
    const struct name name = broadcast(9);
    FAILS(sendto(fd, "x", 1, 0, AT(name)), EACCES);
    FAILS(connect(fd, AT(name)), EACCES);
    set(fd, SOL_SOCKET, SO_BROADCAST, 1);
    EQUAL(sendto(fd, "x", 1, 0, AT(name)), 1);
}

CASE(an_unreachable_port_with_a_connected_socket)
{
    const int fd = udp();
    const struct name name = name_of("127.0.0.1", free_port());
    char byte;
    OK(connect(fd, AT(name)));
    EQUAL(send(fd, "x", 1, 0), 1);
    BITS(fd, OUT | ERR);
    FAILS(recv(fd, &byte, 1, 0), ECONNREFUSED);
    FAILS(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
    EQUAL(send(fd, "x", 1, 0), 1);
    BITS(fd, OUT | ERR);
    FAILS(send(fd, "x", 1, 0), ECONNREFUSED);
    EQUAL(send(fd, "x", 1, 0), 1);
    BITS(fd, OUT | ERR);
    EQUAL(get(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    BITS(fd, OUT);
}

CASE(an_unreachable_port_wakes_recv)
{
    const int fd = udp();
    const struct name name = name_of("127.0.0.1", free_port());
    OK(connect(fd, AT(name)));
    struct call call = {0};
    start(&call, fd, call_recv);
    EQUAL(send(fd, "x", 1, 0), 1);
    finish(&call);
    EQUAL(call.result, -1);
    EQUAL(call.number, ECONNREFUSED);
}

CASE(an_unreachable_port_with_an_unconnected_socket)
{
    const int fd = udp();
    const struct name name = name_of("127.0.0.1", free_port());
    char byte;
    EQUAL(sendto(fd, "x", 1, 0, AT(name)), 1);
    BITS_STAY(fd, OUT);
    FAILS(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
    EQUAL(sendto(fd, "x", 1, 0, AT(name)), 1);
}

CASE(a_connected_socket_hears_its_peer_alone)
{
    const struct ends ends = udp_pair();
    const struct name name = own_name(ends.server);
    EQUAL(sendto(udp(), "stranger", 8, 0, AT(name)), 8);
    BITS_STAY(ends.server, OUT);
    put(ends.client, "friend");
    READS(ends.server, "friend");
}

CASE(a_connected_socket_may_send_elsewhere)
{
    const struct ends ends = udp_pair();
    const int other = bound(udp());
    const struct name name = own_name(other);
    EQUAL(sendto(ends.client, "else", 4, 0, AT(name)), 4);
    READS(other, "else");
    put(ends.client, "peer");
    READS(ends.server, "peer");
}

CASE(a_datagram_to_a_neighbour_that_is_not_there)
{
    const int fd = network_udp6();
    const struct name name = dead_neighbour(9);
    for (int index = 0; index < 200; index++) EQUAL(sendto(fd, large, 100, 0, AT(name)), 100);
}

CASE(a_full_receive_buffer_drops)
{
    const struct ends ends = udp_pair();
    set(ends.server, SOL_SOCKET, SO_RCVBUF, 4096);
    for (int index = 0; index < 100; index++) EQUAL(send(ends.client, large, 1000, 0), 1000);
    pause_for(50);
    set_nonblocking(ends.server);
    int count = 0;
    while (recv(ends.server, large, 1000, 0) == 1000) count++;
    TRUE(count >= 1 && count < 20);
    put(ends.client, "room");
    READS(ends.server, "room");
}

CASE(the_sender_of_a_datagram)
{
    const int fd = bound(udp()), from = bound(udp());
    const struct name name = own_name(fd);
    EQUAL(sendto(from, "x", 1, 0, AT(name)), 1);
    struct sockaddr_storage source;
    socklen_t length = 28;
    char byte;
    EQUAL(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&source, &length), 1);
    EQUAL(length, 16);
    NAME_IS(source, "127.0.0.1", own_port(from));
}

CASE(the_ipv4_sender_of_a_datagram_to_ipv6)
{
    const int fd = udp6(), from = bound(udp());
    const struct name any = name_of("::", 0);
    OK(bind(fd, AT(any)));
    const struct name name = name_of("127.0.0.1", own_port(fd));
    EQUAL(sendto(from, "x", 1, 0, AT(name)), 1);
    struct sockaddr_storage source;
    socklen_t length = 28;
    char byte;
    EQUAL(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&source, &length), 1);
    EQUAL(length, 28);
    NAME_IS(source, "::ffff:127.0.0.1", own_port(from));
}

CASE(a_stream_tells_no_sender)
{
    const struct ends ends = pair();
    put(ends.client, "x");
    struct sockaddr_storage source;
    socklen_t length = 28;
    char byte;
    EQUAL(recvfrom(ends.server, &byte, 1, 0, (struct sockaddr *)&source, &length), 1);
    EQUAL(length, 0);
}

CASE(urgent_data)
{
    const struct ends ends = pair();
#ifdef CONFORMANCE_HOST
    char buffer[8];
    put(ends.client, "ab");
    EQUAL(send(ends.client, "c", 1, MSG_OOB), 1);
    put(ends.client, "de");
    BITS(ends.server, IN | OUT | PRI);
    wait_for(ends.server, IN);
    pause_for(20);
    EQUAL(recv(ends.server, buffer, 8, 0), 2);
    EQUAL(recv(ends.server, buffer, 8, MSG_OOB), 1);
    EQUAL(buffer[0], 'c');
    FAILS(recv(ends.server, buffer, 8, MSG_OOB), EINVAL);
    EQUAL(recv(ends.server, buffer, 8, 0), 2);
#else
    /* In line, and none is sent. */
    char byte;
    FAILS(send(ends.client, "c", 1, MSG_OOB), EOPNOTSUPP);
    FAILS(recv(ends.server, &byte, 1, MSG_OOB), EOPNOTSUPP);
    EQUAL(get(ends.server, SOL_SOCKET, SO_OOBINLINE), 1);
#endif
}

static int readable(int fd)
{
    int count = -1;
    OK(ioctl(fd, FIONREAD, &count));
    return count;
}

CASE(bytes_that_can_be_read)
{
    const struct ends ends = pair(), datagrams = udp_pair();
    char byte;
    EQUAL(readable(ends.server), 0);
    put(ends.client, "12345");
    wait_for(ends.server, IN);
    EQUAL(readable(ends.server), 5);
    EQUAL(recv(ends.server, &byte, 1, 0), 1);
    EQUAL(readable(ends.server), 4);
    EQUAL(readable(datagrams.server), 0);
    put(datagrams.client, "123");
    put(datagrams.client, "4567");
    wait_for(datagrams.server, IN);
    EQUAL(readable(datagrams.server), 3);
    int count;
    FAILS(ioctl(listener(1), FIONREAD, &count), EINVAL);
}

CASE(a_request_that_is_none)
{
    int value = 0;
    FAILS(ioctl(tcp(), 0x7b7b, &value), DIFFERS(ENOTTY, ENOSYS, "as lwIP has it"));
}

CASE(nonblocking_by_request)
{
    const struct ends ends = pair();
    int value = 1;
    char byte;
    OK(ioctl(ends.client, FIONBIO, &value));
    EQUAL(fcntl(ends.client, F_GETFL, 0) & O_NONBLOCK, O_NONBLOCK);
    FAILS(recv(ends.client, &byte, 1, 0), EAGAIN);
    value = 0;
    OK(ioctl(ends.client, FIONBIO, &value));
    EQUAL(fcntl(ends.client, F_GETFL, 0) & O_NONBLOCK, 0);
}

CASE(a_datagram_to_the_other_family)
{
    const struct name six = name_of("::1", 9);
    FAILS(sendto(udp(), "x", 1, 0, AT(six)), EAFNOSUPPORT);
    FAILS(sendto(udp6(), "x", 1, 0, &six.address.any, 20), EINVAL);
}

CASE(a_datagram_to_a_mapped_address)
{
    const int fd = bound(udp());
    const struct name name = name_of("::ffff:127.0.0.1", own_port(fd));
    EQUAL(sendto(udp6(), "map", 3, 0, AT(name)), 3);
    READS(fd, "map");
}

CASE(read_and_write)
{
    const struct ends ends = pair();
    char buffer[8];
    EQUAL(write(ends.client, "word", 4), 4);
    wait_for(ends.server, IN);
    EQUAL(read(ends.server, buffer, 8), 4);
    EQUAL(memcmp(buffer, "word", 4), 0);
}

CASE(more_is_to_follow)
{
    const struct ends ends = pair();
    EQUAL(send(ends.client, "to", 2, MSG_MORE), 2);
    EQUAL(send(ends.client, "gether", 6, 0), 6);
    READS(ends.server, "together");
    /* What nothing follows goes out after a while. */
    EQUAL(send(ends.client, "alone", 5, MSG_MORE), 5);
    READS(ends.server, "alone");
}
