//  NETWORK_CONFIG, OK(NETWORK_CONFIG_REQUEST), and the errors that answer requests.

package import NetPrimitives
package import ZeroTierWire

extension EthernetEngine {
    mutating func receiveConfigChunk(
        _ payload: [UInt8], from source: Address, packetID: PacketID, isReply: Bool, _ now: Now
    ) -> Reception {
        guard let chunk = try? NetworkConfigChunk(decoding: payload) else { return .drop(.malformed) }
        guard let slot = slots[chunk.network] else { return .drop(.networkNotJoined) }
        guard !chunk.network.isAdHoc else { return .drop(.notFromController) }
        let bytes: [UInt8]
        let updateID: UInt64
        var pieces: [ConfigAssembly.Piece] = []
        if let placement = chunk.placement {
            updateID = placement.updateID
            guard !networks[slot].assembly.isDuplicate(placement) else { return .drop(.duplicateChunk) }
            let isMember = source == chunk.network.controller || networks[slot].isMember(source)
            var isOverBudget = false
            let verdict = chunk.verdict { signer in
                guard let identity = shared.identity(of: signer) else { return nil }
                isOverBudget = !shared.signatures.allow(source, isMember: isMember, now.monotonic)
                return isOverBudget ? nil : identity
            }
            guard !isOverBudget else { return .drop(.signatureLimit) }
            switch verdict {
            case .invalid: return .drop(.badSignature)
            case .needsIdentity(let signer):
                shared.want(signer)
                park(
                    isReply ? .networkConfigRequest : .networkConfig, payload, from: source, packetID: packetID,
                    network: chunk.network, reason: .identity(signer), isReply: isReply, now)
                return .parked
            case .valid: break
            }
            let piece =
                networks[slot].passesOn(placement, from: source)
                ? ConfigAssembly.piece(placement, payload, from: source) : nil
            switch networks[slot].assembly.add(chunk.data, placement, passing: piece) {
            case .incomplete: return .done(trusted: false)
            case .refused: return .drop(.badConfiguration)
            case .whole(let whole, let parts):
                bytes = whole
                pieces = parts
            }
        } else {
            guard source == chunk.network.controller else { return .drop(.notFromController) }
            bytes = chunk.data
            updateID = packetID.value
        }
        guard let config = try? NetworkConfig(decoding: bytes) else { return .drop(.badConfiguration) }
        networks[slot].passOn(pieces, of: config, &shared, now)
        // Anybody who recorded a push can send it again. An answer to our request is taken as it comes: a controller's clock
        // may go back.
        if !isReply, networks[slot].isOutdated(config, from: source) { return .drop(.outdatedConfiguration) }
        guard
            networks[slot].apply(config, origin: .controller, &shared, now)
        else { return .drop(.badConfiguration) }
        scheduleProofs(slot, now)
        if !isReply { acknowledge(chunk.network, updateID, packetID, to: source) }
        retryWaiting(of: nil, network: chunk.network, now)
        return .done(trusted: false)
    }

    // The quoted verb is ECHO in every release; controllers ignore the reply.
    private mutating func acknowledge(
        _ network: NetworkID, _ updateID: UInt64, _ packetID: PacketID, to source: Address
    ) {
        var body = ByteWriter(capacity: 16)
        body.networkID(network)
        body.uint64(updateID)
        shared.sendReply(.echo, packetID, body.bytes, to: source)
    }

    /// A node without a controller says so.
    mutating func refuseConfigRequest(
        _ payload: [UInt8], from source: Address, packetID: PacketID
    ) -> Reception {
        guard let request = try? NetworkConfigRequest(decoding: payload) else { return .drop(.malformed) }
        shared.sendError(.networkConfigRequest, packetID, .unsupportedOperation(request.network), to: source)
        return .done(trusted: false)
    }

    /// Takes an ERROR about something of this layer. Errors that only the controller may give are believed only from
    /// it. `askedAt`: when what it answers was sent; nil if that is not known.
    package mutating func receiveError(
        _ error: ErrorReply, from source: Address, askedAt: MonotonicInstant? = nil, now: Now
    ) -> Reception {
        guard let id = error.reason.network, let slot = slots[id] else { return .drop(.networkNotJoined) }
        let isFromController = source == id.controller && !id.isAdHoc
        let isAboutConfig = error.header.inReplyTo == .networkConfigRequest
        switch error.reason {
        case .objectNotFound, .unsupportedOperation:
            guard isFromController, isAboutConfig else { return refuse(.notFromController) }
            take(.notFound, of: slot, askedAt, now)
        case .networkAccessDenied:
            guard isFromController else { return refuse(.notFromController) }
            take(.accessDenied, of: slot, askedAt, now)
        case .networkAuthenticationRequired(_, let info):
            guard isFromController else { return refuse(.notFromController) }
            let details = SingleSignOn(failureInfo: WireDictionary(decoding: info))
            take(.authenticationRequired, of: slot, info: details, askedAt, now)
        case .needMembershipCertificate:
            networks[slot].pushOnRequest(to: source, &shared, now)
        case .unwantedMulticast(_, let mac, let distinguisher):
            guard networks[slot].gate(source, &shared, now) else { return refuse(.membershipMissing) }
            shared.groups.remove(source, from: MulticastGroup(mac: mac, distinguisher: distinguisher), of: id)
        default: return refuse(.unexpectedVerb)
        }
        return .done(trusted: false)
    }

