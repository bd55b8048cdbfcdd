//  Certificate of membership (the original's COM): two members of one network show each other theirs, and they must agree.
//  Read first: zerotier/ZeroTierOne node/CertificateOfMembership.hpp (facts only).
//
//  u8 1 | u16 n | n x (u64 id, u64 value, u64 max delta) | 5 signer | 96 signature (only if the signer is not 0)
//  signed: the n x 24 qualifier bytes alone
//
//  id 0: timestamp, delta = window   1: network, 0   2: issued to, 2^64-1   3...6: first 32 bytes of the identity's hash

package import NetPrimitives

/// A certificate of membership.
package struct Membership: Hashable, Sendable {
    /// One number that others are compared with.
    package struct Qualifier: Hashable, Sendable {
        package var id: UInt64
        package var value: UInt64
        /// The most by which another certificate's value may differ.
        package var maximumDelta: UInt64

        package init(id: UInt64, value: UInt64, maximumDelta: UInt64) {
            self.id = id
            self.value = value
            self.maximumDelta = maximumDelta
        }
    }

    /// First byte of the wire form; also what tells certificates from the end of their list.
    package static let version: UInt8 = 1
    private static let timestampID: UInt64 = 0
    private static let networkID: UInt64 = 1
    private static let issuedToID: UInt64 = 2
    private static let identityIDs: ClosedRange<UInt64> = 3...6

    /// In ascending order of ID.
    package var qualifiers: [Qualifier]
    package var signer: Address
    /// 96 bytes, or empty without a signer.
    package var signature: [UInt8]

    package init(qualifiers: [Qualifier], signer: Address, signature: [UInt8]) {
        self.qualifiers = qualifiers
        self.signer = signer
        self.signature = signature
    }

    /// A certificate as a controller issues it, signed. The controller's identity must have its secret.
    package init(
        network: NetworkID, issuedTo member: Identity, timestamp: UInt64, window: UInt64, signedBy controller: Identity
    ) {
        var qualifiers = [
            Qualifier(id: Membership.timestampID, value: timestamp, maximumDelta: window),
            Qualifier(id: Membership.networkID, value: network.value, maximumDelta: 0),
            Qualifier(id: Membership.issuedToID, value: member.address.value, maximumDelta: .max),
        ]
        let words = Membership.fingerprintWords(member.fingerprint)
        for (offset, word) in words.enumerated() {
            let id = Membership.identityIDs.lowerBound + UInt64(offset)
            qualifiers.append(Qualifier(id: id, value: word, maximumDelta: .max))
        }
        self.init(qualifiers: qualifiers, signer: controller.address, signature: [])
        signature = CredentialForm.sign(signedBytes, with: controller)
    }

    /// The first 32 bytes of an identity's fingerprint as the four numbers that certificates carry.
    package static func fingerprintWords(_ fingerprint: [UInt8]) -> [UInt64] {
        (0..<4).map { word in
            fingerprint.dropFirst(word * 8).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
    }

    // MARK: Wire

    package init(from reader: inout WireReader) throws(WireError) {
        let version = try reader.uint8("membership.version")
        guard version == Membership.version else {
            throw .invalid(field: "membership.version", expected: "1", found: UInt64(version))
        }
        let count = Int(try reader.uint16("membership.count"))
        guard count <= ProtocolLimits.membershipQualifiers else {
            throw .tooLong(
                field: "membership.count", limit: ProtocolLimits.membershipQualifiers, found: count)
        }
        var qualifiers: [Qualifier] = []
        for _ in 0..<count {
            let id = try reader.uint64("membership.id")
            if let last = qualifiers.last, id < last.id {
                throw .invalid(field: "membership.id", expected: "ascending IDs", found: id)
            }
            let value = try reader.uint64("membership.value")
            let delta = try reader.uint64("membership.delta")
            qualifiers.append(Qualifier(id: id, value: value, maximumDelta: delta))
        }
        self.qualifiers = qualifiers
        signer = try reader.address("membership.signer")
        signature =
            signer.value == 0
            ? [] : try reader.bytes(ProtocolLimits.signatureLength, "membership.signature")
    }

    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes)
        try self.init(from: &reader)
    }

    package func encode(into writer: inout ByteWriter) {
        writer.uint8(Membership.version)
        writer.uint16(UInt16(truncatingIfNeeded: qualifiers.count))
        writer.bytes(signedBytes)
        writer.address(signer)
        if signer.value != 0 {
            let missing = max(0, ProtocolLimits.signatureLength - signature.count)
            writer.bytes(signature + [UInt8](repeating: 0, count: missing))
        }
    }

    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 272)
        encode(into: &writer)
        return writer.bytes
    }

    /// The bytes that the signature covers.
    package var signedBytes: [UInt8] {
        var writer = ByteWriter(capacity: 24 * qualifiers.count)
        for qualifier in qualifiers {
            writer.uint64(qualifier.id)
            writer.uint64(qualifier.value)
            writer.uint64(qualifier.maximumDelta)
        }
        return writer.bytes
    }

    // MARK: Contents

    private func value(_ id: UInt64) -> UInt64? { qualifiers.last { $0.id == id }?.value }

    /// When the controller issued it, in its milliseconds. 0 if not stated.
    package var timestamp: UInt64 { value(Membership.timestampID) ?? 0 }
    package var network: NetworkID { NetworkID(value(Membership.networkID) ?? 0) }
    package var issuedTo: Address { Address(value(Membership.issuedToID) ?? 0) }

    /// Whether another's certificate is acceptable to the holder of this one. `fingerprintWords` are those of the
    /// identity that the other proved to have. Only this certificate's deltas count.
    package func agrees(with other: Membership, fingerprintWords words: [UInt64]) -> Bool {
        guard !qualifiers.isEmpty, !other.qualifiers.isEmpty else { return false }
        var bindsIdentity = false
        for mine in qualifiers {
            guard let theirs = other.value(mine.id) else { return false }
            let distance = mine.value > theirs ? mine.value - theirs : theirs - mine.value
            guard distance <= mine.maximumDelta else { return false }
            if Membership.identityIDs.contains(mine.id) { bindsIdentity = true }
        }
        guard bindsIdentity else { return true }
        guard words.count == 4 else { return false }
        for (offset, word) in words.enumerated()
        where other.value(Membership.identityIDs.lowerBound + UInt64(offset)) != word { return false }
        return true
    }

    /// Whether the certificate says anything about the holder's identity, so that `agrees` needs its fingerprint.
    package var bindsIdentity: Bool { qualifiers.contains { Membership.identityIDs.contains($0.id) } }

    /// Checks network, signer and signature.
    package func verdict(_ identity: (Address) -> Identity?) -> CredentialVerdict {
        guard signer == network.controller, !qualifiers.isEmpty else { return .invalid }
        return CredentialForm.check(signature, of: signedBytes, by: signer, identity)
    }
}
