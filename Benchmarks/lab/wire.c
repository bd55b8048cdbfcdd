// A wire between two interfaces, for measurements where the kernel has no netem: packet sockets, one direction with a rate, a
// queue, losses and late frames, both with a delay. Ends with its standard input's end or a signal.
//
//   wire FROM TO RATE_MBIT DELAY_MS QUEUE_KIB LOSS_PER_MILLION LATE_PER_MILLION LATE_US SEED
//
// FROM to TO is the direction that is shaped; what comes back has the same delay and is never lost. RATE 0 is no limit.
// Read first: packet(7).

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FRAME = 2032, PATIENCE_NANOSECONDS = 30000 };

struct frame {
    uint64_t due;
    uint32_t length;
    uint8_t bytes[FRAME];
};

// Frames in the order in which they leave: all of one queue have the same delay.
struct queue {
    struct frame *frames;
    uint64_t head, tail, size;
};

struct direction {
    int in, out;
    struct queue queue, late;
    double nanoseconds_per_byte;
    uint64_t delay, late_delay, free_at, queue_nanoseconds;
    uint32_t loss, late_share;
    uint64_t passed, lost, overflowed;
};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t state;
static uint32_t draw(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 11) % 1000000u);
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int open_interface(const char *name) {
    int number = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (number < 0) fail("packet socket");
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
    if (address.sll_ifindex == 0 || bind(number, (struct sockaddr *)&address, sizeof address) < 0) fail(name);
    int bytes = 64 << 20, on = 1;
    setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    setsockopt(number, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    if (setsockopt(number, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0) fail("ignore outgoing");
    struct packet_mreq all = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    if (setsockopt(number, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0) fail("promiscuous");
    return number;
}

static void make_queue(struct queue *queue, uint64_t size) {
    queue->size = size;
    queue->frames = mmap(
        NULL, size * sizeof(struct frame), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (queue->frames == MAP_FAILED) fail("memory");
}

static struct frame *at(struct queue *queue, uint64_t index) { return &queue->frames[index & (queue->size - 1)]; }

static void append(struct queue *queue, const uint8_t *bytes, uint32_t length, uint64_t due) {
    struct frame *frame = at(queue, queue->tail++);
    frame->due = due;
    frame->length = length;
    memcpy(frame->bytes, bytes, length);
}

static void take(struct direction *direction, const uint8_t *bytes, uint32_t length, uint64_t time) {
    if (draw() < direction->loss) {
        direction->lost++;
        return;
    }
    if (direction->free_at < time) direction->free_at = time;
    if (direction->free_at - time > direction->queue_nanoseconds
        || direction->queue.tail - direction->queue.head == direction->queue.size
        || direction->late.tail - direction->late.head == direction->late.size) {
        direction->overflowed++;
        return;
    }
    direction->free_at += (uint64_t)(direction->nanoseconds_per_byte * length);
    uint64_t due = direction->free_at + direction->delay;
    if (draw() < direction->late_share) {
        append(&direction->late, bytes, length, due + direction->late_delay);
    } else {
        append(&direction->queue, bytes, length, due);
    }
}

static int receive(struct direction *direction) {
    static uint8_t bytes[BATCH][FRAME];
    static struct mmsghdr messages[BATCH];
    static struct iovec vectors[BATCH];
    for (int index = 0; index < BATCH; index++) {
        vectors[index] = (struct iovec){.iov_base = bytes[index], .iov_len = FRAME};
        messages[index].msg_hdr = (struct msghdr){.msg_iov = &vectors[index], .msg_iovlen = 1};
    }
    int count = recvmmsg(direction->in, messages, BATCH, 0, NULL);
    if (count <= 0) return 0;
    uint64_t time = now();
    for (int index = 0; index < count; index++) take(direction, bytes[index], messages[index].msg_len, time);
    return count;
}

static int send_due(struct direction *direction, uint64_t time) {
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    int count = 0;
    while (count < BATCH) {
        struct queue *queues[2] = {&direction->queue, &direction->late};
        struct queue *next = NULL;
        for (int index = 0; index < 2; index++)
            if (queues[index]->head != queues[index]->tail
                && (next == NULL || at(queues[index], queues[index]->head)->due < at(next, next->head)->due))
                next = queues[index];
        if (next == NULL || at(next, next->head)->due > time) break;
        struct frame *frame = at(next, next->head++);
        vectors[count] = (struct iovec){.iov_base = frame->bytes, .iov_len = frame->length};
        memset(&messages[count], 0, sizeof messages[count]);
        messages[count].msg_hdr = (struct msghdr){.msg_iov = &vectors[count], .msg_iovlen = 1};
        count++;
    }
    for (int sent = 0; sent < count;) {
        int result = sendmmsg(direction->out, messages + sent, (unsigned)(count - sent), 0);
        // An interface that takes nothing at the moment is no loss on the wire: it is asked again.
        if (result < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR) sent++;
        if (result > 0) sent += result;
    }
    direction->passed += (uint64_t)count;
    return count;
}

static uint64_t next_due(struct direction *direction, uint64_t before) {
    struct queue *queues[2] = {&direction->queue, &direction->late};
    for (int index = 0; index < 2; index++)
        if (queues[index]->head != queues[index]->tail && at(queues[index], queues[index]->head)->due < before)
            before = at(queues[index], queues[index]->head)->due;
    return before;
}

int main(int count, char **arguments) {
    if (count != 10) {
        fprintf(
            stderr, "usage: %s FROM TO RATE_MBIT DELAY_MS QUEUE_KIB LOSS_PER_MILLION LATE_PER_MILLION LATE_US SEED\n",
            arguments[0]);
        return 2;
    }
    prctl(PR_SET_TIMERSLACK, 1000);
    int from = open_interface(arguments[1]), to = open_interface(arguments[2]);
    double rate = atof(arguments[3]);
    struct direction there = {.in = from, .out = to}, back = {.in = to, .out = from};
    there.nanoseconds_per_byte = rate > 0 ? 8000.0 / rate : 0;
    there.delay = back.delay = (uint64_t)(atof(arguments[4]) * 1e6);
    there.queue_nanoseconds = (uint64_t)(atof(arguments[5]) * 1024 * there.nanoseconds_per_byte);
    back.queue_nanoseconds = UINT64_MAX;
    there.loss = (uint32_t)atoi(arguments[6]);
    there.late_share = (uint32_t)atoi(arguments[7]);
    there.late_delay = (uint64_t)atoi(arguments[8]) * 1000;
    state = (uint64_t)atoll(arguments[9]) * 0x9e3779b97f4a7c15u + 1;
    make_queue(&there.queue, 1 << 16);
    make_queue(&there.late, 1 << 13);
    make_queue(&back.queue, 1 << 16);
    make_queue(&back.late, 1);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int moved = receive(&there) + receive(&back);
        uint64_t time = now();
        moved += send_due(&there, time) + send_due(&back, time);
        if (moved > 0) continue;
        uint64_t due = next_due(&back, next_due(&there, time + 100000000));
        if (due < time + PATIENCE_NANOSECONDS) continue;
        uint64_t left = due - time - PATIENCE_NANOSECONDS / 2;
        struct timespec limit = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
        struct pollfd entries[3] = {
            {.fd = from, .events = POLLIN}, {.fd = to, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        if (ppoll(entries, 3, &limit, NULL) > 0 && entries[2].revents != 0) break;
    }
    fprintf(
        stderr, "passed %llu, lost %llu, overflowed %llu, back %llu\n", (unsigned long long)there.passed,
        (unsigned long long)there.lost, (unsigned long long)there.overflowed, (unsigned long long)back.passed);
    return 0;
}
