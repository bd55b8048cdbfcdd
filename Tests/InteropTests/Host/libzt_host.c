/* A ZeroTier node of the real libzt 1.8.4, driven by lines on standard input.
 *
 * Input:  TAG COMMAND key=value ...
 * Output: TAG ok key=value ...      or      TAG error what=... [code=...]
 *
 * Every command runs on a thread of its own and answers once, so a driver may keep several under way (an accept here,
 * a transfer there). One node a process. The commands are in the table at the end; README.md describes them. */
#define _GNU_SOURCE
#include "zts_subset.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_LIMIT = 4096,
    ARGUMENT_LIMIT = 32,
    CHUNK = 65536,
    DATAGRAM_LIMIT = 65536,
    DEFAULT_TIMEOUT_MS = 30000,
    POLL_MS = 10,
    /* Shorter datagrams are questions to a sink. */
    QUESTION_LIMIT = 4,
    SAMPLE_LIMIT = 1000000,
};

struct command {
    char line[LINE_LIMIT];
    const char *tag;
    const char *name;
    const char *key[ARGUMENT_LIMIT];
    const char *value[ARGUMENT_LIMIT];
    int count;
};

/* ---- small things ---- */

static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((format(printf, 2, 3))) static void answer(const struct command *command, const char *format, ...) {
    va_list list;
    va_start(list, format);
    pthread_mutex_lock(&output_lock);
    printf("%s ", command->tag);
    vprintf(format, list);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&output_lock);
    va_end(list);
}

static const char *text(const struct command *command, const char *key, const char *fallback) {
    for (int i = 0; i < command->count; i++)
        if (!strcmp(command->key[i], key)) return command->value[i];
    return fallback;
}

static uint64_t number(const struct command *command, const char *key, uint64_t fallback) {
    const char *value = text(command, key, NULL);
    return value ? strtoull(value, NULL, 0) : fallback;
}

static uint64_t hexadecimal(const struct command *command, const char *key) {
    return strtoull(text(command, key, "0"), NULL, 16);
}

static double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void pause_ms(int milliseconds) { usleep((useconds_t)milliseconds * 1000); }

/* family=4 or 6; without it that of address=, else IPv6. */
static int family_of(const struct command *command) {
    const char *address = text(command, "address", "");
    uint64_t assumed = strchr(address, '.') && !strchr(address, ':') ? 4 : 6;
    return number(command, "family", assumed) == 4 ? ZTS_AF_INET : ZTS_AF_INET6;
}

/* ---- test data: a byte stream made from a seed, and its checksum ---- */

struct stream {
    uint64_t state;
};

static void fill(struct stream *stream, uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i += 8) {
        stream->state = stream->state * 6364136223846793005u + 1442695040888963407u;
        uint64_t word = stream->state ^ (stream->state >> 29);
        memcpy(bytes + i, &word, length - i < 8 ? length - i : 8);
    }
}

static const uint64_t fnv_basis = 0xcbf29ce484222325u;

