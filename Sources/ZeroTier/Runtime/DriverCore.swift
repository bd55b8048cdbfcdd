// What the node's lock protects: the machine, its slabs, the port, and whoever waits.
// Read first: Docs/architecture.md, "Locks and wake-ups".

import NetPrimitives
import NetStack
import ZeroTierController
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// The machine and the way to and from the kernel. Exactly one thread at a time holds it, by `NodeDriver`'s lock.
struct DriverCore: ~Copyable {
    var node: ZeroTierNode.Node
    var port: UDPPort
    let poller: Poller
    let timer: WakeTimer
    /// Where everybody waits.
    var room = WaitingRoom()
    /// Events for consumers, in order, to be published after the lock is released.
    var outbox = EventOutbox()
    /// What other threads do once the lock is released.
    var work: [HelperThread.Work] = []
    /// Changes of the controller that somebody waits for.
    var administrations: [UInt64: Administration] = [:]
    var lastAdministration: UInt64 = 0
    /// Answers to echo requests that somebody waits for.
    var echoes: [EchoKey: Echo] = [:]
    var nextEchoIdentifier: UInt16
    /// Bytes of the datagrams that came.
    var bytesReceived: UInt64 = 0
    /// Datagrams of replies that the kernel's buffer had no room for.
    var droppedReplies: UInt64 = 0

    /// Sockets that the application holds.
    var openSockets: Set<SocketID> = []
    /// What connections of the interface begin with.
    var streamOptions = ConnectionOptions()
    /// The roots know another node with our address.
    var hasCollision = false
    /// Where peers may find us on this machine's networks.
    var localEndpoints: [SocketEndpoint] = []
    /// While something is traced.
    var traces: TraceCollector?

    /// The node ends: until then what was closed before is delivered.
    private(set) var deliverBy: MonotonicInstant?

    /// When the owner is told next why the node is not online.
    var complaintDue: MonotonicInstant?
    /// How long a node may take to come online, and how often it says that it did not.
    static let onlinePatience = Duration.seconds(5)
    private static let complaintPause = Duration.seconds(60)

    // When peers' records are written, after one has become direct; and what was written last.
    private var peersDue: MonotonicInstant?
    private var peersStored: MonotonicInstant?
    private var storedRecords: [Address: [UInt8]] = [:]
    /// How soon a peer that has become direct is remembered, and how often at most.
    private static let peerStoreDelay = Duration.seconds(1)
    private static let peerStorePause = Duration.seconds(30)

    private var batch = TransmitBatch()
    private var cursor = UDPPort.Cursor()
    private var replies = TransmitBatch()
    private var hold = DatagramHold()
    // The socket whose buffer is full; its batch is kept until the socket is writable.
    private var blockedSocket: Int32?
    private var isDriverDismissed = false
    // When the timer fires; later than needed never, earlier sometimes.
    private var armed: MonotonicInstant?

    struct EchoKey: Hashable, Sendable {
        let identifier: UInt16
        let sequence: UInt16
    }

    struct Echo: Sendable {
        var outcome: EchoOutcome
        let waiters = WaitList()
    }

    enum EchoOutcome: Sendable {
        case waiting
        case reply(Duration, hopLimit: Int)
        case failed(ZeroTierError)
    }

    init(node: consuming ZeroTierNode.Node, port: consuming UDPPort, poller: Poller, timer: WakeTimer, seed: UInt16) {
        self.node = node
        self.port = port
        self.poller = poller
        self.timer = timer
        nextEchoIdentifier = seed
    }

    /// Ends the core and gives the node's stack away.
    consuming func handOver() -> KeptStack {
        let kept = room
        return KeptStack(KeptStack.Parts(stack: node.handOver(), room: kept))
    }

    // MARK: In

    /// `endsBatch`: no more of the same receive call follows.
    mutating func receive(_ received: inout ReceiveBatch, endsBatch: Bool, now: Now) {
        replies.clear()
        // They lie one behind the other.
        if let last = received.datagrams.last { bytesReceived &+= UInt64(last.offset + last.length) }
        node.receive(&received, replies: &replies, endsBatch: endsBatch, now: now)
        sendReplies()
    }

