// All UDP of a node behind one small interface: a few sockets of one port, a batch out, batches in. With segmentation
// and receive offload a run of equal datagrams is one system call; without, each datagram is one.
// Read first: udp(7); Docs/architecture.md, "The way of a packet out".

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

/// Datagrams that were dropped on receipt. Counted by whichever thread receives, read by the holder of the node's lock.
final class DropCount: Sendable {
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
        let kernel: UDPSocket
        /// Whether the kernel cuts runs up.
        package internal(set) var segments: Bool
        /// The numbers of the addresses at which datagrams arrive, if the socket is bound to every address.
        let locals: LocalAddresses?
        /// Datagrams that were longer than a receive buffer.
        let truncated = DropCount()
        /// Datagrams at an address that the node does not use.
        let refused = DropCount()

        package var descriptor: Descriptor { kernel.descriptor }
        package var local: SocketEndpoint { kernel.local }
        /// Whether the kernel joins datagrams on receipt.
        package var coalesces: Bool { kernel.coalesces }
    }

    /// How far a batch has been sent.
    package struct Cursor: Sendable, Equatable {
        package var run = 0
        var datagram = 0
        // Index of the door among those that the run goes out by.
        var door = 0

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
    /// The addresses at which datagrams arrived, if the port is bound to every address.
    package let locals: LocalAddresses?
    /// What goes out by every socket leaves from each of these; nil: from the one that the kernel chooses.
    package var sources: [IPAddress]?
    // The path of the last run of which the kernel said that its datagrams are longer than the interface's MTU.
    private var tooLong: PhysicalPath?
    /// The port that all sockets share.
    package let port: UInt16
    package let mode: UDPMode
    /// From this moment on nothing leaves: another machine has this node's name. Nil: it has the name for ever.
    package var silence: MonotonicInstant?

    /// Binds one port on every address given, by default on the wildcard address of both families. Port 0 is any.
    package init(addresses: [IPAddress] = [], port wanted: UInt16, mode: UDPMode) throws(SystemError) {
        self.mode = mode
        let isWildcard = addresses.isEmpty
        let locals = isWildcard ? LocalAddresses() : nil
        self.locals = locals
        var port = wanted
        var firstError: SystemError?
        for address in isWildcard ? [.anyIPv4, .anyIPv6] : addresses {
            do {
                let socket = try UDPPort.open(
                    SocketEndpoint(address, port: port), id: Int32(sockets.count), mode: mode, locals: locals)
                port = socket.local.port
                sockets.append(socket)
            } catch {
                // A machine without one of the families is no failure, a port in use is one.
                guard isWildcard, !error.isOfPort else { throw error }
                firstError = firstError ?? error
            }
        }
        if sockets.isEmpty { throw firstError ?? SystemError(SystemError.familyNotSupported, "open a UDP socket") }
        self.port = port
    }

    private static func open(
        _ local: SocketEndpoint, id: Int32, mode: UDPMode, locals: LocalAddresses?
    ) throws(SystemError) -> Socket {
        let kernel = try UDPSocket(local, bufferBytes: bufferBytes, mode: mode)
        return Socket(
            id: id, kernel: kernel, segments: kernel.segments, locals: kernel.tellsLocal ? locals : nil)
    }

    /// The socket with a number.
    package func socket(_ id: Int32) -> Socket? { sockets.first { $0.id == id } }

    /// Datagrams that were longer than a receive buffer.
    package var truncated: UInt64 { sockets.reduce(0) { $0 &+ $1.truncated.value } }

    /// Datagrams at addresses of interfaces that the node does not use.
    package var refused: UInt64 { sockets.reduce(0) { $0 &+ $1.refused.value } }

    /// This machine's addresses are these from here on. Gives where peers may find the port, and the numbers of the addresses
    /// that have gone: paths from there are no good any more.
    mutating func use(_ local: LocalNetwork) -> (endpoints: [SocketEndpoint], gone: [Int32]) {
        locals?.refuse(local.refused)
        sources = local.hasRefusals ? local.usable : nil
        let gone = locals?.numbers(where: { !local.has($0) }) ?? []
        return (local.usable.map { SocketEndpoint($0, port: port) }, gone)
    }

    // MARK: Sending

    /// A path on which datagrams were longer than the interface's MTU since this was asked last: IP cuts them up, which is slow, and
    /// many networks drop the pieces.
    package mutating func takeTooLong() -> PhysicalPath? {
        defer { if tooLong != nil { tooLong = nil } }
        return tooLong
    }

    /// Gives a batch to the kernel, beginning where the cursor stands. Never waits.
    package mutating func send(_ batch: borrowing TransmitBatch, from cursor: inout Cursor) -> Outcome {
        // By the clock and not by the caller's reading of it: the thread may have slept since then.
        if let silence, SystemClock.monotonic() >= silence {
            statistics.sendFailures &+= UInt64(cursor.datagramsLeft(of: batch))
            return .sent
        }
        let runs = batch.runs.count
        while cursor.run < runs {
            let path = batch.runs[cursor.run].path
            while let door = door(of: path, position: cursor.door) {
                if sendRun(batch, cursor: &cursor, door) == false {
                    statistics.sendsBlocked &+= 1
                    return .blocked(socket: sockets[door.socket].id)
                }
                cursor.datagram = 0
                cursor.door += 1
            }
            if cursor.door == 0 { statistics.sendFailures &+= UInt64(batch.runs[cursor.run].count) }
            cursor.door = 0
            cursor.run += 1
        }
        return .sent
    }

    // A way out of this machine.
    private struct Door {
        /// Index of the socket.
        var socket: Int
        /// The address to leave from, where the socket has several and it matters.
        var source: IPAddress?
    }

    // The position-th door that a path goes out by: its own, or each of its family.
    private func door(of path: PhysicalPath, position: Int) -> Door? {
        let isIPv4 = path.remote.address.isIPv4
        if path.localSocket == PhysicalPath.anySocket { return anyDoor(isIPv4: isIPv4, position: position) }
        guard position == 0 else { return nil }
        if path.localSocket >= LocalAddresses.firstNumber {
            guard let source = locals?.address(path.localSocket), source.isIPv4 == isIPv4,
                let index = sockets.firstIndex(where: { $0.local.address.isIPv4 == isIPv4 })
            else { return nil }
            return Door(socket: index, source: source)
        }
        let index = Int(path.localSocket)
        guard sockets.indices.contains(index), sockets[index].local.address.isIPv4 == isIPv4 else { return nil }
        return Door(socket: index)
    }

    private func anyDoor(isIPv4: Bool, position: Int) -> Door? {
        var left = position
        if locals != nil, let sources {
            guard let index = sockets.firstIndex(where: { $0.local.address.isIPv4 == isIPv4 }) else { return nil }
            for source in sources where source.isIPv4 == isIPv4 {
                if left == 0 { return Door(socket: index, source: source) }
                left -= 1
            }
            return nil
        }
        for index in sockets.indices where sockets[index].local.address.isIPv4 == isIPv4 {
            if left == 0 { return Door(socket: index) }
            left -= 1
        }
        return nil
    }

    // Sends what is left of the cursor's run by one door. False when its socket's buffer is full.
    private mutating func sendRun(_ batch: borrowing TransmitBatch, cursor: inout Cursor, _ door: Door) -> Bool {
        let index = door.socket
        let kernel = sockets[index].kernel
        let segments = sockets[index].segments
        var fallBack = false
        var isTooLong = false
        var position = cursor.datagram
        var counts = UDPStatistics()
        let done = batch.withRun(cursor.run) { run, bytes in
            // Sound: all offsets lie within the run's bytes, whose length is (count - 1) * stride + lastLength.
            unsafe bytes.withUnsafeBytes { raw -> Bool in
                guard let base = raw.baseAddress else { return true }
                let way = UDPSocket.Way(to: run.path.remote, from: door.source, timeToLive: run.path.timeToLive)
                if segments && run.count > 1 && position == 0 {
                    switch unsafe kernel.send(base, raw.count, segment: run.stride, way) {
                    case .sent:
                        counts.note(datagrams: run.count, bytes: raw.count)
                        return true
                    case .full: return false
                    case .cannotSegment: fallBack = true
                    case .tooLong: isTooLong = true
                    case .refused:
                        counts.sendFailures = UInt64(run.count)
                        return true
                    }
                }
                while position < run.count {
                    let length = position == run.count - 1 ? run.lastLength : run.stride
                    switch unsafe kernel.send(base + position * run.stride, length, way) {
                    case .sent: counts.note(datagrams: 1, bytes: length)
                    case .full: return false
                    case .tooLong:
                        counts.sendFailures &+= 1
                        isTooLong = true
                    case .cannotSegment, .refused: counts.sendFailures &+= 1
                    }
                    position += 1
                }
                return true
            }
        }
        cursor.datagram = position
        if fallBack { sockets[index].segments = false }
        if isTooLong {
            let path = batch.runs[cursor.run].path
            let isOwn = path.localSocket != PhysicalPath.anySocket
            tooLong = PhysicalPath(localSocket: isOwn ? path.localSocket : sockets[index].id, remote: path.remote)
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
