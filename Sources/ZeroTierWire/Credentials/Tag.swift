//  Tag: a number that a controller gives a member, for rules to compare.
//  Read first: zerotier/ZeroTierOne node/Tag.hpp (facts only).
//
//  u64 network | i64 timestamp | u32 id | u32 value | 5 issued to | 5 signer | signature block | extension

package import NetPrimitives

/// A tag.
package struct Tag: Hashable, Sendable {
    package var network: NetworkID
    /// Controller time in milliseconds.
    package var timestamp: UInt64
    package var id: UInt32
    package var value: UInt32
    package var issuedTo: Address
    package var signer: Address
    package var signature: [UInt8]

    /// A signed tag. The controller's identity must have its secret.
    package init(
        network: NetworkID, timestamp: UInt64, id: UInt32, value: UInt32, issuedTo: Address,
        signedBy controller: Identity
    ) {
        self.network = network
        self.timestamp = timestamp
        self.id = id
        self.value = value
        self.issuedTo = issuedTo
        signer = controller.address
        signature = []
        signature = CredentialForm.sign(signedBytes, with: controller)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        network = try reader.networkID("tag.network")
        timestamp = try reader.uint64("tag.timestamp")
        id = try reader.uint32("tag.id")
        value = try reader.uint32("tag.value")
        issuedTo = try reader.address("tag.issuedTo")
        signer = try reader.address("tag.signer")
        signature = try CredentialForm.readSignature(&reader, "tag.signature")
        try CredentialForm.skipExtension(&reader, "tag.extension")
    }

    private func writeBody(_ writer: inout ByteWriter) {
        writer.networkID(network)
        writer.uint64(timestamp)
        writer.uint32(id)
        writer.uint32(value)
        writer.address(issuedTo)
        writer.address(signer)
    }

    package func encode(into writer: inout ByteWriter) {
        writeBody(&writer)
        CredentialForm.writeSignature(signature, &writer)
        writer.uint16(0)
    }

    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 135)
        encode(into: &writer)
        return writer.bytes
    }

    package var signedBytes: [UInt8] {
        var writer = ByteWriter()
        writeBody(&writer)
        return CredentialForm.signedBytes(writer.bytes)
    }

    package func verdict(_ identity: (Address) -> Identity?) -> CredentialVerdict {
        guard signer == network.controller, issuedTo.value != 0 else { return .invalid }
        return CredentialForm.check(signature, of: signedBytes, by: signer, identity)
    }
}
