// Two members of ad-hoc networks, with nothing but each other (and a root for multicast).

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierEthernet

@Suite struct AdHocTests {
    let lan = Lan()
    let a: Station
    let b: Station

    init() {
        a = lan.add(0x43_7a18_af52)
        b = lan.add(0x89_2dab_4ee8)
    }

    private func join(_ text: String) throws -> (network: NetworkID, a: SlotID, b: SlotID) {
        let network = try #require(NetworkID(text: text))
        let first = try #require(a.join(network, now: lan.now))
        let second = try #require(b.join(network, now: lan.now))
        lan.settle()
        return (network, first, second)
    }

    private func tcpFrame(_ network: NetworkID, to port: UInt16, flags: UInt8, payload: Int = 0) -> [UInt8] {
        Packets.ipv6(
            6, from: network.sixPlaneAddress(of: a.address), to: network.sixPlaneAddress(of: b.address),
            Packets.tcp(from: 40_000, to: port, flags: flags, payload: payload))
    }

    private func route(_ slot: SlotID, _ network: NetworkID, _ frame: [UInt8]) -> FrameRouting {
        let key = FrameKey(
            network: slot, source: network.mac(of: a.address), destination: network.mac(of: b.address),
            etherType: 0x86dd, length: frame.count)
        return a.route(key, frame: frame, now: lan.now)
    }

    /// What the node does with a route: header, frame, across.
    private func send(_ route: FrameRoute, _ frame: [UInt8]) -> Admission? {
        var payload = [UInt8](repeating: 0, count: route.headerLength) + frame
        payload.withMutableBytes { route.writeHeader(into: &$0, at: 0) }
        return lan.deliver(
            Crossing(from: a.address, to: route.destination, verb: route.verb, payload: payload))
    }

    @Test func `a network of form A is ready at once and asks nobody`() throws {
        let (network, slot, _) = try join("ff00160050000000")
        let snapshot = try #require(a.snapshot(of: slot))
        #expect(snapshot.status == .ok && snapshot.name == "adhoc-0016-0050" && !snapshot.isPrivate)
        #expect(snapshot.addresses == [IPPrefix(network.sixPlaneAddress(of: a.address), length: 40)])
        #expect(snapshot.mac == network.mac(of: a.address))
        #expect(a.events.contains(.configurationChanged(network: slot, id: network)))
        #expect(lan.crossings(.networkConfigRequest).isEmpty)
        lan.advance(.seconds(200))
        #expect(lan.crossings(.networkConfigRequest).isEmpty)
        // Made anew every minute, but nobody is told since nothing looks different.
        #expect(a.events.filter { $0 == .configurationChanged(network: slot, id: network) }.count == 1)
    }

    @Test func `an account is kept of what the rules decide`() throws {
        let (network, slotA, slotB) = try join("ff00500050000000")
        let opening = tcpFrame(network, to: 22, flags: 0x02)
        let open = tcpFrame(network, to: 80, flags: 0x02)
        // The first is judged, the others are remembered of their flow.
        for _ in 0..<3 {
            guard case .drop(.ruleOutbound) = route(slotA, network, opening) else { throw Refused() }
            guard case .send = route(slotA, network, open) else { throw Refused() }
        }
        let sent = try #require(a.ruleReport(of: slotA))
        #expect(sent.rules == (try #require(a.configuration(of: slotA))).rules && sent.counts.count == sent.rules.count)
        #expect(sent.counts.last == 3 && sent.counts.reduce(0, +) == 6 && sent.undecided == 0)
        #expect(sent.refusals.count == 1)
        let refusal = try #require(sent.refusals.first)
        #expect(refusal.time == lan.now.monotonic && !refusal.isInbound && refusal.member == b.address)
        #expect(refusal.decision == RuleDecision(.base, Int32(sent.rules.count - 1)))
        #expect(refusal.packet?.first == 40_000 && refusal.packet?.second == 22 && refusal.packet?.ipProtocol == 6)
        #expect(refusal.packet?.destination == network.sixPlaneAddress(of: b.address))

        for _ in 0..<2 {
            let payload = Frame(network: network, etherType: 0x86dd, data: opening).encoded
            let admission = lan.deliver(Crossing(from: a.address, to: b.address, verb: .frame, payload: payload))
            guard case .drop(.ruleInbound, _)? = admission else { throw Refused() }
        }
        let got = try #require(b.ruleReport(of: slotB))
        #expect(got.counts.last == 2 && got.refusals.count == 1)
        #expect(got.refusals[0].isInbound && got.refusals[0].member == a.address)
        // The same rules once more, as every minute: the account goes on.
        lan.advance(.seconds(130))
        #expect(a.ruleReport(of: slotA)?.counts.last == 3)
    }

