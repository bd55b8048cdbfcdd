// Counters: what passed, and each way in which a packet dies.

/// Why a packet was dropped. Remote input never does worse than be counted here.
package enum StackDropReason: Int, Sendable, CaseIterable {
    /// The interface is unknown or gone.
    case noInterface
    /// The EtherType is none of ARP, IPv4, IPv6.
    case unknownEtherType
    /// The frame is to another station, or to a group that was not joined.
    case foreignMAC
    /// Our own frame came back.
    case ownMAC
    /// Shorter than its header, or than its header says.
    case truncated
    /// A header field has no legal value.
    case malformed
    /// The IPv4 header's checksum is wrong.
    case ipChecksum
    /// The ICMP, IGMP, UDP or TCP checksum is wrong.
    case checksum
    /// Source route, or an option that may not be.
    case options
    /// Loop-back, our own or an impossible address from outside.
    case martian
    /// The IP destination is not ours.
    case notForUs
    /// The transport protocol is not served.
    case unknownProtocol
    /// No socket; an error or a reset goes back.
    case noSocket
    /// The socket's queue is full.
    case queueFull
    /// A fragment overlaps another or contradicts it.
    case fragmentOverlap
    /// A fragment's position is impossible.
    case fragmentMalformed
    /// A bound of the reassembly was reached.
    case reassemblyFull
    /// The rest of a datagram did not come in time.
    case reassemblyTimeout
    /// Too many extension headers, or an option that forbids the packet.
    case extensionHeader
    /// A neighbour discovery message whose hop limit is not 255 or that is malformed.
    case neighbourDiscovery
    /// A router advertisement or solicitation that is not wanted.
    case routerMessage
    /// An ICMP message that this stack does not follow (redirect, source quench, timestamp ...).
    case ignoredControl
    /// An ICMP error that belongs to no packet of ours.
    case unmatchedError
    /// The pace of errors, echo replies or resets was exceeded.
    case rateLimited
    /// The queue of packets to the link is full.
    case controlQueueFull
    /// Waited for a neighbour that did not answer, or was pushed out of its queue.
    case neighbourUnresolved
    /// A station claims an address that another station is known to have.
    case contestedNeighbour
    /// The neighbour table is full.
    case neighbourTableFull
    /// The stack's bound on sockets was reached.
    case tooManySockets
    /// The listener's queue is full.
    case backlogFull
    /// TCP to or from a group or broadcast address.
    case groupTransport
    /// No route for a packet of ours.
    case noRoute
    /// The packet is larger than the path and may not be cut.
    case tooBig
    /// A segment that no state of the connection allows.
    case unacceptableSegment
}

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
