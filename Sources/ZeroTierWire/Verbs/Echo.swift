//  ECHO (0x08): any payload; OK(ECHO) carries the same payload behind `OKHeader`. Empty, it is keepalive and path
//  probe.

package import NetPrimitives

/// The payload of ECHO, and the body of OK(ECHO).
package struct Echo: WirePayload, Hashable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    /// Never throws: anything is an ECHO.
    package init(decoding payload: [UInt8]) throws(WireError) {
        bytes = payload
    }

    package func encode(into writer: inout ByteWriter) {
        writer.bytes(bytes)
    }

    /// The payload of the OK that answers the ECHO `packetID`; cut where it would not fit a packet.
    package func reply(to packetID: PacketID) -> [UInt8] {
        let body = bytes.prefix(ProtocolLimits.maximumPayloadLength - OKHeader.size)
        return OKHeader(inReplyTo: .echo, packetID: packetID).payload(Array(body))
    }
}
