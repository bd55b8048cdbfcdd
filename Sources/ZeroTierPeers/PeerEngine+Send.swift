//  The way of a packet out. Bulk packets are written in place in the driver's slab; everything else goes
//  through one bounded queue.

package import NetPrimitives
import ZeroTierCrypto
package import ZeroTierWire

extension PeerEngine {
    // MARK: Bulk

    /// Where packets for an address go, once per burst. Marks the peer as in use. `length`: the longest packet of the burst,
    /// headers included.
    package mutating func route(to address: Address, length: Int, now: Now) -> PeerRouting {
        let time = now.monotonic
        numbers.note(now)
        guard let id = topology.find(address) else {
            guard address != identity.address, !address.isReserved else { return .unreachable }
            _ = lookup.request(address, time)
            serviceLookup(now)
            return .wait
        }
        topology.peers[id].noteActivity(&shared, time)
        guard let way = way(to: id, time) else { return .unreachable }
        topology.peers[way.owner].markSent(way.index, &shared, now)
        let limit = topology.peers[id].datagramLimit(way, length: length, &shared, now)
        return .path(PeerRoute(peer: id, path: way.path, suite: suite(for: id), datagramLimit: limit))
    }

    /// The suite that packets to a peer are sealed with: what both know. A node that announces an old protocol does not
    /// speak a newer one either.
    @inline(__always)
    private func suite(for id: PeerID) -> CipherSuite {
        shared.configuration.announcedProtocolVersion >= ProtocolLimits.gmacSIVProtocolVersion
            ? topology.peers[id].suite : .salsa
    }

    /// Bytes that a packet of `length` takes in a batch, whichever way it goes.
    package func batchBytes(forPacketOf length: Int) -> Int {
        [shared.configuration.pathMTU, ProtocolLimits.basePathMTU].reduce(length) { most, limit in
            let plan = PacketCut(length: length, limit: limit, full: shared.configuration.pathMTU)
            return max(most, plan.map { $0.stride * $0.count } ?? 0)
        }
    }

    /// The longest packet of at most `length` bytes that is cut into datagrams of one length where ways carry full ones: only
    /// then a burst of such packets is one system call.
    package func evenPacketLength(upTo length: Int) -> Int {
        guard let plan = PacketCut(length: length, mtu: shared.configuration.pathMTU) else { return length }
        return length - (length + FragmentHeader.size * (plan.count - 1)) % plan.count
    }

    /// Writes, seals and cuts one packet of `length` bytes, headers included: `fill` gets its whole span and writes the payload
    /// from byte 28 on. Returns the packet's ID on the wire; nil, and nothing written, when the batch is full or the packet
    /// longer than seven parts.
    package mutating func append(
        _ length: Int, verb: Verb, isCompressed: Bool = false, route: PeerRoute, into batch: inout TransmitBatch,
        _ fill: (inout MutableRawSpan) -> Void
    ) -> PacketID? {
        guard topology.peers.contains(route.peer),
            let plan = PacketCut(length: length, limit: route.datagramLimit, full: shared.configuration.pathMTU)
        else { return nil }
        let verbByte = verb.rawValue | (isCompressed ? Verb.compressedFlag : 0)
        let destination = topology.peers[route.peer].address
        let header = PacketHeader(
            id: numbers.next(using: &shared.random), destination: destination, source: identity.address,
            isFragmented: plan.count > 1)
        var wireID = header.id
        let isWritten = batch.appendParts(
            count: plan.count, stride: plan.stride, lastLength: plan.lastLength, to: route.path
        ) { region in
            fill(&region)
            header.write(into: &region)
            region.storeUInt8(verbByte, at: PacketHeader.verbOffset)
            topology.peers[route.peer].seal(&region, length: length, suite: route.suite)
            wireID = PacketID(region.loadUInt64(at: 0))
            if plan.count > 1 { plan.split(&region, length: length, id: wireID, destination: destination) }
        }
        guard isWritten else { return nil }
        counters.noteSent(verb)
        topology.peers[route.peer].traffic.noteSent(length)
        return wireID
    }

    // MARK: Choice

