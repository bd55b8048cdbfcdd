// The way in: Ethernet payload to IP to transport. Read first: RFC 1122 3.2.1 and 3.3.1, RFC 8200 3 and 4.

package import NetPrimitives

/// The facts that the IP layer found about a packet. Offsets are in the span that begins with the IP header.
struct PacketInfo {
    let interface: InterfaceID
    let sourceMAC: MACAddress
    let source: IPAddress
    let destination: IPAddress
    var protocolNumber: UInt8
    let hopLimit: UInt8
    let trafficClass: UInt8
    /// Where the upper layer begins and the packet ends.
    var payloadOffset: Int
    var payloadEnd: Int
    /// Sent to a group or broadcast, by IP address or by MAC.
    let isGroup: Bool
    let isLoopback: Bool
    /// It came in fragments.
    var isReassembled = false

    var payloadLength: Int { payloadEnd - payloadOffset }
}

/// A datagram that was put together of fragments, all of one station. Its bytes begin with the IP header.
package struct ReassembledDatagram: Sendable {
    package let interface: InterfaceID
    /// The frames' source.
    package let source: MACAddress
    /// The frame that completed it was to a group.
    package let isGroupFrame: Bool
    let isLoopback: Bool
    package let etherType: UInt16
    package let bytes: [UInt8]
}

extension NetworkStack {
    /// Takes a frame from the link: the Ethernet payload, padding allowed. Work that is done once per batch waits for
    /// `endBatch`.
    package mutating func receive(
        _ packet: RawSpan, etherType: UInt16, source: MACAddress, destination: MACAddress, on interface: InterfaceID,
        now: Now
    ) {
        statistics.framesReceived &+= 1
        statistics.bytesReceived &+= UInt64(packet.byteCount)
        guard interface != loopback, interfaces.contains(interface.slot) else { return drop(.noInterface) }
        if source == interfaces[interface.slot].mac { return drop(.ownMAC) }
        guard !source.isMulticast else { return drop(.martian) }
        let isGroupFrame = destination.isMulticast
        if isGroupFrame {
            guard interfaces[interface.slot].wants(destination) else { return drop(.foreignMAC) }
        } else {
            guard destination == interfaces[interface.slot].mac else { return drop(.foreignMAC) }
        }
        demultiplex(
            packet, etherType: etherType, on: interface, sourceMAC: source, isGroupFrame: isGroupFrame,
            isLoopback: false, now: now)
    }

    /// Ends a batch of frames: one ACK decision, one set of events and one timer per socket that got any.
    package mutating func endBatch(now: Now) {
        guard !touchedStreams.isEmpty else { return }
        var touched = touchedStreams
        touchedStreams = []
        for slot in touched where streams.contains(slot) {
            streams[slot].flags.remove(.touched)
            streams[slot].connection.endBatch(now: now)
            settle(slot, now)
        }
        // Keep the array's memory for the next batch.
        if touchedStreams.isEmpty {
            touched.removeAll(keepingCapacity: true)
            touchedStreams = touched
        }
    }

    /// Takes a frame that the link's checks let in, or a packet of the loop-back, which has no link.
    mutating func demultiplex(
        _ packet: RawSpan, etherType: UInt16, on interface: InterfaceID, sourceMAC: MACAddress, isGroupFrame: Bool,
        isLoopback: Bool, now: Now
    ) {
        guard packet.byteCount <= 65_575 else { return drop(.malformed) }
        switch etherType {
        case EtherType.ipv4:
            statistics.ipv4.received &+= 1
            receiveIPv4(
                packet, on: interface, sourceMAC: sourceMAC, isGroupFrame: isGroupFrame, isLoopback: isLoopback,
                wasReassembled: false, now: now)
        case EtherType.ipv6:
            statistics.ipv6.received &+= 1
            receiveIPv6(
                packet, on: interface, sourceMAC: sourceMAC, isGroupFrame: isGroupFrame, isLoopback: isLoopback,
                wasReassembled: false, now: now)
        case EtherType.arp where !isLoopback:
            receiveARP(packet, on: interface, from: sourceMAC, now: now)
        default:
            drop(.unknownEtherType)
        }
    }

