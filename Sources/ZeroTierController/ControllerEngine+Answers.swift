//  What leaves: configurations, refusals, and revocations of those who were let out.

import NetPrimitives
import ZeroTierWire

extension ControllerEngine {
    /// Does what follows from something that is durable now.
    mutating func perform(_ consequence: Consequence, _ now: Now) {
        switch consequence {
        case .answer(let ticket): answer(ticket, nil)
        case .event(let event): emit(.event(event))
        case .configure(let id, let member, let reply):
            if !unsigned.tryAppend(Unsigned(network: id, member: member, reply: reply)) { count(.signingBusy) }
        case .pushAll(let id):
            guard let slot = slots[id] else { return }
            for member in pushable(of: slot, now) { push(to: member, of: id) }
        case .push(let id, let member): push(to: member, of: id)
        case .refuse(let id, let member, let reply): refuse(id, member, reply)
        case .revoke(let id, let member): revoke(member, on: id, now)
        case .remove(let id): remove(id, now)
        }
    }

    // Who was there lately. A controller that has just started does not know who that is, so it takes everybody for there whom it
    // configured before: they ask once a minute, and would have the old configuration until then.
    private func pushable(of slot: SlotID, _ now: Now) -> [Address] {
        guard hasJustResumed(now) else { return networks[slot].onlineMembers(now.monotonic) }
        let known = networks[slot].members.values.filter { $0.isAuthorized && $0.version != nil }
        return Array(known.map(\.address).sorted().prefix(ControllerLimits.recipientsAtStart))
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

    mutating func sendError(_ reason: ErrorReply.Reason, _ packet: PacketID, to member: Address) {
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
            bridges: Array(bridges.sorted().prefix(ControllerLimits.activeBridges)),
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
}
