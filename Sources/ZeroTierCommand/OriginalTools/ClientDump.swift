// Driver: `zerotier-cli dump`, a file for people who ask for help. Secrets of the configuration are not in it.

import Glibc
import JSONValues
import ZeroTier

/// The file of `zerotier-cli dump`.
enum ClientDump {
    static let fileName = "zerotier_dump.txt"

    /// Asks for all parts and writes the file into the working directory.
    static func write(_ service: ServiceClient, home: String?) async throws -> ClientAnswer {
        var parts = [
            ("platform", platform), ("version", "zerotier-cli of swift-zerotier \(libraryVersionText)"),
        ]
        for path in ["/status", "/network", "/peer"] {
            let reply: ClientReply
            do throws(ServiceClient.Unreached) {
                reply = try await service.send(ClientRequest(method: .get, path: path))
            } catch {
                return ClientAnswer(unreached: error.cause, verb: .dump, host: service.host, port: service.port)
            }
            guard reply.status == 200 else {
                return ClientAnswer(reply, to: .dump, asJSON: false, now: 0)
            }
            parts.append((path, masked(reply.body)))
        }
        parts.append(("local.conf", localConfiguration(home)))
        parts.append(
            ("interfaces", InterfaceWatcher.scan().map { "\($0.interface) \($0.prefix)" }.joined(separator: "\n")))
        let text = parts.map { "== \($0.0)\n\($0.1)\n" }.joined(separator: "\n")
        // Somebody may have made a link of this name where everybody can write: it is replaced, not followed.
        try Files.replace(fileName, Array(text.utf8), followsLinks: false)
        return ClientAnswer(dumpedInto: "\(workingDirectory)/\(fileName)")
    }

    private static func localConfiguration(_ home: String?) -> String {
        guard let home else { return "not known where" }
        let path = "\(home)/local.conf"
        do throws(SystemError) {
            guard let bytes = try FileSystem.read(path) else { return "\(path) is not there" }
            return masked(bytes)
        } catch {
            return "cannot \(error)"
        }
    }

    /// JSON without the values of members that are secrets. Text that is no JSON may have them anywhere, and is left out.
    private static func masked(_ bytes: [UInt8]) -> String {
        do throws(JSONError) {
            return masked(try JSONDocument(bytes).root).indentedText(by: 1)
        } catch {
            return "left out, since it is no JSON: \(error)"
        }
    }

    static func masked(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let values): .array(values.map(masked))
        case .object(let object):
            .object(object.members.map { ($0.key, isSecret($0.key) ? .string("(left out)") : masked($0.value)) })
        default: value
        }
    }

    // `controllerDbPath` has the password of a database in it.
    private static func isSecret(_ key: String) -> Bool {
        let key = key.lowercased()
        return ["secret", "token", "password", "dbpath"].contains { key.contains($0) }
    }

    private static var platform: String {
        var names = utsname()
        // Sound: the call fills the structure with zero-terminated texts.
        guard unsafe uname(&names) == 0 else { return "not known" }
        func text<Field>(_ field: Field) -> String {
            unsafe withUnsafeBytes(of: field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return "\(text(names.sysname)) \(text(names.release)) \(text(names.machine))"
    }

    private static var workingDirectory: String {
        // Sound: the result is memory of its own, copied and given back.
        guard let path = unsafe getcwd(nil, 0) else { return "." }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }
}
