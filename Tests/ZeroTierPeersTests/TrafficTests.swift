//  What went between two peers is counted alike by both.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct TrafficTests {
    private func counts(_ star: Star) throws -> (from: PeerTraffic, to: PeerTraffic) {
        let (a, b) = (star.leaves[0], star.leaves[1])
        return (try #require(star.hub.snapshot(a, of: b)).traffic, try #require(star.hub.snapshot(b, of: a)).traffic)
    }

    private func meet(_ star: Star) -> Bool {
        let (a, b) = (star.leaves[0], star.leaves[1])
        guard star.start() else { return false }
        return star.hub.run(
            until: {
                star.hub.sendFrame(a, to: b.address)
                return star.hub.isDirect(a, to: b) && star.hub.isDirect(b, to: a)
            }, within: .seconds(10))
    }

    @Test func `frames are counted where they leave and where they come, with their headers`() throws {
        let star = Star(leaves: 2)
        #expect(meet(star))
        let sizes = [0, 1, 100, 1300, 4000]
        func send() {
            for size in sizes {
                star.hub.sendFrame(star.leaves[0], to: star.leaves[1].address, Array(repeating: 7, count: size))
            }
        }
        // The first long ones make a node ask how long datagrams may be.
        send()
        star.hub.run(.milliseconds(500))
        let before = try counts(star)
        send()
        star.hub.run(.milliseconds(100))
        let after = try counts(star)
        let bytes = UInt64(sizes.reduce(0) { $0 + 28 + $1 })
        #expect(after.from.packetsSent == before.from.packetsSent + UInt64(sizes.count))
        #expect(after.from.bytesSent == before.from.bytesSent + bytes)
        #expect(after.to.packetsReceived == before.to.packetsReceived + UInt64(sizes.count))
        #expect(after.to.bytesReceived == before.to.bytesReceived + bytes)
        // HELLOs, their answers, and what keeps paths alive: all that leaves comes.
        star.hub.run(.seconds(150))
        let last = try counts(star)
        #expect(last.from.packetsSent > after.from.packetsSent && last.to.packetsSent > after.to.packetsSent)
        #expect(last.from.packetsSent - after.from.packetsSent == last.to.packetsReceived - after.to.packetsReceived)
        #expect(last.from.bytesSent - after.from.bytesSent == last.to.bytesReceived - after.to.bytesReceived)
        #expect(last.to.packetsSent - after.to.packetsSent == last.from.packetsReceived - after.from.packetsReceived)
        #expect(last.to.bytesSent - after.to.bytesSent == last.from.bytesReceived - after.from.bytesReceived)
    }

    @Test func `what comes through a root is counted too, and what is not authentic is not`() throws {
        let star = Star(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        // The two do not reach each other.
        star.hub.passes = { flight in
            ![(a, b), (b, a)].contains { flight.from == $0.sockets[0] && flight.to == $1.sockets[0] }
        }
        #expect(star.start())
        star.hub.sendFrame(a, to: b.address)
        #expect(star.hub.run(until: { !b.received.isEmpty }, within: .seconds(5)))
        star.hub.run(.milliseconds(100))
        let before = try counts(star)
        star.hub.sendFrame(a, to: b.address)
        star.hub.run(.milliseconds(40))
        let after = try counts(star)
        #expect(after.to.packetsReceived >= before.to.packetsReceived + 1)
        #expect(after.from.packetsSent >= before.from.packetsSent + 1)
        // The last frame again, with a byte changed: a copy would be refused for its number, this one for its seal.
        let frame = try #require(star.hub.log.last { $0.to == b.sockets[0] && $0.bytes.count == 128 })
        var bytes = frame.bytes
        bytes[bytes.count - 1] ^= 1
        star.hub.inject(bytes, from: frame.from, to: frame.to)
        var counted = try counts(star).to
        star.hub.run(.milliseconds(30))
        #expect(counted.packetsRefused == 0)
        counted.noteRefused()
        #expect(try counts(star).to == counted)
    }
}
