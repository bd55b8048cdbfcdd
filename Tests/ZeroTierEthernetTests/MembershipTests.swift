// Members of a private network: the gate, showing credentials, the races between them, revocation.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierEthernet

@Suite struct MembershipTests {
    let lan = Lan()
    let controller: Identity
    let a: Station
    let b: Station
    let network: NetworkID
    let slotA: SlotID
    let slotB: SlotID

    init() throws {
        controller = lan.makeIdentity(0x66_0000_0001)
        a = lan.add(0x43_7a18_af52)
        b = lan.add(0x89_2dab_4ee8)
        network = NetworkID(controller: controller.address, number: 0xbeef)
        slotA = try #require(a.join(network, now: lan.now))
        slotB = try #require(b.join(network, now: lan.now))
        lan.settle()
    }

    private func configure(_ change: (inout NetworkConfig) -> Void = { _ in }) {
        lan.push(lan.config(network, for: a.identity, by: controller, change), by: controller)
        lan.push(lan.config(network, for: b.identity, by: controller, change), by: controller)
    }

    private func send(_ payload: [UInt8], from station: Station? = nil, etherType: UInt16 = 0x88b5) -> EthernetDrop? {
        let source = station ?? a
        let destination = source === a ? b : a
        return source.sendFrame(
            network: source === a ? slotA : slotB, source: network.mac(of: source.address),
            destination: network.mac(of: destination.address), etherType: etherType, payload: payload, now: lan.now)
    }

    private func credentials(_ change: (inout NetworkCredentials) -> Void) -> [UInt8] {
        var credentials = NetworkCredentials()
        change(&credentials)
        return credentials.encoded
    }

    @Test func `credentials go before the first frame, and both are accepted`() {
        configure()
        #expect(send([1, 2, 3]) == nil)
        lan.settle()
        #expect(b.frames.map(\.payload) == [[1, 2, 3]])
        let verbs = lan.log.filter { $0.from == a.address && $0.to == b.address }.map(\.verb)
        #expect(verbs.prefix(2) == [.networkCredentials, .frame])
        #expect(lan.crossings(.error).isEmpty)
        #expect(b.trusted == [a.address])
    }

    @Test func `credentials are shown again when they are of a newer configuration, or it is long ago`() {
        configure()
        _ = send([1])
        lan.settle()
        _ = send([2])
        lan.settle()
        #expect(lan.crossings(.networkCredentials, from: a.address).count == 1)
        lan.advance(.milliseconds(30_000))
        _ = send([3])
        lan.settle()
        #expect(lan.crossings(.networkCredentials, from: a.address).count == 1)
        lan.advance(.milliseconds(1))
        _ = send([4])
        lan.settle()
        #expect(lan.crossings(.networkCredentials, from: a.address).count == 2)
        configure()
        _ = send([5])
        lan.settle()
        #expect(lan.crossings(.networkCredentials, from: a.address).count == 3)
    }

    @Test func `a frame that overtakes the credentials waits for them`() {
        configure()
        lan.loses = { $0.verb == .networkCredentials }
        _ = send([7])
        lan.settle()
        #expect(b.frames.isEmpty)
        // Asked for at once.
        #expect(lan.crossings(.error, from: b.address, to: a.address).count == 1)
        lan.loses = { _ in false }
        // The push of a second ago was lost; a second later one is allowed again, and b asks twice a second.
        lan.advance(.milliseconds(1499))
        #expect(b.frames.isEmpty)
        lan.advance(.milliseconds(1))
        #expect(b.frames.map(\.payload) == [[7]])
        #expect(lan.crossings(.error, from: b.address).count == 4)
    }

    @Test func `a frame whose sender never proves itself is given up after five seconds`() {
        configure()
        lan.loses = { $0.verb == .networkCredentials }
        _ = send([7])
        lan.advance(.milliseconds(5000))
        #expect(b.drops(.waitingTimedOut) == 1 && b.frames.isEmpty)
        let asked = lan.crossings(.error, from: b.address).count
        #expect((9...11).contains(asked))
        lan.loses = { _ in false }
        lan.advance(.seconds(20))
        #expect(lan.crossings(.error, from: b.address).count == asked && b.frames.isEmpty)
    }

    @Test func `a frame that comes before the own configuration waits for it`() {
        lan.push(lan.config(network, for: a.identity, by: controller), by: controller)
        _ = send([7])
        lan.settle()
        #expect(b.frames.isEmpty)
        lan.push(lan.config(network, for: b.identity, by: controller), by: controller)
        lan.advance(.milliseconds(500))
        #expect(b.frames.map(\.payload) == [[7]])
    }

