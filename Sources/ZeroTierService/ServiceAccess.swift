// Who may ask the service: by address, by token, and by where a browser says that a request comes from.
// Read first: Docs/decisions/0033-the-service.md.

import JSONValues
package import NetPrimitives
import Synchronization

/// The tokens in force.
private final class AccessTokens: Sendable {
    private struct Tokens {
        var all: [UInt8]
        var metrics: [UInt8]
    }

    private let tokens: Mutex<Tokens>

    init(_ token: String, metrics: String) {
        tokens = Mutex(Tokens(all: Array(token.utf8), metrics: Array(metrics.utf8)))
    }

    var current: (all: [UInt8], metrics: [UInt8]) { tokens.withLock { ($0.all, $0.metrics) } }

    func set(_ token: String, metrics: String) {
        tokens.withLock { $0 = Tokens(all: Array(token.utf8), metrics: Array(metrics.utf8)) }
    }
}

/// The rules of access. They are asked before a body is read.
package struct ServiceAccess: Sendable {
    /// What a path asks of who calls it.
    private enum Gate {
        /// A path that is open to every address that may ask: nothing of it is secret.
        case address
        /// An address that may ask, and the token.
        case token
        /// A token from any address: that of the node, or that of its metrics.
        case metrics
        /// An address that may ask, and the token or one of Central's API.
        case central
    }

    private let tokens: AccessTokens
    // In lower case.
    private let hosts: Set<String>
    /// Central's API, if it is served.
    let central: CentralFace?

    /// - Parameters:
    ///   - token: opens everything.
    ///   - metricsToken: opens the metrics.
    ///   - hosts: names of this machine by which browsers may ask, beside those that no stranger can own.
    ///   - central: Central's API, whose tokens open it and nothing else; nil for none.
    package init(token: String, metricsToken: String, hosts: [String], central: CentralFace? = nil) {
        self.central = central
        tokens = AccessTokens(token, metrics: metricsToken)
        self.hosts = Set(hosts.map { $0.lowercased() })
    }

    /// From here on others open everything, and the metrics.
    package func setTokens(_ token: String, metricsToken: String) { tokens.set(token, metrics: metricsToken) }

    /// Why a request is not answered; nil if it is. `managers` are the networks that may ask besides this machine.
    package func refusal(of request: ServiceRequest, managers: [IPPrefix]) -> ServiceAnswer? {
        if let refusal = refusalOfOrigin(request) { return refusal }
        let isNear = request.client.isLoopback || managers.contains { $0.contains(request.client) }
        let kind = kind(of: request.path)
        guard isNear || kind == .metrics else { return ServiceAccess.unauthorized }
        guard kind != .address else { return nil }
        let shown = ServiceAccess.credential(of: request, isCentral: kind == .central).map { Array($0.utf8) }
        guard let shown else { return ServiceAccess.unauthorized }
        let tokens = tokens.current
        let isOwner = ServiceAccess.areEqual(shown, tokens.all)
        let isReader = ServiceAccess.areEqual(shown, tokens.metrics)
        // Asked whatever the others say, so that time tells nothing.
        let isClient = kind == .central && central?.tokens.opens(shown) == true
        return isOwner || (kind == .metrics && isReader) || isClient ? nil : ServiceAccess.unauthorized
    }

    private static let unauthorized = ServiceAnswer.json(.object([]), status: 401)

    private func kind(of path: [String]?) -> Gate {
        if central?.path.holds(path) == true { return .central }
        return switch path {
        case ["health"]?: .address
        case ["metrics"]?: .metrics
        // Files of the page, which ask with the token for what they show.
        case let path? where path.first == PageRoutes.folder: .address
        // What everybody may read in the repository.
        case DescriptionRoutes.path?: .address
        default: .token
        }
    }

    // MARK: Tokens

    /// The first that is there decides: a wrong one is not rescued by the next.
    private static func credential(of request: ServiceRequest, isCentral: Bool) -> String? {
        if let header = request.value(of: "x-zt1-auth") { return header }
        if let field = request.parameter("auth") { return field }
        guard let header = request.value(of: "authorization") else { return nil }
        // Central's older clients have a word of their own.
        for scheme in isCentral ? ["bearer ", "token "] : ["bearer "] where header.lowercased().hasPrefix(scheme) {
            return String(decoding: header.utf8.dropFirst(scheme.utf8.count), as: UTF8.self)
        }
        return ""
    }

    /// Whether two texts are the same. How long it takes tells their lengths and nothing of their bytes.
    static func areEqual(_ shown: [UInt8], _ secret: [UInt8]) -> Bool {
        guard shown.count == secret.count, !secret.isEmpty else { return false }
        var difference: UInt8 = 0
        for index in secret.indices { difference |= shown[index] ^ secret[index] }
        return difference == 0
    }

    // MARK: Browsers

    private func refusalOfOrigin(_ request: ServiceRequest) -> ServiceAnswer? {
        let named = request.values(of: "host")
        guard named.count <= 1 else { return .error(400, "one Host header is expected, not \(named.count)") }
        if let host = named.first, !isOurs(host) {
            return .error(
                403,
                "this service is not known by the name in the Host header: ask it by its address, or start it with "
                    + "--service-host and that name")
        }
        // What a browser sends on behalf of a page. A page of ours has the address that it asks.
        if let origin = request.value(of: "origin") {
            guard let host = named.first, origin.lowercased() == "http://\(host.lowercased())" else {
                return .error(403, "pages of other origins may not ask this service")
            }
        }
        let site = request.value(of: "sec-fetch-site")
        if let site, site != "same-origin", site != "none", !isLinkToPage(request) {
            return .error(403, "pages of other sites may not ask this service")
        }
        return nil
    }

    // A link on another page may lead to ours: it shows nothing before somebody gives the token.
    private func isLinkToPage(_ request: ServiceRequest) -> Bool {
        request.method == .get && request.path?.first == PageRoutes.folder
            && request.value(of: "sec-fetch-mode") == "navigate"
            && request.value(of: "sec-fetch-dest").map { $0 == "document" } ?? true
    }

    // A page can let its own name lead to this machine, but not an address, nor a name that nobody can own.
    private func isOurs(_ host: String) -> Bool {
        guard let name = ServiceAccess.name(of: host) else { return false }
        if IPAddress(name) != nil || hosts.contains(name) || name == "localhost" { return true }
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 != UInt8(ascii: ":") }) else { return false }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let last = labels.last else { return false }
        // One label is a name of the local network. The others are set aside: RFC 6761, RFC 6762, RFC 8375, and ICANN for `internal`.
        return labels.count == 1 || ["localhost", "local", "internal"].contains(last)
            || name.hasSuffix(".home.arpa")
    }

    // The host without its port, in lower case.
    private static func name(of host: String) -> String? {
        let text = host.lowercased()
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || isPort(rest) else { return nil }
            return String(text[text.index(after: text.startIndex)..<end])
        }
        guard let colon = text.firstIndex(of: ":") else { return text }
        return isPort(text[colon...]) ? String(text[..<colon]) : nil
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.dropFirst().utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    }
}
