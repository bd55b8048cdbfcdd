// The sans-I/O TCP/IP stack: frames, calls and time in; bursts, events and deadlines out.
// Read first: Docs/architecture.md, RFC 1122, RFC 8200, RFC 9293.
//
//   in:   receive(frame) ... endBatch          out:  nextBurst -> write(segment) ...
//         socket calls                               nextEvent, nextGroupChange
//         handleDeadlines                            nextDeadline
//
// After every call in: drain `nextGroupChange`, pull `nextBurst` until nil while there is room, drain `nextEvent`, arm one timer
// at `nextDeadline`.
// One owner at a time. Nothing here reads a clock, draws system randomness or depends on hash order.

package import NetPrimitives

/// A TCP/IP stack with one interface per joined network.
package struct NetworkStack: ~Copyable {
    private let inPlace = InPlace()
    /// The owner of a deadline.
    enum TimerOwner: Sendable {
        case stream(SlotID)
        case listener(SlotID)
        case neighbour(SlotID)
        case address(InterfaceID, IPAddress)
        case interface(InterfaceID)
        case echo(SlotID)
        case timeWaits
        case reassembly
        case learnedRoutes
    }

    /// Where the segments of a flow go.
    enum FlowTarget: Sendable {
        case stream(SlotID)
        case timeWait(SlotID)
        case datagram(SlotID)
    }

    /// A connection that is over and remembered.
    struct TimeWaitEntry: Sendable {
        var state: TimeWait
        let key: FlowKey
        let binding: BindingIndex
        let options: SocketOptions
    }

    /// An echo request that waits.
    struct EchoRequest: Sendable {
        let key: EchoKey
        let sentAt: MonotonicInstant
        let timer: TimerID
    }

    /// The stack's bounds and choices.
    package let configuration: StackConfiguration
    /// Counters since the stack was made.
    package internal(set) var statistics = StackStatistics()

    var random: RandomSource
    let hashKey: SipHasher.Key
    var sequences: InitialSequence
    var ports: PortAllocator
    let reachableTime: Duration
    var identificationCounter: UInt32

    var interfaces = SlotTable<Interface>()
    /// The interface of addresses 127.0.0.1 and ::1, and of all traffic with oneself.
    package private(set) var loopback: InterfaceID
    var routes = RouteTable()
    /// Grows with each change of addresses or routes: routes chosen earlier are looked up anew.
    var routeGeneration: UInt64 = 1
    var neighbours: NeighbourTable
    var reassembly: IPReassembly
    /// Waits for the owner's word.
    var reassembled: ReassembledDatagram?
    var pathMTUs: PathMTUTable
    var errorLimiter: ErrorLimiter

    var streams = SlotTable<StreamSocket>()
    var listeners = SlotTable<ListenerSocket>()
    var reservations = SlotTable<Reservation>()
    var datagramSockets = SlotTable<DatagramSocket>()
    /// Bytes that the buffers of all connections hold.
    package internal(set) var streamBytes = 0
    var timeWaits = SlotTable<TimeWaitEntry>()
    var timeWaitOrder = RingQueue<SlotID>()
    var flows: OpenTable<FlowKey, FlowTarget>
    var lastFlow: FlowKey?
    var lastStream = SlotID.none
    var bindings: PortTable
    var echoRequests = SlotTable<EchoRequest>()
    var echoIndex: OpenTable<EchoKey, SlotID>

    var timers = TimerQueue<TimerOwner>()
    let timeWaitTimer: TimerID
    let reassemblyTimer: TimerID
    let learnedRouteTimer: TimerID

    var readySockets = RingQueue<SocketID>()
    /// How many of those are UDP sockets.
    var readyDatagramSockets = 0
    /// Datagrams in the send queues of all UDP sockets.
    package internal(set) var queuedDatagrams = 0
    /// A sender waits for room. Queued datagrams must leave at once.
    var hurriesDatagrams = false
    /// Charge of all datagrams in receive queues.
    var receivedDatagramBytes = 0
    var touchedStreams: [SlotID] = []
    var controlQueue = RingQueue<OwnedPacket>()
    var controlBytes = 0
    var eventSockets = RingQueue<SocketID>()
    var groupChanges = RingQueue<GroupChange>()
    var events = RingQueue<StackEvent>()
    /// How many queued events a peer caused: those are bounded.
    var remoteEvents = 0

    // The source of the burst that was handed out last.
    var currentPacket: OwnedPacket?
    var currentDatagram: SlotID = .none
    var currentUDPSegment: [UInt8] = []
    /// Whose datagram `currentUDPSegment` is.
    var preparedSocket = SlotID.none
    var preparedPosition = 0
    /// Fragments of the current datagram that the burst has.
    var sendingCount = 0
    var scratch: [UInt8] = []
    /// Loop-back traffic is left over: `nextBurst` wants to be called again.
    var hasMoreLoopback = false

    /// Makes a stack without interfaces but the loop-back. All its randomness comes from `random`.
    package init(configuration: StackConfiguration = StackConfiguration(), random: RandomSource) {
        self.configuration = configuration
        var random = random
        hashKey = SipHasher.Key(random.nextUInt64(), random.nextUInt64())
        sequences = InitialSequence(random: &random)
        ports = PortAllocator(range: configuration.ephemeralPorts, random: &random)
        identificationCounter = random.nextUInt32()
        // RFC 4861 6.3.2: between half and one and a half times the base.
        reachableTime = .nanoseconds(
            Int64(Double(configuration.neighbourReachableTime.nanoseconds) * (0.5 + random.nextUnit())))
        neighbours = NeighbourTable(hashKey: hashKey)
        reassembly = IPReassembly(hashKey: hashKey)
        pathMTUs = PathMTUTable(hashKey: hashKey)
        errorLimiter = ErrorLimiter(hashKey: hashKey)
        flows = OpenTable(hashKey: hashKey)
        bindings = PortTable(hashKey: hashKey)
        echoIndex = OpenTable(hashKey: hashKey)
        self.random = random
        timeWaitTimer = timers.add(.timeWaits)
        reassemblyTimer = timers.add(.reassembly)
        learnedRouteTimer = timers.add(.learnedRoutes)
        var settings = InterfaceConfiguration(mtu: StackConstants.loopbackMTU)
        settings.makesLinkLocalAddress = false
        let timer = timers.reserve()
        loopback = InterfaceID(
            interfaces.insert(Interface(mac: .zero, configuration: settings, isLoopback: true, timer: timer)))
        for prefix in [IPPrefix(.loopback4, length: 8), IPPrefix(.loopback6, length: 128)] {
            interfaces[loopback.slot].addresses.append(
                InterfaceAddress(prefix: prefix, state: .preferred, timer: timers.reserve()))
        }
    }

    // MARK: Time

    /// When `handleDeadlines` (or, after loop-back traffic, `nextBurst`) wants to be called at the latest.
    package var nextDeadline: MonotonicInstant? {
        hasMoreLoopback ? .zero : timers.next
    }

    /// Fires everything that is due.
    package mutating func handleDeadlines(now: Now) {
        while let owner = timers.popDue(now.monotonic) { fire(owner, now) }
    }

    private mutating func fire(_ owner: TimerOwner, _ now: Now) {
        switch owner {
        case .stream(let slot): fireStream(slot, now)
        case .listener(let slot): fireListener(slot, now)
        case .neighbour(let slot): fireNeighbour(slot, now)
        case .address(let interface, let address): fireAddress(interface, address, now)
        case .interface(let interface): fireInterface(interface, now)
        case .echo(let slot): fireEcho(slot)
        case .timeWaits: expireTimeWaits(now)
        case .reassembly: expireReassembly(now)
        case .learnedRoutes: expireLearnedRoutes(now)
        }
    }

    // MARK: Events

    /// The link's next task about groups, or nil.
    package mutating func nextGroupChange() -> GroupChange? { groupChanges.popFirst() }

    /// The next event, or nil. The edges of a socket are one event, however many there were.
    package mutating func nextEvent() -> StackEvent? {
        if let event = events.popFirst() {
            if events.isEmpty { remoteEvents = 0 }
            return event
        }
        while let id = eventSockets.popFirst() {
            if let edges = takeEdges(id), !edges.isEmpty { return .socket(id, edges) }
        }
        return nil
    }

    private mutating func takeEdges(_ id: SocketID) -> SocketEvents? {
        switch id.kind {
        case .stream:
            guard streams.contains(id.slot) else { return nil }
            let edges = streams[id.slot].pendingEvents
            streams[id.slot].pendingEvents = []
            return edges
        case .listener:
            guard listeners.contains(id.slot) else { return nil }
            let edges = listeners[id.slot].pendingEvents
            listeners[id.slot].pendingEvents = []
            return edges
        case .datagram:
            guard datagramSockets.contains(id.slot) else { return nil }
            let edges = datagramSockets[id.slot].pendingEvents
            datagramSockets[id.slot].pendingEvents = []
            return edges
        case .reservation:
            return nil
        }
    }

    mutating func noteStream(_ slot: SlotID, _ edges: SocketEvents) {
        guard !edges.isEmpty, streams[slot].flags.isDisjoint(with: [.released, .unaccepted]) else { return }
        if streams[slot].pendingEvents.isEmpty { eventSockets.append(SocketID(.stream, slot)) }
        streams[slot].pendingEvents.formUnion(edges)
    }

    mutating func noteListener(_ slot: SlotID, _ edges: SocketEvents) {
        if listeners[slot].pendingEvents.isEmpty { eventSockets.append(SocketID(.listener, slot)) }
        listeners[slot].pendingEvents.formUnion(edges)
    }

    mutating func noteDatagram(_ slot: SlotID, _ edges: SocketEvents) {
        guard !datagramSockets[slot].isClosing else { return }
        if datagramSockets[slot].pendingEvents.isEmpty { eventSockets.append(SocketID(.datagram, slot)) }
        datagramSockets[slot].pendingEvents.formUnion(edges)
    }

    /// Queues an event that a peer can cause at will.
    mutating func noteRemote(_ event: StackEvent) {
        guard remoteEvents < configuration.limits.events else { return }
        remoteEvents += 1
        events.append(event)
    }

    // MARK: Drops

    @inline(__always)
    mutating func drop(_ reason: StackDropReason) { statistics.count(reason) }

    mutating func drop(
        _ reason: StackDropReason, _ counters: WritableKeyPath<StackStatistics, StackStatistics.ProtocolCounters>
    ) {
        statistics.count(reason)
        statistics[keyPath: counters].dropped &+= 1
        switch reason {
        case .checksum, .ipChecksum: statistics[keyPath: counters].checksumErrors &+= 1
        case .truncated: statistics[keyPath: counters].lengthErrors &+= 1
        case .queueFull, .reassemblyFull, .tooManySockets: statistics[keyPath: counters].memoryErrors &+= 1
        case .options, .extensionHeader: statistics[keyPath: counters].optionErrors &+= 1
        case .notForUs, .noRoute, .martian: statistics[keyPath: counters].routingErrors &+= 1
        case .malformed, .unknownProtocol, .noSocket: statistics[keyPath: counters].protocolErrors &+= 1
        case .neighbourDiscovery, .routerMessage:
            statistics.nd6.dropped &+= 1
            statistics.nd6.protocolErrors &+= 1
        default: break
        }
    }
}
