//  How much is sent: bounded while something goes on, next to nothing when nothing does.

import NetPrimitives

/// Counts over a stretch of virtual time.
package struct TrafficChecker {
    private struct Before {
        let datagrams: Int
        let linkChanges: Int
        let paths: Int
        let relayed: Int
    }

    private let start: MonotonicInstant
    private let hosts: [Before]
    private let bytesMoved: Int

    /// Begins to count.
    package init(_ simulation: Simulation) {
        start = simulation.time
        hosts = simulation.hosts.map { host in
            Before(
                datagrams: host.datagramsSent, linkChanges: host.linkChanges,
                paths: host.isRunning ? host.pathCount(simulation.time) : 0,
                relayed: host.isRunning ? host.relayedPeerCount(simulation.time) : 0)
        }
        bytesMoved = simulation.workload.bytesMoved
    }

    // What is normal was measured at 11,000 idle nodes of 1,200 seeds; none sent more than nine tenths of its bound, half of
    // them less than a third.

    /// A path that nothing uses costs a question and an answer every 14 s, and a HELLO with its answer now and then.
    private static let perPathAndMinute = 12.0
    /// And once in a while, so that a short watch may see it whole, a push of addresses: six tries of one that does not answer.
    private static let perPath = 8.0
    /// What belongs to no path: groups told to the roots, WHOIS.
    private static let perHost = 30.0
    /// A peer that became direct or relayed meanwhile: an introduction, a push of addresses and six tries of each of them.
    private static let perLinkChange = 16.0
    /// A member without a direct path is told of groups once a minute, and then all that is tried again, at many ports if its
    /// translator is symmetric.
    private static let perRelayedAndMinute = 150.0
    /// Without an answer every root is asked every five seconds, by every socket.
    private static let perUnansweredAndMinute = 15.0
    /// A root carries the introductions and what is relayed of the tries, but tries nothing itself.
    private static let perHostOfRoot = 50.0
    private static let perLinkChangeOfRoot = 4.0
    private static let perRelayedAndMinuteOfRoot = 60.0

    /// What is too much for an idle network.
    package func idleFindings(_ simulation: Simulation) -> [String] {
        let watched = zip(simulation.hosts, hosts).filter { host, _ in host.isRunning }
        let leaves = watched.filter { host, _ in !host.isRoot }
        let changes = leaves.reduce(0) { $0 + $1.0.linkChanges - $1.1.linkChanges }
        let relayed = leaves.reduce(0) { $0 + $1.0.relayedPeerCount(simulation.time) }
        return watched.compactMap { host, before in
            let bound =
                host.isRoot
                ? boundOfRoot(host, before, changes: changes, relayed: relayed, simulation)
                : boundOfLeaf(host, before, simulation)
            let sent = host.datagramsSent - before.datagrams
            guard Double(sent) > bound else { return nil }
            return "\(host.name) sent \(sent) datagrams when idle, with \(host.pathCount(simulation.time)) paths; "
                + "the bound is \(Int(bound))"
        }
    }

    private func minutes(_ simulation: Simulation) -> Double {
        Double((simulation.time - start).milliseconds) / 60_000
    }

    private func boundOfLeaf(_ host: SimulatedHost, _ before: Before, _ simulation: Simulation) -> Double {
        let minutes = minutes(simulation)
        let paths = Double(max(host.pathCount(simulation.time), before.paths))
        let relayed = Double(max(host.relayedPeerCount(simulation.time), before.relayed))
        let unanswered = host.isOnline ? 0 : Double(simulation.hosts.count(where: \.isRoot) * host.socketCount)
        return paths * (TrafficChecker.perPathAndMinute * minutes + TrafficChecker.perPath)
            + TrafficChecker.perHost + Double(host.linkChanges - before.linkChanges) * TrafficChecker.perLinkChange
            + relayed * TrafficChecker.perRelayedAndMinute * minutes
            + unanswered * TrafficChecker.perUnansweredAndMinute * minutes
    }

    private func boundOfRoot(
        _ host: SimulatedHost, _ before: Before, changes: Int, relayed: Int, _ simulation: Simulation
    ) -> Double {
        let minutes = minutes(simulation)
        let paths = Double(max(host.pathCount(simulation.time), before.paths))
        return paths * TrafficChecker.perPathAndMinute * minutes + TrafficChecker.perHostOfRoot
            + Double(changes) * TrafficChecker.perLinkChangeOfRoot
            + Double(relayed) * TrafficChecker.perRelayedAndMinuteOfRoot * minutes
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
        let sent = simulation.hosts.reduce(0) { $0 + $1.datagramsSent } - self.hosts.reduce(0) { $0 + $1.datagrams }
        let moved = Double(simulation.workload.bytesMoved - bytesMoved)
        let bound =
            moved / 1000 * TrafficChecker.perThousandBytes
            + hosts * (hosts + 8) * TrafficChecker.perPairAndSecond * seconds
        guard Double(sent) > bound else { return [] }
        return ["\(sent) datagrams in \(Int(seconds)) s by \(Int(hosts)) nodes; the bound is \(Int(bound))"]
    }
}
