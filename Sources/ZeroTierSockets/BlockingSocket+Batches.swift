// Many messages by one call. Datagrams that fit, or that have come, take one hold of the node's lock.
// Read first: sendmmsg(2), recvmmsg(2).

package import NetPrimitives
import NetStack
import Synchronization
import ZeroTier

/// Messages that a call sends. Each lies in some number of pieces.
package protocol OutgoingBatch {
    var count: Int { get }
    /// How many pieces a message has and where it goes; nil is the connected peer. Throws if it cannot be sent at all.
    func message(_ index: Int) throws(SocketError) -> (pieces: Int, destination: SocketEndpoint?)
    /// Hands a piece to `use`.
    func piece(_ index: Int, of message: Int, _ use: (RawSpan) -> Void)
    /// A message was sent: all its bytes, or fewer of a stream.
    func sent(_ message: Int, bytes: Int)
}

/// Messages that a call receives. Each has room in some number of pieces.
package protocol IncomingBatch {
    var count: Int { get }
    /// How many pieces a message's room has. Throws if nothing can be received there.
    func pieces(_ message: Int) throws(SocketError) -> Int
    /// Hands a piece to `use`.
    func piece(_ index: Int, of message: Int, _ use: (inout MutableRawSpan) -> Void)
    /// A message has come.
    func received(_ message: Int, _ result: ReceivedMessage)
}

extension BlockingSocket {
    // What was done under one hold of the lock.
    private struct Progress: Sendable {
        var count: Int
        /// The call ends, whatever is left.
        var isLast: Bool
    }

    // MARK: Send

    /// Sends the messages of a batch in their order and returns how many, at most 1024. It stops at the first message that
    /// fails, that would have to wait, or that has waited too long. It fails if that is the first message.
    package func sendBatch<Batch: OutgoingBatch>(_ batch: Batch, flags: MessageFlags) throws(SocketError) -> Int {
        let count = min(batch.count, SocketLimits.batchMessages)
        if isStream { return try sendStreamBatch(batch, count, flags) }
        guard !flags.contains(.outOfBand) else { throw SocketError(.notSupported, "there is no urgent data") }
        var scratch: [UInt8] = []
        var sent = 0
        while sent < count {
            do throws(SocketError) {
                let progress = try perform(.send, dontWait: flags.contains(.dontWait)) {
                    (state, stack, room, now) throws(SocketError) -> Progress? in
                    if let error = state.takePendingError() { throw error }
                    let id = try datagram(&state, &stack, &room)
                    return try queueBatch(batch, sent..<count, &scratch, id, &state, &stack, now)
                }
                sent += progress.count
                if progress.isLast { break }
            } catch {
                guard sent > 0 else { throw error }
                // A message that is wrong in itself was found behind others: this is the outcome of the others.
                state.withLock { $0.keepForNextCall(error) }
                break
            }
        }
        return sent
    }

    // Queues messages until one fails or has no room. Nil if that is the first one.
    private func queueBatch<Batch: OutgoingBatch>(
        _ batch: Batch, _ range: Range<Int>, _ scratch: inout [UInt8], _ id: SocketID, _ state: inout State,
        _ stack: inout NetworkStack, _ now: Now
    ) throws(SocketError) -> Progress? {
        for index in range {
            do throws(SocketError) {
                let (pieces, destination) = try batch.message(index)
                let length = try withWhole(batch, index, pieces, &scratch) { (bytes) throws(SocketError) -> Int? in
                    try queueDatagram(id, bytes, to: destination, &state, &stack, now) ? bytes.byteCount : nil
                }
                guard let length else {
                    return index > range.lowerBound ? Progress(count: index - range.lowerBound, isLast: false) : nil
                }
                batch.sent(index, bytes: length)
            } catch {
                guard index > range.lowerBound else { throw error }
                // The next call meets it again, as its first.
                return Progress(count: index - range.lowerBound, isLast: true)
            }
        }
        return Progress(count: range.count, isLast: true)
    }

    // Lends a message as one span: in place if it is one piece, else put together.
    private func withWhole<Batch: OutgoingBatch>(
        _ batch: Batch, _ index: Int, _ pieces: Int, _ scratch: inout [UInt8],
        _ body: (RawSpan) throws(SocketError) -> Int?
    ) throws(SocketError) -> Int? {
        if pieces == 1 {
            var outcome = Result<Int?, SocketError>.success(nil)
            batch.piece(0, of: index) { bytes in
                do throws(SocketError) { outcome = .success(try body(bytes)) } catch { outcome = .failure(error) }
            }
            return try outcome.get()
        }
        scratch.removeAll(keepingCapacity: true)
        var isTooLong = false
        for piece in 0..<pieces {
            batch.piece(piece, of: index) { span in
                isTooLong = isTooLong || scratch.count + span.byteCount > SocketLimits.datagramBytes
                if !isTooLong { scratch.append(contentsOf: span.copyBytes()) }
            }
        }
        guard !isTooLong else { throw SocketError(.messageTooLong) }
        return try scratch.withBytes { (span) throws(SocketError) in try body(span) }
    }

