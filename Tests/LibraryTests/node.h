/* The process's own node for the habits: node1.c with the first generation, node2.c with the second. Calls on the node give
 * 0 when they are done, calls on sockets what the library's give. */
#ifndef NODE_H
#define NODE_H

#include <stddef.h>
#include <stdint.h>

/* How often each event came. */
struct events {
    int up, online, down;
};
extern volatile struct events events;

int node_start(const char *home);
int node_stop(void);
int node_free(void);
int node_is_online(void);
int node_join(uint64_t network);
/* Whether networks are remembered. Threads may say so at once. */
void node_remembers(int on);
/* Whether there is an address of the family (4 or 6); as text of up to 64 bytes. */
int node_address(uint64_t network, int family, char *text);

/* Whether a call says that there is no node to do it. */
int is_without_service(int result);
int node_errno(void);
const char *node_message(void);
int stream_socket(void);
int datagram_socket(int family);
int connected(const char *address, int port, int milliseconds);
int listening(int port);
int node_accept(int listener);
long node_send(int fd, const void *bytes, size_t length);
long node_receive(int fd, void *bytes, size_t room);
int node_close(int fd);
/* Sends a datagram up to so many times, until an answer comes within a second; its length, or -1. */
long exchange(
    int fd, const char *address, int port, const void *bytes, size_t length, void *back, size_t room, int tries);

/* Connects to an address that nobody has, by each of so many functions. */
extern const int FORMS;
int connect_in_form(int form, int fd, int port);

/* Ends the program unless every counter that the statistics of the generation have counted. */
void node_expect_counts(void);

#endif
