// Two stacks over a link with a rate, a delay, a queue, losses and reordering, in virtual time. The same seed gives the
// same numbers.

import NetPrimitives
import NetStack

/// TCP over wide-area paths: what each congestion control makes of them.
enum WideAreaBench {
    /// What the path does. Loss and reordering befall data, not ACKs.
    struct Path: Sendable {
        /// Bytes a second.
        var rate = 125_000_000.0
        /// Both ways, in milliseconds.
        var roundTrip = 50.0
        /// Shares of packets.
        var loss = 0.0
        var reordering = 0.0
        /// A reordered packet is late by up to this, in milliseconds.
        var lateness = 3.0
        /// Bytes that wait at the bottleneck.
        var queue = 1 << 20
        /// Bytes that wait when packets begin to be marked instead (RFC 3168); `Int.max`: never.
        var markingThreshold = Int.max

        /// Bytes in flight that fill it.
        var product: Int { Int(rate * roundTrip * 1e-3) }
    }

    /// A run: one flow per algorithm, all over the one path.
    struct Run: Sendable {
        var path = Path()
        var flows = [CongestionAlgorithm.bbr]
        var seconds = 10.0
        var seed: UInt64 = 1
        var usesCongestionMarks = false
    }

    /// Megabits of payload a second, per flow.
    struct Outcome: Sendable {
        var goodput: [Double]
        /// In each quarter of a second, of all flows.
        var quarters: [Double]
        var drops = 0
        var marks = 0

        var total: Double { goodput.reduce(0, +) }
        /// The mean of what came from one moment to another, in seconds.
        func mean(from start: Double, to end: Double) -> Double {
            let part = quarters[Int(start * 4)..<min(Int(end * 4), quarters.count)]
            return part.isEmpty ? 0 : part.reduce(0, +) / Double(part.count)
        }
    }

    static func measure(_ run: Run) -> Outcome {
        var world = WideAreaWorld(run)
        return world.run()
    }

    /// Of several seeds the one in the middle.
    static func median(_ run: Run, seeds: Int) -> Outcome {
        let outcomes = (1...max(1, seeds)).map { seed in
            var run = run
            run.seed = UInt64(seed)
            return measure(run)
        }
        return outcomes.sorted { $0.total < $1.total }[outcomes.count / 2]
    }
}

/// Everything of one run.
private struct WideAreaWorld: ~Copyable {
    private struct Flying {
        var at: Int
        var order: Int
        var toRight: Bool
        var isMarked: Bool
        var bytes: [UInt8]
    }

    /// One direction of the link.
    private struct Lane {
        var freeAt = 0
    }

    private static let frameBytes = 2800
    /// What tunnel and UDP add to each packet.
    private static let overhead = 80
    private static let start = 1_000_000_000

    private let run_: WideAreaBench.Run
    private var left: NetworkStack
    private var right: NetworkStack
    private var random: RandomSource
    private var time = WideAreaWorld.start
    private var flying: [Flying] = []
    private var order = 0
    private var lanes = (Lane(), Lane())
    private var spare: [[UInt8]] = []
    private var drops = 0
    private var marks = 0
    private let macs = (MACAddress(0x0200_0000_0001), MACAddress(0x0200_0000_0002))
    private let addresses = (IPAddress(v4: 0x0a00_0001), IPAddress(v4: 0x0a00_0002))
    private var interfaces: (InterfaceID, InterfaceID)
    private var slab = [UInt8](repeating: 0, count: WideAreaWorld.frameBytes)
    private let chunk = [UInt8](repeating: 0x5a, count: 262_144)
    private var sink = [UInt8](repeating: 0, count: 262_144)

