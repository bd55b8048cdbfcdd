// Bounds of the small tables.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierEthernet

@Suite struct LimitTests {
    let lan = Lan()
    let me: Identity
    let network: NetworkID

    init() {
        me = lan.makeIdentity(0x43_7a18_af52)
        network = NetworkID(controller: me.address, number: 1)
    }

    private func makeShared() -> EthernetShared {
        EthernetShared(identity: me, configuration: EthernetConfiguration(), random: RandomSource(seed: 1))
    }

    @Test func `identities are bounded, but a controller's is kept`() {
        var shared = makeShared()
        let controller = Address(1)
        for number in 1...UInt64(EthernetLimits.identities + 5) {
            let identity = Identity(address: Address(number), publicKeys: me.publicKeys)
            let isNew = shared.learn(identity, keeping: [controller])
            #expect(isNew)
        }
        #expect(shared.identity(of: controller) != nil)
        #expect(shared.identity(of: Address(2)) == nil && shared.identity(of: Address(6)) == nil)
        #expect(shared.identity(of: Address(7)) != nil)
    }

    @Test func `an identity is asked for once, until it is given or pushed out by many others`() {
        var shared = makeShared()
        shared.want(Address(1))
        shared.want(Address(1))
        #expect(shared.events.count == 1)
        for number in 2...UInt64(EthernetLimits.wantedIdentities + 1) { shared.want(Address(number)) }
        shared.want(Address(1))
        #expect(shared.events.count == EthernetLimits.wantedIdentities + 2)
        let isNew = shared.learn(Identity(address: Address(1), publicKeys: me.publicKeys), keeping: [])
        #expect(isNew)
        shared.want(Address(1))
        shared.want(me.address)
        shared.want(Address(0))
        #expect(shared.events.count == EthernetLimits.wantedIdentities + 2)
    }

    @Test func `events that nobody takes are bounded: the oldest give way`() {
        var shared = makeShared()
        for number in 0..<UInt64(EthernetLimits.eventQueue + 3) { shared.emit(.wantsIdentity(Address(number))) }
        #expect(shared.events.count == EthernetLimits.eventQueue)
        #expect(shared.events.first == .wantsIdentity(Address(3)))
    }

    /// A signed piece of an update, one byte long unless said otherwise.
    private func piece(
        _ updateID: UInt64, at offset: Int, of total: Int, data: [UInt8] = [7]
    ) -> NetworkConfigChunk {
        NetworkConfigChunk(
            network: network, data: data, updateID: updateID, totalLength: UInt32(total), offset: UInt32(offset),
            signedBy: me)
    }

