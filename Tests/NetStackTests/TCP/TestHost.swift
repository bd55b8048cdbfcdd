// One connection under test, its peer played by hand: send a segment, expect segments. Virtual time.

import NetPrimitives
import Testing

@testable import NetStack

/// A segment as it left, in offsets of the two streams: our SYN at -1, our first byte at 0.
struct SentSegment: CustomStringConvertible {
    var flags: SegmentFlags
    var sequence: Int
    var acknowledgment: Int
    var payload: [UInt8]
    var window: Int
    var options: SegmentOptions
    var isRetransmission = false
    var isMarkable = false

    var description: String {
        "\(flags) seq \(sequence) len \(payload.count) ack \(acknowledgment) win \(window)"
            + (options.sackBlocks.count > 0 ? " sack \(options.sackBlocks.count)" : "")
    }
}

/// `#require` for values that come from mutating calls or spans.
func needed<Value>(_ value: Value?, sourceLocation: SourceLocation = #_sourceLocation) throws -> Value {
    try #require(value, sourceLocation: sourceLocation)
}

func bytes(_ count: Int, from first: Int = 0) -> [UInt8] { (first..<first + count).map { UInt8($0 % 251) } }

extension Now {
    static func at(_ nanoseconds: Int) -> Now {
        Now(
            monotonic: MonotonicInstant(nanoseconds: UInt64(nanoseconds)),
            unixMilliseconds: 1_700_000_000_000 + Int64(nanoseconds / 1_000_000))
    }
}

/// Builds a TCP segment with a right checksum.
func makeSegment(
    source: UInt16, destination: UInt16, sequence: UInt32, acknowledgment: UInt32, flags: SegmentFlags, window: UInt16,
    options: [UInt8] = [], payload: [UInt8] = [], sum: UInt32
) -> [UInt8] {
    var padded = options
    while padded.count % 4 != 0 { padded.append(0) }
    var writer = ByteWriter()
    writer.uint16(source)
    writer.uint16(destination)
    writer.uint32(sequence)
    writer.uint32(acknowledgment)
    writer.uint16(UInt16(5 + padded.count / 4) << 12 | UInt16(flags.rawValue))
    writer.uint16(window)
    writer.uint32(0)
    writer.bytes(padded)
    writer.bytes(payload)
    var result = writer.bytes
    let total = Checksum.combine(
        Checksum.combine(sum, Checksum.sum(result.span.bytes, from: 0, count: result.count)), UInt32(result.count))
    let field = Checksum.finish(total)
    result[16] = UInt8(field >> 8)
    result[17] = UInt8(field & 0xFF)
    return result
}

struct TestHost: ~Copyable {
    var connection: Connection
    var time: Int
    let local = SocketEndpoint(IPAddress(v4: 0x0A00_0001), port: 1000)
    let remote = SocketEndpoint(IPAddress(v4: 0x0A00_0002), port: 2000)
    let ourInitial = SequenceNumber(0xFFFF_FF00)
    let peerInitial = SequenceNumber(0x7FFF_FFF0)
    /// Options that the peer puts on every segment after the handshake.
    var peerTimestamp: UInt32?
    var lastStamp: UInt32 = 0
    var now: Now { .at(time) }

    static let startTime = 10_000_000_000

    init(options: ConnectionOptions = ConnectionOptions(), maximumSegmentSize: Int = 1460) {
        time = TestHost.startTime
        let parameters = ConnectionParameters(
            local: local, remote: remote, maximumSegmentSize: maximumSegmentSize, initialSequence: ourInitial,
            timestampOffset: 77, options: options)
        connection = Connection(connecting: parameters, now: .at(TestHost.startTime))
    }

    /// Connects with the given SYN-ACK options, and swallows the handshake.
    static func established(
        options: ConnectionOptions = ConnectionOptions(), maximumSegmentSize: Int = 1460,
        peerOptions: [UInt8] = [2, 4, 0x05, 0xB4, 4, 2, 1, 3, 3, 7], window: UInt16 = 65_535,
        roundTrip: Int = 10_000_000
    ) -> TestHost {
        var host = TestHost(options: options, maximumSegmentSize: maximumSegmentSize)
        let syn = host.output()
        #expect(syn.count == 1 && syn[0].flags == .synchronize)
        host.time += roundTrip
        host.inject(
            [.synchronize, .acknowledge], sequence: -1, acknowledgment: 0, window: window, options: peerOptions)
        let ack = host.output()
        #expect(ack.count == 1 && ack[0].flags == .acknowledge && ack[0].acknowledgment == 0)
        _ = host.connection.takeEvents()
        return host
    }

    static let timestampOptions: [UInt8] = [2, 4, 0x05, 0xB4, 4, 2, 8, 10, 0, 0, 0, 50, 0, 0, 0, 0, 1, 3, 3, 7]

