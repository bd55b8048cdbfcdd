//  NETWORK_CREDENTIALS: proofs of others, and revocations that they pass on.

import NetPrimitives
import ZeroTierWire

extension EthernetEngine {
    private struct Tally {
        var isAccepted = false
        var isRejected = false
        var isOverBudget = false
        var missing: [Address] = []
        /// Members whose entries changed.
        var changed: Set<Address> = []

        mutating func note(_ outcome: CredentialOutcome, of member: Address) {
            switch outcome {
            case .added:
                isAccepted = true
                changed.insert(member)
            case .redundant: isAccepted = true
            case .rejected: isRejected = true
            case .needsIdentity(let signer): missing.append(signer)
            case .overBudget: isOverBudget = true
            }
        }
    }

    mutating func receiveNetworkCredentials(
        _ payload: [UInt8], from source: Address, packetID: PacketID, isRetry: Bool, _ now: Now
    ) -> Reception {
        if !isRetry {
            // A controller that lets one member out after the other has more to say than one packet a second.
            let interval =
                isController(source)
                ? EthernetLimits.controllerCredentialsInterval : ProtocolLimits.credentialsInterval
            guard shared.pass(.credentials(source), interval, now) else {
                return .drop(.credentialsTooOften)
            }
        }
        guard let credentials = try? NetworkCredentials(decoding: payload) else { return .drop(.malformed) }
        var tally = Tally()
        let signatures = shared.signatures.count
        for item in credentials.memberships {
            guard let slot = slots[item.network] else { continue }
            tally.note(networks[slot].add(item, from: source, &shared, now), of: item.issuedTo)
        }
        for item in credentials.capabilities {
            guard let slot = slots[item.network] else { continue }
            tally.note(networks[slot].add(item, from: source, &shared, now), of: item.issuedTo)
        }
        for item in credentials.tags {
            guard let slot = slots[item.network] else { continue }
            tally.note(networks[slot].add(item, from: source, &shared, now), of: item.issuedTo)
        }
        for item in credentials.revocations {
            guard let slot = slots[item.network] else { continue }
            tally.note(networks[slot].add(item, from: source, &shared, now), of: item.target)
        }
        for item in credentials.ownerships {
            guard let slot = slots[item.network] else { continue }
            tally.note(networks[slot].add(item, from: source, &shared, now), of: item.issuedTo)
        }
        // What brought nothing and cost nothing leaves the gate open: who replays an old packet each second would keep out what
        // its sender has to say now, and be it that somebody is no member any more.
        if tally.changed.isEmpty, tally.missing.isEmpty, !tally.isOverBudget, shared.signatures.count == signatures {
            shared.reopen(.credentials(source))
        }
        if let signer = tally.missing.first {
            for address in tally.missing { shared.want(address) }
            park(
                .networkCredentials, payload, from: source, packetID: packetID, network: nil,
                reason: .identity(signer), now)
        }
        if tally.isRejected { shared.count(.credentialInvalid) }
        if !tally.changed.isEmpty {
            retryWaiting(of: tally.changed, now)
            for slot in networks.ids {
                for member in tally.changed.sorted() { networks[slot].flushPending(toMember: member, &shared, now) }
            }
        }
        // Our own membership was revoked: the controller says what we are now.
        if tally.changed.contains(shared.address) {
            for slot in networks.ids where networks[slot].mustAsk { runNetwork(slot, now) }
        }
        if tally.isAccepted { return .done(trusted: true) }
        return tally.missing.isEmpty ? .done(trusted: false) : .parked
    }
}

extension VirtualNetwork {
    // An entry is made only for a member that the controller vouched for.
    private mutating func update(
        _ peer: Address, from source: Address, _ shared: inout EthernetShared, _ now: Now,
        _ change: (inout Member, (Address) -> Identity?) -> CredentialOutcome
    ) -> CredentialOutcome {
        var member = members[peer] ?? Member()
        // A signature is checked where its signer is known, and nowhere else.
        let isMember = source == id.controller || isMember(source)
        var isOverBudget = false
        let outcome = change(&member) { signer in
            guard let identity = shared.identity(of: signer) else { return nil }
            isOverBudget = !shared.signatures.allow(source, isMember: isMember, now.monotonic)
            return isOverBudget ? nil : identity
        }
        guard !isOverBudget else {
            shared.count(.signatureLimit)
            return .overBudget
        }
        guard outcome == .added else { return outcome }
        if members[peer] == nil { touch(peer, &shared, now) }
        if member.fingerprintWords == nil {
            if let identity = shared.identity(of: peer) {
                member.fingerprintWords = Membership.fingerprintWords(identity.fingerprint)
            } else {
                // The gate will compare it with the membership.
                shared.want(peer)
            }
        }
        members[peer] = member
        shared.invalidateFlows()
        return outcome
    }

    mutating func add(
        _ new: Membership, from source: Address, _ shared: inout EthernetShared, _ now: Now
    ) -> CredentialOutcome {
        guard new.network == id else { return .rejected }
        return update(new.issuedTo, from: source, &shared, now) { $0.add(new, $1) }
    }

    /// A membership shown inside another packet, which no current release does: each costs a signature check, so one a second.
    mutating func addEmbedded(
        _ new: Membership, from source: Address, _ shared: inout EthernetShared, _ now: Now
    ) {
        guard shared.pass(.embeddedMembership(source), ProtocolLimits.credentialsInterval, now) else {
            return shared.count(.credentialsTooOften)
        }
        _ = add(new, from: source, &shared, now)
    }

    mutating func add(
        _ new: Capability, from source: Address, _ shared: inout EthernetShared, _ now: Now
    ) -> CredentialOutcome {
        update(new.issuedTo, from: source, &shared, now) { $0.add(new, $1) }
    }

    mutating func add(
        _ new: Tag, from source: Address, _ shared: inout EthernetShared, _ now: Now
    ) -> CredentialOutcome {
        update(new.issuedTo, from: source, &shared, now) { $0.add(new, $1) }
    }

    mutating func add(
        _ new: Ownership, from source: Address, _ shared: inout EthernetShared, _ now: Now
    ) -> CredentialOutcome {
        update(new.issuedTo, from: source, &shared, now) { $0.add(new, $1) }
    }

    mutating func add(
        _ new: Revocation, from source: Address, _ shared: inout EthernetShared, _ now: Now
    ) -> CredentialOutcome {
        let outcome = update(new.target, from: source, &shared, now) { member, identity in
            if member.knows(new) { return .redundant }
            return switch new.verdict(identity) {
            case .valid: member.revoke(new)
            case .invalid: .rejected
            case .needsIdentity(let signer): .needsIdentity(signer)
            }
        }
        if outcome == .added, new.target == address, new.credentialType == CredentialType.membership.rawValue {
            mustAsk = true
        }
        guard outcome == .added, new.isFastPropagated, source == id.controller || isAllowed(source) else {
            return outcome
        }
        // If the revocation were forgotten with its target, it would be news again each time that somebody sends it.
        guard passedPieces.note(ConfigAssembly.chunkID(new.signature), now.monotonic) else { return outcome }
        var credentials = NetworkCredentials()
        credentials.revocations = [new]
        let payload = credentials.encoded
        for peer in members.keys.sorted() where peer != source && peer != new.signer {
            shared.send(.networkCredentials, payload, to: peer)
        }
        return outcome
    }
}
