// Names in place of addresses: a node's questions to the name servers of its networks.

public import NetPrimitives

extension Node {
    /// The addresses of a name: those of IPv4 first, at most 16 of each version.
    ///
    ///     let addresses = try await node.resolve("printer.office.example")
    ///
    /// The question goes over the virtual networks, never over this machine's own resolver. `servers` are asked one after the
    /// other, at most eight, with port 53 where the port is 0. Without them the joined networks' own name servers are, those
    /// that `NetworkSettings.allowsDNS` lets through: of the networks whose `NetworkStatus.nameDomain` the name is in, and if
    /// it is in none of these, of all. A name is always a whole one; nothing is appended to it.
    ///
    /// An address in text form is given back as it is. `localhost` and the names below it are this node's loopback
    /// addresses. Neither is asked for.
    ///
    /// Throws `invalidArgument` for what is no name, `noNameServer` if there is nobody to ask, `nameNotFound` if there is no
    /// such name or it has no address, `nameServerFailed` if no server gives an answer that can be used, `timedOut` after
    /// `timeout`, `cancelled` when the task is, and `nodeStopped`.
    public func resolve(
        _ name: String, servers: [SocketEndpoint] = [], timeout: Duration = .seconds(10)
    ) async throws(ZeroTierError) -> [IPAddress] {
        if let known = NameLookup.immediate(name) { return known }
        let deadline = SystemClock.monotonic() + timeout
        var search = try NameSearch(name, servers, endsWithFirst: false, of: self)
        while let question = search.lookup.question {
            do throws(ZeroTierError) {
                let exchange = try begin(question, search.query(question))
                defer { end(exchange) }
                let answer = try await driver.wait(
                    for: .socket(exchange.id), until: question.end(before: deadline), orThrow: .internalTimeout
                ) { (core, now) throws(ZeroTierError) in try exchange.step(&core, now) }
                search.lookup.note(answer)
            } catch {
                let isOver = SystemClock.monotonic() >= deadline
                try search.noteFailure(error, after: isOver ? timeout : nil)
            }
        }
        return try search.result()
    }

    /// As `resolve`, for threads outside of Swift's concurrency: blocks the thread. `endsWithFirst`: a name that has addresses
    /// of IPv4 is not asked for those of IPv6. Without a time limit: every server is asked three times, for seven seconds in all.
    package func resolveBlocking(
        _ name: String, servers: [SocketEndpoint], endsWithFirst: Bool
    ) throws(ZeroTierError) -> [IPAddress] {
        if let known = NameLookup.immediate(name) { return known }
        var search = try NameSearch(name, servers, endsWithFirst: endsWithFirst, of: self)
        while let question = search.lookup.question {
            do throws(ZeroTierError) {
                let exchange = try begin(question, search.query(question))
                defer { end(exchange) }
                let answer = try driver.waitBlocking(
                    for: .socket(exchange.id), until: question.end(before: .distantFuture), orThrow: .internalTimeout
                ) { (core, now) throws(ZeroTierError) in try exchange.step(&core, now) }
                search.lookup.note(answer)
            } catch {
                try search.noteFailure(error)
            }
        }
        return try search.result()
    }

    /// What needs no name server: addresses in text form, and `localhost` and the names below it. Nil: servers are asked.
    package static func addressesWithoutServer(of name: String) -> [IPAddress]? { NameLookup.immediate(name) }

    private func begin(_ question: NameLookup.Question, _ query: DNSQuery) throws(ZeroTierError) -> NameExchange {
        try driver.call { (core, now) throws(ZeroTierError) in try NameExchange(query, to: question, &core, now) }
    }

    private func end(_ exchange: NameExchange) {
        try? driver.call { (core, now) throws(ZeroTierError) in core.closeSocket(exchange.id, now: now) }
    }
}

extension NameLookup.Question {
    // A stream has to be opened first.
    fileprivate func end(before deadline: MonotonicInstant) -> MonotonicInstant {
        min(deadline, SystemClock.monotonic() + patience * (isStream ? 2 : 1))
    }
}

/// A lookup with the words for its end.
private struct NameSearch {
    var lookup: NameLookup
    private let text: String
    private let servers: [SocketEndpoint]
    private var failure: ZeroTierError?

    init(_ text: String, _ given: [SocketEndpoint], endsWithFirst: Bool, of node: Node) throws(ZeroTierError) {
        guard let name = DomainName(text) else {
            throw ZeroTierError(.invalidArgument, "\"\(text)\" is no name that a name server can be asked for")
        }
        servers = given.isEmpty ? NameLookup.servers(for: name, of: try node.networks()) : given
        guard !servers.isEmpty else {
            throw ZeroTierError(
                .noNameServer,
                "there is no name server to ask for \(text): name some, or allow a network's own with the setting allowsDNS"
            )
        }
        self.text = text
        lookup = NameLookup(name, servers: servers, endsWithFirst: endsWithFirst)
    }

    // Others must not guess the number (RFC 5452).
    func query(_ question: NameLookup.Question) -> DNSQuery {
        DNSQuery(id: .random(in: .min ... .max), name: lookup.name, type: question.type)
    }

    // A server that was not reached, or the end of everything; `timeout` if its time is over.
    mutating func noteFailure(_ error: ZeroTierError, after timeout: Duration? = nil) throws(ZeroTierError) {
        switch error.code {
        case .nodeStopped, .cancelled, .limitReached: throw error
        default:
            if let timeout { throw ZeroTierError(.timedOut, "no answer for \(text) from \(named) within \(timeout)") }
            if error != .internalTimeout { failure = error }
            lookup.note(.unrelated)
        }
    }

    func result() throws(ZeroTierError) -> [IPAddress] {
        switch lookup.outcome {
        case .addresses(let addresses) where !addresses.isEmpty: return addresses
        case .addresses: throw ZeroTierError(.nameNotFound, "\(text) has no address")
        case .noSuchName: throw ZeroTierError(.nameNotFound, "there is no name \(text), says a name server")
        case .noAnswer, nil:
            throw ZeroTierError(
                .nameServerFailed,
                "no answer for \(text) that can be used from \(named)" + (failure.map { ": \($0.message)" } ?? ""))
        }
    }

    private var named: String {
        servers.count == 1 ? "the name server \(servers[0].address)" : "any of the \(servers.count) name servers"
    }
}
