// What a station is answered that speaks in the names of neighbours who do not exist.

import NetPrimitives
import Testing

@testable import NetStack

struct StrangerAnswerTests {
    private static let thief = MACAddress(0x0200_0000_0044)

    enum Question: CaseIterable, Sendable {
        case echo, unknownProtocol, closedPort, openPort
    }

    private func segment(_ source: IPAddress, _ target: IPAddress, port: UInt16, from sourcePort: UInt16) -> [UInt8] {
        var segment = ReplySegment(
            sourcePort: sourcePort, destinationPort: port, sequence: SequenceNumber(5),
            acknowledgment: SequenceNumber(0), flags: .synchronize)
        segment.maximumSegmentSize = 1_400
        let start = source.isIPv4 ? 20 : 40
        return makeBytes(start + segment.length) {
            writeIPHeader(
                into: &$0, at: 0, payloadLength: segment.length, source: source, destination: target, hopLimit: 64,
                trafficClass: 0)
            _ = segment.write(into: &$0, at: start, pseudoHeaderSum: pseudoHeaderSum(source, target))
        }
    }

    private func packet(_ number: UInt8, _ body: [UInt8], _ source: IPAddress, _ target: IPAddress) -> [UInt8] {
        guard source.isIPv4 else {
            return makeBytes(40 + body.count) {
                IPv6Header(
                    payloadLength: body.count, nextHeader: number, source: source, destination: target, hopLimit: 64
                ).write(into: &$0, at: 0)
                $0.copy(from: body, at: 40)
            }
        }
        return makeBytes(20 + body.count) {
            IPv4Header(
                payloadLength: body.count, protocolNumber: number, source: source, destination: target, hopLimit: 64
            ).write(into: &$0, at: 0)
            $0.copy(from: body, at: 20)
        }
    }

    private func ask(_ question: Question, _ source: IPAddress, _ target: IPAddress, _ number: Int) -> [UInt8] {
        switch question {
        case .openPort: return segment(source, target, port: 80, from: UInt16(2_000 + number))
        case .closedPort: return segment(source, target, port: 81, from: UInt16(2_000 + number))
        case .unknownProtocol: return packet(253, [1, 2, 3, 4], source, target)
        case .echo:
            let isIPv4 = source.isIPv4
            let body = [UInt8](repeating: 7, count: 8).withBytes {
                ICMPHeader(type: isIPv4 ? 8 : 128, code: 0, rest: UInt32(number)).message(
                    payload: $0, pseudoSum: isIPv4 ? 0 : pseudoHeaderSum(source, target, 58))
            }
            return packet(isIPv4 ? 1 : 58, body, source, target)
        }
    }

    @Test(arguments: Question.allCases, [true, false])
    func `every answer goes to the station that asked, in both families, and asks nobody`(
        _ question: Question, _ isIPv4: Bool
    ) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let target = address(isIPv4 ? "10.0.0.1" : "fd00::1")
        _ = try host.stack.tcpListen(
            on: endpoint(isIPv4 ? "0.0.0.0" : "::", 80), backlog: 8, now: network.now)
        _ = host.takeFrames(now: network.now)
        let asked = host.stack.statistics.arp.sent
        let answerType = isIPv4 ? EtherType.ipv4 : EtherType.ipv6
        var answers = 0
        for number in 0..<600 {
            let source =
                isIPv4
                ? IPAddress(v4: 0x0a00_0014 + UInt32(number) % 230)
                : IPAddress(v6High: 0xfd00_0000_0000_0000, low: 0x100 + UInt64(number))
            host.feed(
                TestFrame(
                    source: Self.thief, destination: host.mac, etherType: answerType,
                    bytes: ask(question, source, target, number)), now: network.now)
            for frame in host.takeFrames(now: network.now) {
                #expect(frame.etherType == answerType && frame.destination == Self.thief)
                // No solicitation either.
                if !isIPv4 { #expect(frame.bytes[6] != 58 || frame.bytes[40] != 135) }
                answers += 1
            }
            network.clock.advance(by: .milliseconds(1))
        }
        #expect(answers > 5)
        #expect(host.stack.neighbourCount == 0 && host.stack.statistics.arp.sent == asked)
        try host.sendEcho(to: address(isIPv4 ? "10.0.0.2" : "fd00::2"), now: network.now)
        network.run(for: .milliseconds(50))
        #expect(host.echoReplies.count == 1)
    }

    @Test(arguments: [true, false])
    func `what one station asks for takes no reset from another`(_ isIPv4: Bool) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let modest = MACAddress(0x0200_0000_0055)
        let etherType = isIPv4 ? EtherType.ipv4 : EtherType.ipv6
        let target = address(isIPv4 ? "10.0.0.1" : "fd00::1")
        // Both in the name of one neighbour: what counts is the station.
        let source = address(isIPv4 ? "10.0.0.9" : "fd00::9")
        var pings = 0
        var resets = 0
        for number in 0..<50 {
            for ping in 0..<20 {
                let bytes = ask(.echo, source, target, number * 20 + ping)
                host.feed(
                    TestFrame(source: Self.thief, destination: host.mac, etherType: etherType, bytes: bytes),
                    now: network.now)
            }
            let bytes = ask(.closedPort, source, target, number)
            host.feed(
                TestFrame(source: modest, destination: host.mac, etherType: etherType, bytes: bytes), now: network.now)
            for frame in host.takeFrames(now: network.now) {
                if frame.destination == modest { resets += 1 } else { pings += 1 }
            }
            network.clock.advance(by: .milliseconds(10))
        }
        #expect(resets == 50)
        #expect(pings < 1_000, "no limit was reached")
    }

    @Test(arguments: [true, false])
    func `a datagram to a group leaves by the interface that was chosen for groups`(_ isIPv4: Bool) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        let added = host.stack.addInterface(
            mac: MACAddress(0x0200_0000_0077), configuration: InterfaceConfiguration(mtu: 2_800), now: network.now)
        let second = try #require(added)
        for text in ["10.5.0.1/24", "fd05::1/64"] {
            let isAdded = host.stack.addAddress(try #require(IPPrefix(text)), to: second, now: network.now)
            #expect(isAdded)
        }
        network.run(for: .seconds(10))
        let socket = try host.stack.udpOpen(isIPv4: isIPv4)
        for chosen in [second, host.interface, second] {
            var options = SocketOptions()
            options.multicastInterface = chosen
            try host.stack.setSocketOptions(socket, options)
            try host.sendTo(
                socket, [1, 2, 3], to: endpoint(isIPv4 ? "239.1.2.3" : "ff15::1234", 9), now: network.now)
            var ways: [InterfaceID] = []
            while let burst = host.stack.nextBurst(room: 32, now: network.now) {
                ways += Array(repeating: burst.interface, count: burst.count)
                var bytes = [UInt8](repeating: 0, count: burst.length(0))
                _ = bytes.withMutableBytes { host.stack.write(burst, segment: 0, into: &$0, at: 0) }
                let source = isIPv4 ? Array(bytes[12..<16]) : Array(bytes[8..<24])
                let expected = chosen == second ? ["10.5.0.1", "fd05::1"] : ["10.0.0.1", "fd00::1"]
                #expect(source == address(expected[isIPv4 ? 0 : 1]).bytes)
            }
            #expect(ways == [chosen])
        }
    }
}
