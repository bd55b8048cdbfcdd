// Interfaces, addresses, groups and routes: what the owner configures.

package import NetPrimitives

extension NetworkStack {
    // MARK: Interfaces

    /// Adds an interface for a network; nil when the bound on interfaces is reached. It joins the all-nodes groups and,
    /// as configured, makes its link-local address.
    package mutating func addInterface(
        mac: MACAddress, configuration settings: InterfaceConfiguration, now: Now
    ) -> InterfaceID? {
        guard interfaces.count < configuration.limits.interfaces else { return nil }
        var settings = settings
        settings.mtu = min(max(settings.mtu, StackConstants.minimumMTU4), StackConstants.maximumMTU)
        let timer = timers.reserve()
        let id = InterfaceID(
            interfaces.insert(Interface(mac: mac, configuration: settings, isLoopback: false, timer: timer)))
        // The timer's owner is known only now.
        timers.setOwner(timer, .interface(id))
        joinGroup(LinkGroup(IPAddress.allNodes.multicastMAC), address: .allNodes, on: id)
        if settings.makesLinkLocalAddress {
            _ = addAddress(IPPrefix(.linkLocal(mac), length: 64), to: id, now: now)
        }
        if settings.acceptsRouterAdvertisements {
            interfaces[id.slot].routerSolicitations = StackConstants.routerSolicitations
            timers.set(timer, now.monotonic + .milliseconds(random.next(below: 1_000)))
        }
        return id
    }

    /// Removes an interface with everything on it. Its connections end with `networkDown`.
    package mutating func removeInterface(_ id: InterfaceID, now: Now) {
        guard id != loopback, interfaces.contains(id.slot) else { return }
        for address in interfaces[id.slot].addresses.map(\.address) { removeAddress(address, from: id, now: now) }
        failSockets(on: id, now: now)
        while let group = interfaces[id.slot].groups.first {
            for _ in 0..<group.uses { leaveGroup(group.group, address: group.address, on: id) }
        }
        for slot in neighbours.entries.ids where neighbours.entries[slot].key.interface == id {
            removeNeighbour(slot)
        }
        reassembly.removeAll(on: id)
        routes.remove { $0.interface == id }
        timers.remove(interfaces[id.slot].timer)
        _ = interfaces.remove(id.slot)
        routeGeneration += 1
    }

    /// Changes an interface's MTU, live: connections follow.
    package mutating func setMTU(_ mtu: Int, of id: InterfaceID, now: Now) {
        guard id != loopback, interfaces.contains(id.slot) else { return }
        let mtu = min(max(mtu, StackConstants.minimumMTU4), StackConstants.maximumMTU)
        guard interfaces[id.slot].configuration.mtu != mtu else { return }
        interfaces[id.slot].configuration.mtu = mtu
        routeGeneration += 1
        for slot in streams.ids where streams[slot].route.interface == id {
            let size = max(1, mtu - streams[slot].headerLength - 20)
            streams[slot].connection.limitSegmentSize(to: size, sequence: nil, now: now)
        }
    }

    /// The largest Ethernet payload of an interface; nil if it is gone.
    package func mtu(of id: InterfaceID) -> Int? {
        interfaces.contains(id.slot) ? interfaces[id.slot].mtu : nil
    }

    /// The MAC address of an interface; nil if it is gone.
    package func mac(of id: InterfaceID) -> MACAddress? {
        interfaces.contains(id.slot) ? interfaces[id.slot].mac : nil
    }

    // MARK: Addresses

    /// The addresses of an interface that may be used, in the order they were added.
    package func addresses(of id: InterfaceID) -> [IPPrefix] {
        guard interfaces.contains(id.slot) else { return [] }
        return interfaces[id.slot].addresses.filter(\.isUsable).map(\.prefix)
    }

