// Whole IPv4 packets out by a raw socket.

#define _GNU_SOURCE
#include "cflood.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

int cflood_open(void) {
    int socket_number = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (socket_number < 0) return -errno;
    int bytes = 4 << 20;
    setsockopt(socket_number, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    return socket_number;
}

unsigned cflood_send(int socket, const uint8_t *packets, unsigned stride, const uint16_t *lengths, unsigned count) {
    struct mmsghdr messages[CFLOOD_BURST];
    struct iovec parts[CFLOOD_BURST];
    struct sockaddr_in targets[CFLOOD_BURST];
    if (count > CFLOOD_BURST) count = CFLOOD_BURST;
    memset(messages, 0, sizeof messages);
    memset(targets, 0, sizeof targets);
    for (unsigned index = 0; index < count; index++) {
        const uint8_t *packet = packets + (uint64_t)index * stride;
        targets[index].sin_family = AF_INET;
        // The destination of an IPv4 header.
        memcpy(&targets[index].sin_addr, packet + 16, 4);
        parts[index].iov_base = (void *)packet;
        parts[index].iov_len = lengths[index];
        messages[index].msg_hdr.msg_name = &targets[index];
        messages[index].msg_hdr.msg_namelen = sizeof targets[index];
        messages[index].msg_hdr.msg_iov = &parts[index];
        messages[index].msg_hdr.msg_iovlen = 1;
    }
    unsigned done = 0, taken = 0;
    while (done < count) {
        int result = sendmmsg(socket, messages + done, count - done, 0);
        if (result > 0) {
            done += (unsigned)result;
            taken += (unsigned)result;
        } else if (result == 0 || errno != EINTR) {
            // No route, no room: this one is lost, as packets may be.
            done++;
        }
    }
    return taken;
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t cflood_nanoseconds(void) { return read_clock(CLOCK_MONOTONIC); }
uint64_t cflood_unix_milliseconds(void) { return read_clock(CLOCK_REALTIME) / 1000000u; }
uint64_t cflood_processor_nanoseconds(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

void cflood_sleep(uint64_t nanoseconds) {
    struct timespec rest = {(time_t)(nanoseconds / 1000000000u), (long)(nanoseconds % 1000000000u)};
    nanosleep(&rest, NULL);
}
