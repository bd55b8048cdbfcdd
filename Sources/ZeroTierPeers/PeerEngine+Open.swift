//  The way of a datagram in: reassembly, relay, the cipher, and what each verb means for its sender.

package import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

extension PeerEngine {
    /// Takes the datagram at `index` of a receive buffer, with the following ones when they are the rest of its packet:
    /// those are joined in place. Returns what became of it and how many datagrams were used up.
    ///
    /// `OpenedPacket.payloadOffset` counts from the start of the datagram at `index`: read it through
    /// `batch.withDatagrams(from: index)`.
    package mutating func open(
        _ batch: inout ReceiveBatch, at index: Int, replies: inout TransmitBatch, now: Now
    ) -> (opened: Opened, consumed: Int) {
        let length = batch.datagrams[index].length
        let path = batch.datagrams[index].path
        guard length >= PacketHeader.payloadOffset else {
            let opened = batch.withDatagram(index) { span in
                open(&span, length: length, path: path, replies: &replies, now: now)
            }
            return (opened, 1)
        }
        var isHead = false
        var id: UInt64 = 0
        let opened = batch.withDatagram(index) { span in
            // Only the head of a packet for us asks for a look at what follows it.
            if span.loadUInt8(at: PacketHeader.flagsOffset) & PacketHeader.fragmentedFlag != 0,
                span.loadUInt8(at: FragmentHeader.markerOffset) != FragmentHeader.marker,
                span.loadUInt40(at: 8) == ownAddress
            {
                isHead = true
                id = span.loadUInt64(at: 0)
                return Opened.handled
            }
            return open(&span, length: length, path: path, replies: &replies, now: now)
        }
        guard isHead else { return (opened, 1) }
        guard let joined = join(&batch, at: index, id: PacketID(id)) else {
            let opened = batch.withDatagram(index) { span in
                open(&span, length: length, path: path, replies: &replies, now: now)
            }
            return (opened, 1)
        }
        let whole = batch.withDatagrams(from: index) { span in
            openWhole(&span, length: joined.length, path: path, replies: &replies, now: now)
        }
        return (whole, joined.count)
    }

    /// Moves the data of the parts that follow the head to its end, if all of them are there in order.
    private func join(_ batch: inout ReceiveBatch, at index: Int, id: PacketID) -> (length: Int, count: Int)? {
        let first = batch.datagrams[index]
        var total = 0
        var length = first.length
        var end = first.offset + first.length
        var part = 1
        repeat {
            guard index + part < batch.datagrams.count else { return nil }
            let next = batch.datagrams[index + part]
            guard next.offset == end, next.path == first.path else { return nil }
            let header = batch.withDatagram(index + part) { FragmentHeader($0.bytes, length: next.length) }
            guard let header, header.packetID == id, header.isAcceptable, header.number == part,
                total == 0 || header.total == total, header.destination == identity.address
            else { return nil }
            total = header.total
            length += next.length - FragmentHeader.size
            end += next.length
            part += 1
        } while part < total
        guard length <= ProtocolLimits.maximumPacketLength else { return nil }
        var place = first.length
        for offset in 1..<total {
            let next = batch.datagrams[index + offset]
            batch.withDatagrams(from: index) { span in
                span.move(
                    from: next.offset - first.offset + FragmentHeader.size, to: place,
                    count: next.length - FragmentHeader.size)
            }
            place += next.length - FragmentHeader.size
        }
        return (length, total)
    }

