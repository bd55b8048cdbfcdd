import Foundation
import NetPrimitives
import NetStack
import ZeroTierCrypto
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// Throw-away identities from `Tests/Vectors/identities.txt`.
enum Fixture {
    static let identities: [Identity] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Vectors/identities.txt")
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { Identity(text: String($0)) }
    }()
}

/// A node with its address on a flat physical network, and what it told.
final class LabHost {
    var node: Node
    let endpoint: SocketEndpoint
    var events: [NodeEvent] = []
    var isUp = true
    /// Datagrams for this host that come from elsewhere than the roots are lost: links that force relaying.
    var acceptsDirect = true
    /// How often a deadline fired, and a datagram arrived.
    var deadlinesFired = 0
    var datagramsReceived = 0

    init(node: consuming Node, endpoint: SocketEndpoint) {
        self.node = node
        self.endpoint = endpoint
    }
}

/// Hosts on one physical network under virtual time: one millisecond from anyone to anyone.
final class Lab {
    private struct Flight {
        let arrival: MonotonicInstant
        let order: Int
        let from: SocketEndpoint
        let to: SocketEndpoint
        let bytes: [UInt8]
    }

    private(set) var now = Now(
        monotonic: MonotonicInstant(nanoseconds: 1_000_000_000), unixMilliseconds: 1_790_000_000_000)
    private var flights: [Flight] = []
    private var order = 0
    private var batch = TransmitBatch()
    private var replies = TransmitBatch()
    private var inbound = ReceiveBatch()
    private(set) var hosts: [LabHost] = []
    /// Sees every datagram that leaves a host.
    var onDatagram: ((_ to: SocketEndpoint, _ bytes: [UInt8]) -> Void)?
    private(set) var datagrams = 0
    /// Datagrams between two hosts of which neither is the root.
    private(set) var directDatagrams = 0
    let latency = Duration.milliseconds(1)
    let world: World

    /// `identities[0]` is the root; the planet may name another one, which is not there.
    init(nodes: Int, protocolVersion: UInt8 = 12, deadRoot: Identity? = nil, seed: UInt64 = 0) {
        let identities = Array(Fixture.identities.prefix(nodes + 1))
        let rootEndpoint = SocketEndpoint(IPAddress(v4: 0x0a4d_0001), port: 9993)
        let signer = identities[0].secretKeys ?? SecretKeys(Fixture.identities[0].publicKeys.bytes)
        guard let signer else { fatalError("the fixture has no secrets") }
        var roots = [World.Root(identity: identities[0].withoutSecret, endpoints: [rootEndpoint])]
        if let dead = deadRoot {
            let nowhere = SocketEndpoint(IPAddress(v4: 0x0a4d_0002), port: 9993)
            roots.append(World.Root(identity: dead.withoutSecret, endpoints: [nowhere]))
        }
        world = World(
            kind: .planet, id: 42, timestampMilliseconds: 1_700_000_000_000, updateKey: identities[0].publicKeys,
            roots: roots
        ).signed(with: signer)
        for (index, identity) in identities.enumerated() {
            var configuration = NodeConfiguration(planet: world)
            configuration.peers.announcedProtocolVersion = index == 1 ? protocolVersion : 12
            let endpoint =
                index == 0 ? rootEndpoint : SocketEndpoint(IPAddress(v4: 0x0a4d_0000 + UInt32(10 + index)), port: 9993)
            let node = Node(
                identity: identity, configuration: configuration,
                random: RandomSource(seed: seed << 8 | UInt64(index + 1)),
                now: now)
            let host = LabHost(node: node, endpoint: endpoint)
            host.node.setLocalNetwork([endpoint], now: now)
            hosts.append(host)
        }
    }

    private func pump(_ host: LabHost) {
        guard host.isUp else { return }
        while true {
            var turn = PumpTurn()
            var hasWorked = false
            while let output = host.node.next(in: &turn, into: &batch, now: now) {
                switch output {
                case .datagrams: dispatch(batch, of: host)
                case .event(let event): host.events.append(event)
                case .job(.validate(let identity, let ticket)):
                    replies.clear()
                    // The fixture's identities are valid; checking them takes most of a second in a debug build.
                    let isKnown = Fixture.identities.contains(identity)
                    host.node.complete(ticket, isValid: isKnown, replies: &replies, now: now)
                    dispatch(replies, of: host)
                    hasWorked = true
                }
            }
            guard turn.hasMore || hasWorked else { return }
        }
    }

    private func dispatch(_ slab: borrowing TransmitBatch, of host: LabHost) {
        slab.forEachDatagram { path, bytes in
            onDatagram?(path.remote, bytes.copyBytes())
            send(bytes.copyBytes(), from: host.endpoint, to: path.remote)
        }
    }

    /// Puts a datagram on its way, whoever it is said to come from.
    func send(_ bytes: [UInt8], from: SocketEndpoint, to: SocketEndpoint) {
        order += 1
        flights.append(Flight(arrival: now.monotonic + latency, order: order, from: from, to: to, bytes: bytes))
    }

    private func deliver(_ flight: Flight) {
        guard let host = hosts.first(where: { $0.endpoint == flight.to }), host.isUp else { return }
        let isDirect = flight.from != hosts[0].endpoint && flight.to != hosts[0].endpoint
        guard !isDirect || host.acceptsDirect else { return }
        datagrams += 1
        host.datagramsReceived += 1
        if isDirect { directDatagrams += 1 }
        inbound.clear()
        _ = flight.bytes.withBytes { inbound.append($0, path: PhysicalPath(localSocket: 0, remote: flight.from)) }
        replies.clear()
        host.node.receive(&inbound, replies: &replies, now: now)
        dispatch(replies, of: host)
        pump(host)
    }

    /// Lets time pass, until the condition holds or the time is over. Whether it came to hold.
    @discardableResult
    func run(for duration: Duration, until condition: () -> Bool = { false }) -> Bool {
        let end = now.monotonic + duration
        for host in hosts { pump(host) }
        while !condition() {
            var next = end
            for host in hosts where host.isUp {
                if let deadline = host.node.nextDeadline(), deadline < next { next = deadline }
            }
            let arrival = flights.min { ($0.arrival, $0.order) < ($1.arrival, $1.order) }
            if let arrival, arrival.arrival <= next {
                advance(to: arrival.arrival)
                let due = flights.filter { $0.arrival <= now.monotonic }.sorted { $0.order < $1.order }
                flights.removeAll { $0.arrival <= now.monotonic }
                for flight in due { deliver(flight) }
                continue
            }
            if next >= end {
                advance(to: end)
                return condition()
            }
            advance(to: next)
            for host in hosts where host.isUp {
                if let deadline = host.node.nextDeadline(), deadline <= now.monotonic {
                    host.deadlinesFired += 1
                    host.node.handleDeadlines(now: now)
                    pump(host)
                }
            }
        }
        return true
    }

    private func advance(to instant: MonotonicInstant) {
        guard instant > now.monotonic else { return }
        now = now.advanced(by: instant - now.monotonic)
    }

    /// Calls into a host's node, then lets it send.
    func act<Result>(_ index: Int, _ body: (inout Node, Now) throws -> Result) rethrows -> Result {
        defer { pump(hosts[index]) }
        return try body(&hosts[index].node, now)
    }

    func isOnline(_ index: Int) -> Bool { hosts[index].node.peers.isOnline }

    /// The first address that a network gave a host.
    func address(_ index: Int, on network: NetworkID, ipv4: Bool = false) -> IPAddress? {
        hosts[index].node.network(network)?.addresses.first { $0.address.isIPv4 == ipv4 }?.address
    }
}
