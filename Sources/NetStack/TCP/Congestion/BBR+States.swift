// The states of BBR: when it probes for more, when it makes room, when it looks at the round trip.
// Read first: draft-ietf-ccwg-bbr section 5.3.

extension BBR {
    // MARK: Startup and drain

    mutating func resetPlateau(rate: Double = 0) {
        plateauRate = rate
        plateauRounds = 0
        isPlateau = false
    }

    /// Three rounds in which more was sent and hardly more delivered: the pipe is full.
    mutating func checkPlateau(_ sample: RateSample) {
        guard !isPlateau, isRoundStart, !sample.isApplicationLimited else { return }
        if sample.rate >= plateauRate * BBR.startupGrowth {
            resetPlateau(rate: sample.rate)
            return
        }
        plateauRounds += 1
        isPlateau = plateauRounds >= BBR.startupRounds
        if isPlateau { isPipeFull = true }
    }

    mutating func checkStartup(_ state: CongestionState, _ sample: RateSample) {
        guard phase == .startup else { return }
        checkStartupLosses(state, sample)
        if isPipeFull {
            phase = .drain
            drainRound = round
        }
    }

    /// A round of recovery in which more was lost than noise explains: the queue overflows, the pipe is full.
    private mutating func checkStartupLosses(_ state: CongestionState, _ sample: RateSample) {
        guard isLossRoundStart else { return }
        let isHigh = sample.isRecovering && isInFlightTooHigh(state, sample)
        if isHigh, lossRanges >= BBR.startupLossRanges || !sample.usesSack {
            undoPhase = .startup
            isPipeFull = true
            let product = maximumRate * Double(minimumRoundTrip == .max ? 0 : minimumRoundTrip) * 1e-9
            longInFlight = max(Int(min(product, Double(TCPLimits.bufferLimit))), latestInFlight)
        }
        lossRanges = 0
    }

    mutating func checkDrain(_ state: CongestionState, _ sample: RateSample, time: Int) {
        guard phase == .drain else { return }
        if sample.inFlight <= quantized(state, product(state, rate: rate, gain: 1)) || round > drainRound + 3 {
            startDown(time: time)
        }
    }

    // MARK: The cycle of probing for bandwidth

    mutating func startDown(time: Int) {
        isLossInRound = false
        latestRate = 0
        latestInFlight = 0
        probeBytesPerSegment = .max
        // Two to three seconds, or as many rounds as Reno would take: so others can live beside us.
        roundsSinceProbe = draw(below: 2)
        cycleWait = 2_000_000_000 + draw(below: 1_000_000_000)
        cycleSince = time
        feedback = .probeStopping
        startRound()
        phase = .down
    }

    mutating func startRefill() {
        resetShortTerm()
        probeRounds = 0
        probeAcknowledged = 0
        isPrecautionary = false
        feedback = .refilling
        startRound()
        phase = .refill
    }

    private mutating func startUp(_ state: CongestionState, _ sample: RateSample) {
        feedback = .probeStarting
        startRound()
        resetPlateau(rate: sample.rate)
        phase = .up
        raiseSlope(state)
    }

    mutating func updateCycle(_ state: CongestionState, _ sample: RateSample, time: Int) {
        guard isPipeFull, !adaptLongTerm(state, sample) else { return }
        switch phase {
        case .down:
            if isTimeToProbe(state, time: time) {
                startRefill()
            } else if sample.inFlight <= inFlightWithHeadroom(state),
                sample.inFlight <= quantized(state, product(state, rate: maximumRate, gain: 1))
            {
                phase = .cruise
            }
        case .cruise:
            if isTimeToProbe(state, time: time) { startRefill() }
        case .refill:
            if isRoundStart {
                isProbeSample = true
                startUp(state, sample)
            }
        case .up:
            if isTimeToGoDown(state, sample) {
                isProbeTooHigh = false
                startDown(time: time)
            }
        case .startup, .drain, .probeRoundTrip: break
        }
    }

    private func isTimeToProbe(_ state: CongestionState, time: Int) -> Bool {
        if time > cycleSince + cycleWait { return true }
        let renoRounds = min(targetInFlight(state) / max(state.segment, 1), 63)
        return roundsSinceProbe >= renoRounds
    }

