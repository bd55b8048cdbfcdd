import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierController

/// Requests, administration and what follows, under virtual time.
@Suite struct EngineTests {
    private func subnet(_ record: inout NetworkRecord) {
        record.assignsIPv4 = true
        record.pools = [AddressPool(first: IPAddress(v4: 0x0a00_0001), last: IPAddress(v4: 0x0a00_00fe))]
        record.routes = [NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a00_0000), length: 24))]
    }

    // MARK: Who is let in

    @Test func `a private network refuses, waits and lets in at once`() throws {
        let lab = Harness()
        let id = try lab.create { subnet(&$0) }
        let member = lab.member(1)
        lab.ask(id, member)
        #expect(try lab.errors(to: member.address) == [.networkAccessDenied(id)])
        #expect(lab.events.contains(.memberWaiting(id, member.address)))
        #expect(lab.waiting(id) == [member.address])
        #expect(lab.durable[.member(id, member.address)] == nil, "a stranger writes nothing")
        let ticket = try lab.change(member.address, of: id) { $0.isAuthorized = true }
        #expect(lab.answers[ticket] == .some(nil))
        let configs = try lab.configurations(of: member.address)
        #expect(configs.count == 1)
        let config = try #require(configs.first)
        #expect(config.addresses.count == 1 && config.membership?.issuedTo == member.address && !config.isPublic)
        #expect(config.ownerships.map(\.things) == [[.ip(config.addresses[0].address)]])
        let record = try #require(lab.member(member.address, of: id))
        #expect(record.admission == .administrator && record.identity == member.publicKeys)
        #expect(record.addresses == config.addresses.map(\.address))
        // Its next request is answered, once.
        lab.pass(.seconds(2))
        lab.ask(id, member)
        #expect(try lab.configurations(of: member.address).count == 1)
    }

    @Test func `a public network lets everybody in, and keeps them when it becomes private`() throws {
        let lab = Harness()
        let id = try lab.create {
            subnet(&$0)
            $0.isPrivate = false
        }
        lab.ask(id, lab.member(1))
        #expect(try lab.configurations(of: lab.member(1).address).map(\.isPublic) == [true])
        #expect(lab.member(lab.member(1).address, of: id)?.admission == .publicNetwork)
        try lab.change(id) { $0.isPrivate = true }
        #expect(try lab.configurations(of: lab.member(1).address).map(\.isPublic) == [false])
        lab.pass(.seconds(2))
        lab.ask(id, lab.member(2))
        lab.ask(id, lab.member(1))
        #expect(try lab.configurations(of: lab.member(2).address).isEmpty)
        #expect(try lab.configurations(of: lab.member(1).address).count == 1)
    }

    @Test func `a token lets its bearer in until it expires`() throws {
        let lab = Harness()
        let end = UInt64(lab.now.unixMilliseconds) + 60_000
        let id = try lab.create {
            $0.tokens = [
                AuthorizationToken(text: "sesame", expires: end), AuthorizationToken(text: "ever", expires: 0),
            ]
        }
        lab.ask(id, lab.member(1), token: "wrong")
        lab.ask(id, lab.member(2), token: "sesame")
        #expect(try lab.configurations(of: lab.member(1).address).isEmpty)
        #expect(try lab.configurations(of: lab.member(2).address).count == 1)
        #expect(lab.member(lab.member(2).address, of: id)?.admission == .token("sesame"))
        lab.pass(.seconds(61))
        lab.ask(id, lab.member(3), token: "sesame")
        lab.ask(id, lab.member(4), token: "ever")
        #expect(try lab.configurations(of: lab.member(3).address).isEmpty)
        #expect(try lab.configurations(of: lab.member(4).address).count == 1)
        // Whom an administrator let out, it does not let in again; an administrator does, or it is forgotten.
        let out = lab.member(4).address
        try lab.change(out, of: id) { $0.isAuthorized = false }
        lab.pass(.seconds(5))
        lab.ask(id, lab.member(4), token: "ever")
        #expect(try lab.configurations(of: out).isEmpty && lab.member(out, of: id)?.isAuthorized == false)
        try lab.engine.deleteMember(out, of: id, AdministrationTicket(900), now: lab.now)
        lab.pump()
        lab.pass(.seconds(5))
        lab.ask(id, lab.member(4), token: "ever")
        #expect(try lab.configurations(of: out).count == 1)
    }

    // Whom nobody let in yet, an administrator can keep out; a tool that sends a record back whole says nothing about that.
    @Test func `who was let out before it came is not let in by a token`() throws {
        let lab = Harness()
        let id = try lab.create { $0.tokens = [AuthorizationToken(text: "sesame", expires: 0)] }
        func send(_ text: String, to member: Address) throws {
            let change = try RecordChange<MemberRecord>(text: Array(text.utf8))
            try lab.change(member, of: id) { change.apply(to: &$0) }
        }
        let (out, whole, named) = (lab.member(1), lab.member(2), lab.member(3))
        lab.ask(id, out)
        #expect(try lab.errors(to: out.address).count == 1)
        try send(#"{"authorized":false}"#, to: out.address)
        try send(#"{"authorized":"false","name":"x","revision":1,"objtype":"member"}"#, to: whole.address)
        try send(#"{"name":"y"}"#, to: named.address)
        try lab.restart()
        lab.pass(.seconds(5))
        for member in [out, whole, named] { lab.ask(id, member, token: "sesame") }
        #expect(try lab.configurations(of: out.address).isEmpty && lab.errors(to: out.address).count == 1)
        #expect(lab.member(out.address, of: id)?.isAuthorized == false)
        #expect(try lab.configurations(of: whole.address).count == 1)
        #expect(try lab.configurations(of: named.address).count == 1)
        try send(#"{"authorized":true}"#, to: out.address)
        #expect(lab.member(out.address, of: id)?.isRefused == false)
        #expect(try lab.configurations(of: out.address).count == 1)
    }

    // It does not know who is there until they ask, which may take a minute.
    @Test func `a change right after a restart reaches those who were members before`() throws {
        let lab = Harness()
        let id = try lab.create { subnet(&$0) }
        let (member, made) = (lab.member(1), lab.member(2))
        lab.ask(id, member)
        try lab.change(member.address, of: id) { $0.isAuthorized = true }
        try lab.change(made.address, of: id) { $0.isAuthorized = true }
        #expect(try lab.configurations(of: member.address).count == 1)
        try lab.restart()
        try lab.change(id) { $0.mtu = 1400 }
        let configs = try lab.configurations(of: member.address)
        #expect(configs.map(\.mtu) == [1400] && configs[0].rules == [Rule(.accept)])
        #expect(try lab.configurations(of: made.address).isEmpty, "it never had one")
        try lab.change(member.address, of: id) { $0.addresses.append(IPAddress(v4: 0x0a00_0063)) }
        #expect(try lab.configurations(of: member.address).map(\.addresses.count) == [2])
        // Who did not ask for so long is away.
        lab.pass(.seconds(121))
        try lab.change(id) { $0.mtu = 1300 }
        #expect(try lab.configurations(of: member.address).isEmpty)
    }

    @Test func `an identity belongs to its address from the first request on`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        let member = lab.member(1)
        let forger = Identity(address: member.address, publicKeys: lab.member(2).publicKeys)
        lab.ask(id, member)
        #expect(try lab.configurations(of: member.address).count == 1)
        lab.pass(.seconds(2))
        lab.ask(id, forger)
        #expect(try lab.errors(to: member.address) == [.networkAccessDenied(id)])
        #expect(try lab.configurations(of: member.address).isEmpty)
        #expect(lab.drops(.identityChanged) == 1)
        // Who is made before it asks, is whoever asks first.
        try lab.change(lab.member(3).address, of: id) { $0.isAuthorized = true }
        lab.ask(id, Identity(address: lab.member(3).address, publicKeys: lab.member(2).publicKeys))
        #expect(lab.member(lab.member(3).address, of: id)?.identity == lab.member(2).publicKeys)
    }

    @Test func `requests that mean nothing here are counted`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        let member = lab.member(1)
        lab.ask(NetworkID(controller: Address(0x12_3456_7890), number: 1), member)
        #expect(lab.drops(.foreignNetwork) == 1 && lab.packets.isEmpty)
        lab.ask(NetworkID(controller: lab.identity.address, number: 0xabcdef), member)
        #expect(try lab.errors(to: member.address).count == 1)
        lab.engine.receive([1, 2, 3], from: member, packetID: PacketID(1), now: lab.now)
        #expect(lab.drops(.requestMalformed) == 1)
        lab.ask(id, member)
        lab.ask(id, member)
        #expect(lab.drops(.requestTooOften) == 1)
        #expect(try lab.configurations(of: member.address).count == 1)
        lab.pass(.milliseconds(1001))
        lab.ask(id, member)
        #expect(try lab.configurations(of: member.address).count == 1)
    }

    // MARK: Configurations

    @Test func `rules, tags and capabilities are for those who know them`() throws {
        let lab = Harness()
        let id = try lab.create {
            $0.isPrivate = false
            $0.rules = [Rule(.etherType(0x806)), Rule(.accept), Rule(.drop)]
            $0.capabilities = [
                CapabilityDefinition(id: 5, isDefault: true, rules: [Rule(.accept)]),
                CapabilityDefinition(id: 6, isDefault: false, rules: [Rule(.accept)]),
            ]
            $0.tags = [TagDefinition(id: 1, defaultValue: 9), TagDefinition(id: 2, defaultValue: nil)]
        }
        lab.ask(id, lab.member(1))
        lab.ask(id, lab.member(2), knowsRules: false)
        let new = try #require(try lab.configurations(of: lab.member(1).address).first)
        #expect(new.rules.count == 3 && new.capabilities.map(\.id) == [5] && new.tags.map(\.value) == [9])
        for capability in new.capabilities { #expect(capability.verdict { _ in lab.identity } == .valid) }
        for tag in new.tags { #expect(tag.verdict { _ in lab.identity } == .valid) }
        let old = try #require(try lab.configurations(of: lab.member(2).address).first)
        #expect(old.rules == [Rule(.accept)] && old.capabilities.isEmpty && old.tags.isEmpty)
        // A member that lost a default capability does not get it again.
        try lab.change(lab.member(1).address, of: id) { $0.capabilities = [6] }
        #expect(try lab.configurations(of: lab.member(1).address).map { $0.capabilities.map(\.id) } == [[6]])
    }

    @Test func `changes are pushed to those who were there within two minutes`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        lab.ask(id, lab.member(1))
        lab.pass(.seconds(100))
        lab.ask(id, lab.member(2))
        for index in 1...2 { _ = try lab.configurations(of: lab.member(index).address) }
        lab.pass(.seconds(21))
        let ticket = try lab.change(id) { $0.name = "new" }
        #expect(lab.answers[ticket] == .some(nil))
        #expect(try lab.configurations(of: lab.member(1).address).isEmpty)
        let pushed = try lab.configurations(of: lab.member(2).address)
        #expect(pushed.map(\.name) == ["new"] && pushed.map(\.revision) == [2])
        // A change that changes nothing writes nothing and tells nobody.
        let commits = lab.commits
        let same = try lab.change(id) { $0.name = "new" }
        #expect(lab.answers[same] == .some(nil) && lab.commits == commits)
        #expect(try lab.configurations(of: lab.member(2).address).isEmpty)
    }

    @Test func `all members learn who the bridges are`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        for index in 1...2 { lab.ask(id, lab.member(index)) }
        for index in 1...2 { _ = try lab.configurations(of: lab.member(index).address) }
        try lab.change(lab.member(1).address, of: id) { $0.isActiveBridge = true }
        for index in 1...2 {
            let configs = try lab.configurations(of: lab.member(index).address)
            #expect(configs.map { $0.isActiveBridge(lab.member(1).address) } == [true])
        }
    }

    @Test func `this node is a member of its own network without a packet`() throws {
        let lab = Harness()
        let id = try lab.create { subnet(&$0) }
        let metadata = RequestMetadata().dictionary.encoded
        lab.engine.receiveLocal(id, metadata: metadata, now: lab.now)
        lab.pump()
        #expect(lab.ownRefusals == [.accessDenied])
        try lab.change(lab.identity.address, of: id) { $0.isAuthorized = true }
        #expect(lab.ownConfigurations.map(\.addresses.count) == [1])
        try lab.change(lab.identity.address, of: id) { $0.isAuthorized = false }
        #expect(lab.ownRefusals == [.accessDenied, .accessDenied])
        #expect(lab.packets.isEmpty)
    }

    // MARK: Letting out

    @Test func `who is let out is revoked with all who are there, several times, and may ask at once`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        for index in 1...3 { lab.ask(id, lab.member(index)) }
        try lab.change(id) { $0.isPrivate = true }
        lab.packets = []
        let target = lab.member(1)
        let issued = lab.now.unixMilliseconds
        try lab.change(target.address, of: id) { $0.isAuthorized = false }
        for index in 1...3 {
            let revocations = try lab.revocations(to: lab.member(index).address)
            #expect(revocations.map(\.target) == [target.address])
            #expect(revocations.allSatisfy { $0.verdict { _ in lab.identity } == .valid && $0.isFastPropagated })
            #expect(revocations.allSatisfy { $0.threshold >= UInt64(issued) })
        }
        #expect(try lab.errors(to: target.address) == [.networkAccessDenied(id)])
        lab.ask(id, target)
        #expect(try lab.errors(to: target.address) == [.networkAccessDenied(id)])
        #expect(lab.drops(.requestTooOften) == 0)
        lab.pass(.seconds(5))
        #expect(try lab.revocations(to: lab.member(2).address).count == 2)
        lab.pass(.seconds(30))
        #expect(try lab.revocations(to: lab.member(2).address).isEmpty)
        // Let in again, what it gets is newer than what was revoked.
        try lab.change(target.address, of: id) { $0.isAuthorized = true }
        let config = try #require(try lab.configurations(of: target.address).last)
        let record = try #require(lab.member(target.address, of: id))
        #expect(config.timestamp > record.lastDeauthorizedTime)
    }

    @Test func `revocations of one second share packets, and there are ten in a second at most`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        for index in 1...6 { lab.ask(id, lab.member(index)) }
        lab.packets = []
        for index in 1...5 { try lab.change(lab.member(index).address, of: id) { $0.isAuthorized = false } }
        var times: [MonotonicInstant] = []
        var seen: Set<Address> = []
        for _ in 0..<80 {
            let packets = lab.packets.filter {
                $0.destination == lab.member(6).address && $0.verb == .networkCredentials
            }
            #expect(packets.count <= 1)
            if !packets.isEmpty { times.append(lab.now.monotonic) }
            for revocation in try lab.revocations(to: lab.member(6).address) { seen.insert(revocation.target) }
            lab.pass(.milliseconds(100))
        }
        #expect(seen == Set((1...5).map { lab.member($0).address }))
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 >= .milliseconds(100) } && times.count <= 6)
    }

    @Test func `who was away hears what was revoked meanwhile`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        for index in 1...2 { lab.ask(id, lab.member(index)) }
        lab.pass(.seconds(150))
        try lab.change(lab.member(1).address, of: id) { $0.isAuthorized = false }
        lab.packets = []
        lab.ask(id, lab.member(2))
        // With the next round: one began when it was let out.
        lab.pass(.milliseconds(1200))
        #expect(try lab.revocations(to: lab.member(2).address).map(\.target) == [lab.member(1).address])
    }

    @Test func `who is let in later hears what was revoked before, more than once`() throws {
        let lab = Harness()
        let id = try lab.create()
        for index in 1...3 { lab.ask(id, lab.member(index)) }
        for index in 1...2 { try lab.change(lab.member(index).address, of: id) { $0.isAuthorized = true } }
        try lab.change(lab.member(1).address, of: id) { $0.isAuthorized = false }
        lab.pass(.seconds(20))
        lab.packets = []
        try lab.change(lab.member(3).address, of: id) { $0.isAuthorized = true }
        lab.pass(.seconds(5))
        #expect(
            try lab.revocations(to: lab.member(3).address).map(\.target)
                == Array(repeating: lab.member(1).address, count: 3))
        #expect(try lab.revocations(to: lab.member(2).address).isEmpty)
    }

    @Test func `a deleted member waits as any other, a deleted network is gone for all`() throws {
        let lab = Harness()
        let id = try lab.create { subnet(&$0) }
        for index in 1...2 {
            lab.ask(id, lab.member(index))
            try lab.change(lab.member(index).address, of: id) { $0.isAuthorized = true }
        }
        lab.packets = []
        try lab.engine.deleteMember(lab.member(1).address, of: id, AdministrationTicket(900), now: lab.now)
        lab.pump()
        #expect(lab.durable[.member(id, lab.member(1).address)] == nil)
        #expect(try lab.revocations(to: lab.member(2).address).map(\.target) == [lab.member(1).address])
        lab.pass(.seconds(6))
        lab.packets = []
        let ticket = try lab.delete(id)
        #expect(lab.answers[ticket] == .some(nil) && lab.durable.isEmpty && lab.engine.networkIDs.isEmpty)
        #expect(try lab.errors(to: lab.member(2).address) == [.objectNotFound(id)])
        #expect(try lab.revocations(to: lab.member(2).address).map(\.target) == [lab.member(2).address])
        lab.pass(.seconds(2))
        lab.ask(id, lab.member(2))
        #expect(try lab.errors(to: lab.member(2).address) == [.objectNotFound(id)])
    }

    // MARK: The store

    @Test func `nothing is told before the store has it`() throws {
        let lab = Harness()
        let id = try lab.create {
            subnet(&$0)
            $0.isPrivate = false
        }
        lab.holdsCommits = true
        lab.ask(id, lab.member(1))
        #expect(lab.packets.isEmpty && lab.member(lab.member(1).address, of: id) == nil)
        let ticket = try lab.change(id) { $0.name = "later" }
        #expect(lab.answers[ticket] == nil && lab.network(id)?.name == "")
        lab.finishCommit()
        #expect(lab.member(lab.member(1).address, of: id) != nil)
        #expect(lab.answers[ticket] == nil && lab.network(id)?.name == "", "gathered, and not written yet")
        lab.finishCommit()
        #expect(lab.answers[ticket] == .some(nil) && lab.network(id)?.name == "later")
        let configs = try lab.configurations(of: lab.member(1).address)
        #expect(configs.last?.name == "later")
    }

    @Test func `two first requests never get one address, and share a write`() throws {
        let lab = Harness()
        let id = try lab.create {
            subnet(&$0)
            $0.isPrivate = false
        }
        lab.holdsCommits = true
        let commits = lab.commits
        for index in 1...20 { lab.ask(id, lab.member(index)) }
        lab.finishCommit()
        lab.finishCommit()
        #expect(lab.commits - commits == 2)
        var given: [IPAddress] = []
        for index in 1...20 {
            let config = try #require(try lab.configurations(of: lab.member(index).address).first)
            given += config.addresses.map(\.address)
        }
        #expect(given.count == 20 && Set(given).count == 20)
    }

    @Test func `what the store refuses is taken back, and what was decided on top of it`() throws {
        let lab = Harness()
        let id = try lab.create {
            subnet(&$0)
            $0.isPrivate = false
        }
        let before = try #require(lab.network(id))
        lab.holdsCommits = true
        let first = try lab.change(id) { $0.name = "first" }
        let second = try lab.change(id) { $0.mtu = 1400 }
        lab.ask(id, lab.member(1))
        let other = try lab.engine.createNetwork(nil, AdministrationTicket(77), now: lab.now) { _ in }
        lab.pump()
        lab.failsCommits = true
        lab.finishCommit()
        for ticket in [first, second, 77] { #expect(lab.answers[ticket] == .some(.storeFailed("disk full"))) }
        #expect(lab.network(id) == before && lab.network(other) == nil)
        #expect(lab.member(lab.member(1).address, of: id) == nil && lab.packets.isEmpty)
        #expect(lab.drops(.storeFailed) == 1)
        lab.failsCommits = false
        lab.holdsCommits = false
        lab.pass(.seconds(2))
        lab.ask(id, lab.member(1))
        #expect(try lab.configurations(of: lab.member(1).address).count == 1)
        try lab.change(id) { $0.name = "third" }
        #expect(lab.network(id)?.name == "third" && lab.network(id)?.mtu == 2800)
    }

    @Test func `a deletion that the store refuses leaves everything as it was`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        lab.ask(id, lab.member(1))
        lab.packets = []
        lab.holdsCommits = true
        let ticket = try lab.delete(id)
        #expect(throws: ControllerError.networkLeaving(id)) { try lab.change(id) { $0.name = "x" } }
        lab.pass(.seconds(2))
        lab.ask(id, lab.member(1))
        #expect(lab.drops(.networkLeaving) == 1)
        lab.failsCommits = true
        lab.finishCommit()
        lab.holdsCommits = false
        lab.failsCommits = false
        #expect(lab.answers[ticket] == .some(.storeFailed("disk full")) && lab.network(id) != nil)
        lab.ask(id, lab.member(1))
        #expect(try lab.configurations(of: lab.member(1).address).count == 1)
    }

    /// The process dies after the store wrote and before anybody heard of it, or before the store wrote.
    @Test(arguments: [true, false])
    func `a death between write and answer gives no address twice`(_ isWritten: Bool) throws {
        let lab = Harness()
        let id = try lab.create {
            subnet(&$0)
            $0.isPrivate = false
        }
        lab.ask(id, lab.member(1))
        let kept = try #require(try lab.configurations(of: lab.member(1).address).first?.addresses.first)
        lab.holdsCommits = true
        for index in 2...9 { lab.ask(id, lab.member(index)) }
        if isWritten { lab.finishCommit(isLost: true) }
        #expect(lab.packets.isEmpty)
        lab.holdsCommits = false
        try lab.restart()
        for index in 1...9 { lab.ask(id, lab.member(index)) }
        var given: Set<IPAddress> = []
        for index in 1...9 {
            let config = try #require(try lab.configurations(of: lab.member(index).address).first)
            for address in config.addresses { #expect(given.insert(address.address).inserted) }
            if index == 1 { #expect(config.addresses == [kept]) }
        }
    }

    @Test func `a configuration that is being signed is not sent to who is let out meanwhile`() throws {
        let lab = Harness()
        let id = try lab.create { $0.isPrivate = false }
        let member = lab.member(1)
        let request = NetworkConfigRequest(network: id, metadata: RequestMetadata().dictionary.encoded)
        lab.engine.receive(request.encoded, from: member, packetID: PacketID(1), now: lab.now)
        var signing: [SigningJob] = []
        while let job = lab.engine.nextJob(now: lab.now) {
            switch job {
            case .commit(_, let ticket): lab.engine.complete(ticket, failure: nil, now: lab.now)
            case .sign(let job): signing.append(job)
            }
        }
        #expect(signing.count == 1)
        lab.holdsCommits = true
        try lab.change(member.address, of: id) { $0.isAuthorized = false }
        for job in signing { lab.engine.complete(job.run(), now: lab.now) }
        lab.pump()
        #expect(try lab.configurations(of: member.address).isEmpty)
    }

    // MARK: Bounds, each exceeded

    @Test func `strangers that wait have a bound, the one silent for longest gives way`() throws {
        var configuration = ControllerConfiguration()
        configuration.strangersPerNetwork = 3
        let lab = Harness(configuration)
        let id = try lab.create()
        for index in 1...4 {
            lab.ask(id, lab.member(index))
            lab.pass(.seconds(1))
        }
        #expect(Set(lab.waiting(id)) == Set((2...4).map { lab.member($0).address }))
        #expect(lab.drops(.strangerGaveWay) == 1)
        lab.pass(.seconds(700))
        #expect(lab.waiting(id).isEmpty)
    }

    @Test func `a public network has a bound on members, and a controller one on networks`() throws {
        var configuration = ControllerConfiguration()
        configuration.membersPerNetwork = 2
        configuration.networks = 2
        let lab = Harness(configuration)
        let id = try lab.create { $0.isPrivate = false }
        for index in 1...3 { lab.ask(id, lab.member(index)) }
        #expect(try lab.errors(to: lab.member(3).address) == [.networkAccessDenied(id)])
        #expect(lab.drops(.membersFull) == 1 && lab.engine.members(of: id, limit: 9).count == 2)
        #expect(throws: ControllerError.self) {
            try lab.change(lab.member(4).address, of: id) { $0.isAuthorized = true }
        }
        try lab.create()
        #expect(throws: ControllerError.self) { try lab.create() }
    }

    @Test func `what waits for the store has a bound`() throws {
        var configuration = ControllerConfiguration()
        configuration.waiting = 8
        let lab = Harness(configuration)
        let id = try lab.create { $0.isPrivate = false }
        lab.holdsCommits = true
        for index in 1...20 { lab.ask(id, lab.member(index)) }
        #expect(lab.drops(.storeBusy) > 0)
        #expect(throws: ControllerError.storeBusy) { try lab.change(id) { $0.name = "x" } }
        lab.holdsCommits = false
        lab.finishCommit()
        lab.finishCommit()
        lab.pass(.seconds(2))
        for index in 1...20 { lab.ask(id, lab.member(index)) }
        #expect(lab.engine.members(of: id, limit: .max).count == 20)
    }
}
