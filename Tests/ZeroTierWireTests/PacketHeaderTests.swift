// Headers of packets and fragments, and their bounds.

import NetPrimitives
import Testing

@testable import ZeroTierWire

struct PacketHeaderTests {
    let packet: [UInt8] = [
        0x45, 0xb6, 0xef, 0xf9, 0x7c, 0x04, 0x32, 0x75, 0x6c, 0x78, 0xae, 0x04, 0x31, 0x4d, 0xf8, 0x78, 0x31, 0x65,
        0xda, 0xbe, 0x82, 0xaf, 0x33, 0xa4, 0x8f, 0xf8, 0xbb, 0x83,
    ]

    @Test func `every field of a header is read and written back`() throws {
        let header = try readHeader(packet)
        #expect(header.id == PacketID(0x45b6_eff9_7c04_3275))
        #expect(header.destination == Address(0x6c_78ae_0431))
        #expect(header.source == Address(0x4d_f878_3165))
        #expect(header.cipher == .gmacSIV)
        #expect(header.isFragmented)
        #expect(header.hops == 2)
        #expect(header.authenticator == 0xbe82_af33_a48f_f8bb)
        var copy = [UInt8](repeating: 0x83, count: 30)
        copy.withMutableBytes { header.write(into: &$0, at: 2) }
        #expect(Array(copy[2..<29]) == Array(packet[..<27]))
        #expect(copy[29] == 0x83)
        #expect(Verb(verbByte: packet[27]) == .ok)
    }

    @Test func `shorter than 28 bytes is no packet, wherever the span ends`() {
        packet.withBytes { span in
            #expect(PacketHeader(span, length: 27) == nil)
            #expect(PacketHeader(span, at: 1, length: 28) == nil)
            #expect(PacketHeader(span, at: -1, length: 28) == nil)
            #expect(PacketHeader(span, length: 29) == nil)
            #expect(PacketHeader(span, at: .max, length: 28) == nil)
            #expect(PacketHeader(span, length: .max) == nil)
        }
    }

    @Test func `suites 4 to 7 do not exist`() {
        var bytes = packet
        for number in UInt8(0)..<8 {
            bytes[18] = number << 3
            let header = bytes.withBytes { PacketHeader($0, length: 28) }
            #expect(header?.cipher?.rawValue == (number < 4 ? number : nil))
        }
    }

    @Test func `a relay counts hops up to the limit`() {
        var bytes = packet
        let relayed = [
            bytes.withMutableBytes { PacketHeader.incrementHops(in: &$0) },
            bytes.withMutableBytes { PacketHeader.incrementHops(in: &$0) },
        ]
        #expect(relayed == [true, false])
        #expect(bytes[18] == 0xdb)
        bytes[18] = 0xdf
        // The field is full: adding would change the cipher.
        let isBeyond = bytes.withMutableBytes { PacketHeader.incrementHops(in: &$0, limit: 100) }
        #expect(!isBeyond)
        #expect(bytes[18] == 0xdf)
    }

    @Test func `a fragment is told by its marker and its length`() {
        var bytes = [UInt8](repeating: 0x11, count: 17)
        #expect(!bytes.withBytes { isFragment($0, length: 17) })
        bytes[13] = 0xff
        #expect(bytes.withBytes { isFragment($0, length: 17) })
        #expect(!bytes.withBytes { isFragment($0, length: 16) })
        #expect(!bytes.withBytes { isFragment($0, length: 18) })
        #expect(!bytes.withBytes { isFragment($0, at: 1, length: 17) })
    }

    @Test func `a fragment header is read and written back`() throws {
        let header = FragmentHeader(
            packetID: PacketID(0x0102_0304_0506_0708), destination: Address(0x09_0a0b_0c0d), total: 7, number: 6,
            hops: 1)
        var bytes = [UInt8](repeating: 0xee, count: 17)
        bytes.withMutableBytes { header.write(into: &$0) }
        #expect(bytes == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0xff, 0x76, 0x01, 0xee])
        #expect(bytes.withBytes { FragmentHeader($0, length: 17) } == header)
        let relayed = (0..<3).map { _ in bytes.withMutableBytes { FragmentHeader.incrementHops(in: &$0) } }
        #expect(relayed == [true, true, false])
        #expect(bytes[15] == 3)
    }

    @Test func `a damaged header is read as what it says, and a shorter one is none`() throws {
        let armor: PacketArmorTests.Vectors = try loadVectors("vl1_armor")
        for bytes in try [packet] + armor.packets.map({ Array(try hex($0.after_armor)[..<28]) }) {
            let whole = try readHeader(bytes)
            for length in 0..<bytes.count {
                #expect(Array(bytes[..<length]).withBytes { PacketHeader($0, length: $0.byteCount) } == nil)
            }
            for bit in Damage.bits(of: bytes.count) {
                let damaged = Damage.flip(bit, of: bytes)
                let header = try readHeader(damaged)
                // The verb's byte is not of the header.
                if (header == whole) != (bit / 8 == PacketHeader.verbOffset) { Issue.record("bit \(bit)") }
                var written = bytes
                written.withMutableBytes { header.write(into: &$0) }
                if written[..<27] != damaged[..<27] { Issue.record("bit \(bit)") }
            }
        }
    }

    @Test func `a damaged fragment header is read as what it says, and a shorter one is none`() throws {
        let header = FragmentHeader(
            packetID: PacketID(0x0102_0304_0506_0708), destination: Address(0x09_0a0b_0c0d), total: 7, number: 6,
            hops: 1)
        var bytes = [UInt8](repeating: 0xee, count: 17)
        bytes.withMutableBytes { header.write(into: &$0) }
        for length in 0..<bytes.count {
            #expect(Array(bytes[..<length]).withBytes { FragmentHeader($0, length: $0.byteCount) } == nil)
        }
        for bit in Damage.bits(of: bytes.count) {
            let damaged = Damage.flip(bit, of: bytes)
            guard let read = damaged.withBytes({ FragmentHeader($0, length: 17) }) else {
                #expect(bit / 8 == FragmentHeader.markerOffset)
                continue
            }
            var written = damaged
            written.withMutableBytes { read.write(into: &$0) }
            // The high bits beside the hop count mean nothing, and the data is not of the header.
            var expected = damaged
            expected[FragmentHeader.hopsOffset] &= PacketHeader.hopsMask
            #expect(written == expected, "bit \(bit)")
            #expect((read == header) == (bit / 8 == 16 || bit / 8 == 15 && bit % 8 > 2), "bit \(bit)")
        }
    }

    @Test func `only parts that exist are kept for reassembly`() {
        for total in 0..<16 {
            for number in 0..<16 {
                let header = FragmentHeader(
                    packetID: PacketID(1), destination: Address(1), total: total, number: number)
                #expect(header.isAcceptable == ((2...7).contains(total) && number >= 1 && number < total))
            }
        }
    }
}
