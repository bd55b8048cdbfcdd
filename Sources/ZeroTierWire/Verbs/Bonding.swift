//  QOS_MEASUREMENT (0x13) and PATH_NEGOTIATION_REQUEST (0x16): messages of nodes with bonded paths. Both come in suite
//  0, and are ignored unless there is a bond with the sender. Read only.

/// The payload of QOS_MEASUREMENT: records of 10 bytes in the sender's host order, little-endian in practice.
package struct QualityMeasurement: Hashable, Sendable {
    /// One packet that the sender of this measurement received.
    package struct Record: Hashable, Sendable {
        package var packetID: PacketID
        /// How long the sender held the packet before it reported it, milliseconds.
        package var holdingMilliseconds: UInt16
    }

    /// At most 140 records.
    package let records: [Record]

    /// Throws unless there are 9 to 1400 bytes; an incomplete record at the end is ignored.
    package init(decoding payload: [UInt8]) throws(WireError) {
        guard payload.count >= ProtocolLimits.qualityPayload.lowerBound else {
            throw .truncated(
                field: "quality.records", expected: ProtocolLimits.qualityPayload.lowerBound, found: payload.count)
        }
        guard payload.count <= ProtocolLimits.qualityPayload.upperBound else {
            throw .tooLong(
                field: "quality.records", limit: ProtocolLimits.qualityPayload.upperBound, found: payload.count)
        }
        var reader = WireReader(payload)
        var records: [Record] = []
        while reader.remaining >= 10, records.count < ProtocolLimits.qualityRecords {
            let packetID = PacketID(try reader.uint64("quality.packetID").byteSwapped)
            let holding = try reader.uint16("quality.holding").byteSwapped
            records.append(Record(packetID: packetID, holdingMilliseconds: holding))
        }
        self.records = records
    }
}

/// The payload of PATH_NEGOTIATION_REQUEST: how much better the path it came on is for the sender.
package struct PathNegotiationRequest: Hashable, Sendable {
    package let utility: Int16

    /// Throws unless there are exactly 2 bytes.
    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        utility = Int16(bitPattern: try reader.uint16("pathNegotiation.utility"))
        guard reader.isAtEnd else {
            throw .tooLong(field: "pathNegotiation", limit: 2, found: payload.count)
        }
    }
}
