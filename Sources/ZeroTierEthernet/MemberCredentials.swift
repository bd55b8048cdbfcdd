//  The proofs of one member of a network, and our own that we showed it.
//  Read first: zerotier/ZeroTierOne node/Membership.hpp (facts only).

import NetPrimitives
import ZeroTierWire

/// The outcome of adding a credential.
enum CredentialOutcome: Hashable, Sendable {
    /// Verified and kept.
    case added
    /// Held already.
    case redundant
    case rejected
    /// Its signer must be known first.
    case needsIdentity(Address)
    /// Not looked at: its sender has shown too many.
    case overBudget

    /// Whether its sender is to be trusted.
    var isAccepted: Bool { self == .added || self == .redundant }
}

/// The entry of a member in a network's table.
struct Member: Sendable {
    private struct RevocationKey: Hashable, Sendable {
        let type: UInt8
        let id: UInt32
    }

    /// The latest certificate of membership that was accepted.
    private(set) var membership: Membership?
    /// The first four words of the identity's hash, once the identity is known.
    var fingerprintWords: [UInt64]?
    /// Certificates with a timestamp up to this are void.
    private(set) var membershipRevokedThrough: UInt64 = 0
    private var revocations: [RevocationKey: UInt64] = [:]
    /// Each sorted by ID.
    private(set) var tags: [Tag] = []
    private(set) var capabilities: [Capability] = []
    /// The rules of `capabilities`, in the same order, ready to be read.
    private(set) var capabilityTables: [[RuleStep]] = []
    private(set) var ownerships: [Ownership] = []

    /// When we last pushed our credentials, and from which of our configurations they were.
    var lastPush: MonotonicInstant?
    var pushedConfiguration: UInt64 = 0
    /// When we last told the member all our multicast groups.
    var lastAnnouncement: MonotonicInstant?

    // MARK: Gate

    /// The worth of a member's certificate to us.
    enum Standing: Hashable, Sendable {
        case admitted
        case refused
        /// Only its identity can tell, and that is not known.
        case lacksIdentity
    }

    /// Whether the member's certificate, by its time and ours, lets it in.
    func standing(under config: NetworkConfig) -> Standing {
        if config.isPublic { return .admitted }
        guard let mine = config.membership, let theirs = membership, theirs.timestamp > membershipRevokedThrough
        else { return .refused }
        if mine.bindsIdentity, fingerprintWords == nil { return .lacksIdentity }
        return mine.agrees(with: theirs, fingerprintWords: fingerprintWords ?? []) ? .admitted : .refused
    }

    // MARK: Adding

    typealias Verify = (() -> CredentialVerdict)

    private static func outcome(_ verdict: CredentialVerdict) -> CredentialOutcome {
        switch verdict {
        case .valid: .added
        case .invalid: .rejected
        case .needsIdentity(let signer): .needsIdentity(signer)
        }
    }

    mutating func add(_ new: Membership, _ identity: (Address) -> Identity?) -> CredentialOutcome {
        guard new.timestamp > membershipRevokedThrough else { return .rejected }
        if let old = membership {
            guard new.timestamp >= old.timestamp else { return .rejected }
            if new == old { return .redundant }
        }
        let outcome = Member.outcome(new.verdict(identity))
        if outcome == .added { membership = new }
        return outcome
    }

    mutating func add(_ new: Tag, _ identity: (Address) -> Identity?) -> CredentialOutcome {
        let outcome = check(
            new, among: tags, id: \.id, timestamp: \.timestamp, type: .tag, limit: ProtocolLimits.tags
        ) { new.verdict(identity) }
        if outcome == .added { Member.insert(new, into: &tags, id: \.id) }
        return outcome
    }

    mutating func add(_ new: Capability, _ identity: (Address) -> Identity?) -> CredentialOutcome {
        let outcome = check(
            new, among: capabilities, id: \.id, timestamp: \.timestamp, type: .capability,
            limit: ProtocolLimits.capabilities
        ) { new.verdict(identity) }
        if outcome == .added {
            Member.insert(new, into: &capabilities, id: \.id)
            prepareTables()
        }
        return outcome
    }

    mutating func add(_ new: Ownership, _ identity: (Address) -> Identity?) -> CredentialOutcome {
        let outcome = check(
            new, among: ownerships, id: \.id, timestamp: \.timestamp, type: .ownership,
            limit: ProtocolLimits.ownerships
        ) { new.verdict(identity) }
        if outcome == .added { Member.insert(new, into: &ownerships, id: \.id) }
        return outcome
    }

    private mutating func prepareTables() { capabilityTables = capabilities.map { $0.rules.map(RuleStep.init) } }

    // Cheap checks come first: a repeated credential costs no signature check.
    private func check<Credential: Equatable>(
        _ new: Credential, among held: [Credential], id: KeyPath<Credential, UInt32>,
        timestamp: KeyPath<Credential, UInt64>, type: CredentialType, limit: Int, verify: Verify
    ) -> CredentialOutcome {
        let old = held.first { $0[keyPath: id] == new[keyPath: id] }
        if let old {
            guard new[keyPath: timestamp] >= old[keyPath: timestamp] else { return .rejected }
            if new == old { return .redundant }
        } else if held.count >= limit {
            return .rejected
        }
        guard !isRevoked(type, new[keyPath: id], timestamp: new[keyPath: timestamp]) else { return .rejected }
        return Member.outcome(verify())
    }

