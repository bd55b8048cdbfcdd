//  Which addresses may be those of a path.

import NetPrimitives
import ZeroTierWire

/// How scopes count here: with loopback paths allowed (for tests on one machine) they are like private ones.
struct PathScopes: Sendable {
    let allowsLoopback: Bool

    func scope(of address: IPAddress) -> AddressScope {
        let scope = AddressScope(of: address)
        return scope == .loopback && allowsLoopback ? .private : scope
    }

    func isUsable(_ address: IPAddress) -> Bool {
        scope(of: address).isUsableForPaths && !address.isTunnelBroker
    }
}
