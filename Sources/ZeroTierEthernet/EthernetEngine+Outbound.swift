//  Frames on their way out: a route for bursts to members, and the slow door for everything else.

package import NetPrimitives
package import ZeroTierWire

extension EthernetEngine {
    // MARK: Bursts

    /// Where a burst goes. `frame` holds the first bytes of its first frame's payload from `offset` on: at least the
    /// network and transport headers, so that rules can be asked. The answer holds for all frames of the burst.
    package mutating func route(_ key: FrameKey, frame: RawSpan, at offset: Int, now: Now) -> FrameRouting {
        guard offset >= 0, offset <= frame.byteCount, key.length >= 0 else { return .control }
        let flow = RuleFlow(
            network: key.network, peer: 0, source: key.source.bits, destination: key.destination.bits,
            etherType: key.etherType, length: key.length, frame: frame, at: offset)
        if let flow, let known = outboundFlows.verdict(flow, epoch: shared.flowEpoch, now.monotonic),
            key.length <= known.limit
        {
            networks[key.network].ledger.count(known.place)
            networks[key.network].frames.noteSent(known.isAllowed, key.count)
            guard known.isAllowed else { return dropped(.ruleOutbound) }
            return .send(
                FrameRoute(
                    destination: Address(known.peer), network: NetworkID(known.network), etherType: key.etherType))
        }
        return routeAfresh(key, flow, frame, at: offset, now)
    }

    @inline(never)
    private mutating func routeAfresh(
        _ key: FrameKey, _ flow: RuleFlow?, _ frame: RawSpan, at offset: Int, _ now: Now
    ) -> FrameRouting {
        guard networks.contains(key.network) else { return dropped(.noSuchNetwork) }
        if key.destination.isMulticast { return .control }
        let answer = networks[key.network].route(key, frame, at: offset, &shared, now)
        if let flow, let until = answer.until {
            let id = networks[key.network].id
            let verdict = FlowVerdict(
                isAllowed: answer.isAllowed, peer: id.address(of: key.destination).value, network: id.value,
                limit: answer.limit, place: answer.place)
            outboundFlows.remember(verdict, flow, epoch: shared.flowEpoch, until: until)
        }
        if case .drop(let reason) = answer.routing { shared.count(reason) }
        return answer.routing
    }

    private mutating func dropped(_ reason: EthernetDrop) -> FrameRouting {
        shared.count(reason)
        return .drop(reason)
    }

    // MARK: Single frames

    /// Sends one frame in owned bytes, of any kind. Packets for others come out of `nextPacket`, local answers out of
    /// `nextLocalFrame`. Nil if it went on its way, else why not.
    @discardableResult
    package mutating func sendFrame(
        network slot: SlotID, source: MACAddress, destination: MACAddress, etherType: UInt16, payload: [UInt8],
        now: Now
    ) -> EthernetDrop? {
        guard networks.contains(slot) else {
            shared.count(.noSuchNetwork)
            return .noSuchNetwork
        }
        let frame = LocalFrame(
            network: slot, source: source, destination: destination, etherType: etherType, payload: payload)
        let reason = networks[slot].send(frame, &shared, now)
        if let reason { shared.count(reason) }
        return reason
    }

    // MARK: Groups

    /// Adds groups whose frames the local stack wants. Broadcast, and groups that follow from assigned addresses, are
    /// there already. False if there are too many.
    @discardableResult
    package mutating func subscribe(network slot: SlotID, to groups: [MulticastGroup], now: Now) -> Bool {
        networks.contains(slot) && networks[slot].subscribe(groups, &shared, now)
    }

    /// Takes groups back. Others notice after ten minutes.
    package mutating func unsubscribe(network slot: SlotID, from groups: [MulticastGroup]) {
        guard networks.contains(slot) else { return }
        networks[slot].subscriptions.removeAll { groups.contains($0) }
    }
}

extension VirtualNetwork {
    /// The way of a burst, and how long it holds for its flow.
    struct BurstAnswer {
        let routing: FrameRouting
        /// Nil: it may not be remembered.
        var until: MonotonicInstant?
        var isAllowed = false
        /// For frames up to this length.
        var limit = 0
        /// Where the ledger counts it.
        var place: Int32 = 0
    }

    /// Routes a burst.
    mutating func route(
        _ key: FrameKey, _ frame: RawSpan, at offset: Int, _ shared: inout EthernetShared, _ now: Now
    ) -> BurstAnswer {
        guard let limit = config?.mtu else { return BurstAnswer(routing: .drop(.noConfiguration)) }
        guard key.length <= limit else { return BurstAnswer(routing: .drop(.frameTooLong)) }
        guard key.source == mac, id.isMember(key.destination), key.destination != mac else {
            return BurstAnswer(routing: .control)
        }
        // It may be one that is answered here.
        if config?.emulatesNeighbours == true,
            AddressResolution.isSolicitation(frame, at: offset, length: key.length, etherType: key.etherType)
        {
            return BurstAnswer(routing: .control)
        }
        let peer = id.address(of: key.destination)
        let facts = FrameFacts(
            isInbound: false, source: address, destination: peer, sourceMAC: key.source,
            destinationMAC: key.destination, etherType: key.etherType, length: key.length)
        var nobody = NoRuleObserver()
        let verdict = decideOutbound(facts, frame, at: offset, &shared.random, &nobody)
        if verdict.ranOut || verdict.copy != nil || verdict.capabilityCopy != nil || verdict.redirect != nil {
            return BurstAnswer(routing: .control)
        }
        let place = account(verdict, facts, frame, at: offset, now)
        frames.noteSent(verdict.level.reason(isInbound: false) == nil, key.count)
        let isPure = hasFlowRules && hasFlowCapabilities
        let pushTime = shared.configuration.credentialPush
        if let reason = verdict.level.reason(isInbound: false) {
            return BurstAnswer(
                routing: .drop(reason), until: isPure ? now.monotonic + pushTime : nil, limit: limit,
                place: place)
        }
        let pushed = pushCredentialsIfDue(to: peer, &shared, now)
        let route = FrameRoute(destination: peer, network: id, etherType: key.etherType)
        return BurstAnswer(
            routing: .send(route), until: isPure ? pushed + pushTime : nil, isAllowed: true, limit: limit,
            place: place)
    }

