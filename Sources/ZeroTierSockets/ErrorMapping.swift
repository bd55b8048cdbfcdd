// The one place where the stack's errors become error numbers. Read first: errno(3), tcp(7), udp(7).

import NetStack

extension SocketError {
    init(_ error: StackError) { self.init(SocketErrno(error)) }

    static let closed = SocketError(.badDescriptor, "the descriptor was closed")
    static let nodeGone = SocketError(.networkDown, "the node is not running")
    static let stackGone = SocketError(.networkDown, "the node that the socket was opened on is gone")
    static let wouldBlock = SocketError(.tryAgain)
    static let interrupted = SocketError(.interrupted, "a handler of a signal ran while the call waited: call again")
    static let forked = SocketError(
        .networkDown,
        "this process is a fork of the one in which the node runs, and has none: fork, or call daemon(), before the start"
    )
}

extension SocketErrno {
    init(_ error: StackError) {
        switch error {
        case .refused: self = .refused
        case .timedOut: self = .timedOut
        case .networkUnreachable: self = .networkUnreachable
        case .hostUnreachable: self = .hostUnreachable
        case .accessDenied: self = .accessDenied
        case .networkDown: self = .networkDown
        case .reset: self = .reset
        case .brokenPipe: self = .brokenPipe
        case .aborted: self = .aborted
        case .addressInUse: self = .addressInUse
        case .addressNotAvailable: self = .addressNotAvailable
        case .notConnected: self = .notConnected
        case .isConnected: self = .isConnected
        case .inProgress: self = .inProgress
        case .alreadyInProgress: self = .already
        case .wouldBlock: self = .tryAgain
        case .messageTooLong: self = .messageTooLong
        case .destinationRequired: self = .destinationRequired
        case .invalid: self = .invalid
        case .noBuffers: self = .noBuffers
        case .tooManySockets: self = .noBuffers
        case .badSocket: self = .badDescriptor
        case .notSupported: self = .notSupported
        case .addressFamily: self = .familyNotSupported
        case .protocolUnreachable: self = .noSuchOption
        }
    }
}

/// Runs a call of the stack with its error as an error number.
func stackCall<Result: Sendable>(
    _ body: () throws(StackError) -> Result
) throws(SocketError) -> Result {
    do throws(StackError) {
        return try body()
    } catch {
        throw SocketError(error)
    }
}

/// As `stackCall`; nil if the call would block.
func stackTry<Result: Sendable>(
    _ body: () throws(StackError) -> Result
) throws(SocketError) -> Result? {
    do throws(StackError) {
        return try body()
    } catch {
        if error == .wouldBlock { return nil }
        throw SocketError(error)
    }
}
