//  Who becomes a peer, and who is one no more.
//
//      a world's root, a record of ours, an identity found valid before --> addPeer --> what waited for it: release
//      anybody else's HELLO, anybody's answer to WHOIS --> validation --complete--^
//      a peer --silence, or a newcomer takes its place--> forget
//             --a world says that its address is another's--> discard

package import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

extension PeerEngine {
    // MARK: New ones

    /// Makes a peer of an identity, and lets go what waited for it. Nil when no key can be agreed, or there is no room.
    /// `key`: what was agreed with it already; `path`: where its HELLO came from.
    mutating func addPeer(
        _ foreign: Identity, role: PeerRole, key agreed: SharedKey? = nil, from path: PhysicalPath? = nil, _ now: Now
    ) -> PeerID? {
        guard foreign.address != identity.address, !foreign.address.isReserved,
            let key = agreed ?? identity.secretKeys?.agree(with: foreign.publicKeys)
        else { return nil }
        if role == .leaf, !topology.hasRoom {
            let victim = topology.candidateForEviction(for: path?.remote.address, using: &shared.random, now.monotonic)
            guard let victim else { return nil }
            forget(victim)
        }
        let id = topology.insert(
            Peer(identity: foreign, cipher: PacketCipher(key), role: role, now: now.monotonic))
        shared.wake(id, at: role == .leaf ? now.monotonic + shared.configuration.activityTimeout : now.monotonic)
        shared.emit(.identityLearned(foreign.address))
        release(id, now)
        recall(id, now)
        return id
    }

    /// What waited for the identity goes on: packets in and out, and an introduction.
    private mutating func release(_ id: PeerID, _ now: Now) {
        guard let released = lookup.release(topology.peers[id].address, now.monotonic) else { return }
        for packet in released.inbound where !ready.tryAppend(.raw(packet.bytes, packet.path)) {
            shared.drops.count(.noRoomToWait)
        }
        for packet in released.outbound { shared.enqueue(.packet(packet)) }
        if let rendezvous = released.rendezvous {
            punch(
                to: rendezvous.endpoint, localSocket: rendezvous.localSocket, for: id, toldBy: rendezvous.teller,
                now: now)
        }
    }

    // MARK: Strangers

    /// Gives out what may be validated now, and comes back when the budget allows more.
    mutating func serviceValidation(_ now: Now) {
        validation.start(now.monotonic)
        if let next = validation.nextDeadline(now.monotonic) {
            shared.timers.schedule(.validation, at: next)
        } else {
            shared.timers.cancel(.validation)
        }
    }

    /// The result of a job: the identity is a peer's from now on, or false.
    package mutating func complete(_ ticket: JobTicket, isValid: Bool, now: Now) {
        guard let outcome = validation.complete(ticket, isValid: isValid) else { return }
        defer { serviceValidation(now) }
        let address = outcome.identity.address
        guard isValid else {
            shared.drops.count(.invalidIdentity)
            forgetRecord(of: outcome.identity)
            if let root = outcome.toldBy {
                lookup.refuse(address, by: root, now.monotonic)
                serviceLookup(now)
            }
            return
        }
        if let hello = outcome.hello { acceptValidated(hello, key: outcome.key, now) }
        if outcome.toldBy != nil, topology.lookUp(address) == nil {
            if addPeer(outcome.identity, role: .leaf, key: outcome.key, now) == nil {
                shared.drops.count(.peerTableFull)
                lookup.refuse(address, by: nil, now.monotonic)
                serviceLookup(now)
            }
        }
        if let later = outcome.later {
            shared.answers.retract(later.bytes.count, from: later.path.remote, now.monotonic)
            if !ready.tryAppend(.raw(later.bytes, later.path)) { shared.drops.count(.noRoomToWait) }
        }
    }

    // MARK: Gone ones

    /// Gives up a peer that is silent, or has to give way, and tells what is worth keeping of it.
    mutating func forget(_ id: PeerID) {
        shared.emit(.peerExpired(topology.peers[id].address, record: topology.peers[id].recordToKeep))
        discard(id)
    }

    /// Takes a peer away without a word: its place is somebody else's.
    mutating func discard(_ id: PeerID) {
        topology.remove(id)
        shared.timers.cancel(.peer(id))
    }
}
