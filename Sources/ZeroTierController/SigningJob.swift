//  What costs more than a packet may: the signatures of a configuration, and of a revocation. Done off the node's lock, on any
//  thread; the result depends on nothing but the job.

import NetPrimitives
import ZeroTierWire

/// Names a piece of work that was handed out.
package struct ControllerTicket: Hashable, Sendable {
    let value: UInt64
}

/// Something to be signed.
package struct SigningJob: Sendable {
    enum Work: Sendable {
        case configuration(ConfigurationDraft)
        case revocation(RevocationDraft)
    }

    let ticket: ControllerTicket
    let work: Work
    /// The controller's, with its secret.
    let signer: Identity

    /// Signs: some 0.05 ms for each credential.
    package func run() -> SigningResult {
        switch work {
        case .configuration(let draft): SigningResult(ticket: ticket, product: .configuration(draft.signed(by: signer)))
        case .revocation(let draft): SigningResult(ticket: ticket, product: .revocation(draft.signed(by: signer)))
        }
    }
}

/// What came of a job.
package struct SigningResult: Sendable {
    enum Product: Sendable {
        case configuration(SignedConfiguration)
        case revocation(Revocation)
    }

    let ticket: ControllerTicket
    let product: Product
}

/// A configuration as its member gets it.
struct SignedConfiguration: Sendable {
    var config: NetworkConfig
    /// The bodies of OK(NETWORK_CONFIG_REQUEST), or the payloads of NETWORK_CONFIG; none for this node itself.
    var pieces: [[UInt8]]
}

/// A revocation that is not signed yet.
struct RevocationDraft: Sendable {
    let number: UInt32
    let network: NetworkID
    let target: Address
    /// What was issued up to this moment is void, Unix milliseconds.
    let threshold: UInt64

    func signed(by signer: Identity) -> Revocation {
        Revocation(
            id: number, network: network, of: .membership, credentialID: 0, threshold: threshold, target: target,
            signedBy: signer)
    }
}

/// A configuration without its credentials, and what they are to say.
struct ConfigurationDraft: Sendable {
    private var config: NetworkConfig
    private let member: Identity
    private let capabilities: [CapabilityDefinition]
    private let tags: [TagValue]
    private let updateID: UInt64
    private let isLocal: Bool

    /// What a member gets at a time, in Unix milliseconds. `knowsRules`: it understands rules, tags and capabilities.
    init(
        _ network: NetworkRecord, _ record: MemberRecord, identity: Identity, bridges: [Address],
        knowsRules: Bool, at timestamp: UInt64, updateID: UInt64, isLocal: Bool
    ) {
        let plan = AddressPlan(network, record)
        var config = NetworkConfig(network: network.id, issuedTo: record.address, timestamp: timestamp)
        config.credentialWindow = network.credentialWindow
        config.revision = network.revision
        if network.isBroadcastEnabled { config.flags |= NetworkConfig.broadcastFlag }
        if plan.emulatesNeighbours { config.flags |= NetworkConfig.neighbourEmulationFlag }
        config.multicastLimit = UInt64(network.multicastLimit)
        config.isPublic = !network.isPrivate
        config.name = network.name
        config.mtu = network.mtu
        let traced = record.traceTarget.value != 0
        config.traceTarget = traced ? record.traceTarget : network.traceTarget
        config.traceLevel = UInt64(traced ? record.traceLevel : network.traceLevel)
        config.specialists = bridges.map { Specialist($0, roles: Specialist.activeBridge) }
        config.routes = network.routes
        config.addresses = plan.addresses
        config.dns = network.dns
        config.rules = knowsRules ? network.rules : [Rule(.accept)]
        self.config = config
        member = identity
        capabilities = knowsRules ? network.capabilities.filter { record.capabilities.contains($0.id) } : []
        tags = knowsRules ? record.tags : []
        self.updateID = updateID
        self.isLocal = isLocal
    }

    func signed(by signer: Identity) -> SignedConfiguration {
        var config = config
        let (network, timestamp) = (config.network, config.timestamp)
        config.membership = Membership(
            network: network, issuedTo: member, timestamp: timestamp, window: config.credentialWindow, signedBy: signer)
        config.capabilities = capabilities.map {
            Capability(
                network: network, timestamp: timestamp, id: $0.id, rules: $0.rules, issuedTo: member.address,
                signedBy: signer)
        }
        config.tags = tags.map {
            Tag(
                network: network, timestamp: timestamp, id: $0.id, value: $0.value, issuedTo: member.address,
                signedBy: signer)
        }
        // The field's controllers issue one, of the first sixteen addresses; the others are the member's own just as well.
        let things = config.addresses.map { Ownership.Thing.ip($0.address) }
        for (index, start) in stride(from: 0, to: things.count, by: ProtocolLimits.thingsPerOwnership).enumerated() {
            let end = min(things.count, start + ProtocolLimits.thingsPerOwnership)
            config.ownerships.append(
                Ownership(
                    network: network, timestamp: timestamp, id: UInt32(index + 1), things: Array(things[start..<end]),
                    issuedTo: member.address, signedBy: signer))
        }
        if isLocal { return SignedConfiguration(config: config, pieces: []) }
        let pieces = NetworkConfigChunk.chunks(
            of: config.encoded, network: network, updateID: updateID, signedBy: signer)
        return SignedConfiguration(config: config, pieces: pieces.map(\.encoded))
    }
}
