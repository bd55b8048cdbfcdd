// What the examples of the first generation share: the callback, the flags it sets, waiting for them, and arguments.
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <arpa/inet.h>
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

#include "ZeroTier.h"

static std::atomic<bool> isOnline(false);
static std::atomic<bool> isReady(false);

static void printAddress(const struct zts_addr_details *details)
{
    // Structures of the control interface hold the host's own addresses.
    char text[INET6_ADDRSTRLEN] = "?";
    if (details->addr.ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)&details->addr)->sin_addr, text, sizeof text);
    else
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&details->addr)->sin6_addr, text, sizeof text);
    std::printf("address %s on network %016" PRIx64 "\n", text, details->nwid);
}

// Called on a thread of the library, with one event at a time. The message ends with the call.
static void onEvent(struct zts_callback_msg *message)
{
    switch (message->eventCode) {
    case ZTS_EVENT_NODE_ONLINE:
        std::printf("online as %010" PRIx64 "\n", message->node->address);
        isOnline = true;
        break;
    case ZTS_EVENT_NODE_OFFLINE: std::printf("offline: no root answers\n"); break;
    case ZTS_EVENT_NODE_UNRECOVERABLE_ERROR:
        std::printf("the service cannot run: %s\n", zts_last_error_message());
        std::exit(1);
    case ZTS_EVENT_NETWORK_NOT_FOUND:
        std::printf("network %016" PRIx64 " does not exist\n", message->network->nwid);
        break;
    case ZTS_EVENT_NETWORK_ACCESS_DENIED:
        std::printf("network %016" PRIx64 " does not admit this node yet\n", message->network->nwid);
        break;
    case ZTS_EVENT_NETWORK_READY_IP4:
    case ZTS_EVENT_NETWORK_READY_IP6:
        std::printf("network %016" PRIx64 " is ready, mtu %d\n", message->network->nwid, message->network->mtu);
        isReady = true;
        break;
    case ZTS_EVENT_NETIF_UP: std::printf("interface up, mtu %d\n", message->netif->mtu); break;
    case ZTS_EVENT_NETIF_DOWN: std::printf("interface down\n"); break;
    case ZTS_EVENT_ADDR_ADDED_IP4:
    case ZTS_EVENT_ADDR_ADDED_IP6: printAddress(message->addr); break;
    case ZTS_EVENT_PEER_P2P: std::printf("peer %010" PRIx64 " directly\n", message->peer->address); break;
    case ZTS_EVENT_PEER_RELAY: std::printf("peer %010" PRIx64 " through a root\n", message->peer->address); break;
    default: break;
    }
}

static void await(const std::atomic<bool> &flag)
{
    while (!flag) usleep(50000);
}

// Starts, joins and waits until the network can be used. Port 0 is any.
static inline void enter(const char *path, uint64_t network, int port)
{
    std::setvbuf(stdout, NULL, _IOLBF, BUFSIZ); // every line at once, also into a pipe
    const int code = zts_start(path, onEvent, port);
    if (code != ZTS_ERR_OK) {
        std::printf("cannot start: %s\n", zts_strerror(code));
        std::exit(1);
    }
    await(isOnline); // networks can be joined from here on
    if (zts_join(network) != ZTS_ERR_OK) {
        std::printf("cannot join: %s\n", zts_last_error_message());
        std::exit(1);
    }
    await(isReady);
}

// A number of the command line; the program ends when it is none or too large.
static uint64_t number(const char *text, int base, uint64_t most)
{
    char *end = NULL;
    const uint64_t value = std::strtoull(text, &end, base);
    if (end == text || *end || value > most) {
        std::printf("not a number up to %" PRIu64 ": %s\n", most, text);
        std::exit(2);
    }
    return value;
}

static inline uint64_t networkID(const char *text) { return number(text, 16, UINT64_MAX); }
static inline uint16_t portNumber(const char *text) { return (uint16_t)number(text, 10, 65535); }

#endif
