// Receiving: up to four 64 KiB buffers per system call where the kernel joins datagrams, sixteen while they come singly; sixteen
// small ones elsewhere.

package import NetPrimitives

/// The receive buffers of the thread that takes datagrams.
// Sendable: whoever owns the value owns its buffers alone, and nothing in them belongs to a thread.
@safe
package struct UDPReceiver: ~Copyable, @unchecked Sendable {
    /// Buffers of one call when the kernel joins datagrams.
    package static let coalescedBuffers = 4
    /// The same while they come singly, so that the kernel joins nothing: from many sources, or in a flood.
    package static let singleBuffers = 16
    /// Datagrams of one call when it does not, and the room for each: the longest packet a peer may send in one.
    package static let plainBuffers = 16
    package static let plainBytes = 10_368

    // Whether the last call was filled by datagrams that came singly.
    private var comeSingly = false
    private var batches: SlotTable<ReceiveBatch>
    private let ids: [SlotID]
    // The batches' storage. Sound: a batch's buffer is allocated once and lives as long as the batch, which this struct
    // owns; nobody else touches it during a receive call, since `self` is borrowed exclusively.
    private let coalescedPointers: [UnsafeMutableRawPointer?]
    private let scratch: UnsafeMutableRawPointer
    private let plainPointers: [UnsafeMutableRawPointer?]
    // What the last address asked for means, and since when: all datagrams of a moment come to the same one.
    private var lastLocal: (address: IPAddress, generation: Int, meaning: LocalAddresses.Meaning)?
    // By which local number each message of the last call came; nil: it is dropped.
    private var numbers = [Int32?](repeating: nil, count: UDPReceiver.plainBuffers)
    private var received = UDPSocket.Messages(capacity: UDPReceiver.plainBuffers)

    package init() {
        batches = SlotTable()
        var ids: [SlotID] = []
        var pointers: [UnsafeMutableRawPointer?] = unsafe []
        // Memory that nothing was received into takes no room.
        for _ in 0..<UDPReceiver.singleBuffers {
            let id = batches.insert(ReceiveBatch())
            ids.append(id)
            let pointer = unsafe batches[id].withStorage { span in
                unsafe span.withUnsafeMutableBytes { $0.baseAddress }
            }
            unsafe pointers.append(pointer)
        }
        self.ids = ids
        unsafe coalescedPointers = pointers
        let scratch = UnsafeMutableRawPointer.allocate(
            byteCount: UDPReceiver.plainBuffers * UDPReceiver.plainBytes, alignment: 64)
        unsafe self.scratch = scratch
        unsafe plainPointers = (0..<UDPReceiver.plainBuffers).map { unsafe scratch + $0 * UDPReceiver.plainBytes }
    }

    deinit { unsafe scratch.deallocate() }

    /// What a receive call found.
    package enum Found: Sendable {
        case nothing
        /// Less than fits: the socket is empty, or nearly.
        case some
        /// As much as fits; more may wait.
        case full
    }

    /// Receives once from a socket and lends every filled batch in turn, saying of each whether it is the last.
    package mutating func receive(
        from socket: UDPPort.Socket, _ body: (inout ReceiveBatch, _ isLast: Bool) -> Void
    ) -> Found {
        socket.coalesces ? receiveCoalesced(socket, body) : receivePlain(socket, body)
    }

    private mutating func receiveCoalesced(
        _ socket: UDPPort.Socket, _ body: (inout ReceiveBatch, _ isLast: Bool) -> Void
    ) -> Found {
        let capacity = 65_536
        let room = comeSingly ? UDPReceiver.singleBuffers : UDPReceiver.coalescedBuffers
        // Sound: the pointers are the batches' own buffers of `capacity` bytes.
        let count = unsafe socket.kernel.receive(into: coalescedPointers, of: capacity, upTo: room, &received)
        comeSingly =
            count == room && (0..<room).allSatisfy { received.segment($0) == 0 && received.length($0) <= 2048 }
        guard count > 0 else { return .nothing }
        let last = sort(count, socket)
        for index in 0..<count {
            guard let number = numbers[index] else { continue }
            let path = PhysicalPath(localSocket: number, remote: received.source(index))
            batches[ids[index]].setDatagrams(
                total: received.length(index), segmentSize: received.segment(index), path: path)
            body(&batches[ids[index]], index == last)
        }
        return count == room ? .full : .some
    }

    private mutating func receivePlain(
        _ socket: UDPPort.Socket, _ body: (inout ReceiveBatch, _ isLast: Bool) -> Void
    ) -> Found {
        // Sound: every pointer has `plainBytes` bytes of the scratch buffer for itself.
        let count = unsafe socket.kernel.receive(
            into: plainPointers, of: UDPReceiver.plainBytes, upTo: UDPReceiver.plainBuffers, &received)
        guard count > 0 else { return .nothing }
        batches[ids[0]].clear()
        _ = sort(count, socket)
        for index in 0..<count {
            guard let number = numbers[index] else { continue }
            let path = PhysicalPath(localSocket: number, remote: received.source(index))
            if append(index, received.length(index), path) { continue }
            body(&batches[ids[0]], false)
            batches[ids[0]].clear()
            _ = append(index, received.length(index), path)
        }
        if !batches[ids[0]].datagrams.isEmpty { body(&batches[ids[0]], true) }
        return count == UDPReceiver.plainBuffers ? .full : .some
    }

    // Says of each message by which number it came, or that it is dropped. The index of the last that is not.
    private mutating func sort(_ count: Int, _ socket: UDPPort.Socket) -> Int? {
        var last: Int?
        for index in 0..<count {
            numbers[index] = nil
            if received.isTruncated(index) {
                socket.truncated.add()
            } else if received.length(index) > 0 {
                numbers[index] = localNumber(of: index, socket)
                if numbers[index] == nil { socket.refused.add() } else { last = index }
            }
        }
        return last
    }

    // Where a datagram arrived, as a path names it. Nil: the node does not use that address.
    private mutating func localNumber(of index: Int, _ socket: UDPPort.Socket) -> Int32? {
        guard let locals = socket.locals, let local = received.local(index) else { return socket.id }
        let generation = locals.generation
        let meaning: LocalAddresses.Meaning
        if let last = lastLocal, last.generation == generation, last.address == local {
            meaning = last.meaning
        } else {
            meaning = locals.meaning(of: local)
            lastLocal = (local, generation, meaning)
        }
        switch meaning {
        case .number(let number): return number
        case .unnumbered: return socket.id
        case .refused: return nil
        }
    }

    private mutating func append(_ index: Int, _ length: Int, _ path: PhysicalPath) -> Bool {
        // Sound: the kernel wrote `length` bytes, at most `plainBytes`, at this place.
        let bytes = unsafe RawSpan(_unsafeStart: scratch + index * UDPReceiver.plainBytes, byteCount: length)
        return batches[ids[0]].append(bytes, path: path)
    }
}
