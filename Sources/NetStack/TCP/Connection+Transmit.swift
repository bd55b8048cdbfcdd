// A connection sends one piece of the stream at a time, or else the ACK that is due.
// Read first: `Burst`, `Sender.nextPiece`; RFC 9293 section 3.10.

package import NetPrimitives

extension Connection {
    /// Books the next bytes to be sent, at most `maximumSegments` segments. Nil if nothing is due. Call until nil after
    /// `endBatch`, `handleDeadline` and every call of the application, and write each burst before the next call.
    package mutating func nextBurst(maximumSegments: Int, now: Now) -> TCPBurst? {
        guard maximumSegments > 0 else { return nil }
        let time = now.nanoseconds
        if due.contains(.reset) {
            due.remove(.reset)
            return reset(time: time)
        }
        switch state {
        case .closed: return nil
        case .synSent, .synReceived: return nextHandshake(time: time)
        default: break
        }
        if let burst = nextProbe(time: time) { return burst }
        if sender.outstanding > 0 || sender.unsent > 0 || sender.isFinishUnsent {
            // CWR is for one segment: behind it in the same burst it would take back what marks it got itself.
            let most = sender.isReductionDue ? 1 : maximumSegments
            let piece = sender.nextPiece(maximum: most, isSmallAllowed: options.noDelay, time: time)
            if let piece { return burst(piece, time: time) }
            armCork(time: time)
        }
        return nextAcknowledgment(time: time)
    }

    /// Writes a segment of a burst at an offset of a packet, with its checksum, and gives its length. The IP header's
    /// protocol is 6; the packet must have room for `burst.length(segment)` bytes.
    package func write(
        _ burst: TCPBurst, segment: Int, into packet: inout MutableRawSpan, at offset: Int
    ) -> Int {
        let header = burst.writeHeader(segment, into: &packet, at: offset)
        let payload = burst.payload(segment)
        var sum = header
        if payload > 0 {
            let text = sender.ring.readAndSum(
                burst.streamOffset &+ segment &* burst.segmentSize, count: payload, into: &packet,
                at: offset &+ burst.headerLength)
            sum = Checksum.combine(sum, text)
        }
        packet.storeUInt16(~UInt16(truncatingIfNeeded: sum), at: offset &+ 16)
        return burst.headerLength &+ payload
    }

    // MARK: Kinds of segments

    private mutating func burst(_ piece: Sender.Piece, time: Int) -> TCPBurst {
        let textEnd = min(piece.end, sender.finishOffset ?? Int.max)
        var burst = template(piece.start, .acknowledge, time: time)
        burst.streamOffset = piece.start
        burst.payloadLength = max(0, textEnd - piece.start)
        burst.segmentSize = piece.isLengthProbe ? burst.payloadLength : sender.segmentSize
        burst.count = max(1, (burst.payloadLength + burst.segmentSize - 1) / burst.segmentSize)
        burst.isRetransmission = piece.isRetransmission
        if burst.payloadLength > 0, textEnd == sender.ring.end { burst.lastFlags.insert(.push) }
        if piece.end > textEnd { burst.lastFlags.insert(.finish) }
        // RFC 3168 6.1.5: what is sent again cannot be marked.
        if sender.usesMarks, !piece.isRetransmission, burst.payloadLength > 0 {
            burst.isMarkable = true
            if sender.isReductionDue {
                burst.flags.insert(.windowReduced)
                sender.isReductionDue = false
            }
        }
        burst.seal(pseudoHeaderSum)
        sender.timing.isCorked = options.cork
        if !piece.isRetransmission { receiver.noteAnswer(time: time) }
        sentAcknowledgment(withRanges: false)
        return burst
    }

    private mutating func nextAcknowledgment(time: Int) -> TCPBurst? {
        let isChallenge = due.contains(.challenge)
        guard receiver.isAcknowledgmentDue || isChallenge else { return nil }
        due.remove(.challenge)
        var burst = template(sender.next, .acknowledge, time: time)
        let blocks = receiver.sackBlocks(limit: receiver.usesTimestamps ? 3 : 4)
        burst.append(blocks)
        burst.count = min(max(1, receiver.duplicatesDue), TCPLimits.duplicateAcknowledgmentsPerBatch)
        burst.seal(pseudoHeaderSum)
        sentAcknowledgment(withRanges: true)
        return burst
    }

