// The UDP calls. Read first: udp(7), ip(7): they behave as Linux's do.

package import NetPrimitives

extension NetworkStack {
    func datagramSlot(_ id: SocketID) throws(StackError) -> SlotID {
        guard id.kind == .datagram else { throw .notSupported }
        guard datagramSockets.contains(id.slot), !datagramSockets[id.slot].isClosing else { throw .badSocket }
        return id.slot
    }

    /// Opens an unbound UDP socket.
    package mutating func udpOpen(
        isIPv4: Bool, options: SocketOptions = SocketOptions()
    ) throws(StackError) -> SocketID {
        guard datagramSockets.count < configuration.limits.datagramSockets else { throw .tooManySockets }
        return SocketID(
            .datagram,
            datagramSockets.insert(DatagramSocket(isIPv4: isIPv4, options: options, limits: configuration.limits)))
    }

    /// Binds to an address (unspecified for all) and a port (0 for an ephemeral one).
    package mutating func udpBind(_ id: SocketID, to local: SocketEndpoint) throws(StackError) {
        let slot = try datagramSlot(id)
        guard datagramSockets[slot].binding < 0 else { throw .invalid }
        guard local.address.isIPv4 == datagramSockets[slot].isIPv4 else { throw .addressFamily }
        try checkLocal(local.address, on: datagramSockets[slot].options.interface)
        let options = datagramSockets[slot].options
        datagramSockets[slot].local = local
        var binding = Binding(
            owner: id, scope: datagramSockets[slot].scope, role: .receiver, reuseAddress: options.reuseAddress,
            reusePort: options.reusePort)
        do {
            let port = try choosePort(IPProtocol.udp, local.port, &binding)
            datagramSockets[slot].local = SocketEndpoint(local.address, port: port)
            datagramSockets[slot].binding = bindings.insert(IPProtocol.udp, port, binding)
        } catch {
            datagramSockets[slot].local = SocketEndpoint(local.address.isIPv4 ? .anyIPv4 : .anyIPv6, port: 0)
            throw error
        }
    }

    /// Whether a local address may be bound: ours, unspecified, or a group's or broadcast address.
    func checkLocal(_ address: IPAddress, on interface: InterfaceID?) throws(StackError) {
        if let interface, !interfaces.contains(interface.slot) { throw .networkDown }
        if address.isUnspecified || address.isMulticast || address.isLimitedBroadcast { return }
        if isOwn(address) { return }
        for slot in interfaces.ids where interfaces[slot].isDirectedBroadcast(address) { return }
        throw .addressNotAvailable
    }

    /// The port to bind: the one wanted, if the rules allow it, or a free ephemeral one.
    mutating func choosePort(
        _ protocolNumber: UInt8, _ wanted: UInt16, _ binding: inout Binding
    ) throws(StackError) -> UInt16 {
        let candidate = binding
        if wanted != 0 {
            guard bindings.allows(protocolNumber, wanted, candidate) else { throw .addressInUse }
            return wanted
        }
        // An ephemeral port is shared with nobody, whatever the options say.
        var strict = candidate
        strict.reuseAddress = false
        strict.reusePort = false
        let table = bindings
        let port = ports.port(random: &random) { table.allows(protocolNumber, $0, strict) }
        guard let port else { throw .addressInUse }
        return port
    }

    /// Connects to a peer: only its datagrams are received and errors are reported. nil dissolves the connection.
    package mutating func udpConnect(_ id: SocketID, to remote: SocketEndpoint?, now: Now) throws(StackError) {
        let slot = try datagramSlot(id)
        disconnect(slot)
        guard let remote else { return }
        try checkFamily(remote.address, slot)
        let bound = datagramSockets[slot].local.address
        let options = datagramSockets[slot].options
        let route = try route(
            to: remote.address, from: bound, on: routeInterface(options, remote.address), now: now)
        guard !route.isBroadcast || options.allowsBroadcast else { throw .accessDenied }
        if datagramSockets[slot].binding < 0 { try udpBind(id, to: SocketEndpoint(unspecified(slot), port: 0)) }
        if bound.isUnspecified {
            datagramSockets[slot].hasImplicitAddress = true
            datagramSockets[slot].local = SocketEndpoint(route.source, port: datagramSockets[slot].local.port)
        }
        let destination = route.kind == .loopback ? route.nextHop : remote.address
        let peer = SocketEndpoint(destination, port: remote.port)
        datagramSockets[slot].remote = peer
        if route.kind != .group {
            let key = FlowKey(
                IPProtocol.udp, local: route.source, localPort: datagramSockets[slot].local.port,
                remote: peer.address, remotePort: peer.port, interface: route.interface)
            flows.set(key, .datagram(slot))
            datagramSockets[slot].flow = key
        }
    }

