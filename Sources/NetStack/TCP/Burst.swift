// What a connection wants sent, in numbers: up to some 45 equal segments, booked when the description is made, written
// one by one into the slots that the link lends.

/// A run of segments of one connection. Valid until the connection's next mutating call.
package struct TCPBurst: Sendable {
    /// Offset in the send stream of the first payload byte.
    var streamOffset = 0
    /// Sequence number of the first segment.
    package var sequence = SequenceNumber(0)
    package var acknowledgment = SequenceNumber(0)
    /// The window field, scaled.
    package var window: UInt16 = 0
    /// Flags of every segment.
    package var flags: SegmentFlags = []
    /// Flags of the last segment besides: PSH, FIN.
    package var lastFlags: SegmentFlags = []
    /// Bytes of payload of all segments together.
    package var payloadLength = 0
    /// Payload of every segment but the last.
    package var segmentSize = 0
    /// How many segments: at least 1.
    package var count = 1
    /// TCP header with options, the same for all.
    package var headerLength = 20
    /// Whether payload is sent again.
    package var isRetransmission = false

    var sourcePort: UInt16 = 0
    var destinationPort: UInt16 = 0
    var timestamp: SegmentOptions.Timestamp?
    var sackBlocks = SackBlocks()
    /// Only with SYN.
    var synOptions: SynOptions?
    /// Partial checksum of everything that is the same in all segments: pseudo header, ports, ACK, window, options.
    var templateSum: UInt32 = 0

    struct SynOptions: Sendable {
        var maximumSegmentSize: UInt16
        var windowScale: UInt8?
        var sackPermitted: Bool
    }

    package init() {}

    /// Length of a segment: header and payload.
    package func length(_ segment: Int) -> Int { headerLength + payload(segment) }

    /// Payload bytes of a segment.
    package func payload(_ segment: Int) -> Int {
        segment == count - 1 ? payloadLength - segmentSize * (count - 1) : segmentSize
    }
}
