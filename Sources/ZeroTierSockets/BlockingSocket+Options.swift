// Options of a socket: remembered here, told to the stack as soon as it has the socket. Read first: socket(7), ip(7),
// ipv6(7), tcp(7).

package import NetPrimitives
import NetStack
import Synchronization
import ZeroTier

extension BlockingSocket {
    /// The socket's family, 2 or 10.
    package var family: Int32 { isIPv4 ? SocketLimits.familyIPv4 : SocketLimits.familyIPv6 }

    /// Whether calls on the descriptor do not block (O_NONBLOCK).
    package var isNonBlocking: Bool { state.withLock { $0.isNonBlocking } }

    /// Sets O_NONBLOCK (F_SETFL, FIONBIO).
    package func setNonBlocking(_ isOn: Bool) throws(SocketError) {
        try state.withLock { (state) throws(SocketError) in
            if state.isClosed { throw .closed }
            state.isNonBlocking = isOn
        }
    }

    // Linux's defaults and bounds, as its getsockopt shows them.
    private enum Defaults {
        static let streamReceiveBuffer = 131_072
        static let streamSendBuffer = 16_384
        static let datagramBuffer = 212_992
        static let leastReceiveBuffer = 2_304
        static let leastSendBuffer = 4_608
        static let segmentSize = 536
        static let timeToLive = 64
        /// Bytes that one socket may ask for.
        static let mostBuffer = 64 << 20
    }

    // MARK: Set

    /// Sets an option. ENOPROTOOPT if the socket has none of that name or it can only be read, EINVAL for a value that is
    /// out of range or of the wrong kind.
    package func setOption(_ option: SocketOption, _ value: SocketOptionValue) throws(SocketError) {
        if option == .ipv6Only, !isStream { try checkUnbound() }
        if option == .multicastInterface {
            guard case .address(let address) = value else { throw SocketError(.invalid) }
            return try setMulticastInterface(address)
        }
        let id = try state.withLock { (state) throws(SocketError) -> SocketID? in
            if state.isClosed { throw .closed }
            try check(option, state)
            switch value {
            case .integer(let number): try set(option, number, &state)
            case .duration(let duration): try set(option, duration, &state)
            case .linger(let linger):
                guard option == .linger else { throw SocketError(.invalid) }
                state.linger = linger
                state.options.resetsOnClose = linger.isOn && linger.seconds <= 0
            case .name(let name):
                guard option == .congestionControl else { throw SocketError(.invalid) }
                guard let algorithm = CongestionAlgorithm(rawValue: name) else {
                    let known = CongestionAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
                    throw SocketError(.noSuchName, "there is no congestion control \"\(name)\", only \(known)")
                }
                state.connection.congestionControl = algorithm
            case .address: throw SocketError(.invalid)
            }
            return state.id
        }
        if id != nil { try applyOptions(releasesCorked: option == .noDelay) }
    }

    // Whether the option exists for this kind of socket and may be set now.
    private func check(_ option: SocketOption, _ state: borrowing State) throws(SocketError) {
        switch option {
        case .error, .type, .acceptsConnections, .domain, .protocolNumber: throw SocketError(.noSuchOption)
        case .noDelay, .cork, .keepAliveIdle, .keepAliveIdleMilliseconds, .keepAliveInterval, .keepAliveCount,
            .userTimeout, .synCount, .finWaitTimeout, .maximumSegment, .congestionControl:
            guard isStream else { throw SocketError(.noSuchOption) }
        case .noChecksum: guard !isStream else { throw SocketError(.noSuchOption) }
        case .ipv6Only:
            guard !isIPv4 else { throw SocketError(.noSuchOption) }
            if state.id.map({ $0.kind != .datagram }) ?? false { throw SocketError(.invalid, "the socket is bound") }
        default: break
        }
    }

    // A datagram socket has no port yet, neither by bind nor by its first use.
    private func checkUnbound() throws(SocketError) {
        guard state.withLock({ $0.id }) != nil else { return }
        let isBound = try control { (state, stack, _, _) throws(SocketError) in
            guard let id = state.id else { return false }
            return try stackCall { () throws(StackError) in try stack.localEndpoint(id) }.port != 0
        }
        if isBound { throw SocketError(.invalid, "the socket is bound") }
    }