/* FNV-1a, 64 bits. */
static uint64_t checksum(uint64_t hash, const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* ---- sockets ---- */

static bool resolve(const struct command *command, const char *fallback, struct zts_address *address,
                    uint32_t *length) {
    *length = sizeof *address;
    memset(address, 0, sizeof *address);
    const char *host = text(command, "address", fallback);
    return zts_util_ipstr_to_saddr(host, (unsigned short)number(command, "port", 0), address, length) == 0;
}

static const char *any_address(const struct command *command) {
    return family_of(command) == ZTS_AF_INET ? "0.0.0.0" : "::";
}

static void set_timeout(int socket, uint64_t milliseconds) {
    zts_set_recv_timeout(socket, (int)(milliseconds / 1000), (int)(milliseconds % 1000) * 1000);
}

static bool send_all(int socket, const uint8_t *bytes, size_t length) {
    while (length) {
        ssize_t sent = zts_bsd_send(socket, bytes, length, 0);
        if (sent <= 0) return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static bool receive_all(int socket, uint8_t *bytes, size_t length) {
    while (length) {
        ssize_t got = zts_bsd_recv(socket, bytes, length, 0);
        if (got <= 0) return false;
        bytes += got;
        length -= (size_t)got;
    }
    return true;
}

static int open_bound(const struct command *command, int type) {
    struct zts_address address;
    uint32_t length;
    if (!resolve(command, any_address(command), &address, &length)) return -1;
    int socket = zts_bsd_socket(family_of(command), type, 0);
    if (socket < 0) return -1;
    if (type == ZTS_SOCK_STREAM) zts_set_reuse_addr(socket, 1);
    if (zts_bsd_bind(socket, &address, length) < 0) {
        zts_bsd_close(socket);
        return -1;
    }
    return socket;
}

static void fail(const struct command *command, const char *what) {
    answer(command, "error what=%s code=%d", what, zts_errno);
}

/* ---- node commands ---- */

static void command_identity(struct command *command) {
    char key[ZTS_IDENTITY_LENGTH + 1] = {0};
    unsigned int length = ZTS_IDENTITY_LENGTH;
    if (zts_id_new(key, &length) != 0) return fail(command, "identity");
    key[length] = 0;
    answer(command, "ok identity=%s", key);
}

/* world id=N timestamp=N root0=PUBLIC@address/port,address/port root1=... file=PATH */
static void command_world(struct command *command) {
    struct zts_root_set roots;
    memset(&roots, 0, sizeof roots);
    for (int i = 0; i < 4; i++) {
        char key[8];
        snprintf(key, sizeof key, "root%d", i);
        const char *value = text(command, key, NULL);
        if (!value) break;
        char *copy = strdup(value), *rest = strchr(copy, '@'), *saved = NULL;
        if (!rest) return fail(command, "root");
        *rest++ = 0;
        roots.public_identity[i] = copy;
        int count = 0;
        for (char *part = strtok_r(rest, ",", &saved); part && count < 31; part = strtok_r(NULL, ",", &saved))
            roots.endpoint[i][count++] = part;
    }
    char world[ZTS_WORLD_LENGTH], previous[ZTS_KEY_LENGTH], current[ZTS_KEY_LENGTH];
    unsigned int length = sizeof world, previous_length = sizeof previous, current_length = sizeof current;
    int code = zts_util_sign_root_set(world, &length, previous, &previous_length, current, &current_length,
                                      number(command, "id", 1), number(command, "timestamp", 1), &roots);
    FILE *file = code == 0 ? fopen(text(command, "file", "planet"), "wb") : NULL;
    if (!file) return fail(command, "world");
    size_t written = fwrite(world, 1, length, file);
    fclose(file);
    answer(command, "%s bytes=%zu", written == length ? "ok" : "error what=write", written);
}

static char planet[ZTS_WORLD_LENGTH];
/* Monotonic milliseconds; 0 = not yet. */
static _Atomic double started_at, online_at;

static void *watch_online(void *unused) {
    while (!zts_node_is_online()) pause_ms(POLL_MS);
    online_at = now_ms();
    return unused;
}

static void command_start(struct command *command) {
    const char *home = text(command, "home", NULL), *path = text(command, "planet", NULL);
    if (home && zts_init_from_storage(home) != 0) return fail(command, "home");
    if (path) {
        FILE *file = fopen(path, "rb");
        size_t length = file ? fread(planet, 1, sizeof planet, file) : 0;
        if (file) fclose(file);
        if (!length || zts_init_set_roots(planet, (unsigned int)length) != 0) return fail(command, "planet");
    }
    if (zts_init_set_port((unsigned short)number(command, "port", 0)) != 0) return fail(command, "port");
    zts_init_allow_port_mapping(0);
    if (!number(command, "secondary", 1)) zts_init_allow_secondary_port(0);
    started_at = now_ms();
    online_at = 0;
    if (zts_node_start() != 0) return fail(command, "start");
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch_online, NULL) == 0) pthread_detach(thread);
    answer(command, "ok");
}

/* Waits until the node is online; `ms` is the time from its start to the first moment online. */
static void command_online(struct command *command) {
    double limit = now_ms() + (double)number(command, "timeout", DEFAULT_TIMEOUT_MS);
    while (online_at == 0 || !zts_node_is_online()) {
        if (now_ms() > limit) return answer(command, "error what=timeout");
        pause_ms(POLL_MS);
    }
    answer(command, "ok ms=%.1f id=%010" PRIx64 " port=%d", online_at - started_at, zts_node_get_id(),
           zts_node_get_port());
}

static void command_join(struct command *command) {
    if (zts_net_join(hexadecimal(command, "network")) != 0) return fail(command, "join");
    answer(command, "ok");
}

static void command_leave(struct command *command) {
    if (zts_net_leave(hexadecimal(command, "network")) != 0) return fail(command, "leave");
    answer(command, "ok");
}

static void address_text(uint64_t network, int family, char *into) {
    strcpy(into, "-");
    if (zts_addr_is_assigned(network, (unsigned int)family) == 1)
        zts_addr_get_str(network, (unsigned int)family, into, ZTS_TEXT_LENGTH);
    if (!into[0]) strcpy(into, "-");
}

static void command_ready(struct command *command) {
    uint64_t network = hexadecimal(command, "network");
    double start = now_ms(), limit = start + (double)number(command, "timeout", DEFAULT_TIMEOUT_MS);
    int family = family_of(command);
    while (zts_net_transport_is_ready(network) != 1 || zts_addr_is_assigned(network, (unsigned int)family) != 1) {
        if (now_ms() > limit) return answer(command, "error what=timeout status=%d", zts_net_get_status(network));
        pause_ms(POLL_MS);
    }
    char own[ZTS_TEXT_LENGTH] = {0};
    address_text(network, family, own);
    answer(command, "ok ms=%.1f address=%s", now_ms() - start, own);
}

static long resident_kilobytes(void) {
    long result = -1;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "VmRSS:", 6)) result = strtol(line + 6, NULL, 10);
    if (file) fclose(file);
    return result;
}

