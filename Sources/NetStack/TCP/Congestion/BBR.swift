// The algorithm that models the path: how fast it delivers and how long it takes, not when its queue overflows.
// Read first: draft-ietf-ccwg-bbr (BBR version 3), sections 3 and 5; `DeliveryRate`. The model of the path is in
// `BBR+Model`, the states in `BBR+States`.
//
//   startup ──pipe is full──> drain ──queue is gone──> down > cruise > refill > up > down ...
//   every five seconds, from any state: probeRoundTrip

/// BBR version 3. Rates in bytes a second, volumes in bytes, times in nanoseconds.
struct BBR: CongestionController {
    /// Where the draft's state machine is.
    enum Phase: Sendable {
        /// Doubles the rate per round trip until the pipe is full.
        case startup
        /// Takes away the queue that startup made.
        case drain
        /// After a probe for more: below the rate, until there is room for others.
        case down
        /// At the rate.
        case cruise
        /// At the rate for a round trip with no bound of the short term, so that the probe starts from a full pipe.
        case refill
        /// Above the rate: is there more?
        case up
        /// In flight is halved for 200 ms to see the path without our own queue.
        case probeRoundTrip

        var isProbingBandwidth: Bool { self == .startup || self == .refill || self == .up }
        var isCycle: Bool { self == .down || self == .cruise || self == .refill || self == .up }
    }

    /// The meaning of ACKs, seen from the last probe for bandwidth.
    enum Feedback: Sendable {
        case none, refilling, probeStarting, probe, probeStopping
    }

    static let reducesProportionally = false
    static let bufferedWindows = 3

    // Constants of the draft, section 2.
    static let startupPacingGain = 2.77
    static let startupRounds = 3
    static let startupGrowth = 1.25
    static let startupLossRanges = 6
    static let windowGain = 2.0
    static let upWindowGain = 2.25
    static let roundTripWindowGain = 0.5
    static let beta = 0.7
    static let headroom = 0.15
    /// The rate is paced one percent below the estimate, so that queues shrink.
    static let pacingMargin = 0.99
    static let minimumWindowSegments = 4
    static let roundTripFilter = 10_000_000_000
    static let roundTripInterval = 5_000_000_000
    static let roundTripDuration = 200_000_000
    static let offloadQuanta = 3

    // State.
    var phase = Phase.startup
    var feedback = Feedback.none
    /// Draws the length of each cycle: flows that share a path must not probe together.
    private var random: UInt32

    /// Bytes delivered in all, and the time of the last count.
    var delivered = 0
    private var updatedAt = 0

    // Rounds: from the departure of something to its ACK.
    var round = 0
    var isRoundStart = false
    var nextRoundDelivered = 0
    var roundsSinceProbe = 0
    var drainRound = 0

    // The model: rate.
    /// The fastest delivery of this cycle of probing and of the one before.
    var rates = (current: 0.0, previous: 0.0)
    var shortRate = Double.infinity
    var rate = 0.0
    var latestRate = 0.0
    // The model: volume.
    var minimumRoundTrip = Int.max
    var minimumRoundTripAt = 0
    var probedRoundTrip = Int.max
    var probedRoundTripAt = 0
    var isRoundTripExpired = false
    var longInFlight = Int.max
    var shortInFlight = Int.max
    var latestInFlight = 0
    // ACKs that came in bunches: bytes beyond what the rate explains, the most of some rounds and of those before.
    var aggregated = (current: 0, previous: 0)
    var aggregationRound = 0
    var aggregationSince = 0
    var aggregationDelivered = 0

    // Is the pipe full?
    var isPipeFull = false
    var isPlateau = false
    var plateauRate = 0.0
    var plateauRounds = 0

    // Losses.
    var isLossInRound = false
    var lossRoundDelivered = 0
    var isLossRoundStart = false
    var lossRanges = 0
    var isProbeSample = false

    // Probing for bandwidth.
    var cycleSince = 0
    var cycleWait = 0
    var probeRounds = 0
    var probeAcknowledged = 0
    var probeBytesPerSegment = Int.max
    var isProbeTooHigh = false
    var isPrecautionary = false

