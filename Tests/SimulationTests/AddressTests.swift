//  Hosts with several addresses: what is expected of them, and that a wrong answer is found.

import NetPrimitives
import Testing

@testable import NetworkSimulator

struct AddressTests {
    private func makeRoot(_ simulation: Simulation) -> SimulatedHost {
        let root = simulation.addRoot(binding: .everyAddress)
        simulation.addAddress(to: root, at: .open, isIPv4: true)
        simulation.addAddress(to: root, at: .open, isIPv4: false)
        return root
    }

    private func makeWorld() throws -> (Simulation, root: SimulatedHost) {
        let simulation = Simulation(seed: 1, fixture: try #require(Fixture.identities))
        let root = makeRoot(simulation)
        simulation.makePlanet()
        simulation.start(root)
        return (simulation, root)
    }

    @Test func `a node behind a firewall is online by a root that is asked at its second address`() throws {
        let simulation = Simulation(seed: 1, fixture: try #require(Fixture.identities))
        let root = makeRoot(simulation)
        simulation.makePlanet()
        // The planet names it; the root's routes choose the other one.
        root.interfaces.swapAt(0, 1)
        root.interfaces[1].isUp = false
        root.interfaces[2].isUp = false
        simulation.start(root)
        root.interfaces[1].isUp = true
        let host = simulation.addMember(.guarded(firewall: simulation.addFirewall(isIPv4: true)))
        simulation.run(for: .seconds(20)) { _ in host.isOnline }
        #expect(host.isOnline && simulation.failures.isEmpty)
    }

    @Test func `an answer from another address than was asked is found, and one from there is counted`() throws {
        let (simulation, root) = try makeWorld()
        let asker = SocketEndpoint(IPAddress(v4: 0x6400_0901), port: 9993)
        let datagram = Datagram(
            bytes: [1], sender: 0, source: asker, destination: SocketEndpoint(root.interfaces[1].address, port: 9993))
        simulation.answering = AskedAddressChecker(datagram, root)
        simulation.answering?.note(from: root.interfaces[0].address, to: asker)
        simulation.endAnswer(of: root)
        #expect(simulation.failures.count == 1)
        simulation.answering = AskedAddressChecker(datagram, root)
        simulation.answering?.note(from: root.interfaces[0].address, to: asker)
        simulation.answering?.note(from: root.interfaces[1].address, to: asker)
        simulation.endAnswer(of: root)
        #expect(simulation.failures.count == 1 && simulation.answersChecked == 1)
    }

    @Test func `what goes by no path leaves from where routes lead, an answer from the address that was asked`() throws
    {
        let (simulation, root) = try makeWorld()
        let remote = SocketEndpoint(IPAddress(v4: 0x6400_0901), port: 9993)
        func ways(_ local: Int32, _ remote: SocketEndpoint) -> [Int] {
            var result: [Int] = []
            simulation.forEachWayOut(PhysicalPath(localSocket: local, remote: remote), of: root) { way, _ in
                result.append(way)
            }
            return result
        }
        #expect(ways(PhysicalPath.anySocket, remote) == [0])
        let number = root.localSocket(interface: 1, port: 0)
        #expect(ways(number, remote) == [1])
        #expect(ways(PhysicalPath.anySocket, SocketEndpoint(IPAddress(v6High: 0x2a00 << 48, low: 9), port: 1)) == [2])
        simulation.setInterface(1, of: root, isUp: false)
        #expect(ways(number, remote) == [0] && root.goneNumbers == [number])
        simulation.setInterface(0, of: root, isUp: false)
        #expect(ways(number, remote).isEmpty)
    }

    @Test func `a firewall lets in what answers, from the endpoint that was asked, for so long`() {
        var firewall = SimulatedFirewall(inside: IPPrefix(IPAddress(v4: 0x5f00_0000), length: 24), expiry: .seconds(30))
        let inside = SocketEndpoint(IPAddress(v4: 0x5f00_0001), port: 9993)
        let (asked, other) = (
            SocketEndpoint(IPAddress(v4: 0x5000_0001), port: 1), SocketEndpoint(IPAddress(v4: 0x5000_0002), port: 1)
        )
        let start = MonotonicInstant(nanoseconds: 1_000_000_000)
        firewall.noteOut(from: inside, to: asked, start)
        #expect(firewall.admits(from: asked, to: inside, start + .seconds(29)))
        #expect(!firewall.admits(from: other, to: inside, start))
        #expect(!firewall.admits(from: asked, to: SocketEndpoint(inside.address, port: 2), start))
        #expect(!firewall.admits(from: asked, to: inside, start + .seconds(30)))
    }

    @Test func `two of one family meet, the others through a root of both`() throws {
        let (simulation, _) = try makeWorld()
        let firewall = simulation.addFirewall(isIPv4: false)
        let (old, new) = (
            simulation.addHost(at: .open), simulation.addHost(at: .guarded(firewall: firewall), isIPv4: false)
        )
        let both = simulation.addHost(at: .behind(nat: simulation.addNAT(NATModel(.symmetric))))
        simulation.addAddress(to: both, at: .guarded(firewall: simulation.addFirewall(isIPv4: false)), isIPv4: false)
        for host in [old, new, both] {
            simulation.join(host, Simulation.adHocNetwork)
            simulation.start(host)
        }
        #expect(simulation.reach(old, new) == .relayed)
        #expect(simulation.reach(new, both) == .direct && simulation.reach(old, both) == .direct)
        simulation.run(for: .seconds(5))
        for (one, other) in [(old, new), (new, both), (old, both)] { simulation.pingBothWays(one, other) }
        #expect(simulation.run(for: .seconds(20)) { $0.isAsExpected })
    }

    @Test func `of an address behind a firewall that its host's routes do not choose nothing is promised`() throws {
        let (simulation, _) = try makeWorld()
        func host(_ binding: Binding) -> SimulatedHost {
            let host = simulation.addHost(
                at: .behind(nat: simulation.addNAT(NATModel(.symmetric))), binding: binding)
            simulation.addAddress(to: host, at: .guarded(firewall: simulation.addFirewall(isIPv4: true)), isIPv4: true)
            return host
        }
        let guarded = simulation.addHost(at: .guarded(firewall: simulation.addFirewall(isIPv4: true)))
        #expect(simulation.reach(host(.everyAddress), guarded) == .either)
        #expect(simulation.reach(host(.eachAddress), guarded) == .direct)
        #expect(simulation.reach(host(.everyAddress), simulation.addHost(at: .open)) == .direct)
    }
}
