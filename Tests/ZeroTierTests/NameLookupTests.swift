import NetPrimitives
import Testing

@testable import ZeroTier

/// The order of a lookup's questions, without a network.
@Suite struct NameLookupTests {
    private let name = DomainName("a.example.test")!
    private let first = SocketEndpoint("10.0.0.1:53")!
    private let second = SocketEndpoint("10.0.0.2:5353")!
    private let four = IPAddress(v4: 0x0a01_0203)
    private let six = IPAddress("fd00::1")!

    private func lookup(_ servers: [SocketEndpoint], endsWithFirst: Bool = false) -> NameLookup {
        NameLookup(name, servers: servers, endsWithFirst: endsWithFirst)
    }

    // What is asked, as text, while nobody answers.
    private func asked(_ lookup: inout NameLookup, _ answer: DNSAnswer = .unrelated) -> [String] {
        var result: [String] = []
        while let question = lookup.question, result.count < 100 {
            result.append("\(question.server) \(question.type) \(question.patience)")
            lookup.note(answer)
        }
        return result
    }

    @Test func `every server is asked in each of three rounds, which grow`() {
        var lookup = lookup([first, second])
        let expected = ["1.0", "2.0", "4.0"].flatMap { pause in
            ["\(first) ipv4 \(pause) seconds", "\(second) ipv4 \(pause) seconds"]
        }
        #expect(asked(&lookup) == expected)
        #expect(lookup.outcome == .noAnswer)
    }

    @Test func `at most eight servers are asked, and port 0 is the standard one`() {
        var lookup = lookup((1...20).map { SocketEndpoint(IPAddress(v4: 0x0a00_0000 + $0), port: 0) })
        #expect(lookup.question?.server.port == 53)
        #expect(asked(&lookup).count == 3 * NameLookup.mostServers)
        #expect(NameLookup(name, servers: [], endsWithFirst: false).outcome == .noAnswer)
    }

    @Test func `the server that answered is asked first for the other family`() {
        var lookup = lookup([first, second])
        lookup.note(.serverFailure(code: 2))
        #expect(lookup.question?.server == second)
        lookup.note(.addresses([four]))
        #expect(lookup.question?.server == second && lookup.question?.type == .ipv6)
        #expect(lookup.question?.patience == NameLookup.rounds[0])
        lookup.note(.addresses([six]))
        #expect(lookup.question == nil && lookup.outcome == .addresses([four, six]))
    }

    @Test func `what one family has is an answer, whatever becomes of the other`() {
        for end in [DNSAnswer.noSuchName, .unrelated, .addresses([])] {
            var lookup = lookup([first])
            lookup.note(.addresses([four]))
            _ = asked(&lookup, end)
            #expect(lookup.outcome == .addresses([four]), "\(end)")
        }
    }

    @Test func `who wants one family asks for the second only if there is nothing of the first`() {
        var one = lookup([first], endsWithFirst: true)
        one.note(.addresses([four]))
        #expect(one.outcome == .addresses([four]))
        var other = lookup([first], endsWithFirst: true)
        other.note(.addresses([]))
        other.note(.addresses([six]))
        #expect(other.outcome == .addresses([six]))
        var none = lookup([first], endsWithFirst: true)
        none.note(.noSuchName)
        #expect(none.outcome == .noSuchName)
    }

    @Test func `a cut answer is asked for by TCP, and what was whole of it counts if that fails`() {
        var lookup = lookup([first, second], endsWithFirst: true)
        lookup.note(.cut([four]))
        #expect(lookup.question?.isStream == true && lookup.question?.server == first)
        var whole = lookup
        whole.note(.addresses([four, four]))
        #expect(whole.outcome == .addresses([four, four]))
        lookup.note(.unrelated)
        #expect(lookup.outcome == .addresses([four]))
        // Nothing was whole: the next server, by a datagram again.
        var empty = self.lookup([first, second])
        empty.note(.cut([]))
        empty.note(.unrelated)
        #expect(empty.question?.server == second && empty.question?.isStream == false)
    }

    @Test func `literals and the names of this host are asked of nobody`() {
        #expect(NameLookup.immediate("10.1.2.3") == [four])
        #expect(NameLookup.immediate("fd00::1") == [six])
        for name in ["localhost", "LocalHost.", "printer.localhost"] {
            #expect(NameLookup.immediate(name) == [IPAddress("127.0.0.1")!, IPAddress("::1")!])
        }
        #expect(NameLookup.immediate("localhost.example.test") == nil)
        #expect(NameLookup.immediate("notlocalhost") == nil)
    }

    private func network(_ id: UInt64, _ domain: String, _ servers: [IPAddress]) -> NetworkStatus {
        NetworkStatus(
            id: NetworkID(id), name: "", state: .ok, mac: MACAddress(0), mtu: 2800, addresses: [], routes: [],
            isPrivate: true, isBroadcastEnabled: true, nameServers: servers, nameDomain: domain)
    }

    @Test func `a name is asked for on the networks that have its domain, or on all`() {
        let networks = [
            network(3, "example.test", [second.address, first.address]), network(2, "other.test", [four]),
            network(1, "", [six, first.address]),
        ]
        func servers(_ text: String) -> [IPAddress] {
            NameLookup.servers(for: DomainName(text)!, of: networks).map(\.address)
        }
        #expect(servers("A.Example.Test.") == [second.address, first.address])
        #expect(servers("example.test") == [second.address, first.address])
        #expect(servers("an-example.test") == [six, first.address, four, second.address])
        #expect(NameLookup.servers(for: name, of: [network(1, "example.test", [])]).isEmpty)
    }
}
