//  A handful of nodes behind translators of all kinds, with streams and pings between some, and faults as drawn.

import NetPrimitives
import ZeroTierWire

/// One small network.
struct SmallScenario {
    private static let safety = Duration.seconds(40)
    /// Streams may have backed off for long when the faults end.
    private static let livenessLimit = Duration.seconds(150)
    /// How long what has come about must hold.
    private static let stability = Duration.seconds(5)
    private static let settling = Duration.seconds(12)
    /// How long a root believes in the path to where a node was, its next look at it, and the HELLO to where the node is: that one
    /// tells the node its new address. Echoes, which keep paths open, do not.
    private static let movedUnawares = ProtocolLimits.pathAlive + ProtocolLimits.wakeGrid + .seconds(1)
    private static let silence = Duration.seconds(40)

    private let simulation: Simulation
    /// One, or two that must not hear of each other.
    private let networks: [NetworkID]
    private var roots: [SimulatedHost] { simulation.hosts.filter(\.isRoot) }
    private var leaves: [SimulatedHost] { simulation.hosts.filter { !$0.isRoot } }

    init(_ simulation: Simulation) {
        self.simulation = simulation
        var drawn = [simulation.drawOne(in: 3) ? Simulation.adHocNetworkIPv4 : Simulation.adHocNetwork]
        if simulation.drawOne(in: 3) {
            drawn.append(simulation.draw(from: Simulation.adHocNetworks.filter { $0 != drawn[0] }))
        }
        networks = drawn
    }

    func run() -> String {
        build()
        planTraffic()
        planFaults()
        simulation.addAdversary()
        let busy = TrafficChecker(simulation)
        simulation.run(for: SmallScenario.safety)
        heal()
        let healed = simulation.time
        live()
        let took = simulation.time - healed
        let datagrams = simulation.datagramCount
        simulation.adversary?.stop()
        simulation.failAll(busy.busyFindings(simulation), "too much traffic")
        beIdle()
        simulation.failAll(simulation.adversary?.ledger.findings(simulation) ?? [], "a stranger's work")
        simulation.failAll(MembershipChecker.findings(simulation), "membership")
        simulation.failAll(MembershipChecker.strayAnswers(simulation), "membership")
        simulation.failAll(HonestyChecker.findings(simulation), "among honest nodes")
        return summary(took, datagrams)
    }

    // MARK: Topology

    private func build() {
        buildRoots()
        let count = drawCount()
        for index in 0..<count {
            // Every world has one; with one socket for all addresses there is one port.
            let isMultihomed = index == 1 || simulation.drawOne(in: 3)
            let binding = isMultihomed && !simulation.drawOne(in: 4) ? Binding.everyAddress : .eachAddress
            let ports = binding == .eachAddress && simulation.drawOne(in: 4) ? [UInt16(9993), 29_993] : [9993]
            let host = simulation.addHost(
                at: drawPlacement(), link: drawLink(isRoot: false), ports: ports, binding: binding)
            if isMultihomed { drawAddresses(of: host) }
            drawLongest(host)
            if simulation.drawOne(in: 5) { host.protocolVersion = 11 }
            // The first two are members, so that there is a network; the first is in both if there are two.
            if leaves.count <= 2 || !simulation.drawOne(in: 8) { simulation.join(host, networks[0]) }
            if networks.count > 1, leaves.count == 1 || simulation.drawOne(in: 2) { simulation.join(host, networks[1]) }
        }
        for root in roots { simulation.start(root) }
        for host in leaves {
            simulation.after(.milliseconds(simulation.draw(0...5000))) { $0.start(host) }
        }
    }

