import Foundation
import Testing

/// The example programs compile without a warning. `Tools/build-examples` also links them, where the library is built, and
/// the interoperability stages run them.
@Suite struct ExampleTests {
    /// Those that the original's users know by name; there may be more.
    private static let wanted = [
        "Examples/C": [
            "adhoc", "callbackapi", "client", "controller", "customroots", "epoll", "nonblockingclient",
            "nonblockingserver",
            "nostorage",
            "pingable-node", "server", "statistics",
        ],
        "Examples/CXX": ["adhoc", "client", "comprehensive", "controller", "server"],
    ]

    @Test(arguments: [("Examples/C", "c", "gnu99"), ("Examples/CXX", "cpp", "c++11")])
    func `every example is there and compiles with every compiler`(folder: String, ending: String, standard: String)
        async throws
    {
        let base = Compiler.root.appendingPathComponent(folder)
        let files = try FileManager.default.contentsOfDirectory(atPath: base.path).sorted()
            .filter { $0.hasSuffix("." + ending) }
        let wanted = try #require(Self.wanted[folder])
        #expect(Set(files).isSuperset(of: wanted.map { "\($0).\(ending)" }), "\(files)")
        let compilers = Compiler.all.filter { $0.isCPlusPlus == (ending == "cpp") }
        try #require(!compilers.isEmpty)
        for name in files {
            for compiler in compilers {
                let messages = try await compiler.compile(base.appendingPathComponent(name).path, standard: standard)
                #expect(messages.isEmpty, "\(compiler) \(name): \(messages)")
            }
        }
    }
}
