// The reasons of the virtual networks. Names as in `ZeroTierEthernet`; a test holds the lists equal.

extension DropReason {
    /// Reasons of the virtual networks.
    @nonexhaustive
    public enum Ethernet: String, Hashable, Sendable, CaseIterable {
        case noSuchNetwork, noConfiguration, frameTooLong, notABridge, ruleOutbound, redirected, multicastDisabled
        case broadcastDisabled, noBridge, packetQueueFull, localQueueFull, frameUnwritten
        case malformed, networkNotJoined, membershipMissing, waitingQueueFull, waitingTimedOut, ruleInbound
        case unreadableHeaders, forgedLinkAddress, claimRefused, ownSource, bridgingNotAllowed, notForUs
        case credentialsTooOften, signatureLimit, credentialInvalid, notAuthorised, likeLimitPerPeer, likeLimitTotal
        case notFromController, badSignature, badConfiguration, duplicateChunk, outdatedConfiguration
        case passedOnTooOften, unaskedAnswer, unexpectedVerb

        var explanation: String { outgoing ?? incoming }

        // Of frames that this node wanted to send; nil for the others.
        private var outgoing: String? {
            switch self {
            case .noSuchNetwork: "The network was left."
            case .noConfiguration: "The network has no configuration yet: has its controller admitted this node?"
            case .frameTooLong: "The frame is longer than the network's MTU."
            case .notABridge: "Only a bridge of the network may send frames of other stations."
            case .ruleOutbound:
                "The network's rules do not let this node send it. Its administrator sets them."
            case .redirected: "The network's rules sent it elsewhere."
            case .multicastDisabled: "The network has multicast switched off."
            case .broadcastDisabled: "The network has broadcast switched off."
            case .noBridge: "It is for a station behind a bridge, and the network has no bridge."
            case .packetQueueFull: "Too many packets wait to be sent."
            case .localQueueFull: "Too many frames wait for this node's own stack."
            case .frameUnwritten: "The frame could not be put into a packet."
            default: nil
            }
        }

        // Of what came from others.
        private var incoming: String {
            switch self {
            case .malformed: "A field is missing or has a value that it cannot have."
            case .networkNotJoined: "It belongs to a network that this node has not joined."
            case .membershipMissing: "Its sender has not shown that it is a member of the network."
            case .waitingQueueFull: "Too many frames wait for their sender's membership."
            case .waitingTimedOut: "Its sender did not show its membership in time."
            case .ruleInbound:
                "The network's rules do not let its sender send it here. Its administrator sets them."
            case .unreadableHeaders: "Its IP headers hide what the rules have to see."
            case .forgedLinkAddress: "ARP or neighbour discovery names another station than the one that sent it."
            case .claimRefused: "A member claims an address that belongs to another."
            case .ownSource: "It claims to come from this node."
            case .bridgingNotAllowed: "It comes from a station behind a member that is no bridge of the network."
            case .notForUs: "It is for another station, or for a group that this node is not in."
            case .credentialsTooOften: "A member shows its credentials more often than this node looks at them."
            case .signatureLimit: "More signatures came than this node checks."
            case .credentialInvalid: "A credential is damaged, too old or not signed by the controller."
            case .notAuthorised: "Its sender may not say this on the network."
            case .likeLimitPerPeer: "A member is in more multicast groups than this node remembers of one."
            case .likeLimitTotal: "There is no room for another member of a multicast group."
            case .notFromController: "Only the network's controller may say this."
            case .badSignature: "A configuration is not signed by the network's controller."
            case .badConfiguration: "A configuration of the network is damaged."
            case .duplicateChunk: "A piece of a configuration that came before."
            case .outdatedConfiguration: "A configuration older than the one in force."
            case .passedOnTooOften: "More news of the network came than this node passes on to other members."
            case .unaskedAnswer: "It answers a question about a group that was not asked."
            case .unexpectedVerb: "It means nothing here."
            default: rawValue
            }
        }
    }
}
