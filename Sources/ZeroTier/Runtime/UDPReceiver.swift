// Receiving: up to four 64 KiB buffers per system call where the kernel joins datagrams, sixteen small ones elsewhere.

import CSystem
import Glibc
package import NetPrimitives

/// The receive buffers of the thread that takes datagrams.
// Sendable: whoever owns the value owns its buffers alone, and nothing in them belongs to a thread.
@safe
package struct UDPReceiver: ~Copyable, @unchecked Sendable {
    /// Buffers of one call when the kernel joins datagrams.
    package static let coalescedBuffers = 4
    /// Datagrams of one call when it does not, and the room for each: the longest packet a peer may send in one.
    package static let plainBuffers = 16
    package static let plainBytes = 10_368

    private var batches: SlotTable<ReceiveBatch>
    private let ids: [SlotID]
    // The batches' storage. Sound: a batch's buffer is allocated once and lives as long as the batch, which this struct
    // owns; nobody else touches it during a receive call, since `self` is borrowed exclusively.
    private let coalescedPointers: [UnsafeMutableRawPointer?]
    private let scratch: UnsafeMutableRawPointer
    private let plainPointers: [UnsafeMutableRawPointer?]
    private var received = [csystem_received](repeating: csystem_received(), count: UDPReceiver.plainBuffers)

    package init() {
        batches = SlotTable()
        var ids: [SlotID] = []
        var pointers: [UnsafeMutableRawPointer?] = unsafe []
        for _ in 0..<UDPReceiver.coalescedBuffers {
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
        // Sound: the pointers are the batches' own buffers of `capacity` bytes.
        let count = unsafe csystem_udp_receive(
            socket.descriptor.number, coalescedPointers, capacity, UInt32(UDPReceiver.coalescedBuffers), &received)
        guard count > 0 else { return .nothing }
        let last = (0..<Int(count)).last { received[$0].truncated == 0 && received[$0].length > 0 }
        for index in 0..<Int(count) {
            let message = received[index]
            if message.truncated != 0 {
                socket.truncated.add()
                continue
            }
            guard message.length > 0 else { continue }
            let path = PhysicalPath(localSocket: socket.id, remote: message.from.endpoint)
            batches[ids[index]].setDatagrams(
                total: Int(message.length), segmentSize: Int(message.segment), path: path)
            body(&batches[ids[index]], index == last)
        }
        return Int(count) == UDPReceiver.coalescedBuffers ? .full : .some
    }

    private mutating func receivePlain(
        _ socket: UDPPort.Socket, _ body: (inout ReceiveBatch, _ isLast: Bool) -> Void
    ) -> Found {
        // Sound: every pointer has `plainBytes` bytes of the scratch buffer for itself.
        let count = unsafe csystem_udp_receive(
            socket.descriptor.number, plainPointers, UDPReceiver.plainBytes, UInt32(UDPReceiver.plainBuffers),
            &received)
        guard count > 0 else { return .nothing }
        batches[ids[0]].clear()
        for index in 0..<Int(count) {
            let message = received[index]
            if message.truncated != 0 {
                socket.truncated.add()
                continue
            }
            guard message.length > 0 else { continue }
            let path = PhysicalPath(localSocket: socket.id, remote: message.from.endpoint)
            if append(index, Int(message.length), path) { continue }
            body(&batches[ids[0]], false)
            batches[ids[0]].clear()
            _ = append(index, Int(message.length), path)
        }
        if !batches[ids[0]].datagrams.isEmpty { body(&batches[ids[0]], true) }
        return Int(count) == UDPReceiver.plainBuffers ? .full : .some
    }

    private mutating func append(_ index: Int, _ length: Int, _ path: PhysicalPath) -> Bool {
        // Sound: the kernel wrote `length` bytes, at most `plainBytes`, at this place.
        let bytes = unsafe RawSpan(_unsafeStart: scratch + index * UDPReceiver.plainBytes, byteCount: length)
        return batches[ids[0]].append(bytes, path: path)
    }
}
