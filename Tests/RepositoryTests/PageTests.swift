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

    @Test func `what the lists of places name is there`() throws {
        let page = try #require(Self.pages.first { $0.path == "Docs/how-to-add.md" }).text
        var words: Set<String> = []
        for source in RepositoryFiles.swiftSources {
            words.formUnion(SourceText(path: source.path, text: source.text).words)
        }
        var files = 0
        for match in page.matches(of: #/`([^`\n]+)`/#) {
            let name = String(match.output.1)
            if name.contains("/") {
                files += 1
                let path = RepositoryFiles.root.appendingPathComponent(name).path
                #expect(FileManager.default.fileExists(atPath: path), "\(name) is not there")
            } else if name.wholeMatch(of: #/[A-Za-z][A-Za-z.]+/#) != nil, name.first!.isUppercase {
                // Types and what is in them; other words are commands and files of the root.
                if name.contains(".md") || name.contains(".swift") { continue }
                for word in name.split(separator: ".") {
                    #expect(words.contains(String(word)), "nothing is called \(name)")
                }
            }
        }
        #expect(files > 40)
        // A list is worth its name with two places at least.
        for section in page.components(separatedBy: "\n## ").dropFirst() {
            #expect(section.contains("\n2. "), "\(section.prefix(40))")
        }
    }
}
