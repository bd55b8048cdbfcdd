// One TCP stream between two whole nodes in one thread, over the kernel's loopback interface, by MTU of the virtual network. The
// numbers are for comparison with each other: a frame that is cut unevenly costs a system call, and no MTU may be a bad choice.

import NetPrimitives
import NetStack
import struct ZeroTier.UDPPort
import struct ZeroTier.UDPReceiver
import ZeroTierCrypto
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// A node with its port and slabs.
private struct Party: ~Copyable {
    var node: Node
    var port: UDPPort
    var out = TransmitBatch()
    var replies = TransmitBatch()

    init(_ node: consuming Node, _ port: consuming UDPPort) {
        self.node = node
        self.port = port
    }

    mutating func receive(_ batch: inout ReceiveBatch, _ now: Now) {
        replies.clear()
        node.receive(&batch, replies: &replies, now: now)
        sendReplies()
    }

    mutating func complete(_ ticket: JobTicket, _ isValid: Bool, _ now: Now) {
        replies.clear()
        node.complete(ticket, isValid: isValid, replies: &replies, now: now)
        sendReplies()
    }

    private mutating func sendReplies() {
        var cursor = UDPPort.Cursor()
        _ = port.send(replies, from: &cursor)
    }

    /// One turn of the pump; false when there is no more to send.
    mutating func pump(_ now: Now) -> Bool {
        var turn = PumpTurn()
        while let output = node.next(in: &turn, into: &out, now: now) {
            switch output {
            case .datagrams:
                var cursor = UDPPort.Cursor()
                _ = port.send(out, from: &cursor)
            case .event, .controllerJob: break
            case .job(.validate(let identity, let ticket)): complete(ticket, identity.validate(), now)
            }
        }
        return turn.hasMore
    }
}

/// A root and two nodes on the kernel's loopback interface, all driven by the caller's thread.
private final class ThreeNodes {
    private static let loopback = IPAddress(v4: 0x7f00_0001)
    /// The root's number, as its controller would have made it.
    private static let network = NetworkID(controller: identities[0].address, number: 1)
    private static let identities: [Identity] = {
        var random = RandomSource(seed: 9)
        return (0..<3).map { _ in Identity.generate(using: &random) }
    }()

    private let clock = ContinuousClock()
    private let began = ContinuousClock.now
    // Apart from the nodes: a receiver lends its buffers while a node is changed.
    private var receivers = SlotTable<UDPReceiver>()
    private var parties = SlotTable<Party>()
    private var ids: [(party: SlotID, receiver: SlotID, socket: UDPPort.Socket)] = []
    private var client: SocketID?
    private var listener: SocketID?
    private var server: SocketID?
    private let chunk = [UInt8](repeating: 0x5a, count: 65_536)
    private var target = [UInt8](repeating: 0, count: 65_536)
    private(set) var received = 0

    init() throws {
        var random = RandomSource(seed: 10)
        var planet: World?
        for identity in ThreeNodes.identities {
            let port = try UDPPort(addresses: [ThreeNodes.loopback], port: 0, mode: .automatic)
            let socket = port.sockets[0]
            if planet == nil, let signer = identity.secretKeys {
                let endpoint = SocketEndpoint(ThreeNodes.loopback, port: port.port)
                planet = World(
                    kind: .planet, id: 7, timestampMilliseconds: 1, updateKey: signer.publicKeys,
                    roots: [World.Root(identity: identity.withoutSecret, endpoints: [endpoint])]
                ).signed(with: signer)
            }
            var configuration = NodeConfiguration(planet: planet)
            configuration.peers.allowLoopbackPaths = true
            let node = Node(identity: identity, configuration: configuration, random: random.fork(), now: now)
            ids.append((parties.insert(Party(node, port)), receivers.insert(UDPReceiver()), socket))
        }
    }

    private var now: Now {
        let parts = began.duration(to: clock.now).components
        let nanoseconds = parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000
        return Now(
            monotonic: MonotonicInstant(nanoseconds: UInt64(nanoseconds) + 1_000_000_000),
            unixMilliseconds: 1_790_000_000_000 + nanoseconds / 1_000_000)
    }

