//  How long the datagrams of one way may be, and how that is found out. Read first: RFC 8899 (facts: base, three probes, raise
//  timer); Docs/decisions/0007-small-paths.md.
//
//      full --three probes unanswered, something small answered--> reduced
//      reduced --a probe answered--> full
//
//  A network that drops long datagrams says nothing. So the first long packet of a way is followed by a probe of full length, and
//  the answer, which is short, tells that this direction carries it. Two lengths are enough: between the base and the full length
//  hardly any frame is cut into fewer parts.

import NetPrimitives
import ZeroTierWire

/// What one way carries: a path, or the way to a peer through a root.
struct DatagramSize: Sendable {
    /// What a service of the search asks for.
    enum Step: Sendable, Equatable {
        /// Nothing yet.
        case none
        /// A probe of full length, and from the second one on a short packet that is answered too.
        case probe(withCompanion: Bool)
    }

    /// Datagrams beyond the base are lost, as far as is known.
    private(set) var isReduced = false
    /// From when on a long packet begins a search.
    private var dueAt = MonotonicInstant.zero
    /// When the running search began; nil when none runs.
    private var began: MonotonicInstant?
    private var probes = 0
    /// When the first short packet left that is to be answered. What came earlier may have been on its way before the search.
    private var companionAt: MonotonicInstant?
    /// Whether something had come by the way since then when the last probe left.
    private var wasHeard = false
    /// When the running search goes on; nil when none runs.
    private(set) var nextStep: MonotonicInstant?

    /// Bytes of UDP payload of the longest datagram. `full`: what a way without faults carries.
    @inline(__always)
    func limit(full: Int) -> Int { isReduced ? min(full, ProtocolLimits.basePathMTU) : full }

    /// Whether a long packet that leaves now begins a search.
    @inline(__always)
    func isDue(_ now: MonotonicInstant) -> Bool { dueAt <= now && nextStep == nil }

    /// Begins a search: call `step` at once.
    mutating func begin(_ now: MonotonicInstant) {
        began = now
        probes = 0
        companionAt = nil
        wasHeard = false
        nextStep = now
    }

    /// Goes on with a running search. `patience`: how long an answer may take; `heard`: when something last came by the way.
    mutating func step(patience: Duration, heard: MonotonicInstant?, _ now: MonotonicInstant) -> Step {
        guard let nextStep, nextStep <= now else { return .none }
        let isHeard = heard.map { heard in companionAt.map { heard > $0 } ?? false } ?? false
        // A way that was heard only after the last probe left may have been down until then: one more tells.
        let most = ProtocolLimits.pathMTUProbes + (isHeard && !wasHeard ? 1 : 0)
        if probes < most {
            wasHeard = isHeard
            probes += 1
            if probes == 2 { companionAt = now }
            self.nextStep = now + patience
            return .probe(withCompanion: probes > 1)
        }
        // Silence says nothing about length: the way as a whole may be down.
        if isHeard { reduce(now) } else { end(next: ProtocolLimits.pathMTURetry, now) }
        return .none
    }

    /// A datagram of full length arrived.
    mutating func carried(_ now: MonotonicInstant) {
        isReduced = false
        end(next: ProtocolLimits.pathMTUConfirmation, now)
    }

    /// Datagrams of full length do not arrive.
    mutating func reduce(_ now: MonotonicInstant) {
        isReduced = true
        end(next: ProtocolLimits.pathMTURaise, now)
    }

    /// The way was down until now: what a running search lost meanwhile says nothing about length.
    mutating func resume(_ now: MonotonicInstant) {
        if nextStep != nil { begin(now) }
    }

    /// The way may have changed: the next long packet begins a search, but not more often than once in a while.
    mutating func doubt() {
        dueAt = began.map { $0 + ProtocolLimits.pathMTURetry } ?? .zero
    }

    private mutating func end(next pause: Duration, _ now: MonotonicInstant) {
        nextStep = nil
        dueAt = now + pause
    }
}
