// Addresses, network IDs, packet IDs and the scopes of physical addresses.

import NetPrimitives
import Testing

@testable import ZeroTierWire

struct AddressTests {
    @Test func `an address is written as ten digits and read in either case`() throws {
        let address = try #require(Address(text: "00Ab34eF01"))
        #expect(address.value == 0x00_ab34_ef01)
        #expect(address.description == "00ab34ef01")
        #expect(address.bytes == [0x00, 0xab, 0x34, 0xef, 0x01])
    }

    @Test(arguments: ["", "ab34ef01", "00ab34ef012", "00ab34ef0g", "-0ab34ef01", "0x00ab34ef", " 0ab34ef01"])
    func `other text is no address`(text: String) {
        #expect(Address(text: text) == nil)
    }

    @Test func `damaged text of an address or network ID is refused or read as what it says`() throws {
        func check<Value: Equatable & CustomStringConvertible>(_ text: String, _ read: (String) -> Value?) throws {
            let refused = try survivesDamage(
                Array(text.utf8),
                decode: { bytes in
                    let text = String(decoding: bytes, as: UTF8.self)
                    guard let value = read(text) else {
                        throw WireError.invalid(field: "text", expected: "digits", found: 0)
                    }
                    if value.description != text.lowercased() { Issue.record("\(text)") }
                    return value
                }, encode: { Array($0.description.utf8) })
            #expect(refused >= text.utf8.count)
        }
        try check("00ab34ef01") { Address(text: $0) }
        try check("8056c2e21c000001") { NetworkID(text: $0) }
    }

    @Test func `zero and the prefix 0xff are reserved`() {
        #expect(Address(0).isReserved)
        #expect(Address(0xff_0000_0000).isReserved)
        #expect(Address(0xff_ffff_ffff).isReserved)
        #expect(!Address(1).isReserved)
        #expect(!Address(0xfe_ffff_ffff).isReserved)
    }

    @Test func `only forty bits of a number count`() {
        #expect(Address(0xdead_beef_1234_5678).value == 0xef_1234_5678)
    }

    @Test func `a network ID names its controller`() throws {
        let network = try #require(NetworkID(text: "8056c2e21c000001"))
        #expect(network.controller == Address(0x80_56c2_e21c))
        #expect(network == NetworkID(controller: Address(0x80_56c2_e21c), number: 1))
        #expect(network.description == "8056c2e21c000001")
        #expect(!network.isAdHoc)
        #expect(NetworkID(0xff00_00ff_ff00_0000).isAdHoc)
        #expect(NetworkID(text: "8056c2e21c00000") == nil)
        #expect(NetworkID(text: "8056c2e21c00000x") == nil)
    }

    @Test func `a packet ID never has an empty upper half`() {
        var random = RandomSource(seed: 7)
        for _ in 0..<100 { #expect(PacketID.random(using: &random).value >> 32 != 0) }
    }

    @Test(arguments: [
        ("0.1.2.3", 0), ("255.1.1.1", 0), ("::", 0), ("224.0.0.1", 1), ("239.255.255.255", 1), ("ff02::1", 1),
        ("127.9.9.9", 2), ("::1", 2), ("fe80::1", 2), ("::ffff:127.0.0.1", 2), ("6.1.1.1", 3), ("11.0.0.1", 3),
        ("21.0.0.1", 3), ("22.0.0.1", 3), ("25.0.0.1", 3), ("26.0.0.1", 3), ("28.0.0.1", 3), ("29.0.0.1", 3),
        ("30.0.0.1", 3), ("51.0.0.1", 3), ("55.0.0.1", 3), ("56.0.0.1", 3), ("240.0.0.1", 3), ("254.0.0.1", 3),
        ("8.8.8.8", 4), ("7.1.1.1", 4), ("100.63.255.255", 4), ("100.128.0.1", 4), ("172.15.0.1", 4),
        ("172.32.0.1", 4), ("192.0.1.1", 4), ("192.167.1.1", 4), ("198.17.1.1", 4), ("198.20.0.1", 4),
        ("203.0.112.1", 4), ("2001:db8::1", 4), ("fbff::1", 4), ("::2", 4), ("::ffff:10.0.0.1", 4),
        ("169.254.1.1", 5), ("fe80::2", 5), ("febf::1", 5), ("10.1.1.1", 7), ("172.16.0.1", 7), ("172.31.255.1", 7),
        ("192.168.4.4", 7), ("100.64.0.1", 7), ("100.127.255.255", 7), ("192.0.2.1", 7), ("198.18.0.1", 7),
        ("198.19.255.1", 7), ("198.51.100.1", 7), ("203.0.113.1", 7), ("fc00::1", 7), ("fdff::1", 7),
    ])
    func `a physical address has the scope that the protocol gives it`(text: String, number: Int) throws {
        let address = try #require(IPAddress(text))
        #expect(Int(AddressScope(of: address).rawValue) == number)
        #expect(address.isUsableForPaths == [3, 4, 6, 7].contains(number))
    }

    @Test func `an address of a tunnel broker is no path`() throws {
        #expect(try #require(IPAddress("2001:470:1::1")).isTunnelBroker)
        #expect(!(try #require(IPAddress("2001:470:1::1"))).isUsableForPaths)
        #expect(!(try #require(IPAddress("2001:471::1"))).isTunnelBroker)
    }
}
