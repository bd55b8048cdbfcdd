//  Sending to a multicast group: one unicast copy per subscriber, up to the network's limit. Subscribers are known from
//  MULTICAST_LIKE or asked for by MULTICAST_GATHER; a frame waits some seconds for those found late.
//  Read first: zerotier/ZeroTierOne node/Multicaster.hpp, node/OutboundMulticast.hpp (facts only).

import NetPrimitives
import ZeroTierWire

/// The state of a group to which frames are sent.
struct MulticastSender: Sendable {
    /// A frame that is not with all the subscribers it may go to.
    struct Pending: Sendable {
        let frame: MulticastCopy
        var sent: Set<Address>
        let limit: Int
        let expires: MonotonicInstant
    }

    var lastGather: MonotonicInstant?
    var pending: [Pending] = []
    var lastUse: MonotonicInstant
}

/// A multicast frame as it is copied to subscribers.
struct MulticastCopy: Sendable {
    /// Whose frame it is when we replicate for another; nil for our own.
    let origin: Address?
    let group: MulticastGroup
    let sourceMAC: MACAddress
    let etherType: UInt16
    let data: [UInt8]
    /// The packet's payload, the same for all copies.
    let payload: [UInt8]
}

extension VirtualNetwork {
    // MARK: Sending

    /// Sends a frame to a group: to a replicator, or to subscribers and bridges. `sourceMAC` differs from our own for
    /// stations behind us, and for frames that we replicate.
    mutating func sendMulticast(
        origin: Address?, to group: MulticastGroup, sourceMAC: MACAddress, etherType: UInt16, data: [UInt8],
        _ shared: inout EthernetShared, _ now: Now
    ) {
        guard let config else { return }
        if let replicator = chooseReplicator(shared) {
            let frame = MulticastFrame(
                network: id, source: sourceMAC, isToBeReplicated: true, group: group, etherType: etherType, data: data)
            pushCredentialsIfDue(to: replicator, &shared, now)
            shared.send(.multicastFrame, frame.encoded, to: replicator, compress: config.compresses)
            return
        }
        // A controller's "no limit" is the largest number there is.
        let limit = min(Int(clamping: config.multicastLimit), EthernetLimits.multicastRecipients)
        var subscribers = shared.groups.sample(
            id, group, limit: limit, except: address, random: &shared.random, now.monotonic)
        subscribers.removeAll { $0 == origin }
        let isComplete = subscribers.count >= limit
        let gatherLimit = isComplete ? 1 : UInt32(clamping: limit - subscribers.count + 1)
        let frame = MulticastFrame(
            network: id, gatherLimit: gatherLimit, source: sourceMAC == mac ? nil : sourceMAC, group: group,
            etherType: etherType, data: data)
        let copy = MulticastCopy(
            origin: origin, group: group, sourceMAC: sourceMAC, etherType: etherType, data: data,
            payload: frame.encoded)
        var targets = activeBridges.filter { $0 != address && $0 != origin }
        targets.append(contentsOf: subscribers.filter { !activeBridges.contains($0) })
        if !isComplete { gatherIfDue(group, limit: gatherLimit, isUnknown: subscribers.isEmpty, &shared, now) }
        var sent: Set<Address> = []
        for target in targets where sent.count < limit {
            if send(copy, to: target, &shared, now) { sent.insert(target) }
        }
        if !isComplete { enqueue(copy, sent: sent, limit: limit, now) }
    }

    // A replicator copies for us, unless we are one, or a bridge, whose frames come from many MACs.
    private func chooseReplicator(_ shared: EthernetShared) -> Address? {
        guard !replicators.isEmpty, !isActiveBridge, !replicators.contains(address) else { return nil }
        var best: (latency: Duration, address: Address)?
        for candidate in replicators {
            guard let latency = shared.latencies[candidate] else { continue }
            if let best, best.latency <= latency { continue }
            best = (latency, candidate)
        }
        return best?.address
    }

