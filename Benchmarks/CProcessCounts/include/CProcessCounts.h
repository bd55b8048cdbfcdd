// What a process asks of the C library: memory and system calls, counted on the way.

#ifndef CPROCESSCOUNTS_H
#define CPROCESSCOUNTS_H

#include <stdint.h>

// Allocations of the calling thread: malloc, calloc, realloc and the aligned forms. 0 for ever where they cannot be
// counted (sanitizers have allocators of their own).
uint64_t cprocesscounts_thread_allocations(void);

// Bytes that the allocator has handed out and not got back; 0 where it does not say.
uint64_t cprocesscounts_allocated_bytes(void);

// Counts of the whole process.
struct cprocesscounts {
    uint64_t allocations;
    uint64_t sends;     // sendmsg
    uint64_t receives;  // recvmmsg
    uint64_t waits;     // epoll_wait and epoll_ctl
    uint64_t futexes;   // syscall(SYS_futex, ...): locks and sleeping threads of the product
};

struct cprocesscounts cprocesscounts_now(void);

#endif
