// What `zerotier controller` changes: words key=value, read before anything is changed.

import ZeroTier

/// One change of a network, read and not yet made.
enum NetworkChange: Sendable {
    case set(@Sendable (inout ControlledNetwork.Settings) -> Void)
    case route(NetworkStatus.Route)
    case pool(ControlledNetwork.Pool)
    case subnet(IPPrefix)
    case server(IPAddress)
    case token(String)
    case clear(@Sendable (inout ControlledNetwork.Settings) -> Void)

    init(_ word: String) throws {
        let (key, value) = try ControllerVerb.split(word)
        func number(_ range: ClosedRange<Int>) throws -> Int {
            guard let number = Int(value), range.contains(number) else {
                throw ZeroTierError(
                    .invalidArgument, "\(key): \(range.lowerBound) to \(range.upperBound), not \(value)")
            }
            return number
        }
        func flag(_ path: any (WritableKeyPath<ControlledNetwork.Settings, Bool> & Sendable)) throws -> NetworkChange {
            let isOn = try ControllerVerb.yes(value, key)
            return .set { $0[keyPath: path] = isOn }
        }
        switch key {
        case "name": self = .set { $0.name = value }
        case "private": self = try flag(\.isPrivate)
        case "ipv4": self = try flag(\.assignsIPv4)
        case "ipv6": self = try flag(\.assignsIPv6)
        case "6plane": self = try flag(\.assigns6PLANE)
        case "rfc4193": self = try flag(\.assignsRFC4193)
        case "broadcast": self = try flag(\.isBroadcastEnabled)
        case "multicastLimit":
            let limit = try number(0...65_536)
            self = .set { $0.multicastLimit = limit }
        case "mtu":
            let mtu = try number(1280...10_000)
            self = .set { $0.mtu = mtu }
        case "dnsDomain": self = .set { $0.nameDomain = value }
        case "subnet":
            self = .subnet(try Prefixes.read(value))
        case "route":
            let parts = value.split(separator: ",").map(String.init)
            let via = parts.count == 2 ? IPAddress(parts[1]) : nil
            guard (1...2).contains(parts.count), let target = IPPrefix(parts[0]), parts.count == 1 || via != nil else {
                throw ZeroTierError(
                    .invalidArgument, "routes: a target and perhaps a gateway, as 10.0.0.0/8,10.1.1.1, not \(value)")
            }
            self = .route(NetworkStatus.Route(target: target, via: via))
        case "pool":
            let parts = value.split(separator: "-").map(String.init)
            guard parts.count == 2, let first = IPAddress(parts[0]), let last = IPAddress(parts[1]) else {
                throw ZeroTierError(
                    .invalidArgument, "pools: two addresses, as 10.147.17.1-10.147.17.99, not \(value)")
            }
            self = .pool(ControlledNetwork.Pool(first, last))
        case "dnsServer":
            guard let address = IPAddress(value) else {
                throw ZeroTierError(.invalidArgument, "dnsServer: an address, not \(value)")
            }
            self = .server(address)
        case "token": self = .token(value)
        case "clear": self = .clear(try NetworkChange.clearing(value))
        default: throw ZeroTierError(.invalidArgument, "a network has no \(key)")
        }
    }

    private static func clearing(
        _ list: String
    ) throws(ZeroTierError) -> @Sendable (inout ControlledNetwork.Settings) -> Void {
        switch list {
        case "routes": { $0.routes = [] }
        case "pools": { $0.pools = [] }
        case "dns-servers": { $0.nameServers = [] }
        case "tokens": { $0.tokens = [] }
        default:
            throw ZeroTierError(.invalidArgument, "clear: routes, pools, dns-servers or tokens, not \(list)")
        }
    }

    // Lists are replaced by what is given of them.
    static func apply(_ changes: [NetworkChange], to settings: inout ControlledNetwork.Settings) {
        var routes: [NetworkStatus.Route] = []
        var pools: [ControlledNetwork.Pool] = []
        var servers: [IPAddress] = []
        var tokens: [ControlledNetwork.Token] = []
        var subnets: [IPPrefix] = []
        for change in changes {
            switch change {
            case .set: break
            case .clear(let clear): clear(&settings)
            case .route(let route): routes.append(route)
            case .pool(let pool): pools.append(pool)
            case .subnet(let subnet): subnets.append(subnet)
            case .server(let server): servers.append(server)
            case .token(let token): tokens.append(ControlledNetwork.Token(token))
            }
        }
        if !routes.isEmpty { settings.routes = routes }
        if !pools.isEmpty { settings.pools = pools }
        if !servers.isEmpty { settings.nameServers = servers }
        if !tokens.isEmpty { settings.tokens = tokens }
        // Ranges that are said beside a subnet are those of it; what is said of the family counts more.
        for subnet in subnets {
            settings.assign(subnet, from: pools.filter { subnet.contains($0.first) && subnet.contains($0.last) })
        }
        for case .set(let change) in changes { change(&settings) }
    }
}

