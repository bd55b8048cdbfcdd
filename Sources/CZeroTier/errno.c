/* What Swift cannot define: data symbols and thread-local storage. */
#include "CZeroTier.h"

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
