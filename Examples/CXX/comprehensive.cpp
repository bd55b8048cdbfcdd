// Everything the control interface can tell.
//   comprehensive <state directory> <network, 16 digits>
#include "common.h"
#include <vector>

int main(int argc, char **argv)
{
    if (argc != 3) {
        std::printf("comprehensive <state directory> <network, 16 digits>\n");
        return 2;
    }
    const uint64_t network = std::strtoull(argv[2], NULL, 16);
    enter(argv[1], network, 0);
    std::printf("node %010" PRIx64 ", status %d\n", zts_get_node_id(), zts_get_node_status());

    static struct zts_network_details details;
    if (zts_get_network_details(network, &details) == ZTS_ERR_OK)
        std::printf("mtu %d, %d addresses, %u routes\n", details.mtu, details.num_addresses, details.num_routes);

    for (;;) {
        std::vector<struct zts_peer_details> peers(128);
        int count = (int)peers.size();
        if (zts_get_peers(peers.data(), &count) == ZTS_ERR_OK) {
            for (int index = 0; index < count; index++) {
                const struct zts_peer_details &peer = peers[(size_t)index];
                std::printf("peer %010" PRIx64 ": %d ms, %u paths, %s\n", peer.address, peer.latency, peer.pathCount,
                    zts_get_peer_status(peer.address) == ZTS_EVENT_PEER_P2P ? "direct" : "relayed");
            }
        }
        struct zts_stats_proto tcp, icmp;
        if (zts_get_protocol_stats(ZTS_STATS_PROTOCOL_TCP, &tcp) == ZTS_ERR_OK
            && zts_get_protocol_stats(ZTS_STATS_PROTOCOL_ICMP, &icmp) == ZTS_ERR_OK)
            std::printf("tcp %u in, %u out, %u dropped; icmp %u in\n", tcp.recv, tcp.xmit, tcp.drop, icmp.recv);
        sleep(1);
    }
}
