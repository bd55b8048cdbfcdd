//  Why the controller drops requests. Each case has a public twin in Sources/ZeroTier/API, `DropReason+Controller`, which
//  explains it.

/// Why the controller did not answer.
package enum ControllerDrop: Int, Hashable, Sendable, CaseIterable {
    /// A request that cannot be read.
    case requestMalformed
    /// A request for a network of another controller.
    case foreignNetwork
    /// A request within a second of the last one.
    case requestTooOften
    /// Its sender has another identity than the member.
    case identityChanged
    /// A node that waits to be let in gave way to a later one.
    case strangerGaveWay
    /// A public network has as many members as it may.
    case membersFull
    /// Too much waits for the store.
    case storeBusy
    /// Too many configurations wait to be signed or sent.
    case signingBusy
    /// The store refused: the member asks again.
    case storeFailed
    /// A network that is being deleted.
    case networkLeaving
    /// A revocation for which there was no room: what its member has, ages out.
    case revocationsFull
    /// A member that came back and for which there was no room: it hears of revocations from others, or not at all.
    case returnersFull
    /// More packets and events than the owner took.
    case effectsFull
}
