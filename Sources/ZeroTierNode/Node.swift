//  A whole node, sans I/O: transport, virtual Ethernet and TCP/IP stack joined. What ships is what is simulated.
//  Read first: Docs/architecture.md.
//
//      datagrams --receive--> peers --verbs--> ethernet --frames--> stack --> sockets
//      datagrams <-transmit-- peers <-routes-- ethernet <-bursts--- stack <-- sockets
//
//  One owner at a time: the holder of the driver's lock, or the simulator. After every call it empties the node: `Node+Pump`.

package import NetPrimitives
package import NetStack
package import ZeroTierController
package import ZeroTierEthernet
package import ZeroTierPeers
package import ZeroTierWire

/// The machines of one node and nothing else.
package struct Node: ~Copyable {
    /// The transport (VL1).
    package internal(set) var peers: PeerEngine
    /// The virtual networks (VL2).
    package internal(set) var ethernet: EthernetEngine
    /// The TCP/IP stack: socket verbs are called on it directly, then the owner drains and transmits.
    package var stack: NetworkStack

    /// The controller of networks of this node's own, if it has one.
    package internal(set) var controller: ControllerEngine?
    /// The controller answers.
    package internal(set) var isController = false
    var controllerRandom: RandomSource

    var interfaces = VirtualInterfaces()
    /// Settings of joined networks that are not the defaults.
    var settings: [NetworkID: NetworkSettings] = [:]
    /// Interfaces of a stack that was taken over, until their networks have a configuration again.
    var keptInterfaces: [ConfiguredInterface] = []
    var events = BoundedQueue<NodeEvent>(capacity: NodeLimits.events)
    /// Peers whose record is in the state, as far as this run knows, in the order in which they came there.
    var storedPeers = BoundedQueue<Address>(capacity: ProtocolLimits.storedPeers)
    var storedAddresses: Set<Address> = []
    var framesUnwritten: UInt64 = 0
    /// Bytes of the slab that a frame of the largest MTU among our networks takes.
    var largestFrameBytes: Int
    /// Room for the leading bytes of a packet that rules look at, allocated once.
    var headerScratch = [UInt8](repeating: 0, count: NodeLimits.headerBytes)
    /// Events lost because the owner did not drain them.
    package private(set) var eventsLost: UInt64 = 0

    /// Makes a node; contact with the roots is due at once. `identity` has its secret.
    package init(
        identity: Identity, configuration: NodeConfiguration, random: RandomSource, now: Now
    ) {
        self.init(identity: identity, configuration: configuration, random: random, keeping: nil, now: now)
    }

    /// As the other, going on with the stack of an earlier node: networks that are joined again get their interfaces back,
    /// with everything that is bound to them.
    package init(
        identity: Identity, configuration: NodeConfiguration, random: RandomSource,
        keeping handover: consuming StackHandover?, now: Now
    ) {
        var random = random
        peers = PeerEngine(
            identity: identity, configuration: configuration.peers, random: random.fork(), now: now)
        ethernet = EthernetEngine(
            identity: identity, configuration: configuration.ethernet, random: random.fork(), now: now)
        let stackRandom = random.fork()
        controllerRandom = random.fork()
        if let kept = handover {
            stack = kept.stack
            keptInterfaces = kept.interfaces
        } else {
            stack = NetworkStack(configuration: configuration.stack, random: stackRandom)
        }
        largestFrameBytes = peers.batchBytes(forPacketOf: NodeLimits.frameOverhead + ProtocolLimits.virtualMTU)
        updateUpstreams(now)
        settle(now: now)
    }

    /// Who we are, with the secret.
    package var identity: Identity { peers.identity }
    /// Our address.
    package var address: Address { peers.address }

    // MARK: Handing the stack on

    /// Ends the node and gives its stack away.
    package consuming func handOver() -> StackHandover {
        let all = interfaces.all + keptInterfaces
        return StackHandover(stack: stack, interfaces: all)
    }

    // MARK: Networks

    /// Joins a network. `saved` is the stored configuration, if there is one, `settings` are those stored. A `token`, if there is
    /// one, takes the place of the stored one and is shown to the controller at once. False when too many networks are joined.
    package mutating func join(
        _ id: NetworkID, saved: [UInt8]? = nil, settings stored: NetworkSettings = NetworkSettings(),
        token: String = "", now: Now
    ) -> Bool {
        let isNew = ethernet.slot(of: id) == nil
        let old = isNew ? stored : settings(of: id)
        var new = old
        if !token.isEmpty { new.joinToken = token }
        let shown = isNew ? new.joinToken : token
        let authorization = shown.isEmpty ? "" : "token:\(shown)"
        guard ethernet.join(id, savedConfiguration: saved, authorization: authorization, now: now) != nil else {
            return false
        }
        if new != NetworkSettings() { settings[id] = new }
        if new != old { emit(.store(.networkSettings(id), new.encoded)) }
        settle(now: now)
        return true
    }

    /// Changes what the controller of a joined network may set, at once. False if it is not joined.
    package mutating func setSettings(_ new: NetworkSettings, of id: NetworkID, now: Now) -> Bool {
        guard let slot = ethernet.slot(of: id) else { return false }
        guard new != settings(of: id) else { return true }
        settings[id] = new
        emit(.store(.networkSettings(id), new.encoded))
        if ethernet.configuration(of: slot) != nil {
            applyConfiguration(of: slot, now: now)
            emit(.networkChanged(id))
        }
        settle(now: now)
        return true
    }

    /// What the controller of a network may set.
    package func settings(of id: NetworkID) -> NetworkSettings { settings[id] ?? NetworkSettings() }

    /// Leaves a network; its sockets end with `networkDown`. False if it was not joined.
    package mutating func leave(_ id: NetworkID, now: Now) -> Bool {
        guard let slot = ethernet.slot(of: id) else { return false }
        if let entry = interfaces.of(network: slot) { removeInterface(of: entry, now: now) }
        removeKeptInterface(of: id, now: now)
        ethernet.leave(id)
        if settings.removeValue(forKey: id) != nil { emit(.delete(.networkSettings(id))) }
        emit(.networkLeft(id))
        settle(now: now)
        return true
    }

    /// The joined networks, by ascending ID, with what is in force of their addresses, routes and name servers.
    package var networks: [NetworkSnapshot] {
        ethernet.joined.compactMap { ethernet.snapshot(of: $0).map { inForce($0) } }.sorted { $0.id < $1.id }
    }

    /// One joined network.
    package func network(_ id: NetworkID) -> NetworkSnapshot? {
        ethernet.slot(of: id).flatMap { ethernet.snapshot(of: $0).map { inForce($0) } }
    }

    /// The stack's interface for a joined network; nil until it has a configuration.
    package func interface(of id: NetworkID) -> InterfaceID? {
        ethernet.slot(of: id).flatMap { interfaces.of(network: $0)?.interface }
    }

    // MARK: Surroundings

    /// Addresses and ports at which our sockets are bound, to be told to peers. `gone`: local sockets from which nothing leaves any
    /// more; paths over them are tried anew. Whether the endpoints are others than before.
    @discardableResult
    package mutating func setLocalNetwork(_ endpoints: [SocketEndpoint], gone: [Int32] = [], now: Now) -> Bool {
        defer { settle(now: now) }
        return peers.setLocalNetwork(endpoints, gone: gone, now: now)
    }

    /// The interface on the way to an endpoint takes only shorter datagrams than the last ones.
    package mutating func noteTooLong(_ path: PhysicalPath, now: Now) { peers.noteTooLong(path, now: now) }

    /// Takes a world that the owner decided on, unverified, such as a file that the user gave.
    package mutating func adopt(_ world: World, now: Now) {
        peers.adoptWorld(world, now: now)
        settle(now: now)
    }

    /// Wants a moon that one of its roots can give.
    package mutating func orbit(_ seed: MoonSeed, now: Now) {
        peers.orbit(seed, now: now)
        settle(now: now)
    }

    /// Forgets a moon. Whether it was held.
    package mutating func deorbit(_ moonID: UInt64, now: Now) -> Bool {
        let wasHeld = peers.deorbit(moonID, now: now)
        emit(.delete(.moon(moonID)))
        updateUpstreams(now)
        settle(now: now)
        return wasHeld
    }

    /// Takes a stored peer record; `isValidated`: its identity was validated before it was stored. Whether it could be used.
    package mutating func importPeer(_ record: [UInt8], isValidated: Bool, now: Now) -> Bool {
        let address = peers.importPeer(record, isValidated: isValidated, now: now)
        if let address { noteStored(address) }
        settle(now: now)
        return address != nil
    }

    mutating func updateUpstreams(_ now: Now) {
        ethernet.setUpstreams(peers.rootsByPreference(now: now), isUpstream: peers.isRoot)
    }

    // MARK: Work that costs more than a packet may

    /// Gives a job's result.
    package mutating func complete(
        _ ticket: JobTicket, isValid: Bool, replies: inout TransmitBatch, now: Now
    ) {
        peers.complete(ticket, isValid: isValid, now: now)
        deliverReady(replies: &replies, now: now)
        stack.endBatch(now: now)
        settle(now: now)
    }

    // MARK: Time

    /// When `handleDeadlines` has something to do next.
    package mutating func nextDeadline() -> MonotonicInstant? {
        var earliest = stack.nextDeadline
        if let other = peers.nextDeadline(), other < earliest ?? .distantFuture { earliest = other }
        if let other = ethernet.nextDeadline(), other < earliest ?? .distantFuture { earliest = other }
        if controller != nil, let other = controller!.nextDeadline(), other < earliest ?? .distantFuture {
            earliest = other
        }
        return earliest
    }

    /// Does what is due.
    package mutating func handleDeadlines(now: Now) {
        peers.handleDeadlines(now: now)
        ethernet.handleDeadlines(now: now)
        stack.handleDeadlines(now: now)
        if controller != nil { controller!.handleDeadlines(now: now) }
        settle(now: now)
    }

    // MARK: Events

    /// Takes the oldest event; sockets' edges come last. It changes nothing else.
    mutating func nextEvent() -> NodeEvent? {
        if let event = events.popFirst() { return event }
        while let event = stack.nextEvent() {
            // A network in the place of its interface. What is told of one that has been left meanwhile is nobody's.
            switch event {
            case .socket(let id, let edges): return .socket(id, edges)
            case .addressReady(let interface, let address):
                guard let entry = interfaces.of(interface: interface) else { continue }
                return .addressReady(entry.networkID, address)
            case .addressConflict(let interface, let address, let mac, _):
                guard let entry = interfaces.of(interface: interface) else { continue }
                return .addressConflict(entry.networkID, address, mac)
            case .echoReply(let reply): return .echoReply(reply)
            case .echoFailed(let address, let identifier, let sequence, let reporter, let error):
                return .echoFailed(address, identifier: identifier, sequence: sequence, reporter: reporter, error)
            case .echoTimedOut(let address, let identifier, let sequence):
                return .echoTimedOut(address, identifier: identifier, sequence: sequence)
            }
        }
        return nil
    }

    mutating func emit(_ event: NodeEvent) {
        if !events.tryAppend(event) { eventsLost += 1 }
    }

    // MARK: Counters

    /// What was counted so far.
    package var statistics: NodeStatistics {
        var controllerDrops: [ControllerDrop: UInt64] = [:]
        if controller != nil {
            for reason in ControllerDrop.allCases where controller!.drops(reason) > 0 {
                controllerDrops[reason] = controller!.drops(reason)
            }
        }
        var drops: [EthernetDrop: UInt64] = [:]
        for reason in EthernetDrop.allCases where ethernet.drops(reason) > 0 { drops[reason] = ethernet.drops(reason) }
        return NodeStatistics(
            peerDrops: peers.drops, ethernetDrops: drops, controllerDrops: controllerDrops, stack: stack.statistics,
            relayedPackets: peers.relayedPackets, suites: peers.suites, packets: peers.counters,
            strangers: peers.strangerWork,
            signatures: ethernet.signatureCount, framesUnwritten: framesUnwritten)
    }
}

