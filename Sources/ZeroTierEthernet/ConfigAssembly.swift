//  Configurations come in pieces, out of order, repeated, and from anyone: each piece is signed by the controller.
//
//  slot: empty -> collecting -> whole. A new update takes the slot that was used longest ago.

import NetPrimitives
import ZeroTierWire

/// The updates of one network under assembly.
struct ConfigAssembly: Sendable {
    private struct Update: Sendable {
        let id: UInt64
        let total: Int
        var bytes: [UInt8]
        var received = 0
        /// Given out. Its bytes are gone; another piece with another signature has no place.
        var isWhole = false
        var chunks: Set<UInt64> = []
        /// Packets that carried pieces which the controller wants passed on, and who sent each.
        var pieces: [Piece] = []
        var lastUse: UInt64
    }

    /// A packet that is passed on if its update turns out to be news.
    struct Piece: Hashable, Sendable {
        let signature: UInt64
        let payload: [UInt8]
        let source: Address
    }

    private var updates: [Update] = []
    private var uses: UInt64 = 0

    /// The outcome of a piece.
    enum OnChunk: Hashable, Sendable {
        /// More are needed.
        case incomplete
        /// Every byte is here.
        case whole([UInt8], pieces: [Piece])
        /// Not one to keep: contradicts the others, or there are too many.
        case refused
    }

    /// Everything that the controller signed, a piece too, is known by its signature.
    static func chunkID(_ signature: [UInt8]) -> UInt64 {
        func word(_ start: Int) -> UInt64 {
            signature.dropFirst(start).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        return word(0) ^ word(8)
    }

    /// Whether the piece was taken before, so that its signature need not be checked.
    func isDuplicate(_ placement: NetworkConfigChunk.Placement) -> Bool {
        updates.contains {
            $0.id == placement.updateID && $0.chunks.contains(ConfigAssembly.chunkID(placement.signature))
        }
    }

    /// A piece that is to be passed on if its update is news: the packet that carried it, and its sender.
    static func piece(_ placement: NetworkConfigChunk.Placement, _ payload: [UInt8], from source: Address) -> Piece {
        Piece(signature: chunkID(placement.signature), payload: payload, source: source)
    }

    /// Takes a piece whose signature was verified; `passing`: it is to be passed on.
    mutating func add(
        _ data: [UInt8], _ placement: NetworkConfigChunk.Placement, passing piece: Piece?
    ) -> OnChunk {
        uses += 1
        let position = slot(for: placement)
        guard !updates[position].isWhole, updates[position].total == Int(placement.totalLength),
            updates[position].chunks.count < ProtocolLimits.configurationChunks
        else { return .refused }
        guard updates[position].chunks.insert(ConfigAssembly.chunkID(placement.signature)).inserted else {
            return .incomplete
        }
        if let piece { updates[position].pieces.append(piece) }
        updates[position].lastUse = uses
        let start = Int(placement.offset)
        updates[position].bytes.replaceSubrange(start..<start + data.count, with: data)
        updates[position].received += data.count
        guard updates[position].received == updates[position].total else {
            return updates[position].received > updates[position].total ? .refused : .incomplete
        }
        defer {
            updates[position].bytes = []
            updates[position].pieces = []
        }
        updates[position].isWhole = true
        return .whole(updates[position].bytes, pieces: updates[position].pieces)
    }

    private mutating func slot(for placement: NetworkConfigChunk.Placement) -> Int {
        if let known = updates.firstIndex(where: { $0.id == placement.updateID }) { return known }
        let update = Update(
            id: placement.updateID, total: Int(placement.totalLength),
            bytes: [UInt8](repeating: 0, count: Int(placement.totalLength)), lastUse: uses)
        if updates.count < ProtocolLimits.configurationAssemblies {
            updates.append(update)
            return updates.count - 1
        }
        var oldest = 0
        for index in updates.indices where updates[index].lastUse < updates[oldest].lastUse { oldest = index }
        updates[oldest] = update
        return oldest
    }
}

/// Signed things that were passed on. Each goes once. Bounded; old ones are forgotten.
struct PassedPieces: Sendable {
    private var times: [UInt64: MonotonicInstant] = [:]
    private var order = BoundedQueue<UInt64>(capacity: EthernetLimits.passedPieces)
    private var budget = RateLimiter(
        burst: EthernetLimits.passedUpdates, interval: EthernetLimits.passedUpdateInterval)

    /// How many are remembered.
    var count: Int { times.count }

    /// Whether one more update may be passed on now.
    mutating func allow(_ now: MonotonicInstant) -> Bool { budget.allow(now) }

    /// Notes a piece; false if it was passed on before.
    mutating func note(_ signature: UInt64, _ now: MonotonicInstant) -> Bool {
        guard times.updateValue(now, forKey: signature) == nil else { return false }
        if let oldest = order.append(signature) { times[oldest] = nil }
        return true
    }

    mutating func expire(_ now: MonotonicInstant) {
        while let oldest = order.first, let time = times[oldest], now - time > EthernetLimits.passedPieceLife {
            _ = order.popFirst()
            times[oldest] = nil
        }
    }
}
