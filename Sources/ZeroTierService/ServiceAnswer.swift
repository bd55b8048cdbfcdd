// An answer of the service as plain values.

package import JSONValues

/// What is sent back: a status, and a body unless there is nothing to say.
package struct ServiceAnswer: Sendable {
    /// The bytes of an answer.
    package enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// One part after the other, for lists that are too long to be held as a whole. Nil is the end.
        case parts(@Sendable () async throws -> [UInt8]?)
        /// What is told when it happens, each part at once. Nil is the end.
        case stream(@Sendable () async -> [UInt8]?)
    }

    /// The status of HTTP.
    package var status: Int
    /// Nil without a body.
    package var contentType: String?
    package var body: Body
    /// Headers besides those of every answer.
    package var headers: [(name: String, value: String)] = []

    package init(status: Int, contentType: String? = nil, body: Body = .none) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// A value in JSON, on one line without a line feed.
    package static func json(_ value: JSONValue, status: Int = 200) -> ServiceAnswer {
        ServiceAnswer(status: status, contentType: jsonType, body: .bytes(Array(value.text.utf8)))
    }

    /// Nothing but a status.
    package static func empty(_ status: Int) -> ServiceAnswer { ServiceAnswer(status: status) }

    /// An error in the field's form.
    package static func error(_ status: Int, _ description: String) -> ServiceAnswer {
        .json(.object([("error", .integer(Int64(status))), ("description", .string(description))]), status: status)
    }

    /// An empty object.
    package static let emptyObject = ServiceAnswer.json(.object([]))

    package static let jsonType = "application/json"
}
