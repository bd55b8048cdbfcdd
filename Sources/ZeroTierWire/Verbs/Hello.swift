//  HELLO (0x01): our identity, your address as we see it, and the worlds that we hold.
//
//  offset size      field
//   28     1        protocol version
//   29     1, 1, 2  software major, minor, revision
//   33     8        sender's time, ms, echoed back
//   41    71        sender's identity, public
//  112    1, 7, 19  the physical address this packet is sent to
//   ..     8, 8     planet ID and timestamp
//   ..     2        number of moon entries: the encrypted section starts here
//   ..    17 each   moon entries: u8 127, u64 moon ID, u64 timestamp (0: wanted, not held)
//   ..     4, 4     only between nodes of this implementation: the letters "swzt", and what the sender promises
//
//  Every field from 112 on is missing in the HELLO of very old peers. The inner section is encrypted once more before
//  sealing (`PacketArmor.sealHello`); a receiver authenticates, reads the clear fields, opens the section, reads it.

package import NetPrimitives

/// A world that a node holds, or wants if the timestamp is zero.
package struct WorldReference: Hashable, Sendable {
    package var id: UInt64
    /// Revision, Unix milliseconds.
    package var timestampMilliseconds: UInt64

    package init(id: UInt64, timestampMilliseconds: UInt64) {
        self.id = id
        self.timestampMilliseconds = timestampMilliseconds
    }
}

/// The payload of HELLO.
package struct Hello: WirePayload, Hashable {
    package var protocolVersion: UInt8
    package var softwareVersion: SoftwareVersion
    /// The sender's clock; opaque to everyone else.
    package var timestampMilliseconds: UInt64
    package var identity: Identity
    /// The physical address the packet is sent to; nil for none.
    package var sentTo: SocketEndpoint?
    /// The planet held; nil only from very old peers.
    package var planet: WorldReference?
    /// Moons held, and with timestamp 0 those that are wanted. Written only together with `planet`.
    package var moons: [WorldReference]
    /// The promises of nodes of this implementation. Nil from all others, which skip everything behind the moons. Written
    /// only together with `planet`.
    package var promises: Promises?

    private static let moonType: UInt8 = 127
    private static let moonEntrySize = 17

    package init(
        protocolVersion: UInt8 = ProtocolLimits.protocolVersion, softwareVersion: SoftwareVersion,
        timestampMilliseconds: UInt64, identity: Identity, sentTo: SocketEndpoint?, planet: WorldReference?,
        moons: [WorldReference] = [], promises: Promises? = nil
    ) {
        self.protocolVersion = protocolVersion
        self.softwareVersion = softwareVersion
        self.timestampMilliseconds = timestampMilliseconds
        self.identity = identity
        self.sentTo = sentTo
        self.planet = planet
        self.moons = moons
        self.promises = promises
    }

    /// Where in the whole packet the encrypted section starts when this value is written.
    package var sectionOffset: Int {
        let clear = PacketHeader.payloadOffset + 13 + Identity.publicSize + PhysicalAddressCodec.length(of: sentTo)
        return planet == nil ? clear : clear + 16
    }

    /// Reads the fields in front of the encrypted section from the packet of `length` bytes at the span's start.
    ///
    /// Nothing needs to be authenticated yet: the work is bounded. Returns the offset in the packet at which the
    /// section starts; nil if there is none. `moons` is empty until `decodeSection`.
    package static func decodeClear(
        _ packet: RawSpan, length: Int
    ) throws(WireError) -> (hello: Hello, sectionOffset: Int?) {
        let bounded = min(length, ProtocolLimits.maximumPacketLength)
        var reader = WireReader(
            copying: packet, at: PacketHeader.payloadOffset, length: bounded - PacketHeader.payloadOffset)
        let hello = try Hello(clear: &reader)
        let hasSection = hello.planet != nil && !reader.isAtEnd
        return (hello, hasSection ? PacketHeader.payloadOffset + reader.position : nil)
    }

    /// Reads the opened section, `start..<end` of the packet.
    package mutating func decodeSection(_ packet: RawSpan, from start: Int, to end: Int) throws(WireError) {
        var reader = WireReader(copying: packet, at: start, length: end - start)
        try readMoons(&reader)
    }

    /// Reads a payload whose section is open already.
    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        try self.init(clear: &reader)
        if planet != nil, !reader.isAtEnd { try readMoons(&reader) }
    }

    private init(clear reader: inout WireReader) throws(WireError) {
        protocolVersion = try reader.uint8("hello.protocolVersion")
        softwareVersion = try SoftwareVersion(from: &reader, "hello.softwareVersion")
        timestampMilliseconds = try reader.uint64("hello.timestamp")
        identity = try Identity(from: &reader)
        sentTo = reader.isAtEnd ? nil : try PhysicalAddressCodec.decode(from: &reader, "hello.sentTo")
        planet = nil
        moons = []
        promises = nil
        if reader.remaining >= 16 {
            planet = WorldReference(
                id: try reader.uint64("hello.planetID"),
                timestampMilliseconds: try reader.uint64("hello.planetTimestamp"))
        }
    }

    private mutating func readMoons(_ reader: inout WireReader) throws(WireError) {
        let count = Int(try reader.uint16("hello.moonCount"))
        try reader.require(count * Hello.moonEntrySize, "hello.moons")
        moons = []
        for _ in 0..<count {
            let type = try reader.uint8("hello.moonType")
            let reference = WorldReference(
                id: try reader.uint64("hello.moonID"), timestampMilliseconds: try reader.uint64("hello.moonTimestamp"))
            if type == Hello.moonType { moons.append(reference) }
        }
        // The rest may be anything: padding, or fields of later versions.
        promises = try Promises.read(from: &reader)
    }

    /// Appends the payload with its section in the clear; `PacketArmor.sealHello` encrypts it from `sectionOffset` on.
    package func encode(into writer: inout ByteWriter) {
        writer.uint8(protocolVersion)
        softwareVersion.encode(into: &writer)
        writer.uint64(timestampMilliseconds)
        identity.encode(into: &writer)
        PhysicalAddressCodec.encode(sentTo, into: &writer)
        guard let planet else { return }
        writer.uint64(planet.id)
        writer.uint64(planet.timestampMilliseconds)
        let kept = moons.prefix(Hello.maximumMoons)
        writer.uint16(UInt16(kept.count))
        for moon in kept {
            writer.uint8(Hello.moonType)
            writer.uint64(moon.id)
            writer.uint64(moon.timestampMilliseconds)
        }
        promises?.encode(into: &writer)
    }

    /// As many entries as a packet of the longest kind has room for.
    private static let maximumMoons = (ProtocolLimits.maximumPayloadLength - 128) / moonEntrySize
}
