// Bytes: the text of the original's `zerotier-cli`, made from the JSON of a service. Scripts parse these columns, so they
// are kept to the space. Read first: `zerotier/ZeroTierOne one.cpp` for the facts.

import JSONValues
import NetPrimitives

/// The tables of the original, without the last line's end. `now` is in milliseconds since 1970.
enum OriginalTable {
    // MARK: Status

    static func info(_ status: JSONValue) -> String {
        let status = ReplyValue(status)
        let state =
            status["tcpFallbackActive"].bool == true
            ? "TUNNELED" : status["online"].bool.map { $0 ? "ONLINE" : "OFFLINE" } ?? ReplyValue.unknown
        return "200 info \(status["address"].text) \(status["version"].text) \(state)"
    }

    // MARK: Peers

    private static func version(_ peer: ReplyValue) -> String {
        let parts = ["versionMajor", "versionMinor", "versionRev"].compactMap { peer[$0].integer }
        guard parts.count == 3, parts.allSatisfy({ $0 >= 0 }) else { return ReplyValue.unknown }
        return parts.map(String.init).joined(separator: ".")
    }

    /// Milliseconds since a moment; -1 for the moment 0, which is never.
    private static func age(_ moment: ReplyValue, _ now: Int64) -> String {
        guard let then = moment.integer else { return ReplyValue.unknown }
        return then <= 0 ? "-1" : String(max(0, now - then))
    }

    private static func preferredPath(_ peer: ReplyValue) -> ReplyValue? {
        peer["paths"].elements?.first { $0["preferred"].bool == true }
    }

    static func listPeers(_ peers: [ReplyValue], now: Int64) -> String {
        let rows = peers.map { peer in
            let path = preferredPath(peer).map {
                "\($0["address"].text);\(age($0["lastSend"], now));\(age($0["lastReceive"], now))"
            }
            return "200 listpeers \(peer["address"].text) \(path ?? "-") \(peer["latency"].digits) \(version(peer)) "
                + peer["role"].text
        }
        return (["200 listpeers <ztaddr> <path> <latency> <version> <role>"] + rows).joined(separator: "\n")
    }

    static func peers(_ peers: [ReplyValue], now: Int64) -> String {
        var lines = ["200 peers", "<ztaddr>   <ver>  <role> <lat> <link>   <lastTX> <lastRX> <path>"]
        for peer in peers {
            let head =
                "\(peer["address"].text) \(Column.left(version(peer), 6)) \(Column.left(peer["role"].text, 6)) "
                + "\(Column.right(peer["latency"].digits, 5)) "
            guard let path = preferredPath(peer) else {
                lines.append(head + "RELAY")
                continue
            }
            lines.append(
                head + (peer["tunneled"].bool == true ? "RELAY " : "DIRECT   ")
                    + "\(Column.left(age(path["lastSend"], now), 8)) "
                    + "\(Column.left(age(path["lastReceive"], now), 8)) \(path["address"].text)")
        }
        if peers.contains(where: { $0["tunneled"].bool == true }) {
            lines.append("")
            lines.append("Traffic goes through a TCP relay: UDP seems to be blocked on the way to the others.")
        }
        return lines.joined(separator: "\n")
    }

    // MARK: Networks

    static func listNetworks(_ networks: [ReplyValue], now: Int64) -> String {
        var lines = ["200 listnetworks <nwid> <name> <mac> <status> <type> <dev> <ZT assigned ips>"]
        for network in networks {
            let addresses = (network["assignedAddresses"].elements ?? []).map(\.text).joined(separator: ",")
            // A node in user space has no device, and a name may be empty: the columns stay.
            lines.append(
                "200 listnetworks \(network["nwid"].text) \(network["name"].text) \(network["mac"].text) "
                    + "\(network["status"].text) \(network["type"].text) \(network["portDeviceName"].filledText) "
                    + (addresses.isEmpty ? ReplyValue.unknown : addresses))
            if let note = signOn(network, now: now) { lines.append("    " + note) }
        }
        return lines.joined(separator: "\n")
    }

    private static func signOn(_ network: ReplyValue, now: Int64) -> String? {
        guard network["ssoEnabled"].bool == true else { return nil }
        switch network["status"].string {
        case "AUTHENTICATION_REQUIRED": return "AUTH EXPIRED, URL: \(network["authenticationURL"].text)"
        case "OK":
            guard let end = network["authenticationExpiryTime"].integer, end >= now else { return nil }
            return "AUTH OK, expires in: \((end - now) / 1000) seconds"
        default: return nil
        }
    }

