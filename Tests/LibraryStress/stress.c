#include "stress.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ZeroTier.h"

static atomic_int failures;

#define EXPECT(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                             \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
            atomic_fetch_add(&failures, 1);                                                                            \
        }                                                                                                              \
    } while (0)

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- what the callback was told ---- */

enum { CODES = 256 };
static atomic_int seen[CODES]; /* how often, since the last forget() */
static atomic_int order_position;
static atomic_int order[4096];
static atomic_int callback_delay_us;

static void forget(void)
{
    for (int i = 0; i < CODES; i++)
        atomic_store(&seen[i], 0);
    atomic_store(&order_position, 0);
}

static void told(struct zts_callback_msg *message)
{
    int code = message->eventCode;
    int position = atomic_fetch_add(&order_position, 1);
    if (position < 4096)
        atomic_store(&order[position], code);
    if (code >= 0 && code < CODES)
        atomic_fetch_add(&seen[code], 1);
    bool filled = code < 32    ? message->node != NULL
        : code < 48            ? message->network != NULL && message->network->nwid != 0
        : code < 64            ? true
        : code < 96            ? message->netif != NULL && message->netif->mac != 0
        : code < 112           ? message->peer != NULL
        : code < 128           ? message->path != NULL
        : code < 144           ? message->route != NULL
                               : message->addr != NULL && message->addr->addr.ss_family != 0;
    EXPECT(filled, "event %d came without what it is about", code);
    if (atomic_load(&callback_delay_us) > 0)
        usleep((useconds_t)atomic_load(&callback_delay_us));
}

static bool wait_for_times(int code, int times, double seconds)
{
    double end = now() + seconds;
    while (atomic_load(&seen[code]) < times) {
        if (now() > end)
            return false;
        usleep(500);
    }
    return true;
}

static bool wait_for(int code, double seconds) { return wait_for_times(code, 1, seconds); }

/* The position of an event's first appearance; -1 if it did not come. */
static int position_of(int code)
{
    int count = atomic_load(&order_position);
    for (int i = 0; i < count && i < 4096; i++)
        if (atomic_load(&order[i]) == code)
            return i;
    return -1;
}

static void stop_and_wait(void)
{
    EXPECT(zts_stop() == ZTS_ERR_OK, "%s", zts_last_error_message());
    EXPECT(wait_for(ZTS_EVENT_NODE_DOWN, 30), "NODE_DOWN does not come");
}

/* ---- starts ---- */

int stress_starts(const char *directory, uint64_t network, int count)
{
    atomic_store(&failures, 0);
    for (int i = 0; i < count; i++) {
        forget();
        EXPECT(zts_start(directory, told, 0) == ZTS_ERR_OK, "start %d: %s", i, zts_last_error_message());
        EXPECT(wait_for(ZTS_EVENT_NODE_UP, 30), "start %d", i);
        EXPECT(wait_for(ZTS_EVENT_NODE_ONLINE, 30), "start %d", i);
        EXPECT(zts_join(network) == ZTS_ERR_OK, "start %d", i);
        EXPECT(wait_for(ZTS_EVENT_NETWORK_OK, 30), "start %d", i);
        stop_and_wait();
        static const int wanted[] = {
            ZTS_EVENT_NODE_UP,          ZTS_EVENT_NODE_ONLINE,  ZTS_EVENT_NETWORK_READY_IP6,
            ZTS_EVENT_NETWORK_OK,       ZTS_EVENT_NETWORK_DOWN, ZTS_EVENT_NODE_NORMAL_TERMINATION,
            ZTS_EVENT_NODE_DOWN,
        };
        int last = -1;
        for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
            int at = position_of(wanted[k]);
            EXPECT(at > last, "start %d: event %d at %d, the one before it at %d", i, wanted[k], at, last);
            last = at;
        }
        if (atomic_load(&failures) > 10)
            break;
    }
    return atomic_load(&failures);
}

/* ---- cycles ---- */

struct footprint {
    long resident_kb;
    /* Bytes allocated in the main arena: with MALLOC_ARENA_MAX=1 all of them. */
    long allocated;
    long threads;
    int descriptors;
};

