// A socket's buffer: a window of a byte stream, in chunks that exist only where there are bytes.
//
// Positions are offsets in the stream (`Int`, never wrapping), not indices. The window is `start..<end`; a receiver may
// also place bytes beyond `end` and publish them later. Chunks are 16 KiB, aligned to 64 bytes so that rings of
// thousands of sockets do not fall into the same cache sets. A freed chunk is the next one to be filled, while it is
// still in the cache; chunks that are not needed go back with `releaseSpareMemory`.

/// A growable window of a byte stream that owns its memory.
@safe
public struct ByteRing: ~Copyable {
    /// Bytes of one chunk.
    public static let chunkSize = 1 << chunkShift
    private static let chunkShift = 14
    private static let chunkMask = chunkSize - 1

    // A circular table of chunks, indexed by the chunk's number in the stream. An entry is nil where no byte was stored.
    // Invariant: all non-nil entries have numbers in `firstChunk..<firstChunk + tableSize`.
    private var table: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    private var tableSize: Int
    // Chunks held but not in the table: a stack linked through their first eight bytes, the hottest on top.
    private var spares: UnsafeMutableRawPointer?
    private var spareCount: Int
    private var chunkCount: Int
    /// The offset of the oldest byte that is still held.
    public private(set) var start: Int
    /// The offset after the newest published byte.
    public private(set) var end: Int

    /// Makes an empty ring whose first byte will have the offset `start`. Holds no memory until a byte is stored.
    public init(start: Int = 0) {
        unsafe table = nil
        tableSize = 0
        unsafe spares = nil
        spareCount = 0
        chunkCount = 0
        self.start = start
        end = start
    }

    deinit {
        if let table = unsafe table {
            for index in 0..<tableSize {
                if let chunk = unsafe table[index] { unsafe chunk.deallocate() }
            }
            unsafe table.deallocate()
        }
        var next = unsafe spares
        while let chunk = unsafe next {
            unsafe next = chunk.load(as: UnsafeMutableRawPointer?.self)
            unsafe chunk.deallocate()
        }
    }

    /// Bytes between start and end.
    @inlinable public var count: Int { end - start }
    /// Whether no byte is published.
    @inlinable public var isEmpty: Bool { end == start }
    /// Bytes of memory held for data.
    public var memoryHeld: Int { (chunkCount + spareCount) << ByteRing.chunkShift }
    /// Whether memory is held that no byte needs.
    public var hasSpareMemory: Bool { spareCount > 0 }

    /// Gives back chunks that hold nothing, and the table if there is nothing at all.
    public mutating func releaseSpareMemory() {
        while let chunk = unsafe spares {
            unsafe spares = chunk.load(as: UnsafeMutableRawPointer?.self)
            unsafe chunk.deallocate()
        }
        spareCount = 0
        if chunkCount == 0, let held = unsafe table {
            unsafe held.deallocate()
            unsafe table = nil
            tableSize = 0
        }
    }

    // MARK: Storing

    /// Appends `count` bytes of a span at the end. The caller bounds the ring's size.
    public mutating func append(_ source: RawSpan, from offset: Int, count: Int) {
        write(source, from: offset, count: count, at: end)
        end += count
    }