    // Whether a source address may come from the link.
    private func isMartian(_ source: IPAddress, on id: InterfaceID) -> Bool {
        if source.isImpossibleSource || source.isLoopback { return true }
        if source.isIPv4, source.v4 >> 24 == 0 || source.v4 >> 28 == 0xf { return true }
        // A dual-stack socket would show such a source as the IPv4 address inside, which may be this host's own.
        if source.embedsIPv4 { return true }
        return interfaces[id.slot].isDirectedBroadcast(source)
    }

    private enum Reception {
        case unicast, group, foreign
    }

    private func reception(of destination: IPAddress, on id: InterfaceID, isLoopback: Bool) -> Reception {
        if destination.isMulticast { return interfaces[id.slot].hasJoined(destination) ? .group : .foreign }
        if interfaces[id.slot].owns(destination) || (isLoopback && isOwn(destination)) { return .unicast }
        if destination.isLimitedBroadcast || interfaces[id.slot].isDirectedBroadcast(destination) { return .group }
        return .foreign
    }

    // MARK: IPv4

    private mutating func receiveIPv4(
        _ packet: RawSpan, on id: InterfaceID, sourceMAC: MACAddress, isGroupFrame: Bool, isLoopback: Bool,
        wasReassembled: Bool, now: Now
    ) {
        let header: IPv4Header
        do { header = try IPv4Header(parsing: packet) } catch { return drop(error, \.ipv4) }
        if !isLoopback {
            guard !isMartian(header.source, on: id), !header.destination.isLoopback,
                !interfaces[id.slot].owns(header.source)
            else { return drop(.martian, \.ipv4) }
        }
        let reception = reception(of: header.destination, on: id, isLoopback: isLoopback)
        guard reception != .foreign else { return drop(.notForUs, \.ipv4) }
        if header.isFragment {
            let chain = IPHeaderChain.ofIPv4(packet, at: 0, available: packet.byteCount, length: packet.byteCount)
            guard chain != .unreadable else { return drop(.fragmentMalformed, \.ipv4) }
            let input = FragmentInput(
                key: ReassemblyKey(
                    station: sourceMAC, source: header.source, destination: header.destination,
                    identification: UInt32(header.identification), protocolNumber: header.protocolNumber,
                    interface: id),
                offset: header.fragmentOffset, moreFragments: header.moreFragments,
                payload: header.headerLength..<header.totalLength, headerLength: header.headerLength, nextHeader: 0,
                nextHeaderPointer: 0)
            guard let whole = reassemble(input, packet, \.ipv4, now) else { return }
            return judge(
                ReassembledDatagram(
                    interface: id, source: sourceMAC, isGroupFrame: isGroupFrame, isLoopback: isLoopback,
                    etherType: EtherType.ipv4, bytes: whole), now)
        }
        let info = PacketInfo(
            interface: id, sourceMAC: sourceMAC, source: header.source, destination: header.destination,
            protocolNumber: header.protocolNumber, hopLimit: header.hopLimit, trafficClass: header.trafficClass,
            payloadOffset: header.headerLength, payloadEnd: header.totalLength,
            isGroup: reception == .group || isGroupFrame, isLoopback: isLoopback)
        switch header.protocolNumber {
        case IPProtocol.tcp: receiveTCP(packet, info, now: now)
        case IPProtocol.udp: receiveUDP(packet, info, now: now)
        case IPProtocol.icmp4: receiveICMP4(packet, info, now: now)
        case IPProtocol.igmp:
            // VL2 handles membership: nothing is reported here, and queries are only counted.
            statistics.igmp.received &+= 1
            drop(.ignoredControl, \.igmp)
        default:
            drop(.unknownProtocol, \.ipv4)
            sendError(ICMPHeader(type: ICMPType.unreachable4, code: 2), about: packet, info, now: now)
        }
    }

