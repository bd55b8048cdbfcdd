// Names in place of addresses: a node asks the name servers of its networks.

public import NetPrimitives

extension Node {
    /// The addresses of a name: those of IPv4 first, at most 16 of each version.
    ///
    ///     let addresses = try await node.resolve("printer.office.example")
    ///
    /// The question goes over the virtual networks, never over this machine's own resolver. `servers` are asked one after the
    /// other, at most eight. A port of 0 means 53. Without `servers` the node asks those of its joined networks that
    /// `NetworkSettings.allowsDNS` lets through. Networks whose `NetworkStatus.nameDomain` has the name come first; if there
    /// are none, all are asked. Nothing is appended to a name.
    ///
    /// An address in text form is given back as it is. `localhost` and the names below it are this node's loopback
    /// addresses. Neither is asked for.
    ///
    /// Throws `invalidArgument` if the text is no name, `noNameServer` if there is nobody to ask, `nameNotFound` if there is
    /// no such name or it has no address, `nameServerFailed` if no server gives an answer that can be used, `timedOut` after
    /// `timeout`, and `nodeStopped`.
    public func resolve(
        _ name: String, servers: [SocketEndpoint] = [], timeout: Duration? = .seconds(10)
    ) async throws -> [IPAddress] {
        try Task.checkCancellation()
        if let known = NameLookup.immediate(name) { return known }
        let deadline = timeout.map { SystemClock.monotonic() + $0 } ?? .distantFuture
        var search = try NameSearch(name, servers, endsWithFirst: false, of: self)
        while let question = search.lookup.question {
            do {
                let exchange = try begin(question, search.query(question))
                defer { end(exchange) }
                let answer = try await driver.wait(
                    for: .socket(exchange.id), until: question.end(before: deadline)
                ) { (core, now) throws(ZeroTierError) in try exchange.step(&core, now) }
                if answer == nil, SystemClock.monotonic() >= deadline { throw search.late(timeout) }
                search.lookup.note(answer ?? .unrelated)
            } catch let error as ZeroTierError {
                if SystemClock.monotonic() >= deadline { throw search.late(timeout) }
                try search.noteFailure(error)
            }
        }
        return try search.result()
    }

    /// As `resolve`, for threads outside of Swift's concurrency: blocks the thread. `endsWithFirst`: if a name has addresses of
    /// IPv4, those of IPv6 are not asked for. There is no time limit: each server is asked three times, for seven seconds in all.
    package func resolveBlocking(
        _ name: String, servers: [SocketEndpoint], endsWithFirst: Bool
    ) throws(ZeroTierError) -> [IPAddress] {
        if let known = NameLookup.immediate(name) { return known }
        var search = try NameSearch(name, servers, endsWithFirst: endsWithFirst, of: self)
        while let question = search.lookup.question {
            if CallingThread.noticesCancellation() { throw ZeroTierError(.failed, "the thread was cancelled") }
            do throws(ZeroTierError) {
                let exchange = try begin(question, search.query(question))
                defer { end(exchange) }
                let answer = try driver.waitBlocking(
                    for: .socket(exchange.id), until: question.end(before: .distantFuture)
                ) { (core, now) throws(ZeroTierError) in try exchange.step(&core, now) }
                search.lookup.note(answer ?? .unrelated)
            } catch {
                try search.noteFailure(error)
            }
        }
        return try search.result()
    }

    /// The answer if no name server is needed: for addresses in text form, `localhost` and the names below it. Nil:
    /// servers are asked.
    package static func addressesWithoutServer(of name: String) -> [IPAddress]? { NameLookup.immediate(name) }

    private func begin(_ question: NameLookup.Question, _ query: DNSQuery) throws(ZeroTierError) -> NameExchange {
        try driver.call { (core, now) throws(ZeroTierError) in try NameExchange(query, to: question, &core, now) }
    }

    private func end(_ exchange: NameExchange) {
        try? driver.call { (core, now) throws(ZeroTierError) in core.closeSocket(exchange.id, now: now) }
    }
}

extension Node {
    // MARK: Connecting by name

    /// Connects by TCP to a host by its name, or to an address in text form. The name is looked up as by `resolve`. Its addresses
    /// are tried in their order, each for its share of the time. Throws the errors of `resolve`, or the error of the last
    /// address.
    public func connect(to host: String, port: UInt16, timeout: Duration? = .seconds(60)) async throws -> StreamSocket {
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        let addresses = try await resolve(host, timeout: min(timeout ?? Node.nameTime, Node.nameTime))
        for (index, address) in addresses.dropLast().enumerated() {
            let left = deadline.map { max(.zero, $0 - SystemClock.monotonic()) / (addresses.count - index) }
            do {
                return try await connect(
                    to: SocketEndpoint(address, port: port), timeout: left ?? Node.addressTime)
            } catch let error as ZeroTierError {
                // One address may be out of reach and another not. Other failures have nothing to do with the address.
                let mayMatter: [ZeroTierError.Code] = [
                    .timedOut, .connectionRefused, .connectionReset, .hostUnreachable, .networkUnreachable,
                    .addressNotAvailable,
                ]
                guard mayMatter.contains(error.code) else { throw error }
            }
        }
        let left = deadline.map { max(.zero, $0 - SystemClock.monotonic()) }
        return try await connect(to: SocketEndpoint(addresses[addresses.count - 1], port: port), timeout: left)
    }

    /// As `connect(to:port:timeout:)`, and lends the connection to `body` as `withConnection(to:from:timeout:_:)` does.
    public func withConnection<Result>(
        to host: String, port: UInt16, timeout: Duration? = .seconds(60),
        isolation: isolated (any Actor)? = #isolation, _ body: (StreamSocket) async throws -> Result
    ) async throws -> Result {
        try await connect(to: host, port: port, timeout: timeout).ending(with: body)
    }

    // For a connect: the most time for finding the addresses. Without a limit, also the most for each address but the
    // last.
    private static let nameTime = Duration.seconds(10)
    private static let addressTime = Duration.seconds(20)
}

extension NameLookup.Question {
    // A stream has to be opened first.
    fileprivate func end(before deadline: MonotonicInstant) -> MonotonicInstant {
        min(deadline, SystemClock.monotonic() + patience * (isStream ? 2 : 1))
    }
}

/// A lookup, and how its failures are worded.
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

    // A server was not reached, or everything ends.
    mutating func noteFailure(_ error: ZeroTierError) throws(ZeroTierError) {
        switch error.code {
        case .nodeStopped, .limitReached: throw error
        default:
            failure = error
            lookup.note(.unrelated)
        }
    }

    // The time is over.
    func late(_ timeout: Duration?) -> ZeroTierError {
        let time = timeout.map { " within \($0)" } ?? ""
        return ZeroTierError(.timedOut, "no answer for \(text) from \(named)\(time)")
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
