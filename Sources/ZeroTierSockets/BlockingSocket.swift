// One socket behind a descriptor: what it remembers beyond the stack, and how a call on it runs, waits and ends.
// Read first: Docs/architecture.md, "Locks and wake-ups"; socket(7).

package import NetPrimitives
import NetStack
import Synchronization
import ZeroTier

/// A Berkeley socket. Calls run with the node's lock held and, inside it, that of the socket; waiting holds neither.
package final class BlockingSocket: Sendable {
    /// What the socket's lock protects.
    struct State {
        /// The socket in the stack; nil before the first call that needs one.
        var id: SocketID?
        /// The stack that has it.
        var epoch: UInt64 = 0
        var isClosed = false
        var isNonBlocking = false
        var options = SocketOptions()
        var connection = ConnectionOptions()
        var linger = Linger(isOn: false, seconds: 0)
        /// IP_MULTICAST_IF.
        var multicastInterface = IPAddress.anyIPv4
        /// SO_RCVLOWAT.
        var lowWater = 1
        var receiveTimeout: Duration?
        var sendTimeout: Duration?
        var connectTimeout: Duration?
        /// SO_RCVBUF and SO_SNDBUF as they are read, if they were set.
        var receiveBuffer: Int?
        var sendBuffer: Int?
        /// Where the program bound a stream, for an attempt after a failed one.
        var bound: SocketEndpoint?
        /// A stream's handshake is under way, or its outcome was not told yet.
        var isConnecting = false
        /// A stream was established once: it cannot connect again.
        var wasConnected = false
        /// An error that the stack has given and that no call has told yet.
        var pendingError: SocketError?
        /// MSG_MORE holds a short segment back.
        var isCorkedByCall = false
        /// The call that is in the middle of a blocking send or a receive of a full buffer; 0 is none.
        var sendTurn: UInt64 = 0
        var receiveTurn: UInt64 = 0
        var nextTicket: UInt64 = 0
        /// A send found that it would block: room is worth an event.
        var wantsOutput = false
        /// A connect found that it would block. Its outcome is worth an event until a call asks for it.
        var wantsConnection = false
        var hasEvent = false
        /// Threads' places to wait, to be used again.
        var spare: [WaitingThread] = []

        var isListening: Bool { id?.kind == .listener }

        /// A number for one call's turn.
        mutating func ticket() -> UInt64 {
            nextTicket += 1
            return nextTicket
        }

        /// A call met an error after it had done a part. The next call tells it, unless it meets the error anyway.
        mutating func keepForNextCall(_ error: SocketError) {
            if ![.tryAgain, .badDescriptor, .networkDown, .interrupted].contains(error.number) { pendingError = error }
        }

        mutating func takePendingError() -> SocketError? {
            defer { pendingError = nil }
            return pendingError
        }
    }

    /// Which time-out ends a call that waits.
    package enum Waiting {
        case receive
        /// As `receive`, but not beyond an instant.
        case receiveUntil(MonotonicInstant)
        case send
        case connect
        /// The call's own.
        case until(MonotonicInstant)
        /// The call never waits; only a restart of the node holds it up.
        case never
    }

    typealias Body<Result> =
        (inout State, inout NetworkStack, inout WaitingRoom, Now) throws(SocketError) -> Result?

    private enum Step<Result: Sendable>: Sendable {
        case done(Result)
        case wait
    }

    let isIPv4: Bool
    let isStream: Bool
    let attachment: NodeAttachment
    let waiters = WaitList()
    let numbers: DescriptorNumbers
    private let number = Atomic<Int32>(-1)
    let state: Mutex<State>

    /// Places to wait that a socket keeps.
    private static let spareThreads = 4

    init(isIPv4: Bool, isStream: Bool, attachment: NodeAttachment, numbers: DescriptorNumbers, state: State = State()) {
        self.isIPv4 = isIPv4
        self.isStream = isStream
        self.attachment = attachment
        self.numbers = numbers
        self.state = Mutex(state)
    }

    deinit {
        let number = number.load(ordering: .acquiring)
        if number >= 0 { numbers.giveBack(number) }
    }

    /// A socket as `socket(2)` names it.
    static func make(
        family: Int32, type: Int32, protocol number: Int32, in layer: SocketLayer
    ) throws(SocketError) -> BlockingSocket {
        guard family == SocketLimits.familyIPv4 || family == SocketLimits.familyIPv6 else {
            throw SocketError(.familyNotSupported)
        }
        let isStream: Bool
        switch type {
        case SocketLimits.typeStream:
            guard number == 0 || number == SocketLimits.protocolTCP else { throw SocketError(.protocolNotSupported) }
            isStream = true
        case SocketLimits.typeDatagram:
            guard number == 0 || number == SocketLimits.protocolUDP else { throw SocketError(.protocolNotSupported) }
            isStream = false
        case SocketLimits.typeRaw: throw SocketError(.protocolNotSupported, "there are no raw sockets")
        default: throw SocketError(.invalid, "there is no such type of socket")
        }
        return BlockingSocket(
            isIPv4: family == SocketLimits.familyIPv4, isStream: isStream, attachment: layer.attachment,
            numbers: layer.numbers)
    }

    /// The descriptor, given back when the last call on the socket has ended.
    func setNumber(_ value: Int32) { number.store(value, ordering: .releasing) }

    // MARK: Running a call

    /// Runs `body` until it gives a result, each time after something happened to the socket. `expired` is asked for the
    /// error when the time is over.
    func perform<Result: Sendable>(
        _ waiting: Waiting, dontWait: Bool = false,
        expired: (inout State, inout NetworkStack, inout WaitingRoom, Now) -> SocketError = { _, _, _, _ in
            .wouldBlock
        },
        _ body: Body<Result>
    ) throws(SocketError) -> Result {
        var thread: WaitingThread?
        var deadline: MonotonicInstant?
        var isFirst = true
        var isInterrupted = false
        defer { if let thread { retire(thread) } }
        while true {
            if CallingThread.isForked { throw .forked }
            let attached = attachment.now
            guard case .node(let port) = attached.current else {
                if isFirst { deadline = self.deadline(waiting, SystemClock.monotonic()) }
                isFirst = false
                try waitForNode(attached, waiting, dontWait, &thread, deadline)
                if CallingThread.isCancelled { throw .interrupted }
                continue
            }
            let step = try port.call { (stack, room, now) throws(SocketError) -> Step<Result> in
                try state.withLock { (state) throws(SocketError) -> Step<Result> in
                    try BlockingSocket.checkUsable(state, attached.epoch)
                    state.epoch = attached.epoch
                    defer { if state.hasEvent { refreshEvent(&state, &stack) } }
                    if let result = try body(&state, &stack, &room, now) { return .done(result) }
                    if dontWait || state.isNonBlocking { throw .wouldBlock }
                    if isFirst { deadline = BlockingSocket.deadline(state, waiting, now.monotonic) }
                    isFirst = false
                    if isInterrupted || CallingThread.isCancelled { throw .interrupted }
                    if let deadline, deadline <= now.monotonic { throw expired(&state, &stack, &room, now) }
                    let own = thread ?? state.spare.popLast() ?? WaitingThread()
                    thread = own
                    waiters.add(own)
                    return .wait
                }
            }
            switch step {
            case .done(let result): return result
            case .wait:
                // As in the kernel: calls with a time of their own never go on by themselves after a handler.
                if let thread { isInterrupted = !port.park(thread, until: deadline, restarts: deadline == nil) }
                // Anything that comes now is for the calls that go on.
                if isInterrupted, CallingThread.isCancelled { throw .interrupted }
            case nil:
                // Stopped, unless a restart has begun since the look.
                if case .node(let latest) = attachment.now.current, latest.isSame(as: port) { throw .nodeGone }
            }
        }
    }

    /// Runs a call that needs the node and never waits.
    func control<Result: Sendable>(
        _ body: (inout State, inout NetworkStack, inout WaitingRoom, Now) throws(SocketError) -> Result
    ) throws(SocketError) -> Result {
        try perform(.never) { (state, stack, room, now) throws(SocketError) -> Result? in
            try body(&state, &stack, &room, now)
        }
    }

    static func checkUsable(_ state: borrowing State, _ epoch: UInt64) throws(SocketError) {
        if state.isClosed { throw .closed }
        if state.id != nil, state.epoch != epoch { throw .stackGone }
    }

    private static func deadline(
        _ state: borrowing State, _ waiting: Waiting, _ now: MonotonicInstant
    ) -> MonotonicInstant? {
        switch waiting {
        case .receive: state.receiveTimeout.map { now + $0 }
        case .receiveUntil(let instant): state.receiveTimeout.map { min(instant, now + $0) } ?? instant
        case .send: state.sendTimeout.map { now + $0 }
        case .connect:
            switch (state.sendTimeout, state.connectTimeout) {
            case (let send?, let connect?): now + min(send, connect)
            case (let timeout?, nil), (nil, let timeout?): now + timeout
            case (nil, nil): nil
            }
        case .until(let instant): instant
        case .never: nil
        }
    }

    private func deadline(_ waiting: Waiting, _ now: MonotonicInstant) -> MonotonicInstant? {
        state.withLock { BlockingSocket.deadline($0, waiting, now) }
    }

    // There is no node, or one is being replaced by another.
    private func waitForNode(
        _ attached: NodeAttachment.State, _ waiting: Waiting, _ dontWait: Bool, _ thread: inout WaitingThread?,
        _ deadline: MonotonicInstant?
    ) throws(SocketError) {
        let own = try state.withLock { (state) throws(SocketError) -> WaitingThread in
            try BlockingSocket.checkUsable(state, attached.epoch)
            guard case .restarting = attached.current else { throw .nodeGone }
            if case .never = waiting {} else if dontWait || state.isNonBlocking { throw .wouldBlock }
            return thread ?? state.spare.popLast() ?? WaitingThread()
        }
        thread = own
        if let deadline, deadline <= SystemClock.monotonic() { throw .wouldBlock }
        // Closing the descriptor wakes too.
        waiters.add(own)
        attachment.waitForRestart(own, until: deadline)
    }

    private func retire(_ thread: WaitingThread) {
        waiters.remove(thread)
        state.withLock { state in
            if state.spare.count < BlockingSocket.spareThreads { state.spare.append(thread) }
        }
    }

    // MARK: Addresses

    /// An address of the program in the stack's form: IPv4 inside of IPv6 unwrapped.
    func unwrapped(
        _ endpoint: SocketEndpoint, _ state: borrowing State, isBind: Bool = false
    ) throws(SocketError) -> SocketEndpoint {
        if isIPv4 {
            guard endpoint.address.isIPv4 else { throw SocketError(.familyNotSupported) }
            return endpoint
        }
        guard endpoint.address.isIPv6 else { throw SocketError(.invalid, "an IPv6 socket wants IPv6 addresses") }
        guard let inner = endpoint.address.mappedIPv4 else { return endpoint }
        guard !state.options.isIPv6Only else { throw SocketError(isBind ? .invalid : .networkUnreachable) }
        return SocketEndpoint(inner, port: endpoint.port)
    }

    /// An address of the stack in the socket's family.
    func wrapped(_ endpoint: SocketEndpoint) -> SocketEndpoint {
        guard !isIPv4, endpoint.address.isIPv4 else { return endpoint }
        let address =
            endpoint.address.isUnspecified
            ? IPAddress.anyIPv6 : IPAddress(v6High: 0, low: 0xffff_0000_0000 | UInt64(endpoint.address.v4))
        return SocketEndpoint(address, port: endpoint.port)
    }

    var unspecified: SocketEndpoint { SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 0) }

    // MARK: The stack's socket

    /// The socket is known to the stack by this name from here on.
    func adopt(_ id: SocketID, _ state: inout State, _ room: inout WaitingRoom) {
        if let old = state.id { room.remove(old) }
        state.id = id
        room.set(id, waiters)
    }

    /// The stack's UDP socket, opened at the first need.
    func datagram(
        _ state: inout State, _ stack: inout NetworkStack, _ room: inout WaitingRoom, isIPv4: Bool? = nil
    ) throws(SocketError) -> SocketID {
        if let id = state.id { return id }
        let family = isIPv4 ?? self.isIPv4
        let options = state.options
        let id = try stackCall { () throws(StackError) in try stack.udpOpen(isIPv4: family, options: options) }
        adopt(id, &state, &room)
        return id
    }
}

extension IPAddress {
    /// The IPv4 address in an address of the form ::ffff:a.b.c.d.
    var mappedIPv4: IPAddress? {
        guard isIPv6, high == 0, low >> 32 == 0xffff else { return nil }
        return IPAddress(v4: UInt32(truncatingIfNeeded: low))
    }
}
