//  HELLO: the only packet that is taken from strangers, and the most expensive one.
//
//      known, same identity:   MAC -> answer
//      known, other identity:  gate, agreement, MAC -> ERROR(IDENTITY_COLLISION)
//      unknown:                gate, agreement, MAC, queue, validation (off the packet path) -> peer -> answer

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

extension PeerEngine {
    /// A HELLO in suite 0: its own MAC is all that vouches for it.
    mutating func receiveClearHello(
        _ packet: inout MutableRawSpan, length: Int, header: PacketHeader, path: PhysicalPath,
        replies: inout TransmitBatch, now: Now
    ) -> Opened {
        let known = topology.find(header.source)
        // In a flood this is where nearly all ends.
        if known == nil, !validation.mayLookAt(header.source, from: path.remote.address, now.monotonic) {
            return drop(.agreementLimit)
        }
        guard let (hello, section) = try? Hello.decodeClear(packet.bytes, length: length) else {
            return drop(.malformed)
        }
        guard hello.protocolVersion >= ProtocolLimits.minimumProtocolVersion else { return drop(.oldProtocol) }
        guard hello.identity.address == header.source else { return drop(.identityMismatch) }
        guard let id = known else {
            return receiveStrangersHello(
                &packet, length: length, header: header, hello: hello, section: section, path: path,
                replies: &replies, now: now)
        }
        guard topology.peers[id].identity == hello.identity else {
            return receiveCollision(&packet, length: length, header: header, hello: hello, path: path, now: now)
        }
        var number: UInt64 = 0
        guard topology.peers[id].open(&packet, length: length, number: &number) else {
            topology.peers[id].traffic.noteRefused()
            return drop(.badMAC)
        }
        var isCopy = false
        switch topology.peers[id].replays.judge(number, from: Verb.hello.copyEndpoint(path), now.monotonic) {
        case .fresh: break
        case .again: isCopy = true
        case .replayed: return drop(.replayed)
        case .outdated:
            _ = resumes(
                packet.bytes, length: length, verbByte: Verb.hello.rawValue, number: number, from: id, now)
            return drop(.replayed)
        }
        suites.count(.authenticatedOnly)
        counters.noteReceived(.hello)
        guard let whole = topology.peers[id].readHello(&packet, hello, section: section, length: length) else {
            return drop(.malformed)
        }
        var authentic = AuthenticHello(hello: whole, packetID: header.id, path: path, hops: header.hops)
        authentic.isCopy = isCopy
        authentic.number = number
        authentic.wireLength = length
        return accept(authentic, from: id, replies: &replies, now: now)
    }

    /// A HELLO in suite 1 or 3: it is authentic already.
    mutating func receiveSealedHello(
        _ packet: inout MutableRawSpan, _ opened: OpenedPacket, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        let length = opened.payloadOffset + opened.payloadLength
        guard let (hello, section) = try? Hello.decodeClear(packet.bytes, length: length) else {
            return drop(.malformed)
        }
        guard hello.protocolVersion >= ProtocolLimits.minimumProtocolVersion else { return drop(.oldProtocol) }
        guard hello.identity == topology.peers[opened.peer].identity else { return drop(.identityMismatch) }
        guard let whole = topology.peers[opened.peer].readHello(&packet, hello, section: section, length: length) else {
            return drop(.malformed)
        }
        var authentic = AuthenticHello(hello: whole, packetID: opened.packetID, path: opened.path, hops: opened.hops)
        authentic.isCopy = opened.isCopy
        authentic.wireLength = opened.wireLength
        return accept(authentic, from: opened.peer, replies: &replies, now: now)
    }