/// One change of a member.
enum MemberChange: Sendable {
    case set(@Sendable (inout NetworkMember.Settings) -> Void)
    case address(IPAddress)
    case clear(@Sendable (inout NetworkMember.Settings) -> Void)

    /// Reads a word. Tags and capabilities are named by the network's rules; those that a member has from earlier rules have numbers.
    init(_ word: String, _ rules: NetworkRules, _ known: NetworkMember.Settings?) throws {
        let (key, value) = try ControllerVerb.split(word)
        switch key {
        case "name": self = .set { $0.name = value }
        case "authorized":
            let isOn = try ControllerVerb.yes(value, key)
            self = .set {
                $0.isAuthorized = isOn
                $0.isRefused = !isOn
            }
        case "bridge":
            let isOn = try ControllerVerb.yes(value, key)
            self = .set { $0.isActiveBridge = isOn }
        case "assign":
            let isOn = try ControllerVerb.yes(value, key)
            self = .set { $0.takesNoAssignment = !isOn }
        case "address":
            guard let address = IPAddress(value) else {
                throw ZeroTierError(.invalidArgument, "address: an address, not \(value)")
            }
            self = .address(address)
        case "tag":
            let (name, text) = try ControllerVerb.split(value)
            let tag = try rules.foundTag(name)
            let number = try rules.value(text, of: tag)
            self = .set { $0.tags[tag.id] = number }
        case "noTag":
            let id = try UInt32(value).flatMap { known?.tags[$0] == nil ? nil : $0 } ?? rules.foundTag(value).id
            self = .set { $0.tags[id] = nil }
        case "capability":
            let id = try rules.foundCapability(value).id
            self = .set { if !$0.capabilities.contains(id) { $0.capabilities.append(id) } }
        case "noCapability":
            let held = UInt32(value).flatMap { known?.capabilities.contains($0) == true ? $0 : nil }
            let id = try held ?? rules.foundCapability(value).id
            self = .set { $0.capabilities.removeAll { $0 == id } }
        case "clear": self = .clear(try MemberChange.clearing(value))
        default: throw ZeroTierError(.invalidArgument, "a member has no \(key)")
        }
    }

    private static func clearing(
        _ list: String
    ) throws(ZeroTierError) -> @Sendable (inout NetworkMember.Settings) -> Void {
        switch list {
        case "addresses": { $0.addresses = [] }
        case "tags": { $0.tags = [:] }
        case "capabilities": { $0.capabilities = [] }
        default:
            throw ZeroTierError(.invalidArgument, "clear: addresses, tags or capabilities, not \(list)")
        }
    }

    static func apply(_ changes: [MemberChange], to settings: inout NetworkMember.Settings) {
        for case .clear(let clear) in changes { clear(&settings) }
        let addresses = changes.compactMap { if case .address(let address) = $0 { address } else { nil } }
        if !addresses.isEmpty { settings.addresses = addresses }
        for case .set(let change) in changes { change(&settings) }
    }
}

extension NetworkRules {
    // Rules that come without a text have numbers alone, and members may have what the rules no longer name.
    fileprivate func foundTag(_ word: String) throws(ZeroTierError) -> Tag {
        let tags = tags
        if let tag = tags.first(where: { $0.name == word }) ?? tags.first(where: { "\($0.id)" == word }) { return tag }
        throw ZeroTierError(
            .invalidArgument, "the network has no tag \(word)" + NetworkRules.choice(tags.map { $0.name ?? "\($0.id)" })
        )
    }

    fileprivate func foundCapability(_ word: String) throws(ZeroTierError) -> Capability {
        let all = capabilities
        if let found = all.first(where: { $0.name == word }) ?? all.first(where: { "\($0.id)" == word }) {
            return found
        }
        throw ZeroTierError(
            .invalidArgument,
            "the network has no capability \(word)" + NetworkRules.choice(all.map { $0.name ?? "\($0.id)" }))
    }

    fileprivate func value(_ word: String, of tag: Tag) throws(ZeroTierError) -> UInt32 {
        if let value = tag.values[word] ?? UInt32(word) { return value }
        throw ZeroTierError(
            .invalidArgument,
            "a value of tag \(tag.name ?? "\(tag.id)") is a number up to 4294967295"
                + (tag.values.isEmpty ? "" : " or one of " + tag.values.keys.sorted().joined(separator: ", "))
                + ", not \(word)")
    }

    private static func choice(_ names: [String]) -> String {
        names.isEmpty ? ": its rules define none" : ": there are " + names.joined(separator: ", ")
    }
}
