// Peer records and serialised physical addresses.

import NetPrimitives
import Testing

@testable import ZeroTierWire

struct PeerRecordTests {
    struct Vectors: Decodable {
        struct File: Decodable {
            let content: String
        }
        let peers_d_file: File
        let identities: [String: String]
    }

    let vectors: Vectors

    init() throws {
        vectors = try loadVectors("vl1_real_node")
    }

    @Test func `a record that a real node wrote is read, and written in the later version`() throws {
        var bytes = try hex(vectors.peers_d_file.content)
        let record = try PeerRecord(decoding: bytes)
        #expect(record.identity == Identity(text: try #require(vectors.identities["B"])))
        #expect(record.protocolVersion == 12)
        #expect(record.softwareVersion == SoftwareVersion(major: 1, minor: 8, revision: 4))
        #expect(record.endpoints == [try #require(SocketEndpoint("10.77.0.3/9993"))])
        #expect(bytes[0] == 1)
        bytes[0] = 2
        #expect(record.encoded == bytes)
        #expect(try PeerRecord(decoding: bytes) == record)
        bytes[0] = 3
        #expect(throws: WireError.invalid(field: "peerRecord.version", expected: "1 or 2", found: 3)) {
            try PeerRecord(decoding: bytes)
        }
    }

    @Test func `damaged records are refused or read as what they say`() throws {
        let bytes = try hex(vectors.peers_d_file.content)
        let refused = try survivesDamage(bytes, decode: { try PeerRecord(decoding: $0) }, encode: { $0.encoded })
        #expect(refused > bytes.count)
    }

    @Test func `no more than 64 paths are kept`() throws {
        var record = try PeerRecord(decoding: hex(vectors.peers_d_file.content))
        record.endpoints = (0..<70).map { SocketEndpoint(IPAddress(v4: 0x0a00_0001), port: UInt16($0 + 1)) }
        #expect(try PeerRecord(decoding: record.encoded).endpoints.count == 64)
        let tail = record.encoded.suffix(7)
        let many = Array(record.encoded[..<80]) + [0, 90] + (0..<90).flatMap { _ in tail }
        #expect(try PeerRecord(decoding: many).endpoints.count == 64)
    }

    @Test func `damaged serialised addresses are refused or read as what they say`() throws {
        struct Addresses: Decodable {
            struct Wire: Decodable { let wire: String }
            let inetAddressWire: [Wire]
        }
        let wires = try loadVectors("addressing", as: Addresses.self).inetAddressWire
        #expect(wires.count == 5)
        for wire in wires {
            try survivesDamage(
                hex(wire.wire),
                decode: {
                    var reader = WireReader($0)
                    let endpoint = try PhysicalAddressCodec.decode(from: &reader, "test")
                    var writer = ByteWriter()
                    PhysicalAddressCodec.encode(endpoint, into: &writer)
                    if endpoint != nil, writer.bytes != Array($0[..<reader.position]) { Issue.record("\($0)") }
                    return endpoint
                },
                encode: {
                    var writer = ByteWriter()
                    PhysicalAddressCodec.encode($0, into: &writer)
                    return writer.bytes
                })
        }
    }

    @Test func `every kind of serialised address is read`() throws {
        func decode(_ bytes: [UInt8]) throws -> (SocketEndpoint?, Int) {
            var reader = WireReader(bytes)
            return (try PhysicalAddressCodec.decode(from: &reader, "test"), reader.position)
        }
        let filler: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        #expect(try decode([0] + filler) == (nil, 1))
        #expect(try decode([1] + filler) == (nil, 7))
        #expect(try decode([2] + filler) == (nil, 7))
        #expect(try decode([3, 0, 4] + filler) == (nil, 7))
        #expect(try decode([4] + filler) == (SocketEndpoint("1.2.3.4:1286"), 7))
        #expect(
            try decode([6] + filler + filler + filler) == (SocketEndpoint("[102:304:506:708:102:304:506:708]:258"), 19))
        for bytes: [UInt8] in [[], [5], [7], [255], [1, 0], [3], [3, 0], [3, 255, 255, 0], [4, 1, 2, 3, 4, 5]] {
            #expect(throws: WireError.self) { try decode(bytes) }
        }
        for length in 1..<19 {
            #expect(throws: WireError.self) { try decode(Array(([6] + filler + filler + filler)[..<length])) }
        }
    }
}
