// The form of a row in the table of socket options: the facts of one option. The rows are in SocketOptionTable.swift.

import NetPrimitives

/// Where a program of C finds an option.
package struct SocketOptionPlace: Hashable, Sendable {
    /// The levels of `setsockopt`.
    package enum Level: Hashable, Sendable {
        /// SOL_SOCKET with lwIP's numbers.
        case socket
        /// SOL_SOCKET with the host's numbers.
        case hostSocket
        /// IPPROTO_IP.
        case ipv4
        /// IPPROTO_IPV6.
        case ipv6
        /// IPPROTO_TCP: lwIP's numbers, and the host's where lwIP has nothing.
        case tcp
    }

    let level: Level
    let number: Int32

    init(_ level: Level, _ number: Int32) {
        self.level = level
        self.number = number
    }
}

/// The facts of an option.
package struct SocketOptionRow: Sendable {
    typealias State = BlockingSocket.State
    typealias Path<Value> = WritableKeyPath<State, Value> & Sendable

    /// The sockets that have it.
    enum Kinds: Sendable {
        case all, streams, datagrams, ipv6
    }

    /// The form of its value, in memory of a C program too.
    package enum Form: Hashable, Sendable {
        /// An `int`, off if it is 0.
        case flag
        /// An `int` in a range.
        case integer(ClosedRange<Int>, unit: String)
        /// The same, or -1 for the default.
        case integerOrDefault(ClosedRange<Int>)
        /// A `struct timeval`; 0 is none.
        case time
        /// Milliseconds in an `int`; 0 is none.
        case milliseconds
        /// A `struct linger`.
        case linger
        /// A text.
        case name
        /// An `in_addr`, or a structure with one after the group's.
        case address

        /// What a caller hears that gives something else.
        var requirement: String {
            switch self {
            case .flag: "0 or 1"
            case .integer(let range, let unit):
                "a number from \(range.lowerBound) to \(range.upperBound)" + (unit.isEmpty ? "" : " (\(unit))")
            case .integerOrDefault(let range): "a number from \(range.lowerBound) to \(range.upperBound), or -1"
            case .time, .milliseconds: "a time"
            case .linger: "a linger structure"
            case .name: "a name"
            case .address: "an address"
            }
        }

        /// Whether it is a value for this option.
        func accepts(_ value: SocketOptionValue) -> Bool {
            switch (self, value) {
            case (.flag, .integer), (.time, .duration), (.milliseconds, .duration), (.linger, .linger), (.name, .name),
                (.address, .address):
                true
            case (.integer(let range, _), .integer(let number)): range.contains(number)
            case (.integerOrDefault(let range), .integer(let number)): number == -1 || range.contains(number)
            default: false
            }
        }
    }

    /// The name in the manual pages; IPv4's if each family has one.
    let name: String
    let places: [SocketOptionPlace]
    var kinds = Kinds.all
    package var form: Form
    /// Whether programs may give one byte, as BSD does.
    package var mayBeByte = false
    /// Reads what the socket remembers. Nil: `BlockingSocket` finds it out.
    var get: (@Sendable (_ state: State, _ isStream: Bool) -> SocketOptionValue)?
    /// Remembers a value that `form` accepts. The stack is told afterwards. Nil: the option can only be read.
    var set:
        (@Sendable (_ state: inout State, _ value: SocketOptionValue, _ isStream: Bool) throws(SocketError) -> Void)?

    /// Whether a socket has the option.
    func exists(isStream: Bool, isIPv4: Bool) -> Bool {
        switch kinds {
        case .all: true
        case .streams: isStream
        case .datagrams: !isStream
        case .ipv6: !isIPv4
        }
    }

    // MARK: Kinds of rows

    /// A switch.
    static func flag(
        _ name: String, _ places: [SocketOptionPlace], _ path: any Path<Bool>, kinds: Kinds = .all
    ) -> SocketOptionRow {
        SocketOptionRow(
            name: name, places: places, kinds: kinds, form: .flag,
            get: { state, _ in .integer(state[keyPath: path] ? 1 : 0) },
            set: { (state, value, _) throws(SocketError) in state[keyPath: path] = value.number != 0 })
    }

    /// A number, and how it is remembered.
    static func number(
        _ name: String, _ places: [SocketOptionPlace], _ form: Form, kinds: Kinds = .all,
        get: @escaping @Sendable (_ state: State, _ isStream: Bool) -> Int,
        set: @escaping @Sendable (_ state: inout State, _ number: Int, _ isStream: Bool) -> Void
    ) -> SocketOptionRow {
        SocketOptionRow(
            name: name, places: places, kinds: kinds, form: form,
            get: { state, isStream in .integer(get(state, isStream)) },
            set: { (state, value, isStream) throws(SocketError) in set(&state, value.number, isStream) })
    }

    /// A number that is remembered as it is.
    static func count(
        _ name: String, _ places: [SocketOptionPlace], _ range: ClosedRange<Int>, _ path: any Path<Int>, kinds: Kinds
    ) -> SocketOptionRow {
        number(
            name, places, .integer(range, unit: ""), kinds: kinds, get: { state, _ in state[keyPath: path] },
            set: { state, number, _ in state[keyPath: path] = number })
    }

    /// A time in whole units. A negative number is 0.
    static func time(
        _ name: String, _ places: [SocketOptionPlace], _ range: ClosedRange<Int>, seconds: Bool,
        _ path: any Path<Duration>, kinds: Kinds
    ) -> SocketOptionRow {
        number(
            name, places, .integer(range, unit: seconds ? "seconds" : "milliseconds"), kinds: kinds,
            get: { state, _ in Int(state[keyPath: path].milliseconds) / (seconds ? 1_000 : 1) },
            set: { state, number, _ in
                let number = max(0, number)
                state[keyPath: path] = seconds ? .seconds(number) : .milliseconds(number)
            })
    }

    /// How long a call waits.
    static func limit(
        _ name: String, _ places: [SocketOptionPlace], _ form: Form, _ path: any Path<Duration?>
    ) -> SocketOptionRow {
        SocketOptionRow(
            name: name, places: places, form: form, get: { state, _ in .duration(state[keyPath: path]) },
            set: { (state, value, _) throws(SocketError) in
                guard case .duration(let duration) = value else { return }
                // Zero is no time-out, as in a timeval.
                state[keyPath: path] = duration.flatMap { $0 > .zero ? $0 : nil }
            })
    }

    /// A number that the socket finds out, and that cannot be set.
    static func fact(_ name: String, _ places: [SocketOptionPlace]) -> SocketOptionRow {
        SocketOptionRow(name: name, places: places, form: .integer(0...Int(Int32.max), unit: ""))
    }
}

extension SocketOptionValue {
    /// The number. Other values give 0; no row with a number accepts them.
    fileprivate var number: Int {
        guard case .integer(let number) = self else { return 0 }
        return number
    }
}
