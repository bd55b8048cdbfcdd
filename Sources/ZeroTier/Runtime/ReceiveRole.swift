// Who takes datagrams from the kernel. One thread at a time does, so that packets stay in order: the driver's thread, or
// a thread that waits for data itself. The latter saves waking one thread by another for every answer.
// Read first: Docs/architecture.md, "Locks and wake-ups".

import NetPrimitives
import Synchronization

/// A thread that takes datagrams while it waits for something. There is at most one at a time in a node.
final class LeadingThread: Sendable {
    private let event: WakeEvent
    // Whether the thread sleeps, or is about to, and so must be woken through the event.
    private let isAsleep = Atomic(false)
    private let isWoken = Atomic(false)

    init() throws(SystemError) { event = try WakeEvent() }

    var descriptor: Descriptor { event.descriptor }

    /// Tells the thread that its wait is over. Costs no system call when the thread finds that out itself.
    func wake() {
        isWoken.store(true, ordering: .sequentiallyConsistent)
        if isAsleep.load(ordering: .sequentiallyConsistent) { event.signal() }
    }

    /// Whether a wake-up has come since this was asked last.
    func takeWakeUp() -> Bool { isWoken.exchange(false, ordering: .sequentiallyConsistent) }

    /// Sleeps by `sleep` unless the wait is over already. A wake-up after the check finds the flag and signals.
    func sleep(_ sleep: () -> Void) {
        isAsleep.store(true, ordering: .sequentiallyConsistent)
        if !isWoken.load(ordering: .sequentiallyConsistent) { sleep() }
        isAsleep.store(false, ordering: .sequentiallyConsistent)
    }

    func drain() { event.drain() }
}

/// What the thread that takes datagrams needs.
struct ReceiveRole: ~Copyable, Sendable {
    /// Names the leading thread's event in the poller; others are places in `sockets`.
    static let eventToken: UInt64 = .max
    /// Names the program's signals in the poller.
    private static let signalToken: UInt64 = .max - 1

    var receiver: UDPReceiver
    let sockets: [UDPPort.Socket]
    let leader: LeadingThread
    private let poller: Poller
    private var ready = Poller.ReadyList()
    /// A signal of the program waits for the thread, which has it blocked.
    var isSignalled = false
    private let signals: Descriptor?
    // The socket that last had something, and how often it was asked since all were.
    private var busySocket: Int32?
    private var streak = 0
    private static let longestStreak = 16
    private var eager = EagerWait(processors: CallingThread.processors)

    init(sockets: [UDPPort.Socket], leader: LeadingThread) throws(SystemError) {
        let poller = try Poller()
        try poller.add(leader.descriptor, token: ReceiveRole.eventToken, for: .readable)
        for (index, socket) in sockets.enumerated() {
            try poller.add(socket.descriptor, token: UInt64(index), for: .readable)
        }
        let signals = CallingThread.watchSignals()
        if let signals { try poller.add(signals, token: ReceiveRole.signalToken, for: .readable) }
        self.sockets = sockets
        self.leader = leader
        self.signals = signals
        self.poller = poller
        receiver = UDPReceiver()
    }

    /// Receives once from a socket, and remembers whether it is worth looking there again before sleeping.
    mutating func receive(from socket: UDPPort.Socket, _ body: (inout ReceiveBatch, _ isLast: Bool) -> Void) {
        if case .nothing = receiver.receive(from: socket, body) {
            if busySocket == socket.id { busySocket = nil }
        } else {
            noteFound(socket)
        }
    }

    private mutating func noteFound(_ socket: UDPPort.Socket) {
        busySocket = socket.id
        eager.found(at: SystemClock.monotonic().nanoseconds)
    }

    /// Lends what has come to the socket that last had something, without sleeping.
    mutating func poll(_ body: (inout ReceiveBatch, _ isLast: Bool) -> Void) {
        guard let socket = sockets.first(where: { $0.id == busySocket }) ?? sockets.first else { return }
        if case .nothing = receiver.receive(from: socket, body) { return }
        noteFound(socket)
    }

    // As above, before a sleep.
    private mutating func lookAgain(_ body: (inout ReceiveBatch, _ isLast: Bool) -> Void) {
        guard let socket = sockets.first(where: { $0.id == busySocket }) else { return }
        if case .nothing = receiver.receive(from: socket, body) {
            guard eager.looksAgain(at: SystemClock.monotonic().nanoseconds) else {
                busySocket = nil
                return
            }
            CallingThread.yield()
        } else {
            streak += 1
            noteFound(socket)
        }
    }

    /// Sleeps until datagrams wait, the leading thread is woken or the deadline is over, and lends what came.
    mutating func serve(
        until deadline: MonotonicInstant? = nil, _ body: (inout ReceiveBatch, _ isLast: Bool) -> Void
    ) {
        // Under load more has come meanwhile: one system call less, and no sleep. The other sockets get their turn when
        // this one is empty.
        if busySocket != nil, streak < ReceiveRole.longestStreak { return lookAgain(body) }
        streak = 0
        var milliseconds: Int32?
        if let deadline {
            let left = max(.zero, deadline - SystemClock.monotonic())
            milliseconds = Int32(
                clamping: left / .milliseconds(1) > 2e9 ? 2_000_000_000 : Int64(left / .milliseconds(1)) + 1)
        }
        ready.clear()
        leader.sleep { poller.wait(&ready, milliseconds: milliseconds) }
        for index in 0..<ready.count {
            let entry = ready[index]
            if entry.token == ReceiveRole.eventToken {
                leader.drain()
            } else if entry.token == ReceiveRole.signalToken {
                isSignalled = true
            } else if sockets.indices.contains(Int(entry.token)) {
                receive(from: sockets[Int(entry.token)], body)
            }
        }
    }
}
