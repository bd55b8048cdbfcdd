// Fragments: order, overlap, bounds, time. RFC 791, RFC 5722, RFC 6946, RFC 7112.

import NetPrimitives
import Testing

@testable import NetStack

struct ReassemblyTests {
    private let first = address("10.0.0.1")
    private let second = address("10.0.0.2")

    /// A UDP segment to port 7000 with a right checksum.
    private func segment(_ count: Int, isIPv4: Bool) -> [UInt8] {
        let payload = pattern(count)
        let source = isIPv4 ? address("10.0.0.1") : address("fd00::1")
        let destination = isIPv4 ? address("10.0.0.2") : address("fd00::2")
        let header = UDPHeader(sourcePort: 5, destinationPort: 7_000, length: 8 + count)
        let sum = payload.withBytes { Checksum.sum($0, from: 0, count: count) }
        return makeBytes(8 + count) {
            header.write(
                into: &$0, at: 0,
                checksum: header.checksum(pseudoSum: pseudoHeaderSum(source, destination, 17), payloadSum: sum))
            $0.copy(from: payload, at: 8)
        }
    }

    private func fragment(
        _ segment: [UInt8], _ range: Range<Int>, more: Bool, identification: UInt32 = 1, isIPv4: Bool = true,
        source: String? = nil
    ) -> [UInt8] {
        let part = Array(segment[range])
        if isIPv4 {
            var header = IPv4Header(
                payloadLength: part.count, protocolNumber: 17, source: source.map { address($0) } ?? first,
                destination: second, hopLimit: 64)
            header.identification = UInt16(truncatingIfNeeded: identification)
            header.fragmentOffset = range.lowerBound
            header.moreFragments = more
            return makeBytes(20 + part.count) {
                header.write(into: &$0, at: 0)
                $0.copy(from: part, at: 20)
            }
        }
        return makeBytes(48 + part.count) {
            IPv6Header(
                payloadLength: 8 + part.count, nextHeader: 44, source: address(source ?? "fd00::1"),
                destination: address("fd00::2"), hopLimit: 64
            ).write(into: &$0, at: 0)
            IPv6Fragment(
                nextHeader: 17, offset: range.lowerBound, moreFragments: more, identification: identification
            ).write(into: &$0, at: 40)
            $0.copy(from: part, at: 48)
        }
    }

    private struct Bench {
        let network: TestNetwork
        let host: StackHost
        let socket: SocketID

        init(configuration: StackConfiguration = StackConfiguration()) throws {
            network = try TestNetwork.pair(configuration: configuration)
            host = network.hosts[1]
            // The stack knows who sends, so that its errors are seen at once.
            try host.sendEcho(to: address("10.0.0.1"), now: network.now)
            try host.sendEcho(to: address("fd00::1"), now: network.now)
            network.run(for: .milliseconds(100))
            socket = try host.stack.udpOpen(isIPv4: false)
            try host.stack.udpBind(socket, to: endpoint("::", 7_000))
        }

        func feed(_ bytes: [UInt8], from station: Int? = nil) {
            host.feed(
                TestFrame(
                    source: station.map { MACAddress(0x0200_0000_1000 + UInt64($0)) } ?? network.hosts[0].mac,
                    destination: host.mac,
                    etherType: bytes[0] >> 4 == 4 ? EtherType.ipv4 : EtherType.ipv6, bytes: bytes),
                now: network.now)
        }

        var received: [UInt8]? { try? host.receiveFrom(socket, now: network.now).1 }
    }

    @Test(arguments: [true, false])
    func `any order of fragments makes the datagram`(_ isIPv4: Bool) throws {
        let bench = try Bench()
        let whole = segment(792, isIPv4: isIPv4)
        var parts = stride(from: 0, to: 800, by: 80).map {
            fragment(whole, $0..<$0 + 80, more: $0 < 720, isIPv4: isIPv4)
        }
        var random = RandomSource(seed: 11)
        for round in UInt32(1)...20 {
            for index in parts.indices.reversed() { parts.swapAt(index, random.next(below: index + 1)) }
            for part in parts { bench.feed(part) }
            #expect(bench.received == Array(whole[8...]), "round \(round)")
        }
        #expect(bench.host.stack.reassembly.bytesHeld == 0 && bench.host.stack.reassembly.count == 0)
    }

