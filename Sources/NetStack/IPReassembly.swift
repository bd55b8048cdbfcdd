// Fragments to datagrams, both families. Read first: RFC 791 3.2, RFC 8200 4.5, RFC 5722 (overlap), RFC 6864.
//
// Any overlap, any second end and any byte beyond an end kill the datagram and, until its time is over, every later
// fragment of it. An exact copy of a fragment is ignored: links duplicate.

import NetPrimitives

/// The outcome of a fragment.
enum ReassemblyOutcome {
    /// Kept; the datagram is not whole.
    case stored
    /// The datagram: its header as the first fragment had it, without fragment header, and all payload.
    case complete([UInt8])
    case dropped(StackDropReason)
}

/// A datagram that was given up. If its first fragment came, an ICMP time exceeded quotes it.
struct ExpiredDatagram {
    let key: ReassemblyKey
    let firstFragment: [UInt8]?
}

/// One fragment: payload in bytes, position in the datagram's payload.
struct FragmentPiece: Sendable {
    let offset: Int
    let bytes: [UInt8]
    var end: Int { offset + bytes.count }
}

/// A fragment as its family's input has parsed it.
struct FragmentInput {
    let key: ReassemblyKey
    /// Start of the payload in the payload of the datagram.
    let offset: Int
    let moreFragments: Bool
    /// Where the payload stands in the packet.
    let payload: Range<Int>
    /// Bytes of the packet before the fragment's payload that belong to the datagram (IPv6: without fragment header).
    let headerLength: Int
    /// The next header that the datagram has at `nextHeaderPointer` (IPv6); IPv4 needs none.
    let nextHeader: UInt8
    let nextHeaderPointer: Int
}

/// Datagrams whose fragments are being collected.
struct IPReassembly: ~Copyable {
    // Not private: the compiler (6.3.1) rejects its own code for a private element type of `SlotTable` used from
    // another file.
    struct Datagram: Sendable {
        let key: ReassemblyKey
        let deadline: MonotonicInstant
        /// Sorted by offset, without overlap.
        var pieces: [FragmentPiece] = []
        /// Length of the whole payload, known from the last fragment.
        var total: Int?
        /// The header of the first fragment, ready for the whole datagram.
        var header: [UInt8]?
        /// The start of the first fragment as received.
        var quote: [UInt8]?
        var collected = 0
        var charged = StackConstants.datagramOverhead
        /// Killed: only waits for its time to end.
        var isPoisoned = false
    }

    /// What the unfinished datagrams of one station hold.
    struct Held: Sendable {
        var datagrams = 0
        var bytes = 0
    }

    private var index: OpenTable<ReassemblyKey, SlotID>
    private var perStation: OpenTable<StationKey, Held>
    var datagrams = SlotTable<Datagram>()
    // By age. All live equally long, so the first is the next to expire. Removed ones are skipped.
    private var order = RingQueue<SlotID>()
    /// Bytes held, overhead included.
    private(set) var bytesHeld = 0

    init(hashKey: SipHasher.Key) {
        index = OpenTable(hashKey: hashKey)
        perStation = OpenTable(hashKey: hashKey)
    }

    /// Datagrams that are unfinished.
    var count: Int { datagrams.count }

    /// When the oldest datagram's time is over.
    var nextDeadline: MonotonicInstant? {
        mutating get {
            skipRemoved()
            guard let first = order.first else { return nil }
            return datagrams[first].deadline
        }
    }

    private mutating func skipRemoved() {
        while let first = order.first, !datagrams.contains(first) { _ = order.popFirst() }
    }

