// Tokens that open Central's API and nothing else of the service. Only digests are kept. Read first:
// Docs/decisions/0042-centrals-api.md.

import JSONValues
import NetPrimitives
import Synchronization
package import ZeroTier
import ZeroTierCrypto

/// The tokens of a state directory. A change is on disk when its call returns.
package final class CentralTokens: Sendable {
    /// Why a token was not added.
    enum Refusal: Error, Equatable {
        /// What is wrong with a field, by its name.
        case field(String, String)
        /// Another token has this name, or it has another name.
        case taken(String)
        /// There are as many as there may be.
        case full(Int)
    }

    private struct Token: Equatable {
        let name: String
        /// Of the salt and the token.
        let digest: [UInt8]
    }

    private struct State {
        var salt: [UInt8]
        var tokens: [Token]
    }

    static let fileName = "centraltokens.secret"
    /// Central's clients make no shorter ones, so a digest tells nothing that could be guessed.
    static let lengths = 32...1024
    static let nameLength = 128
    static let limit = 128
    private static let saltSize = 16
    private static let fileLimit = 1 << 18

    private let store: any StateStore
    private let state: Mutex<State>

    /// Reads the tokens. Throws `storageUnsafe` if their file is damaged: it stays as it is.
    package init(_ store: any StateStore) throws(ZeroTierError) {
        self.store = store
        let name = CentralTokens.fileName
        guard let bytes = try store.read(name) else {
            state = Mutex(State(salt: SystemRandom.bytes(CentralTokens.saltSize), tokens: []))
            return
        }
        do throws(JSONError) {
            var limits = JSONLimits()
            limits.bytes = CentralTokens.fileLimit
            let read = try JSONDocument(bytes, limits: limits).read { (json) throws(JSONError) in
                try CentralTokens.read(json)
            }
            state = Mutex(read)
        } catch {
            throw ZeroTierError(
                .storageUnsafe,
                "\(store.location(of: name)) does not hold tokens: \(error). It was left as it is; remove it, and tokens for "
                    + "Central's API are to be made anew")
        }
    }

    // MARK: Asking

    /// Whether a text is one of the tokens. How long it takes tells the number of tokens, and nothing of them.
    func opens(_ shown: [UInt8]) -> Bool {
        guard CentralTokens.lengths.contains(shown.count) else { return false }
        return state.withLock { state in
            guard !state.tokens.isEmpty else { return false }
            let digest = SHA512.digest(state.salt + shown)
            var isKnown = false
            for token in state.tokens where ConstantTime.equal(token.digest, digest) { isKnown = true }
            return isKnown
        }
    }

    /// The names, in the order in which the tokens were made.
    var names: [String] { state.withLock { $0.tokens.map(\.name) } }

    // MARK: Changes

    /// Adds a token. Throws a `Refusal`, or why it could not be written.
    func add(_ name: String, _ token: String) throws {
        let bytes = Array(token.utf8)
        try CentralTokens.check(name, bytes)
        try state.withLock { state in
            guard !state.tokens.contains(where: { $0.name == name }) else {
                throw Refusal.taken("there is a token of this name: delete it first")
            }
            let added = Token(name: name, digest: SHA512.digest(state.salt + bytes))
            guard !state.tokens.contains(where: { $0.digest == added.digest }) else {
                throw Refusal.taken("this token has a name already")
            }
            guard state.tokens.count < CentralTokens.limit else { throw Refusal.full(CentralTokens.limit) }
            try write(State(salt: state.salt, tokens: state.tokens + [added]), &state)
        }
    }

    /// Forgets a token: it opens nothing from now on. False if there is none of this name.
    func remove(_ name: String) throws(ZeroTierError) -> Bool {
        try state.withLock { (state) throws(ZeroTierError) in
            let rest = state.tokens.filter { $0.name != name }
            guard rest.count < state.tokens.count else { return false }
            try write(State(salt: state.salt, tokens: rest), &state)
            return true
        }
    }

    private static func check(_ name: String, _ token: [UInt8]) throws(Refusal) {
        guard !name.isEmpty, name.utf8.count <= nameLength else {
            throw .field("tokenName", "1 to \(nameLength) bytes, not \(name.utf8.count)")
        }
        // It stands in paths, and in lists for people.
        guard
            name.unicodeScalars.allSatisfy({
                !$0.properties.isDefaultIgnorableCodePoint && $0.value >= 0x20 && $0.value != 0x7f
            })
        else { throw .field("tokenName", "there is a character in it that cannot be seen") }
        guard lengths.contains(token.count) else {
            throw .field("token", "\(lengths.lowerBound) to \(lengths.upperBound) characters, not \(token.count)")
        }
        guard token.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw .field("token", "visible ASCII characters without a space: it must fit into a header")
        }
    }

    // MARK: The file

    private func write(_ new: State, _ state: inout State) throws(ZeroTierError) {
        let tokens = new.tokens.map { token -> JSONValue in
            .object([("name", .string(token.name)), ("sha512", .string(CentralTokens.text(token.digest)))])
        }
        let file = JSONValue.object([("salt", .string(CentralTokens.text(new.salt))), ("tokens", .array(tokens))])
        try store.write(CentralTokens.fileName, Array((file.indentedText + "\n").utf8), isSecret: true)
        state = new
    }

    private static func read(_ json: JSONField) throws(JSONError) -> State {
        var tokens: [Token] = []
        for element in try json.required("tokens").elements(atMost: limit) {
            let name = try element.required("name").string()
            tokens.append(Token(name: name, digest: try bytes(element.required("sha512"), SHA512.size)))
        }
        return State(salt: try bytes(json.required("salt"), saltSize), tokens: tokens)
    }

    private static func text(_ bytes: [UInt8]) -> String {
        bytes.map { hexadecimal(UInt64($0), digits: 2) }.joined()
    }

    private static func bytes(_ field: JSONField, _ count: Int) throws(JSONError) -> [UInt8] {
        let digits = Array(try field.string().utf8)
        var bytes: [UInt8] = []
        for place in stride(from: 0, to: digits.count - 1, by: 2) {
            guard let byte = UInt8(String(decoding: digits[place...(place + 1)], as: UTF8.self), radix: 16) else {
                break
            }
            bytes.append(byte)
        }
        guard digits.count == 2 * count, bytes.count == count else {
            throw field.error("\(2 * count) hexadecimal digits are expected")
        }
        return bytes
    }
}
