// The choices of a stack's owner. Protocol constants and memory bounds are in StackLimits.swift.

/// The choices that hold for a whole stack.
package struct StackConfiguration: Sendable {
    /// The memory bounds.
    package var limits = StackLimits()
    /// Neighbour solicitations sent before a new IPv6 address counts as ours (RFC 4862 DupAddrDetectTransmits); 0 is
    /// off.
    package var duplicateAddressTransmits = 1
    /// ARP probes sent before a new IPv4 address counts as ours (RFC 5227); 0 is off: the controller assigns.
    package var addressConflictProbes = 0
    /// ARP announcements after an IPv4 address was added (RFC 5227 ANNOUNCE_NUM).
    package var addressAnnouncements = 2
    /// Unsolicited neighbour advertisements after an IPv6 address became ours (RFC 4861 7.2.6; at most 3).
    package var unsolicitedAdvertisements = 1
    /// Time between two solicitations, probes (RFC 4861 RETRANS_TIMER).
    package var neighbourRetransmission = Duration.seconds(1)
    /// Mean time that a confirmed neighbour counts as reachable (RFC 4861 REACHABLE_TIME).
    package var neighbourReachableTime = Duration.seconds(30)
    /// Multicast solicitations before a neighbour counts as unreachable (RFC 4861 MAX_MULTICAST_SOLICIT).
    package var neighbourMulticastProbes = 3
    /// Unicast solicitations before a known neighbour counts as gone (RFC 4861 MAX_UNICAST_SOLICIT).
    package var neighbourUnicastProbes = 3
    /// The port range of `bind` to port 0 and of `connect` (RFC 6056).
    package var ephemeralPorts: ClosedRange<UInt16> = 32_768...60_999
    /// Time-to-live and hop limit of packets whose socket does not say otherwise.
    package var defaultHopLimit: UInt8 = 64
    /// How long fragments wait for the rest of their datagram (RFC 791, RFC 8200 4.5: 60 s at most).
    package var reassemblyTimeout = Duration.seconds(30)
    /// Whether ICMP echo requests are answered.
    package var answersEcho = true
    /// The congestion control of connections whose options name none.
    package var congestionControl = CongestionAlgorithm.standard
    /// Whether connections that are opened from here ask for congestion marks (RFC 3168).
    package var requestsCongestionMarks = false

    /// The defaults.
    package init() {}
}

/// What holds for one interface. Make it from the network's configuration.
package struct InterfaceConfiguration: Sendable, Hashable {
    /// Bytes of the largest Ethernet payload: 1280...10000 on a ZeroTier network.
    package var mtu: Int
    /// Whether router advertisements are heard and solicited. Off by default: any member could inject routes.
    package var acceptsRouterAdvertisements = false
    /// Whether a link-local address is made from the MAC (RFC 4291, modified EUI-64).
    package var makesLinkLocalAddress = true
    /// Whether the owner judges datagrams that were put together of fragments, as it judged the frames. They come out of
    /// `nextReassembled` and go on by `receive(reassembled:)`. If not, they go on at once.
    package var judgesReassembled = false
    /// Bytes of an Ethernet payload that one datagram of the link carries. A longer one travels in pieces and is lost with any of
    /// them. Congestion control allows for that.
    package var pieceLength = Int.max

    /// The defaults for an MTU.
    package init(mtu: Int) { self.mtu = mtu }
}
