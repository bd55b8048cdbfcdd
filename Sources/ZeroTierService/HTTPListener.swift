// One address at which the service listens, and its connections.

import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import NetPrimitives
import Synchronization
import ZeroTier

/// A server at one address. If it fails, it is started again.
final class HTTPListener: Sendable {
    typealias Maker = @Sendable (IPAddress, UInt16) async throws(ZeroTierError) -> HTTPListener

    // The server of now, each of which runs once.
    private struct State {
        var server: Server<QueuedChannel>?
        var room: ConnectionRoom?
        var port: UInt16
        var isBound = false
        var isEnding = false
    }

    /// What all listeners of a service have in common.
    struct Shared: Sendable {
        let responder: HTTPResponder
        let limits: HTTPLimits
        let group: MultiThreadedEventLoopGroup
        let complain: @Sendable (String) -> Void
    }

    private static let pause: Duration = .seconds(1)

    let address: IPAddress
    private let shared: Shared
    private let state: Mutex<State>
    private let task = Mutex<Task<Void, Never>?>(nil)

    private init(_ address: IPAddress, _ port: UInt16, _ shared: Shared) {
        self.address = address
        self.shared = shared
        state = Mutex(State(port: port))
    }

    /// Begins to listen; port 0 is any free one.
    static func start(
        _ address: IPAddress, _ port: UInt16, _ shared: Shared
    ) async throws(ZeroTierError) -> HTTPListener {
        let listener = HTTPListener(address, port, shared)
        let (starts, start) = AsyncStream.makeStream(of: (any Error)?.self)
        listener.task.withLock { task in
            task = Task {
                await listener.run(start)
                start.finish()
            }
        }
        for await error in starts {
            guard let error else { return listener }
            throw listener.failure(error)
        }
        throw ZeroTierError(.failed, "the service at \(address) did not start")
    }

    var port: UInt16 { state.withLock { $0.port } }

    /// Stops listening, and returns when all connections have ended. They do within `HTTPLimits.stopTime` unless a request hangs.
    func finish() async {
        let (server, room) = state.withLock { state in
            state.isEnding = true
            return (state.server, state.room)
        }
        room?.end()
        try? await server?.shutdownGracefully()
        await task.withLock { $0 }?.value
    }

    /// Ends requests that wait for something.
    func cancel() { task.withLock { $0 }?.cancel() }

    // Tells the first start, or why it failed.
    private func run(_ start: AsyncStream<(any Error)?>.Continuation) async {
        var isComplaining = false
        while true {
            let room = ConnectionRoom(shared.limits, shared.group)
            let server = makeServer(room) {
                start.yield(nil)
            }
            let isWanted = state.withLock { state in
                state.server = server
                state.room = room
                return !state.isEnding
            }
            guard isWanted else { return }
            do {
                try await server.run()
            } catch {
                guard state.withLock({ $0.isBound }) else {
                    start.yield(error)
                    return
                }
            }
            guard !state.withLock({ $0.isEnding }), !Task.isCancelled else { return }
            // Out of descriptors, for one.
            if !isComplaining {
                shared.complain("the service at \(address) failed and is started again; are too many files open?")
            }
            isComplaining = true
            try? await Task.sleep(for: HTTPListener.pause)
        }
    }

    private func makeServer(
        _ room: ConnectionRoom, _ isRunning: @escaping @Sendable () -> Void
    ) -> Server<QueuedChannel> {
        let limits = shared.limits
        let decoder = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: limits.header, maxHeaderListSize: limits.headers,
            maxHeaderFieldCount: limits.headerCount)
        let channel = HTTP1Channel(
            responder: { [responder = shared.responder] request, writer, channel in
                try await responder.respond(request, writer, channel)
            },
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [ConnectionWatch(limits, room)], idleTimeout: TimeAmount(limits.idleTime),
                httpDecoderConfiguration: decoder))
        // What it says is for its authors, and may have targets of requests in it, with tokens.
        let silent = Logger(label: "service") { _ in SwiftLogNoOpLogHandler() }
        return Server(
            childChannelSetup: QueuedChannel(room: room, served: channel),
            configuration: ServerConfiguration(
                address: .hostname("\(address)", port: Int(port)), backlog: limits.backlog,
                availableConnectionsDelegate: room),
            onServerRunning: { [self] channel in
                // Without it fewer are taken at a time.
                try? await channel.setOption(.maxMessagesPerRead, value: UInt(limits.batch)).get()
                let port = UInt16(clamping: channel.localAddress?.port ?? 0)
                state.withLock { state in
                    state.port = port
                    state.isBound = true
                }
                isRunning()
            },
            eventLoopGroup: shared.group, logger: silent)
    }

    private func failure(_ error: any Error) -> ZeroTierError {
        let number = (error as? IOError)?.errnoCode
        switch number {
        case EADDRINUSE?:
            return ZeroTierError(
                .portTaken,
                "TCP port \(port) at \(address) is in use by another program: end it, or choose a port by --service-port",
                systemError: number)
        case EACCES?:
            return ZeroTierError(
                .system, "TCP port \(port) is for the superuser: choose one above 1023 by --service-port",
                systemError: number)
        default:
            return ZeroTierError(
                .system, "cannot listen at \(address), TCP port \(port): \(error)", systemError: number)
        }
    }
}
