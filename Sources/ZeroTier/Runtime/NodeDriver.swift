// The loop of one node: one thread that sleeps on its sockets, one event and one timer; and calls of application threads
// that do their own sending under the node's one lock.
// Read first: Docs/architecture.md, "Locks and wake-ups"; epoll(7).

import NetPrimitives
import Synchronization
import ZeroTierController
import ZeroTierNode
import ZeroTierPeers
import ZeroTierStore
import ZeroTierWire

/// Runs a node. Every method may be called from any thread.
final class NodeDriver: Sendable {
    /// What the lock protects; the core is gone after the shutdown.
    struct State: ~Copyable {
        var core: DriverCore?
        var wakers: Wakers?
        var isStopping = false
        /// The driver's thread has begun to end the node.
        var isEnding = false
        /// The stack outlives the node.
        var keepsStack = false
        var kept: KeptStack?
    }

    // What the driver's thread sleeps on.
    struct Wakers: Sendable {
        let poller: Poller
        let kick: WakeEvent
        let watcher: InterfaceWatcher
    }

    let state: NodeLock<State>
    // Held by the thread that takes datagrams; the duty is asked first, since a thread that has the role may come back
    // here from a callback.
    let role: Mutex<ReceiveRole?>
    let duty = SharedDuty()
    let rhythm = CallRhythm()
    let leader: LeadingThread
    // Of the state, for a look without the lock.
    let stopFlag = Atomic(false)
    let helper = HelperThread()
    // Idle unless the node is a controller.
    let keeper = HelperThread()
    let signer = HelperThread()
    let controller = Mutex(ControllerRuntime())
    // What could not be kept, by its name, until it could.
    let storageFailures = Mutex<[String: ZeroTierError]>([:])
    let threads = Mutex<[Thread]>([])
    let ended = Mutex<EndState>(EndState())
    // One thread at a time publishes, so that consumers see events in order. Not a lock: what is told may call back.
    private let isPublishing = Atomic(false)
    // The threads that are in the configuration's log just now.
    let loggingThreads = Mutex<Set<UInt64>>([])

    let hub: EventHub
    let store: any StateStore
    let settings: Settings
    let traces: TraceOutput

    /// What the driver itself has to know.
    struct Settings: Sendable {
        var allowLoopback = false
        var bindAddresses: [IPAddress] = []
        var refusedInterfaces: [String] = []
        var log: (@Sendable (NodeEvent) -> Void)?
        /// Of the interface's connections.
        var keepAlive: Node.KeepAlive?
        /// How long the end of the node waits for peers to have what was written and closed.
        var linger = Duration.zero
        /// The state directory; nil if the node has none.
        var directory: String?
        /// Where the controller keeps its records; nil: in the directory.
        var controllerStore: (any ControllerStore)?
        /// Called as the last thing, when nothing is written any more.
        var onEnd: @Sendable () -> Void = {}
        /// What is traced from the start, and where to; nil is standard error.
        var traces: Node.Traces = []
        var traceOutput: (@Sendable (String) -> Void)?
    }

    struct EndState: Sendable {
        var hasEnded = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    // Names in the poller.
    private static let kickToken: UInt64 = 0
    private static let timerToken: UInt64 = 1
    private static let watcherToken: UInt64 = 2
    private static let firstSocketToken: UInt64 = 16

    static func token(ofSocket id: Int32) -> UInt64 { firstSocketToken + UInt64(UInt32(bitPattern: id)) }

    /// Slabs that one application call sends at most, its own data or other's; the rest is the driver thread's.
    static let slabsPerCall = 4

