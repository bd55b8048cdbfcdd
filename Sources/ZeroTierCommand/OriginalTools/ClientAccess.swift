// Driver: where `zerotier-cli` finds a service's port and token.

import Glibc
import ZeroTier

/// The home of a service, and what is in it for clients.
struct ClientAccess: Sendable {
    static let portFile = "zerotier-one.port"
    static let tokenFile = "authtoken.secret"
    /// The original's own place, which a machine has that ran it or runs it.
    private static let originalHome = "/var/lib/zerotier-one"
    /// The token's second place, below `HOME`.
    private static let ownTokenFile = ".zeroTierOneAuthToken"

    let service: ServiceClient

    /// Nil where the state directory cannot be told.
    static func home(_ arguments: ClientArguments) -> String? {
        if let home = arguments.home ?? Home.variable("ZEROTIER_HOME") { return home }
        return Files.exists(originalHome) ? originalHome : try? Home.standard()
    }

    /// Finds both, or says which file is missing or wrong. Says nothing of the token.
    init(_ arguments: ClientArguments) throws(Failure) {
        let home = ClientAccess.home(arguments)
        // No autoclosure hands on which error it throws.
        let port = if let given = arguments.port { given } else { try ClientAccess.port(home) }
        let token = if let given = arguments.token { ClientAccess.trimmed(given) } else { try ClientAccess.token(home) }
        guard ClientAccess.isToken(token) else {
            throw Failure(
                "access", "the token has characters that no request can carry: look into \(ClientAccess.tokenFile)")
        }
        service = ServiceClient(host: arguments.host, port: port, token: token)
    }

    private static func port(_ home: String?) throws(Failure) -> UInt16 {
        guard let home else { throw Failure("access", "no state directory is known: give -D<directory>, or -p<port>") }
        let path = "\(home)/\(portFile)"
        guard let text = try text(of: path) else {
            throw Failure(
                "access",
                "no service has run in \(home): \(path) is missing. Give -D<directory> of one that runs, or -p<port>")
        }
        guard let port = UInt16(text), port > 0 else {
            throw Failure("access", "\(path) has no port in it: give -p<port>")
        }
        return port
    }

    private static func token(_ home: String?) throws(Failure) -> String {
        var places: [String] = []
        if let home { places.append("\(home)/\(tokenFile)") }
        if let own = Home.variable("HOME") { places.append("\(own)/\(ownTokenFile)") }
        var refused: Failure?
        for place in places {
            do throws(Failure) {
                if let token = try text(of: place), !token.isEmpty { return token }
            } catch {
                // The user's own copy is for those who may not read the service's.
                refused = refused ?? error
            }
        }
        if let refused {
            throw Failure("access", "\(refused.message): run it as the superuser, or give -T<token>")
        }
        throw Failure(
            "access",
            "the service's token is not in \(places.joined(separator: " and not in ")): give -D<directory> or -T<token>"
        )
    }

    private static func text(of path: String) throws(Failure) -> String? {
        do throws(SystemError) {
            return try FileSystem.read(path).map { trimmed(String(decoding: $0, as: UTF8.self)) }
        } catch {
            throw Failure(error)
        }
    }

    // Editors and containers write an end of line.
    private static func trimmed(_ text: String) -> String {
        let isSpace: (UInt8) -> Bool = { [0x20, 0x09, 0x0d, 0x0a, 0].contains($0) }
        let bytes = Array(text.utf8)
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }

    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}
