// What follows from network ID and address, against values of the reference core.

import NetPrimitives
import Testing

@testable import ZeroTierWire

@Suite struct NetworkAddressingTests {
    struct Vectors: Decodable {
        struct Entry: Decodable {
            let address, controller, ipv6_6plane, ipv6_rfc4193, linkLocal, mac, macToAddress, network: String
        }
        struct Group: Decodable {
            let adi: UInt32
            let ip, mac: String
        }
        struct Wire: Decodable {
            let text: String?
            let wire: String
        }
        let addresses: [Entry]
        let addressResolutionGroups: [Group]
        let inetAddressWire: [Wire]
    }

    @Test func `MAC, 6PLANE, RFC 4193 and link-local addresses are those of the reference`() throws {
        let vectors = try loadVectors("addressing", as: Vectors.self)
        #expect(vectors.addresses.count == 8)
        for entry in vectors.addresses {
            let network = try #require(NetworkID(text: entry.network))
            let address = try #require(Address(text: entry.address))
            let mac = network.mac(of: address)
            #expect(mac.description == entry.mac)
            #expect(network.controller.description == entry.controller)
            #expect(network.address(of: mac).description == entry.macToAddress)
            #expect(network.isMember(mac))
            let sixPlane = IPPrefix(network.sixPlaneAddress(of: address), length: NetworkID.sixPlanePrefixLength)
            #expect(sixPlane == IPPrefix(entry.ipv6_6plane))
            let rfc4193 = IPPrefix(network.rfc4193Address(of: address), length: NetworkID.rfc4193PrefixLength)
            #expect(rfc4193 == IPPrefix(entry.ipv6_rfc4193))
            #expect(IPAddress.linkLocal(of: mac) == IPAddress(entry.linkLocal))
            // And back, from the address of another host of the member's /80.
            let host = IPAddress(v6High: sixPlane.address.high, low: sixPlane.address.low | 0xffff_0000)
            #expect(network.member(of: host, under: sixPlane) == address)
            #expect(network.member(of: rfc4193.address, under: rfc4193) == address)
            #expect(network.member(of: rfc4193.address, under: sixPlane) == nil)
        }
    }

    @Test func `a MAC with another first byte is behind a bridge`() {
        let network = NetworkID(0x8056_c2e2_1c00_0001)
        #expect(!network.isMember(MACAddress(0x0412_344a_9a52)))
        #expect(network.isMember(MACAddress(0x0212_344a_9a52)))
    }

    @Test func `the group in which an address is asked for is that of the reference`() throws {
        let vectors = try loadVectors("addressing", as: Vectors.self)
        for entry in vectors.addressResolutionGroups {
            let group = MulticastGroup.resolution(of: try #require(IPAddress(entry.ip)))
            #expect(group.mac.description == entry.mac)
            #expect(group.distinguisher == entry.adi)
        }
    }

    @Test func `Ethernet groups of IP multicast addresses follow the RFCs`() throws {
        let v4 = MulticastGroup.ethernet(of: try #require(IPAddress("239.129.2.3")))
        #expect(v4.mac.description == "01:00:5e:01:02:03")
        let v6 = MulticastGroup.ethernet(of: try #require(IPAddress("ff02::1:ff00:1234")))
        #expect(v6.mac.description == "33:33:ff:00:12:34")
    }

    @Test func `addresses with netmask lengths have the reference's wire form`() throws {
        for entry in try loadVectors("addressing", as: Vectors.self).inetAddressWire {
            let bytes = try hex(entry.wire)
            var reader = WireReader(bytes)
            let endpoint = try PhysicalAddressCodec.decode(from: &reader, "test")
            let parts = entry.text?.split(separator: "/")
            #expect(endpoint?.address == parts.flatMap { IPAddress(String($0[0])) })
            #expect(endpoint?.port == parts.flatMap { UInt16($0[1]) })
            var writer = ByteWriter()
            PhysicalAddressCodec.encode(endpoint, into: &writer)
            #expect(writer.bytes == bytes)
        }
    }
}
