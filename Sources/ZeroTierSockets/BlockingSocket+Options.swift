// Options of a socket. They are remembered here; the stack is told as soon as it has the socket. Read first: socket(7),
// ip(7), ipv6(7), tcp(7).

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

    // MARK: Set

    /// Sets an option. ENOPROTOOPT if the socket has none of that name or it can only be read, EINVAL for a value that is
    /// out of range or of the wrong kind.
    package func setOption(_ option: SocketOption, _ value: SocketOptionValue) throws(SocketError) {
        let row = option.row
        if option == .ipv6Only, !isStream { try checkUnbound() }
        let id = try state.withLock { (state) throws(SocketError) -> SocketID? in
            if state.isClosed { throw .closed }
            try check(option, row, value, state)
            try row.set?(&state, value, isStream)
            return state.id
        }
        if case .address(let address) = value { return try setMulticastInterface(address) }
        if id != nil { try applyOptions(releasesCorked: option == .noDelay) }
    }

    // Throws unless the option exists for this kind of socket, can be set now, and takes this value.
    private func check(
        _ option: SocketOption, _ row: SocketOptionRow, _ value: SocketOptionValue, _ state: borrowing State
    ) throws(SocketError) {
        try checkExists(row)
        guard row.set != nil else { throw SocketError(.noSuchOption, "\(row.name) can only be read") }
        guard row.form.accepts(value) else { throw SocketError(.invalid, "\(row.name) takes \(row.form.requirement)") }
        if option == .ipv6Only, state.id.map({ $0.kind != .datagram }) ?? false {
            throw SocketError(.invalid, "the socket is bound")
        }
    }

    private func checkExists(_ row: SocketOptionRow) throws(SocketError) {
        guard row.exists(isStream: isStream, isIPv4: isIPv4) else {
            let socket = "\(isIPv4 ? "an IPv4" : "an IPv6") \(isStream ? "stream" : "datagram") socket"
            throw SocketError(.noSuchOption, "\(socket) has no \(row.name)")
        }
    }

    // Throws unless a datagram socket has no port yet, neither by bind nor by its first use.
    private func checkUnbound() throws(SocketError) {
        guard state.withLock({ $0.id }) != nil else { return }
        let isBound = try control { (state, stack, _, _) throws(SocketError) in
            guard let id = state.id else { return false }
            return try stackCall { () throws(StackError) in try stack.localEndpoint(id) }.port != 0
        }
        if isBound { throw SocketError(.invalid, "the socket is bound") }
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

    /// Reads an option. ENOPROTOOPT if the socket has none of that name.
    package func option(_ option: SocketOption) throws(SocketError) -> SocketOptionValue {
        let row = option.row
        try checkExists(row)
        guard let get = row.get else { return try found(option) }
        return try state.withLock { (state) throws(SocketError) in
            if state.isClosed { throw .closed }
            return get(state, isStream)
        }
    }

    // Values that are not remembered but found out.
    private func found(_ option: SocketOption) throws(SocketError) -> SocketOptionValue {
        switch option {
        case .error: .integer(Int(try takeError()))
        case .type: .integer(Int(isStream ? SocketLimits.typeStream : SocketLimits.typeDatagram))
        case .domain: .integer(Int(family))
        case .protocolNumber: .integer(Int(isStream ? SocketLimits.protocolTCP : SocketLimits.protocolUDP))
        case .maximumSegment: .integer(try segmentSize())
        case .congestionControl: .name(try congestionControl().rawValue)
        default: throw SocketError(.noSuchOption)
        }
    }

    // The pending error. It is given once.
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

    // The one that was set; else the node's; without a node, the one that nodes have by default.
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
            if state.id?.kind != .stream { return own == 0 ? OptionDefaults.segmentSize : own }
            return nil
        }
        if let set { return set }
        return try control { (state, stack, _, _) throws(SocketError) in
            guard let id = state.id else { return OptionDefaults.segmentSize }
            return try stackCall { () throws(StackError) in try stack.information(id).segmentSize }
        }
    }

    // MARK: Groups

    private func setMulticastInterface(_ address: IPAddress) throws(SocketError) {
        guard !isStream else { throw SocketError(.noSuchOption, "a stream socket has no groups") }
        try control { (state, stack, room, _) throws(SocketError) in
            var chosen: InterfaceID?
            if !address.isUnspecified {
                chosen = stack.interface(holding: address)
                if chosen == nil { throw SocketError(.addressNotAvailable, "this node has no address \(address)") }
            }
            let id = try datagram(&state, &stack, &room)
            state.options.multicastInterface = chosen
            state.multicastInterface = address
            let options = state.options
            try stackCall { () throws(StackError) in try stack.setSocketOptions(id, options) }
        }
    }

    /// Joins or leaves a multicast group, on the interface that has the given local address, or on the one that leads
    /// to the group.
    package func changeGroup(_ group: IPAddress, interface: IPAddress?, isJoin: Bool) throws(SocketError) {
        guard !isStream else { throw SocketError(.noSuchOption, "a stream socket has no groups") }
        try control { (state, stack, room, now) throws(SocketError) in
            let id = try datagram(&state, &stack, &room)
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
