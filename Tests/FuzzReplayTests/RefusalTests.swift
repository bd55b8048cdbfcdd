//  What the stack refuses changes nothing but counters: over every saved input of the target "stack" and mutations of them.

import NetPrimitives
import Testing

@testable import FuzzBodies
@testable import NetStack

@Suite struct RefusalTests {
    /// Reasons that say that nothing of a packet was taken. Left out are those of packets that were right and found no room,
    /// and an overlap, which ends the datagram on purpose (RFC 5722).
    private static let refusals: [StackDropReason] = [
        .unknownEtherType, .foreignMAC, .ownMAC, .truncated, .malformed, .ipChecksum, .checksum, .options, .martian,
        .notForUs, .unknownProtocol, .fragmentMalformed, .extensionHeader, .neighbourDiscovery, .routerMessage,
        .unmatchedError, .groupTransport, .unacceptableSegment,
    ]

    private static func refused(_ stack: borrowing NetworkStack) -> UInt64 {
        let statistics = stack.statistics
        return refusals.reduce(0) { $0 + statistics.dropped($1) }
    }

    /// Everything that a packet from outside may change.
    private static func state(_ stack: borrowing NetworkStack) -> String {
        var text = ""
        for slot in stack.streams.ids { text += "\(slot) " + fingerprint(stack.streams[slot].connection) + "\n" }
        for slot in stack.neighbours.entries.ids {
            let neighbour = stack.neighbours.entries[slot]
            text += "\(neighbour.key.address) \(neighbour.state) \(neighbour.mac) \(neighbour.reachableUntil)\n"
        }
        for slot in stack.listeners.ids { text += "listener \(stack.listeners[slot].listener.halfOpenCount)\n" }
        for slot in stack.timeWaits.ids { text += "rest \(stack.timeWaits[slot].state.deadline)\n" }
        for slot in stack.datagramSockets.ids {
            let error = stack.datagramSockets[slot].error
            text += "datagrams \(String(describing: error))\n"
        }
        for slot in stack.interfaces.ids {
            for entry in stack.interfaces[slot].addresses { text += "\(entry.address) \(entry.state)\n" }
        }
        // Fragments of one station that make no right datagram are used up all the same.
        text += "reassembly \(stack.reassembly.count + Int(stack.statistics.reassembled))"
        text += " echo \(stack.echoRequests.count) paths \(stack.pathMTUs.count) routes \(stack.routeGeneration)"
        return text + " received \(stack.receivedDatagramBytes)"
    }

    private func check(_ input: [UInt8]) -> Int {
        var before = ""
        var count: UInt64 = 0
        var refusals = 0
        fuzzStack(input) { stack, isBefore in
            if isBefore {
                before = Self.state(stack)
                count = Self.refused(stack)
            } else if Self.refused(stack) != count {
                refusals += 1
                let after = Self.state(stack)
                if before != after { Issue.record("a refused packet changed \(before) to \(after)") }
            }
        }
        return refusals
    }

    @Test func `a packet that the stack refuses changes nothing but counters`() throws {
        let target = try #require(FuzzTarget.named("stack"))
        let inputs = ReplayTests.corpus(target)
        var refusals = inputs.reduce(0) { $0 + check($1) }
        var mutator = Mutator(seed: 3, limit: target.maximumLength)
        for _ in 0..<300 { refusals += check(mutator.next(from: inputs)) }
        #expect(refusals > 200, "the inputs hardly ever cause a refusal")
    }
}
