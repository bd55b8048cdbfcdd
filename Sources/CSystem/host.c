// The host's interfaces, files and local sockets. Read first: getifaddrs(3), rtnetlink(7), unix(7).

#define _GNU_SOURCE
#include "CSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

// Linux tells an IPv6 address's flags only by netlink and by this file; the file is one read.
static int is_temporary_ipv6(const struct in6_addr *address, const char *name) {
    FILE *file = fopen("/proc/net/if_inet6", "re");
    if (file == NULL) return 0;
    char digits[33], device[32];
    unsigned index, length, scope, flags;
    char wanted[33];
    for (int i = 0; i < 16; i++) snprintf(wanted + 2 * i, 3, "%02x", address->s6_addr[i]);
    int found = 0;
    while (fscanf(file, "%32s %x %x %x %x %31s", digits, &index, &length, &scope, &flags, device) == 6) {
        if (strcmp(digits, wanted) == 0 && strcmp(device, name) == 0) {
            // IFA_F_TEMPORARY, IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE.
            found = (flags & (0x01 | 0x08 | 0x20 | 0x40)) != 0;
            break;
        }
    }
    fclose(file);
    return found;
}

static uint8_t prefix_bits(const uint8_t *mask, int count) {
    uint8_t bits = 0;
    for (int i = 0; i < count; i++) bits = (uint8_t)(bits + __builtin_popcount(mask[i]));
    return bits;
}

int csystem_interfaces(struct csystem_interface *interfaces, int maximum) {
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) != 0) return -errno;
    int count = 0;
    for (struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next) {
        if (entry->ifa_addr == NULL || !(entry->ifa_flags & IFF_UP)) continue;
        int family = entry->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        if (count < maximum) {
            struct csystem_interface *out = &interfaces[count];
            memset(out, 0, sizeof *out);
            strncpy(out->name, entry->ifa_name, sizeof out->name - 1);
            out->index = if_nametoindex(entry->ifa_name);
            out->is_loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
            out->is_point_to_point = (entry->ifa_flags & IFF_POINTOPOINT) != 0;
            if (family == AF_INET) {
                const struct sockaddr_in *v4 = (const struct sockaddr_in *)entry->ifa_addr;
                out->address.is_ipv4 = 1;
                out->address.low = ntohl(v4->sin_addr.s_addr);
                if (entry->ifa_netmask != NULL)
                    out->prefix_length =
                        prefix_bits((const uint8_t *)&((const struct sockaddr_in *)entry->ifa_netmask)->sin_addr, 4);
            } else {
                const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)entry->ifa_addr;
                for (int i = 0; i < 8; i++) {
                    out->address.high = out->address.high << 8 | v6->sin6_addr.s6_addr[i];
                    out->address.low = out->address.low << 8 | v6->sin6_addr.s6_addr[8 + i];
                }
                if (entry->ifa_netmask != NULL)
                    out->prefix_length =
                        prefix_bits((const uint8_t *)&((const struct sockaddr_in6 *)entry->ifa_netmask)->sin6_addr, 16);
                out->is_temporary = (uint8_t)is_temporary_ipv6(&v6->sin6_addr, entry->ifa_name);
            }
        }
        count++;
    }
    freeifaddrs(list);
    return count;
}

int csystem_interface_watch_open(void) {
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (descriptor < 0) return -errno;
    struct sockaddr_nl address = {
        .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

void csystem_interface_watch_drain(int watch) {
    char buffer[8192];
    while (recv(watch, buffer, sizeof buffer, MSG_DONTWAIT) > 0 || errno == EINTR || errno == ENOBUFS) {
        // An overrun also means that something changed; the scan that follows sees all of it.
        errno = 0;
    }
}

int csystem_lock_file(int descriptor) {
    return flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno;
}

int csystem_open_file(const char *path, int create, int exclusive, int truncate, int writable, unsigned mode) {
    int flags = O_CLOEXEC | (writable ? O_RDWR : O_RDONLY);
    if (create) flags |= O_CREAT;
    if (exclusive) flags |= O_EXCL;
    if (truncate) flags |= O_TRUNC;
    int descriptor = open(path, flags, (mode_t)mode);
    if (descriptor < 0) return -errno;
    if (create && fchmod(descriptor, (mode_t)mode) != 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

static int local_address(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

int csystem_local_listen(const char *path) {
    struct sockaddr_un address;
    int result = local_address(path, &address);
    if (result < 0) return result;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    unlink(path);
    // The mode is set on the socket before it has a name, so that nobody can connect in between.
    if (fchmod(descriptor, 0600) != 0 || bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0
        || chmod(path, 0600) != 0 || listen(descriptor, 16) != 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

int csystem_local_connect(const char *path) {
    struct sockaddr_un address;
    int result = local_address(path, &address);
    if (result < 0) return result;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    // Whoever listens may hang: then neither its queue nor its buffer takes more.
    struct timeval patience = {.tv_sec = 5};
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0
        || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

int csystem_local_accept(int listener) {
    int descriptor;
    do descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (descriptor < 0 && errno == EINTR);
    return descriptor < 0 ? -errno : descriptor;
}

long csystem_local_send(int descriptor, const void *bytes, size_t length) {
    ssize_t sent;
    do sent = send(descriptor, bytes, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : (long)sent;
}