static struct footprint footprint(void)
{
    struct footprint result = { 0, (long)mallinfo2().uordblks, 0, 0 };
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        sscanf(line, "VmRSS: %ld", &result.resident_kb);
        sscanf(line, "Threads: %ld", &result.threads);
    }
    if (file != NULL)
        fclose(file);
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL)
        result.descriptors++;
    if (folder != NULL)
        closedir(folder);
    return result;
}

/* Threads that have ended but are still in the list are given a moment. */
static struct footprint settled(long threads)
{
    struct footprint result = footprint();
    for (int i = 0; i < 200 && result.threads > threads; i++) {
        usleep(10000);
        result = footprint();
    }
    return result;
}

static void *connect_into_nothing(void *nothing)
{
    (void)nothing;
    int descriptor = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    if (descriptor >= 0) {
        struct zts_sockaddr_in6 address = { 0 };
        address.sin6_family = ZTS_AF_INET6;
        address.sin6_port = htons(9);
        address.sin6_addr.un.u8_addr[0] = 0xfc;
        address.sin6_addr.un.u8_addr[15] = 1;
        EXPECT(zts_connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0, "nobody is there");
        EXPECT(zts_close(descriptor) == ZTS_ERR_OK, "close: %d", zts_errno);
    }
    return NULL;
}

int stress_cycles(const char *directory, uint64_t network, int count)
{
    atomic_store(&failures, 0);
    struct footprint before = { 0, 0, 0, 0 };
    int reference = count >= 200 ? 100 : count / 2;
    unsigned seed = 1;
    for (int i = 1; i <= count && atomic_load(&failures) < 10; i++) {
        forget();
        EXPECT(zts_start(directory, told, 0) == ZTS_ERR_OK, "cycle %d: %s", i, zts_last_error_message());
        pthread_t helper;
        bool has_helper = i % 4 == 3 && pthread_create(&helper, NULL, connect_into_nothing, NULL) == 0;
        switch (i % 4) {
        case 0: break; /* stopped at once */
        case 1: usleep((useconds_t)(rand_r(&seed) % 4000)); break; /* somewhere on the way */
        case 2:
            EXPECT(wait_for(ZTS_EVENT_NODE_ONLINE, 30), "cycle %d", i);
            zts_join(network);
            break;
        default: EXPECT(wait_for(ZTS_EVENT_NODE_UP, 30), "cycle %d", i); break;
        }
        /* Now and then another start follows at once: it waits for the end of this run by itself. */
        if (i % 5 == 2) {
            EXPECT(zts_stop() == ZTS_ERR_OK, "cycle %d: %s", i, zts_last_error_message());
            EXPECT(zts_start(directory, told, 0) == ZTS_ERR_OK, "cycle %d again: %s", i, zts_last_error_message());
            EXPECT(zts_stop() == ZTS_ERR_OK, "cycle %d again: %s", i, zts_last_error_message());
            EXPECT(wait_for_times(ZTS_EVENT_NODE_DOWN, 2, 30), "cycle %d: NODE_DOWN does not come twice", i);
        } else {
            stop_and_wait();
        }
        if (has_helper)
            pthread_join(helper, NULL);
        if (i == reference)
            before = settled(0);
        if (count >= 1000 && i % (count / 10) == 0) {
            struct footprint held = footprint();
            printf(
                "cycle %d: %ld kB resident, %ld bytes allocated, %ld threads, %d descriptors\n", i, held.resident_kb,
                held.allocated, held.threads, held.descriptors);
            fflush(stdout);
        }
    }
    struct footprint after = settled(before.threads);
    EXPECT(after.threads <= before.threads, "%ld threads were %ld", after.threads, before.threads);
    EXPECT(after.descriptors == before.descriptors, "%d descriptors were %d", after.descriptors, before.descriptors);
    /* A shorter run says nothing about memory: the process is still finding its size. */
    if (count >= 1000) {
        EXPECT(after.allocated - before.allocated < 65536, "%ld bytes were %ld", after.allocated, before.allocated);
        EXPECT(after.resident_kb - before.resident_kb < 3072, "%ld kB were %ld", after.resident_kb, before.resident_kb);
    }
    return atomic_load(&failures);
}

