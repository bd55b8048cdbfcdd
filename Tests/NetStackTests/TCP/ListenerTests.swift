import NetPrimitives
import Testing

@testable import NetStack

/// A listener and the client's segments by hand.
private struct ListenerHost: ~Copyable {
    var listener: Listener
    var time = 5_000_000_000
    let sequences: InitialSequence
    let local = SocketEndpoint(IPAddress(v4: 0x0A00_0001), port: 80)
    var now: Now { .at(time) }

    init(backlog: Int = 8) {
        var random = RandomSource(seed: 5)
        sequences = InitialSequence(random: &random)
        listener = Listener(backlog: backlog, options: ConnectionOptions())
    }

    func remote(_ client: Int) -> SocketEndpoint {
        SocketEndpoint(IPAddress(v4: 0x0A01_0000 + UInt32(client)), port: UInt16(1024 + client % 60_000))
    }

    func segment(
        _ client: Int, _ flags: SegmentFlags, _ sequence: UInt32, _ acknowledgment: UInt32 = 0, options: [UInt8] = [],
        payload: [UInt8] = []
    ) -> [UInt8] {
        let remote = self.remote(client)
        return makeSegment(
            source: remote.port, destination: 80, sequence: sequence, acknowledgment: acknowledgment, flags: flags,
            window: 1000, options: options, payload: payload, sum: pseudoHeaderSum(local.address, remote.address))
    }

    mutating func receive(_ client: Int, _ bytes: [UInt8], from station: StationKey? = nil) -> ListenerOutcome {
        guard let header = SegmentHeader(parsing: bytes.span.bytes, at: 0, length: bytes.count) else {
            return .dropped(.badFlags)
        }
        return listener.receive(
            header, packet: bytes.span.bytes, local: local, remote: remote(client), station: station,
            maximumSegmentSize: 1460, sequences: sequences, now: now)
    }

    /// Opens a client as far as the SYN-ACK; gives its sequence number.
    mutating func open(_ client: Int, options: [UInt8] = TestHost.timestampOptions) -> ReplySegment? {
        let outcome = receive(client, segment(client, .synchronize, 1000, options: options))
        if case .reply(let cookie) = outcome { return cookie }
        return listener.nextReply(now: now)?.segment
    }
}

@Suite struct ListenerTests {
    @Test func `a SYN that was forged with a client's endpoint does not keep that client out`() throws {
        var host = ListenerHost()
        let interface = InterfaceID(SlotID(index: 1, generation: 1))
        let (forger, client) = (StationKey(interface, MACAddress(6)), StationKey(interface, MACAddress(8)))
        for (station, sequence) in [(forger, 7000), (client, 1000), (forger, 7001)] as [(StationKey, UInt32)] {
            guard case .replyDue = host.receive(1, host.segment(1, .synchronize, sequence), from: station) else {
                Issue.record("no answer")
                return
            }
        }
        var toClient: ReplySegment?
        while let reply = host.listener.nextReply(now: host.now) {
            if reply.station == client { toClient = reply.segment }
        }
        let answer = try needed(toClient)
        #expect(answer.acknowledgment.value == 1001)
        let acknowledgment = host.segment(1, .acknowledge, 1001, answer.sequence.value &+ 1)
        guard case .established(_, let handshake) = host.receive(1, acknowledgment, from: client) else {
            Issue.record("not established")
            return
        }
        #expect(handshake.peerInitialSequence.value == 1000)
        #expect(host.listener.halfOpenCount == 0, "the forger's is gone as well")
    }

    @Test func `a SYN is answered and the ACK makes a connection that carries its data`() throws {
        var host = ListenerHost()
        let synAck = try needed(host.open(1))
        #expect(synAck.flags == [.synchronize, .acknowledge] && synAck.acknowledgment.value == 1001)
        #expect(synAck.maximumSegmentSize == 1460 && synAck.sackPermitted && synAck.windowScale == 10)
        #expect(synAck.timestamp?.echo == 50)
        host.time += 25_000_000
        let bytes = host.segment(1, .acknowledge, 1001, synAck.sequence.value &+ 1, payload: [1, 2, 3])
        guard case .established(let parameters, let handshake) = host.receive(1, bytes) else {
            Issue.record("no connection")
            return
        }
        var connection = Connection(accepting: parameters, handshake: handshake, now: host.now)
        let header = try needed(SegmentHeader(parsing: bytes.span.bytes, at: 0, length: bytes.count))
        guard case .accepted = connection.receive(header, packet: bytes.span.bytes, now: host.now) else {
            Issue.record("not accepted")
            return
        }
        #expect(connection.state == .established && connection.receiveAvailable == 3)
        #expect(connection.takeEvents().isSuperset(of: [.connected, .readable]))
        #expect(connection.roundTripTime == .milliseconds(25))
        #expect(connection.segmentSize == 1448)
        #expect(host.listener.halfOpenCount == 0)
    }

