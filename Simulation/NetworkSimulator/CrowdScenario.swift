//  A private network with thousands of members: all are let in and configured, the controller dies, and as soon as it is there
//  again some of them are let out, one after the other. They do not hear of that, for whatever is sent to them is lost, and go on
//  talking: every other member hears from one of them, and refuses it.

import NetPrimitives
import ZeroTierController
import ZeroTierCrypto
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierWire

/// One large network of one's own.
struct CrowdScenario {
    private static let startUp = Duration.seconds(10)
    /// From the last acknowledgement until all are configured: who was refused asks every 5 s.
    private static let configuredLimit = Duration.seconds(10)
    /// From the acknowledgement that somebody is out until everybody refuses it.
    private static let refusalLimit = Duration.seconds(1)
    /// Frames wait 5 s for their sender's credentials before they are refused.
    private static let refusal = Duration.seconds(8)

    private let simulation: Simulation
    private let count: Int

    init(_ simulation: Simulation, members: Int) {
        self.simulation = simulation
        count = max(3, members)
        patience = .seconds(20) + .milliseconds(40) * count
    }

    /// How long a root, the controller or a member may take until it knows everybody: it validates identities one after the other,
    /// 17 ms each.
    private let patience: Duration

    private var controller: SimulatedHost { simulation.hosts[1] }
    private var members: [SimulatedHost] { Array(simulation.hosts.dropFirst(2)) }
    /// Who is let out. A host keeps up with a thousand neighbours.
    private var out: ArraySlice<SimulatedHost> { members[..<((count + 999) / 1000)] }

    func run() -> String {
        build()
        let id = NetworkID(controller: controller.identity.address, number: 1)
        let isMade = administer { (engine, ticket, now) throws(ControllerError) in
            _ = try engine.createNetwork(id, ticket, now: now) { $0.assigns6PLANE = true }
        }
        guard isMade else { return "no network" }
        simulation.admission = AdmissionChecker(grace: CrowdScenario.refusalLimit)
        let configured = letAllIn(id)
        talk(id)
        simulation.restart(controller, isClean: false, pause: .milliseconds(500))
        simulation.run(for: .seconds(10), until: { _ in controller.isOnline })
        let refusals = letOut(id)
        let told = members.count { $0.node.network(id)?.status == .ok }
        if told != count { simulation.fail("\(count - told) of \(count) members are not configured at the end") }
        return
            "\(count) members configured \(configured.milliseconds) ms after they were let in, \(refusals) refused one of \(out.count), "
            + "\(simulation.admission?.frames ?? 0) frames judged, \(simulation.datagramCount) datagrams"
    }

    private func build() {
        simulation.addRoot()
        simulation.makePlanet()
        let owner = simulation.addHost(at: .open, link: drawLink())
        owner.store = SimulatedStore()
        for _ in 0..<count {
            simulation.addHost(at: .open, link: drawLink(), identity: simulation.makeIdentity())
        }
        for host in simulation.hosts.prefix(2) { simulation.start(host) }
        for host in members {
            simulation.after(.milliseconds(simulation.draw(0...Int(CrowdScenario.startUp.milliseconds)))) {
                $0.start(host)
            }
        }
        simulation.run(for: patience, until: { $0.hosts.allSatisfy(\.isOnline) })
        let missing = simulation.hosts.count { !$0.isOnline }
        if missing > 0 { simulation.fail("\(missing) hosts are not online") }
    }

    private func drawLink() -> LinkModel { LinkModel(latency: .milliseconds(simulation.draw(1...30))) }

    // Whether a change was acknowledged.
    private func administer(
        _ body: (inout ControllerEngine, AdministrationTicket, Now) throws(ControllerError) -> Void
    ) -> Bool {
        guard let number = simulation.administer(controller, body) else {
            simulation.fail("the controller refuses a change")
            return false
        }
        for _ in 0..<5000 where controller.answers[number] == nil { simulation.run(for: .milliseconds(1)) }
        if controller.answers[number] != true { simulation.fail("the controller acknowledges no change") }
        return controller.answers[number] == true
    }

