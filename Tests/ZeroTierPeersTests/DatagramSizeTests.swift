//  Ways that lose long datagrams without a word.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

/// Two leaves and what the network between them lets through.
private final class SmallWay {
    let star: Star
    let hub: Hub
    /// The longest datagram from the first leaf to the second's side, and back; `Int.max`: any.
    var forth = Int.max
    var back = Int.max
    /// Whether leaves reach each other without the root.
    var isDirect: Bool
    private let large = (0..<2810).map { UInt8(truncatingIfNeeded: $0 &* 13) }

    init(isDirect: Bool = true) {
        star = Star(leaves: 2)
        hub = star.hub
        self.isDirect = isDirect
    }

    var first: TestNode { star.leaves[0] }
    var second: TestNode { star.leaves[1] }

    /// Gets both leaves to know each other by the way that is to be tried.
    func begin() -> Bool {
        hub.passes = { [unowned self] flight in
            let isFirst = first.sockets.contains(flight.from)
            let isToFirst = first.sockets.contains(flight.to)
            if !isDirect, !star.root.sockets.contains(flight.from), !star.root.sockets.contains(flight.to) {
                return false
            }
            // Relayed, it is the second's line that is small.
            if second.sockets.contains(flight.to) || (isFirst && isDirect) { return flight.bytes.count <= forth }
            if second.sockets.contains(flight.from) || (isToFirst && isDirect) { return flight.bytes.count <= back }
            return true
        }
        if isDirect { return star.connect() }
        guard star.start() else { return false }
        hub.run(.milliseconds(100))
        hub.sendFrame(first, to: second.address)
        hub.sendFrame(second, to: first.address)
        return hub.run(until: { !first.received.isEmpty && !second.received.isEmpty }, within: .seconds(2))
    }

    /// Sends a large frame in both directions every 50 ms. Gives when each direction first brought one, in milliseconds.
    func talk(_ duration: Duration) -> (forth: Int?, back: Int?) {
        let start = hub.now.monotonic
        var arrivals: (forth: Int?, back: Int?) = (nil, nil)
        first.received = []
        second.received = []
        while hub.now.monotonic - start < duration {
            hub.sendFrame(first, to: second.address, large)
            hub.sendFrame(second, to: first.address, large)
            hub.run(.milliseconds(50))
            let elapsed = Int((hub.now.monotonic - start).milliseconds)
            if arrivals.forth == nil, second.received.contains(where: { $0.payload == large }) {
                arrivals.forth = elapsed
            }
            if arrivals.back == nil, first.received.contains(where: { $0.payload == large }) {
                arrivals.back = elapsed
            }
        }
        return arrivals
    }

    /// HELLOs of full length that a node sent since the log was forgotten.
    func probes(of node: TestNode) -> Int {
        hub.log.count { $0.isHello && $0.bytes.count == 1432 && node.sockets.contains($0.from) }
    }

    /// The longest datagram of a frame that a node sends now.
    func longest(of node: TestNode, to other: TestNode) -> Int {
        hub.forgetLog()
        hub.sendFrame(node, to: other.address, large)
        return hub.log.filter { !$0.isHello && node.sockets.contains($0.from) }.map(\.bytes.count).max() ?? 0
    }
}

@Suite struct DatagramSizeTests {
    @Test(arguments: [1400, 1372, 1300, 1280, 1252, 1232], [true, false])
    func `long packets pass a small way within a second and a half, directly and relayed`(
        largest: Int, isDirect: Bool
    ) throws {
        for (forth, back) in [(largest, largest), (largest, Int.max), (Int.max, largest)] {
            let way = SmallWay(isDirect: isDirect)
            way.forth = forth
            way.back = back
            try #require(way.begin())
            way.hub.forgetLog()
            let arrivals = way.talk(.seconds(3))
            #expect(try #require(arrivals.forth) <= 1500, "\(forth), \(back)")
            #expect(try #require(arrivals.back) <= 1500, "\(forth), \(back)")
            #expect((1...3).contains(way.probes(of: way.first)))
            #expect((1...3).contains(way.probes(of: way.second)))
            #expect(way.longest(of: way.first, to: way.second) == (forth == .max ? 1427 : 957))
            #expect(way.longest(of: way.second, to: way.first) == (back == .max ? 1427 : 957))
        }
    }

    @Test(arguments: [true, false])
    func `a way without limits is asked once, and again only after half a minute of long packets`(isDirect: Bool) throws
    {
        let way = SmallWay(isDirect: isDirect)
        try #require(way.begin())
        way.hub.forgetLog()
        let arrivals = way.talk(.seconds(29))
        #expect(arrivals.forth == 50)
        #expect(way.probes(of: way.first) == 1)
        _ = way.talk(.seconds(5))
        #expect(way.probes(of: way.first) == 2)
        #expect(way.longest(of: way.first, to: way.second) == 1427)
    }