    // The messages of a stream are sent one call after the other. A message that was sent in part is the last.
    private func sendStreamBatch<Batch: OutgoingBatch>(
        _ batch: Batch, _ count: Int, _ flags: MessageFlags
    ) throws(SocketError) -> Int {
        for index in 0..<count {
            do throws(SocketError) {
                let (pieces, destination) = try batch.message(index)
                var length = 0
                let bytes = try sendMessage(pieces: pieces, flags: flags, to: destination) { piece, use in
                    batch.piece(piece, of: index) { span in
                        length += span.byteCount
                        use(span)
                    }
                }
                batch.sent(index, bytes: bytes)
                if bytes < length { return index + 1 }
            } catch {
                guard index > 0 else { throw error }
                return index
            }
        }
        return count
    }

    // MARK: Receive

    /// Receives the messages of a batch and returns how many. Waits until the batch is full; with `waitForOne` until one
    /// has come; not at all if the call does not block. Waits until `deadline` at most; nil is none. Fails if no message
    /// has come. An error after the first message is kept for the next call.
    package func receiveBatch<Batch: IncomingBatch>(
        _ batch: Batch, flags: MessageFlags, until deadline: MonotonicInstant?
    ) throws(SocketError) -> Int {
        if isStream { return try receiveStreamBatch(batch, flags, deadline) }
        let waiting = deadline.map { Waiting.receiveUntil($0) } ?? .receive
        var scratch: [UInt8] = []
        var taken = 0
        while taken < batch.count {
            do throws(SocketError) {
                let progress = try perform(waiting, dontWait: flags.contains(.dontWait)) {
                    (state, stack, room, now) throws(SocketError) -> Progress? in
                    if let error = state.takePendingError() { throw error }
                    let id = try datagram(&state, &stack, &room)
                    let mayWait = flags.isDisjoint(with: [.dontWait, .waitForOne]) && !state.isNonBlocking
                    return try takeBatch(
                        batch, taken..<batch.count, &scratch, id, flags, mayWait: mayWait, &state, &stack, now)
                }
                taken += progress.count
                if progress.isLast { break }
            } catch {
                guard taken > 0 else { throw error }
                state.withLock { $0.keepForNextCall(error) }
                break
            }
        }
        return taken
    }

    // Takes what has come; nil if that is nothing.
    private func takeBatch<Batch: IncomingBatch>(
        _ batch: Batch, _ range: Range<Int>, _ scratch: inout [UInt8], _ id: SocketID, _ flags: MessageFlags,
        mayWait: Bool, _ state: inout State, _ stack: inout NetworkStack, _ now: Now
    ) throws(SocketError) -> Progress? {
        for index in range {
            do throws(SocketError) {
                let pieces = try batch.pieces(index)
                let message = try withRoom(batch, index, pieces, &scratch) {
                    (target, limit) throws(SocketError) -> ReceivedMessage? in
                    try takeDatagram(id, into: &target, upTo: limit, flags, &stack, now)
                }
                guard let message else {
                    return index > range.lowerBound ? Progress(count: index - range.lowerBound, isLast: !mayWait) : nil
                }
                batch.received(index, message)
            } catch {
                guard index > range.lowerBound else { throw error }
                state.keepForNextCall(error)
                return Progress(count: index - range.lowerBound, isLast: true)
            }
        }
        return Progress(count: range.count, isLast: true)
    }

    // Lends a message's room as one span. If it has several pieces, the received bytes are copied into them.
    private func withRoom<Batch: IncomingBatch>(
        _ batch: Batch, _ index: Int, _ pieces: Int, _ scratch: inout [UInt8],
        _ body: (inout MutableRawSpan, _ limit: Int) throws(SocketError) -> ReceivedMessage?
    ) throws(SocketError) -> ReceivedMessage? {
        if pieces == 1 {
            var outcome = Result<ReceivedMessage?, SocketError>.success(nil)
            batch.piece(0, of: index) { target in
                do throws(SocketError) { outcome = .success(try body(&target, .max)) } catch {
                    outcome = .failure(error)
                }
            }
            return try outcome.get()
        }
        var capacity = 0
        for piece in 0..<pieces { batch.piece(piece, of: index) { capacity += $0.byteCount } }
        capacity = min(capacity, SocketLimits.datagramBytes)
        if scratch.count < capacity { scratch = [UInt8](repeating: 0, count: capacity) }
        let message = try scratch.withMutableBytes { (span) throws(SocketError) -> ReceivedMessage? in
            try body(&span, capacity)
        }
        guard let message else { return nil }
        var offset = 0
        let end = min(message.count, capacity)
        for piece in 0..<pieces where offset < end {
            batch.piece(piece, of: index) { target in
                let count = min(target.byteCount, end - offset)
                scratch.withBytes { target.copy(from: $0, sourceOffset: offset, count: count, at: 0) }
                offset += count
            }
        }
        return message
    }

    private func receiveStreamBatch<Batch: IncomingBatch>(
        _ batch: Batch, _ flags: MessageFlags, _ deadline: MonotonicInstant?
    ) throws(SocketError) -> Int {
        let waiting = deadline.map { Waiting.receiveUntil($0) } ?? .receive
        var flags = flags
        for index in 0..<batch.count {
            do throws(SocketError) {
                let pieces = try batch.pieces(index)
                let message = try receiveMessage(pieces: pieces, flags: flags, waiting) {
                    batch.piece($0, of: index, $1)
                }
                batch.received(index, message)
            } catch {
                guard index > 0 else { throw error }
                state.withLock { $0.keepForNextCall(error) }
                return index
            }
            if flags.contains(.waitForOne) { flags.insert(.dontWait) }
        }
        return batch.count
    }
}
