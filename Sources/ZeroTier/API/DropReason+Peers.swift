// The reasons of the transport between nodes. Names as in `ZeroTierPeers`; a test holds the lists equal.

extension DropReason {
    /// Reasons of the transport between nodes.
    @nonexhaustive
    public enum Peers: String, Hashable, Sendable, CaseIterable {
        case tooShort, tooLong, ownSource, reservedSource, unknownSuite, untrustedPath, clearVerb, badMAC, replayed
        case badCompression, malformed, noRoomToWait, senderUnknown
        case badFragment, duplicateFragment, fragmentsTooLong, fragmentsTimedOut, fragmentsDisplaced
        case relayNotAllowed, relayHopLimit, relayBudget, relayUnknownDestination
        case oldProtocol, identityMismatch, identityCollision, invalidIdentity, agreementLimit, validationLimit
        case peerTableFull, helloLimit, echoLimit, whoisLimit, pushLimit, notUpstream, rendezvousLimit
        case userMessageLimit, unconfirmedEndpoint, wishesFull, unexpectedReply, eventOverflow
        case noRoomToReply, controlQueueFull, destinationUnreachable, packetTooLong

        var explanation: String { opening ?? passing }

        // What is wrong with what came; nil for the others.
        private var opening: String? {
            switch self {
            case .tooShort: "Shorter than any packet. Datagrams that open a NAT end here: some are ordinary."
            case .tooLong: "Longer than any packet may be."
            case .ownSource: "It claims to come from this node."
            case .reservedSource: "Its source can be no node's address."
            case .unknownSuite: "Its cipher suite is unknown: another protocol, or a newer version."
            case .untrustedPath: "It is in clear text and the way it came is not trusted."
            case .clearVerb: "Its contents have to be encrypted and were not."
            case .badMAC: "Its authentication code does not fit: damaged, forged, or of a peer with another key."
            case .replayed: "It came before."
            case .badCompression: "Its compressed contents are damaged."
            case .malformed: "A field is missing or has a value that it cannot have."
            case .noRoomToWait: "Its sender is not known yet, and too many packets wait for that already."
            case .senderUnknown: "No root knew its sender in time."
            case .badFragment: "A part with a number that it cannot have."
            case .duplicateFragment: "A part that was here already."
            case .fragmentsTooLong: "Its parts together are longer than a packet may be."
            case .fragmentsTimedOut: "The other parts of it did not come: datagrams are lost on the way."
            case .fragmentsDisplaced: "Its parts had to give way to those of newer packets."
            case .oldProtocol: "The peer speaks a version of the protocol that is too old."
            case .identityMismatch: "The identity in a HELLO is not that of its sender."
            case .identityCollision: "Another identity has the address of a known one."
            case .invalidIdentity: "The address of an identity does not follow from its key: it is made up."
            case .unexpectedReply: "It answers nothing that was asked, or too late."
            default: nil
            }
        }

        // What was not wanted, not now, or could not be passed on.
        private var passing: String {
            switch self {
            case .relayNotAllowed:
                "It is for another node, and this one is no root and passes nothing on for its sender."
            case .relayHopLimit: "It was passed on too often."
            case .relayBudget: "Its source has used up its share of what this node passes on: `relayedBytesPerSecond`."
            case .relayUnknownDestination: "It is for a node that this root does not know a way to."
            case .agreementLimit: "More new peers say HELLO than keys are agreed with in the time."
            case .validationLimit: "More new identities come than are checked in the time."
            case .peerTableFull: "There is no room for another peer."
            case .helloLimit: "A known peer says HELLO more often than it is answered."
            case .echoLimit: "A peer asks for echoes more often than it is answered."
            case .whoisLimit: "A peer asks for identities more often than it is answered."
            case .pushLimit: "A peer tells its addresses more often than they are followed."
            case .notUpstream: "Only a root may say this, and its sender is none."
            case .rendezvousLimit: "A root introduces peers more often than that is followed."
            case .userMessageLimit: "A peer sends more messages than are given to the application."
            case .unconfirmedEndpoint:
                "An answer would have been longer than the question of an endpoint that has proved nothing."
            case .wishesFull: "Others wish more packets of this node than it keeps."
            case .eventOverflow: "Events came faster than anybody took them."
            case .noRoomToReply: "There was no room left for an answer or for a packet to pass on."
            case .controlQueueFull: "A control packet had to give way to newer ones."
            case .destinationUnreachable:
                "No identity of, or no way to, its destination was found in time: is the node online?"
            case .packetTooLong: "It is longer than its peer can put together."
            default: rawValue
            }
        }
    }
}
