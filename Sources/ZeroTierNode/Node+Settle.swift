//  What the machines tell each other between packets: one place, one exhaustive switch per machine.

import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierPeers
import ZeroTierWire

extension Node {
    /// Hands on what the machines have for each other until all are quiet. True if the stack was given a frame: it may have
    /// something to send.
    @discardableResult
    mutating func settle(now: Now) -> Bool {
        var hasDelivered = false
        for _ in 0..<NodeLimits.settleRounds {
            var isQuiet = true
            while let event = peers.nextEvent() {
                isQuiet = false
                handle(event, now)
            }
            while let event = ethernet.nextEvent() {
                isQuiet = false
                handle(event, now)
            }
            while let change = stack.nextGroupChange() {
                isQuiet = false
                handle(change, now)
            }
            while let frame = ethernet.nextLocalFrame() {
                isQuiet = false
                hasDelivered = true
                deliver(frame, now)
            }
            while let packet = ethernet.nextPacket() {
                isQuiet = false
                peers.send(
                    packet.verb, packet.payload, to: packet.destination, compress: packet.compress, now: now)
            }
            if controller != nil, settleController(now) { isQuiet = false }
            if isQuiet { break }
        }
        return hasDelivered
    }

    private mutating func deliver(_ frame: LocalFrame, _ now: Now) {
        guard let entry = interfaces.of(network: frame.network) else { return }
        frame.payload.withBytes { bytes in
            stack.receive(
                bytes, etherType: frame.etherType, source: frame.source, destination: frame.destination,
                on: entry.interface, now: now)
        }
        judgeReassembled(frame.network, to: frame.destination, now)
        stack.endBatch(now: now)
    }

    private mutating func handle(_ event: PeerEvent, _ now: Now) {
        switch event {
        case .online:
            // Announcements and requests that were sent before had nobody to carry them.
            ethernet.resume(now: now)
            wakeConnections(nil, now)
            emit(.online)
        case .offline: emit(.offline)
        case .identityCollision: emit(.identityCollision)
        case .identityLearned(let address):
            if let identity = peers.identity(of: address) { ethernet.learn(identity, now: now) }
        case .peerDirect(let address, let path):
            // By a root everybody can be reached.
            if peers.isRoot(address) { updateUpstreams(now) }
            wakeConnections(peers.isRoot(address) ? nil : address, now)
            noteReplicator(address, now)
            emit(.peerDirect(address, path.remote))
        case .peerRelayed(let address):
            leaveOwnPath(address, now)
            emit(.peerRelayed(address))
        case .peerUnreachable(let address):
            leaveOwnPath(address, now)
            emit(.peerUnreachable(address))
        case .path(let address, let endpoint, let change): emit(.path(address, endpoint, change))
        case .peerExpired(let address, let record):
            ethernet.forget(address)
            noteReplicator(address, now)
            if let record { storePeer(address, record) }
            emit(.peerExpired(address))
        case .falseRecord(let address): emit(.falseRecord(.peer(address)))
        case .planetUpdated(let bytes):
            updateUpstreams(now)
            emit(.store(.planet, bytes))
        case .moonUpdated(let id, let bytes):
            updateUpstreams(now)
            emit(.store(.moon(id), bytes))
        case .okReceived(let reply): receive(reply, now)
        case .errorReceived(let reply): receive(error: reply, now)
        case .userMessage(let source, let type, let data):
            emit(.userMessage(from: source, type: type, data: data))
        }
    }

    /// The way to a node changed, or it may be new that it is a replicator: it gets multicasts only by a path of its own.
    private mutating func noteReplicator(_ address: Address, _ now: Now) {
        guard ethernet.isReplicator(address) else { return }
        let snapshot = peers.snapshot(of: address, now: now)
        let latency = snapshot?.isDirect == true ? snapshot?.latency ?? NodeLimits.unknownLatency : nil
        ethernet.noteReachability(of: address, latency: latency)
    }

    /// A peer's own path died, so that packets take another one from now on.
    private mutating func leaveOwnPath(_ address: Address, _ now: Now) {
        noteReplicator(address, now)
        if peers.isRoot(address) { updateUpstreams(now) } else { wakeConnections(address, now) }
    }

    /// The way to a peer (nil: to all) has just opened: what waits for an answer from there asks again at once.
    private mutating func wakeConnections(_ peer: Address?, _ now: Now) {
        for configured in interfaces.all {
            let entry = configured.entry
            stack.linkBecameUsable(
                entry.interface, station: peer.map { entry.networkID.mac(of: $0) }, now: now)
        }
    }

    private mutating func storePeer(_ address: Address, _ record: [UInt8]) {
        emit(.store(.peer(address), record))
        noteStored(address)
    }

    /// A peer has a record in the state; beyond what is kept, the one stored first goes.
    mutating func noteStored(_ address: Address) {
        guard storedAddresses.insert(address).inserted, let oldest = storedPeers.append(address) else { return }
        storedAddresses.remove(oldest)
        emit(.delete(.peer(oldest)))
    }

    private mutating func receive(_ reply: ReplyReceived, _ now: Now) {
        let reception = ethernet.receiveReply(
            to: reply.inReVerb, reply.payload, from: reply.source, packetID: reply.inRePacketID, now: now)
        if reception.isTrusted { peers.noteTrust(reply, now: now) }
    }

    private mutating func receive(error reply: ReplyReceived, _ now: Now) {
        guard let error = reply.error else { return }
        let reception = ethernet.receiveError(error, from: reply.source, askedAt: reply.askedAt, now: now)
        if reception.isTrusted { peers.noteTrust(reply, now: now) }
    }

    private mutating func handle(_ event: EthernetEvent, _ now: Now) {
        switch event {
        case .statusChanged(_, let id, let status): emit(.networkStatus(id, status))
        case .configurationChanged(let network, let id):
            applyConfiguration(of: network, now: now)
            for address in ethernet.replicators(of: network) { noteReplicator(address, now) }
            emit(.networkChanged(id))
        case .storeConfiguration(let id, let bytes): emit(.store(.network(id), bytes))
        case .deleteConfiguration(let id): emit(.delete(.network(id)))
        case .wantsIdentity(let address):
            if let identity = peers.identity(of: address) {
                ethernet.learn(identity, now: now)
            } else {
                // All but controllers are named by others: who signed a credential, who subscribes to a group.
                let isNamed = !ethernet.isController(address)
                _ = peers.requestIdentity(address, isNamed: isNamed, now: now)
            }
        case .localConfigurationRequest(_, let id, let metadata): receiveLocalRequest(id, metadata, now)
        }
    }

    /// The stack's groups are the Ethernet layer's subscriptions. A network that has been left has none.
    private mutating func handle(_ change: GroupChange, _ now: Now) {
        guard let entry = interfaces.of(interface: change.interface) else { return }
        let group = ZeroTierWire.MulticastGroup(mac: change.group.mac, distinguisher: change.group.distinguisher)
        if change.isJoined {
            _ = ethernet.subscribe(network: entry.network, to: [group], now: now)
        } else {
            ethernet.unsubscribe(network: entry.network, from: [group])
        }
    }
}
