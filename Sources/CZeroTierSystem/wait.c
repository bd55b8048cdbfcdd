// Waiting: epoll, an event descriptor, one timer, clocks, threads and parking. Read first: epoll(7), futex(2).

#define _GNU_SOURCE
#include "CZeroTierSystem.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

void csystem_yield(void) { sched_yield(); }

int csystem_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}

int csystem_poller_open(void) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    return poller < 0 ? -errno : poller;
}

int csystem_poller_watch(int poller, int descriptor, uint64_t token, uint32_t events, int is_new) {
    struct epoll_event event = {.events = 0, .data = {.u64 = token}};
    if (events & CSYSTEM_READABLE) event.events |= EPOLLIN;
    if (events & CSYSTEM_WRITABLE) event.events |= EPOLLOUT;
    int operation = is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    return epoll_ctl(poller, operation, descriptor, &event) == 0 ? 0 : -errno;
}

int csystem_poller_wait(int poller, struct csystem_ready *ready, int maximum, int milliseconds) {
    struct epoll_event events[64];
    if (maximum > 64) maximum = 64;
    int count = epoll_wait(poller, events, maximum, milliseconds);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        ready[i].token = events[i].data.u64;
        ready[i].events = 0;
        if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) ready[i].events |= CSYSTEM_READABLE;
        if (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) ready[i].events |= CSYSTEM_WRITABLE;
    }
    return count;
}

int csystem_event_open(void) {
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return event < 0 ? -errno : event;
}

void csystem_event_signal(int event) {
    uint64_t one = 1;
    while (write(event, &one, sizeof one) < 0 && errno == EINTR) {}
}

void csystem_event_drain(int event) {
    uint64_t count;
    while (read(event, &count, sizeof count) < 0 && errno == EINTR) {}
}

int csystem_timer_open(void) {
    int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    return timer < 0 ? -errno : timer;
}

int csystem_timer_arm(int timer, uint64_t nanoseconds) {
    struct itimerspec when = {{0, 0}, {0, 0}};
    when.it_value.tv_sec = (time_t)(nanoseconds / 1000000000u);
    when.it_value.tv_nsec = (long)(nanoseconds % 1000000000u);
    return timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) == 0 ? 0 : -errno;
}

void csystem_timer_drain(int timer) {
    uint64_t count;
    while (read(timer, &count, sizeof count) < 0 && errno == EINTR) {}
}

uint64_t csystem_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t csystem_unix_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct start {
    void (*body)(void *);
    void *context;
};

// Threads of the library that live now, and whether this process is a copy of one in which some did.
static int live_threads;
static int is_forked;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void note_fork(void) {
    if (__atomic_load_n(&live_threads, __ATOMIC_RELAXED) > 0) __atomic_store_n(&is_forked, 1, __ATOMIC_RELAXED);
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, note_fork); }

int csystem_is_forked(void) { return __atomic_load_n(&is_forked, __ATOMIC_RELAXED); }

static void *run(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    start.body(start.context);
    __atomic_sub_fetch(&live_threads, 1, __ATOMIC_RELAXED);
    return NULL;
}

// All signals but those that a fault of the thread itself raises.
static void all_signals(sigset_t *set) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT};
    sigfillset(set);
    for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(set, own[i]);
}

int csystem_thread_start(void (*body)(void *), void *context, const char *name, uint64_t *handle) {
    struct start *start = malloc(sizeof *start);
    if (start == NULL) return -ENOMEM;
    start->body = body;
    start->context = context;
    pthread_once(&fork_once, watch_forks);
    // The program's signals are for its own threads: the new one begins with the mask of this moment.
    sigset_t all, mask;
    all_signals(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pthread_t thread;
    __atomic_add_fetch(&live_threads, 1, __ATOMIC_RELAXED);
    int error = pthread_create(&thread, NULL, run, start);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (error != 0) {
        __atomic_sub_fetch(&live_threads, 1, __ATOMIC_RELAXED);
        free(start);
        return -error;
    }
    pthread_setname_np(thread, name);
    *handle = (uint64_t)thread;
    return 0;
}

int csystem_thread_join(uint64_t handle) {
    return -pthread_join((pthread_t)handle, NULL);
}

int csystem_thread_detach(uint64_t handle) {
    return -pthread_detach((pthread_t)handle);
}

int csystem_thread_is_current(uint64_t handle) {
    return pthread_equal((pthread_t)handle, pthread_self()) != 0;
}

uint64_t csystem_thread_self(void) {
    return (uint64_t)pthread_self();
}

// The word of a parked thread.
enum { EMPTY, SIGNALLED, ASLEEP };

// Whether a call of the thread of a program is under way, and what cancellation was before it; whether the thread was cancelled
// in a wait.
static __thread int is_in_call;
static __thread int outer_state;
static __thread int is_cancelled;

void csystem_call_begin(void) {
    // A call that did not end: a handler has jumped out of it.
    if (is_in_call) return;
    is_in_call = 1;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &outer_state);
}

