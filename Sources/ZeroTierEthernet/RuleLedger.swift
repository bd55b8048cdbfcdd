//  Which rules of a network decided how often, and what they refused last. Nothing here allocates for a frame.

package import NetPrimitives
package import ZeroTierWire

/// What a refused frame carried, as far as its headers say.
package struct PacketSummary: Hashable, Sendable {
    package let source: IPAddress
    package let destination: IPAddress
    package let ipProtocol: UInt8
    /// Ports of TCP, UDP, UDP-Lite and SCTP; 0 for all else. For ICMP, type and code.
    package let first: UInt16
    package let second: UInt16

    /// Nil for a frame that is no IP packet, or too short.
    init?(_ facts: FrameFacts, _ frame: RawSpan, at offset: Int) {
        let available = min(frame.byteCount - offset, facts.length)
        let isIPv4 = facts.etherType == 0x0800
        guard isIPv4 ? available >= 20 : facts.etherType == 0x86dd && available >= 40 else { return nil }
        if isIPv4 {
            source = IPAddress(v4: frame.loadUInt32(at: offset + 12))
            destination = IPAddress(v4: frame.loadUInt32(at: offset + 16))
        } else {
            source = IPAddress(v6High: frame.loadUInt64(at: offset + 8), low: frame.loadUInt64(at: offset + 16))
            destination = IPAddress(v6High: frame.loadUInt64(at: offset + 24), low: frame.loadUInt64(at: offset + 32))
        }
        var upper: (number: UInt8, position: Int)?
        switch facts.headerChain(frame, at: offset) {
        case .upper(let number, let position)?: upper = (number, position)
        case .laterFragment?, .ranOut?, .unreadable?, nil: break
        }
        ipProtocol = upper?.number ?? frame.loadUInt8(at: offset + (isIPv4 ? 9 : 6))
        guard let upper, upper.position + 4 <= available else {
            (first, second) = (0, 0)
            return
        }
        let place = offset + upper.position
        switch upper.number {
        case 6, 17, 132, 136: (first, second) = (frame.loadUInt16(at: place), frame.loadUInt16(at: place + 2))
        case 1, 58: (first, second) = (UInt16(frame.loadUInt8(at: place)), UInt16(frame.loadUInt8(at: place + 1)))
        default: (first, second) = (0, 0)
        }
    }
}

/// A frame that the rules did not let through. Plain numbers: the next ones take its place.
package struct RuleRefusal: Hashable, Sendable {
    package let time: MonotonicInstant
    package let isInbound: Bool
    /// The other member; 0 if it was not chosen yet, as with a multicast.
    package let member: Address
    package let decision: RuleDecision
    package let sourceMAC: MACAddress
    package let destinationMAC: MACAddress
    package let etherType: UInt16
    /// Bytes of the Ethernet payload.
    package let length: Int
    package let packet: PacketSummary?
}

/// The account that a network keeps of its rules.
struct RuleLedger: Sendable {
    // Frames by place: the base rules, then none of any table, then all capabilities beyond those with a place, then one place
    // for each of `capabilities`.
    private var counts: [UInt64] = [0, 0]
    private var capabilities: [UInt32] = []
    private var baseCount = 0
    // A ring of the last ones; `oldest` is where the next one goes once it is full.
    private var ring: [RuleRefusal] = []
    private var oldest = 0

    /// Begins anew for a table of so many base rules.
    mutating func reset(baseRules: Int) {
        baseCount = baseRules
        counts = [UInt64](repeating: 0, count: baseRules + 2)
        capabilities = []
        ring = []
        oldest = 0
    }

    /// Where a decision is counted.
    mutating func place(of decision: RuleDecision) -> Int32 {
        switch decision.table {
        case .base?: return Int32(min(decision.rule, baseCount))
        case nil: return Int32(baseCount)
        case .capability(let id)?:
            if let index = capabilities.firstIndex(of: id) { return Int32(baseCount + 2 + index) }
            guard capabilities.count < EthernetLimits.countedCapabilities else { return Int32(baseCount + 1) }
            capabilities.append(id)
            counts.append(0)
            return Int32(counts.count - 1)
        }
    }

    /// Counts a frame, or a burst of one flow, at a place that `place(of:)` gave since the last `reset`.
    @inline(__always)
    mutating func count(_ place: Int32) { counts[Int(place)] &+= 1 }

    /// Keeps a frame that was not let through.
    mutating func note(
        _ decision: RuleDecision, _ facts: FrameFacts, _ frame: RawSpan, at offset: Int, _ time: MonotonicInstant
    ) {
        let refusal = RuleRefusal(
            time: time, isInbound: facts.isInbound, member: facts.isInbound ? facts.source : facts.destination,
            decision: decision, sourceMAC: facts.sourceMAC, destinationMAC: facts.destinationMAC,
            etherType: facts.etherType, length: facts.length, packet: PacketSummary(facts, frame, at: offset))
        if ring.count < EthernetLimits.refusals {
            ring.append(refusal)
        } else {
            ring[oldest] = refusal
            oldest = (oldest + 1) % ring.count
        }
    }

    /// Frames that each base rule decided on.
    var baseCounts: ArraySlice<UInt64> { counts.prefix(baseCount) }
    /// Frames on which no rule decided.
    var undecided: UInt64 { counts[baseCount] }
    /// Frames by capability that let them through, in order of their IDs.
    var capabilityCounts: [(id: UInt32, count: UInt64)] {
        capabilities.enumerated().map { (id: $0.element, count: counts[baseCount + 2 + $0.offset]) }.sorted {
            $0.id < $1.id
        }
    }
    /// The last refusals, oldest first.
    var refusals: [RuleRefusal] { Array(ring[oldest...] + ring[..<oldest]) }
}
