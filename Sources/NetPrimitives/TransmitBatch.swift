// The slab that every outgoing datagram is written into, once and in place.
// Read first: Docs/architecture.md, "The way of a packet out".

/// A 64 KiB slab lent by the driver, with the runs of equal datagrams in it: one run is one system call.
///
/// A datagram is written by `append`'s closure, straight into the slab; spans never leave the closure. All of one run's
/// datagrams go to one path and have one length, except the last, which may be shorter.
@safe
public struct TransmitBatch: ~Copyable {
    /// Datagrams of equal length for one path, contiguous in the slab.
    public struct Run: Sendable, Equatable {
        /// Where the datagrams go.
        public var path: PhysicalPath
        /// Start in the slab.
        public var offset: Int
        /// Length of every datagram but the last, and their distance.
        public var stride: Int
        /// How many datagrams.
        public var count: Int
        /// Length of the last datagram, at most `stride`.
        public var lastLength: Int

        /// All bytes of the run.
        public var byteCount: Int { (count - 1) * stride + lastLength }
    }

    /// The slab's size in bytes.
    public static let slabSize = 65_536
    /// The most datagrams that one segmentation-offload call takes (Linux `UDP_MAX_SEGMENTS`).
    public static let maximumRunCount = 64
    /// The most bytes that one call takes: an IPv4 datagram's largest UDP payload.
    public static let maximumRunBytes = 65_507

    // 64-byte aligned: cipher kernels like it, and page alignment would let all slabs share cache sets.
    @usableFromInline let slab: UnsafeMutableRawPointer
    private var used = 0
    /// The runs, in the order in which they are to leave.
    public private(set) var runs: [Run] = []
    /// Datagrams in all runs.
    public private(set) var datagramCount = 0

    /// Makes an empty batch with its own slab.
    public init() {
        unsafe slab = UnsafeMutableRawPointer.allocate(byteCount: TransmitBatch.slabSize, alignment: 64)
        runs.reserveCapacity(64)
    }

    deinit {
        unsafe slab.deallocate()
    }

    /// Whether nothing is to leave.
    public var isEmpty: Bool { runs.isEmpty }
    /// Bytes that are still free.
    public var freeBytes: Int { TransmitBatch.slabSize - used }

    /// How many datagrams of a length still fit.
    public func room(stride: Int) -> Int { (TransmitBatch.slabSize - used) / max(1, stride) }

    /// Forgets everything; the slab is reused.
    public mutating func clear() {
        used = 0
        datagramCount = 0
        runs.removeAll(keepingCapacity: true)
    }

    /// Writes one datagram of `length` bytes in place. False, and nothing written, if it does not fit.
    public mutating func append(
        _ length: Int, to path: PhysicalPath, _ fill: (inout MutableRawSpan) -> Void
    ) -> Bool {
        appendParts(count: 1, stride: length, lastLength: length, to: path, fill)
    }

    /// Writes `count` datagrams that belong together: the closure gets their whole contiguous region of
    /// `(count - 1) * stride + lastLength` bytes. False, and nothing written, if they do not fit.
    public mutating func appendParts(
        count: Int, stride: Int, lastLength: Int, to path: PhysicalPath, _ fill: (inout MutableRawSpan) -> Void
    ) -> Bool {
        precondition(count > 0 && lastLength > 0 && lastLength <= stride, "a run's last datagram is its shortest")
        let total = (count - 1) * stride + lastLength
        guard total <= TransmitBatch.slabSize - used else { return false }
        do {
            // Sound: the region lies inside the slab, nobody else refers to it while `self` is borrowed exclusively.
            var span = unsafe MutableRawSpan(_unsafeStart: slab + used, byteCount: total)
            fill(&span)
        }
        commit(Run(path: path, offset: used, stride: stride, count: count, lastLength: lastLength), total)
        return true
    }

    private mutating func commit(_ run: Run, _ total: Int) {
        let last = runs.count - 1
        // One more of the same joins the run before it, so that a burst leaves in one system call.
        if last >= 0, runs[last].path == run.path, runs[last].lastLength == runs[last].stride,
            runs[last].stride == run.stride || (run.count == 1 && run.lastLength < runs[last].stride),
            runs[last].offset + runs[last].byteCount == used,
            runs[last].count + run.count <= TransmitBatch.maximumRunCount,
            runs[last].byteCount + total <= TransmitBatch.maximumRunBytes
        {
            runs[last].count += run.count
            runs[last].lastLength = run.lastLength
        } else {
            runs.append(run)
        }
        datagramCount += run.count
        used += total
    }

    /// Lends a run's bytes for reading.
    @inlinable public func withRun<Result>(_ index: Int, _ body: (Run, RawSpan) -> Result) -> Result {
        let run = runs[index]
        // Sound: a committed run lies inside the slab, which lives as long as `self`.
        return body(run, unsafe RawSpan(_unsafeStart: slab + run.offset, byteCount: run.byteCount))
    }

    /// Calls the body with every datagram in order, for drivers without segmentation offload and for simulators.
    @inlinable public func forEachDatagram(_ body: (PhysicalPath, RawSpan) -> Void) {
        for run in runs {
            for part in 0..<run.count {
                let length = part == run.count - 1 ? run.lastLength : run.stride
                // Sound: as in `withRun`.
                body(
                    run.path,
                    unsafe RawSpan(_unsafeStart: slab + run.offset + part * run.stride, byteCount: length))
            }
        }
    }
}

// The batch owns its slab alone.
extension TransmitBatch: @unchecked Sendable {}
