//  The whole decision on a frame: base rules, then capabilities; and the copies and redirections that follow from it.
//  Read first: zerotier/ZeroTierOne node/Network.cpp, filterOutgoingPacket and filterIncomingPacket (facts only).

import NetPrimitives
import ZeroTierWire

/// What base rules and capabilities together say of a frame.
struct FrameVerdict: Hashable, Sendable {
    enum Level: Hashable, Sendable {
        case drop
        /// Dropped whatever the rules say: where its headers lead cannot be told.
        case unreadable
        case accept
        /// Deliver whatever the MACs say.
        case superAccept

        /// Why a frame dies; nil if it does not.
        func reason(isInbound: Bool) -> EthernetDrop? {
            switch self {
            case .drop: isInbound ? .ruleInbound : .ruleOutbound
            case .unreadable: .unreadableHeaders
            case .accept, .superAccept: nil
            }
        }
    }

    var level: Level
    /// Copies for observers that the base rules, and the capability that accepted, ask for.
    var copy: RuleVerdict.Copy?
    var capabilityCopy: RuleVerdict.Copy?
    /// The member that gets the frame instead.
    var redirect: Address?
    /// More of the frame must be seen.
    var ranOut = false
    /// The rules asked what only the whole datagram can answer.
    var dependsOnWhole = false
    /// The rule that decided.
    var decision = RuleDecision.none
}

extension FrameVerdict {
    /// Takes over a table's verdict, which is not "no match".
    fileprivate mutating func takeOver(_ table: RuleVerdict, _ name: RuleTable) {
        decision = RuleDecision(name, table.rule)
        switch table.result {
        case .noMatch, .drop: level = .drop
        case .accept: level = .accept
        case .superAccept: level = .superAccept
        case .redirect:
            level = .accept
            redirect = table.destination
        }
    }
}

extension VirtualNetwork {
    /// The decision on an outbound frame, or on its first bytes. Without side effects but for randomness.
    borrowing func decideOutbound(
        _ facts: FrameFacts, _ frame: RawSpan, at offset: Int, _ random: inout RandomSource,
        _ observer: inout some RuleObserver
    ) -> FrameVerdict {
        guard isConfigured else { return FrameVerdict(level: .drop) }
        switch facts.headerChain(frame, at: offset) {
        case .unreadable?: return FrameVerdict(level: .unreadable)
        case .ranOut?: return FrameVerdict(level: .drop, ranOut: true)
        case .upper?, .laterFragment?, nil: break
        }
        let remote = facts.destination.value == 0 ? nil : members[facts.destination]
        observer.begin(.base)
        let base = RuleFilter.evaluate(
            baseTable, facts, frame: frame, at: offset, myself: address, config: active, remote: remote,
            random: &random, observer: &observer)
        var verdict = FrameVerdict(level: .drop, copy: base.copy, ranOut: base.ranOut)
        guard base.result == .noMatch else {
            verdict.takeOver(base, .base)
            // Nobody observes what leaves from here.
            if verdict.level == .superAccept { verdict.level = .accept }
            return verdict
        }
        for index in capabilityTables.indices {
            let table = RuleTable.capability(active.capabilities[index].id)
            observer.begin(table)
            let own = RuleFilter.evaluate(
                capabilityTables[index], facts, frame: frame, at: offset, myself: address, config: active,
                remote: remote, random: &random, observer: &observer)
            verdict.ranOut = verdict.ranOut || own.ranOut
            guard own.result != .noMatch, own.result != .drop else { continue }
            verdict.takeOver(own, table)
            if verdict.level == .superAccept { verdict.level = .accept }
            verdict.capabilityCopy = own.copy
            break
        }
        return verdict
    }

    /// The decision on an inbound frame of `peer`, who passed the gate.
    borrowing func decideInbound(
        _ facts: FrameFacts, from peer: Address, _ frame: RawSpan, at offset: Int, _ random: inout RandomSource,
        _ observer: inout some RuleObserver
    ) -> FrameVerdict {
        guard isConfigured else { return FrameVerdict(level: .drop) }
        let chain = facts.headerChain(frame, at: offset)
        // Here the whole frame is at hand: what runs out has no end.
        guard chain != .unreadable, chain != .ranOut else { return FrameVerdict(level: .unreadable) }
        var verdict = decideReadable(facts, from: peer, frame, at: offset, &random, &observer)
        // The whole datagram is judged once it is together.
        if verdict.level == .drop, verdict.dependsOnWhole, chain == .laterFragment {
            verdict.level = .accept
            verdict.decision = .none
        }
        return verdict
    }

    private borrowing func decideReadable(
        _ facts: FrameFacts, from peer: Address, _ frame: RawSpan, at offset: Int, _ random: inout RandomSource,
        _ observer: inout some RuleObserver
    ) -> FrameVerdict {
        let remote = members[peer]
        observer.begin(.base)
        let base = RuleFilter.evaluate(
            baseTable, facts, frame: frame, at: offset, myself: address, config: active, remote: remote,
            random: &random, observer: &observer)
        var verdict = FrameVerdict(level: .drop, copy: base.copy, ranOut: base.ranOut)
        verdict.dependsOnWhole = base.dependsOnWhole
        guard base.result == .noMatch else {
            verdict.takeOver(base, .base)
            return verdict
        }
        guard let remote else { return verdict }
        for index in remote.capabilities.indices where remote.isUsable(remote.capabilities[index], active) {
            let table = RuleTable.capability(remote.capabilities[index].id)
            observer.begin(table)
            let theirs = RuleFilter.evaluate(
                remote.capabilityTables[index], facts, frame: frame, at: offset, myself: address, config: active,
                remote: remote, random: &random, observer: &observer)
            verdict.ranOut = verdict.ranOut || theirs.ranOut
            verdict.dependsOnWhole = verdict.dependsOnWhole || theirs.dependsOnWhole
            guard theirs.result != .noMatch, theirs.result != .drop else { continue }
            verdict.takeOver(theirs, table)
            verdict.capabilityCopy = theirs.copy
            break
        }
        return verdict
    }