/* The network's routes as TARGET@GATEWAY; the library tells no prefix length. */
static void routes_text(uint64_t network, char *into, size_t length) {
    size_t used = 0;
    zts_core_lock_obtain();
    int count = zts_core_query_route_count(network);
    for (int i = 0; i < count && used + ZTS_TEXT_LENGTH * 3 < length; i++) {
        char target[ZTS_TEXT_LENGTH * 2] = "", via[ZTS_TEXT_LENGTH * 2] = "";
        uint16_t flags = 0, metric = 0;
        zts_core_query_route(network, (unsigned int)i, target, via, sizeof target, &flags, &metric);
        used += (size_t)snprintf(into + used, length - used, "%s%s@%s", i ? "," : "", target, via);
    }
    zts_core_lock_release();
    if (!used) snprintf(into, length, "-");
}

static void command_status(struct command *command) {
    uint64_t network = hexadecimal(command, "network");
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    char address4[ZTS_TEXT_LENGTH] = "-", address6[ZTS_TEXT_LENGTH] = "-";
    char routes[1024] = "-";
    int ready = 0, status = -1, mtu = 0;
    if (network) {
        address_text(network, ZTS_AF_INET, address4);
        address_text(network, ZTS_AF_INET6, address6);
        ready = zts_net_transport_is_ready(network) == 1;
        status = zts_net_get_status(network);
        mtu = zts_net_get_mtu(network);
        routes_text(network, routes, sizeof routes);
    }
    answer(command,
           "ok online=%d id=%010" PRIx64 " port=%d ready=%d status=%d address4=%s address6=%s mtu=%d routes=%s "
           "rss_kb=%ld cpu_ms=%.1f",
           zts_node_is_online() == 1, zts_node_get_id(), zts_node_get_port(), ready, status, address4, address6, mtu, routes,
           resident_kilobytes(), (double)cpu.tv_sec * 1e3 + (double)cpu.tv_nsec / 1e6);
}

