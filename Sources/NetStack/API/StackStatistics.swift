// Counters: what passed, and how many packets died for which reason.

/// Counters of one stack since it was made. A snapshot is a copy.
package struct StackStatistics: Sendable {
    /// Of one protocol: received, sent, and wrong.
    package struct ProtocolCounters: Sendable, Equatable {
        package var received: UInt64 = 0
        package var sent: UInt64 = 0
        package var dropped: UInt64 = 0
        package var checksumErrors: UInt64 = 0
        package var lengthErrors: UInt64 = 0
        package var memoryErrors: UInt64 = 0
        package var routingErrors: UInt64 = 0
        package var protocolErrors: UInt64 = 0
        package var optionErrors: UInt64 = 0
    }

    /// Frames and their bytes from and to the link.
    package var framesReceived: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var framesSent: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// Packets that went over the loop-back.
    package var loopbackPackets: UInt64 = 0
    package var arp = ProtocolCounters()
    package var ipv4 = ProtocolCounters()
    package var ipv6 = ProtocolCounters()
    package var icmp4 = ProtocolCounters()
    package var icmp6 = ProtocolCounters()
    package var igmp = ProtocolCounters()
    /// Neighbour discovery: a part of `icmp6`.
    package var nd6 = ProtocolCounters()
    package var udp = ProtocolCounters()
    package var tcp = ProtocolCounters()
    /// Datagrams put together and cut up.
    package var reassembled: UInt64 = 0
    package var fragmented: UInt64 = 0
    package var fragmentsSent: UInt64 = 0
    /// Resets sent for segments that belong to nothing.
    package var resetsSent: UInt64 = 0
    /// TCP segments with data that were sent again.
    package var retransmitted: UInt64 = 0
    /// ICMP errors sent.
    package var errorsSent: UInt64 = 0
    /// Path MTU changes believed.
    package var pathMTUChanges: UInt64 = 0
    /// How often the last connection looked up was looked up again.
    package var cacheHits: UInt64 = 0

    private var drops = [UInt64](repeating: 0, count: StackDropReason.allCases.count)

    /// No counts.
    package init() {}

    /// How many packets died this way.
    package func dropped(_ reason: StackDropReason) -> UInt64 { drops[reason.rawValue] }

    mutating func count(_ reason: StackDropReason) { drops[reason.rawValue] &+= 1 }
}
