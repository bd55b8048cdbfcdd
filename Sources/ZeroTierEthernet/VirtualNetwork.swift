//  A joined network: configuration, members, groups. The join state machine.
//  Read first: zerotier/ZeroTierOne node/Network.hpp (facts only).
//
//  requesting --config--> ok --config--> ok                every 5 s until the first config, then every 60 s
//      |                   |
//      +----- error -------+--> denied, not found, authentication required     a config stays in force
//                                 --config--> ok

import NetPrimitives
import ZeroTierWire

/// One network and all that is kept for it. Its verbs are in the files named after what they do.
struct VirtualNetwork: ~Copyable {
    private let inPlace = InPlace()
    /// Where a configuration came from.
    enum Origin: Hashable, Sendable {
        case disk
        case controller
        /// Made by ourselves: an ad-hoc network.
        case derived
    }

    let id: NetworkID
    let address: Address
    let mac: MACAddress
    var slot = SlotID.none
    var authorization: String

    /// The configuration in force; meaningless until there is one. Kept apart from the question whether there is, so that
    /// rules read it where it lies.
    private(set) var active: NetworkConfig
    private(set) var isConfigured = false
    /// The rules of the configuration and of its capabilities, ready to be read.
    private(set) var baseTable: [RuleStep] = []
    private(set) var capabilityTables: [[RuleStep]] = []
    /// Counts configurations, so that a push can be told to be of an older one.
    private(set) var configSequence: UInt64 = 0
    /// How often more known members are shown what is new.
    private(set) var proofRounds = 0
    private(set) var failure: NetworkStatus?
    private(set) var failureInfo: SingleSignOn?
    var hasPortError = false
    // When the configuration was taken; nil for one from disk, which counts as infinitely old.
    private var configTime: MonotonicInstant?

    // What follows from the configuration and is asked for often.
    private(set) var activeBridges: [Address] = []
    private(set) var replicators: [Address] = []
    private(set) var isActiveBridge = false
    /// Whether verdicts of the base rules may be remembered per flow.
    private(set) var hasFlowRules = false
    private(set) var hasFlowCapabilities = false
    /// What the rules decided since they came into force.
    var ledger = RuleLedger()
    /// What they said of all frames since the network was joined.
    var frames = FrameCounters()

    var members: [Address: Member] = [:]
    /// When each of the members was last used. Apart from the rest, because it changes with every frame, and changing a large
    /// entry of a dictionary in place allocates.
    var memberUses: [Address: MonotonicInstant] = [:]
    var assembly = ConfigAssembly()
    var passedPieces = PassedPieces()
    var addressOwners = AddressOwners()
    var bridges = BridgeRoutes()
    /// Groups that the host asked for, sorted.
    var subscriptions: [MulticastGroup] = []
    /// Groups that hosts behind this bridge used, and until when they are announced.
    var bridgedGroups: [MulticastGroup: MonotonicInstant] = [:]
    var senders: [MulticastGroup: MulticastSender] = [:]
    var lastAnnouncement: MonotonicInstant?
    /// The controller is asked for a configuration without waiting for the present one to age.
    var mustAsk = false

    init(id: NetworkID, address: Address, authorization: String) {
        self.id = id
        self.address = address
        self.authorization = authorization
        mac = id.mac(of: address)
        active = NetworkConfig(network: id, issuedTo: address, timestamp: 0)
    }

    var config: NetworkConfig? { isConfigured ? active : nil }

    // MARK: State

    var status: NetworkStatus {
        if hasPortError { return .portError }
        if let failure { return failure }
        return config == nil ? .requestingConfiguration : .ok
    }

    func snapshot(_ slot: SlotID) -> NetworkSnapshot {
        NetworkSnapshot(
            slot: slot, id: id, mac: mac, status: status, isPrivate: !(config?.isPublic ?? false),
            name: config?.name ?? "", mtu: config?.mtu ?? ProtocolLimits.virtualMTU,
            revision: config?.revision ?? 0, isBridge: isActiveBridge,
            broadcastEnabled: config?.broadcastEnabled ?? false,
            multicastLimit: Int(clamping: config?.multicastLimit ?? 0), addresses: config?.addresses ?? [],
            routes: config?.routes ?? [], dns: config?.dns ?? NetworkDNS(), multicastSubscriptions: allGroups(),
            singleSignOn: failure == .authenticationRequired ? failureInfo : nil)
    }

