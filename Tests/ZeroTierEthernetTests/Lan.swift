// Several engines in virtual time, joined by a wire that delivers what they send to each other.

import NetPrimitives
import TestSupport
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierEthernet

/// An engine with what it gave out.
final class Station {
    var engine: EthernetEngine
    let identity: Identity
    var frames: [LocalFrame] = []
    var events: [EthernetEvent] = []
    /// Whether `wantsIdentity` is answered at once.
    var answersIdentities = true
    var trusted: Set<Address> = []

    init(_ identity: Identity, _ configuration: EthernetConfiguration, seed: UInt64, _ now: Now) {
        self.identity = identity
        engine = EthernetEngine(
            identity: identity, configuration: configuration, random: RandomSource(seed: seed), now: now)
    }

    var address: Address { identity.address }
}

// The engine's verbs, since expectations cannot look into a noncopyable value.
extension Station {
    @discardableResult
    func join(_ id: NetworkID, savedConfiguration: [UInt8]? = nil, authorization: String = "", now: Now) -> SlotID? {
        engine.join(id, savedConfiguration: savedConfiguration, authorization: authorization, now: now)
    }
    func leave(_ id: NetworkID) { engine.leave(id) }
    func snapshot(of slot: SlotID) -> NetworkSnapshot? { engine.snapshot(of: slot) }
    func configuration(of slot: SlotID) -> NetworkConfig? { engine.configuration(of: slot) }
    func ruleReport(of slot: SlotID) -> RuleReport? { engine.ruleReport(network: slot) }
    func members(of slot: SlotID) -> [Address] { engine.members(of: slot) }
    func drops(_ reason: EthernetDrop) -> UInt64 { engine.drops(reason) }
    var likeCount: Int { engine.likeCount }
    var packetCount: Int { engine.packetCount }
    func replicators(of slot: SlotID) -> [Address] { engine.replicators(of: slot) }
    func isReplicator(_ address: Address) -> Bool { engine.isReplicator(address) }
    func setPortError(_ isBroken: Bool, network: SlotID) { engine.setPortError(isBroken, network: network) }
    func setUpstreams(_ upstreams: [Address], isUpstream: Bool) {
        engine.setUpstreams(upstreams, isUpstream: isUpstream)
    }
    func noteReachability(of address: Address, latency: Duration?) {
        engine.noteReachability(of: address, latency: latency)
    }
    func learn(_ identity: Identity, now: Now) { engine.learn(identity, now: now) }
    func forget(_ peer: Address) { engine.forget(peer) }
    func authorise(_ member: Address, on network: NetworkID, now: Now) {
        engine.authorise(member, on: network, now: now)
    }
    func nextPacket() -> EthernetPacket? { engine.nextPacket() }
    func nextLocalFrame() -> LocalFrame? { engine.nextLocalFrame() }
    func route(_ key: FrameKey, frame: [UInt8], now: Now) -> FrameRouting {
        frame.withBytes { engine.route(key, frame: $0, at: 0, now: now) }
    }
    @discardableResult
    func sendFrame(
        network: SlotID, source: MACAddress, destination: MACAddress, etherType: UInt16, payload: [UInt8], now: Now
    ) -> EthernetDrop? {
        engine.sendFrame(
            network: network, source: source, destination: destination, etherType: etherType, payload: payload,
            now: now)
    }
    @discardableResult
    func subscribe(network: SlotID, to groups: [MulticastGroup], now: Now) -> Bool {
        engine.subscribe(network: network, to: groups, now: now)
    }
    func unsubscribe(network: SlotID, from groups: [MulticastGroup]) {
        engine.unsubscribe(network: network, from: groups)
    }
    func receive(_ verb: Verb, _ payload: [UInt8], from source: Address, packetID: PacketID, now: Now) -> Reception {
        engine.receive(verb, payload, from: source, packetID: packetID, now: now)
    }
    func receiveReply(to verb: Verb, _ body: [UInt8], from source: Address, now: Now) -> Reception {
        engine.receiveReply(to: verb, body, from: source, packetID: PacketID(1), now: now)
    }
    func receiveError(
        _ error: ErrorReply, from source: Address, askedAt: MonotonicInstant? = nil, now: Now
    ) -> Reception {
        engine.receiveError(error, from: source, askedAt: askedAt, now: now)
    }
    func receiveLocalConfiguration(_ config: NetworkConfig, now: Now) {
        engine.receiveLocalConfiguration(config, now: now)
    }
    func receiveLocalFailure(_ id: NetworkID, _ status: NetworkStatus) { engine.receiveLocalFailure(id, status) }
}

