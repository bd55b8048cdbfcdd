//  Why frames and packets of the Ethernet layer are dropped. Each case has a public twin in Sources/ZeroTier/API,
//  `DropReason+Ethernet`, which explains it.

/// Every way in which a frame or a packet of this layer dies. Counted per case.
package enum EthernetDrop: Int, Hashable, Sendable, CaseIterable {
    // Outbound
    case noSuchNetwork
    case noConfiguration
    case frameTooLong
    case notABridge
    case ruleOutbound
    case redirected
    case multicastDisabled
    case broadcastDisabled
    case noBridge
    case packetQueueFull
    case localQueueFull
    // Inbound
    case malformed
    case networkNotJoined
    case membershipMissing
    case waitingQueueFull
    case waitingTimedOut
    case ruleInbound
    /// Its IP headers cannot be followed, or hide the upper layer. In both directions.
    case unreadableHeaders
    /// ARP or neighbour discovery that names another link-layer address than the frame's.
    case forgedLinkAddress
    /// It claims an address that is known to belong to another.
    case claimRefused
    case ownSource
    case bridgingNotAllowed
    case notForUs
    case credentialsTooOften
    /// Signed things beyond what is checked for one peer, or for all.
    case signatureLimit
    case credentialInvalid
    case notAuthorised
    case likeLimitPerPeer
    case likeLimitTotal
    case notFromController
    case badSignature
    case badConfiguration
    case duplicateChunk
    case outdatedConfiguration
    case passedOnTooOften
    case unaskedAnswer
    case unexpectedVerb
}