    init(
        node: consuming ZeroTierNode.Node, room: WaitingRoom = WaitingRoom(), port: consuming UDPPort,
        store: any StateStore, hub: EventHub, settings: Settings
    ) throws(SystemError) {
        self.store = store
        self.hub = hub
        self.settings = settings
        let poller = try Poller()
        let kick = try WakeEvent()
        let timer = try WakeTimer()
        let watcher = InterfaceWatcher()
        try poller.add(kick.descriptor, token: NodeDriver.kickToken, for: .readable)
        try poller.add(timer.descriptor, token: NodeDriver.timerToken, for: .readable)
        if let descriptor = watcher.descriptor {
            try poller.add(descriptor, token: NodeDriver.watcherToken, for: .readable)
        }
        for socket in port.sockets {
            try poller.add(socket.descriptor, token: NodeDriver.token(ofSocket: socket.id), for: .readable)
        }
        leader = try LeadingThread()
        role = Mutex(try ReceiveRole(sockets: port.sockets, leader: leader))
        let seed = SystemRandom.bytes(2)
        var core = DriverCore(
            node: node, port: port, poller: poller, timer: timer, seed: UInt16(seed[0]) << 8 | UInt16(seed[1]))
        core.room = room
        settings.keepAlive?.apply(to: &core.streamOptions)
        traces = TraceOutput(name: "\(core.node.address)", sink: settings.traceOutput)
        core.setTraces(settings.traces, on: traces, now: SystemClock.now())
        traces.write(.transport, "started on UDP port \(core.port.port), version \(libraryVersionText)")
        state = NodeLock(State(core: core, wakers: Wakers(poller: poller, kick: kick, watcher: watcher)))
    }

    /// Starts the threads. A driver that was started must be stopped.
    func start() throws(SystemError) {
        rescanInterfaces()
        state.withLock { state in
            if state.core != nil { state.core!.expectOnline(now: SystemClock.now()) }
        }
        let helperThread = try Thread(name: "zt-helper") { [self] in
            helper.run(perform)
            endController()
            settings.onEnd()
        }
        let thread: Thread
        do throws(SystemError) {
            thread = try Thread(name: "zt-node") { [self] in run() }
        } catch {
            helper.stop()
            helperThread.join()
            throw error
        }
        threads.withLock { $0 = [thread, helperThread] }
        // Whatever is due at the start leaves now.
        settle()
    }

    // MARK: Calls

    /// Runs `body` with the node, under its lock, then sends what it caused.
    func call<Result: Sendable>(
        _ body: (inout DriverCore, Now) throws(ZeroTierError) -> Result
    ) throws(ZeroTierError) -> Result {
        if CallingThread.isForked { throw .forked }
        let (result, next) = try state.withLock { (state) throws(ZeroTierError) -> (Result, Next) in
            guard state.core != nil, !state.isStopping else { throw .stopped }
            let now = SystemClock.now()
            let result = try body(&state.core!, now)
            return (result, settle(&state.core!, now))
        }
        carryOn(next, slabs: NodeDriver.slabsPerCall - 1)
        return result
    }

    /// As `call`, for the socket layer: what a failing body did still takes effect. nil if the node is stopping.
    func socketCall<Result: Sendable, Failure: Error>(
        _ body: (inout DriverCore, Now) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        if CallingThread.isForked { return nil }
        noteCall()
        let (outcome, next) = state.withLock { state -> (Swift.Result<Result, Failure>?, Next) in
            guard state.core != nil, !state.isStopping else { return (nil, Next()) }
            let now = SystemClock.now()
            let outcome: Swift.Result<Result, Failure>
            do throws(Failure) {
                outcome = .success(try body(&state.core!, now))
            } catch {
                outcome = .failure(error)
            }
            return (outcome, settle(&state.core!, now))
        }
        carryOn(next, slabs: NodeDriver.slabsPerCall - 1)
        return try outcome?.get()
    }

    // MARK: After every change

    // What is left to do once the lock is released.
    struct Next: Sendable {
        var wakeUps = WakeUps()
        var work: [HelperThread.Work] = []
        var hasEvents = false
        var hasMore = false
        var hasTraces = false
    }

    // Takes one turn of the pump and arms the timer. Called with the lock held.
    func settle(_ core: inout DriverCore, _ now: Now) -> Next {
        var next = Next()
        next.hasMore = core.pump(now: now)
        next.hasTraces = core.collectTraces(now: now)
        core.armTimer()
        next.wakeUps = core.room.takeWakeUps()
        next.work = core.takeWork()
        next.hasEvents = !core.outbox.isEmpty
        return next
    }

    private func settle() {
        let next = state.withLock { state -> Next in
            guard state.core != nil else { return Next() }
            return settle(&state.core!, SystemClock.now())
        }
        carryOn(next, slabs: .max)
    }

