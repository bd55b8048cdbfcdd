//  MULTICAST_GATHER (0x0d): asks for the subscribers of a group.
//
//  offset size  field                        OK: offset size  field
//   28     8    network ID                        37     8    network ID
//   36     1    flags: 0x01 membership            45    10    group
//   37    10    group: 6 MAC, u32 distinguisher   55     ..   `GatherResult`
//   47     4    how many are wanted
//   51     ..   membership, if flagged

package import NetPrimitives

/// The payload of MULTICAST_GATHER.
package struct MulticastGather: WirePayload, Hashable {
    package static let membershipFlag: UInt8 = 0x01

    package var network: NetworkID
    package var group: MulticastGroup
    package var limit: UInt32
    package var membership: Membership?

    package init(network: NetworkID, group: MulticastGroup, limit: UInt32, membership: Membership? = nil) {
        self.network = network
        self.group = group
        self.limit = limit
        self.membership = membership
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        network = try reader.networkID("gather.network")
        let flags = try reader.uint8("gather.flags")
        group = try MulticastGroup(from: &reader, "gather.group")
        limit = try reader.uint32("gather.limit")
        membership = flags & MulticastGather.membershipFlag != 0 ? try Membership(from: &reader) : nil
    }

    package func encode(into writer: inout ByteWriter) {
        writer.networkID(network)
        writer.uint8(membership == nil ? 0 : MulticastGather.membershipFlag)
        group.encode(into: &writer)
        writer.uint32(limit)
        membership?.encode(into: &writer)
    }
}

/// Members of a group: u32 total known, u16 count, count x 5 addresses.
package struct GatherResult: WirePayload, Hashable {
    /// The most addresses that fit a packet behind the longest reply header.
    package static let maximumAddresses = (ProtocolLimits.maximumPayloadLength - 64) / Address.size

    /// How many the answering node knows.
    package var total: UInt32
    package var members: [Address]

    package init(total: UInt32, members: [Address]) {
        self.total = total
        self.members = members
    }

    package init(from reader: inout WireReader) throws(WireError) {
        total = try reader.uint32("gathered.total")
        let count = Int(try reader.uint16("gathered.count"))
        try reader.require(count * Address.size, "gathered.members")
        members = []
        members.reserveCapacity(count)
        for _ in 0..<count { members.append(try reader.address("gathered.members")) }
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        try self.init(from: &reader)
    }

    package func encode(into writer: inout ByteWriter) {
        writer.uint32(total)
        writer.uint16(UInt16(truncatingIfNeeded: members.count))
        for member in members { writer.address(member) }
    }
}

/// The body of OK(MULTICAST_GATHER), behind `OKHeader`.
package struct MulticastGatherReply: WirePayload, Hashable {
    package var network: NetworkID
    package var group: MulticastGroup
    package var result: GatherResult

    package init(network: NetworkID, group: MulticastGroup, result: GatherResult) {
        self.network = network
        self.group = group
        self.result = result
    }

    package init(decoding body: [UInt8]) throws(WireError) {
        var reader = WireReader(body)
        network = try reader.networkID("gathered.network")
        group = try MulticastGroup(from: &reader, "gathered.group")
        result = try GatherResult(from: &reader)
    }

    package func encode(into writer: inout ByteWriter) {
        writer.networkID(network)
        group.encode(into: &writer)
        result.encode(into: &writer)
    }
}
