//  One stack at the end of a link that the input controls: time, what comes out, what must always hold.

import NetPrimitives
import NetStack

/// A packet that left the stack.
struct SentPacket {
    var etherType: UInt16
    var destination: MACAddress
    var bytes: [UInt8]
}

/// A stack under test with one interface, its clock and its link.
struct StackHarness: ~Copyable {
    static let mac = MACAddress(0x0200_0000_0001)
    static let peerMAC = MACAddress(0x0200_0000_0002)
    static let address4 = IPAddress(v4: 0x0a09_0001)
    static let peer4 = IPAddress(v4: 0x0a09_0002)
    static let address6 = IPAddress(v6High: 0xfd09_0000_0000_0000, low: 1)
    static let peer6 = IPAddress(v6High: 0xfd09_0000_0000_0000, low: 2)
    static let mtu = 1500

    var stack: NetworkStack
    let interface: InterfaceID
    var now = FuzzFixture.start
    /// What came out since the owner last looked; bounded by `drain`'s own bound.
    var outbox: [SentPacket] = []
    /// Sees the stack before a frame (true) and behind it.
    typealias Inspection = (borrowing NetworkStack, _ isBefore: Bool) -> Void
    var inspect: Inspection?
    private var idlePolls = 0

    /// Bounds so small that an input of some hundred bytes reaches them.
    static var configuration: StackConfiguration {
        var configuration = StackConfiguration()
        configuration.duplicateAddressTransmits = 0
        configuration.addressAnnouncements = 0
        configuration.unsolicitedAdvertisements = 0
        configuration.limits.streams = 24
        configuration.limits.listeners = 4
        configuration.limits.reservations = 4
        configuration.limits.datagramSockets = 6
        configuration.limits.timeWaits = 4
        configuration.limits.neighbours = 12
        configuration.limits.incompleteNeighbours = 6
        configuration.limits.incompleteNeighboursForOthers = 3
        configuration.limits.answeredStations = 4
        configuration.limits.packetsPerNeighbour = 3
        configuration.limits.reassemblyBytes = 16_384
        configuration.limits.fragmentsPerDatagram = 8
        configuration.limits.datagramsPerStation = 4
        configuration.limits.reassemblies = 8
        configuration.limits.controlPackets = 12
        configuration.limits.datagramReceiveBytes = 4096
        configuration.limits.datagramSendBytes = 4096
        configuration.limits.echoRequests = 4
        configuration.limits.pathMTUs = 4
        configuration.limits.routes = 12
        configuration.limits.acceptBacklog = 4
        configuration.limits.events = 16
        return configuration
    }

    /// A stack; the second of a pair has the addresses of the first's peer.
    init(isPeer: Bool = false, seed: UInt64) {
        stack = NetworkStack(configuration: StackHarness.configuration, random: RandomSource(seed: seed))
        let mac = isPeer ? StackHarness.peerMAC : StackHarness.mac
        var settings = InterfaceConfiguration(mtu: StackHarness.mtu)
        settings.acceptsRouterAdvertisements = !isPeer
        guard let interface = stack.addInterface(mac: mac, configuration: settings, now: FuzzFixture.start) else {
            preconditionFailure("a new stack has room for an interface")
        }
        self.interface = interface
        for (own, other, length) in [
            (StackHarness.address4, StackHarness.peer4, 24), (StackHarness.address6, StackHarness.peer6, 64),
        ] {
            _ = stack.addAddress(IPPrefix(isPeer ? other : own, length: length), to: interface, now: now)
            stack.setPermanentNeighbour(
                isPeer ? own : other, mac: isPeer ? StackHarness.mac : StackHarness.peerMAC, on: interface, now: now)
        }
        drain()
        outbox = []
    }

    // MARK: In

    /// Gives the stack one frame.
    mutating func receive(
        _ packet: [UInt8], etherType: UInt16, source: MACAddress = StackHarness.peerMAC,
        destination: MACAddress = StackHarness.mac
    ) {
        inspect?(stack, true)
        packet.withBytes { bytes in
            stack.receive(
                bytes, etherType: etherType, source: source, destination: destination, on: interface, now: now)
        }
        inspect?(stack, false)
        stack.endBatch(now: now)
    }

    // MARK: Time

    /// Lets time pass, deadline by deadline; after `polls` of them the rest passes in one leap, as in a stopped process.
    mutating func advance(_ duration: Duration, polls: Int = 64, _ onPoll: (inout StackHarness) -> Void = { _ in }) {
        let end = now.monotonic + duration
        var count = 0
        while count < polls, let deadline = stack.nextDeadline, deadline <= end {
            move(to: deadline)
            onPoll(&self)
            count += 1
        }
        move(to: end)
        onPoll(&self)
    }

    private mutating func move(to instant: MonotonicInstant) {
        if instant > now.monotonic {
            // From the start, so that the wall clock loses no fractions of milliseconds on the way.
            now = FuzzFixture.start.advanced(by: instant - FuzzFixture.start.monotonic)
            idlePolls = 0
        }
        stack.handleDeadlines(now: now)
        idlePolls += 1
        drain()
        if let next = stack.nextDeadline, next <= now.monotonic {
            precondition(idlePolls < 64, "a deadline that is due again and again")
        }
    }

    // MARK: Out

    /// Pulls what is due, checks every packet, drains the events.
    mutating func drain(room: Int = 16) {
        var bursts = 0
        while let burst = stack.nextBurst(room: room, now: now) {
            bursts += 1
            precondition(bursts < 4096, "a stack that never stops sending")
            precondition(
                burst.count > 0 && burst.count <= max(room, 1) + 64, "a burst of many more than there is room for")
            precondition(burst.lastLength <= burst.packetLength)
            for segment in 0..<burst.count { outbox.append(take(burst, segment)) }
        }
        var events = 0
        while stack.nextGroupChange() != nil { events += 1 }
        while stack.nextEvent() != nil { events += 1 }
        precondition(events < 4096, "events without end")
        checkBounds()
    }

    private mutating func take(_ burst: Burst, _ segment: Int) -> SentPacket {
        let length = burst.length(segment)
        precondition(length > 0 && length <= 65_535)
        var bytes = [UInt8](repeating: 0xa5, count: length)
        let written = bytes.withMutableBytes { stack.write(burst, segment: segment, into: &$0, at: 0) }
        precondition(written == length, "a packet of another length than was said")
        PacketBytes.check(bytes, etherType: burst.etherType)
        return SentPacket(etherType: burst.etherType, destination: burst.destination, bytes: bytes)
    }

    private func checkBounds() {
        let limits = stack.configuration.limits
        let ports = limits.listeners + limits.reservations
        precondition(stack.socketCount <= limits.streams + ports + limits.datagramSockets)
        precondition(stack.timeWaitCount <= limits.timeWaits, "more remembered connections than allowed")
        precondition(stack.neighbourCount <= limits.neighbours + 4, "more neighbours than allowed")
        precondition(stack.allRoutes.count <= limits.routes + 16, "more routes than allowed")
    }
}
