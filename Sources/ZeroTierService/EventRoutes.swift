// What happens to the node and its networks, told while it happens: server-sent events. Read first: Docs/page.md, "Requests",
// and https://html.spec.whatwg.org/multipage/server-sent-events.html.

import JSONValues
import Synchronization
import ZeroTier

/// The streams of events that are open.
final class EventStreams: Sendable {
    private struct State {
        var open: [UInt64: AsyncStream<[UInt8]>.Continuation] = [:]
        var nextID: UInt64 = 0
        var isEnded = false
    }

    /// Streams at a time: pages that are looked at.
    private static let limit = 64
    /// Events that wait for one client.
    private static let capacity = 256
    /// Between two signs of life: a client that hears nothing for longer asks anew.
    private static let heartbeat: Duration = .seconds(10)

    private let node: Node
    private let state = Mutex(State())

    init(_ node: Node) { self.node = node }

    var routes: [ServiceRoute] {
        [ServiceRoute(.get, "/zt/events") { [self] _ in answer() }]
    }

    /// Ends all streams; no other begins.
    func end() {
        let open = state.withLock { state in
            state.isEnded = true
            return state.open.values
        }
        for continuation in open { continuation.finish() }
    }

    private func answer() -> ServiceAnswer {
        let (stream, continuation) = AsyncStream.makeStream(
            of: [UInt8].self, bufferingPolicy: .bufferingNewest(EventStreams.capacity))
        let id: UInt64? = state.withLock { state in
            guard !state.isEnded, state.open.count < EventStreams.limit else { return nil }
            state.nextID += 1
            state.open[state.nextID] = continuation
            return state.nextID
        }
        guard let id else { return .error(503, "at most \(EventStreams.limit) streams of events at a time") }
        // Subscribed before the client is told that it is.
        let events = node.events
        continuation.yield(EventStreams.ready)
        let task = Task { await EventStreams.tell(events, continuation) }
        continuation.onTermination = { [self] _ in
            task.cancel()
            state.withLock { state in _ = state.open.removeValue(forKey: id) }
        }
        return ServiceAnswer(
            status: 200, contentType: "text/event-stream",
            body: .stream {
                var iterator = stream.makeAsyncIterator()
                return await iterator.next(isolation: nil)
            })
    }

    // Tells until the node is shut down or nobody listens.
    private static func tell(_ events: NodeEvents, _ continuation: AsyncStream<[UInt8]>.Continuation) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                for await event in events {
                    guard let text = text(of: event) else { continue }
                    // The client was too slow for so many.
                    if case .dropped = continuation.yield(text) { continuation.yield(missed) }
                }
            }
            tasks.addTask {
                while (try? await Task.sleep(for: heartbeat)) != nil { continuation.yield(comment) }
            }
            await tasks.next()
            tasks.cancelAll()
        }
        continuation.finish()
    }

    // MARK: Texts

    private static let ready = text("ready", [])
    private static let missed = text("missed", [])
    // A line that begins with a colon says nothing.
    private static let comment = Array(":\n\n".utf8)

    private static func text(_ name: String, _ members: [(String, JSONValue)]) -> [UInt8] {
        Array("event: \(name)\ndata: \(JSONValue.object(members).text)\n\n".utf8)
    }

    // Nil for what nothing that can be asked for depends on.
    private static func text(of event: NodeEvent) -> [UInt8]? {
        switch event {
        case .online, .offline, .localAddressesChanged, .rootsAsked: text("node", [])
        case .peerDirect(let peer, _), .peerRelayed(let peer), .peerUnreachable(let peer), .path(let peer, _, _),
            .peerExpired(let peer):
            text("peer", [("address", .string("\(peer)"))])
        case .networkReady(let network, _), .networkChanged(let network), .address(let network, _, _),
            .route(let network, _, _), .networkFailed(let network, _), .networkLeft(let network):
            text("joined", [("nwid", .string("\(network)"))])
        case .controlledNetworkChanged(let network): text("network", [("nwid", .string("\(network)"))])
        case .networkMemberChanged(let network, let member), .memberWaiting(let network, let member),
            .memberAddressMissing(let network, let member):
            text("member", [("nwid", .string("\(network)")), ("address", .string("\(member)"))])
        case .missed: missed
        case .addressConflict, .identityCollision, .storageFailed, .warning, .message, .stopped: nil
        }
    }
}