    private func unspecified(_ slot: SlotID) -> IPAddress { datagramSockets[slot].isIPv4 ? .anyIPv4 : .anyIPv6 }

    private func routeInterface(_ options: SocketOptions, _ destination: IPAddress) -> InterfaceID? {
        if destination.isMulticast || destination.isLimitedBroadcast, let chosen = options.multicastInterface {
            return chosen
        }
        return options.interface
    }

    private func checkFamily(_ address: IPAddress, _ slot: SlotID) throws(StackError) {
        if address.isIPv4 == datagramSockets[slot].isIPv4 { return }
        // A dual-stack socket speaks IPv4 too.
        guard address.isIPv4, !datagramSockets[slot].options.isIPv6Only,
            datagramSockets[slot].local.address.isUnspecified || datagramSockets[slot].hasImplicitAddress
        else { throw .addressFamily }
    }

    private mutating func disconnect(_ slot: SlotID) {
        if let key = datagramSockets[slot].flow {
            if case .datagram(let owner)? = flows[key], owner == slot { flows.remove(key) }
            datagramSockets[slot].flow = nil
        }
        datagramSockets[slot].remote = nil
        if datagramSockets[slot].hasImplicitAddress {
            datagramSockets[slot].hasImplicitAddress = false
            datagramSockets[slot].local = SocketEndpoint(unspecified(slot), port: datagramSockets[slot].local.port)
        }
    }

    /// Sends a datagram to a destination, or to the connected peer.
    package mutating func sendTo(
        _ id: SocketID, _ bytes: RawSpan, to destination: SocketEndpoint? = nil, now: Now
    ) throws(StackError) {
        let slot = try datagramSlot(id)
        if datagramSockets[slot].isWriteShut { throw .brokenPipe }
        if let error = datagramSockets[slot].takeError() { throw error }
        guard let remote = destination ?? datagramSockets[slot].remote else { throw .destinationRequired }
        try checkFamily(remote.address, slot)
        guard remote.port != 0 else { throw .invalid }
        let isIPv4 = remote.address.isIPv4
        guard bytes.byteCount <= (isIPv4 ? StackConstants.maximumPayload4 : StackConstants.maximumPayload6) else {
            throw .messageTooLong
        }
        let route = try datagramRoute(slot, remote, now)
        let options = datagramSockets[slot].options
        guard !route.isBroadcast || options.allowsBroadcast else { throw .accessDenied }
        if datagramSockets[slot].binding < 0 { try udpBind(id, to: SocketEndpoint(unspecified(slot), port: 0)) }
        let size = bytes.byteCount + UDPHeader.size + (isIPv4 ? IPv4Header.size : IPv6Header.size)
        if options.pathMTUDiscovery == .always, size > route.mtu { throw .messageTooLong }
        let hops = route.kind == .group && !route.isBroadcast ? options.multicastHopLimit : options.hopLimit
        let record = OutboundDatagram(
            destination: SocketEndpoint(route.kind == .loopback ? route.nextHop : remote.address, port: remote.port),
            sourcePort: datagramSockets[slot].local.port, route: route,
            hopLimit: hops == 0 ? configuration.defaultHopLimit : hops, trafficClass: options.trafficClass,
            dontFragment: options.pathMTUDiscovery != .never, omitsChecksum: isIPv4 && options.omitsChecksum)
        guard datagramSockets[slot].sending.append(bytes, from: 0, count: bytes.byteCount, record) else {
            datagramSockets[slot].wantsWritable = true
            hurriesDatagrams = true
            throw .wouldBlock
        }
        queuedDatagrams += 1
        statistics.udp.sent &+= 1
        markReady(datagram: slot)
        if route.kind == .group, route.isBroadcast || options.multicastLoop { echoToMembers(bytes, record, now) }
    }

