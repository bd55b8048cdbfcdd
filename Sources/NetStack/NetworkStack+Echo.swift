// Echo requests of our own. Read first: RFC 792 (echo), RFC 4443 4.

package import NetPrimitives

extension NetworkStack {
    /// Sends an echo request. The answer, an error or the timeout comes as an event, once.
    package mutating func sendEcho(
        to destination: IPAddress, from source: IPAddress? = nil, identifier: UInt16, sequence: UInt16,
        payload: RawSpan, hopLimit: UInt8? = nil, on interface: InterfaceID? = nil,
        timeout: Duration = .seconds(10), now: Now
    ) throws(StackError) {
        let isIPv4 = destination.isIPv4
        let most = (isIPv4 ? StackConstants.maximumPayload4 : StackConstants.maximumPayload6)
        guard payload.byteCount <= most else { throw .messageTooLong }
        let route = try route(to: destination, from: source, on: interface, now: now)
        guard route.kind != .group else { throw .networkUnreachable }
        let key = EchoKey(
            destination: route.kind == .loopback ? route.nextHop : destination, identifier: identifier,
            sequence: sequence)
        guard echoIndex[key] == nil else { throw .alreadyInProgress }
        guard echoRequests.count < configuration.limits.echoRequests else { throw .noBuffers }
        let timer = timers.reserve()
        let slot = echoRequests.insert(EchoRequest(key: key, sentAt: now.monotonic, timer: timer))
        timers.setOwner(timer, .echo(slot))
        timers.set(timer, now.monotonic + timeout)
        echoIndex.set(key, slot)
        let header = ICMPHeader(
            type: isIPv4 ? ICMPType.echo4 : ICMPType.echo6, code: 0,
            rest: UInt32(identifier) << 16 | UInt32(sequence))
        sendICMP(
            header, payload, from: route.source, to: key.destination,
            on: route.kind == .loopback ? nil : route.interface, hopLimit: hopLimit, .own, now: now)
    }

    mutating func receiveEchoReply(_ header: ICMPHeader, _ info: PacketInfo, length: Int, _ now: Now) {
        let key = EchoKey(destination: info.source, identifier: header.identifier, sequence: header.sequence)
        guard let request = finishEcho(key) else { return drop(.unmatchedError) }
        events.append(
            .echoReply(
                EchoReply(
                    source: info.source, identifier: header.identifier, sequence: header.sequence,
                    payloadLength: length, hopLimit: info.hopLimit, roundTrip: now.monotonic - request.sentAt)))
    }

    // Forgets a request, since its answer has come.
    private mutating func finishEcho(_ key: EchoKey) -> EchoRequest? {
        guard let slot = echoIndex.remove(key), let request = echoRequests.remove(slot) else { return nil }
        timers.remove(request.timer)
        return request
    }

    private func echoKey(_ quote: QuotedPacket, _ quoted: RawSpan) -> EchoKey? {
        let type = quoted.loadUInt8(at: quote.offset)
        guard type == (quote.source.isIPv4 ? ICMPType.echo4 : ICMPType.echo6) else { return nil }
        return EchoKey(
            destination: quote.destination, identifier: quoted.loadUInt16(at: quote.offset + 4),
            sequence: quoted.loadUInt16(at: quote.offset + 6))
    }

    /// Whether the quoted packet is a request that waits.
    func hasEcho(_ quote: QuotedPacket, _ quoted: RawSpan) -> Bool {
        echoKey(quote, quoted).map { echoIndex[$0] != nil } ?? false
    }

    mutating func failEcho(_ quote: QuotedPacket, _ quoted: RawSpan, reporter: IPAddress, _ error: StackError) {
        guard let key = echoKey(quote, quoted), finishEcho(key) != nil else { return drop(.unmatchedError) }
        events.append(
            .echoFailed(
                key.destination, identifier: key.identifier, sequence: key.sequence, reporter: reporter, error))
    }

    mutating func fireEcho(_ slot: SlotID) {
        guard echoRequests.contains(slot) else { return }
        let key = echoRequests[slot].key
        guard finishEcho(key) != nil else { return }
        events.append(.echoTimedOut(key.destination, identifier: key.identifier, sequence: key.sequence))
    }
}
