//  Frames on their way in: FRAME, EXT_FRAME, MULTICAST_FRAME. Nothing is copied unless it must wait.

package import NetPrimitives
package import ZeroTierWire

extension EthernetEngine {
    /// Decides on the frame in a packet's payload, `length` bytes of `packet` from `offset` on. The caller delivers it.
    /// Answers and copies come out of `nextPacket`.
    package mutating func admit(
        _ verb: Verb, _ packet: RawSpan, at offset: Int, length: Int, from source: Address, packetID: PacketID,
        now: Now
    ) -> Admission {
        if verb == .frame, offset >= 0, length >= Frame.headerLength, offset <= packet.byteCount - length,
            packet.loadUInt64(at: offset) == lastNetwork.id
        {
            let etherType = packet.loadUInt16(at: offset + 8)
            let start = offset + Frame.headerLength
            let count = length - Frame.headerLength
            let flow = RuleFlow(
                network: lastNetwork.slot, peer: source.value, source: 0, destination: 0, etherType: etherType,
                length: count, frame: packet, at: start)
            if let flow, let known = inboundFlows.verdict(flow, epoch: shared.flowEpoch, now.monotonic) {
                networks[lastNetwork.slot].ledger.count(known.place)
                networks[lastNetwork.slot].frames.noteReceived(known.isAllowed)
                guard known.isAllowed else {
                    shared.count(.ruleInbound)
                    return .drop(.ruleInbound, trusted: true)
                }
                return .frame(
                    AdmittedFrame(
                        network: lastNetwork.slot, source: MACAddress(known.peer), destination: lastNetwork.mac,
                        etherType: etherType, offset: start, length: count))
            }
        }
        let admission = admit(
            verb, packet, at: offset, length: length, from: source, packetID: packetID, isRetry: false, now)
        if case .drop(let reason, _) = admission { shared.count(reason) }
        return admission
    }

    /// Whether a datagram may be delivered that the stack put together of fragments which `admit` let in. All of them came
    /// from `source`; the last of them to `destination`.
    package mutating func admitReassembled(
        _ datagram: [UInt8], etherType: UInt16, source: MACAddress, destination: MACAddress, network slot: SlotID,
        now: Now
    ) -> Bool {
        guard networks.contains(slot) else {
            shared.count(.noSuchNetwork)
            return false
        }
        guard let reason = networks[slot].refusal(ofReassembled: datagram, etherType, source, destination, &shared, now)
        else { return true }
        shared.count(reason)
        return false
    }

    /// The whole decision, without what is remembered of flows; fills it.
    @inline(never)
    mutating func admit(
        _ verb: Verb, _ packet: RawSpan, at offset: Int, length: Int, from source: Address, packetID: PacketID,
        isRetry: Bool, _ now: Now
    ) -> Admission {
        guard offset >= 0, length >= Frame.headerLength, offset <= packet.byteCount - length,
            source != shared.address
        else { return .drop(.malformed, trusted: false) }
        let id = NetworkID(packet.loadUInt64(at: offset))
        guard let slot = slots[id] else { return .drop(.networkNotJoined, trusted: false) }
        // One network carries nearly all traffic at a time.
        lastNetwork = LastNetwork(id: id.value, slot: slot, mac: networks[slot].mac)
        let admission: Admission
        switch verb {
        case .frame: admission = admitFrame(packet, at: offset, length: length, from: source, id, slot, now)
        case .extendedFrame:
            admission = networks[slot].admitExtended(
                packet, at: offset, length: length, from: source, packetID: packetID, &shared, now)
        case .multicastFrame:
            admission = networks[slot].admitMulticast(
                packet, at: offset, length: length, from: source, packetID: packetID, &shared, now)
        default: return .drop(.unexpectedVerb, trusted: false)
        }
        guard case .parked = admission, !isRetry else { return admission }
        return askAndPark(verb, packet.copyBytes(offset, length), from: source, packetID: packetID, id, slot: slot, now)
    }

    private mutating func admitFrame(
        _ packet: RawSpan, at offset: Int, length: Int, from source: Address, _ id: NetworkID, _ slot: SlotID,
        _ now: Now
    ) -> Admission {
        let etherType = packet.loadUInt16(at: offset + 8)
        let start = offset + Frame.headerLength
        let count = length - Frame.headerLength
        let answer = networks[slot].admitFrame(etherType, packet, at: start, length: count, from: source, &shared, now)
        guard let until = answer.until,
            let flow = RuleFlow(
                network: slot, peer: source.value, source: 0, destination: 0, etherType: etherType, length: count,
                frame: packet, at: start)
        else { return answer.admission }
        let isAllowed: Bool
        switch answer.admission {
        case .frame: isAllowed = true
        case .drop(.ruleInbound, _): isAllowed = false
        default: return answer.admission
        }
        inboundFlows.remember(
            FlowVerdict(
                isAllowed: isAllowed, peer: id.mac(of: source).bits, network: id.value, limit: .max, place: answer.place
            ), flow,
            epoch: shared.flowEpoch, until: until)
        return answer.admission
    }

