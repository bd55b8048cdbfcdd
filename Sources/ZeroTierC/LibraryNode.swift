// The life of a node behind the C interface: start, stop, restart, free, from any thread, the callback's included.
// One service thread per run makes the node, turns what happens to it into events and takes it down.

import NetPrimitives
import Synchronization
import ZeroTier
import ZeroTierSockets

/// What a start needs.
struct RunSettings: Sendable {
    /// Nil: everything in memory.
    var path: String?
    var identity: String?
    var port: UInt16 = 0
    var portRange: ClosedRange<UInt16>?
    var planet: [UInt8]?
    var refusedInterfaces: [String] = []
    var sink: EventSink?
    /// Networks to join as soon as the node is up.
    var networks: [NetworkID] = []
}

/// Why a start or stop was refused.
enum LifeFailure: Error {
    case alreadyRunning
    case notRunning
    case freed
    case system(Int32)
}

/// A node of the C interface, over all its runs.
package final class LibraryNode: Sendable {
    /// The one that both generations' functions without a handle mean.
    static let shared = LibraryNode(layer: .shared)

    struct State: Sendable {
        enum Phase: Sendable { case idle, starting, running, stopping }
        var phase = Phase.idle
        var isFreed = false
        var isStackUp = false
        var isStopWanted = false
        var restartsWanted = 0
        var restartsDone = 0
        var settings = RunSettings()
        var wasStarted = false
        var node: Node?
        var service: Thread?
        /// Why the last start failed; nil while it is under way, and after it was done.
        var startError: String?
        var runs = 0
    }

    let state = Guarded(State())
    let events = EventQueue()
    let layer: SocketLayer
    let switches = Mutex(CachingSwitches())
    private let online = Atomic(false)
    // Whether the phase is starting or running: every socket call asks. Changed with the state's lock held.
    private let started = Atomic(false)
    private let incarnations = Atomic(0)
    // What the node told since the service thread last looked.
    private let inbox = Guarded<[NodeEvent]>([])

    private static let inboxLimit = 4096
    // How soon after the last change the service looks for one that no event announces, of a peer's further paths for
    // example; each look in vain doubles the pause.
    private static let shortestPause = Duration.milliseconds(500)
    private static let longestPause = Duration.seconds(8)
    /// Ports tried for a node that may have any.
    private static let portTrials = 256

    init(layer: SocketLayer) { self.layer = layer }

    // MARK: Questions

    /// The node while it runs.
    var node: Node? {
        if CallingThread.isForked { return nil }
        return state.withLock { $0.phase == .running ? $0.node : nil }
    }

    /// Between start and stop.
    var isStarted: Bool { started.load(ordering: .acquiring) && !CallingThread.isForked }

    /// The node while it runs and a root answers.
    var onlineNode: Node? {
        guard isOnline else { return nil }
        return state.withLock { $0.phase == .running ? $0.node : nil }
    }

    var isOnline: Bool { online.load(ordering: .acquiring) && isStarted }

    /// Between start and stop: another start is refused.
    var isBusy: Bool { !CallingThread.isForked && state.withLock { $0.phase == .starting || $0.phase == .running } }

    var startError: String? {
        CallingThread.isForked ? CallFailure.forked.reason : state.withLock { $0.startError }
    }

    var isFreed: Bool { !CallingThread.isForked && state.withLock { $0.isFreed } }

    /// The directory of the last start; nil before the first, and when everything was freed.
    var path: String? { state.withLock { $0.wasStarted && !$0.isFreed ? $0.settings.path : nil } }

    // MARK: Life

    /// The stack is told of once, at the first start, even if that start fails.
    func announceStack(to sink: EventSink?) {
        guard sink != nil else { return }
        let isFirst = state.withLock { state in
            guard !state.isStackUp, !state.isFreed else { return false }
            state.isStackUp = true
            return true
        }
        guard isFirst else { return }
        _ = events.start()
        events.post(.stackUp, to: sink)
    }

    /// Starts and returns at once.
    func start(_ settings: RunSettings) throws(LifeFailure) {
        // Who stopped may start again at once: the run before ends first. Connections that it still delivers have their time.
        _ = state.wait { $0.phase == .stopping ? nil : true }
        let failure = state.withLock { state -> LifeFailure? in
            if state.phase != .idle { return .alreadyRunning }
            if state.isFreed { return .freed }
            state.phase = .starting
            started.store(true, ordering: .releasing)
            state.isStopWanted = false
            state.settings = settings
            state.wasStarted = true
            state.startError = nil
            state.runs += 1
            return nil
        }
        if let failure { throw failure }
        if let number = events.start() {
            takeBack()
            throw .system(number)
        }
        // With the lock held: however short its life, the thread finds itself in the state at its end.
        let refused = state.withLock { state -> Int32? in
            do throws(SystemError) {
                state.service = try Thread(name: "zt-service") { [self] in serve() }
                return nil
            } catch {
                return error.number
            }
        }
        if let refused {
            takeBack()
            throw .system(refused)
        }
    }

    private func takeBack() {
        state.withLock { state in
            state.phase = .idle
            started.store(false, ordering: .releasing)
        }
    }

    /// Wants the end of the run and returns at once.
    func stop() throws(LifeFailure) {
        let isRunning = state.withLock { state in
            guard state.phase == .starting || state.phase == .running else { return false }
            state.phase = .stopping
            started.store(false, ordering: .releasing)
            state.isStopWanted = true
            return true
        }
        guard isRunning else { throw .notRunning }
        online.store(false, ordering: .releasing)
        inbox.withLock { _ in }
    }

    /// Takes the node down and makes it again, with its networks; returns when that is done.
    func restart() throws(LifeFailure) {
        let target = state.withLock { state -> Int? in
            guard state.phase == .starting || state.phase == .running else { return nil }
            state.restartsWanted += 1
            return state.restartsWanted
        }
        guard let target else { throw .notRunning }
        inbox.withLock { _ in }
        _ = state.wait { state in state.restartsDone >= target || state.phase == .idle ? true : nil }
    }

    /// Ends everything for the rest of the process.
    func free() throws(LifeFailure) {
        let (isFirst, sink) = state.withLock { state -> (Bool, EventSink?) in
            defer { state.isFreed = true }
            return (!state.isFreed, state.isStackUp ? state.settings.sink : nil)
        }
        guard isFirst else { throw .freed }
        try? stop()
        let service = state.wait { state -> Thread?? in
            guard state.phase == .idle else { return nil }
            defer { state.service = nil }
            return .some(state.service)
        }
        if let service, let service { service.join() }
        layer.closeAll()
        events.post(.stackDown, to: sink)
        events.finish()
    }

    // MARK: Service

    private func serve() {
        let settings = state.withLock { $0.settings }
        guard let (node, store) = make(settings) else { return }
        var monitor = NodeMonitor()
        begin(node, settings, store, &monitor)
        var current = node
        var pause = LibraryNode.shortestPause
        while true {
            let told = waitForWork(atMost: pause)
            let wants = state.withLock { ($0.isStopWanted, $0.restartsWanted > $0.restartsDone) }
            let isChanged = report(told, current, settings, &monitor) || !told.isEmpty
            pause = isChanged ? LibraryNode.shortestPause : min(pause * 2, LibraryNode.longestPause)
            if wants.0 { break }
            if told.contains(.identityCollision) {
                guard let next = replaceIdentity(current, settings, store, &monitor) else { return }
                current = next
            } else if wants.1 {
                guard let next = remake(current, settings, store, &monitor) else { return }
                current = next
            }
        }
        for event in monitor.leaveAll() { events.post(event, to: settings.sink) }
        post(.node(.normalTermination, info(current)), settings)
        let last = info(current)
        layer.detach()
        current.shutdownBlocking()
        store.unlock()
        end(.node(.down, last), settings)
    }

    // Something happened, somebody wants something, or the pause is over.
    private func waitForWork(atMost pause: Duration) -> [NodeEvent] {
        inbox.wait(atMost: pause) { [state] inbox -> [NodeEvent]? in
            let isWanted = state.withLock { $0.isStopWanted || $0.restartsWanted > $0.restartsDone }
            guard !inbox.isEmpty || isWanted else { return nil }
            defer { inbox = [] }
            return inbox
        } ?? []
    }

    // What is never lost to a flood of other events: who misses it does the wrong thing from then on.
    private static func isOfItsLife(_ event: NodeEvent) -> Bool {
        switch event {
        case .online, .offline, .identityCollision, .stopped: true
        default: false
        }
    }

    // Called by the node, on any thread.
    private func note(_ event: NodeEvent, from incarnation: Int) {
        // What an earlier node still says is of no interest.
        guard incarnation == incarnations.load(ordering: .relaxed) else { return }
        switch event {
        case .online: online.store(isStarted, ordering: .releasing)
        case .offline, .stopped: online.store(false, ordering: .releasing)
        default: break
        }
        inbox.withLock { inbox in
            if inbox.count >= LibraryNode.inboxLimit {
                inbox.remove(at: inbox.firstIndex { !LibraryNode.isOfItsLife($0) } ?? 0)
            }
            inbox.append(event)
        }
    }

    // MARK: Making

    private func make(_ settings: RunSettings) -> (Node, CachingStore)? {
        do throws(ZeroTierError) {
            let store = try CachingStore(
                path: settings.path, identity: settings.identity,
                switches: { [self] in switches.withLock { $0 } },
                onWrite: { [self] object, bytes in events.post(.store(object, bytes), to: settings.sink) })
            do throws(ZeroTierError) {
                try store.makeToken()
                let node = try makeNode(settings, store)
                return (node, store)
            } catch {
                store.unlock()
                throw error
            }
        } catch {
            fail(error, settings)
            return nil
        }
    }

    private func makeNode(_ settings: RunSettings, _ store: CachingStore) throws(ZeroTierError) -> Node {
        var configuration = try self.configuration(settings, store)
        guard let range = settings.portRange, settings.port == 0 else { return try Node(configuration) }
        var trial = 0
        while true {
            configuration.port = UInt16.random(in: range)
            do throws(ZeroTierError) {
                return try Node(configuration)
            } catch {
                trial += 1
                guard error.code == .portTaken, trial < LibraryNode.portTrials else { throw error }
            }
        }
    }

    private func configuration(
        _ settings: RunSettings, _ store: CachingStore
    ) throws(ZeroTierError) -> Node.Configuration {
        var configuration = Node.Configuration(storage: .store(store))
        configuration.port = settings.port
        configuration.allowsLoopbackPaths = LibraryNode.allowsLoopbackPaths
        if let planet = settings.planet { configuration.planet = try RootSet(bytes: planet) }
        if !settings.refusedInterfaces.isEmpty {
            configuration.refusedInterfaces = settings.refusedInterfaces
            let left = LocalNetwork(
                InterfaceWatcher.scan(), allowLoopback: LibraryNode.allowsLoopbackPaths,
                refusedInterfaces: settings.refusedInterfaces)
            // A node without a way out would only seem to have started.
            guard !left.usable.isEmpty else {
                throw ZeroTierError(
                    .addressNotAvailable,
                    "no interface is left whose name does not begin with "
                        + settings.refusedInterfaces.joined(separator: " or "))
            }
        }
        configuration.traces = LibraryTraces.chosen
        let incarnation = incarnations.add(1, ordering: .relaxed).newValue
        configuration.log = { [self] event in note(event, from: incarnation) }
        return configuration
    }

    /// For tests and benchmarks on one machine: set before the start.
    package static var allowsLoopbackPaths: Bool {
        get { loopback.load(ordering: .relaxed) }
        set { loopback.store(newValue, ordering: .relaxed) }
    }
    private static let loopback = Atomic(false)

    private func begin(
        _ node: Node, _ settings: RunSettings, _ store: CachingStore, _ monitor: inout NodeMonitor
    ) {
        state.withLock { state in
            state.node = node
            if state.phase == .starting { state.phase = .running }
        }
        // Said while the node was being made.
        if let traces = LibraryTraces.chosen, traces != node.traces { try? node.setTraces(traces) }
        layer.attach(node)
        var up = info(node)
        if !store.warnings.isEmpty { up.warning = store.warnings.map(\.message).joined(separator: "\n") }
        post(.node(.up, up), settings)
        store.announceIdentity()
        for network in settings.networks { _ = try? node.startJoining(network) }
        report([], node, settings, &monitor)
    }

    private func fail(_ error: ZeroTierError, _ settings: RunSettings) {
        state.withLock { $0.startError = error.message }
        post(.node(.unrecoverable(error.message), NodeInfo(unixMilliseconds: unixMilliseconds())), settings)
        end(.node(.down, NodeInfo(unixMilliseconds: unixMilliseconds())), settings)
    }

    // The run is over before the program is told: it may start again from the callback.
    private func end(_ event: LibraryEvent, _ settings: RunSettings) {
        online.store(false, ordering: .releasing)
        inbox.withLock { inbox in inbox = [] }
        state.withLock { state in
            state.node = nil
            state.phase = .idle
            started.store(false, ordering: .releasing)
            state.restartsDone = state.restartsWanted
            // Nobody waits for this thread but who frees; its memory is released when it ends, not at the next start.
            if !state.isFreed { state.service = nil }
            events.post(event, to: settings.sink)
        }
    }

    // MARK: Making again

    // Sockets and the stack stay; the program sees a stop and a start.
    private func remake(
        _ former: Node, _ settings: RunSettings, _ store: CachingStore, _ monitor: inout NodeMonitor
    ) -> Node? {
        let joined = (try? former.networks().map(\.id)) ?? []
        for event in monitor.leaveAll() { events.post(event, to: settings.sink) }
        post(.node(.normalTermination, info(former)), settings)
        let last = info(former)
        online.store(false, ordering: .releasing)
        inbox.withLock { inbox in inbox = [] }
        monitor = NodeMonitor()
        do throws(ZeroTierError) {
            let next = try layer.restart(try configuration(settings, store))
            state.withLock { $0.node = next }
            post(.node(.down, last), settings)
            post(.node(.up, info(next)), settings)
            for network in joined { _ = try? next.startJoining(network) }
            state.withLock { $0.restartsDone = $0.restartsWanted }
            return next
        } catch {
            layer.detach()
            store.unlock()
            post(.node(.down, last), settings)
            fail(error, settings)
            return nil
        }
    }

    // Another node has our address: the identity goes, the networks stay wanted.
    private func replaceIdentity(
        _ former: Node, _ settings: RunSettings, _ store: CachingStore, _ monitor: inout NodeMonitor
    ) -> Node? {
        let joined = (try? former.networks().map(\.id)) ?? []
        for event in monitor.leaveAll() { events.post(event, to: settings.sink) }
        layer.detach()
        former.shutdownBlocking()
        online.store(false, ordering: .releasing)
        inbox.withLock { inbox in inbox = [] }
        monitor = NodeMonitor()
        do throws(ZeroTierError) {
            try store.setIdentityAside()
            let next = try makeNode(settings, store)
            var again = settings
            again.networks = joined
            begin(next, again, store, &monitor)
            return next
        } catch {
            store.unlock()
            fail(error, settings)
            return nil
        }
    }

    // MARK: Telling

    private func post(_ event: LibraryEvent, _ settings: RunSettings) { events.post(event, to: settings.sink) }

    // Whether there was anything to tell.
    @discardableResult
    private func report(
        _ told: [NodeEvent], _ node: Node, _ settings: RunSettings, _ monitor: inout NodeMonitor
    ) -> Bool {
        let news = monitor.take(told, of: node, info: { info(node) })
        for event in news { events.post(event, to: settings.sink) }
        return !news.isEmpty
    }

    /// The node at this moment.
    func info(_ node: Node) -> NodeInfo {
        NodeInfo(
            id: node.id.value, isOnline: online.load(ordering: .acquiring), port: node.port,
            planet: (try? node.planetReference()) ?? nil, unixMilliseconds: unixMilliseconds())
    }
}

/// Milliseconds since 1970.
func unixMilliseconds() -> UInt64 { UInt64(max(0, SystemClock.now().unixMilliseconds)) }
