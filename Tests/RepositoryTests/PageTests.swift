import Foundation
import Testing

/// Pages for people: that they are listed, and that what they name is there.
@Suite struct PageTests {
    /// Every page of the repository, by its path from the root.
    private static let pages: [(path: String, text: String)] =
        RepositoryFiles.texts(in: ["Docs", "Examples", "Tests"], endings: ["md"])
        + ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map { name in
            let file = RepositoryFiles.root.appendingPathComponent(name)
            return (path: name, text: (try? String(contentsOf: file, encoding: .utf8)) ?? "")
        }

    /// The anchors of a page's headings, as hosts of repositories make them.
    private static func anchors(_ text: String) -> Set<String> {
        Set(
            text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
                String(
                    line.drop { $0 == "#" || $0 == " " }.lowercased()
                        .compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || $0 == "-" ? $0 : nil })
            })
    }

    @Test func `every link leads to a file, and to a heading of it`() throws {
        var found = 0
        for page in Self.pages {
            #expect(!page.text.isEmpty, "\(page.path) cannot be read")
            let folder = RepositoryFiles.root.appendingPathComponent(page.path).deletingLastPathComponent()
            for match in page.text.matches(of: #/\]\(([^()\s]+)\)/#) {
                let link = String(match.output.1)
                if link.contains("://") { continue }
                found += 1
                let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                let file = folder.appendingPathComponent(parts[0])
                let target = parts[0].isEmpty ? page.text : try? String(contentsOf: file, encoding: .utf8)
                #expect(FileManager.default.fileExists(atPath: file.path), "\(page.path) links to \(link)")
                if parts.count > 1, !Self.anchors(target ?? "").contains(parts[1]) {
                    Issue.record("\(page.path) links to \(link), and there is no such heading")
                }
            }
        }
        #expect(found > 80)
    }

    @Test func `the list of pages has all of them`() throws {
        let list = try String(
            contentsOf: RepositoryFiles.root.appendingPathComponent("Docs/README.md"), encoding: .utf8)
        var count = 0
        for page in Self.pages where page.path.hasPrefix("Docs/") && page.path != "Docs/README.md" {
            count += 1
            #expect(list.contains("](\(page.path.dropFirst(5)))"), "Docs/README.md does not list \(page.path)")
            guard page.path.hasPrefix("Docs/decisions/") else { continue }
            // A decision is listed by its number and its title.
            let title = try #require(page.text.firstMatch(of: #/^# (\d+)\. (.+)\n/#), "\(page.path) has no title")
            #expect(page.path.contains("/" + String(repeating: "0", count: 4 - title.output.1.count) + title.output.1))
            #expect(list.contains("| \(title.output.1) | [\(title.output.2)]("), "\(page.path) has another title")
        }
        #expect(count > 25)
    }

    private static let sources =
        (RepositoryFiles.swiftSources + RepositoryFiles.texts(in: ["Tests"], endings: ["swift"])).map {
            SourceText(path: $0.path, text: $0.text)
        }
    private static let words = sources.reduce(into: Set<String>()) { $0.formUnion($1.words) }

    /// The files and folders that a page may name by the end of their path, without `.swift`.
    private static let places = sources.reduce(into: Set<String>()) { places, source in
        var parts = source.path.split(separator: "/").map(String.init)
        parts[parts.count - 1] = String(parts[parts.count - 1].dropLast(".swift".count))
        for end in 1...parts.count {
            for start in 0..<end { places.insert(parts[start..<end].joined(separator: "/")) }
        }
    }

    /// What a text has between backquotes.
    private static func names(in text: some StringProtocol) -> [String] {
        String(text).matches(of: #/`([^`\n]+)`/#).map { String($0.output.1) }
    }

    /// Whether a name is one of a file or folder of the sources.
    private static func isPlace(_ name: String) -> Bool { name.contains("/") || name.contains("+") }

    @Test func `what the pages about the code name is there`() throws {
        for (path, least) in [
            ("Docs/how-to-add.md", 90), ("Docs/architecture.md", 110), ("Docs/questions.md", 60),
            ("Docs/debugging-a-simulation.md", 5), ("CONTRIBUTING.md", 45),
        ] {
            let page = try #require(Self.pages.first { $0.path == path }).text
            var found = 0
            for name in Self.names(in: page) {
                if name.contains("/") {
                    // Endpoints, devices and the like have other characters, or begin with a slash.
                    guard name.wholeMatch(of: #/[A-Za-z][A-Za-z0-9_\/+.-]*/#) != nil else { continue }
                    found += 1
                    let file = RepositoryFiles.root.appendingPathComponent(name).path
                    let isThere = FileManager.default.fileExists(atPath: file) || Self.places.contains(name)
                    #expect(isThere, "\(path): \(name) is not there")
                } else if name.contains("+") {
                    found += 1
                    let isStem = name.hasSuffix("+…") && Self.places.contains { $0.hasPrefix(name.dropLast()) }
                    #expect(isStem || Self.places.contains(name), "\(path): \(name) is not there")
                } else if name.wholeMatch(of: #/[A-Z][A-Za-z]*[a-z][A-Za-z]*(?:\.[A-Za-z]+)*(?:\(.*\))?/#) != nil {
                    // Types and what is in them; other words are commands and files of the root.
                    if name.contains(".md") || name.contains(".swift") || name == "Makefile" { continue }
                    found += 1
                    for word in name.prefix(while: { $0 != "(" }).split(separator: ".") {
                        let isThere = Self.words.contains(String(word)) || Self.places.contains(String(word))
                        #expect(isThere, "\(path): nothing is called \(name)")
                    }
                }
            }
            #expect(found >= least, "\(path): \(found) names")
        }
    }

    @Test func `the ways of a packet are ten steps at most, each a place in the code that is there`() throws {
        let page = try #require(Self.pages.first { $0.path == "Docs/architecture.md" }).text
        var declared: Set<String> = []
        var functions: Set<String> = []
        for source in Self.sources where source.path.hasPrefix("Sources/") {
            let code = String(decoding: source.code, as: UTF8.self)
            for match in code.matches(of: #/\b(func|var|let|struct|class|enum|case|typealias|protocol) (\w+)/#) {
                declared.insert(String(match.output.2))
                if match.output.1 == "func" { functions.insert(String(match.output.2)) }
            }
        }
        for title in ["in", "out"] {
            let section = try #require(
                page.components(separatedBy: "\n## ").first { $0.hasPrefix("The way of a packet \(title)\n") })
            let steps = section.split(separator: #/\n(?=\d+\. )/#).dropFirst().map(String.init)
            #expect((5...10).contains(steps.count), "\(steps.count) steps \(title)")
            for (index, step) in steps.enumerated() {
                // The last one ends where the list does.
                let text = step.components(separatedBy: "\n\n")[0]
                #expect(text.hasPrefix("\(index + 1). "))
                var hasFunction = false
                var hasPlace = false
                for name in Self.names(in: text) {
                    if Self.isPlace(name) {
                        hasPlace = true
                        #expect(Self.places.contains(name), "\(name) is not there: \(text)")
                        continue
                    }
                    let parts = name.prefix { $0 != "(" }.split(separator: ".").map(String.init)
                    for part in parts {
                        let isThere = declared.contains(part) || Self.places.contains(part)
                        #expect(isThere, "nothing is called \(name): \(text)")
                    }
                    hasFunction = hasFunction || functions.contains(parts[parts.count - 1])
                    hasPlace = hasPlace || parts.contains { Self.places.contains($0) }
                }
                #expect(hasFunction && hasPlace, "a step names a file and a function: \(text)")
            }
        }
    }

    @Test func `a list of places is worth its name`() throws {
        let page = try #require(Self.pages.first { $0.path == "Docs/how-to-add.md" }).text
        for section in page.components(separatedBy: "\n## ").dropFirst() {
            #expect(section.contains("\n2. "), "\(section.prefix(40))")
        }
        #expect(Self.names(in: page).count { $0.contains("/") } > 40)
    }
}
