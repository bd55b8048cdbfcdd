//  Two whole nodes, a root and a leaf, and between them whatever the input is: loss, damage, replay, forgery. Afterwards the
//  wire is good, and the two must find each other again and finish their stream. Some datagrams come from hosts that never answer:
//  none of those is ever sent more bytes than came from it.
//
//  operation = u8: low 3 bits choose, 0x08 is the direction, the rest is the operation's own.

import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// Datagrams and time steps.
package func fuzzNode(_ bytes: [UInt8]) { _ = fuzzNode(bytes, inspect: nil) }

/// The same; `inspect` sees a node before each datagram, and behind it. Gives what went to hosts that never answer, and what came
/// from them.
func fuzzNode(_ bytes: [UInt8], inspect: NodeHarness.Inspection?) -> (bytesOut: Int, bytesIn: Int) {
    var scene = NodeScene(seed: UInt64(bytes.first ?? 0) & 3)
    scene.setInspection(inspect)
    var input = FuzzInput(Array(bytes.dropFirst()))
    var steps = 0
    while !input.isAtEnd, steps < 64 {
        scene.step(&input)
        steps += 1
    }
    scene.finish()
    return (scene.unproven.values.reduce(0) { $0 + $1.bytesOut }, scene.unproven.values.reduce(0) { $0 + $1.bytesIn })
}

/// The root, the leaf, and the wire.
private struct NodeScene: ~Copyable {
    private struct Flight {
        var isToLeaf: Bool
        var bytes: [UInt8]
    }

    private static let network = NetworkID(0xff0a_0000_0000_0001)
    private static let maximumFlying = 96
    private static let maximumStream = 20_000

    /// Hosts that answer nothing.
    private static let mutes = (1...4).map { FuzzFixture.endpoint(7, $0) }

    struct Account {
        var bytesIn = 0
        var bytesOut = 0
    }

    struct Dealing: Hashable {
        let isWithLeaf: Bool
        let endpoint: SocketEndpoint
    }

    private var root: NodeHarness
    private var leaf: NodeHarness
    /// What the nodes had of hosts that answer nothing, and sent to those.
    fileprivate(set) var unproven: [Dealing: Account] = [:]
    private var flights: [Flight] = []
    /// Datagrams that passed, for replays.
    private var seen: [Flight] = []
    private var listener: SocketID?
    private var connection: SocketID?
    private var accepted: SocketID?
    private var sent = 0
    private var received = 0
    private var hasFailed = false

    init(seed: UInt64) {
        root = NodeHarness(FuzzFixture.root, at: FuzzFixture.rootEndpoint, seed: seed)
        leaf = NodeHarness(FuzzFixture.leaf, at: FuzzFixture.leafEndpoint, seed: seed + 100)
        _ = root.node.join(NodeScene.network, now: root.now)
        _ = leaf.node.join(NodeScene.network, now: leaf.now)
        listener = try? leaf.node.stack.tcpListen(on: SocketEndpoint(.anyIPv6, port: 7), backlog: 1, now: leaf.now)
        root.pump()
        leaf.pump()
        collect()
    }

    mutating func setInspection(_ inspect: NodeHarness.Inspection?) {
        root.inspect = inspect
        leaf.inspect = inspect
    }

    // MARK: The wire

    mutating func step(_ input: inout FuzzInput) {
        let operation = input.uint8()
        let isToLeaf = operation & 8 == 0
        let count = Int(operation >> 4)
        switch operation & 7 {
        case 0: for _ in 0...count { deliver() }
        case 1:
            guard !flights.isEmpty else { break }
            let flight = flights.remove(at: count % flights.count)
            // Lost, or it leaves by another way: whoever holds it now has what never arrived.
            if count & 8 != 0 { give([flight.bytes], flight.isToLeaf, mute: count) }
        case 2: if !flights.isEmpty { flights.append(flights[count % flights.count]) }
        case 3:
            guard !flights.isEmpty else { break }
            let bit = Int(input.uint16()) % (flights[0].bytes.count * 8)
            flights[0].bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            deliver()
        case 4:
            let durations: [Duration] = [
                .milliseconds(10), .milliseconds(200), .seconds(1), .seconds(6), .seconds(31), .seconds(125),
                .seconds(300),
            ]
            let duration = durations[count % durations.count]
            root.advance(duration, polls: 16)
            leaf.advance(duration, polls: 16)
        case 5: forge(&input, count, isToLeaf)
        case 6: act(count, &input)
        default: replay(&input, count, isToLeaf)
        }
        collect()
    }

