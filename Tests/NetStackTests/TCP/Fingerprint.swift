// What a connection is, as text, for "a refused segment changes nothing". Left out is only what answers it: the challenge,
// the ACK that is due and what it reports, and their pacing; and bytes beyond the published end, which are not received.

import NetPrimitives

@testable import NetStack

/// All of a connection's state that may be seen from here.
func fingerprint(_ connection: borrowing Connection) -> String {
    var text = "\(connection.state) \(connection.pendingError as Any) \(connection.softError as Any)"
    text += " due \(connection.due.subtracting(.challenge).rawValue) events \(connection.events.rawValue)"
    text += " orphan \(connection.isOrphan) shut \(connection.isReadShut)"
    text += " sizes \(connection.interfaceSegmentSize) \(connection.peerSegmentSize) scale \(connection.peerScale)"
    text += " offers \(connection.offersScale) \(connection.offersSack) \(connection.offersTimestamps)"
    text += " handshake \(connection.handshakeSentAt as Any) \(connection.handshakeBase)"
    text += " heard \(connection.lastHeardAt) probes \(connection.keepAliveProbes)"
    text += " marks \(connection.echoesCongestion) \(connection.isCongestionSeen) \(connection.requestedMarks)"
    text += " timers \(connection.timers)"
    return text + "\n" + sender(connection) + "\n" + receiver(connection)
}

private func sender(_ connection: borrowing Connection) -> String {
    var text = "send \(connection.sender.ring.start) \(connection.sender.ring.end)"
    text += " \(connection.sender.acknowledged) \(connection.sender.next) \(connection.sender.finishOffset as Any)"
    text += " window \(connection.sender.windowEdge) \(connection.sender.largestWindow)"
    text += " \(connection.sender.windowSequence) \(connection.sender.windowAcknowledgment)"
    text += " size \(connection.sender.segmentSize) \(connection.sender.fullSegmentSize)"
    text += " capacity \(connection.sender.capacity) \(connection.sender.isBlocked)"
    text += "\n\(connection.sender.scoreboard)\n\(connection.sender.roundTrip)\n\(connection.sender.congestion)"
    text += "\n\(connection.sender.recovery)\n\(connection.sender.rate)\n\(connection.sender.pacer)"
    text += "\n\(connection.sender.timing)\n\(connection.sender.blackHole)"
    text += "\n\(connection.sender.smallSegmentEnd) \(connection.sender.isReductionDue)"
    text += " \(connection.sender.isWindowLimited) \(connection.sender.mostInFlight) \(connection.sender.roundEnd)"
    return text + " \(connection.sender.lastSentAt)"
}

private func receiver(_ connection: borrowing Connection) -> String {
    var text = "receive \(connection.receiver.ring.start) \(connection.receiver.ring.end)"
    text += " \(connection.receiver.ranges) first \(connection.receiver.firstSequence)"
    text += " finish \(connection.receiver.finishOffset as Any) \(connection.receiver.isFinished)"
    text += " capacity \(connection.receiver.capacity) edge \(connection.receiver.advertisedEdge)"
    text += " acknowledged \(connection.receiver.lastAcknowledged) \(connection.receiver.unacknowledged)"
    text += " timestamp \(connection.receiver.recentTimestamp) \(connection.receiver.recentTimestampAt)"
    return text + " \(connection.receiver.duplicatesDue) \(connection.receiver.echoRoundTrip as Any)"
}

extension SegmentOutcome {
    /// Nothing of the segment was taken. Of one that found no room for its text the acknowledgment was.
    var isRefusal: Bool {
        switch self {
        case .accepted, .dropped(.tooManyRanges): false
        case .dropped, .reply: true
        }
    }
}
