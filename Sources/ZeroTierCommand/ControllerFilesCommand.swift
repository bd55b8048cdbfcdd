// zerotier controller import, export: records in files. The node reads and writes them: it is told the path.

import ArgumentParser
import Foundation

/// How long a node may take for all its records.
private let patience: Duration = .seconds(300)

struct ControllerImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take networks and members from files of another controller.",
        discussion: """
            Reads controller.d of ZeroTier One, or what Central answers about networks and members: a file, or a folder of files \
            that end in .json. Everything is taken or nothing. Networks of another controller get new IDs, which begin with this \
            node's address: it shows who must join them. Files are not changed. Networks that are there already, also from an \
            earlier import, are named and nothing is taken, unless --existing says which wins.
            """)

    @Argument(help: ArgumentHelp("A folder or a file.", valueName: "path"), completion: .file())
    var path: String

    @Option(
        help: ArgumentHelp(
            "What becomes of networks that are there already.",
            discussion: """
                refuse: nothing is taken. keep: what is here stays, and members that are not here are taken. replace: what the files \
                say takes its place; members that they do not name stay.
                """))
    var existing: Existing = .refuse

    @OptionGroup var options: ControllerOptions

    enum Existing: String, CaseIterable, ExpressibleByArgument { case refuse, keep, replace }

    func run() async throws {
        try options.ask(["import", absolute(path), existing.rawValue], patience: patience)
    }
}

struct ControllerExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write all networks and members as controller.d of ZeroTier One has them.",
        discussion: """
            Files of the same records are replaced, others in the folder are kept. A folder with records of networks or members \
            that this node does not have is refused: whoever read it would let them in.
            """)

    @Argument(help: ArgumentHelp("A folder; it is made if there is none.", valueName: "folder"), completion: .directory)
    var path: String
    @OptionGroup var options: ControllerOptions

    func run() async throws { try options.ask(["export", absolute(path)], patience: patience) }
}

// The node has another working directory.
private func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
