// The peer: the library's own machines for everything but configurations, which the scripted controller gives.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierEthernet
import ZeroTierPeers
import ZeroTierWire

/// A root with a controller.
final class TestPeer {
    private let sockets: Sockets
    private let identity: Identity
    private var peers: PeerEngine
    /// Keeps the groups of members, and tells who is in them.
    private var groups: EthernetEngine
    private var controller: Controller
    private var batch = TransmitBatch()
    /// The file that nodes find this root by.
    let planet: [UInt8]

    /// The worlds that differ in one root: that of the nodes does not list the owner of a colliding address.
    init(_ sockets: Sockets, endpoints: [SocketEndpoint], colliding: Address?) {
        self.sockets = sockets
        let now = sockets.now
        var random = RandomSource(seed: sockets.seed)
        identity = Identity.generate(using: &random)
        let key = SecretKeys.generate(using: &random)
        let id = random.nextUInt64()
        let own = World.Root(identity: identity, endpoints: endpoints)
        func world(_ roots: [World.Root]) -> World {
            World(
                kind: .planet, id: id, timestampMilliseconds: UInt64(now.unixMilliseconds), updateKey: key.publicKeys,
                roots: roots
            ).signed(with: key)
        }
        planet = world([own]).encoded
        var roots = [own]
        if let colliding {
            let keys = SecretKeys.generate(using: &random)
            roots.append(World.Root(identity: Identity(address: colliding, publicKeys: keys.publicKeys), endpoints: []))
        }
        var configuration = PeerConfiguration(planet: world(roots))
        configuration.allowLoopbackPaths = endpoints.contains { $0.address.isLoopback }
        peers = PeerEngine(
            identity: identity, configuration: configuration,
            random: RandomSource(seed: sockets.seed), now: now)
        groups = EthernetEngine(identity: identity, random: RandomSource(seed: sockets.seed), now: now)
        groups.setUpstreams(peers.rootAddresses, isUpstream: true)
        controller = Controller(identity, random: RandomSource(seed: sockets.seed))
    }

    /// Serves for a while.
    func run(_ life: Duration) {
        let end = sockets.now.monotonic + life
        while sockets.now.monotonic < end {
            let now = sockets.now
            peers.handleDeadlines(now: now)
            groups.handleDeadlines(now: now)
            for order in sockets.orders() {
                let member = Address(order.member)
                send(controller.put(member, of: NetworkID(order.network), at: order.step, now), now)
            }
            settle(now)
            let due = [end, peers.nextDeadline(), groups.nextDeadline()].compactMap { $0 }.min() ?? end
            sockets.wait(until: due)
            sockets.receive { batch in receive(&batch, sockets.now) }
        }
    }

    private func receive(_ received: inout ReceiveBatch, _ now: Now) {
        batch.clear()
        var index = 0
        while index < received.datagrams.count {
            let (opened, consumed) = peers.open(&received, at: index, replies: &batch, now: now)
            if case .packet(let packet) = opened {
                let payload = received.withDatagrams(from: index) {
                    $0.bytes.copyBytes(packet.payloadOffset, packet.payloadLength)
                }
                take(packet, payload, now)
            }
            index += max(1, consumed)
        }
        sockets.send(batch)
        settle(now)
    }

    private func take(_ packet: OpenedPacket, _ payload: [UInt8], _ now: Now) {
        switch packet.verb {
        case .networkConfigRequest:
            guard let request = try? NetworkConfigRequest(decoding: payload),
                let member = peers.identity(of: packet.source)
            else { return }
            send(controller.answer(request, from: member, packetID: packet.packetID, now), now)
        case .multicastLike, .multicastGather:
            _ = groups.receive(packet.verb, payload, from: packet.source, packetID: packet.packetID, now: now)
        default: break
        }
    }

    private func send(_ packets: [Controller.Packet], _ now: Now) {
        for packet in packets {
            peers.send(packet.verb, packet.payload, to: packet.destination, compress: true, now: now)
        }
    }

    // Hands on what the machines have for each other and for the sockets, until all are quiet.
    private func settle(_ now: Now) {
        takeReady(now)
        while let job = peers.nextJob() {
            if case .validate(let stranger, let ticket) = job {
                peers.complete(ticket, isValid: stranger.validate(), now: now)
            }
        }
        takeReady(now)
        while let event = peers.nextEvent() {
            if case .identityLearned(let address) = event, let known = peers.identity(of: address) {
                groups.learn(known, now: now)
            }
        }
        while let event = groups.nextEvent() {
            if case .wantsIdentity(let address) = event, let known = peers.identity(of: address) {
                groups.learn(known, now: now)
            }
        }
        while let packet = groups.nextPacket() {
            peers.send(packet.verb, packet.payload, to: packet.destination, compress: packet.compress, now: now)
        }
        repeat {
            batch.clear()
            peers.transmitControl(into: &batch, now: now)
            sockets.send(batch)
        } while !batch.isEmpty
    }

    private func takeReady(_ now: Now) {
        batch.clear()
        while let ready = peers.nextReady(replies: &batch, now: now) {
            let start = ready.packet.payloadOffset
            take(ready.packet, Array(ready.bytes[start..<start + ready.packet.payloadLength]), now)
        }
        sockets.send(batch)
    }
}
