// Berkeley sockets over a node: every call by descriptor, blocking or not, without pointers.
// Read first: socket(7), ip(7), tcp(7), udp(7): the calls behave as Linux's do; numbers are lwIP's.

package import NetPrimitives
package import ZeroTier

/// The sockets of a process, or of a test. Every method may be called from any thread.
///
/// Descriptors live as long as the layer: they exist before there is a node and survive its stop. Sockets that were in
/// use then fail with ENETDOWN and can only be closed; a socket that was only made works with the next node.
package final class SocketLayer: Sendable {
    /// The one of this process.
    package static let shared = SocketLayer()

    let table: DescriptorTable

    /// A layer with descriptors of its own, at most `limit`.
    package init(limit: Int = SocketLimits.descriptors) {
        table = DescriptorTable(limit: limit)
    }

    // MARK: Node

    /// From here on calls go to this node. Sockets of the node before are dead, as after `detach`.
    package func attach(_ node: Node) { table.attach(SocketPort(node)) }

    /// The node is about to be stopped: pending calls return ENETDOWN, and so do later ones.
    package func detach() { table.detach() }

    /// Whether there is a node.
    package var isAttached: Bool { table.isAttached }

    /// Stops the attached node and starts another in its place that takes over the sockets with all connections: blocked
    /// calls go on waiting meanwhile. The configuration should have the same identity and know the same networks: what is
    /// bound to an address that the new node does not have fails with ENETDOWN. If the start fails, all sockets are dead.
    /// Blocks, about as long as stop and start; not to be called on a thread of the node.
    package func restart(_ configuration: Node.Configuration) throws(ZeroTierError) -> Node {
        try table.restart(configuration)
    }

    // MARK: Making and ending

    /// Makes a socket. Family 2 or 10, type 1 or 2, protocol 0 or the type's.
    package func socket(family: Int32, type: Int32, protocol number: Int32) throws(SocketError) -> Int32 {
        try table.traced("socket of family \(family) and type \(type)") { () throws(SocketError) in
            try table.add(try BlockingSocket.make(family: family, type: type, protocol: number, in: table))
        }
    }

    /// Closes a descriptor; calls that wait for it return EBADF. Works without a node. Waits with SO_LINGER.
    package func close(_ descriptor: Int32) throws(SocketError) {
        try table.traced("close \(descriptor)") { () throws(SocketError) in try table.take(descriptor).close() }
    }

    /// Closes all descriptors, with resets for what is connected.
    package func closeAll() {
        for socket in table.takeAll() { socket.abandon() }
    }

    /// Ends one or both directions; calls that wait for them return.
    package func shutdown(_ descriptor: Int32, _ side: ShutdownSide) throws(SocketError) {
        try table.traced("shut \(side) of \(descriptor)") { () throws(SocketError) in
            try table.socket(descriptor).shutdown(side)
        }
    }

    // MARK: Names and connections

    /// Binds to an address (unspecified for all) and port (0 for any free one).
    package func bind(_ descriptor: Int32, to local: SocketEndpoint) throws(SocketError) {
        try table.traced("bind \(descriptor) to \(local)") { () throws(SocketError) in
            try table.socket(descriptor).bind(to: local)
        }
    }

    /// Connects; nil (AF_UNSPEC) dissolves the connection or forgets the peer.
    package func connect(_ descriptor: Int32, to remote: SocketEndpoint?) throws(SocketError) {
        try table.traced("connect \(descriptor) to \(remote.map { "\($0)" } ?? "nobody")") { () throws(SocketError) in
            try table.socket(descriptor).connect(to: remote)
        }
    }

    /// Connects a blocking socket within a time, trying again every quarter of a second while there is no way to the
    /// peer. ETIMEDOUT at the end of the time, and the attempt is over. A non-blocking socket tries once.
    package func connect(
        _ descriptor: Int32, to remote: SocketEndpoint, retryingFor timeout: Duration
    ) throws(SocketError) {
        try table.traced("connect \(descriptor) to \(remote) within \(timeout)") { () throws(SocketError) in
            try table.socket(descriptor).connect(to: remote, retryingFor: timeout)
        }
    }

    /// Listens; binds to an ephemeral port if the socket is not bound. Calling again changes the backlog.
    package func listen(_ descriptor: Int32, backlog: Int) throws(SocketError) {
        try table.traced("listen on \(descriptor)") { () throws(SocketError) in
            try table.socket(descriptor).listen(backlog: backlog)
        }
    }

    /// Takes a connection of a listener. The new descriptor blocks unless `nonBlocking`.
    package func accept(
        _ descriptor: Int32, nonBlocking: Bool = false
    ) throws(SocketError) -> (descriptor: Int32, remote: SocketEndpoint) {
        try table.traced("accept on \(descriptor)") { () throws(SocketError) in
            let (socket, remote) = try table.socket(descriptor).accept(nonBlocking: nonBlocking)
            do throws(SocketError) {
                return (try table.add(socket), remote)
            } catch {
                socket.abandon()
                throw error
            }
        }
    }

    /// Where the socket is bound; unspecified and 0 as far as that is not decided.
    package func localEndpoint(_ descriptor: Int32) throws(SocketError) -> SocketEndpoint {
        try table.socket(descriptor).localEndpoint()
    }

    /// Where the socket is connected to.
    package func remoteEndpoint(_ descriptor: Int32) throws(SocketError) -> SocketEndpoint {
        try table.socket(descriptor).remoteEndpoint()
    }

    /// The socket's family, 2 or 10.
    package func family(_ descriptor: Int32) throws(SocketError) -> Int32 {
        try table.socket(descriptor).isIPv4 ? SocketLimits.familyIPv4 : SocketLimits.familyIPv6
    }

    // MARK: Data

    /// Sends bytes and gives how many were taken: all, unless the call does not block or its time-out ended it.
    package func send(_ descriptor: Int32, _ bytes: RawSpan, flags: MessageFlags) throws(SocketError) -> Int {
        try table.socket(descriptor).send(bytes, flags: flags, to: nil)
    }

    /// As `send`, to a destination; a stream ignores it.
    package func send(
        _ descriptor: Int32, _ bytes: RawSpan, flags: MessageFlags, to destination: SocketEndpoint?
    ) throws(SocketError) -> Int {
        try table.socket(descriptor).send(bytes, flags: flags, to: destination)
    }

    /// Receives bytes, or one datagram, and gives how many; 0 at the end of the stream.
    package func receive(
        _ descriptor: Int32, into target: inout MutableRawSpan, flags: MessageFlags
    ) throws(SocketError) -> Int {
        try table.socket(descriptor).receive(into: &target, flags: flags).count
    }

    /// As `receive`, with the sender.
    package func receiveFrom(
        _ descriptor: Int32, into target: inout MutableRawSpan, flags: MessageFlags
    ) throws(SocketError) -> ReceivedMessage {
        try table.socket(descriptor).receive(into: &target, flags: flags)
    }

    /// Sends what lies in several pieces, as one datagram or as one stretch of the stream. `piece` is called with an index
    /// and hands that piece to its second argument.
    package func sendMessage(
        _ descriptor: Int32, pieces: Int, flags: MessageFlags, to destination: SocketEndpoint?,
        _ piece: (_ index: Int, _ use: (RawSpan) -> Void) -> Void
    ) throws(SocketError) -> Int {
        try table.socket(descriptor).sendMessage(pieces: pieces, flags: flags, to: destination, piece)
    }

    /// Receives into several pieces one after the other. `piece` is called with an index and hands that piece to its
    /// second argument.
    package func receiveMessage(
        _ descriptor: Int32, pieces: Int, flags: MessageFlags,
        _ piece: (_ index: Int, _ use: (inout MutableRawSpan) -> Void) -> Void
    ) throws(SocketError) -> ReceivedMessage {
        try table.socket(descriptor).receiveMessage(pieces: pieces, flags: flags, .receive, piece)
    }

    /// Sends the messages of a batch in their order and gives how many, at most 1024: those before the first that failed, or
    /// before the first that would have had to wait or had waited for too long. Fails if that is the first one.
    package func sendBatch<Batch: OutgoingBatch>(
        _ descriptor: Int32, _ batch: Batch, flags: MessageFlags
    ) throws(SocketError) -> Int {
        try table.socket(descriptor).sendBatch(batch, flags: flags)
    }

    /// Receives the messages of a batch and gives how many. Waits until the batch is full, with `waitForOne` until one has
    /// come, not at all if the call does not block, and at most until `deadline`; nil is none. Fails if none has come. An
    /// error after the first message is the next call's.
    package func receiveBatch<Batch: IncomingBatch>(
        _ descriptor: Int32, _ batch: Batch, flags: MessageFlags, until deadline: MonotonicInstant?
    ) throws(SocketError) -> Int {
        try table.socket(descriptor).receiveBatch(batch, flags: flags, until: deadline)
    }

    // MARK: Options

    /// Sets an option. ENOPROTOOPT if the socket has none of that name or it can only be read, EINVAL for a value that is
    /// out of range or of the wrong kind.
    package func setOption(
        _ descriptor: Int32, _ option: SocketOption, _ value: SocketOptionValue
    ) throws(SocketError) {
        try table.socket(descriptor).setOption(option, value)
    }

    /// Reads an option.
    package func option(_ descriptor: Int32, _ option: SocketOption) throws(SocketError) -> SocketOptionValue {
        try table.socket(descriptor).option(option)
    }

    /// Joins a multicast group, on the interface with the local address given or on the one that leads there.
    package func joinGroup(
        _ descriptor: Int32, _ group: IPAddress, interface: IPAddress? = nil
    ) throws(SocketError) {
        try table.socket(descriptor).changeGroup(group, interface: interface, isJoin: true)
    }

    /// Leaves a multicast group.
    package func leaveGroup(
        _ descriptor: Int32, _ group: IPAddress, interface: IPAddress? = nil
    ) throws(SocketError) {
        try table.socket(descriptor).changeGroup(group, interface: interface, isJoin: false)
    }

    /// Whether calls on the descriptor do not block (O_NONBLOCK).
    package func isNonBlocking(_ descriptor: Int32) throws(SocketError) -> Bool {
        try table.socket(descriptor).isNonBlocking
    }

    /// Sets O_NONBLOCK (F_SETFL, FIONBIO).
    package func setNonBlocking(_ descriptor: Int32, _ isOn: Bool) throws(SocketError) {
        try table.socket(descriptor).setNonBlocking(isOn)
    }

    /// FIONREAD: bytes of the stream that can be read, or bytes of the next datagram.
    package func bytesAvailable(_ descriptor: Int32) throws(SocketError) -> Int {
        try table.socket(descriptor).bytesAvailable()
    }

    // MARK: Readiness

    /// Waits until at least one entry is ready and gives how many are; 0 when the time is over. A timeout of zero only
    /// looks, nil waits for ever. EINTR after a handler of a signal.
    package func poll(_ entries: inout [PollEntry], timeout: Duration?) throws(SocketError) -> Int {
        try table.poll(&entries, timeout: timeout)
    }

    /// Waits until at least one descriptor below `count` is ready for what it was named for and gives how many bits remain
    /// set. EINVAL if `count` is not in 0...1024, EBADF if a set names a descriptor that does not exist.
    package func select(
        count: Int, read: inout DescriptorSet, write: inout DescriptorSet, except: inout DescriptorSet,
        timeout: Duration?
    ) throws(SocketError) -> Int {
        try table.select(count: count, read: &read, write: &write, except: &except, timeout: timeout)
    }

    /// A descriptor of the operating system that is readable while the socket has something to receive, an error, or room
    /// again after a send or connect that would have blocked. Owned by the socket: only to be polled.
    package func eventDescriptor(_ descriptor: Int32) throws(SocketError) -> Int32 {
        try table.socket(descriptor).eventDescriptor()
    }
}

/// What a receive call tells besides the bytes.
package struct ReceivedMessage: Hashable, Sendable {
    /// The call's result: bytes in the caller's memory, or the datagram's whole length with `wholeLength`.
    package var count: Int
    /// Who sent it, in the socket's family; nil for a stream.
    package var source: SocketEndpoint?
    /// The datagram was longer than the caller's memory (MSG_TRUNC).
    package var isTruncated = false
}
