//  Whether each pair that talks is reached as the oracle says.

import NetPrimitives

/// Compares what is with what must be.
package enum ReachabilityChecker {
    /// What is not as it must be, the last answer's way or the node's own word: a line for each direction of each pair that
    /// pings. `fresh`: how old an answer may be.
    package static func differences(_ simulation: Simulation, fresh: Duration) -> [String] {
        var result: [String] = []
        for ping in simulation.workload.pings where !ping.isStray {
            let from = simulation.hosts[ping.from]
            let to = simulation.hosts[ping.to]
            let expected = simulation.reach(from, to)
            let isAnswered = ping.lastAnswer.map { simulation.time - $0 <= fresh } ?? false
            let actual: Reach = !isAnswered ? .impossible : ping.isLastAnswerDirect ? .direct : .relayed
            let saysDirect = from.isDirect(to: to, simulation.time) ?? false
            let isAsItMust =
                expected == .either
                ? isAnswered : actual == expected && saysDirect == (expected == .direct)
            if !isAsItMust {
                result.append(
                    "\(from.name) \(simulation.describe(from)) to \(to.name) \(simulation.describe(to)): "
                        + "\(expected) expected, found \(actual), and it says \(saysDirect ? "direct" : "not direct")")
            }
        }
        return result
    }

    /// The same without pings: only whether pairs are direct.
    package static func idleDifferences(_ simulation: Simulation) -> [String] {
        var result: [String] = []
        for ping in simulation.workload.pings where !ping.isStray {
            let from = simulation.hosts[ping.from]
            let to = simulation.hosts[ping.to]
            let isDirect = from.isDirect(to: to, simulation.time) ?? false
            let expected = simulation.reach(from, to)
            if expected != .either, isDirect != (expected == .direct) {
                result.append(
                    "\(from.name) \(simulation.describe(from)) to \(to.name) \(simulation.describe(to)): "
                        + "\(isDirect ? "direct" : "not direct") when idle")
            }
        }
        return result
    }
}

extension Simulation {
    /// Where a host is, for people.
    package func describe(_ host: SimulatedHost) -> String {
        if host.interfaces.count == 1, host.interfaces[0].address.isIPv4 { return "(\(describe(host.placement)))" }
        let places = host.interfaces.map { interface in
            "\(interface.address) \(describe(interface.placement))\(interface.isUp ? "" : " down")"
        }
        return "(\(places.joined(separator: ", ")), a socket for \(host.binding == .eachAddress ? "each" : "all"))"
    }

    private func describe(_ placement: Placement) -> String {
        switch placement {
        case .open: return "open"
        case .blocked: return "blocked"
        case .guarded(let firewall): return "behind firewall \(firewall)"
        case .behind(let nat):
            let model = nats[nat].model
            let options = (model.hairpins ? " hairpin" : "") + (model.isolatesHosts ? " isolated" : "")
            return "behind \(nat): \(model.kind)\(options)"
        }
    }
}
