// The table of socket options: one row each. A new option is a case of `SocketOption`, its row here and what it does in the
// stack: Docs/how-to-add.md. Read first: socket(7), ip(7), ipv6(7), tcp(7).

import NetPrimitives
import NetStack

extension SocketOption {
    /// Its row.
    package var row: SocketOptionRow { SocketOption.rows[rawValue] }

    /// The option at a level and a number; nil if there is none.
    package init?(at level: SocketOptionPlace.Level, _ number: Int32) {
        guard let option = SocketOption.byPlace[SocketOptionPlace(level, number)] else { return nil }
        self = option
    }

    // By raw value.
    private static let rows = allCases.map(\.newRow)

    private static let byPlace = Dictionary(
        uniqueKeysWithValues: allCases.flatMap { option in option.row.places.map { ($0, option) } })

    // The compiler asks for the row of each case.
    private var newRow: SocketOptionRow {
        switch self {
        case .reuseAddress, .reusePort, .keepAlive, .broadcast, .outOfBandInline, .linger, .sendBuffer, .receiveBuffer,
            .receiveLowWater, .sendLowWater, .noChecksum:
            settingRow
        case .receiveTimeout, .sendTimeout, .connectTimeout, .error, .type, .acceptsConnections, .domain,
            .protocolNumber:
            callRow
        case .timeToLive, .typeOfService, .multicastTimeToLive, .multicastInterface, .multicastLoop, .pathMTUDiscovery,
            .ipv6Only:
            internetRow
        case .noDelay, .cork, .keepAliveIdle, .keepAliveIdleMilliseconds, .keepAliveInterval, .keepAliveCount,
            .userTimeout, .synCount, .finWaitTimeout, .maximumSegment, .congestionControl:
            connectionRow
        }
    }

    // SOL_SOCKET: settings.
    private var settingRow: SocketOptionRow {
        switch self {
        case .reuseAddress: .flag("SO_REUSEADDR", .socket(0x04, host: 2), \.options.reuseAddress)
        case .reusePort: .flag("SO_REUSEPORT", .socket(0x200, host: 15), \.options.reusePort)
        case .keepAlive: .flag("SO_KEEPALIVE", .socket(0x08, host: 9), \.connection.keepAlive)
        case .broadcast: .flag("SO_BROADCAST", .socket(0x20, host: 6), \.options.allowsBroadcast)
        case .noChecksum: .flag("SO_NO_CHECK", .socket(0x100a, host: 11), \.options.omitsChecksum, kinds: .datagrams)
        case .outOfBandInline:
            .number("SO_OOBINLINE", .socket(0x100, host: 10), .flag, get: { _, _ in 1 }, set: { _, _, _ in })
        case .sendBuffer:
            .number(
                "SO_SNDBUF", .socket(0x1001, host: 7), .bytes,
                get: { $0.sendBuffer ?? ($1 ? OptionDefaults.streamSendBuffer : OptionDefaults.datagramBuffer) },
                set: { state, number, _ in state.setSendBuffer(number) })
        case .receiveBuffer:
            .number(
                "SO_RCVBUF", .socket(0x1002, host: 8), .bytes,
                get: { $0.receiveBuffer ?? ($1 ? OptionDefaults.streamReceiveBuffer : OptionDefaults.datagramBuffer) },
                set: { state, number, _ in state.setReceiveBuffer(number) })
        case .receiveLowWater:
            .number(
                "SO_RCVLOWAT", .socket(0x1004, host: 18), .bytes, get: { state, _ in state.lowWater },
                set: { state, number, _ in state.lowWater = max(1, number) })
        case .sendLowWater:
            SocketOptionRow(
                name: "SO_SNDLOWAT", places: .socket(0x1003, host: 19), form: .bytes, get: { _, _ in .integer(1) })
        default:
            SocketOptionRow(
                name: "SO_LINGER", places: .socket(0x80, host: 13), form: .linger,
                get: { state, _ in .linger(state.linger) },
                set: { (state, value, _) throws(SocketError) in
                    guard case .linger(let linger) = value else { return }
                    state.linger = linger
                    state.options.resetsOnClose = linger.isOn && linger.seconds <= 0
                })
        }
    }

