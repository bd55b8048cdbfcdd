// Driver: which of the original's tools this program is, by the name under which it was started.

/// The tools that this program is too.
enum OriginalTool: String, CaseIterable {
    case client = "zerotier-cli"
    case identities = "zerotier-idtool"

    /// The tool that a program's name asks for; nil for any other name.
    init?(path: String) {
        let name = path.split(separator: "/").last ?? ""
        guard let tool = OriginalTool.allCases.first(where: { name.contains($0.rawValue) }) else { return nil }
        self = tool
    }

    /// Runs as the tool that the name of the program, the first of the words, asks for. Returns its exit status; nil if it
    /// asks for none.
    static func run(_ commandLine: [String]) async throws -> Int32? {
        guard let name = commandLine.first, let tool = OriginalTool(path: name) else { return nil }
        let arguments = Array(commandLine.dropFirst())
        switch tool {
        case .client: return try await OriginalClient.run(arguments)
        case .identities: return try await IdentityTool.run(arguments)
        }
    }
}
