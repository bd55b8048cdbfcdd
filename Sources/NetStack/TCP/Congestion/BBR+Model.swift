// BBR's model of the path, from each ACK and each loss.
// Read first: draft-ietf-ccwg-bbr section 5.5.

extension BBR {
    /// The fastest delivery of the last two cycles.
    var maximumRate: Double { max(rates.current, rates.previous) }

    // MARK: Rounds and rate

    mutating func startRound() { nextRoundDelivered = delivered }

    mutating func updateLatest(_ sample: RateSample) {
        isLossRoundStart = false
        guard sample.newlyDelivered > 0 else { return }
        latestRate = max(latestRate, sample.rate)
        latestInFlight = max(latestInFlight, sample.delivered)
        if sample.priorDelivered >= lossRoundDelivered {
            lossRoundDelivered = sample.totalDelivered
            isLossRoundStart = true
        }
    }

    mutating func advanceLatest(_ sample: RateSample) {
        guard isLossRoundStart else { return }
        latestRate = sample.rate
        latestInFlight = sample.delivered
    }

    mutating func updateRate(_ sample: RateSample) {
        isRoundStart = false
        if sample.newlyDelivered > 0, sample.priorDelivered >= nextRoundDelivered {
            startRound()
            round += 1
            roundsSinceProbe += 1
            isRoundStart = true
        }
        // A sample that the application limited counts only if it is above the known rate.
        if sample.rate > 0, sample.rate >= maximumRate || !sample.isApplicationLimited {
            rates.current = max(rates.current, sample.rate)
        }
    }

    /// A cycle of probing is over: its fastest delivery stays for one more.
    mutating func advanceRateFilter() {
        guard rates.current > 0 else { return }
        rates = (0, rates.current)
    }

    // MARK: Losses

    /// Once per round with losses, outside of probes. The bounds of the short term follow the delivery.
    mutating func adaptToLosses(_ state: CongestionState, _ sample: RateSample) {
        guard isLossRoundStart else { return }
        if isLossInRound, !phase.isProbingBandwidth {
            if shortRate == .infinity { shortRate = maximumRate }
            if shortInFlight == .max { shortInFlight = state.window }
            // We send one percent below the estimate, and some of that is lost: no sample can be above what is left. Taken for a
            // shortfall of the path, both would eat the rate up, a little with each round that sees a loss. Losses that are
            // noise are none of a queue's; more than that is.
            let arrived = arrivingShare(state, sample)
            shortRate = max(latestRate / (BBR.pacingMargin * arrived), BBR.beta * shortRate)
            shortInFlight = max(Int(Double(latestInFlight) / arrived), Int(BBR.beta * Double(shortInFlight)))
        }
        isLossInRound = false
    }

    // The share of a round trip's bytes that arrived, if the rest is noise; 1 if more was lost.
    private func arrivingShare(_ state: CongestionState, _ sample: RateSample) -> Double {
        guard sample.usesSack, sample.inFlightAtDeparture > 0, !isInFlightTooHigh(state, sample) else { return 1 }
        return 1 - Double(sample.lostSinceDeparture) / Double(sample.inFlightAtDeparture)
    }

    mutating func resetShortTerm() {
        shortRate = .infinity
        shortInFlight = .max
    }

    mutating func noteLoss(_ state: CongestionState) {
        if !isLossInRound {
            lossRoundDelivered = delivered
            saveState(state)
        }
        isLossInRound = true
    }

    func isInFlightTooHigh(_ state: CongestionState, _ sample: RateSample) -> Bool {
        if !sample.usesSack { return sample.lostSinceDeparture > 0 }
        return Double(sample.lostSinceDeparture) > Double(sample.inFlightAtDeparture) * state.lossTolerance
    }

    /// More was lost of what a probe had in flight than the path can be blamed for.
    mutating func handleExcess(_ state: CongestionState, inFlight: Int, isLimited: Bool, time: Int) {
        isProbeTooHigh = true
        isProbeSample = false
        if !isLimited {
            let target = Double(targetInFlight(state)) * BBR.beta
            longInFlight = max(inFlight, Int(target))
        }
        if phase == .up {
            undoPhase = .up
            startDown(time: time)
        }
    }

    func targetInFlight(_ state: CongestionState) -> Int { min(product(state, rate: rate, gain: 1), state.window) }

    mutating func saveWindow(_ state: CongestionState) {
        priorWindow =
            !isRecovering && phase != .probeRoundTrip ? state.window : max(priorWindow, state.window)
    }

    mutating func saveState(_ state: CongestionState) {
        saveWindow(state)
        undoPhase = nil
        undoShortRate = shortRate
        undoShortInFlight = shortInFlight
        undoLongInFlight = longInFlight
    }

    // MARK: Aggregation

    /// At times more is acknowledged than the rate explains. That much more must be in flight, to send on between two
    /// bunches of ACKs.
    mutating func updateAggregation(_ state: CongestionState, _ sample: RateSample, time: Int) {
        var expected = rate * Double(time - aggregationSince) * 1e-9
        if Double(aggregationDelivered) <= expected {
            aggregationDelivered = 0
            aggregationSince = time
            expected = 0
        }
        aggregationDelivered = min(aggregationDelivered + sample.newlyDelivered, 2 * TCPLimits.bufferLimit)
        let extra = min(aggregationDelivered - Int(min(expected, 1e15)), state.window)
        // The most of ten rounds, kept as two halves; of one round in startup.
        if isRoundStart, round - aggregationRound >= (isPipeFull ? 5 : 1) {
            aggregationRound = round
            aggregated = (0, isPipeFull ? aggregated.current : 0)
        }
        aggregated.current = max(aggregated.current, extra)
    }

    // MARK: Round trip

    mutating func updateMinimumRoundTrip(_ sample: RateSample, time: Int) {
        isRoundTripExpired = time > probedRoundTripAt + BBR.roundTripInterval
        if let roundTrip = sample.roundTrip, roundTrip < probedRoundTrip || isRoundTripExpired {
            probedRoundTrip = max(roundTrip, 1)
            probedRoundTripAt = time
        }
        let isExpired = time > minimumRoundTripAt + BBR.roundTripFilter
        if probedRoundTrip < minimumRoundTrip || isExpired {
            minimumRoundTrip = probedRoundTrip
            minimumRoundTripAt = probedRoundTripAt
        }
    }
}
