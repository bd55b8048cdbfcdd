/* Several threads with one socket; closing under a call. */
#include "conformance.h"

#ifdef CONFORMANCE_HOST
/* Linux lets the call go on: something has to happen that ends it. */
#define GOES_ON(action) action
#else
/* The call ends by itself, with EBADF. */
#define GOES_ON(action)
#endif

CASE(close_under_recv)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.server, call_recv);
    TRUE(!call.is_done);
    OK(close(ends.server));
    GOES_ON(put(ends.client, "on"));
    finish(&call);
    EQUAL(call.result, DIFFERS(2, -1, "stricter"));
    EQUAL(call.number, DIFFERS(0, EBADF, "stricter"));
}

CASE(close_under_recv_of_datagrams)
{
    const struct ends ends = udp_pair();
    struct call call = {0};
    start(&call, ends.server, call_recv);
    OK(close(ends.server));
    GOES_ON(put(ends.client, "on"));
    finish(&call);
    EQUAL(call.result, DIFFERS(2, -1, "stricter"));
    EQUAL(call.number, DIFFERS(0, EBADF, "stricter"));
}

CASE(close_under_accept)
{
    const int listening = listener(1);
    const struct name name = own_name(listening);
    struct call call = {0};
    start(&call, listening, call_accept);
    OK(close(listening));
    GOES_ON(OK(connect(tcp(), AT(name))));
    finish(&call);
    (void)name;
    EQUAL(call.result >= 0, DIFFERS(1, 0, "stricter"));
    EQUAL(call.number, DIFFERS(0, EBADF, "stricter"));
}

CASE(close_under_connect)
{
    const int listening = listener(0);
    const struct name name = own_name(listening);
    OK(connect(tcp(), AT(name)));
    wait_for(listening, IN);
    struct call call = {.to = name};
    const int fd = tcp();
    start(&call, fd, call_connect);
    TRUE(!call.is_done);
    OK(close(fd));
    GOES_ON(TRUE(accept(listening, NULL, NULL) >= 0));
    finish(&call);
    EQUAL(call.result, DIFFERS(0, -1, "stricter"));
    EQUAL(call.number, DIFFERS(0, EBADF, "stricter"));
}

static long send_until_error(struct call *call)
{
    char block[65536];
    memset(block, 0, sizeof block);
    for (;;) {
        const long result = send(call->fd, block, sizeof block, MSG_NOSIGNAL);
        if (result < 0) return result;
    }
}

CASE(close_under_send)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.client, send_until_error);
    pause_for(300);
    TRUE(!call.is_done);
    OK(close(ends.client));
    GOES_ON(drain(ends.server));
    finish(&call);
    EQUAL(call.result, -1);
    EQUAL(call.number, EBADF);
}

CASE(close_under_poll)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.server, call_poll);
    OK(close(ends.server));
    GOES_ON(put(ends.client, "on"));
    finish(&call);
    EQUAL(call.result, NVAL);
}

CASE(two_readers_share_the_bytes)
{
    const struct ends ends = pair();
    struct call first = {.length = 4}, second = {.length = 4};
    start(&first, ends.server, call_recv);
    start(&second, ends.server, call_recv);
    put(ends.client, "abcd");
    pause_for(50);
    put(ends.client, "efgh");
    finish(&first);
    finish(&second);
    EQUAL(first.result, 4);
    EQUAL(second.result, 4);
    const bool is_first = memcmp(first.buffer, "abcd", 4) == 0;
    EQUAL(memcmp(is_first ? first.buffer : second.buffer, "abcd", 4), 0);
    EQUAL(memcmp(is_first ? second.buffer : first.buffer, "efgh", 4), 0);
}

static long send_block(struct call *call)
{
    char block[50000];
    memset(block, call->buffer[0], sizeof block);
    long total = 0;
    for (int times = 0; times < 10; times++) {
        const long count = send(call->fd, block, sizeof block, 0);
        if (count > 0) total += count;
    }
    return total;
}

