import NetPrimitives
import NetStack
import Testing
import ZeroTierPeers
import ZeroTierWire

@testable import ZeroTierNode

@Suite struct PumpTests {
    private let network = NetworkID(0xff00_00ff_ff00_0000)

    private func quietLab() -> Lab {
        let lab = Lab(nodes: 1)
        #expect(lab.run(for: .seconds(10)) { lab.isOnline(1) })
        let isJoined = lab.act(1) { node, now in node.join(network, now: now) }
        #expect(isJoined)
        // Address checks and announcements are over.
        lab.run(for: .seconds(10))
        return lab
    }

    private func joinGroup(_ lab: Lab) throws {
        let node = lab.hosts[1]
        let socket = try node.node.stack.udpOpen(isIPv4: false)
        try node.node.stack.udpBind(socket, to: SocketEndpoint(.anyIPv6, port: 7000))
        let group = try #require(IPAddress("ff05::1234"))
        try node.node.stack.joinGroup(socket, group, now: lab.now)
    }

    @Test func `a group that a socket joins is told to the root in the same turn`() throws {
        let lab = quietLab()
        let known = lab.hosts[0].node.ethernet.likeCount
        try joinGroup(lab)
        var slab = TransmitBatch()
        var replies = TransmitBatch()
        var inbound = ReceiveBatch()
        var turn = PumpTurn()
        while let output = lab.hosts[1].node.next(in: &turn, into: &slab, now: lab.now) {
            guard case .datagrams = output else { continue }
            slab.forEachDatagram { _, bytes in
                _ = inbound.append(bytes, path: PhysicalPath(localSocket: 0, remote: lab.hosts[1].endpoint))
            }
        }
        lab.hosts[0].node.receive(&inbound, replies: &replies, now: lab.now)
        #expect(lab.hosts[0].node.ethernet.likeCount == known + 1)
    }

    @Test func `a turn leaves nothing behind`() throws {
        let lab = quietLab()
        try joinGroup(lab)
        var slab = TransmitBatch()
        var turn = PumpTurn()
        while lab.hosts[1].node.next(in: &turn, into: &slab, now: lab.now) != nil {}
        #expect(!turn.hasMore)
        var another = PumpTurn()
        let rest = lab.hosts[1].node.next(in: &another, into: &slab, now: lab.now)
        #expect(rest == nil)
    }

    @Test func `datagrams leave before anything is told, and a turn without sending leaves the slab alone`() throws {
        let lab = quietLab()
        try joinGroup(lab)
        _ = lab.hosts[1].node.deorbit(7, now: lab.now)
        var slab = TransmitBatch()
        let isKept = slab.append(100, to: PhysicalPath(localSocket: 0, remote: lab.hosts[0].endpoint)) { _ in }
        #expect(isKept)
        var silent = PumpTurn(transmits: false)
        var told = 0
        while let output = lab.hosts[1].node.next(in: &silent, into: &slab, now: lab.now) {
            guard case .event = output else { continue }
            told += 1
        }
        #expect(told == 1 && slab.datagramCount == 1 && slab.freeBytes == TransmitBatch.slabSize - 100)
        _ = lab.hosts[1].node.deorbit(8, now: lab.now)
        var turn = PumpTurn()
        var order: [Bool] = []
        while let output = lab.hosts[1].node.next(in: &turn, into: &slab, now: lab.now) {
            if case .datagrams = output { order.append(true) } else { order.append(false) }
        }
        #expect(order == [true, false])
    }

    @Test func `what happens to the node while its output is taken is told in the same turn`() {
        let lab = quietLab()
        _ = lab.hosts[1].node.deorbit(1, now: lab.now)
        var slab = TransmitBatch()
        var turn = PumpTurn()
        var moons: [UInt64] = []
        while let output = lab.hosts[1].node.next(in: &turn, into: &slab, now: lab.now) {
            guard case .event(.delete(.moon(let id))) = output else { continue }
            moons.append(id)
            if id < 3 { _ = lab.hosts[1].node.deorbit(id + 1, now: lab.now) }
        }
        #expect(moons == [1, 2, 3])
    }
}