    /// Takes one datagram. The packet is decrypted in place; `replies` gets what is answered or relayed at once.
    package mutating func open(
        _ datagram: inout MutableRawSpan, length: Int, path: PhysicalPath, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        guard length > FragmentHeader.size, length <= datagram.byteCount else { return drop(.tooShort) }
        if datagram.loadUInt8(at: FragmentHeader.markerOffset) == FragmentHeader.marker {
            return openFragment(&datagram, length: length, path: path, replies: &replies, now: now)
        }
        guard let header = PacketHeader(datagram.bytes, length: length) else { return drop(.tooShort) }
        if header.source.value == ownAddress { return drop(.ownSource) }
        if header.destination.value != ownAddress {
            return relay(
                &datagram, length: length, from: header.source, to: header.destination, isFragment: false, path: path,
                replies: &replies, now: now)
        }
        guard length <= ProtocolLimits.maximumPacketLength else { return drop(.tooLong) }
        if header.isFragmented {
            let bytes = datagram.copyBytes(0, length)
            let isTrusted = isTrusted(path, now.monotonic)
            return keep(
                defragmenter.addHead(bytes, id: header.id, path: path, isTrusted: isTrusted, now.monotonic))
        }
        return decode(&datagram, length: length, header: header, path: path, replies: &replies, now: now)
    }

    /// A whole packet for us, whatever its fragmented flag says.
    private mutating func openWhole(
        _ packet: inout MutableRawSpan, length: Int, path: PhysicalPath, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        guard let header = PacketHeader(packet.bytes, length: length) else { return drop(.tooShort) }
        if header.source.value == ownAddress { return drop(.ownSource) }
        guard header.destination.value == ownAddress else { return drop(.malformed) }
        return decode(&packet, length: length, header: header, path: path, replies: &replies, now: now)
    }

    private mutating func openFragment(
        _ datagram: inout MutableRawSpan, length: Int, path: PhysicalPath, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        guard let header = FragmentHeader(datagram.bytes, length: length) else { return drop(.tooShort) }
        if header.destination != identity.address {
            return relay(
                &datagram, length: length, from: nil, to: header.destination, isFragment: true, path: path,
                replies: &replies, now: now)
        }
        guard header.isAcceptable, length <= ProtocolLimits.maximumPacketLength else { return drop(.badFragment) }
        let data = datagram.copyBytes(FragmentHeader.size, length - FragmentHeader.size)
        let isTrusted = isTrusted(path, now.monotonic)
        return keep(defragmenter.addPart(header, data: data, path: path, isTrusted: isTrusted, now.monotonic))
    }

    /// Whether a path is that of a root, or of a proven member of our networks.
    private mutating func isTrusted(_ path: PhysicalPath, _ time: MonotonicInstant) -> Bool {
        upstreamPeers.contains { topology.peers[$0].paths.contains { $0.matches(path) } }
            || trustedPaths.contains(path, time)
    }

    private mutating func keep(_ outcome: Defragmenter.OnPart) -> Opened {
        for _ in 0..<defragmenter.takeDisplaced() { shared.drops.count(.fragmentsDisplaced) }
        if let deadline = defragmenter.nextDeadline {
            shared.timers.schedule(.defragmenter, at: deadline)
        } else {
            shared.timers.cancel(.defragmenter)
        }
        switch outcome {
        case .stored: return .handled
        case .drop(let reason): return drop(reason)
        case .complete(let bytes, let path):
            if !ready.tryAppend(.raw(bytes, path)) { return drop(.noRoomToWait) }
            return .handled
        }
    }

    /// The next packet that was joined, decompressed, or waited for its sender; nil when there is none left. Ask after every
    /// `open` that answered `handled`, and after `complete`.
    package mutating func nextReady(replies: inout TransmitBatch, now: Now) -> ReadyPacket? {
        while let item = ready.popFirst() {
            if let packet = item.opened { return ReadyPacket(packet: packet, bytes: item.bytes) }
            var bytes = item.bytes
            let length = bytes.count
            let opened = bytes.withMutableBytes { span in
                openWhole(&span, length: length, path: item.path, replies: &replies, now: now)
            }
            if case .packet(let packet) = opened { return ReadyPacket(packet: packet, bytes: bytes) }
        }
        return nil
    }

    // MARK: Whole packets for us