    /// Sends one copy, if the rules let it go to that member.
    private mutating func send(
        _ copy: MulticastCopy, to target: Address, _ shared: inout EthernetShared, _ now: Now
    ) -> Bool {
        guard let config, target != address, target != copy.origin else { return false }
        let facts = FrameFacts(
            isInbound: false, source: address, destination: target, sourceMAC: copy.sourceMAC,
            destinationMAC: copy.group.mac, etherType: copy.etherType, length: copy.data.count)
        guard filterOutgoing(facts, copy.data, observed: false, &shared, now) else { return false }
        // A root's word that a node is a subscriber does not make it a member. The node is asked for its credentials. Before
        // it shows them it gets neither the frame nor our credentials; the frame waits.
        guard isAllowed(target) || activeBridges.contains(target) else {
            askForCredentials(target, &shared, now)
            return false
        }
        pushCredentialsIfDue(to: target, &shared, now)
        shared.send(.multicastFrame, copy.payload, to: target, compress: config.compresses)
        return true
    }

    // MARK: Waiting for subscribers

    private mutating func enqueue(_ copy: MulticastCopy, sent: Set<Address>, limit: Int, _ now: Now) {
        var sender = senders[copy.group] ?? makeSender(now)
        sender.lastUse = now.monotonic
        sender.pending.removeAll { $0.expires <= now.monotonic }
        if sender.pending.count >= ProtocolLimits.multicastQueue { sender.pending.removeFirst() }
        sender.pending.append(
            MulticastSender.Pending(
                frame: copy, sent: sent, limit: limit,
                expires: now.monotonic + ProtocolLimits.multicastTransmitTimeout))
        senders[copy.group] = sender
    }

    // The group that was used longest ago makes room.
    private mutating func makeSender(_ now: Now) -> MulticastSender {
        if senders.count >= EthernetLimits.multicastSenders {
            var oldest: (use: MonotonicInstant, group: MulticastGroup)?
            for (group, sender) in senders {
                if let best = oldest, (best.use, best.group) < (sender.lastUse, group) { continue }
                oldest = (sender.lastUse, group)
            }
            if let oldest { senders[oldest.group] = nil }
        }
        return MulticastSender(lastGather: nil, lastUse: now.monotonic)
    }

    private func askForCredentials(_ target: Address, _ shared: inout EthernetShared, _ now: Now) {
        if lacksIdentity(of: target) { return shared.want(target) }
        guard
            shared.pass(.credentialRequest(target, id), EthernetLimits.credentialRequestInterval, now)
        else { return }
        // About no packet in particular: the one asked looks only at the network.
        shared.sendError(.multicastFrame, PacketID(0), .needMembershipCertificate(id), to: target)
    }

    /// A subscriber proved to be a member: sends it the frames that wait for its groups.
    mutating func flushPending(toMember member: Address, _ shared: inout EthernetShared, _ now: Now) {
        guard isAllowed(member) else { return }
        for group in senders.keys.sorted() where shared.groups.contains(member, in: group, of: id) {
            flushPending(group, to: [member], &shared, now)
        }
    }

    /// Sends the frames that wait for a group to subscribers that became known.
    mutating func flushPending(
        _ group: MulticastGroup, to newcomers: [Address], _ shared: inout EthernetShared, _ now: Now
    ) {
        guard !newcomers.isEmpty, var sender = senders[group], !sender.pending.isEmpty else { return }
        sender.pending.removeAll { $0.expires <= now.monotonic }
        for index in sender.pending.indices {
            for newcomer in newcomers
            where sender.pending[index].sent.count < sender.pending[index].limit
                && !sender.pending[index].sent.contains(newcomer)
            {
                if send(sender.pending[index].frame, to: newcomer, &shared, now) {
                    sender.pending[index].sent.insert(newcomer)
                }
            }
        }
        sender.pending.removeAll { $0.sent.count >= $0.limit }
        senders[group] = sender
    }

    /// Forgets groups that nothing was sent to for as long as a gather counts.
    mutating func expireSenders(_ now: Now) {
        senders = senders.filter { now.monotonic - $0.value.lastUse < ProtocolLimits.multicastExplicitGather }
    }

    // MARK: Asking