    private mutating func receiveStrangersHello(
        _ packet: inout MutableRawSpan, length: Int, header: PacketHeader, hello: Hello, section: Int?,
        path: PhysicalPath, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        let result = validation.result(for: hello.identity)
        if result == false { return drop(.invalidIdentity) }
        if let key = validation.pendingKey(of: hello.identity) {
            let waiting = WaitingPacket(bytes: packet.copyBytes(0, length), path: path, since: now.monotonic)
            // Only one holds: junk must not take its place.
            guard PacketArmor.open(&packet, length: length, cipher: PacketCipher(key)) else { return drop(.badMAC) }
            shared.answers.receive(length, from: path.remote, now.monotonic)
            if validation.wait(waiting, of: hello.identity) {
                challenge(hello.identity, key: key, path: path, limit: length, now)
            }
            return .handled
        }
        guard validation.allowsAgreement(path.remote.address, now.monotonic) else { return drop(.agreementLimit) }
        guard let key = identity.secretKeys?.agree(with: hello.identity.publicKeys) else {
            return drop(.invalidIdentity)
        }
        let cipher = PacketCipher(key)
        guard PacketArmor.open(&packet, length: length, cipher: cipher) else { return drop(.badMAC) }
        guard let whole = Peer.readHello(&packet, hello, section: section, length: length, cipher: cipher) else {
            return drop(.malformed)
        }
        suites.count(.authenticatedOnly)
        counters.noteReceived(.hello)
        var authentic = AuthenticHello(hello: whole, packetID: header.id, path: path, hops: header.hops)
        authentic.number = header.id.value
        shared.answers.receive(length, from: path.remote, now.monotonic)
        if result == true {
            guard let id = addPeer(hello.identity, role: .leaf, key: key, from: path, now) else {
                return drop(.peerTableFull)
            }
            remember(authentic, of: id, now)
            return accept(authentic, from: id, replies: &replies, now: now)
        }
        let admission = validation.admit(authentic, key: key, now.monotonic)
        for _ in 0..<validation.takeDisplaced() { shared.drops.count(.validationLimit) }
        switch admission {
        case .waits: serviceValidation(now)
        case .needsProof: challenge(hello.identity, key: key, path: path, limit: length, now)
        case .refused: return drop(.validationLimit)
        }
        return .handled
    }

    // MARK: Proof before work

