//  A network joined to the stack: which interface stands for which network, and what a configuration changes there.

package import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierPeers
import ZeroTierWire

/// One joined network's interface. Looked up for every frame: it holds nothing that is counted by references.
struct VirtualInterface: Sendable {
    let network: SlotID
    let networkID: NetworkID
    let interface: InterfaceID
    let mac: MACAddress
}

/// An interface with what the configuration put there; addresses that the application added are not touched.
struct ConfiguredInterface: Sendable {
    let entry: VirtualInterface
    var addresses: [IPPrefix] = []
    var routes: [NetworkRoute] = []
}

/// All joined networks' interfaces, found from either side without hashing: both IDs carry small dense numbers.
struct VirtualInterfaces: Sendable {
    private var byNetwork: [VirtualInterface?] = []
    // In the same places.
    private var configured: [ConfiguredInterface?] = []
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
    var all: [ConfiguredInterface] { configured.compactMap { $0 } }

    /// The interface of a network's slot, with its configuration.
    func configuration(of network: SlotID) -> ConfiguredInterface? {
        of(network: network) == nil ? nil : configured[Int(network.index)]
    }

    mutating func set(_ interface: ConfiguredInterface) {
        let entry = interface.entry
        let place = Int(entry.network.index)
        let index = Int(entry.interface.slot.index)
        while byNetwork.count <= place {
            byNetwork.append(nil)
            configured.append(nil)
        }
        while networkOfInterface.count <= index { networkOfInterface.append(nil) }
        byNetwork[place] = entry
        configured[place] = interface
        networkOfInterface[index] = place
    }

    mutating func remove(_ entry: VirtualInterface) {
        byNetwork[Int(entry.network.index)] = nil
        configured[Int(entry.network.index)] = nil
        networkOfInterface[Int(entry.interface.slot.index)] = nil
    }
}

extension Node {
    /// Brings the stack in line with a network's configuration: interface, MTU, addresses, routes.
    mutating func applyConfiguration(of network: SlotID, now: Now) {
        guard let snapshot = ethernet.snapshot(of: network) else { return }
        var current: ConfiguredInterface
        var isAdopted = false
        if let existing = interfaces.configuration(of: network) {
            current = existing
            stack.setMTU(evenMTU(snapshot.mtu), of: existing.entry.interface, now: now)
        } else if let adopted = adoptInterface(network, snapshot, now) {
            current = adopted
            isAdopted = true
        } else {
            var settings = InterfaceConfiguration(mtu: evenMTU(snapshot.mtu))
            settings.judgesReassembled = true
            settings.pieceLength = ProtocolLimits.physicalMTU - FragmentHeader.size
            guard let interface = stack.addInterface(mac: snapshot.mac, configuration: settings, now: now) else {
                ethernet.setPortError(true, network: network)
                return
            }
            current = ConfiguredInterface(
                entry: VirtualInterface(
                    network: network, networkID: snapshot.id, interface: interface, mac: snapshot.mac))
        }
        let interface = current.entry.interface
        let allowed = inForce(snapshot)
        let addresses = allowed.addresses
        for old in current.addresses where !addresses.contains(old) {
            stack.removeAddress(old.address, from: interface, now: now)
        }
        for new in addresses where !current.addresses.contains(new) {
            _ = stack.addAddress(new, to: interface, isAssigned: true, now: now)
        }
        if allowed.routes != current.routes {
            stack.removeRoutes(on: interface)
            for route in allowed.routes {
                _ = stack.addRoute(
                    StackRoute(route.target, interface: interface, gateway: route.via, metric: Int(route.metric)))
            }
        }
        // What an interface has from an earlier node was told by that one.
        tell(snapshot.id, from: isAdopted ? nil : current, to: allowed)
        current.addresses = addresses
        current.routes = allowed.routes
        interfaces.set(current)
        noteInterfaces()
    }

    // Each address and route that came or went, those that went first.
    private mutating func tell(_ network: NetworkID, from old: ConfiguredInterface?, to new: NetworkSnapshot) {
        let (addresses, routes) = (old?.addresses ?? [], old?.routes ?? [])
        for address in addresses where !new.addresses.contains(address) {
            emit(.address(network, address, isAdded: false))
        }
        for address in new.addresses where !addresses.contains(address) {
            emit(.address(network, address, isAdded: true))
        }
        for route in routes where !new.routes.contains(route) { emit(.route(network, route, isAdded: false)) }
        for route in new.routes where !routes.contains(route) { emit(.route(network, route, isAdded: true)) }
    }

