// A UDP socket: two bounded queues of datagrams, and the filter of what it receives. Read first: RFC 768, RFC 1122 4.1.

import NetPrimitives

/// Datagrams in order, bytes in one ring, bounded by bytes with a charge for each.
struct DatagramQueue<Record: Sendable>: ~Copyable {
    private var ring = ByteRing()
    private var records = RingQueue<Entry>()
    private(set) var charged = 0
    var limit: Int

    struct Entry: Sendable {
        /// Where the bytes begin in the ring.
        let position: Int
        let length: Int
        var record: Record
    }

    init(limit: Int) {
        self.limit = limit
    }

    /// How much a datagram of a length counts against limits.
    static func charge(_ length: Int) -> Int { length + StackConstants.datagramOverhead }

    var isEmpty: Bool { records.isEmpty }
    var count: Int { records.count }
    var first: Entry? { records.first }

    /// Whether a datagram of a length fits. An empty queue takes one of any size, as Linux does.
    func hasRoom(_ length: Int) -> Bool {
        records.isEmpty || charged + DatagramQueue.charge(length) <= limit
    }

    /// Adds a datagram from a range of a span; false if there is no room.
    mutating func append(_ bytes: RawSpan, from offset: Int, count: Int, _ record: Record) -> Bool {
        guard hasRoom(count) else { return false }
        let position = ring.end
        if count > 0 { ring.append(bytes, from: offset, count: count) }
        records.append(Entry(position: position, length: count, record: record))
        charged += DatagramQueue.charge(count)
        return true
    }

    /// Copies bytes of the first datagram.
    func read(_ entry: Entry, from start: Int, count: Int, into target: inout MutableRawSpan, at offset: Int) {
        if count > 0 { ring.read(entry.position + start, count: count, into: &target, at: offset) }
    }

    /// Copies bytes of the first datagram and sums them.
    func readAndSum(
        _ entry: Entry, from start: Int, count: Int, into target: inout MutableRawSpan, at offset: Int
    ) -> UInt32 {
        count > 0 ? ring.readAndSum(entry.position + start, count: count, into: &target, at: offset) : 0
    }

    /// Changes the note of the first datagram.
    mutating func updateFirst(_ record: Record) {
        guard var entry = records.first else { return }
        entry.record = record
        records.replaceFirst(entry)
    }

    /// Forgets the first datagram.
    mutating func removeFirst() {
        guard let entry = records.popFirst() else { return }
        charged -= DatagramQueue.charge(entry.length)
        ring.discard(to: entry.position + entry.length)
        // One chunk is kept for the next datagram. Memory that a burst needed goes back.
        if records.isEmpty, ring.memoryHeld > 4 * ByteRing.chunkSize { ring.releaseSpareMemory() }
    }

}

/// A datagram that was received.
struct InboundDatagram: Sendable {
    let source: SocketEndpoint
    let destination: IPAddress
    let interface: InterfaceID
    let hopLimit: UInt8
    let trafficClass: UInt8
}

/// A datagram that waits for the link.
struct OutboundDatagram: Sendable {
    let destination: SocketEndpoint
    let sourcePort: UInt16
    let route: OutboundRoute
    let hopLimit: UInt8
    let trafficClass: UInt8
    let dontFragment: Bool
    let omitsChecksum: Bool
    /// The IPv4 or IPv6 identification, if it is cut.
    var identification: UInt32 = 0
    /// The first fragment that has not left.
    var nextFragment = 0
}

/// A group that a socket listens to.
struct SocketMembership: Sendable, Hashable {
    let group: IPAddress
    let interface: InterfaceID
}

/// The stack's part of a UDP socket.
struct DatagramSocket: ~Copyable {
    let isIPv4: Bool
    var options: SocketOptions
    /// Unspecified and 0 until bound; the address stays unspecified after a wildcard bind.
    var local: SocketEndpoint
    /// Where the socket is connected to.
    var remote: SocketEndpoint?
    /// Whether `connect` chose the local address, so that dissolving it forgets the address.
    var hasImplicitAddress = false
    var binding: BindingIndex = -1
    /// The key in the flow table while connected, one per connect.
    var flow: FlowKey?
    var received: DatagramQueue<InboundDatagram>
    var sending: DatagramQueue<OutboundDatagram>
    var error: StackError?
    var isReadShut = false
    var isWriteShut = false
    /// The application has let go. Its datagrams have not all left yet.
    var isClosing = false
    /// Whether the socket stands in the queue of ready sockets.
    var isReady = false
    /// Whether a send was refused for lack of room.
    var wantsWritable = false
    var pendingEvents: SocketEvents = []
    var memberships: [SocketMembership] = []
    /// The last destination and the route to it, valid in one generation of routes.
    var cachedDestination: IPAddress?
    var cachedRoute: OutboundRoute?
    var cachedGeneration: UInt64 = 0

    init(isIPv4: Bool, options: SocketOptions, limits: StackLimits) {
        self.isIPv4 = isIPv4
        self.options = options
        local = SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 0)
        received = DatagramQueue(limit: options.receiveBytes ?? limits.datagramReceiveMaximum)
        sending = DatagramQueue(limit: options.sendBytes ?? limits.datagramSendBytes)
    }

    /// What the binding covers.
    var scope: BindScope {
        BindScope(
            address: local.address, isDual: !isIPv4 && !options.isIPv6Only && local.address.isUnspecified,
            interface: options.interface)
    }

    /// Takes the pending error.
    mutating func takeError() -> StackError? {
        defer { error = nil }
        return error
    }

    var readiness: Readiness {
        var result: Readiness = []
        // While an error is pending, only the error is told, as on Linux.
        if !received.isEmpty || isReadShut { result.insert(.readable) }
        if isWriteShut || sending.charged * 2 <= sending.limit { result.insert(.writable) }
        if error != nil { result.insert(.error) }
        if isReadShut { result.insert(.readHangUp) }
        if isReadShut, isWriteShut { result.insert(.hangUp) }
        return result
    }
}
