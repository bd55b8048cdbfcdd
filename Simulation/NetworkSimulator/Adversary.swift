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

    /// What nodes sent to its addresses, and got from there.
    package internal(set) var ledger = WorkLedger()
    private let identity: Identity
    private var random: RandomSource
    private(set) var recorded: [Datagram] = []
    private let replaySources: [SocketEndpoint]
    private let strangerSources: [SocketEndpoint]
    private var packetsMade: UInt64 = 0
    private(set) var isActive = true

    init(identity: Identity, seed: UInt64) {
        self.identity = identity
        // Not a fork of the world's source: what that one draws does not change by it.
        random = RandomSource(seed: seed ^ 0x7e57_0fad)
        replaySources = Adversary.endpoints(Adversary.replayAddresses, from: 0x6e00_0001)
        strangerSources = Adversary.endpoints(Adversary.strangerAddresses, from: 0x6f00_0001)
        for endpoint in replaySources { ledger.watch(endpoint.address) }
        // A stranger's word about its other addresses counts like a packet from there: all are one account.
        ledger.watch(strangerSources.map(\.address))
    }

    private static func endpoints(_ count: Int, from first: UInt32) -> [SocketEndpoint] {
        (0..<UInt32(count)).map { SocketEndpoint(IPAddress(v4: first + $0 << 8), port: UInt16(4000 + $0)) }
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
        case 0: datagram.source = replaySources[0]
        case 1: datagram.source = replaySources[random.next(below: replaySources.count)]
        // In the name of another one on the wire.
        case 2: datagram.source = recorded[random.next(below: recorded.count)].source
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
        guard let key = identity.secretKeys?.agree(with: target.identity.publicKeys) else { return }
        let bytes: [UInt8]
        switch random.next(below: 7) {
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
        default: bytes = packet(Verb.nop.rawValue, [], to: target.identity, key)
        }
        let datagram = Datagram(
            bytes: bytes, sender: target.index, source: strangerSources[random.next(below: strangerSources.count)],
            destination: sample.source, isForged: true)
        send(datagram, simulation)
    }

    private func header(to target: Identity) -> PacketHeader {
        packetsMade += 1
        return PacketHeader(
            id: PacketID(0x5000_0000_0000_0000 + packetsMade * 8), destination: target.address,
            source: identity.address)
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

    private func hello(to target: Identity, _ key: SharedKey, _ simulation: Simulation) -> [UInt8] {
        let hello = Hello(
            protocolVersion: 12, softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 1),
            timestampMilliseconds: UInt64(Simulation.epochMilliseconds) + simulation.time.nanoseconds / 1_000_000,
            identity: identity.withoutSecret, sentTo: nil, planet: WorldReference(id: 0, timestampMilliseconds: 0))
        let payload = hello.encoded
        let header = header(to: target)
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
