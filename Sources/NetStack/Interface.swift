// One joined network as the stack sees it: addresses, groups, sizes.
// Read first: RFC 4291 2.8 (groups of a host), RFC 4862 5 (tentative addresses), RFC 5227 (announcements).

import NetPrimitives

/// An address of an interface, and how far the claim to it has come.
struct InterfaceAddress: Sendable {
    enum State: Sendable, Equatable {
        /// Usable, while solicitations or probes are still out (RFC 4429).
        case optimistic(remaining: Int)
        /// Ours.
        case preferred
        /// Somebody else's: not used, until it is asked for again.
        case duplicate
        /// Asked for again, and not used meanwhile.
        case rechecked(remaining: Int)
    }

    let prefix: IPPrefix
    var state: State
    /// Announcements that are due (IPv4).
    var announcements = 0
    /// The nonce of the last solicitation for our own address. A reflected copy carries it (RFC 7527).
    var nonce: UInt64 = 0
    var lastDefence: MonotonicInstant?
    /// How often in a row somebody else claimed it.
    var losses = 0
    /// Fires the next solicitation, probe or announcement.
    let timer: TimerID

    var address: IPAddress { prefix.address }
    var isUsable: Bool {
        switch state {
        case .optimistic, .preferred: true
        case .duplicate, .rechecked: false
        }
    }
}

/// A group whose frames an interface takes, and how many want it.
struct JoinedGroup: Sendable {
    let group: LinkGroup
    /// The IP group; nil for the ARP group of an IPv4 address.
    let address: IPAddress?
    var uses: Int
}

/// What an interface knows about itself.
struct Interface: Sendable {
    let mac: MACAddress
    var configuration: InterfaceConfiguration
    let isLoopback: Bool
    var addresses: [InterfaceAddress] = []
    var groups: [JoinedGroup] = []
    /// Router solicitations that are still to be sent, and their timer.
    var routerSolicitations = 0
    let timer: TimerID

    init(mac: MACAddress, configuration: InterfaceConfiguration, isLoopback: Bool, timer: TimerID) {
        self.mac = mac
        self.configuration = configuration
        self.isLoopback = isLoopback
        self.timer = timer
    }

    var mtu: Int { configuration.mtu }

    /// Whether a unicast address is this interface's and may be used.
    @inline(__always)
    func owns(_ address: IPAddress) -> Bool {
        for entry in addresses where entry.prefix.address == address { return entry.isUsable }
        return isLoopback && address.isLoopback
    }

    /// Where in `addresses` an address stands.
    func index(of address: IPAddress) -> Int? { addresses.firstIndex { $0.prefix.address == address } }

    /// Whether the address is the broadcast address of one of this interface's IPv4 networks.
    func isDirectedBroadcast(_ address: IPAddress) -> Bool {
        guard address.isIPv4 else { return false }
        for entry in addresses where entry.prefix.address.isIPv4 && entry.prefix.length < 31 {
            let hostBits = UInt32.max >> UInt32(entry.prefix.length)
            if entry.prefix.contains(address), address.v4 & hostBits == hostBits { return true }
        }
        return false
    }

    /// Whether frames to a group MAC are wanted.
    func wants(_ mac: MACAddress) -> Bool {
        if mac.isBroadcast { return true }
        for entry in groups where entry.group.mac == mac { return true }
        return false
    }

    /// Whether the IP group was joined.
    func hasJoined(_ address: IPAddress) -> Bool {
        for entry in groups where entry.address == address { return true }
        return false
    }

    /// Adds a use of a group; true if it is the first.
    mutating func join(_ group: LinkGroup, address: IPAddress?) -> Bool {
        if let index = groups.firstIndex(where: { $0.group == group && $0.address == address }) {
            groups[index].uses += 1
            return false
        }
        let isFirst = !groups.contains { $0.group == group }
        groups.append(JoinedGroup(group: group, address: address, uses: 1))
        return isFirst
    }

    /// Takes a use of a group away; true if it was the last of the link-layer group.
    mutating func leave(_ group: LinkGroup, address: IPAddress?) -> Bool {
        guard let index = groups.firstIndex(where: { $0.group == group && $0.address == address }) else { return false }
        groups[index].uses -= 1
        guard groups[index].uses == 0 else { return false }
        groups.remove(at: index)
        return !groups.contains { $0.group == group }
    }
}
