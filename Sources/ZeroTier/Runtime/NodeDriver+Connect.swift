// Connecting by TCP, for tasks and threads: what `ConnectAttempt` says is done to the stack, and waited for.

import NetPrimitives
import NetStack
import ZeroTierNode

extension DriverCore {
    /// One look at an attempt: how far it has come, or nil as long as there is nothing new.
    mutating func advance(
        _ attempt: ConnectAttempt, to remote: SocketEndpoint, from local: SocketEndpoint?, now: Now
    ) throws(ZeroTierError) -> ConnectAttempt? {
        try checkUsable()
        var next = attempt
        switch attempt.phase {
        case .beginning:
            do throws(StackError) {
                next.phase = .handshake(try openStream(to: remote, from: local, now: now))
            } catch {
                let verdict = attempt.verdict(on: error, mayCome: hasUnreadyNetworks, now: now.monotonic)
                if verdict == .fail { throw ZeroTierError(error, doing: "connect to \(remote)") }
                // Whatever changes is told.
                return nil
            }
        case .handshake(let id):
            do throws(StackError) {
                guard let own = try established(id) else { return nil }
                next.phase = .connected(id, local: own)
            } catch {
                switch attempt.verdict(on: error, mayCome: true, now: now.monotonic) {
                case .fail: throw ZeroTierError(error)
                case .tryAgain(let instant): next.phase = .pausing(until: instant)
                case .giveUp(let instant): next.phase = .waitingForTheEnd(at: instant)
                }
                abortStream(id, now: now)
            }
        case .pausing, .waitingForTheEnd, .connected: return nil
        }
        return next
    }

    /// This node's end of a connection; nil while the handshake goes on.
    mutating func established(_ id: SocketID) throws(StackError) -> SocketEndpoint? {
        if let error = try node.stack.takeError(id) { throw error }
        switch try node.stack.state(id) {
        case .synSent, .synReceived: return nil
        case .closed: throw .reset
        default: return try node.stack.localEndpoint(id)
        }
    }
}

extension NodeDriver {
    /// Connects for a task. Nil when the time is over. Whatever comes of it, no attempt is left behind.
    func connect(
        to remote: SocketEndpoint, from local: SocketEndpoint?, until deadline: MonotonicInstant?
    ) async throws -> StreamSocket? {
        var attempt = ConnectAttempt(until: deadline)
        defer { if let id = attempt.socket { abandon(id) } }
        while true {
            if case .connected(let id, let own) = attempt.phase { return connection(id, own, remote) }
            let next = try await wait(for: attempt.key, until: attempt.lookAgain) {
                [attempt] (core, now) throws(ZeroTierError) in
                try core.advance(attempt, to: remote, from: local, now: now)
            }
            if let next { attempt = next } else if !attempt.passTime() { return nil }
        }
    }

    /// As `connect`, for a thread outside of Swift's concurrency.
    func connectBlocking(
        to remote: SocketEndpoint, from local: SocketEndpoint?, until deadline: MonotonicInstant?
    ) throws(ZeroTierError) -> StreamSocket? {
        var attempt = ConnectAttempt(until: deadline)
        defer { if let id = attempt.socket { abandon(id) } }
        while true {
            if case .connected(let id, let own) = attempt.phase { return connection(id, own, remote) }
            let next = try waitBlocking(for: attempt.key, until: attempt.lookAgain) {
                (core, now) throws(ZeroTierError) in
                try core.advance(attempt, to: remote, from: local, now: now)
            }
            if let next { attempt = next } else if !attempt.passTime() { return nil }
        }
    }

    private func connection(_ id: SocketID, _ local: SocketEndpoint, _ remote: SocketEndpoint) -> StreamSocket {
        StreamSocket(driver: self, id: id, local: local, remote: remote)
    }

    private func abandon(_ id: SocketID) {
        try? call { (core, now) throws(ZeroTierError) in core.abortStream(id, now: now) }
    }
}
