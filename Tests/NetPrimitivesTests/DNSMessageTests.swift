import NetPrimitives
import Testing

/// Answers of name servers, friendly and hostile.
@Suite struct DNSMessageTests {
    private let query = DNSQuery(id: 0x1234, name: DomainName("Example.test.")!, type: .ipv4)

    // A header, the question, and records given as bytes.
    private func answer(flags: UInt16 = 0x8180, count: UInt16, _ records: [UInt8], id: UInt16 = 0x1234) -> [UInt8] {
        var writer = ByteWriter()
        writer.uint16(id)
        writer.uint16(flags)
        writer.uint16(1)
        writer.uint16(count)
        writer.uint16(0)
        writer.uint16(0)
        writer.bytes(query.name.encoded)
        writer.uint16(1)
        writer.uint16(1)
        writer.bytes(records)
        return writer.bytes
    }

    // A record whose owner is the question's name by a pointer.
    private func record(_ type: UInt8, _ data: [UInt8], owner: [UInt8] = [0xc0, 12]) -> [UInt8] {
        owner + [0, type, 0, 1, 0, 0, 0, 60, 0, UInt8(data.count)] + data
    }

    @Test func `a question is what RFC 1035 says`() {
        #expect(
            query.encoded == [
                0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 4, 0x74, 0x65,
                0x73, 0x74, 0, 0, 1, 0, 1,
            ])
    }

    @Test func `names that cannot be are refused`() {
        for text in ["", ".", "a..b", String(repeating: "a", count: 64), "a b", "é"] {
            #expect(DomainName(text) == nil, "\(text)")
        }
        #expect(DomainName(Array(repeating: "abcdefg", count: 32).joined(separator: ".")) == nil)
        #expect(DomainName("A.b")?.labels == [[0x61], [0x62]])
    }

    @Test func `addresses and aliases are found`() {
        let alias = record(5, [1, 0x78, 0])
        let address = record(1, [10, 1, 2, 3], owner: [1, 0x58, 0])
        #expect(
            DNSAnswerReader.read(answer(count: 2, alias + address), for: query)
                == .addresses([IPAddress(v4: 0x0a01_0203)]))
        #expect(
            DNSAnswerReader.read(answer(count: 1, record(1, [10, 1, 2, 3])), for: query)
                == .addresses([IPAddress(v4: 0x0a01_0203)]))
        // Of somebody else's name.
        #expect(DNSAnswerReader.read(answer(count: 1, address), for: query) == .addresses([]))
    }

    @Test func `what does not belong to the question is ignored`() {
        let records = record(1, [10, 1, 2, 3])
        #expect(DNSAnswerReader.read(answer(count: 1, records, id: 0x1235), for: query) == .unrelated)
        #expect(DNSAnswerReader.read(answer(flags: 0x0180, count: 1, records), for: query) == .unrelated)
        let other = DNSQuery(id: 0x1234, name: DomainName("example.text")!, type: .ipv4)
        #expect(DNSAnswerReader.read(answer(count: 1, records), for: other) == .unrelated)
        let six = DNSQuery(id: 0x1234, name: query.name, type: .ipv6)
        #expect(DNSAnswerReader.read(answer(count: 1, records), for: six) == .unrelated)
    }

    @Test func `errors of servers are told apart`() {
        #expect(DNSAnswerReader.read(answer(flags: 0x8183, count: 0, []), for: query) == .noSuchName)
        #expect(DNSAnswerReader.read(answer(flags: 0x8182, count: 0, []), for: query) == .serverFailure(code: 2))
    }

    @Test func `pointers that go in circles or forward end`() {
        let message = answer(count: 1, [])
        let own = UInt8(message.count)
        for pointer in [[0xc0, own], [0xc0, own + 2], [0xff, 0xff], [1, 0x61, 0xc0, own]] {
            #expect(
                DNSAnswerReader.read(message + record(1, [10, 1, 2, 3], owner: pointer), for: query) == .unrelated)
        }
    }

    @Test func `a cut answer gives the records that are whole`() {
        let whole = record(1, [10, 1, 2, 3])
        let message = answer(flags: 0x8380, count: 2, whole + whole.dropLast(2))
        #expect(DNSAnswerReader.read(message, for: query) == .cut([IPAddress(v4: 0x0a01_0203)]))
        #expect(DNSAnswerReader.read(answer(flags: 0x8380, count: 0, []), for: query) == .cut([]))
    }

    @Test func `every truncation and every flipped bit is survived`() {
        let message = answer(
            count: 3,
            record(5, [1, 0x78, 0]) + record(1, [10, 1, 2, 3], owner: [1, 0x78, 0]) + record(1, [10, 1, 2, 4]))
        for length in 0..<message.count {
            let result = DNSAnswerReader.read(Array(message.prefix(length)), for: query)
            #expect(result == .unrelated)
        }
        for bit in 0..<(8 * message.count) {
            var copy = message
            copy[bit / 8] ^= 1 << UInt8(bit % 8)
            if case .addresses(let addresses) = DNSAnswerReader.read(copy, for: query) {
                #expect(addresses.count <= DNSAnswerReader.mostAddresses)
            }
        }
    }

    @Test func `a flood of records is cut`() {
        let records = Array(repeating: record(1, [10, 1, 2, 3]), count: 1000).flatMap { $0 }
        guard case .addresses(let addresses) = DNSAnswerReader.read(answer(count: 1000, records), for: query) else {
            Issue.record("not read")
            return
        }
        #expect(addresses.count == DNSAnswerReader.mostAddresses)
    }
}
