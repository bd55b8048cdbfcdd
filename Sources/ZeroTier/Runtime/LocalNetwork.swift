// What this machine's addresses mean for a node: which ones peers are told, which ones it does not use.

package import NetPrimitives

/// The addresses of this machine at one moment, sorted out.
package struct LocalNetwork: Sendable {
    /// What peers may be told: of real interfaces, lasting, and of a scope that is worth a try.
    package private(set) var usable: [IPAddress] = []
    /// Those of interfaces that the node is not to use.
    package private(set) var refused: Set<IPAddress> = []
    /// Whether there are interfaces that the node is not to use, present or not.
    package private(set) var hasRefusals = false
    private var present: Set<IPAddress> = []

    /// Names of interfaces whose addresses are not offered to peers: tunnels, ours among them, and the loopback.
    private static let virtualNames = ["lo", "zt", "tun", "tap"]

    /// The node is bound to these, and to no others.
    package init(bound addresses: [IPAddress]) {
        usable = addresses
        present = Set(addresses)
    }

    /// Sorts what a scan found. `refusedInterfaces`: beginnings of names.
    package init(
        _ addresses: [InterfaceAddress], allowLoopback: Bool, refusedInterfaces: [String] = [],
        refusedPrefixes: [IPPrefix] = []
    ) {
        hasRefusals = !refusedInterfaces.isEmpty
        for entry in addresses {
            let address = entry.prefix.address
            present.insert(address)
            if refusedInterfaces.contains(where: { entry.interface.hasPrefix($0) }) {
                refused.insert(address)
                continue
            }
            if entry.isLoopback || address.isLoopback {
                if allowLoopback, address.isLoopback { usable.append(address) }
                continue
            }
            guard !entry.isTemporary, !address.isLinkLocal, !address.isMulticast, !address.isUnspecified,
                !LocalNetwork.virtualNames.contains(where: { entry.interface.hasPrefix($0) }),
                !refusedPrefixes.contains(where: { $0.contains(address) }), !usable.contains(address)
            else { continue }
            usable.append(address)
        }
    }

    /// Whether datagrams can leave from an address. All of 127.0.0.0/8 is there as long as the loopback interface is.
    package func has(_ address: IPAddress) -> Bool {
        present.contains(address) || (address.isLoopback && present.contains { $0.isLoopback })
    }
}
