// One UDP socket of the kernel. Read first: udp(7), ip(7), ipv6(7); Docs/platform.md.

import CZeroTierSystem
import Glibc
import NetPrimitives

/// A bound UDP socket. No call on it waits.
struct UDPSocket: Sendable {
    let descriptor: Descriptor
    /// Where it is bound, with the port that it got.
    let local: SocketEndpoint
    /// Whether the kernel cuts what is sent into equal datagrams (UDP GSO), as far as is known before the first.
    let segments: Bool
    /// Whether the kernel joins equal datagrams that come from one source (UDP GRO).
    let coalesces: Bool
    /// Whether each datagram says at which address of this machine it arrived.
    let tellsLocal: Bool

    /// Binds a socket. Port 0 is any. `bufferBytes` are asked for in each direction.
    init(_ local: SocketEndpoint, bufferBytes: Int, mode: UDPMode) throws(SystemError) {
        var traits = csystem_udp_traits()
        var endpoint = csystem_endpoint(local)
        // Sound: both structs live through the call.
        let result = unsafe csystem_udp_open(&endpoint, Int32(bufferBytes), mode == .plain ? 1 : 0, &traits)
        descriptor = Descriptor(owning: try SystemError.check(result, "bind UDP \(local)"))
        self.local = SocketEndpoint(local.address, port: traits.port)
        segments = traits.can_segment != 0
        coalesces = traits.coalesces != 0
        tellsLocal = traits.tells_local != 0
    }

    // MARK: Sending

    /// What became of bytes that were to be sent.
    enum SendOutcome {
        case sent
        /// The kernel's buffer is full: the descriptor becomes writable when there is room.
        case full
        /// A datagram, or one of those to be cut, is longer than the interface's MTU allows.
        case tooLong
        /// The interface cannot have its datagrams cut by the kernel.
        case cannotSegment
        /// There is no way to the destination, or no permission.
        case refused
    }

    /// What all datagrams of a run have in common for the kernel.
    struct Way {
        private let to: csystem_endpoint
        private let from: csystem_endpoint?
        private let timeToLive: UInt8

        /// `from`: the address of this machine that they leave from; nil is the kernel's choice. `timeToLive` 0 is the system's.
        init(to: SocketEndpoint, from: IPAddress?, timeToLive: UInt8) {
            self.to = csystem_endpoint(to)
            self.from = from.map { csystem_endpoint(SocketEndpoint($0, port: 0)) }
            self.timeToLive = timeToLive
        }

        // `bytes`: `count` bytes that live through the call. The bytes sent, or a negated errno.
        @unsafe fileprivate func send(
            _ bytes: UnsafeRawPointer, _ count: Int, segment: UInt16, by socket: Int32
        ) -> Int {
            var to = to
            guard var from else { return unsafe csystem_udp_send(socket, &to, nil, bytes, count, segment, timeToLive) }
            let result = unsafe csystem_udp_send(socket, &to, &from, bytes, count, segment, timeToLive)
            // IPv6 and IPv4 say it differently.
            switch Int32(clamping: -result) {
            case EINVAL, ENETUNREACH, EADDRNOTAVAIL: break
            default: return result
            }
            // The address has just gone. The peer sees us move, which is better than silence until the node hears of it.
            return unsafe csystem_udp_send(socket, &to, nil, bytes, count, segment, timeToLive)
        }
    }

    /// Sends `count` bytes, which live through the call, as one datagram, or cut by the kernel into datagrams of `segment`
    /// bytes, the last perhaps shorter.
    @unsafe func send(_ bytes: UnsafeRawPointer, _ count: Int, segment: Int? = nil, _ way: Way) -> SendOutcome {
        let result = unsafe way.send(bytes, count, segment: UInt16(segment ?? 0), by: descriptor.number)
        if result >= 0 { return .sent }
        switch Int32(clamping: -result) {
        case EAGAIN: return .full
        case EMSGSIZE: return .tooLong
        // This path's MTU is smaller than a segment.
        case EINVAL where segment != nil: return .tooLong
        case EIO where segment != nil: return .cannotSegment
        default: return .refused
        }
    }

    // MARK: Receiving

    /// What the kernel says of the messages of one receive call, in memory that one receiving thread keeps.
    struct Messages: Sendable {
        fileprivate var entries: [csystem_received]

        /// Room for so many.
        init(capacity: Int) { entries = [csystem_received](repeating: csystem_received(), count: capacity) }

        /// Bytes in the buffer.
        func length(_ index: Int) -> Int { Int(entries[index].length) }
        /// The length of each joined datagram but the last; 0: it is one datagram.
        func segment(_ index: Int) -> Int { Int(entries[index].segment) }
        /// Whether the message was longer than its buffer.
        func isTruncated(_ index: Int) -> Bool { entries[index].truncated != 0 }
        /// Who sent it.
        func source(_ index: Int) -> SocketEndpoint { entries[index].from.endpoint }
        /// The address of this machine at which it arrived, if the socket tells.
        func local(_ index: Int) -> IPAddress? {
            entries[index].has_local != 0 ? entries[index].local.endpoint.address : nil
        }
    }

    /// Receives up to `count` messages, each into a buffer of its own of `capacity` bytes, and gives how many. `count` is at
    /// most the number of buffers and the room in `messages`.
    @unsafe func receive(
        into buffers: [UnsafeMutableRawPointer?], of capacity: Int, upTo count: Int, _ messages: inout Messages
    ) -> Int {
        let room = min(count, unsafe buffers.count, messages.entries.count)
        return max(
            0, Int(unsafe csystem_udp_receive(descriptor.number, buffers, capacity, UInt32(room), &messages.entries)))
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
