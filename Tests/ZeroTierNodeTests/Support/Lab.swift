import NetPrimitives
import NetStack
import TestSupport
import ZeroTierCrypto
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// Throw-away identities with their secrets.
enum Fixture {
    static let identities = VectorFiles.lines("identities.txt").compactMap { Identity(text: $0) }
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
final class Lab: VirtualWorld {
    private struct Flight {
        let from: SocketEndpoint
        let to: SocketEndpoint
        let bytes: [UInt8]
    }

    var clock = VirtualClock(unixMilliseconds: 1_790_000_000_000)
    private var wire = VirtualWire<Flight>()
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
                case .controllerJob(.commit(_, let ticket)):
                    host.node.complete(ticket, failure: nil, now: now)
                    hasWorked = true
                case .controllerJob(.sign(let job)):
                    host.node.complete(job.run(), now: now)
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
        wire.send(Flight(from: from, to: to, bytes: bytes), arrivingAt: now.monotonic + latency)
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

    func begin() { for host in hosts { pump(host) } }

    func nextInstant() -> MonotonicInstant? {
        var next = wire.next ?? .distantFuture
        for host in hosts where host.isUp { next = min(next, host.node.nextDeadline() ?? .distantFuture) }
        return next
    }

    /// What has arrived goes first: it may move the deadlines.
    func happen() {
        var hasArrived = false
        while let flight = wire.take(arrivedBy: now.monotonic) {
            hasArrived = true
            deliver(flight)
        }
        guard !hasArrived else { return }
        for host in hosts where host.isUp {
            guard let deadline = host.node.nextDeadline(), deadline <= now.monotonic else { continue }
            host.deadlinesFired += 1
            host.node.handleDeadlines(now: now)
            pump(host)
        }
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
