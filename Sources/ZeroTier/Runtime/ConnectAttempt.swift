// When a connect is tried again, and when it is given up: one rule for tasks, threads and Berkeley sockets. A machine:
// outcomes and time are passed in.

package import NetPrimitives
package import NetStack

/// A connect that goes on while the way to the peer is being made.
package struct ConnectAttempt: Sendable {
    /// What to do after a failure.
    package enum Verdict: Hashable, Sendable {
        /// Time does not mend it.
        case fail
        /// Begin anew at this time.
        case tryAgain(at: MonotonicInstant)
        /// Nothing is worth a beginning any more: the time is over at this instant.
        case giveUp(at: MonotonicInstant)
    }

    /// How far it is.
    enum Phase: Hashable, Sendable {
        case beginning
        case handshake(SocketID)
        case pausing(until: MonotonicInstant)
        case waitingForTheEnd(at: MonotonicInstant)
        case connected(SocketID, local: SocketEndpoint)
    }

    /// The pause after a failure.
    package static let pause = Duration.milliseconds(250)

    /// When it is given up; nil is never.
    package let deadline: MonotonicInstant?
    var phase = Phase.beginning

    /// An attempt that has not begun.
    package init(until deadline: MonotonicInstant?) { self.deadline = deadline }

    /// Judges a failure. `mayCome`: routes and addresses may still appear, as while a network is being joined.
    package func verdict(on failure: StackError, mayCome: Bool, now: MonotonicInstant) -> Verdict {
        switch failure {
        case .networkUnreachable, .addressNotAvailable: if !mayCome { return .fail }
        case .hostUnreachable, .timedOut: break
        default: return .fail
        }
        let next = now + ConnectAttempt.pause
        guard let deadline, next >= deadline else { return .tryAgain(at: next) }
        return .giveUp(at: deadline)
    }

    // MARK: For the one who waits

    /// The socket of the handshake that is under way, to be let go if the wait fails.
    var socket: SocketID? {
        if case .handshake(let id) = phase { return id }
        return nil
    }

    /// What to wait for.
    var key: WaitKey { socket.map { .socket($0) } ?? .node }

    /// How long to wait for it.
    var lookAgain: MonotonicInstant? {
        switch phase {
        case .beginning, .handshake: deadline
        case .pausing(let instant), .waitingForTheEnd(let instant): instant
        case .connected: nil
        }
    }

    /// That time is over. False if it was the attempt's own.
    mutating func passTime() -> Bool {
        guard case .pausing = phase else { return false }
        phase = .beginning
        return true
    }
}
