import Foundation
import JSONValues
import NetPrimitives
import Synchronization
import Testing
import ZeroTier

@testable import ZeroTierService

/// Files beside a running node.
@Suite struct ServiceFileTests {
    private func withFolder(_ body: (String, DirectoryStore) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder, try DirectoryStore(path: folder))
    }

    private func failure(_ body: () throws(ZeroTierError) -> Void) -> ZeroTierError? {
        do throws(ZeroTierError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func `tokens are made once, for their owner alone, and without a line feed`() throws {
        try withFolder { folder, store in
            let files = ServiceFiles(store)
            let (token, metricsToken) = (try files.token(), try files.metricsToken())
            #expect(token != metricsToken)
            for (name, token) in [("authtoken.secret", token), ("metricstoken.secret", metricsToken)] {
                #expect(token.wholeMatch(of: #/[a-z0-9]{24}/#) != nil)
                #expect(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")) == Data(token.utf8))
                #expect(FileSystem.facts(of: "\(folder)/\(name)")?.mode == 0o600)
            }
            #expect(try files.token() == token && files.metricsToken() == metricsToken)
        }
    }

    @Test(arguments: ["mine\n", " mine\r\n", "\tmine \0", "mine"])
    func `a token of one's own is read without what stands around it`(text: String) throws {
        try withFolder { _, store in
            try store.write("authtoken.secret", Array(text.utf8), isSecret: true)
            #expect(try ServiceFiles(store).token() == "mine")
        }
    }

    @Test(arguments: ["", "\n", " \r\n\0", "two words", "m\u{7}", "ä", String(repeating: "a", count: 1025)])
    func `what is no token is refused, named and left as it was`(text: String) throws {
        try withFolder { folder, store in
            try store.write("authtoken.secret", Array(text.utf8), isSecret: true)
            let failure = failure { () throws(ZeroTierError) in _ = try ServiceFiles(store).token() }
            #expect(failure?.message.contains("\(folder)/authtoken.secret") == true, "\(String(describing: failure))")
            #expect(failure?.message.contains(text.isEmpty ? "nothing" : text) != true)
            #expect(try store.read("authtoken.secret") == Array(text.utf8))
        }
    }

    @Test func `port and process are told, and the process is taken back`() throws {
        try withFolder { _, store in
            let files = ServiceFiles(store)
            try files.announce(port: 9993, process: 77)
            #expect(try store.read("zerotier-one.port") == Array("9993".utf8))
            #expect(try store.read("zerotier-one.pid") == Array("77".utf8))
            try files.withdraw()
            #expect(try store.read("zerotier-one.pid") == nil && store.read("zerotier-one.port") != nil)
        }
    }

    // MARK: local.conf

    @Test(
        arguments: [
            ("", [], 0), (" \n", [], 0), ("{}", [], 0), (#"{"settings":{}}"#, [], 0), (#"{"settings":null}"#, [], 0),
            (#"{"settings":{"allowManagementFrom":null,"primaryPort":"9994"}}"#, [], 9994),
            (
                #"{"settings":{"allowManagementFrom":["10.0.0.0/8","fd00::1"],"primaryPort":75530}}"#,
                ["10.0.0.0/8", "fd00::1/128"], 9994
            ),
        ] as [(String, [String], UInt16)])
    func `settings are read`(text: String, managers: [String], port: UInt16) throws {
        let configuration = try LocalConfiguration(Array(text.utf8))
        #expect(configuration.managers.map(\.description) == managers && configuration.primaryPort == port)
    }

    @Test(
        arguments: [("{}", .info), (#"{"settings":{"logLevel":null}}"#, .info)]
            + LogLevel.allCases.map { (#"{"settings":{"logLevel":"\#($0)"}}"#, $0) } as [(String, LogLevel)])
    func `the level of the log is read`(text: String, level: LogLevel) throws {
        #expect(try LocalConfiguration(Array(text.utf8)).logLevel == level)
    }

    @Test func `levels are ordered as the journal's numbers are`() {
        #expect(LogLevel.allCases.sorted() == [.info, .warning, .error])
        #expect(LogLevel.allCases.map(\.priority) == [6, 4, 3])
    }

    @Test(
        arguments: [
            ("{", "line 1, column 2"), ("[]", "an object"), (#"{"settings":[]}"#, "settings"),
            (#"{"settings":{"allowManagementFrom":"10.0.0.0/8"}}"#, "settings.allowManagementFrom"),
            (
                "{\"settings\":\n{\"allowManagementFrom\":[\"10.0.0.0/8\",\"10.0.0.0/99\"]}}",
                "line 2, column 38: settings.allowManagementFrom[1]"
            ),
            (#"{"settings":{"primaryPort":"x"}}"#, "settings.primaryPort"),
            (#"{"settings":{"allowManagementFrom":[7]}}"#, "settings.allowManagementFrom[0]"),
            (#"{"settings":{"logLevel":"loud"}}"#, "settings.logLevel"),
            (#"{"settings":{"logLevel":4}}"#, "settings.logLevel"),
        ])
    func `what is wrong with them is named`(text: String, place: String) throws {
        do throws(JSONError) {
            _ = try LocalConfiguration(Array(text.utf8))
            Issue.record("\(text) was read")
        } catch {
            #expect("\(error)".contains(place), "\(error)")
        }
    }

    @Test func `secrets are not shown, and all else is`() throws {
        let text = #"""
            {"settings":{"redis":{"hostname":"h","password":"p1"},"vault":{"vaultToken":"p2","vaultURL":"u"},
             "controllerDbPath":"postgres:host=h password=p3","other":[{"secret":"p4"},"x"]},"virtual":{"a":{"try":["1/2"]}}}
            """#
        let shown = try LocalConfiguration(Array(text.utf8)).shown.text
        for secret in ["p1", "p2", "p3", "p4"] { #expect(!shown.contains(secret), "\(shown)") }
        for other in [#""hostname":"h""#, #""vaultURL":"u""#, #""try":["1/2"]"#, #""x""#] {
            #expect(shown.contains(other), "\(shown)")
        }
    }

    @Test func `a change counts without a restart, and a broken file is told once`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try DirectoryStore(path: folder)
        let log = Told()
        let settings = try LocalSettings(store) { log.add($0) }
        #expect(settings.current.managers.isEmpty)
        try store.write(
            "local.conf", Array(#"{"settings":{"allowManagementFrom":["10.0.0.0/8"]}}"#.utf8), isSecret: false)
        #expect(try await eventually { settings.current.managers.map(\.description) == ["10.0.0.0/8"] })
        try store.write("local.conf", Array("{".utf8), isSecret: false)
        #expect(
            try await eventually {
                _ = settings.current
                return !log.lines.isEmpty
            })
        #expect(settings.current.managers.map(\.description) == ["10.0.0.0/8"])
        try await Task.sleep(for: .milliseconds(1500))
        _ = settings.current
        #expect(log.lines.count == 1 && log.lines[0].contains("\(folder)/local.conf: line 1, column 2"), "\(log.lines)")
        #expect(try store.read("local.conf") == Array("{".utf8))
        // One that is gone sets nothing.
        try store.remove("local.conf")
        #expect(try await eventually { settings.current.managers.isEmpty })
    }

    @Test func `a broken file stops the start`() throws {
        try withFolder { folder, store in
            try store.write("local.conf", Array("{".utf8), isSecret: false)
            let failure = failure { () throws(ZeroTierError) in _ = try LocalSettings(store) { _ in } }
            #expect(failure?.message.contains("\(folder)/local.conf: line 1, column 2") == true)
        }
    }
}

/// What was complained about.
final class Told: Sendable {
    private let state = Mutex<[String]>([])

    func add(_ line: String) { state.withLock { $0.append(line) } }
    var lines: [String] { state.withLock { $0 } }
}
