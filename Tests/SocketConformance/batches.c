/* Many messages by one call. */
#include "conformance.h"

enum { MOST = 8, ROOM = 16 };

/* Messages of one piece each. */
struct batch {
    struct mmsghdr messages[MOST];
    struct iovec pieces[MOST];
    char bytes[MOST][ROOM];
    struct sockaddr_storage names[MOST];
};

static struct batch texts(const char *first, const char *second, const char *third)
{
    const char *all[] = {first, second, third};
    struct batch batch;
    memset(&batch, 0, sizeof batch);
    for (int index = 0; index < 3; index++) strcpy(batch.bytes[index], all[index]);
    return batch;
}

/* What points into the batch is set where it stays. */
static struct mmsghdr *outgoing(struct batch *batch)
{
    for (int index = 0; index < MOST; index++) {
        batch->pieces[index] = (struct iovec){batch->bytes[index], strlen(batch->bytes[index])};
        batch->messages[index] =
            (struct mmsghdr){.msg_hdr = {.msg_iov = &batch->pieces[index], .msg_iovlen = 1}, .msg_len = 99};
    }
    return batch->messages;
}

static struct mmsghdr *incoming(struct batch *batch)
{
    memset(batch, 0, sizeof *batch);
    for (int index = 0; index < MOST; index++) {
        batch->pieces[index] = (struct iovec){batch->bytes[index], ROOM};
        batch->messages[index] = (struct mmsghdr){.msg_hdr = {.msg_iov = &batch->pieces[index],
                                                      .msg_iovlen = 1,
                                                      .msg_name = &batch->names[index],
                                                      .msg_namelen = 28}};
    }
    return batch->messages;
}

/* Three datagrams wait at the server. */
static void put_three(struct ends ends)
{
    put(ends.client, "a");
    put(ends.client, "bb");
    put(ends.client, "ccc");
    wait_for(ends.server, IN);
    pause_for(20);
}

CASE(a_batch_of_datagrams)
{
    const struct ends ends = udp_pair();
    struct batch out = texts("one", "three", "seven"), in;
    EQUAL(sendmmsg(ends.client, outgoing(&out), 3, 0), 3);
    EQUAL(out.messages[0].msg_len, 3);
    EQUAL(out.messages[1].msg_len, 5);
    EQUAL(out.messages[2].msg_len, 5);
    EQUAL(out.messages[3].msg_len, 99);
    EQUAL(recvmmsg(ends.server, incoming(&in), 3, 0, NULL), 3);
    for (int index = 0; index < 3; index++) {
        EQUAL(in.messages[index].msg_len, out.messages[index].msg_len);
        EQUAL(strcmp(in.bytes[index], out.bytes[index]), 0);
        EQUAL(in.messages[index].msg_hdr.msg_namelen, 16);
        EQUAL(in.messages[index].msg_hdr.msg_flags & MSG_TRUNC, 0);
        NAME_IS(in.names[index], "127.0.0.1", own_port(ends.client));
    }
}

CASE(a_batch_with_a_destination_for_each)
{
    const int first = bound(udp()), second = bound(udp());
    struct name names[] = {own_name(first), own_name(second), own_name(first)};
    struct batch out = texts("x", "y", "z");
    outgoing(&out);
    for (int index = 0; index < 3; index++) {
        out.messages[index].msg_hdr.msg_name = &names[index].address;
        out.messages[index].msg_hdr.msg_namelen = names[index].length;
    }
    EQUAL(sendmmsg(udp(), out.messages, 3, 0), 3);
    READS(first, "x");
    READS(first, "z");
    READS(second, "y");
}

CASE(a_batch_of_several_pieces)
{
    const struct ends ends = udp_pair();
    char left[3] = "abc", right[4] = "defg";
    struct iovec pieces[2] = {{left, 3}, {right, 4}};
    struct mmsghdr messages[2] = {
        {.msg_hdr = {.msg_iov = pieces, .msg_iovlen = 2}}, {.msg_hdr = {.msg_iov = pieces, .msg_iovlen = 1}}};
    EQUAL(sendmmsg(ends.client, messages, 2, 0), 2);
    EQUAL(messages[0].msg_len, 7);
    EQUAL(messages[1].msg_len, 3);
    memset(left, 0, 3);
    memset(right, 0, 4);
    EQUAL(recvmmsg(ends.server, messages, 1, 0, NULL), 1);
    EQUAL(messages[0].msg_len, 7);
    EQUAL(memcmp(left, "abc", 3), 0);
    EQUAL(memcmp(right, "defg", 4), 0);
    READS(ends.server, "abc");
}

