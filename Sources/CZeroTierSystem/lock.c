// A lock of one word: it spins for as long as a holder usually takes, then sleeps.
// Read first: futex(2), "Futexes are tricky" (U. Drepper).

#define _GNU_SOURCE
#include "CZeroTierSystem.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() __asm__ __volatile__("yield")
#endif

// A holder is done within a few microseconds, or it sends a slab: about what it costs to sleep and to be woken.
#define SPIN_NANOSECONDS 20000

enum { FREE, TAKEN, TAKEN_WITH_SLEEPERS };

static int try_lock(uint32_t *word) {
    uint32_t expected = FREE;
    return __atomic_compare_exchange_n(word, &expected, TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

// How long a pause takes differs tenfold between processors, so the clock says when it is enough.
static int spin(uint32_t *word) {
    const uint64_t end = csystem_monotonic_nanoseconds() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < 4; i++) {
            PAUSE();
            if (__atomic_load_n(word, __ATOMIC_RELAXED) == FREE && try_lock(word)) return 1;
        }
    } while (csystem_monotonic_nanoseconds() < end);
    return 0;
}

void csystem_lock(uint32_t *word) {
    if (try_lock(word) || spin(word)) return;
    while (__atomic_exchange_n(word, TAKEN_WITH_SLEEPERS, __ATOMIC_ACQUIRE) != FREE)
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, TAKEN_WITH_SLEEPERS, NULL, NULL, 0);
}

void csystem_unlock(uint32_t *word) {
    if (__atomic_exchange_n(word, FREE, __ATOMIC_RELEASE) == TAKEN_WITH_SLEEPERS)
        syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