    /// A segment without payload that asks the peer for an ACK: its sequence number is one that was acknowledged.
    private mutating func nextProbe(time: Int) -> TCPBurst? {
        let isKeepAlive = due.contains(.keepAlive)
        guard isKeepAlive || sender.timing.isWindowProbeDue else { return nil }
        due.remove(.keepAlive)
        sender.timing.isWindowProbeDue = false
        return control(sender.acknowledged - 1, .acknowledge, time: time)
    }

    private mutating func control(_ offset: Int, _ flags: SegmentFlags, time: Int) -> TCPBurst {
        var burst = template(offset, flags, time: time)
        burst.seal(pseudoHeaderSum)
        return burst
    }

    private mutating func reset(time: Int) -> TCPBurst {
        guard let resetOffset else { return control(sender.next, [.reset, .acknowledge], time: time) }
        // As for a segment without a connection (RFC 9293 3.5.2).
        var burst = TCPBurst()
        burst.ports = UInt32(local.port) << 16 | UInt32(remote.port)
        burst.sequence = sender.sequence(at: resetOffset)
        burst.flags = .reset
        burst.seal(pseudoHeaderSum)
        return burst
    }

    private mutating func template(_ offset: Int, _ flags: SegmentFlags, time: Int) -> TCPBurst {
        var burst = TCPBurst()
        burst.ports = UInt32(local.port) << 16 | UInt32(remote.port)
        burst.sequence = sender.sequence(at: offset)
        burst.flags = flags
        burst.acknowledgment = receiver.sequence(at: receiver.next)
        burst.window = receiver.takeWindow()
        if isCongestionSeen { burst.flags.insert(.congestionEcho) }
        if let clock = sender.clock {
            burst.append(
                SegmentOptions.Timestamp(value: clock.stamp(time), echo: receiver.timestampEcho))
        }
        return burst
    }

    private mutating func sentAcknowledgment(withRanges: Bool) {
        receiver.acknowledgmentSent(withRanges: withRanges)
        timers[.delayedAcknowledgment] = nil
    }

    // MARK: Handshake

    private mutating func nextHandshake(time: Int) -> TCPBurst? {
        if state == .synReceived, receiver.isAcknowledgmentDue || due.contains(.challenge) {
            due.insert(.synchronize)
        }
        guard due.contains(.synchronize) else { return nil }
        due = []
        receiver.isAcknowledgmentDue = false
        let isFirst = sender.next < 0
        sender.next = max(sender.next, 0)
        handshakeBase = time
        handshakeSentAt = isFirst && state == .synSent ? time : nil
        armHandshakeTimer(time: time)
        var burst = TCPBurst()
        burst.ports = UInt32(local.port) << 16 | UInt32(remote.port)
        burst.sequence = sender.sequence(at: -1)
        burst.flags = .synchronize
        if state == .synReceived {
            burst.flags.insert(.acknowledge)
            burst.acknowledgment = receiver.sequence(at: receiver.next)
            if echoesCongestion { burst.flags.insert(.congestionEcho) }
        }
        // RFC 3168 6.1.1.1: something on the way may lose such a SYN, so a second one does not ask.
        requestedMarks = state == .synSent && isFirst && options.requestsCongestionMarks
        if requestedMarks { burst.flags.formUnion([.congestionEcho, .windowReduced]) }
        // The window of a SYN is not scaled.
        burst.window = UInt16(min(receiver.capacity, 65_535))
        burst.append(0x0204_0000 | UInt32(interfaceSegmentSize))
        if offersTimestamps {
            let echo = state == .synReceived ? receiver.recentTimestamp : 0
            burst.append(
                SegmentOptions.Timestamp(value: timestampClock.stamp(time), echo: echo), sackPermitted: offersSack)
        } else if offersSack {
            burst.append(0x0101_0402)
        }
        if offersScale { burst.append(0x0103_0300 | UInt32(receiver.scale)) }
        burst.seal(pseudoHeaderSum)
        return burst
    }
}
