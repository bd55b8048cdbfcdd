//  What must be possible between two hosts, computed from where they are and nothing else. The simulated network must agree
//  with it once it is left in peace.
//
//                   open   full cone   address   port      symmetric
//      open         direct direct      direct    direct    direct
//      full cone           direct      direct    direct    direct
//      address                         direct    direct    direct
//      port                                      direct    relayed
//      symmetric                                           relayed
//
//  Address-restricted and symmetric is direct: the hole that the first opens is for all ports of the second's translator,
//  and the second sends to an endpoint that does not depend on who sends. Port-restricted and symmetric is not: the port
//  from which the second sends is one that the first has never heard of. Behind one translator hosts meet by their private
//  addresses, or, if they are kept apart, by hairpinning, which for a symmetric translator fails for the same reason. A firewall
//  without translation is like a port-restricted translator; behind one firewall all is open.

/// How two hosts reach each other.
package enum Reach: UInt8, Sendable, Hashable {
    /// By datagrams from one to the other.
    case direct
    /// Through a root.
    case relayed
    /// One of these: the way is there, but nobody is obliged to find it.
    case either
    /// Not at all.
    case impossible
}

/// Where a host is.
package enum Placement: Sendable, Hashable {
    /// On the internet, with an address of its own.
    case open
    /// Behind a translator, by its number.
    case behind(nat: Int)
    /// With an address of its own behind a firewall, by its number.
    case guarded(firewall: Int)
    /// Somewhere that lets no datagram pass.
    case blocked
}

extension Placement {
    /// The translator's number, behind one.
    var nat: Int? { if case .behind(let nat) = self { nat } else { nil } }
}

/// Answers from topology alone.
package enum Oracle {
    /// How hosts in two places reach each other; `model` gives a translator's.
    package static func reach(_ first: Placement, _ second: Placement, model: (Int) -> NATModel) -> Reach {
        switch (first, second) {
        case (.blocked, _), (_, .blocked): .impossible
        case (.open, _), (_, .open): .direct
        case (.behind(let one), .behind(let other)):
            one == other ? reachBehind(model(one)) : reach(model(one).kind, model(other).kind)
        case (.guarded(let one), .guarded(let other)): one == other ? .direct : reach(.portRestricted, .portRestricted)
        case (.guarded, .behind(let nat)), (.behind(let nat), .guarded): reach(.portRestricted, model(nat).kind)
        }
    }

    private static func reachBehind(_ model: NATModel) -> Reach {
        guard model.isolatesHosts else { return .direct }
        return model.hairpins && model.kind != .symmetric ? .direct : .relayed
    }

    private static func reach(_ first: NATKind, _ second: NATKind) -> Reach {
        switch (first, second) {
        case (.fullCone, _), (_, .fullCone): .direct
        case (.symmetric, .addressRestricted), (.addressRestricted, .symmetric): .direct
        case (.symmetric, _), (_, .symmetric): .relayed
        case (.addressRestricted, _), (_, .addressRestricted), (.portRestricted, .portRestricted): .direct
        }
    }
}
