// Why the last start of a node in a state directory failed: tools tell it while none runs.

import JSONValues
import ZeroTier

/// The file `last-failure` of a state directory.
enum LastFailure {
    private static let fileName = "last-failure"

    /// A start begins.
    static func forget(in store: DirectoryStore) throws(ZeroTierError) { try store.remove(fileName) }

    /// A start failed, or a node ended by a failure. It is told in any case, so that it cannot be kept is no other failure.
    static func keep(_ error: any Error, in store: DirectoryStore) {
        let text = (error as? ZeroTierError)?.message ?? "\(error)"
        let line = JSONValue.object([("time", .string(SystemClock.universalTime())), ("message", .string(text))]).text
        try? store.write(fileName, Array((line + "\n").utf8), isSecret: true)
    }

    /// When it was and what it was; nil if there was none, or if it cannot be read.
    static func read(_ home: String) -> (time: String, message: String)? {
        guard let bytes = (try? FileSystem.read("\(home)/\(fileName)")) ?? nil,
            case .object(let object)? = (try? JSONDocument(bytes))?.root,
            case .string(let time)? = object["time"], case .string(let message)? = object["message"]
        else { return nil }
        return (time, message)
    }
}
