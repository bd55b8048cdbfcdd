//  The controller's machine: requests with any metadata, an administrator, a store that fails and dies; and records as bytes.

import NetPrimitives
import ZeroTierController
import ZeroTierCrypto
import ZeroTierWire

/// An input as a program: who asks for what with which metadata, what is changed, what the store does, how time goes.
package func fuzzController(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var lab = ControllerLab()
    while !input.isAtEnd { lab.step(&input) }
    lab.finish()
}

/// A record of a network behind its length, and one of a member: read, written, loaded, and asked for.
package func fuzzRecord(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let (network, member) = (input.block(), input.rest())
    let id = ControllerLab.networks[0]
    guard let record = try? NetworkRecord(id: id, decoding: network) else { return }
    precondition(
        (try? NetworkRecord(id: id, decoding: record.encoded)) == record, "a network is read as it was written")
    var lab = ControllerLab(isEmpty: true)
    guard lab.load(.putNetwork(id, network)) else { return }
    let address = FuzzFixture.attacker.address
    if let record = try? MemberRecord(address: address, decoding: member) {
        precondition(
            (try? MemberRecord(address: address, decoding: record.encoded)) == record,
            "a member is read as it was written")
        _ = lab.load(.putMember(id, address, member))
    }
    lab.ask(id, FuzzFixture.attacker, RequestMetadata().dictionary.encoded)
    lab.ask(id, FuzzFixture.leaf, RequestMetadata().dictionary.encoded)
    lab.finish()
}

/// A controller with its store.
struct ControllerLab: ~Copyable {
    static let networks = (1...3).map { NetworkID(controller: FuzzFixture.controller.address, number: $0) }
    private static let members = [
        FuzzFixture.attacker, FuzzFixture.leaf, FuzzFixture.root, FuzzFixture.victim,
        // Somebody else under the address of the first.
        Identity(address: FuzzFixture.attacker.address, publicKeys: FuzzFixture.leaf.publicKeys),
    ]

    private struct Key: Hashable, Comparable {
        let network: NetworkID
        /// Nil for the network itself, which comes first.
        let member: Address?

        static func < (one: Key, other: Key) -> Bool {
            (one.network, one.member?.value ?? 0) < (other.network, other.member?.value ?? 0)
        }
    }

    private var engine: ControllerEngine
    private var now = FuzzFixture.start
    private var durable: [Key: [UInt8]] = [:]
    private var held: (writes: [RecordWrite], ticket: ControllerTicket)?
    private var storeFails = false
    private var storeWaits = false
    private var open: Set<UInt64> = []
    private var lastTicket: UInt64 = 0
    private var starts: UInt64 = 0

    /// With two networks of a /29 each, or none.
    init(isEmpty: Bool = false) {
        engine = ControllerLab.machine(0, now)
        if isEmpty { return }
        for id in ControllerLab.networks.prefix(2) { create(id, isPrivate: id == ControllerLab.networks[0]) }
    }

    private static func machine(_ seed: UInt64, _ now: Now) -> ControllerEngine {
        var configuration = ControllerConfiguration()
        configuration.networks = 3
        configuration.membersPerNetwork = 3
        configuration.strangersPerNetwork = 2
        configuration.waiting = 6
        configuration.unsigned = 3
        configuration.effects = 24
        configuration.pushes = 2
        configuration.revocationsPerNetwork = 2
        configuration.wantedRevocations = 4
        configuration.currentRevocations = 2
        configuration.returners = 2
        return ControllerEngine(
            identity: FuzzFixture.controller, configuration: configuration, random: RandomSource(seed: seed), now: now)
    }

    mutating func load(_ record: RecordWrite) -> Bool {
        guard (try? engine.load(record)) != nil else { return false }
        switch record {
        // In the form in which it is kept: bits of a host are gone.
        case .putNetwork(let id, _): durable[Key(network: id, member: nil)] = engine.network(id)?.encoded
        case .putMember(let id, let member, _):
            durable[Key(network: id, member: member)] = engine.member(member, of: id)?.encoded
        case .removeNetwork, .removeMember: break
        }
        return true
    }

    // MARK: Steps

