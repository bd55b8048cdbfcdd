/* What Swift cannot define: data symbols and thread-local storage. */
#define _GNU_SOURCE
#include "CZeroTier.h"

#include <string.h>

/* The header makes the name the calling thread's number; here it is the exported object. */
#undef zts_errno

__attribute__((visibility("default"))) int zts_errno = 0;

static _Thread_local int thread_errno;
static _Thread_local char thread_message[CZEROTIER_MESSAGE_SIZE];
/* An error number that the message is to explain; 0 while the buffer has the message. */
static _Thread_local int message_number;
static _Thread_local struct czerotier_results thread_results;

__attribute__((visibility("default"))) int *zts_errno_location(void) { return &thread_errno; }

void czerotier_set_errno(int number)
{
    thread_errno = number;
    /* Threads may set it at the same time: the last one wins, but none of them tears it. */
    __atomic_store_n(&zts_errno, number, __ATOMIC_RELAXED);
}

int czerotier_get_errno(void) { return thread_errno; }

/* What an error number means for a socket of this library: what happened, and what may be done. */
static const char *explanation(int number)
{
    switch (number) {
    case 5: return "input or output failed";
    case 9: return "there is no socket with this descriptor, or it was closed";
    case 11: return "the call would have to wait: the socket does not block, or its time-out is over";
    case 13: return "broadcast needs SO_BROADCAST, or the peer's network forbids the way";
    case 14: return "a pointer is NULL";
    case 22: return "an argument has a value that is not taken, or the socket is not in a state for this call";
    case 24: return "all descriptors are in use: close some";
    case 28: return "the buffer is too small for the text";
    case 32: return "the socket is not connected, or its sending side was shut";
    case 33: return "a time has a million microseconds or more";
    case 36: return "the buffer is too small for the name";
    case 38: return "there is no such request or command";
    case 89: return "nobody to send to: connect the socket, or give an address";
    case 90: return "the message is longer than a datagram can be, or has too many pieces";
    case 92: return "there is no such option on this socket, or it cannot be set";
    case 93: return "sockets of this type do not have that protocol";
    case 95: return "this type of socket does not do that";
    case 97: return "the address family is not known, or not the socket's: ZTS_AF_INET and ZTS_AF_INET6 are known";
    case 98: return "another socket has this address and port";
    case 99: return "this node does not have that address, or port 0 was to be connected to, or no port is free";
    case 100: return "the network is down: the node was stopped, or has left the network";
    case 101: return "no joined network leads to this address, or this node has no address of its family there";
    case 103: return "the connection was given up";
    case 104: return "the peer has reset the connection";
    case 105: return "there is no room";
    case 106: return "the socket is connected or listens already";
    case 107: return "the socket is not connected";
    case 110: return "the peer did not answer within the time";
    case 111: return "the peer refused: nothing listens on that port";
    case 113: return "nobody on the network has this address";
    case 114: return "the socket is being connected already";
    case 115: return "the connection is being made: wait until the socket can be written";
    default: return czerotier_error_text(number);
    }
}

void czerotier_fail(int number)
{
    czerotier_set_errno(number);
    message_number = number;
}

char *czerotier_new_message(void)
{
    message_number = 0;
    return thread_message;
}

const char *czerotier_message(void)
{
    if (message_number != 0) {
        const char *text = explanation(message_number);
        strncpy(thread_message, text ? text : "unknown error", CZEROTIER_MESSAGE_SIZE - 1);
        message_number = 0;
    }
    return thread_message;
}

struct czerotier_results *czerotier_results(void) { return &thread_results; }

#ifdef __linux__
const char *czerotier_error_text(int number) { return strerrordesc_np(number); }
#else
const char *czerotier_error_text(int number) { return number == 0 ? "no error" : NULL; }
#endif
