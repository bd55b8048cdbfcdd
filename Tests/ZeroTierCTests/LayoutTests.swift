import Foundation
import TestSupport
import Testing

/// The headers as compilers see them: layouts, constants, and that they stand alone.
@Suite struct LayoutTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Layout").path

    // Elsewhere, one that is there has to do.
    @Test func `no compiler is missing in continuous integration`() {
        let found = Compiler.all.map { $0.path.split(separator: "/").last.map(String.init) ?? "" }
        let missing = Compiler.names.filter { !found.contains($0) }
        let isEnough = missing.isEmpty || (!Compiler.isInCI && !found.isEmpty)
        #expect(isEnough, "install \(missing.joined(separator: ", ")): make requirements")
    }

    @Test(arguments: ["generation1.c", "generation2.c"])
    func `every size, offset and constant is the original's in C89 to C++20`(file: String) async throws {
        try #require(!Compiler.all.isEmpty, "no C compiler on this machine")
        for compiler in Compiler.all {
            for standard in compiler.standards {
                let messages = try await compiler.compile("\(Self.folder)/\(file)", standard: standard)
                #expect(messages.isEmpty, "\(compiler) -std=\(standard): \(messages)")
            }
        }
    }

    @Test func `a wrong assertion would be found`() async throws {
        let compiler = try #require(Compiler.all.first)
        let text = try String(contentsOfFile: "\(Self.folder)/generation1.c", encoding: .utf8)
        let wrong = text.replacingOccurrences(
            of: "offsetof(struct zts_peer_details, paths) == 32", with: "offsetof(struct zts_peer_details, paths) == 33"
        )
        #expect(wrong != text)
        #expect(try await !compiler.compile(text: wrong, standard: compiler.standards[0]).isEmpty)
    }

    @Test func `the two generations refuse to be included together, in either order`() async throws {
        for compiler in Compiler.all {
            for order in [["ZeroTier.h", "ZeroTierSockets.h"], ["ZeroTierSockets.h", "ZeroTier.h"]] {
                let text = order.map { "#include \"\($0)\"\n" }.joined() + "int main(void) { return 0; }\n"
                let messages = try await compiler.compile(text: text, standard: compiler.standards[1])
                #expect(messages.contains("two generations of one interface"), "\(compiler) \(order)")
            }
        }
    }

    @Test func `a program's own declaration of zts_errno still compiles`() async throws {
        for compiler in Compiler.all {
            for header in ["ZeroTier.h", "ZeroTierSockets.h"] {
                let linkage = compiler.isCPlusPlus ? "extern \"C\" int zts_errno;" : "extern int zts_errno;"
                let text =
                    "#include \"\(header)\"\n\(linkage)\nint main(void) { zts_errno = 3; return zts_errno - 3; }\n"
                let messages = try await compiler.compile(text: text, standard: compiler.standards[1], strict: false)
                #expect(messages.isEmpty, "\(compiler) \(header): \(messages)")
            }
        }
    }

    @Test func `the layout files are what their generator writes`() throws {
        let names = ["generation1.c", "generation2.c"]
        let before = try names.map { try String(contentsOfFile: "\(Self.folder)/\($0)", encoding: .utf8) }
        let copy = FileManager.default.temporaryDirectory.appendingPathComponent("zt-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: copy) }
        let script = copy.appendingPathComponent("generate.py")
        try FileManager.default.copyItem(atPath: "\(Self.folder)/generate.py", toPath: script.path)
        let process = try ChildProcess("/usr/bin/env", ["python3", script.path])
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        for (name, text) in zip(names, before) {
            #expect(try String(contentsOf: copy.appendingPathComponent(name), encoding: .utf8) == text)
        }
    }
}
