// The stack's part of a TCP socket: the connection and how it is found, woken and sent.

import NetPrimitives

/// A connection with its place in the stack.
struct StreamSocket: ~Copyable {
    struct Flags: OptionSet, Sendable {
        let rawValue: UInt16
        /// Stands in the queue of ready sockets.
        static let ready = Flags(rawValue: 1)
        /// Got segments in this batch.
        static let touched = Flags(rawValue: 2)
        /// Waits for a neighbour's MAC.
        static let waiting = Flags(rawValue: 4)
        /// The application has let go.
        static let released = Flags(rawValue: 8)
        /// Came out of a listener and was not accepted yet.
        static let unaccepted = Flags(rawValue: 16)
        /// The neighbour did not answer: the next burst is lost, so that the connection's own timers go on.
        static let unreachable = Flags(rawValue: 32)
        /// The application shut its reading side.
        static let readShut = Flags(rawValue: 64)
        /// The next change is an event, whatever it is.
        static let tellsProgress = Flags(rawValue: 128)
    }

    var connection: Connection
    let key: FlowKey
    var route: OutboundRoute
    /// The generation of routes in which `route` was chosen.
    var routeGeneration: UInt64
    var neighbour = SlotID.none
    var binding: BindingIndex
    let timer: TimerID
    var options: SocketOptions
    var flags: Flags = []
    var pendingEvents: SocketEvents = []
    /// An error that the connection itself does not know.
    var error: StackError?
    /// Bytes that were counted for its buffers.
    var accountedBytes = 0
    /// The listener that it came out of.
    var listener: SlotID?

    /// Bytes of the IP header.
    @inline(__always)
    var headerLength: Int { route.source.isIPv4 ? IPv4Header.size : IPv6Header.size }

    /// Whether the peer has yet to acknowledge bytes or the end of a stream that ended here.
    var isUndelivered: Bool {
        switch connection.state {
        case .finWait1, .closing, .lastAck: true
        default: false
        }
    }

    var hasError: Bool { error != nil || connection.pendingError != nil }

    /// Takes the pending error.
    mutating func takeError() -> StackError? {
        if let error {
            self.error = nil
            return error
        }
        return connection.takeError().map { StackError($0) }
    }

    var readiness: Readiness {
        let facts = connection.facts
        let isError = hasError
        if facts.contains(.opening), !isError { return [] }
        let receiveEnded = flags.contains(.readShut) || !facts.isDisjoint(with: [.receiveClosed, .ended])
        let sendEnded = !facts.isDisjoint(with: [.sendClosed, .ended])
        var result: Readiness = []
        if facts.contains(.hasBytes) || receiveEnded || isError { result.insert(.readable) }
        if facts.contains(.writable) || sendEnded || isError { result.insert(.writable) }
        if isError { result.insert(.error) }
        if receiveEnded { result.insert(.readHangUp) }
        if receiveEnded, sendEnded { result.insert(.hangUp) }
        return result
    }
}

/// A listener with its place in the stack.
struct ListenerSocket: ~Copyable {
    var listener: Listener
    let local: SocketEndpoint
    var options: SocketOptions
    var binding: BindingIndex
    let timer: TimerID
    var isReady = false
    var pendingEvents: SocketEvents = []
    var error: StackError?
    /// Shut down: nothing more is accepted.
    var isShut = false
}

/// A TCP port that is bound and neither connected nor listening.
struct Reservation: Sendable {
    var local: SocketEndpoint
    var options: SocketOptions
    var binding: BindingIndex
}

extension StackError {
    init(_ error: ConnectionError) {
        switch error {
        case .refused: self = .refused
        case .reset: self = .reset
        case .brokenPipe: self = .brokenPipe
        case .timedOut: self = .timedOut
        case .hostUnreachable: self = .hostUnreachable
        case .networkUnreachable: self = .networkUnreachable
        case .networkDown: self = .networkDown
        }
    }
}