    init(_ run: WideAreaBench.Run) {
        run_ = run
        left = NetworkStack(random: RandomSource(seed: run.seed &* 2 &+ 1))
        right = NetworkStack(random: RandomSource(seed: run.seed &* 2 &+ 2))
        random = RandomSource(seed: run.seed)
        let now = WideAreaWorld.now(WideAreaWorld.start)
        let configuration = InterfaceConfiguration(mtu: WideAreaWorld.frameBytes)
        guard let first = left.addInterface(mac: macs.0, configuration: configuration, now: now),
            let second = right.addInterface(mac: macs.1, configuration: configuration, now: now)
        else { preconditionFailure("a fresh stack takes an interface") }
        interfaces = (first, second)
        _ = left.addAddress(IPPrefix(addresses.0, length: 24), to: first, now: now)
        _ = right.addAddress(IPPrefix(addresses.1, length: 24), to: second, now: now)
        left.setPermanentNeighbour(addresses.1, mac: macs.1, on: first, now: now)
        right.setPermanentNeighbour(addresses.0, mac: macs.0, on: second, now: now)
    }

    private static func now(_ time: Int) -> Now {
        Now(
            monotonic: MonotonicInstant(nanoseconds: UInt64(time)), unixMilliseconds: Int64(time / 1_000_000))
    }

    // MARK: The link

