// Reading of recorded vectors, and the ciphers and packets of recorded sessions.

import Foundation
import NetPrimitives
import TestSupport
import Testing
import ZeroTierCrypto

@testable import ZeroTierWire

/// Reads `Tests/Vectors/<name>.json`.
func loadVectors<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
    try VectorFiles.decode(name + ".json")
}

/// The bytes that hexadecimal text spells.
func hex(_ text: String) throws -> [UInt8] {
    try #require(Hexadecimal.decode(text))
}

/// The ciphers of the pairs of some nodes, by the nodes' addresses.
struct PairCiphers {
    let identities: [Address: Identity]

    init(_ texts: some Collection<String>) throws {
        var identities: [Address: Identity] = [:]
        for text in texts {
            let identity = try #require(Identity(text: text))
            identities[identity.address] = identity
        }
        self.identities = identities
    }

    func cipher(_ one: Address, _ other: Address) throws -> TestCipher {
        let mine = try #require(identities[one]?.secretKeys)
        let theirs = try #require(identities[other]?.publicKeys)
        return TestCipher(try #require(mine.agree(with: theirs)))
    }
}

/// Joins the datagrams of one packet: the head and its fragments in any order.
func join(_ datagrams: [[UInt8]]) throws -> [UInt8] {
    guard datagrams.count > 1 else { return datagrams[0] }
    var head: [UInt8] = []
    var parts: [Int: [UInt8]] = [:]
    var total = 0
    for datagram in datagrams {
        let fragment = datagram.withBytes { FragmentHeader($0, length: datagram.count) }
        if let fragment {
            total = fragment.total
            parts[fragment.number] = Array(datagram[FragmentHeader.size...])
        } else {
            head = datagram
        }
    }
    #expect(total == datagrams.count)
    return try (1..<total).reduce(head) { $0 + (try #require(parts[$1])) }
}

/// The cipher of a pair, on owned bytes.
final class TestCipher {
    private let cipher: PacketCipher

    init(_ key: SharedKey) {
        cipher = PacketCipher(key)
    }

    /// The opened packet; nil when it is refused.
    func open(_ packet: [UInt8]) -> [UInt8]? {
        var bytes = packet
        let isAuthentic = bytes.withMutableBytes { span in
            let length = span.byteCount
            return PacketArmor.open(&span, length: length, cipher: cipher)
        }
        return isAuthentic ? bytes : nil
    }

    func seal(_ packet: [UInt8], suite: CipherSuite) -> [UInt8] {
        var bytes = packet
        bytes.withMutableBytes { span in
            let length = span.byteCount
            PacketArmor.seal(&span, length: length, suite: suite, cipher: cipher)
        }
        return bytes
    }

    func sealHello(_ packet: [UInt8], sectionOffset: Int) -> [UInt8] {
        var bytes = packet
        bytes.withMutableBytes { span in
            let length = span.byteCount
            PacketArmor.sealHello(&span, length: length, sectionOffset: sectionOffset, cipher: cipher)
        }
        return bytes
    }

    func cryptHelloSection(_ packet: [UInt8], from start: Int, to end: Int) -> [UInt8] {
        var bytes = packet
        bytes.withMutableBytes { cipher.cryptHelloSection(&$0, from: start, to: end) }
        return bytes
    }
}

/// The header of a packet.
func readHeader(_ packet: [UInt8]) throws -> PacketHeader {
    try #require(packet.withBytes { PacketHeader($0, length: $0.byteCount) })
}

/// A header and verb byte in front of a payload, as a sender puts them together.
func makePacket(_ header: PacketHeader, _ verb: Verb, _ payload: [UInt8]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: PacketHeader.payloadOffset) + payload
    bytes.withMutableBytes { span in
        header.write(into: &span)
        span.storeUInt8(verb.rawValue, at: PacketHeader.verbOffset)
    }
    return bytes
}
