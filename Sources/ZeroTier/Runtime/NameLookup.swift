// The order of questions of one name lookup: which name server is asked what, and what the answers come to. Pure: it asks
// nobody and reads no clock.
// Read first: DNSMessage.swift; RFC 1035 section 7.2 (several servers), RFC 6761 section 6.3 (localhost), RFC 7766 (TCP).

import NetPrimitives

/// A lookup under way. Its owner takes a question, asks it, and tells the answer; until there is none left.
struct NameLookup: Sendable {
    /// What the lookup wants next.
    struct Question: Sendable {
        let server: SocketEndpoint
        let type: DNSRecordType
        /// By TCP: an answer was cut.
        let isStream: Bool
        /// How long the answer is waited for.
        let patience: Duration
    }

    /// How it ended.
    enum Outcome: Equatable, Sendable {
        /// The addresses found, those of IPv4 first. Empty: the name has none.
        case addresses([IPAddress])
        /// There is no such name.
        case noSuchName
        /// No server gave an answer that can be used.
        case noAnswer
    }

    /// Servers asked at most.
    static let mostServers = 8
    /// How long each round waits for each server.
    static let rounds: [Duration] = [.seconds(1), .seconds(2), .seconds(4)]
    /// The port of a server that has none.
    private static let standardPort: UInt16 = 53

    let name: DomainName
    private let servers: [SocketEndpoint]
    // Families that are still to be asked for; the first one is being asked for.
    private var types: [DNSRecordType] = [.ipv4, .ipv6]
    private let endsWithFirst: Bool
    private var round = 0
    private var place = 0
    // Questions for this family that had no answer.
    private var unanswered = 0
    // What was whole of an answer that was cut: its server is asked by TCP.
    private var cut: [IPAddress]?
    private var found: [IPAddress] = []
    private(set) var outcome: Outcome?

    /// `servers`: a port of 0 is the standard one. `endsWithFirst`: a name that has addresses of IPv4 is not asked for others.
    init(_ name: DomainName, servers: [SocketEndpoint], endsWithFirst: Bool) {
        self.name = name
        self.endsWithFirst = endsWithFirst
        self.servers = servers.prefix(NameLookup.mostServers).map {
            SocketEndpoint($0.address, port: $0.port == 0 ? NameLookup.standardPort : $0.port)
        }
        if servers.isEmpty { outcome = .noAnswer }
    }

    /// The next question; nil when there is an outcome.
    var question: Question? {
        guard outcome == nil, let type = types.first else { return nil }
        return Question(
            server: servers[place], type: type, isStream: cut != nil, patience: NameLookup.rounds[round])
    }

    /// What came of the question; `.unrelated` if nothing did.
    mutating func note(_ answer: DNSAnswer) {
        guard outcome == nil else { return }
        switch (answer, cut) {
        case (.addresses(let addresses), _), (.cut(let addresses), .some): take(addresses)
        case (.cut(let whole), nil): cut = whole
        case (.noSuchName, _): outcome = found.isEmpty ? .noSuchName : .addresses(found)
        // The server is not reached by TCP: what was whole is an answer all the same, but nothing is none.
        case (.serverFailure, let whole), (.unrelated, let whole):
            if let whole, !whole.isEmpty { take(whole) } else { goOn() }
        }
    }

    private mutating func take(_ addresses: [IPAddress]) {
        cut = nil
        found += addresses
        types.removeFirst()
        // The server that answered is asked first for the other family too: the place stays.
        round = 0
        unanswered = 0
        if types.isEmpty || (endsWithFirst && !found.isEmpty) { outcome = .addresses(found) }
    }

    // Another server, or the next round.
    private mutating func goOn() {
        cut = nil
        place = (place + 1) % servers.count
        unanswered += 1
        if unanswered % servers.count == 0 { round += 1 }
        // Of one family there may be an answer already.
        if round == NameLookup.rounds.count { outcome = found.isEmpty ? .noAnswer : .addresses(found) }
    }
}

extension NameLookup {
    /// What needs no name server: addresses in text form, and this node's own name. Nil: servers are to be asked.
    static func immediate(_ name: String) -> [IPAddress]? {
        if let literal = IPAddress(name) { return [literal] }
        // Never a question to others.
        guard isLocalhost(name) else { return nil }
        return [IPAddress(v4: 0x7f00_0001), IPAddress(v6High: 0, low: 1)]
    }

    private static func isLocalhost(_ name: String) -> Bool {
        var name = name.lowercased()[...]
        if name.hasSuffix(".") { name.removeLast() }
        return name == "localhost" || name.hasSuffix(".localhost")
    }

    /// The name servers that joined networks have for a name: those of the networks whose domain the name is in, and if it is
    /// in none, all.
    static func servers(for name: DomainName, of networks: [NetworkStatus]) -> [SocketEndpoint] {
        let known = networks.sorted { $0.id < $1.id }
        let own = known.filter { network in
            DomainName(network.nameDomain).map { name.labels.suffix($0.labels.count) == $0.labels[...] } ?? false
        }
        var servers: [SocketEndpoint] = []
        for address in (own.isEmpty ? known : own).flatMap(\.nameServers) {
            let server = SocketEndpoint(address, port: standardPort)
            if !servers.contains(server) { servers.append(server) }
        }
        return servers
    }
}
