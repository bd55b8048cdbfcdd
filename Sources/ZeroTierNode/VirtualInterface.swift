//  A network joined to the stack: which interface stands for which network, and what a configuration changes there.

package import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierPeers
import ZeroTierWire

/// One joined network's interface.
struct VirtualInterface: Sendable {
    let network: SlotID
    let networkID: NetworkID
    let interface: InterfaceID
    let mac: MACAddress
    /// What the configuration put there; addresses that the application added are not touched.
    var addresses: [IPPrefix] = []
    var routes: [StackRoute] = []
}

/// All joined networks' interfaces, found from either side without hashing: both IDs carry small dense numbers.
struct VirtualInterfaces: Sendable {
    private var byNetwork: [VirtualInterface?] = []
    private var networkOfInterface: [Int?] = []

    /// The interface of a network's slot.
    @inline(__always)
    func of(network: SlotID) -> VirtualInterface? {
        let index = Int(network.index)
        guard index < byNetwork.count, let found = byNetwork[index], found.network == network else { return nil }
        return found
    }

    /// The network of an interface.
    @inline(__always)
    func of(interface: InterfaceID) -> VirtualInterface? {
        let index = Int(interface.slot.index)
        guard index < networkOfInterface.count, let place = networkOfInterface[index],
            let found = byNetwork[place], found.interface == interface
        else { return nil }
        return found
    }

    /// Every interface, in slot order.
    var all: [VirtualInterface] { byNetwork.compactMap { $0 } }

    mutating func set(_ entry: VirtualInterface) {
        let place = Int(entry.network.index)
        let index = Int(entry.interface.slot.index)
        while byNetwork.count <= place { byNetwork.append(nil) }
        while networkOfInterface.count <= index { networkOfInterface.append(nil) }
        byNetwork[place] = entry
        networkOfInterface[index] = place
    }

    mutating func remove(_ entry: VirtualInterface) {
        byNetwork[Int(entry.network.index)] = nil
        networkOfInterface[Int(entry.interface.slot.index)] = nil
    }
}

extension Node {
    /// Brings the stack in line with a network's configuration: interface, MTU, addresses, routes.
    mutating func applyConfiguration(of network: SlotID, now: Now) {
        guard let snapshot = ethernet.snapshot(of: network) else { return }
        var entry: VirtualInterface
        if let existing = interfaces.of(network: network) {
            entry = existing
            stack.setMTU(min(snapshot.mtu, NodeLimits.maximumMTU), of: entry.interface, now: now)
        } else if let adopted = adoptInterface(network, snapshot, now) {
            entry = adopted
        } else {
            guard
                let interface = stack.addInterface(
                    mac: snapshot.mac,
                    configuration: InterfaceConfiguration(mtu: min(snapshot.mtu, NodeLimits.maximumMTU)), now: now)
            else {
                ethernet.setPortError(true, network: network)
                return
            }
            entry = VirtualInterface(
                network: network, networkID: snapshot.id, interface: interface, mac: snapshot.mac)
        }
        for old in entry.addresses where !snapshot.addresses.contains(old) {
            stack.removeAddress(old.address, from: entry.interface, now: now)
        }
        for new in snapshot.addresses where !entry.addresses.contains(new) {
            _ = stack.addAddress(new, to: entry.interface, isAssigned: true, now: now)
        }
        entry.addresses = snapshot.addresses
        let routes = snapshot.routes.map { route in
            StackRoute(
                route.target, interface: entry.interface, gateway: route.via, metric: Int(route.metric))
        }
        if routes != entry.routes {
            stack.removeRoutes(on: entry.interface)
            for route in routes { _ = stack.addRoute(route) }
            entry.routes = routes
        }
        interfaces.set(entry)
        noteInterfaces()
    }

    // The interface that the network had in an earlier node, if it is still the same one.
    private mutating func adoptInterface(
        _ network: SlotID, _ snapshot: NetworkSnapshot, _ now: Now
    ) -> VirtualInterface? {
        guard let index = keptInterfaces.firstIndex(where: { $0.networkID == snapshot.id }) else { return nil }
        let kept = keptInterfaces.remove(at: index)
        guard kept.mac == snapshot.mac else {
            stack.removeInterface(kept.interface, now: now)
            return nil
        }
        stack.setMTU(min(snapshot.mtu, NodeLimits.maximumMTU), of: kept.interface, now: now)
        // The new Ethernet layer has heard of no group yet.
        _ = ethernet.subscribe(
            network: network,
            to: stack.groups(of: kept.interface).map {
                ZeroTierWire.MulticastGroup(mac: $0.mac, distinguisher: $0.distinguisher)
            }, now: now)
        return VirtualInterface(
            network: network, networkID: kept.networkID, interface: kept.interface, mac: kept.mac,
            addresses: kept.addresses, routes: kept.routes)
    }

    /// Takes a left network's interface away; its connections end.
    mutating func removeInterface(of entry: VirtualInterface, now: Now) {
        stack.removeInterface(entry.interface, now: now)
        interfaces.remove(entry)
        noteInterfaces()
    }

    // No path may lead into a virtual network: that would be a tunnel inside itself. And room in the slab is counted in
    // frames of the largest MTU.
    private mutating func noteInterfaces() {
        let mtu = interfaces.all.reduce(ProtocolLimits.virtualMTU) { max($0, stack.mtu(of: $1.interface) ?? 0) }
        largestFrameBytes = peers.batchBytes(forPacketOf: NodeLimits.frameOverhead + mtu)
        peers.setForbiddenPrefixes(forbiddenPrefixes)
    }

    /// Where no path may lead and no local address may lie.
    package var forbiddenPrefixes: [IPPrefix] {
        interfaces.all.flatMap { $0.addresses.map(\.network).filter(NodeLimits.mayForbidPaths) }
    }
}
