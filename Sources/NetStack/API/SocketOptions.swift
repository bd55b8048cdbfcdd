// What an application may set on a socket below its transport. TCP's own options are `ConnectionOptions`.

package import NetPrimitives

/// Options of the IP layer and of binding, for sockets of all kinds.
package struct SocketOptions: Sendable, Hashable {
    /// How path MTUs bear on a UDP socket (IP_MTU_DISCOVER).
    package enum PathMTUDiscovery: Sendable, Hashable {
        /// Datagrams that fit the path leave with DF, larger ones are cut here.
        case want
        /// Larger ones are refused with `messageTooLong`.
        case always
        /// Never DF.
        case never
    }

    /// IP_TTL, IPV6_UNICAST_HOPS; 0 for the stack's default.
    package var hopLimit: UInt8 = 0
    /// IP_TOS, IPV6_TCLASS. The two low bits are TCP's own.
    package var trafficClass: UInt8 = 0
    /// SO_REUSEADDR.
    package var reuseAddress = false
    /// SO_REUSEPORT.
    package var reusePort = false
    /// IPV6_V6ONLY: an IPv6 wildcard does not take IPv4.
    package var isIPv6Only = false
    /// SO_BINDTODEVICE: only this interface.
    package var interface: InterfaceID?
    /// SO_BROADCAST.
    package var allowsBroadcast = false
    /// IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS.
    package var multicastHopLimit: UInt8 = 1
    /// IP_MULTICAST_LOOP: members on this stack hear it too.
    package var multicastLoop = true
    /// IP_MULTICAST_IF.
    package var multicastInterface: InterfaceID?
    /// IP_MTU_DISCOVER.
    package var pathMTUDiscovery = PathMTUDiscovery.want
    /// SO_NO_CHECK, IPv4 only.
    package var omitsChecksum = false
    /// SO_RCVBUF of a UDP socket in bytes; nil for the stack's default.
    package var receiveBytes: Int?
    /// SO_SNDBUF of a UDP socket in bytes; nil for the stack's default.
    package var sendBytes: Int?
    /// SO_LINGER: zero resets the connection on close. The caller does the waiting.
    package var resetsOnClose = false

    /// The defaults.
    package init() {}
}

/// Which directions `shutdown` ends.
package enum ShutdownDirection: Sendable, Hashable {
    case read, write, both
}

/// A datagram as `receiveFrom` tells it.
package struct ReceivedDatagram: Sendable, Hashable {
    /// Bytes copied to the caller.
    package let count: Int
    /// Bytes that the datagram has; more than `count` if it was cut.
    package let length: Int
    /// Who sent it.
    package let source: SocketEndpoint
    /// The address it was sent to.
    package let destination: IPAddress
    /// The interface it came by.
    package let interface: InterfaceID
    /// Its remaining hop limit.
    package let hopLimit: UInt8
    /// Its traffic class.
    package let trafficClass: UInt8

    /// Whether the caller's buffer was too small.
    package var isTruncated: Bool { count < length }
}
