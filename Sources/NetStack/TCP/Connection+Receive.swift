// A segment arrives.
// Read first: RFC 9293 section 3.10.7, RFC 5961 (RST, SYN and ACK must prove themselves), RFC 7323 section 5 (PAWS).

package import NetPrimitives

extension Connection {
    /// Takes a segment that the ports and addresses say is ours. `congestionMarked`: the IP header carried CE.
    package mutating func receive(
        _ header: SegmentHeader, packet: RawSpan, congestionMarked: Bool = false, now: Now
    ) -> SegmentOutcome {
        let time = now.nanoseconds
        if !congestionMarked, let outcome = receiveExpected(header, packet, time) { return outcome }
        switch state {
        case .closed:
            guard header.isChecksumValid(in: packet, pseudoHeaderSum: pseudoHeaderSum) else {
                return .dropped(.badChecksum)
            }
            return ReplySegment(resetting: header).map { .reply($0) } ?? .dropped(.closed)
        case .synSent: return receiveInSynSent(header, packet, time)
        case .timeWait: return receiveInTimeWait(header, packet, now)
        default: break
        }
        let start = receiver.offset(of: header.sequence)
        let length = header.payloadLength
        var isPlaced = false
        // Copy and sum in one pass when the bytes go to free space; else look before touching anything.
        if length > 0, !isOrphan, receiver.canPlace(start: start, length: length) {
            let sum = receiver.ring.writeAndSum(packet, from: header.payloadOffset, count: length, at: start)
            guard Checksum.isValid(header.total(pseudoHeaderSum, sum)) else { return .dropped(.badChecksum) }
            isPlaced = true
        } else if !header.isChecksumValid(in: packet, pseudoHeaderSum: pseudoHeaderSum) {
            return .dropped(.badChecksum)
        }
        // A refused segment changes nothing but may cause an answer: an attacker who knows the ports can guess a sequence
        // number, and must not move any state below.
        if let drop = check(header, start: start, time: time) { return drop }
        if let refusal = checkAcknowledgment(header, time: time) { return refusal }
        lastHeardAt = time
        keepAliveProbes = 0
        if receiver.usesTimestamps, let timestamp = header.options.timestamp {
            receiver.note(timestamp: timestamp.value, start: start, time: time)
            noteEcho(timestamp, length, time)
        }
        if congestionMarked, echoesCongestion { isCongestionSeen = true }
        if header.flags.contains(.windowReduced) { isCongestionSeen = congestionMarked && echoesCongestion }
        if let outcome = acknowledge(header, start: start, time: time) { return outcome }
        return takeText(header, packet, start: start, isPlaced: isPlaced, time: time)
    }

    /// Header prediction: the next segment of a stream that flows one way, nothing missing, nothing else to say. The
    /// result is that of the checks below; nil: they decide.
    @inline(__always)
    private mutating func receiveExpected(
        _ header: SegmentHeader, _ packet: RawSpan, _ time: Int
    ) -> SegmentOutcome? {
        let length = header.payloadLength
        let start = receiver.ring.end
        guard length > 0, state == .established, !isOrphan, header.flags.subtracting(.push) == .acknowledge,
            header.sequence == receiver.sequence(at: start), receiver.isPlain(length: length),
            header.acknowledgment == sender.sequence(at: sender.acknowledged), header.options.sackBlocks.count == 0,
            sender.acknowledged + Int(header.window) << Int(peerScale) == sender.windowEdge
        else { return nil }
        if receiver.usesTimestamps {
            guard let timestamp = header.options.timestamp,
                !isOlder(timestamp.value, than: receiver.recentTimestamp)
            else { return nil }
        }
        let wasEmpty = receiver.ring.isEmpty
        let sum = receiver.ring.writeAndSum(packet, from: header.payloadOffset, count: length, at: start)
        guard Checksum.isValid(header.total(pseudoHeaderSum, sum)) else { return .dropped(.badChecksum) }
        receiver.storeExpected(length)
        receiver.noteData(isPushed: header.flags.contains(.push), time: time)
        if receiver.usesTimestamps, let timestamp = header.options.timestamp {
            receiver.note(timestamp: timestamp.value, start: start, time: time)
            noteEcho(timestamp, length, time)
        }
        lastHeardAt = time
        keepAliveProbes = 0
        softError = nil
        sender.windowSequence = start
        sender.timing.silentWindowProbes = 0
        if wasEmpty { events.insert(.readable) }
        return .accepted
    }

