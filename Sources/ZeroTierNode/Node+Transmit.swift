//  The way out: bursts to routes to sealed datagrams, written once and in place.
//  Read first: Docs/architecture.md, "The way of a packet out".

import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierPeers
import ZeroTierWire

extension Node {
    /// Writes what is due into the slab, as much as fits. Nothing written means that nothing is due.
    mutating func transmit(into batch: inout TransmitBatch, now: Now) {
        peers.transmitControl(into: &batch, now: now)
        for _ in 0..<NodeLimits.settleRounds {
            while true {
                // Asked before TCP books a burst, so that a full slab never loses what was booked.
                let room = batch.room(stride: largestFrameBytes)
                guard room > 0, let burst = stack.nextBurst(room: room, now: now) else { break }
                transmit(burst, into: &batch, now)
            }
            // Multicast copies, answers and packets for peers that were made on the way. What was asked for a neighbour that
            // the Ethernet layer knows has its answer now, and the packet that waited for it goes with this batch.
            guard settle(now: now) else { break }
        }
        peers.transmitControl(into: &batch, now: now)
    }

    private mutating func transmit(_ burst: Burst, into batch: inout TransmitBatch, _ now: Now) {
        guard let entry = interfaces.of(interface: burst.interface) else { return }
        guard !burst.isControl else { return sendOwned(burst, entry, now) }
        let key = FrameKey(
            network: entry.network, source: entry.mac, destination: burst.destination, etherType: burst.etherType,
            length: burst.packetLength, count: burst.count)
        switch routeFrame(key, burst, now) {
        case .drop: return
        case .control: sendOwned(burst, entry, now)
        case .send(let frame):
            let length = PacketHeader.payloadOffset + frame.headerLength + burst.packetLength
            switch peers.route(to: frame.destination, length: length, now: now) {
            case .path(let route): write(burst, frame, route, into: &batch)
            case .wait, .unreachable: sendLater(burst, frame, now)
            }
        }
    }

    private mutating func routeFrame(_ key: FrameKey, _ burst: Burst, _ now: Now) -> FrameRouting {
        // Taken out for the moment: the engines are changed while it is lent.
        var scratch: [UInt8] = []
        swap(&scratch, &headerScratch)
        let count = scratch.withMutableBytes { span in
            stack.writeHeaders(burst, into: &span, at: 0, limit: NodeLimits.headerBytes)
        }
        let routing = scratch.withBytes { bytes in
            ethernet.route(key, frame: bytes.extracting(0..<count), at: 0, now: now)
        }
        swap(&scratch, &headerScratch)
        return routing
    }

    /// The bulk path: each segment is written from the inside out into its slot.
    private mutating func write(
        _ burst: Burst, _ frame: FrameRoute, _ route: PeerRoute, into batch: inout TransmitBatch
    ) {
        let header = PacketHeader.payloadOffset + frame.headerLength
        for segment in 0..<burst.count {
            let id = peers.append(
                header + burst.length(segment), verb: frame.verb, route: route, into: &batch
            ) { packet in
                _ = stack.write(burst, segment: segment, into: &packet, at: header)
                frame.writeHeader(into: &packet, at: PacketHeader.payloadOffset)
            }
            // Room was asked for; only a frame of more than seven parts can fail, and no MTU allows one.
            if id == nil { framesUnwritten &+= 1 }
        }
    }

    /// The rare path: the identity is being asked for, or there is no path yet. The transport keeps the packets.
    private mutating func sendLater(_ burst: Burst, _ frame: FrameRoute, _ now: Now) {
        for segment in 0..<burst.count {
            var bytes = [UInt8](repeating: 0, count: frame.headerLength + burst.length(segment))
            bytes.withMutableBytes { span in
                frame.writeHeader(into: &span, at: 0)
                _ = stack.write(burst, segment: segment, into: &span, at: frame.headerLength)
            }
            peers.send(frame.verb, bytes, to: frame.destination, now: now)
        }
    }

    /// Multicast, ARP, neighbour discovery, bridges and observers: the Ethernet layer gets the whole frame.
    private mutating func sendOwned(_ burst: Burst, _ entry: VirtualInterface, _ now: Now) {
        for segment in 0..<burst.count {
            var bytes = [UInt8](repeating: 0, count: burst.length(segment))
            bytes.withMutableBytes { span in
                _ = stack.write(burst, segment: segment, into: &span, at: 0)
            }
            _ = ethernet.sendFrame(
                network: entry.network, source: entry.mac, destination: burst.destination,
                etherType: burst.etherType, payload: bytes, now: now)
        }
    }
}
