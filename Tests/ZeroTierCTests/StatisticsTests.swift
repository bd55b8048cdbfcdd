import CZeroTier
import Testing

@testable import ZeroTier
@testable import ZeroTierC

/// What is counted inside is given in both generations' structures.
@Suite struct StatisticsTests {
    private typealias Counters = StackCounters.Counters

    private let protocols: [WritableKeyPath<StackCounters, Counters>] = [
        \.link, \.arp, \.ipv4, \.ipv6, \.icmp4, \.icmp6, \.udp, \.tcp, \.nd6, \.igmp, \.fragments,
    ]
    private let kinds: [WritableKeyPath<Counters, UInt64>] = [
        \.received, \.sent, \.dropped, \.checksumErrors, \.lengthErrors, \.memoryErrors, \.routingErrors,
        \.protocolErrors,
        \.optionErrors,
    ]

    // Every counter has a number of its own: protocol times 100 and kind.
    private var numbered: StackCounters {
        var result = StackCounters()
        for (row, counters) in protocols.enumerated() {
            for (column, kind) in kinds.enumerated() {
                result[keyPath: counters][keyPath: kind] = UInt64(100 * (row + 1) + column)
            }
        }
        result.cacheHits = 9999
        return result
    }

    private func numbers<Structure>(_ structure: Structure) -> Set<UInt32> {
        withUnsafeBytes(of: structure) { Set($0.bindMemory(to: UInt32.self)) }
    }

    @Test func `each counter of the stack is in the first generation's structure`() {
        var structure = zts_stats()
        numbered.fill(&structure)
        let given = numbers(structure)
        for (row, counters) in protocols.enumerated() {
            for (column, kind) in kinds.enumerated() {
                // Its form for groups has no place for these two, which no group message counts.
                if counters == \.igmp, kind == \.routingErrors || kind == \.optionErrors { continue }
                #expect(given.contains(UInt32(100 * (row + 1) + column)), "protocol \(row), kind \(column)")
            }
        }
        #expect(structure.tcp.cachehit == 9999)
        #expect(structure.ip_frag.recv == structure.ip6_frag.recv && structure.ip_frag.recv == 1100)
        #expect(structure.link.recv == 100 && structure.nd6.xmit == 901 && structure.igmp.drop == 1002)
    }

    @Test func `each protocol of the second generation's structure has its sent, received, dropped and faulty`() {
        var structure = zts_stats_counter_t()
        numbered.fill(&structure)
        #expect(structure.link_rx == 100 && structure.nd6_rx == 900)
        let given = numbers(structure)
        for row in 1...9 {
            let errors = UInt32((3...8).reduce(0) { $0 + 100 * row + $1 })
            #expect(given.isSuperset(of: [UInt32(100 * row), UInt32(100 * row + 1), UInt32(100 * row + 2), errors]))
        }
        #expect(given.count == 36)
    }
}
