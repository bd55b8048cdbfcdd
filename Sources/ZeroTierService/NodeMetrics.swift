// What the node counts, under the names of the field's daemon. Read first: Docs/service.md, "Metrics".

import Synchronization
import ZeroTier

/// The metrics of a node. Series of peers and networks that are gone are gone too.
final class NodeMetrics: Sendable {
    // Each reading is an observation of every peer.
    private let latencies = Mutex<[NodeID: LatencyHistogram]>([:])

    /// The text of this moment.
    func text(_ node: Node) throws(ZeroTierError) -> String {
        let status = try node.status()
        let peers = try node.peers().sorted { $0.id < $1.id }
        let networks = try node.networkDetails().sorted { $0.status.id < $1.status.id }
        var metrics = MetricsText()
        metrics.family("zt_num_networks", .gauge, "networks joined")
        metrics.sample("zt_num_networks", networks.count)
        let groups = "zt_network_multicast_groups_subscribed"
        metrics.family(groups, .gauge, "multicast groups subscribed")
        for network in networks {
            metrics.sample(groups, network.groups.count, [("network_id", "\(network.status.id)")])
        }
        writeLatencies(of: peers, into: &metrics)
        metrics.family("zt_peer_path_count", .gauge, "paths of a peer")
        for peer in peers {
            for (name, isAlive) in [("alive", true), ("dead", false)] {
                let count = peer.paths.count { $0.isAlive == isAlive }
                metrics.sample("zt_peer_path_count", count, [("node_id", "\(peer.id)"), ("status", name)])
            }
        }
        writeTraffic(of: peers, into: &metrics)
        metrics.write(try node.counters(), networks.map(\.status.id))
        writeCounts(status, peers.count, into: &metrics)
        if node.controller.isEnabled {
            metrics.writeController(try node.controller.recordCounts(), try node.controller.counters())
        }
        return metrics.text
    }

    private func writeLatencies(of peers: [PeerStatus], into metrics: inout MetricsText) {
        metrics.family("zt_peer_latency", .histogram, "round trip time of a peer, milliseconds, seen at each reading")
        latencies.withLock { latencies in
            let known = Set(peers.map(\.id))
            latencies = latencies.filter { known.contains($0.key) }
            for peer in peers {
                // An unknown time is no observation.
                if peer.latency != nil {
                    latencies[peer.id, default: LatencyHistogram()].observe(NodeForm.milliseconds(peer.latency))
                }
                latencies[peer.id]?.write("zt_peer_latency", [("node_id", "\(peer.id)")], into: &metrics)
            }
        }
    }

    private func writeTraffic(of peers: [PeerStatus], into metrics: inout MetricsText) {
        let families: [(String, String, KeyPath<PeerStatus.Traffic, UInt64>, KeyPath<PeerStatus.Traffic, UInt64>)] = [
            ("zt_peer_packets", "packets between a peer and this node", \.packetsReceived, \.packetsSent),
            // A name of ours.
            ("zerotier_peer_bytes", "bytes of these packets", \.bytesReceived, \.bytesSent),
        ]
        for (name, meaning, received, sent) in families {
            metrics.family(name, .counter, meaning)
            for peer in peers {
                for (direction, path) in [("rx", received), ("tx", sent)] {
                    metrics.sample(
                        name, peer.traffic[keyPath: path], [("direction", direction), ("node_id", "\(peer.id)")])
                }
            }
        }
        let refused = "zt_peer_packet_errors"
        metrics.family(refused, .counter, "packets in a peer's name that were not authentic")
        for peer in peers { metrics.sample(refused, peer.traffic.packetsRefused, [("node_id", "\(peer.id)")]) }
    }

    // Names of ours: the field's daemon does not count these.
    private func writeCounts(_ status: NodeStatus, _ peers: Int, into metrics: inout MetricsText) {
        metrics.family("zerotier_online", .gauge, "1 if a root answers")
        metrics.sample("zerotier_online", status.isOnline ? 1 : 0)
        metrics.family("zerotier_peers", .gauge, "peers held in memory")
        metrics.sample("zerotier_peers", peers)
        metrics.family("zerotier_datagrams_sent", .counter, "UDP datagrams given to the kernel")
        metrics.sample("zerotier_datagrams_sent", status.datagramsSent)
        metrics.family("zerotier_packets_relayed", .counter, "packets relayed for others")
        metrics.sample("zerotier_packets_relayed", status.relayedPackets)
        metrics.family("zerotier_packets_received", .counter, "authentic packets by cipher suite")
        let suites = status.packetsBySuite
        for (name, count) in [
            ("authenticated_only", suites.authenticatedOnly), ("gmac_siv", suites.gmacSIV), ("salsa", suites.salsa),
        ] {
            metrics.sample("zerotier_packets_received", count, [("suite", name)])
        }
        metrics.family("zerotier_dropped", .counter, "datagrams, packets and frames that were dropped")
        for (reason, count) in status.drops.sorted(by: { $0.key < $1.key }) {
            metrics.sample("zerotier_dropped", count, [("reason", reason.description)])
        }
    }
}
