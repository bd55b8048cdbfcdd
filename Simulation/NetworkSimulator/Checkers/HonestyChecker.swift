//  Counters that stay at zero while nobody lies and nothing is damaged: if one moves, two of our own nodes disagree.
//  Not among them: a node's own packets, which come back when a peer elsewhere has the same private address,
//  and parts of them that were sent to an endpoint which has become their sender's. Nor what an adversary makes nodes do, which every
//  scenario has: to refuse recordings and invented identities, to leave unproven endpoints without an answer,
//  to pass over too many questions.

import NetStack
import ZeroTierNode
import ZeroTierPeers

/// Looks at the reasons for which nodes dropped packets.
package enum HonestyChecker {
    private static let peerReasons: [PeerDrop] = [
        .tooLong, .reservedSource, .unknownSuite, .untrustedPath, .clearVerb, .badMAC, .badCompression,
        .malformed, .badFragment, .fragmentsTooLong, .relayBudget, .oldProtocol, .identityMismatch,
        .identityCollision, .peerTableFull, .notUpstream, .eventOverflow, .noRoomToReply,
        .controlQueueFull, .packetTooLong, .rendezvousLimit, .userMessageLimit, .wishesFull,
    ]
    private static let stackReasons: [StackDropReason] = [
        .noInterface, .unknownEtherType, .truncated, .malformed, .ipChecksum, .checksum, .options, .martian,
        .fragmentOverlap, .fragmentMalformed, .extensionHeader, .neighbourDiscovery, .controlQueueFull,
        .neighbourTableFull, .tooManySockets, .groupTransport,
    ]

    /// What was dropped for a reason that no honest node gives.
    package static func findings(_ simulation: Simulation) -> [String] {
        var result: [String] = []
        for host in simulation.hosts where host.isRunning {
            let statistics = host.node.statistics
            for reason in peerReasons where statistics.peerDrops[reason] > 0 {
                result.append("\(host.name) dropped \(statistics.peerDrops[reason]) packets: \(reason)")
            }
            for reason in stackReasons where statistics.stack.dropped(reason) > 0 {
                result.append("\(host.name)'s stack dropped \(statistics.stack.dropped(reason)) packets: \(reason)")
            }
            if host.node.eventsLost > 0 { result.append("\(host.name) lost \(host.node.eventsLost) events") }
        }
        return result
    }
}
