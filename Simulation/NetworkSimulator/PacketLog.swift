//  The story of a packet, for a person who follows it: its name where it leaves, where it is lost, and where it is taken or
//  dropped. Read first: Docs/debugging-a-simulation.md.

import NetPrimitives
import NetStack
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

extension Datagram {
    /// Which packet it carries: what its header says in clear. One search for the packet's ID finds all its places.
    var name: String {
        bytes.withBytes { span in
            if let part = FragmentHeader(span, length: span.byteCount) {
                return "part \(part.number) of \(part.total) of packet \(part.packetID) for \(part.destination)"
            }
            guard let header = PacketHeader(span, length: span.byteCount) else { return "\(span.byteCount) odd bytes" }
            return "\(header.isFragmented ? "head of " : "")packet \(header.id) from \(header.source) for "
                + "\(header.destination)"
        }
    }
}

extension Simulation {
    /// A datagram leaves a node.
    func noteDeparture(_ datagram: Datagram, _ host: SimulatedHost) {
        guard logsDatagrams else { return }
        note(
            "\(host.name) sends \(datagram.bytes.count) bytes from \(datagram.source) to \(datagram.destination): "
                + datagram.name)
    }

    /// A datagram goes no further.
    func noteLoss(_ datagram: Datagram, _ reason: String) {
        guard logsDatagrams else { return }
        note("lost, \(reason): \(datagram.name)")
    }

    /// A datagram was given to a node, which had dropped so much before.
    func noteTaking(_ datagram: Datagram, _ host: SimulatedHost, _ before: [String: UInt64]) {
        guard logsDatagrams else { return }
        let reasons = drops(of: host).filter { $0.value > before[$0.key, default: 0] }.keys.sorted()
        let outcome = reasons.isEmpty ? "takes" : "drops (\(reasons.joined(separator: ", ")))"
        note("\(host.name) \(outcome) from \(datagram.source): \(datagram.name)")
    }

    /// Writes down what a node dropped since its start.
    func noteCounters(of host: SimulatedHost) {
        guard log != nil else { return }
        let counts = drops(of: host).map { "\($0.key) \($0.value)" }.sorted()
        note("\(host.name) dropped \(counts.joined(separator: ", "))")
    }

    /// How much a node has dropped since its start, by reason.
    func drops(of host: SimulatedHost) -> [String: UInt64] {
        let statistics = host.node.statistics
        var counts: [String: UInt64] = [:]
        for (reason, count) in statistics.peerDrops.nonZero { counts["\(reason)"] = count }
        for (reason, count) in statistics.ethernetDrops { counts["\(reason)", default: 0] += count }
        for reason in StackDropReason.allCases where statistics.stack.dropped(reason) > 0 {
            counts["\(reason)", default: 0] += statistics.stack.dropped(reason)
        }
        return counts
    }
}
