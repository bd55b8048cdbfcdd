//  Joins the parts of packets that did not arrive next to each other in one buffer. Nothing of a part is authenticated,
//  so everything here is bounded: packets, packets per source, bytes, time.

import NetPrimitives
import ZeroTierWire

/// Packets of which parts are missing.
struct Defragmenter: Sendable {
    /// What became of a part.
    enum OnPart: Sendable {
        /// Kept; more are needed.
        case stored
        /// The last one: the whole packet, with the path its head came by.
        case complete([UInt8], PhysicalPath)
        case drop(PeerDrop)
    }

    private struct Incomplete: Sendable {
        let id: PacketID
        let source: SocketEndpoint
        let started: MonotonicInstant
        var head: (bytes: [UInt8], path: PhysicalPath)?
        /// Data of parts 1 to 6.
        var parts: [[UInt8]?] = Array(repeating: nil, count: ProtocolLimits.maximumParts - 1)
        /// 0 until a fragment said it.
        var total = 0
        var byteCount = 0

        var isComplete: Bool {
            guard head != nil, total > 1 else { return false }
            return parts[0..<total - 1].allSatisfy { $0 != nil }
        }
    }

    // In the order of their first part; at most a few dozen, so that a search is cheaper than a dictionary.
    private var packets: [Incomplete] = []
    private(set) var byteCount = 0
    private let limits: PeerLimits
    /// Packets that had to give way, since last asked.
    private var displaced = 0

    init(limits: PeerLimits) {
        self.limits = limits
    }

    var count: Int { packets.count }

    /// When the oldest packet runs out of time.
    var nextDeadline: MonotonicInstant? { packets.first.map { $0.started + ProtocolLimits.queueEntryLife } }

    /// Forgets packets whose parts did not come in time. How many.
    mutating func expire(_ now: MonotonicInstant) -> Int {
        var count = 0
        while let first = packets.first, now - first.started >= ProtocolLimits.queueEntryLife {
            byteCount -= first.byteCount
            packets.removeFirst()
            count += 1
        }
        return count
    }

    /// How many packets gave way since the last call.
    mutating func takeDisplaced() -> Int {
        defer { displaced = 0 }
        return displaced
    }

    /// The head of a packet, header included.
    mutating func addHead(
        _ bytes: [UInt8], id: PacketID, path: PhysicalPath, _ now: MonotonicInstant
    ) -> OnPart {
        let index = place(id, source: path.remote, now)
        guard packets[index].head == nil else { return .drop(.duplicateFragment) }
        packets[index].head = (bytes, path)
        return account(index, bytes.count)
    }

    /// A part that is not the head. The header's numbers must be acceptable.
    mutating func addPart(
        _ header: FragmentHeader, data: [UInt8], path: PhysicalPath, _ now: MonotonicInstant
    ) -> OnPart {
        let index = place(header.packetID, source: path.remote, now)
        if packets[index].total != 0, packets[index].total != header.total { return .drop(.badFragment) }
        guard packets[index].parts[header.number - 1] == nil else { return .drop(.duplicateFragment) }
        packets[index].total = header.total
        packets[index].parts[header.number - 1] = data
        return account(index, data.count)
    }

    private mutating func account(_ index: Int, _ added: Int) -> OnPart {
        packets[index].byteCount += added
        byteCount += added
        if packets[index].byteCount > ProtocolLimits.maximumPacketLength {
            remove(index)
            return .drop(.fragmentsTooLong)
        }
        guard packets[index].isComplete else {
            makeRoom(except: packets[index].id)
            return .stored
        }
        let packet = remove(index)
        guard let head = packet.head else { return .stored }
        var bytes = head.bytes
        bytes.reserveCapacity(packet.byteCount)
        for part in packet.parts[0..<packet.total - 1] { bytes.append(contentsOf: part ?? []) }
        return .complete(bytes, head.path)
    }

    /// The index of the packet's entry, made if need be.
    private mutating func place(_ id: PacketID, source: SocketEndpoint, _ now: MonotonicInstant) -> Int {
        if let index = packets.firstIndex(where: { $0.id == id }) { return index }
        var ofSource = 0
        var oldestOfSource: Int?
        for index in packets.indices where packets[index].source == source {
            ofSource += 1
            if oldestOfSource == nil { oldestOfSource = index }
        }
        if ofSource >= limits.incompletePacketsPerSource, let oldestOfSource {
            remove(oldestOfSource)
            displaced += 1
        } else if packets.count >= limits.incompletePackets {
            remove(0)
            displaced += 1
        }
        packets.append(Incomplete(id: id, source: source, started: now))
        return packets.count - 1
    }

    private mutating func makeRoom(except id: PacketID) {
        while byteCount > limits.incompleteBytes, let index = packets.firstIndex(where: { $0.id != id }) {
            remove(index)
            displaced += 1
        }
    }

    @discardableResult
    private mutating func remove(_ index: Int) -> Incomplete {
        let packet = packets.remove(at: index)
        byteCount -= packet.byteCount
        return packet
    }
}