    // MARK: Checks in the order of RFC 9293 3.10.7.4

    /// nil: go on.
    private mutating func check(_ header: SegmentHeader, start: Int, time: Int) -> SegmentOutcome? {
        let flags = header.flags
        if receiver.usesTimestamps, !flags.contains(.reset), let timestamp = header.options.timestamp,
            receiver.isOutdated(timestamp: timestamp.value, time: time)
        {
            repeatAcknowledgment(header, start: start, time: time)
            return .dropped(.oldTimestamp)
        }
        // The peer opened at the same time as we did: its SYN-ACK repeats the SYN that we know.
        let isSimultaneous = state == .synReceived && flags.contains([.synchronize, .acknowledge]) && start == -1
        if !isSimultaneous, !receiver.isAcceptable(start: start, length: header.sequenceLength) {
            if flags.contains(.reset) { return .dropped(.outOfWindow) }
            repeatAcknowledgment(header, start: start, time: time)
            return .dropped(.outOfWindow)
        }
        if flags.contains(.reset) { return receiveReset(start: start, time: time) }
        if flags.contains(.synchronize), !isSimultaneous {
            // RFC 5961 4.
            challenge(time: time)
            return .dropped(.challenged)
        }
        if !flags.contains(.acknowledge) { return .dropped(.badFlags) }
        return nil
    }

    /// RFC 5961 3.2: only the exact sequence number resets.
    private mutating func receiveReset(start: Int, time: Int) -> SegmentOutcome {
        guard start == receiver.next else {
            challenge(time: time)
            return .dropped(.challenged)
        }
        switch state {
        case .synReceived: end(.refused)
        case .closeWait: end(.brokenPipe)
        case .closing, .lastAck: end(nil)
        default: end(.reset)
        }
        return .accepted
    }

    mutating func challenge(time: Int) {
        if let last = lastChallengeAt, time - last < TCPLimits.challengeIntervalNanoseconds { return }
        lastChallengeAt = time
        due.insert(.challenge)
    }

    /// Answers an unacceptable segment with an ACK. Without payload at most ten a second, so that two confused ends do not
    /// answer each other for ever.
    private mutating func repeatAcknowledgment(_ header: SegmentHeader, start: Int, time: Int) {
        if header.sequenceLength == 0 {
            if let last = lastRepeatedAcknowledgmentAt, time - last < 100_000_000 { return }
            lastRepeatedAcknowledgmentAt = time
        } else if header.payloadLength > 0 {
            receiver.noteRepeated(start: start, end: start + header.payloadLength)
            // The ACK that the peer waits for was lost. It answers this copy, so it echoes this copy's time, or the peer
            // would take its own time-out for a round trip. TS.Recent stays: the copy proves nothing.
            if receiver.usesTimestamps, let timestamp = header.options.timestamp,
                receiver.next - start <= receiver.capacity, start < receiver.next,
                sender.mayAcknowledge(sender.offset(of: header.acknowledgment))
            {
                receiver.noteRepeated(timestamp: timestamp.value)
            }
        }
        receiver.isAcknowledgmentDue = true
    }

    private mutating func noteEcho(_ timestamp: SegmentOptions.Timestamp, _ length: Int, _ time: Int) {
        guard length > 0, timestamp.echo != 0 else { return }
        let elapsed = Int(Int32(bitPattern: timestampClock.stamp(time) &- timestamp.echo))
        if elapsed >= 0, elapsed < 60_000 { receiver.note(echoRoundTrip: elapsed * 1_000_000) }
    }

    // MARK: ACK

    /// Whether the acknowledgment is for something that was sent, and lately (RFC 9293 3.10.7.4 fifth, RFC 5961 5); nil: go on.
    private mutating func checkAcknowledgment(_ header: SegmentHeader, time: Int) -> SegmentOutcome? {
        let offset = sender.offset(of: header.acknowledgment)
        if state == .synReceived {
            guard offset != 0 else { return nil }
            // RFC 9293 3.10.7.4, first check of SYN-RECEIVED.
            return ReplySegment(resetting: header).map { .reply($0) } ?? .dropped(.badAcknowledgment)
        }
        if sender.mayAcknowledge(offset) { return nil }
        challenge(time: time)
        return .dropped(.badAcknowledgment)
    }

