// Many datagrams in one hold of the node's lock. A result of nil means: nothing yet, wait for an event of the socket.

import NetPrimitives
import NetStack
import ZeroTierNode

extension DriverCore {
    /// Queues datagrams from number `start` on, as many as there is room for, and gives how many.
    mutating func datagramsSend(
        _ id: SocketID, _ datagrams: [[UInt8]], to destination: SocketEndpoint, from start: Int, now: Now
    ) throws(ZeroTierError) -> Int? {
        try queueDatagrams(
            start..<datagrams.count, to: { _ in destination },
            { (stack, index) throws(StackError) in
                try datagrams[index].withBytes { (span) throws(StackError) in
                    try stack.sendTo(id, span, to: destination, now: now)
                }
            })
    }

    /// As above, each to a destination of its own.
    mutating func datagramsSend(
        _ id: SocketID, _ datagrams: [OutgoingDatagram], from start: Int, now: Now
    ) throws(ZeroTierError) -> Int? {
        try queueDatagrams(
            start..<datagrams.count, to: { datagrams[$0].destination },
            { (stack, index) throws(StackError) in
                try datagrams[index].bytes.withBytes { (span) throws(StackError) in
                    try stack.sendTo(id, span, to: datagrams[index].destination, now: now)
                }
            })
    }

    /// As above, from one buffer.
    mutating func datagramsSend(
        _ id: SocketID, _ bytes: RawSpan, inDatagramsOf size: Int, to destination: SocketEndpoint, from start: Int,
        now: Now
    ) throws(ZeroTierError) -> Int? {
        let count = bytes.byteCount / size + (bytes.byteCount % size > 0 ? 1 : 0)
        return try queueDatagrams(
            start..<count, to: { _ in destination },
            { (stack, index) throws(StackError) in
                let datagram = bytes.extracting(index * size..<min(bytes.byteCount, (index + 1) * size))
                try stack.sendTo(id, datagram, to: destination, now: now)
            })
    }

    private mutating func queueDatagrams(
        _ range: Range<Int>, to destination: (Int) -> SocketEndpoint,
        _ send: (inout NetworkStack, Int) throws(StackError) -> Void
    ) throws(ZeroTierError) -> Int? {
        for index in range {
            do throws(StackError) {
                try send(&node.stack, index)
            } catch {
                // The next call meets the error again, as its first.
                if index > range.lowerBound { return index - range.lowerBound }
                if error == .wouldBlock { return nil }
                throw ZeroTierError(error, doing: "send datagram \(index) to \(destination(index))")
            }
        }
        return range.count
    }

    /// Takes at most `count` datagrams.
    mutating func datagramsReceive(_ id: SocketID, upTo count: Int, now: Now) throws(ZeroTierError) -> [Datagram]? {
        guard count > 0 else {
            throw ZeroTierError(.invalidArgument, "at least one datagram is received, not \(count)")
        }
        var result: [Datagram] = []
        while result.count < count, let datagram = try datagramReceive(id, now: now) { result.append(datagram) }
        return result.isEmpty ? nil : result
    }

    /// Takes as many as the buffer has strides, and appends where each one lies. Gives how many.
    mutating func datagramsReceive(
        _ id: SocketID, into buffer: inout MutableRawSpan, stride: Int, _ places: inout [DatagramPlace], now: Now
    ) throws(ZeroTierError) -> Int? {
        var count = 0
        while count < buffer.byteCount / stride {
            let start = count * stride
            let received = try takeDatagram { (stack) throws(StackError) in
                try stack.receiveFrom(id, into: &buffer, at: start, upTo: stride, now: now)
            }
            guard let received else { break }
            places.append(
                DatagramPlace(
                    range: start..<start + received.count, source: received.source, isTruncated: received.isTruncated))
            count += 1
        }
        return count > 0 ? count : nil
    }
}
