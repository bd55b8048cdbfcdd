//  What an administrator may say. Everything is looked at before anything is changed; the first fault names its field, what is
//  wrong with it and what would be right. Fields have the reference's names.

import NetPrimitives
package import ZeroTierWire

/// Why something that an administrator wanted was not done.
package enum ControllerError: Error, Hashable, Sendable {
    /// The controller has no such network.
    case networkUnknown(NetworkID)
    /// The network has no such member.
    case memberUnknown(NetworkID, Address)
    /// The network's ID begins with another node's address.
    case networkForeign(NetworkID)
    /// There is a network with this ID.
    case networkTaken(NetworkID)
    /// An import has networks that are there.
    case networksExist([NetworkID])
    /// The network is being deleted.
    case networkLeaving(NetworkID)
    /// A field cannot be like this.
    case fieldInvalid(field: String, reason: String)
    /// A bound is reached.
    case full(String)
    /// Too much waits for the store: try again.
    case storeBusy
    /// The store did not take it, and nothing has changed.
    case storeFailed(String)
}

extension NetworkRecord {
    /// Brings the fields into the form in which they are kept, or says which of them cannot be.
    mutating func validate() throws(ControllerError) {
        try RecordRule.length(of: name, ProtocolLimits.networkNameLength, "name")
        try RecordRule.length(of: note, ControllerLimits.noteLength, "description")
        try RecordRule.range(multicastLimit, 0...ControllerLimits.multicastLimit, "multicastLimit")
        try RecordRule.range(mtu, ControllerLimits.mtus, "mtu")
        try RecordRule.range(credentialWindow, ControllerLimits.credentialWindows, "certificateTimeoutWindowSize")
        try RecordRule.length(of: ruleSource, ControllerLimits.ruleSourceLength, "rulesSource")
        try validatePools()
        try validateRoutes()
        try validateRules()
        try validateDNS()
        try RecordRule.count(tokens.count, ControllerLimits.tokens, "authTokens")
        for token in tokens {
            guard !token.text.isEmpty else { throw RecordRule.fault("authTokens", "a token is empty") }
            try RecordRule.length(of: token.text, ControllerLimits.tokenLength, "authTokens")
        }
        try RecordRule.distinct(tokens.map(\.text), "authTokens")
        keepTexts()
    }

    private func validatePools() throws(ControllerError) {
        try RecordRule.count(pools.count, ControllerLimits.pools, "ipAssignmentPools")
        for pool in pools {
            guard pool.first.isIPv4 == pool.last.isIPv4 else {
                throw RecordRule.fault("ipAssignmentPools", "\(pool.first) and \(pool.last) are of two families")
            }
            guard pool.first <= pool.last else {
                throw RecordRule.fault(
                    "ipAssignmentPools", "\(pool.first) comes after \(pool.last): the lower one is first")
            }
            for end in [pool.first, pool.last] where end.isUnspecified || end.isMulticast || end.isLimitedBroadcast {
                throw RecordRule.fault("ipAssignmentPools", "\(end) is no address of a member")
            }
        }
    }

    // Host bits of a target mean nothing, and kept the reference from assigning addresses.
    private mutating func validateRoutes() throws(ControllerError) {
        try RecordRule.count(routes.count, ControllerLimits.routes, "routes")
        for index in routes.indices {
            routes[index].target = routes[index].target.network
            let route = routes[index]
            guard !route.target.address.isMulticast else {
                throw RecordRule.fault("routes", "\(route.target) is multicast: that has no route")
            }
            guard let via = route.via else { continue }
            guard via.isIPv4 == route.target.address.isIPv4 else {
                throw RecordRule.fault("routes", "the gateway \(via) of \(route.target) is of the other family")
            }
            guard !via.isUnspecified, !via.isMulticast else {
                throw RecordRule.fault("routes", "\(via) is no gateway: leave it out for what is on the network itself")
            }
        }
        // Two ways to one target: members would take the one or the other.
        try RecordRule.distinct(routes.map(\.target), "routes")
    }

