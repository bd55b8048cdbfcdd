//  What leaves: configurations, refusals, and revocations of those who were let out.

import NetPrimitives
import ZeroTierWire

/// A packet of many.
struct Letter: Sendable {
    let destination: Address
    let verb: Verb
    let payload: [UInt8]
}

/// Revocations on their way to the members of a network: each goes several times, and a member gets one packet a second.
struct RevocationRounds: Sendable {
    struct Entry: Sendable {
        let network: NetworkID
        let revocation: Revocation
        let isForAll: Bool
        var rounds: Int
    }

    /// Somebody who is to be revoked.
    struct Wish: Sendable {
        let network: NetworkID
        let target: Address
        /// Not only those hear of it who are there: a controller that has just started knows of nobody.
        var isForAll = false
    }

    struct Return: Hashable, Sendable {
        let network: NetworkID
        let member: Address
    }

    var entries: [Entry] = []
    /// Who was there when its network was deleted.
    var departed: [NetworkID: [Address]] = [:]
    var lastRound: MonotonicInstant?
    private var wanted: [Wish] = []
    /// Members that were away, or no members, and have not heard what was revoked meanwhile; and how often they are told.
    private(set) var returned: [Return: Int] = [:]
    private static let returnLimit = 65_536

    mutating func want(_ wish: Wish) { wanted.append(wish) }

    /// The next one to be signed.
    mutating func nextWish() -> Wish? { wanted.isEmpty ? nil : wanted.removeFirst() }

    mutating func noteReturn(of member: Address, to network: NetworkID) {
        guard returned.count < RevocationRounds.returnLimit else { return }
        returned[Return(network: network, member: member)] = ControllerLimits.revocationRounds
    }

    /// Those of them who are told in this round, by network and address.
    mutating func takeReturned() -> [Return] {
        let due = returned.keys.sorted { ($0.network, $0.member) < ($1.network, $1.member) }
        returned = returned.compactMapValues { $0 > 1 ? $0 - 1 : nil }
        return due
    }
}

extension ControllerEngine {
    /// Does what follows from something that is durable now.
    mutating func perform(_ consequence: Consequence, _ now: Now) {
        switch consequence {
        case .answer(let ticket): emit(.answer(ticket, nil))
        case .event(let event): emit(.event(event))
        case .configure(let id, let member, let reply):
            if !unsigned.tryAppend(Unsigned(network: id, member: member, reply: reply)) { count(.signingBusy) }
        case .pushAll(let id):
            guard let slot = slots[id] else { return }
            for member in networks[slot].onlineMembers(now.monotonic) { push(to: member, of: id) }
        case .push(let id, let member): push(to: member, of: id)
        case .refuse(let id, let member, let reply): refuse(id, member, reply)
        case .revoke(let id, let member): revoke(member, on: id, now)
        case .remove(let id): remove(id, now)
        }
    }

    private mutating func push(to member: Address, of id: NetworkID) {
        if !pushes.append(PushQueue.Entry(network: id, member: member)) { count(.signingBusy) }
    }

    // MARK: Refusals

    /// The network does not exist.
    mutating func refuseUnknown(_ id: NetworkID, _ member: Address, _ reply: ConfigurationReply) {
        switch reply {
        case .request(let packet): sendError(.objectNotFound(id), packet, to: member)
        case .local: emit(.refuseSelf(id, .notFound))
        case .push: break
        }
    }

    /// The node is no member.
    mutating func refuse(_ id: NetworkID, _ member: Address, _ reply: ConfigurationReply) {
        switch reply {
        case .request(let packet): sendError(.networkAccessDenied(id), packet, to: member)
        case .local: emit(.refuseSelf(id, .accessDenied))
        case .push: break
        }
    }

    private mutating func sendError(_ reason: ErrorReply.Reason, _ packet: PacketID, to member: Address) {
        let reply = ErrorReply(inReplyTo: .networkConfigRequest, packetID: packet, reason: reason)
        emit(.send(.error, reply.encoded, to: member))
    }

    // MARK: Configurations

