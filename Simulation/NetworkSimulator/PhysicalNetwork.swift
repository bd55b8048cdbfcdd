//  Where hosts are plugged in, and the way of a datagram from one to another.

package import NetPrimitives
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
    package func addRoot(
        link: LinkModel = LinkModel(latency: .milliseconds(10)), binding: Binding = .eachAddress
    ) -> SimulatedHost {
        let address = IPAddress(v4: 0x5000_0001 + UInt32(hosts.count) << 8)
        return add(
            nextIdentity(), SimulatedInterface(.open, address), isRoot: true, [Simulation.defaultPort], link, binding)
    }

    /// Makes the planet of all roots so far, with all their addresses. `dead`: endpoints of the first root at which nobody is.
    package func makePlanet(dead: [SocketEndpoint] = []) {
        var random = random.fork()
        let keys = SecretKeys.generate(using: &random)
        let roots = hosts.filter(\.isRoot).map { host in
            World.Root(
                identity: host.identity.withoutSecret,
                endpoints: host.localEndpoints + (host.index == 0 ? dead : []))
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

    /// Adds a firewall with its network of public addresses and gives its number.
    package func addFirewall(isIPv4: Bool, expiry: Duration = .seconds(60)) -> Int {
        let index = firewalls.count
        let inside =
            isIPv4
            ? IPPrefix(IPAddress(v4: 0x5f00_0000 + UInt32(index) << 8), length: 24)
            : IPPrefix(IPAddress(v6High: 0x2a02_0000_0000_0000 + UInt64(index), low: 0), length: 64)
        firewalls.append(SimulatedFirewall(inside: inside, expiry: expiry))
        return index
    }

    /// Adds a host that is no root.
    @discardableResult
    package func addHost(
        at placement: Placement, isIPv4: Bool = true, link: LinkModel = LinkModel(latency: .milliseconds(10)),
        ports: [UInt16] = [Simulation.defaultPort], identity: Identity? = nil, binding: Binding = .eachAddress
    ) -> SimulatedHost {
        let interface = SimulatedInterface(placement, freeAddress(at: placement, isIPv4: isIPv4))
        return add(identity ?? nextIdentity(), interface, isRoot: false, ports, link, binding)
    }

    func freeAddress(at placement: Placement, isIPv4: Bool) -> IPAddress {
        addressesGiven += 1
        switch placement {
        case .open, .blocked:
            return isIPv4
                ? IPAddress(v4: 0x6400_0001 + UInt32(addressesGiven) << 8)
                : IPAddress(v6High: 0x2a00_0000_0000_0000 + UInt64(addressesGiven), low: 1)
        case .behind(let nat):
            nats[nat].hostsSeen += 1
            return IPAddress(v4: nats[nat].inside.address.v4 + UInt32(1 + nats[nat].hostsSeen))
        case .guarded(let firewall):
            firewalls[firewall].hostsSeen += 1
            let first = firewalls[firewall].inside.address
            let number = UInt64(firewalls[firewall].hostsSeen)
            return isIPv4
                ? IPAddress(v4: first.v4 + UInt32(number)) : IPAddress(v6High: first.high, low: number)
        }
    }

    /// Takes a host from its place and puts it into another.
    func replug(_ host: SimulatedHost, _ placement: Placement) {
        unplug(host, host.interfaces[0])
        host.interfaces[0] = SimulatedInterface(placement, freeAddress(at: placement, isIPv4: true))
        plugIn(host, host.interfaces[0])
    }

    func plugIn(_ host: SimulatedHost, _ interface: SimulatedInterface) {
        switch interface.placement {
        case .open, .guarded: hostsByAddress[interface.address] = host.index
        case .behind(let nat): hostsBehind[nat].append(host)
        case .blocked: break
        }
    }

    func unplug(_ host: SimulatedHost, _ interface: SimulatedInterface) {
        switch interface.placement {
        case .open, .guarded: hostsByAddress[interface.address] = nil
        case .behind(let nat): hostsBehind[nat].removeAll { $0 === host }
        case .blocked: break
        }
    }

    private func add(
        _ identity: Identity, _ interface: SimulatedInterface, isRoot: Bool, _ ports: [UInt16], _ link: LinkModel,
        _ binding: Binding
    ) -> SimulatedHost {
        let host = SimulatedHost(
            index: hosts.count, identity: identity, interface: interface, isRoot: isRoot, binding: binding,
            ports: ports, link: link, random: random.fork())
        hosts.append(host)
        plugIn(host, interface)
        return host
    }

    /// A translator loses its mappings; with `newAddress` it also gets another address from its provider.
    package func restartNAT(_ index: Int, newAddress: Bool = false) {
        note("translator \(index) restarts\(newAddress ? " with another address" : "")")
        if newAddress { lastAddressChange = time }
        natsByAddress[nats[index].address] = nil
        nats[index].restart(address: newAddress ? IPAddress(v4: nats[index].address.v4 + 1) : nil)
        natsByAddress[nats[index].address] = index
    }

    // MARK: The way of a datagram

    /// From a host's socket to the end of its line.
    func leave(_ datagram: Datagram, from interface: Int, timeToLive: UInt8, _ host: SimulatedHost) {
        var datagram = datagram
        switch host.interfaces[interface].placement {
        case .blocked: return noteLoss(datagram, "its host is cut off")
        case .open: break
        case .guarded(let firewall):
            if firewalls[firewall].inside.contains(datagram.destination.address) {
                if let index = hostsByAddress[datagram.destination.address] {
                    schedule(.arrival(host: index, datagram), at: time + Simulation.localLatency)
                }
                return
            }
            firewalls[firewall].noteOut(from: datagram.source, to: datagram.destination, time)
        case .behind(let nat):
            if nats[nat].inside.contains(datagram.destination.address) {
                sendLocally(datagram, host, nat: nat)
                return
            }
            datagram.source = nats[nat].translateOut(
                from: datagram.source, to: datagram.destination, time, using: &networkRandom)
            if datagram.destination.address == nats[nat].address {
                guard nats[nat].model.hairpins else {
                    return noteLoss(datagram, "translator \(nat) turns nothing back")
                }
                enter(datagram, nat: nat, hasLine: false)
                return
            }
        }
        // A datagram that only opens the translator dies at the provider.
        if timeToLive != 0, timeToLive <= 2 { return noteLoss(datagram, "it was to open the way only") }
        // Private addresses are routed nowhere.
        guard hostsByAddress[datagram.destination.address] != nil || natsByAddress[datagram.destination.address] != nil
        else { return noteLoss(datagram, "nobody has the address \(datagram.destination.address)") }
        let arrivals = host.uplink.arrivals(datagram.bytes.count, at: time, using: &networkRandom)
        if arrivals.first == nil { noteLoss(datagram, "on the line of \(host.name)") }
        if let first = arrivals.first { schedule(.internet(datagram), at: first) }
        if let second = arrivals.second { schedule(.internet(datagram), at: second) }
    }

    private func sendLocally(_ datagram: Datagram, _ host: SimulatedHost, nat: Int) {
        let destination = datagram.destination.address
        guard host.interface(at: destination) != nil || !nats[nat].model.isolatesHosts,
            let other = hostsBehind[nat].first(where: { $0.interface(at: destination) != nil })
        else { return noteLoss(datagram, "nobody behind translator \(nat) takes it") }
        schedule(.arrival(host: other.index, datagram), at: time + Simulation.localLatency)
    }

    /// A datagram at the place to which its destination address is routed.
    func crossInternet(_ datagram: Datagram) {
        adversary?.record(datagram)
        if let index = hostsByAddress[datagram.destination.address] {
            let host = hosts[index]
            if let interface = host.interface(at: datagram.destination.address),
                case .guarded(let firewall) = host.interfaces[interface].placement,
                !firewalls[firewall].admits(from: datagram.source, to: datagram.destination, time)
            {
                return noteLoss(datagram, "firewall \(firewall) lets nothing in from \(datagram.source)")
            }
            descend(datagram, to: hosts[index])
        } else if let nat = natsByAddress[datagram.destination.address] {
            enter(datagram, nat: nat, hasLine: true)
        }
    }

    private func enter(_ datagram: Datagram, nat: Int, hasLine: Bool) {
        guard
            let inside = nats[nat].translateIn(from: datagram.source, toPort: datagram.destination.port, time),
            let host = hostsBehind[nat].first(where: { $0.interface(at: inside.address) != nil })
        else { return noteLoss(datagram, "translator \(nat) lets nothing in from \(datagram.source)") }
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
        if arrivals.first == nil { noteLoss(datagram, "on the line of \(host.name)") }
        if let first = arrivals.first { schedule(.arrival(host: host.index, datagram), at: first) }
        if let second = arrivals.second { schedule(.arrival(host: host.index, datagram), at: second) }
    }
}
