//  Packets by verb, and ERRORs by their code. Plain numbers in place: counting one is an addition.

package import ZeroTierWire

/// Packets of this node and its peers since the start; none that are passed on for others. What came was authentic.
package struct PacketCounters: Sendable {
    private static let codes = 16

    // By the number on the wire.
    private var received = InlineArray<32, UInt64>(repeating: 0)
    private var sent = InlineArray<32, UInt64>(repeating: 0)
    private var errorsReceived = InlineArray<16, UInt64>(repeating: 0)
    private var errorsSent = InlineArray<16, UInt64>(repeating: 0)

    package init() {}

    // MARK: Counting

    @inline(__always)
    mutating func noteReceived(_ verb: Verb) { received[Int(verb.rawValue & Verb.mask)] &+= 1 }

    @inline(__always)
    mutating func noteSent(_ verb: Verb) { sent[Int(verb.rawValue & Verb.mask)] &+= 1 }

    mutating func noteErrorReceived(_ code: UInt8) {
        guard code < PacketCounters.codes else { return }
        errorsReceived[Int(code)] &+= 1
    }

    /// An ERROR leaves whose payload, from its header on, is this. The code of one that is compressed cannot be seen.
    mutating func noteErrorSent(_ payload: [UInt8]) {
        guard payload.count > OKHeader.size, payload[OKHeader.size] < PacketCounters.codes else { return }
        errorsSent[Int(payload[OKHeader.size])] &+= 1
    }

    // MARK: Reading

    /// Packets of a verb that came. Verbs that are not known count as NOP.
    package func received(_ verb: Verb) -> UInt64 { received[Int(verb.rawValue & Verb.mask)] }
    /// Packets of a verb that were sent.
    package func sent(_ verb: Verb) -> UInt64 { sent[Int(verb.rawValue & Verb.mask)] }
    /// ERRORs with a code that came; 0 for a code that the protocol does not have.
    package func errorsReceived(_ code: UInt8) -> UInt64 {
        code < PacketCounters.codes ? errorsReceived[Int(code)] : 0
    }
    /// ERRORs with a code that were sent.
    package func errorsSent(_ code: UInt8) -> UInt64 { code < PacketCounters.codes ? errorsSent[Int(code)] : 0 }
}