    private func set(_ option: SocketOption, _ number: Int, _ state: inout State) throws(SocketError) {
        let isOn = number != 0
        switch option {
        case .reuseAddress: state.options.reuseAddress = isOn
        case .reusePort: state.options.reusePort = isOn
        case .broadcast: state.options.allowsBroadcast = isOn
        case .noChecksum: state.options.omitsChecksum = isOn
        case .ipv6Only: state.options.isIPv6Only = isOn
        case .multicastLoop: state.options.multicastLoop = isOn
        case .outOfBandInline: break
        case .timeToLive: state.options.hopLimit = try number == -1 ? 0 : byte(number, 1...255)
        case .typeOfService:
            // The two bits of congestion marks are TCP's own.
            state.options.trafficClass = UInt8(truncatingIfNeeded: number) & (isStream ? ~3 : ~0)
        case .multicastTimeToLive:
            state.options.multicastHopLimit = try number == -1 ? 1 : byte(number, 0...255)
        case .pathMTUDiscovery:
            switch number {
            case 0: state.options.pathMTUDiscovery = .never
            case 1: state.options.pathMTUDiscovery = .want
            case 2: state.options.pathMTUDiscovery = .always
            default: throw SocketError(.invalid)
            }
        case .receiveLowWater: state.lowWater = max(1, number)
        case .sendLowWater: throw SocketError(.noSuchOption)
        case .receiveBuffer, .sendBuffer: setBuffer(option, number, &state)
        case .keepAlive, .noDelay, .cork, .keepAliveIdle, .keepAliveIdleMilliseconds, .keepAliveInterval,
            .keepAliveCount, .userTimeout, .synCount, .finWaitTimeout, .maximumSegment:
            try setConnection(option, number, &state.connection)
        default: throw SocketError(.invalid)
        }
    }

    private func setConnection(
        _ option: SocketOption, _ number: Int, _ connection: inout ConnectionOptions
    ) throws(SocketError) {
        switch option {
        case .keepAlive: connection.keepAlive = number != 0
        case .noDelay: connection.noDelay = number != 0
        case .cork: connection.cork = number != 0
        case .keepAliveIdle: connection.keepAliveIdle = .seconds(try within(number, 1...32_767))
        case .keepAliveIdleMilliseconds:
            connection.keepAliveIdle = .milliseconds(try within(number, 1...32_767_000))
        case .keepAliveInterval: connection.keepAliveInterval = .seconds(try within(number, 1...32_767))
        case .keepAliveCount: connection.keepAliveCount = try within(number, 1...127)
        case .userTimeout: connection.userTimeout = .milliseconds(try within(number, 0...Int(Int32.max)))
        case .synCount: connection.synRetries = try within(number, 1...127)
        case .finWaitTimeout: connection.finWaitTimeout = .seconds(max(0, try within(number, Int(Int32.min)...120)))
        default: connection.maximumSegmentSize = try within(number, 88...32_767)
        }
    }

    private func setBuffer(_ option: SocketOption, _ number: Int, _ state: inout State) {
        let bytes = min(max(0, number), Defaults.mostBuffer)
        if option == .receiveBuffer {
            let shown = max(Defaults.leastReceiveBuffer, 2 * bytes)
            state.receiveBuffer = shown
            state.options.receiveBytes = shown
            state.connection.receiveBufferMaximum = max(bytes, Defaults.leastReceiveBuffer / 2)
        } else {
            let shown = max(Defaults.leastSendBuffer, 2 * bytes)
            state.sendBuffer = shown
            state.options.sendBytes = shown
            state.connection.sendBufferMaximum = max(bytes, Defaults.leastSendBuffer / 2)
        }
        state.connection.autotune = false
    }

    private func set(_ option: SocketOption, _ duration: Duration?, _ state: inout State) throws(SocketError) {
        // Zero is no time-out, as in a timeval.
        let timeout = duration.flatMap { $0 > .zero ? $0 : nil }
        switch option {
        case .receiveTimeout: state.receiveTimeout = timeout
        case .sendTimeout: state.sendTimeout = timeout
        case .connectTimeout: state.connectTimeout = timeout
        default: throw SocketError(.invalid)
        }
    }

    private func within(_ number: Int, _ range: ClosedRange<Int>) throws(SocketError) -> Int {
        guard range.contains(number) else { throw SocketError(.invalid) }
        return number
    }

