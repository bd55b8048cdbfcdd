// The life of a node behind the C interface: start, stop, restart, free, from any thread, even the callback's. One
// service thread per run makes the node, turns what happens to it into events and takes it down.

import NetPrimitives
package import Synchronization
package import ZeroTier
package import ZeroTierSockets

/// What a start needs.
package struct RunSettings: Sendable {
    /// Nil: everything in memory.
    package var path: String?
    package var identity: String?
    package var port: UInt16 = 0
    package var portRange: ClosedRange<UInt16>?
    package var planet: [UInt8]?
    package var refusedInterfaces: [String] = []
    package var sink: EventSink?
    /// Networks to join as soon as the node is up.
    var networks: [NetworkID] = []

    /// Everything in memory, on any port.
    package init() {}
}

/// Why a start or stop was refused.
package enum LifeFailure: Error {
    case alreadyRunning
    case notRunning
    case freed
    case system(Int32)
}

/// A node of the C interface, over all its runs.
package final class LibraryNode: Sendable {
    /// The node of all functions without a handle, of both generations.
    package static let shared = LibraryNode(layer: .shared)

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
        /// Why the last start failed; nil while one is under way, and after a success.
        var startError: String?
        var runs = 0
    }

    let state = Guarded(State())
    package let events = EventQueue()
    let queries = Guarded(QuerySnapshot())
    package let layer: SocketLayer
    package let switches = Mutex(CachingSwitches())
    private let online = Atomic(false)
    // Whether the phase is starting or running: every socket call asks. Changed with the state's lock held.
    private let started = Atomic(false)
    // Whether the node controls networks, in this run and the next ones.
    private let controls = Atomic(false)
    private let incarnations = Atomic(0)
    // Events of the node since the service thread last looked.
    private let inbox = Guarded<[NodeEvent]>([])

    private static let inboxLimit = 4096
    /// Ports tried for a node that may have any.
    private static let portTrials = 256

    package init(layer: SocketLayer) { self.layer = layer }

    // MARK: Questions

    /// The node while it runs.
    package var node: Node? {
        if CallingThread.isForked { return nil }
        return state.withLock { $0.phase == .running ? $0.node : nil }
    }

    /// Between start and stop.
    package var isStarted: Bool { started.load(ordering: .acquiring) && !CallingThread.isForked }

    /// The node while it runs and a root answers.
    package var onlineNode: Node? {
        guard online.load(ordering: .acquiring), isStarted else { return nil }
        return state.withLock { $0.phase == .running ? $0.node : nil }
    }

    /// A root can answer before the start is over. A program that is told so may use the node.
    package var isOnline: Bool { onlineNode != nil }

    /// Between start and stop: another start is refused.
    package var isBusy: Bool {
        !CallingThread.isForked && state.withLock { $0.phase == .starting || $0.phase == .running }
    }

    package var startError: String? {
        CallingThread.isForked ? LibraryNode.forkedReason : state.withLock { $0.startError }
    }

    /// Why nothing works in a fork.
    package static let forkedReason =
        "this process is a fork of the one in which the service runs, and has none: fork, or call daemon(), before the start"

    package var isFreed: Bool { !CallingThread.isForked && state.withLock { $0.isFreed } }

    /// The directory of the last start; nil before the first, and when everything was freed.
    package var path: String? { state.withLock { $0.wasStarted && !$0.isFreed ? $0.settings.path : nil } }

    /// What the last start was given.
    package var settings: RunSettings { state.withLock { $0.settings } }

    // MARK: Life

    /// The program is told of the stack once, at the first start, even if that start fails.
    package func announceStack(to sink: EventSink?) {
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
    package func start(_ settings: RunSettings) throws(LifeFailure) {
        // A start may follow a stop at once: the run before ends first. Its connections have the time to deliver.
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

    /// Asks for the end of the run and returns at once.
    package func stop() throws(LifeFailure) {
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
        dropQueries()
    }

    /// Takes the node down and makes it again, with its networks; returns when that is done.
    package func restart() throws(LifeFailure) {
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
    package func free() throws(LifeFailure) {
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
        if let service { service.join() }
        layer.closeAll()
        events.post(.stackDown, to: sink)
        events.finish()
    }

    // MARK: Controller

    /// Whether the node controls networks: at once if it runs, and from each start on. Waits for a start that is under way.
    package func setController(_ isOn: Bool) throws(ZeroTierError) {
        let former = controls.exchange(isOn, ordering: .acquiringAndReleasing)
        let node = state.wait { state -> Node?? in
            state.phase == .starting ? nil : .some(state.phase == .running ? state.node : nil)
        }
        guard let node = node ?? nil else { return }
        do throws(ZeroTierError) {
            try node.controller.setEnabled(isOn)
        } catch {
            // A node that ends: it holds from the next start on.
            if error.code == .nodeStopped { return }
            controls.store(former, ordering: .releasing)
            throw error
        }
    }

    // Said while the node was being made again.
    private func followControl(_ node: Node) {
        let isOn = controls.load(ordering: .acquiring)
        if isOn != node.controller.isEnabled { try? node.controller.setEnabled(isOn) }
    }

    // MARK: Service

    private func serve() {
        let settings = state.withLock { $0.settings }
        guard let (node, store) = make(settings) else { return }
        var monitor = NodeMonitor()
        begin(node, settings, store)
        var current = node
        while true {
            let told = waitForWork()
            let wants = state.withLock { ($0.isStopWanted, $0.restartsWanted > $0.restartsDone) }
            report(told, current, settings, &monitor)
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

    // Something happened, or somebody wants something.
    private func waitForWork() -> [NodeEvent] {
        inbox.wait { [state] inbox -> [NodeEvent]? in
            let isWanted = state.withLock { $0.isStopWanted || $0.restartsWanted > $0.restartsDone }
            guard !inbox.isEmpty || isWanted else { return nil }
            defer { inbox = [] }
            return inbox
        }
    }

    // Called by the node, on any thread.
    private func note(_ event: NodeEvent, from incarnation: Int) {
        // Events of an earlier node are of no interest.
        guard incarnation == incarnations.load(ordering: .relaxed) else { return }
        switch event {
        case .online: online.store(isStarted, ordering: .releasing)
        case .offline, .stopped: online.store(false, ordering: .releasing)
        default: break
        }
        guard event.rank != nil else { return }
        inbox.withLock { inbox in
            if inbox.count >= LibraryNode.inboxLimit {
                let worst = inbox.compactMap(\.rank).max()
                inbox.remove(at: inbox.firstIndex { $0.rank == worst } ?? 0)
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
            // A node with no way out would only seem to have started.
            guard !left.usable.isEmpty else {
                throw ZeroTierError(
                    .addressNotAvailable,
                    "no interface is left whose name does not begin with "
                        + settings.refusedInterfaces.joined(separator: " or "))
            }
        }
        configuration.traces = LibraryTraces.chosen
        configuration.isController = controls.load(ordering: .acquiring)
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

    private func begin(_ node: Node, _ settings: RunSettings, _ store: CachingStore) {
        state.withLock { state in
            state.node = node
            if state.phase == .starting { state.phase = .running }
        }
        dropQueries()
        // Said while the node was being made.
        if let traces = LibraryTraces.chosen, traces != node.traces { try? node.setTraces(traces) }
        layer.attach(node)
        var up = info(node)
        if !store.warnings.isEmpty { up.warning = store.warnings.map(\.message).joined(separator: "\n") }
        post(.node(.up, up), settings)
        store.announceIdentity()
        for network in settings.networks { _ = try? node.startJoining(network) }
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
            // Only `free` waits for this thread. Its memory is released when it ends, not at the next start.
            if !state.isFreed { state.service = nil }
            events.post(event, to: settings.sink)
        }
        dropQueries()
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
            followControl(next)
            dropQueries()
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

    // Another node has our address: the identity goes, and the networks stay in the list.
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
            begin(next, again, store)
            return next
        } catch {
            store.unlock()
            fail(error, settings)
            return nil
        }
    }

    // MARK: Telling

    private func post(_ event: LibraryEvent, _ settings: RunSettings) { events.post(event, to: settings.sink) }

    private func report(
        _ told: [NodeEvent], _ node: Node, _ settings: RunSettings, _ monitor: inout NodeMonitor
    ) {
        let source = NodeMonitor.Source(
            info: { [self] in info(node) }, offlineReason: { (try? node.status())?.offlineReason },
            network: { (try? node.networkDetails(of: $0)) ?? nil }, peer: { (try? node.peer($0)) ?? nil },
            controlled: { (try? node.controller.network($0)) ?? nil })
        for event in told {
            for news in monitor.take(event, source) { events.post(news, to: settings.sink) }
            // The start and the joining are over, and most of the library's code with them.
            if case .networkReady = event { CodePages.release() }
        }
    }

    /// The node at this moment.
    func info(_ node: Node) -> NodeInfo {
        NodeInfo(
            id: node.id.value, isOnline: online.load(ordering: .acquiring), port: node.port,
            planet: (try? node.planetReference()) ?? nil, unixMilliseconds: unixMilliseconds())
    }
}

/// Milliseconds since 1970.
package func unixMilliseconds() -> UInt64 { UInt64(max(0, SystemClock.now().unixMilliseconds)) }