/* ---- threads ---- */

enum { SLOTS = 24, LISTENERS = 3, FIRST_PORT = 6000 };

static struct {
    atomic_int slots[SLOTS]; /* descriptors that everybody uses, -1 for none */
    atomic_int listeners[LISTENERS];
    atomic_bool is_over;
    atomic_long calls;
    atomic_long bytes;
    int instance;
    struct sockaddr_storage target;
    uint64_t network;
} shared;

static struct sockaddr_in6 target_at(int port)
{
    struct sockaddr_in6 address;
    memcpy(&address, &shared.target, sizeof address);
    address.sin6_port = htons((uint16_t)port);
    return address;
}

static void put(int descriptor, unsigned *seed)
{
    int old = atomic_exchange(&shared.slots[rand_r(seed) % SLOTS], descriptor);
    if (old < 0)
        return;
    if (rand_r(seed) % 3 == 0) {
        struct zts_linger none = { 1, 0 };
        zts_setsockopt(old, ZTS_SOL_SOCKET, ZTS_SO_LINGER, &none, sizeof none);
    }
    zts_close(old);
}

static bool legal(long result)
{
    return result >= 0 || result == -1 || result == ZTS_ERR_SERVICE || result == ZTS_ERR_INVALID_ARG;
}

static void open_listeners(void)
{
    for (int i = 0; i < LISTENERS; i++) {
        int descriptor = zts_instance_socket(shared.instance, ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
        int on = 1;
        struct zts_sockaddr_in6 any = { 0 };
        any.sin6_family = ZTS_AF_INET6;
        any.sin6_port = htons((uint16_t)(FIRST_PORT + i));
        zts_setsockopt(descriptor, ZTS_SOL_SOCKET, ZTS_SO_REUSEADDR, &on, sizeof on);
        EXPECT(zts_bind(descriptor, (struct sockaddr *)&any, sizeof any) == ZTS_ERR_OK, "errno %d", zts_errno);
        EXPECT(zts_listen(descriptor, 16) == ZTS_ERR_OK, "errno %d", zts_errno);
        struct timeval short_time = { 0, 100000 };
        zts_setsockopt(descriptor, ZTS_SOL_SOCKET, ZTS_SO_RCVTIMEO, &short_time, sizeof short_time);
        atomic_store(&shared.listeners[i], descriptor);
    }
}

static void *use_sockets(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument * 2654435761u + 1;
    unsigned char buffer[8192] = { 0 };
    while (!atomic_load(&shared.is_over)) {
        int descriptor = atomic_load(&shared.slots[rand_r(&seed) % SLOTS]);
        long result = 0;
        switch (rand_r(&seed) % 16) {
        case 0: {
            int made = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
            result = made;
            if (made < 0) {
                usleep(2000);
                break;
            }
            struct timeval time = { 0, 200000 };
            zts_setsockopt(made, ZTS_SOL_SOCKET, ZTS_SO_RCVTIMEO, &time, sizeof time);
            zts_setsockopt(made, ZTS_SOL_SOCKET, ZTS_SO_SNDTIMEO, &time, sizeof time);
            struct sockaddr_in6 address = target_at(FIRST_PORT + rand_r(&seed) % LISTENERS);
            result = zts_connect(made, (struct sockaddr *)&address, sizeof address);
            put(made, &seed);
            break;
        }
        case 1:
        case 2: {
            int listener = atomic_load(&shared.listeners[rand_r(&seed) % LISTENERS]);
            result = zts_accept(listener, NULL, NULL);
            if (result >= 0) {
                struct timeval time = { 0, 200000 };
                zts_setsockopt((int)result, ZTS_SOL_SOCKET, ZTS_SO_RCVTIMEO, &time, sizeof time);
                zts_setsockopt((int)result, ZTS_SOL_SOCKET, ZTS_SO_SNDTIMEO, &time, sizeof time);
                put((int)result, &seed);
            }
            break;
        }
        case 3:
        case 4:
        case 5:
            result = zts_send(descriptor, buffer, (size_t)rand_r(&seed) % sizeof buffer, 0);
            break;
        case 6:
        case 7:
        case 8:
            result = zts_recv(descriptor, buffer, sizeof buffer, 0);
            if (result > 0)
                atomic_fetch_add(&shared.bytes, result);
            break;
        case 9: {
            struct zts_pollfd entries[SLOTS];
            for (int i = 0; i < SLOTS; i++)
                entries[i] = (struct zts_pollfd) { atomic_load(&shared.slots[i]), ZTS_POLLIN | ZTS_POLLOUT, 0 };
            result = zts_poll(entries, SLOTS, rand_r(&seed) % 20);
            break;
        }
        case 10: {
            int waiting = 0;
            result = zts_ioctl(descriptor, ZTS_FIONREAD, &waiting);
            break;
        }
        case 11: {
            struct sockaddr_storage name;
            socklen_t length = 28;
            result = rand_r(&seed) % 2 == 0 ? zts_getpeername(descriptor, (struct sockaddr *)&name, &length)
                                            : zts_getsockname(descriptor, (struct sockaddr *)&name, &length);
            break;
        }
        case 12: result = zts_shutdown(descriptor, rand_r(&seed) % 3); break;
        case 13: {
            int value = 0;
            socklen_t length = sizeof value;
            result = zts_getsockopt(descriptor, ZTS_SOL_SOCKET, ZTS_SO_ERROR, &value, &length);
            break;
        }
        case 14: put(-1, &seed); break;
        default: {
            int made = zts_socket(ZTS_AF_INET6, ZTS_SOCK_DGRAM, 0);
            struct sockaddr_in6 address = target_at(FIRST_PORT);
            if (made >= 0) {
                result = zts_sendto(made, buffer, 100, 0, (struct sockaddr *)&address, sizeof address);
                zts_close(made);
            }
            break;
        }
        }
        EXPECT(legal(result), "%ld, errno %d", result, zts_errno);
        atomic_fetch_add(&shared.calls, 1);
    }
    return NULL;
}

static bool start_and_join(const char *directory)
{
    forget();
    EXPECT(zts_start(directory, told, 0) == ZTS_ERR_OK, "%s", zts_last_error_message());
    double end = now() + 30;
    while (zts_get_node_status() != ZTS_EVENT_NODE_ONLINE && now() < end)
        usleep(2000);
    EXPECT(zts_join(shared.network) == ZTS_ERR_OK, "%s", zts_last_error_message());
    while (zts_get_network_status(shared.network) != ZTS_EVENT_NETWORK_READY_IP6 && now() < end)
        usleep(2000);
    EXPECT(now() < end, "the network is not ready");
    return now() < end;
}

/* One megabyte through fresh sockets, compared. */
static void *send_megabyte(void *argument)
{
    static unsigned char bytes[1 << 20];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 13);
    int descriptor = *(int *)argument;
    for (size_t sent = 0; sent < sizeof bytes;) {
        long count = zts_send(descriptor, bytes + sent, sizeof bytes - sent, 0);
        if (count <= 0)
            break;
        sent += (size_t)count;
    }
    zts_shutdown(descriptor, ZTS_SHUT_WR);
    return NULL;
}

