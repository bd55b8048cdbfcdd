// Why the stack drops packets. Who shows them explains them: Sources/ZeroTier/API, `DropReason+Stack`.

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
