//  What is told of how peers are reached and of their paths: each change once, in order, and by itself.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct ReachTests {
    // What was told of a node, without the endpoints.
    private func told(_ node: TestNode, of other: TestNode) -> [String] {
        node.events.compactMap { event in
            switch event {
            case .peerDirect(other.address, _): "direct"
            case .peerRelayed(other.address): "relayed"
            case .peerUnreachable(other.address): "unreachable"
            case .path(other.address, let endpoint, let change):
                endpoint == other.sockets[0] ? "\(change)" : "\(change) elsewhere"
            case .peerExpired(other.address, _): "expired"
            default: nil
            }
        }
    }

    private func silence(_ star: Star, _ first: TestNode, _ second: TestNode) {
        star.hub.passes = {
            !(($0.from == first.sockets[0] && $0.to == second.sockets[0])
                || ($0.from == second.sockets[0] && $0.to == first.sockets[0]))
        }
    }

    @Test func `a peer becomes direct, its path falls silent, and speaks again`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        #expect(told(a, of: b).filter { $0 != "relayed" } == ["direct", "learned"])
        a.events = []
        silence(star, a, b)
        for _ in 0..<60 {
            star.hub.sendFrame(a, to: b.address)
            star.hub.run(.milliseconds(100))
        }
        #expect(told(a, of: b) == ["silent", "relayed"])
        a.events = []
        star.hub.passes = { _ in true }
        #expect(
            star.hub.run(
                until: {
                    star.hub.sendFrame(a, to: b.address)
                    return star.hub.isDirect(a, to: b)
                }, within: .seconds(30)))
        star.hub.run(.seconds(1))
        #expect(told(a, of: b) == ["direct", "revived"])
    }

    @Test func `a peer that is gone is unreachable, without a packet or a call that says so, and its path is lost`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(1))
        a.events = []
        star.hub.remove(b)
        star.hub.run(.seconds(60))
        #expect(told(a, of: b) == ["unreachable", "silent"])
        star.hub.run(.seconds(240))
        #expect(told(a, of: b) == ["unreachable", "silent", "lost"])
        star.hub.run(.seconds(600))
        #expect(told(a, of: b) == ["unreachable", "silent", "lost", "expired"])
    }

    @Test func `a peer in use that is gone is unreachable within seconds, and never told of as relayed`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(1))
        a.events = []
        star.hub.remove(b)
        for _ in 0..<80 {
            star.hub.sendFrame(a, to: b.address)
            star.hub.run(.milliseconds(100))
        }
        #expect(told(a, of: b) == ["silent", "unreachable"])
    }

    @Test func `a peer that is far away behind a root stays relayed while its dead path is asked`() {
        let star = Star(leaves: 2)
        #expect(star.connect())
        let (a, b) = (star.leaves[0], star.leaves[1])
        star.hub.run(.seconds(1))
        a.events = []
        silence(star, a, b)
        // It says nothing by itself: only the question through the root tells where it is.
        for _ in 0..<150 {
            star.hub.sendFrame(a, to: b.address)
            star.hub.run(.milliseconds(100))
        }
        #expect(told(a, of: b).filter { $0 != "silent" } == ["relayed"])
    }

    @Test func `a peer that was always relayed is unreachable after two and a half minutes, and heard again`() {
        let star = Star(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        silence(star, a, b)
        #expect(star.start())
        star.hub.sendFrame(b, to: a.address)
        #expect(star.hub.run(until: { !a.received.isEmpty }, within: .seconds(1)))
        #expect(told(a, of: b) == ["relayed"])
        // What the two say by themselves stops too.
        star.hub.passes = { $0.from != b.sockets[0] }
        star.hub.run(.seconds(140))
        #expect(told(a, of: b) == ["relayed"])
        star.hub.run(.seconds(20))
        #expect(told(a, of: b) == ["relayed", "unreachable"])
        silence(star, a, b)
        star.hub.sendFrame(b, to: a.address)
        star.hub.run(.seconds(1))
        #expect(told(a, of: b) == ["relayed", "unreachable", "relayed"])
    }

    @Test func `paths give way to other events when nobody takes them`() {
        let star = Star(leaves: 1, leaf: { $0.limits.events = 2 })
        let node = star.leaves[0]
        #expect(star.start())
        // There is room for one only when nothing else waits, and it comes with a later look.
        star.hub.run(.seconds(60))
        let paths = node.events.filter { if case .path(star.root.address, _, .learned) = $0 { true } else { false } }
        #expect(paths.count == 1)
        #expect(node.has(.online))
    }
}