/* Direct physical paths the node holds to a peer; 0 or less means that it relays or does not know the peer. */
static void command_paths(struct command *command) {
    uint64_t peer = hexadecimal(command, "peer");
    char list[1024] = "";
    size_t used = 0;
    zts_core_lock_obtain();
    int count = zts_core_query_path_count(peer);
    for (int i = 0; i < count && used + ZTS_TEXT_LENGTH * 2 < sizeof list; i++) {
        char path[ZTS_TEXT_LENGTH * 2] = "";
        zts_core_query_path(peer, (unsigned int)i, path, sizeof path);
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? "," : "", path);
    }
    zts_core_lock_release();
    answer(command, "ok count=%d paths=%s", count, used ? list : "-");
}

static void command_stop(struct command *command) {
    zts_node_stop();
    answer(command, "ok");
}

/* ---- TCP ---- */

static void command_tcp_listen(struct command *command) {
    int socket = open_bound(command, ZTS_SOCK_STREAM);
    if (socket < 0) return fail(command, "bind");
    if (zts_bsd_listen(socket, 64) < 0) return fail(command, "listen");
    answer(command, "ok socket=%d", socket);
}

static int accept_one(const struct command *command, int listener) {
    struct zts_address address;
    uint32_t length = sizeof address;
    set_timeout(listener, number(command, "timeout", DEFAULT_TIMEOUT_MS));
    int socket = zts_bsd_accept(listener, &address, &length);
    if (socket >= 0) zts_set_no_delay(socket, 1);
    return socket;
}

static void command_tcp_accept(struct command *command) {
    int socket = accept_one(command, (int)number(command, "socket", 0));
    if (socket < 0) return fail(command, "accept");
    answer(command, "ok socket=%d", socket);
}

static void command_tcp_connect(struct command *command) {
    struct zts_address address;
    uint32_t length;
    double start = now_ms();
    if (!resolve(command, "::", &address, &length)) return fail(command, "address");
    int socket = zts_bsd_socket(family_of(command), ZTS_SOCK_STREAM, 0);
    if (socket < 0) return fail(command, "socket");
    if (zts_bsd_connect(socket, &address, length) < 0) {
        fail(command, "connect");
        zts_bsd_close(socket);
        return;
    }
    zts_set_no_delay(socket, 1);
    answer(command, "ok socket=%d ms=%.1f", socket, now_ms() - start);
}

static void transfer_answer(const struct command *command, uint64_t bytes, uint64_t sum, double milliseconds) {
    double rate = milliseconds > 0 ? (double)bytes * 8 / milliseconds / 1e3 : 0;
    answer(command, "ok bytes=%" PRIu64 " checksum=%016" PRIx64 " ms=%.1f mbit=%.1f", bytes, sum, milliseconds, rate);
}

static void command_tcp_send(struct command *command) {
    int socket = (int)number(command, "socket", 0);
    uint64_t total = number(command, "bytes", 0), sum = fnv_basis;
    struct stream stream = {number(command, "seed", 1)};
    uint8_t *chunk = malloc(CHUNK);
    double start = now_ms();
    uint64_t done = 0;
    while (done < total) {
        size_t length = total - done < CHUNK ? (size_t)(total - done) : CHUNK;
        fill(&stream, chunk, length);
        sum = checksum(sum, chunk, length);
        if (!send_all(socket, chunk, length)) break;
        done += length;
    }
    free(chunk);
    if (done < total) return answer(command, "error what=send code=%d bytes=%" PRIu64, zts_errno, done);
    if (number(command, "shutdown", 0)) zts_bsd_shutdown(socket, 1);
    transfer_answer(command, done, sum, now_ms() - start);
}

/* Reads `bytes` bytes, or up to the end of the stream when bytes=0; time counts from the first byte. */
static void command_tcp_receive(struct command *command) {
    int socket = (int)number(command, "socket", 0);
    uint64_t total = number(command, "bytes", 0), sum = fnv_basis, done = 0;
    set_timeout(socket, number(command, "timeout", DEFAULT_TIMEOUT_MS));
    uint8_t *chunk = malloc(CHUNK);
    double start = 0;
    bool end = false;
    while (!total || done < total) {
        size_t length = total && total - done < CHUNK ? (size_t)(total - done) : CHUNK;
        ssize_t got = zts_bsd_recv(socket, chunk, length, 0);
        if (got <= 0) {
            end = got == 0;
            break;
        }
        if (!done) start = now_ms();
        sum = checksum(sum, chunk, (size_t)got);
        done += (uint64_t)got;
    }
    free(chunk);
    if (total ? done < total : !end)
        return answer(command, "error what=receive code=%d bytes=%" PRIu64, zts_errno, done);
    transfer_answer(command, done, sum, done ? now_ms() - start : 0);
}