    private func byte(_ number: Int, _ range: ClosedRange<Int>) throws(SocketError) -> UInt8 {
        UInt8(truncatingIfNeeded: try within(number, range))
    }

    // Tells the stack. TCP_NODELAY lets out what TCP_CORK or MSG_MORE holds back, also if it was set before.
    private func applyOptions(releasesCorked: Bool) throws(SocketError) {
        try control { (state, stack, _, now) throws(SocketError) in
            guard let id = state.id else { return }
            let (options, connection) = (state.options, state.connection)
            try stackCall { () throws(StackError) in
                try stack.setSocketOptions(id, options)
                switch id.kind {
                case .stream:
                    var own = connection
                    own.cork = connection.cork || state.isCorkedByCall
                    try stack.setConnectionOptions(id, own, now: now)
                    if releasesCorked, own.noDelay { try stack.releaseCorked(id, now: now) }
                case .listener: try stack.setListenerConnectionOptions(id, connection)
                case .datagram, .reservation: break
                }
            }
        }
    }

    // MARK: Get

    /// Reads an option.
    package func option(_ option: SocketOption) throws(SocketError) -> SocketOptionValue {
        switch option {
        case .error: return .integer(Int(try takeError()))
        case .type: return .integer(Int(isStream ? SocketLimits.typeStream : SocketLimits.typeDatagram))
        case .domain: return .integer(Int(isIPv4 ? SocketLimits.familyIPv4 : SocketLimits.familyIPv6))
        case .protocolNumber: return .integer(Int(isStream ? SocketLimits.protocolTCP : SocketLimits.protocolUDP))
        case .maximumSegment:
            guard isStream else { throw SocketError(.noSuchOption) }
            return .integer(try segmentSize())
        case .congestionControl:
            guard isStream else { throw SocketError(.noSuchOption) }
            return .name(try congestionControl().rawValue)
        default:
            return try state.withLock { (state) throws(SocketError) in
                if state.isClosed { throw .closed }
                return try value(of: option, state)
            }
        }
    }

    private func value(of option: SocketOption, _ state: borrowing State) throws(SocketError) -> SocketOptionValue {
        let options = state.options
        switch option {
        case .reuseAddress: return switched(options.reuseAddress)
        case .reusePort: return switched(options.reusePort)
        case .broadcast: return switched(options.allowsBroadcast)
        case .outOfBandInline: return .integer(1)
        case .linger: return .linger(state.linger)
        case .receiveTimeout: return .duration(state.receiveTimeout)
        case .sendTimeout: return .duration(state.sendTimeout)
        case .connectTimeout: return .duration(state.connectTimeout)
        case .receiveLowWater: return .integer(state.lowWater)
        case .sendLowWater: return .integer(1)
        case .sendBuffer:
            return .integer(state.sendBuffer ?? (isStream ? Defaults.streamSendBuffer : Defaults.datagramBuffer))
        case .receiveBuffer:
            return .integer(state.receiveBuffer ?? (isStream ? Defaults.streamReceiveBuffer : Defaults.datagramBuffer))
        case .acceptsConnections: return switched(state.isListening)
        case .timeToLive:
            return .integer(options.hopLimit == 0 ? Defaults.timeToLive : Int(options.hopLimit))
        case .typeOfService: return .integer(Int(options.trafficClass))
        case .multicastTimeToLive: return .integer(Int(options.multicastHopLimit))
        case .multicastLoop: return switched(options.multicastLoop)
        case .multicastInterface: return .address(state.multicastInterface)
        case .pathMTUDiscovery:
            switch options.pathMTUDiscovery {
            case .never: return .integer(0)
            case .want: return .integer(1)
            case .always: return .integer(2)
            }
        case .noChecksum where !isStream: return switched(options.omitsChecksum)
        case .ipv6Only where !isIPv4: return switched(options.isIPv6Only)
        default:
            guard isStream else { throw SocketError(.noSuchOption) }
            return try value(of: option, state.connection)
        }
    }

