// The buffer that a driver receives into, and the datagrams in it.
// Read first: Docs/architecture.md, "The way of a packet in".

/// One receive buffer with the datagrams that a system call put there. Datagrams are decrypted in place, so their bytes
/// are valid only until `receive` returns: who wants to keep some, copies them.
@safe
public struct ReceiveBatch: ~Copyable {
    /// One datagram's place in the buffer.
    public struct Datagram: Sendable, Equatable {
        /// Start in the buffer.
        public var offset: Int
        /// Length in bytes.
        public var length: Int
        /// The local socket it came in by and the endpoint it came from.
        public var path: PhysicalPath
    }

    /// The buffer's size in bytes.
    public let capacity: Int
    @usableFromInline let storage: UnsafeMutableRawPointer
    /// The datagrams, in order of arrival.
    public private(set) var datagrams: [Datagram] = []

    /// Makes an empty batch with its own buffer.
    public init(capacity: Int = 65_536) {
        self.capacity = capacity
        unsafe storage = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
        datagrams.reserveCapacity(64)
    }

    deinit {
        unsafe storage.deallocate()
    }

    /// Forgets the datagrams; the buffer is reused.
    public mutating func clear() { datagrams.removeAll(keepingCapacity: true) }

    /// Lends the whole buffer, for a driver to receive into.
    @inlinable public mutating func withStorage<Result>(_ body: (inout MutableRawSpan) -> Result) -> Result {
        // Sound: the buffer is `capacity` bytes and borrowed exclusively.
        var span = unsafe MutableRawSpan(_unsafeStart: storage, byteCount: capacity)
        return body(&span)
    }

    /// Declares what a receive call left in the buffer: `total` bytes from one remote, cut every `segmentSize` bytes.
    public mutating func setDatagrams(total: Int, segmentSize: Int, path: PhysicalPath) {
        clear()
        let total = min(total, capacity)
        var offset = 0
        let size = segmentSize > 0 ? segmentSize : total
        while offset < total {
            let length = min(size, total - offset)
            datagrams.append(Datagram(offset: offset, length: length, path: path))
            offset += length
        }
    }

    /// Copies one datagram behind those already there. False if it does not fit.
    public mutating func append(_ bytes: RawSpan, path: PhysicalPath) -> Bool {
        let start = datagrams.last.map { $0.offset + $0.length } ?? 0
        guard bytes.byteCount <= capacity - start else { return false }
        let count = bytes.byteCount
        withStorage { $0.copy(from: bytes, sourceOffset: 0, count: count, at: start) }
        datagrams.append(Datagram(offset: start, length: count, path: path))
        return true
    }

    /// Lends one datagram's bytes for changing in place.
    @inlinable public mutating func withDatagram<Result>(_ index: Int, _ body: (inout MutableRawSpan) -> Result)
        -> Result
    {
        let datagram = datagrams[index]
        precondition(datagram.offset >= 0 && datagram.offset + datagram.length <= capacity)
        // Sound: checked against the buffer just above, borrowed exclusively.
        var span = unsafe MutableRawSpan(_unsafeStart: storage + datagram.offset, byteCount: datagram.length)
        return body(&span)
    }

    /// Lends the bytes of a datagram and all that follow it in the buffer, for joining a fragment with its successor.
    @inlinable public mutating func withDatagrams<Result>(from index: Int, _ body: (inout MutableRawSpan) -> Result)
        -> Result
    {
        let datagram = datagrams[index]
        let last = datagrams[datagrams.count - 1]
        let end = last.offset + last.length
        precondition(datagram.offset >= 0 && end <= capacity && datagram.offset <= end)
        // Sound: as in `withDatagram`.
        var span = unsafe MutableRawSpan(_unsafeStart: storage + datagram.offset, byteCount: end - datagram.offset)
        return body(&span)
    }
}

// The batch owns its buffer alone.
extension ReceiveBatch: @unchecked Sendable {}
