// Tasks and threads that wait for something in the node, with deadlines. Part of the state under the node's lock;
// whoever is to go on is collected under the lock and woken after it.

import NetStack
import NetPrimitives
import Synchronization

/// What a waiter waits for. A wake-up says "look again".
enum WaitKey: Hashable, Sendable {
    /// Edges of a socket.
    case socket(SocketID)
    /// The node's or a network's state.
    case node
    /// The answer to an echo request.
    case echo(identifier: UInt16, sequence: UInt16)
}

/// Why a waiter goes on.
enum WaitResult: Sendable {
    case ready
    case timedOut
    case cancelled
    case stopped
}

/// A thread that waits, outside of Swift's concurrency.
final class BlockedThread: Sendable {
    private let parker = Parker()
    private let result = Mutex<WaitResult?>(nil)

    func wait() -> WaitResult {
        while true {
            _ = parker.park()
            if let result = result.withLock({ $0 }) { return result }
        }
    }

    func wake(_ value: WaitResult) {
        result.withLock { $0 = value }
        parker.unpark()
    }
}

/// Who waits.
enum WaitTarget: Sendable {
    case task(CheckedContinuation<WaitResult, Never>)
    case thread(BlockedThread)
    case leader(LeadingThread)

    func resume(_ result: WaitResult) {
        switch self {
        case .task(let continuation): continuation.resume(returning: result)
        case .thread(let thread): thread.wake(result)
        case .leader(let thread): thread.wake(result)
        }
    }
}

/// Waiters that are to be woken as soon as the lock is released.
struct WakeList: Sendable {
    private var entries: [(WaitTarget, WaitResult)] = []

    var isEmpty: Bool { entries.isEmpty }

    mutating func append(_ target: WaitTarget, _ result: WaitResult) { entries.append((target, result)) }

    /// Takes what is in the list, leaving it empty.
    mutating func take() -> WakeList {
        if entries.isEmpty { return WakeList() }
        defer { entries = [] }
        return self
    }

    func resume() {
        for (target, result) in entries { target.resume(result) }
    }
}

/// All waiters of a node.
struct WaitTable: Sendable {
    private struct Waiter: Sendable {
        let key: WaitKey
        let target: WaitTarget
    }

    private var waiters: [UInt64: Waiter] = [:]
    private var byKey: [WaitKey: [UInt64]] = [:]
    private var deadlines = DeadlineQueue<UInt64>()

    var count: Int { waiters.count }

    /// The earliest deadline of a waiter.
    mutating func nextDeadline() -> MonotonicInstant? { deadlines.next() }

    mutating func add(_ id: UInt64, for key: WaitKey, until deadline: MonotonicInstant?, _ target: WaitTarget) {
        waiters[id] = Waiter(key: key, target: target)
        byKey[key, default: []].append(id)
        if let deadline { deadlines.schedule(id, at: deadline) }
    }

    private mutating func remove(_ id: UInt64) -> Waiter? {
        guard let waiter = waiters.removeValue(forKey: id) else { return nil }
        deadlines.cancel(id)
        if var ids = byKey[waiter.key] {
            ids.removeAll { $0 == id }
            byKey[waiter.key] = ids.isEmpty ? nil : ids
        }
        return waiter
    }

    mutating func wake(_ key: WaitKey, into list: inout WakeList) {
        guard let ids = byKey.removeValue(forKey: key) else { return }
        for id in ids {
            guard let waiter = waiters.removeValue(forKey: id) else { continue }
            deadlines.cancel(id)
            list.append(waiter.target, .ready)
        }
    }

    mutating func cancel(_ id: UInt64, into list: inout WakeList) {
        if let waiter = remove(id) { list.append(waiter.target, .cancelled) }
    }

    /// Takes a waiter out without a wake-up. False if it is gone already.
    mutating func withdraw(_ id: UInt64) -> Bool { remove(id) != nil }

    mutating func expire(_ now: MonotonicInstant, into list: inout WakeList) {
        while let id = deadlines.popDue(now) {
            if let waiter = remove(id) { list.append(waiter.target, .timedOut) }
        }
    }

    mutating func stopAll(into list: inout WakeList) {
        for id in waiters.keys.sorted() {
            if let waiter = remove(id) { list.append(waiter.target, .stopped) }
        }
    }
}
