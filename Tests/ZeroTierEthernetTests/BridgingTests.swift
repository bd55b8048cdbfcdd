// Active bridges: whom they may speak for, how the way back is found. And observers: TEE, WATCH, REDIRECT.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import ZeroTierEthernet

@Suite struct BridgingTests {
    let lan = Lan()
    let controller: Identity
    let network: NetworkID
    let outside = MACAddress(0x0a00_0000_0001)

    init() {
        controller = lan.makeIdentity(0x66_0000_0001)
        network = NetworkID(controller: controller.address, number: 0xbeef)
    }

    private func join(_ address: UInt64, _ change: (inout NetworkConfig) -> Void = { _ in }) throws -> (Station, SlotID)
    {
        let station = lan.add(address)
        let slot = try #require(station.join(network, now: lan.now))
        lan.settle()
        lan.push(lan.config(network, for: station.identity, by: controller, change), by: controller)
        return (station, slot)
    }

    private func send(
        from member: (Station, SlotID), source: MACAddress? = nil, to destination: MACAddress, _ payload: [UInt8],
        etherType: UInt16 = 0x88b5
    ) -> EthernetDrop? {
        let reason = member.0.sendFrame(
            network: member.1, source: source ?? network.mac(of: member.0.address), destination: destination,
            etherType: etherType, payload: payload, now: lan.now)
        lan.settle()
        return reason
    }

    private let bridge = Specialist(Address(0x21), roles: Specialist.activeBridge)

    @Test func `a bridge speaks for MACs behind it, and frames find the way back`() throws {
        let a = try join(0x21) { $0.specialists = [bridge] }
        let b = try join(0x22) { $0.specialists = [bridge] }
        #expect(a.0.snapshot(of: a.1)?.isBridge == true)
        let macB = network.mac(of: b.0.address)
        #expect(send(from: a, source: outside, to: macB, [1]) == nil)
        #expect(b.0.frames.map(\.source) == [outside])
        #expect(lan.crossings(.extendedFrame, from: a.0.address).count == 1)
        #expect(send(from: b, to: outside, [2]) == nil)
        lan.advance(.seconds(1))
        #expect(a.0.frames.map(\.payload) == [[2]])
        #expect(a.0.frames.first?.destination == outside && a.0.frames.first?.source == macB)
    }

    @Test func `nobody else speaks for foreign MACs`() throws {
        let a = try join(0x21)
        let b = try join(0x22)
        let macB = network.mac(of: b.0.address)
        #expect(send(from: a, source: outside, to: macB, [1]) == .notABridge)
        #expect(send(from: b, to: outside, [1]) == .noBridge)
        _ = send(from: a, to: macB, [0])
        func deliver(_ frame: ExtendedFrame) {
            lan.deliver(Crossing(from: a.0.address, to: b.0.address, verb: .extendedFrame, payload: frame.encoded))
            lan.settle()
        }
        let macA = network.mac(of: a.0.address)
        deliver(ExtendedFrame(network: network, destination: macB, source: outside, etherType: 1, data: [1]))
        #expect(b.0.drops(.bridgingNotAllowed) == 1)
        deliver(ExtendedFrame(network: network, destination: outside, source: macA, etherType: 1, data: [1]))
        #expect(b.0.drops(.notForUs) == 1)
        deliver(ExtendedFrame(network: network, destination: macB, source: macB, etherType: 1, data: [1]))
        deliver(ExtendedFrame(network: network, destination: macB, source: .zero, etherType: 1, data: [1]))
        #expect(b.0.drops(.ownSource) == 2)
        deliver(ExtendedFrame(network: network, destination: macB, source: macA, etherType: 1, data: [1]))
        deliver(ExtendedFrame(network: network, destination: .broadcast, source: macA, etherType: 1, data: [2]))
        #expect(b.0.frames.map(\.payload) == [[0], [1], [2]])
    }

    @Test func `a frame with a membership attached lets its sender in`() throws {
        let a = try join(0x21)
        let b = try join(0x22)
        let frame = ExtendedFrame(
            network: network, membership: a.0.configuration(of: a.1)?.membership,
            destination: network.mac(of: b.0.address), source: network.mac(of: a.0.address), etherType: 1, data: [5])
        lan.deliver(Crossing(from: a.0.address, to: b.0.address, verb: .extendedFrame, payload: frame.encoded))
        lan.settle()
        #expect(b.0.frames.map(\.payload) == [[5]])
        #expect(lan.crossings(.error).isEmpty)
    }

    @Test func `an unknown MAC is looked for behind all bridges, of many behind some`() throws {
        let few = (0..<3).map { Specialist(Address(0x31 + $0), roles: Specialist.activeBridge) }
        let b = try join(0x22) { $0.specialists = few }
        #expect(send(from: b, to: outside, [1]) == nil)
        #expect(lan.crossings(.extendedFrame).map(\.to) == few.map(\.address))
        let many = (0..<50).map { Specialist(Address(0x31 + $0), roles: Specialist.activeBridge) }
        lan.push(lan.config(network, for: b.0.identity, by: controller) { $0.specialists = many }, by: controller)
        lan.log.removeAll()
        _ = send(from: b, to: outside, [2])
        let targets = lan.crossings(.extendedFrame).map(\.to)
        #expect(targets.count == ProtocolLimits.bridgesPerFrame && Set(targets).count == targets.count)
    }

