// What poll and select speak of: requested and returned bits with lwIP's numbers, and sets of descriptors.
// Read first: poll(2), select(2).

/// Bits of `zts_pollfd`. The peer's end of stream shows as `input`, since these numbers have no POLLRDHUP.
package struct PollEvents: OptionSet, Hashable, Sendable {
    package let rawValue: Int16
    package init(rawValue: Int16) { self.rawValue = rawValue }

    /// POLLIN: a receive call or accept would not block.
    package static let input = PollEvents(rawValue: 0x01)
    /// POLLOUT: a send call would not block.
    package static let output = PollEvents(rawValue: 0x02)
    /// POLLERR: an error is pending. Told without being asked for.
    package static let error = PollEvents(rawValue: 0x04)
    /// POLLNVAL: no such descriptor. Told without being asked for.
    package static let invalid = PollEvents(rawValue: 0x08)
    /// POLLRDNORM, with `input`.
    package static let inputNormal = PollEvents(rawValue: 0x10)
    /// POLLPRI, never ready: urgent data is in line.
    package static let priority = PollEvents(rawValue: 0x40)
    /// POLLWRNORM, with `output`.
    package static let outputNormal = PollEvents(rawValue: 0x80)
    /// POLLHUP: both directions have ended. Told without being asked for.
    package static let hangUp = PollEvents(rawValue: 0x200)
}

/// One descriptor that `poll` looks at.
package struct PollEntry: Hashable, Sendable {
    /// A negative one is ignored.
    package var descriptor: Int32
    /// What is asked for.
    package var events: PollEvents
    /// The answer.
    package var ready: PollEvents = []

    package init(_ descriptor: Int32, _ events: PollEvents) {
        self.descriptor = descriptor
        self.events = events
    }
}

/// The descriptors 0...1023 as a set, a bit each: the layout of a little-endian `fd_set`.
package struct DescriptorSet: Sendable {
    /// Descriptor n is bit n % 64 of word n / 64.
    package var words: InlineArray<16, UInt64> = .init(repeating: 0)

    package init() {}

    /// Whether a descriptor is in the set; numbers that do not fit are not.
    package subscript(_ descriptor: Int32) -> Bool {
        get {
            guard descriptor >= 0, descriptor < SocketLimits.selectable else { return false }
            return words[Int(descriptor) >> 6] >> UInt64(descriptor & 63) & 1 == 1
        }
        set {
            guard descriptor >= 0, descriptor < SocketLimits.selectable else { return }
            let bit = UInt64(1) << UInt64(descriptor & 63)
            if newValue { words[Int(descriptor) >> 6] |= bit } else { words[Int(descriptor) >> 6] &= ~bit }
        }
    }

    /// Takes everything out.
    package mutating func removeAll() { words = .init(repeating: 0) }
}
