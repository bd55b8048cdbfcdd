// The neighbour cache: one unreachability machine for ARP and NDP. Read first: RFC 4861 7.3, RFC 826.
//
//   (none) --packet to send--> incomplete --answer--> reachable --time--> stale --packet--> delay --time--> probe
//                                  | 3 solicitations        ^                                   | confirm      | 3 asked
//                                  v                        +-----------------------------------+              v
//                               failed: removed, waiting packets dropped, waiting sockets told              removed
//
// If another station claims an address, the known entry goes to probe: the known station is asked. If it is silent, the
// claimant takes its place.
//
// Reachable becomes stale by comparison of instants when the entry is used, so that an idle cache arms no timer.

import NetPrimitives

/// A packet whose bytes the stack owns: it waits for a neighbour or for the link.
struct OwnedPacket: Sendable {
    var interface: InterfaceID
    var destination: MACAddress
    var etherType: UInt16
    var bytes: [UInt8]
    /// It comes back to this stack instead of going to the link.
    var isLoopback = false
}

/// One neighbour.
struct Neighbour: Sendable {
    enum State: Sendable, Equatable {
        /// Asked for; how many more solicitations may go.
        case incomplete(remaining: Int)
        /// Confirmed; until `reachableUntil`.
        case reachable
        /// Known, unconfirmed.
        case stale
        /// Used while stale: a confirmation may still come by itself.
        case delay
        /// Asked directly; how many more solicitations may go.
        case probe(remaining: Int)
        /// Set by the owner; nothing changes it.
        case permanent
    }

    let key: ScopedAddress
    var state: State
    var mac: MACAddress
    var isRouter = false
    /// Another station that claims the address. The known one is asked first. If it is silent, this one takes its
    /// place.
    var claimant: MACAddress?
    /// Until then claims are ignored: the known station has answered one.
    var settledUntil = MonotonicInstant.zero
    /// Asked for only because others sent something. Counted apart from our own wishes.
    var isForOthers = false
    var reachableUntil = MonotonicInstant.zero
    /// Used since the eviction hand passed.
    var isReferenced = true
    var queue: [OwnedPacket] = []
    var queuedBytes = 0
    /// Connections with something to send.
    var waiters: [SlotID] = []
    let timer: TimerID

    var hasMAC: Bool {
        if case .incomplete = state { return false }
        return true
    }
}

/// All neighbours of a stack.
struct NeighbourTable: ~Copyable {
    private var index: OpenTable<ScopedAddress, SlotID>
    var entries = SlotTable<Neighbour>()
    /// Bytes that wait in all queues.
    var queuedBytes = 0
    /// Entries that are asked for: by our own wish, and because others sent something.
    var incompleteCount = 0
    var incompleteForOthers = 0
    private var hand: UInt32 = 0

    init(hashKey: SipHasher.Key) {
        index = OpenTable(hashKey: hashKey)
    }

    /// The entry of an address.
    @inline(__always)
    func find(_ key: ScopedAddress) -> SlotID? { index[key] }

    /// Adds an entry; the caller has made room.
    mutating func insert(_ neighbour: Neighbour) -> SlotID {
        if !neighbour.hasMAC { countIncomplete(neighbour.isForOthers, by: 1) }
        let key = neighbour.key
        let slot = entries.insert(neighbour)
        index.set(key, slot)
        return slot
    }

    /// Takes an entry out.
    mutating func remove(_ slot: SlotID) -> Neighbour? {
        guard let neighbour = entries.remove(slot) else { return nil }
        index.remove(neighbour.key)
        queuedBytes -= neighbour.queuedBytes
        if !neighbour.hasMAC { countIncomplete(neighbour.isForOthers, by: -1) }
        return neighbour
    }

    /// Keeps count of entries that are asked for.
    mutating func countIncomplete(_ isForOthers: Bool, by change: Int) {
        if isForOthers { incompleteForOthers += change } else { incompleteCount += change }
    }

    /// An entry that may give way to a new one: known, nothing waits, not used since the hand last passed. nil: none.
    mutating func victim() -> SlotID? {
        // Two rounds: the first may only clear marks.
        for _ in 0..<(2 * entries.count + 2) {
            guard let slot = entries.nextID(from: hand) ?? entries.nextID(from: 0) else { return nil }
            hand = slot.index &+ 1
            if entries[slot].isReferenced {
                entries[slot].isReferenced = false
                continue
            }
            switch entries[slot].state {
            case .reachable, .stale: return slot
            // Being confirmed, but nobody waits: asked for again when it is used again.
            case .delay, .probe: if entries[slot].queue.isEmpty, entries[slot].waiters.isEmpty { return slot }
            default: continue
            }
        }
        return nil
    }

    /// Puts a packet into the entry's queue. Returns how many older ones had to go.
    mutating func park(_ packet: OwnedPacket, _ slot: SlotID, limits: StackLimits) -> Int {
        var dropped = 0
        let size = packet.bytes.count
        guard size <= limits.bytesPerNeighbour, size <= limits.neighbourBytes else { return 1 }
        while !entries[slot].queue.isEmpty,
            entries[slot].queue.count >= limits.packetsPerNeighbour
                || entries[slot].queuedBytes + size > limits.bytesPerNeighbour
                || queuedBytes + size > limits.neighbourBytes
        {
            let oldest = entries[slot].queue.removeFirst()
            entries[slot].queuedBytes -= oldest.bytes.count
            queuedBytes -= oldest.bytes.count
            dropped += 1
        }
        guard queuedBytes + size <= limits.neighbourBytes else { return dropped + 1 }
        entries[slot].queue.append(packet)
        entries[slot].queuedBytes += size
        queuedBytes += size
        return dropped
    }

    /// Takes what waits in an entry's queue.
    mutating func takeQueue(_ slot: SlotID) -> [OwnedPacket] {
        let packets = entries[slot].queue
        queuedBytes -= entries[slot].queuedBytes
        entries[slot].queue = []
        entries[slot].queuedBytes = 0
        return packets
    }
}