    @Test func `multicast of hosts behind a bridge carries their MAC, and makes their group ours`() throws {
        let a = try join(0x21) { $0.specialists = [bridge] }
        let b = try join(0x22) { $0.specialists = [bridge] }
        let group = MulticastGroup(mac: MACAddress(0x3333_0000_00fb))
        let likes = MulticastLike([MulticastLike.Record(network: network, group: group)]).encoded
        _ = send(from: b, to: network.mac(of: a.0.address), [0])
        lan.deliver(Crossing(from: b.0.address, to: a.0.address, verb: .multicastLike, payload: likes))
        #expect(send(from: a, source: outside, to: group.mac, [1]) == nil)
        lan.advance(.seconds(1))
        #expect(b.0.frames.map(\.source) == [outside])
        #expect(a.0.snapshot(of: a.1)?.multicastSubscriptions.contains(group) == true)
        lan.advance(.seconds(1300))
        #expect(a.0.snapshot(of: a.1)?.multicastSubscriptions.contains(group) == false)
    }

    @Test func `learned MACs are bounded; the bridge with the most loses all`() {
        var routes = BridgeRoutes()
        routes.learn(MACAddress(1), behind: Address(1))
        for number in 0..<UInt64(EthernetLimits.bridgeRoutes - 1) {
            routes.learn(MACAddress(0x100 + number), behind: Address(2))
        }
        #expect(routes.count == EthernetLimits.bridgeRoutes)
        routes.learn(MACAddress(2), behind: Address(3))
        #expect(routes.count == 2)
        #expect(routes.bridge(to: MACAddress(1)) == Address(1) && routes.bridge(to: MACAddress(0x100)) == nil)
        routes.learn(MACAddress(1), behind: Address(3))
        routes.remove(Address(1))
        #expect(routes.bridge(to: MACAddress(1)) == Address(3))
    }

    // MARK: Observers

    private let observer = Address(0x55)

    private func observed(_ rule: Rule.Kind) throws -> (
        a: (Station, SlotID), b: (Station, SlotID), c: (Station, SlotID)
    ) {
        let rules = [Rule(.etherType(0x88b5)), Rule(rule), Rule(.accept)]
        let a = try join(0x21) { $0.rules = rules }
        let b = try join(0x22) { $0.rules = rules }
        let c = try join(0x55) { $0.rules = rules }
        return (a, b, c)
    }

    @Test func `TEE copies the first bytes to an observer, from both ends`() throws {
        let (a, b, c) = try observed(.tee(observer, flags: 0, length: 2))
        let key = FrameKey(
            network: a.1, source: network.mac(of: a.0.address), destination: network.mac(of: b.0.address),
            etherType: 0x88b5, length: 4)
        guard case .control = a.0.route(key, frame: [1, 2, 3, 4], now: lan.now) else {
            Issue.record("copies cannot be made on the fast path")
            return
        }
        #expect(send(from: a, to: network.mac(of: b.0.address), [1, 2, 3, 4]) == nil)
        lan.advance(.seconds(2))
        #expect(b.0.frames.map(\.payload) == [[1, 2, 3, 4]])
        #expect(c.0.frames.map(\.payload) == [[1, 2], [1, 2]])
        #expect(c.0.frames.allSatisfy { $0.source == network.mac(of: a.0.address) })
        #expect(c.0.frames.allSatisfy { $0.destination == network.mac(of: b.0.address) })
        let reasons = try lan.crossings(.extendedFrame, to: observer).map {
            try ExtendedFrame(decoding: $0.payload).flags
        }
        #expect(reasons == [0x02, 0x08])
    }

    @Test func `WATCH is acknowledged`() throws {
        let (a, b, c) = try observed(.watch(observer, flags: 0, length: 0))
        #expect(send(from: a, to: network.mac(of: b.0.address), [1, 2, 3, 4]) == nil)
        lan.advance(.seconds(2))
        #expect(c.0.frames.count == 2)
        #expect(
            try lan.crossings(.extendedFrame, to: observer).map { try ExtendedFrame(decoding: $0.payload).flags }
                == [0x16, 0x1c])
        let answers = lan.crossings(.ok, from: observer).filter { $0.payload[0] == Verb.extendedFrame.rawValue }
        #expect(answers.map(\.to).sorted() == [a.0.address, b.0.address])
        #expect(answers.allSatisfy { Array($0.payload[9...]) == NetworkIDBytes(network) })
    }

    private func NetworkIDBytes(_ id: NetworkID) -> [UInt8] {
        var writer = ByteWriter()
        writer.networkID(id)
        return writer.bytes
    }

    @Test func `REDIRECT takes the frame away from its destination`() throws {
        let (a, b, c) = try observed(.redirect(observer, flags: 0, length: 0))
        _ = send(from: a, to: network.mac(of: b.0.address), [1, 2, 3, 4])
        lan.advance(.seconds(2))
        #expect(b.0.frames.isEmpty && a.0.drops(.redirected) == 1)
        #expect(c.0.frames.map(\.payload) == [[1, 2, 3, 4]])
        #expect(try ExtendedFrame(decoding: lan.crossings(.extendedFrame, to: observer)[0].payload).flags == 0x04)
    }
}
