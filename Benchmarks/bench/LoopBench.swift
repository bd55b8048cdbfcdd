// Two whole nodes and their root back to back in one thread: everything but the kernel.

import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierCrypto
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// A node with its address and its slabs.
private struct Party: ~Copyable {
    var node: Node
    let endpoint: SocketEndpoint
    var out = TransmitBatch()
    var replies = TransmitBatch()
    var inbound = ReceiveBatch()

    init(_ node: consuming Node, _ endpoint: SocketEndpoint) {
        self.node = node
        self.endpoint = endpoint
    }
}

/// Bulk TCP between two nodes through memory.
enum LoopBench {
    static func run() -> [String: Double] {
        let total = 256 << 20
        guard let seconds = transfer(total) else { return [:] }
        let segments = Double(total) / 1342
        return [
            "loop.gbit_per_s": Double(total) * 8 / seconds / 1e9,
            "loop.ns_per_1342_bytes_both_sides": seconds / segments * 1e9,
        ]
    }

    private static func transfer(_ total: Int) -> Double? {
        guard var world = LoopWorld() else { return nil }
        guard let (listener, client) = world.connect() else { return nil }
        let chunk = [UInt8](repeating: 0x5a, count: 65_536)
        var sink = [UInt8](repeating: 0, count: 65_536)
        var server: SocketID?
        var received = 0
        var warm = 0
        func step() {
            if server == nil { server = world.accept(listener) }
            world.send(chunk, by: client)
            if let server { received += world.receive(server, into: &sink) }
            world.pump()
        }
        while received < 8 << 20, warm < 2_000_000 {
            step()
            warm += 1
        }
        let start = received
        return Bench.seconds { while received < start + total { step() } }
    }
}

/// A root and two members of one network, in one thread and in memory.
private struct LoopWorld: ~Copyable {
    private var now = Now(monotonic: MonotonicInstant(nanoseconds: 1_000_000_000), unixMilliseconds: 1_790_000_000_000)
    private var parties = SlotTable<Party>()
    private let ids: [SlotID]
    private static let network = NetworkID(0xff00_00ff_ff00_0000)

    /// Nil without secrets, which generated identities have.
    init?() {
        var random = RandomSource(seed: 9)
        let identities = (0..<3).map { _ in Identity.generate(using: &random) }
        let endpoints = (1...3).map { SocketEndpoint(IPAddress(v4: 0x0a4d_0000 + UInt32($0)), port: 9993) }
        guard let signer = identities[0].secretKeys else { return nil }
        let planet = World(
            kind: .planet, id: 7, timestampMilliseconds: 1, updateKey: signer.publicKeys,
            roots: [World.Root(identity: identities[0].withoutSecret, endpoints: [endpoints[0]])]
        ).signed(with: signer)
        var ids: [SlotID] = []
        for index in 0..<3 {
            let node = Node(
                identity: identities[index], configuration: NodeConfiguration(planet: planet), random: random.fork(),
                now: now)
            ids.append(parties.insert(Party(node, endpoints[index])))
        }
        self.ids = ids
    }

    /// Brings the members online and together: the second listens, the first connects.
    mutating func connect() -> (listener: SocketID, client: SocketID)? {
        for _ in 0..<200_000 {
            pump()
            if parties[ids[1]].node.peers.isOnline, parties[ids[2]].node.peers.isOnline { break }
        }
        for id in ids.dropFirst() { _ = parties[id].node.join(LoopWorld.network, now: now) }
        guard let address = parties[ids[2]].node.network(LoopWorld.network)?.addresses.first?.address,
            let listener = try? parties[ids[2]].node.stack.tcpListen(
                on: SocketEndpoint(.anyIPv6, port: 1), backlog: 1, now: now),
            let client = try? parties[ids[1]].node.stack.tcpConnect(to: SocketEndpoint(address, port: 1), now: now)
        else { return nil }
        return (listener, client)
    }

    mutating func accept(_ listener: SocketID) -> SocketID? {
        try? parties[ids[2]].node.stack.accept(listener, now: now)
    }

    mutating func send(_ chunk: [UInt8], by client: SocketID) {
        _ = try? chunk.withBytes { try parties[ids[1]].node.stack.send(client, $0, now: now) }
    }

    /// Takes all there is; how much that was.
    mutating func receive(_ server: SocketID, into sink: inout [UInt8]) -> Int {
        var received = 0
        while let count = try? sink.withMutableBytes({
            try parties[ids[2]].node.stack.receive(server, into: &$0, now: now)
        }), count > 0 {
            received += count
        }
        return received
    }

    mutating func pump() {
        for id in ids {
            parties[id].node.handleDeadlines(now: now)
            while true {
                var turn = PumpTurn()
                while let output = parties[id].next(in: &turn, now) {
                    switch output {
                    case .datagrams: deliver(id, isReply: false)
                    case .event, .controllerJob: break
                    case .job(.validate(let identity, let ticket)):
                        parties[id].complete(ticket, identity.validate(), now)
                        deliver(id, isReply: true)
                    }
                }
                if !turn.hasMore { break }
            }
        }
        now = now.advanced(by: .microseconds(20))
    }

    private mutating func deliver(_ from: SlotID, isReply: Bool) {
        let source = parties[from].endpoint
        let count = isReply ? parties[from].replies.runs.count : parties[from].out.runs.count
        for run in 0..<count {
            let path = isReply ? parties[from].replies.runs[run].path : parties[from].out.runs[run].path
            guard let to = ids.first(where: { parties[$0].endpoint == path.remote }) else { continue }
            let back = PhysicalPath(localSocket: 0, remote: source)
            if from == to { continue }
            var owned: [UInt8] = []
            var stride = 0
            if isReply {
                parties[from].replies.withRun(run) {
                    stride = $0.stride
                    owned = $1.copyBytes()
                }
            } else {
                parties[from].out.withRun(run) {
                    stride = $0.stride
                    owned = $1.copyBytes()
                }
            }
            parties[to].inbound.withStorage { $0.copy(from: owned, at: 0) }
            parties[to].inbound.setDatagrams(total: owned.count, segmentSize: stride, path: back)
            parties[to].replies.clear()
            parties[to].receive(now)
            deliver(to, isReply: true)
        }
    }
}

extension Party {
    fileprivate mutating func receive(_ now: Now) { node.receive(&inbound, replies: &replies, now: now) }

    fileprivate mutating func next(in turn: inout PumpTurn, _ now: Now) -> NodeOutput? {
        node.next(in: &turn, into: &out, now: now)
    }

    fileprivate mutating func complete(_ ticket: JobTicket, _ isValid: Bool, _ now: Now) {
        replies.clear()
        node.complete(ticket, isValid: isValid, replies: &replies, now: now)
    }
}
