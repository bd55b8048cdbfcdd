// LIKE, GATHER, copies, limits; a root as the last resort's database; replicators.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierEthernet

@Suite struct MulticastTests {
    let lan = Lan()
    let controller: Identity
    let root: Station
    let network: NetworkID
    let group = MulticastGroup(mac: MACAddress(0x3333_0000_00fb))

    init() {
        controller = lan.makeIdentity(0x66_0000_0001)
        root = lan.add(0x10_0000_0001)
        root.setUpstreams([], isUpstream: true)
        network = NetworkID(controller: controller.address, number: 0xbeef)
    }

    /// A member that knows the root.
    private func join(_ address: UInt64, _ change: (inout NetworkConfig) -> Void = { _ in }) throws -> (Station, SlotID)
    {
        let station = lan.add(address)
        station.setUpstreams([root.address], isUpstream: false)
        let slot = try #require(station.join(network, now: lan.now))
        lan.settle()
        lan.push(
            lan.config(network, for: station.identity, by: controller) {
                $0.isPublic = true
                change(&$0)
            }, by: controller)
        return (station, slot)
    }

    private func send(_ payload: [UInt8], from member: (Station, SlotID)) -> EthernetDrop? {
        let reason = member.0.sendFrame(
            network: member.1, source: network.mac(of: member.0.address), destination: group.mac, etherType: 0x88b5,
            payload: payload, now: lan.now)
        lan.settle()
        return reason
    }

    private func like(_ count: Int, from source: Address, first: Int = 0, network id: NetworkID? = nil) -> Reception {
        let records = (first..<first + count).map {
            MulticastLike.Record(
                network: id ?? network, group: MulticastGroup(mac: group.mac, distinguisher: UInt32($0)))
        }
        return root.receive(
            .multicastLike, MulticastLike(records).encoded, from: source, packetID: PacketID(1), now: lan.now)
    }

    private func gather(_ limit: UInt32, by asker: Address, of station: Station? = nil, group: MulticastGroup? = nil)
        throws -> GatherResult?
    {
        let station = station ?? root
        let request = MulticastGather(
            network: network, group: group ?? MulticastGroup(mac: self.group.mac), limit: limit)
        _ = station.receive(
            .multicastGather, request.encoded, from: asker, packetID: PacketID(4), now: lan.now)
        guard let packet = station.nextPacket() else { return nil }
        #expect(packet.destination == asker && packet.verb == .ok)
        let (header, body) = try OKHeader.split(packet.payload)
        #expect(header.inReplyTo == .multicastGather && header.packetID == PacketID(4))
        return try MulticastGatherReply(decoding: body).result
    }

    @Test func `a stranger that a root names as a subscriber gets neither frames nor credentials`() throws {
        let private_ = { (config: inout NetworkConfig) in config.isPublic = false }
        let a = try join(0x21, private_)
        let b = try join(0x22, private_)
        let stranger = lan.add(0x99_0000_0001)
        b.0.subscribe(network: b.1, to: [group], now: lan.now)
        lan.settle()
        let record = MulticastLike.Record(network: network, group: group)
        for subscriber in [b.0.address, stranger.address] {
            _ = root.receive(
                .multicastLike, MulticastLike([record]).encoded, from: subscriber, packetID: PacketID(1), now: lan.now)
        }
        lan.log = []
        #expect(send([1, 2], from: a) == nil)
        lan.advance(.seconds(2))
        // The member shows its credentials when it is asked, and then gets the frame that waited.
        #expect(b.0.frames.map(\.payload) == [[1, 2]])
        let toStranger = Set(lan.log.filter { $0.from == a.0.address && $0.to == stranger.address }.map(\.verb))
        #expect(toStranger.isSubset(of: [.error]))
        #expect(lan.crossings(.multicastFrame, to: stranger.address).isEmpty)
        #expect(lan.crossings(.networkCredentials, to: stranger.address).isEmpty)
        // Further frames find a member that is known.
        #expect(send([3], from: a) == nil)
        #expect(b.0.frames.map(\.payload) == [[1, 2], [3]])
    }

