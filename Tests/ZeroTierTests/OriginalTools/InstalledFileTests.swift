import Foundation
import Testing

@testable import ZeroTierCommand

/// What an installation has beside the program: manual pages and units. What they say must be so.
@Suite struct InstalledFileTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    // MARK: Manual pages

    /// The first words of the entries of a section.
    private static func entries(_ page: String, _ section: String) throws -> [String] {
        let part = try #require(page.components(separatedBy: ".SH \(section)\n").dropFirst().first)
        let lines = (part.components(separatedBy: "\n.SH ").first ?? "").split(separator: "\n")
        return zip(lines, lines.dropFirst()).filter { $0.0 == ".TP" }.map { _, head in
            String(head.drop { $0 != " " }.dropFirst()).replacing(#/\\f[A-Z]/#, with: "").replacing("\\-", with: "-")
        }
    }

    /// The words at the left of a help, which stand in its first column.
    private static func heads(_ help: String, _ section: String) throws -> [String] {
        let part = try #require(help.components(separatedBy: "\(section)\n").dropFirst().first)
        let lines = (part.components(separatedBy: "\n\n").first ?? "").split(separator: "\n")
        return lines.filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }.map {
            $0.dropFirst(2).components(separatedBy: "  ")[0]
        }
    }

    /// What is fixed in a head: no brackets, no names of arguments.
    private static func fixed(_ head: String) -> String {
        let words = head.replacing(#/<[^>]*>|\[|\]/#, with: "").split(separator: " ").map(String.init)
        return words.filter { !$0.isEmpty && $0 != "=" && $0 != "or" && $0 != "..." }.joined(separator: " ")
    }

    @Test func `the pages of the original's tools name what their help names`() throws {
        let client = try Self.text("Docs/man/zerotier-cli.1")
        let verbs = try Self.entries(client, "VERBS")
        let helped = try Self.heads(ClientHelp.text, "Verbs:").map(Self.fixed)
        #expect(helped.count == verbs.count && helped.count > 15, "\(helped) \(verbs)")
        for (verb, head) in zip(verbs, helped) {
            // The page writes names of arguments without brackets.
            for word in head.split(separator: " ") where word != "1" && word != "0" {
                #expect(verb.contains(word), "\(verb): \(head)")
            }
        }
        let switches = try Self.entries(client, "SWITCHES").map { $0.prefix(2) }
        #expect(try switches == Self.heads(ClientHelp.text, "glued on:").map { $0.prefix(2) })

        let tool = try Self.text("Docs/man/zerotier-idtool.1")
        let commands = try Self.entries(tool, "COMMANDS").map { $0.split(separator: " ")[0] }
        #expect(try commands == Self.heads(IdentityTool.help, "Commands:").map { $0.split(separator: " ")[0] })
    }

    @Test func `every verb that a page names is one`() throws {
        let examples = [
            "network": "1d2e3f4a5b000001", "setting=value": "allowDNS=1", "member": "ip", "moon": "1d2e3f4a5b",
            "root": "1d2e3f4a5b", "peer": "0a1b2c3d4e", "size": "1400", "interface": "eth0", "address": "10.0.0.1",
        ]
        for entry in try Self.entries(try Self.text("Docs/man/zerotier-cli.1"), "VERBS") {
            for form in entry.components(separatedBy: ", ") {
                let words = form.split(separator: " ").map { examples[String($0)] ?? String($0) }
                #expect(throws: Never.self, "\(words)") { try ClientVerb(words) }
            }
        }
    }

    @Test(arguments: ["Docs/man/zerotier-cli.1", "Docs/man/zerotier-idtool.1"])
    func `pages are in the form that man reads`(path: String) throws {
        let page = try Self.text(path)
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[1].hasPrefix(".TH ") && lines[1].contains("@VERSION@"))
        let macros: Set<Substring> = [".TH", ".SH", ".PP", ".TP", ".B", ".I", ".BR", ".BI", ".IR", ".\\\""]
        for line in lines.dropLast() {
            #expect(!line.isEmpty && !line.hasSuffix(" "), "\(path) has an empty line or end")
            if line.hasPrefix(".") { #expect(macros.contains(line.prefix { $0 != " " }), "\(line)") }
            // A hyphen that is meant as typed has a backslash; others stand between letters.
            #expect(line.hasPrefix(".\\\"") || line.firstMatch(of: #/(^|[^\\\w])-|\\f[^BIR]/#) == nil, "\(line)")
        }
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"] {
            #expect(page.contains("\n.SH \(section)\n"), "\(path) has no \(section)")
        }
    }

    // MARK: Units

    @Test(arguments: ["zerotier", "zerotier-root"])
    func `units run the program without any privilege`(name: String) async throws {
        var section = ""
        var values: [String: String] = [:]
        for line in try Self.text("Tools/\(name).service").split(separator: "\n") where !line.hasPrefix("#") {
            if line.hasPrefix("["), line.hasSuffix("]") {
                section = String(line)
                continue
            }
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            try #require(parts.count == 2 && parts[0].allSatisfy { $0.isLetter }, "\(line)")
            #expect(values.updateValue(parts[1], forKey: section + parts[0]) == nil, "\(line) comes again")
        }
        for (key, value) in [
            ("DynamicUser", "yes"), ("StateDirectory", name), ("StateDirectoryMode", "0700"),
            ("CapabilityBoundingSet", ""),
            ("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("ProtectHome", "yes"), ("PrivateDevices", "yes"),
            ("SystemCallFilter", "@system-service"), ("MemoryDenyWriteExecute", "yes"), ("RestrictNamespaces", "yes"),
            ("UMask", "0077"),
        ] { #expect(values["[Service]\(key)"] == value, "\(key)") }
        #expect(values["[Install]WantedBy"] == "multi-user.target")
        // The command line is one that the program takes.
        let start = try #require(values["[Service]ExecStart"]).split(separator: " ").map(String.init)
        #expect(start[0] == "@PREFIX@/bin/zerotier" && start.last == "/var/lib/\(name)")
        let help = try await Command.run(start[1], "--help")
        #expect(help.status == 0)
        for word in start.dropFirst(2) where word.hasPrefix("--") { #expect(help.output.contains(word), "\(word)") }
        // The page that it names is installed.
        #expect(values["[Unit]Documentation"] == "man:zerotier(1)")
    }
}
