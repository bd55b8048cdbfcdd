// The reasons of the network controller. Names as in `ZeroTierController`; a test holds the lists equal.

extension DropReason {
    /// Reasons of the controller of this node's own networks.
    @nonexhaustive
    public enum Controller: String, Hashable, Sendable, CaseIterable {
        case requestMalformed, foreignNetwork, requestTooOften, identityChanged, strangerGaveWay, membersFull
        case storeBusy, signingBusy, storeFailed, networkLeaving, revocationsFull
        case returnersFull, effectsFull

        var explanation: String {
            switch self {
            case .requestMalformed: "A request for a configuration cannot be read."
            case .foreignNetwork: "A request for a network of another controller."
            case .requestTooOften: "A member asked twice within a second."
            case .identityChanged: "A node with another identity came under a member's address."
            case .strangerGaveWay: "More nodes wait to be let in than are remembered: one gave way."
            case .membersFull: "The network has as many members as it may."
            case .storeBusy: "Too many requests wait for the disk."
            case .signingBusy: "Too many configurations wait to be signed or sent."
            case .storeFailed: "The disk refused: the member has to ask again."
            case .networkLeaving: "The network was being deleted."
            case .revocationsFull: "Too many were let out at once: others learn it as their proofs age."
            case .returnersFull: "Too many came back at once: one does not hear here who was let out."
            case .effectsFull: "More packets and events came at once than have room."
            }
        }
    }
}
