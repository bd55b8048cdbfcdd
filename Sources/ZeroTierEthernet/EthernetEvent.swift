//  Events of the Ethernet engine for the node, beside frames and packets.

package import NetPrimitives
package import ZeroTierWire

/// State of a joined network as the interfaces to the outside know it.
package enum NetworkStatus: UInt8, Hashable, Sendable {
    case requestingConfiguration = 0
    case ok = 1
    case accessDenied = 2
    case notFound = 3
    case portError = 4
    case clientTooOld = 5
    case authenticationRequired = 6
}

/// What happened to the networks of this node.
package enum EthernetEvent: Hashable, Sendable {
    /// The status or failure of a network changed; a configuration stays in force through failures.
    case statusChanged(network: SlotID, id: NetworkID, NetworkStatus)
    /// Addresses, routes, MTU, name, DNS or flags changed: read `EthernetEngine.snapshot(of:)`.
    case configurationChanged(network: SlotID, id: NetworkID)
    /// To be written to `networks.d/<id>.conf` (a dictionary); `[0x0a]` when there is no configuration yet.
    case storeConfiguration(id: NetworkID, [UInt8])
    /// `networks.d/<id>.conf` is to be deleted: the network was left.
    case deleteConfiguration(id: NetworkID)
    /// A credential, a configuration or a membership waits for this identity: answer with `learn`, after a WHOIS if the
    /// identity is not at hand.
    case wantsIdentity(Address)
    /// This node is the network's controller: hand the request over and answer with `receiveLocalConfiguration` or
    /// `receiveLocalFailure`.
    case localConfigurationRequest(network: SlotID, id: NetworkID, metadata: [UInt8])
}

/// Everything the outside may know of a joined network.
package struct NetworkSnapshot: Hashable, Sendable {
    package var slot: SlotID
    package var id: NetworkID
    package var mac: MACAddress
    package var status: NetworkStatus
    package var isPrivate: Bool
    package var name: String
    package var mtu: Int
    package var revision: UInt64
    package var isBridge: Bool
    package var broadcastEnabled: Bool
    package var multicastLimit: Int
    /// Assigned by the controller (or by the ad-hoc form), with prefix lengths.
    package var addresses: [IPPrefix]
    package var routes: [NetworkRoute]
    package var dns: NetworkDNS
    package var multicastSubscriptions: [MulticastGroup]
    package var singleSignOn: SingleSignOn?
}
