// Whole stacks on one in-memory link, in virtual time: what the tests of this folder stand on.

import NetPrimitives
import TestSupport
import Testing

@testable import NetStack

/// A frame on the test link.
struct TestFrame {
    var source: MACAddress
    var destination: MACAddress
    var etherType: UInt16
    var bytes: [UInt8]
}

/// What the link does to frames. Probabilities are in 0...1.
struct LinkConditions {
    var delay = Duration.milliseconds(1)
    var jitter = Duration.zero
    var loss = 0.0
    var duplication = 0.0
    /// Frames for which this says true are lost.
    var filter: ((TestFrame) -> Bool)?
}

/// A stack with one interface on the link.
final class StackHost {
    var stack: NetworkStack
    let mac: MACAddress
    let interface: InterfaceID
    var events: [StackEvent] = []
    var groupChanges: [GroupChange] = []

    init(
        _ number: UInt64, addresses: [String], mtu: Int = 2_800, seed: UInt64 = 1,
        configuration: StackConfiguration = StackConfiguration(), settings: InterfaceConfiguration? = nil, now: Now
    ) throws {
        mac = MACAddress(0x0200_0000_0000 | number)
        stack = NetworkStack(configuration: configuration, random: RandomSource(seed: seed &* 1_000 &+ number))
        let added = stack.addInterface(mac: mac, configuration: settings ?? InterfaceConfiguration(mtu: mtu), now: now)
        guard let added else { throw StackError.tooManySockets }
        interface = added
        for text in addresses {
            guard let prefix = IPPrefix(text), stack.addAddress(prefix, to: interface, now: now) else {
                throw StackError.invalid
            }
        }
    }

    /// Moves the stack's events to `events`, and what it wants of the link to `groupChanges`.
    func drainEvents() {
        while let change = stack.nextGroupChange() { groupChanges.append(change) }
        while let event = stack.nextEvent() { events.append(event) }
    }

    /// Whether an event of a socket came, since the last `events = []`.
    func saw(_ id: SocketID, _ edge: SocketEvents) -> Bool {
        events.contains {
            if case .socket(let socket, let edges) = $0 { return socket == id && edges.contains(edge) }
            return false
        }
    }

    /// Gives a frame to the stack as the link does, batch and all.
    func feed(_ frame: TestFrame, now: Now) {
        frame.bytes.withBytes {
            stack.receive(
                $0, etherType: frame.etherType, source: frame.source, destination: frame.destination, on: interface,
                now: now)
        }
        stack.endBatch(now: now)
        drainEvents()
    }

    /// Takes everything that the stack wants to send now.
    func takeFrames(now: Now, room: Int = 32) -> [TestFrame] {
        var frames: [TestFrame] = []
        while let burst = stack.nextBurst(room: room, now: now) {
            #expect(burst.count >= 1 && burst.count <= room)
            for segment in 0..<burst.count {
                var bytes = [UInt8](repeating: 0, count: burst.length(segment))
                let length = bytes.withMutableBytes { stack.write(burst, segment: segment, into: &$0, at: 0) }
                #expect(length == bytes.count)
                #expect(bytes.count <= stack.mtu(of: burst.interface) ?? 0)
                frames.append(
                    TestFrame(
                        source: mac, destination: burst.destination, etherType: burst.etherType, bytes: bytes))
            }
        }
        drainEvents()
        return frames
    }
}

/// Hosts, the link between them and the clock.
final class TestNetwork: VirtualWorld {
    private struct Flight {
        let host: Int
        let frame: TestFrame
    }

    var hosts: [StackHost] = []
    var clock = VirtualClock(unixMilliseconds: 1_700_000_000_000)
    var model: LinkConditions
    /// Every frame that was put on the link, lost ones too.
    var trace: [TestFrame] = []
    var keepsTrace = true
    private var random: RandomSource
    private var wire = VirtualWire<Flight>()

    init(model: LinkConditions = LinkConditions(), seed: UInt64 = 1) {
        self.model = model
        random = RandomSource(seed: seed)
    }

    /// Two hosts, 10.0.0.1 and fd00::1, 10.0.0.2 and fd00::2, whose addresses have been announced.
    static func pair(
        mtu: Int = 2_800, model: LinkConditions = LinkConditions(), seed: UInt64 = 1,
        configuration: StackConfiguration = StackConfiguration()
    ) throws -> TestNetwork {
        let network = TestNetwork(model: model, seed: seed)
        for number in UInt64(1)...2 {
            try network.add(
                number, addresses: ["10.0.0.\(number)/24", "fd00::\(number)/64"], mtu: mtu, seed: seed,
                configuration: configuration)
        }
        network.run(for: .seconds(5))
        network.trace = []
        for host in network.hosts { host.events = [] }
        return network
    }

