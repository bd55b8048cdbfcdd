// A recorded session between real nodes, with our engine in the place of one of them: fed with what that one received, it
// must send what that one sent, byte for byte.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierEthernet

@Suite struct RecordedSessionTests {
    struct Session: Decodable {
        struct Keys: Decodable { let secret: String }
        struct Packet: Decodable { let label, from, to, payload, packetId: String }
        let identities: [String: Keys]
        let network: String
        let packets: [Packet]
    }

    let session: Session
    let network: NetworkID
    let lan = Lan()
    let controller: Identity
    let a: Identity
    let b: Identity

    init() throws {
        session = try loadVectors("live_session")
        network = try #require(NetworkID(text: session.network))
        controller = try #require(Identity(text: session.identities["ctl"]?.secret ?? ""))
        a = try #require(Identity(text: session.identities["a"]?.secret ?? ""))
        b = try #require(Identity(text: session.identities["b"]?.secret ?? ""))
        for identity in [controller, a, b] { lan.identities[identity.address] = identity }
    }

    private func packet(_ label: String) throws -> Session.Packet {
        try #require(session.packets.first { $0.label == label })
    }

    private func payload(_ label: String) throws -> [UInt8] { try hex(try packet(label).payload) }

    private func add(_ identity: Identity) throws -> (Station, SlotID) {
        let station = lan.add(identity) { $0.platform = "linux/x86_64" }
        let slot = try #require(station.join(network, now: lan.now))
        lan.settle()
        return (station, slot)
    }

    /// Gives a recorded OK to the station.
    private func reply(_ label: String, to station: Station) throws -> Reception {
        let recorded = try packet(label)
        let (header, body) = try OKHeader.split(try hex(recorded.payload))
        let source = try #require(Address(text: recorded.from))
        defer { lan.settle() }
        return station.receiveReply(to: header.inReplyTo, body, from: source, now: lan.now)
    }