    // The route of the last destination is kept while nothing changes.
    private mutating func datagramRoute(
        _ slot: SlotID, _ remote: SocketEndpoint, _ now: Now
    ) throws(StackError) -> OutboundRoute {
        if datagramSockets[slot].cachedGeneration == routeGeneration,
            datagramSockets[slot].cachedDestination == remote.address, let route = datagramSockets[slot].cachedRoute
        {
            return route
        }
        let options = datagramSockets[slot].options
        var source: IPAddress? = datagramSockets[slot].local.address
        // A group's or broadcast address can be bound, but nothing is sent from it.
        if let bound = source, bound.isMulticast || bound.isLimitedBroadcast || bound.isIPv4 != remote.address.isIPv4 {
            source = nil
        }
        let route = try route(
            to: remote.address, from: source, on: routeInterface(options, remote.address), now: now)
        // A path MTU runs out by itself: such routes are looked up anew.
        if pathMTUs.isEmpty {
            datagramSockets[slot].cachedDestination = remote.address
            datagramSockets[slot].cachedRoute = route
            datagramSockets[slot].cachedGeneration = routeGeneration
        }
        return route
    }

    // Members of a group on this stack hear what is sent to it (IP_MULTICAST_LOOP); broadcast always does.
    private mutating func echoToMembers(_ bytes: RawSpan, _ record: OutboundDatagram, _ now: Now) {
        let interface = record.route.interface
        let destination = record.destination.address
        guard interfaces.contains(interface.slot) else { return }
        if destination.isMulticast, !interfaces[interface.slot].hasJoined(destination) { return }
        let isIPv4 = destination.isIPv4
        let headerSize = isIPv4 ? IPv4Header.size : IPv6Header.size
        let length = headerSize + UDPHeader.size + bytes.byteCount
        guard length <= StackConstants.loopbackMTU else { return }
        let udp = UDPHeader(
            sourcePort: record.sourcePort, destinationPort: record.destination.port,
            length: UDPHeader.size + bytes.byteCount)
        let template = PacketTemplate(
            source: record.route.source, destination: destination, protocolNumber: IPProtocol.udp,
            hopLimit: record.hopLimit, trafficClass: record.trafficClass, dontFragment: true, identification: 0)
        guard
            let plan = FragmentPlan(
                payloadLength: udp.length, isIPv4: isIPv4, mtu: StackConstants.loopbackMTU, allowsFragments: false)
        else { return }
        let packet = makeBytes(length) { span in
            template.write(plan, 0, into: &span, at: 0)
            let sum = Checksum.copyAndSum(
                bytes, from: 0, count: bytes.byteCount, into: &span, at: headerSize + UDPHeader.size)
            let pseudoSum = pseudoHeaderSum(template.source, destination, IPProtocol.udp)
            udp.write(
                into: &span, at: headerSize, checksum: udp.checksum(pseudoSum: pseudoSum, payloadSum: sum))
        }
        enqueue(
            OwnedPacket(
                interface: interface, destination: .zero, etherType: isIPv4 ? EtherType.ipv4 : EtherType.ipv6,
                bytes: packet, isLoopback: true))
    }

