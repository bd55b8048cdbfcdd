//  MULTICAST_LIKE (0x09): groups whose frames the sender wants. Records of 18 bytes from offset 28 to the end: u64
//  network ID, 6 MAC, u32 distinguisher. An incomplete record at the end is ignored.

package import NetPrimitives

/// The payload of MULTICAST_LIKE.
package struct MulticastLike: WirePayload, Hashable {
    /// One wish.
    package struct Record: Hashable, Sendable {
        package var network: NetworkID
        package var group: MulticastGroup

        package init(network: NetworkID, group: MulticastGroup) {
            self.network = network
            self.group = group
        }
    }

    package var records: [Record]

    package init(_ records: [Record]) { self.records = records }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        records = []
        while reader.remaining >= ProtocolLimits.likeRecordLength {
            let network = try reader.networkID("like.network")
            records.append(Record(network: network, group: try MulticastGroup(from: &reader, "like.group")))
        }
    }

    package func encode(into writer: inout ByteWriter) {
        for record in records {
            writer.networkID(record.network)
            record.group.encode(into: &writer)
        }
    }
}

extension MulticastGroup {
    /// Reads 6 bytes MAC and u32 distinguisher.
    package init(from reader: inout WireReader, _ field: String) throws(WireError) {
        let mac = MACAddress(try reader.uint48(field))
        self.init(mac: mac, distinguisher: try reader.uint32(field))
    }

    package func encode(into writer: inout ByteWriter) {
        writer.uint48(mac.bits)
        writer.uint32(distinguisher)
    }
}
