import Foundation
import Testing

@testable import ZeroTier

extension CommandTests {
    /// What the README shows for a shell, line by line; what goes on, in the background.
    @Suite struct Readme {
        private let directory = TemporaryDirectory()

        init() throws {
            try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        }

        @Test func `two nodes on an ad-hoc network`() async throws {
            let (running, answers) = try await run("## From a shell")
            #expect(running == 4)
            for expected in ["ff00070009000000", "sequence 3", "echoed: 1000000 bytes"] {
                #expect(answers.contains(expected), "\(answers)")
            }
        }

        @Test func `a private network in five minutes`() async throws {
            let (running, answers) = try await run("## Your own private network in five minutes")
            #expect(running == 4)
            for expected in ["10.147.17.0/24", "waiting", "authorized", "sequence 3", "not authorized"] {
                #expect(answers.contains(expected), "\(answers)")
            }
        }

        /// How many programs go on, and what all others printed.
        private func run(_ heading: String) async throws -> (running: Int, answers: String) {
            let readme = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("README.md")
            let text = try String(contentsOf: readme, encoding: .utf8)
            let blocks = try #require(text.components(separatedBy: heading).last).components(separatedBy: "```")
            try #require(blocks.count > 2 && blocks[1].hasPrefix("sh\n"))
            var places = ["9993": "\(try Node.findFreePort())"]
            var running: [Program] = []
            var answers = ""
            for line in blocks[1].dropFirst(3).split(separator: "\n") {
                let parts = line.components(separatedBy: "#")
                let command = places.reduce(parts[0]) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
                let words = command.split(separator: " ").map(String.init)
                try #require(words.count > 1 && words[0] == "zerotier")
                if parts.last?.contains("goes on") == true {
                    let program = try start(words)
                    running.append(program)
                    let isEcho = words[1] == "echo"
                    _ = try await program.line(containing: isEcho ? "listening" : "state in")
                    if isEcho { places["SERVER"] = address(try await program.line(containing: "ready: ")) }
                } else {
                    let output = try await output(of: words)
                    answers += output.joined(separator: "\n") + "\n"
                    note(words, output, &places)
                }
            }
            return (running.count, answers)
        }

        private func start(_ words: [String]) throws -> Program {
            try Program(Command.path, Array(words.dropFirst()), directory: directory.path)
        }

        // A person who sees no address yet, or nobody who waits, looks again.
        private func output(of words: [String]) async throws -> [String] {
            for _ in 0..<600 {
                let program = try start(words)
                #expect(try await program.end() == 0, "\(words): \(program.output)")
                let isEarly =
                    words[1] == "networks" && !program.output.contains { $0.contains("/") }
                    || words.contains("list") && program.output.count { $0.contains("waiting") } < 2
                if !isEarly { return program.output }
                try await Task.sleep(for: .milliseconds(100))
            }
            Issue.record("\(words) never shows what the next lines need")
            return []
        }

        // What later lines name.
        private func note(_ words: [String], _ output: [String], _ places: inout [String: String]) {
            if words[1] == "networks" { places["ADDRESS"] = address(output.last ?? "") }
            if words.contains("create"), let network = output.first?.split(separator: " ").dropFirst().first {
                places["NETWORK"] = String(network)
            }
            if words.contains("list") {
                let waiting = output.filter { $0.contains("waiting") }.compactMap { $0.split(separator: " ").first }
                for (number, node) in waiting.enumerated() { places["NODE\(number + 1)"] = String(node) }
            }
        }

        private func address(_ line: String) -> String {
            let word = line.split(separator: " ").last { $0.contains("/") } ?? line.split(separator: " ").last ?? ""
            return String(word.prefix { $0 != "/" })
        }
    }
}