    mutating func step(_ input: inout FuzzInput) {
        let code = input.uint8()
        let id = ControllerLab.networks[Int(code >> 4) % 3]
        let member = ControllerLab.members[Int(input.uint8()) % ControllerLab.members.count]
        switch code & 15 {
        case 0, 1: ask(id, member, input.block())
        case 2: ask(id, member, RequestMetadata().dictionary.encoded)
        case 3:
            var metadata = RequestMetadata()
            metadata.authorization = "token:" + String(decoding: input.take(2), as: UTF8.self)
            metadata.rulesEngineRevision = UInt64(input.uint8() & 1)
            ask(id, member, metadata.dictionary.encoded)
        case 4: engine.receive(input.block(), from: member, packetID: PacketID(1), now: now)
        case 5: engine.receiveLocal(id, metadata: input.block(), now: now)
        case 6: create(id, isPrivate: input.uint8() & 1 != 0)
        case 7: change(id, &input)
        case 8:
            administer { (engine, ticket, now) throws(ControllerError) in try engine.deleteNetwork(id, ticket, now: now)
            }
        case 9: change(member.address, of: id, &input)
        case 10:
            administer { (engine, ticket, now) throws(ControllerError) in
                try engine.deleteMember(member.address, of: id, ticket, now: now)
            }
        case 11: pass(.milliseconds(Int64(input.uint16()) * 8))
        case 12: storeFails = input.uint8() & 1 != 0
        case 13:
            storeWaits = input.uint8() & 1 != 0
            finishCommit(isLost: false)
        case 14: finishCommit(isLost: input.uint8() & 1 != 0)
        default: restart()
        }
        pump()
    }

    mutating func ask(_ id: NetworkID, _ member: Identity, _ metadata: [UInt8]) {
        let request = NetworkConfigRequest(network: id, metadata: Array(metadata.prefix(1024)))
        engine.receive(request.encoded, from: member, packetID: PacketID(7), now: now)
        pump()
    }

    private typealias Administration = (inout ControllerEngine, AdministrationTicket, Now) throws(ControllerError) ->
        Void

    private mutating func administer(_ body: Administration) {
        lastTicket += 1
        do throws(ControllerError) {
            try body(&engine, AdministrationTicket(lastTicket), now)
            open.insert(lastTicket)
        } catch {
            if case .fieldInvalid(let field, let reason) = error {
                precondition(!field.isEmpty && !reason.isEmpty, "an error without words")
            }
        }
    }

    private mutating func create(_ id: NetworkID, isPrivate: Bool) {
        let start = IPAddress(v4: 0x0a00_0000 | UInt32(id.value & 0xff) << 8)
        administer { (engine, ticket, now) throws(ControllerError) in
            _ = try engine.createNetwork(id, ticket, now: now) { record in
                record.isPrivate = isPrivate
                record.assignsIPv4 = true
                record.routes = [NetworkRoute(target: IPPrefix(start, length: 29))]
                record.pools = [AddressPool(first: IPAddress(v4: start.v4 + 1), last: IPAddress(v4: start.v4 + 3))]
                record.tokens = [AuthorizationToken(text: "ab", expires: 0)]
                record.capabilities = [CapabilityDefinition(id: 1, isDefault: true, rules: [Rule(.accept)])]
                record.tags = [TagDefinition(id: 1, defaultValue: 5)]
            }
        }
    }

    private mutating func change(_ id: NetworkID, _ input: inout FuzzInput) {
        let (choice, number) = (input.uint8(), input.uint32())
        let text = String(decoding: input.take(Int(input.uint8())), as: UTF8.self)
        let address = IPAddress(v4: 0x0a00_0000 | number & 0xffff)
        administer { (engine, ticket, now) throws(ControllerError) in
            try engine.changeNetwork(id, ticket, now: now) { record in
                switch choice % 10 {
                case 0: record.name = text
                case 1: record.mtu = Int(number)
                case 2: record.isPrivate.toggle()
                case 3: record.pools.append(AddressPool(first: address, last: IPAddress(v4: number)))
                case 4: record.routes.append(NetworkRoute(target: IPPrefix(address, length: Int(number >> 16) % 33)))
                case 5: record.tokens.append(AuthorizationToken(text: text, expires: UInt64(number)))
                case 6: record.tags.append(TagDefinition(id: number, defaultValue: number))
                case 7: record.assignsRFC4193.toggle()
                case 8: record.assignsIPv6.toggle()
                default: record.credentialWindow = UInt64(number)
                }
            }
        }
    }

    private mutating func change(_ member: Address, of id: NetworkID, _ input: inout FuzzInput) {
        let (choice, number) = (input.uint8(), input.uint32())
        administer { (engine, ticket, now) throws(ControllerError) in
            try engine.changeMember(member, of: id, ticket, now: now) { record in
                switch choice % 6 {
                case 0: record.isAuthorized.toggle()
                case 1: record.addresses = []
                case 2: record.isActiveBridge.toggle()
                case 3: record.takesNoAssignment.toggle()
                case 4: record.tags.append(TagValue(id: number, value: number))
                default: record.capabilities.append(number)
                }
            }
        }
    }

