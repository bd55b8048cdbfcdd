//  What an administrator says in JSON, as a change of a record. Fields have the reference's names. Those that are not there stay
//  as they are; those that nobody may change, or nobody knows, are passed over: its tools send whole records back.
//
//  Types are taken as loosely as the reference does, since tools send "true" and "1500". What cannot be read is an error with its
//  place, where the reference drops an entry and says nothing.

package import JSONValues
import NetPrimitives
package import ZeroTierRules
import ZeroTierWire

/// A change of a record, read and not made yet.
package struct RecordChange<Record>: Sendable {
    private var steps: [@Sendable (inout Record) -> Void] = []

    /// Changes nothing.
    package init() {}

    fileprivate mutating func set<Value: Sendable>(
        _ path: any WritableKeyPath<Record, Value> & Sendable, _ value: Value
    ) {
        steps.append { $0[keyPath: path] = value }
    }

    /// Makes the change.
    package func apply(to record: inout Record) {
        for step in steps { step(&record) }
    }

    /// Reads the text of a change; one without bytes changes nothing.
    fileprivate static func read(
        _ text: [UInt8], _ body: (JSONField) throws(JSONError) -> RecordChange
    ) throws(JSONError) -> RecordChange {
        if text.isEmpty { return RecordChange() }
        var limits = JSONLimits()
        limits.bytes = ControllerLimits.recordText
        return try JSONDocument(text, limits: limits).read(body)
    }
}

extension RecordChange<NetworkRecord> {
    package init(text: [UInt8]) throws(JSONError) {
        self = try Self.read(text) { (json) throws(JSONError) in try RecordChange(network: json) }
    }

    /// Reads an object.
    package init(network json: JSONField) throws(JSONError) {
        _ = try json.members()
        if let field = json.said("name") { set(\.name, try field.looseString()) }
        // The reference has none, and passes it over. It comes back with a record that is sent back whole.
        if json.said("revision") != nil, let field = json.said("description") {
            set(\.note, try field.looseString())
        }
        if let field = json.said("private") { set(\.isPrivate, try field.looseBool()) }
        if let field = json.said("enableBroadcast") { set(\.isBroadcastEnabled, try field.looseBool()) }
        if let field = json.said("multicastLimit") { set(\.multicastLimit, try field.looseInteger()) }
        if let field = json.said("mtu") { set(\.mtu, try field.looseInteger()) }
        if let field = json.said("certificateTimeoutWindowSize") {
            set(\.credentialWindow, try field.looseInteger())
        }
        try readModes(json)
        if let field = json.said("routes") {
            let all = try field.list(ControllerLimits.routes) { (field) throws(JSONError) in try field.route() }
            set(\.routes, all.map(\.route))
            steps.append { $0.texts.set(routes: all) }
        }
        if let field = json.said("ipAssignmentPools") {
            let all = try field.list(ControllerLimits.pools) { (field) throws(JSONError) in try field.pool() }
            set(\.pools, all.map { AddressPool(first: $0.first.value, last: $0.last.value) })
            steps.append { $0.texts.set(pools: all) }
        }
        try readRules(json)
        if let field = json.member("dns") {
            let (dns, servers) = try field.dns()
            set(\.dns, dns)
            set(\.showsDNS, !field.isNoDNS)
            steps.append { $0.texts.set(servers: servers) }
        }
        if let field = json.member("authTokens") { set(\.tokens, try field.tokens()) }
        if let field = json.member("remoteTraceTarget") { set(\.traceTarget, try field.traceTarget()) }
        if let field = json.said("remoteTraceLevel") { set(\.traceLevel, try field.looseInteger()) }
    }

    // The reference takes an object in the place of the former one, so that what it does not say is off. Here it stays.
    private mutating func readModes(_ json: JSONField) throws(JSONError) {
        if let field = json.said("v4AssignMode") {
            if let words = try field.words(["zt"]) {
                set(\.assignsIPv4, words.contains("zt"))
            } else if let mode = field.said("zt") {
                set(\.assignsIPv4, try mode.looseBool())
            }
        }
        guard let field = json.said("v6AssignMode") else { return }
        if let words = try field.words(["zt", "rfc4193", "6plane"]) {
            set(\.assignsIPv6, words.contains("zt"))
            set(\.assignsRFC4193, words.contains("rfc4193"))
            set(\.assigns6PLANE, words.contains("6plane"))
            return
        }
        if let mode = field.said("zt") { set(\.assignsIPv6, try mode.looseBool()) }
        if let mode = field.said("rfc4193") { set(\.assignsRFC4193, try mode.looseBool()) }
        if let mode = field.said("6plane") { set(\.assigns6PLANE, try mode.looseBool()) }
    }