    private mutating func reassemble(
        _ input: FragmentInput, _ packet: RawSpan,
        _ counters: WritableKeyPath<StackStatistics, StackStatistics.ProtocolCounters>, _ now: Now
    ) -> [UInt8]? {
        let outcome = reassembly.receive(
            input, packet: packet, limits: configuration.limits, lifetime: configuration.reassemblyTimeout, now: now)
        timers.set(reassemblyTimer, reassembly.nextDeadline)
        switch outcome {
        case .stored: return nil
        case .dropped(let reason):
            drop(reason, counters)
            return nil
        case .complete(let bytes):
            statistics.reassembled &+= 1
            return bytes
        }
    }

    mutating func expireReassembly(_ now: Now) {
        while let expired = reassembly.popExpired(now.monotonic) {
            let isIPv4 = expired.key.source.isIPv4
            drop(.reassemblyTimeout, isIPv4 ? \.ipv4 : \.ipv6)
            guard let quote = expired.firstFragment else { continue }
            let header = ICMPHeader(type: isIPv4 ? ICMPType.timeExceeded4 : ICMPType.timeExceeded6, code: 1)
            let info = PacketInfo(
                interface: expired.key.interface, sourceMAC: expired.key.station, source: expired.key.source,
                destination: expired.key.destination, protocolNumber: 0, hopLimit: 0, trafficClass: 0,
                payloadOffset: 0, payloadEnd: quote.count, isGroup: expired.key.destination.isMulticast,
                isLoopback: false)
            quote.withBytes { sendError(header, about: $0, info, now: now) }
        }
        timers.set(reassemblyTimer, reassembly.nextDeadline)
    }

    // MARK: IPv6

    private mutating func receiveIPv6(
        _ packet: RawSpan, on id: InterfaceID, sourceMAC: MACAddress, isGroupFrame: Bool, isLoopback: Bool,
        wasReassembled: Bool, now: Now
    ) {
        let header: IPv6Header
        do { header = try IPv6Header(parsing: packet) } catch { return drop(error, \.ipv6) }
        if !isLoopback {
            // From no address comes address detection and nothing else (RFC 4291 2.5.2).
            guard !isMartian(header.source, on: id), !header.destination.isLoopback,
                !interfaces[id.slot].owns(header.source) || isAdvertisement(packet, header),
                !header.source.isUnspecified || header.nextHeader == IPProtocol.icmp6
            else { return drop(.martian, \.ipv6) }
        }
        let reception = reception(of: header.destination, on: id, isLoopback: isLoopback)
        guard reception != .foreign else { return drop(.notForUs, \.ipv6) }
        let end = IPv6Header.size + header.payloadLength
        var info = PacketInfo(
            interface: id, sourceMAC: sourceMAC, source: header.source, destination: header.destination,
            protocolNumber: header.nextHeader, hopLimit: header.hopLimit, trafficClass: header.trafficClass,
            payloadOffset: IPv6Header.size, payloadEnd: end, isGroup: reception == .group || isGroupFrame,
            isLoopback: isLoopback, isReassembled: wasReassembled)
        let walk = IPv6Walk.walk(
            packet, end: end, isMulticast: header.destination.isMulticast, wasReassembled: wasReassembled)
        switch walk {
        case .nothing:
            return
        case .drop(let reason):
            drop(reason, \.ipv6)
        case .problem(let code, let pointer, let always):
            drop(.extensionHeader, \.ipv6)
            sendError(
                ICMPHeader(type: ICMPType.parameterProblem6, code: code, rest: UInt32(pointer)), about: packet, info,
                evenToGroup: always, now: now)
        case .fragment(let fragment, let offset, let pointer):
            receiveFragment(fragment, at: offset, pointer: pointer, packet, info, isGroupFrame: isGroupFrame, now: now)
        case .upper(let protocolNumber, let offset, let pointer):
            info.protocolNumber = protocolNumber
            info.payloadOffset = offset
            switch protocolNumber {
            case IPProtocol.tcp: receiveTCP(packet, info, now: now)
            case IPProtocol.udp: receiveUDP(packet, info, now: now)
            case IPProtocol.icmp6: receiveICMP6(packet, info, now: now)
            default:
                drop(.unknownProtocol, \.ipv6)
                sendError(
                    ICMPHeader(type: ICMPType.parameterProblem6, code: 1, rest: UInt32(pointer)), about: packet, info,
                    now: now)
            }
        }
    }

