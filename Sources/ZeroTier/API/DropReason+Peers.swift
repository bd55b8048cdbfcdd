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
            case .reservedSource: "Its source cannot be a node's address."
            case .unknownSuite: "Its cipher suite is unknown: another protocol, or a newer version."
            case .untrustedPath: "It is in clear text, and no path is trusted for that."
            case .clearVerb: "Its contents have to be encrypted and were not."
            case .badMAC: "Its authentication code does not fit: damaged, forged, or of a peer with another key."
            case .replayed: "It came before: a recording, or a copy that the network made."
            case .badCompression: "Its compressed contents are damaged."
            case .malformed: "A field is missing or has a value that it cannot have."
            case .noRoomToWait: "Its sender is not known yet, and too many packets already wait for that."
            case .senderUnknown: "No root told its sender's identity in time."
            case .badFragment: "A part of a packet, with an impossible number."
            case .duplicateFragment: "A part of a packet that came before."
            case .fragmentsTooLong: "Its parts together are longer than a packet may be."
            case .fragmentsTimedOut: "Its other parts did not come: datagrams are lost on the way."
            case .fragmentsDisplaced: "Its parts had to make room for those of newer packets."
            case .oldProtocol: "The peer speaks a version of the protocol that is too old."
            case .identityMismatch: "The identity in a HELLO is not that of its sender."
            case .identityCollision: "Another identity has the address of a known one."
            case .invalidIdentity: "The address of an identity does not follow from its key: somebody made it up."
            case .unexpectedReply: "It answers nothing that was asked, or too late."
            default: nil
            }
        }

        // What was not wanted, not now, or could not be passed on.
        private var passing: String {
            switch self {
            case .relayNotAllowed:
                "It is for another node. This one is no root and relays nothing for its sender."
            case .relayHopLimit: "It was relayed too often."
            case .relayBudget: "Its source has used up its share of what this node relays: `relayedBytesPerSecond`."
            case .relayUnknownDestination: "It is for a node to which this root knows no way."
            case .agreementLimit: "More new peers say HELLO than this node agrees keys with."
            case .validationLimit: "More new identities come than this node checks."
            case .peerTableFull: "There is no room for another peer."
            case .helloLimit: "A known peer says HELLO more often than it is answered."
            case .echoLimit: "A peer asks for echoes more often than it is answered."
            case .whoisLimit: "A peer asks for identities more often than it is answered."
            case .pushLimit: "A peer tells its addresses more often than this node tries them."
            case .notUpstream: "Only a root may say this, and its sender is not one."
            case .rendezvousLimit: "A root introduces peers more often than this node follows."
            case .userMessageLimit: "A peer sends more messages than the application is given."
            case .unconfirmedEndpoint:
                "The answer would be longer than the question, and its endpoint has proved nothing yet."
            case .wishesFull: "Others make this node send more packets than it keeps waiting."
            case .eventOverflow: "Events came faster than anybody took them."
            case .noRoomToReply: "There was no room left for an answer or a packet to relay."
            case .controlQueueFull: "A control packet had to make room for newer ones."
            case .destinationUnreachable:
                "No identity of its destination, or no way to it, was found in time: is the node online?"
            case .packetTooLong: "It is longer than the peer can join."
            default: rawValue
            }
        }
    }
}