    private mutating func deliver() {
        guard !flights.isEmpty else { return }
        let flight = flights.removeFirst()
        give([flight.bytes], flight.isToLeaf)
        if seen.count >= 16 { seen.removeFirst() }
        seen.append(flight)
    }

    /// `mute`: the number of the host that they come from in the other node's place.
    private mutating func give(_ datagrams: [[UInt8]], _ isToLeaf: Bool, mute: Int? = nil) {
        let host = mute.map { NodeScene.mutes[$0 % NodeScene.mutes.count] }
        if let host {
            let byteCount = datagrams.reduce(0) { $0 + $1.count }
            unproven[Dealing(isWithLeaf: isToLeaf, endpoint: host), default: Account()].bytesIn += byteCount
        }
        if isToLeaf {
            leaf.receive(datagrams, from: host ?? root.endpoint)
        } else {
            root.receive(datagrams, from: host ?? leaf.endpoint)
        }
        collect()
    }

    private mutating func note(_ datagram: SentDatagram, isByLeaf: Bool) {
        guard NodeScene.mutes.contains(datagram.path.remote) else { return }
        let dealing = Dealing(isWithLeaf: isByLeaf, endpoint: datagram.path.remote)
        unproven[dealing, default: Account()].bytesOut += datagram.bytes.count
        let account = unproven[dealing] ?? Account()
        precondition(account.bytesOut <= account.bytesIn, "more bytes to a host that proved nothing than came from it")
    }

    private mutating func collect() {
        for datagram in root.outbox { note(datagram, isByLeaf: false) }
        for datagram in leaf.outbox { note(datagram, isByLeaf: true) }
        for datagram in root.outbox where datagram.path.remote == leaf.endpoint {
            flights.append(Flight(isToLeaf: true, bytes: datagram.bytes))
        }
        for datagram in leaf.outbox where datagram.path.remote == root.endpoint {
            flights.append(Flight(isToLeaf: false, bytes: datagram.bytes))
        }
        root.outbox = []
        leaf.outbox = []
        if flights.count > NodeScene.maximumFlying { flights.removeFirst(flights.count - NodeScene.maximumFlying) }
    }

    /// A datagram of the input, with as much of a plausible header as the operation says.
    private mutating func forge(_ input: inout FuzzInput, _ choice: Int, _ isToLeaf: Bool) {
        var bytes = input.block()
        if choice & 1 != 0 {
            let (own, peer) = isToLeaf ? (leaf.node.address, root.node.address) : (root.node.address, leaf.node.address)
            bytes.overwrite(own.bytes, at: 8)
            if choice & 2 != 0 { bytes.overwrite(peer.bytes, at: 13) }
        }
        if choice & 4 != 0, let earlier = seen.last { bytes.overwrite(Array(earlier.bytes.prefix(8)), at: 0) }
        give([bytes], isToLeaf, mute: choice & 8 != 0 ? bytes.count : nil)
    }

