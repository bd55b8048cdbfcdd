// A network whose controller is this node, and its members, in the words of the public interface.

import NetPrimitives
import ZeroTierController
import ZeroTierWire

/// A network that this node controls, at one moment. `NetworkController.change` changes it.
public struct ControlledNetwork: Hashable, Sendable, Identifiable {
    /// A range of addresses that members get theirs from.
    public struct Pool: Hashable, Sendable {
        /// The first address.
        public var first: IPAddress
        /// The last address, of the same family and not before the first.
        public var last: IPAddress

        /// A range with both its ends.
        public init(_ first: IPAddress, _ last: IPAddress) {
            self.first = first
            self.last = last
        }
    }

    /// A text that lets its bearer in.
    public struct Token: Hashable, Sendable {
        /// 1 to 128 bytes.
        public var text: String
        /// Unix time in milliseconds from which on it lets nobody in; 0 for never.
        public var expires: UInt64

        /// A token.
        public init(_ text: String, expires: UInt64 = 0) {
            self.text = text
            self.expires = expires
        }
    }

    /// What an administrator says about a network. The defaults make a private network without addresses, on which everything
    /// is allowed.
    public struct Settings: Hashable, Sendable {
        /// The name that members see: at most 127 bytes.
        public var name = ""
        /// Whether members must be let in: by an administrator or a token.
        public var isPrivate = true
        /// Whether broadcasts reach all members.
        public var isBroadcastEnabled = true
        /// Copies of one multicast frame at most; 0 switches multicast off, and IPv4 with it.
        public var multicastLimit = 32
        /// The longest packet, 1280 to 10,000 bytes.
        public var mtu = 2800
        /// Whether members get an IPv4 address of the pools.
        public var assignsIPv4 = false
        /// Whether members get an IPv6 address of the pools.
        public var assignsIPv6 = false
        /// Whether members get the IPv6 address of the 6PLANE scheme, with a /80 of their own.
        public var assigns6PLANE = false
        /// Whether members get the IPv6 address of the RFC 4193 scheme.
        public var assignsRFC4193 = false
        /// Where addresses come from, in the order in which they are tried. Each must be inside a route.
        public var pools: [Pool] = []
        /// The network's routes: those without a gateway are on the network itself.
        public var routes: [NetworkStatus.Route] = []
        /// Name servers for members: at most 4.
        public var nameServers: [IPAddress] = []
        /// The domain that they know: at most 127 bytes.
        public var nameDomain = ""
        /// Texts that let their bearers in.
        public var tokens: [Token] = []
        /// What members may send and take, with the network's tags and capabilities.
        public var rules = NetworkRules()

        /// The defaults.
        public init() {}

        /// Gives members IPv4 or IPv6 addresses of a subnet: its route, a pool, and assignment from pools. The pool is of all its
        /// usable addresses, unless `ranges` says which ones; these join the pools if they are not there. Subnets longer than /30
        /// or /126 have too few addresses.
        public mutating func assign(_ subnet: IPPrefix, from ranges: [Pool] = []) {
            let network = subnet.network
            routes.removeAll { $0.target == network }
            routes.append(NetworkStatus.Route(target: network, via: nil))
            if network.address.isIPv4 { assignsIPv4 = true } else { assignsIPv6 = true }
            let wanted = ranges.isEmpty ? [Self.all(of: network)] : ranges
            for pool in wanted where !pools.contains(pool) { pools.append(pool) }
        }

        private static func all(of network: IPPrefix) -> Pool {
            let host = network.address.bitCount - network.length
            if network.address.isIPv4 {
                let span = host >= 32 ? UInt32.max : (UInt32(1) << UInt32(host)) - 1
                let start = network.address.v4
                return Pool(IPAddress(v4: start &+ 1), IPAddress(v4: start &+ max(span, 2) &- 1))
            }
            let low = host >= 64 ? UInt64.max : (UInt64(1) << UInt64(host)) - 1
            let high = host > 64 ? (host >= 128 ? UInt64.max : (UInt64(1) << UInt64(host - 64)) - 1) : 0
            let start = network.address
            return Pool(
                IPAddress(v6High: start.high, low: start.low | 1),
                IPAddress(v6High: start.high | high, low: start.low | low))
        }
    }

    /// The network's ID: this node's address and a number.
    public let id: NetworkID
    /// Unix time in milliseconds.
    public let creationTime: UInt64
    /// Counts the changes.
    public let revision: UInt64
    /// What its administrator says.
    public var settings: Settings
    /// What of it does not do what it seems to: at most 64.
    public let warnings: [ControllerWarning]
}

/// A member of a network that this node controls, at one moment. `NetworkController.change` changes it.
public struct NetworkMember: Hashable, Sendable, Identifiable {
    /// What let a member in.
    @nonexhaustive
    public enum Admission: Hashable, Sendable {
        /// Nothing yet.
        case none
        /// An administrator.
        case administrator
        /// The network was public.
        case publicNetwork
        /// A token.
        case token(String)
    }

