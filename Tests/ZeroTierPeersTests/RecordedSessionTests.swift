//  The machine against what real nodes sent (Tests/Vectors/vl1_real_node.json), and against noise.

import NetPrimitives
import TestSupport
import Testing
import ZeroTierWire

@testable import ZeroTierPeers

private struct Recording: Decodable {
    struct Packet: Decodable {
        let what: String
        let sender: String?
        let receiver: String?
        let udp_from: String?

        let wire: Wire
    }

    /// One string, or one per datagram.
    enum Wire: Decodable {
        case datagrams([String])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let one = try? container.decode(String.self) {
                self = .datagrams([one])
            } else {
                self = .datagrams(try container.decode([String].self))
            }
        }

        var bytes: [[UInt8]] {
            guard case .datagrams(let texts) = self else { return [] }
            return texts.map { text in
                let digits = Array(text.utf8)
                return stride(from: 0, to: digits.count - 1, by: 2).map {
                    UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16) ?? 0
                }
            }
        }
    }

    let identities: [String: String]
    let packets: [Packet]

    static func load() throws -> Recording {
        try VectorFiles.decode("vl1_real_node.json")
    }
}

@Suite struct RecordedSessionTests {
    @Test(arguments: ["A", "B", "root"])
    func `everything that real nodes sent to a node authenticates and parses`(_ name: String) throws {
        let recording = try Recording.load()
        func identity(_ name: String) throws -> Identity {
            try #require(recording.identities[name].flatMap { Identity(text: $0) })
        }
        let roots = try ["root", "moon_root"].map { (try identity($0), [SocketEndpoint]()) }
        let hub = Hub()
        let planet = Fixture.planet(roots)
        let node = hub.add(try identity(name), [Fixture.endpoint(1, 1)], PeerConfiguration(planet: planet))
        // Everybody is known from before, as in the session after its first second.
        for other in recording.identities.keys.sorted() where other != name {
            let record = PeerRecord(
                identity: try identity(other), protocolVersion: 12,
                softwareVersion: SoftwareVersion(major: 1, minor: 8, revision: 4), endpoints: [])
            node.engine.importPeer(record.encoded, isValidated: true, now: hub.now)
        }
        var frames = 0
        // What was relayed was recorded before the root and behind it.
        var seen: Set<[UInt8]> = []
        for packet in recording.packets where packet.receiver == name {
            guard let id = packet.wire.bytes.first?.prefix(8), seen.insert(Array(id)).inserted else { continue }
            let from = try #require(packet.udp_from.flatMap { SocketEndpoint($0) })
            hub.receive(node, packet.wire.bytes, from: from)
            hub.run(.milliseconds(300))
            if ["FRAME", "MULTICAST_LIKE", "EXT_FRAME"].contains(packet.what) {
                frames += 1
                #expect(node.received.count >= frames, "\(packet.what)")
            }
        }
        #expect(frames > 0 || name == "root")
        var allowed: Set<PeerDrop> = [
            .unconfirmedEndpoint, .unexpectedReply, .destinationUnreachable, .echoLimit, .pushLimit,
        ]
        // What the prober sent A on purpose: ECHO in suite 0, HELLO of protocol 3, RENDEZVOUS without being a root.
        if name == "A" { allowed.formUnion([.clearVerb, .oldProtocol, .notUpstream]) }
        for drop in node.engine.drops.nonZero {
            #expect(allowed.contains(drop.reason), "\(drop.reason): \(drop.count)")
        }
    }

    @Test func `noise and damaged packets of every kind never trap and never get through`() throws {
        let star = Star(leaves: 2, root: { $0.limits.agreementBurstPerPrefix = 100_000 })
        #expect(star.connect())
        star.hub.run(.seconds(1))
        let (a, b) = (star.leaves[0], star.leaves[1])
        var random = RandomSource(seed: 99)
        let prober = Prober(b.identity, to: a.identity)
        let samples = star.hub.log.filter { $0.to == a.sockets[0] || $0.to == star.root.sockets[0] }.map(\.bytes)
        let before = a.received.count
        star.hub.forgetLog()
        for round in 0..<4000 {
            var bytes: [UInt8]
            switch random.next(below: 3) {
            case 0: bytes = random.bytes(random.next(below: 200))
            case 1:
                // Damaged after sealing.
                bytes = samples[random.next(below: samples.count)]
                for _ in 0...random.next(below: 3) {
                    bytes[random.next(below: bytes.count)] ^= UInt8(1 << random.next(below: 8))
                }
                if random.next(below: 2) == 0 { bytes = Array(bytes[..<random.next(below: bytes.count)]) }
            default:
                // Authentic garbage: only VL1's verbs, which must parse it.
                let verbs: [UInt8] = [1, 2, 3, 4, 5, 8, 0x10, 0x12, 0x13, 0x14, 0x15, 0x16, 0x1f, 0x83, 0x90]
                bytes = prober.packet(
                    verbs[random.next(below: verbs.count)], random.bytes(random.next(below: 120)),
                    id: UInt64(1 + round))
            }
            let target = random.next(below: 4) == 0 ? star.root : a
            star.hub.receive(target, [bytes], from: b.sockets[0])
            if round % 100 == 0 { star.hub.run(.milliseconds(50)) }
            a.events.removeAll()
        }
        star.hub.run(.seconds(10))
        #expect(a.received.count == before)
        #expect(star.hub.isDirect(a, to: b), "the connection is still there")
        #expect(a.engine.shared.control.isEmpty)
    }
}
