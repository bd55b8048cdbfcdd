// Answers as scripts: `?jsonp=name` wraps a value in a call of the function of that name.

/// The form of such answers.
enum ScriptAnswer {
    private static let longestName = 64
    // A list that is made part by part is held as a whole here.
    private static let longestList = 16 << 20

    /// Why there is no script for this name; nil if there is.
    static func refusal(of name: String) -> ServiceAnswer? {
        if isName(name) { return nil }
        return .error(
            400, "jsonp is the name of a function: letters, digits, _, $ and dots, at most \(longestName) of them")
    }

    /// A call of the function with the answer's value. Nothing refused the name.
    static func wrap(_ answer: ServiceAnswer, _ name: String) async throws -> ServiceAnswer {
        var value: [UInt8] = []
        switch answer.body {
        case .none: value = Array("null".utf8)
        case .bytes(let bytes):
            // Metrics are no value of a script.
            guard answer.contentType == ServiceAnswer.jsonType else { return answer }
            value = bytes
        case .stream: return answer
        case .parts(let next):
            while let part = try await next() {
                value += part
                guard value.count <= longestList else {
                    return .error(400, "this list is too long for a script: ask for it without jsonp")
                }
            }
        }
        // Line separators end a string in older scripts: they are written as escapes.
        let text = String(decoding: value, as: UTF8.self).replacing("\u{2028}", with: "\\u2028")
            .replacing("\u{2029}", with: "\\u2029")
        return ServiceAnswer(
            status: answer.status, contentType: "application/javascript", body: .bytes(Array("\(name)(\(text));".utf8)))
    }

    private static func isName(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return name.utf8.count <= longestName
            && parts.allSatisfy { part in
                guard let first = part.utf8.first, !isDigit(first) else { return false }
                return part.utf8.allSatisfy { isDigit($0) || isLetter($0) }
            }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    private static func isLetter(_ byte: UInt8) -> Bool {
        let folded = byte | 0x20
        return UInt8(ascii: "a")...UInt8(ascii: "z") ~= folded || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
    }
}
