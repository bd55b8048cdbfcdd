import JSONValues
import Testing

@testable import ZeroTierCommand

/// The columns of the original's client, to the space, from bodies of its service.
@Suite struct OriginalTableTests {
    // 1001 and 2001 milliseconds after the path of `RecordedReplies.peer` was used.
    private static let now: Int64 = 1_730_000_000_000

    private func json(_ text: String) throws -> JSONValue { try JSONDocument(Array(text.utf8)).root }
    private func rows(_ texts: String...) throws -> [ReplyValue] { try texts.map { ReplyValue(try json($0)) } }

    private func changed(_ text: String, _ changes: [(String, JSONValue)]) throws -> JSONValue {
        guard case .object(let object) = try json(text) else { return .null }
        return .object(object.members.map { ($0.key, $0.value) } + changes)
    }

    @Test func `the node's line has its address, version and state`() throws {
        #expect(OriginalTable.info(try json(RecordedReplies.status)) == "200 info 1d2e3f4a5b 1.14.1 ONLINE")
        let offline = try changed(RecordedReplies.status, [("online", .bool(false))])
        #expect(OriginalTable.info(offline) == "200 info 1d2e3f4a5b 1.14.1 OFFLINE")
        let tunneled = try changed(RecordedReplies.status, [("tcpFallbackActive", .bool(true))])
        #expect(OriginalTable.info(tunneled) == "200 info 1d2e3f4a5b 1.14.1 TUNNELED")
        #expect(OriginalTable.info(.null) == "200 info - - -")
    }

