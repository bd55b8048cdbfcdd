//  Verdicts on flows, so that the rules are not read for every packet. Filled only where every rule is a function of what
//  the key holds; a change of configuration or credentials anywhere empties it.

import NetPrimitives
import ZeroTierWire

/// What tells a flow's packets from others', as far as rules can see.
struct FlowKey: Hashable, Sendable {
    // Network's slot and generation; the other member; MACs; EtherType.
    private var network: SlotID
    private var peer: UInt64
    private var sourceMAC: UInt64
    private var destinationMAC: UInt64
    private var addresses: (UInt64, UInt64, UInt64, UInt64)
    /// Ports, protocol, traffic class, TCP flags.
    private var transport: UInt64

    /// Nil for a frame whose verdict may depend on more: not TCP or UDP, options, extension headers, too short.
    init?(
        network: SlotID, peer: Address, source: MACAddress, destination: MACAddress, etherType: UInt16, length: Int,
        frame: RawSpan, at offset: Int
    ) {
        self.network = network
        self.peer = peer.value | UInt64(etherType) << 48
        sourceMAC = source.bits
        destinationMAC = destination.bits
        let available = min(length, frame.byteCount - offset)
        let proto: UInt8
        let headerLength: Int
        let trafficClass: UInt64
        if etherType == 0x86dd, available >= 48 {
            headerLength = 40
            proto = frame.loadUInt8(at: offset + 6)
            trafficClass = UInt64(frame.loadUInt16(at: offset) >> 4) & 0xff
            addresses = (
                frame.loadUInt64(at: offset + 8), frame.loadUInt64(at: offset + 16),
                frame.loadUInt64(at: offset + 24), frame.loadUInt64(at: offset + 32)
            )
        } else if etherType == 0x0800, available >= 28, frame.loadUInt8(at: offset) & 15 == 5 {
            headerLength = 20
            proto = frame.loadUInt8(at: offset + 9)
            trafficClass = UInt64(frame.loadUInt8(at: offset + 1))
            addresses = (frame.loadUInt64(at: offset + 12), 0, 0, 0)
        } else {
            return nil
        }
        var flags: UInt64 = 0
        if proto == 6 {
            guard available >= headerLength + 20, length > headerLength + 14 else { return nil }
            flags = UInt64(frame.loadUInt16(at: offset + headerLength + 12) & 0x0fff)
        } else if proto != 17 {
            return nil
        }
        let ports = UInt64(frame.loadUInt32(at: offset + headerLength))
        transport = ports << 32 | UInt64(proto) << 24 | trafficClass << 16 | flags
    }

    static func == (left: FlowKey, right: FlowKey) -> Bool {
        left.transport == right.transport && left.addresses == right.addresses && left.peer == right.peer
            && left.network == right.network && left.sourceMAC == right.sourceMAC
            && left.destinationMAC == right.destinationMAC
    }

    func hash(into hasher: inout Hasher) { hasher.combine(transport) }

    /// Where in a table of `count` entries the flow's entry is.
    func slot(of count: Int) -> Int {
        let mixed = (transport ^ addresses.1 ^ addresses.3 ^ peer) &* 0x9e37_79b9_7f4a_7c15
        return Int(mixed >> 40) % count
    }
}

/// A small table of verdicts, one place per flow.
struct FlowCache<Verdict: Sendable>: Sendable {
    private struct Entry: Sendable {
        let key: FlowKey
        let verdict: Verdict
        let epoch: UInt64
        let until: MonotonicInstant
    }

    private var entries = [Entry?](repeating: nil, count: EthernetLimits.flowCacheEntries)

    func verdict(_ key: FlowKey, epoch: UInt64, _ now: MonotonicInstant) -> Verdict? {
        let slot = key.slot(of: EthernetLimits.flowCacheEntries)
        guard let entry = entries[slot], entry.epoch == epoch, now < entry.until, entry.key == key else { return nil }
        return entry.verdict
    }

    mutating func remember(_ verdict: Verdict, _ key: FlowKey, epoch: UInt64, until: MonotonicInstant) {
        let slot = key.slot(of: EthernetLimits.flowCacheEntries)
        entries[slot] = Entry(key: key, verdict: verdict, epoch: epoch, until: until)
    }
}
