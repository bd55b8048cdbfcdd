// Connections that were accepted and are not served yet. Read first: tcp(7), TCP_INFO.

import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NetPrimitives
import ZeroTier

/// One that waits: a descriptor that nobody reads. What its client sends is with the kernel.
struct WaitingConnection: Sendable {
    /// Why it is not served.
    private struct Refused: Error {}

    let channel: any Channel
    /// Succeeds when it is served.
    let turn: EventLoopPromise<Void>
    let since = SystemClock.monotonic()

    init(_ channel: any Channel) {
        self.channel = channel
        turn = channel.eventLoop.makePromise()
    }

    /// Closes it.
    func refuse() {
        channel.close(promise: nil)
        turn.fail(Refused())
    }

    /// Tells later whether anything has come from its client, its end included. One that cannot be asked has spoken.
    func hasSpoken(_ tell: @escaping @Sendable (Bool) -> Void) {
        channel.eventLoop.execute { [channel] in
            guard let provider = channel as? any SocketOptionProvider else { return tell(true) }
            // Sound: the kernel writes at most the size of the structure, of which every pattern of bits is a value.
            let answer: EventLoopFuture<ConnectionInfo> = provider.unsafeGetSocketOption(
                level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_INFO))
            answer.whenComplete { result in tell((try? result.get())?.hasSpoken ?? true) }
        }
    }
}

/// The head of the kernel's `struct tcp_info`, whose beginning alone the C library knows: the first byte is the state, the last
/// word how many bytes were received.
private struct ConnectionInfo: Sendable {
    private typealias Four = (UInt64, UInt64, UInt64, UInt64)
    private var words: (Four, Four, Four, Four, UInt64) = (
        (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), 0
    )

    // TCP_ESTABLISHED of the kernel.
    private static let established: UInt64 = 1

    var hasSpoken: Bool { words.4 > 0 || UInt64(bigEndian: words.0.0) >> 56 != ConnectionInfo.established }
}

/// A connection that is set up when it is its turn. Until then it has no buffers and no task.
struct QueuedChannel: ServerChildChannel {
    let room: ConnectionRoom
    let served: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        room.turn(of: channel).flatMap { served.setup(channel: channel, logger: logger) }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async { await served.handle(value: value, logger: logger) }
}
