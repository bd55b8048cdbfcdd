//  Each known way around a rule, by name; the target "filter" looks for unknown ones.

import Testing

@testable import FuzzBodies

@Suite struct FilterTests {
    private static let tables: [FilterScene.Table] = FilterScene.Table.allCases

    @Test(arguments: FuzzSeed.hidingChains.indices, FilterScene.Table.allCases.indices)
    func `no chain of headers takes TCP past the rules`(_ chain: Int, _ table: Int) {
        let hidden = FuzzSeed.hidingChains[chain]
        var scene = FilterScene(Self.tables[table])
        scene.deliver(
            FilterScene.packet(isIPv4: false, first: hidden.first, chain: hidden.chain, port: 22), isIPv4: false)
        let isPassed = scene.isPassed
        #expect(!isPassed, "\(hidden.name)")
    }

    @Test(arguments: FuzzSeed.hidingCuts.indices, FilterScene.Table.allCases.indices)
    func `no cut takes TCP past the rules`(_ cut: Int, _ table: Int) {
        for (index, hidden) in ([(name: "", first: 6, chain: [])] + FuzzSeed.hidingChains).enumerated() {
            let isIPv4 = index == 0
            var scene = FilterScene(Self.tables[table])
            let packet = FilterScene.packet(isIPv4: isIPv4, first: hidden.first, chain: hidden.chain, port: 22)
            for piece in FuzzSeed.hidingCuts[cut].pieces {
                let fragment = FilterScene.piece(
                    of: packet, isIPv4: isIPv4, first: hidden.first, from: piece.start, length: piece.length, id: 7)
                if let fragment { scene.deliver(fragment, isIPv4: isIPv4) }
            }
            let isPassed = scene.isPassed
            #expect(!isPassed, "\(FuzzSeed.hidingCuts[cut].name) \(hidden.name)")
        }
    }

    @Test func `what the rules allow arrives, whole and in pieces`() {
        for isIPv4 in [true, false] {
            for pieces in [[(0, nil)], [(0, 32), (32, nil)], [(32, nil), (0, 32)]] as [[(Int, Int?)]] {
                // Port 23 is not forbidden by this table.
                var scene = FilterScene(.dropPort)
                let chain: [UInt8] = [6, 0, 1, 4, 0, 0, 0, 0]
                var packet = FilterScene.packet(isIPv4: isIPv4, first: 60, chain: chain, port: 23)
                packet += [UInt8](repeating: 0, count: 16)
                PacketBytes.repair(&packet, isIPv4: isIPv4)
                for (start, length) in pieces {
                    let fragment =
                        pieces.count == 1
                        ? packet
                        : FilterScene.piece(
                            of: packet, isIPv4: isIPv4, first: 60, from: start, length: length, id: 7)
                    if let fragment { scene.deliver(fragment, isIPv4: isIPv4) }
                }
                let received = scene.stack.statistics.tcp.received
                #expect(received == 1, "IPv4 \(isIPv4) \(pieces.count)")
            }
        }
    }

    @Test func `a datagram in pieces passes a table that accepts its port alone`() {
        // The later piece shows no port: the whole does.
        var scene = FilterScene(.acceptOthers)
        let udp: [UInt8] = [0x12, 0x34, 0, 53, 0, 48, 0, 0] + [UInt8](repeating: 5, count: 40)
        for isIPv4 in [true, false] {
            for (start, end) in [(0, 24), (24, 48)] {
                let more: UInt16 = end == 48 ? 0 : 1
                if isIPv4 {
                    let field = UInt16(start / 8) | more << 13
                    scene.deliver(
                        PacketBytes.ipv4(
                            17, from: FilterScene.peer4, to: FilterScene.own4, fragment: field, id: 9,
                            Array(udp[start..<end])), isIPv4: true)
                } else {
                    var fragment: [UInt8] = [17, 0, 0, 0, 0, 0, 0, 9]
                    fragment.store(UInt16(start) | more, at: 2)
                    scene.deliver(
                        PacketBytes.ipv6(
                            44, from: FilterScene.peer6, to: FilterScene.own6, fragment + udp[start..<end]),
                        isIPv4: false)
                }
            }
        }
        let (reassembled, received) = (scene.stack.statistics.reassembled, scene.stack.statistics.udp.received)
        #expect(reassembled == 2 && received == 2)
    }
}