CASE(two_writers_lose_nothing)
{
    const struct ends ends = pair();
    struct call first = {.buffer = "a"}, second = {.buffer = "b"};
    start(&first, ends.client, send_block);
    start(&second, ends.client, send_block);
    long counts[2] = {0, 0}, changes = 0, taken = 0;
    char block[8192], before = 0;
    while (taken < 1000000) {
        const ssize_t count = recv(ends.server, block, sizeof block, 0);
        if (count <= 0) break;
        for (ssize_t index = 0; index < count; index++) {
            counts[block[index] == 'b']++;
            if ((taken + index) % 50000 != 0 && block[index] != before) changes++;
            before = block[index];
        }
        taken += count;
    }
    finish(&first);
    finish(&second);
    EQUAL(first.result, 500000);
    EQUAL(second.result, 500000);
    EQUAL(counts[0], 500000);
    EQUAL(counts[1], 500000);
    EQUAL(DIFFERS(0 * changes, changes, "stricter: the bytes of a call stay together"), 0);
}

CASE(two_accept_one_gets_it)
{
    const int listening = listener(2);
    const struct name name = own_name(listening);
    struct call first = {0}, second = {0};
    start(&first, listening, call_accept);
    start(&second, listening, call_accept);
    OK(connect(tcp(), AT(name)));
    pause_for(100);
    EQUAL(first.is_done + second.is_done, 1);
    OK(connect(tcp(), AT(name)));
    finish(&first);
    finish(&second);
    TRUE(first.result >= 0);
    TRUE(second.result >= 0);
    TRUE(first.result != second.result);
}

CASE(errors_belong_to_threads)
{
    const int fd = nonblocking(listener(1));
    FAILS(accept(fd, NULL, NULL), EAGAIN);
    struct call call = {.to = name_of("127.0.0.1", free_port())};
    errno = EAGAIN;
    start(&call, tcp(), call_connect);
    finish(&call);
    EQUAL(call.number, ECONNREFUSED);
    EQUAL(accept(fd, NULL, NULL), -1);
    EQUAL(errno, EAGAIN);
}

#ifndef CONFORMANCE_HOST
CASE(stop_under_recv)
{
    const struct ends ends = pair();
    struct call call = {0};
    start(&call, ends.server, call_recv);
    OK(zts_stop());
    finish(&call);
    EQUAL(call.result, -1);
    EQUAL(call.number, ENETDOWN);
    TRUE(call.took < 10000);
}

CASE(stop_under_accept_and_poll)
{
    const int listening = listener(1);
    struct call accepting = {0}, polling = {0};
    start(&accepting, listening, call_accept);
    start(&polling, listening, call_poll);
    OK(zts_stop());
    finish(&accepting);
    finish(&polling);
    EQUAL(accepting.result, -1);
    EQUAL(accepting.number, ENETDOWN);
    EQUAL(polling.result, IN | ERR | HUP);
}

/* The last act of the process. Blocked calls wake with ENETDOWN, or EBADF where the descriptor went first. */
CASE(free_under_calls)
{
    const struct ends ends = pair();
    const int listening = listener(1);
    const struct name pending_name = own_name(listener(0));
    OK(connect(tcp(), AT(pending_name)));
    struct call receiving = {0}, accepting = {0}, sending = {0}, polling = {0}, connecting = {.to = pending_name};
    start(&receiving, ends.server, call_recv);
    start(&accepting, listening, call_accept);
    start(&sending, ends.server, send_until_error);
    start(&polling, listening, call_poll);
    start(&connecting, tcp(), call_connect);
    pause_for(300);
    struct call *const calls[] = {&receiving, &accepting, &connecting, &sending, &polling};
    for (int index = 0; index < 5; index++) TRUE(!calls[index]->is_done);
    OK(zts_free());
    for (int index = 0; index < 5; index++) finish(calls[index]);
    for (int index = 0; index < 3; index++) {
        EQUAL(calls[index]->result, -1);
        TRUE(calls[index]->number == ENETDOWN || calls[index]->number == EBADF);
        TRUE(calls[index]->took < 10000);
    }
    /* It has sent a part and says so; what is refused is the next call. */
    EQUAL(sending.result, ZTS_ERR_SERVICE);
    TRUE(sending.took < 10000);
    TRUE(polling.result == (IN | ERR | HUP) || polling.result == NVAL);
    char byte;
    EQUAL(recv(ends.server, &byte, 1, 0), ZTS_ERR_SERVICE);
    EQUAL(close(ends.server), ZTS_ERR_SERVICE);
    EQUAL(socket(AF_INET, SOCK_STREAM, 0), ZTS_ERR_SERVICE);
    EQUAL(zts_free(), ZTS_ERR_INVALID_OP);
}
#endif
