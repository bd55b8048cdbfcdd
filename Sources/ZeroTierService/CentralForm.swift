// Networks, members and the service in the form of Central's API. Read first: Docs/decisions/0042-centrals-api.md.
//
// Clients look into what must not be null: every field that one of them reads is always there.

import JSONValues
import NetPrimitives
import ZeroTier
import ZeroTierController
import ZeroTierWire

/// The objects that clients of Central read.
struct CentralForm: Sendable {
    /// The node's address: it stands for the one user of a controller.
    let owner: String

    // MARK: Networks

    /// A network.
    @Sendable func network(_ counted: CountedNetwork) -> JSONValue {
        let record = counted.record
        let rules = CentralRules(record)
        var members: [(String, JSONValue)] = [("id", .string("\(record.id)")), ("type", .string("Network"))]
        members.append(("clock", NodeForm.clock))
        members.append(("config", CentralForm.config(record)))
        members.append(("description", .string(record.note)))
        members.append(("rulesSource", .string(rules.source)))
        members += rules.names
        members.append(("ownerId", .string(owner)))
        members.append(("permissions", .object([(owner, CentralForm.everything)])))
        members.append(("onlineMemberCount", .integer(Int64(counted.online))))
        members.append(("authorizedMemberCount", .integer(Int64(counted.authorized))))
        members.append(("totalMemberCount", .integer(Int64(counted.total))))
        return .object(members)
    }

    private static let networkKeys = [
        "capabilities", "creationTime", "enableBroadcast", "id", "ipAssignmentPools", "mtu", "multicastLimit", "name",
        "private", "routes", "rules", "tags", "v4AssignMode", "v6AssignMode",
    ]

    private static func config(_ record: NetworkRecord) -> JSONValue {
        var members = picked(networkKeys, of: record.json)
        // The controller's own interface has an array where there are no name servers.
        let servers = JSONField(record.json).member("dns")?.member("servers")?.value ?? .array([])
        members.append(("dns", .object([("domain", .string(record.dns.domain)), ("servers", servers)])))
        // Not kept; clients want a number.
        members.append(("lastModified", .integer(0)))
        members.append(("ssoConfig", .object([("enabled", .bool(false)), ("mode", .string(""))])))
        return JSONValue.object(members).sortedByKey
    }

    private static func picked(_ keys: [String], of value: JSONValue) -> [(String, JSONValue)] {
        guard case .object(let object) = value else { return [] }
        return keys.compactMap { key in object[key].map { (key, $0) } }
    }

    // MARK: Members

    private static let memberKeys = [
        "activeBridge", "address", "authorized", "capabilities", "creationTime", "id", "ipAssignments",
        "lastAuthorizedCredentialType", "lastAuthorizedTime", "lastDeauthorizedTime", "noAutoAssignIps", "nwid",
        "objtype",
        "revision", "ssoExempt", "tags", "vMajor", "vMinor", "vProto", "vRev",
    ]

    /// A member, or a node that waits. `addresses` are where peers' packets come from, as far as that is known.
    func member(_ seen: SeenMember, _ addresses: [NodeID: String]) -> JSONValue {
        let record = seen.record
        let (network, node) = ("\(seen.network)", "\(seen.node)")
        var config = CentralForm.picked(CentralForm.memberKeys, of: seen.json)
        config.append(("identity", JSONField(seen.json).member("identity")?.value ?? .string("")))
        var members: [(String, JSONValue)] = [
            ("id", .string("\(network)-\(node)")), ("type", .string("Member")), ("clock", NodeForm.clock),
        ]
        members.append(("networkId", .string(network)))
        members.append(("nodeId", .string(node)))
        members.append(("controllerId", .string(owner)))
        members.append(("hidden", .bool(record.isHidden)))
        members.append(("name", .string(record.name)))
        members.append(("description", .string(record.note)))
        members.append(("config", JSONValue.object(config).sortedByKey))
        let lastSeen = seen.lastRequest.map { JSONValue($0) } ?? .integer(0)
        members += [("lastOnline", lastSeen), ("lastSeen", lastSeen)]
        members.append(("physicalAddress", addresses[seen.node].map { .string($0) } ?? .null))
        let version = record.version
        members.append(
            ("clientVersion", .string(version.map { "\($0.major).\($0.minor).\($0.revision)" } ?? "")))
        members.append(("protocolVersion", version.map { JSONValue($0.protocolVersion) } ?? .integer(0)))
        // Every release that a controller of today answers.
        members.append(("supportsRulesEngine", .bool(version != nil)))
        return .object(members)
    }

    // MARK: The service

    // To let in, delete, modify and read.
    private static let everything = JSONValue.object(["a", "d", "m", "r"].map { ($0, .bool(true)) })

    /// What `GET /status` shows. `uptime` is in milliseconds.
    func status(uptime: Int64, tokens: [String]) -> JSONValue {
        let methods = ["local", "google", "twitter", "facebook", "github", "saml", "oidc"]
        return .object([
            ("id", .string("central_status")), ("type", .string("CentralStatus")), ("clock", NodeForm.clock),
            ("version", .string(libraryVersionText)), ("apiVersion", .string("4")), ("uptime", .integer(uptime)),
            ("user", user(tokens)), ("readOnlyMode", .bool(false)),
            ("loginMethods", .object(methods.map { ($0, .bool(false)) })),
        ])
    }

    /// The one user: every holder of a token is this one.
    func user(_ tokens: [String]) -> JSONValue {
        .object([
            ("id", .string(owner)), ("type", .string("User")), ("orgId", .string("")),
            ("displayName", .string("administrator")), ("email", .string("")), ("smsNumber", .string("")),
            ("auth", .object(["local", "google", "oidc"].map { ($0, .null) })),
            ("globalPermissions", CentralForm.everything), ("tokens", .array(tokens.map { .string($0) })),
        ])
    }

    /// A drawn token, which opens nothing before somebody makes it one.
    static func drawn(_ token: String) -> JSONValue {
        let hex = token.utf8.map { hexadecimal(UInt64($0), digits: 2) }.joined()
        return .object([
            ("clock", NodeForm.clock), ("token", .string(token)), ("hex", .string(hex)), ("raw", .string(hex)),
        ])
    }
}