    // Probing the round trip.
    var roundTripProbeEnd: Int?
    var isRoundTripProbeRound = false
    var isIdleRestart = false

    // Undo.
    var priorWindow = 0
    var isRecovering = false
    var undoPhase: Phase?
    var undoShortRate = Double.infinity
    var undoShortInFlight = Int.max
    var undoLongInFlight = Int.max
    private var isBegun = false

    /// `seed`: differs between connections.
    init(seed: UInt32) { random = seed | 1 }

    // MARK: Events

    func begin(_ state: inout CongestionState, roundTrip: Int) {
        let nominal = Double(state.initialWindow) * 1e9 / Double(max(roundTrip, 1))
        state.pacingRate = BBR.startupPacingGain * nominal
    }

    /// Draft section 5.4.1: restarting from idle.
    mutating func willSend(_ state: inout CongestionState, inFlight: Int, isApplicationLimited: Bool, time: Int) {
        guard inFlight == 0, isApplicationLimited else { return }
        isIdleRestart = true
        aggregationSince = time
        aggregationDelivered = 0
        if phase.isCycle {
            setPacingRate(&state, gain: 1)
        } else if phase == .probeRoundTrip {
            finishRoundTripProbe(&state, time: time)
        }
    }

    func grow(_ state: inout CongestionState, by delivered: Int, roundTrip: Int, time: Int) {}

    func note(_ state: inout CongestionState, roundTrip: Int, acknowledged: Int, next: Int) {}

    /// Draft section 5.2.3.
    mutating func update(_ state: inout CongestionState, _ sample: RateSample, time: Int) {
        if !isBegun {
            isBegun = true
            minimumRoundTripAt = time
            probedRoundTripAt = time
            aggregationSince = time
            cycleSince = time
        }
        updatedAt = time
        state.limitsItself = false
        if state.pacingRate == .infinity, sample.smoothedRoundTrip > 0 {
            begin(&state, roundTrip: sample.smoothedRoundTrip)
        }
        if sample.newlyDelivered > 0 { delivered = sample.totalDelivered }
        updateLatest(sample)
        updateRate(sample)
        adaptToLosses(state, sample)
        updateAggregation(state, sample, time: time)
        checkPlateau(sample)
        checkStartup(state, sample)
        checkDrain(state, sample, time: time)
        updateCycle(state, sample, time: time)
        updateMinimumRoundTrip(sample, time: time)
        checkRoundTripProbe(&state, sample, time: time)
        advanceLatest(sample)
        rate = min(maximumRate, shortRate)
        setPacingRate(&state, gain: pacingGain)
        setWindow(&state, sample)
    }

    mutating func note(_ state: inout CongestionState, _ losses: LossReport, delivered: Int, time: Int) {
        self.delivered = delivered
        noteLoss(state)
        lossRanges += losses.ranges
        guard isProbeSample, let excess = losses.excess else { return }
        handleExcess(state, inFlight: excess.inFlight, isLimited: excess.isApplicationLimited, time: time)
    }

    mutating func reduce(_ state: inout CongestionState, _ signal: CongestionSignal, inFlight: Int) {
        noteLoss(state)
        saveWindow(state)
        guard signal == .mark else {
            isRecovering = true
            return
        }
        // The draft leaves the answer to a mark open, but asks for one (section 3.8). A mark is no noise: it ends a probe
        // as an excess of losses does, and outside of probes it counts as a round with a loss.
        if phase == .startup {
            isPipeFull = true
        } else if phase == .up || phase == .refill {
            handleExcess(state, inFlight: inFlight, isLimited: false, time: updatedAt)
            if phase == .refill { startDown(time: updatedAt) }
        }
    }

    mutating func finishRecovery(_ state: inout CongestionState) {
        isRecovering = false
        state.window = max(state.window, priorWindow)
    }

