//  The rule filter against the stack: what the rules let in because they saw no TCP never is TCP to the stack.
//
//  u8 table | operation = u8: 0x01 IPv6, 0x02 spelt out, 0x04 in pieces, 0x08 EXT_FRAME, 0x10 to another port

import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierWire

/// Packets of an attacker, whole and in pieces, past a table that lets no TCP (to port 22) through.
package func fuzzFilter(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let table = FilterScene.Table(rawValue: Int(input.uint8()) % FilterScene.Table.allCases.count) ?? .dropProtocol
    var scene = FilterScene(table)
    var steps = 0
    while !input.isAtEnd, steps < 64 {
        steps += 1
        step(&scene, &input)
        precondition(!scene.isPassed, "the rules saw no TCP to port 22 and the stack did")
    }
}

private func step(_ scene: inout FilterScene, _ input: inout FuzzInput) {
    let operation = input.uint8()
    let isIPv4 = operation & 1 == 0
    let verb: Verb = operation & 8 == 0 ? .frame : .extendedFrame
    if operation & 2 != 0 {
        var packet = input.block()
        let own = isIPv4 ? FilterScene.own4.bytes : FilterScene.own6.bytes
        let peer = isIPv4 ? FilterScene.peer4.bytes : FilterScene.peer6.bytes
        packet.overwrite(peer + own, at: isIPv4 ? 12 : 8)
        PacketBytes.repair(&packet, isIPv4: isIPv4)
        return scene.deliver(packet, isIPv4: isIPv4, verb: verb)
    }
    var first = input.uint8()
    let chain = input.take(Int(input.uint8() & 0x7f))
    let port: UInt16 = operation & 0x10 == 0 ? 22 : 23
    if isIPv4 || chain.isEmpty { first = PacketBytes.tcp }
    let packet = FilterScene.packet(isIPv4: isIPv4, first: first, chain: chain, port: port)
    guard operation & 4 != 0 else { return scene.deliver(packet, isIPv4: isIPv4, verb: verb) }
    let id = UInt16(input.uint8() & 3)
    let count = 1 + Int(input.uint8() & 3)
    for _ in 0..<count {
        let start = Int(input.uint8() & 15) * 8
        let length = Int(input.uint8() & 15) * 8
        let more = input.uint8() & 1 != 0
        let piece = FilterScene.piece(
            of: packet, isIPv4: isIPv4, first: first, from: start, length: more ? length : nil, id: id)
        if let piece { scene.deliver(piece, isIPv4: isIPv4, verb: verb) }
    }
}

/// A member of a network whose rules let no TCP to port 22 through, and its stack with somebody who listens there.
struct FilterScene: ~Copyable {
    enum Table: Int, CaseIterable {
        /// Drop TCP.
        case dropProtocol
        /// Drop TCP to port 22.
        case dropPort
        /// Accept UDP and ICMP, drop the rest.
        case acceptOthers
        /// Drop what has SYN without ACK.
        case dropOpening
    }

    static let own4 = StackHarness.address4
    static let peer4 = StackHarness.peer4
    static let own6 = FuzzFixture.publicNetwork.sixPlaneAddress(of: FuzzFixture.victim.address)
    static let peer6 = FuzzFixture.publicNetwork.sixPlaneAddress(of: FuzzFixture.attacker.address)

    private let table: Table
    private(set) var engine: EthernetEngine
    private(set) var stack: NetworkStack
    private let network: SlotID
    private let interface: InterfaceID
    private(set) var listeners: [SocketID] = []
    /// Frames and datagrams that the rules let in.
    private(set) var admitted = 0
    private var hasAnswered = false

    init(_ table: Table) {
        self.table = table
        engine = EthernetEngine(identity: FuzzFixture.victim, random: RandomSource(seed: 5), now: FuzzFixture.start)
        let saved = FuzzFixture.configuration(FuzzFixture.publicNetwork, rules: FilterScene.rules(table)).encoded
        stack = NetworkStack(random: RandomSource(seed: 6))
        var settings = InterfaceConfiguration(mtu: 2800)
        settings.judgesReassembled = true
        guard
            let slot = engine.join(
                FuzzFixture.publicNetwork, savedConfiguration: saved, now: FuzzFixture.start),
            let made = stack.addInterface(
                mac: FuzzFixture.publicNetwork.mac(of: FuzzFixture.victim.address), configuration: settings,
                now: FuzzFixture.start)
        else { preconditionFailure("an empty engine and an empty stack have room") }
        network = slot
        interface = made
        for (address, length) in [(FilterScene.own4, 24), (FilterScene.own6, 40)] {
            _ = stack.addAddress(IPPrefix(address, length: length), to: made, now: FuzzFixture.start)
        }
        for address in [FilterScene.own4, FilterScene.own6] {
            let local = SocketEndpoint(address, port: 22)
            if let id = try? stack.tcpListen(on: local, backlog: 8, now: FuzzFixture.start) { listeners.append(id) }
        }
        drain()
    }

    private static func rules(_ table: Table) -> [Rule] {
        switch table {
        case .dropProtocol: [Rule(.ipProtocol(6)), Rule(.drop), Rule(.accept)]
        case .dropPort: [Rule(.ipProtocol(6)), Rule(.destinationPorts(from: 22, to: 22)), Rule(.drop), Rule(.accept)]
        case .acceptOthers:
            [
                Rule(.ipProtocol(17)), Rule(.ipProtocol(1), or: true), Rule(.ipProtocol(58), or: true), Rule(.accept),
                Rule(.drop),
            ]
        case .dropOpening:
            [
                Rule(.characteristics(2)), Rule(.characteristics(0x10), not: true), Rule(.drop), Rule(.accept),
            ]
        }
    }