    /// The way to a peer: its best live path; else through a root; else a path that may still work.
    mutating func way(to id: PeerID, _ time: MonotonicInstant) -> Way? {
        if let way = topology.peers[id].ownWay(.alive, time) { return way }
        let relay = bestUpstream(except: id, time)
        if let relay, let way = topology.peers[relay].ownWay(.alive, time) {
            topology.peers[id].reviveStalePaths(&shared, time)
            return way
        }
        if let way = topology.peers[id].ownWay(.unexpired, time) { return way }
        if let relay, let way = topology.peers[relay].ownWay(.unexpired, time) { return way }
        if let way = topology.peers[id].ownWay(.any, time) { return way }
        if let relay, let way = topology.peers[relay].ownWay(.any, time) { return way }
        return nil
    }

    // MARK: Control

    /// Sends a packet whose payload is owned: everything but bulk. It is queued, or kept while the destination's identity
    /// is being asked for. `compress`: try LZ4. Without effect when the address can not have an identity, or the payload is
    /// too long.
    package mutating func send(
        _ verb: Verb, _ payload: [UInt8], to destination: Address, compress: Bool = false, now: Now
    ) {
        guard destination != identity.address, !destination.isReserved,
            payload.count <= ProtocolLimits.maximumPayloadLength
        else { return }
        var packet = OutgoingPacket(
            verb: verb, payload: payload, destination: destination,
            queuedAt: now.monotonic)
        if compress, payload.count > ProtocolLimits.uncompressedPayloadLength,
            let block = LZ4Block.compress(payload), block.count < payload.count
        {
            packet.payload = block
            packet.isCompressed = true
        }
        if topology.find(destination) == nil {
            parkOutgoing(packet, now)
        } else {
            shared.enqueue(.packet(packet))
        }
    }

    /// Writes due control packets into the batch, until it is full or none is left.
    package mutating func transmitControl(into batch: inout TransmitBatch, now: Now) {
        while let (item, isWish) = nextControl {
            switch item {
            case .datagram(let bytes, let path):
                guard batch.append(bytes.count, to: path, { $0.copy(from: bytes, at: 0) }) else { return }
            case .packet(let packet):
                switch emit(packet, into: &batch, now) {
                case .full: return
                case .sent: break
                case .tooLong: shared.drops.count(.packetTooLong)
                case .unreachable: stall(packet, now)
                case .unknownPeer:
                    removeControl(isWish)
                    if packet.way == .best, packet.verb != .hello {
                        parkOutgoing(packet, now)
                    } else {
                        shared.drops.count(.destinationUnreachable)
                    }
                    continue
                }
            }
            removeControl(isWish)
        }
    }

    private var nextControl: (item: ControlItem, isWish: Bool)? {
        if let item = shared.control.first { return (item, false) }
        return shared.wishes.first.map { ($0, true) }
    }

    private mutating func removeControl(_ isWish: Bool) {
        if isWish { _ = shared.wishes.popFirst() } else { _ = shared.control.popFirst() }
    }

    enum Emission {
        case sent, full, tooLong, unreachable, unknownPeer
    }

    /// Writes one control packet.
    mutating func emit(_ packet: OutgoingPacket, into batch: inout TransmitBatch, _ now: Now) -> Emission {
        let time = now.monotonic
        numbers.note(now)
        guard let id = topology.find(packet.destination) else { return .unknownPeer }
        let path: PhysicalPath
        // A path that has not answered yet, or is that of a relay, may carry only the base.
        var chosen: Way?
        var isDirect = false
        switch packet.way {
        case .path(let given):
            path = given
            if let index = topology.peers[id].pathIndex(given) {
                topology.peers[id].paths[index].lastSend = time
                chosen = Way(path: given, owner: id, index: index)
            }
            isDirect = true
        case .best:
            if packet.verb.traits.isActivity { topology.peers[id].noteActivity(&shared, time) }
            guard let way = way(to: id, time) else { return .unreachable }
            topology.peers[way.owner].markSent(way.index, &shared, now)
            path = way.path
            chosen = way
            isDirect = way.owner == id
        case .upstream:
            guard let relay = bestUpstream(except: id, time), let way = topology.peers[relay].ownWay(.any, time) else {
                return .unreachable
            }
            path = way.path
            chosen = way
        }
        let wireID: PacketID?
        if packet.verb == .hello {
            wireID = appendHello(
                to: id, path: path, sentTo: isDirect ? path.remote : nil,
                filledTo: packet.isLengthProbe ? shared.configuration.pathMTU : 0, into: &batch, now)
        } else {
            let length = PacketHeader.payloadOffset + packet.payload.count
            let limit =
                chosen.map { topology.peers[id].datagramLimit($0, length: length, &shared, now) }
                ?? ProtocolLimits.basePathMTU
            guard PacketCut(length: length, limit: limit, full: shared.configuration.pathMTU) != nil else {
                return .tooLong
            }
            let route = PeerRoute(peer: id, path: path, suite: suite(for: id), datagramLimit: limit)
            wireID = append(length, verb: packet.verb, isCompressed: packet.isCompressed, route: route, into: &batch) {
                $0.copy(from: packet.payload, at: PacketHeader.payloadOffset)
            }
        }
        guard let wireID else { return .full }
        if packet.verb == .error, !packet.isCompressed { counters.noteErrorSent(packet.payload) }
        if packet.verb.traits.mayBeAnswered {
            expected.add(
                wireID,
                ExpectedReply(
                    peer: packet.destination, verb: packet.verb, sentAt: time, remote: isDirect ? path.remote : nil,
                    isLengthProbe: packet.isLengthProbe))
        }
        return .sent
    }