    // Wakes, stores and publishes, and sends further slabs, each under a lock of its own so that others get in between.
    func carryOn(_ first: Next, slabs: Int) {
        var next = first
        var slabs = slabs
        while true {
            next.wakeUps.perform()
            if !next.work.isEmpty { submit(next.work) }
            if next.hasTraces { writeTraces() }
            if next.hasEvents { publish() }
            guard next.hasMore else { return }
            guard slabs > 0 else { return kickThread() }
            slabs -= 1
            next = state.withLock { state -> Next in
                guard state.core != nil else { return Next() }
                return settle(&state.core!, SystemClock.now())
            }
        }
    }

    func writeTraces() {
        let (lines, leftOut) = state.withLock { state -> ([TraceLine], Int) in
            guard state.core != nil else { return ([], 0) }
            return state.core!.takeTraces()
        }
        traces.write(lines, leftOut: leftOut, at: SystemClock.monotonic())
    }

    func kickThread() {
        state.withLock { state in state.wakers?.kick.signal() }
    }

    func publish() {
        // Who finds another publishing leaves: that one looks again after it has stopped being the one.
        while state.withLock({ state in state.core != nil && state.core!.hasEvents() }) {
            guard !isPublishing.exchange(true, ordering: .acquiring) else { return }
            let events = state.withLock { state -> [NodeEvent] in
                guard state.core != nil else { return [] }
                return state.core!.takeOutbox()
            }
            for event in events { announce(event) }
            isPublishing.store(false, ordering: .releasing)
        }
    }

    func announce(_ event: NodeEvent) {
        if !traces.enabled.isEmpty, let line = TraceText.line(event) { traces.write(line.part, line.text) }
        log(event)
        hub.publish(event)
    }

    // Who shuts down in the log must not wait for the end of what calls it.
    private func log(_ event: NodeEvent) {
        guard let log = settings.log else { return }
        let thread = CallingThread.number
        _ = loggingThreads.withLock { $0.insert(thread) }
        log(event)
        _ = loggingThreads.withLock { $0.remove(thread) }
    }

    // MARK: The driver's thread

    private func run() {
        let (sockets, wakers) = state.withLock { state -> ([UDPPort.Socket], Wakers?) in
            if state.core == nil { return ([], nil) }
            return (state.core!.sockets(), state.wakers)
        }
        guard let wakers else { return }
        let (poller, kick, watcher) = (wakers.poller, wakers.kick, wakers.watcher)
        var ready = Poller.ReadyList()
        while !isStopping || isDelivering() {
            if duty.now.isShift {
                poller.wait(&ready, milliseconds: NodeDriver.shiftTickMilliseconds)
                if ready.count == 0 {
                    endShiftIfQuiet()
                    continue
                }
            } else {
                // Without word from the kernel about interfaces, ask every half minute as the original does.
                poller.wait(&ready, milliseconds: watcher.descriptor == nil ? 30_000 : nil)
                if ready.count == 0, watcher.descriptor == nil { rescanInterfaces() }
            }
            var isDue = false
            // Whoever takes datagrams settles by itself.
            var isChanged = ready.count == 0
            for index in 0..<ready.count {
                let entry = ready[index]
                switch entry.token {
                case NodeDriver.kickToken:
                    kick.drain()
                    isChanged = true
                case NodeDriver.timerToken:
                    isDue = true
                    isChanged = true
                case NodeDriver.watcherToken:
                    watcher.drain()
                    rescanInterfaces()
                    isChanged = true
                default:
                    let index = Int(entry.token - NodeDriver.firstSocketToken)
                    if sockets.indices.contains(index) { serve(sockets[index], entry.interest) }
                    if entry.interest.contains(.writable) { isChanged = true }
                }
            }
            if isDue { handleDeadlines() }
            if isChanged { settle() }
        }
        finish()
    }

    private var isStopping: Bool { stopFlag.load(ordering: .acquiring) }