    // Nobody known: ask for every frame, until someone is. Otherwise once a minute.
    private mutating func gatherIfDue(
        _ group: MulticastGroup, limit: UInt32, isUnknown: Bool, _ shared: inout EthernetShared, _ now: Now
    ) {
        var sender = senders[group] ?? makeSender(now)
        sender.lastUse = now.monotonic
        defer { senders[group] = sender }
        if !isUnknown, let last = sender.lastGather,
            now.monotonic - last < ProtocolLimits.multicastExplicitGather
        {
            return
        }
        // The best root had its chance: it may be gone, or know less than another one.
        let isAgain = isUnknown && sender.lastGather != nil
        sender.lastGather = now.monotonic
        let gather = MulticastGather(network: id, group: group, limit: limit, membership: config?.membership).encoded
        for target in gatherTargets(ofAllRoots: isAgain, &shared) {
            shared.send(.multicastGather, gather, to: target, compress: false)
        }
    }

    private func gatherTargets(ofAllRoots isWide: Bool, _ shared: inout EthernetShared) -> [Address] {
        var targets = Array(shared.upstreams.prefix(1))
        if !id.isAdHoc { targets.append(id.controller) }
        var contacts = config?.alwaysContact ?? []
        for index in contacts.indices.dropLast() {
            contacts.swapAt(index, index + shared.random.next(below: contacts.count - index))
        }
        targets.append(contentsOf: contacts)
        if isWide { targets.append(contentsOf: shared.upstreams) }
        var seen: Set<Address> = [address]
        return Array(targets.filter { seen.insert($0).inserted }.prefix(ProtocolLimits.gatherTargets))
    }

    /// Whether a frame that went to that member waits for more of its group.
    func waitsForMore(_ group: MulticastGroup, toldBy member: Address) -> Bool {
        senders[group]?.pending.contains { $0.sent.contains(member) } ?? false
    }

    /// Whether that node may have been asked who is in a group: it answers gathers, and the group is being sought.
    func hasAsked(_ node: Address, about group: MulticastGroup, _ shared: EthernetShared) -> Bool {
        guard senders[group] != nil else { return false }
        return shared.upstreams.contains(node) || (!id.isAdHoc && node == id.controller)
            || config?.alwaysContact.contains(node) ?? false
    }

    /// Takes members of a group that another node knows, as many as may be asked for at one time: all are looked up and asked for
    /// their credentials, whoever invented them.
    mutating func addGathered(
        _ result: GatherResult, _ group: MulticastGroup, _ shared: inout EthernetShared, _ now: Now
    ) {
        guard let config else { return }
        let limit = min(Int(clamping: config.multicastLimit), EthernetLimits.multicastRecipients) + 1
        var newcomers: [Address] = []
        for member in result.members.prefix(limit) where member != address && !member.isReserved {
            let added = shared.groups.add(member, to: group, of: id, now.monotonic)
            shared.countLike(added)
            if added != .refreshed { newcomers.append(member) }
        }
        flushPending(group, to: newcomers, &shared, now)
    }

    // MARK: Announcing

    /// All groups that this member wants frames of, sorted.
    func allGroups() -> [MulticastGroup] {
        var groups = Set(subscriptions)
        groups.formUnion(bridgedGroups.keys)
        for own in config?.addresses ?? [] { groups.insert(.resolution(of: own.address)) }
        if config?.broadcastEnabled == true { groups.insert(.broadcast) }
        return groups.sorted()
    }

    /// Whether this member wants frames of a group.
    func wants(_ group: MulticastGroup) -> Bool {
        if bridgedGroups[group] != nil || subscriptions.contains(group) { return true }
        guard let config else { return false }
        if group == .broadcast, config.broadcastEnabled { return true }
        return config.addresses.contains { MulticastGroup.resolution(of: $0.address) == group }
    }

    /// The nodes that are told of groups even if they are no members: those that answer gathers.
    private func announceTargets(_ shared: EthernetShared) -> [Address] {
        var targets = config?.alwaysContact ?? []
        if !id.isAdHoc { targets.append(id.controller) }
        targets.append(contentsOf: shared.upstreams)
        var seen: Set<Address> = [address]
        return targets.filter { seen.insert($0).inserted }
    }

    private func sendLikes(_ groups: [MulticastGroup], to targets: [Address], _ shared: inout EthernetShared) {
        guard !groups.isEmpty, !targets.isEmpty else { return }
        var start = 0
        while start < groups.count {
            let end = min(groups.count, start + ProtocolLimits.likeRecordsPerPacket)
            let records = groups[start..<end].map { MulticastLike.Record(network: id, group: $0) }
            let payload = MulticastLike(records).encoded
            for target in targets { shared.send(.multicastLike, payload, to: target) }
            start = end
        }
    }