void csystem_call_end(void) {
    is_in_call = 0;
    if (is_cancelled) {
        is_cancelled = 0;
        pthread_exit(PTHREAD_CANCELED);
    }
    pthread_setcancelstate(outer_state, NULL);
}

int csystem_call_is_cancelled(void) { return is_cancelled; }

static void come_back(void *place) { siglongjmp(*(sigjmp_buf *)place, 1); }

// The one place in a call where a cancellation is noticed. Swift's frames release nothing when they are unwound, so the thread
// comes back from it, and ends when it has left its call as any other.
static long cancellable_wait(uint32_t *word, struct timespec *timeout) {
    volatile long result = -1;
    volatile int error = ECANCELED;
    int type;
    sigjmp_buf place;
    if (!is_in_call || outer_state != PTHREAD_CANCEL_ENABLE || is_cancelled)
        return syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, ASLEEP, timeout, NULL, 0);
    pthread_cleanup_push(come_back, &place);
    if (sigsetjmp(place, 0) == 0) {
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        pthread_testcancel();
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
        result = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, ASLEEP, timeout, NULL, 0);
        error = errno;
    } else {
        is_cancelled = 1;
    }
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cleanup_pop(0);
    errno = error;
    return result;
}

int csystem_park(uint32_t *word, int64_t nanoseconds, int interruptible) {
    uint64_t end = nanoseconds < 0 ? 0 : csystem_monotonic_nanoseconds() + (uint64_t)nanoseconds;
    for (;;) {
        uint32_t expected = EMPTY;
        // Only a thread that sleeps, or is about to, has to be woken by a system call.
        if (__atomic_load_n(word, __ATOMIC_RELAXED) == SIGNALLED
            || (!__atomic_compare_exchange_n(word, &expected, ASLEEP, 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
                && expected == SIGNALLED)) {
            __atomic_exchange_n(word, EMPTY, __ATOMIC_ACQUIRE);
            return 1;
        }
        struct timespec left, *timeout = NULL;
        if (nanoseconds >= 0) {
            uint64_t now = csystem_monotonic_nanoseconds();
            if (now >= end) {
                // A signal that comes in this moment is this call's.
                return __atomic_exchange_n(word, EMPTY, __ATOMIC_ACQUIRE) == SIGNALLED;
            }
            left.tv_sec = (time_t)((end - now) / 1000000000u);
            left.tv_nsec = (long)((end - now) % 1000000000u);
            timeout = &left;
        }
        if (!interruptible) {
            syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, ASLEEP, timeout, NULL, 0);
        } else if (cancellable_wait(word, timeout) != 0 && (errno == EINTR || errno == ECANCELED)) {
            // The kernel goes on waiting by itself where a call of its own would.
            int is_over = errno == ECANCELED;
            return __atomic_exchange_n(word, EMPTY, __ATOMIC_ACQUIRE) == SIGNALLED && !is_over ? 1 : 2;
        }
    }
}

int csystem_signal_watch_open(void) {
    sigset_t all;
    all_signals(&all);
    int watch = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    return watch < 0 ? -errno : watch;
}

_Static_assert(sizeof(sigset_t) <= sizeof(((struct csystem_shield *)0)->mask), "the mask has room");

void csystem_shield_raise(struct csystem_shield *shield) {
    sigset_t all;
    all_signals(&all);
    pthread_sigmask(SIG_SETMASK, &all, (sigset_t *)shield->mask);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &shield->cancel_state);
}

int csystem_shield_lower(struct csystem_shield *shield, int is_signalled) {
    int result = 0;
    const sigset_t *mask = (const sigset_t *)shield->mask;
    sigset_t pending;
    if (is_signalled && sigpending(&pending) == 0) {
        for (int number = 1; number < NSIG; number++) {
            struct sigaction action;
            if (sigismember(&pending, number) != 1 || sigismember(mask, number) == 1
                || sigaction(number, NULL, &action) != 0)
                continue;
            if (action.sa_handler == SIG_IGN || action.sa_handler == SIG_DFL) continue;
            result |= action.sa_flags & SA_RESTART ? CSYSTEM_HANDLED : CSYSTEM_HANDLED | CSYSTEM_INTERRUPTED;
        }
    }
    pthread_setcancelstate(shield->cancel_state, NULL);
    // The handlers run here, in a thread that holds nothing.
    pthread_sigmask(SIG_SETMASK, mask, NULL);
    return result;
}

void csystem_unpark(uint32_t *word) {
    if (__atomic_exchange_n(word, SIGNALLED, __ATOMIC_RELEASE) == ASLEEP)
        syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int csystem_wait_readable(int descriptor, int milliseconds) {
    struct pollfd poll_entry = {.fd = descriptor, .events = POLLIN};
    int count = poll(&poll_entry, 1, milliseconds);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    return count > 0;
}
