//  Why a decoder refuses bytes. One type for every codec of this target.

/// Why bytes could not be decoded.
///
/// Every case names the field (`"<object>.<field>"`) so that a counted drop can say which rule was broken. Field names
/// are literals: making one allocates nothing.
package enum WireError: Error, Equatable, Sendable {
    /// The bytes end inside `field`: `expected` bytes were needed, `found` were left.
    case truncated(field: String, expected: Int, found: Int)
    /// The value of `field` is not one that the format allows.
    case invalid(field: String, expected: String, found: UInt64)
    /// A length, count or result passes its limit.
    case tooLong(field: String, limit: Int, found: Int)

    /// The field at which decoding stopped.
    package var field: String {
        switch self {
        case .truncated(let field, _, _), .invalid(let field, _, _), .tooLong(let field, _, _): field
        }
    }
}