    /// Whether the configuration in force came after something was asked.
    func wasConfigured(since asked: MonotonicInstant) -> Bool { configTime.map { $0 >= asked } ?? false }

    /// Notes that the controller refused. The configuration before stays in force.
    mutating func fail(_ status: NetworkStatus, info: SingleSignOn? = nil, _ shared: inout EthernetShared) {
        mustAsk = false
        let changed = failure != status || failureInfo != info
        failure = status
        failureInfo = info
        if changed { shared.emit(.statusChanged(network: slot, id: id, self.status)) }
    }

    // MARK: Configuration

    /// When there is a configuration to ask for or a group to announce: in the past when it is due. Announcements to single
    /// members wait for one of these: both come every minute.
    func nextWant() -> MonotonicInstant {
        guard config != nil, !mustAsk, failure == nil, let configTime, let lastAnnouncement else { return .zero }
        return min(
            configTime + ProtocolLimits.networkConfigRefresh, lastAnnouncement + ProtocolLimits.multicastLikeAnnounce)
    }

    /// Asks for a configuration when none is there or the last one is a minute old; makes one for an ad-hoc network.
    mutating func requestConfigurationIfDue(_ shared: inout EthernetShared, _ now: Now) {
        // Who was refused asks as often as who has nothing yet.
        if config != nil, let configTime, !mustAsk, failure == nil,
            now.monotonic - configTime < ProtocolLimits.networkConfigRefresh
        {
            return
        }
        if id.isAdHoc {
            guard AdHocNetwork(id) != nil else { return }
            let timestamp = UInt64(clamping: now.unixMilliseconds)
            if let made = AdHocNetwork.configuration(id, member: address, timestamp: timestamp) {
                apply(made, origin: .derived, &shared, now)
            } else {
                fail(.notFound, &shared)
            }
            return
        }
        let metadata = requestMetadata(shared.configuration)
        if id.controller == address {
            if shared.configuration.hasController {
                shared.emit(.localConfigurationRequest(network: slot, id: id, metadata: metadata))
            } else {
                fail(.notFound, &shared)
            }
            return
        }
        let request = NetworkConfigRequest(
            network: id, metadata: metadata, revision: config?.revision ?? 0, timestamp: config?.timestamp ?? 0)
        shared.send(.networkConfigRequest, request.encoded, to: id.controller)
    }

    private func requestMetadata(_ configuration: EthernetConfiguration) -> [UInt8] {
        var metadata = RequestMetadata()
        metadata.majorVersion = UInt64(configuration.version.major)
        metadata.minorVersion = UInt64(configuration.version.minor)
        metadata.revision = UInt64(configuration.version.revision)
        metadata.platform = configuration.platform
        metadata.authorization = authorization
        return metadata.dictionary.encoded
    }

    /// Takes a configuration into force; false if it is not for this member of this network.
    @discardableResult
    mutating func apply(
        _ new: NetworkConfig, origin: Origin, _ shared: inout EthernetShared, _ now: Now
    ) -> Bool {
        guard new.network == id, new.issuedTo == address else { return false }
        if let config, config == new { return true }
        let old = config
        let oldStatus = status
        active = new
        isConfigured = true
        configSequence += 1
        configTime = origin == .disk ? nil : now.monotonic
        mustAsk = false
        failure = nil
        failureInfo = nil
        derive(new)
        // Whatever else is new, rules that stay keep their account.
        if old?.rules != new.rules { ledger.reset(baseRules: new.rules.count) }
        shared.invalidateFlows()
        if status != oldStatus { shared.emit(.statusChanged(network: slot, id: id, status)) }
        if old.map({ !VirtualNetwork.looksAlike($0, new) }) ?? true {
            shared.emit(.configurationChanged(network: slot, id: id))
        }
        if origin == .controller { shared.emit(.storeConfiguration(id: id, new.encoded)) }
        announceNewGroups(since: old, &shared, now)
        if let old, VirtualNetwork.provesMore(new, than: old) {
            pushToKnownMembers(&shared, now)
            proofRounds = EthernetLimits.proofRounds
        }
        return true
    }

