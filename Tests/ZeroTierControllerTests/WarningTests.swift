import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierController

/// What is accepted and does not do what it seems to.
@Suite struct WarningTests {
    private func pool(_ first: String, _ last: String) -> AddressPool {
        AddressPool(first: IPAddress(first)!, last: IPAddress(last)!)
    }

    private func route(_ target: String, via: String? = nil) -> NetworkRoute {
        NetworkRoute(target: IPPrefix(target)!, via: via.flatMap { IPAddress($0) })
    }

    private func warnings(_ lab: Harness, _ id: NetworkID) -> [RecordWarning] {
        lab.engine.warnings(of: id, lab.engine.subnets)
    }

    private func warnings(_ lab: Harness, _ member: Address, of id: NetworkID) throws -> [RecordWarning] {
        lab.engine.warnings(of: try #require(lab.member(member, of: id)), on: id)
    }

    @Test func `a network that does what it says has no warning`() throws {
        let lab = Harness()
        let id = try lab.create {
            $0.assignsIPv4 = true
            $0.assignsIPv6 = true
            $0.routes = [
                route("10.0.0.0/25"), route("10.0.0.128/25"), route("fd00::/64"),
                route("0.0.0.0/0", via: "10.0.0.1"), route("192.168.0.0/16", via: "10.0.0.200"),
            ]
            // Covered by two routes without a gap.
            $0.pools = [pool("10.0.0.1", "10.0.0.254"), pool("fd00::1", "fd00::ffff:ffff:ffff")]
            $0.rules = [Rule(.tagsEqual(id: 4, value: 1)), Rule(.accept)]
            $0.tags = [TagDefinition(id: 4, defaultValue: nil)]
        }
        #expect(warnings(lab, id) == [])
    }

    @Test func `pools and modes that give nothing`() throws {
        let lab = Harness()
        let id = try lab.create {
            $0.assignsIPv4 = true
            $0.routes = [route("10.0.0.0/24"), route("fd00::/64", via: "fd00::1")]
            $0.pools = [
                pool("10.0.1.1", "10.0.1.9"), pool("10.0.0.250", "10.0.1.3"), pool("fd00::5", "fd00::9"),
            ]
        }
        let pools = try #require(lab.network(id)).pools
        #expect(
            warnings(lab, id) == [
                .poolWithoutRoute(pools[0]), .poolWithoutRoute(pools[1]), .poolsOverlap(pools[0], pools[1]),
                .poolUnused(pools[2]), .poolWithoutRoute(pools[2]),
                .gatewayWithoutRoute(route("fd00::/64", via: "fd00::1")),
            ])
        try lab.change(id) {
            $0.pools = []
            $0.assignsIPv6 = true
        }
        #expect(warnings(lab, id).contains(.modeWithoutPool(isIPv4: true)))
        #expect(warnings(lab, id).contains(.modeWithoutPool(isIPv4: false)))
    }

    @Test func `a route to everywhere does not keep a pool from being used`() throws {
        let lab = Harness()
        let id = try lab.create {
            $0.isPrivate = false
            $0.assignsIPv4 = true
            $0.routes = [route("0.0.0.0/0", via: "10.0.0.1"), route("10.0.0.0/24")]
            $0.pools = [pool("10.0.0.2", "10.0.0.9")]
        }
        #expect(warnings(lab, id) == [])
        lab.ask(id, lab.member(1))
        #expect(lab.member(lab.member(1).address, of: id)?.addresses.count == 1)
    }

    @Test func `rules and members that name what is not defined`() throws {
        let lab = Harness()
        let id = try lab.create {
            $0.rules = [Rule(.tagSender(id: 7, value: 1)), Rule(.drop), Rule(.accept)]
            $0.capabilities = [
                CapabilityDefinition(id: 1, isDefault: false, rules: [Rule(.tagsAnd(id: 3, value: 1)), Rule(.accept)])
            ]
            $0.tags = [TagDefinition(id: 4, defaultValue: nil)]
        }
        #expect(warnings(lab, id) == [.tagUndefined(3), .tagUndefined(7)])
        let member = lab.member(1).address
        try lab.change(member, of: id) {
            $0.tags = [TagValue(id: 4, value: 1), TagValue(id: 5, value: 1)]
            $0.capabilities = [1, 2]
        }
        #expect(try warnings(lab, member, of: id) == [.tagUndefined(5), .capabilityUndefined(2)])
    }