    /// Keeps a packet whose sender is not let in yet, and asks for what is missing: its credentials, or the identity
    /// that they must be compared with.
    private mutating func askAndPark(
        _ verb: Verb, _ payload: [UInt8], from source: Address, packetID: PacketID, _ id: NetworkID, slot: SlotID,
        _ now: Now
    ) -> Admission {
        let lacksIdentity = networks[slot].lacksIdentity(of: source)
        if !lacksIdentity { requestCredentials(verb, packetID, from: source, id, now) }
        park(
            verb, payload, from: source, packetID: packetID, network: id,
            reason: lacksIdentity ? .identity(source) : .credentials, now)
        return .parked
    }
}

extension VirtualNetwork {
    /// `until`: how long the verdict may be remembered for the flow; `place`: where the ledger counts it.
    mutating func admitFrame(
        _ etherType: UInt16, _ packet: RawSpan, at start: Int, length: Int, from source: Address,
        _ shared: inout EthernetShared, _ now: Now
    ) -> (admission: Admission, until: MonotonicInstant?, place: Int32) {
        guard gate(source, &shared, now) else { return (.parked, nil, 0) }
        guard length > 0 else { return (.done(trusted: true), nil, 0) }
        let facts = FrameFacts(
            isInbound: true, source: source, destination: address, sourceMAC: id.mac(of: source),
            destinationMAC: mac, etherType: etherType, length: length)
        let (level, place) = filterIncoming(facts, from: source, packet, at: start, &shared, now)
        var until: MonotonicInstant?
        if hasFlowRules, let member = members[source], let last = member.lastAnnouncement,
            member.capabilities.allSatisfy({ VirtualNetwork.isFunctionOfFlow($0.rules) })
        {
            until = last + ProtocolLimits.multicastLikeAnnounce
        }
        if let reason = level.reason(isInbound: true) { return (.drop(reason, trusted: true), until, place) }
        if let reason = refusal(
            ofClaimIn: packet, at: start, length: length, etherType: etherType, from: source,
            sourceMAC: facts.sourceMAC, shared)
        {
            return (.drop(reason, trusted: true), nil, place)
        }
        let frame = AdmittedFrame(
            network: slot, source: facts.sourceMAC, destination: mac, etherType: etherType, offset: start,
            length: length)
        return (.frame(frame), until, place)
    }

    /// Why a datagram that was put together may not be delivered.
    mutating func refusal(
        ofReassembled datagram: [UInt8], _ etherType: UInt16, _ source: MACAddress, _ destination: MACAddress,
        _ shared: inout EthernetShared, _ now: Now
    ) -> EthernetDrop? {
        // A station that is no member's stands behind a bridge.
        let peer = bridges.bridge(to: source) ?? id.address(of: source)
        guard isAllowed(peer) else { return .membershipMissing }
        let facts = FrameFacts(
            isInbound: true, source: peer, destination: address, sourceMAC: source,
            destinationMAC: destination, etherType: etherType, length: datagram.count, isReassembled: true)
        return decideReassembled(facts, from: peer, datagram, &shared.random, now)
    }

    mutating func admitExtended(
        _ packet: RawSpan, at offset: Int, length: Int, from source: Address, packetID: PacketID,
        _ shared: inout EthernetShared, _ now: Now
    ) -> Admission {
        guard let frame = try? ExtendedFrame(decoding: packet.copyBytes(offset, length)) else {
            return .drop(.malformed, trusted: false)
        }
        if let membership = frame.membership { addEmbedded(membership, from: source, &shared, now) }
        guard gate(source, &shared, now), let config else { return .parked }
        guard !frame.data.isEmpty, frame.source.bits != 0, frame.source != mac else {
            return .drop(.ownSource, trusted: true)
        }
        let start = offset + length - frame.data.count
        let facts = FrameFacts(
            isInbound: true, source: source, destination: address, sourceMAC: frame.source,
            destinationMAC: frame.destination, etherType: frame.etherType, length: frame.data.count)
        let level = filterIncoming(facts, from: source, packet, at: start, &shared, now).level
        if level == .accept {
            if frame.source != id.mac(of: source) {
                guard activeBridges.contains(source) else { return .drop(.bridgingNotAllowed, trusted: true) }
            } else if frame.destination != mac {
                let isWelcome = frame.destination.isMulticast ? config.multicastLimit > 0 : isActiveBridge
                guard isWelcome else { return .drop(.notForUs, trusted: true) }
            }
        }
        if frame.wantsAcknowledgement {
            var body = ByteWriter(capacity: 8)
            body.networkID(id)
            shared.sendReply(.extendedFrame, packetID, body.bytes, to: source)
        }
        if let reason = level.reason(isInbound: true) { return .drop(reason, trusted: true) }
        if let reason = refusal(
            ofClaimIn: packet, at: start, length: frame.data.count, etherType: frame.etherType, from: source,
            sourceMAC: facts.sourceMAC, shared)
        {
            return .drop(reason, trusted: true)
        }
        if level == .accept, frame.source != id.mac(of: source) { bridges.learn(frame.source, behind: source) }
        return .frame(
            AdmittedFrame(
                network: slot, source: frame.source, destination: frame.destination, etherType: frame.etherType,
                offset: start, length: frame.data.count))
    }

