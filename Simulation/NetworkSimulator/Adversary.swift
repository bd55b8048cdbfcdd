//  A host that nobody knows and that nobody is told of. It has a tap on the wire and says again what it heard, from its own
//  address, from others that it makes up, and in the name of those who said it. It also talks for itself, as a stranger whose
//  identity is valid. It answers nothing, so whatever a node sends to one of its addresses is work that it asked for.
//
//      wire --tap--> recordings --some time later--> the same destination, from somewhere

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// The adversary of a world.
package final class Adversary {
    /// Recordings kept; a new one takes the place of any.
    private static let recordings = 512
    /// Addresses from which recordings are sent, and from which the stranger talks.
    private static let replayAddresses = 8
    private static let strangerAddresses = 8
    /// Invented identities that say hello at one time, now and then.
    private static let crowd = 24

    /// What nodes sent to its addresses, and got from there.
    package internal(set) var ledger = WorkLedger()
    private let identity: Identity
    private var random: RandomSource
    private(set) var recorded: [Datagram] = []
    private let replaySources: [SocketEndpoint]
    private let strangerSources: [SocketEndpoint]
    private var packetsMade: UInt64 = 0
    private var inventions: UInt64 = 0
    private(set) var isActive = true

    init(identity: Identity, seed: UInt64) {
        self.identity = identity
        // Not a fork of the world's source: what that one draws does not change by it.
        random = RandomSource(seed: seed ^ 0x7e57_0fad)
        replaySources = Adversary.endpoints(Adversary.replayAddresses, from: 0x6e00_0001, 0x2a06_0000_0000_0000)
        strangerSources = Adversary.endpoints(Adversary.strangerAddresses, from: 0x6f00_0001, 0x2a07_0000_0000_0000)
        for endpoint in replaySources { ledger.watch(endpoint.address) }
        // A stranger's word about its other addresses counts like a packet from there: all are one account.
        ledger.watch(strangerSources.map(\.address))
    }

    // So many of each family, each in a prefix of its own.
    private static func endpoints(_ count: Int, from first: UInt32, _ firstIPv6: UInt64) -> [SocketEndpoint] {
        (0..<UInt32(count)).flatMap { number in
            [
                IPAddress(v4: first + number << 8), IPAddress(v6High: firstIPv6 + UInt64(number) << 16, low: 1),
            ].map { SocketEndpoint($0, port: UInt16(4000 + number)) }
        }
    }

    // One of them from which a datagram can come to a destination.
    private func source(of endpoints: [SocketEndpoint], for destination: SocketEndpoint) -> SocketEndpoint {
        let family = endpoints.filter { $0.address.isIPv4 == destination.address.isIPv4 }
        return family[random.next(below: family.count)]
    }

    /// A datagram passes the tap.
    func record(_ datagram: Datagram) {
        guard isActive, !datagram.isForged else { return }
        guard recorded.count >= Adversary.recordings else {
            recorded.append(datagram)
            return
        }
        // Some stay for long.
        if random.next(below: 4) == 0 { recorded[random.next(below: recorded.count)] = datagram }
    }

    /// Ends all that it does.
    package func stop() { isActive = false }

    func act(_ simulation: Simulation) {
        guard isActive else { return }
        if random.next(below: 6) == 0 { talk(simulation) } else { replay(simulation) }
        simulation.after(.milliseconds(20 + random.next(below: 300))) { $0.adversary?.act($0) }
    }

    // MARK: Recordings

    private func replay(_ simulation: Simulation) {
        guard !recorded.isEmpty else { return }
        var datagram = recorded[random.next(below: recorded.count)]
        datagram.isForged = true
        if let header = datagram.bytes.withBytes({ PacketHeader($0, length: $0.byteCount) }) {
            simulation.recordedPackets.insert(header.id.value)
        }
        switch random.next(below: 4) {
        // From one host more than from others.
        case 0:
            let isIPv4 = datagram.destination.address.isIPv4
            datagram.source = replaySources.first { $0.address.isIPv4 == isIPv4 } ?? datagram.source
        case 1: datagram.source = source(of: replaySources, for: datagram.destination)
        // In the name of another one on the wire.
        case 2:
            let other = recorded[random.next(below: recorded.count)].source
            if other.address.isIPv4 == datagram.destination.address.isIPv4 { datagram.source = other }
        default: break
        }
        send(datagram, simulation)
    }

    private func send(_ datagram: Datagram, _ simulation: Simulation) {
        if simulation.logsDatagrams {
            simulation.note(
                "a stranger at \(datagram.source) sends \(datagram.bytes.count) bytes to \(datagram.destination)")
        }
        simulation.schedule(.internet(datagram), at: simulation.time)
    }

    // MARK: The stranger

    private func talk(_ simulation: Simulation) {
        guard !recorded.isEmpty else { return }
        let sample = recorded[random.next(below: recorded.count)]
        // Whom it can reach there: the endpoint is that of who sent the recording.
        let target = simulation.hosts[sample.sender]
        if random.next(below: 16) == 0 {
            return crowd(Adversary.crowd, at: target, by: sample.source, simulation)
        }
        guard let key = identity.secretKeys?.agree(with: target.identity.publicKeys) else { return }
        let bytes: [UInt8]
        switch random.next(below: 9) {
        case 0...2: bytes = hello(to: target.identity, key, simulation)
        case 3:
            let block = LZ4Block.encode([UInt8](repeating: 7, count: 100 + random.next(below: 8000)))
            bytes = packet(Verb.echo.rawValue | Verb.compressedFlag, block, to: target.identity, key)
        case 4:
            let asked = simulation.hosts.prefix(8).map(\.identity.address)
            bytes = packet(Verb.whois.rawValue, Whois(asked).encoded, to: target.identity, key)
        case 5:
            let records = strangerSources.map { endpoint in
                PushDirectPaths.Record(
                    flags: random.next(below: 4) == 0 ? PushDirectPaths.Record.clusterRedirectFlag : 0,
                    endpoint: endpoint)
            }
            bytes = packet(
                Verb.pushDirectPaths.rawValue, PushDirectPaths(records).encoded, to: target.identity, key)
        case 6: return parts(1 + random.next(below: 40), at: target, by: sample.source, simulation)
        case 7:
            guard let network = target.networks.first else { return }
            bytes = packet(Verb.networkConfig.rawValue, falsePiece(of: network).encoded, to: target.identity, key)
        default: bytes = packet(Verb.nop.rawValue, [], to: target.identity, key)
        }
        let datagram = Datagram(
            bytes: bytes, sender: target.index, source: source(of: strangerSources, for: sample.source),
            destination: sample.source, isForged: true)
        send(datagram, simulation)
    }

    /// So many identities that do not exist say hello to a host at one time, all from one address.
    func crowd(_ count: Int, at target: SimulatedHost, by destination: SocketEndpoint, _ simulation: Simulation) {
        guard let key = identity.secretKeys?.agree(with: target.identity.publicKeys) else { return }
        let source = source(of: strangerSources, for: destination)
        for _ in 0..<count {
            inventions += 1
            // With keys that fit the seal, and an address that does not follow from them.
            let invented = Identity(address: Address(0x11_0000_0000 + inventions), publicKeys: identity.publicKeys)
            ledger.noteInvention(invented.address, at: source.address)
            let bytes = hello(to: target.identity, key, from: invented, simulation)
            send(
                Datagram(
                    bytes: bytes, sender: target.index, source: source, destination: destination, isForged: true),
                simulation)
        }
    }

    private func header(to target: Identity, from source: Address? = nil) -> PacketHeader {
        packetsMade += 1
        return PacketHeader(
            id: PacketID(0x5000_0000_0000_0000 + packetsMade * 8), destination: target.address,
            source: source ?? identity.address)
    }

    /// Parts of so many packets that never become whole, all from one address.
    func parts(_ count: Int, at target: SimulatedHost, by destination: SocketEndpoint, _ simulation: Simulation) {
        let source = source(of: strangerSources, for: destination)
        for _ in 0..<count {
            packetsMade += 1
            let header = FragmentHeader(
                packetID: PacketID(0x5000_0000_0000_0000 + packetsMade * 8), destination: target.identity.address,
                total: 3, number: 1)
            var bytes = [UInt8](repeating: 5, count: FragmentHeader.size + 100 + random.next(below: 1000))
            bytes.withMutableBytes { header.write(into: &$0) }
            send(
                Datagram(
                    bytes: bytes, sender: target.index, source: source, destination: destination, isForged: true),
                simulation)
        }
    }

    /// A piece of a configuration that somebody else than the controller signed.
    private func falsePiece(of network: NetworkID) -> NetworkConfigChunk {
        packetsMade += 1
        return NetworkConfigChunk(
            network: network, data: [7], updateID: packetsMade, totalLength: 2, offset: 0, signedBy: identity)
    }

    /// So many signatures were checked for a datagram; it counts what is in its own name.
    func noteSignatures(_ count: Int, for datagram: Datagram, at host: SimulatedHost, _ time: MonotonicInstant) {
        guard count > 0, datagram.isForged,
            let header = datagram.bytes.withBytes({ PacketHeader($0, length: $0.byteCount) }),
            header.source == identity.address
        else { return }
        ledger.noteSignatures(count, at: host.index, time)
    }

    private func packet(_ verbByte: UInt8, _ payload: [UInt8], to target: Identity, _ key: SharedKey) -> [UInt8] {
        let header = header(to: target)
        let length = PacketHeader.payloadOffset + payload.count
        var bytes = [UInt8](repeating: 0, count: length)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(verbByte, at: PacketHeader.verbOffset)
            span.copy(from: payload, at: PacketHeader.payloadOffset)
            PacketArmor.seal(&span, length: length, suite: .salsa, cipher: PacketCipher(key))
        }
        return bytes
    }

    private func hello(
        to target: Identity, _ key: SharedKey, from other: Identity? = nil, _ simulation: Simulation
    ) -> [UInt8] {
        let hello = Hello(
            protocolVersion: 12, softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 1),
            timestampMilliseconds: UInt64(Simulation.epochMilliseconds) + simulation.time.nanoseconds / 1_000_000,
            identity: other ?? identity.withoutSecret, sentTo: nil,
            planet: WorldReference(id: 0, timestampMilliseconds: 0))
        let payload = hello.encoded
        let header = header(to: target, from: other?.address)
        let length = PacketHeader.payloadOffset + payload.count
        var bytes = [UInt8](repeating: 0, count: length)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(Verb.hello.rawValue, at: PacketHeader.verbOffset)
            span.copy(from: payload, at: PacketHeader.payloadOffset)
            PacketArmor.sealHello(
                &span, length: length, sectionOffset: hello.sectionOffset, cipher: PacketCipher(key))
        }
        return bytes
    }
}

extension Simulation {
    /// Puts an adversary into the world.
    package func addAdversary() {
        let adversary = Adversary(identity: nextIdentity(), seed: seed)
        self.adversary = adversary
        adversary.act(self)
    }
}