    /// Gives the machine a validation's result.
    mutating func complete(_ ticket: JobTicket, isValid: Bool, now: Now) {
        replies.clear()
        node.complete(ticket, isValid: isValid, replies: &replies, now: now)
        sendReplies()
    }

    private mutating func sendReplies() {
        guard !replies.isEmpty else { return }
        var position = UDPPort.Cursor()
        // Relayed packets and answers to control packets are not worth waiting for a full buffer.
        if port.send(replies, from: &position) != .sent {
            droppedReplies &+= UInt64(position.datagramsLeft(of: replies))
        }
    }

    // MARK: Out

    /// One turn of the node's pump: one slab leaves, then everything is told. True if there may be more to send at once.
    /// `isLast`: there is no later time to send at.
    mutating func pump(now: Now, isLast: Bool = false) -> Bool {
        var turn = PumpTurn(transmits: takesTurnToSend(isLast: isLast, now: now))
        var isSent = true
        while let output = node.next(in: &turn, into: &batch, now: now) {
            switch output {
            case .datagrams:
                cursor = UDPPort.Cursor()
                isSent = flush()
            case .event(let event): take(event, now)
            case .job(let job): work.append(.job(job))
            case .controllerJob(.commit(let writes, let ticket)): work.append(.commit(writes, ticket))
            case .controllerJob(.sign(let job)): work.append(.sign(job))
            }
        }
        // Nothing tells of the last acknowledgment but the count, and only who waits for it pays for the look.
        if room.delivery.hasInterest, lingeringSockets == 0 { room.signal(room.delivery) }
        return isSent && turn.hasMore
    }

    // Whether the slab is free, and what there is to send should leave now.
    private mutating func takesTurnToSend(isLast: Bool, now: Now) -> Bool {
        guard blockedSocket == nil else {
            // What waits leaves when the kernel takes more, whatever the time is then.
            hold.release()
            return false
        }
        if !isLast, node.stack.hasOnlyDatagrams,
            hold.holds(
                sent: node.stack.statistics.udp.sent, queued: node.stack.queuedDatagrams, now: now.monotonic)
        {
            return false
        }
        hold.release()
        if let path = port.takeTooLong() { node.noteTooLong(path, now: now) }
        return true
    }

    // Goes on with the batch at hand. False if the kernel's buffer is full.
    private mutating func flush() -> Bool {
        switch port.send(batch, from: &cursor) {
        case .sent: return true
        case .blocked(let id):
            blockedSocket = id
            watch(id)
            return false
        }
    }

    /// A socket is writable again.
    mutating func unblock(_ id: Int32) {
        guard blockedSocket == id else { return }
        blockedSocket = nil
        watch(id)
        _ = flush()
    }

    /// Whether the driver's thread sleeps on when datagrams come.
    mutating func setDriverDismissed(_ isDismissed: Bool) {
        isDriverDismissed = isDismissed
        for socket in port.sockets { watch(socket.id) }
    }

    private func watch(_ id: Int32) {
        guard let socket = port.socket(id) else { return }
        var interest: Poller.Interest = isDriverDismissed ? [] : .readable
        if blockedSocket == id { interest.insert(.writable) }
        poller.set(socket.descriptor, token: NodeDriver.token(ofSocket: id), for: interest)
    }

    // MARK: For the driver
    // Mutating all, since an optional of this type can only be reached into that way.

    mutating func sockets() -> [UDPPort.Socket] { port.sockets }

    mutating func hasEvents() -> Bool { !outbox.isEmpty }

    mutating func takeOutbox() -> [NodeEvent] { outbox.takeAll() }

    mutating func takeWork() -> [HelperThread.Work] {
        if work.isEmpty { return [] }
        defer { work = [] }
        return work
    }

    // MARK: Ending

    /// The node ends. What is open is closed at once, and who waits is woken; what was closed before has so long to reach
    /// its peers.
    mutating func beginEnd(within time: Duration, keepingStack: Bool, now: Now) {
        deliverBy = now.monotonic + time
        prepareToStop(keepingStack: keepingStack, now: now)
        room.beginEnd()
        for echo in echoes.values { room.signal(echo.waiters) }
        for administration in administrations.values { room.signal(administration.waiters) }
    }

