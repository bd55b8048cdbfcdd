import Foundation

/// The repository as files, for tests that read it.
enum RepositoryFiles {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Every file below a folder with one of the endings, as (path from the root, text).
    static func texts(in folders: [String], endings: [String]) -> [(path: String, text: String)] {
        var result: [(String, String)] = []
        for folder in folders {
            let base = root.appendingPathComponent(folder)
            guard let walk = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil) else { continue }
            for case let file as URL in walk where endings.contains(file.pathExtension) {
                let path = String(file.path.dropFirst(root.path.count + 1))
                guard !path.split(separator: "/").contains(where: { $0.hasPrefix(".") }),
                    let text = try? String(contentsOf: file, encoding: .utf8)
                else { continue }
                result.append((path, text))
            }
        }
        return result.sorted { $0.0 < $1.0 }
    }

    static var swiftSources: [(path: String, text: String)] {
        texts(
            in: [
                "Sources", "Simulation", "Fuzz", "Benchmarks", "Examples/Swift", "Tests/InteropTests/Node",
                "Tests/TestController", "Tests/ControllerStorm", "Tests/LeaseStorm", "Tests/Floods/Flood",
            ],
            endings: ["swift"])
    }
}
