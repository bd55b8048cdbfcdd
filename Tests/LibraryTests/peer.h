/* The other end of the habits: an instance, which both generations can have beside their node. */
#ifndef PEER_H
#define PEER_H

#include <stddef.h>
#include <stdint.h>

/* Ends the program unless all is well. */
#define NEED(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) need_failed(__FILE__, __LINE__, #condition);                                                 \
    } while (0)
_Noreturn void need_failed(const char *file, int line, const char *what);

/* Two ad-hoc networks: every node is a member, with an IPv6 address on the first and an IPv4 address on the second. */
#define NETWORK_6 UINT64_C(0xff0000ffff000000)
#define NETWORK_4 UINT64_C(0xff1c000000000001)

enum { STREAM_BYTES = 3000000 };
unsigned char stream_byte(size_t position);

/* Starts it and waits until a root answers and it has an address on both networks. */
void peer_start(const char *home);
void peer_free(void);
/* Its address on a network as text. `family` is 4 or 6. */
void peer_address(int family, char *text, size_t room);
/* A listener on a port of its IPv6 address, which takes one connection, begins to read late, and reads slowly. */
void peer_listens(int port);
/* Waits for the end of that connection: how many bytes came in order, and what the last call gave back. */
size_t peer_has(long *end);
/* Sends STREAM_BYTES to a listener, closes, and frees the instance at once. */
void peer_sends(const char *address, int port);
/* Echoes datagrams on a port of both families. */
void peer_echoes(int port);
/* Sums of its counters of a kind: sent and received. */
void peer_counts(unsigned *fragments, unsigned *neighbours, unsigned *arp, unsigned *errors);

#endif
