//  The common parts of all credentials: the verdict, the types' numbers, and the signed form.
//  Read first: zerotier/ZeroTierOne node/Credential.hpp (facts only).
//
//  signed:  8 bytes 0x7f | body without signature | u16 0 | 8 bytes 0x7f
//  on the wire the signature stands between body and extension:
//           body | u8 1 | u16 96 | 96 bytes | u16 extension length | extension

import NetPrimitives
import ZeroTierCrypto

/// The verdict on the signatures of a credential.
package enum CredentialVerdict: Hashable, Sendable {
    case valid
    case invalid
    /// The signer is not known yet: ask for its identity and try again.
    case needsIdentity(Address)
}

/// Kinds of credentials by their numbers, as revocations name them.
package enum CredentialType: UInt8, Hashable, Sendable, CaseIterable {
    case none = 0
    case membership = 1
    case capability = 2
    case tag = 3
    case ownership = 4
    case revocation = 6
}

/// Reading, writing and checking of the signature block.
enum CredentialForm {
    private static let signatureType: UInt8 = 1
    private static let mark = [UInt8](repeating: 0x7f, count: 8)

    /// The bytes that are signed, from a credential's body.
    static func signedBytes(_ body: [UInt8]) -> [UInt8] { mark + body + [0, 0] + mark }

    /// Reads a signature block. A block of another type is skipped and reads as empty: it proves nothing.
    static func readSignature(_ reader: inout WireReader, _ field: String) throws(WireError) -> [UInt8] {
        let type = try reader.uint8(field)
        let length = Int(try reader.uint16(field))
        guard type == signatureType else {
            try reader.skip(length, field)
            return []
        }
        guard length == ProtocolLimits.signatureLength else {
            throw .invalid(field: field, expected: "a signature of 96 bytes", found: UInt64(length))
        }
        return try reader.bytes(length, field)
    }

    static func writeSignature(_ signature: [UInt8], _ writer: inout ByteWriter) {
        guard signature.count == ProtocolLimits.signatureLength else {
            // No signature at all: a type that every reader passes over.
            writer.uint8(0)
            writer.uint16(0)
            return
        }
        writer.uint8(signatureType)
        writer.uint16(UInt16(ProtocolLimits.signatureLength))
        writer.bytes(signature)
    }

    /// Passes over the extension that a later release may have added.
    static func skipExtension(_ reader: inout WireReader, _ field: String) throws(WireError) {
        try reader.skip(Int(try reader.uint16(field)), field)
    }

    /// Signs with an identity; nothing if it has no secret.
    static func sign(_ message: [UInt8], with identity: Identity) -> [UInt8] {
        identity.secretKeys?.sign(message) ?? []
    }

    /// Checks one signature.
    static func check(
        _ signature: [UInt8], of message: [UInt8], by signer: Address, _ identity: (Address) -> Identity?
    ) -> CredentialVerdict {
        guard signature.count == ProtocolLimits.signatureLength else { return .invalid }
        guard let known = identity(signer) else { return .needsIdentity(signer) }
        return known.publicKeys.verify(signature, of: message) ? .valid : .invalid
    }
}