    /// Whether a configuration is older than the one in force: by more than credentials may differ, if the controller itself
    /// sent it. If another did, any age counts: it may have kept it.
    func isOutdated(_ new: NetworkConfig, from source: Address) -> Bool {
        guard let config, configTime != nil, config.timestamp > new.timestamp else { return false }
        return source != id.controller || config.timestamp - new.timestamp > max(config.credentialWindow, 1)
    }

    private mutating func derive(_ config: NetworkConfig) {
        activeBridges = config.specialists.filter(\.isActiveBridge).map(\.address)
        replicators = config.specialists.filter(\.isReplicator).map(\.address)
        isActiveBridge = activeBridges.contains(address)
        baseTable = config.rules.map(RuleStep.init)
        capabilityTables = config.capabilities.map { $0.rules.map(RuleStep.init) }
        hasFlowRules = VirtualNetwork.isFunctionOfFlow(config.rules)
        hasFlowCapabilities = config.capabilities.allSatisfy { VirtualNetwork.isFunctionOfFlow($0.rules) }
        if config.multicastLimit == 0 { senders = [:] }
    }

    /// Whether a table's verdict depends on nothing but what `RuleFlow` holds, and has no side effects.
    static func isFunctionOfFlow(_ rules: [Rule]) -> Bool {
        rules.allSatisfy { rule in
            switch rule.kind {
            case .tee, .watch, .redirect, .random, .integerRange, .frameSize: false
            default: true
            }
        }
    }

    // Whether the interface and its user see no difference between the two.
    private static func looksAlike(_ old: NetworkConfig, _ new: NetworkConfig) -> Bool {
        old.addresses == new.addresses && old.routes == new.routes && old.mtu == new.mtu && old.name == new.name
            && old.dns == new.dns && old.flags == new.flags && old.isPublic == new.isPublic
            && old.multicastLimit == new.multicastLimit && old.specialists == new.specialists
            && old.revision == new.revision && old.singleSignOn == new.singleSignOn
    }

    // Whether the credentials say something else, beyond a newer time.
    private static func provesMore(_ new: NetworkConfig, than old: NetworkConfig) -> Bool {
        new.tags.map { [$0.id, $0.value] } != old.tags.map { [$0.id, $0.value] }
            || new.capabilities.map(\.id) != old.capabilities.map(\.id)
            || new.capabilities.map(\.rules) != old.capabilities.map(\.rules)
            || new.ownerships.map(\.things) != old.ownerships.map(\.things)
    }

    // MARK: Members

    /// Makes sure there is an entry for a member, and that entries do not grow without bound.
    mutating func touch(_ peer: Address, _ shared: inout EthernetShared, _ now: Now) {
        if noteUse(of: peer, now) { return }
        if members.count >= max(1, shared.configuration.membersPerNetwork) { evictMember() }
        var member = Member()
        member.fingerprintWords = shared.identity(of: peer).map { Membership.fingerprintWords($0.fingerprint) }
        members[peer] = member
        memberUses[peer] = now.monotonic
    }

    // Notes that a member is in use; false if there is no entry.
    private mutating func noteUse(of peer: Address, _ now: Now) -> Bool {
        guard memberUses[peer] != nil else { return false }
        memberUses[peer] = now.monotonic
        return true
    }

    private mutating func removeMember(_ peer: Address) {
        members[peer] = nil
        memberUses[peer] = nil
    }

    // Of those with whom least is lost, the one that was used longest ago.
    private mutating func evictMember() {
        let config = config
        var victim: (worth: Member.Worth, use: MonotonicInstant, address: Address)?
        for (address, use) in memberUses {
            let worth = members[address]?.worth(config) ?? .nothing
            if let best = victim, (best.worth, best.use, best.address) < (worth, use, address) { continue }
            victim = (worth, use, address)
        }
        if let victim { removeMember(victim.address) }
    }

