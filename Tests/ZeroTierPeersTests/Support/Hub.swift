//  A network in memory with virtual time: nodes with endpoints, datagrams with latency, everything repeatable.

import NetPrimitives
import Synchronization
import TestSupport
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierPeers

/// One datagram on its way.
struct Flight {
    let at: MonotonicInstant
    let from: SocketEndpoint
    let to: SocketEndpoint
    let timeToLive: UInt8
    var bytes: [UInt8]

    var isFragment: Bool { bytes.count > 16 && bytes[13] == 0xff }
    var destination: UInt64 { number(8, 5) }
    var source: UInt64 { number(13, 5) }
    var suite: UInt8 { bytes.count > 18 ? bytes[18] >> 3 & 7 : 255 }
    var hops: UInt8 { bytes.count > 18 ? bytes[18] & 7 : 255 }
    /// Whether this is a HELLO (suite 0, verb 1 in the clear).
    var isHello: Bool { bytes.count > 28 && !isFragment && suite == 0 && bytes[27] & 0x1f == 1 }

    var packetID: PacketID { PacketID(number(0, 8)) }

    private func number(_ offset: Int, _ count: Int) -> UInt64 {
        guard bytes.count >= offset + count else { return 0 }
        return bytes[offset..<offset + count].reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// A node under test.
final class TestNode {
    let identity: Identity
    var engine: PeerEngine
    /// The local sockets, by number.
    var sockets: [SocketEndpoint]
    var events: [PeerEvent] = []
    var received: [(packet: OpenedPacket, payload: [UInt8])] = []
    var lastOpened: Opened?
    /// Results that its validations give.
    var invalidIdentities: Set<Address> = []
    var jobCount = 0

    init(_ identity: Identity, _ sockets: [SocketEndpoint], _ configuration: PeerConfiguration, seed: UInt64, now: Now)
    {
        self.identity = identity
        self.sockets = sockets
        engine = PeerEngine(
            identity: identity, configuration: configuration, random: RandomSource(seed: seed), now: now)
    }

    var address: Address { identity.address }

    func drops(_ reason: PeerDrop) -> UInt64 { engine.drops[reason] }

    var isOnline: Bool { engine.isOnline }
    var isRoot: Bool { engine.isRoot }
    var lookupCount: Int { engine.lookup.count }
    var peerCount: Int { engine.peerCount }
    var provenWaiting: Int { engine.validation.provenCount }
    var planet: World? { engine.planet }
    var moons: [World] { engine.moons }
    var rootAddresses: [Address] { engine.rootAddresses }

    func identity(of address: Address) -> Identity? { engine.identity(of: address) }

    func has(_ event: PeerEvent) -> Bool { events.contains(event) }
}

/// The network.
final class Hub: VirtualWorld {
    var clock = VirtualClock()
    private(set) var nodes: [TestNode] = []
    private var wire = VirtualWire<Flight>()
    private var jobs: [(at: MonotonicInstant, node: TestNode, ticket: JobTicket, isValid: Bool)] = []
    private var seed: UInt64
    var latency: Duration = .milliseconds(5)
    var validationTime: Duration = .milliseconds(20)
    /// Which datagrams get through.
    var passes: (Flight) -> Bool = { _ in true }
    /// Everything that was sent.
    private(set) var log: [Flight] = []

    init(seed: UInt64 = 1) {
        self.seed = seed
    }

    @discardableResult
    func add(
        _ identity: Identity, _ sockets: [SocketEndpoint], _ configuration: PeerConfiguration
    ) -> TestNode {
        seed += 1
        let node = TestNode(identity, sockets, configuration, seed: seed, now: now)
        nodes.append(node)
        settle(node)
        return node
    }

    func remove(_ node: TestNode) { nodes.removeAll { $0 === node } }

    func forgetLog() { log = [] }

    /// Makes a node take another one for a member of one of its networks.
    func trust(_ node: TestNode, _ other: TestNode) {
        guard let id = node.engine.topology.lookUp(other.address) else { return }
        node.engine.topology.peers[id].lastTrust = now.monotonic
    }

    /// The ID of the last HELLO that a node sent to an endpoint, for whomever or for one.
    func lastHello(of node: TestNode, to endpoint: SocketEndpoint, for receiver: TestNode? = nil) -> PacketID {
        let last = log.last {
            $0.to == endpoint && $0.isHello && $0.source == node.address.value
                && (receiver == nil || $0.destination == receiver?.address.value)
        }
        guard let flight = last else { return PacketID(0) }
        return flight.packetID
    }

    // MARK: Time

    /// Lets virtual time pass.
    func run(_ duration: Duration) {
        run(for: duration)
    }

    /// Lets time pass until the condition holds; false if it does not within the limit.
    func run(until condition: () -> Bool, within limit: Duration) -> Bool {
        run(for: limit, until: condition)
    }

    func nextInstant() -> MonotonicInstant? {
        var next = wire.next
        for job in jobs where job.at < next ?? .distantFuture { next = job.at }
        for node in nodes {
            if let deadline = node.engine.nextDeadline(), deadline < next ?? .distantFuture { next = deadline }
        }
        return next
    }

    func happen() {
        while let first = wire.take(arrivedBy: now.monotonic) { deliver(first) }
        while let index = jobs.firstIndex(where: { $0.at <= now.monotonic }) {
            let job = jobs.remove(at: index)
            job.node.engine.complete(job.ticket, isValid: job.isValid, now: now)
            settle(job.node)
        }
        for node in nodes {
            if let deadline = node.engine.nextDeadline(), deadline <= now.monotonic {
                node.engine.handleDeadlines(now: now)
                settle(node)
            }
        }
    }

    // MARK: Datagrams

    /// Delivers a datagram, and those behind it that arrive at the same time from the same to the same, as one
    /// receive buffer.
    private func deliver(_ first: Flight) {
        guard let node = nodes.first(where: { $0.sockets.contains(first.to) }) else { return }
        var together = [first]
        while let next = wire.first, next.at == first.at, next.from == first.from, next.to == first.to,
            let item = wire.take(arrivedBy: first.at)
        {
            together.append(item)
        }
        receive(node, together.map(\.bytes), from: first.from, to: first.to)
    }

    /// Hands datagrams of one remote to a node in one buffer.
    func receive(_ node: TestNode, _ datagrams: [[UInt8]], from: SocketEndpoint, to: SocketEndpoint? = nil) {
        let socket = to.flatMap { node.sockets.firstIndex(of: $0) } ?? 0
        let path = PhysicalPath(localSocket: Int32(socket), remote: from)
        var batch = ReceiveBatch()
        for bytes in datagrams { _ = batch.append(bytes.span.bytes, path: path) }
        var replies = TransmitBatch()
        var index = 0
        while index < batch.datagrams.count {
            let (opened, consumed) = node.engine.open(&batch, at: index, replies: &replies, now: now)
            node.lastOpened = opened
            if case .packet(let packet) = opened {
                let payload = batch.withDatagrams(from: index) {
                    $0.copyBytes(packet.payloadOffset, packet.payloadLength)
                }
                node.received.append((packet, payload))
            }
            index += consumed
            drainReady(node, &replies)
        }
        launch(&replies, from: node)
        settle(node)
    }

    private func drainReady(_ node: TestNode, _ replies: inout TransmitBatch) {
        while let ready = node.engine.nextReady(replies: &replies, now: now) {
            let start = ready.packet.payloadOffset
            node.received.append((ready.packet, Array(ready.bytes[start..<start + ready.packet.payloadLength])))
        }
    }

    /// Does what a driver does after each call: jobs, ready packets, control packets, events.
    func settle(_ node: TestNode) {
        while let job = node.engine.nextJob() {
            guard case .validate(let identity, let ticket) = job else { continue }
            node.jobCount += 1
            jobs.append(
                (now.monotonic + validationTime, node, ticket, !node.invalidIdentities.contains(identity.address)))
        }
        var batch = TransmitBatch()
        drainReady(node, &batch)
        launch(&batch, from: node)
        repeat {
            batch.clear()
            node.engine.transmitControl(into: &batch, now: now)
            launch(&batch, from: node)
        } while !batch.isEmpty
        while let event = node.engine.nextEvent() { node.events.append(event) }
    }

    private func launch(_ batch: inout TransmitBatch, from node: TestNode) {
        batch.forEachDatagram { path, bytes in
            for (number, socket) in node.sockets.enumerated()
            where socket.address.isIPv4 == path.remote.address.isIPv4
                && (path.localSocket == PhysicalPath.anySocket || path.localSocket == Int32(number))
            {
                inject(bytes.copyBytes(), from: socket, to: path.remote, timeToLive: path.timeToLive)
            }
        }
        batch.clear()
    }

    /// Puts a datagram on its way.
    func inject(_ bytes: [UInt8], from: SocketEndpoint, to: SocketEndpoint, timeToLive: UInt8 = 0) {
        let flight = Flight(
            at: now.monotonic + latency, from: from, to: to, timeToLive: timeToLive, bytes: bytes)
        log.append(flight)
        guard timeToLive == 0, passes(flight) else { return }
        wire.send(flight, arrivingAt: flight.at)
    }

    // MARK: What a node does

    /// Sends a FRAME as the data path does: in place when there is a way, else through `send`. Whether it went to a socket of the
    /// destination's own.
    @discardableResult
    func sendFrame(_ node: TestNode, to destination: Address, _ payload: [UInt8] = Array(repeating: 7, count: 100))
        -> Bool
    {
        var isDirect = false
        switch node.engine.route(to: destination, length: 28 + payload.count, now: now) {
        case .path(let route):
            var batch = TransmitBatch()
            isDirect = nodes.contains {
                $0.identity.address == destination && $0.sockets.contains(route.path.remote)
            }
            _ = node.engine.append(28 + payload.count, verb: .frame, route: route, into: &batch) {
                $0.copy(from: payload, at: 28)
            }
            launch(&batch, from: node)
        case .wait, .unreachable: node.engine.send(.frame, payload, to: destination, now: now)
        }
        settle(node)
        return isDirect
    }

    func send(_ node: TestNode, _ verb: Verb, _ payload: [UInt8], to destination: Address, compress: Bool = false) {
        node.engine.send(verb, payload, to: destination, compress: compress, now: now)
        settle(node)
    }

    func snapshot(_ node: TestNode, of other: TestNode) -> PeerSnapshot? {
        node.engine.snapshot(of: other.address, now: now)
    }

    func isDirect(_ node: TestNode, to other: TestNode) -> Bool { snapshot(node, of: other)?.isDirect ?? false }
}

/// One root and some leaves, the usual arrangement.
struct Star {
    let hub: Hub
    let root: TestNode
    let leaves: [TestNode]
    let planet: World

    init(
        leaves count: Int, seed: UInt64 = 1, root configureRoot: (inout PeerConfiguration) -> Void = { _ in },
        leaf configure: (inout PeerConfiguration) -> Void = { _ in }
    ) {
        let hub = Hub(seed: seed)
        let endpoint = Fixture.endpoint(0, 1)
        planet = Fixture.planet([(Fixture.identities[0], [endpoint])])
        var configuration = PeerConfiguration(planet: planet)
        configureRoot(&configuration)
        root = hub.add(Fixture.identities[0], [endpoint], configuration)
        configuration = PeerConfiguration(planet: planet)
        configure(&configuration)
        leaves = (0..<count).map { hub.add(Fixture.identities[1 + $0], [Fixture.endpoint(1, 1 + $0)], configuration) }
        self.hub = hub
    }

    /// Runs until every node is online.
    func start() -> Bool {
        let all = [root] + leaves
        return hub.run(until: { all.allSatisfy { $0.isOnline } }, within: .seconds(1))
    }

    /// Starts, and makes the first two leaves talk until both are direct.
    func connect() -> Bool {
        guard start() else { return false }
        hub.run(.milliseconds(100))
        hub.sendFrame(leaves[0], to: leaves[1].address)
        return hub.run(
            until: { hub.isDirect(leaves[0], to: leaves[1]) && hub.isDirect(leaves[1], to: leaves[0]) },
            within: .seconds(2))
    }
}

/// A node that speaks VL1 byte by byte, for what the engine would never send.
struct Prober {
    let identity: Identity
    let target: Identity
    private let key: SharedKey?
    private static let count = Atomic<UInt64>(1 << 30)

    /// IDs are those of a node that promised growing numbers and started with the network; an own one for each packet unless the
    /// test gives one. What is given with more than 48 bits is taken as it is.
    private static func number(_ given: UInt64?) -> UInt64 {
        if let given, given >= 1 << 48 { return given }
        let number = given ?? count.add(1, ordering: .relaxed).newValue
        return (1_750_000_001_000 << 20) + number
    }

    init(_ identity: Identity, to target: Identity) {
        self.identity = identity
        self.target = target
        key = identity.secretKeys?.agree(with: target.publicKeys)
    }

    /// A sealed packet.
    func packet(
        _ verb: UInt8, _ payload: [UInt8], suite: CipherSuite = .salsa, id: UInt64? = nil,
        source: Address? = nil, isFragmented: Bool = false
    ) -> [UInt8] {
        guard let key else { return [] }
        let cipher = PacketCipher(key)
        var bytes = [UInt8](repeating: 0, count: 28 + payload.count)
        let length = bytes.count
        let header = PacketHeader(
            id: PacketID(Prober.number(id)), destination: target.address, source: source ?? identity.address,
            isFragmented: isFragmented)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(verb, at: 27)
            span.copy(from: payload, at: 28)
            PacketArmor.seal(&span, length: length, suite: suite, cipher: cipher)
        }
        return bytes
    }

    func hello(
        protocolVersion: UInt8 = 12, version: SoftwareVersion = SoftwareVersion(major: 1, minor: 14, revision: 1),
        planet: World? = nil, id: UInt64? = nil, identity other: Identity? = nil,
        timestamp: UInt64 = 5, sentTo: SocketEndpoint? = nil
    ) -> [UInt8] {
        guard let key else { return [] }
        let cipher = PacketCipher(key)
        let hello = Hello(
            protocolVersion: protocolVersion, softwareVersion: version, timestampMilliseconds: timestamp,
            identity: other ?? identity, sentTo: sentTo,
            planet: WorldReference(id: planet?.id ?? 0, timestampMilliseconds: 0))
        let payload = hello.encoded
        var bytes = [UInt8](repeating: 0, count: 28 + payload.count)
        let length = bytes.count
        let header = PacketHeader(
            id: PacketID(Prober.number(id)), destination: target.address, source: identity.address)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(Verb.hello.rawValue, at: 27)
            span.copy(from: payload, at: 28)
            PacketArmor.sealHello(&span, length: length, sectionOffset: hello.sectionOffset, cipher: cipher)
        }
        return bytes
    }

    /// The opened packet: verb number and payload; nil when it does not authenticate.
    func open(_ datagram: [UInt8]) -> (verb: UInt8, payload: [UInt8])? {
        guard let key, datagram.count >= 28 else { return nil }
        let cipher = PacketCipher(key)
        var bytes = datagram
        let length = bytes.count
        let isAuthentic = bytes.withMutableBytes { PacketArmor.open(&$0, length: length, cipher: cipher) }
        return isAuthentic ? (bytes[27] & 0x1f, Array(bytes[28...])) : nil
    }

    /// Cuts a packet into datagrams of these data sizes; the first is the head's length.
    static func fragments(_ packet: [UInt8], sizes: [Int], total: Int? = nil) -> [[UInt8]] {
        var result = [Array(packet[0..<sizes[0]])]
        var offset = sizes[0]
        for (index, size) in sizes.dropFirst().enumerated() {
            let end = min(packet.count, offset + size)
            var part = Array(packet[0..<8]) + Array(packet[8..<13])
            part += [0xff, UInt8((total ?? sizes.count) << 4 | (index + 1)), 0]
            part += packet[offset..<end]
            result.append(part)
            offset = end
        }
        return result
    }
}
