// Descriptors: small numbers from 0, the lowest free one first, each naming one socket.

import Synchronization
import ZeroTier

/// Which numbers are taken. A number stays taken until the last call that uses its socket has returned.
final class DescriptorNumbers: Sendable {
    private struct State {
        /// Bit n % 64 of word n / 64 is set while n is taken.
        var words: [UInt64] = []
        /// No word before this one has a free number.
        var firstCandidate = 0
    }

    private let state = Mutex(State())
    let limit: Int

    init(limit: Int) { self.limit = max(0, min(limit, SocketLimits.descriptors)) }

    /// The lowest free number; nil if the limit is reached.
    func take() -> Int32? {
        state.withLock { state in
            var index = state.firstCandidate
            while index < state.words.count, state.words[index] == .max { index += 1 }
            let bit = index < state.words.count ? (~state.words[index]).trailingZeroBitCount : 0
            let number = index * 64 + bit
            guard number < limit else { return nil }
            if index == state.words.count { state.words.append(0) }
            state.words[index] |= 1 << UInt64(bit)
            state.firstCandidate = index
            return Int32(number)
        }
    }

    func giveBack(_ number: Int32) {
        state.withLock { state in
            let index = Int(number) >> 6
            guard state.words.indices.contains(index) else { return }
            state.words[index] &= ~(1 << UInt64(number & 63))
            state.firstCandidate = min(state.firstCandidate, index)
        }
    }
}

/// The open descriptors of a layer and the node that their sockets belong to.
final class DescriptorTable: Sendable {
    private let sockets = Mutex<[BlockingSocket?]>([])
    let numbers: DescriptorNumbers
    let attachment = NodeAttachment()

    init(limit: Int) { numbers = DescriptorNumbers(limit: limit) }

    /// Gives a socket its number.
    func add(_ socket: BlockingSocket) throws(SocketError) -> Int32 {
        guard let number = numbers.take() else {
            throw SocketError(.tooManyDescriptors, "all \(numbers.limit) descriptors are in use")
        }
        socket.setNumber(number)
        sockets.withLock { sockets in
            while sockets.count <= Int(number) { sockets.append(nil) }
            sockets[Int(number)] = socket
        }
        return number
    }

    /// The socket of a descriptor.
    func socket(_ descriptor: Int32) throws(SocketError) -> BlockingSocket {
        guard let socket = find(descriptor) else { throw SocketError(.badDescriptor) }
        return socket
    }

    func find(_ descriptor: Int32) -> BlockingSocket? {
        sockets.withLock { sockets in
            descriptor >= 0 && Int(descriptor) < sockets.count ? sockets[Int(descriptor)] : nil
        }
    }

    /// Ends a descriptor and gives its socket, once.
    func take(_ descriptor: Int32) throws(SocketError) -> BlockingSocket {
        let socket = sockets.withLock { sockets -> BlockingSocket? in
            guard descriptor >= 0, Int(descriptor) < sockets.count else { return nil }
            defer { sockets[Int(descriptor)] = nil }
            return sockets[Int(descriptor)]
        }
        guard let socket else { throw SocketError(.badDescriptor) }
        return socket
    }

    func takeAll() -> [BlockingSocket] {
        sockets.withLock { sockets in
            defer { sockets = [] }
            return sockets.compactMap { $0 }
        }
    }

    /// Runs a call and tells how it ended, if the node's sockets are traced.
    @inline(__always)
    func traced<Result>(
        _ call: @autoclosure () -> String, _ body: () throws(SocketError) -> Result
    ) throws(SocketError) -> Result {
        guard SocketPort.isAnyTraced else { return try body() }
        return try told(call(), body)
    }

    private func told<Result>(
        _ call: String, _ body: () throws(SocketError) -> Result
    ) throws(SocketError) -> Result {
        do throws(SocketError) {
            let result = try body()
            attachment.trace(result is Void ? call : "\(call): \(result)")
            return result
        } catch {
            attachment.trace("\(call) failed: \(error)")
            throw error
        }
    }

    /// Whoever waits for a socket looks again.
    func wakeAll() {
        for socket in sockets.withLock({ $0 }) { socket?.watch.signal() }
    }
}
