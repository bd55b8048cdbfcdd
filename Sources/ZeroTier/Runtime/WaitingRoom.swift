// Where everybody waits who waits for a node: tasks with deadlines, threads, descriptors. Part of the state under the node's
// lock; whoever is to go on is noted under the lock and woken after it.
// Read first: Docs/architecture.md, "Locks and wake-ups"; Docs/decisions/0015-one-waiting-room.md.

import NetPrimitives
package import NetStack

/// What somebody waits for.
enum WaitKey: Hashable, Sendable {
    /// Edges of a socket.
    case socket(SocketID)
    /// The node's or a network's state.
    case node
    /// The last bytes of connections that are closed.
    case delivery
    /// The answer to an echo request.
    case echo(DriverCore.EchoKey)
    /// The end of a change of the controller.
    case administration(UInt64)
}

/// Those who are to be woken as soon as the lock is released.
struct WakeUps: Sendable {
    // Most often one is all, and it needs no memory.
    private var first: WaitList?
    private var others: [WaitList] = []
    // Their time is over.
    fileprivate var tasks: [WaitingTask] = []

    fileprivate var isEmpty: Bool { first == nil && tasks.isEmpty }

    fileprivate mutating func append(_ list: WaitList) {
        if first == nil { first = list } else { others.append(list) }
    }

    /// Wakes them. Not to be called with the node's lock held.
    func perform() {
        first?.signal()
        for list in others { list.signal() }
        for task in tasks { task.wake() }
    }
}

/// All lists of a node, under its lock. An edge finds its list by the kind and slot of the socket.
package struct WaitingRoom: Sendable {
    // Of one slot of the stack: the socket that had a list last.
    private struct Place: Sendable {
        var generation: UInt32 = 0
        var list: WaitList?
    }

    // By kind and slot. As long as the stack's tables, whose limits are the stack's.
    private var places: [[Place]] = []
    /// Who waits for the node's or a network's state.
    let node = WaitList()
    /// Who waits for what closed connections still deliver.
    let delivery = WaitList()
    // Threads look at the clock themselves.
    private var deadlines = DeadlineQueue<WaitingTask>()
    private var wakeUps = WakeUps()

    init() {}

    // MARK: Lists

    /// The list of a socket, if it has one.
    func list(of id: SocketID) -> WaitList? {
        let (kind, slot) = (Int(id.kind.rawValue), Int(id.slot.index))
        guard kind < places.count, slot < places[kind].count, places[kind][slot].generation == id.slot.generation
        else { return nil }
        return places[kind][slot].list
    }

    /// From here on edges of the socket go to the list. The socket is there.
    package mutating func set(_ id: SocketID, _ list: WaitList) {
        let (kind, slot) = (Int(id.kind.rawValue), Int(id.slot.index))
        while places.count <= kind { places.append([]) }
        while places[kind].count <= slot { places[kind].append(Place()) }
        places[kind][slot] = Place(generation: id.slot.generation, list: list)
    }

    /// The socket has no list any more.
    package mutating func remove(_ id: SocketID) {
        guard list(of: id) != nil else { return }
        places[Int(id.kind.rawValue)][Int(id.slot.index)].list = nil
    }

    /// The sockets that have a list.
    var sockets: [SocketID] {
        var result: [SocketID] = []
        for kind in [SocketID.Kind.stream, .listener, .datagram, .reservation] where Int(kind.rawValue) < places.count {
            for (slot, place) in places[Int(kind.rawValue)].enumerated() where place.list != nil {
                result.append(SocketID(kind, SlotID(index: UInt32(slot), generation: place.generation)))
            }
        }
        return result
    }

    // MARK: Wake-ups

    /// Wakes a list after the lock is released.
    package mutating func signal(_ list: WaitList) {
        if list.hasInterest { wakeUps.append(list) }
    }

    /// Something happened to a socket.
    mutating func note(_ id: SocketID) {
        if let list = list(of: id) { signal(list) }
    }

    /// The socket ends: everybody looks again, and finds that.
    mutating func end(_ id: SocketID) {
        note(id)
        remove(id)
    }

    /// The node ends: all who wait for it look again, and no time matters any more.
    mutating func beginEnd() {
        signal(node)
        signal(delivery)
        deadlines = DeadlineQueue()
    }

    /// Takes those who are to be woken.
    mutating func takeWakeUps() -> WakeUps {
        if wakeUps.isEmpty { return WakeUps() }
        defer { wakeUps = WakeUps() }
        return wakeUps
    }

    // MARK: Time

    /// The earliest deadline of a task.
    mutating func nextDeadline() -> MonotonicInstant? { deadlines.next() }

    /// Wakes a task at its deadline.
    mutating func schedule(_ waiter: Waiter, at deadline: MonotonicInstant) {
        if case .task(let task) = waiter { deadlines.schedule(task, at: deadline) }
    }

    /// The waiter's time does not matter any more.
    mutating func unschedule(_ waiter: Waiter) {
        if case .task(let task) = waiter, deadlines.deadline(of: task) != nil { deadlines.cancel(task) }
    }

    mutating func expire(_ now: MonotonicInstant) {
        while let task = deadlines.popDue(now) { wakeUps.tasks.append(task) }
    }
}
