// What tools of the field find beside a running node: the tokens, the port, the process. Read first: Docs/service.md, "Files".

package import ZeroTier

/// The files of the service in a state directory.
package struct ServiceFiles: Sendable {
    private static let tokenName = "authtoken.secret"
    private static let metricsTokenName = "metricstoken.secret"
    private static let portName = "zerotier-one.port"
    private static let processName = "zerotier-one.pid"
    private static let tokenLength = 24
    // A header has no room for more.
    private static let longestToken = 1024

    private let store: any StateStore

    package init(_ store: any StateStore) { self.store = store }

    /// The token that opens everything, made at the first start.
    package func token() throws(ZeroTierError) -> String { try token(ServiceFiles.tokenName) }

    /// The token that opens the metrics, made at the first start.
    package func metricsToken() throws(ZeroTierError) -> String { try token(ServiceFiles.metricsTokenName) }

    /// Tokens that clients of Central's API made.
    package func centralTokens() throws(ZeroTierError) -> CentralTokens { try CentralTokens(store) }

    /// Says where the service listens and which process it is.
    package func announce(port: UInt16, process: Int32) throws(ZeroTierError) {
        try store.write(ServiceFiles.portName, Array(String(port).utf8), isSecret: false)
        try store.write(ServiceFiles.processName, Array(String(process).utf8), isSecret: false)
    }

    /// The process ends. The port stays: the next one is the same unless somebody wants another.
    package func withdraw() throws(ZeroTierError) { try store.remove(ServiceFiles.processName) }

    private func token(_ name: String) throws(ZeroTierError) -> String {
        guard let bytes = try store.read(name) else {
            let token = ServiceFiles.newToken(ServiceFiles.tokenLength)
            try store.write(name, Array(token.utf8), isSecret: true)
            return token
        }
        // Editors and shells end a file with a line feed.
        let blank: Set<UInt8> = [0, 9, 10, 13, 32]
        let trimmed = bytes.drop { blank.contains($0) }.reversed().drop { blank.contains($0) }.reversed()
        let token = Array(trimmed)
        let isWord = token.allSatisfy { (0x21...0x7e).contains($0) }
        guard !token.isEmpty, token.count <= ServiceFiles.longestToken, isWord else {
            throw ZeroTierError(
                .storageUnsafe,
                "\(store.location(of: name)) is no token: a token is one word of 1 to \(ServiceFiles.longestToken) visible ASCII "
                    + "characters. It was left as it is; remove it, and the next start makes a new one")
        }
        return String(decoding: token, as: UTF8.self)
    }

    /// A drawn text of so many letters and digits.
    static func newToken(_ length: Int) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var token: [UInt8] = []
        while token.count < length {
            // Values above the last multiple of 36 would make some letters likelier.
            for byte in SystemRandom.bytes(length) where byte < 252 && token.count < length {
                token.append(letters[Int(byte) % letters.count])
            }
        }
        return String(decoding: token, as: UTF8.self)
    }
}
