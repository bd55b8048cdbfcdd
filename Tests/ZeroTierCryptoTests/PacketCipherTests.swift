import NetPrimitives
import Testing

@testable import ZeroTierCrypto

@Suite struct PacketCipherTests {
    private struct Armor: Decodable {
        struct Packet: Decodable {
            let mode, beforeArmor, afterArmor: String
            let fragmentedFlag: Bool
        }
        struct Section: Decodable {
            let start, len: Int
            let before, after: String
        }
        let agreedKey48: String
        let packets: [Packet]
        let helloFieldCrypt: [Section]
    }

    @Test(arguments: tiers)
    func `packets armed by the reference code come out the same and open again`(tier: CipherTier) throws {
        let armor = try vectors("vl1_armor.json", as: Armor.self)
        let cipher = PacketCipher(try #require(SharedKey(hex(armor.agreedKey48))), tier: tier)
        #expect(cipher.tier == tier)
        var suites = Set<Int>()
        for packet in armor.packets {
            let suite = try #require(packet.mode.first(where: \.isNumber)?.wholeNumberValue)
            suites.insert(suite)
            var before = hex(packet.beforeArmor)
            before[18] = flags(suite, fragmented: packet.fragmentedFlag)
            let after = hex(packet.afterArmor)
            #expect(cipher.seal(before, suite: suite) == after, "\(packet.mode), \(before.count) bytes")
            let opened = cipher.open(after, suite: suite)
            #expect(opened?[27...] == before[27...])
            // Relays change the hop count: it may be anything.
            var hopped = after
            hopped[18] |= 0x07
            #expect(cipher.open(hopped, suite: suite)?[27...] == before[27...])
        }
        #expect(suites == [0, 1, 3])
    }

    @Test(arguments: tiers)
    func `a HELLO's inner section comes out as the reference code's, and back`(tier: CipherTier) throws {
        let armor = try vectors("vl1_armor.json", as: Armor.self)
        let cipher = PacketCipher(try #require(SharedKey(hex(armor.agreedKey48))), tier: tier)
        #expect(!armor.helloFieldCrypt.isEmpty)
        for section in armor.helloFieldCrypt {
            var packet = hex(section.before)
            let end = section.start + section.len
            packet.withMutableBytes { cipher.cryptHelloSection(&$0, from: section.start, to: end) }
            #expect(packet == hex(section.after))
            packet.withMutableBytes { cipher.cryptHelloSection(&$0, from: section.start, to: end) }
            #expect(packet == hex(section.before))
        }
    }

    @Test(arguments: [0, 1, 3])
    func `all tiers agree at all lengths, and what one seals the others open`(suite: Int) throws {
        var random = RandomSource(seed: UInt64(suite))
        let key = try #require(SharedKey(random.bytes(48)))
        let portable = PacketCipher(key, tier: .portable)
        let best = PacketCipher(key)
        let aesni = PacketCipher(key, tier: .aesni)
        #expect(best.tier == .best)
        for length in manyLengths {
            let packet = randomPacket(length, suite: suite, using: &random)
            let sealed = best.seal(packet, suite: suite)
            #expect(aesni.seal(packet, suite: suite) == sealed, "length \(length)")
            #expect(portable.seal(packet, suite: suite) == sealed, "length \(length)")
            for opened in [best.open(sealed, suite: suite), aesni.open(sealed, suite: suite)] {
                #expect(opened?[27...] == packet[27...], "length \(length)")
            }
            if length % 16 < 2 { #expect(portable.open(sealed, suite: suite)?[27...] == packet[27...]) }
        }
    }

    @Test(arguments: [0, 1, 3], tiers)
    func `any flipped bit makes a packet inauthentic, except the hop count's`(suite: Int, tier: CipherTier) throws {
        var random = RandomSource(seed: 77)
        let cipher = PacketCipher(try #require(SharedKey(random.bytes(48))), tier: tier)
        let sealed = cipher.seal(randomPacket(41, suite: suite, using: &random), suite: suite)
        for bit in 0..<sealed.count * 8 {
            var forged = sealed
            forged[bit / 8] ^= 1 << UInt8(bit % 8)
            let opened = cipher.open(forged, suite: suite)
            let isHopCount = bit / 8 == 18 && bit % 8 < 3
            #expect((opened != nil) == isHopCount, "bit \(bit)")
            // The classic suites look before they touch; GMAC-SIV says that its text is then undefined.
            if !isHopCount && suite != 3 {
                var untouched = forged
                let authentic = untouched.withMutableBytes {
                    cipher.openClassic(&$0, length: forged.count, decrypt: suite == 1)
                }
                #expect(!authentic && untouched == forged)
            }
        }
        for length in 27..<sealed.count {
            #expect(cipher.open(Array(sealed[..<length]), suite: suite) == nil, "cut to \(length)")
        }
        for length in 0..<27 { #expect(cipher.open(Array(sealed[..<length]), suite: suite) == nil) }
    }

    @Test(arguments: [0, 1, 3], tiers)
    func `nothing outside the packet's length is read into it or written`(suite: Int, tier: CipherTier) throws {
        var random = RandomSource(seed: 5)
        let cipher = PacketCipher(try #require(SharedKey(random.bytes(48))), tier: tier)
        for length in [27, 28, 42, 43, 44, 90, 91, 92, 283, 538, 540, 1100] {
            let packet = randomPacket(length - 27, suite: suite, using: &random)
            var slab = packet + random.bytes(80)
            let rest = Array(slab[length...])
            slab.withMutableBytes { span in
                switch suite {
                case 3: cipher.sealGMACSIV(&span, length: length)
                default: cipher.sealClassic(&span, length: length, encrypt: suite == 1)
                }
            }
            #expect(Array(slab[..<length]) == cipher.seal(packet, suite: suite))
            #expect(Array(slab[length...]) == rest)
        }
    }

    @Test func `another pair's key does not open a packet`() throws {
        var random = RandomSource(seed: 9)
        let ours = PacketCipher(try #require(SharedKey(random.bytes(48))))
        let theirs = PacketCipher(try #require(SharedKey(random.bytes(48))))
        for suite in [0, 1, 3] {
            let sealed = ours.seal(randomPacket(100, suite: suite, using: &random), suite: suite)
            #expect(ours.open(sealed, suite: suite) != nil)
            #expect(theirs.open(sealed, suite: suite) == nil)
        }
    }
}