    /// Takes a fragment of a packet.
    mutating func receive(
        _ input: FragmentInput, packet: RawSpan, limits: StackLimits, lifetime: Duration, now: Now
    ) -> ReassemblyOutcome {
        let length = input.payload.count
        // RFC 791: every part but the last is a multiple of eight; nothing may reach beyond what the length field says.
        let counted = IPReassembly.countedHeader(input.headerLength, input.key)
        guard length > 0, !input.moreFragments || length % 8 == 0, input.offset + length + counted <= 65_535
        else { return .dropped(.fragmentMalformed) }
        let slot: SlotID
        if let known = index[input.key], datagrams.contains(known) {
            slot = known
        } else {
            guard let made = open(input.key, limits, now.monotonic + lifetime) else {
                return .dropped(.reassemblyFull)
            }
            slot = made
        }
        if datagrams[slot].isPoisoned { return .dropped(.fragmentOverlap) }
        let cost = length + StackConstants.datagramOverhead
        guard datagrams[slot].pieces.count < limits.fragmentsPerDatagram else {
            poison(slot)
            return .dropped(.reassemblyFull)
        }
        // A station makes room for itself, never for another that holds more.
        guard held(by: input.key).bytes + cost <= limits.reassemblyBytesPerStation else {
            return .dropped(.reassemblyFull)
        }
        guard makeRoom(cost, keeping: slot, limits) else {
            remove(slot)
            return .dropped(.reassemblyFull)
        }
        let bytes = packet.copyBytes(input.payload.lowerBound, length)
        switch IPReassembly.place(
            FragmentPiece(offset: input.offset, bytes: bytes), isLast: !input.moreFragments, in: &datagrams[slot])
        {
        case .placed: break
        case .copy: return .stored
        case .contradiction:
            poison(slot)
            return .dropped(.fragmentOverlap)
        }
        charge(cost, to: slot)
        if input.offset == 0 { keepHeader(input, packet, slot) }
        guard let total = datagrams[slot].total, datagrams[slot].collected == total,
            let header = datagrams[slot].header
        else { return .stored }
        guard IPReassembly.countedHeader(header.count, input.key) + total <= 65_535 else {
            poison(slot)
            return .dropped(.fragmentMalformed)
        }
        return .complete(finish(slot, header, total))
    }

    // What the length field of the family counts of the header: all of it, or what is behind the 40 bytes of IPv6.
    private static func countedHeader(_ length: Int, _ key: ReassemblyKey) -> Int {
        key.source.isIPv4 ? length : length - IPv6Header.size
    }

    private enum Placement {
        case placed, copy, contradiction
    }

    private static func place(_ piece: FragmentPiece, isLast: Bool, in datagram: inout Datagram) -> Placement {
        var low = 0
        var high = datagram.pieces.count
        while low < high {
            let middle = (low + high) / 2
            if datagram.pieces[middle].offset < piece.offset { low = middle + 1 } else { high = middle }
        }
        if low < datagram.pieces.count {
            let next = datagram.pieces[low]
            if next.offset == piece.offset, next.bytes == piece.bytes {
                // A copy may not claim another end than the first did.
                let claimsEnd = datagram.total == piece.end
                return isLast == claimsEnd ? .copy : .contradiction
            }
            if next.offset < piece.end { return .contradiction }
        }
        if low > 0, datagram.pieces[low - 1].end > piece.offset { return .contradiction }
        if let total = datagram.total {
            if isLast || piece.end > total { return .contradiction }
        } else if isLast {
            if let last = datagram.pieces.last, last.end > piece.end { return .contradiction }
            datagram.total = piece.end
        }
        datagram.pieces.insert(piece, at: low)
        datagram.collected += piece.bytes.count
        return .placed
    }

    // The headers of the first fragment become those of the datagram; lengths are set at the end.
    private mutating func keepHeader(_ input: FragmentInput, _ packet: RawSpan, _ slot: SlotID) {
        var header = packet.copyBytes(0, input.headerLength)
        if !input.key.source.isIPv4 { header[input.nextHeaderPointer] = input.nextHeader }
        datagrams[slot].header = header
        datagrams[slot].quote = packet.copyBytes(0, min(packet.byteCount, 1_232))
        let cost = header.count + min(packet.byteCount, 1_232)
        charge(cost, to: slot)
    }

    private mutating func charge(_ cost: Int, to slot: SlotID) {
        datagrams[slot].charged += cost
        bytesHeld += cost
        note(datagrams[slot].key, datagrams: 0, bytes: cost)
    }

    private func held(by key: ReassemblyKey) -> Held { perStation[StationKey(key.interface, key.station)] ?? Held() }

    private mutating func note(_ key: ReassemblyKey, datagrams: Int, bytes: Int) {
        var held = held(by: key)
        held.datagrams += datagrams
        held.bytes += bytes
        let station = StationKey(key.interface, key.station)
        if held.datagrams > 0 { perStation.set(station, held) } else { perStation.remove(station) }
    }