    // The controller refuses. What it answers may have been sent before the configuration came: then the controller changed its
    // mind, or somebody kept an old refusal back. It is asked what is true now.
    private mutating func take(
        _ refusal: NetworkStatus, of slot: SlotID, info: SingleSignOn? = nil, _ askedAt: MonotonicInstant?, _ now: Now
    ) {
        if let askedAt, networks[slot].wasConfigured(since: askedAt) {
            networks[slot].mustAsk = true
            return runNetwork(slot, now)
        }
        networks[slot].fail(refusal, info: info, &shared)
        // Who is refused asks again soon, not when its configuration has aged.
        deadlines.schedule(.network(slot), at: now.monotonic + EthernetLimits.loopInterval)
    }

    private mutating func refuse(_ reason: EthernetDrop) -> Reception {
        shared.count(reason)
        return .drop(reason)
    }

    // MARK: Networks whose controller is this node

    /// Gives the answer of the local controller to `localConfigurationRequest`, or a push of it.
    package mutating func receiveLocalConfiguration(_ config: NetworkConfig, now: Now) {
        guard let slot = slots[config.network], config.network.controller == shared.address else { return }
        guard networks[slot].apply(config, origin: .controller, &shared, now) else {
            shared.count(.badConfiguration)
            return
        }
        scheduleProofs(slot, now)
        retryWaiting(of: nil, network: config.network, now)
    }

    /// Gives the refusal of the local controller: `.notFound` or `.accessDenied`.
    package mutating func receiveLocalFailure(_ id: NetworkID, _ status: NetworkStatus) {
        guard let slot = slots[id], id.controller == shared.address else { return }
        networks[slot].fail(status, &shared)
    }

    /// Takes credentials that the local controller shows to all members.
    package mutating func receiveLocalCredentials(_ payload: [UInt8], now: Now) {
        // Not from outside: no gate keeps them back.
        _ = receiveNetworkCredentials(payload, from: shared.address, packetID: PacketID(0), isRetry: true, now)
    }

    /// Notes that the local controller sent a member its configuration: its groups are kept, and its gathers answered.
    package mutating func authorise(_ member: Address, on network: NetworkID, now: Now) {
        shared.authorise(member, network, now)
    }
}

extension VirtualNetwork {
    /// Whether the controller wants a piece passed on, and it came from the controller or a member: not from just anybody.
    func passesOn(_ placement: NetworkConfigChunk.Placement, from source: Address) -> Bool {
        placement.flags & NetworkConfigChunk.fastPropagateFlag != 0
            && (source == id.controller || isMember(source))
    }

    /// Whether a peer showed that it is in the network.
    func isMember(_ peer: Address) -> Bool { members[peer] != nil && isAllowed(peer) }

    /// Passes the pieces of an update on to all members known, if it is newer than what is in force: only the whole shows
    /// that. Each piece goes once, and not many updates in a short time.
    mutating func passOn(
        _ pieces: [ConfigAssembly.Piece], of update: NetworkConfig, _ shared: inout EthernetShared, _ now: Now
    ) {
        guard !pieces.isEmpty, let config, update.network == id, update.timestamp > config.timestamp else { return }
        guard passedPieces.allow(now.monotonic) else { return shared.count(.passedOnTooOften) }
        let peers = members.keys.sorted()
        for piece in pieces where passedPieces.note(piece.signature, now.monotonic) {
            for peer in peers where peer != piece.source && peer != id.controller {
                shared.send(.networkConfig, piece.payload, to: peer)
            }
        }
    }

    /// A peer refused our packet and wants to see our credentials.
    mutating func pushOnRequest(to peer: Address, _ shared: inout EthernetShared, _ now: Now) {
        guard config?.membership != nil else { return }
        let isOfThisConfig = members[peer]?.pushedConfiguration == configSequence
        if isOfThisConfig, let last = members[peer]?.lastPush,
            now.monotonic - last <= ProtocolLimits.credentialsInterval
        {
            return
        }
        pushCredentials(to: peer, &shared, now)
    }
}
