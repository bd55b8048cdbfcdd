//  USER_MESSAGE (0x14): u64 type, data; handed to the application with its origin. No reply.

package import NetPrimitives

/// The payload of USER_MESSAGE.
package struct UserMessage: WirePayload, Hashable {
    /// The kind of the data. Types up to 65535 are the reference's own.
    package var type: UInt64
    package var data: [UInt8]

    package init(type: UInt64, data: [UInt8]) {
        self.type = type
        self.data = data
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        type = try reader.uint64("userMessage.type")
        data = reader.rest()
    }

    package func encode(into writer: inout ByteWriter) {
        writer.uint64(type)
        writer.bytes(data)
    }
}
