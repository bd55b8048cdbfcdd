// What the driver's thread sleeps on: the sockets, one event for kicks, one timer. Read first: epoll(7).

import CZeroTierSystem
import NetPrimitives

/// Waits for many descriptors at once. `watch` may be called from any thread, `wait` from one.
package struct Poller: Sendable {
    /// What a descriptor is ready for.
    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let readable = Interest(rawValue: UInt32(CSYSTEM_READABLE))
        package static let writable = Interest(rawValue: UInt32(CSYSTEM_WRITABLE))
    }

    /// A descriptor that is ready.
    package struct Ready: Sendable {
        package let token: UInt64
        package let interest: Interest
    }

    /// What is ready, in memory that one waiting thread keeps.
    package struct ReadyList: Sendable {
        fileprivate static let capacity = 64
        fileprivate var entries = [csystem_ready](repeating: csystem_ready(), count: capacity)
        /// How many descriptors are ready.
        package fileprivate(set) var count = 0

        package init() {}

        package mutating func clear() { count = 0 }

        package subscript(index: Int) -> Ready {
            precondition(index < count)
            return Ready(token: entries[index].token, interest: Interest(rawValue: entries[index].events))
        }
    }

    private let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = Descriptor(owning: try SystemError.check(csystem_poller_open(), "create an epoll instance"))
    }

    /// Begins to watch a descriptor; `token` names it in `wait`'s answer.
    package func add(_ other: Descriptor, token: UInt64, for interest: Interest) throws(SystemError) {
        _ = try SystemError.check(
            csystem_poller_watch(descriptor.number, other.number, token, interest.rawValue, 1), "watch a descriptor")
    }

    /// Changes what is waited for; with the empty interest nothing is, until the next change.
    package func set(_ other: Descriptor, token: UInt64, for interest: Interest) {
        _ = csystem_poller_watch(descriptor.number, other.number, token, interest.rawValue, 0)
    }

    /// Waits until something is ready and puts that into the list; nil waits for ever.
    package func wait(_ list: inout ReadyList, milliseconds: Int32? = nil) {
        // Sound: the shim fills at most as many entries as the array has.
        let count = unsafe csystem_poller_wait(
            descriptor.number, &list.entries, Int32(ReadyList.capacity), milliseconds ?? -1)
        list.count = max(0, Int(count))
    }
}

/// A flag that wakes a poller.
package struct WakeEvent: Sendable {
    package let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = Descriptor(owning: try SystemError.check(csystem_event_open(), "create an event descriptor"))
    }

    package func signal() { csystem_event_signal(descriptor.number) }
    package func drain() { csystem_event_drain(descriptor.number) }
}

/// One timer that wakes a poller.
package struct WakeTimer: Sendable {
    package let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = Descriptor(owning: try SystemError.check(csystem_timer_open(), "create a timer"))
    }

    /// Fires at an instant of `SystemClock`; nil disarms.
    package func arm(at instant: MonotonicInstant?) {
        // 0 would disarm; an instant in the distant past must fire at once.
        _ = csystem_timer_arm(descriptor.number, instant.map { max(1, $0.nanoseconds) } ?? 0)
    }

    package func drain() { csystem_timer_drain(descriptor.number) }
}