    @Test func `short packets ask nothing`() throws {
        let way = SmallWay()
        try #require(way.begin())
        way.hub.forgetLog()
        for _ in 0..<600 {
            way.hub.sendFrame(way.first, to: way.second.address, Array(repeating: 1, count: 1100))
            way.hub.run(.milliseconds(100))
        }
        #expect(way.probes(of: way.first) == 0)
        way.hub.forgetLog()
        way.hub.run(.seconds(1200))
        #expect(way.probes(of: way.first) + way.probes(of: way.second) == 0)
    }

    @Test(arguments: [true, false])
    func `a way that becomes small is found out, and one that becomes better after ten minutes`(isDirect: Bool) throws {
        let way = SmallWay(isDirect: isDirect)
        try #require(way.begin())
        _ = way.talk(.seconds(2))
        way.forth = 1300
        _ = way.talk(.seconds(34))
        #expect(way.longest(of: way.first, to: way.second) == 957)
        way.forth = .max
        way.hub.forgetLog()
        _ = way.talk(.seconds(560))
        #expect(way.probes(of: way.first) == 0)
        _ = way.talk(.seconds(40))
        #expect(way.longest(of: way.first, to: way.second) == 1427)
    }

    @Test func `silence after a path became small is found out within four seconds`() throws {
        let way = SmallWay()
        try #require(way.begin())
        _ = way.talk(.seconds(2))
        way.forth = 1300
        // Nothing comes back: the other side has nothing to say to what it does not get.
        let start = way.hub.now.monotonic
        way.second.received = []
        while way.second.received.isEmpty, way.hub.now.monotonic - start < .seconds(20) {
            way.hub.sendFrame(way.first, to: way.second.address, Array(repeating: 5, count: 2810))
            way.hub.run(.milliseconds(100))
        }
        #expect(way.hub.now.monotonic - start < .seconds(4))
    }

    @Test func `a way that carries nothing is not thought small`() throws {
        let way = SmallWay(isDirect: false)
        try #require(way.begin())
        way.forth = 0
        way.back = 0
        way.hub.forgetLog()
        _ = way.talk(.seconds(10))
        // Three to a search, and one second at least from one to the next.
        #expect(way.probes(of: way.first) <= 18)
        way.forth = .max
        way.back = .max
        let arrivals = way.talk(.seconds(3))
        #expect(try #require(arrivals.forth) <= 100)
        #expect(way.longest(of: way.first, to: way.second) == 1427)
    }

    @Test func `an answer that comes late takes the limit away`() throws {
        let way = SmallWay()
        try #require(way.begin())
        way.hub.run(.milliseconds(50))
        let found = way.first.engine.topology.lookUp(way.second.address)
        let id = try #require(found)
        way.first.engine.topology.peers[id].paths[0].datagramSize.reduce(way.hub.now.monotonic)
        #expect(way.longest(of: way.first, to: way.second) == 957)
        let request = ExpectedReply(
            peer: way.second.address, verb: .hello, sentAt: way.hub.now.monotonic, remote: way.second.sockets[0],
            isLengthProbe: true)
        way.first.engine.topology.peers[id].noteLengthProbe(request, way.hub.now.monotonic)
        #expect(way.longest(of: way.first, to: way.second) == 1427)
    }

    @Test func `what the interface does not take is sent shorter at once`() throws {
        let way = SmallWay()
        try #require(way.begin())
        #expect(way.longest(of: way.first, to: way.second) == 1427)
        let path = PhysicalPath(localSocket: 0, remote: way.second.sockets[0])
        way.first.engine.noteTooLong(path, now: way.hub.now)
        #expect(way.longest(of: way.first, to: way.second) == 957)
    }

    @Test func `the longest packet of a small way has seven parts, and a longer one goes in longer datagrams`() {
        let limit = ProtocolLimits.maximumBasePacketLength
        #expect(PacketCut(length: limit, mtu: ProtocolLimits.basePathMTU)?.count == 7)
        #expect(PacketCut(length: limit + 1, mtu: ProtocolLimits.basePathMTU) == nil)
        let plan = PacketCut(length: limit + 1, limit: ProtocolLimits.basePathMTU, full: 1432)
        #expect(plan?.count == 6)
        #expect(PacketCut(length: 9929, limit: ProtocolLimits.basePathMTU, full: 1432) == nil)
    }
}
