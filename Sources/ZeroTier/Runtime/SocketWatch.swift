// Where threads of the socket layer wait for edges of sockets, outside of Swift's concurrency and without an allocation
// for each wait. Read first: Docs/architecture.md, "Locks and wake-ups".

package import NetPrimitives
package import NetStack
import Synchronization

/// One thread that waits, for one socket or for many. Owned by one thread at a time and used again after.
package final class ParkedThread: Sendable {
    private let parker = Parker()
    // While the thread takes datagrams it sleeps elsewhere.
    private let leading = Mutex<LeadingThread?>(nil)

    package init() {}

    /// Waits for a wake-up or the deadline; nil is none. May return early: look again in any case. False if a handler of a
    /// signal interrupted the wait: any, or with `restarts`, which wants no deadline, one without SA_RESTART; or a cancellation.
    @discardableResult
    package func park(until deadline: MonotonicInstant?, restarts: Bool = false) -> Bool {
        guard let deadline else { return parker.parkInterruptibly(for: nil, restarts: restarts) }
        let left = deadline - SystemClock.monotonic()
        return left > .zero ? parker.parkInterruptibly(for: left, restarts: false) : true
    }

    func wake() {
        leading.withLock { leading in
            if let leading { leading.wake(.ready) } else { parker.unpark() }
        }
    }

    /// From here on wake-ups go to `thread`. False if one came before: there is nothing to wait for.
    func startLeading(_ thread: LeadingThread) -> Bool {
        leading.withLock { $0 = thread }
        return !parker.park(for: .zero)
    }

    func stopLeading() { leading.withLock { $0 = nil } }
}

/// Who waits for one socket: threads, and a descriptor of the operating system for programs with a loop of their own.
package final class SocketWatch: Sendable {
    private struct State {
        var threads: [ParkedThread] = []
        var event: WakeEvent?
    }

    private let state = Mutex(State())
    // So that the node's thread passes by where nobody waits. Changed under the node's lock or before a look at the
    // socket under it, so no edge gets in between.
    private let isWatched = Atomic(false)

    package init() {}

    /// Registers a thread; call under the node's lock after a look at the socket. Adding it again does nothing.
    package func add(_ thread: ParkedThread) {
        state.withLock { state in
            if !state.threads.contains(where: { $0 === thread }) { state.threads.append(thread) }
            isWatched.store(true, ordering: .releasing)
        }
    }

    /// Takes a thread out. It is not woken by this watch any more.
    package func remove(_ thread: ParkedThread) {
        state.withLock { state in
            state.threads.removeAll { $0 === thread }
            isWatched.store(!state.threads.isEmpty || state.event != nil, ordering: .releasing)
        }
    }

    /// Wakes all threads and makes the descriptor readable.
    package func signal() {
        state.withLock { state in
            for thread in state.threads { thread.wake() }
            state.threads.removeAll(keepingCapacity: true)
            state.event?.signal()
            isWatched.store(state.event != nil, ordering: .releasing)
        }
    }

    var hasInterest: Bool { isWatched.load(ordering: .acquiring) }

    /// The descriptor that `signal` makes readable, opened at the first call.
    package func eventDescriptor() throws(SystemError) -> Int32 {
        try state.withLock { (state) throws(SystemError) -> Int32 in
            if let event = state.event { return event.descriptor.number }
            let event = try WakeEvent()
            state.event = event
            isWatched.store(true, ordering: .releasing)
            return event.descriptor.number
        }
    }

    /// Makes the descriptor readable or not.
    package func setEvent(_ isReady: Bool) {
        state.withLock { state in
            if isReady { state.event?.signal() } else { state.event?.drain() }
        }
    }
}

/// The watches of a stack's sockets, under the node's lock.
package struct SocketWatches: Sendable {
    private var bySocket: [SocketID: SocketWatch] = [:]
    private var signalled: [SocketWatch] = []

    var count: Int { bySocket.count }
    var sockets: [SocketID] { Array(bySocket.keys) }

    /// From here on edges of the socket go to the watch.
    package mutating func set(_ id: SocketID, _ watch: SocketWatch) { bySocket[id] = watch }

    /// The socket has no watch any more.
    package mutating func remove(_ id: SocketID) { bySocket[id] = nil }

    /// Signals the watch after the lock is released.
    package mutating func signal(_ watch: SocketWatch) {
        if watch.hasInterest { signalled.append(watch) }
    }

    mutating func note(_ id: SocketID) {
        if let watch = bySocket[id] { signal(watch) }
    }

    /// The stack ends: everybody looks again.
    mutating func signalAll() {
        signalled.append(contentsOf: bySocket.values)
        bySocket = [:]
    }

    mutating func takeSignalled() -> [SocketWatch] {
        if signalled.isEmpty { return [] }
        defer { signalled = [] }
        return signalled
    }
}