    @Test(arguments: [true, false])
    func `an overlap kills the datagram and all that still comes of it`(_ isIPv4: Bool) throws {
        let whole = segment(152, isIPv4: isIPv4)
        let overlaps: [(Range<Int>, Bool)] = [
            (40..<120, true), (72..<80, true), (0..<88, true), (8..<16, true), (72..<160, false), (80..<88, false),
        ]
        for (range, more) in overlaps {
            let bench = try Bench()
            bench.feed(fragment(whole, 0..<80, more: true, isIPv4: isIPv4))
            bench.feed(fragment(whole, 88..<160, more: false, isIPv4: isIPv4))
            bench.feed(fragment(whole, range, more: more, isIPv4: isIPv4))
            #expect(bench.host.stack.statistics.dropped(.fragmentOverlap) == 1, "\(range)")
            bench.feed(fragment(whole, 80..<88, more: true, isIPv4: isIPv4))
            #expect(bench.received == nil)
            #expect(bench.host.stack.statistics.dropped(.fragmentOverlap) == 2)
            // Nothing but the mark is kept, and that only for its time.
            #expect(bench.host.stack.reassembly.bytesHeld == 64)
            bench.network.run(for: .seconds(31))
            #expect(bench.host.stack.reassembly.bytesHeld == 0)
        }
    }

    @Test func `an exact copy of a fragment is ignored, one with other bytes kills`() throws {
        let bench = try Bench()
        let whole = segment(152, isIPv4: true)
        bench.feed(fragment(whole, 0..<80, more: true))
        bench.feed(fragment(whole, 0..<80, more: true))
        bench.feed(fragment(whole, 80..<160, more: false))
        #expect(bench.received == Array(whole[8...]))
        var other = whole
        other[40] ^= 1
        bench.feed(fragment(whole, 0..<80, more: true, identification: 2))
        bench.feed(fragment(other, 0..<80, more: true, identification: 2))
        bench.feed(fragment(whole, 80..<160, more: false, identification: 2))
        #expect(bench.received == nil)
        #expect(bench.host.stack.statistics.dropped(.fragmentOverlap) == 2)
    }

    @Test func `impossible fragments are refused`() throws {
        let bench = try Bench()
        let whole = segment(152, isIPv4: true)
        // Not a multiple of eight although more follows; nothing at all; beyond 65535.
        bench.feed(fragment(whole, 0..<81, more: true))
        bench.feed(fragment(whole, 0..<0, more: true, identification: 2))
        var beyond = fragment(whole, 0..<80, more: false, identification: 3)
        beyond[6] = 0x1f
        beyond[7] = 0xff
        beyond[10] = 0
        beyond[11] = 0
        let copy = beyond
        let sum = copy.withBytes { Checksum.finish(Checksum.sum($0, from: 0, count: 20)) }
        beyond[10] = UInt8(sum >> 8)
        beyond[11] = UInt8(truncatingIfNeeded: sum)
        bench.feed(beyond)
        #expect(bench.host.stack.statistics.dropped(.fragmentMalformed) == 3)
        #expect(bench.host.stack.reassembly.count == 0)
        // IPv6: the first fragment must hold the transport header (RFC 7112); the sender is told.
        let other = segment(152, isIPv4: false)
        var tiny = fragment(other, 0..<8, more: true, isIPv4: false)
        tiny[40] = 6
        bench.feed(tiny)
        #expect(bench.host.stack.statistics.dropped(.fragmentMalformed) == 4)
        let answer = try #require(bench.host.takeFrames(now: bench.network.now).last)
        #expect(Array(answer.bytes[40..<42]) == [4, 3])
    }

    @Test func `an atomic fragment is a datagram of its own`() throws {
        let bench = try Bench()
        let whole = segment(152, isIPv4: false)
        bench.feed(fragment(whole, 0..<80, more: true, identification: 9, isIPv4: false))
        bench.feed(fragment(whole, 0..<160, more: false, identification: 9, isIPv4: false))
        #expect(bench.received == Array(whole[8...]))
        bench.feed(fragment(whole, 80..<160, more: false, identification: 9, isIPv4: false))
        #expect(bench.received == Array(whole[8...]))
    }