    /// nil: go on with the text.
    private mutating func acknowledge(_ header: SegmentHeader, start: Int, time: Int) -> SegmentOutcome? {
        let offset = sender.offset(of: header.acknowledgment)
        if state == .synReceived { establish(header, start: start, time: time) }
        let isPure = header.sequenceLength == 0
        let ack = Acknowledgment(
            offset: offset, window: Int(header.window) << Int(peerScale), sequence: start, isPure: isPure,
            echo: sender.clock == nil ? nil : header.options.timestamp?.echo, sackBlocks: header.options.sackBlocks)
        guard sender.receive(ack, time: time) else { return nil }
        if header.flags.contains(.congestionEcho), state != .synReceived { sender.noteMark() }
        softError = nil
        if sender.isBlocked, sender.isWritable {
            sender.isBlocked = false
            events.insert(.writable)
        }
        if sender.isFinishAcknowledged { finishAcknowledged(time: time) }
        return state == .closed ? .accepted : nil
    }

    /// The handshake is complete.
    mutating func establish(_ header: SegmentHeader, start: Int, time: Int) {
        state = sender.finishOffset == nil ? .established : .finWait1
        sender.acknowledged = 0
        // The window field of a SYN is not scaled.
        let shift = header.flags.contains(.synchronize) ? 0 : Int(peerScale)
        sender.windowEdge = Int(header.window) << shift
        sender.largestWindow = Int(header.window) << shift
        sender.windowSequence = start
        sender.windowAcknowledgment = 0
        if let sent = handshakeSentAt {
            sender.roundTrip.add(time - sent, time: time)
            sender.congestion.begin(roundTrip: max(0, time - sent))
        } else {
            sender.roundTrip.initialTimeout = TCPLimits.repeatedSYNTimeoutNanoseconds
        }
        sender.timing.timeouts = 0
        sender.timing.stalledSince = nil
        timers[.loss] = nil
        due.remove(.synchronize)
        events.formUnion([.connected, .writable])
        armKeepAlive(time: time)
    }

    private mutating func finishAcknowledged(time: Int) {
        switch state {
        case .finWait1:
            state = .finWait2
            if isOrphan { armFinWait(time: time) }
        case .closing: enterTimeWait(time: time)
        case .lastAck: end(nil)
        default: break
        }
    }

    // MARK: Text and FIN

    private mutating func takeText(
        _ header: SegmentHeader, _ packet: RawSpan, start: Int, isPlaced: Bool, time: Int
    ) -> SegmentOutcome {
        let length = header.payloadLength
        let wasEmpty = receiver.ring.isEmpty
        var outcome = SegmentOutcome.accepted
        switch state {
        case .established, .finWait1, .finWait2:
            if length > 0 {
                if isOrphan || (isReadShut && state != .established), start + length > receiver.next {
                    // RFC 9293 3.6.1: nobody will read it. What we sent may have been lost, our FIN too, and a peer obeys
                    // only a reset with the number that it waits for (RFC 5961 3.2).
                    endWithReset(isOrphan ? nil : .reset)
                    resetOffset = sender.offset(of: header.acknowledgment)
                    return .accepted
                }
                let isStored = receiver.store(
                    start: start, length: length, packet, at: header.payloadOffset, isPlaced: isPlaced)
                receiver.noteData(isPushed: header.flags.contains(.push), time: time)
                if !isStored { outcome = .dropped(.tooManyRanges) }
            }
            let isFinished =
                header.flags.contains(.finish) ? receiver.finish(at: start + length) : receiver.checkFinish()
            if wasEmpty, !receiver.ring.isEmpty || isFinished { events.insert(.readable) }
            if isFinished { receiveFinish(time: time) }
        default:
            // The peer has closed its half: whatever comes behind is a repetition.
            if header.sequenceLength > 0 { receiver.isAcknowledgmentDue = true }
        }
        return outcome
    }

    private mutating func receiveFinish(time: Int) {
        events.insert(.readable)
        switch state {
        case .established: state = .closeWait
        case .finWait1: state = .closing
        case .finWait2: enterTimeWait(time: time)
        default: break
        }
    }

