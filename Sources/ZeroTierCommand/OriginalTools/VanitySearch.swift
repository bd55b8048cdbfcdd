// Driver: an identity whose address begins with given digits, searched for by all processors.

import Foundation
import NetPrimitives
import Synchronization
import ZeroTier
import ZeroTierWire

/// The search for an address.
enum VanitySearch {
    /// Each digit takes 16 times as many identities; one takes a processor some 60 ms.
    static let digitLimit = 10
    // Addresses that begin so belong to nobody.
    private static let reserved = "ff"

    /// The digits in lower case. Throws for what no address begins with.
    static func prefix(_ text: String) throws(Failure) -> String {
        let digits = text.lowercased()
        guard digits.utf8.count <= digitLimit, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }),
            digits != String(repeating: "0", count: digitLimit)
        else {
            throw Failure(
                "invalidArgument",
                "the beginning of an address is up to \(digitLimit) hexadecimal digits, not \(Report.printable(text))")
        }
        guard !digits.hasPrefix(reserved) else {
            throw Failure("invalidArgument", "no address begins with \(reserved): such addresses are reserved")
        }
        return digits
    }

    /// A fresh identity whose address begins with the digits. Without digits, the first one.
    static func identity(prefix: String) async throws -> ZeroTierWire.Identity {
        let tries = Counter()
        return try await withThrowingTaskGroup(of: ZeroTierWire.Identity.self) { group in
            for _ in 0..<(prefix.isEmpty ? 1 : ProcessInfo.processInfo.activeProcessorCount) {
                group.addTask { try search(prefix, tries) }
            }
            guard let found = try await group.next() else { throw CancellationError() }
            group.cancelAll()
            return found
        }
    }

    private static func search(_ prefix: String, _ tries: Counter) throws -> ZeroTierWire.Identity {
        var random = RandomSource(seed: SystemRandom.bytes(32))
        while true {
            try Task.checkCancellation()
            let identity = ZeroTierWire.Identity.generate(using: &random)
            let address = identity.address.description
            if !prefix.isEmpty { tries.tell(address, prefix) }
            if address.hasPrefix(prefix) { return identity }
        }
    }

    // Says how far it is from time to time.
    private final class Counter: Sendable {
        private let count = Atomic<Int>(0)
        // About four seconds of a processor.
        private static let stride = 64

        func tell(_ address: String, _ prefix: String) {
            let tried = count.add(1, ordering: .relaxed).newValue
            if tried == 1 || tried % Counter.stride == 0 {
                Output.complain("looking for \(prefix)…: \(tried) addresses tried, the last was \(address)")
            }
        }
    }
}
