//  A piece of a configuration: the body of OK(NETWORK_CONFIG_REQUEST) and the payload of NETWORK_CONFIG (0x0c).
//
//  size  field
//   8    network ID
//   2    length L of the piece
//   L    bytes [offset, offset + L) of the dictionary
//        (the old form ends here: one piece, unsigned)
//   1    flags: 0x01 pass on to all members
//   8    update ID, not 0
//   4    length of the whole dictionary
//   4    offset of this piece
//        (end of what is signed, which begins at the network ID)
//   1    signature type, 1
//   2    signature length, 96
//  96    signature by the controller

package import NetPrimitives

/// A piece of a configuration.
package struct NetworkConfigChunk: WirePayload, Hashable {
    package static let fastPropagateFlag: UInt8 = 0x01
    private static let signatureType: UInt8 = 1

    /// The place of a signed piece in its update.
    package struct Placement: Hashable, Sendable {
        package var flags: UInt8
        package var updateID: UInt64
        package var totalLength: UInt32
        package var offset: UInt32
        /// 96 bytes.
        package var signature: [UInt8]
    }

    package var network: NetworkID
    package var data: [UInt8]
    /// Nil for the old form.
    package var placement: Placement?

    /// A signed piece. The controller's identity must have its secret.
    package init(
        network: NetworkID, data: [UInt8], flags: UInt8 = 0, updateID: UInt64, totalLength: UInt32, offset: UInt32,
        signedBy controller: Identity
    ) {
        self.network = network
        self.data = data
        placement = Placement(
            flags: flags, updateID: updateID, totalLength: totalLength, offset: offset, signature: [])
        let signature = CredentialForm.sign(signedBytes, with: controller)
        placement?.signature = signature
    }

    /// An unsigned piece of the old form.
    package init(network: NetworkID, unsigned data: [UInt8]) {
        self.network = network
        self.data = data
        placement = nil
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        network = try reader.networkID("chunk.network")
        let length = Int(try reader.uint16("chunk.length"))
        data = try reader.bytes(length, "chunk.data")
        guard !reader.isAtEnd else {
            placement = nil
            return
        }
        let flags = try reader.uint8("chunk.flags")
        let updateID = try reader.uint64("chunk.updateID")
        let total = try reader.uint32("chunk.total")
        let offset = try reader.uint32("chunk.offset")
        let type = try reader.uint8("chunk.signatureType")
        let signatureLength = Int(try reader.uint16("chunk.signatureLength"))
        guard type == NetworkConfigChunk.signatureType, signatureLength == ProtocolLimits.signatureLength else {
            throw .invalid(field: "chunk.signatureType", expected: "1, of 96 bytes", found: UInt64(type))
        }
        let signature = try reader.bytes(signatureLength, "chunk.signature")
        guard total <= ProtocolLimits.maximumConfigurationLength else {
            throw .tooLong(
                field: "chunk.total", limit: ProtocolLimits.maximumConfigurationLength, found: Int(total))
        }
        guard Int(offset) + length <= Int(total) else {
            throw .invalid(field: "chunk.offset", expected: "a piece within the whole", found: UInt64(offset))
        }
        placement = Placement(
            flags: flags, updateID: updateID, totalLength: total, offset: offset, signature: signature)
    }

    private func writeSigned(_ writer: inout ByteWriter) {
        writer.networkID(network)
        writer.uint16(UInt16(truncatingIfNeeded: data.count))
        writer.bytes(data)
        guard let placement else { return }
        writer.uint8(placement.flags)
        writer.uint64(placement.updateID)
        writer.uint32(placement.totalLength)
        writer.uint32(placement.offset)
    }

    package func encode(into writer: inout ByteWriter) {
        writeSigned(&writer)
        guard let placement else { return }
        writer.uint8(NetworkConfigChunk.signatureType)
        writer.uint16(UInt16(placement.signature.count))
        writer.bytes(placement.signature)
    }

    /// The bytes that the signature covers.
    package var signedBytes: [UInt8] {
        var writer = ByteWriter(capacity: data.count + 32)
        writeSigned(&writer)
        return writer.bytes
    }

    /// Checks the signature. An unsigned piece is invalid here: its sender must be looked at instead.
    package func verdict(_ identity: (Address) -> Identity?) -> CredentialVerdict {
        guard let placement else { return .invalid }
        return CredentialForm.check(placement.signature, of: signedBytes, by: network.controller, identity)
    }

    /// Cuts a dictionary into signed pieces, in order.
    package static func chunks(
        of dictionary: [UInt8], network: NetworkID, updateID: UInt64, flags: UInt8 = 0, signedBy controller: Identity
    ) -> [NetworkConfigChunk] {
        var result: [NetworkConfigChunk] = []
        var offset = 0
        repeat {
            let end = min(dictionary.count, offset + ProtocolLimits.configurationChunkLength)
            result.append(
                NetworkConfigChunk(
                    network: network, data: Array(dictionary[offset..<end]), flags: flags, updateID: updateID,
                    totalLength: UInt32(dictionary.count), offset: UInt32(offset), signedBy: controller))
            offset = end
        } while offset < dictionary.count
        return result
    }
}
