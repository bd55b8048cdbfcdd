/* What Swift cannot define: data symbols and thread-local storage. */
#define _GNU_SOURCE
#include "CZeroTier.h"

#include <string.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

/* The header makes the name the calling thread's number; here it is the exported object. */
#undef zts_errno

__attribute__((visibility("default"))) int zts_errno = 0;

static _Thread_local int thread_errno;
static _Thread_local char thread_message[CZEROTIER_MESSAGE_SIZE];
static _Thread_local struct czerotier_results thread_results;

__attribute__((visibility("default"))) int *zts_errno_location(void) { return &thread_errno; }

void czerotier_set_errno(int number)
{
    thread_errno = number;
    /* Threads may set it at the same time: the last one wins, but none of them tears it. */
    __atomic_store_n(&zts_errno, number, __ATOMIC_RELAXED);
}

int czerotier_get_errno(void) { return thread_errno; }

char *czerotier_message(void) { return thread_message; }

struct czerotier_results *czerotier_results(void) { return &thread_results; }

#ifdef __linux__
const char *czerotier_error_text(int number) { return strerrordesc_np(number); }

int czerotier_event_descriptor(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
#else
const char *czerotier_error_text(int number) { return number == 0 ? "no error" : NULL; }

int czerotier_event_descriptor(void) { return -1; }
#endif
