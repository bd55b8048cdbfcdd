// The values of options: how they are read, and their ranges.

import ArgumentParser
import ZeroTier

/// Reads values. An error shows how a value looks.
enum Parse {
    static func network(_ text: String) throws -> NetworkID {
        guard let network = NetworkID(text) else {
            throw Malformed(description: "a network ID is 16 hexadecimal digits, such as 8056c2e21c000001")
        }
        return network
    }

    /// An ID of a network that a running node knows. What is nearly an ID goes to the node, which says which one may be meant.
    static func known(_ text: String) throws -> String {
        if let network = NetworkID(text) { return network.description }
        let isNear =
            (14...18).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x25 }
        return isNear ? text : try network(text).description
    }

    static func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(text) else {
            throw Malformed(description: "an address is like 10.147.17.5 or fd00::5")
        }
        return address
    }

    /// Where a root is reached.
    static func endpoint(_ text: String) throws -> SocketEndpoint {
        guard let endpoint = SocketEndpoint(text) else {
            throw Malformed(description: "an endpoint is an address and a port, such as 203.0.113.5/9993")
        }
        guard endpoint.port != 0 else { throw Malformed(description: "an endpoint's port is 1 to 65535, not 0") }
        guard !endpoint.address.isUnspecified else {
            throw Malformed(description: "nobody can be reached at \(endpoint.address)")
        }
        return endpoint
    }

    /// A moon's or a node's number.
    static func hexadecimal(_ text: String) throws -> UInt64 {
        guard !text.hasPrefix("+"), let value = UInt64(text, radix: 16), value != 0 else {
            throw Malformed(description: "a moon's or a node's number is of hexadecimal digits, and not 0")
        }
        return value
    }

    /// One port, or the first and last of a range.
    static func ports(_ text: String) throws -> ClosedRange<UInt16> {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard (1...2).contains(parts.count), let first = parts[0], let last = parts[parts.count - 1], first <= last
        else {
            throw Malformed(description: "ports are like 7-9 or 80: from 0 to 65535, the lower one first")
        }
        return first...last
    }

    private struct Malformed: Error, CustomStringConvertible {
        let description: String
    }
}

/// The ranges of options with numbers.
enum Limits {
    /// For waiting; an hour is the most that a node waits for the tools.
    static let seconds = 1...3600
    static let requests = 1...1_000_000
    static let streamBytes = 0...1_000_000_000_000
    static let ports = 1...65_535
    /// The most that fits in a UDP datagram.
    static let datagramBytes4 = 0...65_507
    static let datagramBytes6 = 0...65_527

    /// Refuses a value out of range.
    static func check(_ value: Int, _ range: ClosedRange<Int>, _ option: String) throws {
        guard range.contains(value) else {
            throw ValidationError("\(option) is \(range.lowerBound) to \(range.upperBound), not \(value)")
        }
    }
}
