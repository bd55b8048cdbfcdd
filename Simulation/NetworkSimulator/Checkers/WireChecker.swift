//  Whether packets took the way that they must, by what the network saw: the nodes' own word plays no part.

import ZeroTierWire

/// Watches the pairs that ping over a stretch of virtual time.
package struct WireChecker {
    private struct Pair {
        let ping: PingStream
        let forth: Arrivals
        let back: Arrivals
    }

    private let pairs: [Pair]

    /// Begins to watch. Pings must be under way, and none by another way than the one that is to be seen.
    package init(_ simulation: Simulation) {
        pairs = simulation.workload.pings.map { ping in
            Pair(
                ping: ping, forth: WireChecker.arrivals(ping.from, ping.to, simulation),
                back: WireChecker.arrivals(ping.to, ping.from, simulation))
        }
    }

    private static func arrivals(_ from: Int, _ to: Int, _ simulation: Simulation) -> Arrivals {
        simulation.hosts[to].arrivals[simulation.hosts[from].identity.address] ?? Arrivals()
    }

    /// Which packets went by another way than the oracle says: a line for each stream of pings.
    package func findings(_ simulation: Simulation) -> [String] {
        pairs.enumerated().compactMap { index, pair in
            guard !pair.ping.isStray else { return nil }
            let from = simulation.hosts[pair.ping.from]
            let to = simulation.hosts[pair.ping.to]
            let answers = simulation.workload.pings[index].answered - pair.ping.answered
            let forth = WireChecker.arrivals(from.index, to.index, simulation).since(pair.forth)
            let back = WireChecker.arrivals(to.index, from.index, simulation).since(pair.back)
            let isAsItMust: Bool
            let reach = simulation.reach(from, to)
            switch reach {
            // The request of the first answer may have come before the watch began.
            case .direct:
                isAsItMust =
                    forth.relayed == 0 && back.relayed == 0 && forth.direct >= answers - 1 && back.direct >= answers
            case .relayed:
                isAsItMust =
                    forth.direct == 0 && back.direct == 0 && forth.relayed >= answers - 1 && back.relayed >= answers
            case .either:
                isAsItMust =
                    forth.direct + forth.relayed >= answers - 1 && back.direct + back.relayed >= answers && answers > 0
            case .impossible: isAsItMust = forth == Arrivals() && back == Arrivals() && answers == 0
            }
            guard !isAsItMust else { return nil }
            return "\(from.name) \(simulation.describe(from)) to \(to.name) \(simulation.describe(to)): "
                + "\(reach) expected, \(answers) answers, packets forth \(forth), back \(back)"
        }
    }
}

extension Arrivals: CustomStringConvertible {
    /// What came since an earlier count.
    func since(_ earlier: Arrivals) -> Arrivals {
        var result = self
        result.direct -= earlier.direct
        result.relayed -= earlier.relayed
        return result
    }

    /// Both numbers, in words.
    package var description: String { "\(direct) direct and \(relayed) relayed" }
}
