//  What all networks of a node share: queues out, identities, multicast records, surroundings, counters.

import NetPrimitives
import ZeroTierWire

/// Lent to a network for each of its verbs.
struct EthernetShared: Sendable {
    let identity: Identity
    var configuration: EthernetConfiguration
    var random: RandomSource

    var packets: BoundedQueue<EthernetPacket>
    var localFrames: BoundedQueue<LocalFrame>
    var events = BoundedQueue<EthernetEvent>(capacity: EthernetLimits.eventQueue)
    var drops = [UInt64](repeating: 0, count: EthernetDrop.allCases.count)

    var groups: MulticastGroups
    var upstreams: [Address] = []
    var isUpstream = false
    var latencies: [Address: Duration] = [:]

    // Counts the changes after which a remembered verdict on a flow may be wrong.
    private(set) var flowEpoch: UInt64 = 1

    private var identities: [Address: Identity] = [:]
    private var identityOrder: [Address] = []
    private var wanted: Set<Address> = []
    private var wantedOrder: [Address] = []
    private var gates: GateTable
    /// Signatures that others make us check.
    var signatures: SignatureBudget
    private var authorisations: [Authorisation: MonotonicInstant] = [:]

    private struct Authorisation: Hashable, Sendable {
        let network: NetworkID
        let peer: Address
    }

    init(identity: Identity, configuration: EthernetConfiguration, random: RandomSource) {
        self.identity = identity
        self.configuration = configuration
        var random = random
        gates = GateTable(seed: random.nextUInt64())
        signatures = SignatureBudget(seed: random.nextUInt64())
        self.random = random
        packets = BoundedQueue(capacity: configuration.packetQueue)
        localFrames = BoundedQueue(capacity: configuration.localQueue)
        groups = MulticastGroups(
            limitPerPeer: configuration.likesPerPeer, limitTotal: configuration.likesTotal,
            life: ProtocolLimits.multicastLikeExpire)
    }

    var address: Address { identity.address }

    // MARK: Out

    mutating func count(_ drop: EthernetDrop) { drops[drop.rawValue] &+= 1 }

    mutating func emit(_ event: EthernetEvent) { events.append(event) }

    /// Queues a packet. A packet for ourselves, or for nobody, is not sent.
    mutating func send(_ verb: Verb, _ payload: [UInt8], to destination: Address, compress: Bool = true) {
        guard destination != address, !destination.isReserved else { return }
        let packet = EthernetPacket(destination: destination, verb: verb, payload: payload, compress: compress)
        if !packets.tryAppend(packet) { count(.packetQueueFull) }
    }

    mutating func sendReply(_ request: Verb, _ packetID: PacketID, _ body: [UInt8], to destination: Address) {
        send(.ok, OKHeader(inReplyTo: request, packetID: packetID).payload(body), to: destination, compress: false)
    }

    mutating func sendError(_ request: Verb, _ packetID: PacketID, _ reason: ErrorReply.Reason, to peer: Address) {
        send(
            .error, ErrorReply(inReplyTo: request, packetID: packetID, reason: reason).encoded, to: peer,
            compress: false)
    }

    mutating func deliver(_ frame: LocalFrame) {
        if !localFrames.tryAppend(frame) { count(.localQueueFull) }
    }

    mutating func invalidateFlows() { flowEpoch &+= 1 }

    // MARK: Identities

    func identity(of address: Address) -> Identity? {
        address == identity.address ? identity : identities[address]
    }

    /// Asks the node for an identity, once until it is given.
    mutating func want(_ address: Address) {
        guard !address.isReserved, identity(of: address) == nil, wanted.insert(address).inserted else { return }
        wantedOrder.append(address)
        if wantedOrder.count > EthernetLimits.wantedIdentities { wanted.remove(wantedOrder.removeFirst()) }
        emit(.wantsIdentity(address))
    }

    /// Asks again for an identity that something still waits for.
    mutating func wantAgain(_ address: Address) {
        if wanted.contains(address) { emit(.wantsIdentity(address)) } else { want(address) }
    }

    /// Keeps an identity, in place of another one of its address; false if it was known already. The transport decides which
    /// identity an address has.
    mutating func learn(_ identity: Identity, keeping controllers: Set<Address>) -> Bool {
        if wanted.remove(identity.address) != nil { wantedOrder.removeAll { $0 == identity.address } }
        guard self.identity(of: identity.address) != identity else { return false }
        if identities.updateValue(identity.withoutSecret, forKey: identity.address) != nil { return true }
        identityOrder.append(identity.address)
        var attempts = identityOrder.count
        while identityOrder.count > EthernetLimits.identities, attempts > 0 {
            attempts -= 1
            let oldest = identityOrder.removeFirst()
            if controllers.contains(oldest) {
                identityOrder.append(oldest)
            } else {
                identities[oldest] = nil
            }
        }
        return true
    }

    // MARK: Gates

    /// Whether something may happen now; if so, not again for `interval`.
    mutating func pass(_ gate: Gate, _ interval: Duration, _ now: Now) -> Bool {
        gates.pass(gate, interval, now.monotonic)
    }

    /// What passed a gate was not worth closing it.
    mutating func reopen(_ gate: Gate) { gates.reopen(gate) }

    mutating func expire(_ now: Now) {
        authorisations = authorisations.filter { $0.value > now.monotonic }
        groups.expire(now.monotonic)
    }

    // MARK: The local controller's members

    mutating func authorise(_ peer: Address, _ network: NetworkID, _ now: Now) {
        let key = Authorisation(network: network, peer: peer)
        if authorisations.count >= EthernetLimits.authorisations, authorisations[key] == nil {
            authorisations = authorisations.filter { $0.value > now.monotonic }
            guard authorisations.count < EthernetLimits.authorisations else { return }
        }
        authorisations[key] = now.monotonic + ProtocolLimits.controllerAuthorizationMemory
    }

    func isAuthorised(_ peer: Address, _ network: NetworkID, _ now: Now) -> Bool {
        guard let until = authorisations[Authorisation(network: network, peer: peer)] else { return false }
        return now.monotonic < until
    }
}
