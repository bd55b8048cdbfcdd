// Every bound on memory and work that a peer can push against, in one place. Tests go beyond each of them.

/// The memory bounds of one stack. The defaults suit a desktop; the simulator and small devices lower them.
package struct StackLimits: Sendable {
    /// TCP connections, embryonic ones included.
    package var streams = 65_536
    /// Bytes that the buffers of all TCP connections hold together. From 70 % on buffers no longer grow. At the bound
    /// sends fail with `noBuffers`, and new connections are refused. Bytes inside a promised window are still taken.
    package var streamBytes = 256 << 20
    /// TCP listeners.
    package var listeners = 4_096
    /// TCP ports that are bound and neither connected nor listening.
    package var reservations = 65_536
    /// UDP sockets.
    package var datagramSockets = 16_384
    /// Connections remembered in TIME-WAIT. Beyond that the oldest goes.
    package var timeWaits = 32_768
    /// Neighbours of all interfaces. Beyond that the one goes that was not in use for longest.
    package var neighbours = 4_096
    /// Neighbours whose address is being asked for.
    package var incompleteNeighbours = 1_024
    /// Neighbours that are asked for only because others sent something. They take no room from our own.
    package var incompleteNeighboursForOthers = 256
    /// Packets that wait for one neighbour.
    package var packetsPerNeighbour = 64
    /// Bytes that wait for one neighbour.
    package var bytesPerNeighbour = 131_072
    /// Bytes that wait for neighbours, all together.
    package var neighbourBytes = 4 << 20
    /// Bytes of fragments held, both families together, accounted by what they occupy.
    package var reassemblyBytes = 4 << 20
    /// Fragments of one datagram.
    package var fragmentsPerDatagram = 128
    /// Bytes of fragments held of one station. The station is the frame's source, which it cannot forge, and not the
    /// packet's.
    package var reassemblyBytesPerStation = 1 << 20
    /// Unfinished datagrams of one station.
    package var datagramsPerStation = 64
    /// Unfinished datagrams of all stations.
    package var reassemblies = 1_024
    /// Owned packets (ARP, NDP, ICMP, resets, echo) that wait for the link.
    package var controlPackets = 1_024
    /// Bytes of those.
    package var controlBytes = 4 << 20
    /// Bytes in a UDP socket's receive queue, overhead included, that each may have (Linux `rmem_default`).
    package var datagramReceiveBytes = 212_992
    /// Bytes in the receive queue of a UDP socket without a limit of its own, while all queues together are within
    /// `datagramBytes`. A fast sender sends that much until a reader gets a processor.
    package var datagramReceiveMaximum = 4 << 20
    /// Bytes in all UDP receive queues beyond which none grows over `datagramReceiveBytes`.
    package var datagramBytes = 64 << 20
    /// Bytes in a UDP socket's send queue, overhead included (Linux `wmem_default`).
    package var datagramSendBytes = 212_992
    /// Echo requests that wait for an answer.
    package var echoRequests = 1_024
    /// Destinations with a path MTU of their own.
    package var pathMTUs = 4_096
    /// Addresses per interface (ZT_MAX_ZT_ASSIGNED_ADDRESSES is 16 or 32; link-local comes on top).
    package var addressesPerInterface = 64
    /// Groups per interface that applications joined.
    package var groupsPerInterface = 256
    /// Routes of all interfaces.
    package var routes = 1_024
    /// Interfaces, the loop-back included.
    package var interfaces = 256
    /// Completed connections that one listener may hold back (Linux `somaxconn`).
    package var acceptBacklog = 4_096
    /// Destinations whose ICMP errors are paced one by one.
    package var errorDestinations = 1_024
    /// Stations whose answers (echo, errors, resets) are paced one by one.
    package var answeredStations = 1_024
    /// Packets that one call of `nextBurst` moves over the loop-back before it returns.
    package var loopbackPacketsPerCall = 256
    /// Events that a peer can cause and that wait for the owner; further ones are dropped.
    package var events = 4_096

    /// The defaults.
    package init() {}
}

/// Protocol constants of the stack.
enum StackConstants {
    /// RFC 8200: every link carries this much.
    static let minimumMTU6 = 1_280
    /// Linux `min_pmtu`: a path MTU below it is not believed.
    static let minimumPathMTU4 = 552
    /// The least that an interface may have for IPv4 (RFC 791).
    static let minimumMTU4 = 68
    /// The largest Ethernet payload of an interface.
    static let maximumMTU = 65_535
    /// The loop-back interface's MTU.
    static let loopbackMTU = 65_535
    /// The largest UDP payload over IPv4 and IPv6.
    static let maximumPayload4 = 65_507
    static let maximumPayload6 = 65_527
    /// Bytes of options that an extension header may have.
    static let maximumOptionBytes = 256
    /// RFC 5227 ANNOUNCE_INTERVAL and DEFEND_INTERVAL.
    static let announcementInterval = Duration.seconds(2)
    static let defendInterval = Duration.seconds(10)
    /// An address that somebody else claimed is asked for again after this time to twice as much; doubled up to four times.
    static let recheckInterval = Duration.seconds(60)
    static let mostRecheckDoublings = 4
    /// RFC 4861 DELAY_FIRST_PROBE_TIME.
    static let delayFirstProbe = Duration.seconds(5)
    /// How long a path MTU is believed (RFC 1191: 10 minutes).
    static let pathMTULifetime = Duration.seconds(600)
    /// Echo replies, ICMP errors and resets to one station, per second and at once (Linux `icmp_msgs_per_sec`,
    /// `icmp_msgs_burst`, which count all together).
    static let errorsPerSecond = 1_000
    static let errorBurst = 50
    /// The same to all stations together, per second. A station that had few in this slice of time still gets some.
    static let errorsPerSecondToAll = 10_000
    static let errorsBeyondAll = 4
    /// At most one ICMP error to one destination in this time.
    static let errorInterval = Duration.seconds(1)
    /// Overhead that is charged to a queue for each datagram or fragment.
    static let datagramOverhead = 64
    /// RFC 4861 MAX_RTR_SOLICITATIONS and RTR_SOLICITATION_INTERVAL.
    static let routerSolicitations = 3
    static let routerSolicitationInterval = Duration.seconds(4)
    /// Default routers and on-link prefixes learned from advertisements, per interface.
    static let advertisedRoutes = 16
    /// Bytes of payload in one burst of a connection: about what one slab holds.
    static let burstBytes = 65_000
}