    // MARK: Time and the store

    private mutating func pass(_ duration: Duration) {
        let end = now.advanced(by: duration)
        var polls = 0
        while let due = engine.nextDeadline(), due <= end.monotonic {
            if due > now.monotonic { now = now.advanced(by: due - now.monotonic) }
            engine.handleDeadlines(now: now)
            pump()
            polls += 1
            precondition(polls < 4096, "a deadline that is due again and again")
        }
        now = now.advanced(by: end.monotonic - now.monotonic)
    }

    private mutating func pump() {
        var rounds = 0
        while true {
            rounds += 1
            precondition(rounds < 4096, "a controller that never falls silent")
            var isQuiet = true
            while let effect = engine.nextEffect() {
                isQuiet = false
                take(effect)
            }
            if let job = engine.nextJob(now: now) {
                isQuiet = false
                switch job {
                case .commit(let writes, let ticket):
                    precondition(held == nil, "two transactions at once")
                    held = (writes, ticket)
                    if !storeWaits { finishCommit(isLost: false) }
                case .sign(let job): engine.complete(job.run(), now: now)
                }
            }
            if isQuiet { return }
        }
    }

    private mutating func take(_ effect: ControllerEffect) {
        switch effect {
        case .answer(let ticket, _): precondition(open.remove(ticket.value) != nil, "an answer that nobody waits for")
        case .send(.ok, let payload, let member):
            guard let body = try? OKHeader.split(payload).body, let chunk = try? NetworkConfigChunk(decoding: body)
            else { preconditionFailure("a configuration that cannot be read") }
            let key = Key(network: chunk.network, member: member)
            guard let bytes = durable[key], let record = try? MemberRecord(address: member, decoding: bytes),
                record.isAuthorized
            else { preconditionFailure("a configuration for somebody who is no member") }
        default: break
        }
    }

    private mutating func finishCommit(isLost: Bool) {
        guard let (writes, ticket) = held else { return }
        held = nil
        if !storeFails || isLost { for write in writes { apply(write) } }
        if isLost { return restart() }
        engine.complete(ticket, failure: storeFails ? "no room" : nil, now: now)
        pump()
    }

    private mutating func apply(_ write: RecordWrite) {
        switch write {
        case .putNetwork(let id, let bytes): durable[Key(network: id, member: nil)] = bytes
        case .putMember(let id, let member, let bytes): durable[Key(network: id, member: member)] = bytes
        case .removeMember(let id, let member): durable[Key(network: id, member: member)] = nil
        case .removeNetwork(let id): durable = durable.filter { $0.key.network != id }
        }
        checkAddresses()
    }

    // No address of a pool is given twice; here nobody assigns any by hand.
    private func checkAddresses() {
        var taken: Set<IPAddress> = []
        for (key, bytes) in durable {
            guard let address = key.member else { continue }
            guard let record = try? MemberRecord(address: address, decoding: bytes) else {
                preconditionFailure("a record that cannot be read")
            }
            for given in record.addresses where given.isIPv4 && given.v4 >> 8 & 0xff == UInt32(key.network.value & 0xff)
            {
                precondition(taken.insert(given).inserted, "an address that two members have")
            }
        }
    }

    private mutating func restart() {
        held = nil
        open = []
        starts += 1
        engine = ControllerLab.machine(starts, now)
        for key in durable.keys.sorted() {
            guard let bytes = durable[key] else { continue }
            let record: RecordWrite =
                key.member.map { .putMember(key.network, $0, bytes) } ?? .putNetwork(key.network, bytes)
            do { try engine.load(record) } catch { preconditionFailure("a record of our own is refused: \(error)") }
        }
        engine.resume(now: now)
        pump()
    }

    /// All comes to its end: every administrator has an answer, and what is read is what is durable.
    mutating func finish() {
        storeWaits = false
        pump()
        finishCommit(isLost: false)
        pass(.seconds(5))
        precondition(open.isEmpty, "an administrator waits for ever")
        for (key, bytes) in durable {
            let current =
                key.member.map { engine.member($0, of: key.network)?.encoded } ?? engine.network(key.network)?.encoded
            precondition(current == bytes, "what is read is not what is durable")
        }
    }
}