/// A packet as it crossed the wire.
struct Crossing {
    let from: Address
    let to: Address
    let verb: Verb
    let payload: [UInt8]
}

/// The wire, the clock, and a controller made of nothing but signatures.
final class Lan: VirtualWorld {
    var clock = VirtualClock(unixMilliseconds: 1_800_000_000_000)
    var stations: [Address: Station] = [:]
    var identities: [Address: Identity] = [:]
    var log: [Crossing] = []
    /// Says which packets get lost.
    var loses: (Crossing) -> Bool = { _ in false }
    private var random = RandomSource(seed: 77)
    private var nextPacketID: UInt64 = 1

    /// An identity that nobody validates: keys are real, the address is chosen.
    func makeIdentity(_ address: UInt64) -> Identity {
        let keys = SecretKeys.generate(using: &random)
        let identity = Identity(address: Address(address), publicKeys: keys.publicKeys, secretKeys: keys)
        identities[identity.address] = identity
        return identity
    }

    @discardableResult
    func add(_ identity: Identity, _ change: (inout EthernetConfiguration) -> Void = { _ in }) -> Station {
        var configuration = EthernetConfiguration()
        change(&configuration)
        identities[identity.address] = identity
        let station = Station(identity, configuration, seed: identity.address.value, now)
        stations[identity.address] = station
        return station
    }

    @discardableResult
    func add(_ address: UInt64, _ change: (inout EthernetConfiguration) -> Void = { _ in }) -> Station {
        add(makeIdentity(address), change)
    }

    // MARK: Moving

    /// Delivers packets until none is left.
    func settle() {
        var isBusy = true
        var rounds = 0
        while isBusy, rounds < 1000 {
            rounds += 1
            isBusy = false
            for address in stations.keys.sorted() {
                guard let station = stations[address] else { continue }
                isBusy = drain(station) || isBusy
            }
        }
        #expect(rounds < 1000, "packets never stop")
    }

    private func drain(_ station: Station) -> Bool {
        var isBusy = false
        while let event = station.engine.nextEvent() {
            isBusy = true
            station.events.append(event)
            if case .wantsIdentity(let address) = event, station.answersIdentities, let known = identities[address] {
                station.engine.learn(known.withoutSecret, now: now)
            }
        }
        while let frame = station.engine.nextLocalFrame() {
            isBusy = true
            station.frames.append(frame)
        }
        while let packet = station.engine.nextPacket() {
            isBusy = true
            let crossing = Crossing(
                from: station.address, to: packet.destination, verb: packet.verb, payload: packet.payload)
            log.append(crossing)
            if !loses(crossing) { deliver(crossing) }
        }
        return isBusy
    }

    /// Hands a packet to its destination as the node would.
    @discardableResult
    func deliver(_ crossing: Crossing) -> Admission? {
        guard let station = stations[crossing.to] else { return nil }
        let id = PacketID(nextPacketID)
        nextPacketID += 1
        switch crossing.verb {
        case .frame, .extendedFrame, .multicastFrame:
            let admission = crossing.payload.withBytes {
                station.engine.admit(
                    crossing.verb, $0, at: 0, length: $0.byteCount, from: crossing.from, packetID: id, now: now)
            }
            if case .frame(let frame) = admission {
                station.frames.append(
                    LocalFrame(
                        network: frame.network, source: frame.source, destination: frame.destination,
                        etherType: frame.etherType,
                        payload: Array(crossing.payload[frame.offset..<frame.offset + frame.length])))
            }
            if admission.isTrusted { station.trusted.insert(crossing.from) }
            return admission
        case .ok:
            guard let (header, body) = try? OKHeader.split(crossing.payload) else { return nil }
            _ = station.engine.receiveReply(
                to: header.inReplyTo, body, from: crossing.from, packetID: header.packetID, now: now)
        case .error:
            guard let error = try? ErrorReply(decoding: crossing.payload) else { return nil }
            _ = station.engine.receiveError(error, from: crossing.from, now: now)
        default:
            let reception = station.engine.receive(
                crossing.verb, crossing.payload, from: crossing.from, packetID: id, now: now)
            if reception.isTrusted { station.trusted.insert(crossing.from) }
        }
        return nil
    }

