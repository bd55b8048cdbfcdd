import Foundation
import Testing

/// The arrows of Docs/architecture.md: a target may import what stands here and nothing else of ours. An undeclared import
/// of a sibling can compile by accident, so the sources are read.
@Suite struct LayeringTests {
    private static let bytes = ["NetPrimitives", "ZeroTierCrypto", "ZeroTierWire"]
    private static let machines = [
        "NetStack", "ZeroTierPeers", "ZeroTierEthernet", "ZeroTierController", "ZeroTierNode",
    ]
    private static let wire = ["ZeroTierWire", "ZeroTierCrypto", "NetPrimitives"]
    private static let all = wire + machines

    private static let arrows: [String: [String]] = [
        "Sources/NetPrimitives": ["CCopyKernels"],
        "Sources/ZeroTierCrypto": ["NetPrimitives", "CCipherKernels"],
        "Sources/ZeroTierWire": ["ZeroTierCrypto", "NetPrimitives"],
        "Sources/JSONValues": [],
        "Sources/NetStack": ["NetPrimitives"],
        "Sources/ZeroTierPeers": wire,
        "Sources/ZeroTierEthernet": wire,
        "Sources/ZeroTierController": wire + ["JSONValues", "ZeroTierRules"],
        "Sources/ZeroTierNode": wire + ["NetStack", "ZeroTierPeers", "ZeroTierEthernet", "ZeroTierController"],
        "Sources/ZeroTierStore": wire + ["ZeroTierController", "CZeroTierSQLite"],
        "Sources/ZeroTier": all + ["ZeroTierStore", "ZeroTierRules", "JSONValues", "CZeroTierSystem"],
        "Sources/ZeroTierStorePostgres": wire + [
            "ZeroTier", "ZeroTierStore", "ZeroTierController", "CZeroTierPostgreSQL",
        ],
        "Sources/ZeroTierRules": ["JSONValues", "ZeroTierWire", "NetPrimitives"],
        "Sources/ZeroTierService": [
            "ZeroTier", "ZeroTierController", "ZeroTierEthernet", "ZeroTierRules", "ZeroTierWire", "ZeroTierCrypto",
            "JSONValues", "NetPrimitives",
        ],
        "Sources/ZeroTierCommand": [
            "ZeroTierService", "ZeroTier", "ZeroTierStorePostgres", "ZeroTierStore", "ZeroTierController",
            "ZeroTierRules", "ZeroTierEthernet", "ZeroTierWire", "ZeroTierCrypto", "JSONValues", "NetPrimitives",
        ],
        "Sources/ZeroTierSockets": ["ZeroTier", "NetStack", "NetPrimitives"],
        "Sources/ZeroTierLibrary": ["ZeroTierSockets", "ZeroTier", "NetPrimitives"],
        "Sources/ZeroTierC": ["ZeroTierLibrary", "ZeroTierSockets", "ZeroTier", "NetPrimitives", "CZeroTier"],
        "Examples/Swift": ["ZeroTier"],
        "Tests/InteropTests": ["ZeroTier"],
        "Tests/Floods": wire + ["ZeroTier", "CFlood"],
        "Tests/TestController": wire + ["ZeroTier", "ZeroTierPeers", "ZeroTierEthernet"],
        "Tests/ControllerStorm": wire + ["ZeroTierController", "ZeroTierStore"],
        "Tests/LeaseStorm": wire + ["ZeroTierController", "ZeroTierStore", "ZeroTierStorePostgres", "ZeroTier"],
        "Simulation/NetworkSimulator": all,
        "Simulation/simulate": ["NetworkSimulator"],
        "Fuzz/FuzzBodies": all + ["JSONValues", "ZeroTierRules", "ZeroTier", "ZeroTierService"],
        "Fuzz/fuzz": ["FuzzBodies"],
        "Benchmarks/bench": all + [
            "CProcessCounts", "ZeroTier", "ZeroTierStore", "CZeroTierSystem", "ZeroTierLibrary", "ZeroTierC",
            "CZeroTier",
        ],
    ]

