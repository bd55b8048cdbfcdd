// Derivation of labelled keys from the agreed key. Read first: NIST SP 800-108 section 4.1 (counter mode), of which this
// is a fixed form with the counter in the place of the iteration; `zerotier/ZeroTierOne node/Utils.cpp` KBKDFHMACSHA384.

/// Keys for separate purposes out of one agreed key.
package enum KeyDerivation {
    /// Label of the GMAC key of a pair of nodes: "0".
    package static let gmacLabel: UInt8 = 0x30
    /// Label of the key of a pair of nodes for the tag block and the stream: "1".
    package static let sivLabel: UInt8 = 0x31

    /// The 48-byte derived key. On the wire all uses have context 0 and iteration 0, and take the first 32 bytes.
    package static func derive(_ key: [UInt8], label: UInt8, context: UInt8, iteration: UInt32) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(13)
        for shift in stride(from: UInt32(24), through: 0, by: -8) {
            message.append(UInt8(truncatingIfNeeded: iteration >> shift))
        }
        message += [0x5a, 0x54, label, 0, context]  // "ZT", the label, a separator, the context
        message += [0, 0, 0x01, 0x80]  // bits of output: 384
        return HMACSHA384.code(for: message, key: key)
    }
}
