import Foundation
import Testing

/// The shape of the sources: what fits on a screen, what has one name, what is used and what is explained.
@Suite struct ShapeTests {
    private static let sources = RepositoryFiles.swiftSources.map { SourceText(path: $0.path, text: $0.text) }

    @Test func `the reader of sources sees what a compiler sees`() {
        let text = SourceText(
            path: "",
            text: "func a(_ b: [Int] = [{ 1 }()]) {\n  // }\n  c(\"}\\(d(\"{\"))}\")\n}\nvar e: Int { 1 }\nfunc f() { }"
        )
        #expect(text.functions.map(\.length) == [4, 1])
        #expect(!text.words.contains("}") && text.words.contains("d"))
        let declared = SourceText(
            path: "", text: "protocol P {\n  func a()\n  func b()\n}\nfunc c()\n    throws\n{\n}\n")
        #expect(declared.functions.map(\.length) == [4])
    }

    @Test func `no function is longer than a screen`() {
        for source in Self.sources {
            for function in source.functions where function.length > 70 {
                Issue.record("\(source.path):\(function.line) \(function.name) has \(function.length) lines")
            }
        }
    }

    /// Why a name may mean two things in two modules.
    private static let sharedNames = [
        "DatagramSocket": "the application's face of the machine's socket",
        "InterfaceAddress": "the application's face of the machine's address",
        "Listener": "the application's face of the machine's listener",
        "NetworkSettings": "the application's face of the record on disk",
        "NetworkStatus": "the application's face of the machine's status",
        "Node": "the application's face of the machine",
        "NodeEvent": "the application's face of the machine's events",
        "StreamSocket": "the application's face of the machine's socket",
        "NetworkID": "the application's face of the number on the wire",
        "Identity": "the application's face of the record on the wire",
        "PeerRole": "the application's face of the machine's role",
    ]

    @Test func `a type's name says one thing`() throws {
        var modules: [String: Set<String>] = [:]
        for source in Self.sources where source.path.hasPrefix("Sources/") {
            let module = String(source.path.split(separator: "/")[1])
            let code = String(decoding: source.code, as: UTF8.self)
            for match in code.matches(
                of:
                    #/(?m)^((?:public |package |internal |final |indirect )*)(?:struct|class|enum|actor|protocol|typealias) ([A-Z]\w*)/#
            ) {
                modules[String(match.output.2), default: []].insert(module)
            }
        }
        #expect(modules.count > 300)
        for (name, places) in modules.sorted(by: { $0.key < $1.key }) where places.count > 1 {
            if Self.sharedNames[name] == nil { Issue.record("\(name) stands in \(places.sorted())") }
        }
        for name in Self.sharedNames.keys { #expect(modules[name, default: []].count > 1, "\(name) needs no reason") }
    }

    /// What nothing names but its declaration, with the reason why it is there.
    private static let unnamed = [
        "halfOpenCount": "a table's size, which shows that it has a bound",
        "stationCount": "a table's size, which shows that it has a bound",
        "handlerRemoved": "NIO calls it", "userInboundEventTriggered": "NIO calls it", "errorCaught": "NIO calls it",
        "noteQuickOver": "puts a connection past its start, which takes many segments otherwise",
        "connectionOpened": "Hummingbird calls it", "connectionClosed": "Hummingbird calls it",
        "isAcceptingNewConnections": "Hummingbird calls it",
    ]

    @Test func `nothing in the sources is used by tests alone`() {
        var uses: [String: Int] = [:]
        for source in Self.sources {
            for word in source.words { uses[word, default: 0] += 1 }
        }
        let declaration =
            #/(?m)^ *(?:@\w+(?:\([^)]*\))? )*((?:(?:public|package|internal|private|fileprivate|static|mutating|borrowing|consuming|nonisolated|override|final|package\(set\)|private\(set\)|internal\(set\)) )*)(?:func|var|let|struct|enum|class) `?(\w+)/#
        for source in Self.sources where source.path.hasPrefix("Sources/") {
            for match in String(decoding: source.code, as: UTF8.self).matches(of: declaration) {
                let name = String(match.output.2)
                // Users are elsewhere.
                guard !match.output.1.contains("public"), !match.output.1.contains("override") else { continue }
                if uses[name] == 1, Self.unnamed[name] == nil { Issue.record("\(source.path): nothing uses \(name)") }
            }
        }
        for name in Self.unnamed.keys { #expect(uses[name] == 1, "\(name) needs no reason") }
    }

    @Test func `every public symbol is explained`() {
        var count = 0
        // What C programs call is explained in their headers.
        for source in Self.sources
        where source.path.hasPrefix("Sources/") && !source.path.hasPrefix("Sources/ZeroTierC/") {
            let code = String(decoding: source.code, as: UTF8.self).split(
                separator: "\n", omittingEmptySubsequences: false)
            for (index, line) in code.enumerated() {
                let words = line.split(separator: " ")
                guard let place = words.firstIndex(where: { $0 == "public" }),
                    words[..<place].allSatisfy({ $0.hasPrefix("@") }), place + 1 < words.count,
                    !["import", "extension"].contains(words[place + 1])
                else { continue }
                count += 1
                var above = index - 1
                while above >= 0, code[above].drop(while: { $0 == " " }).hasPrefix("@") { above -= 1 }
                if above < 0 || !source.lines[above].drop(while: { $0 == " " }).hasPrefix("///") {
                    Issue.record("\(source.path):\(index + 1) is not explained: \(line)")
                }
            }
        }
        #expect(count > 400)
    }
}