    @Test func `a root takes everyone's groups and tells everyone, but never the asker`() throws {
        for address in [0x21, 0x22, 0x23] as [UInt64] {
            #expect(like(1, from: Address(address)) == .done(trusted: false))
        }
        #expect(root.likeCount == 3)
        let all = try #require(try gather(10, by: Address(0x99)))
        #expect(all.total == 3 && all.members.sorted() == [Address(0x21), Address(0x22), Address(0x23)])
        let others = try #require(try gather(10, by: Address(0x21)))
        #expect(others.total == 3 && others.members.sorted() == [Address(0x22), Address(0x23)])
        #expect(try gather(2, by: Address(0x99))?.members.count == 2)
        #expect(try gather(0, by: Address(0x99)) == nil)
        #expect(try gather(10, by: Address(0x99), group: .broadcast) == nil)
    }

    @Test func `groups are forgotten after ten minutes, unless they are wished again`() throws {
        _ = like(1, from: Address(0x21))
        lan.advance(.seconds(300))
        _ = like(1, from: Address(0x22))
        lan.advance(.milliseconds(299_999))
        #expect(try gather(10, by: Address(0x99))?.members.count == 2)
        lan.advance(.milliseconds(1))
        #expect(try gather(10, by: Address(0x99))?.members == [Address(0x22)])
        lan.advance(.seconds(330))
        #expect(root.likeCount == 0)
    }

    @Test func `one peer's groups are bounded, its own oldest give way`() throws {
        let small = lan.add(0x10_0000_0002) { $0.likesPerPeer = 4 }
        small.setUpstreams([], isUpstream: true)
        func like(_ numbers: Range<UInt32>, from source: UInt64) {
            let records = numbers.map {
                MulticastLike.Record(network: network, group: MulticastGroup(mac: group.mac, distinguisher: $0))
            }
            _ = small.receive(
                .multicastLike, MulticastLike(records).encoded, from: Address(source), packetID: PacketID(1),
                now: lan.now)
        }
        like(0..<1, from: 0x22)
        like(0..<4, from: 0x21)
        #expect(small.drops(.likeLimitPerPeer) == 0)
        like(4..<6, from: 0x21)
        #expect(small.drops(.likeLimitPerPeer) == 2 && small.likeCount == 5)
        let first = try gather(10, by: Address(0x99), of: small, group: MulticastGroup(mac: group.mac))
        #expect(first?.members == [Address(0x22)])
        let last = try gather(
            10, by: Address(0x99), of: small, group: MulticastGroup(mac: group.mac, distinguisher: 5))
        #expect(last?.members == [Address(0x21)])
    }

    @Test func `who wishes for much displaces others who do, not those who wish for little`() throws {
        let small = lan.add(0x10_0000_0002) {
            $0.likesTotal = 64
            $0.likesPerPeer = 16
        }
        small.setUpstreams([], isUpstream: true)
        func like(_ numbers: Range<UInt32>, from source: UInt64) {
            let records = numbers.map {
                MulticastLike.Record(network: network, group: MulticastGroup(mac: group.mac, distinguisher: $0))
            }
            _ = small.receive(
                .multicastLike, MulticastLike(records).encoded, from: Address(source), packetID: PacketID(1),
                now: lan.now)
        }
        like(0..<2, from: 0x22)
        for round in 0..<4 as Range<UInt32> {
            for greedy in 0x31..<0x36 as Range<UInt64> { like(100 * round..<100 * round + 16, from: greedy) }
        }
        #expect(small.likeCount == 64 && small.drops(.likeLimitTotal) > 0)
        for number in 0..<2 as Range<UInt32> {
            let found = try gather(
                10, by: Address(0x99), of: small, group: MulticastGroup(mac: group.mac, distinguisher: number))
            #expect(found?.members.contains(Address(0x22)) == true)
        }
    }

    @Test func `a controller's largest limit is none`() throws {
        let a = try join(0x21) { $0.multicastLimit = .max }
        #expect(send([1], from: a) == nil)
        let asked = try #require(lan.crossings(.multicastGather, from: a.0.address).first)
        #expect(try MulticastGather(decoding: asked.payload).limit == UInt32(EthernetLimits.multicastRecipients + 1))
    }

