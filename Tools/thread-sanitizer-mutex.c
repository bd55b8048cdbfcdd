// Tells ThreadSanitizer of Swift's Mutex. Its fast path is compiled into our code and seen; a thread that has to wait, and
// one that wakes such a thread, go through the standard library, which is not instrumented: without this, every contended
// lock looks like none. Preloaded by `make sanitize`.
// Read first: stdlib/public/Synchronization/Mutex/LinuxImpl.swift of Swift.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// Absent in programs that are not sanitized.
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

typedef SWIFT void (*LockFunction)(uint32_t value, SELF self);
typedef SWIFT bool (*TryFunction)(SELF self);
typedef SWIFT void (*UnlockFunction)(SELF self);

SWIFT void lock_slow(uint32_t value, SELF self) __asm__(LOCK);
SWIFT bool try_lock_slow(SELF self) __asm__(TRY);
SWIFT void unlock_slow(SELF self) __asm__(UNLOCK);

SWIFT void lock_slow(uint32_t value, SELF self) {
    ((LockFunction)dlsym(RTLD_NEXT, LOCK))(value, self);
    if (__tsan_acquire) __tsan_acquire(self);
}

SWIFT bool try_lock_slow(SELF self) {
    bool is_locked = ((TryFunction)dlsym(RTLD_NEXT, TRY))(self);
    if (is_locked && __tsan_acquire) __tsan_acquire(self);
    return is_locked;
}

SWIFT void unlock_slow(SELF self) {
    if (__tsan_release) __tsan_release(self);
    ((UnlockFunction)dlsym(RTLD_NEXT, UNLOCK))(self);
}