    // A source without rules is compiled: it would mean nothing otherwise. Beside rules it is kept for who wrote it.
    private mutating func readRules(_ json: JSONField) throws(JSONError) {
        if let field = json.said("rulesSource") {
            let source = try field.looseString()
            set(\.ruleSource, source)
            if json.said("rules") == nil, !source.isEmpty {
                steps += try RecordChange<NetworkRecord>(ruleSource: field).steps
            }
        }
        if let field = json.said("rules") {
            set(\.rules, try field.list(ProtocolLimits.baseRules) { (field) throws(JSONError) in try Rule(field) })
        }
        if let field = json.said("capabilities") {
            let all = try field.list(ProtocolLimits.capabilities) { (field) throws(JSONError) in
                CapabilityDefinition(
                    id: try field.required("id").looseInteger(),
                    isDefault: try field.said("default")?.looseBool() ?? false,
                    rules: try field.required("rules").list(ProtocolLimits.rulesPerCapability) {
                        (field) throws(JSONError) in try Rule(field)
                    })
            }
            set(\.capabilities, all)
        }
        if let field = json.said("tags") {
            let all = try field.list(ProtocolLimits.tags) { (field) throws(JSONError) in
                TagDefinition(
                    id: try field.required("id").looseInteger(),
                    defaultValue: try field.said("default")?.looseInteger())
            }
            set(\.tags, all)
        }
    }
}

extension RecordChange<NetworkRecord> {
    /// The rules, capabilities and tags that a text of rules means.
    init(ruleSource field: JSONField) throws(JSONError) {
        let source = try field.looseString()
        do throws(RuleTextError) {
            self.init(rules: try CompiledRules(text: Array(source.utf8)).set)
        } catch {
            throw field.error("\(error)")
        }
    }

    /// Rules, capabilities and tags in the place of the former ones. Their names are not kept.
    package init(rules: RuleSet) {
        set(\.rules, rules.rules)
        set(\.capabilities, rules.capabilities.map { CapabilityDefinition($0) })
        set(\.tags, rules.tags.map { TagDefinition(id: $0.id, defaultValue: $0.defaultValue) })
    }
}

extension CapabilityDefinition {
    fileprivate init(_ capability: RuleCapability) {
        self.init(id: capability.id, isDefault: capability.isDefault, rules: capability.rules)
    }
}

extension RecordChange<MemberRecord> {
    package init(text: [UInt8]) throws(JSONError) {
        self = try Self.read(text) { (json) throws(JSONError) in try RecordChange(member: json) }
    }

    /// Reads an object.
    package init(member json: JSONField) throws(JSONError) {
        _ = try json.members()
        if let field = json.said("authorized") {
            let isAuthorized = try field.looseBool()
            set(\.isAuthorized, isAuthorized)
            // A record that is sent back whole says nothing new about who waits.
            if !isAuthorized, json.said("revision") == nil { set(\.isRefused, true) }
        }
        if let field = json.said("activeBridge") { set(\.isActiveBridge, try field.looseBool()) }
        if let field = json.said("noAutoAssignIps") { set(\.takesNoAssignment, try field.looseBool()) }
        if let field = json.said("ipAssignments") {
            let limit = ControllerLimits.addressesPerMember
            set(\.addresses, try field.list(limit) { (field) throws(JSONError) in try field.ipAddress() })
        }
        if let field = json.said("tags") {
            set(\.tags, try field.list(ProtocolLimits.tags) { (field) throws(JSONError) in try field.tagValue() })
        }
        if let field = json.said("capabilities") {
            let all = try field.list(ProtocolLimits.capabilities) { (field) throws(JSONError) in
                try field.looseInteger(UInt32.self)
            }
            set(\.capabilities, all)
        }
        if let field = json.said("name") { set(\.name, try field.looseString()) }
        if json.said("revision") != nil { try readMarks(json) }
        if let field = json.member("remoteTraceTarget") { set(\.traceTarget, try field.traceTarget()) }
        if let field = json.said("remoteTraceLevel") { set(\.traceLevel, try field.looseInteger()) }
    }
}

extension RecordChange<MemberRecord> {
    /// Reads what the reference passes over: Central and our own records have it.
    mutating func readMarks(_ json: JSONField) throws(JSONError) {
        if let field = json.said("description") { set(\.note, try field.looseString()) }
        if let field = json.said("hidden") { set(\.isHidden, try field.looseBool()) }
        if let field = json.said("ssoExempt") { set(\.isSignOnExempt, try field.looseBool()) }
    }
}

// MARK: Types

extension JSONField {
    /// A member that says something: null does not.
    package func said(_ key: String) -> JSONField? { member(key).flatMap { $0.isNull ? nil : $0 } }

    package func looseBool() throws(JSONError) -> Bool {
        switch value {
        case .integer(let number): return number > 0
        case .unsigned: return true
        case .number(let number): return number > 0
        case .string(let text):
            switch text.utf8.first {
            case UInt8(ascii: "1"), UInt8(ascii: "t"), UInt8(ascii: "T"): return true
            case UInt8(ascii: "0"), UInt8(ascii: "f"), UInt8(ascii: "F"): return false
            default: throw error("true or false is expected, not \"\(text.prefix(80))\"")
            }
        default: return try bool()
        }
    }