/// A stack on its way from one node to the next, with the interfaces of its networks.
package struct StackHandover: ~Copyable {
    var stack: NetworkStack
    let interfaces: [ConfiguredInterface]

    init(stack: consuming NetworkStack, interfaces: [ConfiguredInterface]) {
        self.stack = stack
        self.interfaces = interfaces
    }
}

/// Bounds of the composition itself.
package enum NodeLimits {
    /// Events that wait for the owner.
    package static let events = 8192
    /// What a replicator counts as whose latency was not measured yet.
    static let unknownLatency: Duration = .seconds(1)
    /// Leading bytes of a packet that rules may look at: IPv6 with a few extension headers, and a transport header.
    package static let headerBytes = 256
    /// Room in the slab that any packet finds: with less, something may have been left behind.
    static let largestPacketBytes = 12_288
    /// Bytes before the Ethernet payload of the longest frame verb: packet header and EXT_FRAME header.
    static let frameOverhead = PacketHeader.payloadOffset + ExtendedFrame.headerLength
    /// What fits into the seven parts that a packet may have, on every way; controllers may say up to 10,000.
    static let maximumMTU = ProtocolLimits.maximumBasePacketLength - frameOverhead
    /// Whether a virtual prefix may keep physical paths out of it: one that holds much of the Internet would cut the node off
    /// from every network.
    static func mayForbidPaths(_ prefix: IPPrefix) -> Bool { prefix.length >= (prefix.address.isIPv4 ? 8 : 16) }
    /// Rounds of handing things between the machines per call; each machine's queues are bounded, so this only stops
    /// two machines that would talk for ever.
    static let settleRounds = 64
}
