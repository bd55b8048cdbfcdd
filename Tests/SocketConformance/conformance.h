/*
 * What the cases are written with. The same source is built twice: with CONFORMANCE_HOST against the host's kernel,
 * without it against the C library, whose functions and constants then stand behind the usual names.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "adapter.h"

/* ---- Cases ---------------------------------------------------------------------------------------------------------
 * A case is a function that registers itself. It runs in a process of its own, with a time-out. */

typedef void (*case_function)(void);
void register_case(const char *file, const char *name, case_function function);

#define CASE(name)                                                                                                     \
    static void name(void);                                                                                            \
    __attribute__((constructor)) static void register_##name(void) { register_case(__FILE__, #name, name); }           \
    static void name(void)

/* Where the two targets differ on purpose: the value for this one. `reason` is for the reader. */
#ifdef CONFORMANCE_HOST
#define DIFFERS(linux, ours, reason) (linux)
#else
#define DIFFERS(linux, ours, reason) (ours)
#endif
/* The C library checks some arguments before the call is one: a return code of its own instead of -1 and EINVAL. */
#ifdef CONFORMANCE_HOST
#define REFUSED(call) FAILS(call, EINVAL)
#else
#define REFUSED(call) EQUAL(call, ZTS_ERR_INVALID_ARG)
#endif

/* ---- Expectations --------------------------------------------------------------------------------------------------
 * A failed one is printed with its values and the case goes on; what nothing can follow is REQUIREd. */

void expect_equal(const char *file, int line, const char *what, long long is, long long expected, bool ends);
void expect_failure(const char *file, int line, const char *what, long long result, int number, int expected);
void expect_bits(const char *file, int line, const char *what, int fd, int expected);
void expect_bits_stay(const char *file, int line, const char *what, int fd, int expected);
void expect_bytes(const char *file, int line, int fd, const char *text);
void expect_name(const char *file, int line, const char *what, const struct sockaddr_storage *is, const char *address,
    int port);

/* The value of an expression. */
#define EQUAL(expression, expected) expect_equal(__FILE__, __LINE__, #expression, (expression), (expected), false)
#define REQUIRE(expression, expected) expect_equal(__FILE__, __LINE__, #expression, (expression), (expected), true)
#define TRUE(expression) expect_equal(__FILE__, __LINE__, #expression, !!(expression), 1, false)
#define OK(call) EQUAL(call, 0)
/* -1 and this error number. */
#define FAILS(call, number)                                                                                            \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const long long result_ = (call);                                                                              \
        const int number_ = errno;                                                                                     \
        expect_failure(__FILE__, __LINE__, #call, result_, number_, number);                                           \
    } while (0)
/* What poll says, all that can be asked for being asked for: comes within some seconds, or stays for a while. */
#define BITS(fd, bits) expect_bits(__FILE__, __LINE__, #fd, fd, bits)
#define BITS_STAY(fd, bits) expect_bits_stay(__FILE__, __LINE__, #fd, fd, bits)
/* The next bytes of a socket. */
#define READS(fd, text) expect_bytes(__FILE__, __LINE__, fd, text)
/* An address that a call has written. */
#define NAME_IS(name, address, port) expect_name(__FILE__, __LINE__, #name, &(name), address, port)

/* ---- Tools ------------------------------------------------------------------------------------------------------- */

/* An address, ready for a call. */
struct name {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length;
};
#define AT(name) &(name).address.any, (name).length

struct name name_of(const char *address, int port);
/* Where a socket is bound; the wildcard address becomes the loopback address of the family. */
struct name own_name(int fd);
int own_port(int fd);
int port_in(const struct sockaddr_storage *name);
int family_in(const struct sockaddr_storage *name);

int tcp(void);
int tcp6(void);
int udp(void);
int udp6(void);
/* On the first network interface that is not the loopback one: `tcp6` of the second node, for the C library. */
int network_tcp6(void);
int network_udp6(void);
/* Nobody has this address, and it is on the network of the sockets above. */
struct name dead_neighbour(int port);
/* There is no route there. */
struct name nowhere(int port);
/* A broadcast address that there is a way to. */
struct name broadcast(int port);

void set(int fd, int level, int option, int value);
int get(int fd, int level, int option);
void set_time(int fd, int option, int milliseconds);
void set_linger(int fd, int is_on, int seconds);
void set_nonblocking(int fd);
int nonblocking(int fd);

/* Bound to a free port of 127.0.0.1. */
int bound(int fd);
/* A listener at a free port of 127.0.0.1. */
int listener(int backlog);
/* The two ends of a connection over 127.0.0.1. */
struct ends {
    int client;
    int server;
};
struct ends pair(void);
struct ends pair_of(int client, int listening);
/* A connection whose handshake cannot end: SYN-SENT as long as the case lasts. Non-blocking. */
int pending(void);
/* Two UDP sockets connected to each other. */
struct ends udp_pair(void);
/* Closes with a reset. */
void reset(int fd);
/* Sends all of a text. */
void put(int fd, const char *text);
/* Sends until there is no room, and gives how much went; the socket is non-blocking then. */
long fill(int fd);
/* Reads until there is nothing for a while or the end comes; gives how much. The socket is non-blocking then. */
long drain(int fd);
/* What poll says now. */
int bits_now(int fd);
void wait_for(int fd, int bits);
void pause_for(int milliseconds);
long milliseconds_now(void);
int free_port(void);

/* A call in a thread of its own. `start` returns when the thread is about to call, some time later. */
struct call {
    pthread_t thread;
    int fd;
    long (*function)(struct call *);
    struct name to;
    char buffer[64];
    size_t length;
    long result;
    int number;
    long took;
    volatile bool is_done;
};
void start(struct call *call, int fd, long (*function)(struct call *));
void finish(struct call *call);
long call_recv(struct call *call);
long call_accept(struct call *call);
long call_connect(struct call *call);
long call_poll(struct call *call);

#define IN POLLIN
#define OUT POLLOUT
#define ERR POLLERR
#define HUP POLLHUP
#define PRI POLLPRI
#define NVAL POLLNVAL

#endif