    package func looseInteger<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws(JSONError) -> Number
    {
        switch value {
        case .string(let text):
            if let number = Number(text) { return number }
            throw error(
                "an integer from \(Number.min) to \(Number.max) is expected, not \"\(text.prefix(80))\"")
        case .bool(let isOn): return isOn ? 1 : 0
        case .number(let number):
            if let number = Number(exactly: number) { return number }
            return try integer()
        default: return try integer()
        }
    }

    package func looseString() throws(JSONError) -> String {
        switch value {
        case .bool, .integer, .unsigned, .number: value.text
        default: try string()
        }
    }

    func list<Element>(
        _ limit: Int, _ read: (JSONField) throws(JSONError) -> Element
    ) throws(JSONError) -> [Element] {
        var result: [Element] = []
        for element in try elements(atMost: limit) { result.append(try read(element)) }
        return result
    }

    // Nil if it is an object.
    fileprivate func words(_ known: [String]) throws(JSONError) -> [String]? {
        guard case .string(let text) = value else {
            _ = try members()
            return nil
        }
        let words = text.split(separator: ",").map { word in String(word.filter { $0 != " " }) }
        for word in words where !known.contains(word) {
            throw error("\"\(word)\" is none of \(known.joined(separator: ", "))")
        }
        return words
    }

    func ipAddress() throws(JSONError) -> IPAddress { try writtenAddress().value }

    // An address; a prefix length after it means nothing.
    fileprivate func writtenAddress() throws(JSONError) -> Written<IPAddress> {
        let text = try string()
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let head = parts.first, let address = IPAddress(String(head)),
            parts.count == 1 || IPPrefix(text) != nil
        else { throw error("an IP address is expected, such as \"10.147.17.5\", not \"\(text.prefix(80))\"") }
        return Written(value: address, text: String(head))
    }

    fileprivate func route() throws(JSONError) -> WrittenRoute {
        let field = try required("target")
        let text = try field.string()
        guard text.utf8.contains(UInt8(ascii: "/")), let target = IPPrefix(text) else {
            throw field.error(
                "an address and its bits are expected, such as \"10.147.17.0/24\", not \"\(text.prefix(80))\"")
        }
        var route = NetworkRoute(target: target)
        // Some send an empty text for a route that is on the network itself.
        var gateway: Written<IPAddress>?
        if let via = member("via"), !via.isNull, via.value != .string("") { gateway = try via.writtenAddress() }
        route.via = gateway?.value
        if let flags = said("flags") { route.flags = try flags.looseInteger() }
        if let metric = said("metric") { route.metric = try metric.looseInteger() }
        return WrittenRoute(route: route, target: Written(value: target, text: text), gateway: gateway)
    }

    fileprivate func pool() throws(JSONError) -> (first: Written<IPAddress>, last: Written<IPAddress>) {
        (try required("ipRangeStart").writtenAddress(), try required("ipRangeEnd").writtenAddress())
    }

    fileprivate var isNoDNS: Bool { isNull || value == .array([]) }

    fileprivate func dns() throws(JSONError) -> (NetworkDNS, [Written<IPAddress>]) {
        if isNoDNS { return (NetworkDNS(), []) }
        _ = try members()
        var dns = NetworkDNS()
        dns.domain = try said("domain")?.looseString() ?? ""
        let servers = try said("servers")?.list(ProtocolLimits.dnsServers) { (field) throws(JSONError) in
            try field.writtenAddress()
        }
        dns.servers = servers?.map(\.value) ?? []
        return (dns, servers ?? [])
    }

    // The reference writes [null] where there are none.
    fileprivate func tokens() throws(JSONError) -> [AuthorizationToken] {
        if isNull || value == .array([]) || value == .array([.null]) { return [] }
        var tokens: [AuthorizationToken] = []
        for (text, field) in try members() {
            tokens.append(AuthorizationToken(text: text, expires: try field.looseInteger()))
        }
        return tokens
    }

    fileprivate func traceTarget() throws(JSONError) -> Address {
        if isNull || value == .string("") { return Address(0) }
        return try nodeAddress()
    }

    func nodeAddress() throws(JSONError) -> Address {
        let text = try string()
        guard let address = Address(text: text) else {
            throw error("a node's address is expected, ten hexadecimal digits, not \"\(text.prefix(80))\"")
        }
        return address
    }

    fileprivate func tagValue() throws(JSONError) -> TagValue {
        let pair = try elements(atMost: 2)
        guard pair.count == 2 else { throw error("a tag is its ID and its value, such as [1, 100]") }
        return TagValue(id: try pair[0].looseInteger(), value: try pair[1].looseInteger())
    }
}