    @Test func `SYN-ACKs are repeated five times, then the entry goes`() throws {
        var host = ListenerHost()
        let first = try needed(host.open(1))
        var repeats = 0
        while let deadline = host.listener.nextDeadline, repeats < 100 {
            host.time = Int(deadline.nanoseconds)
            host.listener.handleDeadline(now: host.now)
            if let reply = host.listener.nextReply(now: host.now) {
                #expect(reply.segment.sequence == first.sequence)
                repeats += 1
            }
        }
        #expect(repeats == 5)
        #expect(host.listener.halfOpenCount == 0)
        #expect(host.time - 5_000_000_000 == 63_000_000_000)
    }

    // What leaves, in bytes of TCP, until all is forgotten.
    private func flood(_ host: inout ListenerHost, _ clients: Range<Int>, from station: StationKey, options: [UInt8])
        -> (sent: Int, answered: Int)
    {
        var (sent, answered) = (0, 0)
        func take(_ host: inout ListenerHost) {
            while let reply = host.listener.nextReply(now: host.now) { answered += reply.segment.length }
        }
        for client in clients {
            let syn = host.segment(client, .synchronize, 1000, options: options)
            sent += syn.count
            if case .reply(let cookie) = host.receive(client, syn, from: station) { answered += cookie.length }
            take(&host)
            host.time += 1_000_000
            host.listener.handleDeadline(now: host.now)
            take(&host)
        }
        while let deadline = host.listener.nextDeadline {
            host.time = Int(deadline.nanoseconds)
            host.listener.handleDeadline(now: host.now)
            take(&host)
        }
        return (sent, answered)
    }

    @Test(arguments: [[], TestHost.timestampOptions])
    func `a flood of SYNs of one station gets no more bytes than it sent, but for the few that are reminded`(
        options: [UInt8]
    ) throws {
        var host = ListenerHost()
        let interface = InterfaceID(SlotID(index: 1, generation: 1))
        let flood = flood(&host, 0..<5000, from: StationKey(interface, MACAddress(6)), options: options)
        let few = TCPLimits.remindedPerStation * (TCPLimits.synAckRetries + 1) * 60
        #expect(flood.answered <= flood.sent + few)
        #expect(host.listener.halfOpenCount == 0)
    }

    @Test func `beside a flood of one station another has its SYN-ACK repeated as ever, with our size in it`() {
        var host = ListenerHost()
        let interface = InterfaceID(SlotID(index: 1, generation: 1))
        let (flooder, client) = (StationKey(interface, MACAddress(6)), StationKey(interface, MACAddress(8)))
        for number in 0..<100 { _ = host.receive(number, host.segment(number, .synchronize, 1), from: flooder) }
        _ = host.receive(500, host.segment(500, .synchronize, 1000), from: client)
        var (answers, repeats) = (0, [Int](repeating: 0, count: 100))
        while true {
            while let reply = host.listener.nextReply(now: host.now) {
                if reply.station == client {
                    answers += 1
                    #expect(reply.segment.maximumSegmentSize == 1460)
                } else {
                    repeats[Int(reply.remote.port) - 1024] += 1
                }
            }
            guard let deadline = host.listener.nextDeadline else { break }
            host.time = Int(deadline.nanoseconds)
            host.listener.handleDeadline(now: host.now)
        }
        #expect(answers == 6)
        #expect(repeats.filter { $0 > 1 }.count == TCPLimits.remindedPerStation)
        // Those that are left out have their answer to each SYN of theirs.
        _ = host.open(1)
        #expect(host.open(1) != nil)
    }

    @Test func `of many that wait those behind are reminded once the others have gone`() throws {
        var host = ListenerHost(backlog: 100)
        var sequences: [SequenceNumber] = []
        for client in 0..<20 { sequences.append(try needed(host.open(client)).sequence) }
        for client in 0..<10 {
            let bytes = host.segment(client, .acknowledge, 1001, sequences[client].value &+ 1)
            guard case .established = host.receive(client, bytes) else {
                Issue.record("not established")
                return
            }
        }
        host.time += 1_000_000_000
        host.listener.handleDeadline(now: host.now)
        var reminded = 0
        while host.listener.nextReply(now: host.now) != nil { reminded += 1 }
        #expect(reminded == 10)
    }