    @discardableResult
    func add(
        _ number: UInt64, addresses: [String], mtu: Int = 2_800, seed: UInt64 = 1,
        configuration: StackConfiguration = StackConfiguration(), settings: InterfaceConfiguration? = nil
    ) throws -> StackHost {
        let host = try StackHost(
            number, addresses: addresses, mtu: mtu, seed: seed, configuration: configuration, settings: settings,
            now: now)
        hosts.append(host)
        host.drainEvents()
        return host
    }

    /// Puts frames on the link.
    func send(_ frame: TestFrame, from sender: Int?) {
        if keepsTrace { trace.append(frame) }
        if let filter = model.filter, filter(frame) { return }
        for index in hosts.indices where index != sender {
            guard frame.destination.isMulticast || frame.destination == hosts[index].mac else { continue }
            if model.loss > 0, random.nextUnit() < model.loss { continue }
            let copies = model.duplication > 0 && random.nextUnit() < model.duplication ? 2 : 1
            for _ in 0..<copies {
                let jitter = model.jitter > .zero ? random.next(below: Int(model.jitter.nanoseconds)) : 0
                let at = now.monotonic + model.delay + .nanoseconds(Int64(jitter))
                wire.send(Flight(host: index, frame: frame), arrivingAt: at)
            }
        }
    }

    /// Lets all hosts send what they have.
    func pump() {
        for index in hosts.indices {
            for frame in hosts[index].takeFrames(now: now) { send(frame, from: index) }
        }
    }

    /// Lets all hosts send, and says when something happens next.
    func nextInstant() -> MonotonicInstant? {
        pump()
        return hosts.reduce(wire.next ?? .distantFuture) { min($0, $1.stack.nextDeadline ?? .distantFuture) }
    }

    func happen() {
        while let flight = wire.take(arrivedBy: now.monotonic) {
            let host = hosts[flight.host]
            flight.frame.bytes.withBytes {
                host.stack.receive(
                    $0, etherType: flight.frame.etherType, source: flight.frame.source,
                    destination: flight.frame.destination, on: host.interface, now: now)
            }
        }
        for host in hosts {
            host.stack.endBatch(now: now)
            host.stack.handleDeadlines(now: now)
            host.drainEvents()
        }
    }
}

func address(_ text: String) -> IPAddress { IPAddress(text) ?? .anyIPv4 }

func endpoint(_ host: String, _ port: UInt16) -> SocketEndpoint { SocketEndpoint(address(host), port: port) }

func pattern(_ count: Int, seed: UInt64 = 7) -> [UInt8] {
    var source = RandomSource(seed: seed)
    return source.bytes(count)
}

extension StackHost {
    func sendTo(_ id: SocketID, _ bytes: [UInt8], to destination: SocketEndpoint? = nil, now: Now) throws(StackError) {
        try bytes.withBytes { (span) throws(StackError) in try stack.sendTo(id, span, to: destination, now: now) }
    }

    func receiveFrom(_ id: SocketID, limit: Int = 70_000, now: Now) throws(StackError) -> (ReceivedDatagram, [UInt8]) {
        var buffer = [UInt8](repeating: 0, count: limit)
        let datagram = try buffer.withMutableBytes { (span) throws(StackError) in
            try stack.receiveFrom(id, into: &span, now: now)
        }
        return (datagram, Array(buffer[..<datagram.count]))
    }

    func send(_ id: SocketID, _ bytes: [UInt8], now: Now) throws(StackError) -> Int {
        try bytes.withBytes { (span) throws(StackError) in try stack.send(id, span, now: now) }
    }

    func receive(_ id: SocketID, limit: Int = 65_536, now: Now) throws(StackError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: limit)
        let count = try buffer.withMutableBytes { (span) throws(StackError) in
            try stack.receive(id, into: &span, now: now)
        }
        return Array(buffer[..<count])
    }

    func sendEcho(
        to destination: IPAddress, identifier: UInt16 = 1, sequence: UInt16 = 1, payload: [UInt8] = [],
        timeout: Duration = .seconds(10), now: Now
    ) throws(StackError) {
        try payload.withBytes { (span) throws(StackError) in
            try stack.sendEcho(
                to: destination, identifier: identifier, sequence: sequence, payload: span, timeout: timeout, now: now)
        }
    }

    var echoReplies: [EchoReply] {
        events.compactMap { if case .echoReply(let reply) = $0 { reply } else { nil } }
    }
}
