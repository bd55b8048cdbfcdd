// Every queue has a limit.

/// A first-in first-out queue with a capacity. The caller chooses per call what gives way when it is full.
public struct BoundedQueue<Element> {
    @usableFromInline var storage: [Element?] = []
    @usableFromInline var head = 0
    @usableFromInline var waiting = 0
    /// How many elements are waiting.
    @inlinable public var count: Int { waiting }
    /// The most that may wait.
    public let capacity: Int

    /// Makes an empty queue; memory is taken as it fills.
    @inlinable public init(capacity: Int) {
        precondition(capacity > 0, "a queue needs room for one element")
        self.capacity = capacity
    }

    /// Whether nothing waits.
    @inlinable public var isEmpty: Bool { count == 0 }
    /// Whether no more fits.
    @inlinable public var isFull: Bool { count == capacity }
    /// The oldest element.
    @inlinable public var first: Element? { count == 0 ? nil : storage[head] }

    /// Adds an element; when the queue is full the oldest gives way and is returned.
    @inlinable @discardableResult
    public mutating func append(_ element: Element) -> Element? {
        var dropped: Element?
        if count == capacity { dropped = popFirst() }
        push(element)
        return dropped
    }

    /// Adds an element unless the queue is full.
    @inlinable public mutating func tryAppend(_ element: Element) -> Bool {
        guard count < capacity else { return false }
        push(element)
        return true
    }

    @inlinable mutating func push(_ element: Element) {
        if count == storage.count { grow() }
        storage[(head + count) % storage.count] = element
        waiting += 1
    }

    @inlinable mutating func grow() {
        var larger: [Element?] = []
        let size = min(capacity, max(4, storage.count * 2))
        larger.reserveCapacity(size)
        for offset in 0..<count { larger.append(storage[(head + offset) % storage.count]) }
        while larger.count < size { larger.append(nil) }
        storage = larger
        head = 0
    }

    /// Takes the oldest element.
    @inlinable public mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = storage[head]
        storage[head] = nil
        head = (head + 1) % storage.count
        waiting -= 1
        return element
    }

    /// Takes out every element for which the condition holds and returns those, oldest first; the others keep their order.
    @inlinable @discardableResult
    public mutating func removeAll(where condition: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for _ in 0..<count {
            guard let element = popFirst() else { break }
            if condition(element) { removed.append(element) } else { push(element) }
        }
        return removed
    }
}

extension BoundedQueue: Sendable where Element: Sendable {}
