// Questions to a name server and its answers. Pure: bytes in, values out; an answer may come from anybody.
// Read first: RFC 1035 section 4, RFC 3596, RFC 5452 (what an answer must agree with), RFC 7766 (cut answers).

/// A domain name as lower-case labels.
package struct DomainName: Hashable, Sendable {
    package let labels: [[UInt8]]

    package static let longestLabel = 63
    /// Of the encoded form, with the final zero.
    package static let longestName = 255

    fileprivate init(labels: [[UInt8]]) { self.labels = labels }

    /// A name in text form, with or without the final dot. Nil if it cannot be one.
    package init?(_ text: String) {
        var bytes = Array(text.utf8)
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        guard !bytes.isEmpty, bytes.count + 2 <= DomainName.longestName else { return nil }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard
            parts.allSatisfy({ part in
                (1...DomainName.longestLabel).contains(part.count) && part.allSatisfy { $0 > 0x20 && $0 < 0x7f }
            })
        else { return nil }
        labels = parts.map { $0.map(DomainName.lowered) }
    }

    fileprivate static func lowered(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }

    package var encoded: [UInt8] { labels.flatMap { [UInt8($0.count)] + $0 } + [0] }
}

/// What is asked for.
package enum DNSRecordType: UInt16, Sendable {
    case ipv4 = 1
    case ipv6 = 28
}

/// A question and what its answers have to agree with.
package struct DNSQuery: Sendable {
    package let id: UInt16
    package let name: DomainName
    package let type: DNSRecordType

    /// A question; `id` should not be guessable.
    package init(id: UInt16, name: DomainName, type: DNSRecordType) {
        self.id = id
        self.name = name
        self.type = type
    }

    /// The datagram.
    package var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.uint16(id)
        // Recursion desired.
        writer.uint16(0x0100)
        writer.uint16(1)
        for _ in 0..<3 { writer.uint16(0) }
        writer.bytes(name.encoded)
        writer.uint16(type.rawValue)
        writer.uint16(1)
        return writer.bytes
    }
}

/// What an answer says.
package enum DNSAnswer: Equatable, Sendable {
    /// The name's addresses of the type asked for; empty if it has none.
    case addresses([IPAddress])
    /// The server had more to say than a datagram holds, and should be asked by TCP: the addresses that are whole.
    case cut([IPAddress])
    /// There is no such name.
    case noSuchName
    /// The server does not know, now or ever: another may be asked.
    case serverFailure(code: UInt8)
    /// Not an answer to this question, or not understandable: to be ignored.
    case unrelated
}

/// Reads answers.
package enum DNSAnswerReader {
    /// Records looked at, and addresses kept, of one answer.
    private static let mostRecords = 128
    package static let mostAddresses = 16
    /// Aliases followed.
    private static let mostAliases = 16

    private struct Malformed: Error {}

    /// What a message says to a question.
    package static func read(_ message: [UInt8], for query: DNSQuery) -> DNSAnswer {
        do throws(Malformed) {
            var reader = Reader(message: message)
            return try read(&reader, query)
        } catch {
            return .unrelated
        }
    }

    private static func read(_ reader: inout Reader, _ query: DNSQuery) throws(Malformed) -> DNSAnswer {
        let id = try reader.uint16()
        let flags = try reader.uint16()
        let questions = try reader.uint16()
        let answers = try reader.uint16()
        try reader.skip(4)
        // A response, to a standard query, with the question that was asked.
        guard id == query.id, flags & 0xf800 == 0x8000, questions == 1 else { return .unrelated }
        guard try reader.name() == query.name, try reader.uint16() == query.type.rawValue, try reader.uint16() == 1
        else { return .unrelated }
        let code = UInt8(flags & 0x0f)
        if code == 3 { return .noSuchName }
        guard code == 0 else { return .serverFailure(code: code) }
        let isCut = flags & 0x0200 != 0
        let addresses = try records(&reader, query, count: Int(answers), isCut: isCut)
        return isCut ? .cut(addresses) : .addresses(addresses)
    }

    private static func records(
        _ reader: inout Reader, _ query: DNSQuery, count: Int, isCut: Bool
    ) throws(Malformed) -> [IPAddress] {
        var aliases: [DomainName: DomainName] = [:]
        var found: [(DomainName, IPAddress)] = []
        for _ in 0..<min(count, mostRecords) {
            do throws(Malformed) {
                try record(&reader, query, &aliases, &found)
            } catch {
                guard isCut else { throw error }
                break
            }
        }
        var names: Set<DomainName> = [query.name]
        var name = query.name
        for _ in 0..<mostAliases {
            guard let next = aliases[name], names.insert(next).inserted else { break }
            name = next
        }
        return Array(found.lazy.filter { names.contains($0.0) }.map(\.1).prefix(mostAddresses))
    }

    private static func record(
        _ reader: inout Reader, _ query: DNSQuery, _ aliases: inout [DomainName: DomainName],
        _ found: inout [(DomainName, IPAddress)]
    ) throws(Malformed) {
        let owner = try reader.name()
        let type = try reader.uint16()
        let isInternet = try reader.uint16() == 1
        try reader.skip(4)
        let length = Int(try reader.uint16())
        let end = reader.position + length
        guard end <= reader.message.count else { throw Malformed() }
        switch (type, length) {
        case (5, _) where isInternet:
            let target = try reader.name()
            guard reader.position <= end else { throw Malformed() }
            aliases[owner] = target
        case (query.type.rawValue, query.type == .ipv4 ? 4 : 16) where isInternet:
            guard let address = IPAddress(Array(reader.message[reader.position..<end])) else { throw Malformed() }
            found.append((owner, address))
        default: break
        }
        reader.position = end
    }

    private struct Reader {
        let message: [UInt8]
        var position = 0

        mutating func uint8() throws(Malformed) -> UInt8 {
            guard position < message.count else { throw Malformed() }
            defer { position += 1 }
            return message[position]
        }

        mutating func uint16() throws(Malformed) -> UInt16 {
            UInt16(try uint8()) << 8 | UInt16(try uint8())
        }

        mutating func skip(_ count: Int) throws(Malformed) {
            guard position + count <= message.count else { throw Malformed() }
            position += count
        }

        // A name, perhaps with a pointer to an earlier one. Pointers lead strictly backwards, so this ends.
        mutating func name() throws(Malformed) -> DomainName {
            var labels: [[UInt8]] = []
            var length = 1
            var place = self
            var earliest = position
            var isInPlace = true
            while true {
                let byte = try place.uint8()
                switch byte >> 6 {
                case 0 where byte == 0:
                    if isInPlace { position = place.position }
                    return DomainName(labels: labels)
                case 0:
                    length += Int(byte) + 1
                    guard length <= DomainName.longestName, place.position + Int(byte) <= message.count else {
                        throw Malformed()
                    }
                    let label = message[place.position..<(place.position + Int(byte))]
                    labels.append(label.map(DomainName.lowered))
                    place.position += Int(byte)
                case 3:
                    let target = Int(byte & 0x3f) << 8 | Int(try place.uint8())
                    if isInPlace { position = place.position }
                    guard target < earliest else { throw Malformed() }
                    isInPlace = false
                    earliest = target
                    place.position = target
                default: throw Malformed()
                }
            }
        }
    }
}
