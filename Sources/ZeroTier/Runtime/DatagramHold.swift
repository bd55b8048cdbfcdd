// Whether datagrams that an application sends one by one, fast, wait a moment for each other, so that they share the way
// through the node and one system call. Read first: Docs/architecture.md, "The way of a packet out".

import NetPrimitives

/// Decides when queued datagrams leave. One datagram, or a few, leave at once; only in a flood of calls do they wait.
struct DatagramHold: Sendable {
    /// Datagrams that leave together.
    static let most = 32
    /// How long one waits at most for the others.
    static let longest = Duration.microseconds(100)
    // Calls that follow each other more closely than this are a flood once there were enough of them.
    private static let close = Duration.microseconds(25)
    private static let callsOfFlood = 8

    private var lastCount: UInt64 = 0
    private var lastCall = MonotonicInstant(nanoseconds: 0)
    private var closeCalls = 0
    /// When what waits has to leave.
    private(set) var deadline: MonotonicInstant?

    /// Whether what is queued waits. `sent`: datagrams that applications have ever sent; `queued`: those that have not left.
    mutating func holds(sent: UInt64, queued: Int, now: MonotonicInstant) -> Bool {
        if sent != lastCount {
            closeCalls = now - lastCall < DatagramHold.close ? closeCalls + 1 : 0
            lastCount = sent
            lastCall = now
        }
        guard closeCalls >= DatagramHold.callsOfFlood, queued < DatagramHold.most else { return false }
        guard let deadline else {
            self.deadline = now + DatagramHold.longest
            return true
        }
        return now < deadline
    }

    /// Everything has left.
    mutating func release() { deadline = nil }
}
