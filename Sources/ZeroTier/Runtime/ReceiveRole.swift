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
    private let result = Mutex<WaitResult?>(nil)

    init() throws(SystemError) { event = try WakeEvent() }

    var descriptor: Descriptor { event.descriptor }

    /// Tells the thread that its wait is over. Costs no system call when the thread finds that out itself.
    func wake(_ value: WaitResult) {
        result.withLock { $0 = value }
        if isAsleep.load(ordering: .sequentiallyConsistent) { event.signal() }
    }

    /// The wait's end, if it has come.
    func take() -> WaitResult? {
        result.withLock { result in
            defer { result = nil }
            return result
        }
    }

    /// Sleeps by `sleep` unless the wait is over already. A wake-up after the check finds the flag and signals.
    func sleep(_ sleep: () -> Void) {
        isAsleep.store(true, ordering: .sequentiallyConsistent)
        if result.withLock({ $0 == nil }) { sleep() }
        isAsleep.store(false, ordering: .sequentiallyConsistent)
    }

    func drain() { event.drain() }
}

/// What the thread that takes datagrams needs.
struct ReceiveRole: ~Copyable, Sendable {
    /// Names the leading thread's event in the poller; others are places in `sockets`.
    static let eventToken: UInt64 = .max

    var receiver: UDPReceiver
    let sockets: [UDPPort.Socket]
    let leader: LeadingThread
    private let poller: Poller
    private var ready = Poller.ReadyList()

    init(sockets: [UDPPort.Socket], leader: LeadingThread) throws(SystemError) {
        let poller = try Poller()
        try poller.add(leader.descriptor, token: ReceiveRole.eventToken, for: .readable)
        for (index, socket) in sockets.enumerated() {
            try poller.add(socket.descriptor, token: UInt64(index), for: .readable)
        }
        self.sockets = sockets
        self.leader = leader
        self.poller = poller
        receiver = UDPReceiver()
    }

    /// Sleeps until datagrams wait, the leading thread is woken or the deadline is over, and lends what came.
    mutating func serve(until deadline: MonotonicInstant? = nil, _ body: (inout ReceiveBatch) -> Void) {
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
            } else if sockets.indices.contains(Int(entry.token)) {
                _ = receiver.receive(from: sockets[Int(entry.token)], body)
            }
        }
    }
}
