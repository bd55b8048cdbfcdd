import NetPrimitives
import NetStack
import Testing
import ZeroTierController
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierWire

/// A node that controls a network, and its members: the ways between the machines.
@Suite struct ControllerTests {
    private final class Network {
        let lab: Lab
        let id: NetworkID
        private var ticket: UInt64 = 0
        private var echo: UInt16 = 0

        /// Host 0 is the root, host 1 the controller.
        init(nodes: Int, _ describe: @escaping (inout NetworkRecord) -> Void = { _ in }) throws {
            let lab = Lab(nodes: nodes)
            self.lab = lab
            lab.run(for: .seconds(10)) { (0...nodes).allSatisfy { lab.isOnline($0) } }
            try lab.act(1) { node, now in try node.enableController([], now: now) }
            let made = try lab.act(1) { node, now in
                try node.administer(now: now) { (engine) throws(ControllerError) in
                    try engine.createNetwork(nil, AdministrationTicket(0), now: now) { record in
                        record.assigns6PLANE = true
                        describe(&record)
                    }
                }
            }
            id = try #require(made)
        }

        func join(_ index: Int) { _ = lab.act(index) { [id] node, now in node.join(id, now: now) } }

        func authorize(_ index: Int, _ isAuthorized: Bool) throws {
            ticket += 1
            let member = lab.hosts[index].node.address
            let number = ticket
            let begun: Void? = try lab.act(1) { [id] node, now in
                try node.administer(now: now) { (engine) throws(ControllerError) in
                    try engine.changeMember(member, of: id, AdministrationTicket(number), now: now) {
                        $0.isAuthorized = isAuthorized
                    }
                }
            }
            #expect(begun != nil)
        }

        /// Whether a member reaches another one within a time.
        func reaches(_ from: Int, _ to: Int, within time: Duration) throws -> Bool {
            echo += 1
            let (number, address) = (echo, id.sixPlaneAddress(of: lab.hosts[to].node.address))
            lab.hosts[from].events = []
            try lab.act(from) { node, now in
                try [UInt8](repeating: 1, count: 8).withBytes { bytes in
                    try node.stack.sendEcho(to: address, identifier: 7, sequence: number, payload: bytes, now: now)
                }
            }
            return lab.run(for: time) { [lab] in
                lab.hosts[from].events.contains {
                    if case .echoReply(let reply) = $0 { reply.sequence == number } else { false }
                }
            }
        }

        func status(_ index: Int) -> NetworkSnapshot? { lab.hosts[index].node.network(id) }
    }

    @Test func `members are refused, let in, talk, and are cut off within a second`() throws {
        let network = try Network(nodes: 4)
        for index in 2...4 { network.join(index) }
        network.lab.run(for: .seconds(1))
        #expect((2...4).allSatisfy { network.status($0)?.status == .accessDenied })
        for index in 2...4 { try network.authorize(index, true) }
        network.lab.run(for: .milliseconds(500))
        #expect((2...4).allSatisfy { network.status($0)?.status == .ok })
        #expect(try network.reaches(2, 3, within: .seconds(2)))
        #expect(try network.reaches(3, 4, within: .seconds(2)))
        try network.authorize(3, false)
        network.lab.run(for: .seconds(1))
        #expect(network.status(3)?.status == .accessDenied, "it hears of it by asking, at once")
        #expect(try !network.reaches(2, 3, within: .seconds(3)))
        #expect(try !network.reaches(3, 4, within: .seconds(3)))
        #expect(try network.reaches(2, 4, within: .seconds(2)))
        try network.authorize(3, true)
        network.lab.run(for: .seconds(2))
        #expect(network.status(3)?.status == .ok)
        #expect(try network.reaches(2, 3, within: .seconds(2)))
    }

    @Test func `the controller is a member of its own network`() throws {
        let network = try Network(nodes: 3)
        network.join(1)
        network.join(2)
        network.lab.run(for: .milliseconds(100))
        #expect(network.status(1)?.status == .accessDenied)
        for index in 1...2 { try network.authorize(index, true) }
        network.lab.run(for: .milliseconds(500))
        #expect(network.status(1)?.status == .ok)
        #expect(try network.reaches(1, 2, within: .seconds(2)))
        #expect(try network.reaches(2, 1, within: .seconds(2)))
        try network.authorize(2, false)
        network.lab.run(for: .seconds(1))
        #expect(try !network.reaches(1, 2, within: .seconds(3)))
    }

    @Test func `addresses, routes and MTU of the network change at its members`() throws {
        let network = try Network(nodes: 2) { $0.isPrivate = false }
        network.join(2)
        network.lab.run(for: .seconds(1))
        #expect(network.status(2)?.addresses.count == 1)
        let id = network.id
        let begun: Void? = try network.lab.act(1) { node, now in
            try node.administer(now: now) { (engine) throws(ControllerError) in
                try engine.changeNetwork(id, AdministrationTicket(99), now: now) { record in
                    record.assignsIPv4 = true
                    record.mtu = 1400
                    record.pools = [AddressPool(first: IPAddress(v4: 0x0a09_0001), last: IPAddress(v4: 0x0a09_00fe))]
                    record.routes = [NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a09_0000), length: 24))]
                }
            }
        }
        #expect(begun != nil)
        network.lab.run(for: .seconds(1))
        let status = try #require(network.status(2))
        #expect(status.mtu == 1400 && status.addresses.count == 2 && status.routes.count == 1 && status.revision == 2)
    }

    @Test func `a node without a controller has none of its own networks`() {
        let lab = Lab(nodes: 2)
        lab.run(for: .seconds(10)) { (0...2).allSatisfy { lab.isOnline($0) } }
        let own = NetworkID(controller: lab.hosts[1].node.address, number: 1)
        for index in 1...2 { _ = lab.act(index) { node, now in node.join(own, now: now) } }
        lab.run(for: .seconds(1))
        for index in 1...2 { #expect(lab.hosts[index].node.network(own)?.status == .notFound) }
    }
}