    @Test func `updates under assembly are bounded: the one unused longest gives way`() throws {
        var assembly = ConfigAssembly()
        func add(_ updateID: UInt64, _ offset: Int) throws -> ConfigAssembly.OnChunk {
            let chunk = piece(updateID, at: offset, of: 2, data: [UInt8(updateID)])
            return assembly.add(chunk.data, try #require(chunk.placement), passing: nil)
        }
        #expect(ProtocolLimits.configurationAssemblies == 3)
        for updateID: UInt64 in 1...4 { #expect(try add(updateID, 0) == .incomplete) }
        // 1 gave way to 4; coming again it takes the place of 2.
        #expect(try add(3, 1) == .whole([3, 3], pieces: []))
        #expect(try add(1, 1) == .incomplete)
        #expect(try add(4, 1) == .whole([4, 4], pieces: []))
        #expect(try add(1, 0) == .whole([1, 1], pieces: []))
        #expect(try add(2, 1) == .incomplete)
        #expect(try add(3, 0) == .incomplete)
    }

    @Test func `pieces of one update are bounded: further ones are refused and counted`() throws {
        let controller = lan.makeIdentity(0x66_0000_0001)
        let station = lan.add(me)
        let id = NetworkID(controller: controller.address, number: 1)
        station.join(id, now: lan.now)
        station.learn(controller.withoutSecret, now: lan.now)
        let count = ProtocolLimits.configurationChunks
        func receive(_ offset: Int) -> Reception {
            let chunk = NetworkConfigChunk(
                network: id, data: [7], updateID: 5, totalLength: UInt32(count + 2), offset: UInt32(offset),
                signedBy: controller)
            return station.receive(
                .networkConfig, chunk.encoded, from: controller.address, packetID: PacketID(9), now: lan.now)
        }
        for offset in 0..<count { #expect(receive(offset) == .done(trusted: false)) }
        #expect(receive(count) == .drop(.badConfiguration))
        #expect(receive(count + 1) == .drop(.badConfiguration))
        #expect(station.drops(.badConfiguration) == 2)
        // Another update is none the worse.
        lan.push(lan.config(id, for: me, by: controller), by: controller)
        #expect(station.drops(.badConfiguration) == 2)
        #expect(station.events.contains { if case .configurationChanged = $0 { true } else { false } })
    }

    @Test func `nodes that are asked who is in a group are bounded, the best root and the controller first`() throws {
        let controller = lan.makeIdentity(0x66_0000_0001)
        let station = lan.add(me)
        let id = NetworkID(controller: controller.address, number: 1)
        let root = Address(0x10_0000_0001)
        station.setUpstreams([root], isUpstream: false)
        let slot = try #require(station.join(id, now: lan.now))
        lan.settle()
        lan.push(
            lan.config(id, for: me, by: controller) {
                $0.specialists = (1...40).map { Specialist(Address($0), roles: Specialist.anchor) }
            }, by: controller)
        lan.log.removeAll()
        station.sendFrame(
            network: slot, source: id.mac(of: me.address), destination: .broadcast, etherType: 0x88b5, payload: [1],
            now: lan.now)
        lan.settle()
        let asked = lan.crossings(.multicastGather).map(\.to)
        #expect(asked.count == ProtocolLimits.gatherTargets && Set(asked).count == asked.count)
        #expect(asked.contains(root) && asked.contains(controller.address))
    }

    @Test func `anchors and replicators are asked who is in a group, and told ours, other members not`() throws {
        let controller = lan.makeIdentity(0x66_0000_0001)
        let station = lan.add(me)
        let id = NetworkID(controller: controller.address, number: 1)
        let (anchor, replicator, bridge) = (Address(0x20_0000_0001), Address(0x20_0000_0002), Address(0x20_0000_0003))
        let slot = try #require(station.join(id, now: lan.now))
        lan.settle()
        lan.push(
            lan.config(id, for: me, by: controller) {
                $0.specialists = [
                    Specialist(anchor, roles: Specialist.anchor),
                    Specialist(replicator, roles: Specialist.multicastReplicator),
                    Specialist(bridge, roles: Specialist.activeBridge),
                ]
            }, by: controller)
        lan.log.removeAll()
        let group = MulticastGroup(mac: MACAddress(0x3333_0000_0001), distinguisher: 7)
        station.subscribe(network: slot, to: [group], now: lan.now)
        lan.advance(.seconds(61))
        let told = Set(
            try lan.crossings(.multicastLike).filter {
                try MulticastLike(decoding: $0.payload).records.contains { $0.group == group }
            }.map(\.to))
        #expect(told.isSuperset(of: [anchor, replicator]) && !told.contains(bridge))
        lan.log.removeAll()
        station.sendFrame(
            network: slot, source: id.mac(of: me.address), destination: .broadcast, etherType: 0x88b5, payload: [1],
            now: lan.now)
        lan.settle()
        let asked = lan.crossings(.multicastGather).map(\.to)
        #expect(asked.contains(anchor) && asked.contains(replicator) && !asked.contains(bridge))
    }

    @Test func `groups beyond what one MULTICAST_LIKE holds go in a further one`() throws {
        let station = lan.add(me)
        let root = Address(0x10_0000_0001)
        station.setUpstreams([root], isUpstream: false)
        let slot = try #require(station.join(NetworkID(0xff0a_0000_0000_0001), now: lan.now))
        let groups = (0...UInt32(ProtocolLimits.likeRecordsPerPacket)).map {
            MulticastGroup(mac: MACAddress(0x3333_0000_0001), distinguisher: $0)
        }
        station.subscribe(network: slot, to: groups, now: lan.now)
        lan.advance(.seconds(61))
        let packets = lan.crossings(.multicastLike, to: root)
        #expect(packets.allSatisfy { $0.payload.count <= ProtocolLimits.maximumPayloadLength })
        let records = try packets.map { try MulticastLike(decoding: $0.payload).records }
        #expect(records.contains { $0.count == ProtocolLimits.likeRecordsPerPacket })
        #expect(Set(records.joined().map(\.group)).isSuperset(of: groups))
    }

    @Test func `gates are bounded, and a newcomer passes once however many others did`() {
        var shared = makeShared()
        func passes(_ number: UInt64, _ now: Now) -> Bool {
            shared.pass(.credentials(Address(number)), .seconds(1), now)
        }
        for number in 1...UInt64(3 * EthernetLimits.gates) { #expect(passes(number, lan.now)) }
        #expect(passes(0xffff, lan.now))
        #expect(!passes(0xffff, lan.now))
        #expect(passes(0xffff, lan.now.advanced(by: .seconds(1))))
    }

    @Test func `signatures are checked up to a budget of each peer, and of strangers, and members have their own`() {
        var shared = makeShared()
        let time = lan.now.monotonic
        func allowed(_ peers: ClosedRange<UInt64>, each count: Int, isMember: Bool) -> Int {
            peers.reduce(0) { sum, peer in
                sum + (0..<count).count { _ in shared.signatures.allow(Address(peer), isMember: isMember, time) }
            }
        }
        #expect(allowed(1...1, each: 3000, isMember: false) == EthernetLimits.signaturesPerPeer)
        #expect(
            allowed(2...1000, each: 10, isMember: false)
                == EthernetLimits.signaturesOfStrangers - EthernetLimits.signaturesPerPeer)
        #expect(allowed(2001...2300, each: 10, isMember: true) == 3000)
    }

    @Test func `who is displaced from its gate passes again, and has no more signatures checked than its budget`() {
        var shared = makeShared()
        let peer = Address(0xff_0000)
        var passed = 0
        var checked = 0
        for round in 0..<20 as Range<UInt64> {
            if shared.pass(.credentials(peer), .seconds(1), lan.now) { passed += 1 }
            checked += (0..<32).count { _ in shared.signatures.allow(peer, isMember: false, lan.now.monotonic) }
            for number in 1...UInt64(2 * EthernetLimits.gates) {
                let other = Address(round << 24 | number)
                _ = shared.pass(.credentials(other), .seconds(1), lan.now)
                // So many take accounts of the budget too, and leave that of who has used most.
                _ = shared.signatures.allow(other, isMember: true, lan.now.monotonic)
            }
        }
        #expect(passed > 1, "nobody was displaced")
        #expect(checked == EthernetLimits.signaturesPerPeer)
    }

    @Test func `false signatures of one stranger are not checked without end, and a controller's are`() {
        let controller = lan.makeIdentity(0x43_7a18_af53)
        let node = lan.add(me)
        let other = NetworkID(controller: controller.address, number: 1)
        _ = node.join(other, now: lan.now)
        node.learn(controller, now: lan.now)
        func piece(_ updateID: UInt64, by signer: Identity) -> [UInt8] {
            NetworkConfigChunk(
                network: other, data: [7], updateID: updateID, totalLength: 2, offset: 0, signedBy: signer
            ).encoded
        }
        for number in 0..<3000 as Range<UInt64> {
            // Signed by another key than the controller's.
            _ = node.receive(
                .networkConfig, piece(2 + number, by: me), from: Address(77), packetID: PacketID(number + 1),
                now: lan.now)
        }
        #expect(node.drops(.badSignature) == UInt64(EthernetLimits.signaturesPerPeer))
        #expect(node.drops(.signatureLimit) == UInt64(3000 - EthernetLimits.signaturesPerPeer))
        let reception = node.receive(
            .networkConfig, piece(1, by: controller), from: controller.address, packetID: PacketID(9000), now: lan.now)
        #expect(reception == .done(trusted: false))
    }

    @Test func `authorisations are bounded and run out`() {
        var shared = makeShared()
        for number in 1...UInt64(EthernetLimits.authorisations + 1) {
            shared.authorise(Address(number), network, lan.now)
        }
        #expect(shared.isAuthorised(Address(1), network, lan.now))
        #expect(!shared.isAuthorised(Address(UInt64(EthernetLimits.authorisations + 1)), network, lan.now))
        #expect(shared.isAuthorised(Address(1), network, lan.now.advanced(by: .milliseconds(179_999))))
        #expect(!shared.isAuthorised(Address(1), network, lan.now.advanced(by: .seconds(180))))
    }

    @Test func `revocations of one member are bounded`() {
        var member = Member()
        func revocation(_ id: UInt32) -> Revocation {
            var made = Revocation(
                id: 1, network: network, of: .tag, credentialID: 0, threshold: 5, target: Address(2), signedBy: me)
            made.credentialID = id
            return made
        }
        func revoke(_ item: Revocation) -> CredentialOutcome { member.revoke(item) }
        for id in 0..<UInt32(EthernetLimits.revocationsPerMember) { #expect(revoke(revocation(id)) == .added) }
        #expect(revoke(revocation(0)) == .redundant)
        #expect(revoke(revocation(UInt32(EthernetLimits.revocationsPerMember))) == .rejected)
        var unknown = revocation(0)
        unknown.credentialType = 6
        #expect(revoke(unknown) == .rejected)
        #expect(member.membershipRevokedThrough == 5)
    }

    @Test func `credentials of one member are bounded`() {
        var member = Member()
        func add(_ id: UInt32) -> CredentialOutcome {
            member.add(
                ZeroTierWire.Tag(network: network, timestamp: 5, id: id, value: 1, issuedTo: Address(2), signedBy: me)
            ) { _ in me }
        }
        for id in 0..<UInt32(ProtocolLimits.tags) { #expect(add(id) == .added) }
        #expect(add(UInt32(ProtocolLimits.tags)) == .rejected)
        #expect(add(0) == .redundant)
        #expect(member.tags.count == ProtocolLimits.tags)
    }

    @Test func `groups sent to, and groups seen behind a bridge, are bounded`() throws {
        let adHoc = NetworkID(0xff0a_0000_0000_0001)
        var shared = makeShared()
        var state = VirtualNetwork(id: adHoc, address: me.address, authorization: "")
        state.requestConfigurationIfDue(&shared, lan.now)
        for number in 0...UInt32(EthernetLimits.multicastSenders) {
            state.sendMulticast(
                origin: nil, to: MulticastGroup(mac: .broadcast, distinguisher: number), sourceMAC: state.mac,
                etherType: 0x0806, data: [1], &shared, lan.now.advanced(by: .milliseconds(Int64(number))))
        }
        let senders = state.senders
        #expect(senders.count == EthernetLimits.multicastSenders)
        #expect(senders[.broadcast] == nil)
        for number in 0...UInt32(EthernetLimits.bridgedGroups) {
            state.noteBridgedGroup(
                MulticastGroup(mac: MACAddress(0x3333_0000_0001), distinguisher: number), &shared, lan.now)
        }
        let bridged = state.bridgedGroups
        #expect(bridged.count == EthernetLimits.bridgedGroups)
        state.expire(&shared, lan.now.advanced(by: .seconds(1200)))
        let isEmpty = state.bridgedGroups.isEmpty && state.senders.isEmpty
        #expect(isEmpty)
    }

    @Test func `a root that appears hears of the groups within the next round, and at once on coming online`() throws {
        let station = lan.add(me)
        let adHoc = NetworkID(0xff0a_0000_0000_0001)
        station.join(adHoc, now: lan.now)
        lan.settle()
        #expect(lan.crossings(.multicastLike).isEmpty)
        let root = Address(0x10_0000_0001)
        station.setUpstreams([root], isUpstream: false)
        lan.advance(.seconds(5))
        #expect(lan.crossings(.multicastLike, to: root).count == 1)
        station.engine.resume(now: lan.now)
        lan.settle()
        #expect(lan.crossings(.multicastLike, to: root).count == 2)
    }

    @Test func `random bytes never trap any door of the engine`() throws {
        let station = lan.add(me)
        var random = RandomSource(seed: 5)
        let adHoc = NetworkID(0xff0a_0000_0000_0001)
        station.join(adHoc, now: lan.now)
        station.join(network, now: lan.now)
        for round in 0..<3000 {
            var payload = random.bytes(random.next(below: 120))
            let known = round % 2 == 0 ? adHoc : network
            if payload.count >= 8 {
                for index in 0..<8 { payload[index] = UInt8(truncatingIfNeeded: known.value >> UInt64(56 - 8 * index)) }
            }
            let source = Address(UInt64(random.next(below: 50)) + 1)
            for verb in [Verb.frame, .extendedFrame, .multicastFrame] {
                lan.deliver(Crossing(from: source, to: me.address, verb: verb, payload: payload))
            }
            for verb in Verb.allCases {
                _ = station.receive(verb, payload, from: source, packetID: PacketID(UInt64(round)), now: lan.now)
                _ = station.receiveReply(to: verb, payload, from: source, now: lan.now)
            }
            station.frames.removeAll()
            while station.nextPacket() != nil {}
            while station.nextLocalFrame() != nil {}
            if round % 100 == 0 { lan.advance(.seconds(1)) }
        }
        #expect(station.drops(.malformed) > 0)
    }
}