    mutating func noteIdentity(_ identity: Identity) {
        guard members[identity.address] != nil else { return }
        members[identity.address]?.fingerprintWords = Membership.fingerprintWords(identity.fingerprint)
    }

    mutating func forget(_ peer: Address) {
        guard let member = members[peer] else { return }
        if member.mustBeRemembered(config) {
            members[peer]?.forgetProofs()
        } else {
            removeMember(peer)
        }
        bridges.remove(peer)
    }

    /// Whether a peer may take part in this network. Announces our groups to it when it does and it is time.
    mutating func gate(_ peer: Address, _ shared: inout EthernetShared, _ now: Now) -> Bool {
        guard isConfigured else { return false }
        if !active.isPublic {
            switch members[peer]?.standing(under: active) {
            case .admitted: break
            case .refused, nil: return false
            case .lacksIdentity:
                shared.want(peer)
                return false
            }
        }
        touch(peer, &shared, now)
        announceToMemberIfDue(peer, &shared, now)
        return true
    }

    /// Whether a peer would perhaps pass the gate if its identity were known.
    func lacksIdentity(of peer: Address) -> Bool {
        isConfigured && members[peer]?.standing(under: active) == .lacksIdentity
    }

    /// The gate without any effect.
    func isAllowed(_ peer: Address) -> Bool {
        isConfigured && (active.isPublic || members[peer]?.standing(under: active) == .admitted)
    }

    /// Forgets what expired.
    mutating func expire(_ shared: inout EthernetShared, _ now: Now) {
        bridgedGroups = bridgedGroups.filter { $0.value > now.monotonic }
        expireSenders(now)
        passedPieces.expire(now.monotonic)
        guard let config else { return }
        for peer in members.keys.sorted() {
            guard var member = members.removeValue(forKey: peer) else { continue }
            member.expire(config)
            let isIdle = memberUses[peer].map { now.monotonic - $0 > EthernetLimits.memberIdle } ?? true
            if !isIdle || member.mustBeRemembered(config) { members[peer] = member } else { memberUses[peer] = nil }
        }
        shared.invalidateFlows()
    }

    // MARK: Pushing credentials

    /// Shows a member our credentials, if it has not seen those of this configuration or that is long ago; notes that
    /// the member is in use. Returns when they were shown last.
    @discardableResult
    mutating func pushCredentialsIfDue(
        to peer: Address, _ shared: inout EthernetShared, _ now: Now
    ) -> MonotonicInstant {
        if noteUse(of: peer, now), members[peer]?.pushedConfiguration == configSequence,
            let last = members[peer]?.lastPush, now.monotonic - last <= shared.configuration.credentialPush
        {
            return last
        }
        pushCredentials(to: peer, &shared, now)
        return now.monotonic
    }

    /// Shows a member our credentials.
    mutating func pushCredentials(to peer: Address, _ shared: inout EthernetShared, _ now: Now) {
        guard let config, peer != address else { return }
        touch(peer, &shared, now)
        members[peer]?.lastPush = now.monotonic
        members[peer]?.pushedConfiguration = configSequence
        var credentials = NetworkCredentials()
        if let membership = config.membership { credentials.memberships = [membership] }
        credentials.capabilities = config.capabilities
        credentials.tags = config.tags
        credentials.ownerships = config.ownerships
        for packet in credentials.packets() { shared.send(.networkCredentials, packet.encoded, to: peer) }
    }

    /// One more round of what known members were shown. They may have had no eye for it, or never had it.
    mutating func proveAgain(_ shared: inout EthernetShared, _ now: Now) {
        guard proofRounds > 0 else { return }
        proofRounds -= 1
        for peer in members.keys.sorted() where members[peer]?.lastPush != nil {
            pushCredentials(to: peer, &shared, now)
        }
    }

    // Without this, members whose rules refuse each other by old tags would never learn of the new ones.
    private mutating func pushToKnownMembers(_ shared: inout EthernetShared, _ now: Now) {
        for peer in members.keys.sorted() where members[peer]?.lastPush != nil {
            pushCredentialsIfDue(to: peer, &shared, now)
        }
    }
}