    private func serve(_ socket: UDPPort.Socket, _ interest: Poller.Interest) {
        if interest.contains(.writable) {
            state.withLock { state in
                if state.core != nil { state.core!.unblock(socket.id) }
            }
        }
        guard interest.contains(.readable) else { return }
        // One call a turn: the poller is level-triggered, and other sockets and the timer get their turn.
        let served: Void? = withRole { role in role.receive(from: socket) { batch, isLast in take(&batch, isLast) } }
        // The thread that has the role serves the sockets: without this the poller would say so again and again.
        if served == nil { dismissDriver() }
    }

    // Gives the machine what came, and after the last buffer of a receive call sends what it answers: one acknowledgement
    // and one set of events for all of them.
    func take(_ batch: inout ReceiveBatch, _ isLast: Bool) {
        let next = state.withLock { state -> Next in
            guard state.core != nil else { return Next() }
            let now = SystemClock.now()
            state.core!.receive(&batch, endsBatch: isLast, now: now)
            return isLast ? settle(&state.core!, now) : Next()
        }
        if isLast { carryOn(next, slabs: 1) }
    }

    private func handleDeadlines() {
        state.withLock { state in
            if state.core != nil {
                state.core!.handleDeadlines(now: SystemClock.now())
            }
        }
    }

    private func rescanInterfaces() {
        let local: LocalNetwork
        if settings.bindAddresses.isEmpty {
            local = LocalNetwork(
                InterfaceWatcher.scan(), allowLoopback: settings.allowLoopback,
                refusedInterfaces: settings.refusedInterfaces, refusedPrefixes: refusedPrefixes)
        } else {
            local = LocalNetwork(bound: settings.bindAddresses)
        }
        state.withLock { state in
            if state.core != nil { state.core!.setLocalNetwork(local, now: SystemClock.now()) }
        }
    }

    // The addresses of our own networks: packets of the network must not travel inside the network.
    private var refusedPrefixes: [IPPrefix] {
        state.withLock { state in
            if state.core == nil { return [] }
            return state.core!.virtualPrefixes()
        }
    }

    // MARK: The other threads

    /// Hands work to the threads that do it: one writes files and validates identities, two work for the controller.
    func submit(_ work: [HelperThread.Work]) {
        for piece in work {
            switch piece {
            case .job, .store, .remove: helper.submit(piece)
            case .commit: keeper.submit(piece)
            case .sign: signer.submit(piece)
            }
        }
    }

    func perform(_ work: HelperThread.Work) {
        switch work {
        case .sign(let job):
            let result = job.run()
            try? call { (core, now) throws(ZeroTierError) in core.node.complete(result, now: now) }
        case .commit(let writes, let ticket):
            // Without an end the controller writes and tells nothing more.
            guard let end = commit(writes) else { return }
            try? call { (core, now) throws(ZeroTierError) in core.node.complete(ticket, failure: end.failure, now: now)
            }
        case .job(let job):
            switch job {
            case .validate(let identity, let ticket):
                let isValid = identity.validate()
                _ = try? call { (core, now) throws(ZeroTierError) in
                    core.complete(ticket, isValid: isValid, now: now)
                }
            }
        case .store(let name, let bytes, let isSecret):
            do throws(ZeroTierError) {
                try store.write(name, bytes, isSecret: isSecret)
                noteStored(name)
                traces.write(.storage, "wrote \(name), \(bytes.count) bytes")
            } catch {
                reportStorage(error, of: name)
            }
        case .remove(let name):
            do throws(ZeroTierError) {
                try store.remove(name)
                noteStored(name)
                traces.write(.storage, "removed \(name)")
            } catch {
                reportStorage(error, of: name)
            }
        }
    }

    /// Something of this name was kept.
    func noteStored(_ name: String) { storageFailures.withLock { _ = $0.removeValue(forKey: name) } }

    /// Tells that something of this name could not be kept, and remembers it until it can.
    func reportStorage(_ error: ZeroTierError, of name: String) {
        storageFailures.withLock { $0[name] = error }
        do throws(ZeroTierError) {
            try call { (core, _) throws(ZeroTierError) in core.outbox.append(.storageFailed(error)) }
        } catch _ {
            // Stopping: no event follows `stopped`, but the log may still say it.
            log(.storageFailed(error))
        }
    }
}