    /// Gives a recorded packet to the station, with its recorded ID.
    private func receive(_ verb: Verb, _ label: String, by station: Station) throws -> Reception {
        let recorded = try packet(label)
        let source = try #require(Address(text: recorded.from))
        let id = PacketID(try #require(UInt64(recorded.packetId, radix: 16)))
        defer { lan.settle() }
        return station.receive(verb, try hex(recorded.payload), from: source, packetID: id, now: lan.now)
    }

    private func admit(_ verb: Verb, _ label: String, by station: Station) throws -> Admission {
        let recorded = try packet(label)
        let source = try #require(Address(text: recorded.from))
        let id = PacketID(try #require(UInt64(recorded.packetId, radix: 16)))
        let bytes = try hex(recorded.payload)
        defer { lan.settle() }
        return bytes.withBytes {
            station.engine.admit(verb, $0, at: 0, length: bytes.count, from: source, packetID: id, now: lan.now)
        }
    }

    private func sent(_ verb: Verb, to address: Address? = nil) -> [[UInt8]] {
        lan.crossings(verb, to: address).map(\.payload)
    }

    @Test func `member a asks, is refused, is configured, announces, resolves and talks as recorded`() throws {
        let (station, slot) = try add(a)
        #expect(sent(.networkConfigRequest) == [try payload("config_request")])
        let refusal = try ErrorReply(decoding: try payload("error_access_denied"))
        _ = station.receiveError(refusal, from: controller.address, now: lan.now)
        #expect(station.snapshot(of: slot)?.status == .accessDenied)
        #expect(try reply("ok_config_a", to: station) == .done(trusted: false))
        #expect(station.snapshot(of: slot)?.status == .ok)
        #expect(try receive(.networkConfig, "push_config_a", by: station) == .done(trusted: false))
        #expect(sent(.ok, to: controller.address) == [try payload("ok_push_a")])
        // The groups of the recorded interface beyond those that follow from the configuration.
        let host = [0x0100_5e00_0001, 0x3333_0000_0001, 0x3333_ffdf_22b2].map { MulticastGroup(mac: MACAddress($0)) }
        station.subscribe(network: slot, to: host, now: lan.now)
        lan.advance(.seconds(65))
        #expect(sent(.multicastLike, to: controller.address).last == (try payload("like_a")))
        // ARP.
        lan.log.removeAll()
        let arp = try MulticastFrame(decoding: try payload("multicast_arp"))
        let mac = network.mac(of: a.address)
        station.sendFrame(
            network: slot, source: mac, destination: .broadcast, etherType: arp.etherType, payload: arp.data,
            now: lan.now)
        lan.settle()
        #expect(sent(.multicastGather) == [try payload("gather_arp")])
        #expect(try reply("ok_gather_arp", to: station) == .done(trusted: false))
        // The recorded node shows its credentials to whomever a root names; ours asks for those of b first.
        #expect(sent(.networkCredentials, to: b.address).isEmpty && sent(.multicastFrame, to: b.address).isEmpty)
        let question = try ErrorReply(decoding: try #require(sent(.error, to: b.address).first))
        #expect(question.reason == .needMembershipCertificate(network))
        #expect(try receive(.networkCredentials, "credentials_b", by: station) == .done(trusted: true))
        #expect(sent(.networkCredentials, to: b.address) == [try payload("credentials_a")])
        #expect(sent(.multicastFrame, to: b.address) == [try payload("multicast_arp")])
        #expect(try reply("ok_multicast_arp", to: station) == .done(trusted: false))
        guard case .frame(let admitted) = try admit(.frame, "frame_arp_reply", by: station) else {
            Issue.record("the ARP reply is refused")
            return
        }
        #expect(admitted.source == network.mac(of: b.address) && admitted.etherType == 0x0806)
        // Unicast of both families.
        for label in ["frame_icmp_echo", "frame_icmp6_6plane"] {
            let frame = try Frame(decoding: try payload(label))
            lan.log.removeAll()
            station.sendFrame(
                network: slot, source: mac, destination: network.mac(of: b.address), etherType: frame.etherType,
                payload: frame.data, now: lan.now)
            lan.settle()
            #expect(sent(.frame) == [try payload(label)])
        }
        guard case .frame = try admit(.frame, "frame_icmp6_rfc4193", by: station) else {
            Issue.record("the ICMPv6 frame is refused")
            return
        }
    }

    @Test func `member a passes the recorded revocation on and shuts b out as recorded`() throws {
        let (station, _) = try add(a)
        _ = try reply("ok_config_a", to: station)
        // Known before the revocation: b, and a third whose configuration is not recorded.
        #expect(try receive(.networkCredentials, "credentials_b", by: station) == .done(trusted: true))
        lan.advance(.seconds(2))
        lan.log.removeAll()
        #expect(try receive(.networkCredentials, "revocation", by: station) == .done(trusted: true))
        #expect(sent(.networkCredentials, to: b.address) == [try payload("revocation_forwarded")])
        let error = try ErrorReply(decoding: try payload("error_need_credentials"))
        let frame = try payload("frame_arp_reply")
        let admission = frame.withBytes {
            station.engine.admit(
                .frame, $0, at: 0, length: frame.count, from: b.address, packetID: error.header.packetID, now: lan.now)
        }
        guard case .parked = admission else {
            Issue.record("b is still in")
            return
        }
        lan.settle()
        #expect(sent(.error, to: b.address) == [try payload("error_need_credentials")])
    }

    @Test func `member b accepts, answers the implicit gather and shows its credentials as recorded`() throws {
        let (station, slot) = try add(b)
        _ = try reply("ok_config_b", to: station)
        lan.log.removeAll()
        // The frame overtakes the credentials.
        guard case .parked = try admit(.multicastFrame, "multicast_arp", by: station) else {
            Issue.record("an unknown member is let in")
            return
        }
        #expect(try receive(.networkCredentials, "credentials_a", by: station) == .done(trusted: true))
        let arp = try MulticastFrame(decoding: try payload("multicast_arp"))
        #expect(station.frames.map(\.payload) == [arp.data])
        #expect(sent(.ok, to: a.address) == [try payload("ok_multicast_arp")])
        let answer = try Frame(decoding: try payload("frame_arp_reply"))
        station.sendFrame(
            network: slot, source: network.mac(of: b.address), destination: network.mac(of: a.address),
            etherType: answer.etherType, payload: answer.data, now: lan.now)
        lan.settle()
        #expect(sent(.networkCredentials) == [try payload("credentials_b")])
        #expect(sent(.frame) == [try payload("frame_arp_reply")])
    }

    @Test func `two recorded pieces of a large configuration are joined`() throws {
        let (station, slot) = try add(a)
        _ = try reply("big_chunk_1", to: station)
        #expect(station.configuration(of: slot) == nil)
        _ = try reply("big_chunk_0", to: station)
        #expect(station.configuration(of: slot)?.rules.count == 961)
    }

    @Test func `an ad-hoc network announces and takes frames as recorded`() throws {
        let station = lan.add(a)
        let other = lan.add(b)
        let adHoc = try #require(NetworkID(text: "ff00160050000000"))
        let slot = try #require(station.join(adHoc, now: lan.now))
        other.join(adHoc, now: lan.now)
        let host = [0x0100_5e00_0001, 0x3333_0000_0001, 0x3333_ff48_af44].map { MulticastGroup(mac: MACAddress($0)) }
        station.subscribe(network: slot, to: host, now: lan.now)
        lan.settle()
        let frame = Frame(network: adHoc, etherType: 0x86dd, data: [])
        lan.deliver(Crossing(from: b.address, to: a.address, verb: .frame, payload: frame.encoded))
        lan.settle()
        #expect(sent(.multicastLike, to: b.address) == [try payload("adhoc_like")])
        guard case .frame = try admit(.frame, "adhoc_frame", by: other) else {
            Issue.record("the recorded frame is refused")
            return
        }
    }

    @Test func `a root does not answer the recorded gather for a group that nobody wants`() throws {
        let root = lan.add(0x10_0000_0001)
        root.setUpstreams([], isUpstream: true)
        #expect(try receive(.multicastGather, "gather_no_com", by: root) == .done(trusted: false))
        #expect(lan.log.isEmpty)
    }
}
