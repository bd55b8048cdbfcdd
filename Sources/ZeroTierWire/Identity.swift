//  Who a node is: address, public keys and, for ourselves, secret keys. Text, binary form, fingerprint, validation.
//  Read first: zerotier/ZeroTierOne node/Identity.hpp for the facts.
//
//  binary: offset size  field
//            0      5   address
//            5      1   type, 0
//            6     64   public keys
//           70      1   length of the secret: 0 or 64
//           71    0/64  secret keys
//  text:   10 digits ":0:" 128 digits [":" 128 digits]

package import NetPrimitives
package import ZeroTierCrypto

/// An identity. Equal when address and public keys are; the secret does not count.
package struct Identity: Hashable, Sendable, CustomStringConvertible {
    /// Bytes of the binary form without the secret.
    package static let publicSize = 71

    package let address: Address
    package let publicKeys: PublicKeys
    /// The secret half; nil for everyone but ourselves.
    package let secretKeys: SecretKeys?

    package init(address: Address, publicKeys: PublicKeys, secretKeys: SecretKeys? = nil) {
        self.address = address
        self.publicKeys = publicKeys
        self.secretKeys = secretKeys
    }

    /// A fresh identity. It costs about 15 address derivations of 17 ms each.
    package static func generate(using random: inout RandomSource) -> Identity {
        let (secretKeys, address) = IdentityWork.generate(using: &random)
        return Identity(address: Address(address), publicKeys: secretKeys.publicKeys, secretKeys: secretKeys)
    }

    // MARK: Text

    /// Reads the text form; whitespace around it is ignored, either case is read. Nil for anything else, a reserved
    /// address included. Does not check that the address follows from the keys: see `validate`.
    package init?(text: some StringProtocol) {
        let trimmed = Identity.trim(text)
        let fields = trimmed.split(separator: 0x3a, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 3 || fields.count == 4, fields[1] == "0",
            let address = Address(text: fields[0]), !address.isReserved,
            let publicBytes = Hexadecimal.decode(fields[2]), let publicKeys = PublicKeys(publicBytes)
        else { return nil }
        var secretKeys: SecretKeys?
        if fields.count == 4 {
            guard let bytes = Hexadecimal.decode(fields[3]), let keys = SecretKeys(bytes) else { return nil }
            secretKeys = keys
        }
        self.init(address: address, publicKeys: publicKeys, secretKeys: secretKeys)
    }

    /// The text form without a newline: 141 characters, or 270 with the secret (if there is one).
    package func text(includeSecret: Bool) -> String {
        let text = "\(address):0:\(Hexadecimal.encode(publicKeys.bytes))"
        guard includeSecret, let secretKeys else { return text }
        return "\(text):\(Hexadecimal.encode(secretKeys.bytes))"
    }

    private static func trim(_ text: some StringProtocol) -> ArraySlice<UInt8> {
        let bytes = Array(text.utf8)
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0d).contains($0) }
        guard let first = bytes.firstIndex(where: { !isSpace($0) }),
            let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return [] }
        return bytes[first...last]
    }

    // MARK: Binary

    /// Reads the binary form and ignores a secret in it, as received identities must be read. Throws for another
    /// type, a reserved address or a secret of another length than 0 or 64.
    package init(from reader: inout WireReader) throws(WireError) {
        self = try Identity.read(&reader, keepsSecret: false)
    }

    /// Reads the binary form from exactly all of `bytes`, with its secret if `keepsSecret`.
    package init(decoding bytes: [UInt8], keepsSecret: Bool = false) throws(WireError) {
        var reader = WireReader(bytes)
        self = try Identity.read(&reader, keepsSecret: keepsSecret)
        guard reader.isAtEnd else {
            throw .tooLong(field: "identity", limit: reader.position, found: bytes.count)
        }
    }

    private static func read(_ reader: inout WireReader, keepsSecret: Bool) throws(WireError) -> Identity {
        let address = try reader.address("identity.address")
        guard !address.isReserved else {
            throw .invalid(field: "identity.address", expected: "an address not reserved", found: address.value)
        }
        let type = try reader.uint8("identity.type")
        guard type == 0 else { throw .invalid(field: "identity.type", expected: "0", found: UInt64(type)) }
        let keyBytes = try reader.bytes(ProtocolLimits.publicKeyLength, "identity.publicKeys")
        guard let publicKeys = PublicKeys(keyBytes) else {
            throw .invalid(field: "identity.publicKeys", expected: "64 bytes", found: UInt64(keyBytes.count))
        }
        let secretLength = Int(try reader.uint8("identity.secretLength"))
        guard secretLength == 0 || secretLength == ProtocolLimits.secretKeyLength else {
            throw .invalid(field: "identity.secretLength", expected: "0 or 64", found: UInt64(secretLength))
        }
        let secretBytes = try reader.bytes(secretLength, "identity.secretKeys")
        let secretKeys = keepsSecret && secretLength > 0 ? SecretKeys(secretBytes) : nil
        return Identity(address: address, publicKeys: publicKeys, secretKeys: secretKeys)
    }

    /// Appends the binary form: 71 bytes, or 135 with the secret (if there is one).
    package func encode(into writer: inout ByteWriter, includeSecret: Bool = false) {
        writer.address(address)
        writer.uint8(0)
        writer.bytes(publicKeys.bytes)
        guard includeSecret, let secretKeys else {
            writer.uint8(0)
            return
        }
        writer.uint8(UInt8(ProtocolLimits.secretKeyLength))
        writer.bytes(secretKeys.bytes)
    }

    /// The binary form as bytes.
    package func encoded(includeSecret: Bool = false) -> [UInt8] {
        var writer = ByteWriter()
        encode(into: &writer, includeSecret: includeSecret)
        return writer.bytes
    }

    // MARK: Checks

    /// Whether the address follows from the keys by the memory-hard derivation. It costs about 17 ms in release builds.
    package func validate() -> Bool {
        !address.isReserved && IdentityWork.isValid(publicKeys, address: address.value)
    }

    /// Whether the secret keys, if any, are those of the public keys. For identities read from a file.
    package var hasMatchingSecret: Bool {
        guard let secretKeys else { return true }
        return secretKeys.publicKeys == publicKeys
    }

    /// SHA-384 of address and public keys, 48 bytes: how credentials name an identity (the original's "public key hash").
    package var fingerprint: [UInt8] {
        SHA384.digest(address.bytes + publicKeys.bytes)
    }

    /// The same identity without its secret.
    package var withoutSecret: Identity {
        Identity(address: address, publicKeys: publicKeys)
    }

    /// The address. Key material is never part of it.
    package var description: String { address.description }

    package static func == (left: Identity, right: Identity) -> Bool {
        left.address == right.address && left.publicKeys == right.publicKeys
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(address)
        hasher.combine(publicKeys)
    }
}