    private struct Refused: Error {}

    @Test func `frames cross in both ways, fast path and slow`() throws {
        let (network, slotA, slotB) = try join("ff00160050000000")
        let frame = tcpFrame(network, to: 80, flags: 0x02)
        guard case .send(let route) = route(slotA, network, frame) else {
            Issue.record("no route")
            return
        }
        #expect(route.destination == b.address && route.verb == .frame && route.headerLength == 10)
        guard case .frame(let admitted)? = send(route, frame) else {
            Issue.record("not admitted")
            return
        }
        #expect(admitted.network == slotB && admitted.offset == 10 && admitted.length == frame.count)
        #expect(admitted.source == network.mac(of: a.address))
        #expect(admitted.destination == network.mac(of: b.address))
        #expect(b.frames.last?.payload == frame)
        #expect(b.trusted == [a.address])
        let answer = b.sendFrame(
            network: slotB, source: network.mac(of: b.address), destination: network.mac(of: a.address),
            etherType: 0x86dd, payload: frame, now: lan.now)
        #expect(answer == nil)
        lan.settle()
        #expect(a.frames.last?.payload == frame)
    }

    @Test func `a remembered flow gives the same answers`() throws {
        let (network, slotA, _) = try join("ff00160050000000")
        let frame = tcpFrame(network, to: 80, flags: 0x10, payload: 500)
        guard case .send(let first) = route(slotA, network, frame),
            case .send(let second) = route(slotA, network, frame)
        else {
            Issue.record("no route")
            return
        }
        #expect(first == second)
        let refused = tcpFrame(network, to: 443, flags: 0x02)
        for _ in 0..<2 {
            guard case .drop(.ruleOutbound) = route(slotA, network, refused) else {
                Issue.record("not refused")
                return
            }
        }
        #expect(a.drops(.ruleOutbound) == 2)
        #expect(send(first, frame)?.isTrusted == true && send(first, frame)?.isTrusted == true)
        #expect(b.frames.count == 2)
        a.leave(network)
        guard case .drop(.noSuchNetwork) = route(slotA, network, frame) else {
            Issue.record("routed after leaving")
            return
        }
    }