    @Test func `a membership waits for the controller's identity, then lets the frame in`() throws {
        let c = lan.add(0x55_0000_0001)
        c.answersIdentities = false
        let slot = try #require(
            c.join(
                network, savedConfiguration: lan.config(network, for: c.identity, by: controller).encoded, now: lan.now)
        )
        lan.settle()
        configure()
        a.sendFrame(
            network: slotA, source: network.mac(of: a.address), destination: network.mac(of: c.address),
            etherType: 0x88b5, payload: [7], now: lan.now)
        lan.settle()
        #expect(c.frames.isEmpty && c.events.contains(.wantsIdentity(controller.address)))
        c.learn(controller.withoutSecret, now: lan.now)
        lan.settle()
        // Now the member's own identity decides.
        #expect(c.frames.isEmpty && c.events.contains(.wantsIdentity(a.address)))
        c.learn(a.identity.withoutSecret, now: lan.now)
        lan.settle()
        #expect(c.frames.map(\.payload) == [[7]])
        #expect(c.members(of: slot) == [a.address])
    }

    @Test func `an outsider, and one who shows another's membership, stays out`() throws {
        configure()
        let eve = lan.makeIdentity(0x77_0000_0001)
        let frame = Frame(network: network, etherType: 0x88b5, data: [6, 6, 6]).encoded
        lan.deliver(Crossing(from: eve.address, to: b.address, verb: .frame, payload: frame))
        let stolen = try #require(a.configuration(of: slotA)?.membership)
        var forged = stolen
        forged.qualifiers[2].value = eve.address.value
        let own = Membership(
            network: network, issuedTo: eve, timestamp: UInt64(lan.now.unixMilliseconds), window: 1, signedBy: eve)
        for membership in [stolen, forged, own] {
            let payload = credentials { $0.memberships = [membership] }
            lan.deliver(Crossing(from: eve.address, to: b.address, verb: .networkCredentials, payload: payload))
            lan.deliver(Crossing(from: eve.address, to: b.address, verb: .frame, payload: frame))
            lan.advance(.seconds(2))
        }
        #expect(b.frames.isEmpty && !b.members(of: slotB).contains(eve.address))
        #expect(b.drops(.credentialInvalid) == 2)
        #expect(b.drops(.waitingTimedOut) > 0)
    }

    @Test func `memberships that are too far apart in time do not agree`() {
        lan.push(lan.config(network, for: a.identity, by: controller), by: controller)
        let late = UInt64(lan.now.unixMilliseconds) + 1_800_001
        lan.push(lan.config(network, for: b.identity, by: controller, timestamp: late), by: controller)
        _ = send([7])
        lan.advance(.seconds(6))
        #expect(b.frames.isEmpty)
        lan.push(lan.config(network, for: a.identity, by: controller, timestamp: late - 1_800_000), by: controller)
        _ = send([8])
        lan.settle()
        #expect(b.frames.map(\.payload) == [[8]])
    }

    @Test func `a peer may show new credentials once a second, and old ones always`() {
        configure()
        func membership(_ age: UInt64) -> [UInt8] {
            let time = UInt64(lan.now.unixMilliseconds) - age
            let made = lan.config(network, for: a.identity, by: controller, timestamp: time).membership
            return credentials { $0.memberships = [made].compactMap { $0 } }
        }
        let (first, second) = (membership(500), membership(0))
        func show(_ payload: [UInt8]) -> Reception {
            b.receive(.networkCredentials, payload, from: a.address, packetID: PacketID(1), now: lan.now)
        }
        #expect(show(first) == .done(trusted: true))
        #expect(show(second) == .drop(.credentialsTooOften))
        lan.advance(.milliseconds(999))
        #expect(show(second) == .drop(.credentialsTooOften))
        lan.advance(.milliseconds(1))
        // The same again is welcome and proves as much; it costs nothing, so it does not keep the other one out.
        for _ in 0..<3 { #expect(show(first) == .done(trusted: true)) }
        #expect(show(second) == .done(trusted: true))
        #expect(show(first) == .drop(.credentialsTooOften))
    }

    @Test func `the controller may show new ones more often, as many as its budget of signatures allows`() {
        configure()
        func say(_ age: UInt64) -> Reception {
            let time = UInt64(lan.now.unixMilliseconds) - age
            let payload = credentials { $0.revocations = [revocation(of: a.address, through: time)] }
            return b.receive(
                .networkCredentials, payload, from: controller.address, packetID: PacketID(1), now: lan.now)
        }
        #expect(say(5000) == .done(trusted: true))
        #expect(say(4000) == .drop(.credentialsTooOften))
        lan.advance(.milliseconds(50))
        #expect(say(3000) == .done(trusted: true))
    }

    @Test func `replays of what a controller said do not keep out whom it revokes now`() {
        configure()
        let time = UInt64(lan.now.unixMilliseconds)
        let old = credentials { $0.revocations = [revocation(of: a.address, through: time - 5000)] }
        func say(_ payload: [UInt8]) -> Reception {
            b.receive(.networkCredentials, payload, from: controller.address, packetID: PacketID(1), now: lan.now)
        }
        #expect(say(old) == .done(trusted: true))
        _ = send([1])
        lan.advance(.seconds(6))
        #expect(b.frames.map(\.payload) == [[1]], "void is what was issued before")
        for _ in 0..<20 { #expect(say(old) == .done(trusted: true)) }
        #expect(say(credentials { $0.revocations = [revocation(of: a.address)] }) == .done(trusted: true))
        b.frames.removeAll()
        _ = send([2])
        lan.advance(.seconds(6))
        #expect(b.frames.isEmpty)
    }

    // MARK: Revocation

    private func revocation(of target: Address, through threshold: UInt64? = nil) -> Revocation {
        Revocation(
            id: 1, network: network, of: .membership, credentialID: 0,
            threshold: threshold ?? UInt64(lan.now.unixMilliseconds), target: target, signedBy: controller)
    }

    @Test func `a revoked member is out until it has a newer membership, and the word spreads once`() throws {
        configure()
        let c = lan.add(0x55_0000_0001)
        let slotC = try #require(c.join(network, now: lan.now))
        lan.settle()
        lan.push(lan.config(network, for: c.identity, by: controller), by: controller)
        // All know each other.
        _ = send([1])
        _ = send([1], from: b)
        for station in [a, b] {
            c.sendFrame(
                network: slotC, source: network.mac(of: c.address), destination: network.mac(of: station.address),
                etherType: 0x88b5, payload: [1], now: lan.now)
        }
        lan.settle()
        lan.advance(.seconds(2))
        let before = lan.crossings(.networkCredentials).count
        let payload = credentials { $0.revocations = [revocation(of: a.address)] }
        lan.deliver(Crossing(from: controller.address, to: b.address, verb: .networkCredentials, payload: payload))
        lan.settle()
        let spread = lan.crossings(.networkCredentials).dropFirst(before)
        // b tells a and c; a tells c and c tells a, who know it by then.
        #expect(spread.filter { $0.from == b.address }.map(\.to) == [a.address, c.address].sorted())
        #expect(spread.count <= 4)
        b.frames.removeAll()
        _ = send([2])
        lan.advance(.seconds(6))
        #expect(b.frames.isEmpty)
        lan.push(lan.config(network, for: a.identity, by: controller), by: controller)
        _ = send([3])
        lan.settle()
        #expect(b.frames.map(\.payload) == [[3]])
        _ = slotC
    }

    @Test func `a forged revocation does nothing`() {
        configure()
        _ = send([1])
        lan.settle()
        var forged = revocation(of: a.address)
        forged.threshold += 1
        let payload = credentials { $0.revocations = [forged] }
        lan.deliver(Crossing(from: controller.address, to: b.address, verb: .networkCredentials, payload: payload))
        lan.settle()
        #expect(b.drops(.credentialInvalid) == 1)
        _ = send([2])
        lan.settle()
        #expect(b.frames.map(\.payload) == [[1], [2]])
    }

    @Test func `a revocation is not forgotten with the member`() {
        configure()
        _ = send([1])
        lan.settle()
        let payload = credentials { $0.revocations = [revocation(of: a.address)] }
        lan.deliver(Crossing(from: controller.address, to: b.address, verb: .networkCredentials, payload: payload))
        b.forget(a.address)
        lan.advance(.seconds(40))
        _ = send([2])
        lan.advance(.seconds(6))
        #expect(b.frames.map(\.payload) == [[1]])
    }

    // MARK: Tags and capabilities

    private let tagged: [Rule] = [
        Rule(.tagsEqual(id: 7, value: 1), not: true), Rule(.drop), Rule(.accept),
    ]

    private func configureTagged(_ member: Station, _ value: UInt32) {
        let issued = UInt64(lan.now.unixMilliseconds)
        lan.push(
            lan.config(network, for: member.identity, by: controller) {
                $0.rules = tagged
                $0.tags = [
                    ZeroTierWire.Tag(
                        network: network, timestamp: issued, id: 7, value: value, issuedTo: member.address,
                        signedBy: controller)
                ]
            }, by: controller)
    }

    @Test func `tags decide at the receiver when the sender does not know them, then at both`() {
        configureTagged(a, 1)
        configureTagged(b, 2)
        // a does not know b's tag: the frame goes, b refuses it.
        #expect(send([1]) == nil)
        lan.settle()
        #expect(b.frames.isEmpty && b.drops(.ruleInbound) == 1)
        lan.advance(.seconds(2))
        // Known to differ once b showed its own.
        _ = send([1], from: b)
        lan.settle()
        #expect(send([2], from: b) == .ruleOutbound)
    }

    private func showDifferentTags() {
        configureTagged(a, 1)
        configureTagged(b, 2)
        for station in [b, a] {
            _ = send([1], from: station)
            lan.settle()
            lan.advance(.seconds(2))
        }
    }

    @Test func `a change of tags is shown to known members at once, so that nobody is locked out`() {
        showDifferentTags()
        // Both sides drop by the old tags now.
        configureTagged(b, 1)
        #expect(send([9]) == nil)
        lan.settle()
        #expect(b.frames.map(\.payload) == [[9]])
    }

    @Test func `a change of tags that comes right after what a member looks at is shown again`() {
        showDifferentTags()
        // Two changes within a second: a looks at the credentials of the first one alone.
        configureTagged(b, 3)
        lan.advance(.milliseconds(300))
        configureTagged(b, 1)
        #expect(send([8]) == .ruleOutbound)
        lan.advance(.milliseconds(1200))
        #expect(send([9]) == nil)
        lan.settle()
        #expect(b.frames.map(\.payload) == [[9]])
    }

    @Test func `a capability lets its holder's frames through where the base rules leave it open`() {
        let issued = UInt64(lan.now.unixMilliseconds)
        func push(_ member: Station, holdsIt: Bool) {
            lan.push(
                lan.config(network, for: member.identity, by: controller) {
                    $0.rules = [Rule(.etherType(0x0806)), Rule(.accept)]
                    if holdsIt {
                        $0.capabilities = [
                            Capability(
                                network: network, timestamp: issued, id: 3,
                                rules: [Rule(.etherType(0x88b5)), Rule(.accept)], issuedTo: member.address,
                                signedBy: controller)
                        ]
                    }
                }, by: controller)
        }
        push(a, holdsIt: true)
        push(b, holdsIt: false)
        #expect(send([1]) == nil)
        lan.settle()
        #expect(b.frames.map(\.payload) == [[1]])
        #expect(send([2], from: b) == .ruleOutbound)
        let frame = Frame(network: network, etherType: 0x88b5, data: [3])
        lan.deliver(Crossing(from: b.address, to: a.address, verb: .frame, payload: frame.encoded))
        lan.advance(.seconds(3))
        #expect(a.frames.isEmpty)
    }

    // MARK: Limits

    @Test func `packets that wait are bounded, per sender and in all`() {
        configure()
        func deliver(from address: UInt64) {
            let frame = Frame(network: network, etherType: 0x88b5, data: [1])
            lan.deliver(Crossing(from: Address(address), to: b.address, verb: .frame, payload: frame.encoded))
        }
        for _ in 0..<EthernetLimits.waitingPacketsPerPeer { deliver(from: 0x21) }
        #expect(b.drops(.waitingQueueFull) == 0)
        deliver(from: 0x21)
        #expect(b.drops(.waitingQueueFull) == 1)
        let rest = EthernetLimits.waitingPackets - EthernetLimits.waitingPacketsPerPeer
        for index in 0..<rest { deliver(from: 0x1000 + UInt64(index)) }
        #expect(b.drops(.waitingQueueFull) == 1)
        deliver(from: 0x2000)
        #expect(b.drops(.waitingQueueFull) == 2)
    }

    @Test func `members are bounded, the one unused longest gives way`() throws {
        let small = lan.add(0x55_0000_0001) { $0.membersPerNetwork = 3 }
        let slot = try #require(small.join(network, now: lan.now))
        lan.settle()
        lan.push(lan.config(network, for: small.identity, by: controller) { $0.isPublic = true }, by: controller)
        for address in [0x21, 0x22, 0x23, 0x21, 0x24] as [UInt64] {
            let frame = Frame(network: network, etherType: 0x88b5, data: [1])
            lan.deliver(Crossing(from: Address(address), to: small.address, verb: .frame, payload: frame.encoded))
            lan.advance(.milliseconds(10))
        }
        #expect(small.members(of: slot) == [Address(0x21), Address(0x23), Address(0x24)])
    }

    @Test func `who lets much wait displaces itself, not another`() throws {
        configure()
        func deliver(from address: UInt64, _ number: UInt8) {
            let frame = Frame(network: network, etherType: 0x88b5, data: [number])
            lan.deliver(Crossing(from: Address(address), to: b.address, verb: .frame, payload: frame.encoded))
        }
        // A member whose credentials are on their way.
        deliver(from: a.address.value, 1)
        deliver(from: a.address.value, 2)
        for number in 0..<2 * EthernetLimits.waitingPackets { deliver(from: 0x1000 + UInt64(number % 64), 9) }
        let config = try #require(a.configuration(of: slotA))
        let shown = credentials { $0.memberships = [config.membership].compactMap { $0 } }
        lan.deliver(Crossing(from: a.address, to: b.address, verb: .networkCredentials, payload: shown))
        lan.settle()
        #expect(b.frames.map(\.payload) == [[1], [2]])
    }

    @Test func `strangers who ask for credentials displace neither revocations nor what members proved`() throws {
        let small = lan.add(0x55_0000_0001) { $0.membersPerNetwork = 4 }
        let slot = try #require(small.join(network, now: lan.now))
        lan.settle()
        configure()
        lan.push(lan.config(network, for: small.identity, by: controller), by: controller)
        for station in [a, b] {
            station.sendFrame(
                network: station === a ? slotA : slotB, source: network.mac(of: station.address),
                destination: network.mac(of: small.address), etherType: 0x88b5, payload: [1], now: lan.now)
        }
        lan.settle()
        #expect(small.frames.count == 2)
        lan.advance(.seconds(2))
        let payload = credentials { $0.revocations = [revocation(of: a.address)] }
        lan.deliver(Crossing(from: controller.address, to: small.address, verb: .networkCredentials, payload: payload))
        lan.settle()
        for number in 0..<20 as Range<UInt64> {
            lan.advance(.milliseconds(10))
            let error = ErrorReply(
                inReplyTo: .frame, packetID: PacketID(1), reason: .needMembershipCertificate(network))
            lan.deliver(
                Crossing(from: Address(0x2000 + number), to: small.address, verb: .error, payload: error.encoded))
            lan.settle()
        }
        let members = small.members(of: slot)
        #expect(members.count == 4 && members.contains(a.address) && members.contains(b.address))
        small.frames = []
        let config = try #require(a.configuration(of: slotA))
        let shown = credentials { $0.memberships = [config.membership].compactMap { $0 } }
        lan.deliver(Crossing(from: a.address, to: small.address, verb: .networkCredentials, payload: shown))
        let frame = Frame(network: network, etherType: 0x88b5, data: [2])
        lan.deliver(Crossing(from: a.address, to: small.address, verb: .frame, payload: frame.encoded))
        lan.settle()
        #expect(small.frames.isEmpty, "a is out")
        lan.deliver(Crossing(from: b.address, to: small.address, verb: .frame, payload: frame.encoded))
        #expect(small.frames.map(\.payload) == [[2]], "b need not show its credentials again")
    }

    @Test func `packets and frames out are bounded`() throws {
        let small = lan.add(0x55_0000_0001) {
            $0.packetQueue = 2
            $0.localQueue = 1
        }
        let network = NetworkID(0xff0a_0000_0000_0001)
        let slot = try #require(small.join(network, now: lan.now))
        for number in 1...3 as ClosedRange<UInt64> {
            small.sendFrame(
                network: slot, source: network.mac(of: small.address), destination: network.mac(of: Address(number)),
                etherType: 0x88b5, payload: [1], now: lan.now)
        }
        #expect(small.drops(.packetQueueFull) == 1 && small.packetCount == 2)
        for _ in 0..<2 {
            let mac = network.mac(of: small.address)
            small.sendFrame(
                network: slot, source: mac, destination: mac, etherType: 0x88b5, payload: [1], now: lan.now)
        }
        #expect(small.drops(.localQueueFull) == 1)
    }
}
