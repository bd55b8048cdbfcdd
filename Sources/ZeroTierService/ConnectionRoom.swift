// Who gives way when there is no room for another connection: the client that has been waited for longest.

import HummingbirdCore
import NIOCore
import NetPrimitives
import Synchronization
import ZeroTier

/// The connections of one listener.
final class ConnectionRoom: AvailableConnectionsDelegate {
    /// One that is open.
    private struct Entry {
        let channel: any Channel
        /// Since when its client has done nothing though it is its turn; nil while it is ours.
        var waitsSince: MonotonicInstant?
    }

    private struct State {
        var count = 0
        var entries: [ObjectIdentifier: Entry] = [:]
        var isLooking = false
    }

    /// Between two looks while there is no room.
    private static let interval: TimeAmount = .milliseconds(100)

    private let limit: Int
    private let patience: Duration
    private let group: any EventLoopGroup
    private let state = Mutex(State())

    init(_ limits: HTTPLimits, _ group: any EventLoopGroup) {
        limit = limits.connections
        patience = limits.patience
        self.group = group
    }

    // MARK: The listener

    func connectionOpened() {
        let isFull = state.withLock { state in
            state.count += 1
            return state.count >= limit
        }
        if isFull { look() }
    }

    func connectionClosed() { state.withLock { $0.count -= 1 } }

    func isAcceptingNewConnections() -> Bool { state.withLock { $0.count < limit } }

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

    // Closes those that were waited for too long, the longest first, until there is room; looks again while there is none.
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
        let (victims, isFull) = state.withLock { state -> ([any Channel], Bool) in
            let isFull = state.count >= limit
            state.isLooking = isFull
            guard isFull else { return ([], false) }
            // Room for as many as may come before the next look.
            let waiting = state.entries.values.compactMap { entry in
                entry.waitsSince.map { (since: $0, channel: entry.channel) }
            }.filter { now - $0.since >= patience }.sorted { $0.since < $1.since }
            return (waiting.prefix(max(1, limit / 8)).map(\.channel), true)
        }
        for channel in victims { channel.close(promise: nil) }
        guard isFull else { return }
        group.next().scheduleTask(in: ConnectionRoom.interval) { [self] in lookNow() }
    }
}
