// ICMP of both families: echo, errors out, errors in to the sockets that they are about.
// Read first: RFC 1122 3.2.2, RFC 4443 2.4, RFC 5927 (what to believe), RFC 1191, RFC 8201.

import NetPrimitives

/// The packet that an ICMP error quotes, as far as it is there.
struct QuotedPacket {
    let source: IPAddress
    let destination: IPAddress
    let protocolNumber: UInt8
    /// Where the transport header begins; at least eight bytes of it are there.
    let offset: Int
    /// Length of the IP header, extension headers included.
    let headerLength: Int

    /// Reads the quote at the start of a span; nil if it is no packet or too short.
    init?(parsing span: RawSpan) {
        guard span.byteCount >= IPv4Header.size else { return nil }
        let first = span.loadUInt8(at: 0)
        if first >> 4 == 4 {
            let length = Int(first & 0xf) * 4
            guard length >= IPv4Header.size, span.byteCount >= length + 8,
                span.loadUInt16(at: 6) & 0x1fff == 0
            else { return nil }
            source = span.loadIPv4(at: 12)
            destination = span.loadIPv4(at: 16)
            protocolNumber = span.loadUInt8(at: 9)
            offset = length
            headerLength = length
            return
        }
        guard first >> 4 == 6, span.byteCount >= IPv6Header.size + 8 else { return nil }
        source = span.loadIPv6(at: 8)
        destination = span.loadIPv6(at: 24)
        switch IPv6Walk.walk(span, end: span.byteCount, isMulticast: true, wasReassembled: false) {
        case .upper(let number, let position, _):
            protocolNumber = number
            offset = position
        case .fragment(let fragment, let position, _) where fragment.offset == 0:
            protocolNumber = fragment.nextHeader
            offset = position + IPv6Header.fragmentSize
        default: return nil
        }
        guard offset + 8 <= span.byteCount else { return nil }
        headerLength = offset
    }
}

extension NetworkStack {
    // MARK: Received

    mutating func receiveICMP4(_ packet: RawSpan, _ info: PacketInfo, now: Now) {
        statistics.icmp4.received &+= 1
        let header: ICMPHeader
        do {
            header = try ICMPHeader(parsing: packet, at: info.payloadOffset, count: info.payloadLength, pseudoSum: 0)
        } catch { return drop(error, \.icmp4) }
        let body = info.payloadOffset + ICMPHeader.size
        switch header.type {
        case ICMPType.echo4:
            answerEcho(packet, info, header, ICMPType.echoReply4, now)
        case ICMPType.echoReply4:
            receiveEchoReply(header, info, length: info.payloadEnd - body, now)
        case ICMPType.unreachable4 where header.code == 4:
            receiveTooBig(packet, info, body, mtu: Int(header.rest & 0xffff), now)
        case ICMPType.unreachable4:
            receiveError(packet, info, body, ICMPErrorKind(unreachable4: header.code), now)
        case ICMPType.timeExceeded4 where header.code == 0:
            receiveError(packet, info, body, ICMPErrorKind(.hostUnreachable, isHard: false), now)
        case ICMPType.parameterProblem4:
            receiveError(packet, info, body, ICMPErrorKind(.protocolUnreachable, isHard: true), now)
        default:
            drop(.ignoredControl, \.icmp4)
        }
    }