    /// Lets time pass, stopping at every deadline on the way.
    func advance(_ duration: Duration) {
        run(for: duration)
    }

    func begin() { settle() }

    func nextInstant() -> MonotonicInstant? { stations.values.compactMap { $0.engine.nextDeadline() }.min() }

    func happen() {
        for address in stations.keys.sorted() { stations[address]?.engine.handleDeadlines(now: now) }
        settle()
    }

    // MARK: A controller

    /// A configuration with a membership, as a controller would issue it.
    func config(
        _ network: NetworkID, for member: Identity, by controller: Identity, timestamp: UInt64? = nil,
        _ change: (inout NetworkConfig) -> Void = { _ in }
    ) -> NetworkConfig {
        let issued = timestamp ?? UInt64(now.unixMilliseconds)
        var config = NetworkConfig(network: network, issuedTo: member.address, timestamp: issued)
        config.flags = NetworkConfig.broadcastFlag | NetworkConfig.neighbourEmulationFlag
        config.multicastLimit = 32
        config.rules = [Rule(.accept)]
        config.membership = Membership(
            network: network, issuedTo: member, timestamp: issued, window: 1_800_000, signedBy: controller)
        change(&config)
        return config
    }

    /// Sends a configuration to a member as a push of its controller.
    func push(_ config: NetworkConfig, by controller: Identity) {
        let chunks = NetworkConfigChunk.chunks(
            of: config.encoded, network: config.network, updateID: random.nextUInt64() | 1, signedBy: controller)
        for chunk in chunks {
            deliver(
                Crossing(
                    from: controller.address, to: config.issuedTo, verb: .networkConfig, payload: chunk.encoded))
        }
        settle()
    }

    func crossings(_ verb: Verb, from: Address? = nil, to: Address? = nil) -> [Crossing] {
        log.filter { $0.verb == verb && (from == nil || $0.from == from) && (to == nil || $0.to == to) }
    }
}

/// Packets for tests.
enum Packets {
    static func ipv6(
        _ proto: UInt8, from source: IPAddress, to destination: IPAddress, _ payload: [UInt8]
    ) -> [UInt8] {
        [0x60, 0, 0, 0, UInt8(payload.count >> 8), UInt8(payload.count & 255), proto, 64] + source.bytes
            + destination.bytes + payload
    }

    static func tcp(from source: UInt16, to destination: UInt16, flags: UInt8, payload: Int = 0) -> [UInt8] {
        [
            UInt8(source >> 8), UInt8(source & 255), UInt8(destination >> 8), UInt8(destination & 255), 0, 0, 0, 1, 0,
            0,
            0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0,
        ] + [UInt8](repeating: 0x61, count: payload)
    }

    static func arpRequest(_ sender: MACAddress, _ source: IPAddress, for target: IPAddress) -> [UInt8] {
        [0, 1, 8, 0, 6, 4, 0, 1] + sender.bytes + source.bytes + [0, 0, 0, 0, 0, 0] + target.bytes
    }

    static func solicitation(from source: IPAddress, for target: IPAddress) -> [UInt8] {
        let group = MulticastGroup.resolution(of: target).mac
        let destination = IPAddress(v6High: 0xff02 << 48, low: 0x1_ff00_0000 | group.bits & 0xff_ffff)
        return ipv6(58, from: source, to: destination, [0x87, 0, 0, 0, 0, 0, 0, 0] + target.bytes)
    }
}