    /// What a node keeps of a network without rules, in whose configuration an MTU is.
    private static func configuration(mtu: Int, member: Address) -> NetworkConfig {
        var config = NetworkConfig(network: network, issuedTo: member, timestamp: 1_790_000_000_000)
        config.revision = 1
        config.isPublic = true
        config.mtu = mtu
        config.flags = NetworkConfig.neighbourEmulationFlag
        config.rules = [Rule(.accept)]
        config.addresses = [IPPrefix(network.sixPlaneAddress(of: member), length: NetworkID.sixPlanePrefixLength)]
        return config
    }

    private func pump() {
        for id in ids {
            let time = now
            while receivers[id.receiver].receive(
                from: id.socket, { batch, _ in parties[id.party].receive(&batch, time) })
                == .full
            {}
            parties[id.party].node.handleDeadlines(now: time)
            // A few slabs at a time: the kernel's buffer holds no more than some.
            for _ in 0..<4 { guard parties[id.party].pump(time) else { break } }
        }
    }

    /// Gets both nodes online and into a network of an MTU, and begins to connect. False when that fails.
    func connect(mtu: Int) throws -> Bool {
        let (from, to) = (ids[1].party, ids[2].party)
        let end = clock.now + .seconds(20)
        while !parties[from].node.peers.isOnline || !parties[to].node.peers.isOnline {
            guard clock.now < end else { return false }
            pump()
        }
        for id in [from, to] {
            let saved = ThreeNodes.configuration(mtu: mtu, member: parties[id].node.identity.address)
            _ = parties[id].node.join(ThreeNodes.network, saved: saved.encoded, now: now)
        }
        guard let address = parties[to].node.network(ThreeNodes.network)?.addresses.first?.address else {
            return false
        }
        listener = try parties[to].node.stack.tcpListen(
            on: SocketEndpoint(.anyIPv6, port: 1), backlog: 1, now: now)
        client = try parties[from].node.stack.tcpConnect(to: SocketEndpoint(address, port: 1), now: now)
        return true
    }

    /// Moves what can be moved at once.
    private func step() {
        let (from, to) = (ids[1].party, ids[2].party)
        let time = now
        if server == nil, let listener { server = try? parties[to].node.stack.accept(listener, now: time) }
        if let client {
            while let count = try? chunk.withBytes({ try parties[from].node.stack.send(client, $0, now: time) }),
                count == chunk.count
            {}
        }
        if let server {
            while let count = try? target.withMutableBytes({
                try parties[to].node.stack.receive(server, into: &$0, now: time)
            }), count > 0 {
                received += count
            }
        }
        pump()
    }

    /// Goes on until so many bytes have arrived, but not for more than a minute.
    func run(until total: Int) {
        let end = clock.now + .seconds(60)
        while received < total, clock.now < end { step() }
    }
}

/// The sweep over MTUs.
enum MTUBench {
    private static let total = 384 << 20
    private static let warmUp = 8 << 20

    /// Measures some MTUs, or the usual ones.
    static func run(_ chosen: [Int] = []) throws -> [String: Double] {
        var rates: [Int: Double] = [:]
        let usual = [1280, 1500, 2000, 2800, 4000, 5600, 6500, 7000, 8000, 9000, 9800, 10_000]
        let sizes = chosen.isEmpty ? usual : chosen
        // In turns, so that a slow moment of the machine does not fall on one size alone.
        for _ in 0..<3 {
            for mtu in sizes {
                let nodes = try ThreeNodes()
                guard try nodes.connect(mtu: mtu) else { return [:] }
                nodes.run(until: warmUp)
                let start = nodes.received
                let seconds = Bench.seconds { nodes.run(until: start + total) }
                rates[mtu] = max(rates[mtu] ?? 0, Double(nodes.received - start) * 8 / seconds / 1e9)
            }
        }
        var values: [String: Double] = [:]
        for (mtu, rate) in rates { values["mtu.\(mtu)_gbit_per_s"] = rate }
        values["mtu.worst_of_best"] = (rates.values.min() ?? 0) / (rates.values.max() ?? 1)
        return values
    }
}
