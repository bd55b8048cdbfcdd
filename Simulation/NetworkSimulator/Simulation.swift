//  A whole network in one process and one thread: virtual time, one seed, and the code that ships. Nothing here reads a
//  clock, a file or the system's randomness, so a seed says everything.
//
//      node --transmit--> uplink --> translator --> internet --> translator --> downlink --receive--> node

package import NetPrimitives
import NetStack
import ZeroTierController
import ZeroTierEthernet
package import ZeroTierNode
import ZeroTierPeers
package import ZeroTierWire

/// A datagram between two hosts.
struct Datagram {
    var bytes: [UInt8]
    /// The number of the host that sent it.
    let sender: Int
    /// As the receiver sees it.
    var source: SocketEndpoint
    var destination: SocketEndpoint
    /// The adversary put it on the wire.
    var isForged = false
}

/// What happens at an instant.
enum SimulationEvent {
    /// A datagram has left the sender's line.
    case internet(Datagram)
    /// A datagram has passed the receiver's line.
    case arrival(host: Int, Datagram)
    case wake(host: Int)
    case jobDone(host: Int, epoch: Int, JobTicket, isValid: Bool)
    /// A controller's store has written, and is done; something is signed.
    case storeWrite(host: Int, epoch: Int, [RecordWrite])
    case commitDone(host: Int, epoch: Int, ControllerTicket, isRefused: Bool)
    case signed(host: Int, epoch: Int, SigningJob)
    case action((Simulation) -> Void)
}

