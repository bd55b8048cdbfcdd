// Locks of the Swift runtime in a child of a fork. The runtime's `once` and Swift's Mutex put the number of their thread into the
// lock, and each module keeps that number per thread: after fork() the child's thread has that of its parent. The kernel, asked
// by FUTEX_LOCK_PI and FUTEX_UNLOCK_PI, knows no such thread: the lock is never let go, or the process is ended. A program that
// calls the library, or only loads it, and then becomes a daemon met that as soon as two threads wanted one lock.
// Here a waiting thread sleeps on the word itself, whoever it names. Linked into the C library in the place of syscall(2).
// Read first: futex(2); stdlib/public/Synchronization/Mutex/LinuxImpl.swift and include/swift/Threading/Impl/Linux of Swift.

#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

// The waiter cannot tell which number its thread has in the caller's module. It takes the lock under one that is not 0, with
// the bit that makes every owner come here to let go: others may sleep.
static const uint32_t taken = FUTEX_WAITERS | 1;

static void lock(uint32_t *word) {
    for (;;) {
        uint32_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);
        if (seen == 0) {
            if (__atomic_compare_exchange_n(word, &seen, taken, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
            continue;
        }
        uint32_t awaited = seen | FUTEX_WAITERS;
        if (seen == awaited || __atomic_compare_exchange_n(word, &seen, awaited, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            __real_syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, awaited, NULL, NULL, 0);
    }
}

static long try_lock(uint32_t *word) {
    uint32_t seen = 0;
    if (__atomic_compare_exchange_n(word, &seen, taken, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return 0;
    errno = EWOULDBLOCK;
    return -1;
}

static void unlock(uint32_t *word) {
    __atomic_store_n(word, 0, __ATOMIC_RELEASE);
    __real_syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

long __wrap_syscall(long number, ...) {
    va_list list;
    va_start(list, number);
    long arguments[6];
    for (int i = 0; i < 6; i++) arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex) {
        uint32_t *word = (uint32_t *)(uintptr_t)arguments[0];
        switch ((int)arguments[1] & FUTEX_CMD_MASK) {
        case FUTEX_LOCK_PI: lock(word); return 0;
        case FUTEX_TRYLOCK_PI: return try_lock(word);
        case FUTEX_UNLOCK_PI: unlock(word); return 0;
        default: break;
        }
    }
    return __real_syscall(
        number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
