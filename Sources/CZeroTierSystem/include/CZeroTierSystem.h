// What Swift's Glibc import does not offer: UDP segmentation offload, recvmmsg, control messages, epoll, timers,
// interface lists, futexes. Numbers cross in host byte order; every failure returns a negated errno.
// Read first: udp(7), epoll(7), timerfd_create(2), rtnetlink(7).

#ifndef CZEROTIERSYSTEM_H
#define CZEROTIERSYSTEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// An IP address as two numbers (IPv4 in the low 32 bits of `low`), and a port.
struct csystem_endpoint {
    uint64_t high;
    uint64_t low;
    uint16_t port;
    uint8_t is_ipv4;
};

// MARK: UDP

// What the kernel granted to a new socket.
struct csystem_udp_traits {
    uint16_t port;             // The bound port.
    uint8_t can_segment;       // UDP_SEGMENT is known to this kernel.
    uint8_t coalesces;         // UDP_GRO is switched on.
    uint8_t tells_local;       // Bound to every address, and each received message says at which it arrived.
};

// Opens a non-blocking UDP socket bound to `local` (address and port may be zero). With `plain`, offloads stay off.
// Returns the descriptor.
int csystem_udp_open(const struct csystem_endpoint *local, int buffer_bytes, int plain,
                     struct csystem_udp_traits *traits);

// Sends `length` bytes to `to`, cut by the kernel into datagrams of `segment` bytes if that is not 0. `from`: the address
// of this machine that they leave from (its port is the socket's), NULL for the kernel's choice. `ttl` 0 is the socket's
// default. Returns the bytes sent.
long csystem_udp_send(int socket, const struct csystem_endpoint *to, const struct csystem_endpoint *from,
                      const void *bytes, size_t length, uint16_t segment, uint8_t ttl);

// One received message.
struct csystem_received {
    struct csystem_endpoint from;
    uint32_t length;           // Bytes in the buffer.
    uint32_t segment;          // Length of each coalesced datagram but the last; 0: one datagram.
    uint8_t truncated;         // The message was longer than the buffer.
    uint8_t has_local;         // `local` is set.
    struct csystem_endpoint local; // The address of this machine at which it arrived; the port is 0.
};

// The most buffers that one receive call takes.
#define CSYSTEM_RECEIVE_MAXIMUM 32

// Receives up to `count` messages, each into its own buffer of `capacity` bytes, without blocking. Returns how many.
int csystem_udp_receive(int socket, void *const *buffers, size_t capacity, unsigned count,
                        struct csystem_received *received);

// MARK: Waiting

#define CSYSTEM_READABLE 1
#define CSYSTEM_WRITABLE 2

struct csystem_ready {
    uint64_t token;
    uint32_t events;
};

// Lets another thread have the processor if one waits for it.
void csystem_yield(void);
// The processors that this process may use.
int csystem_processors(void);

int csystem_poller_open(void);
// Watches a descriptor for CSYSTEM_READABLE and CSYSTEM_WRITABLE (level-triggered); 0 keeps it registered and waits for
// errors only.
int csystem_poller_watch(int poller, int descriptor, uint64_t token, uint32_t events, int is_new);
// Waits until something is ready (`milliseconds` < 0: for ever). Returns how many entries were filled.
int csystem_poller_wait(int poller, struct csystem_ready *ready, int maximum, int milliseconds);

// A descriptor that becomes readable by `signal` and stays so until `drain`.
int csystem_event_open(void);
void csystem_event_signal(int event);
void csystem_event_drain(int event);

// A descriptor that becomes readable at an instant of `csystem_monotonic_nanoseconds`; 0 disarms.
int csystem_timer_open(void);
int csystem_timer_arm(int timer, uint64_t nanoseconds);
void csystem_timer_drain(int timer);

// Nanoseconds of a clock that goes on while the machine sleeps, and milliseconds since 1970.
uint64_t csystem_monotonic_nanoseconds(void);
int64_t csystem_unix_milliseconds(void);

// MARK: Interfaces

struct csystem_interface {
    char name[32];
    uint32_t index;
    uint8_t is_loopback;
    uint8_t is_point_to_point;
    uint8_t is_temporary;      // Not usable as a lasting address: tentative, deprecated or privacy IPv6 address.
    uint8_t prefix_length;
    struct csystem_endpoint address;
};

