// Who waits for one thing: a socket, the node's state, the answer to an echo request.
// Read first: Docs/architecture.md, "Locks and wake-ups".

import Synchronization

/// Something that waits in lists, made when it has to wait for the first time.
protocol Sleeper: AnyObject, Sendable {
    init()
    var waiter: Waiter { get }
}

/// Who waits. A wake-up says no more than "look again": the result, the end of the time and the end of the node are found by
/// the look.
///
/// A channel of an event loop joins as one more case that stays in its list, as a descriptor does: its `wake` hands the look to
/// the loop and returns, since it is called on whichever thread has changed the socket.
enum Waiter: Sendable {
    /// A suspended task.
    case task(WaitingTask)
    /// A thread that sleeps, or that takes the datagrams meanwhile.
    case thread(WaitingThread)
    /// A descriptor of the operating system, for a program with a loop of its own. A wake-up leaves it in its list.
    case descriptor(WakeEvent)

    fileprivate func wake() {
        switch self {
        case .task(let task): task.wake()
        case .thread(let thread): thread.wake()
        case .descriptor: break
        }
    }

    fileprivate func isSame(as other: Waiter) -> Bool {
        switch (self, other) {
        case (.task(let own), .task(let other)): own === other
        case (.thread(let own), .thread(let other)): own === other
        default: false
        }
    }
}

/// Those who wait for one thing. May be used with and without the node's lock.
package final class WaitList: Sendable {
    // A lone waiter, which most lists have, comes and goes without memory of its own.
    private struct Waiters: Sendable {
        private(set) var first: Waiter?
        private(set) var others: [Waiter] = []

        var isEmpty: Bool { first == nil }

        func contains(_ matches: (Waiter) -> Bool) -> Bool {
            first.map(matches) == true || others.contains(where: matches)
        }

        mutating func append(_ waiter: Waiter) {
            if first == nil { first = waiter } else { others.append(waiter) }
        }

        mutating func removeAll(_ matches: (Waiter) -> Bool) {
            others.removeAll(where: matches)
            guard let waiter = first, matches(waiter) else { return }
            first = others.isEmpty ? nil : others.removeFirst()
        }

        func forEach(_ body: (Waiter) -> Void) {
            if let first { body(first) }
            for waiter in others { body(waiter) }
        }

        /// The descriptor that stays, if there is one.
        var event: WakeEvent? {
            var result: WakeEvent?
            forEach { if case .descriptor(let event) = $0 { result = event } }
            return result
        }
    }

    private let waiters = Mutex(Waiters())
    // So that the node's thread passes by where nobody waits. Changed under the node's lock or before a look at the
    // socket under it, so no edge gets in between.
    private let isWatched = Atomic(false)

    package init() {}

    /// Whether somebody waits.
    var hasInterest: Bool { isWatched.load(ordering: .acquiring) }

    /// Registers a thread; call under the node's lock after a look at the socket. Adding it again does nothing.
    package func add(_ thread: WaitingThread) { add(.thread(thread)) }

    /// Takes a thread out.
    package func remove(_ thread: WaitingThread) { remove(.thread(thread)) }

    func add(_ waiter: Waiter) {
        waiters.withLock { waiters in
            if !waiters.contains({ $0.isSame(as: waiter) }) { waiters.append(waiter) }
            isWatched.store(true, ordering: .releasing)
        }
    }

    func remove(_ waiter: Waiter) {
        waiters.withLock { waiters in
            waiters.removeAll { $0.isSame(as: waiter) }
            isWatched.store(!waiters.isEmpty, ordering: .releasing)
        }
    }

    /// Wakes tasks and threads, which leave the list, and makes the descriptor readable. Not to be called with the node's lock
    /// held: there, `WaitingRoom.signal` is.
    package func signal() {
        let woken = waiters.withLock { waiters -> Waiters in
            let woken = waiters
            waiters = Waiters()
            if let event = woken.event {
                // Under the lock, so that it comes before a look that finds nothing and calms the descriptor.
                event.signal()
                waiters.append(.descriptor(event))
            }
            isWatched.store(!waiters.isEmpty, ordering: .releasing)
            return woken
        }
        // The lock is free again: whoever wakes runs at once and wants it, and an executor may run a task that comes back here.
        woken.forEach { $0.wake() }
    }

    // MARK: The descriptor

    /// The descriptor that `signal` makes readable, opened at the first call.
    package func eventDescriptor() throws(SystemError) -> Int32 {
        try waiters.withLock { (waiters) throws(SystemError) -> Int32 in
            if let event = waiters.event { return event.descriptor.number }
            let event = try WakeEvent()
            waiters.append(.descriptor(event))
            isWatched.store(true, ordering: .releasing)
            return event.descriptor.number
        }
    }

    /// Makes the descriptor readable or not.
    package func setEvent(_ isReady: Bool) {
        waiters.withLock { waiters in
            guard let event = waiters.event else { return }
            if isReady { event.signal() } else { event.drain() }
        }
    }
}
