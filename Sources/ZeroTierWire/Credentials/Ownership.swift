//  Certificate of ownership (the original's COO): addresses that belong to a member.
//  Read first: zerotier/ZeroTierOne node/CertificateOfOwnership.hpp (facts only).
//
//  u64 network | i64 timestamp | u64 flags | u32 id | u16 n | n x (u8 type, 16 bytes) | 5 issued to | 5 signer
//  | signature block | extension

package import NetPrimitives

/// A certificate of ownership.
package struct Ownership: Hashable, Sendable {
    /// Something that can be owned.
    package enum Thing: Hashable, Sendable {
        case mac(MACAddress)
        case ip(IPAddress)
        /// Type 0 or one that is not known: nothing is compared with it.
        case other(UInt8, [UInt8])
    }

    package var network: NetworkID
    /// Controller time in milliseconds.
    package var timestamp: UInt64
    package var flags: UInt64
    package var id: UInt32
    package var things: [Thing]
    package var issuedTo: Address
    package var signer: Address
    package var signature: [UInt8]

    /// A signed certificate. The controller's identity must have its secret.
    package init(
        network: NetworkID, timestamp: UInt64, id: UInt32, things: [Thing], issuedTo: Address,
        signedBy controller: Identity
    ) {
        self.network = network
        self.timestamp = timestamp
        flags = 0
        self.id = id
        self.things = things
        self.issuedTo = issuedTo
        signer = controller.address
        signature = []
        signature = CredentialForm.sign(signedBytes, with: controller)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        network = try reader.networkID("ownership.network")
        timestamp = try reader.uint64("ownership.timestamp")
        flags = try reader.uint64("ownership.flags")
        id = try reader.uint32("ownership.id")
        let count = Int(try reader.uint16("ownership.count"))
        guard count <= ProtocolLimits.thingsPerOwnership else {
            throw .tooLong(
                field: "ownership.count", limit: ProtocolLimits.thingsPerOwnership, found: count)
        }
        things = []
        for _ in 0..<count {
            let type = try reader.uint8("ownership.type")
            let value = try reader.bytes(Ownership.valueLength, "ownership.value")
            things.append(Thing(type: type, value: value))
        }
        issuedTo = try reader.address("ownership.issuedTo")
        signer = try reader.address("ownership.signer")
        signature = try CredentialForm.readSignature(&reader, "ownership.signature")
        try CredentialForm.skipExtension(&reader, "ownership.extension")
    }

    static let valueLength = 16

    private func writeBody(_ writer: inout ByteWriter) {
        writer.networkID(network)
        writer.uint64(timestamp)
        writer.uint64(flags)
        writer.uint32(id)
        writer.uint16(UInt16(truncatingIfNeeded: things.count))
        for thing in things {
            writer.uint8(thing.type)
            let value = thing.value.prefix(Ownership.valueLength)
            writer.bytes(value + [UInt8](repeating: 0, count: Ownership.valueLength - value.count))
        }
        writer.address(issuedTo)
        writer.address(signer)
    }

    package func encode(into writer: inout ByteWriter) {
        writeBody(&writer)
        CredentialForm.writeSignature(signature, &writer)
        writer.uint16(0)
    }

    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 256)
        encode(into: &writer)
        return writer.bytes
    }

    package var signedBytes: [UInt8] {
        var writer = ByteWriter()
        writeBody(&writer)
        return CredentialForm.signedBytes(writer.bytes)
    }

    package func owns(_ mac: MACAddress) -> Bool { things.contains(.mac(mac)) }
    package func owns(_ address: IPAddress) -> Bool { things.contains(.ip(address)) }

    package func verdict(_ identity: (Address) -> Identity?) -> CredentialVerdict {
        guard signer == network.controller, issuedTo.value != 0 else { return .invalid }
        return CredentialForm.check(signature, of: signedBytes, by: signer, identity)
    }
}

extension Ownership.Thing {
    // The value is zero-padded; bytes beyond the used length are kept only where they cannot be re-made.
    init(type: UInt8, value: [UInt8]) {
        let isPadded = { (used: Int) in value[used...].allSatisfy { $0 == 0 } }
        switch type {
        case 1 where isPadded(6): self = MACAddress(Array(value[0..<6])).map { .mac($0) } ?? .other(type, value)
        case 2 where isPadded(4): self = IPAddress(Array(value[0..<4])).map { .ip($0) } ?? .other(type, value)
        case 3: self = IPAddress(value).map { .ip($0) } ?? .other(type, value)
        default: self = .other(type, value)
        }
    }

    /// The number on the wire.
    package var type: UInt8 {
        switch self {
        case .mac: 1
        case .ip(let address): address.isIPv4 ? 2 : 3
        case .other(let type, _): type
        }
    }

    /// The used bytes on the wire, without padding.
    package var value: [UInt8] {
        switch self {
        case .mac(let mac): mac.bytes
        case .ip(let address): address.bytes
        case .other(_, let bytes): bytes
        }
    }
}
