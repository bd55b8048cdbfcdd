// What reports in JSON have in common.

import JSONValues

extension JSONValue {
    /// Milliseconds with their fraction; null for nil.
    static func milliseconds(_ duration: Duration?) -> JSONValue {
        duration.map { .number(($0.seconds * 1e6).rounded() / 1e3) } ?? .null
    }

    static func text(_ value: (some CustomStringConvertible)?) -> JSONValue {
        value.map { .string($0.description) } ?? .null
    }
}

extension Duration {
    /// The duration in seconds.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }

    /// Such as `1.234 ms`.
    var inMilliseconds: String { "\((seconds * 1e6).rounded() / 1e3) ms" }
}
