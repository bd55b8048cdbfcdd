//  MULTICAST_FRAME (0x0e): a copy of a multicast Ethernet frame for one subscriber.
//
//  offset size  field
//   28     8    network ID
//   36     1    flags: 0x01 membership (obsolete), 0x02 gather limit, 0x04 source MAC, 0x08 please replicate
//   37     ..   membership, if flagged
//   ..     4    gather limit, if flagged: also tell me this many subscribers
//   ..     6    source MAC, if flagged; else it follows from the sender
//   ..    10    group: 6 destination MAC, u32 distinguisher
//   ..     2    EtherType
//   ..     ..   Ethernet payload
//
//  OK: 37 u64 network ID, 10 group, u8 flags: 0x01 membership, 0x02 `GatherResult`

package import NetPrimitives

/// The payload of MULTICAST_FRAME.
package struct MulticastFrame: WirePayload, Hashable {
    package static let membershipFlag: UInt8 = 0x01
    package static let gatherFlag: UInt8 = 0x02
    package static let sourceFlag: UInt8 = 0x04
    package static let replicateFlag: UInt8 = 0x08

    package var network: NetworkID
    package var membership: Membership?
    package var gatherLimit: UInt32?
    package var source: MACAddress?
    package var isToBeReplicated: Bool
    package var group: MulticastGroup
    package var etherType: UInt16
    package var data: [UInt8]

    package init(
        network: NetworkID, gatherLimit: UInt32? = nil, source: MACAddress? = nil, isToBeReplicated: Bool = false,
        group: MulticastGroup, etherType: UInt16, data: [UInt8]
    ) {
        self.network = network
        membership = nil
        self.gatherLimit = gatherLimit
        self.source = source
        self.isToBeReplicated = isToBeReplicated
        self.group = group
        self.etherType = etherType
        self.data = data
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        network = try reader.networkID("multicast.network")
        let flags = try reader.uint8("multicast.flags")
        membership = flags & MulticastFrame.membershipFlag != 0 ? try Membership(from: &reader) : nil
        gatherLimit =
            flags & MulticastFrame.gatherFlag != 0 ? try reader.uint32("multicast.gatherLimit") : nil
        source =
            flags & MulticastFrame.sourceFlag != 0 ? MACAddress(try reader.uint48("multicast.source")) : nil
        isToBeReplicated = flags & MulticastFrame.replicateFlag != 0
        group = try MulticastGroup(from: &reader, "multicast.group")
        etherType = try reader.uint16("multicast.etherType")
        data = reader.rest()
    }

    package func encode(into writer: inout ByteWriter) {
        writer.networkID(network)
        var flags: UInt8 = 0
        if membership != nil { flags |= MulticastFrame.membershipFlag }
        if gatherLimit != nil { flags |= MulticastFrame.gatherFlag }
        if source != nil { flags |= MulticastFrame.sourceFlag }
        if isToBeReplicated { flags |= MulticastFrame.replicateFlag }
        writer.uint8(flags)
        membership?.encode(into: &writer)
        if let gatherLimit { writer.uint32(gatherLimit) }
        if let source { writer.uint48(source.bits) }
        group.encode(into: &writer)
        writer.uint16(etherType)
        writer.bytes(data)
    }
}

/// The body of OK(MULTICAST_FRAME), behind `OKHeader`.
package struct MulticastFrameReply: WirePayload, Hashable {
    package var network: NetworkID
    package var group: MulticastGroup
    package var membership: Membership?
    package var result: GatherResult?

    package init(network: NetworkID, group: MulticastGroup, result: GatherResult?) {
        self.network = network
        self.group = group
        membership = nil
        self.result = result
    }

    package init(decoding body: [UInt8]) throws(WireError) {
        var reader = WireReader(body)
        network = try reader.networkID("multicastReply.network")
        group = try MulticastGroup(from: &reader, "multicastReply.group")
        let flags = try reader.uint8("multicastReply.flags")
        membership = flags & MulticastFrame.membershipFlag != 0 ? try Membership(from: &reader) : nil
        result = flags & MulticastFrame.gatherFlag != 0 ? try GatherResult(from: &reader) : nil
    }

    package func encode(into writer: inout ByteWriter) {
        writer.networkID(network)
        group.encode(into: &writer)
        var flags: UInt8 = 0
        if membership != nil { flags |= MulticastFrame.membershipFlag }
        if result != nil { flags |= MulticastFrame.gatherFlag }
        writer.uint8(flags)
        membership?.encode(into: &writer)
        result?.encode(into: &writer)
    }
}
