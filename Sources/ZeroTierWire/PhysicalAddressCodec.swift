//  The serialised physical address ("inet"): in HELLO, OK(HELLO), worlds and peer records.
//
//  type  meaning    rest                         total
//  0x00  none       -                            1
//  0x01  Ethernet   6 bytes                      7      read and passed over
//  0x02  Bluetooth  6 bytes                      7      read and passed over
//  0x03  other      u16 length n, n bytes        3 + n  read and passed over
//  0x04  IPv4       4 bytes address, u16 port    7
//  0x06  IPv6       16 bytes address, u16 port   19

package import NetPrimitives

/// Reads and writes the serialised physical address.
package enum PhysicalAddressCodec {
    private static let none: UInt8 = 0x00
    private static let ethernet: UInt8 = 0x01
    private static let bluetooth: UInt8 = 0x02
    private static let other: UInt8 = 0x03
    private static let ipv4: UInt8 = 0x04
    private static let ipv6: UInt8 = 0x06

    /// Bytes of `endpoint` when written: 1, 7 or 19.
    package static func length(of endpoint: SocketEndpoint?) -> Int {
        guard let endpoint else { return 1 }
        return 1 + endpoint.address.byteCount + 2
    }

    /// Reads one address: nil for none and for kinds that are not IP. Throws for an unknown type or missing bytes.
    package static func decode(from reader: inout WireReader, _ field: String) throws(WireError) -> SocketEndpoint? {
        let type = try reader.uint8(field)
        switch type {
        case none: return nil
        case ethernet, bluetooth:
            try reader.skip(6, field)
            return nil
        case other:
            try reader.skip(Int(try reader.uint16(field)), field)
            return nil
        case ipv4:
            let address = IPAddress(v4: try reader.uint32(field))
            return SocketEndpoint(address, port: try reader.uint16(field))
        case ipv6:
            let high = try reader.uint64(field)
            let address = IPAddress(v6High: high, low: try reader.uint64(field))
            return SocketEndpoint(address, port: try reader.uint16(field))
        default:
            throw .invalid(field: field, expected: "address type 0, 1, 2, 3, 4 or 6", found: UInt64(type))
        }
    }

    /// Appends `endpoint`, or the one byte of none.
    package static func encode(_ endpoint: SocketEndpoint?, into writer: inout ByteWriter) {
        guard let endpoint else {
            writer.uint8(none)
            return
        }
        writer.uint8(endpoint.address.isIPv4 ? ipv4 : ipv6)
        writer.bytes(endpoint.address.bytes)
        writer.uint16(endpoint.port)
    }
}
