//  FRAME (0x06): an Ethernet frame between two members; the MACs follow from the addresses.
//
//  offset size  field
//   28     8    network ID
//   36     2    EtherType
//   38     ..   Ethernet payload; empty is a keepalive

package import NetPrimitives

/// The payload of FRAME in owned bytes. The data path reads and writes the ten header bytes in place.
package struct Frame: WirePayload, Hashable {
    /// Bytes before the Ethernet payload.
    package static let headerLength = 10

    package var network: NetworkID
    package var etherType: UInt16
    package var data: [UInt8]

    package init(network: NetworkID, etherType: UInt16, data: [UInt8]) {
        self.network = network
        self.etherType = etherType
        self.data = data
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        network = try reader.networkID("frame.network")
        etherType = try reader.uint16("frame.etherType")
        data = reader.rest()
    }

    package func encode(into writer: inout ByteWriter) {
        writer.networkID(network)
        writer.uint16(etherType)
        writer.bytes(data)
    }
}
