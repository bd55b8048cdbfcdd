//  Records as JSON, with the names, defaults and order of fields of the reference's records: what its tools read and its files
//  hold. Read first: zerotier/ZeroTierOne controller/EmbeddedNetworkController.cpp (facts only).

package import JSONValues
import NetPrimitives
import ZeroTierRules
package import ZeroTierWire

extension NetworkRecord {
    /// The record as the reference shows and keeps it. Fields of single sign-on, which this controller does not have, are empty.
    package var json: JSONValue {
        var members: [(String, JSONValue)] = [("id", .string("\(id)")), ("nwid", .string("\(id)"))]
        members.append(("objtype", .string("network")))
        members.append(("creationTime", JSONValue(creationTime)))
        members.append(("revision", JSONValue(revision)))
        members.append(("name", .string(name)))
        if !note.isEmpty { members.append(("description", .string(note))) }
        members.append(("private", .bool(isPrivate)))
        members.append(("enableBroadcast", .bool(isBroadcastEnabled)))
        members.append(("multicastLimit", JSONValue(multicastLimit)))
        members.append(("mtu", JSONValue(mtu)))
        members.append(("v4AssignMode", .object([("zt", .bool(assignsIPv4))])))
        let modes: [(String, JSONValue)] = [
            ("6plane", .bool(assigns6PLANE)), ("rfc4193", .bool(assignsRFC4193)), ("zt", .bool(assignsIPv6)),
        ]
        members.append(("v6AssignMode", .object(modes)))
        members.append(("routes", .array(routes.map { $0.json(texts) })))
        members.append(("ipAssignmentPools", .array(pools.map { $0.json(texts) })))
        members += ruleMembers
        members.append(("rulesSource", .string(ruleSource)))
        members.append(("dns", dnsJSON))
        members.append(("authTokens", tokensJSON))
        members += traceMembers(traceTarget, traceLevel)
        members.append(("ssoEnabled", .bool(false)))
        members.append(("clientId", .string("")))
        members.append(("authorizationEndpoint", .string("")))
        if credentialWindow != ProtocolLimits.credentialWindowMilliseconds {
            members.append(("certificateTimeoutWindowSize", JSONValue(credentialWindow)))
        }
        return JSONValue.object(members).sortedByKey
    }

    private var ruleMembers: [(String, JSONValue)] {
        // The reference writes the signs of a match into the one rule of a new network, and into no other action.
        let isUntouched = rules == [Rule(.accept)]
        let untouched: [(String, JSONValue)] = [
            ("not", .bool(false)), ("or", .bool(false)), ("type", .string("ACTION_ACCEPT")),
        ]
        let definitions = capabilities.map { capability -> JSONValue in
            .object([
                ("default", .bool(capability.isDefault)), ("id", JSONValue(capability.id)),
                ("rules", .array(capability.rules.map { $0.json(.stored) })),
            ])
        }
        let tags = self.tags.map { tag -> JSONValue in
            .object([("default", tag.defaultValue.map { JSONValue($0) } ?? .null), ("id", JSONValue(tag.id))])
        }
        return [
            ("rules", .array(isUntouched ? [.object(untouched)] : rules.map { $0.json(.stored) })),
            ("capabilities", .array(definitions)), ("tags", .array(tags)),
        ]
    }

    // An empty array, in the reference too, is no name servers as long as nobody set any.
    private var dnsJSON: JSONValue {
        if !showsDNS, dns.domain.isEmpty, dns.servers.isEmpty { return .array([]) }
        return .object([
            ("domain", .string(dns.domain)),
            ("servers", .array(dns.servers.map { .string(texts.servers[$0] ?? "\($0)") })),
        ])
    }

    private var tokensJSON: JSONValue {
        tokens.isEmpty ? .array([.null]) : .object(tokens.map { ($0.text, JSONValue($0.expires)) })
    }
}

extension MemberRecord {
    /// The record as the reference shows and keeps it. Fields of single sign-on are empty.
    package func json(of network: NetworkID) -> JSONValue {
        var members: [(String, JSONValue)] = [("id", .string("\(address)")), ("address", .string("\(address)"))]
        members.append(("nwid", .string("\(network)")))
        members.append(("objtype", .string("member")))
        if let identity {
            let text = Identity(address: address, publicKeys: identity).text(includeSecret: false)
            members.append(("identity", .string(text)))
        }
        members.append(("creationTime", JSONValue(creationTime)))
        members.append(("revision", JSONValue(revision)))
        members.append(("authorized", .bool(isAuthorized)))
        members.append(("lastAuthorizedTime", JSONValue(lastAuthorizedTime)))
        members.append(("lastDeauthorizedTime", JSONValue(lastDeauthorizedTime)))
        let (kind, credential): (JSONValue, JSONValue) =
            switch admission {
            case .none: (.null, .null)
            case .administrator: (.string("api"), .null)
            case .publicNetwork: (.string("public"), .null)
            case .token(let token): (.string("token"), .string(token))
            }
        members.append(("lastAuthorizedCredentialType", kind))
        members.append(("lastAuthorizedCredential", credential))
        members.append(("activeBridge", .bool(isActiveBridge)))
        members.append(("noAutoAssignIps", .bool(takesNoAssignment)))
        members.append(("ipAssignments", .array(addresses.map { .string("\($0)") })))
        members.append(("tags", .array(tags.map { .array([JSONValue($0.id), JSONValue($0.value)]) })))
        members.append(("capabilities", .array(capabilities.map { JSONValue($0) })))
        if !name.isEmpty { members.append(("name", .string(name))) }
        if !note.isEmpty { members.append(("description", .string(note))) }
        if isHidden { members.append(("hidden", .bool(true))) }
        members += traceMembers(traceTarget, traceLevel)
        members.append(("authenticationExpiryTime", .integer(0)))
        members.append(("ssoExempt", .bool(isSignOnExempt)))
        members.append(("vMajor", version.map { JSONValue($0.major) } ?? .integer(-1)))
        members.append(("vMinor", version.map { JSONValue($0.minor) } ?? .integer(-1)))
        members.append(("vRev", version.map { JSONValue($0.revision) } ?? .integer(-1)))
        members.append(("vProto", version.map { JSONValue($0.protocolVersion) } ?? .integer(-1)))
        return JSONValue.object(members).sortedByKey
    }

    /// As `json`, and whether an administrator refused it. The reference has no such field, and passes it over.
    package func exported(of network: NetworkID) -> JSONValue {
        let json = json(of: network)
        guard isRefused, case .object(let object) = json else { return json }
        return JSONValue.object(object.members.map { ($0.key, $0.value) } + [("refused", .bool(true))]).sortedByKey
    }
}

private func traceMembers(_ target: Address, _ level: UInt32) -> [(String, JSONValue)] {
    [
        ("remoteTraceTarget", target == Address(0) ? .null : .string("\(target)")),
        ("remoteTraceLevel", JSONValue(level)),
    ]
}

extension NetworkRoute {
    fileprivate func json(_ texts: AddressTexts) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("target", .string(texts.targets[target] ?? "\(target)")),
            ("via", via.map { .string(texts.gateways[target] ?? "\($0)") } ?? .null),
        ]
        if flags != 0 { members.append(("flags", JSONValue(flags))) }
        if metric != 0 { members.append(("metric", JSONValue(metric))) }
        return .object(members)
    }
}

extension AddressPool {
    fileprivate func json(_ texts: AddressTexts) -> JSONValue {
        .object([
            ("ipRangeEnd", .string(texts.lasts[self] ?? "\(last)")),
            ("ipRangeStart", .string(texts.firsts[self] ?? "\(first)")),
        ])
    }
}
