// zerotier world: make and show planets.

import ArgumentParser
import Foundation
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

        @Option(help: "A root; may be repeated up to four times.")
        var root: [String]

        @Option(help: "File with the signing key; made with mode 0600 if there is none.")
        var key: String

        @Option(help: "The planet's number; nodes take over new versions of the same number only.")
        var id: UInt64 = 1

        @Option(help: "File for the planet.")
        var output: String

        @OptionGroup var report: ReportOptions

        func run() async throws {
            let planet = try Planet(id: id, roots: root.map(parseRoot), key: loadSigningKey(key))
            try writeFile(output, planet.bytes)
            report.show(.planet(planet))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a planet or moon.")

        @Argument(help: "File with a planet; without it, the standard planet.")
        var file: String?

        @OptionGroup var report: ReportOptions

        func run() async throws {
            report.show(.planet(try file.map { try Planet(bytes: readFile($0)) } ?? .standard))
        }
    }
}

/// Reads a signing key, or makes one.
func loadSigningKey(_ file: String) throws -> Planet.SigningKey {
    if FileManager.default.fileExists(atPath: file) { return try Planet.SigningKey(bytes: readFile(file)) }
    let key = Planet.SigningKey()
    try writeFile(file, key.bytes, isSecret: true)
    return key
}

private func parseRoot(_ text: String) throws -> Planet.Root {
    guard let mark = text.firstIndex(of: "=") else {
        throw ValidationError("a root is FILE=ENDPOINT[,ENDPOINT...], not \(text)")
    }
    let endpoints = try text[text.index(after: mark)...].split(separator: ",").map { part in
        guard let endpoint = SocketEndpoint(String(part)) else {
            throw ValidationError("\(part) is not an endpoint, such as 203.0.113.5/9993")
        }
        return endpoint
    }
    let file = String(text[..<mark])
    return Planet.Root(
        identity: try Identity(text: String(decoding: readFile(file), as: UTF8.self)), endpoints: endpoints)
}

extension Report {
    static func planet(_ planet: Planet) -> Report {
        var lines = [
            "\(planet.isMoon ? "moon" : "planet") \(planet.id), version \(planet.timestampMilliseconds)"
                + (planet.isSelfSigned ? "" : ", signed by an earlier key")
        ]
        for root in planet.roots {
            lines.append("\(root.identity.id) " + root.endpoints.map(\.description).joined(separator: " "))
        }
        return Report(
            text: lines.joined(separator: "\n"),
            json: .object([
                ("id", .string(String(planet.id))), ("kind", .string(planet.isMoon ? "moon" : "planet")),
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