/// The simulated world.
package final class Simulation {
    /// The wall clock at the start: 2026-01-01.
    static let epochMilliseconds: Int64 = 1_767_225_600_000
    /// Wake-ups of one node at one instant that are taken as spinning.
    static let wakesAtOnceLimit = 1000
    /// UDP payload that no datagram may exceed.
    static let datagramLimit = 1432
    /// Failures kept.
    static let failureLimit = 20

    package let seed: UInt64
    let fixture: IdentityFixture
    package private(set) var time = MonotonicInstant(nanoseconds: 1_000_000_000)
    /// IDs of packets that the adversary sent again, perhaps before they arrived.
    var recordedPackets: Set<UInt64> = []
    package internal(set) var hosts: [SimulatedHost] = []
    var nats: [SimulatedNAT] = []
    var firewalls: [SimulatedFirewall] = []
    package private(set) var digest = TraceDigest()
    /// What was found wrong.
    package private(set) var failures: [String] = []
    package private(set) var datagramCount = 0
    /// The planet that lists the roots; made by `makePlanet`.
    package internal(set) var planet: World?
    /// Who listens to the wire and says everything again, if anybody does.
    package internal(set) var adversary: Adversary?
    /// Who may talk on a private network, if there is one.
    package var admission: AdmissionChecker?
    /// What runs on the hosts.
    package let workload = Workload()
    /// Called with a line for each thing that happens, for a person who looks for a cause.
    package var log: ((String) -> Void)?
    /// Whether `log` gets every datagram too: its packet, where it leaves, and what becomes of it.
    package var logsDatagrams = false
    /// Changes a node's configuration before it starts.
    package var configure: ((inout NodeConfiguration) -> Void)?

    /// For topology and faults; the network's own dice are another source, so that they do not shift each other.
    package var random: RandomSource
    var networkRandom: RandomSource
    /// For stores of controllers.
    var storeRandom: RandomSource
    private var events = EventQueue<SimulationEvent>()
    /// The host whose datagram is being taken in, while one is.
    private(set) var arrivalFrom: Int?
    private var received = ReceiveBatch()
    private var outgoing = TransmitBatch()
    private var replies = TransmitBatch()
    var hostsByAddress: [IPAddress: Int] = [:]
    var natsByAddress: [IPAddress: Int] = [:]
    /// By translator.
    var hostsBehind: [[SimulatedHost]] = []
    /// When a translator last got another address.
    var lastAddressChange = MonotonicInstant.zero
    /// What leaves while a datagram is taken in.
    var answering: AskedAddressChecker?
    /// Datagrams whose answer left from the address that was asked, although others were there.
    package internal(set) var answersChecked = 0
    var addressesGiven = 0
    private var identitiesUsed = 0
    var validations: [Identity: Bool] = [:]

    /// Makes an empty world.
    package init(seed: UInt64, fixture: IdentityFixture) {
        self.seed = seed
        self.fixture = fixture
        var source = RandomSource(seed: seed)
        random = source.fork()
        networkRandom = source.fork()
        // Every seed takes other identities, in another order of addresses.
        identitiesUsed = source.next(below: max(1, fixture.identities.count))
        storeRandom = source.fork()
    }

    // MARK: Failures

    /// Something is wrong.
    package func fail(_ text: String) {
        guard failures.count < Simulation.failureLimit else { return }
        let line = "\(seconds) s: \(text)"
        failures.append(line)
        note("FAILURE \(line)")
    }

    func note(_ text: @autoclosure () -> String) {
        guard let log else { return }
        log("\(seconds) \(text())")
    }

    /// Virtual seconds since the start, to the millisecond.
    package var seconds: String {
        let milliseconds = time.nanoseconds / 1_000_000
        let rest = String(milliseconds % 1000)
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }

    /// The next identity of the fixture.
    func nextIdentity() -> Identity {
        defer { identitiesUsed += 1 }
        return fixture.identities[identitiesUsed % fixture.identities.count]
    }

    // MARK: Time

    /// Does something later.
    package func after(_ delay: Duration, _ action: @escaping (Simulation) -> Void) {
        events.schedule(.action(action), at: time + delay)
    }

    func schedule(_ event: SimulationEvent, at instant: MonotonicInstant) { events.schedule(event, at: instant) }

    /// Lets time pass.
    package func run(for duration: Duration) { run(until: time + duration) }

    /// Lets time pass up to an instant, unless `isDone` says that it is enough. `isDone` is asked every 250 ms.
    @discardableResult
    package func run(for duration: Duration, until isDone: (Simulation) -> Bool) -> Bool {
        let end = time + duration
        while time < end {
            run(until: min(end, time + .milliseconds(250)))
            if isDone(self) { return true }
        }
        return isDone(self)
    }

    private func run(until end: MonotonicInstant) {
        while let (instant, event) = events.popNext(until: end) {
            time = instant
            perform(event)
        }
        time = end
    }

    private func perform(_ event: SimulationEvent) {
        switch event {
        case .internet(let datagram): crossInternet(datagram)
        case .arrival(let index, let datagram): deliver(datagram, to: hosts[index])
        case .wake(let index): wake(hosts[index])
        case .jobDone(let index, let epoch, let ticket, let isValid):
            let host = hosts[index]
            guard host.isRunning, host.epoch == epoch else { return }
            replies.clear()
            host.node.complete(ticket, isValid: isValid, replies: &replies, now: host.clock(time))
            sendReplies(of: host)
            drain(host)
        case .storeWrite(let index, let epoch, let writes):
            if isAlive(index, epoch) { hosts[index].store?.apply(writes) }
        case .commitDone(let index, let epoch, let ticket, let isRefused):
            if isAlive(index, epoch) { finishCommit(of: hosts[index], ticket, isRefused: isRefused) }
        case .signed(let index, let epoch, let job):
            if isAlive(index, epoch) { finish(job, of: hosts[index]) }
        case .action(let action): action(self)
        }
    }

    // Whether the node that wanted something is still the same one.
    private func isAlive(_ index: Int, _ epoch: Int) -> Bool { hosts[index].isRunning && hosts[index].epoch == epoch }

    // MARK: Nodes

    /// Starts a host's node: with what is on its disk, and joined to its networks.
    package func start(_ host: SimulatedHost) {
        guard !host.isRunning else { return }
        var configuration = NodeConfiguration(planet: planet)
        configuration.peers.announcedProtocolVersion = host.protocolVersion
        configure?(&configuration)
        host.isRunning = true
        host.isOnline = false
        host.epoch += 1
        // A new node has a new memory.
        host.frameGivers = []
        let now = host.clock(time)
        host.node = Node(
            identity: host.identity, configuration: configuration, random: host.random.fork(), now: now)
        host.numberedAddresses = []
        host.askedAddresses = [:]
        host.node.setLocalNetwork(host.localEndpoints, now: now)
        let names = host.disk.keys.compactMap { name -> Address? in
            if case .peer(let address) = name { return address }
            return nil
        }
        for name in names.sorted() {
            // Of some hosts by half: as if older releases had stored the others.
            let isValidated = host.index & 3 != 0 || name.value & 1 == 0
            if let record = host.disk[.peer(name)] {
                _ = host.node.importPeer(record, isValidated: isValidated, now: now)
            }
        }
        host.signerFreeAt = time
        startController(of: host)
        for network in host.networks { _ = host.node.join(network, saved: host.disk[.network(network)], now: now) }
        note("\(host.name) starts, ports \(host.ports)")
        record(event: 1, host)
        workload.hostStarted(host, self)
        drain(host)
    }

    /// Ends a host's node. A clean end writes its peers to disk, a crash does not.
    package func stop(_ host: SimulatedHost, isClean: Bool) {
        guard host.isRunning else { return }
        if isClean {
            for (address, record) in host.node.peers.exportPeers() { host.disk[.peer(address)] = record }
        }
        host.strayFramesBefore += host.strayFramesOfNode
        host.isRunning = false
        host.isOnline = false
        host.wake = nil
        note("\(host.name) stops\(isClean ? "" : " (crash)")")
        record(event: 2, host)
        workload.hostStopped(host, self)
    }

    /// Ends and starts a host's node, with new ports if they are given.
    package func restart(_ host: SimulatedHost, ports: [UInt16]? = nil, isClean: Bool = true, pause: Duration = .zero) {
        guard host.isRunning else { return }
        stop(host, isClean: isClean)
        if let ports { host.ports = ports }
        if pause == .zero { start(host) } else { after(pause) { $0.start(host) } }
    }

    /// Joins a running or future node to a network.
    package func join(_ host: SimulatedHost, _ network: NetworkID) {
        guard !host.networks.contains(network) else { return }
        host.networks.append(network)
        guard host.isRunning else { return }
        _ = host.node.join(network, now: host.clock(time))
        drain(host)
    }

    /// A host is plugged in elsewhere: its sockets are closed, new ones opened.
    package func move(_ host: SimulatedHost, to placement: Placement) {
        replug(host, placement)
        note("\(host.name) moves to \(describe(host)), address \(host.address)")
        tellAddresses(host, gone: host.ports.indices.map { Int32($0) })
    }

    private func wake(_ host: SimulatedHost) {
        guard host.isRunning, host.wake == time else { return }
        host.wake = nil
        if host.wakesAtOnce.at == time { host.wakesAtOnce.count += 1 } else { host.wakesAtOnce = (time, 1) }
        guard host.wakesAtOnce.count < Simulation.wakesAtOnceLimit else {
            fail("\(host.name) spins: its deadline never leaves the present")
            stop(host, isClean: false)
            return
        }
        host.node.handleDeadlines(now: host.clock(time))
        drain(host)
    }

    private func deliver(_ datagram: Datagram, to host: SimulatedHost) {
        guard host.isRunning, let interface = host.interface(at: datagram.destination.address),
            host.interfaces[interface].isUp, let port = host.ports.firstIndex(of: datagram.destination.port)
        else { return noteLoss(datagram, "no node listens at \(datagram.destination)") }
        received.clear()
        let local = host.localSocket(interface: interface, port: port)
        let path = PhysicalPath(localSocket: local, remote: datagram.source)
        let isTaken = datagram.bytes.withBytes { received.append($0, path: path) }
        guard isTaken else { return }
        adversary?.ledger.noteArrival(datagram.bytes.count, from: datagram.source.address, at: host.index)
        noteArrival(datagram, at: host)
        arrivalFrom = datagram.sender
        answering = AskedAddressChecker(datagram, host)
        replies.clear()
        let frames = host.node.stack.statistics.framesReceived
        let agreements = host.node.peers.strangerWork.agreements
        let signatures = host.node.ethernet.signatureCount
        let drops = logsDatagrams ? drops(of: host) : [:]
        host.node.receive(&received, replies: &replies, now: host.clock(time))
        noteTaking(datagram, host, drops)
        if host.node.stack.statistics.framesReceived > frames {
            noteFrame(of: datagram, at: host)
            judgeFrame(of: datagram, at: host)
        }
        let made = host.node.peers.strangerWork.agreements - agreements
        adversary?.ledger.noteAgreements(Int(made), for: datagram.source.address, at: host.index, time)
        adversary?.noteSignatures(Int(host.node.ethernet.signatureCount - signatures), for: datagram, at: host, time)
        sendReplies(of: host)
        drain(host)
        arrivalFrom = nil
        endAnswer(of: host)
    }

    // Delivery is honest: what gave a frame gives none again, however often and from wherever it comes.
    func noteFrame(of datagram: Datagram, at host: SimulatedHost) {
        var hash = TraceDigest()
        _ = datagram.bytes.withBytes { hash.add($0, lookingFor: 0) }
        if !host.frameGivers.insert(hash).inserted {
            let source = datagram.bytes.dropFirst(13).prefix(5).reduce(0) { $0 << 8 | UInt64($1) }
            fail("\(host.name) took a frame of \(Address(source)) twice that came again from \(datagram.source)")
        }
    }

    // What the nodes believe plays no part here: a packet says whose it is, and the network knows who put it on the wire.
    // Only pings count. A node that tries the private address of another may well meet a third one there, which passes
    // the question on.
    private func noteArrival(_ datagram: Datagram, at host: SimulatedHost) {
        guard Workload.mayBePing(datagram.bytes.count) else { return }
        let header = datagram.bytes.withBytes { PacketHeader($0, length: $0.byteCount) }
        guard let header, header.destination == host.identity.address, !header.source.isReserved else { return }
        // What comes again says nothing about the way of what came first; nor does a recording that came in its place.
        guard !recordedPackets.contains(header.id.value), host.packetsSeen.insert(header.id.value).inserted else {
            return
        }
        if header.source == hosts[datagram.sender].identity.address {
            host.arrivals[header.source, default: Arrivals()].direct += 1
        } else {
            host.arrivals[header.source, default: Arrivals()].relayed += 1
        }
    }

    /// Takes everything out of a node that it has to give, and arms its timer. Called after whatever was done to it. Another turn
    /// follows for the reasons for which the driver takes one: a full slab, or an application that has called into the node.
    package func drain(_ host: SimulatedHost) {
        let now = host.clock(time)
        for round in 0... {
            guard host.isRunning else { return }
            var turn = PumpTurn()
            var hasWorked = false
            while host.isRunning, let output = host.node.next(in: &turn, into: &outgoing, now: now) {
                switch output {
                case .datagrams: outgoing.forEachDatagram { path, bytes in send(bytes, by: path, from: host) }
                case .event(let event): if handle(event, of: host) { hasWorked = true }
                case .job(let job): begin(job, on: host)
                case .controllerJob(let job): begin(job, on: host)
                }
            }
            guard turn.hasMore || hasWorked else { break }
            if round == Simulation.wakesAtOnceLimit {
                fail("\(host.name) always has something more to send")
                stop(host, isClean: false)
                return
            }
        }
        arm(host)
    }

    private func sendReplies(of host: SimulatedHost) {
        replies.forEachDatagram { path, bytes in send(bytes, by: path, from: host) }
    }

    private func arm(_ host: SimulatedHost) {
        guard let deadline = host.node.nextDeadline(), deadline != .distantFuture else { return }
        let instant = max(time, deadline + (.zero - host.monotonicSkew))
        if let wake = host.wake, wake <= instant { return }
        host.wake = instant
        schedule(.wake(host: host.index), at: instant)
    }

    private func begin(_ job: PeerJob, on host: SimulatedHost) {
        switch job {
        case .validate(let identity, let ticket):
            adversary?.ledger.noteValidation(of: identity.address, at: host.index)
            let isInvented = adversary?.ledger.isInvented(identity.address) == true
            let isValid = validations[identity] ?? (!isInvented && fixture.isValid(identity))
            validations[identity] = isValid
            let start = max(host.workerFreeAt, time)
            host.workerFreeAt = start + .milliseconds(17)
            schedule(
                .jobDone(host: host.index, epoch: host.epoch, ticket, isValid: isValid), at: host.workerFreeAt)
        }
    }

    // MARK: What nodes say

    // Whether an application has called into the node.
    private func handle(_ event: NodeEvent, of host: SimulatedHost) -> Bool {
        switch event {
        case .online:
            host.isOnline = true
            host.onlineSince = time
            record(event: 3, host)
            note("\(host.name) online")
        case .offline:
            host.isOnline = false
            record(event: 4, host)
            note("\(host.name) offline")
        case .identityCollision: fail("\(host.name): identity collision")
        case .peerDirect(let address, let endpoint):
            host.linkChanges += 1
            record(event: 5, host, address.value)
            note("\(host.name) direct to \(address) at \(endpoint)")
        case .peerRelayed(let address):
            host.linkChanges += 1
            record(event: 6, host, address.value)
            note("\(host.name) relayed to \(address)")
        case .peerUnreachable(let address):
            host.linkChanges += 1
            record(event: 9, host, address.value)
            note("\(host.name) hears nothing of \(address) any more")
        case .peerExpired(let address):
            record(event: 7, host, address.value)
            note("\(host.name) forgets \(address)")
        case .falseRecord(let object): fail("\(host.name): \(object) is false")
        case .store(let object, let bytes): host.disk[object] = bytes
        case .delete(let object): host.disk[object] = nil
        case .addressConflict(let network, let address, let mac):
            fail("\(host.name): address \(address) of network \(network) is also used by \(mac)")
        case .networkStatus(let network, let status):
            record(event: 8, host)
            note("\(host.name) network \(network) \(status)")
        case .administered(let ticket, let error): host.answers[ticket.value] = error == nil
        case .controller, .networkChanged, .networkLeft, .addressReady, .userMessage, .path, .address, .route: break
        case .socket:
            workload.handle(event, of: host, self)
            return true
        case .echoReply, .echoFailed, .echoTimedOut: workload.handle(event, of: host, self)
        }
        return false
    }

    private func record(event: UInt64, _ host: SimulatedHost, _ detail: UInt64 = 0) {
        digest.add(time.nanoseconds)
        digest.add(event << 56 | UInt64(host.index))
        digest.add(detail)
    }

    // MARK: What leaves a host

    private func send(_ bytes: RawSpan, by path: PhysicalPath, from host: SimulatedHost) {
        forEachWayOut(path, of: host) { interface, port in
            let source = SocketEndpoint(host.interfaces[interface].address, port: port)
            inspect(bytes, from: source, to: path.remote, host)
            answering?.note(from: source.address, to: path.remote)
            let datagram = Datagram(
                bytes: bytes.copyBytes(), sender: host.index, source: source, destination: path.remote)
            noteDeparture(datagram, host)
            leave(datagram, from: interface, timeToLive: path.timeToLive, host)
        }
    }

    // Every datagram passes here: the digest, and what may never be seen on a wire.
    private func inspect(
        _ bytes: RawSpan, from source: SocketEndpoint, to destination: SocketEndpoint, _ host: SimulatedHost
    ) {
        digest.add(time.nanoseconds)
        digest.add(source)
        digest.add(destination)
        if digest.add(bytes, lookingFor: StreamContent.markerWord) {
            fail("\(host.name) sent plaintext to \(destination)")
        }
        if bytes.byteCount > Simulation.datagramLimit {
            fail("\(host.name) sent a datagram of \(bytes.byteCount) bytes")
        }
        adversary?.ledger.noteDeparture(bytes.byteCount, to: destination.address, by: host.index)
        datagramCount += 1
        host.datagramsSent += 1
        host.longestDatagram = max(host.longestDatagram, bytes.byteCount)
        let second = time.nanoseconds / 1_000_000_000
        if host.second.number != second { host.second = (second, 0) }
        host.second.datagrams += 1
        host.busiestSecond = max(host.busiestSecond, host.second.datagrams)
    }
}
