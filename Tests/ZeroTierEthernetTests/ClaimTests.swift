// Claims of addresses: what names its member, what the controller certified, what a frame says of its own sender.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierEthernet

@Suite struct ClaimTests {
    let lan = Lan()
    let controller: Identity
    let a: Station
    let thief: Station
    let owner: Station
    let network: NetworkID
    let slot: SlotID
    private let wanted = IPAddress(v4: 0x0a00_0007)

    /// A network whose controller certified 10.0.0.7 to `owner`; all know that.
    init() throws {
        controller = lan.makeIdentity(0x66_0000_0001)
        a = lan.add(0x43_7a18_af52)
        thief = lan.add(0x89_2dab_4ee8)
        owner = lan.add(0x12_3456_789a)
        network = NetworkID(controller: controller.address, number: 0xbeef)
        slot = try #require(a.join(network, now: lan.now))
        lan.settle()
        let id = network
        lan.push(
            lan.config(network, for: a.identity, by: controller) {
                $0.isPublic = true
                $0.addresses = [
                    IPPrefix(IPAddress(v4: 0x0a00_0001), length: 24),
                    IPPrefix(id.sixPlaneAddress(of: Address(0x43_7a18_af52)), length: NetworkID.sixPlanePrefixLength),
                    IPPrefix(id.rfc4193Address(of: Address(0x43_7a18_af52)), length: NetworkID.rfc4193PrefixLength),
                ]
            }, by: controller)
        var credentials = NetworkCredentials()
        credentials.ownerships = [
            Ownership(
                network: network, timestamp: UInt64(lan.now.unixMilliseconds), id: 1, things: [.ip(wanted)],
                issuedTo: owner.address, signedBy: controller)
        ]
        _ = a.receive(
            .networkCredentials, credentials.encoded, from: owner.address, packetID: PacketID(1), now: lan.now)
        lan.settle()
    }

    private func arp(_ operation: UInt8, _ address: IPAddress, at mac: MACAddress) -> [UInt8] {
        [0, 1, 8, 0, 6, 4, 0, operation] + mac.bytes + address.bytes + network.mac(of: a.address).bytes
            + [10, 0, 0, 1]
    }

    private func discovery(_ type: UInt8, _ address: IPAddress, at mac: MACAddress) -> [UInt8] {
        let own = network.sixPlaneAddress(of: a.address)
        let target = type == 0x87 ? own : address
        return Packets.ipv6(
            58, from: address, to: own,
            [type, 0, 0, 0, 0x60, 0, 0, 0] + target.bytes + [type == 0x87 ? 1 : 2, 1] + mac.bytes)
    }

    private func deliver(_ payload: [UInt8], etherType: UInt16, from station: Station) -> Bool {
        let frame = Frame(network: network, etherType: etherType, data: payload)
        let admission = lan.deliver(
            Crossing(from: station.address, to: a.address, verb: .frame, payload: frame.encoded))
        if case .frame? = admission { return true }
        return false
    }

