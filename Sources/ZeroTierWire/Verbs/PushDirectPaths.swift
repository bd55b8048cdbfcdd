//  PUSH_DIRECT_PATHS (0x10): addresses at which the sender may be reached.
//
//  offset size  field
//   28     2    number of records
//   30     ..   records: u8 flags, u16 length e of an extension, e bytes, u8 address type (4, 6), u8 address length
//               (6, 18), IP address (4, 16), u16 port
//
//  Flags: 0x01 forget this path (never sent, such records are ignored), 0x02 cluster redirect: use this path instead.

package import NetPrimitives

/// The payload of PUSH_DIRECT_PATHS.
package struct PushDirectPaths: WirePayload, Hashable {
    /// One address.
    package struct Record: Hashable, Sendable {
        package static let forgetFlag: UInt8 = 0x01
        package static let clusterRedirectFlag: UInt8 = 0x02

        package var flags: UInt8
        package var endpoint: SocketEndpoint

        package init(flags: UInt8 = 0, endpoint: SocketEndpoint) {
            self.flags = flags
            self.endpoint = endpoint
        }

        package var isForget: Bool { flags & Record.forgetFlag != 0 }
        package var isClusterRedirect: Bool { flags & Record.clusterRedirectFlag != 0 }

        /// Bytes of the record when written.
        var length: Int { 5 + endpoint.address.byteCount + 2 }
    }

    /// Records of IP addresses in the packet's order; other kinds are passed over when reading.
    package var records: [Record]

    package init(_ records: [Record]) {
        self.records = records
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        records = []
        let count = Int(try reader.uint16("directPaths.count"))
        // Each record takes at least 5 bytes, so the payload's length bounds the loop.
        for _ in 0..<count {
            if let record = try PushDirectPaths.readRecord(&reader) { records.append(record) }
        }
    }

    private static func readRecord(_ reader: inout WireReader) throws(WireError) -> Record? {
        let flags = try reader.uint8("directPaths.flags")
        try reader.skip(Int(try reader.uint16("directPaths.extensionLength")), "directPaths.extension")
        let type = try reader.uint8("directPaths.addressType")
        let length = Int(try reader.uint8("directPaths.addressLength"))
        var inner = WireReader(try reader.bytes(length, "directPaths.address"))
        let size: Int
        switch type {
        case 4: size = 4
        case 6: size = 16
        default: return nil
        }
        guard let address = IPAddress(try inner.bytes(size, "directPaths.address")) else { return nil }
        return Record(flags: flags, endpoint: SocketEndpoint(address, port: try inner.uint16("directPaths.port")))
    }

    package func encode(into writer: inout ByteWriter) {
        let kept = records.prefix(Int(UInt16.max))
        writer.uint16(UInt16(kept.count))
        for record in kept {
            writer.uint8(record.flags)
            writer.uint16(0)
            writer.uint8(record.endpoint.address.isIPv4 ? 4 : 6)
            writer.uint8(UInt8(record.endpoint.address.byteCount + 2))
            writer.bytes(record.endpoint.address.bytes)
            writer.uint16(record.endpoint.port)
        }
    }

    /// As many payloads as `endpoints` need when no packet is to be longer than 1200 bytes; none for no endpoints.
    package static func packets(for endpoints: [SocketEndpoint]) -> [PushDirectPaths] {
        var packets: [PushDirectPaths] = []
        var records: [Record] = []
        var length = PacketHeader.payloadOffset + 2
        for endpoint in endpoints {
            let record = Record(endpoint: endpoint)
            if length + record.length > ProtocolLimits.directPathsPacketLength {
                packets.append(PushDirectPaths(records))
                records = []
                length = PacketHeader.payloadOffset + 2
            }
            records.append(record)
            length += record.length
        }
        if !records.isEmpty { packets.append(PushDirectPaths(records)) }
        return packets
    }
}