    /// Draft section 5.5.11.2.
    mutating func undo(_ state: inout CongestionState, window: Int, threshold: Int) {
        isRecovering = false
        state.window = max(state.window, priorWindow, window)
        isLossInRound = false
        resetPlateau()
        shortRate = max(shortRate, undoShortRate)
        shortInFlight = max(shortInFlight, undoShortInFlight)
        longInFlight = max(longInFlight, undoLongInFlight)
        if undoPhase == .startup, phase != .startup {
            isPipeFull = false
            if phase != .probeRoundTrip { phase = .startup }
        } else if undoPhase == .up, phase != .up, phase != .probeRoundTrip {
            startRefill()
        }
        undoPhase = nil
    }

    /// The model is kept: pacing carries a restart.
    func restart(_ state: inout CongestionState, afterTimeouts count: Int) {}

    // MARK: What follows from the model

    private var pacingGain: Double {
        switch phase {
        case .startup: BBR.startupPacingGain
        case .drain: 0.5
        case .down: 0.9
        case .cruise, .refill, .probeRoundTrip: 1
        case .up: 1.25
        }
    }

    private var windowGain: Double {
        switch phase {
        case .up: BBR.upWindowGain
        case .probeRoundTrip: BBR.roundTripWindowGain
        default: BBR.windowGain
        }
    }

    func setPacingRate(_ state: inout CongestionState, gain: Double) {
        guard rate > 0 else { return }
        let paced = gain * rate * BBR.pacingMargin
        if isPipeFull || paced > state.pacingRate { state.pacingRate = paced }
    }

    func minimumWindow(_ state: CongestionState) -> Int { BBR.minimumWindowSegments * state.segment }

    /// The product of rate and round trip, times a gain. On a path too short to be paced the turns that threads take at both
    /// ends, not the path, decide when an ACK comes: the window there is that of the shortest path that is paced.
    func product(_ state: CongestionState, rate: Double, gain: Double) -> Int {
        guard minimumRoundTrip != .max else { return state.initialWindow }
        let roundTrip = max(minimumRoundTrip, TCPLimits.pacingRoundTripNanoseconds)
        return Int(min(gain * rate * Double(roundTrip) * 1e-9, Double(TCPLimits.bufferLimit)))
    }

    /// Never less than the hosts at both ends hold at once (draft section 5.5.8).
    func quantized(_ state: CongestionState, _ inFlight: Int) -> Int {
        let budget = BBR.offloadQuanta * Pacer.quantum(rate: state.pacingRate, segment: state.segment)
        let floor = max(inFlight, budget, minimumWindow(state))
        return phase == .up ? floor + 2 * state.segment : floor
    }

    /// Draft section 5.6.4.6.
    private mutating func setWindow(_ state: inout CongestionState, _ sample: RateSample) {
        let wanted = product(state, rate: rate, gain: windowGain) + max(aggregated.current, aggregated.previous)
        let most = quantized(state, wanted)
        if isPipeFull {
            state.window = min(state.window + sample.newlyDelivered, most)
        } else if state.window < most || sample.totalDelivered < state.initialWindow {
            state.window += sample.newlyDelivered
        }
        state.window = min(max(state.window, minimumWindow(state)), TCPLimits.bufferLimit)
        if phase == .probeRoundTrip { state.window = min(state.window, roundTripWindow(state)) }
        var cap = Int.max
        if phase == .cruise || phase == .probeRoundTrip {
            cap = inFlightWithHeadroom(state)
        } else if phase.isCycle {
            cap = longInFlight
        }
        cap = max(min(cap, shortInFlight), minimumWindow(state))
        state.window = min(state.window, cap)
    }

    func roundTripWindow(_ state: CongestionState) -> Int {
        max(product(state, rate: rate, gain: BBR.roundTripWindowGain), minimumWindow(state))
    }

    /// Room that is left to others, for fairness and for short queues.
    func inFlightWithHeadroom(_ state: CongestionState) -> Int {
        guard longInFlight != .max else { return .max }
        let room = max(state.segment, Int(BBR.headroom * Double(longInFlight)))
        return max(longInFlight - room, minimumWindow(state))
    }

    /// Xorshift: the same for the same connection in the same run.
    mutating func draw(below bound: Int) -> Int {
        random ^= random << 13
        random ^= random >> 17
        random ^= random << 5
        return Int(random) % bound
    }
}
