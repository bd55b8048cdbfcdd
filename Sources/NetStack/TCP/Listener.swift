// A listening port: half-open connections as small entries, completed ones as a queue of names.
// Read first: RFC 9293 section 3.10.7.2, RFC 4987 (SYN flooding).
//
// A SYN makes an entry and a SYN-ACK is due. The ACK that completes it makes a `Connection`, in the host's table. When
// the queue of entries is full, SYN-ACKs carry cookies instead and nothing is kept.

package import NetPrimitives

/// A SYN-ACK of a listener, with its addresses.
package struct ListenerReply: Sendable {
    package var local: SocketEndpoint
    package var remote: SocketEndpoint
    /// Where the SYN came from on the link; nil over the loop-back.
    package var station: StationKey?
    package var segment: ReplySegment
}

/// The meaning of a segment to a listening port.
package enum ListenerOutcome: Sendable {
    case dropped(SegmentDrop)
    /// Answer with this.
    case reply(ReplySegment)
    /// A SYN-ACK is due: `nextReply`.
    case replyDue
    /// The peer took its SYN back.
    case withdrawn
    /// Make a `Connection(accepting:)`, feed it this same segment, then `enqueue` its name.
    case established(ConnectionParameters, HandshakeResult)
}

/// A listening port.
package struct Listener: ~Copyable {
    /// What connections inherit.
    package var options: ConnectionOptions
    /// Completed connections that may wait, less one (Linux counts so).
    package private(set) var backlog: Int
    private var completed: [SlotID] = []
    private var halfOpen: [HalfOpen] = []
    private var repliesDue = 0
    // No entry has an earlier deadline.
    private var earliest = Int.max
    private var lastCookieAt: Int?

    /// One half-open connection.
    private struct HalfOpen {
        var local: SocketEndpoint
        var remote: SocketEndpoint
        var station: StationKey?
        var handshake: HandshakeResult
        var initialSequence: SequenceNumber
        var timestampOffset: UInt32
        var maximumSegmentSize: Int
        var deadline: Int
        var timeouts = 0
        var isReplyDue = true
        var wasAnswered = false
        /// Whether the SYN-ACK names our segment size.
        var tellsSegmentSize: Bool
    }

    /// Makes a listener. `backlog` is clamped to 0...4096; negative means the maximum.
    package init(backlog: Int, options: ConnectionOptions) {
        self.options = options
        self.backlog = Listener.clamped(backlog)
    }

    private static func clamped(_ backlog: Int) -> Int {
        backlog < 0 ? TCPLimits.maximumBacklog : min(backlog, TCPLimits.maximumBacklog)
    }

    // MARK: Application

    package mutating func setBacklog(_ backlog: Int) { self.backlog = Listener.clamped(backlog) }
    /// A completed connection joins the queue; `established` has checked that there is room.
    package mutating func enqueue(_ id: SlotID) { completed.append(id) }
    /// The oldest completed connection.
    package mutating func accept() -> SlotID? { completed.isEmpty ? nil : completed.removeFirst() }
    package var canAccept: Bool { !completed.isEmpty }
    /// Connections that wait, oldest first: to be reset when the listener closes.
    package var waiting: [SlotID] { completed }
    package var halfOpenCount: Int { halfOpen.count }
    private var isFull: Bool { completed.count > backlog }

    // MARK: Network

    /// Takes a segment for which there is no connection, from a station of the link. `maximumSegmentSize` by the interface, before options.
    package mutating func receive(
        _ header: SegmentHeader, packet: RawSpan, local: SocketEndpoint, remote: SocketEndpoint, station: StationKey?,
        maximumSegmentSize: Int, sequences: InitialSequence, now: Now
    ) -> ListenerOutcome {
        let sum = pseudoHeaderSum(local.address, remote.address)
        guard header.isChecksumValid(in: packet, pseudoHeaderSum: sum) else { return .dropped(.badChecksum) }
        let time = now.nanoseconds
        let flags = header.flags
        if flags.contains(.reset) {
            guard let index = find(local, remote, station),
                header.sequence == halfOpen[index].handshake.peerInitialSequence + 1
            else { return .dropped(.closed) }
            remove(index)
            return .withdrawn
        }
        if flags.contains(.synchronize), !flags.contains(.acknowledge) {
            guard !flags.contains(.finish) else { return .dropped(.badFlags) }
            if let index = find(local, remote, station) {
                markDue(index)
                return .replyDue
            }
            let size = ownSegmentSize(maximumSegmentSize)
            return receiveSyn(header, local, remote, station, size, sequences, time)
        }
        guard flags.contains(.acknowledge) else { return .dropped(.badFlags) }
        guard !flags.contains(.synchronize) else { return reset(header) }
        if let index = find(local, remote, station) { return complete(index, header) }
        return completeCookie(header, local, remote, ownSegmentSize(maximumSegmentSize), sequences, time)
    }

    private func ownSegmentSize(_ interface: Int) -> Int {
        let limit = options.maximumSegmentSize
        return limit > 0 ? min(limit, interface) : interface
    }

    private func reset(_ header: SegmentHeader) -> ListenerOutcome {
        ReplySegment(resetting: header).map { .reply($0) } ?? .dropped(.closed)
    }

    private mutating func receiveSyn(
        _ header: SegmentHeader, _ local: SocketEndpoint, _ remote: SocketEndpoint, _ station: StationKey?,
        _ size: Int, _ sequences: InitialSequence, _ time: Int
    ) -> ListenerOutcome {
        guard !isFull else { return .dropped(.queueFull) }
        let handshake = negotiated(header, remote)
        let offset = sequences.timestampOffset(local: local, remote: remote)
        if halfOpen.count >= TCPLimits.synQueue {
            lastCookieAt = time
            let cookie = SynCookie.make(handshake, local, remote, sequences, time: time)
            var reply = synAck(
                header.destinationPort, header.sourcePort, cookie.sequence, handshake,
                header.options.maximumSegmentSize == nil ? nil : size)
            if let timestamp = handshake.timestamp {
                reply.timestamp = SegmentOptions.Timestamp(
                    value: cookie.timestamp(TimestampClock(offset: offset).stamp(time)), echo: timestamp)
            }
            return .reply(reply)
        }
        // RFC 9293 3.7.1 wants the option in any case, but what answers a flood is no longer than the flood.
        let tellsSize = header.options.maximumSegmentSize != nil || !isCrowded(station, before: halfOpen.count)
        halfOpen.append(
            HalfOpen(
                local: local, remote: remote, station: station, handshake: handshake,
                initialSequence: sequences.sequence(local: local, remote: remote, time: time),
                timestampOffset: offset, maximumSegmentSize: size,
                deadline: time + TCPLimits.initialTimeoutNanoseconds, tellsSegmentSize: tellsSize))
        earliest = min(earliest, time + TCPLimits.initialTimeoutNanoseconds)
        repliesDue += 1
        return .replyDue
    }

    private func negotiated(_ header: SegmentHeader, _ remote: SocketEndpoint) -> HandshakeResult {
        let standard =
            remote.address.isIPv4 ? TCPLimits.defaultSegmentSizeIPv4 : TCPLimits.defaultSegmentSizeIPv6
        let peer = header.options
        return HandshakeResult(
            peerInitialSequence: header.sequence,
            peerMaximumSegmentSize: max(
                peer.maximumSegmentSize.map { Int($0) } ?? standard, TCPLimits.minimumSegmentSize),
            peerWindowScale: peer.windowScale, sackPermitted: peer.sackPermitted,
            timestamp: peer.timestamp?.value, answeredAt: nil,
            ownWindowScale: peer.windowScale == nil ? 0 : Receiver.windowScale(for: options),
            congestionEcho: header.flags.contains([.congestionEcho, .windowReduced]))
    }

    private mutating func complete(_ index: Int, _ header: SegmentHeader) -> ListenerOutcome {
        let entry = halfOpen[index]
        guard header.acknowledgment == entry.initialSequence + 1 else { return reset(header) }
        let ahead = header.sequence - (entry.handshake.peerInitialSequence + 1)
        guard ahead >= 0, ahead <= 65_535 else {
            markDue(index)
            return .replyDue
        }
        guard !isFull else { return .dropped(.queueFull) }
        remove(index)
        // Others who used this endpoint are answered no more.
        while let other = halfOpen.firstIndex(where: { $0.remote == entry.remote && $0.local == entry.local }) {
            remove(other)
        }
        return .established(
            ConnectionParameters(
                local: entry.local, remote: entry.remote, maximumSegmentSize: entry.maximumSegmentSize,
                initialSequence: entry.initialSequence, timestampOffset: entry.timestampOffset, options: options),
            entry.handshake)
    }

    private func completeCookie(
        _ header: SegmentHeader, _ local: SocketEndpoint, _ remote: SocketEndpoint, _ size: Int,
        _ sequences: InitialSequence, _ time: Int
    ) -> ListenerOutcome {
        guard let lastCookieAt, time - lastCookieAt < SynCookie.lifetimeNanoseconds,
            var handshake = SynCookie.open(header, local, remote, sequences, time: time)
        else { return reset(header) }
        guard !isFull else { return .dropped(.queueFull) }
        handshake.ownWindowScale = handshake.peerWindowScale == nil ? 0 : Receiver.windowScale(for: options)
        return .established(
            ConnectionParameters(
                local: local, remote: remote, maximumSegmentSize: size,
                initialSequence: header.acknowledgment + -1,
                timestampOffset: sequences.timestampOffset(local: local, remote: remote), options: options),
            handshake)
    }

    // MARK: SYN-ACKs

    /// The next SYN-ACK that is due. Call until nil after a receive batch and after `handleDeadline`.
    package mutating func nextReply(now: Now) -> ListenerReply? {
        guard repliesDue > 0, let index = halfOpen.firstIndex(where: { $0.isReplyDue }) else { return nil }
        let time = now.nanoseconds
        halfOpen[index].isReplyDue = false
        repliesDue -= 1
        // Only an answer that left once gives a round trip.
        halfOpen[index].handshake.answeredAt = halfOpen[index].wasAnswered ? nil : now.monotonic
        halfOpen[index].wasAnswered = true
        let entry = halfOpen[index]
        var reply = synAck(
            entry.local.port, entry.remote.port, entry.initialSequence, entry.handshake,
            entry.tellsSegmentSize ? entry.maximumSegmentSize : nil)
        if let timestamp = entry.handshake.timestamp {
            reply.timestamp = SegmentOptions.Timestamp(
                value: TimestampClock(offset: entry.timestampOffset).stamp(time), echo: timestamp)
        }
        return ListenerReply(local: entry.local, remote: entry.remote, station: entry.station, segment: reply)
    }

    private func synAck(
        _ source: UInt16, _ destination: UInt16, _ sequence: SequenceNumber, _ handshake: HandshakeResult,
        _ size: Int?
    ) -> ReplySegment {
        var reply = ReplySegment(
            sourcePort: source, destinationPort: destination, sequence: sequence,
            acknowledgment: handshake.peerInitialSequence + 1, flags: [.synchronize, .acknowledge])
        if handshake.congestionEcho { reply.flags.insert(.congestionEcho) }
        reply.window = UInt16(min(Receiver.initialCapacity(for: options), 65_535))
        reply.maximumSegmentSize = size.map { UInt16(clamping: $0) }
        reply.windowScale = handshake.peerWindowScale == nil ? nil : handshake.ownWindowScale
        reply.sackPermitted = handshake.sackPermitted
        return reply
    }

    // MARK: Time

    package var nextDeadline: MonotonicInstant? {
        earliest == .max ? nil : MonotonicInstant(nanoseconds: UInt64(max(0, earliest)))
    }

    /// Repeats SYN-ACKs, and forgets peers that do not answer. Of one station's many few are reminded at a time: a client
    /// that wants to connect repeats its SYN, and each SYN has its answer.
    package mutating func handleDeadline(now: Now) {
        let time = now.nanoseconds
        guard earliest <= time else { return }
        earliest = .max
        var index = 0
        while index < halfOpen.count {
            if halfOpen[index].deadline <= time {
                guard halfOpen[index].timeouts < TCPLimits.synAckRetries else {
                    remove(index)
                    continue
                }
                halfOpen[index].timeouts += 1
                halfOpen[index].deadline =
                    time + TCPLimits.initialTimeoutNanoseconds << min(halfOpen[index].timeouts, 7)
                if !isCrowded(halfOpen[index].station, before: index) { markDue(index) }
            }
            earliest = min(earliest, halfOpen[index].deadline)
            index += 1
        }
    }

    // MARK: Entries

    // A SYN can be forged with another's endpoint, not with its station: each station has an entry of its own, and an answer.
    private func find(_ local: SocketEndpoint, _ remote: SocketEndpoint, _ station: StationKey?) -> Int? {
        halfOpen.firstIndex { $0.remote == remote && $0.local == local && $0.station == station }
    }

    // Whether as many of a station as are reminded stand before this place.
    private func isCrowded(_ station: StationKey?, before place: Int) -> Bool {
        var count = 0
        for index in 0..<place where halfOpen[index].station == station {
            count += 1
            if count == TCPLimits.remindedPerStation { return true }
        }
        return false
    }

    private mutating func markDue(_ index: Int) {
        if !halfOpen[index].isReplyDue { repliesDue += 1 }
        halfOpen[index].isReplyDue = true
    }

    private mutating func remove(_ index: Int) {
        if halfOpen[index].isReplyDue { repliesDue -= 1 }
        halfOpen.swapAt(index, halfOpen.count - 1)
        halfOpen.removeLast()
        if halfOpen.isEmpty { earliest = .max }
    }
}