    // Half of them before they ask. How long the last one waited for its configuration.
    private func letAllIn(_ id: NetworkID) -> Duration {
        let half = members.count / 2
        letIn(members[..<half], id)
        for host in members { simulation.join(host, id) }
        simulation.run(for: patience) { _ in
            members.allSatisfy { ($0.node.network(id)?.status ?? .requestingConfiguration) != .requestingConfiguration }
        }
        letIn(members[half...], id)
        let since = simulation.time
        for _ in 0..<Int(CrowdScenario.configuredLimit.milliseconds / 50) {
            if members.allSatisfy({ $0.node.network(id)?.status == .ok }) { return simulation.time - since }
            simulation.run(for: .milliseconds(50))
        }
        let missing = members.count { $0.node.network(id)?.status != .ok }
        simulation.fail("\(missing) members are let in and not configured")
        return simulation.time - since
    }

    private func letIn(_ hosts: ArraySlice<SimulatedHost>, _ id: NetworkID) {
        var last: UInt64?
        for host in hosts {
            simulation.admission?.letIn(host.identity.address, at: simulation.time)
            last = simulation.administer(controller) { (engine, ticket, now) throws(ControllerError) in
                try engine.changeMember(host.identity.address, of: id, ticket, now: now) { $0.isAuthorized = true }
            }
            if last == nil { simulation.fail("the controller refuses a member") }
            simulation.run(for: .milliseconds(1))
        }
        for _ in 0..<5000 where last.map({ controller.answers[$0] == nil }) ?? false {
            simulation.run(for: .milliseconds(1))
        }
    }

    // Who is going to be let out talks with everybody else, the others in a ring.
    private func talk(_ id: NetworkID) {
        let rest = members.dropFirst(out.count)
        for (place, host) in rest.enumerated() {
            simulation.workload.ping(from: out[place % out.count], to: host, on: id, simulation)
            let next = rest[rest.startIndex + (place + 1) % rest.count]
            simulation.workload.ping(from: host, to: next, on: id, simulation)
        }
        simulation.run(for: patience) { $0.workload.pings.allSatisfy { $0.answered > 0 } }
        let mute = simulation.workload.pings.count { $0.answered == 0 }
        if mute > 0 { simulation.fail("\(mute) of \(simulation.workload.pings.count) pairs of members do not talk") }
    }

    // How many refused one afterwards: all to whom one spoke.
    private func letOut(_ id: NetworkID) -> Int {
        for host in out { host.downlink.isCut = true }
        for host in out {
            let isDone = administer { (engine, ticket, now) throws(ControllerError) in
                try engine.changeMember(host.identity.address, of: id, ticket, now: now) { $0.isAuthorized = false }
            }
            guard isDone else { return 0 }
            simulation.admission?.letOut(host.identity.address, at: simulation.time)
        }
        simulation.run(for: CrowdScenario.refusalLimit)
        let pings = simulation.workload.pings
        let before = members.map { $0.refusedFrames }
        simulation.run(for: CrowdScenario.refusal)
        let refusing = zip(members, before).count { $0.refusedFrames > $1 }
        let rest = count - out.count
        if refusing < rest { simulation.fail("only \(refusing) of \(rest) members refused who was let out") }
        let cut = zip(pings, simulation.workload.pings).count { old, new in
            !out.contains { $0.index == new.from } && new.answered == old.answered
        }
        if cut > 0 { simulation.fail("\(cut) other pairs talk no more") }
        return refusing
    }
}

extension SimulatedHost {
    /// Frames that its node did not take because the sender showed no valid membership.
    fileprivate var refusedFrames: Int {
        let drops = node.statistics.ethernetDrops
        return Int((drops[.membershipMissing] ?? 0) + (drops[.waitingTimedOut] ?? 0) + (drops[.waitingQueueFull] ?? 0))
    }
}

extension Simulation {
    /// An identity beyond those of the fixture, which every node takes as valid: its address does not follow from its keys, for
    /// that would take a quarter of a second.
    func makeIdentity() -> Identity {
        let keys = SecretKeys.generate(using: &random)
        let address = Address(0x60_0000_0000 | UInt64(hosts.count) << 8 | UInt64(random.next(below: 256)))
        let identity = Identity(address: address, publicKeys: keys.publicKeys, secretKeys: keys)
        validations[identity.withoutSecret] = true
        return identity
    }
}
