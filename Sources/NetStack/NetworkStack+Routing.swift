// Where a packet of ours goes: loop-back, group, neighbour or gateway; and with which source.
// Read first: RFC 1122 3.3.1 and 3.3.4.2 (strong host model), RFC 6724.

import NetPrimitives

extension NetworkStack {
    /// Chooses interface, source and next hop. `source` restricts to the interface that has it, `interface` to that
    /// one. Mutating, though it changes nothing: over a borrowed stack the compiler's checker of noncopyable values takes
    /// minutes for each of these functions.
    mutating func route(
        to target: IPAddress, from source: IPAddress?, on interface: InterfaceID?, now: Now
    ) throws(StackError) -> OutboundRoute {
        // To nobody in particular means to oneself (Linux does so).
        let destination =
            target.isUnspecified ? (target.isIPv4 ? IPAddress.loopback4 : IPAddress.loopback6) : target
        let source = source.flatMap { $0.isUnspecified ? nil : $0 }
        if let source, source.isIPv4 != destination.isIPv4 { throw .addressFamily }
        if let interface, !interfaces.contains(interface.slot) { throw .networkDown }
        if !destination.isMulticast, isOwn(destination) {
            guard source.map({ isOwn($0) }) ?? true else { throw .addressNotAvailable }
            // The loop-back network has one preferred source, and a broadcast address as any network.
            let own = destination.isIPv4 && destination.isLoopback ? IPAddress.loopback4 : destination
            return OutboundRoute(
                kind: .loopback, interface: loopback, source: source ?? own, nextHop: destination,
                mtu: StackConstants.loopbackMTU, isBroadcast: destination.isIPv4 && destination.v4 == 0x7fff_ffff)
        }
        var bound = interface
        if let source {
            guard let owner = owner(of: source, preferring: interface) else { throw .addressNotAvailable }
            if owner == loopback { throw .invalid }
            bound = owner
        }
        if destination.isMulticast || destination.isLimitedBroadcast {
            return try groupRoute(to: destination, from: source, on: bound)
        }
        return try unicastRoute(to: destination, from: source, on: bound, now: now)
    }

    private mutating func groupRoute(
        to destination: IPAddress, from source: IPAddress?, on bound: InterfaceID?
    ) throws(StackError) -> OutboundRoute {
        var chosen = bound
        // A managed route may say where a group lives; else it is the first network that speaks the family.
        if chosen == nil { chosen = routes.best(to: destination, on: nil)?.interface }
        if chosen == nil {
            chosen = interfaces.ids.lazy.map { InterfaceID($0) }.first {
                $0 != loopback && interfaces[$0.slot].source(for: destination, preferred: nil) != nil
            }
        }
        guard let chosen, let address = interfaces[chosen.slot].source(for: destination, preferred: source) else {
            throw .networkUnreachable
        }
        return OutboundRoute(
            kind: .group, interface: chosen, source: address, nextHop: destination, mtu: interfaces[chosen.slot].mtu,
            isBroadcast: destination.isIPv4 && !destination.isMulticast)
    }

    private mutating func unicastRoute(
        to destination: IPAddress, from source: IPAddress?, on bound: InterfaceID?, now: Now
    ) throws(StackError) -> OutboundRoute {
        var best: InterfaceID?
        var bestLength = -1
        for slot in interfaces.ids {
            let id = InterfaceID(slot)
            if id == loopback || (bound != nil && bound != id) { continue }
            for entry in interfaces[slot].addresses where entry.isUsable && entry.prefix.length > bestLength {
                if entry.prefix.contains(destination) {
                    best = id
                    bestLength = entry.prefix.length
                }
            }
        }
        var gateway: IPAddress?
        var preferred = source
        if let managed = routes.best(to: destination, on: bound), managed.prefix.length > bestLength {
            best = managed.interface
            gateway = managed.gateway
            if preferred == nil { preferred = managed.preferredSource }
        }
        guard let best else { throw .networkUnreachable }
        guard let address = interfaces[best.slot].source(for: destination, preferred: preferred) else {
            throw .networkUnreachable
        }
        if interfaces[best.slot].isDirectedBroadcast(destination) {
            return OutboundRoute(
                kind: .group, interface: best, source: address, nextHop: destination, mtu: interfaces[best.slot].mtu,
                isBroadcast: true)
        }
        var mtu = interfaces[best.slot].mtu
        if !pathMTUs.isEmpty, let known = pathMTUs.mtu(ScopedAddress(best, destination), now.monotonic) {
            mtu = min(mtu, known)
        }
        return OutboundRoute(
            kind: .unicast, interface: best, source: address, nextHop: gateway ?? destination, mtu: mtu)
    }

    /// The interface that has an address; the preferred one if several have it.
    func owner(of address: IPAddress, preferring preferred: InterfaceID?) -> InterfaceID? {
        if let preferred, interfaces.contains(preferred.slot), interfaces[preferred.slot].owns(address) {
            return preferred
        }
        for slot in interfaces.ids where interfaces[slot].owns(address) { return InterfaceID(slot) }
        return nil
    }
}