    /// Stores bytes at a stream offset at or after `start`, without publishing them.
    public mutating func write(_ source: RawSpan, from offset: Int, count: Int, at position: Int) {
        precondition(count >= 0 && offset >= 0 && offset <= source.byteCount - count, "read outside the span")
        guard count > 0 else { return }
        reserve(position, count)
        var done = 0
        while done < count {
            let (target, room) = unsafe piece(position + done)
            let part = min(room, count - done)
            // Sound: the range of the source was checked above; `piece` gives `room` bytes of an owned chunk.
            unsafe source.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                unsafe target.copyMemory(from: base + offset + done, byteCount: part)
            }
            done += part
        }
    }

    /// Stores bytes at a stream offset at or after `start` without publishing them, and gives their partial checksum.
    public mutating func writeAndSum(_ source: RawSpan, from offset: Int, count: Int, at position: Int) -> UInt32 {
        precondition(count >= 0 && offset >= 0 && offset <= source.byteCount - count, "read outside the span")
        precondition(position >= start, "the stream has moved on")
        guard count > 0 else { return 0 }
        // Sound: the range of the source was checked above and the pointer stays inside the closure.
        return unsafe source.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            let from = unsafe base + offset
            // Nearly always the bytes go to one chunk that is there already.
            if let target = unsafe held(position, count) { return unsafe Checksum.copyAndSum(from, target, count) }
            return unsafe writeAndSumPieces(from, count, position)
        }
    }

    @inline(never)
    private mutating func writeAndSumPieces(_ from: UnsafeRawPointer, _ count: Int, _ position: Int) -> UInt32 {
        reserve(position, count)
        var done = 0
        var sum: UInt32 = 0
        while done < count {
            // Sound: `piece` gives `room` bytes of an owned chunk; the caller has checked `count` bytes at `from`.
            let (target, room) = unsafe piece(position + done)
            let part = min(room, count - done)
            let piece = unsafe Checksum.copyAndSum(from + done, target, part)
            sum = Checksum.combine(sum, done & 1 == 0 ? piece : Checksum.swapped(piece))
            done += part
        }
        return sum
    }

    /// Publishes bytes that were stored up to an offset.
    public mutating func publish(to offset: Int) {
        precondition(offset >= end, "published bytes stay published")
        end = offset
    }

    // MARK: Reading

    /// Copies `count` bytes from a stream offset into a span. The bytes must be within start and end.
    public func read(_ position: Int, count: Int, into target: inout MutableRawSpan, at offset: Int) {
        precondition(position >= start && count >= 0 && position <= end - count, "read outside the ring")
        precondition(offset >= 0 && offset <= target.byteCount - count, "write outside the span")
        var done = 0
        while done < count {
            let (source, room) = unsafe piece(position + done)
            let part = min(room, count - done)
            // Sound: the range of the target was checked above; `piece` gives `room` bytes of an owned chunk.
            unsafe target.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                unsafe (base + offset + done).copyMemory(from: source, byteCount: part)
            }
            done += part
        }
    }

    /// Copies `count` bytes from a stream offset into a span and gives their partial checksum.
    public func readAndSum(_ position: Int, count: Int, into target: inout MutableRawSpan, at offset: Int) -> UInt32 {
        precondition(position >= start && count >= 0 && position <= end - count, "read outside the ring")
        precondition(offset >= 0 && offset <= target.byteCount - count, "write outside the span")
        guard count > 0 else { return 0 }
        // Sound: the range of the target was checked above and the pointer stays inside the closure.
        return unsafe target.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            let to = unsafe base + offset
            if let source = unsafe held(position, count) { return unsafe Checksum.copyAndSum(source, to, count) }
            return unsafe readAndSumPieces(position, count, to)
        }
    }

    @inline(never)
    private func readAndSumPieces(_ position: Int, _ count: Int, _ to: UnsafeMutableRawPointer) -> UInt32 {
        var done = 0
        var sum: UInt32 = 0
        while done < count {
            // Sound: `piece` gives `room` bytes of an owned chunk; the caller has checked `count` bytes at `to`.
            let (source, room) = unsafe piece(position + done)
            let part = min(room, count - done)
            let piece = unsafe Checksum.copyAndSum(source, to + done, part)
            sum = Checksum.combine(sum, done & 1 == 0 ? piece : Checksum.swapped(piece))
            done += part
        }
        return sum
    }

    /// Forgets the bytes before an offset, which may lie beyond the end only if nothing was stored there.
    public mutating func discard(to offset: Int) {
        guard offset > start else { return }
        precondition(offset <= end, "only published bytes are discarded")
        if let table = unsafe table {
            let last = offset >> ByteRing.chunkShift
            var chunk = start >> ByteRing.chunkShift
            // At most `tableSize` chunks can exist, however far the offset moves.
            while chunk < last {
                let slot = chunk & (tableSize - 1)
                if let freed = unsafe table[slot] {
                    unsafe table[slot] = nil
                    unsafe keep(freed)
                }
                chunk += 1
            }
        }
        start = offset
    }

    /// Forgets everything, published or not; the next byte has the offset `end`.
    public mutating func removeAll() {
        start = end
        if let table = unsafe table {
            for slot in 0..<tableSize {
                if let freed = unsafe table[slot] {
                    unsafe table[slot] = nil
                    unsafe keep(freed)
                }
            }
        }
        releaseSpareMemory()
    }

    /// Frees the memory of a ring that is empty.
    public mutating func releaseIdleChunk() {
        precondition(isEmpty, "the ring is in use")
        removeAll()
    }

    // MARK: Chunks

    private mutating func keep(_ chunk: UnsafeMutableRawPointer) {
        unsafe chunk.storeBytes(of: spares, as: UnsafeMutableRawPointer?.self)
        unsafe spares = chunk
        spareCount += 1
        chunkCount -= 1
    }

    /// The address of a range if it lies in one chunk that exists.
    @inline(__always)
    private func held(_ position: Int, _ count: Int) -> UnsafeMutableRawPointer? {
        let inside = position & ByteRing.chunkMask
        // A chunk number maps to a slot only within the table's reach.
        guard inside <= ByteRing.chunkSize - count, let table = unsafe table,
            position >> ByteRing.chunkShift - start >> ByteRing.chunkShift < tableSize,
            let chunk = unsafe table[(position >> ByteRing.chunkShift) & (tableSize - 1)]
        else { return nil }
        return unsafe chunk + inside
    }

    /// The address of a stored byte and how many follow it in the same chunk.
    @inline(__always)
    private func piece(_ position: Int) -> (UnsafeMutableRawPointer, Int) {
        let slot = (position >> ByteRing.chunkShift) & (tableSize - 1)
        // An empty table or slot here means bytes were asked for that were never stored: a programming error.
        guard let table = unsafe table, let chunk = unsafe table[slot] else { preconditionFailure("no bytes there") }
        let inside = position & ByteRing.chunkMask
        return unsafe (chunk + inside, ByteRing.chunkSize - inside)
    }

    /// Makes chunks for a range of the stream.
    private mutating func reserve(_ position: Int, _ count: Int) {
        precondition(position >= start, "the stream has moved on")
        let first = position >> ByteRing.chunkShift
        let last = (position + count - 1) >> ByteRing.chunkShift
        let base = start >> ByteRing.chunkShift
        if last - base >= tableSize { growTable(base, last - base + 1) }
        guard let table = unsafe table else { return }
        for chunk in first...last {
            let slot = chunk & (tableSize - 1)
            if unsafe table[slot] == nil {
                if let spare = unsafe spares {
                    unsafe spares = spare.load(as: UnsafeMutableRawPointer?.self)
                    spareCount -= 1
                    unsafe table[slot] = spare
                } else {
                    unsafe table[slot] = UnsafeMutableRawPointer.allocate(
                        byteCount: ByteRing.chunkSize, alignment: 64)
                }
                chunkCount += 1
            }
        }
    }

    private mutating func growTable(_ base: Int, _ needed: Int) {
        var size = max(4, tableSize)
        while size < needed { size *= 2 }
        let larger = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: size)
        unsafe larger.initialize(repeating: nil, count: size)
        if let held = unsafe table {
            for chunk in base..<base + tableSize {
                unsafe larger[chunk & (size - 1)] = held[chunk & (tableSize - 1)]
            }
            unsafe held.deallocate()
        }
        unsafe table = larger
        tableSize = size
    }
}

// The ring owns its memory alone, so it may move between threads.
extension ByteRing: @unchecked Sendable {}
