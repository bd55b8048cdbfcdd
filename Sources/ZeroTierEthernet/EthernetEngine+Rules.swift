//  What a node tells of its rules: the tables, what they decided, and why a frame would pass or not.

package import NetPrimitives
package import ZeroTierWire

/// The rules that a network's member goes by, and what they did since they came into force.
package struct RuleReport: Sendable {
    package let rules: [Rule]
    /// The capabilities that the controller gave this node.
    package let capabilities: [(id: UInt32, rules: [Rule])]
    /// The tags that the controller gave this node.
    package let tags: [(id: UInt32, value: UInt32)]
    /// Frames that each of `rules` decided on. A burst of one flow counts as one frame.
    package let counts: [UInt64]
    /// Frames that capabilities let through: ours outbound, the senders' inbound.
    package let capabilityCounts: [(id: UInt32, count: UInt64)]
    /// Frames on which no rule decided, and which were dropped for that.
    package let undecided: UInt64
    /// The last frames that were not let through, oldest first. Of a flow whose frames follow each other, the first.
    package let refusals: [RuleRefusal]
}

extension EthernetEngine {
    /// What a network's rules are and did; nil without a configuration.
    package func ruleReport(network slot: SlotID) -> RuleReport? {
        guard networks.contains(slot), let config = networks[slot].config else { return nil }
        let ledger = networks[slot].ledger
        return RuleReport(
            rules: config.rules, capabilities: config.capabilities.map { (id: $0.id, rules: $0.rules) },
            tags: config.tags.map { (id: $0.id, value: $0.value) }, counts: Array(ledger.baseCounts),
            capabilityCounts: ledger.capabilityCounts, undecided: ledger.undecided, refusals: ledger.refusals)
    }

    /// Why a frame from this node would go on or not. Nothing is sent, counted or changed. Nil if the network was left.
    package func explainOutbound(
        network slot: SlotID, source: MACAddress, destination: MACAddress, etherType: UInt16, payload: [UInt8]
    ) -> FrameExplanation? {
        guard networks.contains(slot) else { return nil }
        var random = shared.random
        return networks[slot].explainOutbound(source, destination, etherType, payload, &random)
    }

    /// Why a frame from a member would be let in or not.
    package func explainInbound(
        network slot: SlotID, from peer: Address, source: MACAddress, destination: MACAddress, etherType: UInt16,
        payload: [UInt8]
    ) -> FrameExplanation? {
        guard networks.contains(slot) else { return nil }
        var random = shared.random
        return networks[slot].explainInbound(from: peer, source, destination, etherType, payload, &random)
    }
}

extension VirtualNetwork {
    borrowing func explainOutbound(
        _ source: MACAddress, _ destination: MACAddress, _ etherType: UInt16, _ payload: [UInt8],
        _ random: inout RandomSource
    ) -> FrameExplanation {
        guard isConfigured else { return FrameExplanation(isInbound: false, unasked: .notConfigured) }
        // As for every frame whose receivers are chosen after the rules were asked.
        let peer = id.isMember(destination) && !destination.isMulticast ? id.address(of: destination) : Address(0)
        let facts = FrameFacts(
            isInbound: false, source: address, destination: peer, sourceMAC: source, destinationMAC: destination,
            etherType: etherType, length: payload.count)
        var traces = RuleTraces()
        let verdict = payload.withBytes { decideOutbound(facts, $0, at: 0, &random, &traces) }
        // The whole frame is at hand: what runs out has no end.
        if verdict.ranOut, traces.tables.isEmpty { return FrameExplanation(isInbound: false, unasked: .unreadable) }
        let own = active.capabilities
        traces.attach(base: active.rules) { id in own.first { $0.id == id }?.rules ?? [] }
        return FrameExplanation(isInbound: false, verdict, traces)
    }

    borrowing func explainInbound(
        from peer: Address, _ source: MACAddress, _ destination: MACAddress, _ etherType: UInt16, _ payload: [UInt8],
        _ random: inout RandomSource
    ) -> FrameExplanation {
        guard isConfigured else { return FrameExplanation(isInbound: true, unasked: .notConfigured) }
        guard isAllowed(peer) else { return FrameExplanation(isInbound: true, unasked: .notAdmitted) }
        let facts = FrameFacts(
            isInbound: true, source: peer, destination: address, sourceMAC: source, destinationMAC: destination,
            etherType: etherType, length: payload.count)
        var traces = RuleTraces()
        let verdict = payload.withBytes { decideInbound(facts, from: peer, $0, at: 0, &random, &traces) }
        let theirs = members[peer]?.capabilities ?? []
        traces.attach(base: active.rules) { id in theirs.first { $0.id == id }?.rules ?? [] }
        return FrameExplanation(isInbound: true, verdict, traces)
    }
}
