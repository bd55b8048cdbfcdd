// What a packet costs the allocator: two whole nodes and their root in one thread, TCP in both directions and UDP, with
// every malloc of the thread counted. In the steady state the answer has to be none.

import CProcessCounts
import NetPrimitives
import NetStack
import ZeroTierCrypto
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// A node with its slabs. Three of them are three variables, so that one can read another's slab in place.
private struct Party: ~Copyable {
    var node: Node
    let endpoint: SocketEndpoint
    var out = TransmitBatch()
    var replies = TransmitBatch()
    var inbound = ReceiveBatch()
    var stream: SocketID?
    var datagrams: SocketID?
    var packets = 0
    var received = 0

    init(_ identity: Identity, _ endpoint: SocketEndpoint, _ planet: World, _ random: RandomSource, _ now: Now) {
        node = Node(identity: identity, configuration: NodeConfiguration(planet: planet), random: random, now: now)
        self.endpoint = endpoint
    }

    /// Takes what lies in a slab for this node. The answers are in `replies`.
    mutating func take(_ batch: borrowing TransmitBatch, from source: SocketEndpoint, _ now: Now) {
        replies.clear()
        for run in batch.runs.indices where batch.runs[run].path.remote == endpoint {
            batch.withRun(run) { run, bytes in
                inbound.withStorage { $0.copy(from: bytes, sourceOffset: 0, count: bytes.byteCount, at: 0) }
                inbound.setDatagrams(
                    total: bytes.byteCount, segmentSize: run.stride,
                    path: PhysicalPath(localSocket: 0, remote: source))
                packets += run.count
            }
            node.receive(&inbound, replies: &replies, now: now)
        }
    }

    mutating func work(_ now: Now) {
        replies.clear()
        node.handleDeadlines(now: now)
    }

    /// Writes what the stream takes and reads what it has. The errors' type is named: an `any Error` is allocated.
    mutating func move(_ chunk: [UInt8], _ sink: inout [UInt8], _ now: Now) {
        guard let stream else { return }
        _ = try? chunk.withBytes { (bytes) throws(StackError) in try node.stack.send(stream, bytes, now: now) }
        while let count = try? sink.withMutableBytes({ (bytes) throws(StackError) in
            try node.stack.receive(stream, into: &bytes, now: now)
        }), count > 0 {
            received += count
        }
    }

    /// Goes on with a turn of the pump up to where something is to be sent: a slab, or the answers to a job. False at its end.
    mutating func transmit(in turn: inout PumpTurn, _ now: Now) -> Bool {
        out.clear()
        replies.clear()
        while let output = node.next(in: &turn, into: &out, now: now) {
            switch output {
            case .datagrams: return true
            case .event, .controllerJob: break
            case .job(.validate(let identity, let ticket)):
                node.complete(ticket, isValid: identity.validate(), replies: &replies, now: now)
                return true
            }
        }
        return false
    }
}

/// The three nodes and the application's work.
private struct Trio: ~Copyable {
    var now = Now(monotonic: MonotonicInstant(nanoseconds: 1_000_000_000), unixMilliseconds: 1_790_000_000_000)
    var root: Party
    var left: Party
    var right: Party
    private let chunk = [UInt8](repeating: 0x5a, count: 65_536)
    private var sink = [UInt8](repeating: 0, count: 65_536)

    init?() {
        var random = RandomSource(seed: 9)
        let identities = (0..<3).map { _ in Identity.generate(using: &random) }
        let endpoints = (1...3).map { SocketEndpoint(IPAddress(v4: 0x0a4d_0000 + UInt32($0)), port: 9993) }
        guard let signer = identities[0].secretKeys else { return nil }
        let planet = World(
            kind: .planet, id: 7, timestampMilliseconds: 1, updateKey: signer.publicKeys,
            roots: [.init(identity: identities[0].withoutSecret, endpoints: [endpoints[0]])]
        ).signed(with: signer)
        root = Party(identities[0], endpoints[0], planet, random.fork(), now)
        left = Party(identities[1], endpoints[1], planet, random.fork(), now)
        right = Party(identities[2], endpoints[2], planet, random.fork(), now)
    }

    /// One round: everybody works, everything arrives.
    mutating func pump() {
        root.work(now)
        answer(&root, &left, &right, now)
        left.work(now)
        answer(&left, &root, &right, now)
        right.work(now)
        answer(&right, &root, &left, now)
        send(&root, &left, &right, now)
        send(&left, &root, &right, now)
        send(&right, &root, &left, now)
        now = now.advanced(by: .microseconds(20))
    }

