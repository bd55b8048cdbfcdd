// All UDP of a node behind one small interface: a few sockets of one port, a batch out, batches in. With segmentation
// and receive offload a run of equal datagrams is one system call; without, each datagram is one.
// Read first: udp(7); Docs/architecture.md, "The way of a packet out".

import CSystem
import Glibc
package import NetPrimitives
import Synchronization

/// How a port uses the kernel.
package enum UDPMode: Sendable, Hashable {
    /// Offloads where the kernel has them.
    case automatic
    /// One system call per datagram, as on systems without offloads.
    case plain
}

/// Counts of a port, for status and tests.
package struct UDPStatistics: Sendable, Hashable {
    /// Datagrams and bytes given to the kernel.
    package var datagramsSent: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// Send calls that went through.
    package var sendCalls: UInt64 = 0
    /// Datagrams the kernel refused (no route, no permission, no socket of that family).
    package var sendFailures: UInt64 = 0
    /// Times that the kernel's buffer was full and the batch was kept.
    package var sendsBlocked: UInt64 = 0
}

/// Datagrams that were cut off on receipt. Counted by whichever thread receives, read by the holder of the node's lock.
final class TruncationCount: Sendable {
    private let count = Atomic<UInt64>(0)

    var value: UInt64 { count.load(ordering: .relaxed) }

    func add() { count.add(1, ordering: .relaxed) }
}

