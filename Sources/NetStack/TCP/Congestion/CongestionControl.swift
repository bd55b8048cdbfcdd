// How much may be in flight and how fast it may leave.
// Read first: RFC 5681, RFC 6937 (what recovery makes of the threshold: `Recovery`). One file per algorithm beside this.

/// The decisions of an algorithm. Sizes in bytes.
struct CongestionState: Sendable {
    /// The congestion window.
    var window: Int
    /// Slow start below, congestion avoidance from here on. Model-based algorithms leave it alone.
    var threshold = Int.max
    /// Bytes a second that may leave; infinite: as fast as the window lets them.
    var pacingRate = Double.infinity
    /// Payload of a full segment.
    var segment: Int
    /// The window that the connection began with (RFC 6928).
    let initialWindow: Int
    /// From here on sending says nothing about the path's rate, though there is data to send.
    var limitsItself = false
    /// The share of losses up to which they are noise.
    var lossTolerance = LossReport.tolerance(pieces: 1)

    init(segmentSize: Int) {
        segment = segmentSize
        // RFC 6928: ten segments, but no more than 14600 bytes unless that is less than two.
        initialWindow = min(
            TCPLimits.initialWindowSegments * segmentSize,
            max(2 * segmentSize, TCPLimits.initialWindowSegments * 1460))
        window = initialWindow
    }

    var isSlowStart: Bool { window < threshold }
}

/// Why the path is thought to be congested.
enum CongestionSignal: Sendable {
    /// Something was lost and recovery begins, or a tail loss probe repaired it.
    case loss
    /// The retransmission time-out.
    case timeout
    /// The peer echoes a congestion mark (RFC 3168).
    case mark
}

/// An algorithm. Times in nanoseconds. `Recovery` moves the window, unless the algorithm does.
protocol CongestionController: Sendable {
    /// Recovery reduces the window to the threshold in proportion to what is delivered (RFC 6937). False: the algorithm
    /// sets the window itself, in recovery too.
    static var reducesProportionally: Bool { get }
    /// Windows that the send buffer has room for: one is in flight, and while a loss is repaired the next is, too.
    static var bufferedWindows: Int { get }

    /// The handshake gave a first round trip.
    mutating func begin(_ state: inout CongestionState, roundTrip: Int)
    /// A piece is about to leave. `inFlight`: before it.
    mutating func willSend(_ state: inout CongestionState, inFlight: Int, isApplicationLimited: Bool, time: Int)
    /// An ACK delivered bytes outside of recovery while the window was what held us back.
    mutating func grow(_ state: inout CongestionState, by delivered: Int, roundTrip: Int, time: Int)
    /// Every ACK that delivered something, after `grow`.
    mutating func update(_ state: inout CongestionState, _ sample: RateSample, time: Int)
    /// A round-trip sample of something sent once.
    mutating func note(_ state: inout CongestionState, roundTrip: Int, acknowledged: Int, next: Int)
    /// Something was marked lost. `delivered`: bytes delivered so far.
    mutating func note(_ state: inout CongestionState, _ losses: LossReport, delivered: Int, time: Int)
    /// A loss event, once per window. `inFlight`: what is thought to be in the network.
    mutating func reduce(_ state: inout CongestionState, _ signal: CongestionSignal, inFlight: Int)
    /// Recovery is complete.
    mutating func finishRecovery(_ state: inout CongestionState)
    /// The loss was none: `window` and `threshold` are what was before.
    mutating func undo(_ state: inout CongestionState, window: Int, threshold: Int)
    /// Nothing was sent for some time-outs.
    mutating func restart(_ state: inout CongestionState, afterTimeouts count: Int)
}

/// Code that window-based algorithms share.
extension CongestionController {
    static var reducesProportionally: Bool { true }
    static var bufferedWindows: Int { 2 }

    func begin(_ state: inout CongestionState, roundTrip: Int) { pace(&state, roundTrip: roundTrip) }

    func willSend(_ state: inout CongestionState, inFlight: Int, isApplicationLimited: Bool, time: Int) {}

    func update(_ state: inout CongestionState, _ sample: RateSample, time: Int) {
        pace(&state, roundTrip: sample.smoothedRoundTrip)
    }

    func note(_ state: inout CongestionState, _ losses: LossReport, delivered: Int, time: Int) {}

    func finishRecovery(_ state: inout CongestionState) { state.window = max(state.threshold, state.segment) }

