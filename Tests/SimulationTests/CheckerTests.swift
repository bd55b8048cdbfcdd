//  Every checker finds what it is there for: each of these worlds breaks one rule.

import NetPrimitives
import Testing
import ZeroTierPeers
import ZeroTierWire

@testable import NetworkSimulator

struct ReachabilityCheckerTests {
    private func makeDirectPair() throws -> (Simulation, SimulatedHost, SimulatedHost) {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.portRestricted)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(5))
        try #require(simulation.isAsExpected)
        return (simulation, first, second)
    }

    @Test func `a node that was stopped is missed from both sides`() throws {
        let (simulation, _, second) = try makeDirectPair()
        simulation.stop(second, isClean: false)
        simulation.run(for: .seconds(3))
        let found = ReachabilityChecker.differences(simulation, fresh: .seconds(2))
        #expect(found.count == 2)
        #expect(found.allSatisfy { $0.contains("direct expected, found impossible") }, "\(found)")
    }

    @Test func `a pair that could be direct and is relayed is found by its answers and by the packets between them`()
        throws
    {
        let simulation = try makeWorld()
        simulation.configure = { $0.peers.directPathsEnabled = false }
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(5))
        let wire = WireChecker(simulation)
        simulation.run(for: .seconds(5))
        let found = ReachabilityChecker.differences(simulation, fresh: .seconds(2))
        #expect(found.count == 2)
        #expect(found.allSatisfy { $0.contains("direct expected, found relayed, and it says not direct") }, "\(found)")
        #expect(ReachabilityChecker.idleDifferences(simulation).count == 2)
        #expect(wire.findings(simulation).count == 2)
    }

    @Test func `a node that says direct while its answers are passed on is found`() throws {
        let (simulation, _, _) = try makeDirectPair()
        simulation.workload.pings[0].isLastAnswerDirect = false
        let found = ReachabilityChecker.differences(simulation, fresh: .seconds(2))
        #expect(found.count == 1)
        #expect(found.allSatisfy { $0.contains("direct expected, found relayed, and it says direct") }, "\(found)")
    }

    @Test func `a node that says relayed while its answers come directly is found`() throws {
        let (simulation, first, second) = try makeDirectPair()
        // Its node is another now, which has heard of nobody.
        simulation.workload.stopPings()
        simulation.restart(first, isClean: false)
        simulation.workload.pings[0].lastAnswer = simulation.time
        #expect(first.isDirect(to: second, simulation.time) != true)
        let found = ReachabilityChecker.differences(simulation, fresh: .seconds(2))
        #expect(found.count == 1)
        #expect(found.allSatisfy { $0.contains("direct expected, found direct, and it says not direct") }, "\(found)")
        #expect(ReachabilityChecker.idleDifferences(simulation).count == 1)
    }

    @Test func `one packet of a direct pair that a root passed on is found`() throws {
        let (simulation, first, second) = try makeDirectPair()
        let wire = WireChecker(simulation)
        simulation.run(for: .seconds(5))
        #expect(wire.findings(simulation).isEmpty)
        second.arrivals[first.identity.address]?.relayed += 1
        #expect(wire.findings(simulation).count == 2)
    }

    @Test(arguments: [Placement.blocked, .behind(nat: 1)])
    func `direct packets between two who cannot have any are found`(place: Placement) throws {
        let (simulation, first, _) = try makeDirectPair()
        _ = simulation.addNAT(NATModel(.symmetric))
        let wire = WireChecker(simulation)
        simulation.run(for: .seconds(5))
        // The oracle is told of another place than the network knows.
        first.placement = place
        #expect(wire.findings(simulation).count == 2)
        #expect(ReachabilityChecker.differences(simulation, fresh: .seconds(2)).count == 2)
    }

    @Test func `answers without packets are found`() throws {
        let (simulation, _, _) = try makeDirectPair()
        let wire = WireChecker(simulation)
        simulation.workload.pings[1].answered += 2
        #expect(wire.findings(simulation).count == 1)
    }
}

