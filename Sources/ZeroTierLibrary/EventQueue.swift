// The queue between the library and the program's callback, and the one thread that calls it.

import Synchronization
import ZeroTier

/// Delivers events one at a time, in order. Bounded: if the program is too slow, events that repeat are dropped. Events
/// about the node's life never are.
package final class EventQueue: Sendable {
    private struct State: Sendable {
        var queue: [(event: LibraryEvent, sink: EventSink)] = []
        var isFinished = false
        var thread: Thread?
        var dropped: UInt64 = 0
    }

    private let state = Guarded(State())
    // Readable after each delivery; nil until somebody asks for it.
    private let descriptor = Guarded<WakeEvent?>(nil)

    static let capacity = 1024

    /// Events that the program missed because its callback did not return in time.
    var dropped: UInt64 { state.withLock { $0.dropped } }

    /// Makes sure that there is a thread. Returns the system's error number if there cannot be one.
    func start() -> Int32? {
        state.withLock { state -> Int32? in
            guard state.thread == nil, !state.isFinished else { return nil }
            do throws(SystemError) {
                state.thread = try Thread(name: "zt-callback") { [self] in run() }
                return nil
            } catch {
                return error.number
            }
        }
    }

    func post(_ event: LibraryEvent, to sink: EventSink?) {
        guard let sink else { return }
        if case .store = event, !sink.wantsStores { return }
        state.withLock { state in
            guard !state.isFinished else { return }
            if state.queue.count >= EventQueue.capacity { makeRoom(&state) }
            state.queue.append((event, sink))
        }
    }

    // Drops the oldest of the least important events. Events of rank 0 answer calls of the program, so they have a
    // bound.
    private func makeRoom(_ state: inout State) {
        guard let worst = state.queue.map(\.event.rank).max(), worst > 0,
            let index = state.queue.firstIndex(where: { $0.event.rank == worst })
        else { return }
        state.queue.remove(at: index)
        state.dropped &+= 1
    }

    /// Takes no more events. Those in the queue are delivered. Waits for that, except in the callback itself.
    func finish() {
        let thread = state.withLock { state -> Thread? in
            state.isFinished = true
            defer { state.thread = nil }
            return state.thread
        }
        guard let thread else { return closeDescriptor() }
        // On the thread itself nobody waits: to let go of it is enough.
        if !thread.isCurrent { thread.join() }
    }

    private func run() {
        while true {
            let next = state.wait { state -> (event: LibraryEvent, sink: EventSink)?? in
                if state.queue.isEmpty { return state.isFinished ? .some(nil) : nil }
                return .some(state.queue.removeFirst())
            }
            guard let (event, sink) = next else { break }
            sink.deliver(event)
            signal()
        }
        closeDescriptor()
    }

    // MARK: For event loops

    /// The eventfd, made on the first call; nil if the system gives none.
    package func eventDescriptor() -> Int32? {
        descriptor.withLock { event in
            if event == nil { event = try? WakeEvent() }
            return event?.descriptor.number
        }
    }

    private func signal() { descriptor.withLock { $0?.signal() } }

    private func closeDescriptor() { descriptor.withLock { $0 = nil } }
}