CASE(a_batch_without_messages)
{
    const struct ends ends = udp_pair();
    struct batch batch = texts("x", "", "");
    EQUAL(sendmmsg(ends.client, outgoing(&batch), 0, 0), 0);
    EQUAL(recvmmsg(ends.client, batch.messages, 0, 0, NULL), 0);
    close(ends.client);
    FAILS(sendmmsg(ends.client, batch.messages, 0, 0), EBADF);
    FAILS(recvmmsg(ends.client, batch.messages, 0, 0, NULL), EBADF);
}

CASE(a_batch_of_empty_datagrams)
{
    const struct ends ends = udp_pair();
    struct batch out = texts("", "", "x"), in;
    outgoing(&out);
    out.messages[1].msg_hdr.msg_iovlen = 0;
    EQUAL(sendmmsg(ends.client, out.messages, 3, 0), 3);
    EQUAL(recvmmsg(ends.server, incoming(&in), 3, 0, NULL), 3);
    EQUAL(in.messages[0].msg_len, 0);
    EQUAL(in.messages[1].msg_len, 0);
    EQUAL(in.messages[2].msg_len, 1);
}

CASE(a_batch_does_not_wait)
{
    const struct ends ends = udp_pair();
    struct batch in;
    FAILS(recvmmsg(ends.server, incoming(&in), MOST, MSG_DONTWAIT, NULL), EAGAIN);
    put_three(ends);
    EQUAL(recvmmsg(ends.server, incoming(&in), MOST, MSG_DONTWAIT, NULL), 3);
    set_nonblocking(ends.server);
    FAILS(recvmmsg(ends.server, incoming(&in), MOST, 0, NULL), EAGAIN);
    put_three(ends);
    EQUAL(recvmmsg(ends.server, incoming(&in), 2, 0, NULL), 2);
    EQUAL(in.bytes[1][1], 'b');
    EQUAL(recvmmsg(ends.server, incoming(&in), MOST, 0, NULL), 1);
    EQUAL(in.bytes[0][2], 'c');
}

CASE(a_batch_waits_for_one)
{
    const struct ends ends = udp_pair();
    struct batch in;
    put_three(ends);
    EQUAL(recvmmsg(ends.server, incoming(&in), MOST, MSG_WAITFORONE, NULL), 3);
    FAILS(recvmmsg(ends.server, incoming(&in), MOST, MSG_WAITFORONE | MSG_DONTWAIT, NULL), EAGAIN);
    set_time(ends.server, SO_RCVTIMEO, 50);
    FAILS(recvmmsg(ends.server, incoming(&in), MOST, MSG_WAITFORONE, NULL), EAGAIN);
}

static long call_for_four(struct call *call)
{
    struct batch in;
    return recvmmsg(call->fd, incoming(&in), 4, 0, NULL);
}

static long call_for_one(struct call *call)
{
    struct batch in;
    return recvmmsg(call->fd, incoming(&in), 4, MSG_WAITFORONE, NULL);
}

CASE(a_batch_waits_for_all)
{
    const struct ends ends = udp_pair();
    struct call call = {0};
    put_three(ends);
    start(&call, ends.server, call_for_four);
    pause_for(50);
    EQUAL(call.is_done, false);
    put(ends.client, "last");
    finish(&call);
    EQUAL(call.result, 4);
}

CASE(a_batch_that_waits_for_one_is_woken)
{
    const struct ends ends = udp_pair();
    struct call call = {0};
    start(&call, ends.server, call_for_one);
    pause_for(50);
    EQUAL(call.is_done, false);
    put(ends.client, "one");
    finish(&call);
    EQUAL(call.result, 1);
}

