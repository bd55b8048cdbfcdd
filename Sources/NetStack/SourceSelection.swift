// Which of an interface's addresses a packet leaves from. Read first: RFC 6724 5.

import NetPrimitives

extension Interface {
    /// The source for a destination; nil when the interface has no address that could speak to it.
    func source(for destination: IPAddress, preferred: IPAddress?) -> IPAddress? {
        if let preferred, preferred.isIPv4 == destination.isIPv4, owns(preferred) { return preferred }
        return destination.isIPv4 ? source4(for: destination) : source6(for: destination)
    }

    // The first address whose network holds the destination, else the first.
    private func source4(for destination: IPAddress) -> IPAddress? {
        var first: IPAddress?
        for entry in addresses where entry.prefix.address.isIPv4 && entry.isUsable {
            if entry.prefix.contains(destination) { return entry.prefix.address }
            if first == nil { first = entry.prefix.address }
        }
        return first
    }

    private func source6(for destination: IPAddress) -> IPAddress? {
        var best: InterfaceAddress?
        for entry in addresses where !entry.prefix.address.isIPv4 && entry.isUsable {
            if let current = best {
                if Interface.isBetter(entry, than: current, for: destination) { best = entry }
            } else {
                best = entry
            }
        }
        guard let best else { return nil }
        // A link-local source does not reach beyond the link.
        if best.address.isLinkLocal, IPAddressScope(destination) > IPAddressScope(best.address) { return nil }
        return best.address
    }

    // RFC 6724 5: rule 1 (same address), 2 (scope), 3 (avoid unconfirmed), 6 (label), 8 (longest common prefix).
    private static func isBetter(
        _ left: InterfaceAddress, than right: InterfaceAddress, for destination: IPAddress
    ) -> Bool {
        let a = left.address
        let b = right.address
        if a == destination || b == destination { return a == destination }
        let scopeA = IPAddressScope(a)
        let scopeB = IPAddressScope(b)
        let wanted = IPAddressScope(destination)
        if scopeA != scopeB {
            if scopeA < scopeB { return scopeA >= wanted }
            return scopeB < wanted
        }
        let isReadyA = left.state == .preferred
        let isReadyB = right.state == .preferred
        if isReadyA != isReadyB { return isReadyA }
        let label = a.policyLabel == destination.policyLabel
        let otherLabel = b.policyLabel == destination.policyLabel
        if label != otherLabel { return label }
        // Only as far as the address's own prefix goes: host bits say nothing about nearness.
        return min(a.commonBits(destination), left.prefix.length) > min(b.commonBits(destination), right.prefix.length)
    }
}

/// The reach of an IPv6 address (RFC 6724 3.1): 2 link, 5 site, 14 global.
struct IPAddressScope: Comparable {
    let value: Int

    init(_ address: IPAddress) {
        if address.isIPv4 {
            value = address.isLoopback || address.isLinkLocal ? 2 : 14
        } else if address.isMulticast {
            value = Int((address.high >> 48) & 0xf)
        } else if address.isLinkLocal || address.isLoopback {
            value = 2
        } else if address.high >> 54 == 0x3fb {
            value = 5
        } else {
            value = 14
        }
    }

    static func < (left: IPAddressScope, right: IPAddressScope) -> Bool { left.value < right.value }
}

extension IPAddress {
    /// The label of the default policy table (RFC 6724 2.1).
    var policyLabel: Int {
        if isIPv4 { return 4 }
        if isLoopback { return 0 }
        if high == 0, low >> 32 == 0xffff { return 4 }
        if high >> 48 == 0x2002 { return 2 }
        if high >> 32 == 0x2001_0000 { return 5 }
        if high >> 57 == 0x7e { return 13 }
        if high >> 54 == 0x3fb { return 11 }
        if high >> 48 == 0x3ffe { return 12 }
        if high == 0, low >> 32 == 0 { return 3 }
        return 1
    }

    /// How many leading bits two addresses of one family share.
    func commonBits(_ other: IPAddress) -> Int {
        if isIPv4 { return (v4 ^ other.v4).leadingZeroBitCount }
        let upper = high ^ other.high
        return upper != 0 ? upper.leadingZeroBitCount : 64 + (low ^ other.low).leadingZeroBitCount
    }
}