static void expect_a_whole_stream(void)
{
    int listener = zts_instance_socket(shared.instance, ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    struct zts_sockaddr_in6 any = { 0 };
    any.sin6_family = ZTS_AF_INET6;
    any.sin6_port = htons(7999);
    EXPECT(zts_bind(listener, (struct sockaddr *)&any, sizeof any) == ZTS_ERR_OK, "errno %d", zts_errno);
    EXPECT(zts_listen(listener, 1) == ZTS_ERR_OK, "errno %d", zts_errno);
    int client = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    struct sockaddr_in6 address = target_at(7999);
    EXPECT(zts_connect(client, (struct sockaddr *)&address, sizeof address) == ZTS_ERR_OK, "errno %d", zts_errno);
    int server = zts_accept(listener, NULL, NULL);
    EXPECT(server >= 0, "errno %d", zts_errno);
    pthread_t sender;
    pthread_create(&sender, NULL, send_megabyte, &client);
    size_t got = 0, wrong = 0;
    unsigned char buffer[65536];
    long count;
    while ((count = zts_recv(server, buffer, sizeof buffer, 0)) > 0) {
        for (long i = 0; i < count; i++, got++)
            wrong += buffer[i] != (unsigned char)(got * 2654435761u >> 13);
    }
    pthread_join(sender, NULL);
    EXPECT(got == 1 << 20 && wrong == 0 && count == 0, "%zu bytes, %zu wrong, end %ld", got, wrong, count);
    zts_close(client);
    zts_close(server);
    zts_close(listener);
}

/* The node and an instance, both on the network; the instance's address is the target. */
static bool start_both(const char *directory, const char *other)
{
    shared.instance = zts_instance_start(other, NULL, NULL, 0);
    EXPECT(shared.instance > 0, "%s", zts_last_error_message());
    double end = now() + 30;
    while (zts_instance_is_online(shared.instance) != 1 && now() < end)
        usleep(2000);
    EXPECT(zts_instance_join(shared.instance, shared.network) == ZTS_ERR_OK, "%s", zts_last_error_message());
    while (zts_instance_get_network_status(shared.instance, shared.network) != ZTS_EVENT_NETWORK_READY_IP6
        && now() < end)
        usleep(2000);
    EXPECT(zts_instance_get_address(shared.instance, shared.network, &shared.target, ZTS_AF_INET6) == ZTS_ERR_OK,
        "%s", zts_last_error_message());
    return start_and_join(directory) && atomic_load(&failures) == 0;
}

int stress_threads(const char *directory, const char *other, uint64_t network, int threads, int seconds)
{
    atomic_store(&failures, 0);
    atomic_store(&shared.is_over, false);
    shared.network = network;
    for (int i = 0; i < SLOTS; i++)
        atomic_store(&shared.slots[i], -1);
    if (!start_both(directory, other))
        return atomic_load(&failures);
    open_listeners();
    atomic_store(&callback_delay_us, 20000);
    pthread_t *running = calloc((size_t)threads, sizeof *running);
    for (int i = 0; i < threads; i++)
        pthread_create(&running[i], NULL, use_sockets, (void *)(uintptr_t)(i + 1));
    double end = now() + seconds;
    while (now() < end && atomic_load(&failures) < 10) {
        usleep(700000);
        forget();
        stop_and_wait();
        start_and_join(directory);
    }
    atomic_store(&shared.is_over, true);
    /* Whoever still waits in a call is woken by its time-out, or by this stop. */
    forget();
    stop_and_wait();
    for (int i = 0; i < threads; i++)
        pthread_join(running[i], NULL);
    free(running);
    atomic_store(&callback_delay_us, 0);
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&shared.slots[i]) >= 0)
            zts_close(atomic_load(&shared.slots[i]));
    for (int i = 0; i < LISTENERS; i++)
        zts_close(atomic_load(&shared.listeners[i]));
    start_and_join(directory);
    expect_a_whole_stream();
    forget();
    stop_and_wait();
    EXPECT(zts_instance_free(shared.instance) == ZTS_ERR_OK, "%s", zts_last_error_message());
    EXPECT(atomic_load(&shared.calls) > threads, "%ld calls", atomic_load(&shared.calls));
    EXPECT(atomic_load(&shared.bytes) > 0, "no byte was received");
    printf("%ld calls, %ld bytes received by %d threads\n", atomic_load(&shared.calls), atomic_load(&shared.bytes), threads);
    return atomic_load(&failures);
}

