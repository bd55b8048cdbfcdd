//  What rules are asked of: a frame's addresses and sizes, and where the headers of its packet lead.

import NetPrimitives
import ZeroTierWire

/// What is known of a frame beside its bytes.
struct FrameFacts: Hashable, Sendable {
    var isInbound: Bool
    var source: Address
    /// 0 while not known: before the subscribers of a multicast, or the bridge, are chosen.
    var destination: Address
    var sourceMAC: MACAddress
    var destinationMAC: MACAddress
    var etherType: UInt16
    var vlanID: UInt16 = 0
    /// Bytes of the Ethernet payload; there may be fewer in the span.
    var length: Int
    /// The payload is a datagram that was put together of fragments, each of which was judged before.
    var isReassembled = false
}

extension FrameFacts {
    /// Where the headers of the frame's packet lead; nil if it is no IP packet. `frame` holds the payload, or its first
    /// bytes, from `offset` on.
    func headerChain(_ frame: RawSpan, at offset: Int) -> IPHeaderChain? {
        let available = min(max(0, frame.byteCount - offset), length)
        switch etherType {
        case 0x0800:
            return .ofIPv4(frame, at: offset, available: available, length: length)
        case 0x86dd:
            return .ofIPv6(
                frame, at: offset, available: available, length: length, isReassembled: isReassembled)
        default: return nil
        }
    }
}