    /// Asks the endpoint that a stranger's HELLO came from: a HELLO of ours, not longer than that one. Only who receives it there,
    /// and holds the key, can answer.
    private mutating func challenge(
        _ stranger: Identity, key: SharedKey, path: PhysicalPath, limit: Int, _ now: Now
    ) {
        var hello = Hello(
            protocolVersion: shared.configuration.announcedProtocolVersion,
            softwareVersion: shared.configuration.softwareVersion,
            timestampMilliseconds: UInt64(max(0, now.unixMilliseconds)), identity: identity, sentTo: path.remote,
            planet: WorldReference(
                id: shared.roots.planet?.id ?? 0, timestampMilliseconds: shared.roots.planet?.timestampMilliseconds ?? 0
            ),
            promises: shared.configuration.promises)
        // What others leave out we leave out towards them.
        if PacketHeader.payloadOffset + hello.encoded.count > limit { hello.promises = nil }
        if PacketHeader.payloadOffset + hello.encoded.count > limit { hello.planet = nil }
        if PacketHeader.payloadOffset + hello.encoded.count > limit { hello.sentTo = nil }
        let payload = hello.encoded
        let length = PacketHeader.payloadOffset + payload.count
        guard length <= limit, shared.answers.allow(length, to: path.remote, now.monotonic) else { return }
        let section = hello.sectionOffset
        numbers.note(now)
        let id = numbers.next(using: &shared.random)
        let header = PacketHeader(id: id, destination: stranger.address, source: identity.address)
        var bytes = [UInt8](repeating: 0, count: length)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(Verb.hello.rawValue, at: PacketHeader.verbOffset)
            span.copy(from: payload, at: PacketHeader.payloadOffset)
            PacketArmor.sealHello(&span, length: length, sectionOffset: section, cipher: PacketCipher(key))
        }
        validation.noteChallenge(id, to: path.remote, of: stranger, now.monotonic)
        counters.noteSent(.hello)
        shared.enqueue(.datagram(bytes, path), isWish: true)
    }

    /// A packet of an unknown sender: whether it is the answer to a question that its endpoint had to prove itself by.
    mutating func receiveProof(
        _ packet: RawSpan, length: Int, header: PacketHeader, path: PhysicalPath, now: Now
    ) -> Bool {
        for (stranger, key) in validation.unproven(header.source, at: path.remote) {
            var bytes = packet.copyBytes(0, length)
            let isAuthentic = bytes.withMutableBytes {
                PacketArmor.open(&$0, length: length, cipher: PacketCipher(key))
            }
            guard isAuthentic, Verb(verbByte: bytes[PacketHeader.verbOffset]) == .ok else { continue }
            var reader = WireReader(Array(bytes[PacketHeader.payloadOffset...]))
            guard let inRe = try? OKHeader(from: &reader), inRe.inReplyTo == .hello,
                validation.prove(stranger, inRe.packetID, from: path.remote, now.monotonic)
            else { continue }
            shared.answers.receive(length, from: path.remote, now.monotonic)
            serviceValidation(now)
            return true
        }
        return false
    }

    /// A known address with another key. The known identity stays; whoever holds the other one's secret is told.
    private mutating func receiveCollision(
        _ packet: inout MutableRawSpan, length: Int, header: PacketHeader, hello: Hello, path: PhysicalPath, now: Now
    ) -> Opened {
        guard validation.allowsAgreement(path.remote.address, now.monotonic) else { return drop(.agreementLimit) }
        guard let key = identity.secretKeys?.agree(with: hello.identity.publicKeys) else {
            return drop(.invalidIdentity)
        }
        let cipher = PacketCipher(key)
        guard PacketArmor.open(&packet, length: length, cipher: cipher) else { return drop(.badMAC) }
        sendCollision(to: hello.identity.address, packetID: header.id, path: path, cipher: cipher)
        return drop(.identityCollision)
    }

    /// ERROR(HELLO, IDENTITY_COLLISION), sealed for the colliding identity with suite 1.
    private mutating func sendCollision(
        to address: Address, packetID: PacketID, path: PhysicalPath, cipher: borrowing PacketCipher
    ) {
        let payload = ErrorReply(inReplyTo: .hello, packetID: packetID, reason: .identityCollision).encoded
        let length = PacketHeader.payloadOffset + payload.count
        var bytes = [UInt8](repeating: 0, count: length)
        let header = PacketHeader(
            id: numbers.next(using: &shared.random), destination: address, source: identity.address)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(Verb.error.rawValue, at: PacketHeader.verbOffset)
            span.copy(from: payload, at: PacketHeader.payloadOffset)
            PacketArmor.seal(&span, length: length, suite: .salsa, cipher: cipher)
        }
        counters.noteSent(.error)
        counters.noteErrorSent(payload)
        shared.enqueue(.datagram(bytes, path), isWish: true)
    }

    /// The HELLO of an identity that has just been found valid.
    mutating func acceptValidated(_ hello: AuthenticHello, key: SharedKey?, _ now: Now) {
        let address = hello.hello.identity.address
        var known = topology.lookUp(address)
        if let id = known, topology.peers[id].identity != hello.hello.identity {
            // Another identity of this address was faster.
            if let key {
                sendCollision(to: address, packetID: hello.packetID, path: hello.path, cipher: PacketCipher(key))
            }
            shared.drops.count(.identityCollision)
            return
        }
        let isNew = known == nil
        if isNew { known = addPeer(hello.hello.identity, role: .leaf, key: key, from: hello.path, now) }
        guard let id = known else {
            shared.drops.count(.peerTableFull)
            return
        }
        if isNew { remember(hello, of: id, now) }
        let timestamp = hello.hello.timestampMilliseconds
        guard let age = topology.peers[id].admitHello(timestamp: timestamp, now.monotonic) else {
            shared.drops.count(.helloLimit)
            return
        }
        let opened = note(hello, age, from: id, now)
        let payload = helloReply(to: hello, opened)
        // The answer first: who has it answers what we ask next. Nothing is being received, so it leaves by the control queue; see
        // `reply`.
        if mayAnswer(opened, PacketHeader.payloadOffset + payload.count, now.monotonic) {
            topology.peers[id].enqueue(.ok, .path(opened.path), payload: payload, isWish: true, &shared, now)
        } else {
            shared.drops.count(.unconfirmedEndpoint)
        }
        noteReceived(opened, confirms: hello.isProven && hello.hops == 0, isNewest: age == .newest, now: now)
    }

    /// The HELLO that made a peer known does not come a second time.
    private mutating func remember(_ hello: AuthenticHello, of id: PeerID, _ now: Now) {
        _ = topology.peers[id].replays.judge(
            hello.packetID.value, from: Verb.hello.copyEndpoint(hello.path), now.monotonic)
    }

    /// Step 4 and on: report, answer, version, bookkeeping.
    private mutating func accept(
        _ hello: AuthenticHello, from id: PeerID, replies: inout TransmitBatch, now: Now
    ) -> Opened {
        let timestamp = hello.hello.timestampMilliseconds
        guard let age = topology.peers[id].admitHello(timestamp: timestamp, now.monotonic) else {
            return drop(.helloLimit)
        }
        var opened = note(hello, age, from: id, now)
        // The answer first: what is left of the credit is for our own question.
        if !isConfirmed(opened) {
            shared.answers.receive(opened.wireLength, from: opened.path.remote, now.monotonic)
        }
        topology.peers[id].traffic.noteBytesReceived(opened.wireLength)
        opened.wireLength = 0
        reply(.ok, helloReply(to: hello, opened), to: opened, replies: &replies, now: now)
        noteReceived(opened, isNewest: age == .newest, now: now)
        askForWorlds(hello, from: id, now)
        return .handled
    }

    private mutating func note(
        _ hello: AuthenticHello, _ age: Peer.HelloAge, from id: PeerID, _ now: Now
    ) -> OpenedPacket {
        // A HELLO that is older than another may be a recording: it says nothing of what the peer is now.
        if age == .newest {
            topology.peers[id].noteVersion(hello.hello, number: hello.number)
            if topology.peers[id].isUpstream {
                rootClockAhead = Int64(clamping: hello.hello.timestampMilliseconds) &- now.unixMilliseconds
            }
        }
        if hello.hops == 0, age != .old, let surface = hello.hello.sentTo {
            noteSurface(surface, reporter: id, path: hello.path, now)
        }
        return OpenedPacket(
            peer: id, source: hello.hello.identity.address, verb: .hello, packetID: hello.packetID, hops: hello.hops,
            path: hello.path, payloadOffset: PacketHeader.payloadOffset, payloadLength: 0,
            wireLength: hello.wireLength, isCopy: hello.isCopy || age == .old)
    }

    /// A root has a newer planet than we: it left it out of its answer, since it did not know our path, and says so by its own HELLO.
    private mutating func askForWorlds(_ hello: AuthenticHello, from id: PeerID, _ now: Now) {
        guard topology.peers[id].isUpstream, let theirs = hello.hello.planet, let ours = shared.roots.planet,
            theirs.id == ours.id, theirs.timestampMilliseconds > ours.timestampMilliseconds,
            topology.peers[id].worldGate.allow(now.monotonic)
        else { return }
        topology.peers[id].enqueue(.hello, .best, &shared, now)
    }

    private mutating func helloReply(to hello: AuthenticHello, _ opened: OpenedPacket) -> [UInt8] {
        var worlds: [World] = []
        if let planet = hello.hello.planet {
            worlds = shared.roots.updates(
                planetID: planet.id, planetTimestamp: planet.timestampMilliseconds,
                moons: hello.hello.moons.map { ($0.id, $0.timestampMilliseconds) })
        }
        // Worlds are much longer than a question: they go where the asker is known to be.
        if !worlds.isEmpty, !isConfirmed(opened) {
            worlds = []
            topology.peers[opened.peer].isOwedWorlds = true
        }
        var surface = hello.path.remote
        if hello.hello.protocolVersion < ProtocolLimits.echoProtocolVersion {
            surface = SocketEndpoint(surface.address, port: 0)
        }
        let body = HelloReply(
            timestampMilliseconds: hello.hello.timestampMilliseconds,
            protocolVersion: shared.configuration.announcedProtocolVersion,
            softwareVersion: shared.configuration.softwareVersion,
            surfaceAddress: surface, worlds: worlds,
            promises: hello.hello.promises == nil ? nil : shared.configuration.promises)
        return OKHeader(inReplyTo: .hello, packetID: hello.packetID).payload(body.encoded)
    }

    /// What another node sees us as. It is told to others, so only a root's word counts, or that of a peer in a network of
    /// ours, and only by a path that was confirmed.
    mutating func noteSurface(_ surface: SocketEndpoint, reporter id: PeerID, path: PhysicalPath, _ now: Now) {
        guard topology.peers[id].isUpstream || topology.peers[id].isTrusted(now.monotonic),
            topology.peers[id].pathIndex(path) != nil
        else { return }
        let outcome = surfaces.report(
            surface, reporter: topology.peers[id].address, path: path, scopes: shared.scopes,
            isTrusted: topology.peers[id].isUpstream, now.monotonic)
        guard case .addressChanged(let kind) = outcome else { return }
        // Not as often as a root says so: each change has all peers asked, and their paths void meanwhile.
        if surfaceChanges.allow(now.monotonic) {
            resetPaths(kind, now: now)
        } else {
            // At most one of each kind.
            if !lateSurfaceChanges.contains(kind) { lateSurfaceChanges.append(kind) }
            shared.timers.schedule(.surfaceChange, at: surfaceChanges.nextAllowed(now.monotonic))
        }
    }
}

extension Peer {
    /// Reads the rest of an authentic HELLO.
    borrowing func readHello(
        _ packet: inout MutableRawSpan, _ clear: Hello, section: Int?, length: Int
    ) -> Hello? {
        Peer.readHello(&packet, clear, section: section, length: length, cipher: cipher)
    }

    static func readHello(
        _ packet: inout MutableRawSpan, _ clear: Hello, section: Int?, length: Int, cipher: borrowing PacketCipher
    ) -> Hello? {
        guard let section else { return clear }
        cipher.cryptHelloSection(&packet, from: section, to: length)
        var hello = clear
        do {
            try hello.decodeSection(packet.bytes, from: section, to: length)
        } catch {
            return nil
        }
        return hello
    }
}
