//  Where hosts are plugged in, and the way of a datagram from one to another.

import NetPrimitives
import ZeroTierCrypto
package import ZeroTierWire

extension Simulation {
    /// The port that nodes are bound to by default.
    package static let defaultPort: UInt16 = 9993
    /// One way, on a local network.
    static let localLatency = Duration.microseconds(300)

    // MARK: Making

    /// Adds a root, on the internet. All roots are added before `makePlanet`, and at most four.
    @discardableResult
    package func addRoot(link: LinkModel = LinkModel(latency: .milliseconds(10))) -> SimulatedHost {
        let address = IPAddress(v4: 0x5000_0001 + UInt32(hosts.count) << 8)
        return add(nextIdentity(), at: .open, address: address, isRoot: true, [Simulation.defaultPort], link)
    }

    /// Makes the planet of all roots so far.
    package func makePlanet() {
        var random = random.fork()
        let keys = SecretKeys.generate(using: &random)
        let roots = hosts.filter(\.isRoot).map { host in
            World.Root(
                identity: host.identity.withoutSecret,
                endpoints: [SocketEndpoint(host.address, port: host.ports[0])])
        }
        planet = World(
            kind: .planet, id: 0x5117, timestampMilliseconds: UInt64(Simulation.epochMilliseconds),
            updateKey: keys.publicKeys, roots: roots
        ).signed(with: keys)
    }

    /// Adds a translator with its local network and gives its number.
    package func addNAT(_ model: NATModel) -> Int {
        let index = nats.count
        // Local networks everywhere use the same few prefixes: a pushed private address often means somebody else.
        let prefixes: [UInt32] = [0xc0a8_0000, 0xc0a8_0100, 0x0a00_0000, 0xac10_0000]
        let prefix = IPPrefix(IPAddress(v4: prefixes[random.next(below: prefixes.count)]), length: 24)
        nats.append(SimulatedNAT(model, address: IPAddress(v4: 0x5a00_0001 + UInt32(index) << 8), inside: prefix))
        natsByAddress[nats[index].address] = index
        hostsBehind.append([])
        return index
    }

    /// Adds a host that is no root.
    @discardableResult
    package func addHost(
        at placement: Placement, link: LinkModel = LinkModel(latency: .milliseconds(10)),
        ports: [UInt16] = [Simulation.defaultPort], identity: Identity? = nil
    ) -> SimulatedHost {
        let address = freeAddress(at: placement)
        return add(identity ?? nextIdentity(), at: placement, address: address, isRoot: false, ports, link)
    }

    private func freeAddress(at placement: Placement) -> IPAddress {
        addressesGiven += 1
        switch placement {
        case .open, .blocked: return IPAddress(v4: 0x6400_0001 + UInt32(addressesGiven) << 8)
        case .behind(let nat):
            nats[nat].hostsSeen += 1
            return IPAddress(v4: nats[nat].inside.address.v4 + UInt32(1 + nats[nat].hostsSeen))
        }
    }

    /// Takes a host from its place and puts it into another.
    func replug(_ host: SimulatedHost, _ placement: Placement) {
        switch host.placement {
        case .open: hostsByAddress[host.address] = nil
        case .behind(let nat): hostsBehind[nat].removeAll { $0 === host }
        case .blocked: break
        }
        host.placement = placement
        host.address = freeAddress(at: placement)
        plugIn(host)
    }

    private func plugIn(_ host: SimulatedHost) {
        switch host.placement {
        case .open: hostsByAddress[host.address] = host.index
        case .behind(let nat): hostsBehind[nat].append(host)
        case .blocked: break
        }
    }

    private func add(
        _ identity: Identity, at placement: Placement, address: IPAddress, isRoot: Bool, _ ports: [UInt16],
        _ link: LinkModel
    ) -> SimulatedHost {
        let host = SimulatedHost(
            index: hosts.count, identity: identity, placement: placement, address: address, isRoot: isRoot,
            ports: ports, link: link, random: random.fork())
        hosts.append(host)
        plugIn(host)
        return host
    }

    /// What must be possible between two hosts.
    package func reach(_ first: SimulatedHost, _ second: SimulatedHost) -> Reach {
        Oracle.reach(first.placement, second.placement) { nats[$0].model }
    }

    /// A translator loses its mappings; with `newAddress` it also gets another address from its provider.
    package func restartNAT(_ index: Int, newAddress: Bool = false) {
        note("translator \(index) restarts\(newAddress ? " with another address" : "")")
        natsByAddress[nats[index].address] = nil
        nats[index].restart(address: newAddress ? IPAddress(v4: nats[index].address.v4 + 1) : nil)
        natsByAddress[nats[index].address] = index
    }

    // MARK: The way of a datagram

    /// From a host's socket to the end of its line.
    func leave(_ datagram: Datagram, timeToLive: UInt8, _ host: SimulatedHost) {
        var datagram = datagram
        switch host.placement {
        case .blocked: return
        case .open: if timeToLive != 0, timeToLive <= 2 { return }
        case .behind(let nat):
            if nats[nat].inside.contains(datagram.destination.address) {
                sendLocally(datagram, host, nat: nat)
                return
            }
            datagram.source = nats[nat].translateOut(
                from: datagram.source, to: datagram.destination, time, using: &networkRandom)
            if datagram.destination.address == nats[nat].address {
                if nats[nat].model.hairpins { enter(datagram, nat: nat, hasLine: false) }
                return
            }
            // A datagram that only opens the translator dies at the provider.
            if timeToLive != 0, timeToLive <= 2 { return }
        }
        // Private addresses are routed nowhere.
        guard hostsByAddress[datagram.destination.address] != nil || natsByAddress[datagram.destination.address] != nil
        else { return }
        let arrivals = host.uplink.arrivals(datagram.bytes.count, at: time, using: &networkRandom)
        if let first = arrivals.first { schedule(.internet(datagram), at: first) }
        if let second = arrivals.second { schedule(.internet(datagram), at: second) }
    }

    private func sendLocally(_ datagram: Datagram, _ host: SimulatedHost, nat: Int) {
        let isOwn = datagram.destination.address == host.address
        guard isOwn || !nats[nat].model.isolatesHosts,
            let other = hostsBehind[nat].first(where: { $0.address == datagram.destination.address })
        else { return }
        schedule(.arrival(host: other.index, datagram), at: time + Simulation.localLatency)
    }

    /// A datagram at the place to which its destination address is routed.
    func crossInternet(_ datagram: Datagram) {
        adversary?.record(datagram)
        if let index = hostsByAddress[datagram.destination.address] {
            descend(datagram, to: hosts[index])
        } else if let nat = natsByAddress[datagram.destination.address] {
            enter(datagram, nat: nat, hasLine: true)
        }
    }

    private func enter(_ datagram: Datagram, nat: Int, hasLine: Bool) {
        guard
            let inside = nats[nat].translateIn(from: datagram.source, toPort: datagram.destination.port, time),
            let host = hostsBehind[nat].first(where: { $0.address == inside.address })
        else { return }
        var datagram = datagram
        datagram.destination = inside
        if hasLine {
            descend(datagram, to: host)
        } else {
            schedule(.arrival(host: host.index, datagram), at: time + Simulation.localLatency)
        }
    }

    private func descend(_ datagram: Datagram, to host: SimulatedHost) {
        let arrivals = host.downlink.arrivals(datagram.bytes.count, at: time, using: &networkRandom)
        if let first = arrivals.first { schedule(.arrival(host: host.index, datagram), at: first) }
        if let second = arrivals.second { schedule(.arrival(host: host.index, datagram), at: second) }
    }
}