    /// Whether a datagram that was put together of fragments may be delivered. Observers have had its parts.
    mutating func decideReassembled(
        _ facts: FrameFacts, from peer: Address, _ datagram: [UInt8], _ random: inout RandomSource, _ now: Now
    ) -> EthernetDrop? {
        var nobody = NoRuleObserver()
        let verdict = datagram.withBytes { decideInbound(facts, from: peer, $0, at: 0, &random, &nobody) }
        datagram.withBytes { _ = account(verdict, facts, $0, at: 0, now) }
        if let reason = verdict.level.reason(isInbound: true) { return reason }
        return verdict.redirect == nil ? nil : .ruleInbound
    }

    // MARK: Effects

    /// Counts a verdict by the rule that decided, and keeps the frame if it is refused. Returns where it is counted. What no
    /// rule was asked of counts nowhere.
    mutating func account(
        _ verdict: FrameVerdict, _ facts: FrameFacts, _ frame: RawSpan, at offset: Int, _ now: Now
    ) -> Int32 {
        let place = ledger.place(of: verdict.decision)
        guard verdict.level != .unreadable, verdict.level == .drop || verdict.decision != .none else { return place }
        ledger.count(place)
        if verdict.level == .drop { ledger.note(verdict.decision, facts, frame, at: offset, now.monotonic) }
        return place
    }

    /// Decides on a whole outbound frame, sends copies and redirections if `observed`, and says whether it may go on to
    /// its destination.
    mutating func filterOutgoing(
        _ facts: FrameFacts, _ data: [UInt8], observed: Bool, _ shared: inout EthernetShared, _ now: Now
    ) -> Bool {
        var nobody = NoRuleObserver()
        let verdict = data.withBytes { decideOutbound(facts, $0, at: 0, &shared.random, &nobody) }
        data.withBytes { _ = account(verdict, facts, $0, at: 0, now) }
        let isAllowed = verdict.level.reason(isInbound: false) == nil
        if observed { frames.noteSent(isAllowed, 1) }
        guard isAllowed else { return false }
        guard observed else { return true }
        send(verdict.capabilityCopy, .outboundTee, .outboundWatch, facts, data, &shared)
        send(verdict.copy, .outboundTee, .outboundWatch, facts, data, &shared)
        guard let redirect = verdict.redirect else { return true }
        sendCopy(data, to: redirect, flags: ExtendedFrame.Reason.outboundRedirect.rawValue, facts, &shared)
        shared.count(.redirected)
        return false
    }

    /// Decides on an inbound frame that lies in a span, and sends what the rules ask for. `place`: where the ledger counts it.
    mutating func filterIncoming(
        _ facts: FrameFacts, from peer: Address, _ frame: RawSpan, at offset: Int, _ shared: inout EthernetShared,
        _ now: Now
    ) -> (level: FrameVerdict.Level, place: Int32) {
        var nobody = NoRuleObserver()
        let verdict = decideInbound(facts, from: peer, frame, at: offset, &shared.random, &nobody)
        let place = account(verdict, facts, frame, at: offset, now)
        frames.noteReceived(verdict.level.reason(isInbound: true) == nil)
        guard verdict.level.reason(isInbound: true) == nil else { return (verdict.level, place) }
        if verdict.copy == nil, verdict.capabilityCopy == nil, verdict.redirect == nil { return (verdict.level, place) }
        let data = frame.copyBytes(offset, facts.length)
        send(verdict.capabilityCopy, .inboundTee, .inboundWatch, facts, data, &shared)
        send(verdict.copy, .inboundTee, .inboundWatch, facts, data, &shared)
        guard let redirect = verdict.redirect else { return (verdict.level, place) }
        sendCopy(data, to: redirect, flags: ExtendedFrame.Reason.inboundRedirect.rawValue, facts, &shared)
        return (.drop, place)
    }

    private func send(
        _ copy: RuleVerdict.Copy?, _ tee: ExtendedFrame.Reason, _ watch: ExtendedFrame.Reason, _ facts: FrameFacts,
        _ data: [UInt8], _ shared: inout EthernetShared
    ) {
        guard let copy else { return }
        let flags = copy.isWatched ? watch.rawValue | ExtendedFrame.acknowledgeFlag : tee.rawValue
        sendCopy(Array(data.prefix(copy.length)), to: copy.to, flags: flags, facts, &shared)
    }

    private func sendCopy(
        _ data: [UInt8], to target: Address, flags: UInt8, _ facts: FrameFacts, _ shared: inout EthernetShared
    ) {
        let frame = ExtendedFrame(
            network: id, flags: flags, destination: facts.destinationMAC, source: facts.sourceMAC,
            etherType: facts.etherType, data: data)
        shared.send(.extendedFrame, frame.encoded, to: target)
    }
}