    /// Takes the oldest datagram. Copies at most `limit` bytes of it to `offset`. The rest is lost, and `isTruncated`
    /// says so.
    package mutating func receiveFrom(
        _ id: SocketID, into target: inout MutableRawSpan, at offset: Int = 0, upTo limit: Int = .max,
        peek: Bool = false, now: Now
    ) throws(StackError) -> ReceivedDatagram {
        let slot = try datagramSlot(id)
        if let error = datagramSockets[slot].takeError() { throw error }
        guard let entry = datagramSockets[slot].received.first else {
            if datagramSockets[slot].isReadShut {
                return ReceivedDatagram(
                    count: 0, length: 0, source: SocketEndpoint(unspecified(slot), port: 0),
                    destination: unspecified(slot), interface: loopback, hopLimit: 0, trafficClass: 0)
            }
            throw .wouldBlock
        }
        let count = min(entry.length, limit, target.byteCount - offset)
        datagramSockets[slot].received.read(entry, from: 0, count: count, into: &target, at: offset)
        if !peek {
            datagramSockets[slot].received.removeFirst()
            receivedDatagramBytes -= DatagramQueue<InboundDatagram>.charge(entry.length)
        }
        return ReceivedDatagram(
            count: count, length: entry.length, source: entry.record.source, destination: entry.record.destination,
            interface: entry.record.interface, hopLimit: entry.record.hopLimit,
            trafficClass: entry.record.trafficClass)
    }

    /// Bytes of the next datagram (FIONREAD); 0 if none waits.
    package func nextDatagramLength(_ id: SocketID) throws(StackError) -> Int {
        let slot = try datagramSlot(id)
        return datagramSockets[slot].received.first?.length ?? 0
    }

    // MARK: Groups

    /// Joins a group on an interface, by default the one by which the group is reached.
    package mutating func joinGroup(
        _ id: SocketID, _ group: IPAddress, on interface: InterfaceID? = nil, now: Now
    ) throws(StackError) {
        let slot = try datagramSlot(id)
        guard group.isMulticast else { throw .invalid }
        let options = datagramSockets[slot].options
        let chosen: InterfaceID
        if let interface { chosen = interface } else { chosen = try groupInterface(group, options, now) }
        guard interfaces.contains(chosen.slot) else { throw .networkDown }
        let membership = SocketMembership(group: group, interface: chosen)
        guard !datagramSockets[slot].memberships.contains(membership) else { throw .addressInUse }
        guard interfaces[chosen.slot].groups.count < configuration.limits.groupsPerInterface,
            datagramSockets[slot].memberships.count < configuration.limits.groupsPerInterface
        else { throw .noBuffers }
        datagramSockets[slot].memberships.append(membership)
        joinGroup(LinkGroup(group.multicastMAC), address: group, on: chosen)
    }

    private mutating func groupInterface(
        _ group: IPAddress, _ options: SocketOptions, _ now: Now
    ) throws(StackError) -> InterfaceID {
        try route(to: group, from: nil, on: routeInterface(options, group), now: now).interface
    }

    /// Leaves a group.
    package mutating func leaveGroup(
        _ id: SocketID, _ group: IPAddress, on interface: InterfaceID? = nil
    ) throws(StackError) {
        let slot = try datagramSlot(id)
        guard
            let index = datagramSockets[slot].memberships.firstIndex(where: {
                $0.group == group && (interface == nil || $0.interface == interface)
            })
        else { throw .addressNotAvailable }
        let membership = datagramSockets[slot].memberships.remove(at: index)
        if interfaces.contains(membership.interface.slot) {
            leaveGroup(LinkGroup(group.multicastMAC), address: group, on: membership.interface)
        }
    }

    /// Lets go of a UDP socket. Its queued datagrams still leave. It receives nothing any more.
    mutating func closeDatagram(_ slot: SlotID) {
        guard !datagramSockets[slot].isClosing else { return }
        disconnect(slot)
        for membership in datagramSockets[slot].memberships where interfaces.contains(membership.interface.slot) {
            leaveGroup(
                LinkGroup(membership.group.multicastMAC), address: membership.group, on: membership.interface)
        }
        bindings.remove(datagramSockets[slot].binding)
        datagramSockets[slot].isClosing = true
        if datagramSockets[slot].sending.isEmpty { removeDatagramSocket(slot) }
    }

    /// Removes a closed UDP socket with all that it holds.
    mutating func removeDatagramSocket(_ slot: SlotID) {
        receivedDatagramBytes -= datagramSockets[slot].received.charged
        queuedDatagrams -= datagramSockets[slot].sending.count
        _ = datagramSockets.remove(slot)
    }
}
