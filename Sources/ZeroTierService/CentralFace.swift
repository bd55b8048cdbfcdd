// Where Central's API is served, and who may ask there besides the service's owner. Read first: Docs/decisions/0042-centrals-api.md.

/// The path below which Central's API is.
package struct CentralPath: Hashable, Sendable, CustomStringConvertible {
    // Between slashes.
    let parts: [String]

    /// `/api/v1`, as in the addresses that clients have built in.
    package static let standard = CentralPath(parts: ["api", "v1"])

    // First parts of the service's other paths.
    private static let taken: Set<String> = [
        "app", "bond", "config", "controller", "health", "metrics", "moon", "network", "peer", "status", "unstable",
        "zt",
    ]
    private static let longest = 256

    private init(parts: [String]) { self.parts = parts }

    /// A path such as `/central/api/v1`: a slash before each part, of letters, digits and `-._~`. Nil for another one, and for
    /// one below which the service has something else.
    package init?(_ text: String) {
        guard text.hasPrefix("/"), text.utf8.count <= CentralPath.longest else { return nil }
        let parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard let first = parts.first, !CentralPath.taken.contains(first) else { return nil }
        for part in parts {
            guard !part.isEmpty, part != ".", part != "..", part.utf8.allSatisfy(CentralPath.isPlain) else {
                return nil
            }
        }
        self.parts = parts
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~".utf8.contains(byte)
        }
    }

    /// The path, without a slash at its end.
    package var description: String { parts.map { "/" + $0 }.joined() }

    /// Whether a request's path is below it.
    func holds(_ path: [String]?) -> Bool { path?.starts(with: parts) ?? false }
}

/// Central's API of a service.
package struct CentralFace: Sendable {
    let path: CentralPath
    let tokens: CentralTokens

    package init(path: CentralPath, tokens: CentralTokens) {
        self.path = path
        self.tokens = tokens
    }
}