    @Test func `answers about groups count from whom we ask, and while we ask`() throws {
        let a = try join(0x21)
        let body = MulticastGatherReply(
            network: network, group: group, result: GatherResult(total: 1, members: [Address(0x31)])
        ).encoded
        let before = a.0.likeCount
        #expect(a.0.receiveReply(to: .multicastGather, body, from: root.address, now: lan.now) == .drop(.unaskedAnswer))
        _ = send([1], from: a)
        #expect(
            a.0.receiveReply(to: .multicastGather, body, from: Address(0x99), now: lan.now) == .drop(.unaskedAnswer))
        #expect(a.0.likeCount == before)
        #expect(a.0.receiveReply(to: .multicastGather, body, from: root.address, now: lan.now) == .done(trusted: false))
        #expect(a.0.likeCount == before + 1)
        let other = MulticastFrameReply(
            network: network, group: MulticastGroup(mac: .broadcast, distinguisher: 9),
            result: GatherResult(total: 1, members: [Address(0x32)])
        ).encoded
        #expect(
            a.0.receiveReply(to: .multicastFrame, other, from: Address(0x31), now: lan.now) == .drop(.unaskedAnswer))
        #expect(a.0.likeCount == before + 1)
    }

    @Test func `of an answer about a group no more is taken than may be asked for`() throws {
        let a = try join(0x21) { $0.isPublic = false }
        _ = send([1], from: a)
        lan.log = []
        let invented = (0..<GatherResult.maximumAddresses).map { Address(0x3_0000 + UInt64($0)) }
        let body = MulticastGatherReply(
            network: network, group: group,
            result: GatherResult(total: UInt32(invented.count), members: invented)
        ).encoded
        let before = a.0.likeCount
        _ = a.0.receiveReply(to: .multicastGather, body, from: root.address, now: lan.now)
        lan.settle()
        #expect(a.0.likeCount - before == 33)
        #expect(lan.crossings(.error, from: a.0.address).count == 33)
    }

    @Test func `all groups are bounded, the oldest of all gives way`() {
        let small = lan.add(0x10_0000_0002) { $0.likesTotal = 5 }
        small.setUpstreams([], isUpstream: true)
        for source in 0x21..<0x27 as Range<UInt64> {
            let record = MulticastLike.Record(network: network, group: group)
            _ = small.receive(
                .multicastLike, MulticastLike([record]).encoded, from: Address(source), packetID: PacketID(1),
                now: lan.now)
        }
        #expect(small.drops(.likeLimitTotal) == 1 && small.likeCount == 5)
    }

    @Test func `a node that is no root takes groups of members, and of those its controller configured lately`() throws
    {
        let (a, _) = try join(0x21)
        let record = MulticastLike.Record(network: network, group: group)
        let foreign = MulticastLike.Record(network: NetworkID(5), group: group)
        func like(_ records: [MulticastLike.Record], from source: UInt64) -> Reception {
            a.receive(
                .multicastLike, MulticastLike(records).encoded, from: Address(source), packetID: PacketID(1),
                now: lan.now)
        }
        let before = a.likeCount
        #expect(like([record, foreign], from: 0x31) == .done(trusted: true))
        #expect(a.likeCount == before + 1 && a.drops(.notAuthorised) == 1)
        #expect(like([foreign, record], from: 0x32) == .done(trusted: true))
        #expect(a.likeCount == before + 2 && a.drops(.notAuthorised) == 2)
        a.authorise(Address(0x33), on: NetworkID(5), now: lan.now)
        #expect(like([foreign], from: 0x33) == .done(trusted: false))
        #expect(a.likeCount == before + 3)
        lan.advance(.seconds(180))
        #expect(like([foreign], from: 0x33) == .done(trusted: false))
        #expect(a.drops(.notAuthorised) == 3)
        let request = MulticastGather(network: NetworkID(5), group: group, limit: 5)
        #expect(
            a.receive(
                .multicastGather, request.encoded, from: Address(0x33), packetID: PacketID(1), now: lan.now)
                == .drop(.notAuthorised))
    }

    @Test func `groups are announced when wished and every minute`() throws {
        let (a, slot) = try join(0x21)
        lan.log.removeAll()
        #expect(a.subscribe(network: slot, to: [group], now: lan.now))
        lan.settle()
        let likes = lan.crossings(.multicastLike, from: a.address)
        #expect(likes.map(\.to) == [controller.address, root.address])
        #expect(try MulticastLike(decoding: likes[0].payload).records.map(\.group) == [group])
        lan.log.removeAll()
        lan.advance(.seconds(65))
        let all = try #require(lan.crossings(.multicastLike, from: a.address, to: root.address).first)
        #expect(try MulticastLike(decoding: all.payload).records.map(\.group) == [group, .broadcast].sorted())
        #expect(lan.crossings(.multicastLike, to: root.address).count == 1)
        a.unsubscribe(network: slot, from: [group])
        #expect(a.snapshot(of: slot)?.multicastSubscriptions == [.broadcast])
    }

    @Test func `groups of assigned addresses are wished without asking`() throws {
        let address = try #require(IPPrefix("10.42.161.29/16"))
        let (a, slot) = try join(0x21) { $0.addresses = [address] }
        let expected = [MulticastGroup.broadcast, .resolution(of: address.address)].sorted()
        #expect(a.snapshot(of: slot)?.multicastSubscriptions == expected)
        let first = try #require(lan.crossings(.multicastLike, from: a.address, to: root.address).first)
        #expect(try MulticastLike(decoding: first.payload).records.map(\.group) == expected)
    }

    @Test func `a frame reaches subscribers found by gathering, and later ones within five seconds`() throws {
        let a = try join(0x21)
        let b = try join(0x22)
        let c = try join(0x23)
        #expect(b.0.subscribe(network: b.1, to: [group], now: lan.now))
        lan.settle()
        #expect(send([1], from: a) == nil)
        #expect(b.0.frames.map(\.payload) == [[1]])
        #expect(c.0.frames.isEmpty)
        // c wishes late: a hears of it (they know each other by now, or through the root's next answer).
        let likes = MulticastLike([MulticastLike.Record(network: network, group: group)]).encoded
        lan.advance(.milliseconds(4000))
        lan.deliver(Crossing(from: c.0.address, to: a.0.address, verb: .multicastLike, payload: likes))
        lan.settle()
        #expect(c.0.frames.map(\.payload) == [[1]])
        let d = try join(0x24)
        lan.advance(.milliseconds(1001))
        lan.deliver(Crossing(from: d.0.address, to: a.0.address, verb: .multicastLike, payload: likes))
        lan.settle()
        #expect(d.0.frames.isEmpty)
    }

    @Test func `no more copies leave than the network allows`() throws {
        let a = try join(0x21) { $0.multicastLimit = 3 }
        for address in 0x31..<0x39 as Range<UInt64> {
            let likes = MulticastLike([MulticastLike.Record(network: network, group: group)]).encoded
            lan.deliver(Crossing(from: Address(address), to: a.0.address, verb: .multicastLike, payload: likes))
        }
        lan.settle()
        lan.log.removeAll()
        _ = send([1], from: a)
        let copies = lan.crossings(.multicastFrame)
        #expect(copies.count == 3 && Set(copies.map(\.to)).count == 3)
        #expect(try MulticastFrame(decoding: copies[0].payload).gatherLimit == 1)
        #expect(lan.crossings(.multicastGather).isEmpty)
    }

    @Test func `while nobody is known every frame asks, afterwards once a minute`() throws {
        let a = try join(0x21)
        _ = send([1], from: a)
        _ = send([2], from: a)
        let asked = lan.crossings(.multicastGather, from: a.0.address)
        #expect(asked.map(\.to) == [root.address, controller.address, root.address, controller.address])
        #expect(try MulticastGather(decoding: asked[0].payload).limit == 33)
        let likes = MulticastLike([MulticastLike.Record(network: network, group: group)]).encoded
        lan.deliver(Crossing(from: Address(0x31), to: a.0.address, verb: .multicastLike, payload: likes))
        lan.settle()
        #expect(lan.crossings(.multicastFrame, to: Address(0x31)).count == 2)
        _ = send([3], from: a)
        #expect(lan.crossings(.multicastGather).count == 4)
        lan.advance(.seconds(60))
        _ = send([4], from: a)
        #expect(lan.crossings(.multicastGather).count == 6)
    }

    @Test func `frames that wait for subscribers are bounded`() throws {
        let a = try join(0x21)
        for number in 0..<UInt8(ProtocolLimits.multicastQueue + 1) { _ = send([number], from: a) }
        let likes = MulticastLike([MulticastLike.Record(network: network, group: group)]).encoded
        lan.deliver(Crossing(from: Address(0x31), to: a.0.address, verb: .multicastLike, payload: likes))
        lan.settle()
        let copies = try lan.crossings(.multicastFrame, to: Address(0x31)).map {
            try MulticastFrame(decoding: $0.payload).data
        }
        #expect(copies.count == ProtocolLimits.multicastQueue && copies.first == [1])
    }

    @Test func `a receiver tells the sender of more subscribers`() throws {
        let a = try join(0x21)
        let b = try join(0x22)
        let likes = MulticastLike([MulticastLike.Record(network: network, group: group)]).encoded
        lan.deliver(Crossing(from: Address(0x31), to: b.0.address, verb: .multicastLike, payload: likes))
        lan.deliver(Crossing(from: b.0.address, to: a.0.address, verb: .multicastLike, payload: likes))
        lan.settle()
        _ = send([1], from: a)
        let answer = try #require(
            lan.crossings(.ok, from: b.0.address, to: a.0.address).last {
                $0.payload[0] == Verb.multicastFrame.rawValue
            })
        let reply = try MulticastFrameReply(decoding: try OKHeader.split(answer.payload).body)
        #expect(reply.result?.members == [Address(0x31)])
        #expect(lan.crossings(.multicastFrame, from: a.0.address, to: Address(0x31)).count == 1)
    }

    @Test func `multicast that is off, malformed or claims to be ours is dropped`() throws {
        let a = try join(0x21)
        let (off, slot) = try join(0x22) { $0.multicastLimit = 0 }
        #expect(
            off.sendFrame(
                network: slot, source: network.mac(of: off.address), destination: group.mac, etherType: 1,
                payload: [1], now: lan.now) == .multicastDisabled)
        func deliver(_ frame: MulticastFrame, to station: Station) {
            lan.deliver(
                Crossing(from: Address(0x31), to: station.address, verb: .multicastFrame, payload: frame.encoded))
        }
        let frame = MulticastFrame(network: network, group: group, etherType: 1, data: [1])
        deliver(frame, to: off)
        #expect(off.drops(.multicastDisabled) == 2)
        var bad = frame
        bad.group = MulticastGroup(mac: MACAddress(0x0200_0000_0001))
        deliver(bad, to: a.0)
        bad = frame
        bad.data = []
        deliver(bad, to: a.0)
        bad = frame
        bad.source = MACAddress(0x0100_0000_0001)
        deliver(bad, to: a.0)
        #expect(a.0.drops(.malformed) == 3)
        bad.source = network.mac(of: a.0.address)
        deliver(bad, to: a.0)
        #expect(a.0.drops(.ownSource) == 1)
        bad.source = MACAddress(0x0a00_0000_0001)
        deliver(bad, to: a.0)
        #expect(a.0.drops(.bridgingNotAllowed) == 1)
        deliver(frame, to: a.0)
        #expect(a.0.frames.count == 1)
    }

    @Test func `a replicator copies for others, and not back to them`() throws {
        let replicator = Address(0x22)
        let roles = Specialist(replicator, roles: Specialist.multicastReplicator | Specialist.activeBridge)
        let a = try join(0x21) { $0.specialists = [roles] }
        let b = try join(0x22) { $0.specialists = [roles] }
        let c = try join(0x23) { $0.specialists = [roles] }
        #expect(a.0.replicators(of: a.1) == [replicator] && a.0.isReplicator(replicator))
        for member in [a, b, c] { #expect(member.0.subscribe(network: member.1, to: [group], now: lan.now)) }
        lan.settle()
        a.0.noteReachability(of: replicator, latency: .milliseconds(5))
        lan.log.removeAll()
        _ = send([1], from: a)
        #expect(lan.crossings(.multicastFrame, from: a.0.address).map(\.to) == [replicator])
        let first = try MulticastFrame(decoding: lan.crossings(.multicastFrame, from: a.0.address)[0].payload)
        #expect(first.isToBeReplicated && first.source == network.mac(of: a.0.address))
        #expect(b.0.frames.map(\.payload) == [[1]])
        #expect(c.0.frames.map(\.source) == [network.mac(of: a.0.address)])
        #expect(lan.crossings(.multicastFrame, to: a.0.address).isEmpty)
        // Without a live path to it, a copies itself.
        a.0.noteReachability(of: replicator, latency: nil)
        lan.log.removeAll()
        _ = send([2], from: a)
        #expect(lan.crossings(.multicastFrame, from: a.0.address).count == 2)
    }

    @Test func `host subscriptions are bounded`() throws {
        let (a, slot) = try join(0x21)
        let groups = (0...UInt32(EthernetLimits.subscriptions)).map {
            MulticastGroup(mac: group.mac, distinguisher: $0)
        }
        #expect(!a.subscribe(network: slot, to: groups, now: lan.now))
        #expect(a.snapshot(of: slot)?.multicastSubscriptions.count == EthernetLimits.subscriptions + 1)
    }

    @Test func `records stay consistent under random use`() {
        var groups = MulticastGroups(limitPerPeer: 5, limitTotal: 40, life: .seconds(10))
        var random = RandomSource(seed: 3)
        var model: [[UInt64]: UInt64] = [:]
        var time: UInt64 = 0
        for _ in 0..<4000 {
            time += UInt64(random.next(below: 100_000_000))
            let now = MonotonicInstant(nanoseconds: time)
            let member = UInt64(random.next(below: 12)) + 1
            let number = UInt32(random.next(below: 8))
            let group = MulticastGroup(mac: .broadcast, distinguisher: number)
            let key = [member, UInt64(number)]
            switch random.next(below: 10) {
            case 0:
                groups.expire(now)
                model = model.filter { $0.value > time }
            case 1:
                groups.remove(Address(member), from: group, of: network)
                model[key] = nil
            default:
                let added = groups.add(Address(member), to: group, of: network, now)
                if model[key] == nil {
                    let own = model.filter { $0.key[0] == member }
                    if own.count >= 5 {
                        #expect(added == .newOverPeerLimit)
                        if let oldest = own.min(by: { ($0.value, $0.key[1]) < ($1.value, $1.key[1]) }) {
                            model[oldest.key] = nil
                        }
                    } else if model.count >= 40 {
                        #expect(added == .newOverTotalLimit)
                        let gone = model.keys.filter { key in
                            let group = MulticastGroup(mac: .broadcast, distinguisher: UInt32(key[1]))
                            return !groups.members(network, group, .zero).contains(Address(key[0]))
                        }
                        // One record: the oldest of a member that held as many as anybody.
                        #expect(gone.count == 1)
                        let counts = Dictionary(grouping: model.keys) { $0[0] }.mapValues(\.count)
                        for key in gone {
                            #expect(counts[key[0]] == counts.values.max())
                            #expect(model[key] == model.filter { $0.key[0] == key[0] }.values.min())
                            model[key] = nil
                        }
                    } else {
                        #expect(added == .new)
                    }
                } else {
                    #expect(added == .refreshed)
                }
                model[key] = time + 10_000_000_000
            }
            #expect(groups.count == model.count)
            #expect(groups.count(of: Address(member)) == model.keys.filter { $0[0] == member }.count)
        }
    }
}
