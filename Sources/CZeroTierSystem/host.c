// The host's interfaces, files and local sockets. Read first: getifaddrs(3), rtnetlink(7), unix(7).

#define _GNU_SOURCE
#include "CZeroTierSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
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
    if (truncate) flags |= O_TRUNC;
    if (!create) {
        int descriptor = open(path, flags);
        return descriptor < 0 ? -errno : descriptor;
    }
    // A link is never followed to where something would be made or written, and what is there keeps its mode.
    flags |= O_NOFOLLOW;
    for (;;) {
        int descriptor = open(path, flags | O_CREAT | O_EXCL, (mode_t)mode);
        if (descriptor >= 0) {
            // The umask may have taken something away. Some file systems have no modes to change.
            struct stat status;
            if (fstat(descriptor, &status) == 0 && (status.st_mode & 07777) != mode) fchmod(descriptor, (mode_t)mode);
            return descriptor;
        }
        if (errno != EEXIST || exclusive) return -errno;
        descriptor = open(path, flags);
        // Gone in the meantime: once more.
        if (descriptor >= 0 || errno != ENOENT) return descriptor < 0 ? -errno : descriptor;
    }
}

int csystem_unlock_file(int descriptor) { return flock(descriptor, LOCK_UN) == 0 ? 0 : -errno; }

// A path that is too long for a socket's address is named by way of its directory, whose descriptor is given and must be
// closed after use; -1 is none.
static int local_address(const char *path, struct sockaddr_un *address, int *directory) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    *directory = -1;
    if (strlen(path) < sizeof address->sun_path) {
        strcpy(address->sun_path, path);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    if (slash == NULL || strlen(slash) > 64 || slash - path >= PATH_MAX) return -ENAMETOOLONG;
    char folder[PATH_MAX];
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = 0;
    *directory = open(folder[0] == 0 ? "/" : folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*directory < 0) return -errno;
    snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%s", *directory, slash);
    return 0;
}

// Some file systems and some sandboxes have no modes to change: then what is there counts, and others may not write to it.
static int is_for_us_alone(const char *path) {
    struct stat status;
    if (chmod(path, 0600) == 0) return 1;
    return stat(path, &status) == 0 && (status.st_mode & 0022) == 0;
}

static int local_listen(const char *path, const struct sockaddr_un *address) {
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    unlink(path);
    // The mode is set on the socket before it has a name, so that nobody can connect in between.
    (void)fchmod(descriptor, 0600);
    int error = 0;
    if (bind(descriptor, (const struct sockaddr *)address, sizeof *address) != 0) {
        error = errno;
    } else if (!is_for_us_alone(path)) {
        error = EACCES;
        unlink(path);
    } else if (listen(descriptor, 16) != 0) {
        error = errno;
    }
    if (error == 0) return descriptor;
    close(descriptor);
    return -error;
}

int csystem_local_listen(const char *path) {
    struct sockaddr_un address;
    int directory;
    int result = local_address(path, &address, &directory);
    if (result == 0) result = local_listen(path, &address);
    if (directory >= 0) close(directory);
    return result;
}

int csystem_local_connect(const char *path) {
    struct sockaddr_un address;
    int directory;
    int result = local_address(path, &address, &directory);
    if (result < 0) return result;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // Whoever listens may hang: then neither its queue nor its buffer takes more.
    struct timeval patience = {.tv_sec = 5};
    if (descriptor < 0) {
        result = -errno;
    } else if (setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0
               || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        result = -errno;
        close(descriptor);
    } else {
        result = descriptor;
    }
    if (directory >= 0) close(directory);
    return result;
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

// One object more defines it: see Tools/build-libzt.
extern const int csystem_made_for_debugging __attribute__((weak));

int csystem_is_made_for_debugging(void) { return &csystem_made_for_debugging != NULL; }
