//  The protocol of a verb's payload. The payload begins behind the verb byte; offsets in the files of this folder are
//  counted in the whole packet, as in the protocol's tables.

package import NetPrimitives

/// A payload that is read from owned bytes (decrypted, decompressed) and written back.
package protocol WirePayload: Sendable {
    /// Reads all of `payload`, everything behind the verb byte. Bytes that a later release might append are ignored.
    init(decoding payload: [UInt8]) throws(WireError)

    /// Appends the payload.
    func encode(into writer: inout ByteWriter)
}

extension WirePayload {
    /// The payload as bytes.
    package var encoded: [UInt8] {
        var writer = ByteWriter()
        encode(into: &writer)
        return writer.bytes
    }
}
