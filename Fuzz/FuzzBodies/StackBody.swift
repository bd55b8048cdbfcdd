//  The stack as a sequence of frames, socket calls and time steps.
//
//  operation = u8: low 5 bits choose, 0x20 leaves what is due in the stack, 0x40 and 0x80 are the operation's own.

import NetPrimitives
import NetStack

/// A stack against an input that speaks TCP well enough to get into every state.
package func fuzzStack(_ bytes: [UInt8]) { fuzzStack(bytes, inspect: nil) }

/// The same; `inspect` sees the stack before each frame, and behind it.
func fuzzStack(_ bytes: [UInt8], inspect: StackHarness.Inspection?) {
    var machine = StackMachine(seed: UInt64(bytes.first ?? 0) & 3)
    machine.setInspection(inspect)
    var input = FuzzInput(Array(bytes.dropFirst()))
    var steps = 0
    while !input.isAtEnd, steps < 200 {
        machine.step(&input)
        steps += 1
    }
    machine.finish()
}

/// What the link knows of one TCP connection of the stack.
private struct Shadow {
    var isIPv4: Bool
    var ownPort: UInt16
    var peerPort: UInt16
    /// The next sequence number that the stack expects.
    var peerNext: UInt32
    /// The next sequence number that the stack will use.
    var stackNext: UInt32
    /// The last timestamp that the stack sent.
    var timestamp: UInt32 = 0
}

/// The stack, its sockets and what was seen on its link.
struct StackMachine: ~Copyable {
    private var harness: StackHarness
    private var sockets: [SocketID] = []
    private var shadows: [Shadow] = []
    private var recent: [SentPacket] = []
    private var clock: UInt32 = 1000

