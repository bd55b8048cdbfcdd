// Sealing and opening against packets of the reference code, and every kind of damage.

import NetPrimitives
import Testing
import ZeroTierCrypto

@testable import ZeroTierWire

struct PacketArmorTests {
    struct Vectors: Decodable {
        struct Packet: Decodable {
            let mode: String
            let compressed: Bool
            let fragmented_flag: Bool
            let before_armor: String
            let after_armor: String

            var suite: CipherSuite {
                switch mode.prefix(7) {
                case "cipher0": .authenticatedOnly
                case "cipher1": .salsa
                default: .gmacSIV
                }
            }
        }
        struct Section: Decodable {
            let start: Int
            let before: String
            let after: String
        }
        let identity_sender_A: String
        let identity_receiver_B: String
        let agreed_key_48: String
        let packets: [Packet]
        let hello_field_crypt: [Section]
    }

    let vectors: Vectors
    let sender: Identity
    let receiver: Identity

    init() throws {
        vectors = try loadVectors("vl1_armor")
        sender = try #require(Identity(text: vectors.identity_sender_A))
        receiver = try #require(Identity(text: vectors.identity_receiver_B))
    }

    func cipher() throws -> TestCipher {
        let key = try #require(sender.secretKeys?.agree(with: receiver.publicKeys))
        #expect(try key.bytes == hex(vectors.agreed_key_48))
        return TestCipher(key)
    }

    @Test func `packets are sealed as the reference seals them`() throws {
        let cipher = try cipher()
        #expect(vectors.packets.count == 26)
        for packet in vectors.packets {
            #expect(try cipher.seal(hex(packet.before_armor), suite: packet.suite) == hex(packet.after_armor))
        }
    }

    @Test func `packets of the reference open on the other side`() throws {
        let key = try #require(receiver.secretKeys?.agree(with: sender.publicKeys))
        let cipher = TestCipher(key)
        for packet in vectors.packets {
            let wire = try hex(packet.after_armor)
            let plain = try hex(packet.before_armor)
            let opened = try #require(cipher.open(wire))
            #expect(opened[27...] == plain[27...])
            #expect(opened[..<19] == wire[..<19])
            let header = try readHeader(wire)
            #expect(header.cipher == packet.suite)
            #expect(header.isFragmented == packet.fragmented_flag)
            #expect((header.flagsByte & PacketHeader.historicEncryptedFlag != 0) == (packet.suite == .salsa))
            #expect((opened[27] & Verb.compressedFlag != 0) == packet.compressed)
            if packet.compressed {
                let text = try LZ4Block.decompress(Array(opened[28...]))
                #expect(String(decoding: text, as: UTF8.self).hasPrefix("The quick brown fox"))
            }
        }
    }

    @Test func `hops that a relay adds do not matter`() throws {
        let cipher = try cipher()
        for packet in vectors.packets {
            var wire = try hex(packet.after_armor)
            wire[18] |= 5
            let plain = try hex(packet.before_armor)
            #expect(cipher.open(wire)?[27...] == plain[27...])
        }
    }

    @Test func `any other flipped bit is noticed`() throws {
        let cipher = try cipher()
        for packet in vectors.packets {
            let wire = try hex(packet.after_armor)
            for bit in Damage.bits(of: wire.count) where !(bit / 8 == 18 && bit % 8 < 3) {
                if cipher.open(Damage.flip(bit, of: wire)) != nil { Issue.record("\(packet.mode) bit \(bit)") }
            }
        }
    }

    @Test func `truncated packets are refused`() throws {
        let cipher = try cipher()
        for packet in vectors.packets {
            let wire = try hex(packet.after_armor)
            for length in 0..<wire.count { #expect(cipher.open(Array(wire[..<length])) == nil) }
        }
    }

    @Test func `suites without a cipher do not open`() throws {
        let cipher = try cipher()
        var wire = try hex(vectors.packets[0].after_armor)
        for flags: UInt8 in [0x10, 0x20, 0x28, 0x30, 0x38, 0x80] {
            wire[18] = flags
            #expect(cipher.open(wire) == nil)
        }
    }

    @Test func `packets over the greatest length are refused before any work`() throws {
        let cipher = try cipher()
        let header = PacketHeader(id: PacketID(1 << 40), destination: receiver.address, source: sender.address)
        let longest = makePacket(header, .echo, Array(repeating: 0, count: ProtocolLimits.maximumPayloadLength))
        for suite in [CipherSuite.authenticatedOnly, .salsa, .gmacSIV] {
            #expect(cipher.open(cipher.seal(longest, suite: suite)) != nil)
            #expect(cipher.open(cipher.seal(longest + [0], suite: suite)) == nil)
        }
    }

    @Test func `the inner section of HELLO is the reference's`() throws {
        let cipher = try cipher()
        for section in vectors.hello_field_crypt {
            let bytes = try hex(section.before)
            let expected = try hex(section.after)
            let end = section.start + lastDifference(bytes, expected, section.start)
            #expect(cipher.cryptHelloSection(bytes, from: section.start, to: end) == expected)
        }
    }

    /// How many bytes from `start` on were encrypted: up to the last that differs.
    private func lastDifference(_ one: [UInt8], _ other: [UInt8], _ start: Int) -> Int {
        (start..<one.count).last { one[$0] != other[$0] }.map { $0 - start + 1 } ?? 0
    }
}
