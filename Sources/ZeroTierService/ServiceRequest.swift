// A request to the service as plain values, whoever brought it.

package import NetPrimitives

/// A request, as far as its head says, and what was sent with it.
package struct ServiceRequest: Sendable {
    /// What is asked for. PUT is POST everywhere, and HEAD is a GET whose answer loses its body on the way out.
    package enum Method: Sendable, Hashable {
        case get
        case post
        case delete
    }

    /// Nil for a method that no route has.
    package let method: Method?
    /// The parts of the path between slashes, decoded. Nil for a path that cannot be decoded.
    package let path: [String]?
    /// Name and value of each field of the query, decoded.
    package let query: [(name: String, value: String)]
    /// The address of the other end; IPv4 in its own form.
    package let client: IPAddress
    /// The body's bytes.
    package var body: [UInt8]
    // Names in lower case.
    private let headers: [(name: String, value: String)]

    /// - Parameters:
    ///   - target: path and query as they were sent.
    ///   - headers: names in any case.
    ///   - client: as the socket tells it, so that an IPv4 address may be mapped into IPv6.
    package init(
        method: String, target: String, headers: [(name: String, value: String)], client: IPAddress, body: [UInt8] = []
    ) {
        switch method {
        case "GET", "HEAD": self.method = .get
        case "POST", "PUT": self.method = .post
        case "DELETE": self.method = .delete
        default: self.method = nil
        }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = ServiceRequest.decodePath(parts[0])
        query = parts.count > 1 ? ServiceRequest.decodeQuery(parts[1]) : []
        self.headers = headers.map { (name: $0.name.lowercased(), value: $0.value) }
        self.client = client.unmapped
        self.body = body
    }

    /// The values of a header, in the order in which they came. The name is in lower case.
    package func values(of header: String) -> [String] {
        headers.compactMap { $0.name == header ? $0.value : nil }
    }

    /// The first value of a header; nil if it was not sent.
    package func value(of header: String) -> String? { headers.first { $0.name == header }?.value }

    /// The first value of a field of the query; nil if it is not there.
    package func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }

    // MARK: Targets

    private static func decodePath(_ text: Substring) -> [String]? {
        guard text.first == "/" else { return nil }
        var parts: [String] = []
        for part in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let decoded = decode(part, plusIsSpace: false) else { return nil }
            parts.append(decoded)
        }
        return parts
    }

    // What cannot be decoded is taken as it is: it is no token and no name then.
    private static func decodeQuery(_ text: Substring) -> [(name: String, value: String)] {
        text.split(separator: "&").map { field in
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1] : ""
            return (
                name: decode(parts[0], plusIsSpace: true) ?? String(parts[0]),
                value: decode(value, plusIsSpace: true) ?? String(value)
            )
        }
    }

    private static func decode(_ text: Substring, plusIsSpace: Bool) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                let digits = rest.prefix(2)
                guard digits.count == 2, let value = hexadecimal(digits) else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ digits: Substring.UTF8View.SubSequence) -> UInt8? {
        guard digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }) else { return nil }
        return UInt8(Substring(digits), radix: 16)
    }
}

extension IPAddress {
    // An IPv4 address that came to a socket of IPv6.
    fileprivate var unmapped: IPAddress {
        isIPv6 && high == 0 && low >> 32 == 0xffff ? IPAddress(v4: UInt32(truncatingIfNeeded: low)) : self
    }
}