CASE(a_batch_ends_with_the_time_of_the_socket)
{
    const struct ends ends = udp_pair();
    struct batch in;
    set_time(ends.server, SO_RCVTIMEO, 80);
    FAILS(recvmmsg(ends.server, incoming(&in), 4, 0, NULL), EAGAIN);
    put_three(ends);
    const long begin = milliseconds_now();
    EQUAL(recvmmsg(ends.server, incoming(&in), 4, 0, NULL), 3);
    TRUE(milliseconds_now() - begin >= 75);
    /* That the time was over is no error of the next call. */
    put(ends.client, "next");
    READS(ends.server, "next");
}

CASE(a_batch_with_a_time_of_its_own)
{
    const struct ends ends = udp_pair();
    struct batch in;
    struct timespec limit = {5, 0};
    put_three(ends);
    EQUAL(recvmmsg(ends.server, incoming(&in), 3, 0, &limit), 3);
    EQUAL(limit.tv_sec, 4);
    limit = (struct timespec){0, 0};
    put_three(ends);
    EQUAL(recvmmsg(ends.server, incoming(&in), 4, 0, &limit), DIFFERS(1, 3, "Linux looks at the time after each"));
    limit = (struct timespec){0, 1000000000};
    FAILS(recvmmsg(ends.server, incoming(&in), 4, 0, &limit), EINVAL);
    limit = (struct timespec){-1, 0};
    FAILS(recvmmsg(ends.server, incoming(&in), 4, 0, &limit), EINVAL);
#ifndef CONFORMANCE_HOST
    /* Linux looks at the time only when a message comes, and would wait for ever. */
    limit = (struct timespec){0, 50000000};
    FAILS(recvmmsg(ends.server, incoming(&in), 4, 0, &limit), EAGAIN);
    EQUAL(limit.tv_nsec, 50000000);
    put_three(ends);
    EQUAL(recvmmsg(ends.server, incoming(&in), 4, 0, &limit), 3);
    EQUAL(limit.tv_sec, 0);
    EQUAL(limit.tv_nsec, 0);
#endif
}

CASE(a_batch_that_is_cut)
{
    const struct ends ends = udp_pair();
    struct batch in;
    put_three(ends);
    incoming(&in);
    in.pieces[1].iov_len = 1;
    EQUAL(recvmmsg(ends.server, in.messages, 3, 0, NULL), 3);
    EQUAL(in.messages[0].msg_hdr.msg_flags & MSG_TRUNC, 0);
    EQUAL(in.messages[1].msg_hdr.msg_flags & MSG_TRUNC, MSG_TRUNC);
    EQUAL(in.messages[1].msg_len, 1);
    EQUAL(in.messages[2].msg_len, 3);
}

CASE(a_batch_that_peeks)
{
    const struct ends ends = udp_pair();
    struct batch in;
    put_three(ends);
    EQUAL(recvmmsg(ends.server, incoming(&in), 4, MSG_PEEK | MSG_DONTWAIT, NULL), 4);
    EQUAL(in.messages[3].msg_len, 1);
    EQUAL(recvmmsg(ends.server, incoming(&in), 4, MSG_DONTWAIT, NULL), 3);
}

CASE(a_batch_ends_before_what_fails)
{
    const struct ends ends = udp_pair();
    static char large[65508];
    struct batch out = texts("first", "", "third");
    outgoing(&out);
    out.pieces[1] = (struct iovec){large, sizeof large};
    EQUAL(sendmmsg(ends.client, out.messages, 3, 0), 1);
    EQUAL(out.messages[0].msg_len, 5);
    EQUAL(out.messages[1].msg_len, 99);
    FAILS(sendmmsg(ends.client, out.messages + 1, 2, 0), EMSGSIZE);
    EQUAL(sendmmsg(ends.client, out.messages + 2, 1, 0), 1);
    READS(ends.server, "first");
    READS(ends.server, "third");
    FAILS(sendmmsg(udp(), out.messages, 1, 0), EDESTADDRREQ);
}

