// Names and values that calls on sockets take: options, flags, directions.
// Read first: socket(7), ip(7), tcp(7), ipv6(7). Numbers of flags are lwIP's, as the C interface shows them.

package import NetPrimitives

/// An option of a socket. Values are those of Linux, in plain numbers. `row` has the facts of each.
package enum SocketOption: Int, Hashable, Sendable, CaseIterable {
    /// SO_REUSEADDR, 0 or 1.
    case reuseAddress
    /// SO_REUSEPORT, 0 or 1.
    case reusePort
    /// SO_KEEPALIVE, 0 or 1.
    case keepAlive
    /// SO_BROADCAST, 0 or 1.
    case broadcast
    /// SO_OOBINLINE, 0 or 1; urgent data is always in line here.
    case outOfBandInline
    /// SO_LINGER.
    case linger
    /// SO_SNDBUF, bytes; the value read is twice the value set, as on Linux.
    case sendBuffer
    /// SO_RCVBUF, bytes; the value read is twice the value set, as on Linux.
    case receiveBuffer
    /// SO_RCVLOWAT, bytes.
    case receiveLowWater
    /// SO_SNDLOWAT, bytes; always 1.
    case sendLowWater
    /// SO_RCVTIMEO; nil is none.
    case receiveTimeout
    /// SO_SNDTIMEO; nil is none.
    case sendTimeout
    /// SO_CONTIMEO: how long a blocking connect takes at most, then ETIMEDOUT; nil is none.
    case connectTimeout
    /// SO_ERROR, read only: the pending error's number, which is cleared, or 0.
    case error
    /// SO_TYPE, read only: 1 is a stream, 2 datagrams.
    case type
    /// SO_ACCEPTCONN, read only: 1 while listening.
    case acceptsConnections
    /// SO_DOMAIN, read only: 2 or 10.
    case domain
    /// SO_PROTOCOL, read only: 6 or 17.
    case protocolNumber
    /// SO_NO_CHECK, 0 or 1: IPv4 datagrams leave without a UDP checksum.
    case noChecksum
    /// IP_TTL and IPV6_UNICAST_HOPS, 1...255; -1 is the default.
    case timeToLive
    /// IP_TOS and IPV6_TCLASS, 0...255.
    case typeOfService
    /// IP_MULTICAST_TTL and IPV6_MULTICAST_HOPS, 0...255; -1 is the default of 1.
    case multicastTimeToLive
    /// IP_MULTICAST_IF: datagrams to groups leave by the network on which this node has this address; unspecified for
    /// any.
    case multicastInterface
    /// IP_MULTICAST_LOOP and IPV6_MULTICAST_LOOP, 0 or 1.
    case multicastLoop
    /// IP_MTU_DISCOVER: 0 never, 1 want, 2 always.
    case pathMTUDiscovery
    /// IPV6_V6ONLY, 0 or 1; only before bind.
    case ipv6Only
    /// TCP_NODELAY, 0 or 1.
    case noDelay
    /// TCP_CORK, 0 or 1.
    case cork
    /// TCP_KEEPIDLE, seconds 1...32767.
    case keepAliveIdle
    /// TCP_KEEPALIVE of lwIP: the idle time in milliseconds.
    case keepAliveIdleMilliseconds
    /// TCP_KEEPINTVL, seconds 1...32767.
    case keepAliveInterval
    /// TCP_KEEPCNT, 1...127.
    case keepAliveCount
    /// TCP_USER_TIMEOUT, milliseconds.
    case userTimeout
    /// TCP_SYNCNT, 1...127.
    case synCount
    /// TCP_LINGER2, seconds; negative is 0.
    case finWaitTimeout
    /// TCP_MAXSEG, bytes 88...32767.
    case maximumSegment
    /// TCP_CONGESTION: the name of the congestion control, "bbr", "cubic" or "reno".
    case congestionControl
}

/// The value of an option.
package enum SocketOptionValue: Hashable, Sendable {
    /// Switches, sizes, counts.
    case integer(Int)
    /// Time-outs; nil is none.
    case duration(Duration?)
    /// SO_LINGER.
    case linger(Linger)
    /// TCP_CONGESTION.
    case name(String)
    /// IP_MULTICAST_IF.
    case address(IPAddress)
}

/// SO_LINGER.
package struct Linger: Hashable, Sendable {
    /// Whether `close` waits, or resets if `seconds` is 0.
    package var isOn: Bool
    /// How long `close` waits until the peer has acknowledged everything.
    package var seconds: Int

    package init(isOn: Bool, seconds: Int) {
        self.isOn = isOn
        self.seconds = seconds
    }
}

/// Flags of one send or receive call.
package struct MessageFlags: OptionSet, Hashable, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// MSG_PEEK: the bytes stay unread.
    package static let peek = MessageFlags(rawValue: 0x01)
    /// MSG_WAITALL: wait until the buffer is full or the stream ends.
    package static let waitAll = MessageFlags(rawValue: 0x02)
    /// MSG_OOB: not supported; urgent data is in line.
    package static let outOfBand = MessageFlags(rawValue: 0x04)
    /// MSG_DONTWAIT: this call does not block.
    package static let dontWait = MessageFlags(rawValue: 0x08)
    /// MSG_MORE: more will follow at once, do not send a short segment for this.
    package static let more = MessageFlags(rawValue: 0x10)
    /// MSG_NOSIGNAL: no signal is ever raised.
    package static let noSignal = MessageFlags(rawValue: 0x20)
    /// MSG_TRUNC as an input flag: give a datagram's whole length, even if it was cut.
    package static let wholeLength = MessageFlags(rawValue: 0x40)
    /// MSG_WAITFORONE: a batch waits for its first message only.
    package static let waitForOne = MessageFlags(rawValue: 0x80)
}

/// Which directions `shutdown` ends. The raw values are SHUT_RD, SHUT_WR and SHUT_RDWR.
package enum ShutdownSide: Int32, Hashable, Sendable {
    case receive = 0
    case send = 1
    case both = 2
}

/// Numbers of families, types and protocols, and bounds of the socket layer.
package enum SocketLimits {
    /// The most descriptors; their numbers are below it.
    package static let descriptors = 65_536
    /// Descriptors that `select` can name.
    package static let selectable = 1_024
    /// AF_INET and AF_INET6.
    package static let familyIPv4: Int32 = 2
    package static let familyIPv6: Int32 = 10
    /// SOCK_STREAM, SOCK_DGRAM, SOCK_RAW.
    package static let typeStream: Int32 = 1
    package static let typeDatagram: Int32 = 2
    package static let typeRaw: Int32 = 3
    /// IPPROTO_TCP and IPPROTO_UDP.
    package static let protocolTCP: Int32 = 6
    package static let protocolUDP: Int32 = 17
    /// The largest UDP payload.
    static let datagramBytes = 65_535
    /// The most that a call copies if it receives into several pieces and cannot do so in place.
    static let scatterBytes = 1 << 20
    /// The most messages that one call sends, as UIO_MAXIOV.
    static let batchMessages = 1024
}