    private func value(
        of option: SocketOption, _ connection: borrowing ConnectionOptions
    ) throws(SocketError) -> SocketOptionValue {
        switch option {
        case .keepAlive: switched(connection.keepAlive)
        case .noDelay: switched(connection.noDelay)
        case .cork: switched(connection.cork)
        case .keepAliveIdle: .integer(Int(connection.keepAliveIdle.milliseconds / 1_000))
        case .keepAliveIdleMilliseconds: .integer(Int(connection.keepAliveIdle.milliseconds))
        case .keepAliveInterval: .integer(Int(connection.keepAliveInterval.milliseconds / 1_000))
        case .keepAliveCount: .integer(connection.keepAliveCount)
        case .userTimeout: .integer(Int(connection.userTimeout.milliseconds))
        case .synCount: .integer(connection.synRetries)
        case .finWaitTimeout: .integer(Int(connection.finWaitTimeout.milliseconds / 1_000))
        default: throw SocketError(.noSuchOption)
        }
    }

    private func switched(_ isOn: Bool) -> SocketOptionValue { .integer(isOn ? 1 : 0) }

    // The pending error, which is given once.
    private func takeError() throws(SocketError) -> Int32 {
        let isUnused = try state.withLock { (state) throws(SocketError) in
            if state.isClosed { throw .closed }
            return state.id == nil && state.pendingError == nil
        }
        if isUnused { return 0 }
        return try control { (state, stack, _, _) throws(SocketError) in
            if let error = state.takePendingError() { return error.number.rawValue }
            guard let id = state.id else { return 0 }
            if state.wantsConnection, id.kind == .stream {
                // This is how programs ask for the outcome.
                switch try? stack.state(id) {
                case .synSent, .synReceived: break
                default: state.wantsConnection = false
                }
            }
            let error = try stackCall { () throws(StackError) in try stack.takeError(id) }
            return error.map { SocketErrno($0).rawValue } ?? 0
        }
    }

    // What was set; else the node's, or without a node what nodes have as a rule.
    private func congestionControl() throws(SocketError) -> CongestionAlgorithm {
        let set = try state.withLock { (state) throws(SocketError) in
            if state.isClosed { throw .closed }
            return state.connection.congestionControl
        }
        if let set { return set }
        let ofNode = try? control { (_, stack, _, _) throws(SocketError) in stack.configuration.congestionControl }
        return ofNode ?? .standard
    }

    private func segmentSize() throws(SocketError) -> Int {
        let set = try state.withLock { (state) throws(SocketError) -> Int? in
            if state.isClosed { throw .closed }
            let own = state.connection.maximumSegmentSize
            if state.id?.kind != .stream { return own == 0 ? Defaults.segmentSize : own }
            return nil
        }
        if let set { return set }
        return try control { (state, stack, _, _) throws(SocketError) in
            guard let id = state.id else { return Defaults.segmentSize }
            return try stackCall { () throws(StackError) in try stack.information(id).segmentSize }
        }
    }

    // MARK: Groups

    private func setMulticastInterface(_ address: IPAddress) throws(SocketError) {
        guard !isStream else { throw SocketError(.noSuchOption) }
        try control { (state, stack, watches, _) throws(SocketError) in
            var chosen: InterfaceID?
            if !address.isUnspecified {
                chosen = stack.interface(holding: address)
                if chosen == nil { throw SocketError(.addressNotAvailable, "this node has no address \(address)") }
            }
            let id = try datagram(&state, &stack, &watches)
            state.options.multicastInterface = chosen
            state.multicastInterface = address
            let options = state.options
            try stackCall { () throws(StackError) in try stack.setSocketOptions(id, options) }
        }
    }

    /// Joins or leaves a multicast group, on the interface with the local address given or on the one that leads there.
    package func changeGroup(_ group: IPAddress, interface: IPAddress?, isJoin: Bool) throws(SocketError) {
        guard !isStream else { throw SocketError(.noSuchOption) }
        try control { (state, stack, watches, now) throws(SocketError) in
            let id = try datagram(&state, &stack, &watches)
            let group = try unwrapped(SocketEndpoint(group, port: 0), state).address
            try stackCall { () throws(StackError) in
                var chosen: InterfaceID?
                if let interface, !interface.isUnspecified {
                    guard let holder = stack.interface(holding: interface.mappedIPv4 ?? interface) else {
                        throw .addressNotAvailable
                    }
                    chosen = holder
                }
                if isJoin {
                    try stack.joinGroup(id, group, on: chosen, now: now)
                } else {
                    try stack.leaveGroup(id, group, on: chosen)
                }
            }
        }
    }
}
