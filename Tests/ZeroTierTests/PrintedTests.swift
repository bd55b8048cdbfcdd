import Foundation
import Testing

@testable import ZeroTier

/// What values show of themselves when they are printed.
@Suite struct PrintedTests {
    private func shown(_ value: Any) -> String {
        var text = "\(value)" + String(reflecting: value)
        dump(value, to: &text)
        return text
    }

    // Of keys there are bytes in decimal, one a line or in brackets, or digits in hexadecimal.
    private func showsKeys(_ text: String, _ bytes: [UInt8]) -> Bool {
        let few = bytes.prefix(6)
        let hexadecimal = few.map { String(format: "%02x", $0) }.joined()
        return text.contains(hexadecimal) || text.contains(few.map(String.init).joined(separator: ", "))
            || few.allSatisfy { text.contains("- \($0)\n") }
    }

    @Test func `a printed configuration shows no keys`() throws {
        let key = RootSet.SigningKey()
        let identity = try Identity(text: TestIdentity.first)
        let secret = try #require(identity.secretText?.split(separator: ":").last)
        let store = MemoryStore(identity: TestIdentity.first)
        try store.write("planet.key", key.bytes, isSecret: true)
        var configuration = Node.Configuration(storage: .store(store))
        configuration.planet = try Constellation.makePlanet(port: 1)
        let publicDigits = try #require(
            try Identity(text: TestIdentity.root).publicText.split(separator: ":").last)
        for value in [configuration, configuration.storage, store, identity, key, [identity], [key]] as [Any] {
            let text = shown(value)
            #expect(!text.contains(secret) && !text.contains(publicDigits), "\(text)")
            #expect(!showsKeys(text, key.bytes) && !showsKeys(text, Array(secret.utf8)), "\(text)")
            #expect(!showsKeys(text, try #require(configuration.planet).bytes.suffix(200)), "\(text)")
        }
        #expect(shown(configuration).contains(String(TestIdentity.root.prefix(10))), "the roots are named")
    }

    // As a program's own store may be: nothing of it is hidden from a mirror.
    private struct PlainStore: StateStore {
        var contents: [String: [UInt8]]

        func read(_ name: String) throws(ZeroTierError) -> [UInt8]? { contents[name] }
        func write(_ name: String, _ bytes: [UInt8], isSecret: Bool) throws(ZeroTierError) {}
        func remove(_ name: String) throws(ZeroTierError) {}
        func list(_ folder: String) throws(ZeroTierError) -> [String] { [] }
        func location(of name: String) -> String { name }
    }

    @Test func `a printed configuration does not look into a store of the program`() throws {
        let secret = Array(TestIdentity.first.utf8)
        let configuration = Node.Configuration(storage: .store(PlainStore(contents: ["identity.secret": secret])))
        for value in [configuration, configuration.storage] as [Any] {
            let text = shown(value)
            #expect(!text.contains("contents") && !showsKeys(text, secret), "\(text)")
            #expect(text.contains("PlainStore"), "\(text)")
        }
    }

    @Test func `an error says why, also to who asks for its localised description`() async {
        do {
            _ = try Identity(text: "nonsense")
            Issue.record("nonsense is no identity")
        } catch {
            #expect(error.localizedDescription == error.message && error.message.contains("text form"))
        }
    }
}
