import NetPrimitives
import TestSupport
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierController

/// A recorded session of real nodes, with our machine in the place of their controller: from the same records, at the same
/// times, with its keys, it must send what that one sent, byte for byte.
@Suite struct RecordedControllerTests {
    private struct Session: Decodable {
        struct Keys: Decodable { let secret: String }
        struct Packet: Decodable {
            let label, from, to, payload, packetId: String
            let time: Int64
        }
        let identities: [String: Keys]
        let network: String
        let packets: [Packet]
    }

    private let session: Session
    private let id: NetworkID
    private let controller: Identity

    init() throws {
        session = try VectorFiles.decode("live_session.json")
        id = try #require(NetworkID(text: session.network))
        controller = try #require(Identity(text: session.identities["ctl"]?.secret ?? ""))
    }

    private func packet(_ label: String) throws -> Session.Packet {
        try #require(session.packets.first { $0.label == label })
    }

    private func payload(_ label: String) throws -> [UInt8] {
        try #require(Hexadecimal.decode(try packet(label).payload))
    }

    private func packetID(_ label: String) throws -> PacketID {
        PacketID(try #require(UInt64(try packet(label).packetId, radix: 16)))
    }

    private func now(_ unix: UInt64) -> Now {
        Now(monotonic: MonotonicInstant(nanoseconds: 1_000_000_000_000), unixMilliseconds: Int64(unix))
    }

    private func engine(_ now: Now) -> ControllerEngine {
        ControllerEngine(identity: controller, random: RandomSource(seed: 1), now: now)
    }

    /// Does everything at once; the packets that leave.
    private func run(_ engine: inout ControllerEngine, _ now: Now) -> [(verb: Verb, payload: [UInt8])] {
        var packets: [(verb: Verb, payload: [UInt8])] = []
        while true {
            var isQuiet = true
            while let effect = engine.nextEffect() {
                isQuiet = false
                if case .send(let verb, let payload, _) = effect { packets.append((verb, payload)) }
            }
            if let job = engine.nextJob(now: now) {
                isQuiet = false
                switch job {
                case .commit(_, let ticket): engine.complete(ticket, failure: nil, now: now)
                case .sign(let job): engine.complete(job.run(), now: now)
                }
            }
            if isQuiet { return packets }
        }
    }

    @Test(arguments: ["a", "b"])
    func `a member gets the recorded configuration`(_ name: String) throws {
        let answer = try payload("ok_config_\(name)")
        let (header, body) = try OKHeader.split(answer)
        let recorded = try NetworkConfigChunk(decoding: body)
        let expected = try NetworkConfig(decoding: recorded.data)
        let member = try #require(Identity(text: session.identities[name]?.secret ?? "")).withoutSecret
        let now = now(expected.timestamp)
        var engine = engine(now)
        _ = try engine.createNetwork(id, AdministrationTicket(1), now: now) { record in
            record.name = "vl2 lab"
            record.assignsIPv4 = true
            record.assignsRFC4193 = true
            record.assigns6PLANE = true
            record.pools = [AddressPool(first: IPAddress(v4: 0x0a2a_0001), last: IPAddress(v4: 0x0a2a_fffe))]
            record.routes = [
                NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a2a_0000), length: 16)),
                NetworkRoute(target: IPPrefix(IPAddress(v4: 0xc0a8_4d00), length: 24), via: IPAddress(v4: 0x0a2a_0001)),
            ]
            record.dns = NetworkDNS(domain: "lab.zt", servers: [IPAddress(v4: 0x0a2a_0001)])
            // The recorded administrator's, which nobody wrote down elsewhere.
            record.rules = expected.rules
            record.capabilities = expected.capabilities.map {
                CapabilityDefinition(id: $0.id, isDefault: false, rules: $0.rules)
            }
        }
        try engine.changeMember(member.address, of: id, AdministrationTicket(2), now: now) { record in
            record.isAuthorized = true
            record.tags = expected.tags.map { TagValue(id: $0.id, value: $0.value) }
            record.capabilities = expected.capabilities.map(\.id)
        }
        _ = run(&engine, now)
        let request = try NetworkConfigRequest(decoding: try payload("config_request"))
        engine.receive(request.encoded, from: member, packetID: header.packetID, now: now)
        let packets = run(&engine, now)
        try #require(packets.map(\.verb) == [.ok])
        let (ours, ourBody) = try OKHeader.split(packets[0].payload)
        #expect(ours.inReplyTo == header.inReplyTo && ours.packetID == header.packetID)
        let chunk = try NetworkConfigChunk(decoding: ourBody)
        let config = try NetworkConfig(decoding: chunk.data)
        #expect(config.addresses == expected.addresses)
        #expect(config.membership == expected.membership && config.ownerships == expected.ownerships)
        #expect(config.tags == expected.tags && config.capabilities == expected.capabilities)
        #expect(chunk.data == recorded.data, "byte for byte, signatures and all")
        // Only the number of the update is drawn.
        #expect(packets[0].payload.count == answer.count)
    }

    @Test func `who is refused gets the recorded errors`() throws {
        let member = try #require(Identity(text: session.identities["a"]?.secret ?? "")).withoutSecret
        let now = now(1_795_420_681_151)
        var engine = engine(now)
        _ = try engine.createNetwork(id, AdministrationTicket(1), now: now) { _ in }
        _ = run(&engine, now)
        engine.receive(
            try payload("config_request"), from: member, packetID: try packetID("config_request"), now: now)
        let denied = run(&engine, now)
        let recorded = (denied: try payload("error_access_denied"), missing: try payload("error_not_found"))
        #expect(denied.map(\.verb) == [.error] && denied.first?.payload == recorded.denied)
        let expected = try ErrorReply(decoding: recorded.missing)
        let unknown = NetworkConfigRequest(network: NetworkID(0xe21d_e08d_c7ff_ffff), metadata: [])
        engine.receive(unknown.encoded, from: member, packetID: expected.header.packetID, now: now)
        let missing = run(&engine, now)
        #expect(missing.map(\.verb) == [.error] && missing.first?.payload == recorded.missing)
    }

    @Test func `who is let out is revoked as it is recorded`() throws {
        let recorded = try payload("revocation")
        let expected = try #require(try NetworkCredentials(decoding: recorded).revocations.first)
        let draft = RevocationDraft(
            number: expected.id, network: id, target: expected.target, threshold: expected.threshold)
        var credentials = NetworkCredentials()
        credentials.revocations = [draft.signed(by: controller)]
        #expect(credentials.encoded == recorded)
    }
}
