/* Threads that are cancelled while they wait in calls: `cancel <state directory> <rounds of a hundred> [jump]`. They leave no memory
 * behind and nothing that others wait for; their own cleanup handlers may call the library. With `jump`: a thread whose handler of
 * a signal jumped out of a call, and so left what that had, can still be cancelled in its next one, and traffic goes on behind it.
 * Linux alone. */
#include <arpa/inet.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ZeroTierSockets.h"

#define THREADS 100
/* Of all threads together. */
#define GROWTH 65536

static int client, server, listener, datagrams, wrong;

static void close_it(void *fd)
{
    if (zts_bsd_close(*(int *)fd) != 0) wrong = 1;
}

static void *wait_in_a_call(void *number)
{
    static char large[1 << 20];
    char small[8];
    int own = zts_bsd_socket(ZTS_AF_INET, ZTS_SOCK_DGRAM, 0);
    struct zts_pollfd polled[2] = {{listener, ZTS_POLLIN, 0}, {datagrams, ZTS_POLLIN, 0}};
    pthread_cleanup_push(close_it, &own);
    switch ((size_t)number % 6) {
    case 0: zts_bsd_recv(client, small, sizeof small, 0); break;
    case 1: zts_bsd_recv(datagrams, small, sizeof small, ZTS_MSG_WAITALL); break;
    case 2: zts_bsd_accept(listener, NULL, NULL); break;
    case 3: zts_bsd_poll(polled, 2, -1); break;
    case 4: zts_bsd_send(client, large, sizeof large, 0); break;
    case 5: zts_bsd_recv(own, small, sizeof small, 0); break;
    }
    wrong = 1;
    pthread_cleanup_pop(0);
    return NULL;
}

static void pause_for(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static int joined(pthread_t thread)
{
    struct timespec end;
    void *result = NULL;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 30;
    return pthread_timedjoin_np(thread, &result, &end) == 0 && result == PTHREAD_CANCELED;
}

static int cancel_many(void)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, wait_in_a_call, (void *)i);
    pause_for(100);
    for (size_t i = 0; i < THREADS; i++) pthread_cancel(threads[i]);
    for (size_t i = 0; i < THREADS; i++)
        if (!joined(threads[i])) return 0;
    return !wrong;
}

static size_t allocated(void)
{
#if __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
#else
    struct mallinfo info = mallinfo();
#endif
    return (size_t)info.uordblks + (size_t)info.hblkhd;
}

static int connected(void)
{
    struct zts_sockaddr_in name = {0};
    zts_socklen_t length = sizeof name;
    name.sin_family = ZTS_AF_INET;
    name.sin_addr.s_addr = htonl(0x7f000001);
    listener = zts_bsd_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    client = zts_bsd_socket(ZTS_AF_INET, ZTS_SOCK_STREAM, 0);
    datagrams = zts_bsd_socket(ZTS_AF_INET, ZTS_SOCK_DGRAM, 0);
    return zts_bsd_bind(datagrams, (struct zts_sockaddr *)&name, sizeof name) == 0
        && zts_bsd_bind(listener, (struct zts_sockaddr *)&name, sizeof name) == 0 && zts_bsd_listen(listener, 4) == 0
        && zts_bsd_getsockname(listener, (struct zts_sockaddr *)&name, &length) == 0
        && zts_bsd_connect(client, (struct zts_sockaddr *)&name, length) == 0
        && (server = zts_bsd_accept(listener, NULL, NULL)) >= 0;
}

static void *read_all(void *last)
{
    static char bytes[65536];
    ssize_t count;
    while ((count = zts_bsd_recv(server, bytes, sizeof bytes, 0)) > 0) *(char *)last = bytes[count - 1];
    return last;
}

/* What the cancelled senders left is read, and others send behind it, to the end. */
static int goes_on(void)
{
    pthread_t reader;
    char last = 0;
    if (pthread_create(&reader, NULL, read_all, &last) || zts_bsd_send(client, "more", 4, 0) != 4) return 0;
    return zts_bsd_close(client) == 0 && pthread_join(reader, NULL) == 0 && last == 'e';
}

static sigjmp_buf place;
static volatile int is_out;

static void jump(int number)
{
    (void)number;
    siglongjmp(place, 1);
}

static void *jump_out_and_wait(void *unused)
{
    char small[8];
    if (sigsetjmp(place, 1) == 0)
        zts_bsd_recv(datagrams, small, sizeof small, 0);
    else
        is_out = 1;
    zts_bsd_recv(datagrams, small, sizeof small, 0);
    return unused;
}

static int is_cancelled_after_a_jump(void)
{
    pthread_t thread;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = jump;
    sigaction(SIGUSR1, &action, NULL);
    if (pthread_create(&thread, NULL, jump_out_and_wait, NULL)) return 0;
    pause_for(200);
    pthread_kill(thread, SIGUSR1);
    for (int i = 0; i < 3000 && !is_out; i++) pause_for(10);
    pause_for(200);
    pthread_cancel(thread);
    return is_out && joined(thread);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    const int rounds = atoi(argv[2]);
    /* One heap for all threads, so that what they free is free for the next. */
    mallopt(M_ARENA_MAX, 1);
    if (zts_init_from_storage(argv[1]) != ZTS_ERR_OK || zts_node_start() != ZTS_ERR_OK) return 3;
    while (zts_node_get_id() >> 40) zts_util_delay(10);
    if (!connected()) return 4;
    if (!cancel_many() || !cancel_many()) return 5;
    const size_t before = allocated();
    for (int i = 0; i < rounds; i++)
        if (!cancel_many()) return 6;
    const long growth = (long)(allocated() - before);
    if (argc > 3 && !is_cancelled_after_a_jump()) return 8;
    if (!goes_on()) return 7;
    printf("%d cancelled threads: %ld bytes more\n", rounds * THREADS, growth);
    return growth > GROWTH ? 9 : zts_node_free() != ZTS_ERR_OK;
}
