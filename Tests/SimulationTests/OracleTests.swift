//  The oracle's table, and the simulated translators against RFC 4787.

import NetPrimitives
import Testing

@testable import NetworkSimulator

struct OracleTests {
    private func reach(_ first: NATKind, _ second: NATKind) -> Reach {
        Oracle.reach(.behind(nat: 0), .behind(nat: 1)) { NATModel($0 == 0 ? first : second) }
    }

    @Test func `only a symmetric translator opposite a port-sensitive one needs a relay`() {
        for first in NATKind.allCases {
            for second in NATKind.allCases {
                let isSensitive = { (kind: NATKind) in kind == .symmetric || kind == .portRestricted }
                let isRelayed =
                    first == .symmetric && isSensitive(second) || second == .symmetric && isSensitive(first)
                #expect(reach(first, second) == (isRelayed ? .relayed : .direct), "\(first) and \(second)")
            }
        }
    }

    @Test func `hosts kept apart behind one translator need hairpinning`() {
        for kind in NATKind.allCases {
            for hairpins in [false, true] {
                var model = NATModel(kind)
                model.hairpins = hairpins
                #expect(Oracle.reach(.behind(nat: 0), .behind(nat: 0)) { _ in model } == .direct)
                model.isolatesHosts = true
                let expected: Reach = hairpins && kind != .symmetric ? .direct : .relayed
                #expect(Oracle.reach(.behind(nat: 0), .behind(nat: 0)) { _ in model } == expected)
            }
        }
    }
}

struct TranslatorTests {
    private let inside = SocketEndpoint(IPAddress(v4: 0xc0a8_0002), port: 9993)
    private let server = SocketEndpoint(IPAddress(v4: 0x5000_0001), port: 9993)
    private let sibling = SocketEndpoint(IPAddress(v4: 0x5000_0001), port: 4000)
    private let stranger = SocketEndpoint(IPAddress(v4: 0x6000_0001), port: 9993)

    private func make(_ model: NATModel) -> SimulatedNAT {
        SimulatedNAT(
            model, address: IPAddress(v4: 0x5a00_0001), inside: IPPrefix(IPAddress(v4: 0xc0a8_0000), length: 24))
    }

    @Test(arguments: NATKind.allCases)
    func `a translator lets in whom its kind lets in`(kind: NATKind) {
        var random = RandomSource(seed: 1)
        var nat = make(NATModel(kind))
        let time = MonotonicInstant(nanoseconds: 1)
        let outside = nat.translateOut(from: inside, to: server, time, using: &random)
        #expect(nat.translateIn(from: server, toPort: outside.port, time) == inside)
        #expect((nat.translateIn(from: sibling, toPort: outside.port, time) == inside) == (kind.rawValue <= 1))
        #expect((nat.translateIn(from: stranger, toPort: outside.port, time) == inside) == (kind == .fullCone))
        let second = nat.translateOut(from: inside, to: stranger, time, using: &random)
        #expect((second == outside) == (kind != .symmetric))
    }

    @Test func `a mapping ends when nothing goes out for its time and takes another port then`() {
        var random = RandomSource(seed: 1)
        var model = NATModel(.fullCone)
        model.expiry = .seconds(30)
        var nat = make(model)
        let start = MonotonicInstant(nanoseconds: 1)
        let first = nat.translateOut(from: inside, to: server, start, using: &random)
        let before = start + .milliseconds(29_999)
        #expect(nat.translateIn(from: server, toPort: first.port, before) == inside)
        #expect(nat.translateIn(from: server, toPort: first.port, start + .seconds(30)) == nil)
        #expect(nat.translateOut(from: inside, to: server, start + .seconds(30), using: &random) != first)
    }

    @Test func `a translator that preserves ports does so for the first that wants one`() {
        var random = RandomSource(seed: 1)
        var model = NATModel(.portRestricted)
        model.preservesPorts = true
        var nat = make(model)
        let time = MonotonicInstant(nanoseconds: 1)
        #expect(nat.translateOut(from: inside, to: server, time, using: &random).port == 9993)
        let other = SocketEndpoint(IPAddress(v4: 0xc0a8_0003), port: 9993)
        #expect(nat.translateOut(from: other, to: server, time, using: &random).port != 9993)
    }
}

struct LinkTests {
    @Test func `a line with a rate delays by what is before and drops what its queue cannot hold`() {
        var random = RandomSource(seed: 1)
        var model = LinkModel(latency: .milliseconds(10))
        model.rate = 1_000_000
        model.queue = .milliseconds(50)
        var link = Link(model)
        let start = MonotonicInstant(nanoseconds: 1)
        // 1250 bytes with headers are 10 ms.
        let arrivals = (0..<8).map { _ in link.arrivals(1222, at: start, using: &random).first }
        #expect(arrivals[0] == start + .milliseconds(20))
        #expect(arrivals[1] == start + .milliseconds(30))
        #expect(arrivals[5] == start + .milliseconds(70))
        #expect(arrivals[6] == nil)
    }

    @Test func `a line loses and duplicates about as much as its model says`() {
        var random = RandomSource(seed: 1)
        var model = LinkModel(latency: .milliseconds(1))
        model.loss = 0.2
        model.duplication = 0.1
        var link = Link(model)
        var lost = 0
        var doubled = 0
        for index in 0..<10_000 {
            let arrivals = link.arrivals(100, at: MonotonicInstant(nanoseconds: UInt64(index)), using: &random)
            if arrivals.first == nil { lost += 1 }
            if arrivals.second != nil { doubled += 1 }
        }
        #expect((1800...2200).contains(lost))
        #expect((650...950).contains(doubled))
    }
}
