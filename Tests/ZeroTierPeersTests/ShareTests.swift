//  What some others cause leaves room for everybody else: addresses looked up, introductions, parts of packets.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct ShareTests {
    private let now = MonotonicInstant(nanoseconds: 1_000_000_000)

    // MARK: Addresses looked up

    // Addresses that nobody has, as a hostile member or root names them.
    private func named(_ number: Int) -> Address { Address(0x77_0000_0000 + UInt64(number)) }

    @Test func `any number of invented subscribers leaves room for an own look-up`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let (a, b) = (star.leaves[0], star.leaves[1])
        for number in 0..<2 * ProtocolLimits.lookups { star.hub.send(a, .error, [1], to: named(number)) }
        #expect(a.lookupCount == ProtocolLimits.waitingOutbound / 2)
        star.hub.sendFrame(a, to: b.address)
        let isConnected = star.hub.run(
            until: { star.hub.isDirect(a, to: b) && !b.received.isEmpty }, within: .seconds(2))
        #expect(isConnected)
    }

    @Test func `packets for invented subscribers leave room for own ones`() {
        let star = Star(leaves: 2)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        let (a, b) = (star.leaves[0], star.leaves[1])
        for number in 0..<2 * ProtocolLimits.waitingOutbound {
            star.hub.send(a, .multicastFrame, [1], to: named(number))
        }
        // As many as one whose sender is unknown may keep.
        let own = ProtocolLimits.waitingInbound / 2
        for number in 0..<own { star.hub.send(a, .frame, [UInt8(number)], to: b.address) }
        star.hub.run(.seconds(1))
        #expect(b.received.map(\.payload) == (0..<own).map { [UInt8($0)] })
    }

    @Test func `what others named is an own wish as soon as it is one`() {
        var limits = PeerLimits()
        limits.lookups = 8
        var lookup = IdentityLookup(limits: limits)
        func park(_ verb: Verb, _ number: Int) -> Int? {
            lookup.park(
                OutgoingPacket(
                    verb: verb, payload: [], destination: named(number), queuedAt: now))
        }
        for number in 0..<4 { #expect(park(.error, number) == 0) }
        #expect(park(.error, 4) == nil)
        #expect(park(.error, 3) == 0, "one that is being looked up takes no more room")
        let isAsked = lookup.request(named(0), now)
        #expect(isAsked)
        #expect(park(.error, 4) == 0)
        #expect(park(.error, 5) == nil)
        #expect(park(.error, 0) == 0)
        #expect(park(.frame, 5) == 0)
        #expect(lookup.count == 6)
    }
}
