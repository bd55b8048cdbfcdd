//  A node asks for the configuration of a network: who it is, whether it is let in, what it gets.

package import NetPrimitives
import ZeroTierCrypto
package import ZeroTierWire

extension ControllerEngine {
    // A request as it came.
    private struct Question {
        let network: NetworkID
        let identity: Identity
        let metadata: RequestMetadata
        let reply: ConfigurationReply

        var sender: Address { identity.address }
        var packet: PacketID {
            if case .request(let id) = reply { return id }
            return PacketID(0)
        }

        var version: MemberVersion {
            MemberVersion(
                major: UInt16(clamping: metadata.majorVersion), minor: UInt16(clamping: metadata.minorVersion),
                revision: UInt16(clamping: metadata.revision),
                protocolVersion: UInt16(clamping: metadata.protocolVersion))
        }
    }

    /// Takes the payload of a NETWORK_CONFIG_REQUEST of a node that proved to have this identity.
    package mutating func receive(_ payload: [UInt8], from identity: Identity, packetID: PacketID, now: Now) {
        guard let request = try? NetworkConfigRequest(decoding: payload) else { return count(.requestMalformed) }
        ask(
            Question(
                network: request.network, identity: identity,
                metadata: RequestMetadata(WireDictionary(decoding: request.metadata)), reply: .request(packetID)), now)
    }

    /// Takes this node's own request, as a member of one of its networks.
    package mutating func receiveLocal(_ network: NetworkID, metadata: [UInt8], now: Now) {
        ask(
            Question(
                network: network, identity: identity, metadata: RequestMetadata(WireDictionary(decoding: metadata)),
                reply: .local), now)
    }

    private mutating func ask(_ question: Question, _ now: Now) {
        let (id, sender) = (question.network, question.sender)
        guard id.controller == address else { return count(.foreignNetwork) }
        requests &+= 1
        guard let slot = slots[id] else { return refuseUnknown(id, sender, question.reply) }
        guard !networks[slot].isLeaving else { return count(.networkLeaving) }
        let isLocal = question.reply == .local
        let last = networks[slot].presences[sender]
        if !isLocal, let last, now.monotonic < last.gateOpens { return count(.requestTooOften) }
        if let known = networks[slot].identity(of: sender), known != question.identity.publicKeys {
            count(.identityChanged)
            return refuse(id, sender, question.reply)
        }
        let presence = Presence(
            lastRequest: now.monotonic, gateOpens: now.monotonic + ControllerLimits.requestInterval,
            lastPacket: question.packet, knowsRules: question.metadata.rulesEngineRevision > 0,
            version: question.version)
        let record = networks[slot].members[sender]
        let admission = record?.isAuthorized == true ? nil : admission(question, slot, now)
        guard record?.isAuthorized == true || admission != nil else {
            return turnAway(question, presence, slot, now)
        }
        guard record != nil || networks[slot].members.count < configuration.membersPerNetwork else {
            count(.membersFull)
            return refuse(id, sender, question.reply)
        }
        guard ledger.count < configuration.waiting else { return count(.storeBusy) }
        let wasAway = !(last?.isOnline(now.monotonic) ?? false)
        networks[slot].presences[sender] = presence
        var new = record ?? MemberRecord(address: sender)
        new.learn(question.identity.publicKeys)
        if let admission {
            new.isAuthorized = true
            new.admission = admission
            new.lastAuthorizedTime = UInt64(clamping: now.unixMilliseconds)
        }
        let missing = equip(&new, slot, question.version, knowsRules: presence.knowsRules)
        if new != record {
            setMember(sender, of: slot, new, now)
            then(.event(.memberChanged(id, sender)), about: id, now)
        }
        note(missing, of: sender, slot, now)
        let answer = Consequence.configure(id, sender, question.reply)
        // What others of its network wait for changes nothing for this one.
        if ledger.isSettled(sender, of: id) { perform(answer, now) } else { then(answer, about: id, now) }
        if wasAway || admission != nil { catchUp(sender, on: slot, now) }
    }