struct MembershipCheckerTests {
    @Test func `frames to a node outside the network are found and not forgotten when it restarts`() throws {
        let simulation = try makeWorld()
        let member = simulation.addMember(.open)
        let outsider = simulation.addHost(at: .open)
        simulation.join(outsider, Simulation.adHocNetworkIPv4)
        simulation.start(outsider)
        simulation.run(for: .seconds(3))
        #expect(MembershipChecker.findings(simulation).isEmpty)
        simulation.workload.ping(from: member, to: outsider, on: Simulation.adHocNetwork, simulation)
        simulation.run(for: .seconds(3))
        #expect(MembershipChecker.findings(simulation).count == 1)
        simulation.restart(outsider)
        #expect(MembershipChecker.findings(simulation).count == 1)
    }

    @Test func `a stray stream explains its own frames and no others`() throws {
        let simulation = try makeWorld()
        let member = simulation.addMember(.open)
        let outsider = simulation.addHost(at: .open)
        simulation.start(outsider)
        simulation.run(for: .seconds(3))
        simulation.workload.ping(from: member, to: outsider, on: Simulation.adHocNetwork, isStray: true, simulation)
        simulation.run(for: .seconds(10))
        #expect(outsider.strayFrames > 5)
        #expect(MembershipChecker.findings(simulation).isEmpty)
        #expect(MembershipChecker.strayAnswers(simulation).isEmpty)
        outsider.strayFramesBefore += 2 * simulation.workload.pings[0].sent
        #expect(MembershipChecker.findings(simulation).count == 1)
    }

    @Test func `an answer from outside the network is found`() throws {
        let simulation = try makeWorld()
        let member = simulation.addMember(.open)
        // In truth it is inside.
        let other = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.workload.ping(from: member, to: other, on: Simulation.adHocNetwork, isStray: true, simulation)
        simulation.run(for: .seconds(3))
        #expect(MembershipChecker.strayAnswers(simulation).count == 1)
    }

    @Test func `an answer from an address of the other network is a failure`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.workload.ping(from: first, to: second, on: Simulation.adHocNetwork, simulation)
        // The bookkeeping says the other network, while the packets were and are of the first.
        let stream = simulation.workload.pings[0]
        simulation.workload.pings[0] = PingStream(
            from: stream.from, to: stream.to, network: Simulation.adHocNetworkIPv4, isStray: false, isActive: false)
        simulation.run(for: .seconds(1))
        #expect(simulation.failures.count == 1)
        #expect(simulation.failures.allSatisfy { $0.contains("answered") })
    }

    @Test func `a transfer that comes by the other network is a failure`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.workload.transfer(
            1000, reply: 1000, from: first, to: second, on: Simulation.adHocNetwork, after: .zero, simulation)
        simulation.run(for: .milliseconds(1))
        simulation.workload.transfers[0].network = Simulation.adHocNetworkIPv4
        simulation.run(for: .seconds(3))
        #expect(simulation.failures.count == 1)
        #expect(simulation.failures.allSatisfy { $0.contains("came from") })
    }
}

struct HonestyCheckerTests {
    @Test func `a packet with a wrong MAC is found`() throws {
        let simulation = try makeWorld()
        let root = simulation.hosts[0]
        let host = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        #expect(HonestyChecker.findings(simulation).isEmpty)
        var header = PacketHeader(id: PacketID(1), destination: host.identity.address, source: root.identity.address)
        header.flagsByte = CipherSuite.salsa.rawValue << 3
        header.authenticator = 7
        var bytes = [UInt8](repeating: 0, count: 60)
        bytes.withMutableBytes { header.write(into: &$0) }
        let datagram = Datagram(
            bytes: bytes, sender: root.index, source: SocketEndpoint(root.address, port: 9993),
            destination: SocketEndpoint(host.address, port: 9993))
        simulation.schedule(.internet(datagram), at: simulation.time)
        simulation.run(for: .seconds(1))
        let found = HonestyChecker.findings(simulation)
        #expect(found.count == 1)
        #expect(found.allSatisfy { $0.hasPrefix(host.name) && $0.hasSuffix("badMAC") }, "\(found)")
    }

