//  OK (0x03): a reply; its first 9 bytes name what it answers.
//
//  offset size  field
//   28     1    verb that is answered
//   29     8    packet ID of the request, as it was on the wire
//   37     ..   what that verb's reply carries

package import NetPrimitives

/// The request that a reply answers: the start of OK and of ERROR.
package struct OKHeader: WirePayload, Hashable {
    /// Bytes in front of the reply's own fields.
    package static let size = 9

    package var inReplyTo: Verb
    package var packetID: PacketID

    package init(inReplyTo: Verb, packetID: PacketID) {
        self.inReplyTo = inReplyTo
        self.packetID = packetID
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        try self.init(from: &reader)
    }

    /// Reads the 9 bytes; a verb that does not exist throws.
    package init(from reader: inout WireReader) throws(WireError) {
        let number = try reader.uint8("reply.verb")
        guard let verb = Verb(rawValue: number) else {
            throw .invalid(field: "reply.verb", expected: "a verb", found: UInt64(number))
        }
        inReplyTo = verb
        packetID = PacketID(try reader.uint64("reply.packetID"))
    }

    package func encode(into writer: inout ByteWriter) {
        writer.uint8(inReplyTo.rawValue)
        writer.uint64(packetID.value)
    }

    /// The payload of an OK that answers with `body`.
    package func payload(_ body: [UInt8]) -> [UInt8] { encoded + body }

    /// Splits the payload of an OK into this header and the reply's own fields.
    package static func split(_ payload: [UInt8]) throws(WireError) -> (header: OKHeader, body: [UInt8]) {
        var reader = WireReader(payload)
        let header = try OKHeader(from: &reader)
        return (header, reader.rest())
    }
}