    /// What a target may import from outside.
    private static func outside(_ target: String) -> [String] {
        switch target {
        case "Sources/ZeroTierCrypto": ["CCryptoBoringSSL"]
        case "Sources/ZeroTier", "Sources/ZeroTierStore", "Sources/ZeroTierStorePostgres", "Sources/ZeroTierSockets",
            "Sources/ZeroTierC":
            ["Glibc", "Synchronization"]
        case "Sources/ZeroTierLibrary": ["Synchronization"]
        case "Sources/ZeroTierService":
            [
                "HTTPTypes", "HummingbirdCore", "Logging", "NIOCore", "NIOHTTPTypes", "NIOPosix", "Glibc",
                "Synchronization",
            ]
        case "Sources/ZeroTierCommand":
            [
                "ArgumentParser", "Dispatch", "Foundation", "Glibc", "Synchronization", "NIOCore", "NIOHTTP1",
                "NIOPosix",
            ]
        case "Fuzz/FuzzBodies": ["Dispatch", "Synchronization"]
        case "Fuzz/fuzz", "Tests/TestController", "Tests/ControllerStorm": ["Glibc"]
        case "Tests/LeaseStorm": ["Glibc", "Synchronization"]
        case "Examples/Swift": ["Dispatch", "Glibc", "Synchronization"]
        case "Tests/InteropTests", "Tests/Floods": ["Glibc", "Synchronization"]
        case "Simulation/simulate", "Benchmarks/bench": ["Foundation", "Glibc", "Synchronization"]
        default: []
        }
    }

    private static func imports(_ text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            guard let place = words.firstIndex(of: "import"), place < 4, !line.hasPrefix("//"),
                words[..<place].allSatisfy({
                    [
                        "public", "package", "internal", "fileprivate", "private", "@testable", "@_exported",
                        "@preconcurrency",
                    ]
                    .contains($0)
                }), var name = words.dropFirst(place + 1).first
            else { return nil }
            if ["struct", "class", "enum", "protocol", "func", "typealias"].contains(name) {
                name = words.dropFirst(place + 2).first ?? ""
            }
            return String(name.split(separator: ".").first ?? "")
        }
    }

    @Test func `targets import only what the architecture allows`() {
        var read = 0
        for (path, text) in RepositoryFiles.swiftSources {
            let target = path.split(separator: "/").prefix(2).joined(separator: "/")
            guard let allowed = Self.arrows[target] else {
                Issue.record("\(path) belongs to no target that the architecture knows")
                continue
            }
            read += 1
            for name in Self.imports(text) where !(allowed + Self.outside(target)).contains(name) {
                Issue.record("\(path) imports \(name)")
            }
        }
        #expect(read > 50)
        // A row that no file belongs to checks nothing.
        let paths = RepositoryFiles.swiftSources.map(\.path)
        for target in Self.arrows.keys {
            #expect(paths.contains { $0.hasPrefix(target + "/") }, "\(target) has no sources")
        }
    }

    @Test func `targets of the library have names that no other package has`() throws {
        // SwiftPM refuses two targets of one name, whichever packages they are in: swift-system has a CZeroTierSystem.
        let known = ["CCopyKernels", "CCipherKernels", "NetPrimitives", "NetStack", "JSONValues"]
        let targets = try FileManager.default.contentsOfDirectory(
            at: RepositoryFiles.root.appending(path: "Sources"), includingPropertiesForKeys: nil)
        #expect(targets.count > 10)
        for name in targets.map(\.lastPathComponent) where !name.contains("ZeroTier") {
            #expect(known.contains(name), "a general name, which another package may have too: \(name)")
        }
    }

    @Test func `the kernel is asked in one folder`() {
        let folder = "Sources/ZeroTier/Runtime/Platform/"
        var askers = 0
        for (path, text) in RepositoryFiles.swiftSources where path.hasPrefix("Sources/ZeroTier/") {
            let names = Self.imports(text).filter { ["Glibc", "CZeroTierSystem"].contains($0) }
            if path.hasPrefix(folder) {
                askers += names.count
            } else if !names.isEmpty {
                Issue.record("\(path) imports \(names): Docs/platform.md says where that belongs")
            }
        }
        #expect(askers > 0)
    }

    @Test func `bytes and machines read no clock, take no lock and start no task`() {
        let pure = ["NetPrimitives", "ZeroTierCrypto", "ZeroTierWire", "JSONValues", "ZeroTierRules"] + Self.machines
        let banned = [
            "ContinuousClock", "SuspendingClock", "SystemRandomNumberGenerator", "Task {", "Task.", "Mutex<",
            "DispatchQueue",
            ".random(in:", ".shuffled()", ".randomElement()", "Date()",
        ]
        for (path, text) in RepositoryFiles.swiftSources
        where pure.contains(where: { path.hasPrefix("Sources/\($0)/") }) {
            for line in text.split(separator: "\n") {
                let code = line.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
                for word in banned where code.contains(word) { Issue.record("\(path) uses \(word)") }
            }
        }
    }
}