    /// Gets both nodes online, into the network, and connected.
    mutating func connect() -> Bool {
        for _ in 0..<200_000 where !(left.node.peers.isOnline && right.node.peers.isOnline) { pump() }
        let network = NetworkID(0xff00_00ff_ff00_0000)
        _ = left.node.join(network, now: now)
        _ = right.node.join(network, now: now)
        guard let address = right.node.network(network)?.addresses.first?.address,
            let listener = try? right.node.stack.tcpListen(
                on: SocketEndpoint(.anyIPv6, port: 1), backlog: 1, now: now),
            let client = try? left.node.stack.tcpConnect(to: SocketEndpoint(address, port: 1), now: now),
            let sender = try? left.node.stack.udpOpen(isIPv4: false),
            let receiver = try? right.node.stack.udpOpen(isIPv4: false),
            (try? right.node.stack.udpBind(receiver, to: SocketEndpoint(.anyIPv6, port: 2))) != nil,
            (try? left.node.stack.udpConnect(sender, to: SocketEndpoint(address, port: 2), now: now)) != nil
        else { return false }
        left.stream = client
        left.datagrams = sender
        right.datagrams = receiver
        for _ in 0..<2_000_000 where right.stream == nil {
            right.stream = try? right.node.stack.accept(listener, now: now)
            pump()
        }
        return right.stream != nil
    }

    /// Both ends write and read what they can, until both have read so many bytes more.
    mutating func exchange(_ count: Int) {
        let ends = (left.received + count, right.received + count)
        while left.received < ends.0 || right.received < ends.1 {
            left.move(chunk, &sink, now)
            right.move(chunk, &sink, now)
            pump()
        }
    }

    /// Sends datagrams one by one and reads them at the other end; how many came.
    mutating func datagrams(_ count: Int) -> Int {
        guard let sender = left.datagrams, let receiver = right.datagrams else { return 0 }
        var came = 0
        for _ in 0..<count {
            try? chunk.withBytes { (bytes) throws(StackError) in
                try left.node.stack.sendTo(sender, bytes.extracting(0..<1200), now: now)
            }
            pump()
            while (try? sink.withMutableBytes({ (bytes) throws(StackError) in
                try right.node.stack.receiveFrom(receiver, into: &bytes, now: now)
            })) != nil {
                came += 1
            }
        }
        return came
    }
}

/// Passes what a party answered to the others, and what they answer, and so on.
private func answer(_ from: inout Party, _ first: inout Party, _ second: inout Party, _ now: Now) {
    guard !from.replies.isEmpty else { return }
    first.take(from.replies, from: from.endpoint, now)
    second.take(from.replies, from: from.endpoint, now)
    from.replies.clear()
    answer(&first, &from, &second, now)
    answer(&second, &from, &first, now)
}

/// Passes all that a party has to send.
private func send(_ from: inout Party, _ first: inout Party, _ second: inout Party, _ now: Now) {
    var turn = PumpTurn()
    repeat {
        turn = PumpTurn()
        while from.transmit(in: &turn, now) {
            first.take(from.out, from: from.endpoint, now)
            second.take(from.out, from: from.endpoint, now)
            answer(&first, &from, &second, now)
            answer(&second, &from, &first, now)
            answer(&from, &first, &second, now)
        }
    } while turn.hasMore
}

/// Allocations per packet, and what they may be.
enum AllocationBench {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The rows; throws if a packet of the steady state allocates.
    static func run() throws -> [String: Double] {
        // A counter that counts nothing would find nothing.
        let before = cprocesscounts_thread_allocations()
        var kept: [[UInt8]] = []
        for number in 0..<100 { kept.append([UInt8](repeating: UInt8(number), count: 4096)) }
        guard cprocesscounts_thread_allocations() - before >= 100, kept.count == 100 else {
            throw Failure(description: "allocations are not counted in this process")
        }
        guard var world = Trio(), world.connect() else { throw Failure(description: "the nodes do not connect") }
        // Rings, tables and windows find their size.
        world.exchange(64 << 20)
        let streams = world.measure { $0.exchange(128 << 20) }
        guard world.datagrams(2_000) > 1_900 else { throw Failure(description: "datagrams do not arrive") }
        let datagrams = world.measure { _ = $0.datagrams(20_000) }
        let result = [
            "allocations.tcp": Double(streams.allocations),
            "allocations.tcp_packets": Double(streams.packets),
            "allocations.udp": Double(datagrams.allocations),
            "allocations.udp_packets": Double(datagrams.packets),
        ]
        guard streams.packets > 100_000, datagrams.packets > 19_000 else {
            throw Failure(description: "too few packets were counted: \(result)")
        }
        for (name, found) in [("TCP", streams), ("UDP", datagrams)] where found.allocations > found.packets / 10_000 {
            throw Failure(
                description: "\(found.allocations) allocations for \(found.packets) packets of \(name): "
                    + "a packet in the steady state may allocate nothing")
        }
        return result
    }
}

extension Trio {
    /// The allocations and packets of a piece of work.
    fileprivate mutating func measure(_ body: (inout Trio) -> Void) -> (allocations: UInt64, packets: Int) {
        let packets = root.packets + left.packets + right.packets
        let allocations = cprocesscounts_thread_allocations()
        body(&self)
        let after = cprocesscounts_thread_allocations()
        return (after - allocations, root.packets + left.packets + right.packets - packets)
    }
}
