//  What is true of a verb wherever it comes: one row for each. Read first: Docs/how-to-add.md.

/// What is known of a verb without looking at its packet.
package struct VerbTraits: Sendable {
    /// Who handles packets of a verb.
    package enum Layer: Sendable {
        /// The transport keeps them. What has no handler there, is authentic and does nothing.
        case transport
        /// They carry frames of a network.
        case frames
        /// Networks tell each other by them what is not a frame.
        case networks
    }

    package let layer: Layer
    /// Whether an OK may quote a packet of this verb.
    package let mayBeAnswered: Bool
    /// Whether it says that the peers take part in a network together.
    package let isActivity: Bool
    /// Whether it is taken in suite 0, authenticated and not encrypted.
    package let mayBeClear: Bool
    /// Whether one packet may leave from all sockets of a node, with one ID: then it comes several times and is no replay.
    package let leavesFromAllSockets: Bool
    /// Whether such packets go to nodes that others named, or because of what others sent: to a subscriber that a root or a member
    /// told of, to one that asked for something.
    package let isCausedByOthers: Bool

    @inlinable
    package init(
        _ layer: Layer, mayBeAnswered: Bool = false, isActivity: Bool = false, mayBeClear: Bool = false,
        leavesFromAllSockets: Bool = false, isCausedByOthers: Bool = false
    ) {
        self.layer = layer
        self.mayBeAnswered = mayBeAnswered
        self.isActivity = isActivity
        self.mayBeClear = mayBeClear
        self.leavesFromAllSockets = leavesFromAllSockets
        self.isCausedByOthers = isCausedByOthers
    }
}

extension Verb {
    /// The table. Inlined where it is asked, so that a question about one trait costs a comparison or a look into a constant.
    @inlinable
    package var traits: VerbTraits {
        switch self {
        case .nop: VerbTraits(.transport)
        case .hello: VerbTraits(.transport, mayBeAnswered: true, mayBeClear: true, leavesFromAllSockets: true)
        case .error: VerbTraits(.transport, isCausedByOthers: true)
        case .ok: VerbTraits(.transport, isCausedByOthers: true)
        case .whois: VerbTraits(.transport, mayBeAnswered: true)
        case .rendezvous: VerbTraits(.transport)
        case .frame: VerbTraits(.frames, isActivity: true)
        case .extendedFrame: VerbTraits(.frames, mayBeAnswered: true, isActivity: true)
        case .echo: VerbTraits(.transport, mayBeAnswered: true, leavesFromAllSockets: true)
        case .multicastLike: VerbTraits(.networks)
        case .networkCredentials: VerbTraits(.networks, isCausedByOthers: true)
        case .networkConfigRequest: VerbTraits(.networks, mayBeAnswered: true, isActivity: true)
        case .networkConfig: VerbTraits(.networks, mayBeAnswered: true, isActivity: true, isCausedByOthers: true)
        case .multicastGather: VerbTraits(.networks, mayBeAnswered: true)
        case .multicastFrame: VerbTraits(.frames, mayBeAnswered: true, isActivity: true, isCausedByOthers: true)
        case .pushDirectPaths: VerbTraits(.transport)
        case .acknowledgement: VerbTraits(.transport, mayBeClear: true)
        case .qualityMeasurement: VerbTraits(.transport, mayBeClear: true)
        case .userMessage: VerbTraits(.transport)
        case .remoteTrace: VerbTraits(.transport)
        case .pathNegotiationRequest: VerbTraits(.transport, mayBeClear: true)
        }
    }

    /// Whether an OK that quotes `quoted` may answer a packet of this verb.
    package func mayBeAnswered(quoting quoted: Verb) -> Bool {
        // The original answers NETWORK_CONFIG with the number of ECHO.
        quoted == self || self == .networkConfig && quoted == .echo
    }
}