    @Test func `peers for scripts`() throws {
        let text = OriginalTable.listPeers(try rows(RecordedReplies.peer, RecordedReplies.relayedPeer), now: Self.now)
        #expect(
            text == """
                200 listpeers <ztaddr> <path> <latency> <version> <role>
                200 listpeers 0a1b2c3d4e 203.0.113.9/9993;1000;2000 23 1.14.1 LEAF
                200 listpeers 0a1b2c3d4f - -1 - PLANET
                """)
        // Never used is not long ago, and a clock that was set back gives no negative age.
        let never = RecordedReplies.peer.replacing("1729999998000", with: "0").replacing(
            "1729999999000", with: "1730000009000")
        #expect(
            OriginalTable.listPeers(try rows(never), now: Self.now).split(separator: "\n")[1]
                == "200 listpeers 0a1b2c3d4e 203.0.113.9/9993;0;-1 23 1.14.1 LEAF")
    }

    @Test func `peers for people`() throws {
        let text = OriginalTable.peers(try rows(RecordedReplies.peer, RecordedReplies.relayedPeer), now: Self.now)
        #expect(
            text == """
                200 peers
                <ztaddr>   <ver>  <role> <lat> <link>   <lastTX> <lastRX> <path>
                0a1b2c3d4e 1.14.1 LEAF      23 DIRECT   1000     2000     203.0.113.9/9993
                0a1b2c3d4f -      PLANET    -1 RELAY
                """)
        let tunneled = RecordedReplies.peer.replacing(#""tunneled":false"#, with: #""tunneled":true"#)
        let lines = OriginalTable.peers(try rows(tunneled), now: Self.now).split(
            separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[2] == "0a1b2c3d4e 1.14.1 LEAF      23 RELAY 1000     2000     203.0.113.9/9993")
        #expect(lines.count == 5 && lines[4].contains("TCP relay"))
    }

    @Test func `networks, with and without a name, a device and addresses`() throws {
        let text = OriginalTable.listNetworks(
            try rows(RecordedReplies.network, RecordedReplies.waitingNetwork), now: Self.now)
        #expect(
            text == """
                200 listnetworks <nwid> <name> <mac> <status> <type> <dev> <ZT assigned ips>
                200 listnetworks 1d2e3f4a5b000001 home 7e:01:02:03:04:05 OK PRIVATE ztabcdefgh \
                10.20.0.5/24,fd12::5/88,fc5b:1d2e:3f4a:5b01:1d2e::1/40
                200 listnetworks 1d2e3f4a5b000002  7e:01:02:03:04:06 REQUESTING_CONFIGURATION PRIVATE - -
                """)
    }

    @Test func `networks that want a sign-on say where, or how long it holds`() throws {
        func note(_ members: [(String, JSONValue)]) throws -> String? {
            let network = try changed(RecordedReplies.network, [("ssoEnabled", .bool(true))] + members)
            let lines = OriginalTable.listNetworks([ReplyValue(network)], now: Self.now).split(separator: "\n")
            return lines.count > 2 ? String(lines[2]) : nil
        }
        #expect(
            try note([
                ("status", .string("AUTHENTICATION_REQUIRED")),
                ("authenticationURL", .string("https://sign.test/\u{1b}[2J")),
            ]) == "    AUTH EXPIRED, URL: https://sign.test/\u{fffd}[2J")
        #expect(
            try note([("authenticationExpiryTime", .integer(Self.now + 61_500))])
                == "    AUTH OK, expires in: 61 seconds")
        #expect(try note([("authenticationExpiryTime", .integer(Self.now - 1))]) == nil)
        #expect(try note([]) == nil)
    }

    @Test func `one member of a network, and its addresses by kind`() throws {
        let network = try json(RecordedReplies.network)
        for (name, expected) in [
            ("name", "home"), ("status", "OK"), ("mtu", "2800"), ("allowManaged", "1"), ("bridge", "0"),
            ("ip", "10.20.0.5\nfd12::5\nfc5b:1d2e:3f4a:5b01:1d2e::1"), ("ip4", "10.20.0.5"),
            ("ip6", "fd12::5\nfc5b:1d2e:3f4a:5b01:1d2e::1"), ("ip6plane", "fc5b:1d2e:3f4a:5b01:1d2e::1"),
            ("ip6prefix", "fc5b:1d2e:3f4a:5b01:1d2e"),
        ] { #expect(OriginalTable.property(name, of: network) == expected, "\(name)") }
        for name in ["routes", "dns", "nothing", ""] { #expect(OriginalTable.property(name, of: network) == nil) }
        // Digits that are left out at the front of a group do not move the end.
        let short = try changed(
            RecordedReplies.network, [("assignedAddresses", .array([.string("fc00:12:3:0:9::1/40")]))])
        #expect(OriginalTable.property("ip6prefix", of: short) == "fc00:0012:0003:0000:0009")
        let empty = try json(RecordedReplies.waitingNetwork)
        #expect(OriginalTable.property("ip", of: empty) == "")
    }

    @Test func `bonds, and the paths of one`() throws {
        #expect(
            OriginalTable.bonds(try rows(RecordedReplies.peer, RecordedReplies.bond)) == """
                    <peer>                        <bondtype>     <links>
                0a1b2c3d4e                     active-backup         2/2
                """)
        let none = OriginalTable.bonds(try rows(RecordedReplies.peer)).split(separator: "\n")
        #expect(none.count == 2 && none[1].split(separator: " ") == ["NONE", "NONE", "NONE"])
        let lines = OriginalTable.bond(try json(RecordedReplies.bond)).split(
            separator: "\n", omittingEmptySubsequences: false)
        #expect(
            lines[..<9].joined(separator: "\n") == """
                Peer                   : 0a1b2c3d4e
                Bond                   : active-backup
                Link Select Method     : -
                Links                  : 2/2
                Failover Interval (ms) : 5000
                Up Delay (ms)          : 0
                Down Delay (ms)        : 0
                Packets Per Link       : 64

                """)
        let rule = String(repeating: "-", count: 120)
        #expect(lines[10] == rule && lines[14] == rule && lines.count == 16)
        #expect(
            lines[11]
                == " 0:                       eth0                                    203.0.113.9/9993 0000557e149be010            0"
        )
        #expect(
            lines[13]
                == "idx      lat      pdv   capacity    qual      rx_age      tx_age  eligible  bonded   flows")
        #expect(
            lines[15]
                == " 0:    12.50     0.75       1000  0.5000         120          40         1       1       0")
    }

    @Test func `another version's reply is shown as far as it is known, and never ends the program`() throws {
        let others: [JSONValue] = [
            .null, .bool(true), .integer(-1), .unsigned(.max), .number(1e300), .number(0.5), .string(""),
            .string("a\nb"), .array([]), .array([.null, .integer(1)]), .object([("x", .null)]),
        ]
        var count = 0
        func render(_ value: JSONValue) {
            count += 1
            let row = [ReplyValue(value)]
            #expect(OriginalTable.info(value).split(separator: "\n").count == 1)
            #expect(OriginalTable.listPeers(row, now: Self.now).split(separator: "\n").count == 2)
            #expect(OriginalTable.peers(row, now: Self.now).split(separator: "\n").count <= 4)
            #expect(OriginalTable.listNetworks(row, now: Self.now).split(separator: "\n").count <= 3)
            #expect(OriginalTable.bonds(row).split(separator: "\n").count == 2)
            #expect(OriginalTable.bond(value).split(separator: "\n").count >= 12)
            for name in ["ip", "ip6prefix", "name", "mtu", "paths"] { _ = OriginalTable.property(name, of: value) }
        }
        for text in [
            RecordedReplies.status, RecordedReplies.network, RecordedReplies.peer, RecordedReplies.bond,
            RecordedReplies.moon,
        ] {
            for variant in variants(of: try json(text), others) { render(variant) }
        }
        #expect(count > 1000)
        #expect(
            OriginalTable.listPeers(try rows("{}", "[]"), now: Self.now).split(separator: "\n").dropFirst()
                == ["200 listpeers - - - - -", "200 listpeers - - - - -"])
    }

    /// The value with each part in turn replaced or left out.
    private func variants(of value: JSONValue, _ others: [JSONValue]) -> [JSONValue] {
        var all = others
        switch value {
        case .object(let object):
            for member in object.members {
                let rest = object.members.filter { $0.key != member.key }.map { ($0.key, $0.value) }
                all.append(.object(rest))
                all += variants(of: member.value, others).map { .object(rest + [(member.key, $0)]) }
            }
        case .array(let values):
            for index in values.indices {
                all += variants(of: values[index], others).map { variant in
                    var changed = values
                    changed[index] = variant
                    return .array(changed)
                }
            }
        default: break
        }
        return all
    }
}