/* Echoes everything back on one connection up to the end of the stream. */
static uint64_t echo_stream(int socket, uint64_t timeout, uint64_t *sum) {
    uint8_t *chunk = malloc(CHUNK);
    uint64_t done = 0;
    ssize_t got;
    set_timeout(socket, timeout);
    while ((got = zts_bsd_recv(socket, chunk, CHUNK, 0)) > 0) {
        *sum = checksum(*sum, chunk, (size_t)got);
        done += (uint64_t)got;
        if (!send_all(socket, chunk, (size_t)got)) break;
    }
    free(chunk);
    zts_bsd_close(socket);
    return done;
}

static void command_tcp_echo(struct command *command) {
    uint64_t sum = fnv_basis;
    double start = now_ms();
    uint64_t timeout = number(command, "timeout", DEFAULT_TIMEOUT_MS);
    uint64_t done = echo_stream((int)number(command, "socket", 0), timeout, &sum);
    transfer_answer(command, done, sum, now_ms() - start);
}

struct echo_work {
    int socket;
    uint64_t timeout;
};

static void *echo_thread(void *argument) {
    struct echo_work work = *(struct echo_work *)argument;
    uint64_t sum = fnv_basis;
    free(argument);
    echo_stream(work.socket, work.timeout, &sum);
    return NULL;
}

/* Accepts for ever; each connection is echoed by a thread of its own. Answers when listening. */
static void command_tcp_echo_serve(struct command *command) {
    int listener = open_bound(command, ZTS_SOCK_STREAM);
    if (listener < 0 || zts_bsd_listen(listener, 64) < 0) return fail(command, "listen");
    answer(command, "ok socket=%d", listener);
    for (;;) {
        int socket = accept_one(command, listener);
        if (socket < 0) {
            pause_ms(POLL_MS);
            continue;
        }
        struct echo_work *work = malloc(sizeof *work);
        *work = (struct echo_work){socket, number(command, "idle", DEFAULT_TIMEOUT_MS)};
        pthread_t thread;
        if (pthread_create(&thread, NULL, echo_thread, work) == 0) pthread_detach(thread);
    }
}

struct sending {
    int socket;
    uint64_t total;
    uint64_t seed;
    bool good;
};

static void *sending_thread(void *argument) {
    struct sending *sending = argument;
    struct stream stream = {sending->seed};
    uint8_t *chunk = malloc(CHUNK);
    sending->good = true;
    for (uint64_t done = 0; done < sending->total && sending->good;) {
        size_t length = sending->total - done < CHUNK ? (size_t)(sending->total - done) : CHUNK;
        fill(&stream, chunk, length);
        sending->good = send_all(sending->socket, chunk, length);
        done += length;
    }
    free(chunk);
    return NULL;
}

