import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierController

/// Bounds on what waits because members are many, each exceeded.
@Suite struct BoundTests {
    // A public network on which members 1... are.
    private func network(_ lab: Harness, _ count: Int) throws -> NetworkID {
        let id = try lab.create { $0.isPrivate = false }
        for index in 1...count { lab.ask(id, lab.member(index)) }
        lab.packets = []
        return id
    }

    @Test func `members whose configuration is to be pushed have a bound`() throws {
        var configuration = ControllerConfiguration()
        configuration.pushes = 3
        let lab = Harness(configuration)
        let id = try network(lab, 5)
        try lab.change(id) { $0.name = "new" }
        #expect(lab.drops(.signingBusy) == 2)
        var pushed = 0
        for index in 1...5 { pushed += try lab.configurations(of: lab.member(index).address).count }
        #expect(pushed == 3)
        // The others have it when they ask.
        lab.pass(.seconds(2))
        for index in 1...5 { lab.ask(id, lab.member(index)) }
        for index in 1...5 { #expect(try lab.configurations(of: lab.member(index).address).map(\.name) == ["new"]) }
    }

    @Test func `what waits for signatures, and what waits to be taken, have bounds`() throws {
        var configuration = ControllerConfiguration()
        configuration.unsigned = 2
        configuration.effects = 4
        let lab = Harness(configuration)
        let id = try lab.create { $0.isPrivate = false }
        let request = NetworkConfigRequest(network: id, metadata: RequestMetadata().dictionary.encoded).encoded
        for index in 1...5 { lab.engine.receive(request, from: lab.member(index), packetID: PacketID(1), now: lab.now) }
        lab.pump()
        #expect(lab.drops(.signingBusy) > 0)
        let unknown = NetworkConfigRequest(
            network: NetworkID(controller: lab.identity.address, number: 0xabcdef), metadata: []
        ).encoded
        let before = lab.drops(.effectsFull)
        for _ in 0..<9 { lab.engine.receive(unknown, from: lab.member(6), packetID: PacketID(1), now: lab.now) }
        #expect(lab.drops(.effectsFull) == before + 5)
    }

    @Test func `so many signatures are under way at once, and what is made makes room`() throws {
        var configuration = ControllerConfiguration()
        configuration.signing = 2
        let lab = Harness(configuration)
        let id = try lab.create { $0.isPrivate = false }
        lab.holdsSignatures = true
        for index in 1...5 { lab.ask(id, lab.member(index)) }
        #expect(lab.unsigned.count == 2)
        #expect(lab.engine.waitingSignatures == 5)
        lab.sign()
        #expect(lab.engine.waitingSignatures == 0)
        for index in 1...5 { #expect(try lab.configurations(of: lab.member(index).address).count == 1) }
    }

    @Test func `newcomers are shown the latest revocations of a network, as many as are kept`() throws {
        var configuration = ControllerConfiguration()
        configuration.revocationsPerNetwork = 2
        let lab = Harness(configuration)
        let id = try network(lab, 3)
        for index in 1...3 {
            try lab.change(lab.member(index).address, of: id) {
                $0.isAuthorized = false
            }
            lab.pass(.seconds(5))
        }
        lab.packets = []
        lab.ask(id, lab.member(9))
        lab.pass(.seconds(5))
        #expect(
            Set(try lab.revocations(to: lab.member(9).address).map(\.target))
                == [lab.member(2).address, lab.member(3).address])
    }

    @Test func `who is let out while too many revocations wait is not, until there is room`() throws {
        var configuration = ControllerConfiguration()
        configuration.wantedRevocations = 4
        configuration.currentRevocations = 1
        let lab = Harness(configuration)
        let id = try network(lab, 6)
        var refused: [Int] = []
        for index in 1...6 {
            do {
                try lab.change(lab.member(index).address, of: id) { $0.isAuthorized = false }
            } catch ControllerError.storeBusy { refused.append(index) }
        }
        // One is on its way, two wait: that is the half for these.
        #expect(refused == [4, 5, 6])
        for index in refused { #expect(lab.member(lab.member(index).address, of: id)?.isAuthorized == true) }
        #expect(throws: ControllerError.storeBusy) {
            try lab.engine.deleteMember(lab.member(6).address, of: id, AdministrationTicket(9), now: lab.now)
        }
        // A deletion finds the half full: its members hear that the network is gone, and no revocations besides.
        let other = try lab.create { $0.isPrivate = false }
        lab.ask(other, lab.member(7))
        try lab.delete(other)
        #expect(lab.drops(.revocationsFull) == 1)
        #expect(try lab.errors(to: lab.member(7).address) == [.objectNotFound(other)])
        lab.pass(.seconds(30))
        try lab.change(lab.member(4).address, of: id) { $0.isAuthorized = false }
        lab.pass(.seconds(30))
        #expect(
            Set(try lab.revocations(to: lab.member(6).address).map(\.target))
                == Set((1...4).map { lab.member($0).address }))
    }

    @Test func `members that come back and hear of revocations have a bound`() throws {
        var configuration = ControllerConfiguration()
        configuration.returners = 2
        let lab = Harness(configuration)
        let id = try network(lab, 1)
        try lab.change(lab.member(1).address, of: id) { $0.isAuthorized = false }
        lab.pass(.seconds(10))
        lab.packets = []
        for index in 2...4 { lab.ask(id, lab.member(index)) }
        #expect(lab.drops(.returnersFull) == 1)
        lab.pass(.seconds(10))
        let told = try (2...4).filter { try !lab.revocations(to: lab.member($0).address).isEmpty }
        #expect(told == [2, 3])
    }