    /// A window per round trip, and enough more that the window and not the pace is the limit: it doubles in slow start
    /// (as Linux).
    func pace(_ state: inout CongestionState, roundTrip: Int) {
        let gain = state.window < state.threshold / 2 ? 2 : 1.2
        state.pacingRate = gain * Double(state.window) * 1e9 / Double(max(roundTrip, 1))
    }

    /// RFC 5681 4.1, decaying as Linux does it.
    func decay(_ state: inout CongestionState, afterTimeouts count: Int) {
        let initial = min(state.window, TCPLimits.initialWindowSegments * state.segment)
        if state.threshold != .max { state.threshold = max(state.threshold, state.window * 3 / 4) }
        state.window = max(initial, state.window >> min(count, 30))
    }
}

/// The congestion window of one connection and the algorithm that moves it.
struct CongestionControl: Sendable {
    private(set) var state: CongestionState
    private var controller: Controller

    init(_ algorithm: CongestionAlgorithm, segmentSize: Int, pieces: Int, seed: UInt32) {
        state = CongestionState(segmentSize: segmentSize)
        state.lossTolerance = LossReport.tolerance(pieces: pieces)
        controller = Controller(algorithm, seed: seed)
    }

    /// The congestion window. During recovery the proportional rate reduction sets it.
    var window: Int {
        get { state.window }
        set { state.window = newValue }
    }
    var threshold: Int { state.threshold }
    var isSlowStart: Bool { state.isSlowStart }
    /// Bytes a second that may leave; infinite: as many as the window lets.
    var pacingRate: Double { state.pacingRate }
    var initialWindow: Int { state.initialWindow }
    /// From here on sending says nothing about the path's rate.
    var limitsItself: Bool { state.limitsItself }
    /// Whether `Recovery` sets the window while something is lost.
    var reducesProportionally: Bool {
        switch controller {
        case .cubic: Cubic.reducesProportionally
        case .reno: Reno.reducesProportionally
        case .bbr: BBR.reducesProportionally
        }
    }

    /// Bytes that the send buffer should have room for.
    var bufferWanted: Int {
        let windows =
            switch controller {
            case .cubic: Cubic.bufferedWindows
            case .reno: Reno.bufferedWindows
            case .bbr: BBR.bufferedWindows
            }
        return windows * state.window
    }

    /// The segment size changed: path MTU or negotiation. `pieces`: datagrams that a full one travels in.
    mutating func setSegmentSize(_ size: Int, pieces: Int) {
        state.segment = size
        state.lossTolerance = LossReport.tolerance(pieces: pieces)
        state.window = max(state.window, size)
    }

    /// Another algorithm takes over, from the window and threshold as they are.
    mutating func change(to algorithm: CongestionAlgorithm, roundTrip: Int?, seed: UInt32) {
        controller = Controller(algorithm, seed: seed)
        state.limitsItself = false
        if let roundTrip { controller.begin(&state, roundTrip: roundTrip) }
    }

    mutating func begin(roundTrip: Int) { controller.begin(&state, roundTrip: roundTrip) }

    mutating func willSend(inFlight: Int, isApplicationLimited: Bool, time: Int) {
        // The others have nothing to do, and this is asked for every piece.
        guard case .bbr(var bbr) = controller, inFlight == 0 else { return }
        bbr.willSend(&state, inFlight: inFlight, isApplicationLimited: isApplicationLimited, time: time)
        controller = .bbr(bbr)
    }

    mutating func grow(by delivered: Int, roundTrip: Int, time: Int) {
        controller.grow(&state, by: delivered, roundTrip: roundTrip, time: time)
        state.window = min(state.window, TCPLimits.bufferLimit)
    }

    mutating func update(_ sample: RateSample, time: Int) { controller.update(&state, sample, time: time) }

    mutating func note(roundTrip: Int, acknowledged: Int, next: Int) {
        controller.note(&state, roundTrip: roundTrip, acknowledged: acknowledged, next: next)
    }

    mutating func note(_ losses: LossReport, delivered: Int, time: Int) {
        controller.note(&state, losses, delivered: delivered, time: time)
    }

    mutating func reduce(_ signal: CongestionSignal, inFlight: Int) {
        controller.reduce(&state, signal, inFlight: inFlight)
    }

    mutating func finishRecovery() { controller.finishRecovery(&state) }