/* ---- sockets ---- */

enum {
    PORT = 8000,
    BYTES = 64,
    TIMEOUT_MS = 1000,
    /* It takes about 2.5 kB: it has no buffers before there is something in them. */
    BYTES_OF_AN_IDLE_SOCKET = 8192,
    /* The stack waits a minute for what may still come for it (TIME-WAIT), in a table that doubles: up to 2 kB. Its
     * buffers had 14 kB. */
    BYTES_OF_A_CLOSED_PAIR = 4096
};

/* Generation 2's, whose header is not for the same file. */
int zts18_connect(int fd, const char *ipstr, unsigned short port, int timeout_ms);

/* Nobody is there: another node's address on the network, and one that nothing leads to. */
static double time_out(const char *where)
{
    int descriptor = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    double begin = now();
    int result = zts18_connect(descriptor, where, 9, TIMEOUT_MS);
    int number = zts_errno;
    double took = now() - begin;
    EXPECT(result == ZTS_ERR && number == ETIMEDOUT, "%d, errno %d", result, number);
    EXPECT(zts_last_error_message()[0] != 0, "errno %d is not explained", number);
    EXPECT(took >= TIMEOUT_MS / 1000.0 && took < 30, "%.3f s", took);
    printf("connect to %s with %d ms: %.3f s, \"%s\"\n", where, TIMEOUT_MS, took, zts_last_error_message());
    zts_close(descriptor);
    return took;
}