/// The sockets of one port and the way out through them. Receiving is `UDPReceiver`'s.
package struct UDPPort: ~Copyable, Sendable {
    /// A bound socket.
    package struct Socket: Sendable {
        /// The number by which `PhysicalPath.localSocket` names it.
        package let id: Int32
        package let descriptor: Descriptor
        package let local: SocketEndpoint
        /// Whether the kernel cuts runs up.
        package internal(set) var segments: Bool
        /// Whether the kernel joins datagrams on receipt.
        package let coalesces: Bool
        /// Datagrams that were longer than a receive buffer.
        let truncated = TruncationCount()
    }

    /// How far a batch has been sent.
    package struct Cursor: Sendable, Equatable {
        package var run = 0
        var datagram = 0
        // Index of the socket among those that the run goes out by.
        var socket = 0

        package init() {}

        /// Datagrams of the batch that the cursor has not passed.
        func datagramsLeft(of batch: borrowing TransmitBatch) -> Int {
            var left = -datagram
            for index in run..<batch.runs.count { left += batch.runs[index].count }
            return left
        }
    }

    /// What became of a batch.
    package enum Outcome: Sendable, Equatable {
        /// Everything was given to the kernel or refused by it for good.
        case sent
        /// The socket's buffer is full: call again with the same batch and cursor when it is writable.
        case blocked(socket: Int32)
    }

    /// Bytes asked for in each direction of a socket.
    package static let bufferBytes = 8 << 20

    package private(set) var sockets: [Socket] = []
    package private(set) var statistics = UDPStatistics()
    // The path of the last run of which the kernel said that its datagrams are longer than the interface's MTU.
    private var tooLong: PhysicalPath?
    /// The port that all sockets share.
    package let port: UInt16
    package let mode: UDPMode

    /// Binds one port on every address given, by default on the wildcard address of both families. Port 0 is any.
    package init(addresses: [IPAddress] = [], port wanted: UInt16, mode: UDPMode) throws(SystemError) {
        self.mode = mode
        let isWildcard = addresses.isEmpty
        var port = wanted
        var firstError: SystemError?
        for address in isWildcard ? [.anyIPv4, .anyIPv6] : addresses {
            do {
                let socket = try UDPPort.open(
                    SocketEndpoint(address, port: port), id: Int32(sockets.count), mode: mode)
                port = socket.local.port
                sockets.append(socket)
            } catch {
                // A machine without one of the families is no failure, a port in use is one.
                guard isWildcard, error.number != EADDRINUSE, error.number != EACCES else { throw error }
                firstError = firstError ?? error
            }
        }
        if sockets.isEmpty { throw firstError ?? SystemError(EAFNOSUPPORT, "open a UDP socket") }
        self.port = port
    }

    private static func open(_ local: SocketEndpoint, id: Int32, mode: UDPMode) throws(SystemError) -> Socket {
        var traits = csystem_udp_traits()
        var endpoint = csystem_endpoint(local)
        // Sound: both structs live through the call.
        let result = unsafe csystem_udp_open(&endpoint, Int32(bufferBytes), mode == .plain ? 1 : 0, &traits)
        let number = try SystemError.check(result, "bind UDP \(local)")
        return Socket(
            id: id, descriptor: Descriptor(owning: number), local: SocketEndpoint(local.address, port: traits.port),
            segments: traits.can_segment != 0, coalesces: traits.coalesces != 0)
    }

    /// The socket with a number.
    package func socket(_ id: Int32) -> Socket? { sockets.first { $0.id == id } }

    /// Datagrams that were longer than a receive buffer.
    package var truncated: UInt64 { sockets.reduce(0) { $0 &+ $1.truncated.value } }

    // MARK: Sending

    /// A path on which datagrams were longer than the interface's MTU since this was asked last: IP cuts them up, which is slow, and
    /// many networks drop the pieces.
    package mutating func takeTooLong() -> PhysicalPath? {
        defer { if tooLong != nil { tooLong = nil } }
        return tooLong
    }

    /// Gives a batch to the kernel, beginning where the cursor stands. Never waits.
    package mutating func send(_ batch: borrowing TransmitBatch, from cursor: inout Cursor) -> Outcome {
        let runs = batch.runs.count
        while cursor.run < runs {
            let path = batch.runs[cursor.run].path
            while let index = socketIndex(for: path, position: cursor.socket) {
                if sendRun(batch, cursor: &cursor, socket: index) == false {
                    statistics.sendsBlocked &+= 1
                    return .blocked(socket: sockets[index].id)
                }
                cursor.datagram = 0
                cursor.socket += 1
            }
            if cursor.socket == 0 { statistics.sendFailures &+= UInt64(batch.runs[cursor.run].count) }
            cursor.socket = 0
            cursor.run += 1
        }
        return .sent
    }

    // The position-th socket that a path goes out by: its own, or each of its family.
    private func socketIndex(for path: PhysicalPath, position: Int) -> Int? {
        let isIPv4 = path.remote.address.isIPv4
        if path.localSocket != PhysicalPath.anySocket {
            guard position == 0 else { return nil }
            let index = Int(path.localSocket)
            return sockets.indices.contains(index) && sockets[index].local.address.isIPv4 == isIPv4 ? index : nil
        }
        var left = position
        for index in sockets.indices where sockets[index].local.address.isIPv4 == isIPv4 {
            if left == 0 { return index }
            left -= 1
        }
        return nil
    }

    // Sends what is left of the cursor's run by one socket. False when its buffer is full.
    private mutating func sendRun(
        _ batch: borrowing TransmitBatch, cursor: inout Cursor, socket index: Int
    ) -> Bool {
        let number = sockets[index].descriptor.number
        let segments = sockets[index].segments
        var fallBack = false
        var isTooLong = false
        var position = cursor.datagram
        var counts = UDPStatistics()
        let done = batch.withRun(cursor.run) { run, bytes in
            // Sound: all offsets lie within the run's bytes, whose length is (count - 1) * stride + lastLength.
            unsafe bytes.withUnsafeBytes { raw -> Bool in
                guard let base = raw.baseAddress else { return true }
                var to = csystem_endpoint(run.path.remote)
                if segments && run.count > 1 && position == 0 {
                    let result = unsafe csystem_udp_send(
                        number, &to, base, raw.count, UInt16(run.stride), run.path.timeToLive)
                    if result >= 0 {
                        counts.note(datagrams: run.count, bytes: raw.count)
                        return true
                    }
                    switch Int32(-result) {
                    case EAGAIN: return false
                    case EIO, EINVAL, EMSGSIZE:
                        // EIO: the interface cannot; the others: this path's MTU is smaller than a segment.
                        fallBack = Int32(-result) == EIO
                        isTooLong = !fallBack
                    default:
                        counts.sendFailures = UInt64(run.count)
                        return true
                    }
                }
                while position < run.count {
                    let length = position == run.count - 1 ? run.lastLength : run.stride
                    let result = unsafe csystem_udp_send(
                        number, &to, base + position * run.stride, length, 0, run.path.timeToLive)
                    if result >= 0 {
                        counts.note(datagrams: 1, bytes: length)
                    } else if Int32(-result) == EAGAIN {
                        return false
                    } else {
                        counts.sendFailures &+= 1
                        if Int32(-result) == EMSGSIZE { isTooLong = true }
                    }
                    position += 1
                }
                return true
            }
        }
        cursor.datagram = position
        if fallBack { sockets[index].segments = false }
        if isTooLong {
            tooLong = PhysicalPath(localSocket: sockets[index].id, remote: batch.runs[cursor.run].path.remote)
        }
        statistics.add(counts)
        return done
    }
}

extension UDPStatistics {
    fileprivate mutating func note(datagrams: Int, bytes: Int) {
        sendCalls &+= 1
        datagramsSent &+= UInt64(datagrams)
        bytesSent &+= UInt64(bytes)
    }

    fileprivate mutating func add(_ other: UDPStatistics) {
        datagramsSent &+= other.datagramsSent
        bytesSent &+= other.bytesSent
        sendCalls &+= other.sendCalls
        sendFailures &+= other.sendFailures
    }
}

extension csystem_endpoint {
    init(_ endpoint: SocketEndpoint) {
        self.init(
            high: endpoint.address.high, low: endpoint.address.low, port: endpoint.port,
            is_ipv4: endpoint.address.isIPv4 ? 1 : 0)
    }

    var endpoint: SocketEndpoint {
        SocketEndpoint(
            is_ipv4 != 0 ? IPAddress(v4: UInt32(truncatingIfNeeded: low)) : IPAddress(v6High: high, low: low),
            port: port)
    }
}