    /// An earlier datagram again, in the other direction, cut, spliced, or from another host.
    private mutating func replay(_ input: inout FuzzInput, _ choice: Int, _ isToLeaf: Bool) {
        guard !seen.isEmpty else { return }
        var flight = seen[choice % seen.count]
        let change = input.uint8()
        if change & 1 != 0 { flight.isToLeaf = isToLeaf }
        if change & 2 != 0 { flight.bytes = Array(flight.bytes.prefix(Int(input.uint16()) % (flight.bytes.count + 1))) }
        if change & 4 != 0 { flight.bytes.overwrite(input.take(Int(change >> 4)), at: Int(input.uint8())) }
        if change & 8 != 0 { flight.bytes += input.block() }
        let mute = change & 0x14 == 0x10 ? Int(change >> 5) : nil
        give(change & 0x80 != 0 ? [flight.bytes, flight.bytes] : [flight.bytes], flight.isToLeaf, mute: mute)
    }

    // MARK: The applications

    private mutating func act(_ choice: Int, _ input: inout FuzzInput) {
        switch choice {
        case 0...3:
            guard connection == nil else { return }
            let remote = NodeScene.network.linkAddress(of: leaf.node.address)
            connection = try? root.node.stack.tcpConnect(to: SocketEndpoint(remote, port: 7), now: root.now)
            root.pump()
        case 4...9: write(Int(input.uint8()) * 23)
        case 10: root.changeNetwork(gone: [])
        case 11: leaf.changeNetwork(gone: [0])
        default: read()
        }
        root.pump()
        leaf.pump()
    }

    private static func byte(_ offset: Int) -> UInt8 { UInt8(truncatingIfNeeded: offset &* 7 &+ offset >> 8) }

    private mutating func write(_ count: Int) {
        guard let connection, sent + count <= NodeScene.maximumStream else { return }
        let bytes = (0..<count).map { NodeScene.byte(sent + $0) }
        let now = root.now
        do {
            sent += try bytes.withBytes { (span) throws(StackError) in
                try root.node.stack.send(connection, span, now: now)
            }
        } catch {
            if error != .wouldBlock, error != .inProgress, error != .notConnected { hasFailed = true }
        }
    }

    private mutating func read() {
        if accepted == nil, let listener {
            accepted = (try? leaf.node.stack.accept(listener, now: leaf.now)) ?? nil
        }
        guard let accepted else { return }
        var buffer = [UInt8](repeating: 0, count: 2048)
        let now = leaf.now
        while true {
            do {
                let count = try buffer.withMutableBytes { (target) throws(StackError) in
                    try leaf.node.stack.receive(accepted, into: &target, now: now)
                }
                guard count > 0 else { return }
                precondition(received + count <= sent, "more arrived than was sent")
                for index in 0..<count {
                    precondition(buffer[index] == NodeScene.byte(received + index), "another byte than was sent")
                }
                received += count
            } catch {
                if error != .wouldBlock { hasFailed = true }
                return
            }
        }
    }

    // MARK: The end

    /// A good wire for five minutes.
    mutating func finish() {
        let end = root.now.monotonic + .seconds(300)
        precondition(root.now == leaf.now, "two clocks")
        while root.now.monotonic < end {
            var deliveries = 0
            while !flights.isEmpty {
                deliveries += 1
                precondition(deliveries < 4096, "two nodes that never fall silent")
                deliver()
            }
            read()
            leaf.pump()
            collect()
            guard flights.isEmpty else { continue }
            let soonest = min(root.node.nextDeadline() ?? end, leaf.node.nextDeadline() ?? end)
            let next = min(end, max(soonest, root.now.monotonic + .milliseconds(1)))
            root.move(to: next)
            leaf.move(to: next)
            collect()
        }
        precondition(leaf.node.peers.isOnline && root.node.peers.isOnline, "a node that does not come back")
        if let connection, (try? root.node.stack.takeError(connection)) != nil { hasFailed = true }
        guard connection != nil, accepted != nil, !hasFailed else { return }
        precondition(received == sent, "a stream that did not arrive whole")
    }
}

extension NetworkID {
    /// An address that every member of the ad-hoc network has, by its own.
    fileprivate func linkAddress(of member: Address) -> IPAddress { sixPlaneAddress(of: member) }
}