/* Client of an echo server: sends while it reads, and compares every byte that comes back. */
static void command_tcp_exchange(struct command *command) {
    struct sending sending = {(int)number(command, "socket", 0), number(command, "bytes", 0),
                              number(command, "seed", 1), false};
    struct stream expected = {sending.seed};
    uint8_t *chunk = malloc(CHUNK), *wanted = malloc(CHUNK);
    uint64_t sum = fnv_basis, done = 0;
    double start = now_ms();
    bool same = true;
    pthread_t thread;
    set_timeout(sending.socket, number(command, "timeout", DEFAULT_TIMEOUT_MS));
    pthread_create(&thread, NULL, sending_thread, &sending);
    while (done < sending.total && same) {
        size_t length = sending.total - done < CHUNK ? (size_t)(sending.total - done) : CHUNK;
        if (!receive_all(sending.socket, chunk, length)) break;
        fill(&expected, wanted, length);
        same = !memcmp(chunk, wanted, length);
        sum = checksum(sum, chunk, length);
        done += length;
    }
    if (done < sending.total) zts_bsd_shutdown(sending.socket, 2);
    pthread_join(thread, NULL);
    free(chunk);
    free(wanted);
    if (!same) return answer(command, "error what=corrupt bytes=%" PRIu64, done);
    if (done < sending.total) return answer(command, "error what=exchange code=%d bytes=%" PRIu64, zts_errno, done);
    transfer_answer(command, done, sum, now_ms() - start);
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static void latency_answer(const struct command *command, double *samples, uint64_t count) {
    qsort(samples, count, sizeof *samples, by_value);
    answer(command, "ok count=%" PRIu64 " p50_us=%.1f p99_us=%.1f max_us=%.1f", count, samples[count / 2] * 1e3,
           samples[count * 99 / 100] * 1e3, samples[count - 1] * 1e3);
}

/* ping-pong against an echo server. */
static void command_tcp_ping(struct command *command) {
    int socket = (int)number(command, "socket", 0);
    uint64_t count = number(command, "count", 1000), size = number(command, "size", 64);
    uint8_t out[CHUNK], in[CHUNK];
    if (!count || count > SAMPLE_LIMIT || !size || size > CHUNK) return answer(command, "error what=argument");
    double *samples = malloc(count * sizeof *samples);
    struct stream stream = {number(command, "seed", 1)};
    bool good = true;
    set_timeout(socket, number(command, "timeout", DEFAULT_TIMEOUT_MS));
    for (uint64_t i = 0; i < count && good; i++) {
        fill(&stream, out, size);
        double start = now_ms();
        good = send_all(socket, out, size) && receive_all(socket, in, size) && !memcmp(in, out, size);
        samples[i] = now_ms() - start;
    }
    if (good)
        latency_answer(command, samples, count);
    else
        fail(command, "ping");
    free(samples);
}

/* Opens and closes `count` connections in sequence; with check=1 each sends and reads back 4 bytes. */
static void command_tcp_connects(struct command *command) {
    struct zts_address address;
    uint32_t length;
    uint64_t count = number(command, "count", 100), check = number(command, "check", 0);
    if (!resolve(command, "::", &address, &length)) return fail(command, "address");
    double start = now_ms();
    for (uint64_t i = 0; i < count; i++) {
        int socket = zts_bsd_socket(family_of(command), ZTS_SOCK_STREAM, 0);
        bool good = socket >= 0 && zts_bsd_connect(socket, &address, length) == 0;
        if (good && check) {
            uint32_t word = (uint32_t)i, back = 0;
            good = send_all(socket, (uint8_t *)&word, 4) && receive_all(socket, (uint8_t *)&back, 4) && word == back;
        }
        if (socket >= 0) zts_bsd_close(socket);
        if (!good) return answer(command, "error what=connects code=%d count=%" PRIu64, zts_errno, i);
    }
    double milliseconds = now_ms() - start;
    answer(command, "ok count=%" PRIu64 " ms=%.1f rate=%.1f", count, milliseconds, (double)count * 1e3 / milliseconds);
}

static void command_shutdown(struct command *command) {
    if (zts_bsd_shutdown((int)number(command, "socket", 0), (int)number(command, "how", 1)) < 0)
        return fail(command, "shutdown");
    answer(command, "ok");
}

static void command_close(struct command *command) {
    if (zts_bsd_close((int)number(command, "socket", 0)) < 0) return fail(command, "close");
    answer(command, "ok");
}

/* ---- UDP ---- */

static void command_udp_open(struct command *command) {
    int socket = open_bound(command, ZTS_SOCK_DGRAM);
    if (socket < 0) return fail(command, "bind");
    answer(command, "ok socket=%d", socket);
}

/* Echoes datagrams for ever. Answers when bound. */
static void command_udp_echo_serve(struct command *command) {
    int socket = open_bound(command, ZTS_SOCK_DGRAM);
    if (socket < 0) return fail(command, "bind");
    answer(command, "ok socket=%d", socket);
    uint8_t *datagram = malloc(DATAGRAM_LIMIT);
    for (;;) {
        struct zts_address address;
        uint32_t length = sizeof address;
        ssize_t got = zts_bsd_recvfrom(socket, datagram, DATAGRAM_LIMIT, 0, &address, &length);
        if (got < 0) {
            pause_ms(POLL_MS);
            continue;
        }
        zts_bsd_sendto(socket, datagram, (size_t)got, 0, &address, length);
    }
}

/* Sends `count` datagrams of `size` bytes one after the other, waits `timeout` ms for each echo, tries each up to
 * `tries` times, and compares what comes back. */
static void command_udp_exchange(struct command *command) {
    struct zts_address address;
    uint32_t length;
    uint64_t count = number(command, "count", 1), size = number(command, "size", 64);
    uint64_t tries = number(command, "tries", 3), lost = 0, good = 0;
    if (size > CHUNK || size < 4 || !count || count > SAMPLE_LIMIT) return answer(command, "error what=argument");
    if (!resolve(command, "::", &address, &length)) return fail(command, "address");
    int socket = zts_bsd_socket(family_of(command), ZTS_SOCK_DGRAM, 0);
    if (socket < 0) return fail(command, "socket");
    set_timeout(socket, number(command, "timeout", 1000));
    uint8_t out[CHUNK], in[CHUNK];
    struct stream stream = {number(command, "seed", 1)};
    double *samples = malloc(count * sizeof *samples);
    for (uint64_t i = 0; i < count; i++) {
        fill(&stream, out, size);
        bool back = false;
        for (uint64_t attempt = 0; attempt < tries && !back; attempt++) {
            double start = now_ms();
            if (zts_bsd_sendto(socket, out, size, 0, &address, length) < 0) pause_ms(100);
            ssize_t got;
            /* An echo of an earlier attempt may still arrive: read until the right one or nothing comes. */
            while ((got = zts_bsd_recv(socket, in, sizeof in, 0)) >= 0 && !back)
                if ((back = (uint64_t)got == size && !memcmp(in, out, size))) break;
            if (back)
                samples[good++] = now_ms() - start;
            else
                lost++;
        }
    }
    zts_bsd_close(socket);
    if (good < count)
        answer(command, "error what=udp good=%" PRIu64 " lost=%" PRIu64 " code=%d", good, lost, zts_errno);
    else {
        qsort(samples, good, sizeof *samples, by_value);
        answer(command, "ok good=%" PRIu64 " lost=%" PRIu64 " p50_us=%.1f p99_us=%.1f", good, lost,
               samples[good / 2] * 1e3, samples[good * 99 / 100] * 1e3);
    }
    free(samples);
}

/* Counts datagrams for ever; a short one asks for the count, in decimal, which then begins anew. Answers when bound. */
static void command_udp_sink_serve(struct command *command) {
    int socket = open_bound(command, ZTS_SOCK_DGRAM);
    if (socket < 0) return fail(command, "bind");
    answer(command, "ok socket=%d", socket);
    uint8_t *datagram = malloc(DATAGRAM_LIMIT);
    uint64_t count = 0;
    for (;;) {
        struct zts_address address;
        uint32_t length = sizeof address;
        ssize_t got = zts_bsd_recvfrom(socket, datagram, DATAGRAM_LIMIT, 0, &address, &length);
        if (got >= QUESTION_LIMIT) {
            count++;
        } else if (got >= 0) {
            char text[32];
            int size = snprintf(text, sizeof text, "%" PRIu64, count);
            zts_bsd_sendto(socket, text, (size_t)size, 0, &address, length);
            count = 0;
        } else {
            pause_ms(POLL_MS);
        }
    }
}

/* Asks a sink for its count. It answers once it has read all that came before. */
static bool ask_sink(int socket, const struct zts_address *address, uint32_t length, uint64_t *count) {
    for (int attempt = 0; attempt < 50; attempt++) {
        char text[32] = "?";
        zts_bsd_sendto(socket, text, 1, 0, address, length);
        ssize_t got = zts_bsd_recv(socket, text, sizeof text - 1, 0);
        if (got <= 0) continue;
        text[got] = 0;
        *count = strtoull(text, NULL, 10);
        return true;
    }
    return false;
}

/* Sends datagrams of `size` bytes to a sink for `milliseconds`, as fast as it can; how many left and how many came. */
static void command_udp_flood(struct command *command) {
    struct zts_address address;
    uint32_t length;
    uint64_t size = number(command, "size", 1200), sent = 0, refused = 0, count = 0;
    if (size > CHUNK || size < QUESTION_LIMIT) return answer(command, "error what=argument");
    if (!resolve(command, "::", &address, &length)) return fail(command, "address");
    int socket = zts_bsd_socket(family_of(command), ZTS_SOCK_DGRAM, 0);
    if (socket < 0) return fail(command, "socket");
    set_timeout(socket, 200);
    uint8_t bytes[CHUNK];
    memset(bytes, 0x5a, sizeof bytes);
    bool good = ask_sink(socket, &address, length, &count);
    double start = now_ms(), end = start + (double)number(command, "milliseconds", 1000);
    while (good && now_ms() < end)
        for (int i = 0; i < 64; i++)
            if (zts_bsd_sendto(socket, bytes, size, 0, &address, length) == (ssize_t)size)
                sent++;
            else
                refused++;
    double milliseconds = now_ms() - start;
    good = good && ask_sink(socket, &address, length, &count);
    zts_bsd_close(socket);
    if (!good) return answer(command, "error what=sink code=%d", zts_errno);
    answer(command, "ok sent=%" PRIu64 " refused=%" PRIu64 " received=%" PRIu64 " ms=%.1f", sent, refused, count,
           milliseconds);
}

/* ---- dispatch ---- */

static void command_quit(struct command *command) {
    answer(command, "ok");
    _exit(0);
}

static const struct {
    const char *name;
    void (*run)(struct command *);
} commands[] = {
    {"identity", command_identity},
    {"world", command_world},
    {"start", command_start},
    {"online", command_online},
    {"join", command_join},
    {"leave", command_leave},
    {"ready", command_ready},
    {"status", command_status},
    {"paths", command_paths},
    {"stop", command_stop},
    {"tcp-listen", command_tcp_listen},
    {"tcp-accept", command_tcp_accept},
    {"tcp-connect", command_tcp_connect},
    {"tcp-send", command_tcp_send},
    {"tcp-receive", command_tcp_receive},
    {"tcp-echo", command_tcp_echo},
    {"tcp-echo-serve", command_tcp_echo_serve},
    {"tcp-exchange", command_tcp_exchange},
    {"tcp-ping", command_tcp_ping},
    {"tcp-connects", command_tcp_connects},
    {"shutdown", command_shutdown},
    {"close", command_close},
    {"udp-open", command_udp_open},
    {"udp-echo-serve", command_udp_echo_serve},
    {"udp-exchange", command_udp_exchange},
    {"udp-sink-serve", command_udp_sink_serve},
    {"udp-flood", command_udp_flood},
    {"quit", command_quit},
};

static void *run(void *argument) {
    struct command *command = argument;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(commands[i].name, command->name)) {
            commands[i].run(command);
            free(command);
            return NULL;
        }
    answer(command, "error what=unknown-command");
    free(command);
    return NULL;
}

static bool parse(struct command *command) {
    char *saved = NULL;
    command->tag = strtok_r(command->line, " \n", &saved);
    command->name = strtok_r(NULL, " \n", &saved);
    if (!command->tag || !command->name) return false;
    for (char *part; command->count < ARGUMENT_LIMIT && (part = strtok_r(NULL, " \n", &saved)); command->count++) {
        char *equals = strchr(part, '=');
        if (!equals) return false;
        *equals = 0;
        command->key[command->count] = part;
        command->value[command->count] = equals + 1;
    }
    return true;
}

int main(void) {
    for (;;) {
        struct command *command = calloc(1, sizeof *command);
        if (!fgets(command->line, sizeof command->line, stdin)) _exit(0);
        if (!parse(command)) {
            free(command);
            continue;
        }
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, command) != 0) _exit(2);
        pthread_detach(thread);
    }
}
