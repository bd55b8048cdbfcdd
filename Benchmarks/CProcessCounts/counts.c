// Functions of the C library under their own names, which the linker takes before the library's: each counts and passes
// on. One relaxed addition a call.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CProcessCounts.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS_NOTHING 1
#endif
#endif

static _Atomic uint64_t allocations, sends, receives, waits, futexes;
static __thread uint64_t own_allocations __attribute__((tls_model("initial-exec")));

uint64_t cprocesscounts_thread_allocations(void) { return own_allocations; }

uint64_t cprocesscounts_allocated_bytes(void) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

struct cprocesscounts cprocesscounts_now(void) {
    struct cprocesscounts counts = {
        .allocations = atomic_load_explicit(&allocations, memory_order_relaxed),
        .sends = atomic_load_explicit(&sends, memory_order_relaxed),
        .receives = atomic_load_explicit(&receives, memory_order_relaxed),
        .waits = atomic_load_explicit(&waits, memory_order_relaxed),
        .futexes = atomic_load_explicit(&futexes, memory_order_relaxed),
    };
    return counts;
}

#if defined(__GLIBC__) && !defined(COUNTS_NOTHING)

static inline void count(_Atomic uint64_t *counter) { atomic_fetch_add_explicit(counter, 1, memory_order_relaxed); }

static inline void count_allocation(void) {
    own_allocations++;
    count(&allocations);
}

// glibc's allocator by its other names.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    count_allocation();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count_allocation();
    return __libc_calloc(number, size);
}

void *realloc(void *block, size_t size) {
    count_allocation();
    return __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count_allocation();
    return __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size) {
    count_allocation();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
    count_allocation();
    void *result = __libc_memalign(alignment, size);
    if (result == NULL) return ENOMEM;
    *block = result;
    return 0;
}

// The library's own function, looked up once; two threads that look at the same time find the same.
static void *next(_Atomic(void *) *place, const char *name) {
    void *function = atomic_load_explicit(place, memory_order_acquire);
    if (function == NULL) {
        function = dlsym(RTLD_NEXT, name);
        atomic_store_explicit(place, function, memory_order_release);
    }
    return function;
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    static _Atomic(void *) place;
    ssize_t (*function)(int, const struct msghdr *, int) = next(&place, "sendmsg");
    count(&sends);
    return function(descriptor, message, flags);
}

int recvmmsg(int descriptor, struct mmsghdr *messages, unsigned int number, int flags, struct timespec *timeout) {
    static _Atomic(void *) place;
    int (*function)(int, struct mmsghdr *, unsigned int, int, struct timespec *) = next(&place, "recvmmsg");
    count(&receives);
    return function(descriptor, messages, number, flags, timeout);
}

int epoll_wait(int poller, struct epoll_event *events, int maximum, int milliseconds) {
    static _Atomic(void *) place;
    int (*function)(int, struct epoll_event *, int, int) = next(&place, "epoll_wait");
    count(&waits);
    return function(poller, events, maximum, milliseconds);
}

int epoll_ctl(int poller, int operation, int descriptor, struct epoll_event *event) {
    static _Atomic(void *) place;
    int (*function)(int, int, int, struct epoll_event *) = next(&place, "epoll_ctl");
    count(&waits);
    return function(poller, operation, descriptor, event);
}

long syscall(long number, ...) {
    static _Atomic(void *) place;
    long (*function)(long, ...) = (long (*)(long, ...))next(&place, "syscall");
    va_list list;
    va_start(list, number);
    long arguments[6];
    for (int index = 0; index < 6; index++) arguments[index] = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex) count(&futexes);
    return function(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

#endif
