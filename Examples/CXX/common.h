// What the examples of the first generation share: flags that the callback sets, and waiting for them.
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
    case ZTS_EVENT_NODE_OFFLINE: std::printf("offline\n"); break;
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
    case ZTS_EVENT_ADDR_ADDED_IP4:
    case ZTS_EVENT_ADDR_ADDED_IP6: printAddress(message->addr); break;
    case ZTS_EVENT_PEER_P2P: std::printf("peer %010" PRIx64 " directly\n", message->peer->address); break;
    case ZTS_EVENT_PEER_RELAY: std::printf("peer %010" PRIx64 " through a root\n", message->peer->address); break;
    default: break;
    }
    std::fflush(stdout);
}

static void await(const std::atomic<bool> &flag)
{
    while (!flag) usleep(50000);
}

// Starts, joins and waits until the network can be used.
static void enter(const char *path, uint64_t network, int port)
{
    if (zts_start(path, onEvent, port) != ZTS_ERR_OK) {
        std::printf("cannot start\n");
        std::exit(1);
    }
    await(isOnline);
    zts_join(network);
    await(isReady);
}

#endif
