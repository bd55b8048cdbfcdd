// Files of `Tests/Vectors`: what tests of several targets are measured by.

import Foundation

/// The vectors of all tests.
package enum VectorFiles {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Vectors")

    /// A file's bytes.
    package static func data(_ name: String) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent(name))
    }

    /// A file's lines of text; none when it cannot be read.
    package static func lines(_ name: String) -> [String] {
        let text = (try? data(name)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    /// Reads a file of JSON.
    package static func decode<Value: Decodable>(
        _ name: String, as type: Value.Type = Value.self, keys: JSONDecoder.KeyDecodingStrategy = .useDefaultKeys
    ) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = keys
        return try decoder.decode(type, from: data(name))
    }
}
