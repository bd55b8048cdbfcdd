// Two connections back to back over a link that loses, repeats, reorders and delays. Virtual time, everything by seed.

import NetPrimitives
import TestSupport
import Testing

@testable import NetStack

/// What the link does.
struct LinkModel {
    var loss = 0.0
    var duplication = 0.0
    /// Bytes of the longest segment that passes, header and payload.
    var largest = Int.max
    /// Chance of an extra delay of up to `reorderingDelay`.
    var reordering = 0.0
    var reorderingDelay = 3_000_000
    /// One way, nanoseconds.
    var delay = 10_000_000
    /// Bytes per second, 0: no limit.
    var rate = 0
    /// Bytes that wait at the bottleneck.
    var queue = 256 << 10
    /// Chance that a bit of a segment is flipped.
    var corruption = 0.0
}

/// One end: a connection and the stream that it is to send.
struct LinkEnd: ~Copyable {
    var connection: Connection
    var toSend: Int
    var sent = 0
    var received = 0
    var isCorrect = true
    var sawEnd = false
    var error: ConnectionError?
    var dropped = 0
    /// Bytes the application reads at most per turn.
    var readLimit = Int.max

    static func byte(_ offset: Int, _ salt: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: offset &* 31 &+ offset >> 8 &+ salt)
    }
}

struct LinkPair: ~Copyable {
    private struct Flying {
        var toSecond: Bool
        var bytes: [UInt8]
    }

    var first: LinkEnd
    var second: LinkEnd
    var time = 1_000_000_000
    var model: LinkModel
    var random: RandomSource
    private var wire = VirtualWire<Flying>()
    private var freeAt = [0, 0]
    var segments = 0
    var retransmitted = 0
    var droppedLong = 0
    var turns = 0

    init(
        seed: UInt64, model: LinkModel, firstSends: Int, secondSends: Int,
        options: ConnectionOptions = ConnectionOptions(),
        maximumSegmentSize: Int = 1460
    ) {
        random = RandomSource(seed: seed)
        self.model = model
        let one = SocketEndpoint(IPAddress(v6High: 0xFD00 << 48, low: 1), port: 4000)
        let two = SocketEndpoint(IPAddress(v6High: 0xFD00 << 48, low: 2), port: 80)
        let now = Now.at(1_000_000_000)
        let parameters = ConnectionParameters(
            local: one, remote: two, maximumSegmentSize: maximumSegmentSize,
            initialSequence: SequenceNumber(random.nextUInt32()), timestampOffset: random.nextUInt32(), options: options
        )
        first = LinkEnd(connection: Connection(connecting: parameters, now: now), toSend: firstSends)
        // Simultaneous open makes the second end without a listener.
        let reverse = ConnectionParameters(
            local: two, remote: one, maximumSegmentSize: maximumSegmentSize,
            initialSequence: SequenceNumber(random.nextUInt32()), timestampOffset: random.nextUInt32(), options: options
        )
        second = LinkEnd(connection: Connection(connecting: reverse, now: now), toSend: secondSends)
    }

    var now: Now { .at(time) }

    private mutating func transmit(fromFirst: Bool) {
        while true {
            let burst =
                fromFirst
                ? first.connection.nextBurst(maximumSegments: 45, now: now)
                : second.connection.nextBurst(maximumSegments: 45, now: now)
            guard let burst else { return }
            if burst.isRetransmission { retransmitted += burst.count }
            for segment in 0..<burst.count {
                var packet = [UInt8](repeating: 0, count: burst.length(segment))
                do {
                    var span = packet.mutableSpan
                    var raw = span.mutableBytes
                    _ =
                        fromFirst
                        ? first.connection.write(burst, segment: segment, into: &raw, at: 0)
                        : second.connection.write(burst, segment: segment, into: &raw, at: 0)
                }
                launch(packet, toSecond: fromFirst)
            }
        }
    }

