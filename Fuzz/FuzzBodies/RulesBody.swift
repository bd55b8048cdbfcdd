//  Rule tables: their codec, and their evaluation on arbitrary frames, outbound and inbound.
//
//  u8 switches | u16 length, rules | u8 destination | u16 EtherType | frame

import NetPrimitives
import ZeroTierEthernet
import ZeroTierWire

/// A table out of the input decides on a frame out of the input.
package func fuzzRules(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let switches = input.uint8()
    let table = input.block()
    let decode: ([UInt8]) throws -> [Rule] = { try Rule.table(decoding: $0, limit: ProtocolLimits.baseRules) }
    guard let rules = checkCodec(table, decode: decode, encode: { Rule.encode($0) }) else { return }
    precondition(rules.count <= table.count / 2, "more rules than bytes for them")
    let choice = input.uint8()
    let etherType = frameTypes[Int(choice) % frameTypes.count] ?? input.uint16()
    let frame = Array(input.rest().prefix(2800))

    var engine = EthernetEngine(
        identity: FuzzFixture.victim, random: RandomSource(seed: UInt64(switches)), now: FuzzFixture.start)
    let saved = configuration(rules, switches).encoded
    guard let slot = engine.join(FuzzFixture.publicNetwork, savedConfiguration: saved, now: FuzzFixture.start) else {
        preconditionFailure("an empty engine has room for a network")
    }
    precondition(engine.configuration(of: slot)?.rules == rules, "a table changed on its way through a configuration")
    drain(&engine)
    checkOutbound(&engine, slot, choice, etherType, frame)
    checkInbound(&engine, etherType, frame)
}

private let frameTypes: [UInt16?] = [0x0800, 0x86dd, 0x0806, nil]

private func configuration(_ rules: [Rule], _ switches: UInt8) -> NetworkConfig {
    var config = FuzzFixture.configuration(FuzzFixture.publicNetwork, rules: rules)
    // The four flags that bear on frames, and the rest of the ways a verdict may go.
    config.flags = UInt64(switches & 0x1e)
    let issued = config.timestamp
    for id in 0..<UInt32(switches >> 5) {
        config.tags.append(
            Tag(
                network: config.network, timestamp: issued, id: id, value: id * 7,
                issuedTo: FuzzFixture.victim.address, signedBy: FuzzFixture.controller.withoutSecret))
    }
    return config
}

private func checkOutbound(
    _ engine: inout EthernetEngine, _ slot: SlotID, _ choice: UInt8, _ etherType: UInt16, _ frame: [UInt8]
) {
    let network = FuzzFixture.publicNetwork
    let destinations = [
        network.mac(of: FuzzFixture.attacker.address), .broadcast, MACAddress(0x3333_0000_0001),
        MACAddress(0x0200_0000_0001),
    ]
    let source = network.mac(of: FuzzFixture.victim.address)
    let destination = destinations[Int(choice >> 4) % destinations.count]
    let key = FrameKey(
        network: slot, source: source, destination: destination, etherType: etherType, length: frame.count)
    // The whole frame, then its first bytes only: a verdict on less must be the same or ask for all.
    for count in [frame.count, min(frame.count, 24)] {
        frame.withBytes { span in
            switch engine.route(key, frame: span.extracting(0..<count), at: 0, now: FuzzFixture.start) {
            case .send(let route):
                var header = [UInt8](repeating: 0, count: route.headerLength)
                header.withMutableBytes { route.writeHeader(into: &$0, at: 0) }
            case .drop, .control: break
            }
        }
    }
    engine.sendFrame(
        network: slot, source: source, destination: destination, etherType: etherType, payload: frame,
        now: FuzzFixture.start)
    drain(&engine)
}

private func checkInbound(_ engine: inout EthernetEngine, _ etherType: UInt16, _ frame: [UInt8]) {
    let network = FuzzFixture.publicNetwork
    let attacker = FuzzFixture.attacker.address
    let plain = Frame(network: network, etherType: etherType, data: frame).encoded
    let extended = ExtendedFrame(
        network: network, destination: network.mac(of: FuzzFixture.victim.address), source: network.mac(of: attacker),
        etherType: etherType, data: frame
    ).encoded
    // Twice: the second time the verdict may be a remembered one.
    for (verb, payload) in [(Verb.frame, plain), (.extendedFrame, extended), (.frame, plain)] {
        let admission = payload.withBytes { span in
            engine.admit(
                verb, span, at: 0, length: payload.count, from: attacker, packetID: PacketID(1),
                now: FuzzFixture.start)
        }
        if case .frame(let admitted) = admission {
            precondition(admitted.offset >= 0 && admitted.offset + admitted.length <= payload.count)
            precondition(admitted.length == frame.count && admitted.etherType == etherType)
        }
        drain(&engine)
    }
}

private func drain(_ engine: inout EthernetEngine) {
    var packets = 0
    while engine.nextPacket() != nil { packets += 1 }
    // Copies for observers, one explicit gather, one frame per bridge: never a flood.
    precondition(packets <= 64, "one frame caused a flood")
    while engine.nextLocalFrame() != nil {}
    while engine.nextEvent() != nil {}
}
