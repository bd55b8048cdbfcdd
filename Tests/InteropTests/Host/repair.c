/* Linked in front of the published libzt 1.8.4, this object makes that library usable from a C program.
 *
 * 1. Missing symbols. The build generates `missing_symbols.h` from `nm`: functions of the Python runtime and of one
 *    C++ class that the library refers to and never needs outside a Python interpreter. They become no-ops.
 * 2. The lock repair. The published library enters its TCP/IP stack with IPv6 frames without the stack's lock (the
 *    IPv4 interface is added with an input function that takes it, the IPv6 one is not), and soon crashes. We
 *    interpose `netif_add` and give such an interface an input function that takes the lock, unless this thread
 *    holds it already: an answer to a neighbour solicitation comes back on the thread that sends it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MISSING_FUNCTION(name) \
    long name(void);           \
    long name(void) { return 0; }
/* Data is only ever compared or taken the address of; a page is larger than any of the objects. */
#define MISSING_DATA(name)  \
    extern char name[4096]; \
    char name[4096];
#include "missing_symbols.h"

typedef int8_t (*input_function)(void *packet, void *interface);
typedef void *(*add_function)(void *interface, const void *address, const void *mask, const void *gateway, void *state,
                              void *initialise, input_function input);
typedef void (*mutex_function)(void *mutex);

extern int8_t ethernet_input(void *packet, void *interface);
extern char lock_tcpip_core[];

void *netif_add(void *interface, const void *address, const void *mask, const void *gateway, void *state,
                void *initialise, input_function input);
void sys_mutex_lock(void *mutex);
void sys_mutex_unlock(void *mutex);

static add_function real_add;
static mutex_function real_lock;
static mutex_function real_unlock;
/* How often this thread holds the stack's lock: 0 or 1. */
static _Thread_local int held;

static void *next_symbol(const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) {
        fprintf(stderr, "repair: %s is not exported by the library behind\n", name);
        abort();
    }
    return symbol;
}

/* Also called on first use: the library's own constructors may run before ours. */
__attribute__((constructor)) static void find_symbols(void) {
    if (real_unlock) return;
    real_add = (add_function)next_symbol("netif_add");
    real_lock = (mutex_function)next_symbol("sys_mutex_lock");
    real_unlock = (mutex_function)next_symbol("sys_mutex_unlock");
}

void sys_mutex_lock(void *mutex) {
    find_symbols();
    real_lock(mutex);
    if (mutex == (void *)lock_tcpip_core) held++;
}

void sys_mutex_unlock(void *mutex) {
    if (mutex == (void *)lock_tcpip_core) held--;
    real_unlock(mutex);
}

static int8_t locked_input(void *packet, void *interface) {
    if (held) return ethernet_input(packet, interface);
    sys_mutex_lock(lock_tcpip_core);
    int8_t result = ethernet_input(packet, interface);
    sys_mutex_unlock(lock_tcpip_core);
    return result;
}

void *netif_add(void *interface, const void *address, const void *mask, const void *gateway, void *state,
                void *initialise, input_function input) {
    find_symbols();
    return real_add(interface, address, mask, gateway, state, initialise,
                    input == ethernet_input ? locked_input : input);
}
