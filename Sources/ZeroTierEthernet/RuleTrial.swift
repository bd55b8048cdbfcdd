//  Two members of a network that exists nowhere: what its rules do with a frame from one to the other. The credentials are
//  signed and the decisions are taken as in a running node.

package import NetPrimitives
import ZeroTierCrypto
package import ZeroTierWire

/// A member as a trial has it.
package struct TrialMember: Sendable {
    package var address: Address
    /// No ID twice.
    package var tags: [(id: UInt32, value: UInt32)] = []
    /// No ID twice; at most as many rules in each as the protocol allows.
    package var capabilities: [(id: UInt32, rules: [Rule])] = []
    /// The IP addresses that the controller assigned to it.
    package var addresses: [IPAddress] = []

    package init(address: Address) { self.address = address }
}

/// A trial of rules.
package struct RuleTrial: ~Copyable {
    private static let timestamp: UInt64 = 1

    private let sender: VirtualNetwork
    private let receiver: VirtualNetwork
    private var random: RandomSource

    /// The network of the two: it gives them their MACs.
    package let network: NetworkID

    /// Two members under some rules. Their addresses differ. `isFirstContact`: the sender has not seen the receiver's
    /// credentials yet, as with the first frame. Chance is drawn from `seed`.
    package init(
        rules: [Rule], from: TrialMember, to: TrialMember, network: NetworkID, isFirstContact: Bool, seed: UInt64
    ) {
        self.network = network
        random = RandomSource(seed: seed)
        let keys = SecretKeys.generate(using: &random)
        let controller = Identity(address: network.controller, publicKeys: keys.publicKeys, secretKeys: keys)
        sender = RuleTrial.network(of: from, meeting: to, isFirstContact, rules, network, controller, &random)
        receiver = RuleTrial.network(of: to, meeting: from, false, rules, network, controller, &random)
    }

    /// Why the sender lets a frame go or not, and why the receiver lets it in or not.
    package mutating func explain(
        source: MACAddress, destination: MACAddress, etherType: UInt16, payload: [UInt8]
    ) -> (outbound: FrameExplanation, inbound: FrameExplanation) {
        let outbound = sender.explainOutbound(source, destination, etherType, payload, &random)
        let inbound = receiver.explainInbound(
            from: sender.address, source, destination, etherType, payload, &random)
        return (outbound, inbound)
    }

    private static func network(
        of member: TrialMember, meeting other: TrialMember, _ isFirstContact: Bool, _ rules: [Rule],
        _ id: NetworkID, _ controller: Identity, _ random: inout RandomSource
    ) -> VirtualNetwork {
        var shared = EthernetShared(
            identity: controller, configuration: EthernetConfiguration(), random: random.fork())
        var config = NetworkConfig(network: id, issuedTo: member.address, timestamp: timestamp)
        config.isPublic = true
        config.rules = rules
        config.tags = member.tags.map { tag($0, member, id, controller) }.sorted { $0.id < $1.id }
        config.capabilities = member.capabilities.map { capability($0, member, id, controller) }.sorted {
            $0.id < $1.id
        }
        config.ownerships = ownership(member, id, controller)
        var network = VirtualNetwork(id: id, address: member.address, authorization: "")
        let now = Now(monotonic: .zero, unixMilliseconds: 0)
        network.apply(config, origin: .derived, &shared, now)
        var entry = Member()
        if !isFirstContact {
            for item in other.tags { _ = entry.add(tag(item, other, id, controller)) { _ in controller } }
            for item in other.capabilities {
                _ = entry.add(capability(item, other, id, controller)) { _ in controller }
            }
            for item in ownership(other, id, controller) { _ = entry.add(item) { _ in controller } }
        }
        network.members[other.address] = entry
        return network
    }

    private static func tag(
        _ tag: (id: UInt32, value: UInt32), _ member: TrialMember, _ network: NetworkID, _ controller: Identity
    ) -> Tag {
        Tag(
            network: network, timestamp: timestamp, id: tag.id, value: tag.value, issuedTo: member.address,
            signedBy: controller)
    }

    private static func capability(
        _ capability: (id: UInt32, rules: [Rule]), _ member: TrialMember, _ network: NetworkID, _ controller: Identity
    ) -> Capability {
        Capability(
            network: network, timestamp: timestamp, id: capability.id, rules: capability.rules,
            issuedTo: member.address, signedBy: controller)
    }

    private static func ownership(
        _ member: TrialMember, _ network: NetworkID, _ controller: Identity
    ) -> [Ownership] {
        guard !member.addresses.isEmpty else { return [] }
        return [
            Ownership(
                network: network, timestamp: timestamp, id: 1,
                things: member.addresses.prefix(ProtocolLimits.thingsPerOwnership).map { .ip($0) },
                issuedTo: member.address, signedBy: controller)
        ]
    }
}
