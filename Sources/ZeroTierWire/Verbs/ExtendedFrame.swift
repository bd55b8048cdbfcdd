//  EXT_FRAME (0x07): an Ethernet frame with both MACs: bridged, or a copy that rules made.
//
//  offset size  field
//   28     8    network ID
//   36     1    flags: 0x01 membership follows (obsolete), 0x0e why it was sent, 0x10 acknowledge
//   37     ..   membership, if flagged
//   ..     6    destination MAC
//   ..     6    source MAC
//   ..     2    EtherType
//   ..     ..   Ethernet payload

package import NetPrimitives

/// The payload of EXT_FRAME in owned bytes.
package struct ExtendedFrame: WirePayload, Hashable {
    /// Why the frame was sent. For information only: receivers decide by rules.
    package enum Reason: UInt8, Hashable, Sendable, CaseIterable {
        case normal = 0x00
        case outboundTee = 0x02
        case outboundRedirect = 0x04
        case outboundWatch = 0x06
        case inboundTee = 0x08
        case inboundRedirect = 0x0a
        case inboundWatch = 0x0c
        case unused = 0x0e
    }

    /// Bytes before the Ethernet payload without a membership.
    package static let headerLength = 23
    package static let membershipFlag: UInt8 = 0x01
    package static let reasonMask: UInt8 = 0x0e
    package static let acknowledgeFlag: UInt8 = 0x10

    package var network: NetworkID
    /// All flags but that of the membership.
    package var flags: UInt8
    package var membership: Membership?
    package var destination: MACAddress
    package var source: MACAddress
    package var etherType: UInt16
    package var data: [UInt8]

    package init(
        network: NetworkID, flags: UInt8 = 0, membership: Membership? = nil, destination: MACAddress,
        source: MACAddress, etherType: UInt16, data: [UInt8]
    ) {
        self.network = network
        self.flags = flags & ~ExtendedFrame.membershipFlag
        self.membership = membership
        self.destination = destination
        self.source = source
        self.etherType = etherType
        self.data = data
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        network = try reader.networkID("extendedFrame.network")
        let allFlags = try reader.uint8("extendedFrame.flags")
        flags = allFlags & ~ExtendedFrame.membershipFlag
        membership = allFlags & ExtendedFrame.membershipFlag != 0 ? try Membership(from: &reader) : nil
        destination = MACAddress(try reader.uint48("extendedFrame.destination"))
        source = MACAddress(try reader.uint48("extendedFrame.source"))
        etherType = try reader.uint16("extendedFrame.etherType")
        data = reader.rest()
    }

    package var reason: Reason { Reason(rawValue: flags & ExtendedFrame.reasonMask) ?? .normal }
    package var wantsAcknowledgement: Bool { flags & ExtendedFrame.acknowledgeFlag != 0 }

    package func encode(into writer: inout ByteWriter) {
        writer.networkID(network)
        writer.uint8(flags | (membership == nil ? 0 : ExtendedFrame.membershipFlag))
        membership?.encode(into: &writer)
        writer.uint48(destination.bits)
        writer.uint48(source.bits)
        writer.uint16(etherType)
        writer.bytes(data)
    }
}
