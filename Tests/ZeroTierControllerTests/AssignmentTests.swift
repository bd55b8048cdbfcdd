import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierController

/// Who gets which address. What a real controller gave is in the comments of `known`.
@Suite struct AssignmentTests {
    private static let id = NetworkID(0xe21d_e08d_c771_f654)

    private func network(_ change: (inout NetworkRecord) -> Void) -> NetworkRecord {
        var record = NetworkRecord(id: AssignmentTests.id)
        change(&record)
        return record
    }

    private func wide() -> NetworkRecord {
        network {
            $0.assignsIPv4 = true
            $0.pools = [AddressPool(first: IPAddress(v4: 0x0a2a_0001), last: IPAddress(v4: 0x0a2a_fffe))]
            $0.routes = [NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a2a_0000), length: 16))]
        }
    }

    private func plan(
        _ network: NetworkRecord, _ member: MemberRecord, taken: Set<IPAddress> = [], seed: UInt64 = 1
    ) -> AddressPlan {
        var random = RandomSource(seed: seed)
        return AddressPlan(network, member, &random) { taken.contains($0) }
    }

    /// As a controller of release 1.14.1 gave them.
    @Test(
        arguments: [
            (0x43_7a18_af52, "10.42.29.161"), (0x89_2dab_4ee8, "10.42.215.234"), (0xe2_1de0_8dc7, "10.42.231.104"),
        ] as [(UInt64, String)])
    func `the first candidate of an IPv4 pool is the field's`(_ address: UInt64, _ expected: String) throws {
        let plan = plan(wide(), MemberRecord(address: Address(address)))
        #expect(plan.addresses == [IPPrefix(try #require(IPAddress(expected)), length: 16)])
        #expect(plan.new == plan.addresses.map(\.address))
    }

    @Test func `an address that is taken is passed over, one that ends in 255 too`() throws {
        let member = MemberRecord(address: Address(0x43_7a18_af52))
        let first = try #require(IPAddress("10.42.29.161"))
        let second = plan(wide(), member, taken: [first])
        #expect(second.new == [IPAddress(v4: first.v4 + 1)])
        let upTo254 = Set((0...93).map { IPAddress(v4: first.v4 + $0) })
        #expect(plan(wide(), member, taken: upTo254).new == [try #require(IPAddress("10.42.30.0"))])
    }

    @Test func `a pool gives every address, the last one at the end, and then none`() {
        let small = network {
            $0.assignsIPv4 = true
            $0.pools = [AddressPool(first: IPAddress(v4: 0x0a00_0005), last: IPAddress(v4: 0x0a00_0009))]
            $0.routes = [NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a00_0000), length: 24))]
        }
        var taken: [IPAddress] = []
        for number in 1...5 {
            let plan = plan(small, MemberRecord(address: Address(UInt64(number) * 77)), taken: Set(taken))
            taken += plan.new
            #expect(taken.count == number)
        }
        #expect(taken.last == IPAddress(v4: 0x0a00_0009) && Set(taken).count == 5)
        #expect(plan(small, MemberRecord(address: Address(9)), taken: Set(taken)).new.isEmpty)
    }

    @Test func `a pool without a route gives nothing, nor does a member that takes nothing`() {
        var record = wide()
        record.routes = [NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a2b_0000), length: 16))]
        #expect(plan(record, MemberRecord(address: Address(1))).addresses.isEmpty)
        var member = MemberRecord(address: Address(1))
        member.takesNoAssignment = true
        record = wide()
        record.assignsRFC4193 = true
        #expect(plan(record, member).addresses.isEmpty)
        member.addresses = [IPAddress(v4: 0x0a2a_0909)]
        #expect(plan(record, member).addresses == [IPPrefix(IPAddress(v4: 0x0a2a_0909), length: 16)])
    }

    @Test func `addresses come in the field's order, with the longest prefix that leads there`() throws {
        var record = wide()
        record.assignsRFC4193 = true
        record.assigns6PLANE = true
        record.routes.append(
            NetworkRoute(target: try #require(IPPrefix("10.42.7.0/24")), via: IPAddress("10.42.0.1")))
        var member = MemberRecord(address: Address(0x43_7a18_af52))
        member.addresses = [try #require(IPAddress("10.42.7.7")), try #require(IPAddress("192.168.1.1"))]
        let plan = plan(record, member)
        #expect(
            plan.addresses.map(\.length)
                == [NetworkID.rfc4193PrefixLength, NetworkID.sixPlanePrefixLength, 24])
        #expect(plan.addresses[2].address == member.addresses[0] && plan.new.isEmpty && plan.emulatesNeighbours)
    }

    @Test func `IPv6 from a wide pool follows the member, from a narrow one it is drawn inside`() throws {
        let member = MemberRecord(address: Address(0x43_7a18_af52))
        let start = try #require(IPAddress("fd00:42::1"))
        let record = network {
            $0.assignsIPv6 = true
            $0.pools = [AddressPool(first: start, last: IPAddress(v6High: start.high, low: .max))]
            $0.routes = [NetworkRoute(target: IPPrefix(IPAddress(v6High: start.high, low: 0), length: 64))]
        }
        let wide = plan(record, member)
        #expect(wide.addresses == [IPPrefix(IPAddress(v6High: start.high, low: 1 + 0x43_7a18_af52), length: 64)])
        // The second one who would have it gets another one.
        let other = plan(record, member, taken: Set(wide.new))
        #expect(other.new.count == 1 && other.new != wide.new)
        for seed in UInt64(1)...50 {
            var narrow = record
            narrow.pools[0].last = IPAddress(v6High: start.high, low: 9)
            let found = try #require(plan(narrow, member, seed: seed).new.first)
            #expect(found >= start && found.low <= 9)
        }
        var routed = record
        routed.routes[0].via = start
        #expect(plan(routed, member).new.isEmpty)
    }

    @Test func `no more addresses than a configuration holds`() {
        var record = wide()
        record.assignsRFC4193 = true
        record.assigns6PLANE = true
        var member = MemberRecord(address: Address(1))
        member.addresses = (0..<40).map { IPAddress(v4: 0x0a2a_0100 + UInt32($0)) }
        #expect(plan(record, member).addresses.count == ProtocolLimits.staticAddresses)
    }
}
