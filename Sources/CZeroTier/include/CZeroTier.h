/* What the Swift side of the library sees: both generations of the interface at once. Not installed.
 * The second generation's twenty-four shared names appear as zts18_*, and its constants not at all. */
#ifndef CZEROTIER_H
#define CZEROTIER_H

#define ZTS_BOTH_GENERATIONS 1
#include "ZeroTier.h"
#include "ZeroTierSockets.h"

/** As zts_strerror(), for the second generation's return codes. */
const char *zts18_strerror(int code);

/** Sets the calling thread's error number and the process's. */
void czerotier_set_errno(int number);

/** The calling thread's error number. */
int czerotier_get_errno(void);

/** As czerotier_set_errno(), and the calling thread's message explains the number, in words once it is asked for. */
void czerotier_fail(int number);

/** The calling thread's message buffer, CZEROTIER_MESSAGE_SIZE bytes, to write a message with a final 0 to. */
char *czerotier_new_message(void);
/** The calling thread's message. */
const char *czerotier_message(void);
#define CZEROTIER_MESSAGE_SIZE 512

/** What an error number of Linux means; NULL if nothing. */
const char *czerotier_error_text(int number);

/** Room of the calling thread for results that functions return a pointer to. */
struct czerotier_results {
    struct hostent host;
    struct zts_hostent zts_host;
    char name[256];
    char *aliases[1];
    char *addresses[17];
    unsigned char bytes[16][16];
    char text[64];
    zts_ip_addr server;
};
struct czerotier_results *czerotier_results(void);

/** Whether the host's select macros see a descriptor, and setting it. */
static inline int czerotier_fd_isset(int fd, const fd_set *set) { return FD_ISSET(fd, set) != 0; }
static inline void czerotier_fd_set(int fd, fd_set *set) { FD_SET(fd, set); }
static inline void czerotier_fd_clear(int fd, fd_set *set) { FD_CLR(fd, set); }

#endif
