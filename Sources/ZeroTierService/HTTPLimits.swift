// What clients of the service can make it hold, and for how long.

/// Bounds on connections, bytes and times. Tests make these small.
package struct HTTPLimits: Sendable {
    /// Connections at one address that are served. Others wait for their turn.
    package var connections = 1024
    /// Connections that were taken from the kernel's queue and wait. An overflow of that queue costs the client's data: it comes again
    /// after seconds, or never.
    package var waiting = 8192
    /// While others wait, a connection is closed whose client has done nothing for so long though it is its turn.
    package var patience: Duration = .seconds(2)
    /// Connections that wait in the kernel's queue.
    package var backlog = 4096
    /// How many are taken from it before those that are open are looked after again.
    package var batch = 64
    /// Bytes of one body.
    package var body = 16 << 20
    /// Bytes of all bodies that are held at a time.
    package var bodies = 64 << 20
    /// Bytes of one header, and of all headers of a request; how many there may be.
    package var header = 16 << 10
    package var headers = 32 << 10
    package var headerCount = 100
    /// A connection without a request, or with a part of a head, is closed after so long.
    package var idleTime: Duration = .seconds(30)
    /// From the end of a request's head to the end of its body.
    package var bodyTime: Duration = .seconds(60)
    /// A part of an answer that the client does not take.
    package var answerTime: Duration = .seconds(60)
    /// Requests that are open when the service stops.
    package var stopTime: Duration = .seconds(5)
    /// Bytes of a list that is sent as a whole, with its length. A longer one is sent in parts.
    package var wholeList = 256 << 10

    package init() {}
}