    @Test func `addresses in no route, and those of two members, until one of them goes`() throws {
        let lab = Harness()
        let id = try lab.create { $0.routes = [route("10.0.0.0/24")] }
        let (first, second, third) = (lab.member(1).address, lab.member(2).address, lab.member(3).address)
        let (inside, outside) = (try #require(IPAddress("10.0.0.5")), try #require(IPAddress("10.9.0.5")))
        for member in [first, second, third] { try lab.change(member, of: id) { $0.addresses = [inside] } }
        try lab.change(first, of: id) { $0.addresses = [inside, outside] }
        let two = [first, second, third].sorted()
        #expect(
            try warnings(lab, first, of: id) == [
                .addressShared(inside, two[0], two[1]), .addressWithoutRoute(outside),
            ])
        #expect(warnings(lab, id) == [.addressShared(inside, two[0], two[1])])
        for isAfterRestart in [false, true] {
            if isAfterRestart { try lab.restart() }
            #expect(try warnings(lab, third, of: id).count == 1)
        }
        try lab.change(two[0], of: id) { $0.addresses = [] }
        #expect(warnings(lab, id) == [.addressShared(inside, two[1], two[2])])
        try lab.engine.deleteMember(two[1], of: id, AdministrationTicket(900), now: lab.now)
        lab.pump()
        #expect(warnings(lab, id) == [])
        try lab.change(two[2], of: id) { $0.addresses = [] }
        #expect(!lab.engine.networks[try #require(lab.engine.slots[id])].holders.isHeld(inside))
    }

    @Test func `subnets of two networks that overlap`() throws {
        let lab = Harness()
        let wide = try lab.create { $0.routes = [route("10.0.0.0/8"), route("fd00::/16")] }
        let narrow = try lab.create { $0.routes = [route("10.5.0.0/16"), route("192.168.0.0/24")] }
        let same = try lab.create { $0.routes = [route("192.168.0.0/24"), route("10.0.0.0/24")] }
        let far = try lab.create { $0.routes = [route("172.16.0.0/12"), route("10.6.0.0/16", via: "172.16.0.1")] }
        func subnet(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }
        #expect(
            try Set(warnings(lab, wide)) == [
                .routesOverlap(subnet("10.0.0.0/8"), narrow, subnet("10.5.0.0/16")),
                .routesOverlap(subnet("10.0.0.0/8"), same, subnet("10.0.0.0/24")),
            ])
        #expect(
            try warnings(lab, narrow) == [
                .routesOverlap(subnet("10.5.0.0/16"), wide, subnet("10.0.0.0/8")),
                .routesOverlap(subnet("192.168.0.0/24"), same, subnet("192.168.0.0/24")),
            ])
        #expect(warnings(lab, far) == [])
        try lab.delete(wide)
        #expect(warnings(lab, narrow).count == 1)
    }

    @Test func `a member that gets no address is told of once, and shown until it has one`() throws {
        let lab = Harness()
        let id = try lab.create {
            $0.isPrivate = false
            $0.assignsIPv4 = true
            $0.routes = [route("10.0.0.0/24")]
            $0.pools = [pool("10.0.0.5", "10.0.0.6")]
        }
        for index in 1...2 { lab.ask(id, lab.member(index)) }
        #expect(warnings(lab, id) == [.poolsFull(isIPv4: true)])
        let late = lab.member(3)
        #expect(!lab.events.contains(.addressMissing(id, late.address)))
        for _ in 0..<3 {
            lab.ask(id, late)
            lab.pass(.seconds(60))
        }
        #expect(lab.events.count { $0 == .addressMissing(id, late.address) } == 1)
        for isAfterRestart in [false, true] {
            if isAfterRestart { try lab.restart() }
            #expect(try warnings(lab, late.address, of: id) == [.addressMissing(isIPv4: true)])
            #expect(try warnings(lab, lab.member(1).address, of: id) == [])
        }
        // What has no place in the original's records has none in ours.
        let json = try #require(lab.member(late.address, of: id)).json(of: id).text
        #expect(json.contains(#""ipAssignments":[]"#) && !json.contains("warning"))
        try lab.change(id) { $0.pools.append(pool("10.0.0.7", "10.0.0.9")) }
        lab.ask(id, late)
        #expect(try warnings(lab, late.address, of: id) == [] && warnings(lab, id) == [])
        #expect(lab.member(late.address, of: id)?.addresses.count == 1)
    }
}