    // Most worlds have roots of both families, some of them with several addresses of one. Now and then a planet names a place where
    // nobody is.
    private func buildRoots() {
        let isDual = !simulation.drawOne(in: 3)
        for _ in 0..<simulation.draw(1...3) {
            let binding = simulation.drawOne(in: 3) ? Binding.eachAddress : .everyAddress
            let root = simulation.addRoot(link: drawLink(isRoot: true), binding: binding)
            if isDual { simulation.addAddress(to: root, at: .open, isIPv4: false) }
            for _ in 0..<simulation.draw(0...2) {
                let isIPv4 = !isDual || simulation.drawOne(in: 2)
                simulation.addAddress(to: root, at: .open, isIPv4: isIPv4, isFirst: simulation.drawOne(in: 2))
            }
            drawLongest(root)
        }
        let dead = SocketEndpoint(IPAddress(v4: 0x5100_0001), port: Simulation.defaultPort)
        simulation.makePlanet(dead: simulation.drawOne(in: 6) ? [dead] : [])
    }

    // One to three more addresses, of which routes choose any. One place behind a translator is enough: two might be alike.
    private func drawAddresses(of host: SimulatedHost) {
        for _ in 0..<simulation.draw(1...3) {
            let isIPv4 = simulation.drawOne(in: 3)
            let placement: Placement
            switch simulation.draw(0...9) {
            case 0: placement = .blocked
            case 1...3: placement = .open
            default: placement = .guarded(firewall: drawFirewall(isIPv4: isIPv4))
            }
            simulation.addAddress(to: host, at: placement, isIPv4: isIPv4, isFirst: simulation.drawOne(in: 2))
        }
        // Routes do not choose a dead end where there is another way.
        if host.binding == .everyAddress {
            host.interfaces =
                host.interfaces.filter { $0.placement != .blocked }
                + host.interfaces.filter { $0.placement == .blocked }
        }
    }

    private func drawFirewall(isIPv4: Bool) -> Int {
        let known = simulation.firewalls.indices.filter { simulation.firewalls[$0].inside.address.isIPv4 == isIPv4 }
        if !known.isEmpty, simulation.drawOne(in: 3) { return simulation.draw(from: known) }
        return simulation.addFirewall(isIPv4: isIPv4, expiry: .seconds(simulation.draw(from: [30, 60, 180])))
    }

    // Mostly few: they show as much and cost less.
    private func drawCount() -> Int {
        simulation.drawOne(in: 4) ? simulation.draw(9...20) : simulation.draw(2...8)
    }

    private func drawPlacement() -> Placement {
        if !simulation.nats.isEmpty, simulation.drawOne(in: 4) {
            return .behind(nat: simulation.draw(0...simulation.nats.count - 1))
        }
        switch simulation.draw(0...23) {
        case 0: return .blocked
        case 1...4: return .open
        default:
            var model = NATModel(simulation.draw(from: NATKind.allCases))
            model.hairpins = simulation.drawOne(in: 2)
            model.preservesPorts = simulation.drawOne(in: 2)
            model.isolatesHosts = simulation.drawOne(in: 4)
            model.expiry = .seconds(simulation.draw(from: [30, 60, 120, 180]))
            return .behind(nat: simulation.addNAT(model))
        }
    }

    private func drawLink(isRoot: Bool) -> LinkModel {
        var link = LinkModel(latency: .microseconds(simulation.draw(500...60_000)))
        // Both ends' lines are passed: the loss of a path is about twice this, up to 20 %.
        let badness = simulation.draw(0...3)
        if badness > 0 {
            link.jitter = .microseconds(simulation.draw(0...15_000))
            link.loss = Double(simulation.draw(0...(isRoot ? 30 : 35 * badness))) / 1000
            link.duplication = Double(simulation.draw(0...20)) / 1000
            link.reordering = Double(simulation.draw(0...50)) / 1000
            if simulation.drawOne(in: 3) { link.burstStart = 0.003 }
        }
        if !isRoot, simulation.drawOne(in: 3) { link.rate = simulation.draw(from: [2, 5, 20, 100]) * 1_000_000 }
        link.mtu = simulation.draw(from: [1500, 1500, 1492, 1460, 1400])
        return link
    }

