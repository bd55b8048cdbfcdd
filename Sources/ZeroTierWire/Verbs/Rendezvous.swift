//  RENDEZVOUS (0x05): a root tells two peers of each other.
//
//  offset size  field
//   28     1    flags, 0
//   29     5    address of the peer to contact
//   34     2    its port
//   36     1    length of its IP address: 4 or 16
//   37    4/16  its IP address

package import NetPrimitives

/// The payload of RENDEZVOUS.
package struct Rendezvous: WirePayload, Hashable {
    package var peer: Address
    package var endpoint: SocketEndpoint

    package init(peer: Address, endpoint: SocketEndpoint) {
        self.peer = peer
        self.endpoint = endpoint
    }

    /// Throws for port 0 and for an address that is neither IPv4 nor IPv6. Flags are ignored.
    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        _ = try reader.uint8("rendezvous.flags")
        peer = try reader.address("rendezvous.peer")
        let port = try reader.uint16("rendezvous.port")
        guard port > 0 else { throw .invalid(field: "rendezvous.port", expected: "not 0", found: 0) }
        let length = Int(try reader.uint8("rendezvous.addressLength"))
        guard length == 4 || length == 16,
            let address = IPAddress(try reader.bytes(length, "rendezvous.address"))
        else {
            throw .invalid(field: "rendezvous.addressLength", expected: "4 or 16", found: UInt64(length))
        }
        endpoint = SocketEndpoint(address, port: port)
    }

    package func encode(into writer: inout ByteWriter) {
        writer.uint8(0)
        writer.address(peer)
        writer.uint16(endpoint.port)
        writer.uint8(UInt8(endpoint.address.byteCount))
        writer.bytes(endpoint.address.bytes)
    }
}