    /// Once a minute: all groups to those who answer gathers, and to members in use.
    mutating func announceIfDue(_ shared: inout EthernetShared, _ now: Now) {
        guard config != nil else { return }
        if lastAnnouncement.map({ now.monotonic - $0 >= ProtocolLimits.multicastLikeAnnounce }) ?? true {
            lastAnnouncement = now.monotonic
            sendLikes(allGroups(), to: announceTargets(shared), &shared)
        }
        for peer in announcedMembers(shared, now) { announceToMemberIfDue(peer, &shared, now) }
    }

    // Members in use that pass the gate, in order of address.
    private func announcedMembers(_ shared: EthernetShared, _ now: Now) -> [Address] {
        let targets = Set(announceTargets(shared))
        return members.keys.sorted().filter { peer in
            guard !targets.contains(peer), peer != address, isAllowed(peer), let use = memberUses[peer] else {
                return false
            }
            return now.monotonic - use < ProtocolLimits.multicastLikeExpire
        }
    }

    mutating func announceToMemberIfDue(_ peer: Address, _ shared: inout EthernetShared, _ now: Now) {
        if let last = members[peer]?.lastAnnouncement,
            now.monotonic - last < ProtocolLimits.multicastLikeAnnounce
        {
            return
        }
        members[peer]?.lastAnnouncement = now.monotonic
        sendLikes(allGroups(), to: [peer], &shared)
    }

    /// Tells everyone of new groups.
    mutating func announce(_ groups: [MulticastGroup], _ shared: inout EthernetShared, _ now: Now) {
        guard config != nil, !groups.isEmpty else { return }
        sendLikes(groups, to: announceTargets(shared) + announcedMembers(shared, now), &shared)
    }

    /// After a new configuration: groups that its addresses brought; all if it is the first.
    mutating func announceNewGroups(since old: NetworkConfig?, _ shared: inout EthernetShared, _ now: Now) {
        guard let old, let config else {
            announceIfDue(&shared, now)
            return
        }
        var known = Set(old.addresses.map { MulticastGroup.resolution(of: $0.address) })
        known.formUnion(subscriptions)
        if old.broadcastEnabled { known.insert(.broadcast) }
        var fresh: [MulticastGroup] = []
        for own in config.addresses {
            let group = MulticastGroup.resolution(of: own.address)
            if known.insert(group).inserted { fresh.append(group) }
        }
        if config.broadcastEnabled, known.insert(.broadcast).inserted { fresh.append(.broadcast) }
        announce(fresh.sorted(), &shared, now)
    }

    /// Adds groups that the host wants; false if there are too many.
    mutating func subscribe(_ groups: [MulticastGroup], _ shared: inout EthernetShared, _ now: Now) -> Bool {
        var fresh: [MulticastGroup] = []
        for group in groups where !subscriptions.contains(group) {
            guard subscriptions.count < EthernetLimits.subscriptions else { break }
            if !wants(group) { fresh.append(group) }
            subscriptions.append(group)
        }
        subscriptions.sort()
        announce(fresh.sorted(), &shared, now)
        return groups.allSatisfy { subscriptions.contains($0) }
    }

    /// Remembers that something behind this bridge uses a group.
    mutating func noteBridgedGroup(_ group: MulticastGroup, _ shared: inout EthernetShared, _ now: Now) {
        let isNew = !wants(group)
        if bridgedGroups[group] == nil, bridgedGroups.count >= EthernetLimits.bridgedGroups {
            bridgedGroups = bridgedGroups.filter { $0.value > now.monotonic }
            guard bridgedGroups.count < EthernetLimits.bridgedGroups else { return }
        }
        bridgedGroups[group] = now.monotonic + EthernetLimits.bridgedGroupLife
        if isNew { announce([group], &shared, now) }
    }
}

extension EthernetShared {
    /// Counts a record for which another had to go.
    mutating func countLike(_ added: MulticastGroups.Added) {
        switch added {
        case .refreshed, .new: break
        case .newOverPeerLimit: count(.likeLimitPerPeer)
        case .newOverTotalLimit: count(.likeLimitTotal)
        }
    }
}