    // A station that claims an address of ours sends from it. Only its advertisement is looked at.
    private func isAdvertisement(_ packet: RawSpan, _ header: IPv6Header) -> Bool {
        header.nextHeader == IPProtocol.icmp6 && header.payloadLength > 0
            && packet.loadUInt8(at: IPv6Header.size) == ICMPType.neighbourAdvertisement
    }

    private mutating func receiveFragment(
        _ fragment: IPv6Fragment, at offset: Int, pointer: Int, _ packet: RawSpan, _ info: PacketInfo,
        isGroupFrame: Bool, now: Now
    ) {
        let start = offset + IPv6Header.fragmentSize
        if fragment.moreFragments, (info.payloadEnd - start) % 8 != 0 {
            // RFC 8200 4.5: the pointer is to the payload length.
            drop(.fragmentMalformed, \.ipv6)
            sendError(
                ICMPHeader(type: ICMPType.parameterProblem6, code: 0, rest: 4), about: packet, info, now: now)
            return
        }
        // RFC 7112: the first fragment holds the whole chain of headers.
        let length = packet.byteCount
        let chain = IPHeaderChain.ofIPv6(packet, at: 0, available: length, length: length, isReassembled: false)
        if chain == .unreadable {
            drop(.fragmentMalformed, \.ipv6)
            sendError(
                ICMPHeader(type: ICMPType.parameterProblem6, code: 3), about: packet, info, now: now)
            return
        }
        let input = FragmentInput(
            key: ReassemblyKey(
                station: info.sourceMAC, source: info.source, destination: info.destination,
                identification: fragment.identification,
                protocolNumber: 0, interface: info.interface),
            offset: fragment.offset, moreFragments: fragment.moreFragments, payload: start..<info.payloadEnd,
            headerLength: offset, nextHeader: fragment.nextHeader, nextHeaderPointer: pointer)
        guard let whole = reassemble(input, packet, \.ipv6, now) else { return }
        judge(
            ReassembledDatagram(
                interface: info.interface, source: info.sourceMAC, isGroupFrame: isGroupFrame,
                isLoopback: info.isLoopback, etherType: EtherType.ipv6, bytes: whole), now)
    }

    // MARK: Reassembled datagrams

    // Shows a datagram to the owner, if the owner wants it, or takes it.
    private mutating func judge(_ datagram: ReassembledDatagram, _ now: Now) {
        guard !datagram.isLoopback, interfaces[datagram.interface.slot].configuration.judgesReassembled else {
            return receive(reassembled: datagram, now: now)
        }
        // The owner asks after every frame: there is one at most.
        reassembled = datagram
    }

    /// The datagram that the last frame completed, for the owner to judge.
    package mutating func nextReassembled() -> ReassembledDatagram? {
        guard let datagram = reassembled else { return nil }
        reassembled = nil
        return datagram
    }

    /// Takes a datagram that came out of `nextReassembled` and may be delivered.
    package mutating func receive(reassembled datagram: ReassembledDatagram, now: Now) {
        guard interfaces.contains(datagram.interface.slot) else { return drop(.noInterface) }
        datagram.bytes.withBytes {
            if datagram.etherType == EtherType.ipv4 {
                receiveIPv4(
                    $0, on: datagram.interface, sourceMAC: datagram.source, isGroupFrame: datagram.isGroupFrame,
                    isLoopback: datagram.isLoopback, wasReassembled: true, now: now)
            } else {
                receiveIPv6(
                    $0, on: datagram.interface, sourceMAC: datagram.source, isGroupFrame: datagram.isGroupFrame,
                    isLoopback: datagram.isLoopback, wasReassembled: true, now: now)
            }
        }
    }
}