    mutating func receiveICMP6(_ packet: RawSpan, _ info: PacketInfo, now: Now) {
        statistics.icmp6.received &+= 1
        let header: ICMPHeader
        do {
            header = try ICMPHeader(
                parsing: packet, at: info.payloadOffset, count: info.payloadLength,
                pseudoSum: pseudoHeaderSum(
                    info.source, info.destination, IPProtocol.icmp6, length: info.payloadLength))
        } catch { return drop(error, \.icmp6) }
        let body = info.payloadOffset + ICMPHeader.size
        switch header.type {
        case ICMPType.echo6:
            answerEcho(packet, info, header, ICMPType.echoReply6, now)
        case ICMPType.echoReply6:
            receiveEchoReply(header, info, length: info.payloadEnd - body, now)
        case ICMPType.tooBig6:
            receiveTooBig(packet, info, body, mtu: Int(header.rest), now)
        case ICMPType.unreachable6:
            receiveError(packet, info, body, ICMPErrorKind(unreachable6: header.code), now)
        case ICMPType.timeExceeded6 where header.code == 0:
            receiveError(packet, info, body, ICMPErrorKind(.hostUnreachable, isHard: false), now)
        case ICMPType.parameterProblem6:
            receiveError(packet, info, body, ICMPErrorKind(.protocolUnreachable, isHard: header.code == 1), now)
        case ICMPType.neighbourSolicitation, ICMPType.neighbourAdvertisement, ICMPType.routerAdvertisement:
            statistics.nd6.received &+= 1
            // A packet that crossed a router has a lower hop limit (RFC 4861 7.1, 6.1.2). Behind an extension header it
            // would pass rules that look at claims (cf. RFC 6980).
            guard info.hopLimit == 255, header.code == 0, !info.isLoopback,
                info.payloadOffset == IPv6Header.size, !info.isReassembled
            else {
                return drop(.neighbourDiscovery, \.icmp6)
            }
            if header.type == ICMPType.neighbourSolicitation {
                receiveSolicitation(packet, info, now: now)
            } else if header.type == ICMPType.neighbourAdvertisement {
                receiveAdvertisement(packet, info, rest: header.rest, now: now)
            } else {
                receiveRouterAdvertisement(packet, info, rest: header.rest, now: now)
            }
        case ICMPType.routerSolicitation:
            statistics.nd6.received &+= 1
            drop(.routerMessage, \.icmp6)
        default:
            drop(.ignoredControl, \.icmp6)
        }
    }

    private mutating func answerEcho(
        _ packet: RawSpan, _ info: PacketInfo, _ header: ICMPHeader, _ type: UInt8, _ now: Now
    ) {
        // No answers to groups: that would make every member an amplifier.
        guard configuration.answersEcho, !info.isGroup, !info.source.isUnspecified else {
            return drop(.ignoredControl, info.source.isIPv4 ? \.icmp4 : \.icmp6)
        }
        guard mayAnswer(info, now) else {
            return drop(.rateLimited, info.source.isIPv4 ? \.icmp4 : \.icmp6)
        }
        let payload = packet.extracting((info.payloadOffset + ICMPHeader.size)..<info.payloadEnd)
        let reply = ICMPHeader(type: type, code: 0, rest: header.rest)
        sendICMP(
            reply, payload, from: info.destination, to: info.source, on: replyInterface(info),
            .answer(info.sourceMAC), now: now)
    }

    /// Whether an answer (echo reply, reset) may go to the station that a packet came from.
    mutating func mayAnswer(_ info: PacketInfo, _ now: Now) -> Bool {
        info.isLoopback
            || errorLimiter.allow(
                StationKey(info.interface, info.sourceMAC), limits: configuration.limits, now: now.monotonic,
                random: &random)
    }

    /// The interface by which an answer goes: the one that the packet came by.
    func replyInterface(_ info: PacketInfo) -> InterfaceID? { info.isLoopback ? nil : info.interface }

    mutating func sendICMP(
        _ header: ICMPHeader, _ payload: RawSpan, from source: IPAddress, to destination: IPAddress,
        on interface: InterfaceID?, hopLimit: UInt8? = nil, _ occasion: Occasion, now: Now
    ) {
        let number = source.isIPv4 ? IPProtocol.icmp4 : IPProtocol.icmp6
        guard let route = try? route(to: destination, from: source, on: interface, now: now) else {
            return drop(.noRoute, source.isIPv4 ? \.icmp4 : \.icmp6)
        }
        let pseudoSum = source.isIPv4 ? 0 : pseudoHeaderSum(route.source, destination, number)
        let message = header.message(payload: payload, pseudoSum: pseudoSum)
        if source.isIPv4 { statistics.icmp4.sent &+= 1 } else { statistics.icmp6.sent &+= 1 }
        sendIP(
            message, protocolNumber: number, along: route, to: destination,
            hopLimit: hopLimit ?? configuration.defaultHopLimit, occasion, now: now)
    }

    // MARK: Errors out

