//  Verdicts on flows, so that the rules are not read for every packet. Filled only where every rule is a function of what
//  the key holds; a change of configuration or credentials anywhere empties it.

import NetPrimitives
import ZeroTierWire

/// The key of a flow, as far as rules can see. All plain numbers, because every packet pays for comparing and copying
/// it.
struct RuleFlow: Sendable {
    /// Network's slot.
    private let network: UInt64
    /// The other member's address, or 0 outbound, where the MAC implies it; EtherType in the upper 16 bits.
    private let peer: UInt64
    private let sourceMAC: UInt64
    private let destinationMAC: UInt64
    private let address0: UInt64
    private let address1: UInt64
    private let address2: UInt64
    private let address3: UInt64
    /// Ports, protocol, traffic class, TCP flags.
    private let transport: UInt64

    /// Nil for a frame whose verdict may depend on more: not TCP or UDP, options, extension headers, a fragment,
    /// too short.
    /// `frame` holds the first bytes of the payload, of `length` bytes in all, from `offset` on.
    @inline(__always)
    init?(
        network: SlotID, peer: UInt64, source: UInt64, destination: UInt64, etherType: UInt16, length: Int,
        frame: RawSpan, at offset: Int
    ) {
        let available = min(length, frame.byteCount - offset)
        let proto: UInt8
        let headerLength: Int
        let trafficClass: UInt64
        if etherType == 0x86dd, available >= 48 {
            headerLength = 40
            proto = frame.loadUInt8(at: offset + 6)
            trafficClass = UInt64(frame.loadUInt16(at: offset) >> 4) & 0xff
            address0 = frame.loadUInt64(at: offset + 8)
            address1 = frame.loadUInt64(at: offset + 16)
            address2 = frame.loadUInt64(at: offset + 24)
            address3 = frame.loadUInt64(at: offset + 32)
        } else if etherType == 0x0800, available >= 28, frame.loadUInt8(at: offset) & 15 == 5,
            // A fragment has no ports in that place.
            frame.loadUInt16(at: offset + 6) & 0x3fff == 0
        {
            headerLength = 20
            proto = frame.loadUInt8(at: offset + 9)
            trafficClass = UInt64(frame.loadUInt8(at: offset + 1))
            address0 = frame.loadUInt64(at: offset + 12)
            address1 = 0
            address2 = 0
            address3 = 0
        } else {
            return nil
        }
        var flags: UInt64 = 0
        if proto == 6 {
            guard available >= headerLength + 20 else { return nil }
            flags = UInt64(frame.loadUInt16(at: offset + headerLength + 12) & 0x0fff)
        } else if proto != 17 {
            return nil
        }
        let ports = UInt64(frame.loadUInt32(at: offset + headerLength))
        transport = ports &<< 32 | UInt64(proto) &<< 24 | trafficClass &<< 16 | flags
        self.network = UInt64(network.index) &<< 32 | UInt64(network.generation)
        self.peer = peer | UInt64(etherType) &<< 48
        sourceMAC = source
        destinationMAC = destination
    }

    @inline(__always)
    func matches(_ other: RuleFlow) -> Bool {
        let addresses = (address0 ^ other.address0) | (address1 ^ other.address1) | (address2 ^ other.address2)
        let rest = (address3 ^ other.address3) | (transport ^ other.transport) | (peer ^ other.peer)
        let link = (network ^ other.network) | (sourceMAC ^ other.sourceMAC)
        return addresses | rest | link | (destinationMAC ^ other.destinationMAC) == 0
    }

    /// Which of `FlowCache`'s places the flow has.
    @inline(__always)
    var place: Int {
        let mixed = transport &>> 24 ^ transport &>> 40 ^ address0 ^ address3 ^ peer
        return Int(truncatingIfNeeded: mixed ^ mixed &>> 7) & (FlowCache.places - 1)
    }

    /// A key that no frame has.
    static let none = RuleFlow()

    private init() {
        network = 0
        peer = .max
        sourceMAC = 0
        destinationMAC = 0
        address0 = 0
        address1 = 0
        address2 = 0
        address3 = 0
        transport = 0
    }
}

/// The remembered verdict on a flow.
struct FlowVerdict: Sendable {
    let isAllowed: Bool
    /// Outbound the member's address, inbound its MAC.
    let peer: UInt64
    let network: UInt64
    /// Longest frame for which it holds: the network's MTU.
    let limit: Int
    /// Where the network's ledger counts its frames.
    let place: Int32
}

/// A small table of verdicts, one place per flow.
struct FlowCache: Sendable {
    static let places = EthernetLimits.flowCacheEntries

    private struct Entry: Sendable {
        var key = RuleFlow.none
        var verdict = FlowVerdict(isAllowed: false, peer: 0, network: 0, limit: 0, place: 0)
        /// 0 never is a current one.
        var epoch: UInt64 = 0
        var until: UInt64 = 0
    }

    private var entries = [Entry](repeating: Entry(), count: FlowCache.places)

    @inline(__always)
    func verdict(_ key: RuleFlow, epoch: UInt64, _ now: MonotonicInstant) -> FlowVerdict? {
        let place = key.place
        guard entries[place].epoch == epoch, now.nanoseconds < entries[place].until,
            entries[place].key.matches(key)
        else { return nil }
        return entries[place].verdict
    }

    mutating func remember(_ verdict: FlowVerdict, _ key: RuleFlow, epoch: UInt64, until: MonotonicInstant) {
        entries[key.place] = Entry(key: key, verdict: verdict, epoch: epoch, until: until.nanoseconds)
    }
}
