// UDP with segmentation and receive offload where the kernel has it. Read first: udp(7), cmsg(3).

#define _GNU_SOURCE
#include "CZeroTierSystem.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

static socklen_t to_sockaddr(const struct csystem_endpoint *endpoint, struct sockaddr_storage *storage) {
    memset(storage, 0, sizeof *storage);
    if (endpoint->is_ipv4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(endpoint->port);
        v4->sin_addr.s_addr = htonl((uint32_t)endpoint->low);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint->port);
    for (int i = 0; i < 16; i++)
        v6->sin6_addr.s6_addr[i] = (uint8_t)((i < 8 ? endpoint->high : endpoint->low) >> (56 - 8 * (i & 7)));
    return sizeof *v6;
}

static void from_sockaddr(const struct sockaddr_storage *storage, struct csystem_endpoint *endpoint) {
    memset(endpoint, 0, sizeof *endpoint);
    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)storage;
        endpoint->is_ipv4 = 1;
        endpoint->low = ntohl(v4->sin_addr.s_addr);
        endpoint->port = ntohs(v4->sin_port);
        return;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)storage;
    for (int i = 0; i < 8; i++) {
        endpoint->high = endpoint->high << 8 | v6->sin6_addr.s6_addr[i];
        endpoint->low = endpoint->low << 8 | v6->sin6_addr.s6_addr[8 + i];
    }
    endpoint->port = ntohs(v6->sin6_port);
}

int csystem_udp_open(const struct csystem_endpoint *local, int buffer_bytes, int plain,
                     struct csystem_udp_traits *traits) {
    struct sockaddr_storage address;
    socklen_t length = to_sockaddr(local, &address);
    int family = local->is_ipv4 ? AF_INET : AF_INET6;
    int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
    if (descriptor < 0) return -errno;
    int on = 1;
    if (family == AF_INET6) setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    // The privileged calls reach beyond the system's limit; without privilege the plain ones get what the limit allows.
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof buffer_bytes) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    // The don't-fragment bit is off: a network with a smaller MTU may cut datagrams up.
    int discover = IP_PMTUDISC_DONT;
    if (family == AF_INET) setsockopt(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover);
    else setsockopt(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover, sizeof discover);
    if (bind(descriptor, (struct sockaddr *)&address, length) != 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    memset(traits, 0, sizeof *traits);
    length = sizeof address;
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) == 0) {
        struct csystem_endpoint bound;
        from_sockaddr(&address, &bound);
        traits->port = bound.port;
    }
    // Only where the address is not known already.
    if (local->is_ipv4 ? local->low == 0 : local->high == 0 && local->low == 0)
        traits->tells_local = local->is_ipv4
            ? setsockopt(descriptor, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0
            : setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0;
    if (!plain) {
        int zero = 0;
        traits->can_segment = setsockopt(descriptor, IPPROTO_UDP, UDP_SEGMENT, &zero, sizeof zero) == 0;
        traits->coalesces = setsockopt(descriptor, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
    }
    return descriptor;
}

// Appends a control message to those of `message`, which has room for it.
static void add_control(struct msghdr *message, int level, int type, const void *value, size_t length) {
    struct cmsghdr *header = (struct cmsghdr *)((char *)message->msg_control + message->msg_controllen);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(header), value, length);
    message->msg_controllen += CMSG_SPACE(length);
}

static void add_source(struct msghdr *message, const struct csystem_endpoint *from) {
    struct sockaddr_storage address;
    to_sockaddr(from, &address);
    if (from->is_ipv4) {
        struct in_pktinfo info = {.ipi_spec_dst = ((struct sockaddr_in *)&address)->sin_addr};
        add_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
        struct in6_pktinfo info = {.ipi6_addr = ((struct sockaddr_in6 *)&address)->sin6_addr};
        add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

long csystem_udp_send(int descriptor, const struct csystem_endpoint *to, const struct csystem_endpoint *from,
                      const void *bytes, size_t length, uint16_t segment, uint8_t ttl) {
    struct sockaddr_storage address;
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {.msg_name = &address, .msg_iov = &vector, .msg_iovlen = 1};
    message.msg_namelen = to_sockaddr(to, &address);
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control;
    if (segment != 0 || ttl != 0 || from != NULL) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        if (segment != 0) add_control(&message, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
        if (ttl != 0) {
            int hops = ttl;
            add_control(&message, to->is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6, to->is_ipv4 ? IP_TTL : IPV6_HOPLIMIT,
                        &hops, sizeof hops);
        }
        if (from != NULL) add_source(&message, from);
    }
    ssize_t sent;
    do sent = sendmsg(descriptor, &message, MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : (long)sent;
}

// The address at which a message arrived, from its control message.
static void note_local(const struct cmsghdr *header, struct csystem_received *received) {
    struct sockaddr_storage address;
    memset(&address, 0, sizeof address);
    if (header->cmsg_level == IPPROTO_IP) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(header), sizeof info);
        struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
        v4->sin_family = AF_INET;
        v4->sin_addr = info.ipi_spec_dst;
    } else {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(header), sizeof info);
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = info.ipi6_addr;
    }
    from_sockaddr(&address, &received->local);
    received->has_local = 1;
}

int csystem_udp_receive(int descriptor, void *const *buffers, size_t capacity, unsigned count,
                        struct csystem_received *received) {
    struct mmsghdr messages[CSYSTEM_RECEIVE_MAXIMUM];
    struct iovec vectors[CSYSTEM_RECEIVE_MAXIMUM];
    struct sockaddr_storage addresses[CSYSTEM_RECEIVE_MAXIMUM];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int)) * 2 + CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } controls[CSYSTEM_RECEIVE_MAXIMUM];
    if (count > CSYSTEM_RECEIVE_MAXIMUM) count = CSYSTEM_RECEIVE_MAXIMUM;
    memset(messages, 0, sizeof messages[0] * count);
    for (unsigned i = 0; i < count; i++) {
        vectors[i].iov_base = buffers[i];
        vectors[i].iov_len = capacity;
        messages[i].msg_hdr.msg_name = &addresses[i];
        messages[i].msg_hdr.msg_namelen = sizeof addresses[i];
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_control = controls[i].bytes;
        messages[i].msg_hdr.msg_controllen = sizeof controls[i].bytes;
    }
    int result;
    do result = recvmmsg(descriptor, messages, count, MSG_DONTWAIT, NULL);
    while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    for (int i = 0; i < result; i++) {
        struct msghdr *header = &messages[i].msg_hdr;
        from_sockaddr(&addresses[i], &received[i].from);
        received[i].length = messages[i].msg_len;
        received[i].segment = 0;
        received[i].has_local = 0;
        received[i].truncated = (header->msg_flags & MSG_TRUNC) != 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
            if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
                int segment = 0;
                memcpy(&segment, CMSG_DATA(c), sizeof segment);
                if (segment > 0) received[i].segment = (uint32_t)segment;
            } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
                       || (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)) {
                note_local(c, &received[i]);
            }
        }
    }
    return result;
}