/* In time; a machine that is busy may take longer, but not every time. */
static void expect_a_timeout(const char *where)
{
    double best = 1e9;
    for (int tries = 0; tries < 5 && best > TIMEOUT_MS / 1000.0 + 0.5; tries++) {
        double took = time_out(where);
        best = took < best ? took : best;
    }
    EXPECT(best <= TIMEOUT_MS / 1000.0 + 0.5, "%.3f s", best);
}

static void expect_timeouts(void)
{
    struct sockaddr_storage nobody;
    char text[INET6_ADDRSTRLEN] = "";
    EXPECT(zts_get_6plane_addr(&nobody, shared.network, 0x1234567890) == ZTS_ERR_OK, "%s", zts_last_error_message());
    inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&nobody)->sin6_addr, text, sizeof text);
    expect_a_timeout(text);
    expect_a_timeout("2001:db8::1");
}

/* What is sent on a connection: no two say the same. */
static void message_of(int pair, unsigned char bytes[BYTES])
{
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (unsigned char)((unsigned)pair * 31u + (unsigned)i * 7u + ((unsigned)pair >> 8));
}

/* Every one of `to` receives what its peer has sent. */
static void expect_messages(const int *to, int pairs)
{
    struct zts_pollfd *entries = calloc((size_t)pairs, sizeof *entries);
    int *taken = calloc((size_t)pairs, sizeof *taken);
    int left = pairs, most = 0, wrong = 0;
    double end = now() + 60;
    for (int i = 0; i < pairs; i++)
        entries[i] = (struct zts_pollfd) { to[i], ZTS_POLLIN, 0 };
    while (left > 0 && now() < end) {
        int ready = zts_poll(entries, (zts_nfds_t)pairs, 1000);
        EXPECT(ready >= 0, "%s", zts_last_error_message());
        if (ready < 0)
            break;
        most = ready > most ? ready : most;
        for (int i = 0; i < pairs; i++) {
            if (!(entries[i].revents & ZTS_POLLIN))
                continue;
            unsigned char wanted[BYTES], got[BYTES];
            message_of(i, wanted);
            long count = zts_recv(to[i], got, (size_t)(BYTES - taken[i]), 0);
            wrong += count <= 0 || memcmp(got, wanted + taken[i], (size_t)count) != 0;
            taken[i] += count > 0 ? (int)count : BYTES;
            if (taken[i] < BYTES)
                continue;
            /* It is asked for no more, but stays in the call. */
            entries[i].events = 0;
            left--;
        }
    }
    EXPECT(left == 0 && wrong == 0, "%d of %d received nothing, %d something else", left, pairs, wrong);
    printf("%d messages arrived; zts_poll() over %d gave up to %d\n", pairs - left, pairs, most);
    free(taken);
    free(entries);
}

static void send_messages(const int *from, int pairs)
{
    for (int i = 0; i < pairs; i++) {
        unsigned char bytes[BYTES];
        message_of(i, bytes);
        EXPECT(zts_send(from[i], bytes, BYTES, 0) == BYTES, "pair %d: %s", i, zts_last_error_message());
    }
}

