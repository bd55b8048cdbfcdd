//  What must be possible between hosts with several addresses: what is possible between any two of them. Both must be able to
//  begin, since a translator or firewall lets in only what it saw somebody ask for; one is enough where the other is open. A
//  host whose one socket is bound to every address begins from where its routes lead alone, so for some pairs nothing is
//  promised.

import NetPrimitives

extension Simulation {
    /// What must be possible between two hosts.
    package func reach(_ first: SimulatedHost, _ second: SimulatedHost) -> Reach {
        guard canReachRoot(first), canReachRoot(second) else { return .impossible }
        var isPossible = false
        for here in first.interfaces.indices where first.interfaces[here].isUp {
            for there in second.interfaces.indices where second.interfaces[there].isUp {
                let (one, other) = (first.interfaces[here], second.interfaces[there])
                guard one.address.isIPv4 == other.address.isIPv4,
                    Oracle.reach(one.placement, other.placement, model: { nats[$0].model }) == .direct
                else { continue }
                isPossible = true
                let begins = (
                    canBegin(first, here, to: other, from: one), canBegin(second, there, to: one, from: other)
                )
                if begins.0 && (begins.1 || isUnguarded(other, for: one)) || begins.1 && isUnguarded(one, for: other) {
                    return .direct
                }
            }
        }
        return isPossible ? .either : .relayed
    }

    /// Whether a host reaches a root, as long as one runs.
    package func canReachRoot(_ host: SimulatedHost) -> Bool {
        host.interfaces.indices.contains { index in
            let interface = host.interfaces[index]
            return interface.isUp && interface.placement != .blocked
                // Roots are in nobody's local network: what is bound to every address goes where the default route leads.
                && (host.binding == .eachAddress || defaultRoute(of: host, isIPv4: interface.address.isIPv4) == index)
                && hosts.contains { root in
                    root.isRoot
                        && root.interfaces.contains { $0.isUp && $0.address.isIPv4 == interface.address.isIPv4 }
                }
        }
    }

    private func defaultRoute(of host: SimulatedHost, isIPv4: Bool) -> Int? {
        host.interfaces.firstIndex { $0.isUp && $0.address.isIPv4 == isIPv4 }
    }

    // Whether a host that knows an address of another sends to it from this interface without being asked from there before.
    private func canBegin(
        _ host: SimulatedHost, _ index: Int, to other: SimulatedInterface, from own: SimulatedInterface
    ) -> Bool {
        host.binding == .eachAddress || route(of: host, to: seenAddress(of: other, by: own)) == index
    }

    // Whether everybody gets in there.
    private func isUnguarded(_ interface: SimulatedInterface, for other: SimulatedInterface) -> Bool {
        switch interface.placement {
        case .open: true
        case .blocked: false
        case .guarded: interface.placement == other.placement
        case .behind(let nat): interface.placement == other.placement && !nats[nat].model.isolatesHosts
        }
    }

    // The address by which an interface is reached from another.
    private func seenAddress(of interface: SimulatedInterface, by other: SimulatedInterface) -> IPAddress {
        guard case .behind(let nat) = interface.placement,
            interface.placement != other.placement || nats[nat].model.isolatesHosts
        else { return interface.address }
        return nats[nat].address
    }
}
