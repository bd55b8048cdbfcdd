// A root that tells of a false controller: transport and Ethernet layer together.

import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierEthernet
import ZeroTierWire

@testable import ZeroTierNode

@Suite struct LyingRootTests {
    private let lab = Lab(nodes: 2)
    private let controller = Fixture.identities[2]
    private var network: NetworkID { NetworkID(controller: controller.address, number: 0xbeef) }

    /// The cipher that two identities share.
    private func key(_ one: Identity, _ other: Identity) throws -> SharedKey {
        try #require(one.secretKeys?.agree(with: other.publicKeys))
    }

    /// A packet of a peer to the member, sealed as it would seal it.
    private func packet(_ sender: Identity, _ verb: Verb, _ payload: [UInt8], number: UInt64) throws -> [UInt8] {
        let cipher = PacketCipher(try key(sender, Fixture.identities[1]))
        // Of now: the numbers of the nodes here grow.
        let id = UInt64(lab.now.unixMilliseconds + 1) << 20 + number
        var bytes = [UInt8](repeating: 0, count: PacketHeader.payloadOffset + payload.count)
        let length = bytes.count
        let header = PacketHeader(
            id: PacketID(id), destination: Fixture.identities[1].address, source: sender.address)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(verb.rawValue, at: PacketHeader.verbOffset)
            span.copy(from: payload, at: PacketHeader.payloadOffset)
            PacketArmor.seal(&span, length: length, suite: .salsa, cipher: cipher)
        }
        return bytes
    }

    /// The number of a WHOIS of the member to the root, if a datagram is one.
    private func whois(in datagram: [UInt8]) throws -> PacketID? {
        guard datagram.count >= PacketHeader.payloadOffset else { return nil }
        let cipher = PacketCipher(try key(Fixture.identities[0], Fixture.identities[1]))
        var bytes = datagram
        let length = bytes.count
        let header = bytes.withBytes { PacketHeader($0, length: length) }
        let isAuthentic = bytes.withMutableBytes { PacketArmor.open(&$0, length: length, cipher: cipher) }
        guard let header, isAuthentic, Verb(verbByte: bytes[PacketHeader.verbOffset]) == .whois else { return nil }
        let asked = try Whois(decoding: Array(bytes[PacketHeader.payloadOffset...]))
        return asked.addresses.contains(controller.address) ? header.id : nil
    }

    private func known(by member: LabHost) -> Identity? { member.node.peers.identity(of: controller.address) }

    private func pieces(_ name: String, by signer: Identity) -> [[UInt8]] {
        var config = NetworkConfig(
            network: network, issuedTo: Fixture.identities[1].address, timestamp: UInt64(lab.now.unixMilliseconds))
        config.isPublic = true
        config.name = name
        return NetworkConfigChunk.chunks(of: config.encoded, network: network, updateID: 77, signedBy: signer)
            .map(\.encoded)
    }

    @Test func `a configuration signed by a false controller is refused, and the true one's is taken afterwards`()
        throws
    {
        let (root, member) = (lab.hosts[0], lab.hosts[1])
        #expect(lab.run(for: .seconds(10)) { self.lab.isOnline(1) && self.lab.isOnline(2) })
        lab.run(for: .seconds(1))
        let keys = Fixture.identities[20]
        let impostor = Identity(
            address: controller.address, publicKeys: keys.publicKeys, secretKeys: keys.secretKeys)
        // From here on somebody else speaks in the root's name.
        root.isUp = false
        var asked: [PacketID] = []
        defer { lab.onDatagram = nil }  // It holds the laboratory.
        lab.onDatagram = { to, bytes in
            guard to == root.endpoint, let id = try? self.whois(in: bytes) else { return }
            asked.append(id)
        }
        lab.act(1) { node, now in _ = node.join(network, now: now) }
        #expect(lab.run(for: .seconds(5)) { !asked.isEmpty })
        let question = try #require(asked.first)
        let answer = OKHeader(inReplyTo: .whois, packetID: question)
            .payload(WhoisReply([impostor.withoutSecret]).encoded)
        var number: UInt64 = 1
        func say(_ speaker: Identity, _ verb: Verb, _ payload: [UInt8], from host: Int) throws {
            number += 1
            lab.send(
                try packet(speaker, verb, payload, number: number), from: lab.hosts[host].endpoint, to: member.endpoint)
            lab.run(for: .milliseconds(20))
        }
        // The false piece is there before the false identity, and again behind it, by the root and by the impostor.
        for round in 0..<2 {
            for piece in pieces("false", by: impostor) {
                try say(Fixture.identities[0], .networkConfig, piece, from: 0)
                try say(impostor, .networkConfig, piece, from: 2)
            }
            if round == 0 { try say(Fixture.identities[0], .ok, answer, from: 0) }
        }
        let refused = member.node.statistics.peerDrops[.invalidIdentity]
        #expect(refused == 1)
        #expect(member.node.network(network)?.status == .requestingConfiguration)
        #expect(known(by: member) == nil)

        root.isUp = true
        #expect(lab.run(for: .seconds(60)) { self.known(by: member) != nil })
        #expect(known(by: member) == controller.withoutSecret)
        lab.run(for: .seconds(6))
        #expect(member.node.network(network)?.status != .ok)
        for piece in pieces("true", by: controller) { try say(Fixture.identities[0], .networkConfig, piece, from: 0) }
        #expect(member.node.network(network)?.status == .ok)
        #expect(member.node.network(network)?.name == "true")
    }
}