    @Test(arguments: [true, false])
    func `what is not whole in thirty seconds is dropped, and its sender told`(_ isIPv4: Bool) throws {
        let bench = try Bench()
        let whole = segment(152, isIPv4: isIPv4)
        bench.feed(fragment(whole, 0..<80, more: true, isIPv4: isIPv4))
        bench.network.trace = []
        bench.network.run(for: .milliseconds(29_999))
        #expect(bench.host.stack.statistics.errorsSent == 0 && bench.host.stack.reassembly.count == 1)
        bench.network.run(for: .milliseconds(2))
        #expect(bench.host.stack.reassembly.count == 0 && bench.host.stack.reassembly.bytesHeld == 0)
        #expect(bench.host.stack.statistics.dropped(.reassemblyTimeout) == 1)
        bench.network.run(for: .milliseconds(100))
        let answer = try #require(bench.network.trace.last { $0.source == bench.host.mac && $0.bytes.count > 60 })
        let offset = isIPv4 ? 20 : 40
        #expect(Array(answer.bytes[offset..<offset + 2]) == [isIPv4 ? 11 : 3, 1])
        // Without the first fragment nobody is told.
        bench.network.trace = []
        bench.feed(fragment(whole, 80..<160, more: false, identification: 2, isIPv4: isIPv4))
        bench.network.run(for: .seconds(32))
        #expect(bench.host.stack.statistics.dropped(.reassemblyTimeout) == 2)
        #expect(!bench.network.trace.contains { $0.bytes.count > 100 })
    }

    @Test func `fragments, datagrams per station, datagrams and bytes are bounded`() throws {
        var configuration = StackConfiguration()
        configuration.limits.fragmentsPerDatagram = 8
        configuration.limits.datagramsPerStation = 4
        configuration.limits.reassemblies = 10
        configuration.limits.reassemblyBytes = 20_000
        let bench = try Bench(configuration: configuration)
        let whole = segment(2_000, isIPv4: true)
        for index in 0..<9 { bench.feed(fragment(whole, index * 8..<index * 8 + 8, more: true)) }
        #expect(bench.host.stack.statistics.dropped(.reassemblyFull) == 1)
        for identification in UInt32(2)...10 {
            bench.feed(fragment(whole, 0..<8, more: true, identification: identification))
        }
        #expect(bench.host.stack.reassembly.count == 4)
        #expect(bench.host.stack.statistics.dropped(.reassemblyFull) == 7)
        for host in 10..<60 {
            bench.feed(fragment(whole, 0..<1_000, more: true, source: "10.0.0.\(host)"), from: host)
            #expect(bench.host.stack.reassembly.count <= 10)
            #expect(bench.host.stack.reassembly.bytesHeld <= 22_300)
        }
        // And the stack still reassembles.
        bench.feed(fragment(whole, 0..<1_000, more: true, identification: 99, source: "10.0.0.99"), from: 99)
        bench.feed(fragment(whole, 1_000..<2_008, more: false, identification: 99, source: "10.0.0.99"), from: 99)
        #expect(bench.host.stack.statistics.reassembled == 1)
    }

    @Test(arguments: [true, false])
    func `what one station leaves unfinished displaces no datagram of another`(_ isIPv4: Bool) throws {
        let bench = try Bench()
        let whole = segment(2_000, isIPv4: isIPv4)
        bench.feed(fragment(whole, 0..<1_000, more: true, isIPv4: isIPv4))
        // Sources are invented: the station is not.
        for number in 0..<1_100 {
            let source = isIPv4 ? "10.1.\(number / 250).\(1 + number % 250)" : "fd00::1:\(number)"
            for start in [0, 1_000] {
                bench.feed(
                    fragment(
                        whole, start..<start + 1_000, more: true, identification: UInt32(number), isIPv4: isIPv4,
                        source: source), from: 66)
            }
        }
        #expect(bench.host.stack.reassembly.count == 1 + bench.host.stack.configuration.limits.datagramsPerStation)
        bench.feed(fragment(whole, 1_000..<2_008, more: false, isIPv4: isIPv4))
        #expect(bench.host.stack.statistics.reassembled == 1 && bench.received?.count == 2_000)
    }