    /// Whether something that was closed before the end has not reached its peer, and there is time left for it.
    mutating func isDelivering(now: Now) -> Bool {
        guard let deliverBy, now.monotonic < deliverBy else { return false }
        return node.stack.undeliveredCount > 0
    }

    /// The time is over: peers learn that the rest does not come.
    mutating func abortUndelivered(now: Now) { node.stack.abortUndelivered(now: now) }

    // MARK: Waiting

    /// Registers a waiter for what is there: a socket, the node, an echo request, a change of the controller. `deadline`: a
    /// task is woken then; a thread looks at the clock itself.
    mutating func enter(_ waiter: Waiter, for key: WaitKey, until deadline: MonotonicInstant?) {
        if let list = list(of: key) {
            list.add(waiter)
        } else if case .socket(let id) = key {
            let list = WaitList()
            list.add(waiter)
            room.set(id, list)
        }
        if let deadline { room.schedule(waiter, at: deadline) }
    }

    /// The waiter does not wait any more.
    mutating func leave(_ waiter: Waiter, of key: WaitKey) {
        list(of: key)?.remove(waiter)
        room.unschedule(waiter)
    }

    private func list(of key: WaitKey) -> WaitList? {
        switch key {
        case .socket(let id): room.list(of: id)
        case .node: room.node
        case .delivery: room.delivery
        case .echo(let key): echoes[key]?.waiters
        case .administration(let number): administrations[number]?.waiters
        }
    }

    // MARK: Time

    mutating func handleDeadlines(now: Now) {
        timer.drain()
        armed = nil
        node.handleDeadlines(now: now)
        if let peersDue, peersDue <= now.monotonic { storePeers(now: now) }
        if let complaintDue, complaintDue <= now.monotonic { complain(now: now) }
        room.expire(now.monotonic)
    }

    /// The node has begun. Whom it asks is told at once, and so is what no patience mends.
    mutating func expectOnline(now: Now) {
        guard whyNeverOnline == nil else {
            complaintDue = now.monotonic
            return
        }
        outbox.append(.rootsAsked(rootEndpoints))
        complaintDue = now.monotonic + DriverCore.onlinePatience
    }

    // Says why the node is not online, and again while it is not.
    private mutating func complain(now: Now) {
        complaintDue = nil
        guard let reason = whyOffline else { return }
        outbox.append(.warning(ZeroTierError(.noRootAnswered, reason)))
        complaintDue = now.monotonic + DriverCore.complaintPause
    }

    /// A peer became direct: after a kill its addresses are worth more than a root's answer.
    mutating func notePeers(now: Now) {
        guard peersDue == nil else { return }
        peersDue = max(
            now.monotonic + DriverCore.peerStoreDelay,
            peersStored.map { $0 + DriverCore.peerStorePause } ?? now.monotonic)
    }

    /// Gives the records of peers that have changed to the helper.
    mutating func storePeers(now: Now) {
        peersDue = nil
        peersStored = now.monotonic
        var records: [Address: [UInt8]] = [:]
        for (address, record) in node.peers.exportPeers() {
            records[address] = record
            guard storedRecords[address] != record else { continue }
            work.append(.store(name: StateObject.peer(address).name, bytes: record, isSecret: false))
        }
        storedRecords = records
    }

    /// Arms the timer if something is due earlier than it would fire. An early firing is harmless, and far cheaper than
    /// moving the timer with each packet.
    mutating func armTimer() {
        var next = node.nextDeadline()
        if let deadline = room.nextDeadline(), next.map({ deadline < $0 }) ?? true { next = deadline }
        if let complaintDue, next.map({ complaintDue < $0 }) ?? true { next = complaintDue }
        if let peersDue, next.map({ peersDue < $0 }) ?? true { next = peersDue }
        if let deliverBy, next.map({ deliverBy < $0 }) ?? true { next = deliverBy }
        if let deadline = hold.deadline, next.map({ deadline < $0 }) ?? true { next = deadline }
        if let deadline = traces?.deadline, next.map({ deadline < $0 }) ?? true { next = deadline }
        guard let next, next != .distantFuture, armed.map({ next < $0 }) ?? true else { return }
        armed = next
        timer.arm(at: next)
    }
}