    private mutating func open(_ key: ReassemblyKey, _ limits: StackLimits, _ deadline: MonotonicInstant) -> SlotID? {
        guard held(by: key).datagrams < limits.datagramsPerStation else { return nil }
        if datagrams.count >= limits.reassemblies {
            guard let victim = victim(sparing: nil, key) else { return nil }
            remove(victim)
        }
        let slot = datagrams.insert(Datagram(key: key, deadline: deadline))
        bytesHeld += StackConstants.datagramOverhead
        note(key, datagrams: 1, bytes: StackConstants.datagramOverhead)
        index.set(key, slot)
        order.append(slot)
        // Datagrams that were removed out of turn have left their places behind.
        if order.count > 2 * max(16, datagrams.count) { compactOrder() }
        return slot
    }

    private mutating func compactOrder() {
        var rest = RingQueue<SlotID>()
        while let slot = order.popFirst() {
            if datagrams.contains(slot) { rest.append(slot) }
        }
        order = rest
    }

    // The oldest datagram of the station that holds the most bytes, if it holds more than the station that wants room. Never
    // the datagram at hand.
    private func victim(sparing kept: SlotID?, _ key: ReassemblyKey) -> SlotID? {
        var best: (slot: SlotID, bytes: Int, deadline: MonotonicInstant)?
        for slot in datagrams.ids where slot != kept {
            let bytes = held(by: datagrams[slot].key).bytes
            let deadline = datagrams[slot].deadline
            if let known = best, (known.bytes, deadline) >= (bytes, known.deadline) { continue }
            best = (slot, bytes, deadline)
        }
        guard let best, best.bytes >= held(by: key).bytes else { return nil }
        return best.slot
    }

    // Drops datagrams, but not the one at hand, until there is room.
    private mutating func makeRoom(_ cost: Int, keeping slot: SlotID, _ limits: StackLimits) -> Bool {
        while bytesHeld + cost > limits.reassemblyBytes {
            guard let victim = victim(sparing: slot, datagrams[slot].key) else { return false }
            remove(victim)
        }
        return true
    }

    private mutating func finish(_ slot: SlotID, _ header: [UInt8], _ total: Int) -> [UInt8] {
        var bytes = header
        bytes.reserveCapacity(bytes.count + total)
        let headerLength = bytes.count
        for piece in datagrams[slot].pieces { bytes.append(contentsOf: piece.bytes) }
        let isIPv4 = datagrams[slot].key.source.isIPv4
        remove(slot)
        if isIPv4 {
            let length = UInt16(truncatingIfNeeded: headerLength + total)
            bytes[2] = UInt8(truncatingIfNeeded: length >> 8)
            bytes[3] = UInt8(truncatingIfNeeded: length)
            // Neither flag nor offset; the checksum follows.
            bytes[6] &= 0x40
            bytes[7] = 0
            bytes[10] = 0
            bytes[11] = 0
            let checksum = bytes.withBytes { Checksum.finish(Checksum.sum($0, from: 0, count: headerLength)) }
            bytes[10] = UInt8(truncatingIfNeeded: checksum >> 8)
            bytes[11] = UInt8(truncatingIfNeeded: checksum)
        } else {
            let length = UInt16(truncatingIfNeeded: headerLength - IPv6Header.size + total)
            bytes[4] = UInt8(truncatingIfNeeded: length >> 8)
            bytes[5] = UInt8(truncatingIfNeeded: length)
        }
        return bytes
    }

    private mutating func poison(_ slot: SlotID) {
        let freed = datagrams[slot].charged - StackConstants.datagramOverhead
        bytesHeld -= freed
        datagrams[slot].charged -= freed
        note(datagrams[slot].key, datagrams: 0, bytes: -freed)
        datagrams[slot].pieces = []
        datagrams[slot].header = nil
        datagrams[slot].quote = nil
        datagrams[slot].isPoisoned = true
    }

    private mutating func remove(_ slot: SlotID) {
        guard let datagram = datagrams.remove(slot) else { return }
        bytesHeld -= datagram.charged
        index.remove(datagram.key)
        note(datagram.key, datagrams: -1, bytes: -datagram.charged)
    }

    /// Gives up the next datagram whose time is over.
    mutating func popExpired(_ now: MonotonicInstant) -> ExpiredDatagram? {
        skipRemoved()
        guard let first = order.first, datagrams[first].deadline <= now else { return nil }
        _ = order.popFirst()
        let expired = ExpiredDatagram(
            key: datagrams[first].key,
            firstFragment: datagrams[first].isPoisoned ? nil : datagrams[first].quote)
        remove(first)
        return expired
    }

    /// Forgets what came by an interface.
    mutating func removeAll(on interface: InterfaceID) {
        for slot in datagrams.ids where datagrams[slot].key.interface == interface { remove(slot) }
    }
}