    // MARK: SYN-SENT and TIME-WAIT

    /// RFC 9293 3.10.7.3.
    private mutating func receiveInSynSent(
        _ header: SegmentHeader, _ packet: RawSpan, _ time: Int
    ) -> SegmentOutcome {
        guard header.isChecksumValid(in: packet, pseudoHeaderSum: pseudoHeaderSum) else {
            return .dropped(.badChecksum)
        }
        let flags = header.flags
        let isAcknowledged = flags.contains(.acknowledge)
        if isAcknowledged, sender.offset(of: header.acknowledgment) != 0 || sender.next < 0 {
            return ReplySegment(resetting: header).map { .reply($0) } ?? .dropped(.badAcknowledgment)
        }
        if flags.contains(.reset) {
            guard isAcknowledged else { return .dropped(.badAcknowledgment) }
            end(.refused)
            return .accepted
        }
        guard flags.contains(.synchronize), !flags.contains(.finish) else { return .dropped(.badFlags) }
        receiver.firstSequence = header.sequence + 1
        lastHeardAt = time
        negotiate(header.options, time: time)
        receiver.advertisedEdge = min(receiver.capacity, 65_535)
        if isAcknowledged {
            // RFC 3168 6.1.1: ECE alone grants; both bits are an old host's reflection.
            agreeOnMarks(requestedMarks && flags.contains(.congestionEcho) && !flags.contains(.windowReduced))
            establish(header, start: -1, time: time)
            receiver.isAcknowledgmentDue = true
        } else {
            // Simultaneous open.
            state = .synReceived
            sender.next = max(sender.next, 0)
            due.insert(.synchronize)
            handshakeSentAt = nil
        }
        return .accepted
    }

    private mutating func receiveInTimeWait(
        _ header: SegmentHeader, _ packet: RawSpan, _ now: Now
    ) -> SegmentOutcome {
        guard var rest = makeTimeWait() else { return .dropped(.closed) }
        switch rest.receive(header, packet: packet, now: now) {
        case .ignore: return .dropped(.outOfWindow)
        case .reply(let segment): return .reply(segment)
        case .reopen:
            // The application still holds this connection; its end is told first.
            challenge(time: now.nanoseconds)
            return .dropped(.challenged)
        }
    }

    /// After the last segment of a receive batch: the one ACK decision.
    package mutating func endBatch(now: Now) {
        if receiver.decide() {
            if timers[.delayedAcknowledgment] == nil {
                timers[.delayedAcknowledgment] = now.nanoseconds + TCPLimits.delayedAcknowledgmentNanoseconds
            }
        }
        updateTimers(time: now.nanoseconds)
    }

    // MARK: ICMP

    /// ICMP says that one of our segments did not arrive. `sequence`: of the quoted header; `isHard`: the destination
    /// will not be reached. Only a SYN is given up for it (RFC 5927 4).
    package mutating func receive(
        unreachable error: ConnectionError, isHard: Bool, sequence: SequenceNumber, now: Now
    ) {
        guard isOutstanding(sequence) else { return }
        switch state {
        case .synSent, .synReceived: if isHard { end(error) } else { softError = error }
        case .closed, .timeWait: break
        default: softError = error
        }
    }

    /// The path takes less: `size` is the new MTU without IP and TCP headers. `sequence`: of the header quoted by ICMP,
    /// nil if our own interface says so.
    package mutating func limitSegmentSize(to size: Int, sequence: SequenceNumber?, now: Now) {
        if let sequence, !isOutstanding(sequence) || size >= interfaceSegmentSize { return }
        let before = sender.segmentSize
        interfaceSegmentSize = min(max(size, TCPLimits.minimumSegmentSize), 65_535)
        updateSegmentSize()
        guard sequence != nil, sender.segmentSize < before, sender.outstanding > 0, sender.acknowledged >= 0 else {
            return
        }
        // What is in flight was too big: again in the new size, without blaming congestion (RFC 1191 6.4).
        var report = sender.makeLossReport()
        sender.scoreboard.markAllLost(report: &report)
        sender.armLossTimer(time: now.nanoseconds)
    }

    private func isOutstanding(_ sequence: SequenceNumber) -> Bool {
        let offset = sender.offset(of: sequence)
        return offset >= sender.acknowledged && offset < sender.next
    }
}
