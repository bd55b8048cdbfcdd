import Foundation
import Testing

/// House rules that a machine can check.
@Suite struct HouseRulesTests {
    /// Files that may be longer than a file should be, and why.
    private static let longFiles: [String: String] = [:]

    @Test func `files stay readable in one sitting`() {
        for (path, text) in RepositoryFiles.swiftSources {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count
            if lines > 500, Self.longFiles[path] == nil {
                Issue.record("\(path) has \(lines) lines: is there a second noun?")
            }
        }
        for path in Self.longFiles.keys {
            #expect(FileManager.default.fileExists(atPath: RepositoryFiles.root.appendingPathComponent(path).path))
        }
    }

    @Test func `nothing is left for later in the sources`() {
        // Built from parts, so that this file does not find itself.
        let reminders = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "fatal" + "Error("]
        for (path, text) in RepositoryFiles.swiftSources {
            for reminder in reminders where text.contains(reminder) { Issue.record("\(path) says \(reminder)") }
        }
        for (path, text) in RepositoryFiles.texts(in: ["Sources"], endings: ["c", "h"]) {
            for reminder in reminders where text.contains(reminder) { Issue.record("\(path) says \(reminder)") }
        }
    }

    // What a machine can not do is said in the output: a user without privileges makes no network namespaces, and mounts nothing; not
    // every machine has each program, continuous integration has.
    private static let conditions = [
        ".ena" + "bled(if: Namespace.isPossible,", ".ena" + "bled(if: MountNamespace.isPossible,",
        ".ena" + "bled(if: MachineProgram.isExpected(",
    ]

    @Test func `no test is switched off`() {
        let switches = [".disa" + "bled(", ".ena" + "bled(", "withKnown" + "Issue", "XCT" + "Skip"]
        for (path, text) in RepositoryFiles.texts(in: ["Tests"], endings: ["swift"]) {
            let rest = Self.conditions.reduce(text) { $0.replacingOccurrences(of: $1, with: "") }
            for word in switches where rest.contains(word) { Issue.record("\(path) uses \(word)") }
        }
    }

    @Test func `unsafe code stays where the architecture allows it`() {
        let allowed = [
            "Sources/NetPrimitives/", "Sources/ZeroTierCrypto/", "Sources/ZeroTier/Runtime/",
            "Sources/ZeroTierStore/", "Sources/ZeroTierStorePostgres/",
            "Sources/ZeroTierCommand/", "Sources/ZeroTierC/",
            "Benchmarks/", "Fuzz/fuzz/", "Tests/InteropTests/Node/",
            "Tests/Floods/Flood/",
        ]
        for (path, text) in RepositoryFiles.swiftSources where !allowed.contains(where: { path.hasPrefix($0) }) {
            for pointer in ["UnsafeMutable", "UnsafeRaw", "UnsafePointer", "UnsafeBuffer", "OpaquePointer"]
            where text.contains(pointer) {
                Issue.record("\(path) uses \(pointer)")
            }
        }
    }

    @Test func `every file says what it is`() {
        for (path, text) in RepositoryFiles.swiftSources where !text.hasPrefix("//") {
            Issue.record("\(path) does not open with what it is")
        }
    }

    @Test func `the documents that the house needs are there and name the two commands`() throws {
        for name in [
            "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "Docs/README.md",
            "Docs/architecture.md", "Docs/dependencies.md", "Docs/testing.md",
        ] {
            #expect(
                FileManager.default.fileExists(atPath: RepositoryFiles.root.appendingPathComponent(name).path),
                "\(name)")
        }
        let readme = try String(contentsOf: RepositoryFiles.root.appendingPathComponent("README.md"), encoding: .utf8)
        #expect(readme.contains("make demo") && readme.contains("make test"))
    }

    @Test func `files of the repository that scripts and documents name are there`() throws {
        var named = 0
        let texts =
            RepositoryFiles.texts(
                in: ["Tools", "Tests", "Benchmarks", "Fuzz", "Docs", "Examples"], endings: ["", "md", "py"])
            + ["Makefile", "README.md", "CONTRIBUTING.md", "SECURITY.md", ".ci/run", "Package.swift"].map { name in
                let file = RepositoryFiles.root.appendingPathComponent(name)
                return (path: name, text: (try? String(contentsOf: file, encoding: .utf8)) ?? "")
            }
        for (path, text) in texts {
            #expect(!text.isEmpty, "\(path) cannot be read")
            let mentions = text.matches(
                of: #/\b(?:Sources|Tests|Tools|Docs|Simulation|Examples|Fuzz)\/[A-Za-z0-9_\/+-]+(?:\.[A-Za-z0-9]+)?/#)
            for mention in mentions {
                let name = String(mention.output)
                named += 1
                if !FileManager.default.fileExists(atPath: RepositoryFiles.root.appendingPathComponent(name).path) {
                    Issue.record("\(path) names \(name), which is not there")
                }
            }
        }
        // Both ways of building the C library name many.
        #expect(named > 30)
    }

    @Test func `the C library for debugging is built with basic traces on`() throws {
        func text(_ path: String) throws -> String {
            try String(contentsOf: RepositoryFiles.root.appendingPathComponent(path), encoding: .utf8)
        }
        let build = try text("Tools/build-libzt")
        // The name of the object's symbol is written in two languages.
        let symbol = try #require(build.firstMatch(of: #/echo 'const int ([a-z_]+) = 1;'/#)).output.1
        #expect(
            try text("Sources/CZeroTierSystem/host.c").contains("extern const int \(symbol) __attribute__((weak));"))
        #expect(try text("Sources/ZeroTier/API/Traces.swift").contains("Build.isMadeForDebugging ? .basic : []"))
    }

    // What a stranger's message costs does not grow with the number of peers.
    @Test func `all peers are looked at when somebody asks for them, and by nothing that a packet causes`() {
        var places: [String] = []
        for (path, text) in RepositoryFiles.swiftSources where path.hasPrefix("Sources/") {
            for line in text.split(separator: "\n") where line.contains(".snapshots(now:") {
                places.append("\(path.split(separator: "/").last ?? ""): \(line.trimmingCharacters(in: .whitespaces))")
            }
        }
        let onlyOne = "DriverCore+Node.swift: func peers(now: Now) -> [PeerStatus]"
        #expect(places.count == 1 && places.allSatisfy { $0.hasPrefix(onlyOne) }, "\(places)")
    }

    @Test func `sections of the architecture that sources name are there`() throws {
        let file = RepositoryFiles.root.appendingPathComponent("Docs/architecture.md")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        let reference = "Docs/architecture.md, \""
        var found = 0
        for (path, text) in RepositoryFiles.swiftSources {
            for part in text.split(separator: "\n") {
                guard let start = part.range(of: reference)?.upperBound,
                    let end = part[start...].firstIndex(of: "\"")
                else { continue }
                found += 1
                #expect(lines.contains("## \(part[start..<end])"), "\(path) names a section that is not there")
            }
        }
        #expect(found > 5)
    }

    @Test(arguments: ["Echo", "EchoClient", "Controller", "Member"])
    func `the examples in the README are the ones that are compiled`(name: String) throws {
        let root = RepositoryFiles.root
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let example = try String(
            contentsOf: root.appendingPathComponent("Examples/Swift/\(name)/main.swift"), encoding: .utf8)
        let code = try #require(example.range(of: "import ZeroTier").map { example[$0.lowerBound...] })
        #expect(readme.contains("```swift\n\(code)```"))
    }

    @Test(arguments: [("Echo", "ZeroTier"), ("Echo", "FirstProgram"), ("EchoClient", "FirstProgram")])
    func `the programs in the catalogue of the documentation are the ones that are compiled`(
        name: String, page: String
    ) throws {
        let root = RepositoryFiles.root
        let text = try String(
            contentsOf: root.appendingPathComponent("Sources/ZeroTier/ZeroTier.docc/\(page).md"), encoding: .utf8)
        let example = try String(
            contentsOf: root.appendingPathComponent("Examples/Swift/\(name)/main.swift"), encoding: .utf8)
        let code = try #require(example.range(of: "import ZeroTier").map { example[$0.lowerBound...] })
        #expect(text.contains("```swift\n\(code)```"))
    }

    @Test func `the programs in the design of the API are the examples, all of them`() throws {
        let page = try String(
            contentsOf: RepositoryFiles.root.appendingPathComponent("Docs/api-design.md"), encoding: .utf8)
        let examples = RepositoryFiles.texts(in: ["Examples/Swift"], endings: ["swift"])
        #expect(examples.count > 10)
        for (path, text) in examples {
            let code = try #require(text.range(of: "import ").map { text[$0.lowerBound...] })
            #expect(page.contains("```swift\n\(code)```"), "\(path)")
            #expect(text.count { $0 == "\n" } < 50, "\(path) is too long to be read at once")
        }
        #expect(page.components(separatedBy: "```swift\n").count == examples.count + 1)
    }
}
