//  What must happen in situations that have a name.

import NetPrimitives
import ZeroTierWire
import Testing

@testable import NetworkSimulator

struct NamedScenarioTests {
    // The stack asks who the neighbour is, the Ethernet layer knows, and the packet must not wait for a reason to look again.
    @Test func `the first packet to a member that nobody has heard of leaves at once`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.workload.ping(from: first, to: second, on: Simulation.adHocNetwork, simulation)
        // Ways of 20 ms: WHOIS and its answer on both sides, the request by the root, the answer.
        simulation.run(for: .milliseconds(250))
        #expect(simulation.workload.pings[0].answered == 1)
    }

    @Test(arguments: [NATKind.portRestricted, .symmetric])
    func `a line that was down for three seconds carries a stream again a good second after it is up`(kind: NATKind)
        throws
    {
        let simulation = try makeWorld()
        var link = LinkModel(latency: .milliseconds(10))
        link.rate = 8_000_000
        let first = simulation.addMember(.behind(nat: simulation.addNAT(NATModel(kind))), link: link)
        let second = simulation.addMember(.symmetric)
        simulation.run(for: .seconds(3))
        simulation.workload.transfer(
            20_000_000, reply: 0, from: first, to: second, on: Simulation.adHocNetwork, after: .zero, simulation)
        simulation.run(for: .seconds(5))
        #expect(simulation.workload.transfers[0].received > 500_000)
        first.isCut = true
        simulation.run(for: .seconds(3))
        first.isCut = false
        let before = simulation.workload.transfers[0].received
        simulation.run(for: .milliseconds(1300))
        #expect(simulation.workload.transfers[0].received > before + 50_000)
        simulation.run(for: .seconds(30)) { $0.workload.openTransfers.isEmpty }
        #expect(simulation.workload.openTransfers.isEmpty && simulation.failures.isEmpty)
    }

    @Test func `two hosts behind port-restricted translators are direct within two seconds of the first packet`() throws
    {
        let simulation = try makeWorld()
        let first = simulation.addMember(.portRestricted)
        let second = simulation.addMember(.portRestricted)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        #expect(simulation.run(for: .seconds(2)) { _ in first.isDirect(to: second, simulation.time) == true })
        simulation.run(for: .seconds(2))
        #expect(ReachabilityChecker.differences(simulation, fresh: .seconds(2)).isEmpty)
        #expect(simulation.failures.isEmpty)
    }

    @Test(arguments: [NATKind.symmetric, .portRestricted])
    func `behind symmetric translators hosts are relayed and stay so`(kind: NATKind) throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.symmetric)
        let second = simulation.addMember(kind)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(20))
        #expect(simulation.isAsExpected)
        #expect(simulation.reach(first, second) == .relayed)
        #expect(simulation.failures.isEmpty)
    }

    @Test(arguments: [NATKind.fullCone, .addressRestricted])
    func `behind a symmetric translator and one that does not look at ports hosts are direct`(kind: NATKind) throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.symmetric)
        let second = simulation.addMember(kind)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        #expect(simulation.run(for: .seconds(5)) { $0.isAsExpected })
        #expect(simulation.reach(first, second) == .direct)
    }

    @Test func `on one local network hosts find each other by their private addresses`() throws {
        let simulation = try makeWorld()
        let nat = simulation.addNAT(NATModel(.symmetric))
        let first = simulation.addMember(.behind(nat: nat))
        let second = simulation.addMember(.behind(nat: nat))
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        #expect(simulation.run(for: .seconds(5)) { $0.isAsExpected })
        // The first answers came the long way; the addresses are exchanged meanwhile.
        simulation.run(for: .seconds(30))
        #expect((simulation.workload.pings[0].lastRoundTrip ?? .seconds(1)) < .milliseconds(5))
    }

    @Test(arguments: [false, true])
    func `hosts kept apart behind one translator are direct when it hairpins and else relayed`(hairpins: Bool) throws {
        let simulation = try makeWorld()
        var model = NATModel(.portRestricted)
        model.isolatesHosts = true
        model.hairpins = hairpins
        let nat = simulation.addNAT(model)
        let first = simulation.addMember(.behind(nat: nat))
        let second = simulation.addMember(.behind(nat: nat))
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        #expect(simulation.run(for: .seconds(10)) { $0.isAsExpected })
        #expect(simulation.reach(first, second) == (hairpins ? .direct : .relayed))
    }

    // A restart that forgets everyone, and one that remembers.
    @Test(arguments: [NATKind?.none, .portRestricted], [false, true])
    func `a peer that restarts on another port and has something to say is reached there within a second`(
        kind: NATKind?, isClean: Bool
    ) throws {
        // At any moment of the second in which the other's ping comes.
        for phase in [0, 250, 500, 750] {
            let simulation = try makeWorld()
            let first = simulation.addMember(.open)
            let second = kind.map { simulation.addMember($0) } ?? simulation.addMember(.open)
            simulation.run(for: .seconds(3))
            simulation.workload.ping(from: first, to: second, on: Simulation.adHocNetwork, simulation)
            simulation.run(for: .seconds(10))
            #expect(simulation.isAsExpected)
            simulation.run(for: .milliseconds(phase))
            let before = first.endpoint(of: second, simulation)
            simulation.restart(second, ports: [12_345], isClean: isClean)
            let restarted = simulation.time
            simulation.workload.ping(from: second, to: first, on: Simulation.adHocNetwork, simulation)
            let isReached = simulation.run(for: .seconds(1)) { simulation in
                let after = first.endpoint(of: second, simulation)
                return after != nil && after != before
            }
            #expect(isReached, "after \(phase) ms")
            // Both ping once a second, and what was lost in between is not sent again.
            let isAnswered = simulation.run(for: .seconds(1)) { simulation in
                simulation.workload.pings.allSatisfy { $0.lastAnswer.map { $0 > restarted } ?? false }
            }
            #expect(isAnswered, "after \(phase) ms")
            #expect(simulation.failures.isEmpty)
        }
    }

    @Test(arguments: [true, false])
    func `a RENDEZVOUS that comes before its peer's identity is kept, and makes the pair direct`(isKept: Bool) throws {
        let simulation = try makeWorld()
        simulation.configure = { configuration in
            // Only the introduction can tell them where the other is.
            configuration.peers.limits.pathPushes = 0
            if !isKept { configuration.peers.limits.earlyRendezvous = 0 }
        }
        let first = simulation.addMember(.portRestricted)
        let second = simulation.addMember(.portRestricted)
        simulation.run(for: .seconds(3))
        simulation.workload.ping(from: first, to: second, on: Simulation.adHocNetwork, simulation)
        let isDirect = simulation.run(for: .seconds(isKept ? 1 : 5)) { first.isDirect(to: second, $0.time) == true }
        #expect(isDirect == isKept)
        #expect(simulation.failures.isEmpty)
    }

    @Test func `a root that restarts with nothing remembered serves everyone again`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.symmetric)
        let second = simulation.addMember(.symmetric)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(5))
        #expect(simulation.isAsExpected)
        simulation.restart(simulation.hosts[0], isClean: false, pause: .seconds(2))
        #expect(simulation.run(for: .seconds(20)) { $0.isAsExpected })
        #expect(simulation.failures.isEmpty)
    }

    @Test func `direct peers go on without any root`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.portRestricted)
        let second = simulation.addMember(.portRestricted)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(5))
        simulation.stop(simulation.hosts[0], isClean: false)
        simulation.run(for: .seconds(60))
        #expect(!first.isOnline)
        #expect(simulation.isAsExpected)
    }

    @Test func `a translator that gets another address is found again`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.portRestricted)
        let nat = simulation.addNAT(NATModel(.portRestricted))
        let second = simulation.addMember(.behind(nat: nat))
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(5))
        #expect(simulation.isAsExpected)
        simulation.restartNAT(nat, newAddress: true)
        #expect(simulation.run(for: .seconds(30)) { $0.isAsExpected })
    }

    @Test func `a root does not relay by a path that has gone although it was the faster one`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.symmetric)
        let nat = simulation.addNAT(NATModel(.symmetric))
        let second = simulation.addMember(.behind(nat: nat))
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(10))
        #expect(simulation.isAsExpected)
        second.link = LinkModel(latency: .milliseconds(60))
        simulation.restartNAT(nat, newAddress: true)
        // Well before the 19 s after which a silent path counts as dead.
        simulation.run(for: .seconds(8))
        #expect(simulation.isAsExpected)
        #expect(simulation.failures.isEmpty)
    }

    @Test func `roots that are asked for somebody whom none of them knows do not go on asking each other`() throws {
        let simulation = try makeWorld(roots: 2)
        let first = simulation.addMember(.open)
        let absent = simulation.addHost(at: .open)
        simulation.run(for: .seconds(3))
        simulation.workload.ping(from: first, to: absent, on: Simulation.adHocNetwork, simulation)
        simulation.run(for: .seconds(5))
        simulation.workload.stopPings()
        simulation.run(for: .seconds(15))
        let traffic = TrafficChecker(simulation)
        simulation.run(for: .seconds(60))
        #expect(traffic.idleFindings(simulation).isEmpty)
    }

    @Test func `two minutes of silence cost little and leave direct pairs direct`() throws {
        let simulation = try makeWorld(roots: 2)
        let first = simulation.addMember(.portRestricted)
        let second = simulation.addMember(.portRestricted)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(5))
        simulation.workload.stopPings()
        simulation.run(for: .seconds(10))
        let traffic = TrafficChecker(simulation)
        let before = simulation.datagramCount
        simulation.run(for: .seconds(120))
        #expect(traffic.idleFindings(simulation).isEmpty)
        // Five paths, each with a question, an answer and now and then a HELLO.
        #expect(simulation.datagramCount - before < 5 * 60)
        #expect(first.isDirect(to: second, simulation.time) == true)
    }

    @Test func `a stream arrives whole over a line that loses a fifth`() throws {
        let simulation = try makeWorld()
        var link = LinkModel(latency: .milliseconds(20))
        link.loss = 0.1
        link.reordering = 0.05
        link.duplication = 0.02
        let first = simulation.addMember(.open, link: link)
        let second = simulation.addMember(.open, link: link)
        simulation.run(for: .seconds(5))
        simulation.workload.transfer(
            30_000, reply: 10_000, from: first, to: second, on: Simulation.adHocNetwork, after: .zero, simulation)
        #expect(simulation.run(for: .seconds(120)) { $0.workload.openTransfers.isEmpty })
        #expect(simulation.workload.transfers[0].state == .done)
        #expect(simulation.failures.isEmpty)
    }

    @Test func `a forged identity is validated for real and its node never comes online`() throws {
        let simulation = try makeWorld()
        let fixture = try #require(Fixture.identities)
        let real = fixture.identities[0]
        let forged = Identity(
            address: Address(0x12_3456_789a), publicKeys: real.publicKeys, secretKeys: real.secretKeys)
        let host = simulation.addHost(at: .open, identity: forged)
        simulation.start(host)
        simulation.run(for: .seconds(12))
        #expect(!host.isOnline)
        #expect(simulation.hosts[0].node.peers.identity(of: forged.address) == nil)
    }

    @Test func `plaintext on a wire is noticed`() throws {
        var digest = TraceDigest()
        let content = StreamContent(transfer: 3, isReply: false).bytes(from: 8, count: 100)
        for shift in 0..<32 {
            let packet = [UInt8](repeating: 0, count: shift) + content
            #expect(packet.withBytes { digest.add($0, lookingFor: StreamContent.markerWord) }, "shift \(shift)")
        }
    }
}