    /// Tells a packet's source what is wrong with it, if rules and pace allow that. `packet` begins with the IP header.
    mutating func sendError(
        _ header: ICMPHeader, about packet: RawSpan, _ info: PacketInfo, evenToGroup: Bool = false, now: Now
    ) {
        let isIPv4 = info.source.isIPv4
        // RFC 1122 3.2.2, RFC 4443 2.4 (e): never about groups, nameless sources or other errors.
        guard !info.isGroup || evenToGroup, !info.source.isUnspecified, !info.source.isImpossibleSource else { return }
        if info.protocolNumber == IPProtocol.icmp4, isIPv4 { return }
        if info.protocolNumber == IPProtocol.icmp6, !isIPv4 {
            guard info.payloadLength >= 1, packet.loadUInt8(at: info.payloadOffset) >= 128 else { return }
        }
        guard interfaces.contains(info.interface.slot) else { return }
        if !info.isLoopback {
            guard
                errorLimiter.allow(
                    info.source, by: StationKey(info.interface, info.sourceMAC), limits: configuration.limits,
                    now: now.monotonic, random: &random)
            else { return drop(.rateLimited) }
        }
        // RFC 1812 4.3.2.3: 576 bytes in all; RFC 4443 2.4 (c): as much as fits the least MTU.
        let quoted = min(packet.byteCount, isIPv4 ? 548 : 1_232)
        var source = info.destination
        if info.destination.isMulticast || info.destination.isLimitedBroadcast {
            guard let own = interfaces[info.interface.slot].source(for: info.source, preferred: nil) else { return }
            source = own
        }
        statistics.errorsSent &+= 1
        sendICMP(
            header, packet.extracting(0..<quoted), from: source, to: info.source, on: replyInterface(info),
            .answer(info.sourceMAC), now: now)
    }

    // MARK: Errors in

    private mutating func receiveError(
        _ packet: RawSpan, _ info: PacketInfo, _ body: Int, _ kind: ICMPErrorKind, _ now: Now
    ) {
        guard !info.isGroup, let quote = QuotedPacket(parsing: packet.extracting(body..<info.payloadEnd)),
            quote.source == info.destination, nextHop(to: quote, ifReportedBy: info, now) != nil
        else { return drop(.unmatchedError) }
        deliver(kind, quote, packet.extracting(body..<info.payloadEnd), info, now)
    }

    // The next hop to a packet's destination, if the report comes from that station. Only the next hop would have had the
    // packet and can know its fate. Nil for any other station.
    private mutating func nextHop(
        to quote: QuotedPacket, ifReportedBy info: PacketInfo, _ now: Now
    ) -> IPAddress? {
        guard let route = try? route(to: quote.destination, from: quote.source, on: replyInterface(info), now: now)
        else { return nil }
        switch route.kind {
        case .loopback: return info.isLoopback ? route.nextHop : nil
        case .group: return nil
        case .unicast:
            guard let slot = neighbours.find(ScopedAddress(route.interface, route.nextHop)),
                neighbours.entries[slot].hasMAC, neighbours.entries[slot].mac == info.sourceMAC
            else { return nil }
            return route.nextHop
        }
    }

    // Finds the socket that sent the quoted packet.
    private mutating func deliver(
        _ kind: ICMPErrorKind, _ quote: QuotedPacket, _ quoted: RawSpan, _ info: PacketInfo, _ now: Now
    ) {
        let localPort = quoted.loadUInt16(at: quote.offset)
        let remotePort = quoted.loadUInt16(at: quote.offset + 2)
        switch quote.protocolNumber {
        case IPProtocol.tcp:
            let key = FlowKey(
                IPProtocol.tcp, local: quote.source, localPort: localPort, remote: quote.destination,
                remotePort: remotePort, interface: info.interface)
            guard case .stream(let slot)? = flows[key], streams.contains(slot) else { return drop(.unmatchedError) }
            let sequence = SequenceNumber(quoted.loadUInt32(at: quote.offset + 4))
            streams[slot].connection.receive(
                unreachable: kind.connectionError, isHard: kind.isHard, sequence: sequence, now: now)
            settle(slot, now)
        case IPProtocol.udp:
            let key = FlowKey(
                IPProtocol.udp, local: quote.source, localPort: localPort, remote: quote.destination,
                remotePort: remotePort, interface: info.interface)
            guard case .datagram(let slot)? = flows[key], datagramSockets.contains(slot) else {
                return drop(.unmatchedError)
            }
            datagramSockets[slot].error = kind.error
            noteDatagram(slot, [.error, .readable, .writable])
        case IPProtocol.icmp4, IPProtocol.icmp6:
            failEcho(quote, quoted, reporter: info.source, kind.error)
        default:
            drop(.unmatchedError)
        }
    }

    /// Tells the sender of a packet that never left this stack.
    mutating func reportLocally(_ error: StackError, about packet: RawSpan, on id: InterfaceID, now: Now) {
        guard let quote = QuotedPacket(parsing: packet) else { return }
        let info = PacketInfo(
            interface: id, sourceMAC: .zero, source: quote.source, destination: quote.source, protocolNumber: 0,
            hopLimit: 0, trafficClass: 0, payloadOffset: 0, payloadEnd: 0, isGroup: false, isLoopback: true)
        guard
            quote.protocolNumber == IPProtocol.udp || quote.protocolNumber == IPProtocol.icmp4
                || quote.protocolNumber == IPProtocol.icmp6
        else { return }
        deliver(ICMPErrorKind(error, isHard: false), quote, packet, info, now)
    }

