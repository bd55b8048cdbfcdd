// The header codecs: round trip, every truncation, every single-bit flip.

import NetPrimitives
import Testing

@testable import NetStack

struct WireCodecTests {
    @Test func `an ARP packet survives the round trip and refuses every truncation`() throws {
        let packet = ARPPacket(
            operation: ARPPacket.reply, senderMAC: MACAddress(0x0211_2233_4455), sender: address("10.1.2.3"),
            targetMAC: MACAddress(0x02aa_bbcc_ddee), target: address("10.1.2.4"))
        let bytes = packet.bytes
        #expect(bytes.count == 28)
        #expect(try bytes.withBytes { (span) throws(StackDropReason) in try ARPPacket(parsing: span) } == packet)
        for count in 0..<bytes.count {
            let part = Array(bytes[..<count])
            #expect(throws: StackDropReason.truncated) {
                try part.withBytes { (span) throws(StackDropReason) in _ = try ARPPacket(parsing: span) }
            }
        }
        // RFC 826 on the wire: hardware 1, protocol 0x0800, lengths 6 and 4, operation 2.
        #expect(Array(bytes[..<8]) == [0, 1, 8, 0, 6, 4, 0, 2])
    }

    private func ipv4(_ payload: Int = 24) -> [UInt8] {
        var header = IPv4Header(
            payloadLength: payload, protocolNumber: 17, source: address("192.0.2.1"),
            destination: address("198.51.100.7"), hopLimit: 64, trafficClass: 0x2e)
        header.identification = 0x1234
        header.fragmentOffset = 1_480
        header.moreFragments = true
        return makeBytes(20 + payload) { header.write(into: &$0, at: 0) }
    }

    @Test func `an IPv4 header survives the round trip`() throws {
        let bytes = ipv4()
        let header = try bytes.withBytes { (span) throws(StackDropReason) in try IPv4Header(parsing: span) }
        #expect(header.totalLength == 44)
        #expect(header.identification == 0x1234)
        #expect(header.fragmentOffset == 1_480)
        #expect(header.moreFragments && !header.dontFragment && header.isFragment)
        #expect(header.source == address("192.0.2.1") && header.destination == address("198.51.100.7"))
        #expect(header.trafficClass == 0x2e && header.hopLimit == 64 && header.protocolNumber == 17)
    }

    @Test func `no truncation and no flipped bit of an IPv4 header passes`() {
        let bytes = ipv4(0)
        for count in 0..<bytes.count {
            let part = Array(bytes[..<count])
            #expect(throws: StackDropReason.self) {
                try part.withBytes { (span) throws(StackDropReason) in _ = try IPv4Header(parsing: span) }
            }
        }
        for bit in 0..<(bytes.count * 8) {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let copy = damaged
            #expect(throws: StackDropReason.self) {
                try copy.withBytes { (span) throws(StackDropReason) in _ = try IPv4Header(parsing: span) }
            }
        }
    }

    /// A header with options and a right checksum.
    private func ipv4(options: [UInt8]) -> [UInt8] {
        var bytes = ipv4(0) + options
        bytes[0] = 0x40 | UInt8(bytes.count / 4)
        bytes[3] = UInt8(bytes.count)
        bytes[10] = 0
        bytes[11] = 0
        let copy = bytes
        let sum = copy.withBytes { Checksum.finish(Checksum.sum($0, from: 0, count: $0.byteCount)) }
        bytes[10] = UInt8(sum >> 8)
        bytes[11] = UInt8(truncatingIfNeeded: sum)
        return bytes
    }

    @Test(
        arguments: [
            ([1, 1, 1, 0], nil), ([7, 7, 4, 0, 0, 0, 0, 0], nil), ([0x83, 4, 4, 0], .options),
            ([0x89, 4, 4, 0], .options),
            ([7, 0, 0, 0], .options), ([7, 1, 0, 0], .options), ([7, 9, 0, 0], .options), ([1, 1, 1, 7], .options),
        ] as [([UInt8], StackDropReason?)])
    func `IPv4 options are walked and source routes refused`(options: [UInt8], expected: StackDropReason?) {
        let bytes = ipv4(options: options)
        do {
            _ = try bytes.withBytes { (span) throws(StackDropReason) in try IPv4Header(parsing: span) }
            #expect(expected == nil)
        } catch {
            #expect(error == expected)
        }
    }

    @Test func `an IPv6 header and a fragment header survive the round trip`() throws {
        var header = IPv6Header(
            payloadLength: 8, nextHeader: 44, source: address("2001:db8::1"), destination: address("2001:db8::2"),
            hopLimit: 3, trafficClass: 0xb9)
        header.flowLabel = 0xabcde
        let fragment = IPv6Fragment(nextHeader: 17, offset: 1_232, moreFragments: true, identification: 0xdead_beef)
        let bytes = makeBytes(48) {
            header.write(into: &$0, at: 0)
            fragment.write(into: &$0, at: 40)
        }
        #expect(try bytes.withBytes { (span) throws(StackDropReason) in try IPv6Header(parsing: span) } == header)
        #expect(bytes.withBytes { IPv6Fragment($0, at: 40) } == fragment)
        for count in 0..<48 {
            let part = Array(bytes[..<count])
            #expect(throws: StackDropReason.truncated) {
                try part.withBytes { (span) throws(StackDropReason) in _ = try IPv6Header(parsing: span) }
            }
        }
    }

    private func walk(_ next: UInt8, _ extensions: [UInt8], isMulticast: Bool = false) -> IPv6Walk {
        let header = IPv6Header(
            payloadLength: extensions.count, nextHeader: next, source: address("fd00::1"),
            destination: address("fd00::2"), hopLimit: 64)
        let bytes = makeBytes(40 + extensions.count) {
            header.write(into: &$0, at: 0)
            $0.copy(from: extensions, at: 40)
        }
        return bytes.withBytes {
            IPv6Walk.walk($0, end: $0.byteCount, isMulticast: isMulticast, wasReassembled: false)
        }
    }

    @Test func `extension headers are walked as RFC 8200 says`() {
        let padding: [UInt8] = [17, 0, 1, 4, 0, 0, 0, 0]
        #expect(walk(0, padding) == .upper(protocolNumber: 17, offset: 48, pointer: 40))
        #expect(walk(60, padding) == .upper(protocolNumber: 17, offset: 48, pointer: 40))
        #expect(walk(59, []) == .nothing)
        // Hop-by-hop options that are not first.
        #expect(walk(60, [0, 0, 1, 4, 0, 0, 0, 0] + padding) == .problem(code: 1, pointer: 40, always: false))
        // Routing with segments left, and without.
        #expect(walk(43, [17, 0, 0, 1, 0, 0, 0, 0]) == .problem(code: 0, pointer: 42, always: false))
        #expect(walk(43, [17, 0, 0, 0, 0, 0, 0, 0]) == .upper(protocolNumber: 17, offset: 48, pointer: 40))
        // Options: skip, drop, complain, complain unless to a group.
        #expect(walk(60, [17, 0, 0x1e, 4, 0, 0, 0, 0]) == .upper(protocolNumber: 17, offset: 48, pointer: 40))
        #expect(walk(60, [17, 0, 0x5e, 4, 0, 0, 0, 0]) == .drop(.extensionHeader))
        #expect(walk(60, [17, 0, 0x9e, 4, 0, 0, 0, 0]) == .problem(code: 2, pointer: 42, always: true))
        #expect(walk(60, [17, 0, 0xde, 4, 0, 0, 0, 0]) == .problem(code: 2, pointer: 42, always: false))
        #expect(walk(60, [17, 0, 0xde, 4, 0, 0, 0, 0], isMulticast: true) == .drop(.extensionHeader))
        // Jumbo payload, an option beyond its header, a header beyond the packet.
        #expect(walk(0, [17, 0, 0xc2, 4, 0, 1, 0, 0]) == .drop(.extensionHeader))
        #expect(walk(60, [17, 0, 1, 5, 0, 0, 0, 0]) == .drop(.malformed))
        #expect(walk(60, [17, 255, 1, 4, 0, 0, 0, 0]) == .drop(.truncated))
        #expect(walk(44, [17, 0, 0, 1]) == .drop(.truncated))
        // An atomic fragment is a whole datagram.
        #expect(walk(44, [17, 0, 0, 0, 1, 2, 3, 4]) == .upper(protocolNumber: 17, offset: 48, pointer: 40))
        let fragment = IPv6Fragment(nextHeader: 17, offset: 0, moreFragments: true, identification: 0x0102_0304)
        #expect(walk(44, [17, 0, 0, 1, 1, 2, 3, 4]) == .fragment(fragment, offset: 40, pointer: 6))
        // A second fragment header, whatever the first one was.
        #expect(walk(44, [44, 0, 0, 0, 1, 2, 3, 4] + [17, 0, 0, 0, 1, 2, 3, 4]) == .drop(.extensionHeader))
        // More headers than are taken.
        let chain = Array(repeating: [60, 0, 1, 4, 0, 0, 0, 0] as [UInt8], count: 20).flatMap { $0 }
        #expect(walk(60, chain) == .drop(.extensionHeader))
    }

    @Test func `a UDP header checks length and checksum`() throws {
        let payload = pattern(33)
        let source = address("10.0.0.1")
        let destination = address("10.0.0.2")
        let pseudoSum = pseudoHeaderSum(source, destination, 17)
        let header = UDPHeader(sourcePort: 1_000, destinationPort: 2_000, length: 41)
        let sum = payload.withBytes { Checksum.sum($0, from: 0, count: 33) }
        let bytes = makeBytes(45) {
            header.write(into: &$0, at: 0, checksum: header.checksum(pseudoSum: pseudoSum, payloadSum: sum))
            $0.copy(from: payload, at: 8)
        }
        func parse(_ bytes: [UInt8], isIPv4: Bool = true) throws(StackDropReason) -> UDPHeader {
            try bytes.withBytes { (span) throws(StackDropReason) in
                try UDPHeader(parsing: span, at: 0, count: span.byteCount, pseudoSum: pseudoSum, isIPv4: isIPv4)
            }
        }
        // Four bytes of padding behind the length are no error.
        #expect(try parse(bytes) == header)
        for count in 0..<41 { #expect(throws: StackDropReason.truncated) { _ = try parse(Array(bytes[..<count])) } }
        for bit in 0..<(41 * 8) {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let copy = damaged
            #expect(throws: StackDropReason.self) { _ = try parse(copy) }
        }
        var without = bytes
        without[6] = 0
        without[7] = 0
        let copy = without
        #expect(try parse(copy) == header)
        #expect(throws: StackDropReason.checksum) { _ = try parse(copy, isIPv4: false) }
    }

    @Test func `neighbour messages survive the round trip; an option of length zero kills them`() throws {
        let message = NeighbourMessage(
            target: address("fe80::1"), linkAddress: MACAddress(0x0200_0000_0001), nonce: 0x0102_0304_0506)
        let bytes = message.payload(linkOption: 1)
        func parse(_ bytes: [UInt8]) throws(StackDropReason) -> NeighbourMessage {
            try bytes.withBytes { (span) throws(StackDropReason) in
                try NeighbourMessage(parsing: span, from: 0, end: span.byteCount, linkOption: 1)
            }
        }
        #expect(bytes.count == 32)
        #expect(try parse(bytes) == message)
        #expect(throws: StackDropReason.neighbourDiscovery) { _ = try parse(bytes + [9, 0, 0, 0, 0, 0, 0, 0]) }
        #expect(throws: StackDropReason.neighbourDiscovery) { _ = try parse(bytes + [9, 2, 0, 0, 0, 0, 0, 0]) }
        #expect(try parse(bytes + [9, 1, 0, 0, 0, 0, 0, 0]) == message)
        for count in 0..<32 where count != 16 && count != 24 {
            #expect(throws: StackDropReason.self) { _ = try parse(Array(bytes[..<count])) }
        }
    }

    @Test func `an ICMP message carries its checksum in both families`() throws {
        let payload = pattern(57)
        let header = ICMPHeader(type: 8, code: 0, rest: 0x1234_0007)
        for pseudoSum in [0, pseudoHeaderSum(address("fd00::1"), address("fd00::2"), 58)] as [UInt32] {
            let bytes = payload.withBytes { header.message(payload: $0, pseudoSum: pseudoSum) }
            let full = pseudoSum == 0 ? 0 : Checksum.combine(pseudoSum, UInt32(bytes.count))
            func parse(_ bytes: [UInt8]) throws(StackDropReason) -> ICMPHeader {
                try bytes.withBytes { (span) throws(StackDropReason) in
                    try ICMPHeader(parsing: span, at: 0, count: span.byteCount, pseudoSum: full)
                }
            }
            #expect(try parse(bytes) == header)
            for bit in 0..<(bytes.count * 8) {
                var damaged = bytes
                damaged[bit / 8] ^= 1 << UInt8(bit % 8)
                let copy = damaged
                #expect(throws: StackDropReason.checksum) { _ = try parse(copy) }
            }
        }
    }

    @Test func `addresses map to groups as the RFCs say`() {
        #expect(address("224.1.2.3").multicastMAC == MACAddress(0x0100_5e01_0203))
        #expect(address("239.129.2.3").multicastMAC == MACAddress(0x0100_5e01_0203))
        #expect(address("255.255.255.255").multicastMAC == .broadcast)
        #expect(address("ff02::1:ff00:2").multicastMAC == MACAddress(0x3333_ff00_0002))
        #expect(address("fd00::1:abcd:ef01").solicitedNode == address("ff02::1:ffcd:ef01"))
        #expect(IPAddress.linkLocal(MACAddress(0x0211_2233_4455)) == address("fe80::11:22ff:fe33:4455"))
    }
}