    private mutating func launch(_ packet: [UInt8], toSecond: Bool) {
        segments += 1
        if random.nextUnit() < model.loss { return }
        if packet.count > model.largest {
            droppedLong += 1
            return
        }
        var at = time
        if model.rate > 0 {
            let side = toSecond ? 0 : 1
            let start = max(time, freeAt[side])
            let wait = start - time
            if wait * model.rate / 1_000_000_000 > model.queue { return }
            freeAt[side] = start + (packet.count + 40) * 1_000_000_000 / model.rate
            at = freeAt[side]
        }
        at += model.delay
        if random.nextUnit() < model.reordering { at += random.next(below: model.reorderingDelay) }
        var packet = packet
        if random.nextUnit() < model.corruption {
            packet[random.next(below: packet.count)] ^= 1 << UInt8(random.next(below: 8))
        }
        let flying = Flying(toSecond: toSecond, bytes: packet)
        wire.send(flying, arrivingAt: Now.at(at).monotonic)
        if random.nextUnit() < model.duplication {
            wire.send(flying, arrivingAt: Now.at(at + random.next(below: 2_000_000)).monotonic)
        }
    }

    private mutating func deliver() {
        var touchedFirst = false
        var touchedSecond = false
        while let item = wire.take(arrivedBy: now.monotonic) {
            guard let header = SegmentHeader(parsing: item.bytes.span.bytes, at: 0, length: item.bytes.count) else {
                continue
            }
            let outcome: SegmentOutcome
            if item.toSecond {
                outcome = second.connection.receive(header, packet: item.bytes.span.bytes, now: now)
                touchedSecond = true
            } else {
                outcome = first.connection.receive(header, packet: item.bytes.span.bytes, now: now)
                touchedFirst = true
            }
            if case .dropped = outcome { if item.toSecond { second.dropped += 1 } else { first.dropped += 1 } }
        }
        if touchedFirst { first.connection.endBatch(now: now) }
        if touchedSecond { second.connection.endBatch(now: now) }
    }

    private static func runApplication(_ end: inout LinkEnd, salt: Int, peerSalt: Int, now: Now) {
        _ = end.connection.takeEvents()
        if let error = end.connection.takeError() { end.error = error }
        while end.sent < end.toSend {
            let chunk = min(end.toSend - end.sent, 16_384)
            let piece = (end.sent..<end.sent + chunk).map { LinkEnd.byte($0, salt) }
            let taken = end.connection.send(piece.span.bytes, from: 0, count: chunk, now: now)
            end.sent += taken
            if taken < chunk { break }
        }
        if end.sent == end.toSend, end.connection.state == .established || end.connection.state == .closeWait {
            end.connection.shutdownWrite(now: now)
        }
        var limit = end.readLimit
        while end.connection.receiveAvailable > 0, limit > 0 {
            let count = min(end.connection.receiveAvailable, 32_768, limit)
            var target = [UInt8](repeating: 0, count: count)
            var span = target.mutableSpan
            var raw = span.mutableBytes
            _ = end.connection.receive(into: &raw, at: 0, count: count, now: now)
            for index in 0..<count where target[index] != LinkEnd.byte(end.received + index, peerSalt) {
                end.isCorrect = false
            }
            end.received += count
            limit -= count
        }
        if end.connection.isEndOfStream { end.sawEnd = true }
    }

    private func checkInvariants() {
        for (inFlight, window) in [
            (first.connection.bytesInFlight, first.connection.congestionWindow),
            (second.connection.bytesInFlight, second.connection.congestionWindow),
        ] {
            #expect(inFlight >= 0)
            #expect(window >= 16)
        }
    }

    /// Runs until both streams have arrived and ended, or virtual time is up. Gives the nanoseconds it took.
    mutating func run(limit: Int) -> Int {
        let start = time
        while time - start < limit {
            turns += 1
            LinkPair.runApplication(&first, salt: 1, peerSalt: 2, now: now)
            LinkPair.runApplication(&second, salt: 2, peerSalt: 1, now: now)
            transmit(fromFirst: true)
            transmit(fromFirst: false)
            if first.sawEnd, second.sawEnd { break }
            var next = Int.max
            if let arrival = wire.next { next = min(next, Int(arrival.nanoseconds)) }
            if let deadline = first.connection.nextDeadline { next = min(next, Int(deadline.nanoseconds)) }
            if let deadline = second.connection.nextDeadline { next = min(next, Int(deadline.nanoseconds)) }
            if next == .max { break }
            time = max(time, next)
            deliver()
            if let deadline = first.connection.nextDeadline, Int(deadline.nanoseconds) <= time {
                first.connection.handleDeadline(now: now)
            }
            if let deadline = second.connection.nextDeadline, Int(deadline.nanoseconds) <= time {
                second.connection.handleDeadline(now: now)
            }
        }
        checkInvariants()
        return time - start
    }
}