    private mutating func receiveTooBig(_ packet: RawSpan, _ info: PacketInfo, _ body: Int, mtu: Int, _ now: Now) {
        guard !info.isGroup, let quote = QuotedPacket(parsing: packet.extracting(body..<info.payloadEnd)),
            quote.source == info.destination, interfaces.contains(info.interface.slot),
            // On the link nothing is smaller than the link: only a router reports a smaller path.
            let hop = nextHop(to: quote, ifReportedBy: info, now), hop != quote.destination
        else { return drop(.unmatchedError) }
        let quoted = packet.extracting(body..<info.payloadEnd)
        let isIPv4 = quote.source.isIPv4
        // Below these floors nothing is believed; an old router's 0 means no more than "smaller".
        let floor = isIPv4 ? StackConstants.minimumPathMTU4 : StackConstants.minimumMTU6
        let believed = max(mtu, floor)
        guard believed < interfaces[info.interface.slot].mtu else { return drop(.unmatchedError) }
        let localPort = quoted.loadUInt16(at: quote.offset)
        let remotePort = quoted.loadUInt16(at: quote.offset + 2)
        let key = FlowKey(
            quote.protocolNumber, local: quote.source, localPort: localPort, remote: quote.destination,
            remotePort: remotePort, interface: info.interface)
        var stream: SlotID?
        switch quote.protocolNumber {
        case IPProtocol.tcp:
            guard case .stream(let slot)? = flows[key], streams.contains(slot) else { return drop(.unmatchedError) }
            stream = slot
        case IPProtocol.udp:
            // The port that is said to have sent too much must be in use here.
            let owner = bindings.receiver(
                IPProtocol.udp, localPort, quote.source, info.interface, flowHash: 0)
            guard owner != nil else { return drop(.unmatchedError) }
        case IPProtocol.icmp4, IPProtocol.icmp6:
            guard hasEcho(quote, quoted) else { return drop(.unmatchedError) }
        default:
            return drop(.unmatchedError)
        }
        if let stream {
            let sequence = SequenceNumber(quoted.loadUInt32(at: quote.offset + 4))
            let before = streams[stream].connection.interfaceSegmentSize
            streams[stream].connection.limitSegmentSize(
                to: believed - streams[stream].headerLength - 20, sequence: sequence, now: now)
            settle(stream, now)
            // The connection knows whether it sent what is quoted (RFC 5927 7.2).
            guard streams.contains(stream), streams[stream].connection.interfaceSegmentSize < before else {
                return drop(.unmatchedError)
            }
        }
        let scoped = ScopedAddress(info.interface, quote.destination)
        if pathMTUs.lower(scoped, to: believed, limit: configuration.limits.pathMTUs, now: now.monotonic) {
            statistics.pathMTUChanges &+= 1
            routeGeneration += 1
        }
    }
}

/// The meaning of an ICMP error for a socket.
struct ICMPErrorKind {
    let error: StackError
    /// Whether the condition will not pass by itself.
    let isHard: Bool

    init(_ error: StackError, isHard: Bool) {
        self.error = error
        self.isHard = isHard
    }

    /// RFC 1122 4.2.3.9 and Linux's table.
    init(unreachable4 code: UInt8) {
        switch code {
        case 0, 6, 11: self.init(.networkUnreachable, isHard: false)
        case 2: self.init(.protocolUnreachable, isHard: true)
        case 3: self.init(.refused, isHard: true)
        case 9, 10, 13: self.init(.accessDenied, isHard: true)
        default: self.init(.hostUnreachable, isHard: false)
        }
    }

    /// RFC 4443 3.1.
    init(unreachable6 code: UInt8) {
        switch code {
        case 0: self.init(.networkUnreachable, isHard: false)
        case 1, 5, 6: self.init(.accessDenied, isHard: true)
        case 4: self.init(.refused, isHard: true)
        default: self.init(.hostUnreachable, isHard: false)
        }
    }

    /// The nearest error that a connection has.
    var connectionError: ConnectionError {
        switch error {
        case .refused: .refused
        case .networkUnreachable: .networkUnreachable
        default: .hostUnreachable
        }
    }
}
