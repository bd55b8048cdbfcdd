// Which function answers which method and path.

import ZeroTier

/// A request that a route was found for.
struct ServiceCall: Sendable {
    let request: ServiceRequest
    /// What the path has in the places of `{network}` and `{node}`, `{moon}` and `{word}`, in order, in lower case but for words.
    let arguments: [String]

    /// An argument as a number; the pattern made sure that it is one.
    func number(_ index: Int) -> UInt64 { UInt64(arguments[index], radix: 16) ?? 0 }

    /// The network of the path.
    var network: NetworkID { NetworkID(number(0)) }
}

/// A method, a pattern of paths, and the function that answers.
struct ServiceRoute: Sendable {
    typealias Answer = @Sendable (ServiceCall) async throws -> ServiceAnswer

    let method: ServiceRequest.Method
    let pattern: String
    private let places: [String]
    let answer: Answer

    /// `pattern` is such as `/network/{network}`: `{network}` stands for 16 hexadecimal digits, `{node}` for ten, `{moon}` for either,
    /// `{controller}` for ten and six underscores, `{word}` for anything, and `{file}` for anything or nothing.
    init(_ method: ServiceRequest.Method, _ pattern: String, _ answer: @escaping Answer) {
        self.method = method
        self.pattern = pattern
        places = pattern.split(separator: "/").map(String.init)
        self.answer = answer
    }

    /// The arguments that a path has for this route; nil if it is another one's.
    func arguments(of path: [String]) -> [String]? {
        guard path.count == places.count else { return nil }
        var arguments: [String] = []
        for (part, place) in zip(path, places) {
            guard place.hasPrefix("{") else {
                guard part == place else { return nil }
                continue
            }
            guard let argument = ServiceRoute.argument(part, place) else { return nil }
            arguments.append(argument)
        }
        return arguments
    }

    private static func argument(_ part: String, _ place: String) -> String? {
        let isHexadecimal = part.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || isLetter($0) }
        switch place {
        case "{network}" where isHexadecimal && part.utf8.count == 16: return part.lowercased()
        case "{node}" where isHexadecimal && part.utf8.count == 10: return part.lowercased()
        case "{moon}" where isHexadecimal && (part.utf8.count == 10 || part.utf8.count == 16): return part.lowercased()
        case "{controller}" where part.hasSuffix("______"):
            return argument(String(part.dropLast(6)), "{node}")
        case "{word}" where !part.isEmpty: return part
        case "{file}": return part
        default: return nil
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "F") ~= byte
    }
}
