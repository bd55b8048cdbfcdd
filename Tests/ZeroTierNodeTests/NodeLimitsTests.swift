import NetPrimitives
import Testing
import ZeroTierPeers
import ZeroTierWire

@testable import ZeroTierNode

@Suite struct NodeLimitsTests {
    @Test(arguments: [
        ("0.0.0.1/0", false), ("128.0.0.1/1", false), ("12.0.0.1/7", false), ("10.0.0.1/8", true),
        ("192.168.1.1/24", true), ("2000::1/3", false), ("fc00::1/7", false), ("fcf6:7::1/40", true),
    ])
    func `no prefix that holds much of the Internet keeps paths out of it`(text: String, may: Bool) throws {
        #expect(NodeLimits.mayForbidPaths(try #require(IPPrefix(text))) == may)
    }

    @Test func `events that nobody takes are bounded: the first stay, the others are counted`() {
        let lab = Lab(nodes: 1)
        let now = lab.now
        while lab.hosts[1].node.nextEvent() != nil {}
        for number in 0..<UInt64(NodeLimits.events + 5) { _ = lab.hosts[1].node.deorbit(number, now: now) }
        #expect(lab.hosts[1].node.eventsLost == 5)
        var moons: [UInt64] = []
        while let event = lab.hosts[1].node.nextEvent() {
            if case .delete(.moon(let number)) = event { moons.append(number) }
        }
        #expect(moons == Array(0..<UInt64(NodeLimits.events)))
        _ = lab.hosts[1].node.deorbit(1, now: now)
        #expect(lab.hosts[1].node.eventsLost == 5, "there is room again")
    }

    @Test func `records of peers in the state are bounded: the one stored first goes`() {
        let lab = Lab(nodes: 1)
        while lab.hosts[1].node.nextEvent() != nil {}
        for number in 1...UInt64(ProtocolLimits.storedPeers + 2) { lab.hosts[1].node.noteStored(Address(number)) }
        lab.hosts[1].node.noteStored(Address(3))
        var deleted: [Address] = []
        while let event = lab.hosts[1].node.nextEvent() {
            if case .delete(.peer(let address)) = event { deleted.append(address) }
        }
        #expect(deleted == [Address(1), Address(2)])
    }

    @Test func `the stack's MTU is one whose frames are cut into equal datagrams, which a small way carries too`() {
        let lab = Lab(nodes: 1)
        let node = { (mtu: Int) in lab.hosts[1].node.evenMTU(mtu) }
        for mtu in ProtocolLimits.minimumVirtualMTU...ProtocolLimits.maximumVirtualMTU {
            let even = node(mtu)
            #expect(even <= mtu && even > min(mtu, NodeLimits.maximumMTU) - ProtocolLimits.maximumParts)
            let packet = PacketHeader.payloadOffset + Frame.headerLength + even
            let parts = packet <= 1432 ? 1 : (packet - 16 + 1415) / 1416
            #expect((packet + 16 * (parts - 1)).isMultiple(of: parts), "\(mtu)")
            #expect(packet <= ProtocolLimits.maximumBasePacketLength)
        }
        #expect(node(ProtocolLimits.virtualMTU) == ProtocolLimits.virtualMTU)
        #expect(node(1500) == 1500 && node(4000) == 3998)
    }
}