    /// The peer sends; sequence and acknowledgment as offsets of its and our stream.
    @discardableResult
    mutating func inject(
        _ flags: SegmentFlags, sequence: Int, acknowledgment: Int = 0, window: UInt16 = 65_535, options: [UInt8] = [],
        payload: [UInt8] = [], damage: Int? = nil, marked: Bool = false, endsBatch: Bool = true
    ) -> SegmentOutcome {
        var options = options
        if let stamp = peerTimestamp, options.isEmpty {
            options = [1, 1, 8, 10] + (0..<4).map { UInt8(truncatingIfNeeded: stamp >> (24 - 8 * UInt32($0))) }
            options += (0..<4).map { UInt8(truncatingIfNeeded: lastStamp >> (24 - 8 * UInt32($0))) }
        }
        var segment = makeSegment(
            source: remote.port, destination: local.port, sequence: (peerInitial + 1 + sequence).value,
            acknowledgment: flags.contains(.acknowledge) ? (ourInitial + 1 + acknowledgment).value : 0, flags: flags,
            window: window, options: options, payload: payload, sum: connection.pseudoHeaderSum)
        if let damage { segment[damage / 8] ^= 1 << UInt8(damage % 8) }
        guard let header = SegmentHeader(parsing: segment.span.bytes, at: 0, length: segment.count) else {
            return .dropped(.badFlags)
        }
        let before = fingerprint(connection)
        let outcome = connection.receive(header, packet: segment.span.bytes, congestionMarked: marked, now: now)
        if outcome.isRefusal {
            let after = fingerprint(connection)
            #expect(before == after, "a refused segment changed the connection")
        }
        if endsBatch { connection.endBatch(now: now) }
        return outcome
    }

    /// A SACK option.
    func sack(_ blocks: (Int, Int)...) -> [UInt8] {
        var writer = ByteWriter()
        writer.uint16(0x0101)
        writer.uint8(5)
        writer.uint8(UInt8(2 + 8 * blocks.count))
        for (start, end) in blocks {
            writer.uint32((ourInitial + 1 + start).value)
            writer.uint32((ourInitial + 1 + end).value)
        }
        return writer.bytes
    }

    /// Everything that is to be sent now, each segment written, parsed back and its checksum checked.
    mutating func output(maximumSegments: Int = 45) -> [SentSegment] {
        var result: [SentSegment] = []
        while let burst = connection.nextBurst(maximumSegments: maximumSegments, now: now) {
            #expect(burst.count <= maximumSegments)
            for segment in 0..<burst.count {
                result.append(parse(burst, segment))
            }
            if result.count > 10_000 {
                Issue.record("endless output")
                break
            }
        }
        return result
    }

    private mutating func parse(_ burst: TCPBurst, _ segment: Int) -> SentSegment {
        var packet = [UInt8](repeating: 0xEE, count: burst.length(segment) + 6)
        let length: Int
        do {
            var span = packet.mutableSpan
            var raw = span.mutableBytes
            length = connection.write(burst, segment: segment, into: &raw, at: 3)
        }
        #expect(length == burst.length(segment))
        #expect(packet[0..<3] == [0xEE, 0xEE, 0xEE] && packet[(3 + length)...] == [0xEE, 0xEE, 0xEE])
        guard let header = SegmentHeader(parsing: packet.span.bytes, at: 3, length: length) else {
            Issue.record("unparsable segment")
            return SentSegment(
                flags: [], sequence: 0, acknowledgment: 0, payload: [], window: 0, options: SegmentOptions())
        }
        let isValid = header.isChecksumValid(in: packet.span.bytes, pseudoHeaderSum: connection.pseudoHeaderSum)
        #expect(isValid)
        #expect(header.sourcePort == local.port && header.destinationPort == remote.port)
        if let timestamp = header.options.timestamp { lastStamp = timestamp.value }
        return SentSegment(
            flags: header.flags, sequence: header.sequence - (ourInitial + 1),
            acknowledgment: header.flags.contains(.acknowledge) ? header.acknowledgment - (peerInitial + 1) : 0,
            payload: Array(packet[header.payloadOffset..<header.payloadOffset + header.payloadLength]),
            window: Int(header.window), options: header.options, isRetransmission: burst.isRetransmission,
            isMarkable: burst.isMarkable)
    }

    /// Moves time to the next deadline and acts on it; gives the nanoseconds that passed.
    @discardableResult
    mutating func fire() -> Int? {
        guard let deadline = connection.nextDeadline else { return nil }
        let at = max(time, Int(deadline.nanoseconds))
        let passed = at - time
        time = at
        connection.handleDeadline(now: now)
        return passed
    }

    /// Lets time pass, acting on every deadline on the way; gives what was sent.
    mutating func advance(_ nanoseconds: Int) -> [SentSegment] {
        let end = time + nanoseconds
        var result: [SentSegment] = []
        var turns = 0
        while let deadline = connection.nextDeadline, Int(deadline.nanoseconds) <= end, turns < 10_000 {
            fire()
            result += output()
            turns += 1
        }
        #expect(turns < 10_000, "the connection spins")
        time = end
        return result
    }

    @discardableResult
    mutating func send(_ payload: [UInt8]) -> Int {
        connection.send(payload.span.bytes, from: 0, count: payload.count, now: now)
    }

    mutating func read(_ count: Int = 1 << 20) -> [UInt8] {
        let length = min(count, connection.receiveAvailable)
        var target = [UInt8](repeating: 0, count: length)
        var span = target.mutableSpan
        var raw = span.mutableBytes
        let moved = connection.receive(into: &raw, at: 0, count: length, now: now)
        #expect(moved == length)
        return target
    }
}
