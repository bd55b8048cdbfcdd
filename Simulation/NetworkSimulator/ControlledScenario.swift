//  A private network on a controller of ours: members are let in and out, packets get lost and come again, the controller's disk
//  refuses now and then, and the controller dies. Who may talk to whom is known here, from what the controller acknowledged.

import NetPrimitives
import ZeroTierController
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierWire

/// One network of one's own.
struct ControlledScenario {
    /// How long after an acknowledgement everybody acts by it: a refused member asks every 5 s, packets are lost, a controller
    /// that was down is asked again.
    private static let grace = Duration.seconds(16)
    /// How long pings are counted then.
    private static let window = Duration.seconds(6)

    private let simulation: Simulation

    init(_ simulation: Simulation) { self.simulation = simulation }

    private var controller: SimulatedHost { simulation.hosts[1] }
    private var members: [SimulatedHost] { Array(simulation.hosts.dropFirst(2)) }

    func run() -> String {
        build()
        guard let network = makeNetwork() else { return "no network" }
        simulation.admission = AdmissionChecker(grace: ControlledScenario.grace)
        for host in members { simulation.join(host, network) }
        simulation.run(for: .seconds(3))
        for from in members {
            for to in members where to.index != from.index {
                simulation.workload.ping(from: from, to: to, on: network, simulation)
            }
        }
        var allowed: Set<Int> = []
        var steps = 0
        var deaths = 0
        for _ in 0..<simulation.draw(4...7) {
            let host = simulation.draw(from: members)
            let isAllowed = allowed.count < 2 || !allowed.contains(host.index)
            guard change(host, of: network, to: isAllowed) else { continue }
            if isAllowed { allowed.insert(host.index) } else { allowed.remove(host.index) }
            steps += 1
            if simulation.drawOne(in: 3) {
                deaths += 1
                simulation.restart(controller, isClean: false, pause: .milliseconds(simulation.draw(0...3000)))
            }
            check(allowed, network)
            guard simulation.failures.isEmpty else { break }
        }
        simulation.adversary?.stop()
        simulation.failAll(simulation.adversary?.ledger.findings(simulation) ?? [], "a stranger's work")
        simulation.failAll(HonestyChecker.findings(simulation), "among honest nodes")
        let answered = simulation.workload.pings.reduce(0) { $0 + $1.answered }
        return
            "\(members.count) members with \(members.reduce(0) { $0 + $1.interfaces.count }) addresses, \(steps) changes, the controller died \(deaths) times, \(answered) pings answered, "
            + "\(simulation.admission?.frames ?? 0) frames judged, "
            + "\(simulation.adversary?.ledger.signatures ?? 0) false signatures looked at"
    }

    private func build() {
        let root = simulation.addRoot(link: drawLink(), binding: drawBinding())
        drawAddresses(of: root, isRoot: true)
        simulation.makePlanet()
        for index in 0...simulation.draw(3...6) {
            let host = simulation.addHost(at: .open, link: drawLink(), binding: drawBinding())
            // The controller and one member always have several.
            if index < 2 || simulation.drawOne(in: 2) { drawAddresses(of: host, isRoot: false) }
            if index == 0 {
                host.store = SimulatedStore()
                host.store?.refusesOneIn = simulation.drawOne(in: 2) ? 8 : 0
            }
        }
        for host in simulation.hosts { simulation.start(host) }
        simulation.addAdversary()
        simulation.run(for: .seconds(20), until: { simulation in simulation.hosts.dropFirst().allSatisfy(\.isOnline) })
    }

    private func drawBinding() -> Binding { simulation.drawOne(in: 3) ? .eachAddress : .everyAddress }

    // One to three more of both families, before or behind the first, those of a root where all can come.
    private func drawAddresses(of host: SimulatedHost, isRoot: Bool) {
        for number in 0..<simulation.draw(1...3) {
            let isIPv4 = isRoot && number == 0 ? false : simulation.drawOne(in: 2)
            let isOpen = isRoot || simulation.drawOne(in: 2)
            let placement = isOpen ? .open : Placement.guarded(firewall: simulation.addFirewall(isIPv4: isIPv4))
            simulation.addAddress(to: host, at: placement, isIPv4: isIPv4, isFirst: simulation.drawOne(in: 2))
        }
    }

    // Both ends' lines are passed: up to 8 % of what is sent is lost.
    private func drawLink() -> LinkModel {
        var link = LinkModel(latency: .microseconds(simulation.draw(500...40_000)))
        link.jitter = .microseconds(simulation.draw(0...10_000))
        link.loss = Double(simulation.draw(0...40)) / 1000
        link.duplication = Double(simulation.draw(0...20)) / 1000
        link.reordering = Double(simulation.draw(0...50)) / 1000
        return link
    }

    // An administrator tries again until it is acknowledged. Whether it was.
    private func insist(
        _ body: (inout ControllerEngine, AdministrationTicket, Now) throws(ControllerError) -> Void
    ) -> Bool {
        for _ in 0..<20 {
            if let number = simulation.administer(controller, body) {
                simulation.run(for: .seconds(1), until: { _ in controller.answers[number] != nil })
                if controller.answers[number] == true { return true }
            }
            simulation.run(for: .milliseconds(500))
        }
        simulation.fail("the controller never acknowledges a change")
        return false
    }

    private func makeNetwork() -> NetworkID? {
        let id = NetworkID(controller: controller.identity.address, number: 1)
        let isMade = insist { (engine, ticket, now) throws(ControllerError) in
            // What was refused before may have been made: a death hides the answer.
            if engine.network(id) == nil {
                _ = try engine.createNetwork(id, ticket, now: now) { $0.assigns6PLANE = true }
            } else {
                try engine.changeNetwork(id, ticket, now: now) { $0.assigns6PLANE = true }
            }
        }
        return isMade ? id : nil
    }

    private func change(_ host: SimulatedHost, of network: NetworkID, to isAllowed: Bool) -> Bool {
        simulation.note("\(host.name) is let \(isAllowed ? "in" : "out")")
        if isAllowed { simulation.admission?.letIn(host.identity.address, at: simulation.time) }
        let isDone = insist { (engine, ticket, now) throws(ControllerError) in
            try engine.changeMember(host.identity.address, of: network, ticket, now: now) {
                $0.isAuthorized = isAllowed
            }
        }
        if !isAllowed, isDone { simulation.admission?.letOut(host.identity.address, at: simulation.time) }
        return isDone
    }

    // After the time of grace, pings are answered between those who are let in, and between nobody else.
    private func check(_ allowed: Set<Int>, _ network: NetworkID) {
        simulation.run(for: ControlledScenario.grace)
        let before = simulation.workload.pings
        simulation.run(for: ControlledScenario.window)
        for (old, new) in zip(before, simulation.workload.pings) {
            let mayTalk = allowed.contains(old.from) && allowed.contains(old.to)
            let count = new.answered - old.answered
            if mayTalk, count == 0 {
                simulation.fail("members \(old.from) and \(old.to) are let in and do not reach each other")
            }
            if !mayTalk, count > 0 {
                simulation.fail("\(old.from) and \(old.to) talk, and are not both let in")
            }
        }
        for host in members {
            let status = host.node.network(network)?.status
            let isExpected = allowed.contains(host.index) ? status == .ok : status == .accessDenied
            if !isExpected { simulation.fail("\(host.name) thinks that its network is \(status as Any)") }
        }
    }
}
