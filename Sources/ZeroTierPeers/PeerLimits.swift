//  Bounds on memory and work that remote nodes can cause. Defaults are in ProtocolLimits; tests make them small.

import ZeroTierWire

/// The bounds of one `PeerEngine`.
package struct PeerLimits: Sendable {
    /// Peers that are not roots.
    package var peers = ProtocolLimits.peers
    /// Key agreements for HELLOs of unknown nodes: a bucket per source prefix, and one for all.
    package var agreementBurstPerPrefix = ProtocolLimits.agreementBurstPerPrefix
    package var agreementIntervalPerPrefix = ProtocolLimits.agreementIntervalPerPrefix
    package var agreementBurst = ProtocolLimits.agreementBurst
    package var agreementInterval = ProtocolLimits.agreementInterval
    /// Validations of foreign identities (17 ms each): a bucket per source prefix, and one for all.
    package var validationBurstPerPrefix = ProtocolLimits.validationBurstPerPrefix
    package var validationIntervalPerPrefix = ProtocolLimits.validationIntervalPerPrefix
    package var validationBurst = ProtocolLimits.validationBurst
    package var validationInterval = ProtocolLimits.validationInterval
    /// Identities that may wait for their validation at one time.
    package var pendingValidations = ProtocolLimits.pendingValidations
    /// Bytes per second, and at once, that are relayed for one source path.
    package var relayedBytesPerSecond = ProtocolLimits.relayedBytesPerSecond
    package var relayedBytesBurst = ProtocolLimits.relayedBytesBurst
    /// Source paths whose relay budget is remembered.
    package var relaySources = ProtocolLimits.relaySources
    /// Pairs of peers whose last introduction is remembered.
    package var introducedPairs = ProtocolLimits.introducedPairs
    /// Packets being joined, in all and from one source, and their bytes.
    package var incompletePackets = ProtocolLimits.incompletePackets
    package var incompletePacketsPerSource = ProtocolLimits.incompletePacketsPerSource
    package var incompleteBytes = ProtocolLimits.incompleteBytes
    /// Addresses being looked up, and the packets in both directions that wait for them.
    package var lookups = ProtocolLimits.lookups
    /// Of these, the ones that peers asked us for: in all, and for one peer.
    package var lookupsForOthers = ProtocolLimits.lookupsForOthers
    package var lookupsPerAsker = ProtocolLimits.lookupsPerAsker
    package var waitingInbound = ProtocolLimits.waitingInbound
    package var waitingOutbound = ProtocolLimits.waitingOutbound
    /// Introductions that are kept until the identity is known.
    package var earlyRendezvous = ProtocolLimits.earlyRendezvous
    /// Pushes of addresses by one peer that are followed in 30 s.
    package var pathPushes = ProtocolLimits.directPathsLimit
    /// Requests whose reply is awaited.
    package var expectedReplies = ProtocolLimits.expectedReplies
    /// Control packets that wait for room in a batch.
    package var controlPackets = ProtocolLimits.controlPackets
    /// Of those that others wish: answers, introductions, attempts. They never take the place of a control packet.
    package var wishes = ProtocolLimits.wishes
    /// Events that wait to be taken.
    package var events = ProtocolLimits.peerEvents

    package init() {}

    /// The most key agreements that HELLOs of one source prefix get in so long, after `starts` starts: its own, and what is set aside
    /// for all prefixes together.
    package func agreements(ofPrefixIn time: Duration, starts: Int = 1) -> Int {
        starts * (agreementBurstPerPrefix + agreementBurst / 2) + Int(time / agreementIntervalPerPrefix)
            + Int(time / (agreementInterval * ProtocolLimits.spareShare)) + 2
    }

    /// The most validations that HELLOs of one source prefix get in so long: its own, and those that nobody else needs.
    package func validations(ofPrefixIn time: Duration, starts: Int = 1) -> Int {
        starts * (validationBurstPerPrefix + validationBurst) + Int(time / validationIntervalPerPrefix)
            + Int(time / validationInterval) + 2
    }
}