    @Test func `a repeated SYN repeats the answer, a RST forgets`() throws {
        var host = ListenerHost()
        let first = try needed(host.open(1))
        let second = try needed(host.open(1))
        #expect(first.sequence == second.sequence && host.listener.halfOpenCount == 1)
        _ = host.receive(1, host.segment(1, .reset, 999))
        #expect(host.listener.halfOpenCount == 1)
        _ = host.receive(1, host.segment(1, .reset, 1001))
        #expect(host.listener.halfOpenCount == 0)
    }

    @Test func `a wrong ACK is reset, and one without a SYN too`() throws {
        var host = ListenerHost()
        let synAck = try needed(host.open(1))
        guard case .reply(let reset) = host.receive(1, host.segment(1, .acknowledge, 1001, synAck.sequence.value &+ 9))
        else {
            Issue.record("not reset")
            return
        }
        #expect(reset.flags == .reset)
        guard case .reply = host.receive(2, host.segment(2, .acknowledge, 5, 6)) else {
            Issue.record("stranger not reset")
            return
        }
    }

    @Test func `nonsense is dropped`() {
        var host = ListenerHost()
        for flags: SegmentFlags in [[], .finish, [.synchronize, .finish], .push, .reset] {
            guard case .dropped = host.receive(1, host.segment(1, flags, 1)) else {
                Issue.record("answered \(flags)")
                return
            }
        }
        var damaged = host.segment(1, .synchronize, 1)
        damaged[4] ^= 1
        guard case .dropped(.badChecksum) = host.receive(1, damaged) else {
            Issue.record("damage accepted")
            return
        }
    }

    @Test func `backlog and one more may wait; then SYNs are ignored and ACKs do not complete`() throws {
        var host = ListenerHost(backlog: 1)
        let late = try needed(host.open(7))
        var table = SlotTable<Int>()
        for client in 0..<2 {
            let synAck = try needed(host.open(client))
            let ack = host.segment(client, .acknowledge, 1001, synAck.sequence.value &+ 1)
            guard case .established = host.receive(client, ack) else {
                Issue.record("client \(client) refused")
                return
            }
            host.listener.enqueue(table.insert(client))
        }
        guard case .dropped(.queueFull) = host.receive(9, host.segment(9, .synchronize, 1)) else {
            Issue.record("SYN accepted")
            return
        }
        let ack = host.segment(7, .acknowledge, 1001, late.sequence.value &+ 1)
        guard case .dropped(.queueFull) = host.receive(7, ack) else {
            Issue.record("completed beyond the backlog")
            return
        }
        let accepted = host.listener.accept()
        #expect(accepted != nil)
        guard case .established = host.receive(7, ack) else {
            Issue.record("entry was lost")
            return
        }
    }

    @Test func `a full queue of half-open connections turns to cookies that carry all options`() throws {
        var host = ListenerHost()
        for client in 0..<1024 { _ = host.open(client) }
        #expect(host.listener.halfOpenCount == 1024)
        let cookie = try needed(host.open(2000))
        #expect(host.listener.halfOpenCount == 1024)
        let stamp = try #require(cookie.timestamp)
        host.time += 30_000_000_000
        let echo = (0..<4).map { UInt8(truncatingIfNeeded: stamp.value >> (24 - 8 * UInt32($0))) }
        let options: [UInt8] = [1, 1, 8, 10, 0, 0, 0, 60] + echo
        let ack = host.segment(2000, .acknowledge, 1001, cookie.sequence.value &+ 1, options: options)
        guard case .established(let parameters, let handshake) = host.receive(2000, ack) else {
            Issue.record("cookie not honoured")
            return
        }
        #expect(handshake.peerMaximumSegmentSize == 1460 && handshake.peerWindowScale == 7)
        #expect(handshake.sackPermitted && handshake.timestamp == 60)
        #expect(parameters.initialSequence == cookie.sequence)
        var connection = Connection(accepting: parameters, handshake: handshake, now: host.now)
        let header = try needed(SegmentHeader(parsing: ack.span.bytes, at: 0, length: ack.count))
        _ = connection.receive(header, packet: ack.span.bytes, now: host.now)
        #expect(connection.state == .established)
        // Another sequence number, another client, and too late: none is honoured.
        let wrong = host.segment(2000, .acknowledge, 1001, cookie.sequence.value &+ 2, options: options)
        guard case .reply = host.receive(2000, wrong) else {
            Issue.record("guessed cookie")
            return
        }
        host.time += 200_000_000_000
        guard case .reply = host.receive(2000, ack) else {
            Issue.record("old cookie")
            return
        }
    }

    @Test func `a backlog is clamped as Linux does it`() {
        #expect(Listener(backlog: -1, options: ConnectionOptions()).backlog == 4096)
        #expect(Listener(backlog: 100_000, options: ConnectionOptions()).backlog == 4096)
        #expect(Listener(backlog: 0, options: ConnectionOptions()).backlog == 0)
    }
}
