//  Frames of a network by what the rules said of them.

/// Frames of one network since it was joined. A frame for several receivers is one.
package struct FrameCounters: Hashable, Sendable {
    package private(set) var receivedAccepted: UInt64 = 0
    package private(set) var receivedRefused: UInt64 = 0
    package private(set) var sentAccepted: UInt64 = 0
    package private(set) var sentRefused: UInt64 = 0

    package init() {}

    /// Counts a frame that came.
    @inline(__always)
    mutating func noteReceived(_ isAllowed: Bool) {
        if isAllowed { receivedAccepted &+= 1 } else { receivedRefused &+= 1 }
    }

    /// Counts so many frames of one flow that are to leave.
    @inline(__always)
    mutating func noteSent(_ isAllowed: Bool, _ count: Int) {
        if isAllowed {
            sentAccepted &+= UInt64(truncatingIfNeeded: count)
        } else {
            sentRefused &+= UInt64(truncatingIfNeeded: count)
        }
    }
}
