// The node's end of the original's verbs. JSON is that of the service.

import JSONValues
import ZeroTier
import ZeroTierService

/// The answers to the original's verbs.
enum OriginalVerb {
    static func answer(
        _ words: [String], asJSON: Bool, _ node: Node, home: NodeHome
    ) throws(ZeroTierError) -> String {
        switch words[0] {
        case "info":
            let status = NodeForm.status(try node.status(), try node.planet(), home: home.path, local: home.local)
            return asJSON ? status.text : OriginalTable.info(status)
        case "listpeers":
            let peers = JSONValue.array(try node.peers().map(NodeForm.peer))
            return asJSON ? peers.text : OriginalTable.listPeers(rows(peers), now: SystemClock.now().unixMilliseconds)
        case "listnetworks":
            let networks = JSONValue.array(
                try node.networkDetails().map { (details) throws(ZeroTierError) in
                    object(details, try node.settings(of: details.status.id))
                })
            return asJSON
                ? networks.text : OriginalTable.listNetworks(rows(networks), now: SystemClock.now().unixMilliseconds)
        case "listmoons": return JSONValue.array(try node.moons().map(NodeForm.moon)).text
        case "get": return try get(words, node)
        case "set": return try set(words, node)
        case "orbit":
            try node.orbit(try number(words, 1), seed: NodeID(try number(words, 2)))
            return asJSON ? "{}" : "200 orbit OK"
        case "deorbit":
            try node.deorbit(try number(words, 1))
            return asJSON ? #"{"result":true}"# : "200 deorbit OK"
        default: throw ZeroTierError(.invalidArgument, "unknown request \(words[0])")
        }
    }

    private static func rows(_ list: JSONValue) -> [ReplyValue] { ReplyValue(list).elements ?? [] }

    private static func number(_ words: [String], _ index: Int) throws(ZeroTierError) -> UInt64 {
        guard index < words.count, let value = UInt64(words[index], radix: 16), value != 0 else {
            throw ZeroTierError(.invalidArgument, "not a hexadecimal number: \(words)")
        }
        return value
    }

    // MARK: Networks

    private static func object(_ details: NetworkDetails, _ settings: NetworkSettings) -> JSONValue {
        .object(NodeForm.network(details, settings).map { ($0.key, $0.value) })
    }

    private static func joined(
        _ id: NetworkID, _ node: Node
    ) throws(ZeroTierError) -> (NetworkDetails, NetworkSettings) {
        guard let details = try node.networkDetails().first(where: { $0.status.id == id }) else {
            throw ZeroTierError(.notJoined, "the node has not joined network \(id)")
        }
        return (details, try node.settings(of: id))
    }

    // The network after the change.
    private static func set(_ words: [String], _ node: Node) throws(ZeroTierError) -> String {
        guard words.count == 4 else { throw ZeroTierError(.invalidArgument, "not a network and a setting: \(words)") }
        let id = try ControlServer.parse(words[1])
        var (_, settings) = try joined(id, node)
        try change(&settings, words[2], words[3])
        try node.setSettings(settings, of: id)
        let (details, changed) = try joined(id, node)
        return object(details, changed).text
    }

    /// Changes one setting as it is written. Throws for a value that is none: the original takes it for "no".
    static func change(_ settings: inout NetworkSettings, _ name: String, _ value: String) throws(ZeroTierError) {
        let isAllowed: Bool? =
            switch value {
            case "1", "true": true
            case "0", "false": false
            default: nil
            }
        switch (name, isAllowed) {
        case ("allowManaged", let isAllowed?):
            settings.allowsManaged = isAllowed
            settings.managedPrefixes = []
        case ("allowManaged", nil):
            let prefixes = value.split(separator: ",", omittingEmptySubsequences: false).map { IPPrefix(String($0)) }
            guard prefixes.allSatisfy({ $0 != nil }) else {
                throw ZeroTierError(
                    .invalidArgument, "allowManaged is 1, 0, or prefixes such as 10.0.0.0/8,fd00::/8, not \(value)")
            }
            settings.allowsManaged = true
            settings.managedPrefixes = prefixes.compactMap { $0 }
        case ("allowGlobal", let isAllowed?): settings.allowsGlobal = isAllowed
        case ("allowDefault", let isAllowed?): settings.allowsDefault = isAllowed
        case ("allowDNS", let isAllowed?): settings.allowsDNS = isAllowed
        case ("allowGlobal", nil), ("allowDefault", nil), ("allowDNS", nil):
            throw ZeroTierError(.invalidArgument, "\(name) is 1 or 0, not \(value)")
        default:
            throw ZeroTierError(
                .invalidArgument,
                "there is no setting \(name): allowManaged, allowGlobal, allowDefault and allowDNS can be set")
        }
    }

    // One member of a network as text.
    private static func get(_ words: [String], _ node: Node) throws(ZeroTierError) -> String {
        guard words.count == 3 else { throw ZeroTierError(.invalidArgument, "not a network and a member: \(words)") }
        let (details, settings) = try joined(try ControlServer.parse(words[1]), node)
        guard let text = OriginalTable.property(words[2], of: object(details, settings)) else {
            throw ZeroTierError(
                .invalidArgument, "a network has no member \(words[2]) of one value: see `listnetworks --json`")
        }
        return text
    }
}
