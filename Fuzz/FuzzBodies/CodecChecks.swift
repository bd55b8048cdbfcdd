//  What must hold of every codec: what was read can be written, is read again as the same, and does not grow.

import NetPrimitives
import ZeroTierWire

/// Reads, writes and reads again. Returns the value; nil if the bytes were refused.
@discardableResult
func checkCodec<Value: Equatable>(
    _ bytes: [UInt8], growth: Int = 64, decode: ([UInt8]) throws -> Value, encode: (Value) -> [UInt8]
) -> Value? {
    guard let value = try? decode(bytes) else { return nil }
    let written = encode(value)
    precondition(written.count <= bytes.count + growth, "written longer than read")
    guard let again = try? decode(written) else { preconditionFailure("what was written cannot be read") }
    if again != value {
        // Optimised builds keep no messages, and the difference is what one wants to see.
        print("read first: \(value)\nread again: \(again)")
        preconditionFailure("read again as something else")
    }
    precondition(encode(again) == written, "written again as something else")
    return value
}

/// The same for the payload of a verb.
@discardableResult
func checkPayload<Value: WirePayload & Equatable>(_ type: Value.Type, _ bytes: [UInt8]) -> Value? {
    checkCodec(bytes, decode: { try Value(decoding: $0) }, encode: { $0.encoded })
}