    private mutating func launch(_ length: Int, toRight: Bool) {
        let path = run_.path
        let wire = length + WideAreaWorld.overhead
        let freeAt = toRight ? lanes.0.freeAt : lanes.1.freeAt
        let backlog = Double(max(0, freeAt - time)) * path.rate / 1e9
        guard backlog + Double(wire) <= Double(path.queue) else {
            drops += 1
            return
        }
        let departure = max(freeAt, time) + Int(Double(wire) / path.rate * 1e9)
        if toRight { lanes.0.freeAt = departure } else { lanes.1.freeAt = departure }
        var at = departure + Int(path.roundTrip * 5e5)
        var isMarked = false
        if toRight {
            if path.loss > 0, random.nextUnit() < path.loss {
                drops += 1
                return
            }
            if path.reordering > 0, random.nextUnit() < path.reordering {
                at += Int(random.nextUnit() * path.lateness * 1e6)
            }
            // The two low bits of the second byte of an IPv4 header: only a packet that says it can be marked is.
            isMarked = backlog > Double(path.markingThreshold) && slab[1] & 3 != 0
        }
        order += 1
        var bytes = spare.popLast() ?? []
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: slab[..<length])
        if isMarked {
            marks += 1
            mark(&bytes)
        }
        push(Flying(at: at, order: order, toRight: toRight, isMarked: isMarked, bytes: bytes))
    }

    /// Sets CE and mends the header's checksum (RFC 1624).
    private func mark(_ bytes: inout [UInt8]) {
        let before = UInt32(bytes[0]) << 8 | UInt32(bytes[1])
        bytes[1] |= 3
        let after = UInt32(bytes[0]) << 8 | UInt32(bytes[1])
        let old = UInt32(bytes[10]) << 8 | UInt32(bytes[11])
        var sum = (~old & 0xffff) + (~before & 0xffff) + after
        sum = (sum & 0xffff) + sum >> 16
        sum = (sum & 0xffff) + sum >> 16
        let new = ~sum & 0xffff
        bytes[10] = UInt8(new >> 8)
        bytes[11] = UInt8(new & 0xff)
    }

    private mutating func transmit() {
        let now = WideAreaWorld.now(time)
        while let burst = left.nextBurst(room: 22, now: now) {
            for segment in 0..<burst.count {
                let length = slab.withMutableBytes { left.write(burst, segment: segment, into: &$0, at: 0) }
                launch(length, toRight: true)
            }
        }
        while let burst = right.nextBurst(room: 22, now: now) {
            for segment in 0..<burst.count {
                let length = slab.withMutableBytes { right.write(burst, segment: segment, into: &$0, at: 0) }
                launch(length, toRight: false)
            }
        }
    }

    private mutating func deliver() {
        let now = WideAreaWorld.now(time)
        var touched = (false, false)
        while let next = flying.first, next.at <= time {
            let item = pop()
            item.bytes.withBytes { bytes in
                if item.toRight {
                    right.receive(
                        bytes, etherType: EtherType.ipv4, source: macs.0, destination: macs.1, on: interfaces.1,
                        now: now)
                } else {
                    left.receive(
                        bytes, etherType: EtherType.ipv4, source: macs.1, destination: macs.0, on: interfaces.0,
                        now: now)
                }
            }
            if item.toRight { touched.1 = true } else { touched.0 = true }
            spare.append(item.bytes)
        }
        if touched.0 { left.endBatch(now: now) }
        if touched.1 { right.endBatch(now: now) }
        left.handleDeadlines(now: now)
        right.handleDeadlines(now: now)
        while left.nextGroupChange() != nil {}
        while right.nextGroupChange() != nil {}
        while left.nextEvent() != nil {}
        while right.nextEvent() != nil {}
    }

    // A binary heap by time, then order of departure.
    private func isBefore(_ one: Int, _ other: Int) -> Bool {
        (flying[one].at, flying[one].order) < (flying[other].at, flying[other].order)
    }

    private mutating func push(_ item: Flying) {
        flying.append(item)
        var index = flying.count - 1
        while index > 0, isBefore(index, (index - 1) / 2) {
            flying.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func pop() -> Flying {
        flying.swapAt(0, flying.count - 1)
        let item = flying.removeLast()
        var index = 0
        while true {
            var first = index
            for child in [2 * index + 1, 2 * index + 2] where child < flying.count && isBefore(child, first) {
                first = child
            }
            if first == index { return item }
            flying.swapAt(index, first)
            index = first
        }
    }

    // MARK: The run

    /// A flow: its two sockets and what came.
    private struct Flow {
        var client: SocketID
        var listener: SocketID
        var server: SocketID?
        var received = 0
    }

    private mutating func open() -> [Flow] {
        let now = WideAreaWorld.now(time)
        return run_.flows.enumerated().map { index, algorithm in
            var options = ConnectionOptions()
            options.congestionControl = algorithm
            let port = UInt16(1 + index)
            guard
                let listener = try? right.tcpListen(
                    on: SocketEndpoint(.anyIPv4, port: port), backlog: 1, connectionOptions: options, now: now),
                let client = try? left.tcpConnect(
                    to: SocketEndpoint(addresses.1, port: port), connectionOptions: options, now: now)
            else { preconditionFailure("fresh stacks listen and connect") }
            return Flow(client: client, listener: listener)
        }
    }

    private mutating func work(_ flow: inout Flow) {
        let now = WideAreaWorld.now(time)
        if flow.server == nil { flow.server = try? right.accept(flow.listener, now: now) }
        while let count = try? chunk.withBytes({ try left.send(flow.client, $0, now: now) }), count > 0 {}
        guard let server = flow.server else { return }
        while let count = try? sink.withMutableBytes({ try right.receive(server, into: &$0, now: now) }), count > 0 {
            flow.received += count
        }
    }

    mutating func run() -> WideAreaBench.Outcome {
        var flows = open()
        let end = WideAreaWorld.start + Int(run_.seconds * 1e9)
        let quarter = 250_000_000
        var quarters: [Double] = []
        var before = 0
        while true {
            for index in flows.indices { work(&flows[index]) }
            transmit()
            var next = flying.first?.at ?? Int.max
            if let deadline = left.nextDeadline { next = min(next, Int(deadline.nanoseconds)) }
            if let deadline = right.nextDeadline { next = min(next, Int(deadline.nanoseconds)) }
            next = max(next, time)
            while quarters.count < Int(run_.seconds * 4),
                next >= WideAreaWorld.start + (quarters.count + 1) * quarter
            {
                let received = flows.reduce(0) { $0 + $1.received }
                quarters.append(Double(received - before) * 8 / 0.25 / 1e6)
                before = received
            }
            if next >= end { break }
            time = next
            deliver()
        }
        return WideAreaBench.Outcome(
            goodput: flows.map { Double($0.received) * 8 / run_.seconds / 1e6 }, quarters: quarters, drops: drops,
            marks: marks)
    }
}
