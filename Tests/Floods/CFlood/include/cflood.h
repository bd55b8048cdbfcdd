// Whole IPv4 packets out by a raw socket, whatever their source says. Linux only; needs CAP_NET_RAW in the namespace.
// Read first: raw(7), sendmmsg(2).

#ifndef CFLOOD_H
#define CFLOOD_H

#include <stdint.h>

// The most packets of one call.
#define CFLOOD_BURST 64

// Opens the socket. Returns the descriptor, or a negated errno.
int cflood_open(void);

// Sends `count` packets, each `stride` bytes after the one before, of these lengths. Waits for room. The kernel fills in the
// checksum of the IP header. Returns how many the kernel took.
unsigned cflood_send(int socket, const uint8_t *packets, unsigned stride, const uint16_t *lengths, unsigned count);

// Nanoseconds of a clock that nothing sets, and milliseconds since 1970.
uint64_t cflood_nanoseconds(void);
uint64_t cflood_unix_milliseconds(void);
// Nanoseconds of processor time that the process has used.
uint64_t cflood_processor_nanoseconds(void);
void cflood_sleep(uint64_t nanoseconds);

#endif