    /// Writes a HELLO. It is never cut: its receiver may not know us, and must read it as one datagram. `filledTo`: bytes of the
    /// datagram; what follows the last field is read by nobody.
    private mutating func appendHello(
        to id: PeerID, path: PhysicalPath, sentTo: SocketEndpoint?, filledTo: Int, into batch: inout TransmitBatch,
        _ now: Now
    ) -> PacketID? {
        var moons = shared.roots.moons.map {
            WorldReference(id: $0.id, timestampMilliseconds: $0.timestampMilliseconds)
        }
        moons += shared.roots.seeds.map { WorldReference(id: $0.moonID, timestampMilliseconds: 0) }
        let hello = Hello(
            protocolVersion: shared.configuration.announcedProtocolVersion,
            softwareVersion: shared.configuration.softwareVersion,
            timestampMilliseconds: UInt64(max(0, now.unixMilliseconds)), identity: identity, sentTo: sentTo,
            planet: WorldReference(
                id: shared.roots.planet?.id ?? 0, timestampMilliseconds: shared.roots.planet?.timestampMilliseconds ?? 0
            ),
            moons: moons, promises: shared.configuration.promises)
        var payload = hello.encoded
        let section = hello.sectionOffset
        let padding = filledTo - PacketHeader.payloadOffset - payload.count
        if padding > 0 { payload += [UInt8](repeating: 0, count: padding) }
        let length = PacketHeader.payloadOffset + payload.count
        let header = PacketHeader(
            id: numbers.next(using: &shared.random), destination: topology.peers[id].address, source: identity.address)
        let isWritten = batch.append(length, to: path) { span in
            span.copy(from: payload, at: PacketHeader.payloadOffset)
            header.write(into: &span)
            span.storeUInt8(Verb.hello.rawValue, at: PacketHeader.verbOffset)
            topology.peers[id].sealHello(&span, length: length, sectionOffset: section)
        }
        guard isWritten else { return nil }
        counters.noteSent(.hello)
        topology.peers[id].traffic.noteSent(length)
        return header.id
    }

    // MARK: Packets without a path

    /// Keeps a packet for which there is no path: tried again when one appears.
    private mutating func stall(_ packet: OutgoingPacket, _ now: Now) {
        guard packet.way == .best, packet.verb != .hello else {
            shared.drops.count(.destinationUnreachable)
            return
        }
        if stalled.append(packet) != nil { shared.drops.count(.destinationUnreachable) }
        if shared.timers.deadline(of: .stalled) == nil {
            shared.timers.schedule(.stalled, at: now.monotonic + ProtocolLimits.retryTick)
        }
    }

    /// Tries what had no path once more, and gives up what waited too long.
    mutating func retryStalled(_ now: Now) {
        var remaining = stalled.count
        while remaining > 0, let packet = stalled.popFirst() {
            remaining -= 1
            if now.monotonic - packet.queuedAt >= ProtocolLimits.queueEntryLife {
                shared.drops.count(.destinationUnreachable)
            } else {
                shared.enqueue(.packet(packet))
            }
        }
        shared.timers.cancel(.stalled)
    }
}