    /// What a member is to get, if it still is one, of what is durable.
    mutating func draft(_ next: Unsigned, _ now: Now) -> ConfigurationDraft? {
        guard let slot = slots[next.network], !networks[slot].isLeaving, isMember(next.member, slot),
            let network = network(next.network), let record = member(next.member, of: next.network),
            record.isAuthorized, let keys = record.identity
        else { return nil }
        var bridges = Set(networks[slot].activeBridges)
        for (member, durable) in ledger.durableDifferences(of: next.network) {
            if durable?.isActiveBridge == true { bridges.insert(member) } else { bridges.remove(member) }
        }
        return ConfigurationDraft(
            network, record, identity: Identity(address: next.member, publicKeys: keys),
            bridges: Array(bridges.sorted().prefix(ProtocolLimits.specialists)),
            knowsRules: networks[slot].presences[next.member]?.knowsRules ?? true, at: stamp(now),
            updateID: random.nextUInt64() | 1, isLocal: next.reply == .local)
    }

    // Whether a node is let in, in view of what is not durable yet too: who is being let out gets nothing more.
    private func isMember(_ member: Address, _ slot: SlotID) -> Bool {
        networks[slot].members[member]?.isAuthorized ?? false
    }

    mutating func deliver(
        _ signed: SignedConfiguration, to member: Address, of id: NetworkID, _ reply: ConfigurationReply, _ now: Now
    ) {
        guard let slot = slots[id], !networks[slot].isLeaving, isMember(member, slot) else { return }
        switch reply {
        case .local: emit(.configureSelf(signed.config))
        case .request(let packet):
            let header = OKHeader(inReplyTo: .networkConfigRequest, packetID: packet)
            for piece in signed.pieces { emit(.send(.ok, header.payload(piece), to: member)) }
        case .push: for piece in signed.pieces { emit(.send(.networkConfig, piece, to: member)) }
        }
        guard reply != .local else { return }
        emit(.authorise(member, id))
    }

    // MARK: Revocations

    // The member that was let out may ask at once, and hears why.
    private mutating func revoke(_ member: Address, on id: NetworkID, _ now: Now) {
        revocations.want(RevocationRounds.Wish(network: id, target: member))
        if member == address { emit(.refuseSelf(id, .accessDenied)) }
        guard let slot = slots[id], let presence = networks[slot].presences[member], presence.isOnline(now.monotonic)
        else { return }
        networks[slot].presences[member]?.gateOpens = .zero
        if member != address { sendError(.networkAccessDenied(id), presence.lastPacket, to: member) }
    }

    /// A revocation is signed: everybody who is there hears of it.
    mutating func announce(_ revocation: Revocation, _ wish: RevocationRounds.Wish, _ now: Now) {
        let id = wish.network
        if let slot = slots[id] {
            let life = Duration.milliseconds(Int64(clamping: networks[slot].record.credentialWindow))
            networks[slot].revocations.append(
                IssuedRevocation(revocation: revocation, expires: now.monotonic + life))
            if networks[slot].revocations.count > max(1, configuration.revocationsPerNetwork) {
                networks[slot].revocations.removeFirst()
            }
        }
        revocations.entries.append(
            RevocationRounds.Entry(
                network: id, revocation: revocation, isForAll: wish.isForAll,
                rounds: ControllerLimits.revocationRounds))
        let earliest = (revocations.lastRound ?? .zero) + ControllerLimits.revocationInterval
        guard revocations.lastRound != nil, now.monotonic < earliest else { return sendRevocations(now) }
        deadlines.schedule(.revocations, at: earliest)
    }

