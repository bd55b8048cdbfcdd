import Foundation
import Testing

/// The example programs compile without a warning; `Tools/build-examples` also links them, where the library is built.
@Suite struct ExampleTests {
    @Test func `every example compiles with every compiler`() throws {
        var count = 0
        for (folder, isCPlusPlus) in [("Examples/C", false), ("Examples/CXX", true)] {
            let base = Compiler.root.appendingPathComponent(folder)
            for name in try FileManager.default.contentsOfDirectory(atPath: base.path).sorted()
            where name.hasSuffix(".c") || name.hasSuffix(".cpp") {
                for compiler in Compiler.all where compiler.isCPlusPlus == isCPlusPlus {
                    let messages = try compiler.compile(
                        base.appendingPathComponent(name).path, standard: isCPlusPlus ? "c++11" : "gnu99")
                    #expect(messages.isEmpty, "\(compiler) \(name): \(messages)")
                    count += 1
                }
            }
        }
        #expect(count >= 9)
    }
}
