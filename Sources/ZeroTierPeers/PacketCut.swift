//  Cutting a packet into datagrams.

import NetPrimitives
import ZeroTierWire

/// How a packet is cut into equal datagrams; where to cut is the sender's choice.
struct PacketCut: Equatable, Sendable {
    /// Datagrams.
    let count: Int
    /// Length of every datagram but the last.
    let stride: Int
    /// Length of the last one.
    let lastLength: Int

    /// The plan for a packet of `length` bytes; nil when it would take more than seven parts.
    init?(length: Int, mtu: Int) {
        guard length > mtu else {
            count = 1
            stride = length
            lastLength = length
            return
        }
        let header = FragmentHeader.size
        let parts = (length - header + mtu - header - 1) / (mtu - header)
        guard parts <= ProtocolLimits.maximumParts, length <= ProtocolLimits.maximumPacketLength else { return nil }
        count = parts
        stride = (length + header * (parts - 1) + parts - 1) / parts
        lastLength = length + header * (parts - 1) - stride * (parts - 1)
    }

    /// The plan for datagrams of `limit` bytes; a packet that would be cut into too many is cut into longer ones, up to `full`.
    init?(length: Int, limit: Int, full: Int) {
        if let plan = PacketCut(length: length, mtu: limit) {
            self = plan
        } else {
            self.init(length: length, mtu: full)
        }
    }
}

extension PacketCut {
    /// Moves the tail of the sealed packet at the region's start apart and writes the fragment headers between.
    func split(_ region: inout MutableRawSpan, length: Int, id: PacketID, destination: Address) {
        let header = FragmentHeader.size
        var part = count - 1
        while part > 0 {
            let source = stride + (part - 1) * (stride - header)
            let size = min(stride - header, length - source)
            region.move(from: source, to: part * stride + header, count: size)
            FragmentHeader(packetID: id, destination: destination, total: count, number: part)
                .write(into: &region, at: part * stride)
            part -= 1
        }
    }
}
