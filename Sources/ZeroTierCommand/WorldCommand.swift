// zerotier world: make and show planets.

import ArgumentParser
import JSONValues
import ZeroTier

struct WorldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "world", abstract: "Make and show planets: signed lists of roots.",
        subcommands: [Make.self, Show.self])

    struct Make: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a planet.",
            discussion: "Each root is given as FILE=ENDPOINT[,ENDPOINT...]: the file with its (public) identity and "
                + "where it can be reached, such as root.public=203.0.113.5/9993.")

        @Option(help: "A root; may be repeated up to four times.", transform: GivenRoot.init)
        var root: [GivenRoot]

        @Option(help: "File with the signing key; made with mode 0600 if there is none.")
        var key: String

        @Option(help: "The planet's number, not 0. Nodes take new versions only of the same number.")
        var id: UInt64 = 1

        @Option(help: "File for the planet; an earlier version of the same planet is replaced.")
        var output: String

        @OptionGroup var report: ReportOptions

        func validate() throws {
            guard id != 0 else { throw ValidationError("--id is 1 to \(UInt64.max), not 0") }
            guard (1...4).contains(root.count) else {
                throw ValidationError("a planet has one to four roots, not \(root.count)")
            }
            guard key != output else { throw ValidationError("--key and --output are two files") }
        }

        func run() async throws {
            var roots: [RootSet.Root] = []
            for given in root {
                let next = try given.load()
                guard !roots.contains(where: { $0.identity.id == next.identity.id }) else {
                    throw Failure("invalidArgument", "\(given.file): the root \(next.identity.id) is given twice")
                }
                roots.append(next)
            }
            let stored = Files.exists(key) ? try Files.signingKey(key) : nil
            let earlier = Files.exists(output) && !Files.isStream(output) ? try replaceable(stored) : nil
            let signer = stored ?? RootSet.SigningKey()
            let planet = try RootSet(id: id, after: earlier, roots: roots, key: signer)
            if stored == nil { try Files.writeSecret(key, signer.bytes) }
            try Files.replace(output, planet.bytes)
            try report.show(.planet(planet))
        }

        // A file that cannot be made again must not be lost by a slip.
        private func replaceable(_ key: RootSet.SigningKey?) throws(Failure) -> RootSet {
            let earlier: RootSet
            do throws(Failure) {
                earlier = try Files.planet(output)
            } catch  where error.code != "file" {
                throw Failure(
                    "file", "\(output) exists and is not a planet: remove it or choose another name for the planet")
            }
            guard earlier.id == id, let key, (try? earlier.isSigned(with: key)) == true else {
                throw Failure(
                    "file",
                    "\(output) is planet \(earlier.id) of another key, or not \(id): remove it or choose another name")
            }
            return earlier
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a planet or moon.")

        @Argument(help: "File with a planet; without it, the standard planet.")
        var file: String?

        @OptionGroup var report: ReportOptions

        func run() async throws {
            try report.show(.planet(try file.map { try Files.planet($0) } ?? .standard))
        }
    }
}

/// A root on the command line: FILE=ENDPOINT[,ENDPOINT...].
struct GivenRoot: Sendable {
    let file: String
    let endpoints: [SocketEndpoint]

    init(_ text: String) throws {
        guard let mark = text.lastIndex(of: "="), mark != text.startIndex else {
            throw ValidationError("a root is FILE=ENDPOINT[,ENDPOINT...]")
        }
        file = String(text[..<mark])
        endpoints = try text[text.index(after: mark)...].split(separator: ",").map { try Parse.endpoint(String($0)) }
        guard (1...32).contains(endpoints.count) else {
            throw ValidationError("a root has 1 to 32 endpoints, or nobody could reach it; not \(endpoints.count)")
        }
        guard Set(endpoints).count == endpoints.count else { throw ValidationError("an endpoint is given twice") }
    }

    /// Without the secret, even if the file has it.
    func load() throws -> RootSet.Root {
        let identity = try Files.identity(file)
        guard identity.isValid else {
            throw Failure("invalidIdentity", "\(file): the address \(identity.id) does not follow from the keys")
        }
        return RootSet.Root(identity: try Identity(text: identity.publicText), endpoints: endpoints)
    }
}

extension Report {
    static func planet(_ planet: RootSet) -> Report {
        var lines = [
            "\(planet.kind) \(planet.id), version \(planet.timestampMilliseconds)"
                + (planet.isSelfSigned ? "" : ", signed by an earlier key")
        ]
        for root in planet.roots {
            lines.append("\(root.identity.id) " + root.endpoints.map(\.description).joined(separator: " "))
        }
        return Report(
            text: lines.joined(separator: "\n"),
            json: .object([
                ("id", .string(String(planet.id))), ("kind", .string(planet.kind.rawValue)),
                ("timestamp", .string(String(planet.timestampMilliseconds))),
                ("selfSigned", .bool(planet.isSelfSigned)),
                (
                    "roots",
                    .array(
                        planet.roots.map { root in
                            .object([
                                ("address", .text(root.identity.id)), ("identity", .string(root.identity.publicText)),
                                ("endpoints", .array(root.endpoints.map { .text($0) })),
                            ])
                        })
                ),
            ]))
    }
}
