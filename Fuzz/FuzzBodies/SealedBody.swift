//  A node that hostile peers talk to with the right keys: the input is what they seal. So everything behind the cipher is
//  reached: every verb from a member, from a root, from the controller and from a stranger.
//
//  operation = u8: low 3 bits: 0...5 a packet, 6 time, 7 the node's owner
//  packet: 0x18 the sender, 0x20 the old cipher, 0x40 quote a packet that the node sent, 0x80 in parts
//          u8 [plan of the parts] | u8 verb byte | u16 length, payload

import NetPrimitives
import NetStack
import ZeroTierCrypto
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// Sealed payloads made of the input.
package func fuzzSealed(_ bytes: [UInt8]) { fuzzSealed(bytes, inspect: nil) }

/// The same; `inspect` sees the node before each datagram, and behind it.
func fuzzSealed(_ bytes: [UInt8], inspect: NodeHarness.Inspection?) {
    var scene = SealedScene(settings: bytes.first ?? 0)
    scene.setInspection(inspect)
    var input = FuzzInput(Array(bytes.dropFirst()))
    var steps = 0
    while !input.isAtEnd, steps < 64 {
        scene.step(&input)
        steps += 1
    }
    scene.finish()
}

/// One of those who seal.
private struct Sender: Sendable {
    let identity: Identity
    let keys: FuzzPair
    let endpoint: SocketEndpoint

    static let all: [Sender] = [
        Sender(FuzzFixture.attacker, 1), Sender(FuzzFixture.root, 0), Sender(FuzzFixture.controller, 2),
        Sender(FuzzFixture.leaf, 3),
    ]

    private init(_ identity: Identity, _ number: UInt32) {
        self.identity = identity
        keys = FuzzPair(FuzzFixture.victim, identity)
        endpoint = number == 0 ? FuzzFixture.rootEndpoint : FuzzFixture.endpoint(3, number)
    }
}

/// The node and what it said to whom.
struct SealedScene: ~Copyable {
    private(set) var harness: NodeHarness
    private var packetNumber: UInt64 = 1
    /// IDs of packets that the node sent, by sender they went to; the last few.
    private var quotable: [[UInt64]] = [[], [], [], []]
    /// Datagrams that the node sent.
    private(set) var sent = 0

    init(settings: UInt8) {
        harness = NodeHarness(FuzzFixture.victim, at: FuzzFixture.endpoint(9, 9), seed: UInt64(settings & 1))
        harness.identitiesAreValid = settings & 2 == 0
        let version = SoftwareVersion(major: 1, minor: 14, revision: 0)
        for sender in [Sender.all[0], Sender.all[2]] {
            let record = PeerRecord(
                identity: sender.identity.withoutSecret, protocolVersion: settings & 4 == 0 ? 12 : 9,
                softwareVersion: version,
                endpoints: [sender.endpoint])
            precondition(
                harness.node.importPeer(record.encoded, isValidated: true, now: harness.now),
                "a record that was just made")
        }
        for (network, saved) in [
            (FuzzFixture.publicNetwork, FuzzFixture.publicConfiguration),
            (FuzzFixture.privateNetwork, FuzzFixture.privateConfiguration),
        ] {
            precondition(harness.node.join(network, saved: saved, now: harness.now))
        }
        harness.pump()
        if let interface = harness.node.interface(of: FuzzFixture.publicNetwork) {
            // Somebody to talk to, so that frames come back.
            let any = SocketEndpoint(.anyIPv6, port: 7)
            precondition(harness.node.stack.mtu(of: interface) != nil)
            _ = try? harness.node.stack.tcpListen(on: any, backlog: 2, now: harness.now)
        }
        observe()
    }

    mutating func setInspection(_ inspect: NodeHarness.Inspection?) { harness.inspect = inspect }

    mutating func step(_ input: inout FuzzInput) {
        let operation = input.uint8()
        switch operation & 7 {
        case 0...5: packet(&input, operation)
        case 6:
            let durations: [Duration] = [.milliseconds(100), .seconds(1), .seconds(5), .seconds(61), .seconds(700)]
            harness.advance(durations[Int(operation >> 3) % durations.count], polls: 24)
        default: administer(&input, operation >> 3)
        }
        observe()
    }

    mutating func finish() {
        harness.advance(.seconds(30), polls: 24)
        for network in harness.node.networks { _ = harness.node.leave(network.id, now: harness.now) }
        harness.pump()
        observe()
        let time = harness.now.monotonic - FuzzFixture.start.monotonic
        let budget = EthernetLimits.signatures(of: Sender.all.count, in: time)
        precondition(
            harness.node.ethernet.signatureCount <= budget, "more signatures checked than there are for so many")
    }

    private mutating func observe() {
        for datagram in harness.outbox {
            sent += 1
            let header = datagram.bytes.withBytes { bytes in
                isFragment(bytes, length: bytes.byteCount) ? nil : PacketHeader(bytes, length: bytes.byteCount)
            }
            guard let header else { continue }
            for (index, sender) in Sender.all.enumerated() where sender.identity.address == header.destination {
                if quotable[index].count >= 8 { quotable[index].removeFirst() }
                quotable[index].append(header.id.value)
            }
        }
        harness.outbox = []
    }

    // MARK: Packets

