//  OK(HELLO): your address as we see it, our version, newer worlds. Offsets in the packet; the first 9 bytes are
//  `OKHeader`.
//
//  offset size      field
//   37     8        the HELLO's timestamp
//   45     1        protocol version
//   46     1, 1, 2  software major, minor, revision
//   50     1, 7, 19 physical source address of the HELLO
//   ..     2        total length of the worlds
//   ..     ..       serialised worlds, one after another
//   ..     4, 4     only between nodes of this implementation: promises, as in HELLO
//
//  Fields behind the revision may be missing.

package import NetPrimitives

/// The body of OK(HELLO), behind `OKHeader`.
package struct HelloReply: WirePayload, Hashable {
    /// Longest run of worlds that a reply has room for.
    package static let maximumWorldBytes =
        ProtocolLimits.maximumPayloadLength - OKHeader.size - 13 - 19 - 2 - Hello.promisesSize

    /// The timestamp of the HELLO that is answered.
    package var timestampMilliseconds: UInt64
    package var protocolVersion: UInt8
    package var softwareVersion: SoftwareVersion
    /// Where the HELLO came from, as its receiver saw it.
    package var surfaceAddress: SocketEndpoint?
    /// Serialised worlds, one after another. Read with `worlds()`, and only from those who may send them.
    package private(set) var worldBytes: [UInt8]
    /// The sender's promises, as in HELLO. Only in answer to a HELLO that had promises.
    package var promises: Hello.Promises?

    /// A reply; worlds that do not fit any more are left out.
    package init(
        timestampMilliseconds: UInt64, protocolVersion: UInt8 = ProtocolLimits.protocolVersion,
        softwareVersion: SoftwareVersion, surfaceAddress: SocketEndpoint?, worlds: [World] = [],
        promises: Hello.Promises? = nil
    ) {
        self.timestampMilliseconds = timestampMilliseconds
        self.protocolVersion = protocolVersion
        self.softwareVersion = softwareVersion
        self.surfaceAddress = surfaceAddress
        self.promises = promises
        worldBytes = []
        for world in worlds {
            let bytes = world.encoded
            if worldBytes.count + bytes.count <= HelloReply.maximumWorldBytes { worldBytes += bytes }
        }
    }

    package init(decoding body: [UInt8]) throws(WireError) {
        var reader = WireReader(body)
        timestampMilliseconds = try reader.uint64("helloReply.timestamp")
        protocolVersion = try reader.uint8("helloReply.protocolVersion")
        softwareVersion = try SoftwareVersion(from: &reader, "helloReply.softwareVersion")
        surfaceAddress = nil
        worldBytes = []
        promises = nil
        if reader.isAtEnd { return }
        surfaceAddress = try PhysicalAddressCodec.decode(from: &reader, "helloReply.surfaceAddress")
        if reader.isAtEnd { return }
        let length = Int(try reader.uint16("helloReply.worldLength"))
        worldBytes = try reader.bytes(length, "helloReply.worlds")
        promises = try Hello.Promises.read(from: &reader)
    }

    package func encode(into writer: inout ByteWriter) {
        writer.uint64(timestampMilliseconds)
        writer.uint8(protocolVersion)
        softwareVersion.encode(into: &writer)
        PhysicalAddressCodec.encode(surfaceAddress, into: &writer)
        writer.uint16(UInt16(truncatingIfNeeded: worldBytes.count))
        writer.bytes(worldBytes)
        promises?.encode(into: &writer)
    }

    /// The worlds in the reply, none of them verified. Throws if any of them is malformed.
    package func worlds() throws(WireError) -> [World] {
        var reader = WireReader(worldBytes)
        var worlds: [World] = []
        while !reader.isAtEnd { worlds.append(try World(from: &reader)) }
        return worlds
    }
}
