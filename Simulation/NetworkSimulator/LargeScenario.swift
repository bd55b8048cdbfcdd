//  500 nodes behind 3 roots: all come online, some talk, then there is silence.

import NetPrimitives

/// One large network.
struct LargeScenario {
    private static let nodes = 500
    private static let pairs = 40
    private static let onlineLimit = Duration.seconds(60)
    private static let talk = Duration.seconds(40)
    /// How long what has come about must hold.
    private static let stability = Duration.seconds(5)
    private static let silence = Duration.seconds(60)

    private let simulation: Simulation
    private var leaves: [SimulatedHost] { simulation.hosts.filter { !$0.isRoot } }

    init(_ simulation: Simulation) { self.simulation = simulation }

    func run() -> String {
        build()
        simulation.addAdversary()
        let began = simulation.time
        simulation.run(for: LargeScenario.onlineLimit) { $0.hosts.allSatisfy(\.isOnline) }
        let online = simulation.time - began
        for host in leaves where !host.isOnline { simulation.fail("\(host.name) is not online") }
        talk()
        simulation.adversary?.stop()
        simulation.workload.stopPings()
        simulation.run(for: .seconds(15))
        let traffic = TrafficChecker(simulation)
        simulation.run(for: LargeScenario.silence)
        simulation.failAll(traffic.idleFindings(simulation), "not quiet")
        simulation.failAll(simulation.adversary?.ledger.findings(simulation) ?? [], "a stranger's work")
        simulation.failAll(HonestyChecker.findings(simulation), "among honest nodes")
        simulation.failAll(ReachabilityChecker.idleDifferences(simulation), "idle")
        return "\(leaves.count) nodes online after \(online.milliseconds) ms, \(simulation.datagramCount) datagrams"
    }

    private func build() {
        for _ in 0..<3 {
            let root = simulation.addRoot(binding: .everyAddress)
            simulation.addAddress(to: root, at: .open, isIPv4: true, isFirst: true)
            simulation.addAddress(to: root, at: .open, isIPv4: false)
        }
        simulation.makePlanet()
        for index in 0..<LargeScenario.nodes {
            let host = simulation.addHost(
                at: place(index), link: LinkModel(latency: .milliseconds(simulation.draw(1...50))),
                binding: index % 12 == 3 ? .eachAddress : .everyAddress)
            if index % 3 == 0 { addAddresses(to: host, index) }
            simulation.join(host, Simulation.adHocNetwork)
        }
        for root in simulation.hosts where root.isRoot { simulation.start(root) }
        for host in leaves { simulation.after(.milliseconds(simulation.draw(0...10_000))) { $0.start(host) } }
    }

    // A third has a second address behind a firewall, by IPv6 mostly, and some a third one.
    private func addAddresses(to host: SimulatedHost, _ index: Int) {
        let isIPv4 = index % 4 == 0
        let known = simulation.firewalls.indices.filter { simulation.firewalls[$0].inside.address.isIPv4 == isIPv4 }
        let firewall =
            known.last.flatMap { simulation.drawOne(in: 4) ? nil : $0 } ?? simulation.addFirewall(isIPv4: isIPv4)
        simulation.addAddress(
            to: host, at: .guarded(firewall: firewall), isIPv4: isIPv4, isFirst: simulation.drawOne(in: 2))
        if index % 9 == 0 { simulation.addAddress(to: host, at: .open, isIPv4: simulation.drawOne(in: 2)) }
    }

    // A fifth is on the internet, the others are in fives behind translators.
    private func place(_ index: Int) -> Placement {
        if index % 5 == 0 { return .open }
        if simulation.nats.isEmpty || simulation.drawOne(in: 4) {
            var model = NATModel(simulation.draw(from: NATKind.allCases))
            model.preservesPorts = simulation.drawOne(in: 2)
            return .behind(nat: simulation.addNAT(model))
        }
        return .behind(nat: simulation.nats.count - 1)
    }

    private func talk() {
        let hosts = leaves
        for _ in 0..<LargeScenario.pairs {
            let first = simulation.draw(from: hosts)
            let second = simulation.draw(from: hosts)
            guard first !== second else { continue }
            simulation.workload.ping(from: first, to: second, on: Simulation.adHocNetwork, simulation)
            simulation.workload.ping(from: second, to: first, on: Simulation.adHocNetwork, simulation)
        }
        simulation.run(for: LargeScenario.talk) { ReachabilityChecker.differences($0, fresh: .seconds(2)).isEmpty }
        simulation.run(for: .seconds(1))
        let wire = WireChecker(simulation)
        simulation.run(for: LargeScenario.stability)
        simulation.failAll(ReachabilityChecker.differences(simulation, fresh: .seconds(2)), "reachability")
        simulation.failAll(wire.findings(simulation), "on the wire")
    }
}
