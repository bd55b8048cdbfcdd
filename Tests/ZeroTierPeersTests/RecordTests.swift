//  Records of earlier runs whose identities nobody has validated.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct RecordTests {
    private func record(_ identity: Identity, _ endpoints: [SocketEndpoint]) -> PeerRecord {
        PeerRecord(
            identity: identity, protocolVersion: 12,
            softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 1), endpoints: endpoints)
    }

    private func imposter(of address: Address) -> Identity {
        let keys = Fixture.identities[25]
        return Identity(address: address, publicKeys: keys.publicKeys, secretKeys: keys.secretKeys)
    }

    private func ready(leaves: Int) -> Star {
        let star = Star(leaves: leaves)
        #expect(star.start())
        star.hub.run(.milliseconds(100))
        star.hub.forgetLog()
        return star
    }

    @Test func `an unvalidated record carries nothing until its first use, which validates it without asking a root`() {
        let star = ready(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        let taken = a.engine.importPeer(
            record(b.identity, [b.sockets[0]]).encoded, isValidated: false, now: star.hub.now)
        #expect(taken == b.address)
        star.hub.settle(a)
        star.hub.run(.seconds(2))
        #expect(a.jobCount == 0 && a.identity(of: b.address) == nil)
        #expect(!star.hub.log.contains { $0.to == b.sockets[0] && $0.source == a.address.value })
        star.hub.passes = { $0.to != star.root.sockets[0] }
        star.hub.forgetLog()
        star.hub.sendFrame(a, to: b.address)
        star.hub.run(star.hub.validationTime - .nanoseconds(1))
        #expect(a.jobCount == 1 && a.identity(of: b.address) == nil)
        #expect(!star.hub.log.contains { $0.destination == b.address.value })
        #expect(star.hub.run(until: { star.hub.isDirect(a, to: b) }, within: .seconds(1)), "its addresses are asked")
        #expect(!star.hub.log.contains { $0.source == a.address.value && $0.destination == star.root.address.value })
    }

    @Test func `a record is validated when its peer is heard of`() {
        let star = ready(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        a.engine.importPeer(record(b.identity, [b.sockets[0]]).encoded, isValidated: false, now: star.hub.now)
        star.hub.sendFrame(b, to: a.address)
        #expect(star.hub.run(until: { star.hub.isDirect(a, to: b) }, within: .seconds(2)))
        #expect(a.jobCount == 1 && a.received.count == 1)
    }

    // A controller keeps its members' identities, each 17 ms of work.
    @Test func `an identity that is vouched for is not validated again, another one under its address is`() {
        let star = ready(leaves: 3)
        let (a, b, c) = (star.leaves[0], star.leaves[1], star.leaves[2])
        a.engine.trust(b.identity)
        a.engine.trust(imposter(of: c.address))
        for sender in [b, c] { star.hub.sendFrame(sender, to: a.address) }
        #expect(
            star.hub.run(until: { star.hub.isDirect(a, to: b) && star.hub.isDirect(a, to: c) }, within: .seconds(2)))
        #expect(a.jobCount == 1 && a.received.count == 2 && a.identity(of: c.address) == c.identity)
    }

    @Test func `a false record carries nothing and is told, and the true identity is asked for`() {
        let star = ready(leaves: 2)
        let (a, b) = (star.leaves[0], star.leaves[1])
        let false_ = imposter(of: b.address)
        a.engine.importPeer(
            record(false_, [Fixture.endpoint(9, 9)]).encoded, isValidated: false, now: star.hub.now)
        a.invalidIdentities = [b.address]
        star.hub.sendFrame(a, to: b.address)
        star.hub.run(star.hub.validationTime)
        #expect(a.has(.falseRecord(b.address)) && a.drops(.invalidIdentity) == 1)
        #expect(a.identity(of: b.address) == nil)
        a.invalidIdentities = []
        star.hub.run(.seconds(1))
        #expect(a.identity(of: b.address) == b.identity)
        #expect(b.received.count == 1, "what waited leaves under the true key")
        #expect(!star.hub.log.contains { $0.to == Fixture.endpoint(9, 9) })
        #expect(a.events.count { $0 == .falseRecord(b.address) } == 1)
    }

    @Test func `a thousand unvalidated records cost a start no work, and so many are kept`() {
        let star = ready(leaves: 1)
        let node = star.leaves[0]
        let peers = node.peerCount
        let keys = Fixture.identities[24].publicKeys
        var taken = 0
        for number in 1...ProtocolLimits.storedPeers + 10 {
            let identity = Identity(address: Address(UInt64(0x50_0000_0000 + number)), publicKeys: keys)
            let address = node.engine.importPeer(
                record(identity, [Fixture.endpoint(9, 9)]).encoded, isValidated: false, now: star.hub.now)
            if address != nil { taken += 1 }
        }
        star.hub.settle(node)
        star.hub.run(.seconds(1))
        #expect(taken == ProtocolLimits.storedPeers)
        #expect(node.peerCount == peers && node.jobCount == 0)
        #expect(!star.hub.log.contains { $0.to == Fixture.endpoint(9, 9) })
    }
}