    @Test func `a stack that has no room is found`() throws {
        let simulation = try makeWorld()
        simulation.configure = { $0.stack.limits.neighbours = 0 }
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(3))
        let found = HonestyChecker.findings(simulation)
        #expect(!found.isEmpty)
        #expect(found.allSatisfy { $0.hasSuffix("neighbourTableFull") }, "\(found)")
    }
}

struct TrafficCheckerTests {
    @Test func `a network that goes on talking is not idle`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(10))
        let traffic = TrafficChecker(simulation)
        simulation.run(for: .seconds(60))
        // Both hosts, and not the root between them.
        #expect(traffic.idleFindings(simulation).count == 2)
    }

    @Test func `a host that sends without end is too busy`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        let traffic = TrafficChecker(simulation)
        simulation.run(for: .seconds(10))
        #expect(traffic.busyFindings(simulation).isEmpty)
        for _ in 0..<200 { simulation.pingBothWays(first, second) }
        simulation.run(for: .seconds(10))
        #expect(traffic.busyFindings(simulation).count == 1)
    }
}

struct WorkLedgerTests {
    @Test func `in a world with an adversary nothing comes to its addresses that it did not pay for`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.fullCone)
        simulation.addAdversary()
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(120))
        let ledger = try #require(simulation.adversary?.ledger)
        #expect(ledger.findings(simulation).isEmpty)
        #expect(ledger.bytesIn > 20_000 && ledger.bytesOut > 1000)
        #expect(simulation.failures.isEmpty && simulation.isAsExpected)
    }

    @Test func `a node that sends by its own wish where nothing came from is found`() throws {
        let simulation = try makeWorld()
        simulation.addAdversary()
        // In truth that is the address of a root, of which a node is told.
        simulation.adversary?.ledger.watch(simulation.hosts[0].address)
        let host = simulation.addMember(.open)
        simulation.run(for: .milliseconds(5))
        let found = simulation.adversary?.ledger.findings(simulation) ?? []
        #expect(found.count == 1)
        #expect(found.allSatisfy { $0.hasPrefix(host.name) && $0.hasSuffix("had 0") }, "\(found)")
    }

    @Test func `a path to a stranger's address is found`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(5))
        simulation.workload.stopPings()
        simulation.addAdversary()
        // In truth that is the address of a member.
        simulation.adversary?.ledger.watch(first.address)
        let found = simulation.adversary?.ledger.findings(simulation) ?? []
        // The other member and the root.
        #expect(found.count == 2)
        #expect(found.allSatisfy { $0.contains("has a path") }, "\(found)")
    }

    /// A node with other limits than it should have, and a crowd of strangers before it.
    private func findings(_ crowd: Int, _ configure: @escaping (inout PeerLimits) -> Void) throws -> [String] {
        let simulation = try makeWorld()
        simulation.configure = { configure(&$0.peers.limits) }
        let host = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.addAdversary()
        let adversary = try #require(simulation.adversary)
        adversary.stop()
        adversary.crowd(crowd, at: host, by: SocketEndpoint(host.address, port: 9993), simulation)
        simulation.run(for: .seconds(2))
        #expect(adversary.ledger.agreements > 100)
        return adversary.ledger.findings(simulation)
    }

    @Test func `a crowd of invented identities gets the work of one prefix and no more`() throws {
        #expect(try findings(3000) { _ in } == [])
    }

    @Test func `a node that agrees on keys with everybody is found`() throws {
        let found = try findings(3000) { limits in
            limits.agreementBurstPerPrefix = 1 << 20
            limits.agreementBurst = 1 << 20
        }
        #expect(found.count == 1 && found.allSatisfy { $0.contains("key agreements for") }, "\(found)")
    }

    @Test func `a node that validates whoever comes, or keeps them all, is found`() throws {
        let simulation = try makeWorld()
        simulation.addAdversary()
        let adversary = try #require(simulation.adversary)
        adversary.stop()
        let source = IPAddress(v4: 0x6f00_0001)
        for number in 0..<500 {
            adversary.ledger.noteInvention(Address(UInt64(0x11_0000_0000 + number)), at: source)
            adversary.ledger.noteValidation(of: Address(UInt64(0x11_0000_0000 + number)), at: 0)
        }
        let found = adversary.ledger.findings(simulation)
        #expect(found.count == 1 && found.allSatisfy { $0.contains("validated 500 identities") }, "\(found)")
        let kept = try findings(3000) { limits in
            limits.agreementBurstPerPrefix = 1 << 20
            limits.agreementBurst = 1 << 20
            limits.pendingValidations = 1 << 20
        }
        #expect(kept.contains { $0.contains("identities that wait") }, "\(kept)")
    }

    @Test func `a node that keeps more parts than it may is found`() throws {
        let simulation = try makeWorld()
        simulation.configure = {
            $0.peers.limits.incompletePackets = 1 << 20
            $0.peers.limits.incompletePacketsPerSource = 1 << 20
        }
        let host = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.addAdversary()
        let adversary = try #require(simulation.adversary)
        adversary.stop()
        adversary.parts(100, at: host, by: SocketEndpoint(host.address, port: 9993), simulation)
        simulation.run(for: .milliseconds(100))
        let found = adversary.ledger.findings(simulation)
        #expect(found == ["\(host.name) keeps 100 packets without some of their parts, 64 at most"])
    }

    @Test func `a node that checks whatever a stranger signs is found`() throws {
        let simulation = try makeWorld()
        let host = simulation.addMember(.open)
        simulation.addAdversary()
        let adversary = try #require(simulation.adversary)
        adversary.stop()
        adversary.ledger.noteSignatures(60, at: host.index, simulation.time)
        #expect(adversary.ledger.findings(simulation) == [])
        adversary.ledger.noteSignatures(60, at: host.index, simulation.time)
        let found = adversary.ledger.findings(simulation)
        #expect(found.count == 1 && found.allSatisfy { $0.contains("120 signatures of a stranger") }, "\(found)")
    }

    @Test func `an invented identity that somebody took for a peer is found`() throws {
        let simulation = try makeWorld()
        let host = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.addAdversary()
        // In truth it is a member.
        simulation.adversary?.ledger.noteInvention(host.identity.address, at: IPAddress(v4: 0x6f00_0001))
        let found = simulation.adversary?.ledger.findings(simulation) ?? []
        #expect(found.count == 1 && found.allSatisfy { $0.contains("is invented") }, "\(found)")
    }

    @Test func `a node that takes a recorded frame a second time is found`() throws {
        let simulation = try makeWorld()
        let first = simulation.addMember(.open)
        let second = simulation.addMember(.open)
        simulation.run(for: .seconds(3))
        simulation.addAdversary()
        simulation.pingBothWays(first, second)
        simulation.run(for: .seconds(5))
        simulation.workload.stopPings()
        let recorded = try #require(simulation.adversary?.recorded)
        simulation.adversary?.stop()
        #expect(simulation.failures.isEmpty)
        let givers = second.frameGivers
        // It forgets what came, and the checker does not.
        simulation.restart(second, isClean: true)
        second.frameGivers = givers
        for datagram in recorded where datagram.destination.address == second.address {
            simulation.schedule(.arrival(host: second.index, datagram), at: simulation.time)
        }
        simulation.run(for: .milliseconds(1))
        #expect(!simulation.failures.isEmpty)
        #expect(
            simulation.failures.allSatisfy { $0.contains("took a frame of") && $0.contains(" twice ") },
            "\(simulation.failures)")
    }
}

struct StreamContentTests {
    @Test func `one wrong byte of a stream is found wherever it is`() {
        let content = StreamContent(transfer: 3, isReply: false)
        let other = StreamContent(transfer: 3, isReply: true)
        let bytes = content.bytes(from: 0, count: 100)
        #expect(content.firstDifference(bytes[...], at: 0) == nil)
        for index in bytes.indices {
            var wrong = bytes
            wrong[index] ^= 1
            #expect(content.firstDifference(wrong[...], at: 0) == index)
        }
        #expect(content.firstDifference(bytes[...], at: 32) != nil)
        #expect(other.firstDifference(bytes[...], at: 0) != nil)
    }
}