    private mutating func decode(
        _ packet: inout MutableRawSpan, length: Int, header: PacketHeader, path: PhysicalPath,
        replies: inout TransmitBatch, now: Now
    ) -> Opened {
        switch header.cipher {
        case .salsa, .gmacSIV: break
        case .trustedPath: return drop(.untrustedPath)
        case nil: return drop(.unknownSuite)
        case .authenticatedOnly:
            if header.flagsByte & PacketHeader.historicEncryptedFlag != 0 { return drop(.unknownSuite) }
            let verb = Verb(verbByte: packet.loadUInt8(at: PacketHeader.verbOffset))
            if verb == .hello {
                return receiveClearHello(
                    &packet, length: length, header: header, path: path, replies: &replies, now: now)
            }
            guard verb?.traits.mayBeClear ?? false else { return drop(.clearVerb) }
        }
        guard let id = topology.find(header.source) else {
            if receiveProof(packet.bytes, length: length, header: header, path: path, now: now) { return .handled }
            return park(packet.copyBytes(0, length), header: header, path: path, now: now)
        }
        var number: UInt64 = 0
        guard topology.peers[id].open(&packet, length: length, number: &number) else {
            topology.peers[id].traffic.noteRefused()
            return drop(.badMAC)
        }
        suites.count(header.cipher)
        let verbByte = packet.loadUInt8(at: PacketHeader.verbOffset)
        let verb = Verb(verbByte: verbByte) ?? .nop
        counters.noteReceived(verb)
        var isCopy = false
        switch topology.peers[id].replays.judge(number, from: verb.copyEndpoint(path), now.monotonic) {
        case .fresh: break
        case .again: isCopy = true
        case .replayed: return drop(.replayed)
        case .outdated:
            guard resumes(packet.bytes, length: length, verbByte: verbByte, number: number, from: id, now) else {
                return drop(.replayed)
            }
        }
        let opened = OpenedPacket(
            peer: id, source: header.source, verb: verb, packetID: header.id,
            hops: header.hops, path: path, payloadOffset: PacketHeader.payloadOffset,
            payloadLength: length - PacketHeader.payloadOffset, wireLength: length, isCopy: isCopy,
            isLate: topology.peers[id].replays.isLate(number))
        if verbByte & Verb.compressedFlag != 0, length > PacketHeader.payloadOffset {
            return decompress(&packet, opened, replies: &replies, now: now)
        }
        return dispatch(&packet, opened, replies: &replies, now: now)
    }

    /// An authentic packet is older than what can be told from recordings. A peer whose clock was set back sends nothing else: it is
    /// asked, and what answers a question of ours that had no answer yet is of now. Whether this packet is that answer.
    mutating func resumes(
        _ packet: RawSpan, length: Int, verbByte: UInt8, number: UInt64, from id: PeerID, _ now: Now
    ) -> Bool {
        if Verb(verbByte: verbByte) == .ok, verbByte & Verb.compressedFlag == 0,
            topology.peers[id].replays.isOfClockSetBack(number)
        {
            var reader = WireReader(packet.copyBytes(PacketHeader.payloadOffset, length - PacketHeader.payloadOffset))
            if let inRe = try? OKHeader(from: &reader),
                let request = expected.find(inRe.packetID, from: topology.peers[id].address, now.monotonic),
                !request.isAnswered
            {
                topology.peers[id].replays.beginAnew(at: number)
                _ = topology.peers[id].replays.judge(number, from: nil, now.monotonic)
                topology.peers[id].lastHelloTimestamp = nil
                return true
            }
        }
        if topology.peers[id].outdatedGate.allow(now.monotonic) {
            topology.peers[id].enqueue(.hello, .best, &shared, now)
        }
        return false
    }

    /// Decompression needs room of its own, so a packet of VL2 comes out by `nextReady`.
    private mutating func decompress(
        _ packet: inout MutableRawSpan, _ opened: OpenedPacket, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        let block = packet.copyBytes(opened.payloadOffset, opened.payloadLength)
        guard let payload = try? LZ4Block.decompress(block, limit: ProtocolLimits.maximumPayloadLength),
            !payload.isEmpty
        else { return drop(.badCompression) }
        var bytes = packet.copyBytes(0, PacketHeader.payloadOffset)
        bytes[PacketHeader.verbOffset] &= ~Verb.compressedFlag
        bytes.append(contentsOf: payload)
        var plain = opened
        plain.payloadLength = payload.count
        let result = bytes.withMutableBytes { span in
            dispatch(&span, plain, replies: &replies, now: now)
        }
        guard case .packet(let packet) = result else { return result }
        if !ready.tryAppend(.opened(ReadyPacket(packet: packet, bytes: bytes))) { return drop(.noRoomToWait) }
        return .handled
    }

