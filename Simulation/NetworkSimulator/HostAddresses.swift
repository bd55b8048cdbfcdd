//  The addresses of a host: which of them a datagram leaves from, at which of them one arrived, and how they come and go.
//
//  A host has a socket for each of its addresses and ports, or, as nodes have by default, one for all addresses (decision 9).
//  Then the address at which something arrived has a number, and what goes by no path in particular leaves from the address that
//  the host's routes choose, which is often another one than was asked.

package import NetPrimitives
import ZeroTierNode

/// One address of a host and where it is plugged in.
package struct SimulatedInterface: Sendable {
    package internal(set) var placement: Placement
    package internal(set) var address: IPAddress
    /// Whether anything leaves from it or arrives there.
    package internal(set) var isUp = true

    init(_ placement: Placement, _ address: IPAddress) {
        self.placement = placement
        self.address = address
    }
}

/// How a host's node is bound to its addresses.
package enum Binding: Sendable, Hashable {
    /// A socket for each address and port.
    case eachAddress
    /// One socket for all addresses.
    case everyAddress
}

extension SimulatedHost {
    /// The first number of an address, beyond those of sockets.
    private static let firstNumber: Int32 = 1024

    /// Where its first address is.
    package internal(set) var placement: Placement {
        get { interfaces[0].placement }
        set { interfaces[0].placement = newValue }
    }

    /// Its first address.
    var address: IPAddress { interfaces[0].address }

    /// The interface with an address.
    func interface(at address: IPAddress) -> Int? { interfaces.firstIndex { $0.address == address } }

    /// What peers are told.
    var localEndpoints: [SocketEndpoint] {
        interfaces.filter { $0.isUp || binding == .eachAddress }.flatMap { interface in
            ports.map { SocketEndpoint(interface.address, port: $0) }
        }
    }

    /// Sockets by which something without a path leaves, at most.
    var socketCount: Int { binding == .eachAddress ? interfaces.count * ports.count : 2 }

    /// `PhysicalPath.localSocket` of what arrives at one of its addresses and ports.
    func localSocket(interface: Int, port: Int) -> Int32 {
        if binding == .eachAddress { return Int32(interface * ports.count + port) }
        let address = interfaces[interface].address
        if let index = numberedAddresses.firstIndex(of: address) { return SimulatedHost.firstNumber + Int32(index) }
        numberedAddresses.append(address)
        return SimulatedHost.firstNumber + Int32(numberedAddresses.count - 1)
    }

    /// Numbers of addresses that the host no longer has.
    var goneNumbers: [Int32] {
        numberedAddresses.indices.filter { index in
            !interfaces.contains { $0.isUp && $0.address == numberedAddresses[index] }
        }.map { SimulatedHost.firstNumber + Int32($0) }
    }

    /// The address with a number.
    func address(numbered number: Int32) -> IPAddress? {
        let index = Int(number - SimulatedHost.firstNumber)
        return numberedAddresses.indices.contains(index) ? numberedAddresses[index] : nil
    }
}

extension Simulation {
    /// The interface by which a host's routes lead to an address: the one in the same local network, else the first of the family.
    func route(of host: SimulatedHost, to destination: IPAddress) -> Int? {
        var chosen: Int?
        for (index, interface) in host.interfaces.enumerated()
        where interface.isUp && interface.address.isIPv4 == destination.isIPv4 {
            if isLocal(destination, to: interface.placement) { return index }
            chosen = chosen ?? index
        }
        return chosen
    }

    /// Whether an address is in the local network of a place.
    func isLocal(_ address: IPAddress, to placement: Placement) -> Bool {
        switch placement {
        case .open, .blocked: false
        case .behind(let nat): nats[nat].inside.contains(address)
        case .guarded(let firewall): firewalls[firewall].inside.contains(address)
        }
    }

    /// Calls `body` with each interface and port by which a datagram leaves.
    func forEachWayOut(_ path: PhysicalPath, of host: SimulatedHost, _ body: (_ interface: Int, _ port: UInt16) -> Void)
    {
        let isIPv4 = path.remote.address.isIPv4
        switch host.binding {
        case .eachAddress:
            for (index, interface) in host.interfaces.enumerated()
            where interface.isUp && interface.address.isIPv4 == isIPv4 {
                for (position, port) in host.ports.enumerated()
                where path.localSocket == PhysicalPath.anySocket
                    || path.localSocket == Int32(index * host.ports.count + position)
                {
                    body(index, port)
                }
            }
        case .everyAddress:
            var chosen: Int?
            if path.localSocket != PhysicalPath.anySocket {
                guard let address = host.address(numbered: path.localSocket), address.isIPv4 == isIPv4 else { return }
                chosen = host.interfaces.firstIndex { $0.isUp && $0.address == address }
            }
            // An address that has just gone leaves the choice to the kernel, as no address at all does.
            if let way = chosen ?? route(of: host, to: path.remote.address) { body(way, host.ports[0]) }
        }
    }

    // MARK: Coming and going

    /// Adds an address to a host that does not run yet, before or behind those that it has.
    package func addAddress(to host: SimulatedHost, at placement: Placement, isIPv4: Bool, isFirst: Bool = false) {
        let interface = SimulatedInterface(placement, freeAddress(at: placement, isIPv4: isIPv4))
        host.interfaces.insert(interface, at: isFirst ? 0 : host.interfaces.count)
        plugIn(host, interface)
    }

    /// An interface of a host goes down, or comes up again.
    package func setInterface(_ index: Int, of host: SimulatedHost, isUp: Bool) {
        guard host.interfaces[index].isUp != isUp else { return }
        host.interfaces[index].isUp = isUp
        note("\(host.name): \(host.interfaces[index].address) is \(isUp ? "up" : "down")")
        noticeAddresses(host)
    }

    /// An interface of a host gets another address in the same place.
    package func replaceAddress(_ index: Int, of host: SimulatedHost) {
        let before = host.interfaces[index]
        unplug(host, before)
        host.interfaces[index].address = freeAddress(at: before.placement, isIPv4: before.address.isIPv4)
        plugIn(host, host.interfaces[index])
        note("\(host.name): \(before.address) becomes \(host.interfaces[index].address)")
        noticeAddresses(host)
    }

    // The kernel says so a little later. A node with a socket for each address was given those and looks for no others.
    private func noticeAddresses(_ host: SimulatedHost) {
        guard host.binding == .everyAddress else { return }
        after(.milliseconds(1 + networkRandom.next(below: 100))) { $0.tellAddresses(host, gone: host.goneNumbers) }
    }

    /// Tells a host's node what addresses there are.
    func tellAddresses(_ host: SimulatedHost, gone: [Int32]) {
        guard host.isRunning else { return }
        host.node.setLocalNetwork(host.localEndpoints, gone: gone, now: host.clock(time))
        drain(host)
    }
}
