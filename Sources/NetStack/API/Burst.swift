// The stack hands bursts to the link: up to 64 KiB of packets, described in numbers. Bytes are written on demand.

package import NetPrimitives

/// One or more packets to one neighbour, described in numbers. Valid until the next call of `nextBurst`: write all
/// segments, or drop them, before you ask for another. All segments but the last have the same length.
package struct Burst: Sendable {
    /// The interface (network) on which it leaves.
    package let interface: InterfaceID
    /// The frame's destination.
    package let destination: MACAddress
    /// The frame's EtherType, host order.
    package let etherType: UInt16
    /// How many packets: `0..<count` are the segments.
    package let count: Int
    /// Bytes of each Ethernet payload but the last, IP header included.
    package let packetLength: Int
    /// Bytes of the last Ethernet payload.
    package let lastLength: Int
    /// Whether it must go by the multicast, ARP and NDP path: a group destination, or ARP. Then `count` is 1.
    package let isControl: Bool

    // Where `write` finds the bytes.
    let source: Source
    // Whether the packets come back to this stack.
    let isLoopback: Bool

    enum Source: Sendable {
        // A connection and what it booked.
        case stream(SlotID, TCPBurst)
        // The datagram that the stack has taken from a socket's queue.
        case datagram
        // The owned packet that the stack has taken from the control queue.
        case packet
    }

    /// Bytes of a segment's Ethernet payload.
    @inline(__always)
    package func length(_ segment: Int) -> Int { segment == count - 1 ? lastLength : packetLength }
}
