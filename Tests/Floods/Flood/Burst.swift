// IPv4 packets with any source, gathered and sent together.

import CFlood
import NetPrimitives

/// Packets that leave by one system call.
struct Burst: ~Copyable {
    private static let stride = 1500
    private static let headers = 28
    /// The longest UDP payload: longer ones would be fragments.
    static let payloadLimit = stride - headers

    private let socket: Int32
    private var packets = [UInt8](repeating: 0, count: Int(CFLOOD_BURST) * Burst.stride)
    private var lengths = [UInt16](repeating: 0, count: Int(CFLOOD_BURST))
    private var count = 0
    /// In place of the port of every destination: what comes there is nobody's.
    var portInstead: UInt16?
    /// What was sent since the last `take`.
    private var sent = Sent()

    struct Sent {
        var packets = 0
        /// UDP payload.
        var bytes = 0
    }

    init() throws {
        let number = cflood_open()
        guard number >= 0 else { throw FloodFailure("a raw socket: error \(-number)") }
        socket = number
    }

    var isFull: Bool { count == Int(CFLOOD_BURST) }

    /// Adds a UDP datagram; what is too long for one packet stays away.
    mutating func append(_ payload: [UInt8], from source: SocketEndpoint, to destination: SocketEndpoint) {
        guard payload.count <= Burst.payloadLimit else { return }
        if isFull { flush() }
        let length = payload.count + Burst.headers
        let start = count * Burst.stride
        let port = portInstead ?? destination.port
        packets.withMutableBytes { span in
            span.storeUInt32(0x4500_0000 | UInt32(length), at: start)
            // Not to be cut up.
            span.storeUInt32(0x0000_4000, at: start + 4)
            span.storeUInt32(0x4011_0000, at: start + 8)
            span.storeUInt32(UInt32(truncatingIfNeeded: source.address.low), at: start + 12)
            span.storeUInt32(UInt32(truncatingIfNeeded: destination.address.low), at: start + 16)
            span.storeUInt16(source.port, at: start + 20)
            span.storeUInt16(port, at: start + 22)
            span.storeUInt16(UInt16(payload.count + 8), at: start + 24)
            // No checksum, which IPv4 allows.
            span.storeUInt16(0, at: start + 26)
            span.copy(from: payload, at: start + Burst.headers)
        }
        lengths[count] = UInt16(length)
        count += 1
    }

    mutating func flush() {
        guard count > 0 else { return }
        let taken = unsafe lengths.withUnsafeBufferPointer { lengths in
            unsafe packets.withUnsafeBufferPointer { packets in
                // Sound: both arrays have room for a whole burst, and live through the call.
                unsafe cflood_send(
                    socket, packets.baseAddress, UInt32(Burst.stride), lengths.baseAddress, UInt32(count))
            }
        }
        sent.packets += Int(taken)
        for index in 0..<count { sent.bytes += Int(lengths[index]) - Burst.headers }
        count = 0
    }

    mutating func take() -> Sent {
        defer { sent = Sent() }
        return sent
    }
}

/// Why there is no flood.
struct FloodFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
