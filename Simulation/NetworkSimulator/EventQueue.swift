//  What will happen, in the order in which it will: a binary heap by time, then by when it was scheduled.

import NetPrimitives

/// The future of a simulation. Two events of one instant happen in the order in which they were scheduled.
struct EventQueue<Event> {
    private struct Entry {
        let time: MonotonicInstant
        let order: UInt64
        let slot: Int
    }

    private var heap: [Entry] = []
    // The events themselves do not move while the heap is sorted.
    private var events: [Event?] = []
    private var freeSlots: [Int] = []
    private var nextOrder: UInt64 = 0

    var count: Int { heap.count }

    /// When the next event happens.
    var next: MonotonicInstant? { heap.first?.time }

    /// Schedules an event.
    mutating func schedule(_ event: Event, at time: MonotonicInstant) {
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
            events[slot] = event
        } else {
            slot = events.count
            events.append(event)
        }
        nextOrder += 1
        heap.append(Entry(time: time, order: nextOrder, slot: slot))
        var index = heap.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard isBefore(index, parent) else { break }
            heap.swapAt(index, parent)
            index = parent
        }
    }

    /// Takes the next event if it happens at `end` or before.
    mutating func popNext(until end: MonotonicInstant) -> (time: MonotonicInstant, event: Event)? {
        guard let first = heap.first, first.time <= end, let event = events[first.slot] else { return nil }
        events[first.slot] = nil
        freeSlots.append(first.slot)
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var index = 0
        while true {
            var smallest = index
            let left = 2 * index + 1
            if left < heap.count, isBefore(left, smallest) { smallest = left }
            if left + 1 < heap.count, isBefore(left + 1, smallest) { smallest = left + 1 }
            guard smallest != index else { break }
            heap.swapAt(index, smallest)
            index = smallest
        }
        return (first.time, event)
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].order) < (heap[right].time, heap[right].order)
    }
}