    // Tunnels and bad filters: IP packets of 1400, 1300 and 1280 bytes, and payloads of as many; mostly in both directions.
    private func drawLongest(_ host: SimulatedHost) {
        guard simulation.drawOne(in: 5) else { return }
        let longest = simulation.draw(from: [1400, 1372, 1300, 1280, 1252, 1232])
        switch simulation.draw(0...3) {
        case 0: host.limitDatagrams(up: longest, down: 0)
        case 1: host.limitDatagrams(up: 0, down: longest)
        default: host.limitDatagrams(up: longest, down: longest)
        }
    }

    // MARK: Traffic

    private func planTraffic() {
        var pairs: [(SimulatedHost, SimulatedHost, NetworkID)] = []
        var strays: [(SimulatedHost, SimulatedHost, NetworkID)] = []
        for network in networks {
            let members = leaves.filter { $0.networks.contains(network) }
            for (index, first) in members.enumerated() {
                for second in members.dropFirst(index + 1) { pairs.append((first, second, network)) }
            }
            // Members of the other network alone, and of none.
            for outsider in leaves where !outsider.networks.contains(network) {
                strays += members.map { ($0, outsider, network) }
            }
        }
        // With one network the nodes that are in none must be left alone.
        if networks.count > 1, !strays.isEmpty {
            for _ in 0..<simulation.draw(0...2) { planStray(simulation.draw(from: strays)) }
        }
        let wanted = min(pairs.count, simulation.draw(1...6))
        for _ in 0..<wanted {
            let (first, second, network) = pairs.remove(at: simulation.random.next(below: pairs.count))
            simulation.after(.milliseconds(simulation.draw(3000...12_000))) { simulation in
                simulation.workload.ping(from: first, to: second, on: network, simulation)
                simulation.workload.ping(from: second, to: first, on: network, simulation)
            }
            guard simulation.reach(first, second) != .impossible, !simulation.drawOne(in: 3) else { continue }
            let isForward = simulation.drawOne(in: 2)
            simulation.workload.transfer(
                simulation.draw(50_000...500_000), reply: simulation.draw(0...100_000),
                from: isForward ? first : second, to: isForward ? second : first, on: network,
                after: .milliseconds(simulation.draw(4000...30_000)), simulation)
        }
    }

    private func planStray(_ stray: (from: SimulatedHost, to: SimulatedHost, network: NetworkID)) {
        simulation.after(.milliseconds(simulation.draw(3000...12_000))) { simulation in
            simulation.workload.ping(from: stray.from, to: stray.to, on: stray.network, isStray: true, simulation)
        }
    }

    // MARK: Faults

    private func planFaults() {
        for _ in 0..<simulation.draw(0...4) {
            let time = Duration.milliseconds(simulation.draw(6000...34_000))
            let host = simulation.draw(from: leaves)
            switch simulation.draw(0...11) {
            case 9...11: planAddresses(time)
            case 0: planRestart(host, time, ports: host.ports)
            case 1: planRestart(host, time, ports: host.ports.map { $0 + UInt16(simulation.draw(1...500)) })
            case 2: planRestart(simulation.draw(from: roots), time, ports: [Simulation.defaultPort])
            case 7:
                let placement = drawPlacement()
                // Nothing could be asked of a transfer to there.
                guard placement != .blocked, host.interfaces.count == 1 else { continue }
                simulation.after(time) { $0.move(host, to: placement) }
            case 8:
                // One that never comes back; another must be left.
                guard roots.count > 1 else { continue }
                let root = roots[0]
                simulation.after(time) { $0.stop(root, isClean: false) }
            case 3, 4:
                simulation.after(time) { simulation in
                    simulation.note("\(host.name) is cut off")
                    host.isCut = true
                }
                simulation.after(time + .milliseconds(simulation.draw(300...6000))) { _ in host.isCut = false }
            default:
                guard let nat = host.interfaces.compactMap(\.placement.nat).first else { continue }
                let isNew = simulation.drawOne(in: 3)
                simulation.after(time) { $0.restartNAT(nat, newAddress: isNew) }
            }
        }
    }

