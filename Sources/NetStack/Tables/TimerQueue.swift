// Deadlines of all entities of a stack: a binary heap whose members know their place, so that moving one is cheap.
// `DeadlineQueue` of NetPrimitives keeps a dictionary; a connection moves its deadline with every batch, so here the
// place is an index that the entity holds.

import NetPrimitives

/// Names an entity's place in a `TimerQueue`.
struct TimerID: Hashable, Sendable {
    let index: Int32
    static let none = TimerID(index: -1)
}

/// Deadlines, at most one per owner. Of equal ones the one set first goes first, which is the same in every process.
struct TimerQueue<Owner: Sendable>: Sendable {
    private struct Node: Sendable {
        var isUsed: Bool
        var owner: Owner?
        var place: Int32
    }
    private struct Entry: Sendable {
        var deadline: UInt64
        var order: UInt64
        var node: Int32
    }

    private var nodes: ContiguousArray<Node> = []
    private var freeNodes: [Int32] = []
    private var heap: ContiguousArray<Entry> = []
    private var order: UInt64 = 0

    init() {}

    /// How many owners have a deadline.
    var count: Int { heap.count }

    /// The earliest deadline.
    var next: MonotonicInstant? { heap.first.map { MonotonicInstant(nanoseconds: $0.deadline) } }

    /// Makes a place for an owner, without a deadline.
    mutating func add(_ owner: Owner) -> TimerID { add(Node(isUsed: true, owner: owner, place: -1)) }

    /// Makes a place whose owner is named later, by `setOwner`, or has no deadlines. Nobody is woken for it until then.
    mutating func reserve() -> TimerID { add(Node(isUsed: true, owner: nil, place: -1)) }

    private mutating func add(_ node: Node) -> TimerID {
        if let index = freeNodes.popLast() {
            nodes[Int(index)] = node
            return TimerID(index: index)
        }
        nodes.append(node)
        return TimerID(index: Int32(nodes.count - 1))
    }

    /// Names the owner of a place. For owners whose own name depends on having a timer.
    mutating func setOwner(_ id: TimerID, _ owner: Owner) { nodes[Int(id.index)].owner = owner }

    /// Gives up the place.
    mutating func remove(_ id: TimerID) {
        guard id.index >= 0, nodes[Int(id.index)].isUsed else { return }
        cancel(id)
        nodes[Int(id.index)] = Node(isUsed: false, owner: nil, place: -1)
        freeNodes.append(id.index)
    }

    /// The owner's deadline.
    func deadline(of id: TimerID) -> MonotonicInstant? {
        let place = nodes[Int(id.index)].place
        return place < 0 ? nil : MonotonicInstant(nanoseconds: heap[Int(place)].deadline)
    }

    /// Sets or clears the owner's deadline.
    mutating func set(_ id: TimerID, _ deadline: MonotonicInstant?) {
        guard let deadline else { return cancel(id) }
        let place = Int(nodes[Int(id.index)].place)
        if place >= 0 {
            let old = heap[place].deadline
            if old == deadline.nanoseconds { return }
            order &+= 1
            heap[place].deadline = deadline.nanoseconds
            heap[place].order = order
            if deadline.nanoseconds < old { siftUp(place) } else { siftDown(place) }
            return
        }
        order &+= 1
        heap.append(Entry(deadline: deadline.nanoseconds, order: order, node: id.index))
        nodes[Int(id.index)].place = Int32(heap.count - 1)
        siftUp(heap.count - 1)
    }

    /// Lets a deadline move later only when it fires: cheap for an owner whose deadlines are only ever pushed out.
    /// The owner compares its own deadline when it is woken too early.
    mutating func setLazily(_ id: TimerID, _ deadline: MonotonicInstant?) {
        if let deadline {
            let place = Int(nodes[Int(id.index)].place)
            if place >= 0, heap[place].deadline <= deadline.nanoseconds { return }
        }
        set(id, deadline)
    }

    /// Clears the owner's deadline.
    mutating func cancel(_ id: TimerID) {
        guard id.index >= 0 else { return }
        let place = Int(nodes[Int(id.index)].place)
        guard place >= 0 else { return }
        removeEntry(place)
    }

    /// Takes the earliest owner whose deadline is at or before now; its deadline is cleared.
    mutating func popDue(_ now: MonotonicInstant) -> Owner? {
        while let first = heap.first, first.deadline <= now.nanoseconds {
            removeEntry(0)
            if let owner = nodes[Int(first.node)].owner { return owner }
        }
        return nil
    }

    private mutating func removeEntry(_ place: Int) {
        nodes[Int(heap[place].node)].place = -1
        let last = heap.removeLast()
        guard place < heap.count else { return }
        heap[place] = last
        nodes[Int(last.node)].place = Int32(place)
        siftDown(place)
        siftUp(place)
    }

    @inline(__always)
    private func isBefore(_ left: Entry, _ right: Entry) -> Bool {
        left.deadline != right.deadline ? left.deadline < right.deadline : left.order < right.order
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        let entry = heap[index]
        while index > 0 {
            let parent = (index - 1) / 2
            guard isBefore(entry, heap[parent]) else { break }
            heap[index] = heap[parent]
            nodes[Int(heap[index].node)].place = Int32(index)
            index = parent
        }
        heap[index] = entry
        nodes[Int(entry.node)].place = Int32(index)
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        let entry = heap[index]
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, isBefore(heap[child + 1], heap[child]) { child += 1 }
            guard isBefore(heap[child], entry) else { break }
            heap[index] = heap[child]
            nodes[Int(heap[index].node)].place = Int32(index)
            index = child
        }
        heap[index] = entry
        nodes[Int(entry.node)].place = Int32(index)
    }
}
