//  Only members receive: a node never gets a frame of a network that it has not joined, not even one to refuse, unless
//  somebody sent one there on purpose; and then it gives no answer.

/// Looks at frames that came to nodes outside their network.
package enum MembershipChecker {
    /// What nodes got that was not for them.
    package static func findings(_ simulation: Simulation) -> [String] {
        simulation.hosts.compactMap { host in
            // Lines duplicate; that they do so with more than every second one of a stray stream does not happen.
            let strays = simulation.workload.pings.filter { $0.isStray && $0.to == host.index }
            let allowed = strays.reduce(0) { $0 + 2 * $1.sent }
            let frames = host.strayFrames
            guard frames > allowed else { return nil }
            return "\(host.name) got \(frames) frames of networks that it is not in"
        }
    }

    /// Who was heard in a network without being there.
    package static func strayAnswers(_ simulation: Simulation) -> [String] {
        simulation.workload.pings.compactMap { ping in
            guard ping.isStray, ping.answered > 0 else { return nil }
            let from = simulation.hosts[ping.from]
            let to = simulation.hosts[ping.to]
            return "\(to.name) is not in \(ping.network) and answered \(from.name) there \(ping.answered) times"
        }
    }
}
