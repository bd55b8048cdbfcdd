import Foundation
import JSONValues
import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTier
@testable import ZeroTierCommand

/// `zerotier-idtool`, with keys, signatures and worlds of the original.
@Suite struct IdentityToolTests {
    private static func vectors(_ name: String) throws -> [String: Any] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Vectors")
        let data = try Data(contentsOf: folder.appendingPathComponent(name))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private struct KnownIdentity {
        let isValid: Bool
        let secret: String
        let open: String
    }

    private static func identities() throws -> [KnownIdentity] {
        try #require(try vectors("vl1_identity.json")["identities"] as? [[String: Any]]).map { entry in
            KnownIdentity(
                isValid: try #require(entry["valid"] as? Bool), secret: entry["text_secret"] as? String ?? "",
                open: try #require(entry["text_public"] as? String))
        }
    }

    // MARK: Identities

    @Test func `identities are printed, or written for their owner alone`() async throws {
        let tools = try OriginalTools()
        let printed = try await tools.tool("generate")
        #expect(printed.status == 0 && printed.output.utf8.count == 270 && printed.complaint.isEmpty)
        #expect(try ZeroTier.Identity(text: printed.output).isValid)

        let written = try await tools.tool("generate", "one.secret", "one.public")
        #expect(written == .init(status: 0, output: "one.secret written\none.public written\n", complaint: ""))
        let secret = try tools.read("one.secret")
        #expect(secret.utf8.count == 270)
        #expect(FileSystem.facts(of: "\(tools.path)/one.secret")?.mode == 0o600)
        #expect(try tools.read("one.public") == String(secret.prefix(141)))
        #expect(try await tools.tool("getpublic", "one.secret").output == String(secret.prefix(141)))
        #expect(try await tools.tool("validate", "one.secret").output == "one.secret is a valid identity\n")

        // It could not be made again.
        let again = try await tools.tool("generate", "one.secret")
        #expect(again.status == 1 && again.complaint.contains("one.secret exists"))
        #expect(try tools.read("one.secret") == secret)
        // An empty file holds nothing.
        try tools.write("empty", "")
        #expect(try await tools.tool("generate", "empty").status == 0)
        #expect(FileSystem.facts(of: "\(tools.path)/empty")?.mode == 0o600)
        let nowhere = try await tools.tool("generate", "no/where")
        #expect(nowhere.status == 1 && nowhere.complaint.contains("no/where"), "\(nowhere)")
    }

    @Test func `an address can begin with chosen digits`() async throws {
        let tools = try OriginalTools()
        let found = try await tools.tool("generate", "a.secret", "a.public", "A")
        #expect(found.status == 0 && found.complaint.contains("looking for a"), "\(found)")
        let identity = try ZeroTier.Identity(text: try tools.read("a.secret"))
        #expect(identity.isValid && identity.id.description.hasPrefix("a"))
        for wrong in ["x", "ff", "FF1", "00000000000", "0000000000", "a b"] {
            let end = try await tools.tool("generate", "b.secret", "b.public", wrong)
            #expect(end.status == 1 && !end.complaint.isEmpty, "\(wrong): \(end)")
        }
        #expect(!FileManager.default.fileExists(atPath: "\(tools.path)/b.secret"))
    }

