// Entities by index and generation: the one container for noncopyable values.
// Read first: Docs/architecture.md, "Owners and lifetimes".

/// Names an entity in a `SlotTable`. A removed entity's ID never names its successor in the same slot.
public struct SlotID: Hashable, Sendable, Comparable {
    /// Position in the table.
    public let index: UInt32
    /// How often that position had been given out before, plus one; 0 never occurs in a live ID.
    public let generation: UInt32

    /// Makes an ID from its two halves.
    @inlinable
    public init(index: UInt32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// An ID that names nothing, for caches that are empty.
    public static let none = SlotID(index: .max, generation: 0)

    /// Orders by slot, then generation.
    @inlinable
    public static func < (left: SlotID, right: SlotID) -> Bool {
        (left.index, left.generation) < (right.index, right.generation)
    }
}

/// Owns entities and names them by `SlotID`. Access is in place: `table[id].verb()` copies nothing.
@safe
public struct SlotTable<Element: ~Copyable>: ~Copyable {
    // The storage is raw because `Array` cannot hold noncopyable elements. A slot's memory is initialised exactly while
    // `live[index]` holds, which every method below keeps.
    @usableFromInline var elements: UnsafeMutablePointer<Element>
    @usableFromInline var generations: UnsafeMutablePointer<UInt32>
    @usableFromInline var live: UnsafeMutablePointer<Bool>
    @usableFromInline var capacity: Int
    @usableFromInline var used: Int
    @usableFromInline var free: [UInt32]
    /// How many entities are in the table.
    public private(set) var count: Int

    /// Makes an empty table; it grows by doubling.
    public init() {
        unsafe elements = UnsafeMutablePointer<Element>.allocate(capacity: 0)
        unsafe generations = UnsafeMutablePointer<UInt32>.allocate(capacity: 0)
        unsafe live = UnsafeMutablePointer<Bool>.allocate(capacity: 0)
        capacity = 0
        used = 0
        free = []
        count = 0
    }

    deinit {
        for index in 0..<used where unsafe live[index] {
            unsafe (elements + index).deinitialize(count: 1)
        }
        unsafe elements.deallocate()
        unsafe generations.deallocate()
        unsafe live.deallocate()
    }

    private mutating func grow() {
        let larger = max(8, capacity * 2)
        let newElements = UnsafeMutablePointer<Element>.allocate(capacity: larger)
        let newGenerations = UnsafeMutablePointer<UInt32>.allocate(capacity: larger)
        let newLive = UnsafeMutablePointer<Bool>.allocate(capacity: larger)
        unsafe newGenerations.initialize(repeating: 0, count: larger)
        unsafe newLive.initialize(repeating: false, count: larger)
        for index in 0..<used {
            if unsafe live[index] {
                unsafe (newElements + index).moveInitialize(from: elements + index, count: 1)
            }
            unsafe newGenerations[index] = generations[index]
            unsafe newLive[index] = live[index]
        }
        unsafe elements.deallocate()
        unsafe generations.deallocate()
        unsafe live.deallocate()
        unsafe elements = newElements
        unsafe generations = newGenerations
        unsafe live = newLive
        capacity = larger
    }

    /// Takes ownership of an entity and names it.
    public mutating func insert(_ element: consuming Element) -> SlotID {
        let index: Int
        if let reused = free.popLast() {
            index = Int(reused)
        } else {
            if used == capacity { grow() }
            index = used
            used += 1
        }
        unsafe (elements + index).initialize(to: element)
        unsafe generations[index] &+= 1
        if unsafe generations[index] == 0 { unsafe generations[index] = 1 }
        unsafe live[index] = true
        count += 1
        return unsafe SlotID(index: UInt32(index), generation: generations[index])
    }

    /// Whether the ID names an entity that is still here.
    @inlinable
    public func contains(_ id: SlotID) -> Bool {
        let index = Int(id.index)
        return unsafe index < used && live[index] && generations[index] == id.generation
    }

    /// Gives the entity back to the caller, or nil if it is gone already.
    public mutating func remove(_ id: SlotID) -> Element? {
        guard contains(id) else { return nil }
        let index = Int(id.index)
        unsafe live[index] = false
        free.append(id.index)
        count -= 1
        return unsafe (elements + index).move()
    }

    /// The entity, in place. Naming one that is gone is a programming error.
    @inlinable
    public subscript(_ id: SlotID) -> Element {
        _read {
            precondition(contains(id), "the slot's entity is gone")
            yield unsafe elements[Int(id.index)]
        }
        _modify {
            precondition(contains(id), "the slot's entity is gone")
            yield unsafe &elements[Int(id.index)]
        }
    }

    /// All live IDs in slot order, which is the same in every process.
    public var ids: [SlotID] {
        var result: [SlotID] = []
        result.reserveCapacity(count)
        forEachID { result.append($0) }
        return result
    }

    /// Calls the body with every live ID in slot order.
    public func forEachID(_ body: (SlotID) -> Void) {
        for index in 0..<used where unsafe live[index] {
            unsafe body(SlotID(index: UInt32(index), generation: generations[index]))
        }
    }

    /// The live ID at or after a slot position, for walks that remove as they go; nil past the end.
    public func nextID(from index: UInt32) -> SlotID? {
        var index = Int(index)
        while index < used {
            if unsafe live[index] {
                return unsafe SlotID(index: UInt32(index), generation: generations[index])
            }
            index += 1
        }
        return nil
    }
}

// The table owns its memory alone, so it may move between threads whenever its elements may.
extension SlotTable: @unchecked Sendable where Element: Sendable & ~Copyable {}
