/* The few functions of ZeroTierSockets.h (libzt 1.8.4) that the host calls, declared by us from their documented
 * signatures. Socket addresses are only passed through, so their inner layout does not matter here. */
#ifndef ZTS_SUBSET_H
#define ZTS_SUBSET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { ZTS_AF_INET = 2, ZTS_AF_INET6 = 10, ZTS_SOCK_STREAM = 1, ZTS_SOCK_DGRAM = 2 };
enum { ZTS_TEXT_LENGTH = 46, ZTS_IDENTITY_LENGTH = 384, ZTS_WORLD_LENGTH = 4096, ZTS_KEY_LENGTH = 128 };

/* 28 bytes: length, family, then the address of either family. */
struct zts_address {
    uint8_t length;
    uint8_t family;
    uint8_t rest[26];
};

/* What zts_util_sign_root_set reads: up to 16 roots of up to 32 endpoints ("address/port"). */
struct zts_root_set {
    char *public_identity[16];
    char *endpoint[16][32];
};

extern int zts_errno;

int zts_id_new(char *key, unsigned int *length);
int zts_util_sign_root_set(char *world, unsigned int *world_length, char *previous_key, unsigned int *previous_length,
                           char *current_key, unsigned int *current_length, uint64_t id, uint64_t timestamp,
                           struct zts_root_set *roots);

int zts_init_from_storage(const char *path);
int zts_init_set_roots(const void *data, unsigned int length);
int zts_init_set_port(unsigned short port);
int zts_init_allow_secondary_port(unsigned int allowed);
int zts_init_allow_port_mapping(unsigned int allowed);
int zts_node_start(void);
int zts_node_stop(void);
int zts_node_is_online(void);
uint64_t zts_node_get_id(void);
int zts_node_get_port(void);

int zts_net_join(uint64_t network);
int zts_net_leave(uint64_t network);
int zts_net_transport_is_ready(uint64_t network);
int zts_net_get_status(uint64_t network);
int zts_net_get_mtu(uint64_t network);
int zts_addr_is_assigned(uint64_t network, unsigned int family);
int zts_addr_get_str(uint64_t network, unsigned int family, char *text, unsigned int length);
int zts_core_lock_obtain(void);
int zts_core_lock_release(void);
int zts_core_query_route_count(uint64_t network);
int zts_core_query_route(uint64_t network, unsigned int index, char *target, char *via, unsigned int length,
                         uint16_t *flags, uint16_t *metric);
int zts_core_query_path_count(uint64_t peer);
int zts_core_query_path(uint64_t peer, unsigned int index, char *text, unsigned int length);

int zts_util_ipstr_to_saddr(const char *text, unsigned short port, struct zts_address *address, uint32_t *length);
int zts_bsd_socket(int family, int type, int protocol);
int zts_bsd_connect(int socket, const struct zts_address *address, uint32_t length);
int zts_bsd_bind(int socket, const struct zts_address *address, uint32_t length);
int zts_bsd_listen(int socket, int backlog);
int zts_bsd_accept(int socket, struct zts_address *address, uint32_t *length);
ssize_t zts_bsd_send(int socket, const void *bytes, size_t length, int flags);
ssize_t zts_bsd_recv(int socket, void *bytes, size_t length, int flags);
ssize_t zts_bsd_sendto(int socket, const void *bytes, size_t length, int flags, const struct zts_address *address,
                       uint32_t address_length);
ssize_t zts_bsd_recvfrom(int socket, void *bytes, size_t length, int flags, struct zts_address *address,
                         uint32_t *address_length);
int zts_bsd_close(int socket);
int zts_bsd_shutdown(int socket, int how);
int zts_set_no_delay(int socket, int enabled);
int zts_set_reuse_addr(int socket, int enabled);
int zts_set_recv_timeout(int socket, int seconds, int microseconds);

#endif
