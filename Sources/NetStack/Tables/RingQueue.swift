// A first-in first-out queue whose bound is kept by the caller: ready sockets, datagram records, entities in order of
// age.

/// A queue over a power-of-two ring. Grows by doubling; pushing and popping in steady state allocates nothing.
struct RingQueue<Element: Sendable>: Sendable {
    private var storage: ContiguousArray<Element?> = []
    private var head = 0
    private(set) var count = 0

    init() {}

    var isEmpty: Bool { count == 0 }

    var first: Element? { count == 0 ? nil : storage[head] }

    /// The element at a distance from the head, which must be less than `count`.
    subscript(_ index: Int) -> Element? {
        index < count ? storage[(head &+ index) & (storage.count &- 1)] : nil
    }

    mutating func append(_ element: Element) {
        if count == storage.count { grow() }
        storage[(head &+ count) & (storage.count &- 1)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = storage[head]
        storage[head] = nil
        head = (head &+ 1) & (storage.count &- 1)
        count -= 1
        return element
    }

    /// Replaces the element at the head; there must be one.
    mutating func replaceFirst(_ element: Element) {
        precondition(count > 0)
        storage[head] = element
    }

    private mutating func grow() {
        var larger = ContiguousArray<Element?>(repeating: nil, count: max(8, storage.count * 2))
        for index in 0..<count { larger[index] = storage[(head &+ index) & (storage.count &- 1)] }
        storage = larger
        head = 0
    }
}
