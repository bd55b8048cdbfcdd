// The stack's hash table: open addressing, keyed hash, values that are plain numbers.

/// A key of an `OpenTable`: what it mixes into the keyed hash.
protocol OpenTableKey: Equatable, Sendable {
    func mix(into hasher: inout SipHasher)
}

/// Maps keys to small values by linear probing. The hash is keyed, so that a remote cannot build long probes; the order
/// of the entries never decides anything. Deletion shifts entries back, so that there are no tombstones.
struct OpenTable<Key: OpenTableKey, Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        var hash: UInt32
        var key: Key
        var value: Value
    }

    private let hashKey: SipHasher.Key
    private var entries: ContiguousArray<Entry?> = []
    private var mask = 0
    private(set) var count = 0

    init(hashKey: SipHasher.Key) {
        self.hashKey = hashKey
    }

    @inline(__always)
    private func hash(_ key: Key) -> UInt32 {
        var hasher = SipHasher(hashKey)
        key.mix(into: &hasher)
        return UInt32(truncatingIfNeeded: hasher.finish())
    }

    /// The value of a key.
    subscript(_ key: Key) -> Value? {
        guard count > 0 else { return nil }
        let hash = hash(key)
        var index = Int(hash) & mask
        while let entry = entries[index] {
            if entry.hash == hash, entry.key == key { return entry.value }
            index = (index &+ 1) & mask
        }
        return nil
    }

    /// Sets a key's value, whether or not there was one.
    mutating func set(_ key: Key, _ value: Value) {
        if (count + 1) * 2 > entries.count { grow() }
        let hash = hash(key)
        var index = Int(hash) & mask
        while let entry = entries[index] {
            if entry.hash == hash, entry.key == key {
                entries[index]?.value = value
                return
            }
            index = (index &+ 1) & mask
        }
        entries[index] = Entry(hash: hash, key: key, value: value)
        count += 1
    }

    /// Removes a key and gives back its value.
    @discardableResult
    mutating func remove(_ key: Key) -> Value? {
        guard count > 0 else { return nil }
        let hash = hash(key)
        var index = Int(hash) & mask
        while let entry = entries[index] {
            if entry.hash == hash, entry.key == key {
                close(index)
                count -= 1
                return entry.value
            }
            index = (index &+ 1) & mask
        }
        return nil
    }

    // Moves later entries of the probe back over the hole, so that no look-up ends early.
    private mutating func close(_ start: Int) {
        var hole = start
        var index = (start &+ 1) & mask
        while let entry = entries[index] {
            let home = Int(entry.hash) & mask
            // The entry may move unless its home lies cyclically between the hole (excluded) and its place.
            let distanceToHome = (index &- home) & mask
            let distanceToHole = (index &- hole) & mask
            if distanceToHome >= distanceToHole {
                entries[hole] = entry
                hole = index
            }
            index = (index &+ 1) & mask
        }
        entries[hole] = nil
    }

    private mutating func grow() {
        let old = entries
        let size = max(16, old.count * 2)
        entries = ContiguousArray(repeating: nil, count: size)
        mask = size - 1
        for case let entry? in old {
            var index = Int(entry.hash) & mask
            while entries[index] != nil { index = (index &+ 1) & mask }
            entries[index] = entry
        }
    }
}