    private mutating func isTimeToGoDown(_ state: CongestionState, _ sample: RateSample) -> Bool {
        if isProbeTooHigh, sample.inFlight >= longInFlight {
            // The last probe lost too much at this volume: touch it, and hear first what comes of it.
            isPrecautionary = true
            return true
        }
        if sample.isWindowLimited, state.window >= longInFlight {
            // The bound, not the path, is the limit.
            resetPlateau(rate: sample.rate)
            return false
        }
        return isPlateau
    }

    /// Moves the bound of the long term and the rate filter along with the feedback of a probe. True: a state was begun.
    private mutating func adaptLongTerm(_ state: CongestionState, _ sample: RateSample) -> Bool {
        if feedback == .probeStarting, isRoundStart { feedback = .probe }
        if feedback == .probeStopping, isRoundStart {
            isProbeSample = false
            feedback = .none
            if phase.isCycle, !sample.isApplicationLimited { advanceRateFilter() }
            if phase.isCycle, isPrecautionary, !isProbeTooHigh {
                startRefill()
                return true
            }
        }
        guard !isInFlightTooHigh(state, sample), longInFlight != .max else { return false }
        longInFlight = max(longInFlight, sample.inFlightAtDeparture)
        if phase == .up { raiseLongTerm(state, sample) }
        return false
    }

    /// One segment more in the first round, two in the next, then four, ...
    private mutating func raiseSlope(_ state: CongestionState) {
        let growth = 1 << min(probeRounds, 30)
        probeRounds = min(probeRounds + 1, 30)
        probeBytesPerSegment = max(state.window / growth, state.segment)
    }

    private mutating func raiseLongTerm(_ state: CongestionState, _ sample: RateSample) {
        guard sample.isWindowLimited, state.window >= longInFlight else { return }
        probeAcknowledged += sample.newlyDelivered
        if probeAcknowledged >= probeBytesPerSegment {
            let segments = probeAcknowledged / probeBytesPerSegment
            probeAcknowledged -= segments * probeBytesPerSegment
            longInFlight = min(longInFlight + segments * state.segment, TCPLimits.bufferLimit)
        }
        if isRoundStart { raiseSlope(state) }
    }

    // MARK: Probing the round trip

    mutating func checkRoundTripProbe(_ state: inout CongestionState, _ sample: RateSample, time: Int) {
        // On a path that is not paced a quiet moment comes by itself, and to halve what is in flight would cost more than it
        // tells.
        let isShort = minimumRoundTrip < TCPLimits.pacingRoundTripNanoseconds
        if phase != .probeRoundTrip, isRoundTripExpired, !isIdleRestart, !isShort {
            saveWindow(state)
            phase = .probeRoundTrip
            roundTripProbeEnd = nil
            feedback = .probeStopping
            startRound()
        }
        if phase == .probeRoundTrip { handleRoundTripProbe(&state, sample, time: time) }
        if sample.newlyDelivered > 0 { isIdleRestart = false }
    }

    private mutating func handleRoundTripProbe(_ state: inout CongestionState, _ sample: RateSample, time: Int) {
        // Delivery now says nothing about the rate.
        state.limitsItself = true
        if roundTripProbeEnd == nil {
            guard sample.inFlight <= roundTripWindow(state) else { return }
            roundTripProbeEnd = time + BBR.roundTripDuration
            isRoundTripProbeRound = false
            startRound()
        } else {
            if isRoundStart { isRoundTripProbeRound = true }
            if isRoundTripProbeRound { finishRoundTripProbe(&state, time: time) }
        }
    }

    mutating func finishRoundTripProbe(_ state: inout CongestionState, time: Int) {
        guard let end = roundTripProbeEnd, time > end else { return }
        probedRoundTripAt = time
        roundTripProbeEnd = nil
        state.window = max(state.window, priorWindow)
        resetShortTerm()
        if isPipeFull {
            startDown(time: time)
            phase = .cruise
            // The bytes of the next round left while in flight was halved. They are no measure for the short term.
            latestRate = maximumRate
            latestInFlight = state.window
            lossRoundDelivered = delivered
            isLossRoundStart = false
        } else {
            phase = .startup
        }
    }
}