    // What lets a node in that no administrator did.
    private func admission(_ question: Question, _ slot: SlotID, _ now: Now) -> MemberAdmission? {
        let network = networks[slot].record
        if !network.isPrivate { return .publicNetwork }
        // Whom an administrator let out, or does not want, no token lets in.
        if let record = networks[slot].members[question.sender], record.isRefused || record.lastDeauthorizedTime > 0 {
            return nil
        }
        let prefix = "token:"
        let authorization = question.metadata.authorization
        guard authorization.hasPrefix(prefix), authorization.utf8.count < ProtocolLimits.maximumRequestMetadata else {
            return nil
        }
        let token = String(authorization.dropFirst(prefix.count))
        guard network.admits(token: token, at: UInt64(clamping: now.unixMilliseconds)) else { return nil }
        return .token(token)
    }

    // It is not let in. A record that an administrator made learns whom it is about; everybody else waits in memory, where
    // there is room for so many.
    private mutating func turnAway(_ question: Question, _ presence: Presence, _ slot: SlotID, _ now: Now) {
        let (id, sender) = (question.network, question.sender)
        if let record = networks[slot].members[sender] {
            let isBack = networks[slot].presences.updateValue(presence, forKey: sender) == nil
            if record.identity == nil, ledger.count < configuration.waiting {
                var new = record
                new.learn(question.identity.publicKeys)
                setMember(sender, of: slot, new, now)
            }
            if isBack { then(.event(.memberWaiting(id, sender)), about: id, now) }
        } else {
            let noted = networks[slot].noteStranger(
                question.identity, presence, at: UInt64(clamping: now.unixMilliseconds),
                limit: configuration.strangersPerNetwork)
            if noted.gaveWay { count(.strangerGaveWay) }
            if noted.isNew { emit(.event(.memberWaiting(id, sender))) }
        }
        then(.refuse(id, sender, question.reply), about: id, now)
    }

    // What a member gets with its next configuration and has not yet: defaults of the network and addresses.
    // Gives the families of which no address was left.
    private mutating func equip(
        _ member: inout MemberRecord, _ slot: SlotID, _ version: MemberVersion, knowsRules: Bool
    ) -> AddressFamilies {
        let network = networks[slot].record
        if knowsRules {
            if member.version == nil {
                let defaults = network.capabilities.filter(\.isDefault).map(\.id)
                member.capabilities = Array(
                    Set(member.capabilities + defaults).sorted().prefix(ProtocolLimits.capabilities))
            }
            for tag in network.tags {
                guard let value = tag.defaultValue, member.tags.count < ProtocolLimits.tags,
                    !member.tags.contains(where: { $0.id == tag.id })
                else { continue }
                member.tags.append(TagValue(id: tag.id, value: value))
            }
            member.tags.sort { $0.id < $1.id }
        }
        member.version = version
        let plan = AddressPlan(network, member, &random) { networks[slot].holders.isHeld($0) }
        member.addresses += plan.new
        return plan.missing
    }

    // Told once, until it has one.
    private mutating func note(_ missing: AddressFamilies, of member: Address, _ slot: SlotID, _ now: Now) {
        let known = networks[slot].unserved[member] ?? []
        networks[slot].unserved[member] = missing.isEmpty ? nil : missing
        guard !missing.isSubset(of: known) else { return }
        let id = networks[slot].record.id
        then(.event(.addressMissing(id, member)), about: id, now)
    }

    /// Gives a member that is there the configuration that it would get if it asked.
    mutating func refresh(_ member: Address, of id: NetworkID, _ now: Now) {
        guard let slot = slots[id], !networks[slot].isLeaving, let record = networks[slot].members[member],
            record.isAuthorized, record.identity != nil
        else { return }
        let presence = networks[slot].presences[member]
        guard presence?.isOnline(now.monotonic) ?? hasJustResumed(now),
            let version = presence?.version ?? record.version
        else { return }
        var new = record
        // Who knows no rules passes them over; who knows them must have them.
        let missing = equip(&new, slot, version, knowsRules: presence?.knowsRules ?? true)
        if new != record {
            setMember(member, of: slot, new, now)
            then(.event(.memberChanged(id, member)), about: id, now)
        }
        note(missing, of: member, slot, now)
        then(.configure(id, member, member == address ? .local : .push), about: id, now)
    }
}
