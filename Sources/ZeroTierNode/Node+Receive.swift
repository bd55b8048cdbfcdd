//  The way in: datagrams to verbs to frames. Read first: Docs/architecture.md, "The way of a packet in".

package import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierPeers
import ZeroTierWire

extension Node {
    /// Takes the datagrams of one receive buffer; they are decrypted in place. `replies` gets relayed packets and answers,
    /// and should be empty at the call: 64 KiB in cause at most 64 KiB of relays out.
    /// Unless `endsBatch`, more of the same receive call follows before anything else is done with the node.
    package mutating func receive(
        _ batch: inout ReceiveBatch, replies: inout TransmitBatch, endsBatch: Bool = true, now: Now
    ) {
        var index = 0
        while index < batch.datagrams.count {
            let (opened, consumed) = peers.open(&batch, at: index, replies: &replies, now: now)
            switch opened {
            case .packet(let packet):
                batch.withDatagrams(from: index) { span in handle(packet, in: span.bytes, now) }
            case .handled: deliverReady(replies: &replies, now: now)
            case .drop: break
            }
            index += max(1, consumed)
        }
        guard endsBatch else { return }
        // One acknowledgement decision, window and set of events per socket and batch.
        stack.endBatch(now: now)
        settle(now: now)
    }

    /// Handles packets that were joined, decompressed, or had waited for their sender's identity.
    mutating func deliverReady(replies: inout TransmitBatch, now: Now) {
        while let ready = peers.nextReady(replies: &replies, now: now) {
            ready.bytes.withBytes { handle(ready.packet, in: $0, now) }
        }
    }

    /// What the transport handed out, by the layer that its verb belongs to.
    private mutating func handle(_ packet: OpenedPacket, in bytes: RawSpan, _ now: Now) {
        switch packet.verb.traits.layer {
        case .frames:
            let admission = ethernet.admit(
                packet.verb, bytes, at: packet.payloadOffset, length: packet.payloadLength, from: packet.source,
                packetID: packet.packetID, now: now)
            if case .frame(let frame) = admission, let entry = interfaces.of(network: frame.network) {
                stack.receive(
                    bytes.extracting(frame.offset..<frame.offset + frame.length), etherType: frame.etherType,
                    source: frame.source, destination: frame.destination, on: entry.interface, now: now)
                judgeReassembled(frame.network, to: frame.destination, now)
            }
            if admission.isTrusted { peers.noteTrust(packet, now: now) }
        case .networks:
            let payload = bytes.copyBytes(packet.payloadOffset, packet.payloadLength)
            if packet.verb == .networkConfigRequest, receiveRequest(packet, payload, now) { return }
            let reception = ethernet.receive(
                packet.verb, payload, from: packet.source, packetID: packet.packetID, now: now)
            if reception.isTrusted { peers.noteTrust(packet, now: now) }
        // It hands none of its own out.
        case .transport: break
        }
    }

    /// Asks the rules about the datagram that the last frame completed, if it completed one: its fragments hid from them what
    /// the whole shows.
    @inline(__always)
    mutating func judgeReassembled(_ network: SlotID, to destination: MACAddress, _ now: Now) {
        guard let datagram = stack.nextReassembled() else { return }
        let isAllowed = ethernet.admitReassembled(
            datagram.bytes, etherType: datagram.etherType, source: datagram.source, destination: destination,
            network: network, now: now)
        if isAllowed { stack.receive(reassembled: datagram, now: now) }
    }
}