    private mutating func validateRules() throws(ControllerError) {
        try RecordRule.count(rules.count, ProtocolLimits.baseRules, "rules")
        try RecordRule.count(capabilities.count, ProtocolLimits.capabilities, "capabilities")
        for capability in capabilities {
            try RecordRule.count(
                capability.rules.count, ProtocolLimits.rulesPerCapability, "capabilities of ID \(capability.id)")
        }
        try RecordRule.distinct(capabilities.map(\.id), "capabilities")
        // A member takes a configuration of so many bytes, and each byte of a rule may be written as two.
        let size = (rules + capabilities.flatMap(\.rules)).reduce(0) { $0 + Rule.encode([$1]).count }
        guard size <= ControllerLimits.ruleBytes else {
            throw RecordRule.fault(
                "rules", "all rules together take \(ControllerLimits.ruleBytes) bytes at most, not \(size)")
        }
        capabilities.sort { $0.id < $1.id }
        try RecordRule.count(tags.count, ProtocolLimits.tags, "tags")
        try RecordRule.distinct(tags.map(\.id), "tags")
        tags.sort { $0.id < $1.id }
    }

    private func validateDNS() throws(ControllerError) {
        try RecordRule.length(of: dns.domain, ProtocolLimits.dnsDomainLength - 1, "dns.domain")
        try RecordRule.count(dns.servers.count, ProtocolLimits.dnsServers, "dns.servers")
        for server in dns.servers where server.isUnspecified || server.isMulticast {
            throw RecordRule.fault("dns.servers", "\(server) is no server's address")
        }
    }
}

extension MemberRecord {
    /// Brings the fields into the form in which they are kept, or says which of them cannot be.
    mutating func validate() throws(ControllerError) {
        guard !address.isReserved else {
            throw RecordRule.fault("address", "\(address) is no node's address")
        }
        try RecordRule.length(of: name, ControllerLimits.memberNameLength, "name")
        try RecordRule.length(of: note, ControllerLimits.noteLength, "description")
        try RecordRule.count(addresses.count, ControllerLimits.addressesPerMember, "ipAssignments")
        for assigned in addresses where assigned.isUnspecified || assigned.isMulticast || assigned.isLimitedBroadcast {
            throw RecordRule.fault("ipAssignments", "\(assigned) is no address of a member")
        }
        try RecordRule.distinct(addresses, "ipAssignments")
        try RecordRule.count(tags.count, ProtocolLimits.tags, "tags")
        try RecordRule.distinct(tags.map(\.id), "tags")
        tags.sort { $0.id < $1.id }
        capabilities = Set(capabilities).sorted()
        try RecordRule.count(capabilities.count, ProtocolLimits.capabilities, "capabilities")
    }
}

/// The checks that fields have in common.
private enum RecordRule {
    static func fault(_ field: String, _ reason: String) -> ControllerError {
        .fieldInvalid(field: field, reason: reason)
    }

    static func length(of text: String, _ limit: Int, _ field: String) throws(ControllerError) {
        let length = text.utf8.count
        guard length <= limit else { throw fault(field, "at most \(limit) bytes, not \(length)") }
        guard !text.utf8.contains(0) else { throw fault(field, "there is a NUL in it") }
    }

    static func count(_ count: Int, _ limit: Int, _ field: String) throws(ControllerError) {
        guard count <= limit else { throw fault(field, "at most \(limit), not \(count)") }
    }

    static func range<Number: Comparable>(
        _ value: Number, _ range: ClosedRange<Number>, _ field: String
    ) throws(ControllerError) {
        guard range.contains(value) else {
            throw fault(field, "\(range.lowerBound) to \(range.upperBound), not \(value)")
        }
    }

    static func distinct<Value: Hashable>(_ values: [Value], _ field: String) throws(ControllerError) {
        var seen: Set<Value> = []
        for value in values where !seen.insert(value).inserted { throw fault(field, "\(value) is there twice") }
    }
}
