#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ZeroTier.h"

static int instance;

void need_failed(const char *file, int line, const char *what)
{
    printf("%s:%d: %s: errno %d, %s\n", file, line, what, zts_errno, zts_last_error_message());
    fflush(stdout);
    _exit(1);
}

unsigned char stream_byte(size_t position) { return (unsigned char)((position * 2654435761u) >> 13); }

void peer_start(const char *home)
{
    instance = zts_instance_start(home, NULL, NULL, 0);
    NEED(instance > 0);
    for (int i = 0; zts_instance_is_online(instance) != 1; i++) {
        NEED(i < 60000);
        usleep(1000);
    }
    NEED(zts_instance_join(instance, NETWORK_6) == ZTS_ERR_OK && zts_instance_join(instance, NETWORK_4) == ZTS_ERR_OK);
    char text[64];
    peer_address(4, text, sizeof text);
    peer_address(6, text, sizeof text);
}

void peer_free(void) { NEED(zts_instance_free(instance) == ZTS_ERR_OK); }

static void address_of(int family, struct sockaddr_storage *address)
{
    for (int i = 0; zts_instance_get_address(instance, family == 4 ? NETWORK_4 : NETWORK_6, address,
                        family == 4 ? ZTS_AF_INET : ZTS_AF_INET6)
                    != ZTS_ERR_OK;
         i++) {
        NEED(i < 60000);
        usleep(1000);
    }
}

void peer_address(int family, char *text, size_t room)
{
    struct sockaddr_storage address;
    address_of(family, &address);
    const void *bytes = family == 4 ? (void *)&((struct sockaddr_in *)&address)->sin_addr
                                    : (void *)&((struct sockaddr_in6 *)&address)->sin6_addr;
    NEED(inet_ntop(family == 4 ? AF_INET : AF_INET6, bytes, text, (socklen_t)room) != NULL);
}

/* ---- Streams ---- */

static struct {
    pthread_t thread;
    int listener;
    size_t got;
    long end;
} reading;

static void *read_slowly(void *nothing)
{
    (void)nothing;
    static unsigned char buffer[65536];
    const int fd = zts_accept(reading.listener, NULL, NULL);
    NEED(fd >= 0);
    /* The sender is done with its calls by then, and full of bytes. */
    usleep(500000);
    long count;
    while ((count = zts_recv(fd, buffer, sizeof buffer, 0)) > 0) {
        for (long i = 0; i < count; i++, reading.got++)
            if (buffer[i] != stream_byte(reading.got)) {
                reading.end = -1000;
                return NULL;
            }
        usleep(1000);
    }
    reading.end = count;
    zts_close(fd);
    zts_close(reading.listener);
    return NULL;
}

void peer_listens(int port)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    memset(&reading, 0, sizeof reading);
    reading.listener = zts_instance_socket(instance, ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    NEED(reading.listener >= 0);
    NEED(zts_bind(reading.listener, (struct sockaddr *)&any, sizeof any) == ZTS_ERR_OK);
    NEED(zts_listen(reading.listener, 1) == ZTS_ERR_OK);
    NEED(pthread_create(&reading.thread, NULL, read_slowly, NULL) == 0);
}

size_t peer_has(long *end)
{
    pthread_join(reading.thread, NULL);
    *end = reading.end;
    return reading.got;
}

void peer_sends(const char *address, int port)
{
    struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    NEED(inet_pton(AF_INET6, address, &to.sin6_addr) == 1);
    const int fd = zts_instance_socket(instance, ZTS_AF_INET6, ZTS_SOCK_STREAM, 0);
    NEED(fd >= 0 && zts_connect(fd, (struct sockaddr *)&to, sizeof to) == ZTS_ERR_OK);
    static unsigned char bytes[STREAM_BYTES];
    for (size_t i = 0; i < STREAM_BYTES; i++) bytes[i] = stream_byte(i);
    for (size_t sent = 0; sent < STREAM_BYTES;) {
        const long count = zts_send(fd, bytes + sent, STREAM_BYTES - sent, 0);
        NEED(count > 0);
        sent += (size_t)count;
    }
    NEED(zts_close(fd) == ZTS_ERR_OK);
    peer_free();
}

/* ---- Datagrams ---- */

static void *echo(void *argument)
{
    const int fd = (int)(intptr_t)argument;
    static __thread unsigned char buffer[65536];
    struct sockaddr_storage from;
    for (;;) {
        socklen_t length = sizeof from;
        const long count = zts_recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
        if (count < 0) return NULL;
        zts_sendto(fd, buffer, (size_t)count, 0, (struct sockaddr *)&from, length);
    }
}

void peer_echoes(int port)
{
    const int families[2] = { ZTS_AF_INET, ZTS_AF_INET6 };
    for (int i = 0; i < 2; i++) {
        const int fd = zts_instance_socket(instance, families[i], ZTS_SOCK_DGRAM, 0);
        const int yes = 1;
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
        NEED(fd >= 0);
        if (i == 1) zts_setsockopt(fd, ZTS_IPPROTO_IPV6, ZTS_IPV6_V6ONLY, &yes, sizeof yes);
        NEED((i == 0 ? zts_bind(fd, (struct sockaddr *)&v4, sizeof v4) : zts_bind(fd, (struct sockaddr *)&v6, sizeof v6))
            == ZTS_ERR_OK);
        pthread_t thread;
        NEED(pthread_create(&thread, NULL, echo, (void *)(intptr_t)fd) == 0);
        pthread_detach(thread);
    }
}

void peer_counts(unsigned *fragments, unsigned *neighbours, unsigned *arp, unsigned *errors)
{
    struct zts_stats all;
    NEED(zts_instance_get_all_stats(instance, &all) == ZTS_ERR_OK);
    *fragments = all.ip_frag.recv;
    *neighbours = all.nd6.xmit + all.nd6.recv;
    *arp = all.etharp.xmit + all.etharp.recv;
    *errors = all.icmp.xmit;
}