    /// One member of a network as text: a value, or addresses without their bits, one a line. Nil for what is no single
    /// value.
    static func property(_ name: String, of network: JSONValue) -> String? {
        let network = ReplyValue(network)
        let addresses = (network["assignedAddresses"].elements ?? []).map { String($0.text.prefix { $0 != "/" }) }
        func lines(_ isMeant: (String) -> Bool) -> String { addresses.filter(isMeant).joined(separator: "\n") }
        switch name {
        case "ip": return lines { _ in true }
        case "ip4": return lines { !$0.contains(":") }
        case "ip6": return lines { $0.contains(":") }
        case "ip6plane": return lines { $0.hasPrefix("fc") }
        case "ip6prefix":
            return addresses.filter { $0.hasPrefix("fc") }.map(sixPlanePrefix).joined(separator: "\n")
        default: break
        }
        let value = network[name]
        switch value.json {
        case .string?: return value.text
        case .bool(let isSo)?: return isSo ? "1" : "0"
        case .integer(let number)?: return String(number)
        case .unsigned(let number)?: return String(number)
        case .number(let number)?: return String(number)
        case .null?, .array?, .object?, nil: return nil
        }
    }

    // The first 80 bits, which are the network's and the node's: 24 characters when no digit is left out.
    private static func sixPlanePrefix(_ address: String) -> String {
        guard let bytes = IPAddress(address)?.bytes, bytes.count == 16 else { return String(address.prefix(24)) }
        return stride(from: 0, to: 10, by: 2).map { place in
            Column.right(String(UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1]), radix: 16), 4)
                .replacing(" ", with: "0")
        }.joined(separator: ":")
    }

    // MARK: Bonds

    private static let policies = [
        "none", "active-backup", "broadcast", "balance-rr", "balance-xor", "balance-aware",
    ]

    private static func policy(_ peer: ReplyValue) -> String {
        if let name = peer["bondingPolicyStr"].string { return Report.printable(name) }
        guard let code = peer["bondingPolicyCode"].integer, policies.indices.contains(Int(clamping: code)) else {
            return ReplyValue.unknown
        }
        return policies[Int(clamping: code)]
    }

    private static func links(_ peer: ReplyValue) -> String {
        "\(peer["numAliveLinks"].digits)/\(peer["numTotalLinks"].digits)"
    }

    static func bonds(_ peers: [ReplyValue]) -> String {
        let bonded = peers.filter { $0["isBonded"].bool == true }
        let rows = bonded.map { peer in
            "\(Column.right(peer["address"].text, 10))  \(Column.right(policy(peer), 32))         \(links(peer))"
        }
        let none = "\(Column.right("NONE", 10))  \(Column.right("NONE", 32))         NONE"
        return (["    <peer>                        <bondtype>     <links>"] + (rows.isEmpty ? [none] : rows))
            .joined(separator: "\n")
    }

    static func bond(_ bond: JSONValue) -> String {
        let bond = ReplyValue(bond)
        let facts = [
            ("Peer", bond["address"].text), ("Bond", policy(bond)),
            ("Link Select Method", bond["linkSelectMethod"].digits), ("Links", links(bond)),
            ("Failover Interval (ms)", bond["failoverInterval"].digits), ("Up Delay (ms)", bond["upDelay"].digits),
            ("Down Delay (ms)", bond["downDelay"].digits), ("Packets Per Link", bond["packetsPerLink"].digits),
        ]
        let paths = (bond["paths"].elements ?? []).enumerated().map { (String($0.offset), $0.element) }
        return
            (facts.map { "\(Column.left($0.0, 23)): \($0.1)" }
            + table(
                [("interface", 26), ("path", 51), ("socket", 16), ("local port", 12)],
                paths.map { index, path in
                    (
                        index,
                        [
                            path["ifname"].text, path["address"].text, path["localSocket"].hexadecimal,
                            path["localPort"].digits,
                        ]
                    )
                })
            + table(
                [
                    ("lat", 8), ("pdv", 8), ("capacity", 10), ("qual", 7), ("rx_age", 11), ("tx_age", 11),
                    ("eligible", 9),
                    ("bonded", 7), ("flows", 7),
                ],
                paths.map { index, path in
                    (
                        index,
                        [
                            path["latencyMean"].fixed(2), path["latencyVariance"].fixed(2),
                            path["givenLinkSpeed"].digits,
                            path["relativeQuality"].fixed(4), path["lastInAge"].digits, path["lastOutAge"].digits,
                            path["eligible"].digits, path["bonded"].digits, path["assignedFlowCount"].digits,
                        ]
                    )
                })).joined(separator: "\n")
    }

    // An empty line, the headers, a rule, and a row for each path.
    private static func table(_ columns: [(name: String, width: Int)], _ rows: [(index: String, cells: [String])])
        -> [String]
    {
        func line(_ first: String, _ cells: [String]) -> String {
            first + zip(cells, columns).map { " " + Column.right($0, $1.width) }.joined()
        }
        return ["", line("idx", columns.map(\.name)), String(repeating: "-", count: 120)]
            + rows.map { line(Column.right($0.index, 2) + ":", $0.cells) }
    }
}
