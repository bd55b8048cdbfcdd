/* Loads on the C library that no program would think of: many starts and stops, many threads on the same sockets. Built
 * into the test bundle, where the sanitizers see both sides, and as a program against the finished libzt.so. */
#ifndef LIBRARY_STRESS_H
#define LIBRARY_STRESS_H

#include <stdint.h>

/* Every function returns how many expectations failed; what failed is on standard error. `directory` holds a `planet`
 * whose root runs, and is the node's own. */

/** Starts, waits for the events up to NETWORK_OK, stops, waits for NODE_DOWN: `count` times, every event looked at. */
int stress_starts(const char *directory, uint64_t network, int count);

/** Starts and stops `count` times, at every moment of a start; memory, threads and descriptors must stay. */
int stress_cycles(const char *directory, uint64_t network, int count);

/** `threads` threads use the same few sockets of two nodes in every way for `seconds`, some of them closing with a reset,
 * while the callback is slow and the node is stopped and started. Then a stream must still arrive whole. */
int stress_threads(const char *directory, const char *other, uint64_t network, int threads, int seconds);

/** `pairs` connections between two nodes at the same time: opened, used all at once, waited for with one zts_poll(),
 * closed. With 1000 pairs and more, also what one idle socket costs. And a connect to nobody keeps its time-out. */
int stress_sockets(const char *directory, const char *other, uint64_t network, int pairs);

#endif