    // SOL_SOCKET: how long calls wait, and facts.
    private var callRow: SocketOptionRow {
        switch self {
        case .receiveTimeout: .limit("SO_RCVTIMEO", .socket(0x1006, host: 20), .time, \.receiveTimeout)
        case .sendTimeout: .limit("SO_SNDTIMEO", .socket(0x1005, host: 21), .time, \.sendTimeout)
        case .connectTimeout:
            .limit("SO_CONTIMEO", [SocketOptionPlace(.socket, 0x1009)], .milliseconds, \.connectTimeout)
        case .error: .fact("SO_ERROR", .socket(0x1007, host: 4))
        case .type: .fact("SO_TYPE", .socket(0x1008, host: 3))
        case .domain: .fact("SO_DOMAIN", [SocketOptionPlace(.hostSocket, 39)])
        case .protocolNumber: .fact("SO_PROTOCOL", [SocketOptionPlace(.hostSocket, 38)])
        default:
            SocketOptionRow(
                name: "SO_ACCEPTCONN", places: .socket(0x02, host: 30), form: .flag,
                get: { state, _ in .integer(state.isListening ? 1 : 0) })
        }
    }

    // IPPROTO_IP and IPPROTO_IPV6.
    private var internetRow: SocketOptionRow {
        switch self {
        case .timeToLive:
            .number(
                "IP_TTL", .internet(ipv4: [2], ipv6: [16]), .integerOrDefault(1...255),
                get: { state, _ in
                    state.options.hopLimit == 0 ? OptionDefaults.timeToLive : Int(state.options.hopLimit)
                },
                set: { state, number, _ in state.options.hopLimit = number == -1 ? 0 : UInt8(clamping: number) })
        case .typeOfService:
            .number(
                "IP_TOS", .internet(ipv4: [1], ipv6: [67]), .integer(Int.min...Int.max, unit: "the low byte counts"),
                get: { state, _ in Int(state.options.trafficClass) },
                set: { state, number, isStream in
                    // The two bits of congestion marks are TCP's own.
                    state.options.trafficClass = UInt8(truncatingIfNeeded: number) & (isStream ? ~3 : ~0)
                })
        case .multicastTimeToLive:
            SocketOptionRow.number(
                "IP_MULTICAST_TTL", .internet(ipv4: [5, 33], ipv6: [18]), .integerOrDefault(0...255),
                get: { state, _ in Int(state.options.multicastHopLimit) },
                set: { state, number, _ in
                    state.options.multicastHopLimit = number == -1 ? 1 : UInt8(clamping: number)
                }
            ).orByte
        case .multicastLoop:
            SocketOptionRow.flag(
                "IP_MULTICAST_LOOP", .internet(ipv4: [7, 34], ipv6: [19]), \.options.multicastLoop
            ).orByte
        case .multicastInterface:
            SocketOptionRow(
                name: "IP_MULTICAST_IF", places: .internet(ipv4: [6, 32], ipv6: []), form: .address,
                get: { state, _ in .address(state.multicastInterface) },
                // `BlockingSocket.setMulticastInterface`, which asks the stack whose address it is.
                set: { (_, _, _) throws(SocketError) in })
        case .pathMTUDiscovery:
            .number(
                "IP_MTU_DISCOVER", .internet(ipv4: [10], ipv6: [23]), .integer(0...2, unit: "never, want, always"),
                get: { state, _ in OptionDefaults.discoveries.firstIndex(of: state.options.pathMTUDiscovery) ?? 0 },
                set: { state, number, _ in state.options.pathMTUDiscovery = OptionDefaults.discoveries[number] })
        default: .flag("IPV6_V6ONLY", .internet(ipv4: [], ipv6: [26, 27]), \.options.isIPv6Only, kinds: .ipv6)
        }
    }

