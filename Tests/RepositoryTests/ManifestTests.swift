import Foundation
import TestSupport
import Testing

/// Package.swift has a second form, for `make fuzz`, which no other build reads.
@Suite struct ManifestTests {
    @Test func `the form of the fuzzer is a package`() throws {
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let output = Pipe()
        let process = try ChildProcess(
            "/usr/bin/env",
            [
                "swift", "package", "--package-path", RepositoryFiles.root.path, "--scratch-path", scratch.path,
                "dump-package",
            ], environment: ProcessInfo.processInfo.environment.merging(["ZEROTIER_FUZZ": "1"]) { $1 },
            output: output, errors: output)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text.suffix(2000))")
        #expect(text.contains("CFuzzDriver"))
    }
}
