// Compilers of this machine, for tests that compile C and C++ against the library's headers.

import Foundation
import TestSupport

/// A compiler and the language it is asked to compile.
struct Compiler: CustomStringConvertible {
    var path: String
    var isCPlusPlus: Bool

    var description: String { path }

    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let headers = root.appendingPathComponent("Sources/CZeroTier/include").path

    static let names = ["gcc", "g++", "clang", "clang++"]

    /// Whether this is continuous integration, where nothing may be skipped.
    static let isInCI = !(ProcessInfo.processInfo.environment["CI"] ?? "").isEmpty

    /// Those of the four that are there; also the `clang` of the Swift tool chain.
    static let all: [Compiler] = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        return names.compactMap { name in
            for folder in folders where FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
                return Compiler(path: "\(folder)/\(name)", isCPlusPlus: name.hasSuffix("++"))
            }
            return nil
        }
    }()

    /// The newest last.
    var standards: [String] {
        isCPlusPlus ? ["c++98", "c++11", "c++14", "c++17", "c++20"] : ["c89", "c99", "c11", "c17"]
    }

    /// Compiles and gives the compiler's messages; empty if all is well.
    func compile(_ source: String, standard: String, strict: Bool = true) async throws -> String {
        let pipe = Pipe()
        let process = try ChildProcess(
            path,
            ["-std=\(standard)", "-fsyntax-only", "-I", Self.headers, "-x", isCPlusPlus ? "c++" : "c"]
                + (strict ? ["-Wall", "-Wextra", "-pedantic", "-Werror"] : []) + [source], output: pipe, errors: pipe)
        // On a thread of its own: the tests share two, and whoever holds one stops the clocks of all others.
        return await withCheckedContinuation { continuation in
            Foundation.Thread.detachNewThread {
                let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                process.waitUntilExit()
                let status = process.terminationStatus
                continuation.resume(returning: status == 0 ? text : text + "exit \(status)")
            }
        }
    }

    /// As `compile`, for a program given as text.
    func compile(text: String, standard: String, strict: Bool = true) async throws -> String {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("zt-\(UUID().uuidString).c")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try await compile(file.path, standard: standard, strict: strict)
    }
}

/// The text before the final zero.
func textOf(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