    private static func insert<Credential>(
        _ new: Credential, into held: inout [Credential], id: KeyPath<Credential, UInt32>
    ) {
        held.removeAll { $0[keyPath: id] == new[keyPath: id] }
        let position = held.firstIndex { $0[keyPath: id] > new[keyPath: id] } ?? held.count
        held.insert(new, at: position)
    }

    /// Whether a revocation says nothing new. Costs no signature check.
    func knows(_ revocation: Revocation) -> Bool {
        switch CredentialType(rawValue: revocation.credentialType) {
        case .membership: revocation.threshold <= membershipRevokedThrough
        case .capability, .tag, .ownership:
            revocation.threshold
                <= revocations[RevocationKey(type: revocation.credentialType, id: revocation.credentialID)] ?? 0
        case .some(.none), .revocation, nil: false
        }
    }

    /// Notes a revocation whose signature was verified. `.rejected` for a type that cannot be revoked.
    mutating func revoke(_ revocation: Revocation) -> CredentialOutcome {
        switch CredentialType(rawValue: revocation.credentialType) {
        case .membership:
            guard revocation.threshold > membershipRevokedThrough else { return .redundant }
            membershipRevokedThrough = revocation.threshold
            return .added
        case .capability, .tag, .ownership:
            let key = RevocationKey(type: revocation.credentialType, id: revocation.credentialID)
            guard revocation.threshold > revocations[key] ?? 0 else { return .redundant }
            guard revocations[key] != nil || revocations.count < EthernetLimits.revocationsPerMember else {
                return .rejected
            }
            revocations[key] = revocation.threshold
            // An oddity of every release: the membership is cut as well, until a newer certificate comes.
            membershipRevokedThrough = max(membershipRevokedThrough, revocation.threshold)
            return .added
        case .some(.none), .revocation, nil:
            return .rejected
        }
    }

    private func isRevoked(_ type: CredentialType, _ id: UInt32, timestamp: UInt64) -> Bool {
        guard !revocations.isEmpty else { return false }
        return timestamp <= revocations[RevocationKey(type: type.rawValue, id: id)] ?? 0
    }

    // MARK: Use

    /// The member's tag, if it may be used under our configuration.
    func tag(_ id: UInt32, _ config: NetworkConfig) -> Tag? {
        for tag in tags where tag.id == id {
            return config.isWithinWindow(tag.timestamp) && !isRevoked(.tag, id, timestamp: tag.timestamp) ? tag : nil
        }
        return nil
    }

    /// Whether a capability of the member may be used under our configuration.
    func isUsable(_ capability: Capability, _ config: NetworkConfig) -> Bool {
        config.isWithinWindow(capability.timestamp)
            && !isRevoked(.capability, capability.id, timestamp: capability.timestamp)
    }

    func owns(_ address: IPAddress, _ config: NetworkConfig) -> Bool {
        ownerships.contains { isUsable($0, config) && $0.owns(address) }
    }

    /// The IP addresses that usable certificates give the member.
    func ownedAddresses(_ config: NetworkConfig) -> [IPAddress] {
        guard !ownerships.isEmpty else { return [] }
        return ownerships.filter { isUsable($0, config) }.flatMap { ownership in
            ownership.things.compactMap { if case .ip(let address) = $0 { address } else { nil } }
        }
    }

    func owns(_ mac: MACAddress, _ config: NetworkConfig) -> Bool {
        ownerships.contains { isUsable($0, config) && $0.owns(mac) }
    }

    private func isUsable(_ ownership: Ownership, _ config: NetworkConfig) -> Bool {
        config.isWithinWindow(ownership.timestamp)
            && !isRevoked(.ownership, ownership.id, timestamp: ownership.timestamp)
    }

    // MARK: Forgetting

    /// Drops what can no longer be used.
    mutating func expire(_ config: NetworkConfig) {
        tags.removeAll { !config.isWithinWindow($0.timestamp) && $0.timestamp < config.timestamp }
        let held = capabilities.count
        capabilities.removeAll { !config.isWithinWindow($0.timestamp) && $0.timestamp < config.timestamp }
        if capabilities.count != held { prepareTables() }
        ownerships.removeAll { !config.isWithinWindow($0.timestamp) && $0.timestamp < config.timestamp }
    }

    /// Whether a revocation is held that could still keep out a certificate which would otherwise agree with ours.
    func mustBeRemembered(_ config: NetworkConfig?) -> Bool {
        let latest = revocations.values.reduce(membershipRevokedThrough, max)
        guard latest > 0 else { return false }
        guard let config else { return true }
        return latest >= config.timestamp || config.timestamp - latest <= config.credentialWindow
    }

    /// What would be lost with an entry, the least first.
    enum Worth: Int, Comparable, Sendable {
        /// Anybody can have such an entry made.
        case nothing
        /// The member would have to show its credentials again.
        case proofs
        /// Who was put out would be in again.
        case revocation

        static func < (left: Worth, right: Worth) -> Bool { left.rawValue < right.rawValue }
    }

    func worth(_ config: NetworkConfig?) -> Worth {
        if mustBeRemembered(config) { return .revocation }
        let isProven = membership != nil || !tags.isEmpty || !capabilities.isEmpty || !ownerships.isEmpty
        return isProven ? .proofs : .nothing
    }

    /// Forgets everything but revocations.
    mutating func forgetProofs() {
        membership = nil
        tags = []
        capabilities = []
        capabilityTables = []
        ownerships = []
        lastPush = nil
        lastAnnouncement = nil
        pushedConfiguration = 0
    }
}