    /// The transport's own verbs are handled, all others handed out.
    private mutating func dispatch(
        _ packet: inout MutableRawSpan, _ opened: OpenedPacket, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        guard opened.verb.traits.layer == .transport else {
            noteReceived(opened, now: now)
            return .packet(opened)
        }
        switch opened.verb {
        case .hello: return receiveSealedHello(&packet, opened, replies: &replies, now: now)
        case .ok: return receiveOK(payload(&packet, opened), opened, now: now)
        case .error: return receiveError(payload(&packet, opened), opened, now: now)
        case .whois: return receiveWhois(payload(&packet, opened), opened, replies: &replies, now: now)
        case .echo: return receiveEcho(payload(&packet, opened), opened, replies: &replies, now: now)
        case .rendezvous: return receiveRendezvous(payload(&packet, opened), opened, now: now)
        case .pushDirectPaths: return receivePushDirectPaths(payload(&packet, opened), opened, now: now)
        case .userMessage: return receiveUserMessage(payload(&packet, opened), opened, now: now)
        // NOP, as which unknown verbs are decoded, and what bonded and traced nodes of others tell each other.
        default:
            noteReceived(opened, now: now)
            return .handled
        }
    }

    private func payload(_ packet: inout MutableRawSpan, _ opened: OpenedPacket) -> [UInt8] {
        packet.copyBytes(opened.payloadOffset, opened.payloadLength)
    }

    // MARK: Bookkeeping of authentic packets

    /// An authentic packet came. `confirms`: it is the answer to something we sent to just that endpoint.
    mutating func noteReceived(
        _ opened: OpenedPacket, confirms: Bool = false, isNewest: Bool = false, now: Now
    ) {
        let id = opened.peer
        let isActivity = opened.verb.traits.isActivity
        let time = now.monotonic
        topology.peers[id].lastReceive = time
        topology.peers[id].traffic.noteReceived(opened.wireLength)
        if isActivity { topology.peers[id].noteActivity(&shared, time) }
        if opened.hops == 0 {
            if let index = topology.peers[id].pathIndex(opened.path) {
                topology.peers[id].earn(opened.wireLength)
                guard !opened.isLate else { return }
                let wasUsable = topology.peers[id].paths[index].isAlive(time)
                topology.peers[id].paths[index].noteReceipt(time)
                if !wasUsable { pathCameAlive(id, now) }
                // Online is who can send to a root as well as hear it: it answered a question of ours from where we asked it.
                if confirms, !shared.isOnline, topology.peers[id].isUpstream { becomeOnline(now) }
            } else {
                // Who answers from where it was asked is there.
                if confirms {
                    topology.peers[id].earn(opened.wireLength)
                } else {
                    shared.answers.receive(opened.wireLength, from: opened.path.remote, time)
                }
                guard !opened.isCopy, !opened.isLate else { return }
                considerPath(opened.path, for: id, confirms: confirms, isNewest: isNewest, now: now)
            }
        } else {
            if isActivity { topology.peers[id].doubtDirectPath(&shared, now) }
            if isActivity || opened.verb == .hello { topology.peers[id].greetThroughRoot(&shared, now) }
            if isConfirmed(opened) {
                topology.peers[id].earnRelayed(opened.wireLength)
            } else {
                shared.answers.receive(opened.wireLength, from: opened.path.remote, time)
            }
        }
        switch topology.peers[id].reported {
        case .relayed: break
        // Its path may have died, and this be the answer that was asked for through a root.
        case .direct: if opened.hops > 0 { topology.peers[id].updateLink(&shared, time) }
        // A stranger that came directly is being asked to confirm its path: too early to call it relayed.
        case nil: if opened.hops > 0 { topology.peers[id].updateLink(&shared, time) }
        case .unreachable: topology.peers[id].updateLink(&shared, time)
        }
    }
}
