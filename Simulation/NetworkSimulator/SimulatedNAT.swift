//  Network address translators of each kind. Read first: RFC 4787.
//
//  kind                mapping            who may send in
//  full cone           per endpoint       everybody
//  address-restricted  per endpoint       addresses that were sent to
//  port-restricted     per endpoint       endpoints that were sent to
//  symmetric           per destination    that destination

import NetPrimitives

/// How a translator maps and filters.
package enum NATKind: UInt8, Sendable, Hashable, CaseIterable {
    case fullCone
    case addressRestricted
    case portRestricted
    case symmetric
}

/// What a translator is like.
package struct NATModel: Sendable, Hashable {
    package var kind: NATKind
    /// Whether hosts behind it reach each other by its public address (RFC 4787 REQ-9).
    package var hairpins = false
    /// How long a mapping lives after the last datagram out.
    package var expiry: Duration = .seconds(120)
    /// Whether a mapping takes the host's own port when that is free; else a random one.
    package var preservesPorts = false
    /// Whether the hosts behind it cannot reach each other directly (guest networks, carriers).
    package var isolatesHosts = false

    package init(_ kind: NATKind) { self.kind = kind }
}

/// A translator at work.
struct SimulatedNAT: Sendable {
    private struct Mapping: Sendable {
        let inside: SocketEndpoint
        /// The destination, for symmetric translators.
        let destination: SocketEndpoint?
        let outsidePort: UInt16
        var lastOut: MonotonicInstant
        /// Who was sent to, and when last.
        var filters: [(remote: SocketEndpoint, last: MonotonicInstant)] = []
    }

    private struct Key: Hashable, Sendable {
        let inside: SocketEndpoint
        let destination: SocketEndpoint?
    }

    let model: NATModel
    private(set) var address: IPAddress
    /// The private network behind it.
    let inside: IPPrefix
    /// Addresses that were given to hosts.
    var hostsSeen = 0
    private var mappings: [UInt16: Mapping] = [:]
    private var ports: [Key: UInt16] = [:]

    init(_ model: NATModel, address: IPAddress, inside: IPPrefix) {
        self.model = model
        self.address = address
        self.inside = inside
    }

    /// Forgets all mappings, as after a power cut, and may get another address.
    mutating func restart(address: IPAddress? = nil) {
        if let address { self.address = address }
        mappings = [:]
        ports = [:]
    }

    /// A datagram on its way out: gives the endpoint that the outside sees.
    mutating func translateOut(
        from source: SocketEndpoint, to destination: SocketEndpoint, _ now: MonotonicInstant,
        using random: inout RandomSource
    ) -> SocketEndpoint {
        let key = Key(inside: source, destination: model.kind == .symmetric ? destination : nil)
        var port = ports[key]
        if let known = port, let mapping = mappings[known], now - mapping.lastOut >= model.expiry {
            mappings[known] = nil
            ports[key] = nil
            port = nil
        }
        let chosen = port ?? freePort(preferring: source.port, now, using: &random)
        if port == nil {
            ports[key] = chosen
            mappings[chosen] = Mapping(
                inside: source, destination: key.destination, outsidePort: chosen, lastOut: now)
        }
        note(destination, in: chosen, now)
        return SocketEndpoint(address, port: chosen)
    }

    private mutating func note(_ destination: SocketEndpoint, in port: UInt16, _ now: MonotonicInstant) {
        guard var mapping = mappings.removeValue(forKey: port) else { return }
        mapping.lastOut = now
        if let index = mapping.filters.firstIndex(where: { $0.remote == destination }) {
            mapping.filters[index].last = now
        } else {
            mapping.filters.append((destination, now))
        }
        mappings[port] = mapping
    }

    private mutating func freePort(
        preferring wanted: UInt16, _ now: MonotonicInstant, using random: inout RandomSource
    ) -> UInt16 {
        // A symmetric translator that did would be one of the others to its first host.
        if model.preservesPorts, model.kind != .symmetric, isFree(wanted, now) { return wanted }
        while true {
            let port = UInt16(1024 + random.next(below: 64_000))
            if isFree(port, now) { return port }
        }
    }

    private mutating func isFree(_ port: UInt16, _ now: MonotonicInstant) -> Bool {
        guard let mapping = mappings[port] else { return true }
        guard now - mapping.lastOut >= model.expiry else { return false }
        mappings[port] = nil
        ports[Key(inside: mapping.inside, destination: mapping.destination)] = nil
        return true
    }

    /// A datagram from outside: gives the endpoint inside that it is for, or nil when it is filtered.
    func translateIn(from source: SocketEndpoint, toPort port: UInt16, _ now: MonotonicInstant) -> SocketEndpoint? {
        guard let mapping = mappings[port], now - mapping.lastOut < model.expiry else { return nil }
        let isAdmitted: Bool
        switch model.kind {
        case .fullCone: isAdmitted = true
        case .addressRestricted:
            isAdmitted = mapping.filters.contains {
                $0.remote.address == source.address && now - $0.last < model.expiry
            }
        case .portRestricted:
            isAdmitted = mapping.filters.contains { $0.remote == source && now - $0.last < model.expiry }
        case .symmetric: isAdmitted = mapping.destination == source
        }
        return isAdmitted ? mapping.inside : nil
    }
}
