// The connections of one listener: some are served, some wait for a turn. When there is no room, the longest silent one gives way.

import HummingbirdCore
import NIOCore
import NetPrimitives
import Synchronization
import ZeroTier

/// The connections of one listener.
final class ConnectionRoom: AvailableConnectionsDelegate {
    /// One that is served.
    private struct Entry {
        let channel: any Channel
        /// Since when its client has done nothing though it is its turn; nil while it is ours.
        var waitsSince: MonotonicInstant?
    }

    private struct State {
        // Of those that were accepted.
        var count = 0
        var served = 0
        // The most that were served at once since nobody was.
        var peak = 0
        // In the order in which they came.
        var waiting = CircularBuffer<WaitingConnection>()
        // Passed over when it was their turn: nothing has come from them.
        var quiet = CircularBuffer<WaitingConnection>()
        var entries: [ObjectIdentifier: Entry] = [:]
        var isLooking = false
        var isEnding = false
    }

    /// Between two looks while there is no room.
    private static let interval: TimeAmount = .milliseconds(100)

    /// So many at once are a crowd.
    private static let crowd = 64
    /// After the last of a crowd.
    private static let moment: TimeAmount = .seconds(1)

    // Quiet ones that are asked in one look.
    private static let asked = 1024

    private let limits: HTTPLimits
    private let group: any EventLoopGroup
    private let state = Mutex(State())

    init(_ limits: HTTPLimits, _ group: any EventLoopGroup) {
        self.limits = limits
        self.group = group
    }

    // MARK: The listener

    func connectionOpened() {
        let isCrowded = state.withLock { state in
            state.count += 1
            return self.isCrowded(state)
        }
        if isCrowded { look() }
    }

    func connectionClosed() { state.withLock { $0.count -= 1 } }

    func isAcceptingNewConnections() -> Bool { state.withLock { !self.isCrowded($0) } }

    private func isCrowded(_ state: borrowing State) -> Bool { state.count >= limits.connections + limits.waiting }

    /// Nobody waits any more, and nobody comes.
    func end() {
        let all = state.withLock { state in
            state.isEnding = true
            defer {
                state.waiting.removeAll()
                state.quiet.removeAll()
            }
            return Array(state.waiting) + Array(state.quiet)
        }
        for one in all { one.refuse() }
    }

    // MARK: Turns

    /// Succeeds when it is the connection's turn. Turns go by arrival; connections that arrive together have no order.
    func turn(of channel: any Channel) -> EventLoopFuture<Void> {
        let one = WaitingConnection(channel)
        admit(one)
        return one.turn.futureResult
    }

    // Serves one, or lets it wait.
    private func admit(_ one: WaitingConnection) {
        enum Place { case served, waiting, none }
        let place = state.withLock { state -> Place in
            guard !state.isEnding else { return .none }
            guard state.served >= limits.connections else {
                state.served += 1
                state.peak = max(state.peak, state.served)
                return .served
            }
            state.waiting.append(one)
            return .waiting
        }
        switch place {
        case .none: one.refuse()
        case .served: serve(one)
        case .waiting: look()
        }
    }

    private func serve(_ one: WaitingConnection) {
        guard !state.withLock(\.isEnding) else { return one.refuse() }
        one.channel.closeFuture.whenComplete { [self] _ in passOn() }
        one.turn.succeed(())
    }

    // A place is free: it is the next one's of whom something has come. The others have nothing to be served with.
    private func passOn() {
        let (next, isOver) = state.withLock { state in
            let next = state.waiting.popFirst()
            if next == nil { state.served -= 1 }
            return (next, state.served == 0 && state.peak >= ConnectionRoom.crowd)
        }
        if isOver { rest() }
        guard let next else { return }
        next.hasSpoken { [self] hasSpoken in
            guard !hasSpoken else { return serve(next) }
            setAside(next)
            passOn()
        }
    }

    // What a crowd needed goes back to the system once nobody has come for a moment: glibc keeps it otherwise.
    private func rest() {
        group.next().scheduleTask(in: ConnectionRoom.moment) { [self] in
            let isWanted = state.withLock { state in
                guard state.served == 0, state.peak >= ConnectionRoom.crowd else { return false }
                state.peak = 0
                return true
            }
            if isWanted { FreedMemory.release() }
        }
    }

    private func setAside(_ one: WaitingConnection) {
        let isEnding = state.withLock { state in
            if !state.isEnding { state.quiet.append(one) }
            return state.isEnding
        }
        if isEnding { one.refuse() } else { look() }
    }

    // MARK: Connections

    /// It is the client's turn from now on, or the service's.
    func note(_ channel: any Channel, isClientsTurn: Bool) {
        let now = isClientsTurn ? SystemClock.monotonic() : nil
        state.withLock { $0.entries[ObjectIdentifier(channel)] = Entry(channel: channel, waitsSince: now) }
    }

    /// It is closed.
    func forget(_ channel: any Channel) {
        state.withLock { _ = $0.entries.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    // Looks again while somebody waits, or has no room to.
    private func look() {
        let isFirst = state.withLock { state in
            defer { state.isLooking = true }
            return !state.isLooking
        }
        guard isFirst else { return }
        lookNow()
    }

    private func lookNow() {
        let now = SystemClock.monotonic()
        let (isWanted, isCrowded, victims, quiet) = state.withLock { state in
            let isCrowded = self.isCrowded(state)
            let isNeeded = isCrowded || !state.waiting.isEmpty
            state.isLooking = isNeeded || !state.quiet.isEmpty
            let victims = isNeeded ? longest(state, now) : []
            let quiet = Array(state.quiet.prefix(ConnectionRoom.asked))
            state.quiet.removeFirst(quiet.count)
            return (state.isLooking, isCrowded, victims, quiet)
        }
        for channel in victims { channel.close(promise: nil) }
        for (index, one) in quiet.enumerated() {
            let patience = isCrowded && index < share ? limits.patience : limits.idleTime
            one.hasSpoken { [self] hasSpoken in
                if hasSpoken { return admit(one) }
                if now - one.since >= patience { one.refuse() } else { setAside(one) }
            }
        }
        guard isWanted else { return }
        group.next().scheduleTask(in: ConnectionRoom.interval) { [self] in lookNow() }
    }

    // Room for as many as may come before the next look.
    private var share: Int { max(1, limits.connections / 8) }

    // Those that were waited for too long, the longest first.
    private func longest(_ state: borrowing State, _ now: MonotonicInstant) -> [any Channel] {
        let waiting = state.entries.values.compactMap { entry in
            entry.waitsSince.map { (since: $0, channel: entry.channel) }
        }.filter { now - $0.since >= limits.patience }.sorted { $0.since < $1.since }
        return waiting.prefix(share).map(\.channel)
    }
}