    /// Adds an address with the length of its on-link prefix. It can be used at once, while its claim is announced and
    /// checked. False if the address cannot be one of a host, exists already or is one too many. `isAssigned`: the network's
    /// controller says that it is ours alone. Then it is used without asking around, and no claim takes it away.
    package mutating func addAddress(
        _ prefix: IPPrefix, to id: InterfaceID, isAssigned: Bool = false, now: Now
    ) -> Bool {
        let address = prefix.address
        guard interfaces.contains(id.slot), id != loopback, !address.isUnspecified, !address.isMulticast,
            !address.isLoopback, !address.isLimitedBroadcast,
            interfaces[id.slot].index(of: address) == nil,
            interfaces[id.slot].addresses.count < configuration.limits.addressesPerInterface
        else { return false }
        let transmits =
            isAssigned
            ? 0 : address.isIPv4 ? configuration.addressConflictProbes : configuration.duplicateAddressTransmits
        let timer = timers.add(.address(id, address))
        var entry = InterfaceAddress(
            prefix: prefix, state: transmits > 0 ? .optimistic(remaining: transmits) : .preferred, timer: timer)
        entry.nonce = random.nextUInt64() & 0xffff_ffff_ffff
        entry.announcements =
            address.isIPv4 ? configuration.addressAnnouncements : configuration.unsolicitedAdvertisements
        interfaces[id.slot].addresses.append(entry)
        routeGeneration += 1
        if address.isIPv4 {
            joinGroup(LinkGroup(.broadcast, distinguisher: address.v4), address: nil, on: id)
            joinGroup(LinkGroup(IPAddress.allHosts.multicastMAC), address: .allHosts, on: id)
        } else {
            joinGroup(LinkGroup(address.solicitedNode.multicastMAC), address: address.solicitedNode, on: id)
        }
        if transmits == 0 { events.append(.addressReady(id, address)) }
        fireAddress(id, address, now)
        return true
    }

    /// Removes an address; sockets that use it end with `networkDown`.
    package mutating func removeAddress(_ address: IPAddress, from id: InterfaceID, now: Now) {
        guard interfaces.contains(id.slot), let index = interfaces[id.slot].index(of: address) else { return }
        let entry = interfaces[id.slot].addresses.remove(at: index)
        timers.remove(entry.timer)
        routeGeneration += 1
        if address.isIPv4 {
            leaveGroup(LinkGroup(.broadcast, distinguisher: address.v4), address: nil, on: id)
            leaveGroup(LinkGroup(IPAddress.allHosts.multicastMAC), address: .allHosts, on: id)
        } else {
            leaveGroup(LinkGroup(address.solicitedNode.multicastMAC), address: address.solicitedNode, on: id)
        }
        failSockets(of: address, now: now)
    }

    /// Whether an address is one of this stack's, on any interface.
    func isOwn(_ address: IPAddress) -> Bool {
        if address.isLoopback { return true }
        var isOwn = false
        interfaces.forEachID { if interfaces[$0].owns(address) { isOwn = true } }
        return isOwn
    }

    // MARK: Groups

    mutating func joinGroup(_ group: LinkGroup, address: IPAddress?, on id: InterfaceID) {
        if interfaces[id.slot].join(group, address: address), id != loopback {
            groupChanges.append(GroupChange(id, group, isJoined: true))
        }
    }

    mutating func leaveGroup(_ group: LinkGroup, address: IPAddress?, on id: InterfaceID) {
        if interfaces[id.slot].leave(group, address: address), id != loopback {
            groupChanges.append(GroupChange(id, group, isJoined: false))
        }
    }

    /// The groups that an interface wants frames for, in order.
    package func groups(of id: InterfaceID) -> [LinkGroup] {
        guard interfaces.contains(id.slot) else { return [] }
        var result: [LinkGroup] = []
        for entry in interfaces[id.slot].groups where !result.contains(entry.group) { result.append(entry.group) }
        return result.sorted()
    }

    // MARK: Routes

    /// Adds a managed route; false if the interface is gone, the gateway's family is another or the bound is reached.
    package mutating func addRoute(_ route: StackRoute) -> Bool {
        guard interfaces.contains(route.interface.slot), routes.count < configuration.limits.routes,
            route.gateway.map({ $0.isIPv4 == route.prefix.address.isIPv4 }) ?? true
        else { return false }
        routes.insert(route)
        routeGeneration += 1
        return true
    }

    /// Removes the managed routes of an interface that match a prefix, or all of them.
    package mutating func removeRoutes(on id: InterfaceID, prefix: IPPrefix? = nil) {
        routes.remove { $0.interface == id && (prefix == nil || $0.prefix == prefix?.network) }
        routeGeneration += 1
    }

    /// All routes, best first.
    package var allRoutes: [StackRoute] { routes.routes }

    mutating func expireLearnedRoutes(_ now: Now) {
        if routes.expire(now.monotonic) { routeGeneration += 1 }
        timers.set(learnedRouteTimer, routes.nextExpiry)
    }
}
