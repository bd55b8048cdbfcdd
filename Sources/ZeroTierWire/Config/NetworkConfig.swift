//  The configuration of a member of a network, as its controller sends it: a dictionary.
//  Read first: zerotier/ZeroTierOne node/NetworkConfig.hpp (facts only).

package import NetPrimitives

/// A route of a virtual network. Flags and metric are carried; nobody uses them.
package struct NetworkRoute: Hashable, Sendable {
    package var target: IPPrefix
    /// The gateway; nil means on the link.
    package var via: IPAddress?
    package var flags: UInt16
    package var metric: UInt16

    package init(target: IPPrefix, via: IPAddress? = nil, flags: UInt16 = 0, metric: UInt16 = 0) {
        self.target = target
        self.via = via
        self.flags = flags
        self.metric = metric
    }
}

/// Name service of a virtual network.
package struct NetworkDNS: Hashable, Sendable {
    package var domain: String
    /// At most 4.
    package var servers: [IPAddress]

    package init(domain: String = "", servers: [IPAddress] = []) {
        self.domain = domain
        self.servers = servers
    }
}

/// A member with a role. The low 40 bits are its address, the bits above are roles.
package struct Specialist: Hashable, Sendable {
    package static let activeBridge: UInt64 = 0x0000_0200_0000_0000
    package static let anchor: UInt64 = 0x0000_0400_0000_0000
    package static let multicastReplicator: UInt64 = 0x0000_0800_0000_0000

    package var value: UInt64

    package init(_ value: UInt64) { self.value = value }

    /// A member with the union of some roles.
    package init(_ address: Address, roles: UInt64) { value = address.value | roles & ~0xff_ffff_ffff }

    package var address: Address { Address(value) }
    package var isActiveBridge: Bool { value & Specialist.activeBridge != 0 }
    package var isAnchor: Bool { value & Specialist.anchor != 0 }
    package var isReplicator: Bool { value & Specialist.multicastReplicator != 0 }
}

/// The data with which a user authenticates on a network with single sign-on.
package struct SingleSignOn: Hashable, Sendable {
    package var version: UInt64 = 0
    package var isEnabled = false
    /// Version 0.
    package var authenticationURL = ""
    package var expiryTime: UInt64 = 0
    /// Version 1.
    package var issuerURL = ""
    package var centralURL = ""
    package var nonce = ""
    package var state = ""
    package var clientID = ""
    package var provider = ""

    package init() {}

    /// Reads the dictionary that comes with ERROR NETWORK_AUTHENTICATION_REQUIRED.
    package init(failureInfo: WireDictionary) {
        isEnabled = true
        version = failureInfo.integer("aV")
        authenticationURL = failureInfo.text("aU") ?? ""
        issuerURL = failureInfo.text("iU") ?? ""
        centralURL = failureInfo.text("aCU") ?? ""
        nonce = failureInfo.text("aN") ?? ""
        state = failureInfo.text("aS") ?? ""
        clientID = failureInfo.text("aCID") ?? ""
        provider = failureInfo.text("aSSOp") ?? "default"
    }
}

/// A member's configuration.
package struct NetworkConfig: Hashable, Sendable {
    package static let broadcastFlag: UInt64 = 0x02
    package static let neighbourEmulationFlag: UInt64 = 0x04
    package static let unknownMatchFlag: UInt64 = 0x08
    package static let uncompressedFlag: UInt64 = 0x10

    package var network: NetworkID
    /// Controller time of issue, in milliseconds; also that of the credentials within.
    package var timestamp: UInt64
    /// By how much another's credentials may differ from `timestamp`, in milliseconds.
    package var credentialWindow: UInt64 = ProtocolLimits.credentialWindowMilliseconds
    package var revision: UInt64 = 0
    package var issuedTo: Address
    package var traceTarget = Address(0)
    package var traceLevel: UInt64 = 0
    package var flags: UInt64 = 0
    /// Copies of a multicast frame; 0 disables multicast.
    package var multicastLimit: UInt64 = 0
    package var isPublic = false
    package var name = ""
    /// 1280...10000.
    package var mtu = ProtocolLimits.virtualMTU
    package var membership: Membership?
    /// Sorted by ID.
    package var capabilities: [Capability] = []
    /// Sorted by ID.
    package var tags: [Tag] = []
    package var ownerships: [Ownership] = []
    package var specialists: [Specialist] = []
    package var routes: [NetworkRoute] = []
    package var addresses: [IPPrefix] = []
    package var rules: [Rule] = []
    package var dns = NetworkDNS()
    package var singleSignOn = SingleSignOn()

    package init(network: NetworkID, issuedTo: Address, timestamp: UInt64) {
        self.network = network
        self.issuedTo = issuedTo
        self.timestamp = timestamp
    }

    package var broadcastEnabled: Bool { flags & NetworkConfig.broadcastFlag != 0 }
    package var emulatesNeighbours: Bool { flags & NetworkConfig.neighbourEmulationFlag != 0 }
    package var unknownMatches: Bool { flags & NetworkConfig.unknownMatchFlag != 0 }
    package var compresses: Bool { flags & NetworkConfig.uncompressedFlag == 0 }

    /// This member's tag with an ID.
    package func tag(_ id: UInt32) -> Tag? { tags.first { $0.id == id } }

    package func specialist(_ address: Address) -> Specialist? { specialists.first { $0.address == address } }
    package func isActiveBridge(_ address: Address) -> Bool {
        specialists.contains { $0.address == address && $0.isActiveBridge }
    }
    package func isReplicator(_ address: Address) -> Bool {
        specialists.contains { $0.address == address && $0.isReplicator }
    }

    /// Anchors and replicators: members that one keeps in contact with.
    package var alwaysContact: [Address] {
        specialists.filter { $0.isAnchor || $0.isReplicator }.map(\.address)
    }

    /// Whether a credential of this network, by its timestamp, may be used under this configuration.
    package func isWithinWindow(_ timestamp: UInt64) -> Bool {
        let distance = timestamp > self.timestamp ? timestamp - self.timestamp : self.timestamp - timestamp
        return distance <= credentialWindow
    }
}