    /// Sends one frame. Nil when it went on its way.
    mutating func send(_ frame: LocalFrame, _ shared: inout EthernetShared, _ now: Now) -> EthernetDrop? {
        guard let config else { return .noConfiguration }
        guard frame.payload.count <= config.mtu else { return .frameTooLong }
        let isBridged = frame.source != mac
        if isBridged, !isActiveBridge { return .notABridge }
        guard !isUnreadable(frame) else { return .unreadableHeaders }
        if frame.destination.isMulticast { return sendToGroup(frame, config, isBridged, &shared, now) }
        if frame.destination == mac {
            shared.deliver(frame)
            return nil
        }
        if let answer = AddressResolution.advertisement(
            for: frame.payload, etherType: frame.etherType, soliciting: frame.source, destination: frame.destination,
            config: config, slot: slot, myself: address)
        {
            shared.deliver(answer)
            return nil
        }
        if id.isMember(frame.destination) { return sendToMember(frame, isBridged, &shared, now) }
        return sendToBridges(frame, &shared, now)
    }

    private func outboundFacts(_ frame: LocalFrame, to destination: Address) -> FrameFacts {
        FrameFacts(
            isInbound: false, source: address, destination: destination, sourceMAC: frame.source,
            destinationMAC: frame.destination, etherType: frame.etherType, length: frame.payload.count)
    }

    private mutating func sendToGroup(
        _ frame: LocalFrame, _ config: NetworkConfig, _ isBridged: Bool, _ shared: inout EthernetShared, _ now: Now
    ) -> EthernetDrop? {
        var group = MulticastGroup(mac: frame.destination)
        if frame.destination.isBroadcast {
            if let asked = AddressResolution.group(ofARP: frame.payload, etherType: frame.etherType) {
                group = asked
            } else if !config.broadcastEnabled {
                return .broadcastDisabled
            }
        } else if let answer = AddressResolution.advertisement(
            for: frame.payload, etherType: frame.etherType, soliciting: frame.source, destination: frame.destination,
            config: config, slot: slot, myself: address)
        {
            shared.deliver(answer)
            return nil
        }
        guard config.multicastLimit > 0 else { return .multicastDisabled }
        if isBridged { noteBridgedGroup(group, &shared, now) }
        guard filterOutgoing(outboundFacts(frame, to: Address(0)), frame.payload, observed: true, &shared, now) else {
            return .ruleOutbound
        }
        sendMulticast(
            origin: nil, to: group, sourceMAC: frame.source, etherType: frame.etherType, data: frame.payload, &shared,
            now)
        return nil
    }

    // Asked once, before the frame goes one of many ways.
    private func isUnreadable(_ frame: LocalFrame) -> Bool {
        let facts = outboundFacts(frame, to: Address(0))
        return frame.payload.withBytes { facts.headerChain($0, at: 0) } == .unreadable
    }

    private mutating func sendToMember(
        _ frame: LocalFrame, _ isBridged: Bool, _ shared: inout EthernetShared, _ now: Now
    ) -> EthernetDrop? {
        let peer = id.address(of: frame.destination)
        guard filterOutgoing(outboundFacts(frame, to: peer), frame.payload, observed: true, &shared, now) else {
            return .ruleOutbound
        }
        pushCredentialsIfDue(to: peer, &shared, now)
        if isBridged {
            let packet = ExtendedFrame(
                network: id, destination: frame.destination, source: frame.source, etherType: frame.etherType,
                data: frame.payload)
            shared.send(.extendedFrame, packet.encoded, to: peer, compress: false)
        } else {
            let packet = Frame(network: id, etherType: frame.etherType, data: frame.payload)
            shared.send(.frame, packet.encoded, to: peer, compress: false)
        }
        return nil
    }

    // A bridge that lacks our credentials asks for them and keeps the frame meanwhile.
    private mutating func sendToBridges(_ frame: LocalFrame, _ shared: inout EthernetShared, _ now: Now)
        -> EthernetDrop?
    {
        guard filterOutgoing(outboundFacts(frame, to: Address(0)), frame.payload, observed: true, &shared, now) else {
            return .ruleOutbound
        }
        let targets = bridgeTargets(for: frame.destination, &shared)
        guard !targets.isEmpty else { return .noBridge }
        let packet = ExtendedFrame(
            network: id, destination: frame.destination, source: frame.source, etherType: frame.etherType,
            data: frame.payload
        ).encoded
        for target in targets
        where filterOutgoing(outboundFacts(frame, to: target), frame.payload, observed: false, &shared, now) {
            shared.send(.extendedFrame, packet, to: target, compress: false)
        }
        return nil
    }
}
