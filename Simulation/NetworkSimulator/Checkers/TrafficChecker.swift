//  How much is sent: bounded while something goes on, next to nothing when nothing does.

import NetPrimitives

/// Counts over a stretch of virtual time.
package struct TrafficChecker {
    private let start: MonotonicInstant
    private let datagrams: [Int]
    private let bytesMoved: Int

    /// Begins to count.
    package init(_ simulation: Simulation) {
        start = simulation.time
        datagrams = simulation.hosts.map(\.datagramsSent)
        bytesMoved = simulation.workload.bytesMoved
    }

    /// Datagrams that a path costs when nothing uses it: two questions and two answers every 14 s, and a full round of
    /// HELLOs a minute; twice as much is the bound. A host may say a few more things that belong to no path.
    private static let perPathAndMinute = 50.0
    private static let perHostAndMinute = 60.0
    /// A member without a direct path is told of groups once a minute; what follows is an introduction, a push of addresses
    /// and six tries of each of them.
    private static let perRelayedAndMinute = 120.0

    /// What is too much for an idle network.
    package func idleFindings(_ simulation: Simulation) -> [String] {
        let minutes = Double((simulation.time - start).milliseconds) / 60_000
        return simulation.hosts.enumerated().compactMap { index, host in
            guard host.isRunning, index < datagrams.count else { return nil }
            let sent = host.datagramsSent - datagrams[index]
            let paths = Double(host.pathCount(simulation.time))
            // Without an answer every root is asked every five seconds, by every socket.
            let asked = host.isOnline ? 0 : Double(simulation.hosts.count(where: \.isRoot) * host.ports.count)
            let relayed = Double(host.relayedPeerCount(simulation.time)) * TrafficChecker.perRelayedAndMinute
            let bound =
                (paths * TrafficChecker.perPathAndMinute + TrafficChecker.perHostAndMinute + relayed + asked * 15)
                * minutes
            guard Double(sent) > bound else { return nil }
            return "\(host.name) sent \(sent) datagrams when idle, with \(Int(paths)) paths; the bound is \(Int(bound))"
        }
    }

    /// Datagrams for 1000 bytes of a stream, relayed, repeated and acknowledged: the sender's two parts, the acknowledgement,
    /// all three once more by the root, and as much again for what was lost.
    private static let perThousandBytes = 12.0
    /// Datagrams that a host may send in a second for each other host, whatever happens to it.
    private static let perPairAndSecond = 4.0

    /// What is too much for a network at work.
    package func busyFindings(_ simulation: Simulation) -> [String] {
        let seconds = Double((simulation.time - start).milliseconds) / 1000
        let hosts = Double(simulation.hosts.count)
        let sent = simulation.hosts.reduce(0) { $0 + $1.datagramsSent } - datagrams.reduce(0, +)
        let moved = Double(simulation.workload.bytesMoved - bytesMoved)
        let bound =
            moved / 1000 * TrafficChecker.perThousandBytes
            + hosts * (hosts + 8) * TrafficChecker.perPairAndSecond * seconds
        guard Double(sent) > bound else { return [] }
        return ["\(sent) datagrams in \(Int(seconds)) s by \(Int(hosts)) nodes; the bound is \(Int(bound))"]
    }
}