    @Test func `a station whose one datagram fills the room loses that, and nobody else's`() throws {
        var configuration = StackConfiguration()
        configuration.limits.reassemblyBytes = 20_000
        let bench = try Bench(configuration: configuration)
        let (whole, large) = (segment(2_000, isIPv4: true), segment(40_000, isIPv4: true))
        bench.feed(fragment(whole, 0..<1_000, more: true))
        for number in 0..<30 {
            let start = number * 1_000
            bench.feed(fragment(large, start..<start + 1_000, more: true, source: "10.0.0.66"), from: 66)
        }
        #expect(bench.host.stack.statistics.dropped(.reassemblyFull) > 0)
        bench.feed(fragment(whole, 1_000..<2_008, more: false))
        #expect(bench.host.stack.statistics.reassembled == 1 && bench.received?.count == 2_000)
    }

    @Test func `nobody adds to a datagram of another station`() throws {
        let bench = try Bench()
        let whole = segment(2_000, isIPv4: true)
        bench.feed(fragment(whole, 0..<1_000, more: true))
        bench.feed(fragment([UInt8](repeating: 0, count: 2_008), 1_000..<2_008, more: false), from: 66)
        #expect(bench.host.stack.statistics.reassembled == 0)
        bench.feed(fragment(whole, 1_000..<2_008, more: false))
        #expect(bench.host.stack.statistics.reassembled == 1 && bench.received?.count == 2_000)
    }

    @Test func `reassembly agrees with a naive model on random pieces`() throws {
        var random = RandomSource(seed: 12)
        var table = IPReassembly(hashKey: SipHasher.Key(1, 2))
        let limits = StackLimits()
        let now = Now(monotonic: MonotonicInstant(nanoseconds: 1), unixMilliseconds: 0)
        for round in UInt32(0)..<300 {
            let total = 8 * (1 + random.next(below: 30)) + random.next(below: 8)
            let whole = pattern(total, seed: UInt64(round))
            var taken = Set<Int>()
            var isDead = false
            var isDone = false
            var pieces: [(Int, Int)] = []
            for _ in 0..<60 where !isDone && !isDead {
                let start = 8 * random.next(below: total / 8 + 1)
                let end = min(total, start + 8 * (1 + random.next(below: 4)))
                guard start < end else { continue }
                let isLast = end == total
                let key = ReassemblyKey(
                    station: MACAddress(2), source: first, destination: second, identification: round,
                    protocolNumber: 17,
                    interface: InterfaceID(SlotID(index: 1, generation: 1)))
                let packet = [UInt8](repeating: 0, count: 20) + whole[start..<end]
                let input = FragmentInput(
                    key: key, offset: start, moreFragments: !isLast, payload: 20..<20 + end - start,
                    headerLength: 20, nextHeader: 0, nextHeaderPointer: 0)
                var outcome = ReassemblyOutcome.stored
                packet.withBytes {
                    outcome = table.receive(input, packet: $0, limits: limits, lifetime: .seconds(30), now: now)
                }
                let isCopy = pieces.contains { $0 == (start, end) }
                let overlaps = (start..<end).contains { taken.contains($0) }
                if !isCopy {
                    if overlaps { isDead = true }
                    pieces.append((start, end))
                    taken.formUnion(start..<end)
                }
                switch outcome {
                case .complete(let bytes):
                    #expect(!isDead && taken.count == total && Array(bytes[20...]) == whole)
                    isDone = true
                case .stored: #expect(!isDead && taken.count < total)
                case .dropped(let reason): #expect(isDead && reason == .fragmentOverlap)
                }
            }
            if !isDone {
                // Make room for the next datagram of this source.
                _ = table.popExpired(now.monotonic + .seconds(31))
            }
        }
        #expect(table.bytesHeld == 0)
    }
}
