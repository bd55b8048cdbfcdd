// What the control interface can tell: peers, the node, the network and, for ever, the TCP/IP stack's counters.
//   comprehensive <state directory> <network, 16 digits> <UDP port, 0 for any>
#include "common.h"
#include <vector>

static void printPeer(const struct zts_peer_details &peer)
{
    std::printf("peer %010" PRIx64 ": version %d.%d.%d, %d ms, %u paths, %s, role %d\n", peer.address,
        peer.versionMajor, peer.versionMinor, peer.versionRev, peer.latency, peer.pathCount,
        zts_get_peer_status(peer.address) == ZTS_EVENT_PEER_P2P ? "direct" : "relayed", (int)peer.role);
    for (unsigned index = 0; index < peer.pathCount && index < ZT_MAX_PEER_NETWORK_PATHS; index++) {
        const struct sockaddr *address = (const struct sockaddr *)&peer.paths[index].address;
        char text[INET6_ADDRSTRLEN] = "?";
        uint16_t port = 0;
        if (address->sa_family == AF_INET) {
            const struct sockaddr_in *ip4 = (const struct sockaddr_in *)address;
            inet_ntop(AF_INET, &ip4->sin_addr, text, sizeof text);
            port = ntohs(ip4->sin_port);
        } else if (address->sa_family == AF_INET6) {
            const struct sockaddr_in6 *ip6 = (const struct sockaddr_in6 *)address;
            inet_ntop(AF_INET6, &ip6->sin6_addr, text, sizeof text);
            port = ntohs(ip6->sin6_port);
        }
        std::printf("  path %s, port %u\n", text, (unsigned)port);
    }
}

static void printCounters(const char *name, int protocol)
{
    struct zts_stats_proto counters;
    const int code = zts_get_protocol_stats(protocol, &counters);
    if (code == ZTS_ERR_OK)
        std::printf("%s %u in, %u out, %u dropped, %u errors\n", name, counters.recv, counters.xmit, counters.drop,
            counters.err);
    else
        std::printf("%s: %s\n", name, zts_strerror(code));
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::printf("comprehensive <state directory> <network, 16 digits> <UDP port, 0 for any>\n");
        return 2;
    }
    const uint64_t network = networkID(argv[2]);
    enter(argv[1], network, portNumber(argv[3]));

    std::vector<struct zts_peer_details> peers(128);
    int count = (int)peers.size();
    if (zts_get_peers(peers.data(), &count) == ZTS_ERR_OK)
        for (int index = 0; index < count; index++) printPeer(peers[(size_t)index]);

    // One peer, which is hardly known here.
    static struct zts_peer_details peer;
    const uint64_t wanted = 0xabcdef1234;
    const int code = zts_get_peer(&peer, wanted);
    if (code == ZTS_ERR_OK)
        printPeer(peer);
    else
        std::printf("peer %010" PRIx64 ": %s\n", wanted, zts_strerror(code));

    std::printf("node %010" PRIx64 "\n", zts_get_node_id());
    static struct zts_network_details details;
    if (zts_get_network_details(network, &details) == ZTS_ERR_OK)
        std::printf("mtu %d, %d addresses, %u routes\n", details.mtu, details.num_addresses, details.num_routes);

    for (;;) {
        std::printf("node status %d, network status %d\n", zts_get_node_status(), zts_get_network_status(network));
        printCounters("icmp", ZTS_STATS_PROTOCOL_ICMP);
        printCounters("tcp", ZTS_STATS_PROTOCOL_TCP);
        usleep(50000);
    }
}