/* The sockets that are open: the client's is ours, the server's the instance's. */
static int connect_all(int *clients, int *servers, int pairs)
{
    int listener = zts_instance_socket(shared.instance, ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    struct zts_sockaddr_in6 any = { 0 };
    any.sin6_family = ZTS_AF_INET6;
    any.sin6_port = htons(PORT);
    int on = 1;
    zts_setsockopt(listener, ZTS_SOL_SOCKET, ZTS_SO_REUSEADDR, &on, sizeof on);
    EXPECT(zts_bind(listener, (struct sockaddr *)&any, sizeof any) == ZTS_ERR_OK, "%s", zts_last_error_message());
    EXPECT(zts_listen(listener, 16) == ZTS_ERR_OK, "%s", zts_last_error_message());
    struct sockaddr_in6 address = target_at(PORT);
    int made = 0;
    for (; made < pairs && atomic_load(&failures) == 0; made++) {
        clients[made] = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
        EXPECT(zts_connect(clients[made], (struct sockaddr *)&address, sizeof address) == ZTS_ERR_OK, "pair %d: %s",
            made, zts_last_error_message());
        servers[made] = zts_accept(listener, NULL, NULL);
        EXPECT(servers[made] >= 0, "pair %d: %s", made, zts_last_error_message());
    }
    zts_close(listener);
    return made;
}

/* Opens all, sends over all in both directions, closes all. `before` is given where an idle socket is to be measured. */
static struct footprint use_all(int *clients, int *servers, int pairs, const struct footprint *before)
{
    double begin = now();
    int made = connect_all(clients, servers, pairs);
    struct footprint idle = footprint();
    printf("%d sockets open after %.1f s: %ld kB resident", 2 * made, now() - begin, idle.resident_kb);
    if (before != NULL && made > 0) {
        long each = (idle.resident_kb - before->resident_kb) * 1024 / (2L * made);
        printf(", %ld bytes for each idle one", each);
        if (pairs >= 1000)
            EXPECT(each < BYTES_OF_AN_IDLE_SOCKET, "%ld bytes", each);
    }
    printf("\n");
    send_messages(clients, made);
    expect_messages(servers, made);
    send_messages(servers, made);
    expect_messages(clients, made);
    for (int i = 0; i < made; i++)
        EXPECT(zts_close(clients[i]) == ZTS_ERR_OK && zts_close(servers[i]) == ZTS_ERR_OK, "pair %d", i);
    /* The last handshakes of the connections go on for a moment. */
    struct footprint closed = footprint(), next = closed;
    for (int i = 0; i < 100; i++) {
        usleep(100000);
        next = footprint();
        if (i >= 10 && next.allocated == closed.allocated)
            break;
        closed = next;
    }
    printf("all closed: %ld kB resident, %ld bytes allocated\n", next.resident_kb, next.allocated);
    return next;
}

int stress_sockets(const char *directory, const char *other, uint64_t network, int pairs)
{
    atomic_store(&failures, 0);
    shared.network = network;
    if (!start_both(directory, other))
        return atomic_load(&failures);
    expect_timeouts();
    int *clients = calloc((size_t)pairs, sizeof *clients), *servers = calloc((size_t)pairs, sizeof *servers);
    /* Once through before, so that what is made only once is not counted. */
    int made = connect_all(clients, servers, 1);
    for (int i = 0; i < made; i++)
        EXPECT(zts_close(clients[i]) == ZTS_ERR_OK && zts_close(servers[i]) == ZTS_ERR_OK, "pair %d", i);
    struct footprint before = footprint();
    struct footprint first = use_all(clients, servers, pairs, &before);
    struct footprint second = use_all(clients, servers, pairs, NULL);
    EXPECT(second.descriptors == before.descriptors, "%d descriptors of the host were %d", second.descriptors,
        before.descriptors);
    /* Of a connection little is kept, and not for long. */
    if (pairs >= 1000)
        EXPECT(second.allocated - first.allocated < pairs * (long)BYTES_OF_A_CLOSED_PAIR, "%ld bytes were %ld",
            second.allocated, first.allocated);
    /* Their numbers are free again. */
    int next = zts_socket(ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    EXPECT(next >= 0 && next < 16, "descriptor %d", next);
    zts_close(next);
    free(clients);
    free(servers);
    forget();
    stop_and_wait();
    EXPECT(zts_instance_free(shared.instance) == ZTS_ERR_OK, "%s", zts_last_error_message());
    return atomic_load(&failures);
}
