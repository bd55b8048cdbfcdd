// How fast the path delivers, measured with each ACK.
// Read first: draft-ietf-ccwg-bbr section 4.1 (delivery rate samples, at first draft-cheng-iccrg-delivery-rate-estimation).
//
// When something leaves, its record notes how much had been delivered until then. When it is acknowledged, the bytes
// delivered in between are divided by the longer of two times: the time to send them, and the time of their ACKs. So
// neither a burst nor a bunch of ACKs passes for speed.

/// The counters of the moment when a record left. Counters are cut to 32 bits: they serve differences, and no
/// difference is larger than a few buffers.
struct Departure: Sendable {
    /// When it left, in nanoseconds.
    var sentAt: Int
    /// When anything was last delivered before.
    var deliveredAt: Int
    /// When the last delivered bytes had left.
    var firstSentAt: Int
    /// Bytes delivered and lost before.
    var delivered: UInt32
    var lost: UInt32
    /// Bytes in flight, its own among them.
    var inFlight: UInt32
    /// The application had not kept the path full.
    var isApplicationLimited: Bool

    /// A departure without counters.
    static let none = Departure(
        sentAt: 0, deliveredAt: 0, firstSentAt: 0, delivered: 0, lost: 0, inFlight: 0, isApplicationLimited: false)
}

/// The news of one ACK about the path. Bytes and nanoseconds.
struct RateSample: Sendable {
    /// Bytes a second; 0: nothing can be said.
    var rate = 0.0
    /// Bytes delivered between the departure of what the ACK delivered, the latest of it, and the ACK.
    var delivered = 0
    /// Bytes delivered over all when that left.
    var priorDelivered = 0
    /// Bytes in flight when it had left, and bytes lost since.
    var inFlightAtDeparture = 0
    var lostSinceDeparture = 0
    var isApplicationLimited = false
    /// Bytes that this ACK delivered.
    var newlyDelivered = 0
    /// Bytes delivered over all, this ACK included.
    var totalDelivered = 0
    /// Bytes in flight after this ACK.
    var inFlight = 0
    /// Round trip of the latest of what was delivered that was sent once.
    var roundTrip: Int?
    var smoothedRoundTrip = 0
    /// The window has held data back in this round trip.
    var isWindowLimited = false
    /// The peer reports what it got out of order, so more than one loss shows per round trip.
    var usesSack = true
    /// Losses are being repaired after ACKs showed them.
    var isRecovering = false
}

/// Losses that were found at once.
struct LossReport: Sendable {
    /// Losses above a share of what was in flight are more than noise: two in a hundred (draft-ietf-ccwg-bbr 2.7). On the wire that
    /// is; of segments that travel in several pieces each, and are lost with any of them, it is more.
    static func tolerance(pieces: Int) -> Double {
        var arriving = 1.0
        for _ in 0..<min(max(pieces, 1), 16) { arriving *= 0.98 }
        return 1 - arriving
    }

    /// Bytes, in how many ranges of the stream.
    private(set) var bytes = 0
    private(set) var ranges = 0
    /// The first of them at which the share was passed: bytes that were in flight there.
    private(set) var excess: (inFlight: Int, isApplicationLimited: Bool)?
    /// Bytes lost over all before.
    private let before: Int
    private let tolerance: Double

    init(before: Int, tolerance: Double) {
        self.before = before
        self.tolerance = tolerance
    }

    mutating func note(_ record: Scoreboard.Record) {
        bytes += record.length
        ranges += 1
        guard excess == nil else { return }
        let lost = Double(UInt32(truncatingIfNeeded: before + bytes) &- record.departure.lost)
        let inFlight = Double(record.departure.inFlight)
        guard lost > inFlight * tolerance else { return }
        // The record may be a whole burst: how far into it could the path still follow?
        let length = Double(record.length)
        let prior = max(0, inFlight - length)
        let prefix = (tolerance * prior - (lost - length)) / (1 - tolerance)
        excess = (Int(prior + min(max(0, prefix), length)), record.departure.isApplicationLimited)
    }
}

/// The counters of one connection.
struct DeliveryRate: Sendable {
    /// Bytes delivered, by ACK or SACK, and bytes thought lost, over all.
    private(set) var delivered = 0
    private(set) var lost = 0
    private var deliveredAt = 0
    private var firstSentAt = 0
    /// Once more than this is delivered, nothing in flight is older than the application's last pause; 0: there was none.
    private var limitedUntil = 0

    /// Whether what leaves now follows a pause of the application.
    var isApplicationLimited: Bool { limitedUntil > 0 }

    /// Something leaves. `inFlight`: without it.
    mutating func depart(bytes: Int, inFlight: Int, time: Int) -> Departure {
        if inFlight == 0 {
            firstSentAt = time
            deliveredAt = time
        }
        return Departure(
            sentAt: time, deliveredAt: deliveredAt, firstSentAt: firstSentAt,
            delivered: UInt32(truncatingIfNeeded: delivered), lost: UInt32(truncatingIfNeeded: lost),
            inFlight: UInt32(clamping: inFlight + bytes), isApplicationLimited: isApplicationLimited)
    }

    /// The window would allow more, and there is nothing to send. Until everything in flight has arrived, delivery tells
    /// of the application and not of the path.
    mutating func limitByApplication(inFlight: Int) { limitedUntil = max(delivered + inFlight, 1) }

    /// Losses were found.
    mutating func lose(_ report: LossReport) { lost += report.bytes }

    /// An ACK delivered something. `minimumRoundTrip`: a sample over less time cannot be right.
    mutating func sample(_ ack: DeliverySample, minimumRoundTrip: Int, time: Int) -> RateSample {
        var sample = RateSample()
        guard ack.delivered > 0 else { return sample }
        delivered += ack.delivered
        deliveredAt = time
        sample.newlyDelivered = ack.delivered
        sample.totalDelivered = delivered
        if limitedUntil > 0, delivered > limitedUntil { limitedUntil = 0 }
        let departure = ack.latest
        sample.delivered = Int(UInt32(truncatingIfNeeded: delivered) &- departure.delivered)
        sample.priorDelivered = delivered - sample.delivered
        sample.inFlightAtDeparture = Int(departure.inFlight)
        sample.lostSinceDeparture = Int(UInt32(truncatingIfNeeded: lost) &- departure.lost)
        sample.isApplicationLimited = departure.isApplicationLimited
        if ack.newestSentAt != .min { sample.roundTrip = time - ack.newestSentAt }
        let interval = max(departure.sentAt - departure.firstSentAt, time - departure.deliveredAt)
        firstSentAt = max(firstSentAt, departure.sentAt)
        if interval > 0, interval >= minimumRoundTrip {
            sample.rate = Double(sample.delivered) * 1e9 / Double(interval)
        }
        return sample
    }
}