    /// What an administrator says about a member.
    public struct Settings: Hashable, Sendable {
        /// Whether it is let in.
        public var isAuthorized = false
        /// Whether an administrator does not want it: no token lets it in then. A member that is let out is refused from then on,
        /// one that is let in no longer.
        public var isRefused = false
        /// Whether it may pass frames of other stations.
        public var isActiveBridge = false
        /// Whether it gets no address but its own `addresses`.
        public var takesNoAssignment = false
        /// Its addresses: those that an administrator gave it, and one of each family from the pools.
        public var addresses: [IPAddress] = []
        /// A name for administrators.
        public var name = ""
        /// Its tags, for the network's rules.
        public var tags: [UInt32: UInt32] = [:]
        /// IDs of the network's capabilities that it has.
        public var capabilities: [UInt32] = []
    }

    /// The member's address.
    public let id: NodeID
    /// The network.
    public let network: NetworkID
    /// Unix time in milliseconds.
    public let creationTime: UInt64
    /// Counts the changes.
    public let revision: UInt64
    /// What let it in last.
    public let admission: Admission
    /// Unix time in milliseconds of the last time that it was let in; 0 for never.
    public let lastAuthorizedTime: UInt64
    /// The same of being let out.
    public let lastDeauthorizedTime: UInt64
    /// The release that it told, such as `1.14.1`; nil if it never got a configuration.
    public let version: String?
    /// Whether its identity is known: nobody else can come under its address any more.
    public let isKnown: Bool
    /// Whether it asked within the last two minutes.
    public let isOnline: Bool
    /// What its administrator says.
    public var settings: Settings
    /// What of it does not do what it seems to, and whether it got no address because none was left.
    public let warnings: [ControllerWarning]
}

extension ControlledNetwork {
    /// As it is on disk; nil if there is none.
    init?(_ id: ZeroTierWire.NetworkID, _ engine: borrowing ControllerEngine, _ subnets: SubnetIndex) {
        guard let record = engine.network(id) else { return nil }
        self.init(record, engine.warnings(of: id, subnets))
    }

    init(_ record: NetworkRecord, _ warnings: [RecordWarning]) {
        id = NetworkID(record.id)
        creationTime = record.creationTime
        revision = record.revision
        settings = Settings(record)
        self.warnings = warnings.map(ControllerWarning.init)
    }
}

extension ControlledNetwork.Settings {
    init(_ record: NetworkRecord) {
        name = record.name
        isPrivate = record.isPrivate
        isBroadcastEnabled = record.isBroadcastEnabled
        multicastLimit = Int(record.multicastLimit)
        mtu = record.mtu
        assignsIPv4 = record.assignsIPv4
        assignsIPv6 = record.assignsIPv6
        assigns6PLANE = record.assigns6PLANE
        assignsRFC4193 = record.assignsRFC4193
        pools = record.pools.map(ControlledNetwork.Pool.init)
        routes = record.routes.map { NetworkStatus.Route($0) }
        nameServers = record.dns.servers
        nameDomain = record.dns.domain
        tokens = record.tokens.map { ControlledNetwork.Token($0.text, expires: $0.expires) }
        rules = NetworkRules(record)
    }

    // What is not said here stays as it is.
    func apply(to record: inout NetworkRecord) {
        record.name = name
        record.isPrivate = isPrivate
        record.isBroadcastEnabled = isBroadcastEnabled
        record.multicastLimit = UInt32(clamping: multicastLimit)
        record.mtu = mtu
        record.assignsIPv4 = assignsIPv4
        record.assignsIPv6 = assignsIPv6
        record.assigns6PLANE = assigns6PLANE
        record.assignsRFC4193 = assignsRFC4193
        record.pools = pools.map { AddressPool(first: $0.first, last: $0.last) }
        record.routes = routes.map { NetworkRoute(target: $0.target, via: $0.via) }
        record.dns = NetworkDNS(domain: nameDomain, servers: nameServers)
        record.tokens = tokens.map { AuthorizationToken(text: $0.text, expires: $0.expires) }
        rules.apply(to: &record)
    }
}

extension NetworkMember {
    init(_ record: MemberRecord, of network: NetworkID, _ engine: borrowing ControllerEngine, now: Now) {
        id = NodeID(record.address)
        self.network = network
        creationTime = record.creationTime
        revision = record.revision
        admission =
            switch record.admission {
            case .none: .none
            case .administrator: .administrator
            case .publicNetwork: .publicNetwork
            case .token(let token): .token(token)
            }
        lastAuthorizedTime = record.lastAuthorizedTime
        lastDeauthorizedTime = record.lastDeauthorizedTime
        version = record.version.map { "\($0.major).\($0.minor).\($0.revision)" }
        isKnown = record.identity != nil
        isOnline = engine.isOnline(record.address, of: network.wire, now: now)
        settings = Settings(record)
        warnings = engine.warnings(of: record, on: network.wire).map(ControllerWarning.init)
    }
}

extension NetworkMember.Settings {
    init(_ record: MemberRecord) {
        isAuthorized = record.isAuthorized
        isRefused = record.isRefused
        isActiveBridge = record.isActiveBridge
        takesNoAssignment = record.takesNoAssignment
        addresses = record.addresses
        name = record.name
        for tag in record.tags { tags[tag.id] = tag.value }
        capabilities = record.capabilities
    }

    func apply(to record: inout MemberRecord) {
        record.isAuthorized = isAuthorized
        record.isRefused = isRefused
        record.isActiveBridge = isActiveBridge
        record.takesNoAssignment = takesNoAssignment
        record.addresses = addresses
        record.name = name
        record.tags = tags.map { TagValue(id: $0.key, value: $0.value) }.sorted { $0.id < $1.id }
        record.capabilities = capabilities.sorted()
    }
}
