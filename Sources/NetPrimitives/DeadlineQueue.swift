// The earliest of many deadlines: a binary heap with lazy deletion.

/// Deadlines of many entities, one per key. Order is by time, then by when it was scheduled: the same in every process.
public struct DeadlineQueue<Key: Hashable & Sendable>: Sendable {
    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline let deadline: MonotonicInstant
        @usableFromInline let order: UInt64
        @usableFromInline let key: Key

        @inlinable
        init(deadline: MonotonicInstant, order: UInt64, key: Key) {
            self.deadline = deadline
            self.order = order
            self.key = key
        }
    }

    @usableFromInline var heap: [Entry] = []
    // The order number that is valid for a key; a heap entry with another number has been superseded.
    @usableFromInline var valid: [Key: (order: UInt64, deadline: MonotonicInstant)] = [:]
    @usableFromInline var nextOrder: UInt64 = 0
    // Whether the first entry may have been superseded: asking for the next deadline costs nothing while nothing changed.
    @usableFromInline var isFirstStale = false

    /// Makes an empty queue.
    @inlinable public init() {}

    /// How many keys have a deadline.
    @inlinable public var count: Int { valid.count }

    /// The deadline of a key, if it has one.
    @inlinable public func deadline(of key: Key) -> MonotonicInstant? { valid[key]?.deadline }

    /// Sets the key's only deadline; a former one is forgotten.
    @inlinable public mutating func schedule(_ key: Key, at deadline: MonotonicInstant) {
        if let current = valid[key], current.deadline == deadline { return }
        nextOrder += 1
        isFirstStale = true
        valid[key] = (nextOrder, deadline)
        heap.append(Entry(deadline: deadline, order: nextOrder, key: key))
        siftUp(heap.count - 1)
        compactIfNeeded()
    }

    /// Forgets the key's deadline.
    @inlinable public mutating func cancel(_ key: Key) {
        valid[key] = nil
        isFirstStale = true
        if valid.isEmpty { heap.removeAll(keepingCapacity: true) }
        compactIfNeeded()
    }

    /// The earliest deadline.
    @inlinable public mutating func next() -> MonotonicInstant? {
        dropStale()
        return heap.first?.deadline
    }

    /// Takes the earliest key whose deadline is at or before `now`.
    @inlinable public mutating func popDue(_ now: MonotonicInstant) -> Key? {
        dropStale()
        guard let first = heap.first, first.deadline <= now else { return nil }
        removeFirst()
        valid[first.key] = nil
        isFirstStale = true
        return first.key
    }

    @inlinable mutating func dropStale() {
        guard isFirstStale else { return }
        while let first = heap.first, valid[first.key]?.order != first.order { removeFirst() }
        isFirstStale = false
    }

    // Lazy deletion must not let the heap grow without bound when deadlines move often.
    @inlinable mutating func compactIfNeeded() {
        guard heap.count > 64, heap.count > valid.count * 4 else { return }
        heap = heap.filter { valid[$0.key]?.order == $0.order }
        var index = heap.count / 2
        while index > 0 {
            index -= 1
            siftDown(index)
        }
    }

    @inlinable func isBefore(_ left: Int, _ right: Int) -> Bool {
        (heap[left].deadline, heap[left].order) < (heap[right].deadline, heap[right].order)
    }

    @inlinable mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        if !heap.isEmpty { siftDown(0) }
    }

    @inlinable mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard isBefore(index, parent) else { return }
            heap.swapAt(index, parent)
            index = parent
        }
    }

    @inlinable mutating func siftDown(_ start: Int) {
        var index = start
        while true {
            var smallest = index
            let left = 2 * index + 1
            if left < heap.count, isBefore(left, smallest) { smallest = left }
            if left + 1 < heap.count, isBefore(left + 1, smallest) { smallest = left + 1 }
            guard smallest != index else { return }
            heap.swapAt(index, smallest)
            index = smallest
        }
    }
}