    @Test func `identities of the original are known, and wrong ones are told`() async throws {
        let tools = try OriginalTools()
        var count = 0
        for known in try Self.identities() {
            count += 1
            let open = try await tools.tool("getpublic", known.secret.isEmpty ? known.open : known.secret)
            #expect(open == .init(status: 0, output: known.open, complaint: ""))
            let verdict = try await tools.tool("validate", known.open)
            #expect(verdict.status == (known.isValid ? 0 : 1))
            if known.isValid {
                #expect(verdict.output == "\(known.open) is a valid identity\n")
            } else {
                #expect(verdict.output.isEmpty && verdict.complaint.contains("NOT a valid identity"))
            }
        }
        #expect(count == 7)
        for wrong in try #require(try Self.vectors("vl1_identity.json")["invalid_text"] as? [String]) {
            try tools.write("wrong", wrong)
            #expect(try await tools.tool("getpublic", "wrong").status == 1, "\(wrong)")
        }
        // A secret of other keys, and a secret that a screen must not show.
        let valid = try Self.identities().filter { $0.isValid && !$0.secret.isEmpty }
        let mixed = valid[0].open + ":" + (valid[1].secret.split(separator: ":").last ?? "")
        try tools.write("mixed", mixed)
        for words in [["validate", "mixed"], ["sign", "mixed", "mixed"]] {
            let end = try await tools.run("zerotier-idtool", words)
            #expect(end.status == 1 && end.complaint.contains("other keys"), "\(end)")
        }
        #expect(try await tools.tool("validate", valid[0].secret).output == "\(valid[0].open) is a valid identity\n")
    }

    // MARK: Signatures

    @Test func `signatures are the original's, both ways`() async throws {
        let tools = try OriginalTools()
        let pairs = try #require(try Self.vectors("vl1_c25519.json")["vectors"] as? [[String: String]])
        #expect(pairs.count == 32)
        for pair in pairs.prefix(3) {
            let open = "1d2e3f4a5b:0:\(try #require(pair["public_1"]))"
            try tools.write("signer", "\(open):\(try #require(pair["secret_1"]))")
            let digits = try #require(pair["agreement_sha512_64"])
            let message = try #require(Hexadecimal.decode(digits))
            try Data(message).write(to: URL(fileURLWithPath: "\(tools.path)/message"))
            let signature = try #require(pair["signature_by_1_over_agreement"])
            #expect(
                try await tools.tool("sign", "signer", "message") == .init(status: 0, output: signature, complaint: ""))
            try tools.write("signature", signature + "\n")
            for given in [signature, "signature"] {
                let end = try await tools.tool("verify", open, "message", given)
                #expect(end == .init(status: 0, output: "message signature valid\n", complaint: ""))
            }
            let other = try #require(pair["signature_by_2_over_agreement"])
            let refused = try await tools.tool("verify", "signer", "message", other)
            #expect(
                refused.status == 1 && refused.output.isEmpty
                    && refused.complaint.contains("message signature check FAILED"))
        }
        let signature = try #require(pairs[2]["signature_by_1_over_agreement"])
        try tools.write("message", "something else")
        #expect(try await tools.tool("verify", "signer", "message", signature).status == 1)
        for wrong in [String(signature.dropLast(2)), signature + "00", "nowhere", ""] {
            #expect(try await tools.tool("verify", "signer", "message", wrong).status == 1, "\(wrong)")
        }
        try tools.write("open", String(try tools.read("signer").prefix(141)))
        let open = try await tools.tool("sign", "open", "message")
        #expect(open.status == 1 && open.complaint.contains("no secret"))
        #expect(try await tools.tool("sign", "signer", "nowhere").complaint.contains("nowhere"))
    }

    // MARK: Moons

    private static func draft(_ json: JSONValue) throws -> WorldDraft { try WorldDraft(JSONField(json)) }

    private static func json(_ world: [String: Any], keys: String) throws -> JSONValue {
        let roots = try #require(world["roots"] as? [[String: Any]]).map { root -> JSONValue in
            let endpoints = try #require(root["endpoints"] as? [String])
            return .object([
                ("identity", .string(try #require(root["identity"] as? String))),
                ("stableEndpoints", .array(endpoints.reversed().map { .string($0) })),
            ])
        }
        let id = try #require(world["id"] as? Int)
        return .object([
            ("id", .string(String(id, radix: 16))), ("objtype", .string("world")), ("roots", .array(roots.reversed())),
            ("signingKey", .string(String(keys.prefix(128)))), ("signingKey_SECRET", .string(String(keys.suffix(128)))),
            ("updatesMustBeSignedBy", .string(try #require(world["next_update_key"] as? String))),
            ("worldType", .string(world["type"] as? Int == 127 ? "moon" : "planet")),
        ])
    }

    @Test func `worlds are signed to the byte as the original's`() throws {
        let vectors = try Self.vectors("vl1_worlds.json")
        let keys = [
            127: try #require(vectors["moon_signing_key_pub64_secret64"] as? String),
            1: try #require(vectors["custom_planet_signing_key_pub64_secret64"] as? String),
        ]
        var count = 0
        // The public planets are signed with keys that nobody here has.
        for world in try #require(vectors["worlds"] as? [[String: Any]])
        where try #require(world["name"] as? String).hasPrefix("default") == false {
            count += 1
            let type = try #require(world["type"] as? Int)
            let pair = try #require(keys[type])
            let draft = try Self.draft(try Self.json(world, keys: pair))
            let timestamp = try #require(world["timestamp"] as? Int)
            let signed = draft.signed(timestampMilliseconds: UInt64(timestamp))
            #expect(try Hexadecimal.encode(signed.encoded) == #require(world["binary"] as? String))
            // What is read is what is written.
            #expect(try Self.draft(draft.json).json == draft.json)
        }
        #expect(count == 3)
    }

    @Test func `a moon is begun, filled in, signed and read`() async throws {
        let tools = try OriginalTools()
        #expect(try await tools.tool("generate", "root.secret", "root.public").status == 0)
        let begun = try await tools.tool("initmoon", "root.public")
        #expect(begun.status == 0 && begun.complaint.isEmpty && begun.output.hasPrefix("{\n \"id\": "))
        let address = String(try tools.read("root.public").prefix(10))
        // The secret of the root is not in it, not even if it was given.
        let secret = try #require(try tools.read("root.secret").split(separator: ":").last)
        #expect(try await !tools.tool("initmoon", "root.secret").output.contains(secret))
        try tools.write(
            "moon.json",
            begun.output.replacing(
                "\"stableEndpoints\": []", with: #""stableEndpoints": ["203.0.113.5/9993","2001:db8::5/9993"]"#))
        let made = try await tools.tool("genmoon", "moon.json")
        let name = "000000\(address).moon"
        let form = try Regex("wrote \(name) \\(signed world with timestamp (\\d{13})\\)\n")
        #expect(try made.status == 0 && form.wholeMatch(in: made.output) != nil, "\(made)")
        let bytes = try #require(FileManager.default.contents(atPath: "\(tools.path)/\(name)"))
        let moon = try RootSet(bytes: Array(bytes))
        #expect(moon.isSelfSigned && moon.kind == .moon && moon.id == UInt64(address, radix: 16))
        #expect(moon.roots.map(\.identity.id.description) == [address])
        #expect(moon.roots[0].endpoints.map(\.description) == ["203.0.113.5:9993", "[2001:db8::5]:9993"])
        #expect(try await tools.run("zerotier", ["world", "show", name]).output.contains("moon"))
    }

    @Test func `a moon's file that is wrong is told by its place, and nothing is written`() async throws {
        let tools = try OriginalTools()
        let identity = try #require(try Self.identities().first { $0.isValid }).open
        try tools.write("root.public", identity)
        let begun = try await tools.tool("initmoon", "root.public").output
        func member(_ name: String) throws -> String {
            let line = try #require(begun.split(separator: "\n").first { $0.contains("\"\(name)\":") })
            return String(try #require(line.split(separator: "\"").last { $0.count > 2 }))
        }
        let key = try member("signingKey")
        let secret = try member("signingKey_SECRET")
        let root = #"{ "identity": "\#(identity)", "stableEndpoints": [] }"#
        let many = (0..<33).map { "\"10.0.0.\($0)/9993\"" }.joined(separator: ",")
        for (from, to, place) in [
            (secret, String(secret.dropLast(2)), "signingKey_SECRET"), (secret, key, "signingKey"),
            ("\"signingKey\": \"\(key)\"", "\"signingKey\": \"\(key.dropLast())\"", "signingKey"),
            ("\"updatesMustBeSignedBy\": \"\(key)\"", "\"updatesMustBeSignedBy\": \"00\"", "updatesMustBeSignedBy"),
            ("\"moon\"", "\"star\"", "worldType"), ("\"world\"", "\"network\"", "objtype"),
            ("\"id\": \"\(identity.prefix(10))\"", "\"id\": \"0\"", "id"),
            ("\"id\": \"\(identity.prefix(10))\"", "\"id\": \"12345678901234567\"", "id"),
            ("\"stableEndpoints\": []", "\"stableEndpoints\": [\"10.0.0.1\"]", "roots[0].stableEndpoints[0]"),
            ("\"stableEndpoints\": []", "\"stableEndpoints\": [\"10.0.0.1/0\"]", "roots[0].stableEndpoints[0]"),
            ("\"stableEndpoints\": []", "\"stableEndpoints\": [\(many)]", "roots[0].stableEndpoints"),
            (identity, "0123456789" + identity.dropFirst(10), "roots[0].identity"),
            (identity, String(identity.dropLast(2)), "roots[0].identity"),
            ("\"roots\": [", "\"roots\": [\(root),", "roots[1].identity"),
            ("\"roots\": [", "\"roots\": [\(root),\(root),\(root),\(root),", "roots"),
            ("\"roots\"", "\"rots\"", "roots"),
        ] {
            try tools.write("moon.json", begun.replacing(from, with: to))
            #expect(try tools.read("moon.json") != begun, "\(place) \(to.prefix(20))")
            let end = try await tools.tool("genmoon", "moon.json")
            #expect(
                end.status == 1 && end.output.isEmpty && end.complaint.contains("moon.json: ")
                    && end.complaint.contains(place),
                "\(place): \(end)")
            #expect(!end.complaint.contains(secret.prefix(64)))
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: tools.path)
        #expect(!names.contains { $0.hasSuffix(".moon") }, "\(names)")
    }

    // MARK: Command line

    @Test func `help is there, and a command that is none fails`() async throws {
        let tools = try OriginalTools()
        let help = try await tools.tool("help")
        #expect(help.status == 0 && help.output.hasPrefix("zerotier-idtool") && help.complaint.isEmpty)
        #expect(try await tools.tool("initmoon") == help)
        #expect(try await tools.tool("genmoon") == help)
        for words in [
            [], ["nonsense"], ["sign", "a"], ["validate"], ["verify", "a", "b"], ["generate", "a", "b", "c", "d"],
        ] as [[String]] {
            let end = try await tools.run("zerotier-idtool", words)
            #expect(end.status == 1 && end.output == help.output, "\(words): \(end)")
        }
        #expect(try await tools.run("zerotier", ["idtool", "help"]).output == help.output)
        #expect(try await tools.run("zerotier", ["idtool", "validate", "nowhere"]).status == 1)
    }
}