    init(seed: UInt64) {
        harness = StackHarness(seed: seed)
        let any4 = SocketEndpoint(.anyIPv4, port: 80)
        let any6 = SocketEndpoint(.anyIPv6, port: 80)
        for local in [any4, any6] {
            if let id = try? harness.stack.tcpListen(on: local, backlog: 3, now: harness.now) { sockets.append(id) }
        }
        for isIPv4 in [true, false] {
            guard let id = try? harness.stack.udpOpen(isIPv4: isIPv4) else { continue }
            let local = SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 53)
            try? harness.stack.udpBind(id, to: local)
            sockets.append(id)
        }
    }

    mutating func setInspection(_ inspect: StackHarness.Inspection?) { harness.inspect = inspect }

    mutating func step(_ input: inout FuzzInput) {
        let operation = input.uint8()
        switch operation & 0x1f {
        case 0, 1: rawIP(&input, operation, isIPv4: operation & 1 == 0)
        case 2: arp(&input, operation)
        case 3:
            harness.receive(
                input.block(), etherType: input.uint16(),
                destination: operation & 0x40 != 0 ? .broadcast : StackHarness.mac)
        case 4...9: segment(&input, isIPv4: operation & 1 == 0)
        case 10, 11: advance(&input)
        case 12...19: call(&input)
        case 20, 21: errorMessage(&input, isIPv4: operation & 1 == 0)
        case 22, 23: datagram(&input, operation, isIPv4: operation & 1 == 0)
        case 24, 25: neighbourMessage(&input, operation)
        case 26, 27: fragment(&input, operation, isIPv4: operation & 1 == 0)
        case 28: harness.drain(room: Int(input.uint8() & 3))
        default: administer(&input)
        }
        if operation & 0x20 == 0 { harness.drain() }
        observe()
    }

    /// Ends every socket and lets time pass: nothing may be left.
    mutating func finish() {
        harness.drain()
        for id in sockets { harness.stack.abort(id, now: harness.now) }
        harness.stack.removeInterface(harness.interface, now: harness.now)
        harness.advance(.seconds(7200), polls: 256)
        harness.advance(.seconds(7200), polls: 256)
        precondition(harness.stack.socketCount == 0, "a socket that nobody has is still there")
        precondition(harness.stack.timeWaitCount == 0, "a connection is remembered for ever")
        precondition(harness.stack.neighbourCount == 0, "a neighbour of an interface that is gone")
    }

    // MARK: What came out

    private mutating func observe() {
        for packet in harness.outbox {
            if recent.count >= 16 { recent.removeFirst() }
            recent.append(packet)
            note(packet)
        }
        harness.outbox = []
    }

    private mutating func note(_ packet: SentPacket) {
        let isIPv4 = packet.etherType == 0x0800
        guard isIPv4 || packet.etherType == 0x86dd,
            let (offset, proto, _) = PacketBytes.transport(packet.bytes, isIPv4: isIPv4), proto == PacketBytes.tcp
        else { return }
        let ownPort = packet.bytes.uint16(at: offset)
        let peerPort = packet.bytes.uint16(at: offset + 2)
        let flags = packet.bytes[offset + 13]
        let header = Int(packet.bytes[offset + 12] >> 4) * 4
        let length = UInt32(packet.bytes.count - offset - header) + UInt32(flags & 1) + UInt32(flags >> 1 & 1)
        let next = packet.bytes.uint32(at: offset + 4) &+ length
        let acknowledged = packet.bytes.uint32(at: offset + 8)
        let index: Int
        if let known = shadow(isIPv4, ownPort, peerPort) {
            index = known
        } else {
            if shadows.count >= 16 { shadows.removeFirst() }
            shadows.append(
                Shadow(isIPv4: isIPv4, ownPort: ownPort, peerPort: peerPort, peerNext: 1000, stackNext: next))
            index = shadows.count - 1
        }
        if Int32(bitPattern: next &- shadows[index].stackNext) > 0 || flags & 2 != 0 { shadows[index].stackNext = next }
        if flags & 0x10 != 0 { shadows[index].peerNext = acknowledged }
        // The timestamp option where this stack puts it: after two NOPs, or somewhere in a SYN.
        var place = offset + 20
        while place + 10 <= offset + header {
            let kind = packet.bytes[place]
            if kind == 8 {
                shadows[index].timestamp = packet.bytes.uint32(at: place + 2)
                break
            }
            place += kind <= 1 ? 1 : max(2, Int(packet.bytes[place + 1]))
        }
    }

    private func shadow(_ isIPv4: Bool, _ ownPort: UInt16, _ peerPort: UInt16) -> Int? {
        shadows.firstIndex { $0.isIPv4 == isIPv4 && $0.ownPort == ownPort && $0.peerPort == peerPort }
    }

    // MARK: Frames

    private static func own(_ isIPv4: Bool) -> IPAddress { isIPv4 ? StackHarness.address4 : StackHarness.address6 }
    private static func peer(_ isIPv4: Bool) -> IPAddress { isIPv4 ? StackHarness.peer4 : StackHarness.peer6 }
    private static func etherType(_ isIPv4: Bool) -> UInt16 { isIPv4 ? 0x0800 : 0x86dd }

    private mutating func send(_ packet: [UInt8], isIPv4: Bool) {
        harness.receive(packet, etherType: StackMachine.etherType(isIPv4))
    }

    // A packet as the input spells it. 0x40: with addresses that concern us; 0x80: repaired.
    private mutating func rawIP(_ input: inout FuzzInput, _ operation: UInt8, isIPv4: Bool) {
        var packet = input.block()
        if operation & 0x40 != 0 {
            let addresses = StackMachine.peer(isIPv4).bytes + StackMachine.own(isIPv4).bytes
            packet.overwrite(addresses, at: isIPv4 ? 12 : 8)
        }
        if operation & 0x80 != 0 { PacketBytes.repair(&packet, isIPv4: isIPv4) }
        send(packet, isIPv4: isIPv4)
    }

    private mutating func arp(_ input: inout FuzzInput, _ operation: UInt8) {
        var packet = input.take(28)
        if operation & 0x40 != 0 {
            packet.overwrite([0, 1, 8, 0, 6, 4, 0], at: 0)
            packet.overwrite(StackHarness.address4.bytes, at: 24)
        }
        let destination = operation & 0x80 != 0 ? MACAddress.broadcast : StackHarness.mac
        harness.receive(packet, etherType: 0x0806, destination: destination)
    }

    /// A TCP segment near what the connection expects.
    private mutating func segment(_ input: inout FuzzInput, isIPv4: Bool) {
        let flags = input.uint8()
        let choice = input.uint8()
        var ownPort: UInt16 = 80
        var peerPort: UInt16 = 5000 + UInt16(choice & 3)
        // Either a connection that was seen, or a new one to the listener.
        let seen = shadows.indices.filter { shadows[$0].isIPv4 == isIPv4 }
        if choice & 0x80 != 0, !seen.isEmpty {
            let shadow = shadows[seen[Int(choice & 0x7f) % seen.count]]
            (ownPort, peerPort) = (shadow.ownPort, shadow.peerPort)
        }
        let known = shadow(isIPv4, ownPort, peerPort).map { shadows[$0] }
        let sequence = (known?.peerNext ?? 1000) &+ UInt32(truncatingIfNeeded: input.distance())
        let acknowledgment = (known?.stackNext ?? 0) &+ UInt32(truncatingIfNeeded: input.distance())
        let window = input.uint16()
        var options = makeOptions(&input, known)
        while options.count % 4 != 0 { options.append(0) }
        let payload = [UInt8](repeating: 0x5a, count: Int(input.uint8()) * 6)
        var bytes = [UInt8](repeating: 0, count: 20)
        bytes.store(peerPort, at: 0)
        bytes.store(ownPort, at: 2)
        bytes.store(sequence, at: 4)
        bytes.store(acknowledgment, at: 8)
        bytes[12] = UInt8(5 + options.count / 4) << 4
        bytes[13] = flags
        bytes.store(window, at: 14)
        bytes += options + payload
        send(ip(PacketBytes.tcp, bytes, isIPv4: isIPv4), isIPv4: isIPv4)
    }

    private mutating func makeOptions(_ input: inout FuzzInput, _ known: Shadow?) -> [UInt8] {
        let choice = input.uint8()
        clock &+= 10
        var stamps = [UInt8](repeating: 0, count: 10)
        stamps[0] = 8
        stamps[1] = 10
        stamps.store(clock &+ UInt32(truncatingIfNeeded: choice & 0x40 != 0 ? input.distance() : 0), at: 2)
        stamps.store(known?.timestamp ?? 0, at: 6)
        switch choice & 7 {
        case 0: return []
        case 1: return [2, 4, 5, 0xb4, 4, 2] + stamps + [1, 3, 3, choice >> 3]
        case 2, 3: return [1, 1] + stamps
        case 4, 5:
            var blocks: [UInt8] = []
            for _ in 0..<(1 + choice >> 6) {
                var block = [UInt8](repeating: 0, count: 8)
                let start = (known?.stackNext ?? 0) &+ UInt32(truncatingIfNeeded: input.distance())
                block.store(start, at: 0)
                block.store(start &+ UInt32(truncatingIfNeeded: input.distance()), at: 4)
                blocks += block
            }
            let sack: [UInt8] = [1, 1, 5, UInt8(2 + blocks.count)]
            return (choice & 1 == 0 ? [1, 1] + stamps : []) + sack + blocks.prefix(choice & 1 == 0 ? 24 : 32)
        case 6: return [2, 4] + input.take(2)
        default: return Array(input.take(Int(choice >> 3)).prefix(40))
        }
    }

    private func ip(_ proto: UInt8, _ payload: [UInt8], isIPv4: Bool, hopLimit: UInt8 = 64) -> [UInt8] {
        isIPv4
            ? PacketBytes.ipv4(
                proto, from: StackHarness.peer4, to: StackHarness.address4, hopLimit: hopLimit, payload)
            : PacketBytes.ipv6(
                proto, from: StackHarness.peer6, to: StackHarness.address6, hopLimit: hopLimit, payload)
    }

    private mutating func datagram(_ input: inout FuzzInput, _ operation: UInt8, isIPv4: Bool) {
        var bytes: [UInt8] = [0x12, 0x34, 0, 53, 0, 0, 0, 0]
        if operation & 0x40 != 0 { bytes.overwrite(input.take(4), at: 0) }
        bytes += operation & 0x80 != 0 ? input.block() : [UInt8](repeating: 7, count: Int(input.uint8()) * 8)
        send(ip(PacketBytes.udp, bytes, isIPv4: isIPv4), isIPv4: isIPv4)
    }

    /// An ICMP error about something that the stack sent.
    private mutating func errorMessage(_ input: inout FuzzInput, isIPv4: Bool) {
        let type = input.uint8()
        let code = input.uint8()
        let value = input.uint32()
        let etherType = StackMachine.etherType(isIPv4)
        let candidates = recent.filter { $0.etherType == etherType }
        guard !candidates.isEmpty else { return }
        var quoted = candidates[Int(input.uint8()) % candidates.count].bytes
        quoted = Array(quoted.prefix(isIPv4 ? 28 + Int(input.uint8() & 31) : 500))
        let place = Int(input.uint8())
        if place > 0, place <= quoted.count { quoted[place - 1] ^= input.uint8() }
        var message: [UInt8] = [type, code, 0, 0, 0, 0, 0, 0]
        message.store(value, at: 4)
        let proto = isIPv4 ? PacketBytes.icmp4 : PacketBytes.icmp6
        send(ip(proto, message + quoted, isIPv4: isIPv4), isIPv4: isIPv4)
    }

    /// ICMPv6 with hop limit 255: solicitations, advertisements, routers. Other groups than ours by 0x40.
    private mutating func neighbourMessage(_ input: inout FuzzInput, _ operation: UInt8) {
        var message: [UInt8] = [133 + input.uint8() % 5, 0, 0, 0]
        message += input.block()
        if operation & 0x80 != 0 { message.overwrite(StackHarness.address6.bytes, at: 8) }
        let linkLocal = IPAddress(v6High: 0xfe80_0000_0000_0000, low: UInt64(input.uint8()))
        let allNodes = IPAddress(v6High: 0xff02_0000_0000_0000, low: 1)
        let packet = PacketBytes.ipv6(
            PacketBytes.icmp6, from: linkLocal, to: operation & 0x40 != 0 ? allNodes : StackHarness.address6,
            hopLimit: 255, message)
        let destination = operation & 0x40 != 0 ? MACAddress(0x3333_0000_0001) : StackHarness.mac
        harness.receive(packet, etherType: 0x86dd, destination: destination)
    }

    /// A piece of a UDP datagram: number, offset and length by the input.
    private mutating func fragment(_ input: inout FuzzInput, _ operation: UInt8, isIPv4: Bool) {
        let id = UInt16(input.uint8() & 7)
        let offset = UInt16(input.uint8()) * (operation & 0x80 != 0 ? 32 : 1)
        let more: UInt16 = operation & 0x40 != 0 ? 1 : 0
        var data = [UInt8](repeating: 9, count: Int(input.uint8()) * 8)
        if more == 0 { data += input.take(Int(input.uint8() & 7)) }
        if offset == 0 { data.overwrite([0x12, 0x34, 0, 53, 0, 200, 0, 0], at: 0) }
        if isIPv4 {
            let packet = PacketBytes.ipv4(
                PacketBytes.udp, from: StackHarness.peer4, to: StackHarness.address4,
                fragment: offset & 0x1fff | more << 13, id: id, data)
            return send(packet, isIPv4: true)
        }
        var header: [UInt8] = [PacketBytes.udp, 0, 0, 0, 0, 0, 0, 0]
        header.store(offset << 3 | more, at: 2)
        header.store(UInt32(id), at: 4)
        send(
            PacketBytes.ipv6(44, from: StackHarness.peer6, to: StackHarness.address6, header + data), isIPv4: false)
    }

    // MARK: Time and calls

    private static let durations: [Duration] = [
        .microseconds(10), .milliseconds(1), .milliseconds(40), .milliseconds(200), .seconds(1), .seconds(3),
        .seconds(30), .seconds(61), .seconds(600), .seconds(7300),
    ]

    private mutating func advance(_ input: inout FuzzInput) {
        harness.advance(StackMachine.durations[Int(input.uint8()) % StackMachine.durations.count])
    }

    private func pick(_ selector: UInt8) -> SocketID? {
        sockets.isEmpty ? nil : sockets[Int(selector) % sockets.count]
    }

    private mutating func keep(_ id: SocketID?) {
        guard let id else { return }
        if sockets.count >= 32 { harness.stack.close(sockets.removeFirst(), now: harness.now) }
        sockets.append(id)
    }

    private mutating func call(_ input: inout FuzzInput) {
        let choice = input.uint8()
        let argument = input.uint8()
        let now = harness.now
        let isIPv4 = argument & 1 == 0
        let remote = SocketEndpoint(
            argument & 2 == 0 ? StackMachine.peer(isIPv4) : StackMachine.own(isIPv4), port: 80 + UInt16(argument >> 6))
        switch choice % 18 {
        case 0:
            let local = SocketEndpoint(isIPv4 ? .anyIPv4 : .anyIPv6, port: 80 + UInt16(argument >> 6))
            keep(try? harness.stack.tcpListen(on: local, backlog: Int(argument >> 3 & 7), now: now))
        case 1, 2: keep(try? harness.stack.tcpConnect(to: remote, now: now))
        case 3: if let id = pick(argument) { keep((try? harness.stack.accept(id, now: now)) ?? nil) }
        case 4: send(argument, Int(input.uint8()) * 97)
        case 5: receive(argument, Int(input.uint8()) * 61 + 1, peek: choice & 0x80 != 0)
        case 6:
            let direction = [ShutdownDirection.read, .write, .both][Int(argument % 3)]
            if let id = pick(input.uint8()) { try? harness.stack.shutdown(id, direction, now: now) }
        case 7: if let id = pick(argument) { harness.stack.close(id, now: now) }
        case 8: if let id = pick(argument) { harness.stack.abort(id, now: now) }
        case 9:
            guard let id = try? harness.stack.udpOpen(isIPv4: isIPv4) else { return }
            let own = argument & 4 == 0 ? StackMachine.own(isIPv4) : isIPv4 ? .anyIPv4 : .anyIPv6
            try? harness.stack.udpBind(id, to: SocketEndpoint(own, port: 53 + UInt16(argument >> 6)))
            if argument & 8 != 0 { try? harness.stack.udpConnect(id, to: remote, now: now) }
            keep(id)
        case 10: sendDatagram(&input, argument, remote)
        case 11: receiveDatagram(argument, Int(input.uint8()) * 8 + 1)
        case 12: setOptions(&input, argument)
        case 13: joinOrLeave(&input, argument)
        case 14: echo(&input, argument, remote.address)
        case 15: ask(argument)
        case 16: if let id = pick(argument) { try? harness.stack.setBacklog(id, Int(input.uint8()) - 8) }
        default: keep(try? harness.stack.tcpBind(SocketEndpoint(remote.address, port: UInt16(argument >> 6))))
        }
    }

    private mutating func send(_ selector: UInt8, _ count: Int) {
        guard let id = pick(selector) else { return }
        let bytes = [UInt8](repeating: 0x33, count: count)
        let now = harness.now
        let sent = bytes.withBytes { try? harness.stack.send(id, $0, now: now) }
        precondition((sent ?? 0) <= count, "more sent than was given")
    }

    private mutating func receive(_ selector: UInt8, _ count: Int, peek: Bool) {
        guard let id = pick(selector) else { return }
        var bytes = [UInt8](repeating: 0, count: count)
        let now = harness.now
        let available = (try? harness.stack.receiveAvailable(id)) ?? 0
        let received = bytes.withMutableBytes { target in
            peek ? try? harness.stack.peek(id, into: &target) : try? harness.stack.receive(id, into: &target, now: now)
        }
        guard let received else { return }
        precondition(received <= count && received <= available, "more received than there was")
    }

    private mutating func sendDatagram(_ input: inout FuzzInput, _ selector: UInt8, _ remote: SocketEndpoint) {
        guard let id = pick(selector >> 2) else { return }
        let bytes = [UInt8](repeating: 0x44, count: Int(input.uint8()) * 17)
        let flags = input.uint8()
        var destination: SocketEndpoint? = remote
        if flags & 1 != 0 { destination = nil }
        if flags & 2 != 0 { destination = SocketEndpoint(IPAddress(v4: 0xe000_0001 + UInt32(flags >> 4)), port: 53) }
        if flags & 4 != 0 {
            destination = SocketEndpoint(IPAddress(v6High: 0xfd09_0000_0000_0000, low: UInt64(flags)), port: 53)
        }
        let now = harness.now
        bytes.withBytes { try? harness.stack.sendTo(id, $0, to: destination, now: now) }
    }

    private mutating func receiveDatagram(_ selector: UInt8, _ count: Int) {
        guard let id = pick(selector) else { return }
        var bytes = [UInt8](repeating: 0, count: count)
        let now = harness.now
        let received = bytes.withMutableBytes { target in
            try? harness.stack.receiveFrom(id, into: &target, peek: selector & 0x80 != 0, now: now)
        }
        if let received { precondition(received.count <= count && received.count <= received.length) }
    }

    private mutating func setOptions(_ input: inout FuzzInput, _ selector: UInt8) {
        guard let id = pick(selector) else { return }
        let flags = input.uint8()
        if var options = try? harness.stack.connectionOptions(id) {
            options.noDelay = flags & 1 != 0
            options.cork = flags & 2 != 0
            options.keepAlive = flags & 4 != 0
            options.keepAliveIdle = .seconds(Int(input.uint8()))
            options.userTimeout = .milliseconds(Int(input.uint16()))
            options.maximumSegmentSize = Int(input.uint16())
            options.receiveBufferMaximum = Int(input.uint16())
            options.sendBufferMaximum = Int(input.uint16())
            try? harness.stack.setConnectionOptions(id, options, now: harness.now)
        }
        guard var options = try? harness.stack.socketOptions(id) else { return }
        options.hopLimit = input.uint8()
        options.trafficClass = input.uint8()
        options.resetsOnClose = flags & 8 != 0
        options.pathMTUDiscovery = [.want, .always, .never, .want][Int(flags >> 4 & 3)]
        options.omitsChecksum = flags & 0x40 != 0
        options.receiveBytes = flags & 0x80 != 0 ? Int(input.uint16()) : nil
        try? harness.stack.setSocketOptions(id, options)
    }

    private mutating func joinOrLeave(_ input: inout FuzzInput, _ selector: UInt8) {
        guard let id = pick(selector) else { return }
        let number = input.uint8()
        let group =
            number & 1 == 0
            ? IPAddress(v4: 0xe000_0001 + UInt32(number >> 4)) : IPAddress(v6High: 0xff05 << 48, low: UInt64(number))
        if number & 2 == 0 {
            try? harness.stack.joinGroup(id, group, now: harness.now)
        } else {
            try? harness.stack.leaveGroup(id, group)
        }
    }

    private mutating func echo(_ input: inout FuzzInput, _ argument: UInt8, _ remote: IPAddress) {
        let payload = [UInt8](repeating: 1, count: Int(input.uint8()) * 11)
        let now = harness.now
        payload.withBytes {
            try? harness.stack.sendEcho(
                to: remote, identifier: UInt16(argument >> 5), sequence: UInt16(argument & 3), payload: $0, now: now)
        }
    }

    private mutating func ask(_ selector: UInt8) {
        guard let id = pick(selector) else { return }
        _ = try? harness.stack.readiness(of: id)
        _ = try? harness.stack.takeError(id)
        _ = try? harness.stack.localEndpoint(id)
        _ = try? harness.stack.remoteEndpoint(id)
        _ = try? harness.stack.information(id)
        _ = try? harness.stack.state(id)
        _ = try? harness.stack.unacknowledged(id)
        _ = try? harness.stack.nextDatagramLength(id)
        _ = harness.stack.isOpen(id)
    }

    /// What a network's configuration changes under running sockets.
    private mutating func administer(_ input: inout FuzzInput) {
        let choice = input.uint8()
        let number = input.uint8()
        let now = harness.now
        let interface = harness.interface
        let address =
            choice & 0x80 != 0
            ? IPAddress(v4: 0x0a09_0001 + UInt32(number)) : IPAddress(v6High: 0xfd09 << 48, low: 1 + UInt64(number))
        switch choice & 7 {
        case 0: harness.stack.setMTU(Int(number) * 41, of: interface, now: now)
        case 1: _ = harness.stack.addAddress(IPPrefix(address, length: Int(choice >> 3)), to: interface, now: now)
        case 2: harness.stack.removeAddress(address, from: interface, now: now)
        case 3:
            let route = StackRoute(
                IPPrefix(address, length: Int(choice >> 3)), interface: interface,
                gateway: number & 1 == 0 ? nil : address)
            _ = harness.stack.addRoute(route)
        case 4: harness.stack.removeRoutes(on: interface)
        case 5: harness.stack.linkBecameUsable(interface, now: now)
        default: harness.stack.setPermanentNeighbour(address, mac: MACAddress(UInt64(number)), on: interface, now: now)
        }
    }
}
