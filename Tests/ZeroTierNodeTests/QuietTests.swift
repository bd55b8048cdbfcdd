import NetPrimitives
import NetStack
import Testing
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// How often nodes wake that have joined networks, know each other, and have nothing to do.
@Suite struct QuietTests {
    /// Nodes on some networks that have all spoken to each other and been silent for two minutes.
    private func quietLab(nodes: Int, networks: Int = 1) throws -> Lab {
        let lab = Lab(nodes: nodes)
        #expect(lab.run(for: .seconds(10)) { (0...nodes).allSatisfy { lab.isOnline($0) } })
        let ids = (0..<networks).map { NetworkID(0xff00_00ff_ff00_0000 - UInt64($0) << 24) }
        for index in 1...nodes {
            // Not all at one moment, as programs start.
            lab.run(for: .milliseconds(731))
            for id in ids {
                lab.run(for: .milliseconds(211))
                #expect(lab.act(index) { node, now in node.join(id, now: now) })
            }
        }
        for index in 1...nodes {
            for other in 1...nodes where other != index {
                let address = try #require(lab.address(other, on: ids[0]))
                lab.run(for: .milliseconds(57))
                try lab.act(index) { node, now in
                    try [UInt8](repeating: 7, count: 8).withBytes { payload in
                        try node.stack.sendEcho(to: address, identifier: 1, sequence: 1, payload: payload, now: now)
                    }
                }
            }
        }
        lab.run(for: .seconds(120))
        for index in 1...nodes {
            let peers = lab.hosts[index].node.peers.snapshots(now: lab.now)
            #expect(peers.count { $0.isDirect } == nodes)
        }
        return lab
    }

    /// Deadlines that fire in a minute, of the node with the most.
    private func deadlinesPerMinute(_ lab: Lab, minutes: Int = 5) -> Double {
        for host in lab.hosts {
            host.deadlinesFired = 0
            host.events = []
        }
        lab.run(for: .seconds(60 * minutes))
        let most = lab.hosts.dropFirst().map(\.deadlinesFired).max() ?? 0
        return Double(most) / Double(minutes)
    }

    @Test func `a quiet node with one peer wakes by itself a few times a minute`() throws {
        let lab = try quietLab(nodes: 2)
        #expect(deadlinesPerMinute(lab) <= 20)
        // A heartbeat each 14 s on two paths, asked and answered from both sides, and little more.
        for host in lab.hosts { host.datagramsReceived = 0 }
        lab.run(for: .seconds(60))
        #expect(lab.hosts[1].datagramsReceived <= 24)
    }

    @Test func `a quiet node with many peers wakes by itself at most once a second`() throws {
        let lab = try quietLab(nodes: 8)
        #expect(deadlinesPerMinute(lab) <= 60)
        // Late heartbeats cost no path.
        for index in 1...8 {
            let peers = lab.hosts[index].node.peers.snapshots(now: lab.now)
            #expect(peers.count { $0.isDirect } == 8)
            #expect(!lab.hosts[index].events.contains { if case .peerRelayed = $0 { true } else { false } })
        }
    }

    @Test func `networks without anything to do wake a node together`() throws {
        let one = deadlinesPerMinute(try quietLab(nodes: 1))
        let many = deadlinesPerMinute(try quietLab(nodes: 1, networks: 16))
        #expect(many <= one + 8)
    }
}
