// Ping in both families, fragmentation and reassembly of what goes over the link, ICMP errors.

import NetPrimitives
import Testing

@testable import NetStack

struct EchoTests {
    @Test(arguments: ["10.0.0.2", "fd00::2"], [0, 56, 2_700, 8_192, 60_000])
    func `an echo of any size comes back whole`(_ target: String, size: Int) throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        try host.sendEcho(
            to: address(target), identifier: 77, sequence: 3, payload: pattern(size), now: network.now)
        network.run(for: .milliseconds(100))
        #expect(host.echoReplies.count == 1)
        let reply = try #require(host.echoReplies.first)
        #expect(reply.payloadLength == size && reply.identifier == 77 && reply.sequence == 3)
        #expect(reply.source == address(target) && reply.hopLimit == 64)
        // There and back, and the neighbour's answer before.
        #expect(reply.roundTrip == .milliseconds(4))
        #expect(host.stack.statistics.reassembled == (size > 2_750 ? 1 : 0))
        #expect(host.stack.reassembly.bytesHeld == 0)
    }

    @Test func `an echo without answer times out, once`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[0]
        network.model.filter = { $0.etherType == EtherType.ipv4 }
        try host.sendEcho(to: address("10.0.0.2"), timeout: .seconds(2), now: network.now)
        network.run(for: .milliseconds(1_999))
        #expect(host.events.isEmpty)
        network.run(for: .milliseconds(1))
        #expect(host.events == [.echoTimedOut(address("10.0.0.2"), identifier: 1, sequence: 1)])
        #expect(throws: StackError.networkUnreachable) {
            try host.sendEcho(to: address("192.0.2.1"), now: network.now)
        }
    }

    @Test func `echo requests that wait are bounded and one of a kind`() throws {
        var configuration = StackConfiguration()
        configuration.limits.echoRequests = 4
        let network = try TestNetwork.pair(configuration: configuration)
        let host = network.hosts[0]
        for sequence in UInt16(0)..<4 {
            try host.sendEcho(to: address("10.0.0.2"), sequence: sequence, now: network.now)
        }
        #expect(throws: StackError.alreadyInProgress) {
            try host.sendEcho(to: address("10.0.0.2"), sequence: 2, now: network.now)
        }
        #expect(throws: StackError.noBuffers) {
            try host.sendEcho(to: address("10.0.0.2"), sequence: 9, now: network.now)
        }
        network.run(for: .seconds(1))
        #expect(host.echoReplies.count == 4)
    }

    @Test func `nobody answers an echo to a group or broadcast`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[1]
        let message = ICMPHeader(type: 8, code: 0, rest: 1)
        let empty: [UInt8] = []
        for target in ["10.0.0.255", "255.255.255.255", "224.0.0.1"] {
            let body = empty.withBytes { message.message(payload: $0, pseudoSum: 0) }
            let bytes = makeBytes(20 + body.count) {
                IPv4Header(
                    payloadLength: body.count, protocolNumber: 1, source: address("10.0.0.1"),
                    destination: address(target), hopLimit: 64
                ).write(into: &$0, at: 0)
                $0.copy(from: body, at: 20)
            }
            host.feed(
                TestFrame(
                    source: network.hosts[0].mac, destination: address(target).multicastMAC,
                    etherType: EtherType.ipv4, bytes: bytes), now: network.now)
        }
        #expect(host.takeFrames(now: network.now).isEmpty)
        #expect(host.stack.statistics.icmp4.dropped == 3)
    }

    @Test func `an unknown protocol is answered in both families, at most once a second`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[1]
        try host.sendEcho(to: address("10.0.0.1"), now: network.now)
        try host.sendEcho(to: address("fd00::1"), now: network.now)
        network.run(for: .milliseconds(100))
        let packets: [(UInt16, [UInt8])] = [
            (
                EtherType.ipv4,
                makeBytes(40) {
                    IPv4Header(
                        payloadLength: 20, protocolNumber: 41, source: address("10.0.0.1"),
                        destination: address("10.0.0.2"), hopLimit: 64
                    ).write(into: &$0, at: 0)
                }
            ),
            (
                EtherType.ipv6,
                makeBytes(60) {
                    IPv6Header(
                        payloadLength: 20, nextHeader: 41, source: address("fd00::1"),
                        destination: address("fd00::2"), hopLimit: 64
                    ).write(into: &$0, at: 0)
                }
            ),
        ]
        for (etherType, bytes) in packets {
            let frame = TestFrame(
                source: network.hosts[0].mac, destination: host.mac, etherType: etherType, bytes: bytes)
            host.feed(frame, now: network.now)
            host.feed(frame, now: network.now)
            let answers = host.takeFrames(now: network.now)
            #expect(answers.count == 1)
            let answer = try #require(answers.first)
            if etherType == EtherType.ipv4 {
                // Destination unreachable, protocol; quotes the whole packet.
                #expect(Array(answer.bytes[20..<22]) == [3, 2])
                #expect(Array(answer.bytes[28...]) == bytes)
            } else {
                // Parameter problem, unrecognised next header, which stands at byte 6.
                #expect(Array(answer.bytes[40..<42]) == [4, 1])
                #expect(Array(answer.bytes[44..<48]) == [0, 0, 0, 6])
                #expect(Array(answer.bytes[48...]) == bytes)
            }
        }
        #expect(host.stack.statistics.dropped(.rateLimited) == 2)
        #expect(host.stack.statistics.errorsSent == 2)
    }

    @Test func `errors about errors are never sent`() throws {
        let network = try TestNetwork.pair()
        let host = network.hosts[1]
        let header = ICMPHeader(type: 3, code: 3)
        let quoted = pattern(30)
        let body = quoted.withBytes { header.message(payload: $0, pseudoSum: 0) }
        let bytes = makeBytes(20 + body.count) {
            IPv4Header(
                payloadLength: body.count, protocolNumber: 1, source: address("10.0.0.1"),
                destination: address("10.0.0.2"), hopLimit: 64
            ).write(into: &$0, at: 0)
            $0.copy(from: body, at: 20)
        }
        host.feed(
            TestFrame(
                source: network.hosts[0].mac, destination: host.mac, etherType: EtherType.ipv4, bytes: bytes),
            now: network.now)
        #expect(host.takeFrames(now: network.now).isEmpty)
        #expect(host.stack.statistics.dropped(.unmatchedError) == 1)
    }
}
