//  Every way a datagram or packet dies in the VL1 machine. Remote input never throws past the engine: it ends as one of
//  these, counted.

import ZeroTierWire

/// Why a datagram or packet went no further.
package enum PeerDrop: Int, CaseIterable, Sendable {
    /// Shorter than any packet; the 4-byte hole-punch datagrams end here.
    case tooShort
    /// Longer than any packet may be.
    case tooLong
    /// Claims to come from ourselves.
    case ownSource
    /// The source address can never belong to an identity.
    case reservedSource
    /// Cipher suite 4 to 7, or suite 0 with the historic flag.
    case unknownSuite
    /// Cipher suite 2: no trusted path is configured.
    case untrustedPath
    /// Suite 0 with a verb that needs encryption.
    case clearVerb
    /// The MAC does not fit.
    case badMAC
    /// An authentic packet that came before.
    case replayed
    /// The LZ4 block is damaged or expands to too much.
    case badCompression
    /// A field is missing or has a value that the format does not allow.
    case malformed
    /// The sender is not known yet and the room for waiting packets is used up.
    case noRoomToWait
    /// The sender stayed unknown for as long as a packet may wait.
    case senderUnknown

    /// A part with an impossible number or total.
    case badFragment
    /// A part that is here already.
    case duplicateFragment
    /// The joined parts are longer than a packet may be.
    case fragmentsTooLong
    /// Parts that did not become a packet in time.
    case fragmentsTimedOut
    /// Parts that had to give way to others.
    case fragmentsDisplaced

    /// We do not relay for this path: not a root, no trust.
    case relayNotAllowed
    /// Relayed too often already.
    case relayHopLimit
    /// The source's budget of relayed bytes is used up.
    case relayBudget
    /// No path to the destination.
    case relayUnknownDestination

    /// HELLO of a protocol version before 4.
    case oldProtocol
    /// HELLO whose identity is not that of the header's source.
    case identityMismatch
    /// HELLO with a known address and another key, of which the sender holds the secret.
    case identityCollision
    /// HELLO of an identity whose address does not follow from its key.
    case invalidIdentity
    /// HELLO beyond the budget of key agreements.
    case agreementLimit
    /// HELLO beyond the budget of identity validations.
    case validationLimit
    /// No room for another peer.
    case peerTableFull
    /// HELLO of a known peer beyond what is answered.
    case helloLimit

    /// ECHO beyond what is answered.
    case echoLimit
    /// WHOIS beyond what is answered.
    case whoisLimit
    /// PUSH_DIRECT_PATHS beyond what is followed.
    case pushLimit
    /// RENDEZVOUS or OK(WHOIS) from a node that is not a root.
    case notUpstream
    /// RENDEZVOUS of one root beyond what is followed.
    case rendezvousLimit
    /// USER_MESSAGE of one peer beyond what is given to the application.
    case userMessageLimit
    /// An answer longer than what came from an endpoint that never proved itself.
    case unconfirmedEndpoint
    /// A packet that others wish and that had no room in the queue of such.
    case wishesFull
    /// OK that answers nothing we asked.
    case unexpectedReply
    /// USER_MESSAGE or another event with nobody taking events.
    case eventOverflow

    /// A reply or relayed datagram that no longer fitted in the batch.
    case noRoomToReply
    /// A control packet that had to give way in the queue.
    case controlQueueFull
    /// A packet that waited too long for its destination's identity or for a path.
    case destinationUnreachable
    /// A packet longer than what a peer can reassemble.
    case packetTooLong
}

/// Authentic packets by the suite they came in.
package struct SuiteCounters: Sendable, Equatable {
    /// Suite 0: HELLO and the verbs of bonded nodes.
    package internal(set) var authenticatedOnly: UInt64 = 0
    /// Suite 1.
    package internal(set) var salsa: UInt64 = 0
    /// Suite 3.
    package internal(set) var gmacSIV: UInt64 = 0

    package init() {}

    /// Counts one packet.
    @inline(__always)
    mutating func count(_ suite: CipherSuite?) {
        switch suite {
        case .gmacSIV: gmacSIV &+= 1
        case .salsa: salsa &+= 1
        case .authenticatedOnly: authenticatedOnly &+= 1
        case .trustedPath, nil: break
        }
    }
}

/// How often each way of dying happened.
package struct DropCounters: Sendable, Equatable {
    private var counts = [UInt64](repeating: 0, count: PeerDrop.allCases.count)

    package init() {}

    /// How often it happened.
    package subscript(_ reason: PeerDrop) -> UInt64 { counts[reason.rawValue] }

    /// Counts one more.
    mutating func count(_ reason: PeerDrop) { counts[reason.rawValue] &+= 1 }

    /// All drops together.
    package var total: UInt64 { counts.reduce(0, &+) }

    /// The reasons that happened, in declaration order.
    package var nonZero: [(reason: PeerDrop, count: UInt64)] {
        PeerDrop.allCases.compactMap { counts[$0.rawValue] > 0 ? ($0, counts[$0.rawValue]) : nil }
    }
}
