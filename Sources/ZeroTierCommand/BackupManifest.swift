// The file backup.json of a backup: what belongs to it, so that half of one is never taken for a whole.

import JSONValues
import ZeroTier
import ZeroTierCrypto

/// What a backup has.
struct BackupManifest: Sendable {
    static let fileName = "backup.json"
    /// The form that this release writes and reads.
    static let form = 1
    private static let fileLimit = 1_000_000

    struct File: Sendable {
        let name: String
        let length: Int
        /// SHA-384, hexadecimal.
        let digest: String

        init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            length = bytes.count
            digest = SHA384.digest(bytes).map { byte in
                String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }.joined()
        }

        fileprivate init(_ json: JSONField) throws(JSONError) {
            name = try json.required("name").string()
            length = try json.required("bytes").integer(Int.self)
            digest = try json.required("sha384").string()
        }

        /// Whether these bytes are the file's.
        func fits(_ bytes: [UInt8]) -> Bool {
            let found = File(name, bytes)
            return found.length == length && found.digest == digest
        }
    }

    let address: String
    let time: String
    let files: [File]

    init(address: String, files: [File]) {
        self.address = address
        time = SystemClock.universalTime()
        self.files = files
    }

    /// Reads it. Throws if it is none, or of a later release.
    init(_ bytes: [UInt8], at path: String) throws(Failure) {
        do throws(JSONError) {
            let form = try JSONDocument(bytes).read { (json) throws(JSONError) in
                try json.required("form").integer(Int.self)
            }
            guard form <= BackupManifest.form else {
                throw JSONError(path: JSONPath(), problem: "it is of a later release (form \(form))")
            }
            self = try JSONDocument(bytes).read { (json) throws(JSONError) in
                BackupManifest(
                    address: try json.required("address").string(), time: try json.required("time").string(),
                    files: try json.required("files").elements(atMost: BackupManifest.fileLimit)
                        .map { (field) throws(JSONError) in try File(field) })
            }
        } catch {
            throw Failure("invalidBackup", "\(path): \(error)")
        }
    }

    private init(address: String, time: String, files: [File]) {
        self.address = address
        self.time = time
        self.files = files
    }

    var json: JSONValue {
        let files = files.map { file -> JSONValue in
            .object([
                ("name", .string(file.name)), ("bytes", .integer(Int64(file.length))), ("sha384", .string(file.digest)),
            ])
        }
        return .object([
            ("form", .integer(Int64(BackupManifest.form))), ("program", .string(libraryVersionText)),
            ("time", .string(time)), ("address", .string(address)), ("files", .array(files)),
        ])
    }
}
