//  Runs seeds. Same seed, same digest, in every process.
//
//      simulate --seed 1 --count 100                  seeds 1 to 100 of small networks
//      simulate --seed 7 --count 1 --verbose          what happens in seed 7
//      simulate --seed 7 --verbose --packets          with every datagram
//      simulate --scenario large --count 1            500 nodes
//      simulate --scenario controlled --count 10      a private network each, on a controller of ours
//      simulate --scenario crowd --members 500        a private network with so many members, or 2,000
//      simulate --count 20 --verify                   and each seed once more in another process
//      simulate --make-identities 520                 a new fixture, on standard output

import Foundation
import NetworkSimulator

/// What the command line says.
struct Arguments {
    var seed: UInt64 = 1
    var count: UInt64 = 1
    var scenario = ScenarioKind.small
    var isVerbose = false
    var logsDatagrams = false
    var verifies = false
    var identities: Int?
    var members = Scenario.crowd

    init?(_ words: [String]) {
        var rest = words[...]
        while let word = rest.popFirst() {
            switch word {
            case "--verbose": isVerbose = true
            case "--packets": logsDatagrams = true
            case "--verify": verifies = true
            case "--seed":
                guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
                seed = value
            case "--count":
                guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
                count = value
            case "--scenario":
                guard let value = rest.popFirst().flatMap({ ScenarioKind(rawValue: $0) }) else { return nil }
                scenario = value
            case "--members":
                guard let value = rest.popFirst().flatMap({ Int($0) }), value > 0 else { return nil }
                members = value
            case "--make-identities":
                guard let value = rest.popFirst().flatMap({ Int($0) }) else { return nil }
                identities = value
            default: return nil
            }
        }
    }
}

/// A seed that runs at the same time in another process, where hash tables are seeded differently.
struct OtherProcess {
    private let process = Process()
    private let output = Pipe()
    private let problem: String?

    init(_ seed: UInt64, _ arguments: Arguments) {
        process.executableURL = Bundle.main.executableURL
        process.arguments = [
            "--seed", "\(seed)", "--count", "1", "--scenario", arguments.scenario.rawValue, "--members",
            "\(arguments.members)",
        ]
        process.standardOutput = output
        do {
            try process.run()
            problem = nil
        } catch {
            problem = "no second process: \(error)"
        }
    }

    /// Waits for its end. Nil when it got the same digest.
    func difference(from digest: String) -> String? {
        if let problem { return problem }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if text.contains("digest \(digest) ") { return nil }
        let line = text.prefix { $0 != "\n" }
        return "another process gets another digest, so something depends on more than the seed: \(line)"
    }
}

@main
struct Simulate {
    static func main() {
        guard let arguments = Arguments(Array(CommandLine.arguments.dropFirst())) else {
            complain(
                "usage: simulate [--seed n] [--count m] [--scenario small|large|controlled|crowd] [--members n] [--verbose [--packets]] [--verify]"
            )
            exit(2)
        }
        if let count = arguments.identities {
            write(IdentityFixture.makeText(count: count, seed: UInt64.random(in: 0...UInt64.max)))
            return
        }
        guard let fixture = loadFixture() else {
            complain("simulate: no identities at \(fixturePath)")
            exit(2)
        }
        exit(run(arguments, fixture) ? 0 : 1)
    }

    private static func run(_ arguments: Arguments, _ fixture: IdentityFixture) -> Bool {
        let began = Date()
        var failed: [UInt64] = []
        for seed in arguments.seed..<arguments.seed + arguments.count {
            let other = arguments.verifies ? OtherProcess(seed, arguments) : nil
            let result = Scenario.run(
                arguments.scenario, seed: seed, fixture: fixture, members: arguments.members,
                logsDatagrams: arguments.logsDatagrams,
                log: arguments.isVerbose ? { write($0 + "\n") } : nil)
            write("seed \(seed) digest \(result.digest) \(result.summary)\n")
            var reasons = result.failures
            if let other, let difference = other.difference(from: "\(result.digest)") { reasons.append(difference) }
            guard !reasons.isEmpty else { continue }
            failed.append(seed)
            for reason in reasons { write("seed \(seed) FAILED at \(reason)\n") }
            write("replay: \(replay(seed, arguments))\n")
        }
        let seconds = Date().timeIntervalSince(began)
        write(
            "\(arguments.count) seeds in \(Int(seconds * 10) / 10) s, \(failed.count) failed"
                + (failed.isEmpty ? "\n" : ": \(failed.map(String.init).joined(separator: " "))\n"))
        return failed.isEmpty
    }

    private static func replay(_ seed: UInt64, _ arguments: Arguments) -> String {
        let scenario = arguments.scenario
        return "make simulate SEED=\(seed) COUNT=1" + (scenario == .small ? "" : " SCENARIO=\(scenario.rawValue)")
            + (scenario == .crowd ? " MEMBERS=\(arguments.members)" : "")
    }

    // MARK: Files

    private static var fixturePath: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/identities.txt").path
    }

    private static func loadFixture() -> IdentityFixture? {
        guard let data = FileManager.default.contents(atPath: fixturePath) else { return nil }
        return IdentityFixture(text: String(decoding: data, as: UTF8.self))
    }

    private static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

    private static func complain(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}