    @Test func `an address that the controller certified to a member is nobody else's`() {
        for operation: UInt8 in [1, 2] {
            #expect(
                !deliver(arp(operation, wanted, at: network.mac(of: thief.address)), etherType: 0x0806, from: thief))
            #expect(
                deliver(arp(operation, wanted, at: network.mac(of: owner.address)), etherType: 0x0806, from: owner))
        }
        #expect(a.drops(.claimRefused) == 2)
        // Of an address without a certificate the stack judges.
        let free = IPAddress(v4: 0x0a00_0009)
        #expect(deliver(arp(2, free, at: network.mac(of: thief.address)), etherType: 0x0806, from: thief))
    }

    @Test func `an address that the controller certified to us is nobody else's`() {
        let ours = IPAddress(v4: 0x0a00_0009)
        #expect(deliver(arp(2, ours, at: network.mac(of: thief.address)), etherType: 0x0806, from: thief))
        lan.push(
            lan.config(network, for: a.identity, by: controller, timestamp: UInt64(lan.now.unixMilliseconds) + 1) {
                $0.isPublic = true
                $0.addresses = [IPPrefix(IPAddress(v4: 0x0a00_0001), length: 24)]
                $0.ownerships = [
                    Ownership(
                        network: network, timestamp: UInt64(lan.now.unixMilliseconds), id: 2, things: [.ip(ours)],
                        issuedTo: a.address, signedBy: controller)
                ]
            }, by: controller)
        #expect(!deliver(arp(2, ours, at: network.mac(of: thief.address)), etherType: 0x0806, from: thief))
        #expect(a.drops(.claimRefused) == 1)
    }

    @Test func `an IPv6 address that the controller certified to a member is nobody else's`() throws {
        lan.advance(.seconds(2))
        let certified = try #require(IPAddress("2001:db8::7"))
        var credentials = NetworkCredentials()
        credentials.ownerships = [
            Ownership(
                network: network, timestamp: UInt64(lan.now.unixMilliseconds), id: 2, things: [.ip(certified)],
                issuedTo: owner.address, signedBy: controller)
        ]
        _ = a.receive(
            .networkCredentials, credentials.encoded, from: owner.address, packetID: PacketID(2), now: lan.now)
        for type: UInt8 in [0x87, 0x88] {
            #expect(
                !deliver(discovery(type, certified, at: network.mac(of: thief.address)), etherType: 0x86dd, from: thief)
            )
            #expect(
                deliver(discovery(type, certified, at: network.mac(of: owner.address)), etherType: 0x86dd, from: owner))
        }
        #expect(a.drops(.claimRefused) == 2)
        let free = try #require(IPAddress("2001:db8::9"))
        #expect(deliver(discovery(0x88, free, at: network.mac(of: thief.address)), etherType: 0x86dd, from: thief))
    }

    @Test func `what a refused frame says of a station behind a bridge is not learned`() {
        let bridge = thief.address
        lan.push(
            lan.config(network, for: a.identity, by: controller) {
                $0.isPublic = true
                $0.multicastLimit = 32
                $0.specialists = [Specialist(bridge, roles: Specialist.activeBridge)]
                $0.addresses = [IPPrefix(IPAddress(v4: 0x0a00_0001), length: 24)]
            }, by: controller)
        let station = MACAddress(0x0200_0000_0099)
        func send(_ claimed: IPAddress, _ verb: Verb) -> Bool {
            let claim = arp(1, claimed, at: station)
            let payload =
                verb == .extendedFrame
                ? ExtendedFrame(
                    network: network, flags: 0, destination: network.mac(of: a.address), source: station,
                    etherType: 0x0806, data: claim
                ).encoded
                : MulticastFrame(
                    network: network, source: station, group: MulticastGroup(mac: .broadcast), etherType: 0x0806,
                    data: claim
                ).encoded
            if case .frame? = lan.deliver(Crossing(from: bridge, to: a.address, verb: verb, payload: payload)) {
                return true
            }
            return false
        }
        for verb in [Verb.extendedFrame, .multicastFrame] {
            #expect(!send(wanted, verb), "an address of somebody else")
            let learned = a.engine.networks[slot].bridges.count
            #expect(learned == 0)
        }
        #expect(a.drops(.claimRefused) == 2)
        #expect(send(IPAddress(v4: 0x0a00_0009), .extendedFrame))
        let learned = a.engine.networks[slot].bridges.bridge(to: station)
        #expect(learned == bridge)
    }

    @Test func `an address that names its member is nobody else's`() {
        for address in [network.sixPlaneAddress(of: owner.address), network.rfc4193Address(of: owner.address)] {
            for type: UInt8 in [0x87, 0x88] {
                #expect(
                    !deliver(
                        discovery(type, address, at: network.mac(of: thief.address)), etherType: 0x86dd, from: thief))
                #expect(
                    deliver(
                        discovery(type, address, at: network.mac(of: owner.address)), etherType: 0x86dd, from: owner))
            }
        }
        #expect(a.drops(.claimRefused) == 4)
    }

    @Test func `a link-layer address is the frame's, except from behind a bridge`() {
        let other = MACAddress(0x0200_0000_0099)
        let free = IPAddress(v4: 0x0a00_0009)
        #expect(!deliver(arp(2, free, at: other), etherType: 0x0806, from: thief))
        #expect(!deliver(arp(2, free, at: network.mac(of: owner.address)), etherType: 0x0806, from: thief))
        #expect(!deliver(discovery(0x88, IPAddress("2001:db8::9")!, at: other), etherType: 0x86dd, from: thief))
        #expect(a.drops(.forgedLinkAddress) == 3)
        let bridge = thief.address
        let id = network
        lan.push(
            lan.config(network, for: a.identity, by: controller) {
                $0.isPublic = true
                $0.specialists = [Specialist(bridge, roles: Specialist.activeBridge)]
                $0.addresses = [IPPrefix(id.sixPlaneAddress(of: $0.issuedTo), length: 40)]
            }, by: controller)
        #expect(deliver(arp(2, free, at: other), etherType: 0x0806, from: thief))
    }

    @Test func `neighbours of computed addresses are answered on the spot, asked by all or directly`() {
        let target = network.sixPlaneAddress(of: owner.address)
        let mac = network.mac(of: owner.address)
        lan.log = []
        for destination in [MulticastGroup.resolution(of: target).mac, mac] {
            a.frames = []
            a.sendFrame(
                network: slot, source: network.mac(of: a.address), destination: destination, etherType: 0x86dd,
                payload: Packets.solicitation(from: network.sixPlaneAddress(of: a.address), for: target), now: lan.now)
            lan.settle()
            #expect(a.frames.map(\.source) == [mac])
        }
        #expect(lan.log.isEmpty, "somebody was asked")
    }

    @Test func `what leaves with headers that nobody can follow is dropped, to a member, to a group and in a burst`() {
        let (own, other) = (network.sixPlaneAddress(of: a.address), network.sixPlaneAddress(of: owner.address))
        // Hop-by-hop options behind others, and a chain that ends outside the packet.
        let chains: [[UInt8]] = [
            Packets.ipv6(60, from: own, to: other, [0, 0, 1, 4, 0, 0, 0, 0, 58, 0, 1, 4, 0, 0, 0, 0]),
            Packets.ipv6(60, from: own, to: other, [6, 9, 1, 4, 0, 0, 0, 0]),
        ]
        lan.log = []
        for (number, chain) in chains.enumerated() {
            for destination in [network.mac(of: owner.address), MACAddress(0x3333_0000_0001)] {
                let drop = a.sendFrame(
                    network: slot, source: network.mac(of: a.address), destination: destination, etherType: 0x86dd,
                    payload: chain, now: lan.now)
                #expect(drop == .unreadableHeaders)
            }
            let key = FrameKey(
                network: slot, source: network.mac(of: a.address), destination: network.mac(of: owner.address),
                etherType: 0x86dd, length: chain.count)
            guard case .drop(.unreadableHeaders) = a.route(key, frame: chain, now: lan.now) else {
                Issue.record("chain \(number) has a route")
                continue
            }
        }
        lan.settle()
        #expect(lan.log.allSatisfy { $0.verb == .networkCredentials || $0.verb == .multicastLike })
        #expect(a.drops(.unreadableHeaders) == 6)
        // The same comes in nowhere.
        for verb in [Verb.frame, .extendedFrame] {
            for chain in chains {
                let frame =
                    verb == .frame
                    ? Frame(network: network, etherType: 0x86dd, data: chain).encoded
                    : ExtendedFrame(
                        network: network, destination: network.mac(of: a.address),
                        source: network.mac(of: owner.address), etherType: 0x86dd, data: chain
                    ).encoded
                let admission = lan.deliver(
                    Crossing(from: owner.address, to: a.address, verb: verb, payload: frame))
                guard case .drop(.unreadableHeaders, _)? = admission else {
                    Issue.record("\(verb) came in: \(String(describing: admission))")
                    continue
                }
            }
        }
        // The same with a readable chain leaves.
        let fine = Packets.ipv6(60, from: own, to: other, [59, 0, 1, 4, 0, 0, 0, 0])
        #expect(
            a.sendFrame(
                network: slot, source: network.mac(of: a.address), destination: network.mac(of: owner.address),
                etherType: 0x86dd, payload: fine, now: lan.now) == nil)
    }
}