    /// One round: each member that is there gets what is on its way, as much as one packet holds.
    mutating func sendRevocations(_ now: Now) {
        revocations.lastRound = now.monotonic
        var known: [NetworkID: [Int]] = [:]
        for (index, entry) in revocations.entries.enumerated()
        where (known[entry.network]?.count ?? 0) < ControllerLimits.revocationsPerPacket {
            known[entry.network, default: []].append(index)
        }
        // A member of several networks gets all of theirs in one packet: it would not look at a second one.
        var recipients: [Address: [NetworkID]] = [:]
        for id in known.keys.sorted() {
            let entries = (known[id] ?? []).map { revocations.entries[$0] }
            let isForAll = entries.contains(where: \.isForAll)
            let targets = entries.map(\.revocation.target)
            for recipient in Set(self.recipients(of: id, isForAll: isForAll, now) + targets) {
                recipients[recipient, default: []].append(id)
            }
        }
        var missed: [Address: [Revocation]] = [:]
        for due in revocations.takeReturned() {
            guard let slot = slots[due.network] else { continue }
            missed[due.member, default: []] +=
                networks[slot].revocations.suffix(ControllerLimits.revocationsPerPacket).map(\.revocation)
        }
        var payloads: [[NetworkID]: [UInt8]] = [:]
        for recipient in Set(recipients.keys).union(missed.keys).sorted() {
            let ids = recipients[recipient] ?? []
            let indices = ids.flatMap { known[$0] ?? [] }
            let current = indices.map { revocations.entries[$0].revocation }
            let payload: [UInt8]
            if let missed = missed[recipient] {
                payload = encode(missed + current)
            } else {
                payload = payloads[ids] ?? encode(current)
                payloads[ids] = payload
            }
            if recipient == address {
                emit(.showSelf(payload))
            } else if !mail.tryAppend(
                Letter(destination: recipient, verb: .networkCredentials, payload: payload))
            {
                count(.effectsFull)
            }
        }
        for index in known.values.joined() { revocations.entries[index].rounds -= 1 }
        revocations.entries.removeAll { $0.rounds <= 0 }
        let open = Set(revocations.entries.map(\.network))
        revocations.departed = revocations.departed.filter { open.contains($0.key) }
        if !revocations.entries.isEmpty || !revocations.returned.isEmpty {
            deadlines.schedule(.revocations, at: now.monotonic + ControllerLimits.revocationInterval)
        }
        sendMail(now)
    }

    private func recipients(of id: NetworkID, isForAll: Bool, _ now: Now) -> [Address] {
        if let departed = revocations.departed[id] { return departed }
        guard let slot = slots[id] else { return [] }
        guard isForAll else { return networks[slot].onlineMembers(now.monotonic) }
        let all = networks[slot].members.values.filter(\.isAuthorized).map(\.address).sorted()
        return Array(all.prefix(ControllerLimits.recipientsAtStart))
    }

    // Each once, the latest if there are too many.
    private func encode(_ revocations: [Revocation]) -> [UInt8] {
        var seen: Set<Revocation> = []
        var credentials = NetworkCredentials()
        credentials.revocations = revocations.filter { seen.insert($0).inserted }
            .suffix(ControllerLimits.revocationsPerPacket)
        return credentials.encoded
    }

    /// A member is there again, or for the first time: it has not heard what was revoked before.
    mutating func catchUp(_ member: Address, on slot: SlotID, _ now: Now) {
        guard !networks[slot].revocations.isEmpty else { return }
        revocations.noteReturn(of: member, to: networks[slot].record.id)
        let earliest = revocations.lastRound.map { $0 + ControllerLimits.revocationInterval } ?? now.monotonic
        deadlines.schedule(.revocations, at: max(now.monotonic, earliest))
    }

    /// The next group of packets to many.
    mutating func sendMail(_ now: Now) {
        for _ in 0..<ControllerLimits.packetsPerGroup {
            guard let letter = mail.popFirst() else { return }
            emit(.send(letter.verb, letter.payload, to: letter.destination))
        }
        if !mail.isEmpty { deadlines.schedule(.mail, at: now.monotonic + ControllerLimits.groupInterval) }
    }

    // MARK: Deletion

    // Everybody who is there hears that the network is gone, and that nobody is a member any more.
    private mutating func remove(_ id: NetworkID, _ now: Now) {
        guard let slot = slots[id] else { return }
        let present = networks[slot].onlineMembers(now.monotonic)
        revocations.departed[id] = present
        for member in present.prefix(ControllerLimits.revocationsPerDeletion)
        where networks[slot].members[member]?.isAuthorized == true {
            revocations.want(RevocationRounds.Wish(network: id, target: member))
        }
        for member in present {
            guard let presence = networks[slot].presences[member] else { continue }
            refuseUnknown(id, member, member == address ? .local : .request(presence.lastPacket))
        }
        _ = networks.remove(slot)
        slots[id] = nil
    }
}