    // IPPROTO_TCP.
    private var connectionRow: SocketOptionRow {
        switch self {
        case .noDelay: .flag("TCP_NODELAY", .tcp(1), \.connection.noDelay, kinds: .streams)
        case .cork: .flag("TCP_CORK", [], \.connection.cork, kinds: .streams)
        case .keepAliveIdle:
            .time("TCP_KEEPIDLE", .tcp(3), 1...32_767, seconds: true, \.connection.keepAliveIdle, kinds: .streams)
        case .keepAliveIdleMilliseconds:
            .time("TCP_KEEPALIVE", .tcp(2), 1...32_767_000, seconds: false, \.connection.keepAliveIdle, kinds: .streams)
        case .keepAliveInterval:
            .time("TCP_KEEPINTVL", .tcp(4), 1...32_767, seconds: true, \.connection.keepAliveInterval, kinds: .streams)
        case .keepAliveCount: .count("TCP_KEEPCNT", .tcp(5), 1...127, \.connection.keepAliveCount, kinds: .streams)
        case .userTimeout:
            .time(
                "TCP_USER_TIMEOUT", .tcp(18), 0...Int(Int32.max), seconds: false, \.connection.userTimeout,
                kinds: .streams)
        case .synCount: .count("TCP_SYNCNT", .tcp(7), 1...127, \.connection.synRetries, kinds: .streams)
        case .finWaitTimeout:
            .time(
                "TCP_LINGER2", .tcp(8), Int(Int32.min)...120, seconds: true, \.connection.finWaitTimeout,
                kinds: .streams)
        case .maximumSegment:
            // What is in use is asked for instead of what was set.
            SocketOptionRow(
                name: "TCP_MAXSEG", places: [], kinds: .streams, form: .integer(88...32_767, unit: "bytes"),
                set: { (state, value, _) throws(SocketError) in
                    if case .integer(let number) = value { state.connection.maximumSegmentSize = number }
                })
        default:
            SocketOptionRow(
                name: "TCP_CONGESTION", places: .tcp(13), kinds: .streams, form: .name,
                set: { (state, value, _) throws(SocketError) in
                    guard case .name(let name) = value else { return }
                    guard let algorithm = CongestionAlgorithm(rawValue: name) else {
                        let known = CongestionAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
                        throw SocketError(.noSuchName, "there is no congestion control \"\(name)\", only \(known)")
                    }
                    state.connection.congestionControl = algorithm
                })
        }
    }
}

extension SocketOptionRow {
    fileprivate var orByte: SocketOptionRow {
        var row = self
        row.mayBeByte = true
        return row
    }
}

extension SocketOptionRow.Form {
    // Sizes take any number, and are brought into their bounds.
    fileprivate static let bytes = SocketOptionRow.Form.integer(Int.min...Int.max, unit: "bytes")
}

extension [SocketOptionPlace] {
    fileprivate static func socket(_ number: Int32, host: Int32) -> [SocketOptionPlace] {
        [SocketOptionPlace(.socket, number), SocketOptionPlace(.hostSocket, host)]
    }

    fileprivate static func internet(ipv4: [Int32], ipv6: [Int32]) -> [SocketOptionPlace] {
        ipv4.map { SocketOptionPlace(.ipv4, $0) } + ipv6.map { SocketOptionPlace(.ipv6, $0) }
    }

    fileprivate static func tcp(_ number: Int32) -> [SocketOptionPlace] { [SocketOptionPlace(.tcp, number)] }
}

/// Linux's defaults and bounds, as its getsockopt shows them.
enum OptionDefaults {
    static let streamReceiveBuffer = 131_072
    static let streamSendBuffer = 16_384
    static let datagramBuffer = 212_992
    static let leastReceiveBuffer = 2_304
    static let leastSendBuffer = 4_608
    static let segmentSize = 536
    static let timeToLive = 64
    /// Bytes that one socket may ask for.
    static let mostBuffer = 64 << 20
    /// IP_PMTUDISC_DONT, _WANT and _DO.
    static let discoveries: [SocketOptions.PathMTUDiscovery] = [.never, .want, .always]
}

extension BlockingSocket.State {
    fileprivate mutating func setReceiveBuffer(_ number: Int) {
        let bytes = min(max(0, number), OptionDefaults.mostBuffer)
        let shown = max(OptionDefaults.leastReceiveBuffer, 2 * bytes)
        receiveBuffer = shown
        options.receiveBytes = shown
        connection.receiveBufferMaximum = max(bytes, OptionDefaults.leastReceiveBuffer / 2)
        connection.autotune = false
    }

    fileprivate mutating func setSendBuffer(_ number: Int) {
        let bytes = min(max(0, number), OptionDefaults.mostBuffer)
        let shown = max(OptionDefaults.leastSendBuffer, 2 * bytes)
        sendBuffer = shown
        options.sendBytes = shown
        connection.sendBufferMaximum = max(bytes, OptionDefaults.leastSendBuffer / 2)
        connection.autotune = false
    }
}