// Fills in the addresses of all interfaces that are up. Returns how many there are, which may be more than `maximum`.
int csystem_interfaces(struct csystem_interface *interfaces, int maximum);

// A descriptor that becomes readable when an address or interface changes; `drain` empties it.
int csystem_interface_watch_open(void);
void csystem_interface_watch_drain(int watch);

// MARK: Threads

// Starts a thread that runs `body(context)`; the handle must be joined or detached once.
int csystem_thread_start(void (*body)(void *), void *context, const char *name, uint64_t *handle);
int csystem_thread_join(uint64_t handle);
int csystem_thread_detach(uint64_t handle);
// 1 if the handle is the calling thread's.
int csystem_thread_is_current(uint64_t handle);
// The calling thread's handle.
uint64_t csystem_thread_self(void);

// Parks the thread until `word` is not 0 or the time is over (`nanoseconds` < 0: for ever), then sets it to 0.
// Returns 1 if it was unparked, 0 when the time is over. An interruptible wait returns 2 after a handler of a signal: with
// a time any handler, for ever only one without SA_RESTART; or when its thread is cancelled, once.
int csystem_park(uint32_t *word, int64_t nanoseconds, int interruptible);
void csystem_unpark(uint32_t *word);

// MARK: Threads of the program

// Whether this process is a copy, by fork, of one in which threads of the library ran: they do not run here, and locks may be
// held for ever.
int csystem_is_forked(void);

// A call of a thread of the program begins and ends; none is inside of another. In between, a cancellation of the thread is only
// noticed where it parks interruptibly: that wait ends, and the thread itself at the end of the call.
void csystem_call_begin(void);
void csystem_call_end(void);
// Whether the thread was cancelled in the call that is under way, which should end soon.
int csystem_call_is_cancelled(void);

// A descriptor that is readable, for a thread whose signals are blocked, while one waits for it.
int csystem_signal_watch_open(void);

struct csystem_shield {
    uint64_t mask[16];
    int cancel_state;
};

#define CSYSTEM_HANDLED 1
#define CSYSTEM_INTERRUPTED 2

// Keeps handlers and cancellation from the thread while it works for others, and lets them at it again. `is_signalled`:
// signals may wait. Gives whether handlers ran for them, and whether one of these interrupts calls (has no SA_RESTART).
void csystem_shield_raise(struct csystem_shield *shield);
int csystem_shield_lower(struct csystem_shield *shield, int is_signalled);

// Takes and gives back a lock of one word that begins as 0. It is not fair: whoever runs gets it first.
void csystem_lock(uint32_t *word);
void csystem_unlock(uint32_t *word);

// MARK: Files and local sockets

// Takes the exclusive lock of an open file without waiting.
int csystem_lock_file(int descriptor);
// Gives it back, also in the name of copies of the descriptor that forks have.
int csystem_unlock_file(int descriptor);
// Opens a file. One that is created has the mode given, whatever the umask says; one that is there keeps its own. Where one
// may be created, a symbolic link is an error.
int csystem_open_file(const char *path, int create, int exclusive, int truncate, int writable, unsigned mode);
// A listening or connected Unix stream socket. The listener replaces a stale file and has mode 0600.
int csystem_local_listen(const char *path);
int csystem_local_connect(const char *path);
int csystem_local_accept(int listener);
// Sends without raising SIGPIPE.
long csystem_local_send(int descriptor, const void *bytes, size_t length);
// Waits until the descriptor is readable. Returns 1 if it is.
int csystem_wait_readable(int descriptor, int milliseconds);

// Lets the kernel take the pages of the shared library's code out of the process; those that run on come back from the page cache
// when they are touched. Returns 1 if that was done: a program that is linked statically keeps its code, and so does one that is
// traced.
int csystem_release_code(void);
// Gives memory that was freed back to the kernel where the C library keeps it; some milliseconds for some megabytes.
void csystem_release_freed(void);

// Whether this is the C library that `make host_debug` links.
int csystem_is_made_for_debugging(void);

#ifdef __cplusplus
}
#endif

#endif