    @Test func `the port rule refuses connections outside the range at sender and receiver, and nothing else`() throws {
        let (network, slotA, slotB) = try join("ff00160050000000")
        func outcome(_ port: UInt16, _ flags: UInt8) -> EthernetDrop? {
            a.sendFrame(
                network: slotA, source: network.mac(of: a.address), destination: network.mac(of: b.address),
                etherType: 0x86dd, payload: tcpFrame(network, to: port, flags: flags), now: lan.now)
        }
        #expect(outcome(22, 0x02) == nil && outcome(80, 0x02) == nil)
        #expect(outcome(21, 0x02) == .ruleOutbound && outcome(81, 0x02) == .ruleOutbound)
        #expect(outcome(81, 0x10) == nil && outcome(81, 0x12) == nil)
        lan.settle()
        #expect(b.frames.count == 4)
        let sneaked = Frame(network: network, etherType: 0x86dd, data: tcpFrame(network, to: 443, flags: 0x02))
        for _ in 0..<2 {
            let admission = lan.deliver(
                Crossing(from: a.address, to: b.address, verb: .frame, payload: sneaked.encoded))
            guard case .drop(.ruleInbound, trusted: true)? = admission else {
                Issue.record("admitted")
                return
            }
        }
        #expect(b.drops(.ruleInbound) == 2 && b.frames.count == 4)
        #expect(
            a.sendFrame(
                network: slotA, source: network.mac(of: a.address), destination: network.mac(of: b.address),
                etherType: 0x88b5, payload: [UInt8](repeating: 0x45, count: 40), now: lan.now) == .ruleOutbound)
        _ = slotB
    }

    @Test func `neighbour solicitations for members are answered locally`() throws {
        let (network, slotA, _) = try join("ff00160050000000")
        // The root, for multicast that must not happen.
        a.setUpstreams([b.address], isUpstream: false)
        let own = network.sixPlaneAddress(of: a.address)
        // Another host of b's /80.
        let target = IPAddress(
            v6High: network.sixPlaneAddress(of: b.address).high, low: network.sixPlaneAddress(of: b.address).low + 7)
        let solicitation = Packets.solicitation(from: own, for: target)
        let destination = MulticastGroup.resolution(of: target).mac
        #expect(
            a.sendFrame(
                network: slotA, source: network.mac(of: a.address), destination: destination, etherType: 0x86dd,
                payload: solicitation, now: lan.now) == nil)
        let before = lan.log.count
        lan.settle()
        #expect(lan.log.count == before)
        let answer = try #require(a.frames.first)
        #expect(answer.source == network.mac(of: b.address) && answer.destination == network.mac(of: a.address))
        #expect(answer.payload.count == 72)
        #expect(Array(answer.payload[8..<24]) == target.bytes && Array(answer.payload[24..<40]) == own.bytes)
        #expect(answer.payload[40] == 0x88 && answer.payload[44] == 0x60 && answer.payload[7] == 255)
        #expect(Array(answer.payload[48..<64]) == target.bytes)
        #expect(Array(answer.payload[64..<72]) == [2, 1] + network.mac(of: b.address).bytes)
        // RFC 4443: pseudo-header and message sum to all ones.
        let summed = Array(answer.payload[8..<40]) + [0, 0, 0, 32, 0, 0, 0, 58] + Array(answer.payload[40...])
        var sum: UInt32 = 0
        for index in stride(from: 0, to: summed.count, by: 2) {
            sum += UInt32(summed[index]) << 8 | UInt32(summed[index + 1])
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        #expect(sum == 0xffff)
    }

    @Test func `solicitations for ourselves and for strangers are not answered; form A has no multicast`() throws {
        let (network, slotA, _) = try join("ff00160050000000")
        let own = network.sixPlaneAddress(of: a.address)
        for target in [own, try #require(IPAddress("fe80::1"))] {
            let reason = a.sendFrame(
                network: slotA, source: network.mac(of: a.address),
                destination: MulticastGroup.resolution(of: target).mac, etherType: 0x86dd,
                payload: Packets.solicitation(from: own, for: target), now: lan.now)
            #expect(reason == .multicastDisabled)
        }
        #expect(a.nextLocalFrame() == nil)
    }

    @Test func `form B resolves IPv4 by ARP over multicast, found through a root`() throws {
        let root = lan.add(0x10_0000_0001)
        root.setUpstreams([], isUpstream: true)
        a.setUpstreams([root.address], isUpstream: false)
        b.setUpstreams([root.address], isUpstream: false)
        let (network, slotA, _) = try join("ff0a000000000001")
        let own = IPAddress(v4: 0x0a18_af52)
        let target = IPAddress(v4: 0x0aab_4ee8)
        #expect(a.snapshot(of: slotA)?.addresses.last == IPPrefix(own, length: 8))
        #expect(root.likeCount > 0)
        let request = Packets.arpRequest(network.mac(of: a.address), own, for: target)
        #expect(
            a.sendFrame(
                network: slotA, source: network.mac(of: a.address), destination: .broadcast, etherType: 0x0806,
                payload: request, now: lan.now) == nil)
        lan.settle()
        #expect(lan.crossings(.multicastGather, from: a.address, to: root.address).count == 1)
        #expect(b.frames.map(\.payload) == [request])
        #expect(b.frames.first?.destination == .broadcast)
        #expect(b.frames.first?.source == network.mac(of: a.address))
        // Known now: the next goes straight, and asks nobody.
        a.sendFrame(
            network: slotA, source: network.mac(of: a.address), destination: .broadcast, etherType: 0x0806,
            payload: request, now: lan.now)
        lan.settle()
        #expect(lan.crossings(.multicastGather).count == 1)
        #expect(b.frames.count == 2)
        // Other broadcasts are off on ad-hoc networks.
        #expect(
            a.sendFrame(
                network: slotA, source: network.mac(of: a.address), destination: .broadcast, etherType: 0x88b5,
                payload: [UInt8](repeating: 0x45, count: 30), now: lan.now) == .broadcastDisabled)
    }

    @Test func `an impossible range is not found, an ID of no form waits for ever`() throws {
        let impossible = try #require(a.join(NetworkID(0xff00_5000_1600_0000), now: lan.now))
        #expect(a.snapshot(of: impossible)?.status == .notFound)
        let unknown = try #require(a.join(NetworkID(0xff00_5000_1600_0002), now: lan.now))
        lan.advance(.seconds(100))
        #expect(a.snapshot(of: unknown)?.status == .requestingConfiguration)
        #expect(lan.log.isEmpty)
    }

    @Test func `frames for networks not joined, too long or malformed are dropped and counted`() throws {
        let (network, slotA, _) = try join("ff0a000000000001")
        let stranger = Frame(network: NetworkID(7), etherType: 0x88b5, data: [1, 2, 3])
        _ = lan.deliver(Crossing(from: a.address, to: b.address, verb: .frame, payload: stranger.encoded))
        #expect(b.drops(.networkNotJoined) == 1)
        _ = lan.deliver(Crossing(from: a.address, to: b.address, verb: .frame, payload: [1, 2, 3]))
        #expect(b.drops(.malformed) == 1)
        let long = [UInt8](repeating: 0, count: 2801)
        func send(_ payload: [UInt8]) -> EthernetDrop? {
            a.sendFrame(
                network: slotA, source: network.mac(of: a.address), destination: network.mac(of: b.address),
                etherType: 0x88b5, payload: payload, now: lan.now)
        }
        #expect(send(long) == .frameTooLong)
        #expect(send(Array(long.dropLast())) == nil)
        #expect(
            a.sendFrame(
                network: slotA, source: MACAddress(2), destination: network.mac(of: b.address), etherType: 0x88b5,
                payload: [1], now: lan.now) == .notABridge)
        // An empty frame is a keepalive: nothing to deliver, but it proves membership.
        let admission = lan.deliver(
            Crossing(
                from: a.address, to: b.address, verb: .frame,
                payload: Frame(network: network, etherType: 0x88b5, data: []).encoded))
        guard case .done(trusted: true)? = admission else {
            Issue.record("not a keepalive")
            return
        }
    }

    @Test func `a frame to the own MAC comes back by the other door`() throws {
        let (network, slotA, _) = try join("ff0a000000000001")
        let mac = network.mac(of: a.address)
        #expect(
            a.sendFrame(
                network: slotA, source: mac, destination: mac, etherType: 0x88b5, payload: [9], now: lan.now) == nil)
        lan.settle()
        #expect(a.frames.map(\.payload) == [[9]])
    }
}