    /// Whether something reached the stack that the rules forbid.
    var isPassed: Bool {
        switch table {
        case .dropProtocol, .acceptOthers: stack.statistics.tcp.received > 0
        case .dropPort, .dropOpening: hasAnswered
        }
    }

    // MARK: Packets

    /// A SYN behind extension headers (IPv6; `first` announces them), with the right checksum.
    static func packet(isIPv4: Bool, first: UInt8, chain: [UInt8], port: UInt16) -> [UInt8] {
        var segment = [UInt8](repeating: 0, count: 20)
        segment.store(UInt16(5000), at: 0)
        segment.store(port, at: 2)
        segment.store(UInt32(1000), at: 4)
        segment[12] = 0x50
        segment[13] = 2
        segment.store(UInt16(8000), at: 14)
        let addresses = isIPv4 ? peer4.bytes + own4.bytes : peer6.bytes + own6.bytes
        let sum = PacketBytes.sum(segment, PacketBytes.sum([0, 6, 0, 20], PacketBytes.sum(addresses)))
        segment.store(PacketBytes.inverted(sum), at: 16)
        if isIPv4 { return PacketBytes.ipv4(PacketBytes.tcp, from: peer4, to: own4, segment) }
        var packet: [UInt8] = [0x60, 0, 0, 0, 0, 0, first, 64]
        packet += addresses + chain + segment
        packet.store(UInt16(packet.count - 40), at: 4)
        return packet
    }

    /// A part of a packet's payload as a fragment; `length` nil: to its end. Nil if there is nothing.
    static func piece(
        of packet: [UInt8], isIPv4: Bool, first: UInt8, from start: Int, length: Int?, id: UInt16
    ) -> [UInt8]? {
        let header = isIPv4 ? 20 : 40
        let payload = Array(packet.dropFirst(header))
        guard start < payload.count else { return nil }
        let end = length.map { min(payload.count, start + $0) } ?? payload.count
        guard end > start else { return nil }
        let field = UInt16(start / 8)
        let more: UInt16 = length == nil ? 0 : 1
        if isIPv4 {
            return PacketBytes.ipv4(
                PacketBytes.tcp, from: peer4, to: own4, fragment: field | more << 13, id: id,
                Array(payload[start..<end]))
        }
        var fragment: [UInt8] = [first, 0, 0, 0, 0, 0, 0, 0]
        fragment.store(field << 3 | more, at: 2)
        fragment.store(UInt32(id), at: 4)
        var whole: [UInt8] = [0x60, 0, 0, 0, 0, 0, 44, 64]
        whole += peer6.bytes + own6.bytes + fragment + payload[start..<end]
        whole.store(UInt16(whole.count - 40), at: 4)
        return whole
    }

    // MARK: The way in, as a node goes it

    mutating func deliver(_ packet: [UInt8], isIPv4: Bool, verb: Verb = .frame) {
        let etherType: UInt16 = isIPv4 ? 0x0800 : 0x86dd
        let id = FuzzFixture.publicNetwork
        let attacker = FuzzFixture.attacker.address
        let payload =
            verb == .frame
            ? Frame(network: id, etherType: etherType, data: packet).encoded
            : ExtendedFrame(
                network: id, destination: id.mac(of: FuzzFixture.victim.address), source: id.mac(of: attacker),
                etherType: etherType, data: packet
            ).encoded
        payload.withBytes { span in
            let admission = engine.admit(
                verb, span, at: 0, length: payload.count, from: attacker, packetID: PacketID(1),
                now: FuzzFixture.start)
            guard case .frame(let frame) = admission else { return }
            admitted += 1
            stack.receive(
                span.extracting(frame.offset..<frame.offset + frame.length), etherType: frame.etherType,
                source: frame.source, destination: frame.destination, on: interface, now: FuzzFixture.start)
            guard let whole = stack.nextReassembled() else { return }
            let isAllowed = engine.admitReassembled(
                whole.bytes, etherType: whole.etherType, source: whole.source, destination: frame.destination,
                network: network, now: FuzzFixture.start)
            guard isAllowed else { return }
            admitted += 1
            stack.receive(reassembled: whole, now: FuzzFixture.start)
        }
        stack.endBatch(now: FuzzFixture.start)
        drain()
    }

    // Answers from port 22: somebody there was reached.
    private mutating func drain() {
        while let burst = stack.nextBurst(room: 16, now: FuzzFixture.start) {
            for segment in 0..<burst.count {
                var bytes = [UInt8](repeating: 0, count: burst.length(segment))
                _ = bytes.withMutableBytes { stack.write(burst, segment: segment, into: &$0, at: 0) }
                let isIPv4 = burst.etherType == 0x0800
                guard isIPv4 || burst.etherType == 0x86dd,
                    let (offset, proto, _) = PacketBytes.transport(bytes, isIPv4: isIPv4), proto == PacketBytes.tcp
                else { continue }
                if bytes.uint16(at: offset) == 22 { hasAnswered = true }
            }
        }
        while stack.nextGroupChange() != nil {}
        while stack.nextEvent() != nil {}
        while engine.nextPacket() != nil {}
        while engine.nextLocalFrame() != nil {}
        while engine.nextEvent() != nil {}
    }
}
