//  One whole node at the end of a link that the input controls.

import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// A datagram that left a node.
struct SentDatagram {
    var path: PhysicalPath
    var bytes: [UInt8]
}

/// A node under test, its clock and its link.
struct NodeHarness: ~Copyable {
    var node: Node
    let endpoint: SocketEndpoint
    var now = FuzzFixture.start
    /// What came out since the owner last looked.
    var outbox: [SentDatagram] = []
    /// What the owner's worker says of identities.
    var identitiesAreValid = true
    /// Sees the node before a datagram (true) and behind it.
    typealias Inspection = (borrowing Node, _ datagram: [UInt8], _ isBefore: Bool) -> Void
    var inspect: Inspection?
    private var batch = TransmitBatch()
    private var replies = TransmitBatch()
    private var inbound = ReceiveBatch()
    private var idlePolls = 0
    private var isConnected = true

    /// Bounds so small that an input of some hundred bytes reaches them.
    static func configuration() -> NodeConfiguration {
        var configuration = NodeConfiguration(planet: FuzzFixture.planet)
        configuration.peers.limits.peers = 8
        configuration.peers.limits.pendingValidations = 4
        configuration.peers.limits.relaySources = 4
        configuration.peers.limits.introducedPairs = 4
        configuration.peers.limits.incompletePackets = 6
        configuration.peers.limits.incompletePacketsPerSource = 3
        configuration.peers.limits.lookups = 6
        configuration.peers.limits.waitingInbound = 6
        configuration.peers.limits.waitingOutbound = 6
        configuration.peers.limits.expectedReplies = 16
        configuration.peers.limits.controlPackets = 24
        configuration.peers.limits.events = 48
        configuration.ethernet.likesPerPeer = 8
        configuration.ethernet.likesTotal = 16
        configuration.ethernet.membersPerNetwork = 6
        configuration.ethernet.packetQueue = 24
        configuration.ethernet.localQueue = 12
        configuration.stack = StackHarness.configuration
        return configuration
    }

    init(_ identity: Identity, at endpoint: SocketEndpoint, seed: UInt64) {
        self.endpoint = endpoint
        node = Node(
            identity: identity, configuration: NodeHarness.configuration(), random: RandomSource(seed: seed),
            now: FuzzFixture.start)
        node.setLocalNetwork([endpoint], now: FuzzFixture.start)
    }

    /// The machine loses its address, or gets it back.
    mutating func changeNetwork(gone: [Int32]) {
        isConnected.toggle()
        node.setLocalNetwork(isConnected ? [endpoint] : [], gone: gone, now: now)
    }

    // MARK: In

    /// Gives the node the datagrams of one receive buffer; one by one while somebody looks.
    mutating func receive(_ datagrams: [[UInt8]], from remote: SocketEndpoint) {
        guard let inspect else { return take(datagrams, from: remote) }
        for bytes in datagrams {
            inspect(node, bytes, true)
            take([bytes], from: remote)
        }
    }

    private mutating func take(_ datagrams: [[UInt8]], from remote: SocketEndpoint) {
        inbound.clear()
        let path = PhysicalPath(localSocket: 0, remote: remote)
        for bytes in datagrams where !bytes.isEmpty { _ = bytes.withBytes { inbound.append($0, path: path) } }
        replies.clear()
        node.receive(&inbound, replies: &replies, now: now)
        if let inspect { inspect(node, datagrams.first ?? [], false) }
        outbox += NodeHarness.datagrams(of: replies)
        pump()
    }

    // MARK: Time

    /// Moves the clock and does what is due.
    mutating func move(to instant: MonotonicInstant) {
        if instant > now.monotonic {
            // From the start, so that the wall clock loses no fractions of milliseconds on the way.
            now = FuzzFixture.start.advanced(by: instant - FuzzFixture.start.monotonic)
            idlePolls = 0
        }
        node.handleDeadlines(now: now)
        idlePolls += 1
        pump()
        if let next = node.nextDeadline(), next <= now.monotonic {
            precondition(idlePolls < 64, "a deadline that is due again and again")
        }
    }

    /// Lets time pass, deadline by deadline; after `polls` of them the rest in one leap.
    mutating func advance(_ duration: Duration, polls: Int = 64) {
        let end = now.monotonic + duration
        var count = 0
        while count < polls, let deadline = node.nextDeadline(), deadline <= end {
            move(to: deadline)
            count += 1
        }
        move(to: end)
    }

    // MARK: Out

    /// Everything that an owner does after each call.
    mutating func pump() {
        var rounds = 0
        while true {
            rounds += 1
            precondition(rounds < 1024, "a node that never falls silent")
            var turn = PumpTurn()
            var events = 0
            var hasWorked = false
            while let output = node.next(in: &turn, into: &batch, now: now) {
                switch output {
                case .datagrams: outbox += NodeHarness.datagrams(of: batch)
                case .event: events += 1
                case .job(.validate(_, let ticket)):
                    replies.clear()
                    node.complete(ticket, isValid: identitiesAreValid, replies: &replies, now: now)
                    outbox += NodeHarness.datagrams(of: replies)
                    hasWorked = true
                case .controllerJob: preconditionFailure("a node without a controller has work for one")
                }
            }
            precondition(events <= NodeLimits.events + 256, "events without end")
            if !turn.hasMore, !hasWorked { break }
        }
        checkQuiet()
        checkBounds()
    }

    // What a turn leaves behind waits for a deadline or the next call. Nothing may.
    private mutating func checkQuiet() {
        var turn = PumpTurn()
        let output = node.next(in: &turn, into: &batch, now: now)
        precondition(output == nil, "a turn left something behind")
    }

    private static func datagrams(of slab: borrowing TransmitBatch) -> [SentDatagram] {
        var result: [SentDatagram] = []
        slab.forEachDatagram { path, bytes in
            precondition(
                !bytes.isEmpty && bytes.byteCount <= ProtocolLimits.physicalMTU, "a datagram beyond the path MTU")
            precondition(path.remote.port != 0, "a datagram to port 0")
            result.append(SentDatagram(path: path, bytes: bytes.copyBytes()))
        }
        return result
    }

    private func checkBounds() {
        let limits = NodeHarness.configuration()
        // Roots of the planet and of moons come on top.
        precondition(node.peers.peerCount <= limits.peers.limits.peers + 16, "more peers than allowed")
        precondition(node.ethernet.likeCount <= limits.ethernet.likesTotal, "more subscriptions than allowed")
        precondition(node.ethernet.packetCount <= limits.ethernet.packetQueue, "a queue beyond its bound")
        precondition(node.stack.socketCount <= 64 && node.stack.neighbourCount <= 16)
    }
}
