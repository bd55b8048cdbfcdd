//  Joins the parts of packets that did not arrive next to each other in one buffer. Nothing of a part is authenticated,
//  so everything here is bounded: packets, packets per source, bytes, time. When there is no room, what came by the paths of roots
//  and members stays before what came from anywhere else, and of the latter those go first whose source prefix holds most.

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
        /// Whether the first part came by the path of a root or a member.
        let isTrusted: Bool
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

    /// The head of a packet, header included. `isTrusted`: the path is that of a root or a member.
    mutating func addHead(
        _ bytes: [UInt8], id: PacketID, path: PhysicalPath, isTrusted: Bool = false, _ now: MonotonicInstant
    ) -> OnPart {
        guard let index = place(id, source: path.remote, isTrusted, now) else { return .drop(.fragmentsDisplaced) }
        guard packets[index].head == nil else { return .drop(.duplicateFragment) }
        packets[index].head = (bytes, path)
        return account(index, bytes.count)
    }

    /// A part that is not the head. The header's numbers must be acceptable.
    mutating func addPart(
        _ header: FragmentHeader, data: [UInt8], path: PhysicalPath, isTrusted: Bool = false, _ now: MonotonicInstant
    ) -> OnPart {
        guard let index = place(header.packetID, source: path.remote, isTrusted, now) else {
            return .drop(.fragmentsDisplaced)
        }
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
            return makeRoom(for: packets[index].id) ? .stored : .drop(.fragmentsDisplaced)
        }
        let packet = remove(index)
        guard let head = packet.head else { return .stored }
        var bytes = head.bytes
        bytes.reserveCapacity(packet.byteCount)
        for part in packet.parts[0..<packet.total - 1] { bytes.append(contentsOf: part ?? []) }
        return .complete(bytes, head.path)
    }

    /// The index of the packet's entry, made if need be; nil if others have more right to the room.
    private mutating func place(
        _ id: PacketID, source: SocketEndpoint, _ isTrusted: Bool, _ now: MonotonicInstant
    ) -> Int? {
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
            guard let victim = victim(for: isTrusted, except: nil) else { return nil }
            remove(victim)
            displaced += 1
        }
        packets.append(Incomplete(id: id, source: source, isTrusted: isTrusted, started: now))
        return packets.count - 1
    }

    /// False if the packet itself had to go.
    private mutating func makeRoom(for id: PacketID) -> Bool {
        while byteCount > limits.incompleteBytes, packets.count > 1,
            let own = packets.firstIndex(where: { $0.id == id })
        {
            guard let victim = victim(for: packets[own].isTrusted, except: id) else {
                remove(own)
                return false
            }
            remove(victim)
            displaced += 1
        }
        return true
    }

    /// Who gives way: the oldest of the prefix that holds most of what came from anywhere; else the oldest, if the newcomer is trusted
    /// as well.
    private func victim(for isTrusted: Bool, except id: PacketID?) -> Int? {
        var crowds: [IPAddress: Int] = [:]
        for packet in packets where !packet.isTrusted { crowds[packet.source.address.sourcePrefix, default: 0] += 1 }
        var choice: (index: Int, crowd: Int)?
        for index in packets.indices where !packets[index].isTrusted && packets[index].id != id {
            let crowd = crowds[packets[index].source.address.sourcePrefix] ?? 0
            if crowd > choice?.crowd ?? 0 { choice = (index, crowd) }
        }
        if let choice { return choice.index }
        return isTrusted ? packets.firstIndex { $0.id != id } : nil
    }

    @discardableResult
    private mutating func remove(_ index: Int) -> Incomplete {
        let packet = packets.remove(at: index)
        byteCount -= packet.byteCount
        return packet
    }
}