    @Test func `an answer that somebody waits for is never dropped`() throws {
        var configuration = ControllerConfiguration()
        configuration.effects = 1
        let lab = Harness(configuration)
        let id = try network(lab, 8)
        let before = lab.drops(.effectsFull)
        let tickets = [try lab.change(id) { $0.name = "x" }, try lab.delete(id)]
        #expect(tickets.allSatisfy { lab.answers[$0] == .some(nil) })
        #expect(lab.drops(.effectsFull) > before)
    }

    @Test func `revocations of a deleted network reach its members, however long their signature takes`() throws {
        let lab = Harness()
        let (first, second) = (try network(lab, 3), try lab.create { $0.isPrivate = false })
        for index in 4...5 { lab.ask(second, lab.member(index)) }
        // Those of the first network wait for their signature while those of the second go through all rounds.
        lab.holdsSignatures = true
        try lab.delete(first)
        lab.holdsSignatures = false
        try lab.change(lab.member(4).address, of: second) { $0.isAuthorized = false }
        lab.pass(.seconds(10))
        #expect(try lab.revocations(to: lab.member(5).address).count == 3)
        lab.packets = []
        lab.sign()
        lab.pass(.seconds(10))
        for index in 1...3 {
            #expect(
                Set(try lab.revocations(to: lab.member(index).address).map(\.target))
                    == Set((1...3).map { lab.member($0).address }))
        }
    }

    @Test func `of many that are let out at once, all are heard of before any is said again`() throws {
        let lab = Harness()
        let id = try network(lab, 99)
        lab.pass(.seconds(10))
        for index in 1...98 { try lab.change(lab.member(index).address, of: id) { $0.isAuthorized = false } }
        // A packet has 48 of them, and members look at one a second.
        lab.pass(.milliseconds(3 * 1100))
        #expect(Set(try lab.revocations(to: lab.member(99).address).map(\.target)).count == 98)
    }

    @Test func `a list that is read in parts has what is durable, each once`() throws {
        let lab = Harness()
        let id = try network(lab, 30)
        func pages(_ size: Int) -> [[Address]] {
            var pages: [[Address]] = []
            while true {
                let page = lab.engine.members(of: id, after: pages.last?.last, limit: size).map(\.address)
                if !page.isEmpty { pages.append(page) }
                if page.count < size { return pages }
            }
        }
        let all = (1...30).map { lab.member($0).address }.sorted()
        for size in [1, 7, 30, 31] { #expect(pages(size).flatMap(\.self) == all) }
        // Some go, some come, and nothing of it is durable yet.
        lab.holdsCommits = true
        for member in all.prefix(9) {
            try lab.engine.deleteMember(member, of: id, AdministrationTicket(9), now: lab.now)
        }
        for index in 50...70 { lab.ask(id, lab.member(index)) }
        for size in [1, 4, 7, 40] { #expect(pages(size).flatMap(\.self) == all) }
        lab.finishCommit()
        lab.finishCommit()
        let after = (Set(all.dropFirst(9)).union((50...70).map { lab.member($0).address })).sorted()
        for size in [1, 4, 7, 40, 42] { #expect(pages(size).flatMap(\.self) == after) }
    }

    @Test func `who has what is durable does not wait for others of its network`() throws {
        let lab = Harness()
        let id = try network(lab, 2)
        try lab.change(lab.member(3).address, of: id) { $0.isAuthorized = true }
        try lab.change(id) { $0.isPrivate = true }
        lab.pass(.seconds(2))
        lab.packets = []
        lab.holdsCommits = true
        lab.ask(id, lab.member(3))
        lab.ask(id, lab.member(1))
        #expect(try lab.configurations(of: lab.member(1).address).count == 1)
        #expect(try lab.configurations(of: lab.member(3).address).isEmpty)
        try lab.change(lab.member(2).address, of: id) { $0.isAuthorized = false }
        lab.ask(id, lab.member(2))
        #expect(try lab.configurations(of: lab.member(2).address).isEmpty)
        lab.finishCommit()
        lab.finishCommit()
        #expect(try lab.configurations(of: lab.member(3).address).count == 1)
        #expect(try lab.configurations(of: lab.member(2).address).isEmpty)
    }

    @Test func `addresses that are cleared are given anew, and free for others`() throws {
        let lab = Harness()
        let id = try lab.create {
            $0.isPrivate = false
            $0.assignsIPv4 = true
            $0.pools = [AddressPool(first: IPAddress(v4: 0x0a00_0001), last: IPAddress(v4: 0x0a00_0001))]
            $0.routes = [NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a00_0000), length: 24))]
        }
        let (first, second) = (lab.member(1).address, lab.member(2).address)
        lab.ask(id, lab.member(1))
        lab.ask(id, lab.member(2))
        #expect(lab.member(first, of: id)?.addresses.count == 1 && lab.member(second, of: id)?.addresses == [])
        try lab.change(first, of: id) { $0.addresses = [] }
        #expect(lab.member(first, of: id)?.addresses == [IPAddress(v4: 0x0a00_0001)])
        try lab.change(first, of: id) {
            $0.addresses = []
            $0.takesNoAssignment = true
        }
        #expect(lab.member(first, of: id)?.addresses == [])
        #expect(try lab.configurations(of: first).last?.addresses == [])
        lab.pass(.seconds(2))
        lab.ask(id, lab.member(2))
        #expect(lab.member(second, of: id)?.addresses == [IPAddress(v4: 0x0a00_0001)])
    }
}