    mutating func admitMulticast(
        _ packet: RawSpan, at offset: Int, length: Int, from source: Address, packetID: PacketID,
        _ shared: inout EthernetShared, _ now: Now
    ) -> Admission {
        guard let frame = try? MulticastFrame(decoding: packet.copyBytes(offset, length)) else {
            return .drop(.malformed, trusted: false)
        }
        if let membership = frame.membership { addEmbedded(membership, from: source, &shared, now) }
        guard gate(source, &shared, now), let config else { return .parked }
        guard config.multicastLimit > 0 else { return .drop(.multicastDisabled, trusted: true) }
        let sourceMAC = frame.source ?? id.mac(of: source)
        guard !frame.data.isEmpty, frame.data.count <= ProtocolLimits.maximumVirtualMTU, frame.group.mac.isMulticast,
            sourceMAC.bits != 0, !sourceMAC.isMulticast
        else { return .drop(.malformed, trusted: true) }
        guard sourceMAC != mac else { return .drop(.ownSource, trusted: true) }
        let isBridged = sourceMAC != id.mac(of: source)
        guard !isBridged || activeBridges.contains(source) else { return .drop(.bridgingNotAllowed, trusted: true) }
        // This node's rules say whether it is for this node too; the others have theirs.
        if frame.isToBeReplicated, replicators.contains(address) {
            sendMulticast(
                origin: source, to: frame.group, sourceMAC: sourceMAC, etherType: frame.etherType, data: frame.data,
                &shared, now)
        }
        let start = offset + length - frame.data.count
        let facts = FrameFacts(
            isInbound: true, source: source, destination: address, sourceMAC: sourceMAC,
            destinationMAC: frame.group.mac, etherType: frame.etherType, length: frame.data.count)
        let level = filterIncoming(facts, from: source, packet, at: start, &shared, now).level
        answerImplicitGather(frame, source, packetID, &shared, now)
        if let reason = level.reason(isInbound: true) { return .drop(reason, trusted: true) }
        if let reason = refusal(
            ofClaimIn: packet, at: start, length: frame.data.count, etherType: frame.etherType, from: source,
            sourceMAC: facts.sourceMAC, shared)
        {
            return .drop(reason, trusted: true)
        }
        if isBridged { bridges.learn(sourceMAC, behind: source) }
        return .frame(
            AdmittedFrame(
                network: slot, source: sourceMAC, destination: frame.group.mac, etherType: frame.etherType,
                offset: start, length: frame.data.count))
    }

    // The sender wants to know more subscribers.
    private func answerImplicitGather(
        _ frame: MulticastFrame, _ source: Address, _ packetID: PacketID, _ shared: inout EthernetShared, _ now: Now
    ) {
        guard let limit = frame.gatherLimit, limit > 0 else { return }
        let result = shared.gather(
            id, frame.group, limit: limit, for: source, includingSelf: wants(frame.group), now)
        guard !result.members.isEmpty else { return }
        let reply = MulticastFrameReply(network: id, group: frame.group, result: result)
        shared.sendReply(.multicastFrame, packetID, reply.encoded, to: source)
    }
}

extension EthernetShared {
    /// What we know of a group, for another node.
    mutating func gather(
        _ network: NetworkID, _ group: MulticastGroup, limit: UInt32, for asker: Address, includingSelf: Bool,
        _ now: Now
    ) -> GatherResult {
        let room = min(Int(clamping: limit), GatherResult.maximumAddresses)
        var members: [Address] = includingSelf ? [address] : []
        if members.count > room { members.removeLast() }
        members.append(
            contentsOf: groups.sample(
                network, group, limit: room - members.count, except: asker, random: &random, now.monotonic))
        let total = groups.count(network, group) + (includingSelf ? 1 : 0)
        return GatherResult(total: UInt32(clamping: total), members: members)
    }
}
