//  The Ethernet layer (VL2): which frames of which virtual networks go to whom and come from whom.
//  Read first: Docs/architecture.md; zerotier/ZeroTierOne node/Network.hpp, node/Switch.hpp (facts only).
//
//  In   join, leave, subscribe            Out  nextPacket      packets for peers
//       route, sendFrame                       nextLocalFrame  frames for the local stack
//       admit, receive, receiveReply           nextEvent       status, configurations, wishes
//       learn, handleDeadlines                 nextDeadline
//
//  Sans-I/O: time comes as a parameter, randomness at construction. One owner; nothing is kept of a span.

package import NetPrimitives
package import ZeroTierWire

/// The Ethernet machine of one node, for all its networks.
package struct EthernetEngine: ~Copyable {
    private let inPlace = InPlace()
    enum Timer: Hashable, Sendable {
        /// Ask for a configuration, announce groups.
        case network(SlotID)
        /// Show what a configuration proves of us once more.
        case proofs(SlotID)
        /// Ask senders of waiting packets for credentials; give packets up.
        case waiting
        /// Forget what expired.
        case housekeeping
    }

    var shared: EthernetShared
    var networks = SlotTable<VirtualNetwork>()
    var slots: [NetworkID: SlotID] = [:]
    var waiting = WaitingPackets()
    var deadlines = DeadlineQueue<Timer>()
    /// Where the rounds of all networks meet: they may be late by up to a round.
    let rounds: WakeGrid
    var outboundFlows = FlowCache()
    var inboundFlows = FlowCache()
    var lastNetwork = LastNetwork()

    /// The network of the last frame in.
    struct LastNetwork: Sendable {
        var id: UInt64 = 0
        var slot = SlotID.none
        var mac = MACAddress(0)
    }

    package init(
        identity: Identity, configuration: EthernetConfiguration = EthernetConfiguration(), random: RandomSource,
        now: Now
    ) {
        shared = EthernetShared(identity: identity, configuration: configuration, random: random)
        rounds = WakeGrid(
            period: EthernetLimits.loopInterval, phase: ProtocolLimits.wakePhase(of: identity.address))
        deadlines.schedule(
            .housekeeping, at: rounds.next(atOrAfter: now.monotonic + EthernetLimits.housekeeping))
    }

    /// This node's address.
    package var address: Address { shared.address }

    // MARK: Networks

    /// Joins a network; joining again changes nothing but a new authorisation (`token:...`). `savedConfiguration` are the
    /// bytes of `networks.d/<id>.conf`, if there are any. Nil only when too many networks are joined.
    @discardableResult
    package mutating func join(
        _ id: NetworkID, savedConfiguration: [UInt8]? = nil, authorization: String = "", now: Now
    ) -> SlotID? {
        if let slot = slots[id] {
            if !authorization.isEmpty {
                networks[slot].authorization = authorization
                networks[slot].mustAsk = true
                runNetwork(slot, now)
            }
            return slot
        }
        guard networks.count < EthernetLimits.networks else { return nil }
        let slot = networks.insert(VirtualNetwork(id: id, address: shared.address, authorization: authorization))
        slots[id] = slot
        networks[slot].slot = slot
        if !id.isAdHoc, id.controller != shared.address { shared.want(id.controller) }
        var isRestored = false
        if let bytes = savedConfiguration, bytes.count > 1, let config = try? NetworkConfig(decoding: bytes) {
            isRestored = networks[slot].apply(config, origin: .disk, &shared, now)
        }
        if !isRestored, savedConfiguration == nil || savedConfiguration?.isEmpty == true {
            shared.emit(.storeConfiguration(id: id, [0x0a]))
        }
        shared.emit(.statusChanged(network: slot, id: id, networks[slot].status))
        runNetwork(slot, now)
        return slot
    }

    /// Leaves a network and forgets all of it.
    package mutating func leave(_ id: NetworkID) {
        guard let slot = slots.removeValue(forKey: id) else { return }
        _ = networks.remove(slot)
        lastNetwork = LastNetwork()
        deadlines.cancel(.network(slot))
        waiting.removeAll { $0.network == id }
        shared.invalidateFlows()
        shared.emit(.deleteConfiguration(id: id))
    }

    /// The slot of a joined network.
    package func slot(of id: NetworkID) -> SlotID? { slots[id] }

    /// All joined networks in slot order.
    package var joined: [SlotID] { networks.ids }

    /// Frames of a network by what its rules said; nil if it was left.
    package func frames(of slot: SlotID) -> FrameCounters? {
        networks.contains(slot) ? networks[slot].frames : nil
    }

    /// Everything the outside may know of a network; nil if the slot's network was left.
    package func snapshot(of slot: SlotID) -> NetworkSnapshot? {
        networks.contains(slot) ? networks[slot].snapshot(slot) : nil
    }

    /// The configuration in force.
    package func configuration(of slot: SlotID) -> NetworkConfig? {
        networks.contains(slot) ? networks[slot].config : nil
    }

    /// Members of a network that showed or used something lately, in order of address.
    package func members(of slot: SlotID) -> [Address] {
        networks.contains(slot) ? networks[slot].members.keys.sorted() : []
    }

    /// Says that the interface of a network cannot be used (or can again); wins over every other status.
    package mutating func setPortError(_ isBroken: Bool, network slot: SlotID) {
        guard networks.contains(slot), networks[slot].hasPortError != isBroken else { return }
        networks[slot].hasPortError = isBroken
        shared.emit(.statusChanged(network: slot, id: networks[slot].id, networks[slot].status))
    }

    // MARK: Surroundings

    /// The roots and moons, the best first; and whether this node is one of them, which makes it serve MULTICAST_LIKE and
    /// MULTICAST_GATHER to everyone.
    package mutating func setUpstreams(_ upstreams: [Address], isUpstream: Bool) {
        let others = upstreams.filter { $0 != shared.address }
        if !Set(others).isSubset(of: shared.upstreams) {
            // New ones have not heard of our groups: tell all at once.
            for slot in networks.ids {
                networks[slot].lastAnnouncement = nil
                deadlines.schedule(.network(slot), at: .zero)
            }
        }
        shared.upstreams = others
        shared.isUpstream = isUpstream
    }

    /// Says whether this node has a controller: its own networks ask it.
    package mutating func setController(_ isThere: Bool, now: Now) {
        guard shared.configuration.hasController != isThere else { return }
        shared.configuration.hasController = isThere
        for slot in networks.ids where networks[slot].id.controller == shared.address { runNetwork(slot, now) }
    }

    /// Says that the node came online: requests and announcements sent before may be lost and are sent again now.
    package mutating func resume(now: Now) {
        for slot in networks.ids {
            networks[slot].lastAnnouncement = nil
            runNetwork(slot, now)
        }
    }

    /// Whether a configuration names a node as one that replicates multicasts for others. It is announced to every minute, so there
    /// is a path to it; the owner reports that by `noteReachability`.
    package func isReplicator(_ address: Address) -> Bool {
        var result = false
        networks.forEachID { slot in result = result || networks[slot].replicators.contains(address) }
        return result
    }

    /// The replicators of a network.
    package func replicators(of network: SlotID) -> [Address] {
        networks.contains(network) ? networks[network].replicators : []
    }

    /// Latency to a replicator; nil when there is no live path of its own.
    package mutating func noteReachability(of address: Address, latency: Duration?) {
        shared.latencies[address] = latency
        if shared.latencies.count > EthernetLimits.gates { shared.latencies = [address: latency ?? .zero] }
    }

    /// Whether a node is the controller of a network joined.
    package func isController(_ address: Address) -> Bool { slots.keys.contains { $0.controller == address } }

    /// Gives an identity that was wanted, or may be. Packets that waited for it are tried again.
    package mutating func learn(_ identity: Identity, now: Now) {
        guard identity.address != shared.address else { return }
        let controllers = Set(slots.keys.map(\.controller))
        let known = shared.identity(of: identity.address)
        guard shared.learn(identity, keeping: controllers) else { return }
        // Facts about the holder of another key do not hold for this one.
        if known != nil { forget(identity.address) }
        for slot in networks.ids {
            networks[slot].noteIdentity(identity)
            networks[slot].flushPending(toMember: identity.address, &shared, now)
        }
        retryWaiting(of: nil, identity: identity.address, now)
    }

    /// Forgets a peer that the peer engine dropped, except for facts that must not be forgotten.
    package mutating func forget(_ peer: Address) {
        for slot in networks.ids { networks[slot].forget(peer) }
        waiting.removeAll { $0.source == peer }
        shared.invalidateFlows()
    }

    // MARK: Out

    /// The next packet for a peer.
    package mutating func nextPacket() -> EthernetPacket? { shared.packets.popFirst() }
    /// How many packets wait.
    package var packetCount: Int { shared.packets.count }
    /// The next frame for the local stack.
    package mutating func nextLocalFrame() -> LocalFrame? { shared.localFrames.popFirst() }
    /// What happened.
    package mutating func nextEvent() -> EthernetEvent? { shared.events.popFirst() }
    /// How many frames and packets died of each cause.
    package func drops(_ reason: EthernetDrop) -> UInt64 { shared.drops[reason.rawValue] }
    /// Signatures checked because of what others sent.
    package var signatureCount: UInt64 { shared.signatures.count }
    /// MULTICAST_LIKE records held.
    package var likeCount: Int { shared.groups.count }

    // MARK: Time

    /// When `handleDeadlines` wants to be called.
    package mutating func nextDeadline() -> MonotonicInstant? { deadlines.next() }

    /// Does what is due.
    package mutating func handleDeadlines(now: Now) {
        while let timer = deadlines.popDue(now.monotonic) {
            switch timer {
            case .network(let slot):
                if networks.contains(slot) { runNetwork(slot, now) }
            case .proofs(let slot):
                if networks.contains(slot) { networks[slot].proveAgain(&shared, now) }
                scheduleProofs(slot, now)
            case .waiting: tickWaiting(now)
            case .housekeeping:
                shared.expire(now)
                for slot in networks.ids { networks[slot].expire(&shared, now) }
                // May fire late, by up to a round.
                deadlines.schedule(
                    .housekeeping, at: rounds.next(atOrAfter: now.monotonic + EthernetLimits.housekeeping))
            }
        }
    }

    /// Members look at one packet of credentials a second, and packets get lost: what is new is shown again.
    mutating func scheduleProofs(_ slot: SlotID, _ now: Now) {
        guard networks.contains(slot), networks[slot].proofRounds > 0 else { return }
        deadlines.schedule(.proofs(slot), at: now.monotonic + EthernetLimits.proofInterval)
    }

    /// One round of a network's loop: ask for a configuration, announce groups. A network without a configuration has its
    /// next round just after the interval; one that has all it wants, in the first round of all networks in which it wants
    /// something again.
    mutating func runNetwork(_ slot: SlotID, _ now: Now) {
        networks[slot].requestConfigurationIfDue(&shared, now)
        networks[slot].announceIfDue(&shared, now)
        let earliest = now.monotonic + EthernetLimits.loopInterval
        let wanted = networks[slot].nextWant()
        deadlines.schedule(.network(slot), at: wanted <= earliest ? earliest : rounds.next(atOrAfter: wanted))
    }
}