    // A restart that comes after a root was given up does not bring it back: `restart` needs a running node.
    private func planRestart(_ host: SimulatedHost, _ time: Duration, ports: [UInt16]) {
        let isClean = simulation.drawOne(in: 2)
        let pause = Duration.milliseconds(simulation.draw(0...3000))
        simulation.after(time) { $0.restart(host, ports: ports, isClean: isClean, pause: pause) }
    }

    // An address of a host with several goes for a while, or another one takes its place.
    private func planAddresses(_ time: Duration) {
        let host = simulation.draw(from: simulation.hosts.filter { $0.interfaces.count > 1 })
        let index = simulation.draw(0...host.interfaces.count - 1)
        if !host.isRoot, host.binding == .everyAddress, simulation.drawOne(in: 3) {
            simulation.after(time) { $0.replaceAddress(index, of: host) }
            return
        }
        simulation.after(time) { $0.setInterface(index, of: host, isUp: false) }
        simulation.after(time + .milliseconds(simulation.draw(300...6000))) {
            $0.setInterface(index, of: host, isUp: true)
        }
    }

    private func heal() {
        simulation.note("all faults end")
        for host in simulation.hosts {
            host.endFaults()
            for index in host.interfaces.indices { simulation.setInterface(index, of: host, isUp: true) }
        }
    }

    // MARK: Liveness

    private func live() {
        let isDone = simulation.run(for: SmallScenario.livenessLimit) { simulation in
            simulation.workload.openTransfers.isEmpty && isOnlineAsExpected
                && ReachabilityChecker.differences(simulation, fresh: .seconds(2)).isEmpty
        }
        if !isDone {
            for transfer in simulation.workload.openTransfers {
                simulation.fail(
                    "transfer from host \(transfer.from) to \(transfer.to) is \(transfer.state), with "
                        + "\(transfer.received) of \(transfer.size) bytes at the server")
            }
        }
        checkNow()
        guard simulation.failures.isEmpty else { return }
        // What left before the last pair became direct arrives. A node whose translator has another address hears of it from a
        // root, and then asks all others anew.
        let known = simulation.lastAddressChange + SmallScenario.movedUnawares
        simulation.run(for: max(.seconds(1), known - simulation.time))
        let wire = WireChecker(simulation)
        simulation.run(for: SmallScenario.stability)
        checkNow()
        simulation.failAll(wire.findings(simulation), "on the wire")
    }

    private var isOnlineAsExpected: Bool {
        leaves.allSatisfy { $0.isOnline == simulation.canReachRoot($0) }
    }

    private func checkNow() {
        for host in leaves where host.isOnline != simulation.canReachRoot(host) {
            simulation.fail("\(host.name) \(simulation.describe(host)) is \(host.isOnline ? "online" : "offline")")
        }
        simulation.failAll(ReachabilityChecker.differences(simulation, fresh: .seconds(2)), "reachability")
        guard !simulation.failures.isEmpty else { return }
        for host in simulation.hosts { simulation.noteCounters(of: host) }
    }

    // MARK: Silence

    private func beIdle() {
        simulation.workload.stopPings()
        simulation.run(for: SmallScenario.settling)
        let traffic = TrafficChecker(simulation)
        simulation.run(for: SmallScenario.silence)
        simulation.failAll(traffic.idleFindings(simulation), "not quiet")
        simulation.failAll(ReachabilityChecker.idleDifferences(simulation), "idle")
    }

    private func summary(_ took: Duration, _ datagrams: Int) -> String {
        let states = simulation.workload.transfers.map(\.state)
        let addresses = leaves.reduce(0) { $0 + $1.interfaces.count }
        return "\(roots.count) roots, \(leaves.count) nodes with \(addresses) addresses, "
            + "\(networks.count) networks, "
            + "\(simulation.workload.pings.count { !$0.isStray } / 2) pairs, "
            + "\(states.count { $0 == .done }) of \(states.count) transfers, \(simulation.workload.bytesMoved / 1000) kB, "
            + "\(datagrams) datagrams, whole again after \(took.milliseconds) ms"
    }
}