    /// A network as far as its settings let its controller have its way.
    func inForce(_ snapshot: NetworkSnapshot) -> NetworkSnapshot {
        let settings = settings(of: snapshot.id)
        // An ad-hoc network has no controller: its addresses follow from the ID that the owner chose.
        if snapshot.id.isAdHoc, settings.allowsManaged { return snapshot }
        var result = snapshot
        result.addresses.removeAll { !settings.allows($0) }
        result.routes.removeAll { !settings.allows($0.target) || leadsAway($0.target, from: snapshot.slot, settings) }
        result.routes.removeAll { !hasWay($0, result.addresses) }
        if !settings.allowsDNS { result.dns = NetworkDNS() }
        return result
    }

    // Whether a route by a gateway leads anywhere from here: not if we are the gateway, nor if we have no address of its family for
    // it to answer to.
    private func hasWay(_ route: NetworkRoute, _ addresses: [IPPrefix]) -> Bool {
        guard let gateway = route.via else { return true }
        return addresses.contains { $0.address.isIPv4 == gateway.isIPv4 }
            && !addresses.contains { $0.address == gateway }
    }

    // Whether a route would take a part of another network's addresses: its controller has no say about them, unless this
    // network's settings name the range.
    private func leadsAway(_ target: IPPrefix, from network: SlotID, _ settings: NetworkSettings) -> Bool {
        guard !settings.names(target) else { return false }
        return interfaces.all.contains { other in
            other.entry.network != network
                && other.addresses.contains {
                    $0.length > 0 && $0.length < target.length && $0.contains(target.address)
                }
        }
    }

    // The interface that the network had in an earlier node, if it is still the same one.
    private mutating func adoptInterface(
        _ network: SlotID, _ snapshot: NetworkSnapshot, _ now: Now
    ) -> ConfiguredInterface? {
        guard let index = keptInterfaces.firstIndex(where: { $0.entry.networkID == snapshot.id }) else { return nil }
        let former = keptInterfaces.remove(at: index)
        let kept = former.entry
        guard kept.mac == snapshot.mac else {
            stack.removeInterface(kept.interface, now: now)
            return nil
        }
        stack.setMTU(evenMTU(snapshot.mtu), of: kept.interface, now: now)
        // The new Ethernet layer has heard of no group yet.
        _ = ethernet.subscribe(
            network: network,
            to: stack.groups(of: kept.interface).map {
                ZeroTierWire.MulticastGroup(mac: $0.mac, distinguisher: $0.distinguisher)
            }, now: now)
        return ConfiguredInterface(
            entry: VirtualInterface(
                network: network, networkID: kept.networkID, interface: kept.interface, mac: kept.mac),
            addresses: former.addresses, routes: former.routes)
    }

    /// Takes away the interface that a network had in an earlier node, when it is left before it has been admitted again.
    mutating func removeKeptInterface(of network: NetworkID, now: Now) {
        guard let index = keptInterfaces.firstIndex(where: { $0.entry.networkID == network }) else { return }
        stack.removeInterface(keptInterfaces.remove(at: index).entry.interface, now: now)
    }

    /// Takes a left network's interface away; its connections end.
    mutating func removeInterface(of entry: VirtualInterface, now: Now) {
        stack.removeInterface(entry.interface, now: now)
        interfaces.remove(entry)
        noteInterfaces()
    }

    /// The MTU that the stack is given for a network's: a few bytes less where its largest frames would be cut into datagrams that
    /// differ in length.
    package func evenMTU(_ mtu: Int) -> Int {
        let overhead = PacketHeader.payloadOffset + Frame.headerLength
        return peers.evenPacketLength(upTo: overhead + min(mtu, NodeLimits.maximumMTU)) - overhead
    }

    // No path may lead into a virtual network: that would be a tunnel inside itself. And room in the slab is counted in
    // frames of the largest MTU.
    private mutating func noteInterfaces() {
        let mtu = interfaces.all.reduce(ProtocolLimits.virtualMTU) { max($0, stack.mtu(of: $1.entry.interface) ?? 0) }
        largestFrameBytes = peers.batchBytes(forPacketOf: NodeLimits.frameOverhead + mtu)
        peers.setForbiddenPrefixes(forbiddenPrefixes)
    }

    /// Where no path may lead and no local address may lie.
    package var forbiddenPrefixes: [IPPrefix] {
        interfaces.all.flatMap { $0.addresses.map(\.network).filter(NodeLimits.mayForbidPaths) }
    }
}