    /// After a time-out nothing is thought to be in flight, and the window begins at one segment.
    mutating func collapse() { state.window = state.segment }

    mutating func undo(window: Int, threshold: Int) {
        controller.undo(&state, window: window, threshold: threshold)
    }

    mutating func restart(afterTimeouts count: Int) {
        guard count > 0 else { return }
        controller.restart(&state, afterTimeouts: count)
    }
}

/// The algorithms, without an existential.
private enum Controller: Sendable {
    case cubic(Cubic)
    case reno(Reno)
    case bbr(BBR)

    init(_ algorithm: CongestionAlgorithm, seed: UInt32) {
        self =
            switch algorithm {
            case .cubic: .cubic(Cubic())
            case .reno: .reno(Reno())
            case .bbr: .bbr(BBR(seed: seed))
            }
    }

    /// Runs a body on the algorithm in force.
    @inline(__always)
    private mutating func with(
        _ state: inout CongestionState, _ onCubic: (inout Cubic, inout CongestionState) -> Void,
        _ onReno: (inout Reno, inout CongestionState) -> Void, _ onBBR: (inout BBR, inout CongestionState) -> Void
    ) {
        switch self {
        case .cubic(var cubic):
            onCubic(&cubic, &state)
            self = .cubic(cubic)
        case .reno(var reno):
            onReno(&reno, &state)
            self = .reno(reno)
        case .bbr(var bbr):
            onBBR(&bbr, &state)
            self = .bbr(bbr)
        }
    }

    mutating func begin(_ state: inout CongestionState, roundTrip: Int) {
        with(
            &state, { $0.begin(&$1, roundTrip: roundTrip) }, { $0.begin(&$1, roundTrip: roundTrip) },
            { $0.begin(&$1, roundTrip: roundTrip) })
    }

    mutating func grow(_ state: inout CongestionState, by delivered: Int, roundTrip: Int, time: Int) {
        with(
            &state, { $0.grow(&$1, by: delivered, roundTrip: roundTrip, time: time) },
            { $0.grow(&$1, by: delivered, roundTrip: roundTrip, time: time) },
            { $0.grow(&$1, by: delivered, roundTrip: roundTrip, time: time) })
    }

    mutating func update(_ state: inout CongestionState, _ sample: RateSample, time: Int) {
        with(
            &state, { $0.update(&$1, sample, time: time) }, { $0.update(&$1, sample, time: time) },
            { $0.update(&$1, sample, time: time) })
    }

    mutating func note(_ state: inout CongestionState, roundTrip: Int, acknowledged: Int, next: Int) {
        with(
            &state, { $0.note(&$1, roundTrip: roundTrip, acknowledged: acknowledged, next: next) },
            { $0.note(&$1, roundTrip: roundTrip, acknowledged: acknowledged, next: next) },
            { $0.note(&$1, roundTrip: roundTrip, acknowledged: acknowledged, next: next) })
    }

    mutating func note(_ state: inout CongestionState, _ losses: LossReport, delivered: Int, time: Int) {
        with(
            &state, { $0.note(&$1, losses, delivered: delivered, time: time) },
            { $0.note(&$1, losses, delivered: delivered, time: time) },
            { $0.note(&$1, losses, delivered: delivered, time: time) })
    }

    mutating func reduce(_ state: inout CongestionState, _ signal: CongestionSignal, inFlight: Int) {
        with(
            &state, { $0.reduce(&$1, signal, inFlight: inFlight) }, { $0.reduce(&$1, signal, inFlight: inFlight) },
            { $0.reduce(&$1, signal, inFlight: inFlight) })
    }

    mutating func finishRecovery(_ state: inout CongestionState) {
        with(&state, { $0.finishRecovery(&$1) }, { $0.finishRecovery(&$1) }, { $0.finishRecovery(&$1) })
    }

    mutating func undo(_ state: inout CongestionState, window: Int, threshold: Int) {
        with(
            &state, { $0.undo(&$1, window: window, threshold: threshold) },
            { $0.undo(&$1, window: window, threshold: threshold) },
            { $0.undo(&$1, window: window, threshold: threshold) })
    }

    mutating func restart(_ state: inout CongestionState, afterTimeouts count: Int) {
        with(
            &state, { $0.restart(&$1, afterTimeouts: count) }, { $0.restart(&$1, afterTimeouts: count) },
            { $0.restart(&$1, afterTimeouts: count) })
    }
}
