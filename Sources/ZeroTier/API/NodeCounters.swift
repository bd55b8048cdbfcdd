// What a node counted, for the service's metrics.

import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
package import ZeroTierWire

/// Counts of a node since its start.
package struct NodeCounters: Sendable {
    /// Counts of one thing, both ways.
    package struct Both: Hashable, Sendable {
        package var received: UInt64 = 0
        package var sent: UInt64 = 0

        package init(received: UInt64 = 0, sent: UInt64 = 0) {
            self.received = received
            self.sent = sent
        }
    }

    /// Counts of a network's frames by what its rules said.
    package struct Frames: Hashable, Sendable {
        package var accepted = Both()
        package var refused = Both()

        package init(accepted: Both = Both(), refused: Both = Both()) {
            self.accepted = accepted
            self.refused = refused
        }
    }

    /// Authentic packets by verb, those that nobody sent included.
    package var packets: [Verb: Both] = [:]
    /// ERRORs by their code, as above.
    package var errors: [ErrorReply.Code: Both] = [:]
    /// Bytes of datagrams without the headers of UDP and IP, those that were passed on for others included.
    package var bytes = Both()
    /// Frames by network.
    package var frames: [NetworkID: Frames] = [:]
}

extension Node {
    /// The counts of this moment.
    package func counters() throws(ZeroTierError) -> NodeCounters {
        try driver.call { (core, _) throws(ZeroTierError) in core.counters }
    }
}

extension DriverCore {
    fileprivate var counters: NodeCounters {
        let packets = node.statistics.packets
        var result = NodeCounters()
        for verb in Verb.allCases {
            result.packets[verb] = NodeCounters.Both(received: packets.received(verb), sent: packets.sent(verb))
        }
        for code in ErrorReply.Code.allCases {
            result.errors[code] = NodeCounters.Both(
                received: packets.errorsReceived(code.rawValue), sent: packets.errorsSent(code.rawValue))
        }
        result.bytes = NodeCounters.Both(received: bytesReceived, sent: port.statistics.bytesSent)
        for network in node.networks {
            guard let frames = node.ethernet.frames(of: network.slot) else { continue }
            result.frames[NetworkID(network.id)] = NodeCounters.Frames(
                accepted: NodeCounters.Both(received: frames.receivedAccepted, sent: frames.sentAccepted),
                refused: NodeCounters.Both(received: frames.receivedRefused, sent: frames.sentRefused))
        }
        return result
    }
}