    private mutating func packet(_ input: inout FuzzInput, _ operation: UInt8) {
        let index = Int(operation >> 3 & 3)
        let plan = operation & 0x80 != 0 ? input.uint8() : 0
        let verb = input.uint8()
        var payload = input.block()
        if operation & 0x40 != 0, payload.count > 8, !quotable[index].isEmpty {
            let id = quotable[index][Int(payload[1]) % quotable[index].count]
            payload.store(UInt32(truncatingIfNeeded: id >> 32), at: 1)
            payload.store(UInt32(truncatingIfNeeded: id), at: 5)
        }
        send(payload, verb: verb, from: index, isOld: operation & 0x20 != 0, plan: plan)
    }

    /// Seals a payload and sends it, in parts if there is a plan.
    mutating func send(_ payload: [UInt8], verb: UInt8, from index: Int, isOld: Bool, plan: UInt8 = 0) {
        let sender = Sender.all[index]
        let parts = plan == 0 ? 1 : 2 + Int(plan & 3)
        packetNumber += 1
        var bytes = [UInt8](repeating: 0, count: PacketHeader.payloadOffset) + payload
        let header = PacketHeader(
            id: PacketID(0x1234_5678_0000_0000 | packetNumber), destination: FuzzFixture.victim.address,
            source: sender.identity.address, isFragmented: parts > 1)
        bytes.withMutableBytes { span in
            header.write(into: &span)
            span.storeUInt8(verb, at: PacketHeader.verbOffset)
            let length = span.byteCount
            let known = Verb(verbByte: verb)
            if known == .hello {
                let section = (try? Hello.decodeClear(span.bytes, length: length))?.sectionOffset ?? length
                PacketArmor.sealHello(&span, length: length, sectionOffset: section, cipher: sender.keys.cipher)
            } else if known?.traits.mayBeClear ?? false {
                PacketArmor.seal(&span, length: length, suite: .authenticatedOnly, cipher: sender.keys.cipher)
            } else {
                PacketArmor.seal(&span, length: length, suite: isOld ? .salsa : .gmacSIV, cipher: sender.keys.cipher)
            }
        }
        harness.receive(parts > 1 ? SealedScene.cut(bytes, parts, plan) : [bytes], from: sender.endpoint)
    }

    /// Cuts a sealed packet; bits of the plan lose, repeat or turn the parts around.
    private static func cut(_ bytes: [UInt8], _ count: Int, _ plan: UInt8) -> [[UInt8]] {
        let stride = max(PacketHeader.payloadOffset, (bytes.count + count - 1) / count)
        var parts: [[UInt8]] = [Array(bytes.prefix(stride))]
        let id = PacketID(UInt64(bytes.uint32(at: 0)) << 32 | UInt64(bytes.uint32(at: 4)))
        for number in 1..<count {
            var part = [UInt8](repeating: 0, count: FragmentHeader.size)
            let header = FragmentHeader(
                packetID: id, destination: FuzzFixture.victim.address, total: count, number: number)
            part.withMutableBytes { header.write(into: &$0) }
            parts.append(part + bytes.dropFirst(number * stride).prefix(stride))
        }
        if plan & 0x80 != 0 { parts.reverse() }
        if plan & 0x40 != 0 { parts.append(parts[0]) }
        if plan & 0x20 != 0 { parts.remove(at: parts.count / 2) }
        return parts
    }

    // MARK: The owner

    private mutating func administer(_ input: inout FuzzInput, _ choice: UInt8) {
        let now = harness.now
        switch choice & 15 {
        case 0: _ = harness.node.leave(FuzzFixture.publicNetwork, now: now)
        case 1: _ = harness.node.join(FuzzFixture.publicNetwork, saved: FuzzFixture.publicConfiguration, now: now)
        case 2: _ = harness.node.join(FuzzFixture.privateNetwork, saved: input.block(), now: now)
        case 3: _ = harness.node.importPeer(input.block(), isValidated: input.uint8() & 1 == 0, now: now)
        case 4: harness.changeNetwork(gone: [0])
        case 5: harness.node.orbit(MoonSeed(moonID: UInt64(input.uint8()), seed: FuzzFixture.root.address), now: now)
        case 6: _ = harness.node.deorbit(UInt64(input.uint8()), now: now)
        case 7: connect(input.uint8())
        case 8: harness.receive([input.block(), input.block()], from: FuzzFixture.endpoint(4, UInt32(input.uint8())))
        case 9: connect(to: Address(UInt64(input.uint32()) << 8 | 1), on: FuzzFixture.publicNetwork)
        case 10: _ = harness.node.join(NetworkID(0xff00_0000_0000_0000 | UInt64(input.uint32()) << 24), now: now)
        case 11:
            if let world = try? World(decoding: input.block()) { harness.node.adopt(world, now: now) }
        default: _ = (harness.node.statistics, harness.node.peers.snapshots(now: now), harness.node.peers.exportPeers())
        }
        harness.pump()
    }

    /// Traffic to a member: a route, rules, a certificate pushed.
    private mutating func connect(_ selector: UInt8) {
        let network = selector & 1 == 0 ? FuzzFixture.publicNetwork : FuzzFixture.privateNetwork
        guard selector & 4 == 0 else {
            let remote = SocketEndpoint(IPAddress(v4: 0x0a09_0002), port: 80)
            _ = try? harness.node.stack.tcpConnect(to: remote, now: harness.now)
            return
        }
        connect(to: selector & 2 == 0 ? FuzzFixture.attacker.address : FuzzFixture.leaf.address, on: network)
    }

    // Without a known identity it begins with a WHOIS.
    private mutating func connect(to member: Address, on network: NetworkID) {
        let remote = SocketEndpoint(network.sixPlaneAddress(of: member), port: 80)
        _ = try? harness.node.stack.tcpConnect(to: remote, now: harness.now)
    }
}
