//  Revocation: credentials of one kind and ID, issued to one member up to a time, are void.
//  Read first: zerotier/ZeroTierOne node/Revocation.hpp (facts only).
//
//  u32 0 | u32 id | u64 network | u32 0 | u32 credential id | i64 threshold | u64 flags | 5 target | 5 signer
//  | u8 credential type | signature block | extension

package import NetPrimitives

/// A revocation.
package struct Revocation: Hashable, Sendable {
    /// Flag: a member that learns of it tells the members it knows.
    package static let fastPropagate: UInt64 = 0x1

    /// Random; without meaning.
    package var id: UInt32
    package var network: NetworkID
    /// 0 for memberships.
    package var credentialID: UInt32
    /// Controller time in milliseconds. Credentials that are not newer are void.
    package var threshold: UInt64
    package var flags: UInt64
    package var target: Address
    package var signer: Address
    /// The number of a `CredentialType`, or one that is not known.
    package var credentialType: UInt8
    package var signature: [UInt8]

    /// A signed revocation. The controller's identity must have its secret.
    package init(
        id: UInt32, network: NetworkID, of type: CredentialType, credentialID: UInt32, threshold: UInt64,
        target: Address, flags: UInt64 = Revocation.fastPropagate, signedBy controller: Identity
    ) {
        self.id = id
        self.network = network
        self.credentialID = credentialID
        self.threshold = threshold
        self.flags = flags
        self.target = target
        signer = controller.address
        credentialType = type.rawValue
        signature = []
        signature = CredentialForm.sign(signedBytes, with: controller)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        try reader.skip(4, "revocation.reserved")
        id = try reader.uint32("revocation.id")
        network = try reader.networkID("revocation.network")
        try reader.skip(4, "revocation.reserved")
        credentialID = try reader.uint32("revocation.credentialID")
        threshold = try reader.uint64("revocation.threshold")
        flags = try reader.uint64("revocation.flags")
        target = try reader.address("revocation.target")
        signer = try reader.address("revocation.signer")
        credentialType = try reader.uint8("revocation.credentialType")
        signature = try CredentialForm.readSignature(&reader, "revocation.signature")
        try CredentialForm.skipExtension(&reader, "revocation.extension")
    }

    private func writeBody(_ writer: inout ByteWriter) {
        writer.uint32(0)
        writer.uint32(id)
        writer.networkID(network)
        writer.uint32(0)
        writer.uint32(credentialID)
        writer.uint64(threshold)
        writer.uint64(flags)
        writer.address(target)
        writer.address(signer)
        writer.uint8(credentialType)
    }

    package func encode(into writer: inout ByteWriter) {
        writeBody(&writer)
        CredentialForm.writeSignature(signature, &writer)
        writer.uint16(0)
    }

    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 152)
        encode(into: &writer)
        return writer.bytes
    }

    package var signedBytes: [UInt8] {
        var writer = ByteWriter()
        writeBody(&writer)
        return CredentialForm.signedBytes(writer.bytes)
    }

    /// Whether the revocation must be passed on.
    package var isFastPropagated: Bool { flags & Revocation.fastPropagate != 0 }

    package func verdict(_ identity: (Address) -> Identity?) -> CredentialVerdict {
        guard signer == network.controller, target.value != 0 else { return .invalid }
        return CredentialForm.check(signature, of: signedBytes, by: signer, identity)
    }
}