CASE(a_batch_in_memory_that_cannot_be)
{
    const struct ends ends = udp_pair();
    struct batch out = texts("first", "second", ""), in;
    FAILS(sendmmsg(ends.client, NULL, 1, 0), EFAULT);
    FAILS(recvmmsg(ends.client, NULL, 1, MSG_DONTWAIT, NULL), EFAULT);
    outgoing(&out);
    out.pieces[1].iov_len = (size_t)-1;
    EQUAL(sendmmsg(ends.client, out.messages, 2, 0), 1);
    FAILS(sendmmsg(ends.client, out.messages + 1, 1, 0), EINVAL);
    out.pieces[1] = (struct iovec){NULL, 3};
    EQUAL(sendmmsg(ends.client, out.messages, 2, 0), 1);
    FAILS(sendmmsg(ends.client, out.messages + 1, 1, 0), EFAULT);
    pause_for(20);
    /* The error of a message behind the first is the next call's, whichever that is. */
    incoming(&in);
    in.pieces[1].iov_len = (size_t)-1;
    EQUAL(recvmmsg(ends.server, in.messages, 2, 0, NULL), 1);
    BITS(ends.server, IN | OUT | ERR);
    FAILS(recv(ends.server, in.bytes[0], ROOM, 0), EINVAL);
    READS(ends.server, "first");
}

CASE(a_batch_of_more_than_the_limit)
{
    enum { COUNT = 1030 };
    static struct mmsghdr messages[COUNT];
    const struct ends ends = udp_pair();
    for (int index = 0; index < COUNT; index++) messages[index].msg_len = 99;
    EQUAL(sendmmsg(ends.client, messages, COUNT, 0), 1024);
    EQUAL(messages[1023].msg_len, 0);
    EQUAL(messages[1024].msg_len, 99);
}

CASE(a_batch_to_an_unreachable_port)
{
    const int fd = udp();
    const struct name name = name_of("127.0.0.1", free_port());
    struct batch out = texts("x", "y", ""), in;
    OK(connect(fd, AT(name)));
    put(fd, "x");
    BITS(fd, OUT | ERR);
    FAILS(recvmmsg(fd, incoming(&in), 2, 0, NULL), ECONNREFUSED);
    FAILS(recvmmsg(fd, incoming(&in), 2, MSG_DONTWAIT, NULL), EAGAIN);
    put(fd, "x");
    BITS(fd, OUT | ERR);
    FAILS(sendmmsg(fd, outgoing(&out), 2, 0), ECONNREFUSED);
}

CASE(a_batch_of_a_stream)
{
    const struct ends ends = pair();
    struct batch out = texts("one,", "two,", "three"), in;
    EQUAL(sendmmsg(ends.client, outgoing(&out), 3, 0), 3);
    EQUAL(out.messages[2].msg_len, 5);
    wait_for(ends.server, IN);
    pause_for(20);
    incoming(&in);
    in.pieces[0].iov_len = 6;
    EQUAL(recvmmsg(ends.server, in.messages, MOST, MSG_WAITFORONE, NULL), 2);
    EQUAL(in.messages[0].msg_len, 6);
    EQUAL(memcmp(in.bytes[0], "one,tw", 6), 0);
    EQUAL(in.messages[1].msg_len, 7);
    EQUAL(memcmp(in.bytes[1], "o,three", 7), 0);
    EQUAL(in.messages[0].msg_hdr.msg_namelen, 0);
    FAILS(recvmmsg(ends.server, incoming(&in), 2, MSG_DONTWAIT, NULL), EAGAIN);
    FAILS(sendmmsg(tcp(), out.messages, 1, 0), EPIPE);
    /* Each message finds the end again. */
    shutdown(ends.client, SHUT_WR);
    EQUAL(recvmmsg(ends.server, incoming(&in), 2, 0, NULL), 2);
    EQUAL(in.messages[1].msg_len, 0);
}

CASE(a_stream_takes_a_part_of_a_batch)
{
    const struct ends ends = pair();
    static char large[4 << 20];
    struct iovec pieces[2] = {{large, sizeof large}, {large, 1}};
    struct mmsghdr messages[2] = {
        {.msg_hdr = {.msg_iov = &pieces[0], .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &pieces[1], .msg_iovlen = 1}}};
    messages[1].msg_len = 99;
    set_nonblocking(ends.client);
    EQUAL(sendmmsg(ends.client, messages, 2, 0), 1);
    TRUE(messages[0].msg_len > 0 && messages[0].msg_len < sizeof large);
    EQUAL(messages[1].msg_len, 99);
}
