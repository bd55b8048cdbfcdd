import Foundation
import NetPrimitives
import ZeroTierController
import ZeroTierCrypto
import ZeroTierWire

/// A controller under virtual time, with a store that does what a test wants, and what became of everything.
final class Harness {
    static let identities: [Identity] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Vectors/identities.txt")
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { Identity(text: String($0)) }
    }()

    var engine: ControllerEngine
    private(set) var now = Now(
        monotonic: MonotonicInstant(nanoseconds: 1_000_000_000_000), unixMilliseconds: 1_790_000_000_000)
    /// What the store has, as it would be read at the next start.
    private(set) var durable: [RecordKey: RecordWrite] = [:]
    /// While true, commits wait for `finishCommit`.
    var holdsCommits = false
    var failsCommits = false
    /// While true, signatures wait for `sign`.
    var holdsSignatures = false
    private(set) var unsigned: [SigningJob] = []
    private(set) var held: ([RecordWrite], ControllerTicket)?
    private(set) var commits = 0
    private(set) var signatures = 0

    struct Packet {
        let verb: Verb
        let payload: [UInt8]
        let destination: Address
    }

    enum RecordKey: Hashable {
        case network(NetworkID)
        case member(NetworkID, Address)
    }

    var packets: [Packet] = []
    var events: [ControllerEvent] = []
    var answers: [UInt64: ControllerError?] = [:]
    var ownConfigurations: [NetworkConfig] = []
    var ownRefusals: [SelfRefusal] = []
    private var lastPacket: UInt64 = 100
    private var lastTicket: UInt64 = 0

    let identity: Identity
    let seed: UInt64

    init(_ configuration: ControllerConfiguration = ControllerConfiguration(), seed: UInt64 = 1) {
        identity = Harness.identities[0]
        self.seed = seed
        engine = ControllerEngine(
            identity: identity, configuration: configuration, random: RandomSource(seed: seed), now: now)
    }

    /// The process dies and starts again with what the store has.
    func restart() throws {
        held = nil
        engine = ControllerEngine(identity: identity, random: RandomSource(seed: seed + 1), now: now)
        let records = durable.values
        for case .putNetwork(let id, let bytes) in records { try engine.load(.putNetwork(id, bytes)) }
        for case .putMember(let id, let member, let bytes) in records {
            try engine.load(.putMember(id, member, bytes))
        }
        engine.resume(now: now)
        pump()
    }

    func pass(_ duration: Duration) {
        let end = now.advanced(by: duration)
        while let due = engine.nextDeadline(), due <= end.monotonic {
            if due > now.monotonic { now = now.advanced(by: due - now.monotonic) }
            engine.handleDeadlines(now: now)
            pump()
        }
        now = now.advanced(by: end.monotonic - now.monotonic)
    }

    func pump() {
        while true {
            var isQuiet = true
            while let effect = engine.nextEffect() {
                isQuiet = false
                take(effect)
            }
            if let job = engine.nextJob(now: now) {
                isQuiet = false
                take(job)
            }
            if isQuiet { return }
        }
    }

    private func take(_ effect: ControllerEffect) {
        switch effect {
        case .send(let verb, let payload, let destination):
            packets.append(Packet(verb: verb, payload: payload, destination: destination))
        case .event(let event): events.append(event)
        case .answer(let ticket, let error): answers.updateValue(error, forKey: ticket.value)
        case .configureSelf(let config): ownConfigurations.append(config)
        case .refuseSelf(_, let refusal): ownRefusals.append(refusal)
        case .authorise, .showSelf: break
        }
    }

    private func take(_ job: ControllerJob) {
        switch job {
        case .commit(let writes, let ticket):
            commits += 1
            precondition(held == nil, "one commit at a time")
            if holdsCommits { held = (writes, ticket) } else { end(writes, ticket) }
        case .sign(let job):
            signatures += 1
            if holdsSignatures { unsigned.append(job) } else { engine.complete(job.run(), now: now) }
        }
    }

    private func end(_ writes: [RecordWrite], _ ticket: ControllerTicket) {
        if !failsCommits { for write in writes { apply(write) } }
        engine.complete(ticket, failure: failsCommits ? "disk full" : nil, now: now)
    }

    private func apply(_ write: RecordWrite) {
        switch write {
        case .putNetwork(let id, _): durable[.network(id)] = write
        case .putMember(let id, let member, _): durable[.member(id, member)] = write
        case .removeMember(let id, let member): durable[.member(id, member)] = nil
        case .removeNetwork(let id):
            durable = durable.filter { key, _ in
                switch key {
                case .network(let other), .member(let other, _): other != id
                }
            }
        }
    }

    /// Signs all that waits for it.
    func sign() {
        holdsSignatures = false
        for job in unsigned { engine.complete(job.run(), now: now) }
        unsigned = []
        pump()
    }

    /// The store is done with what it held. `isLost`: it wrote, and the process dies before it hears of it.
    func finishCommit(isLost: Bool = false) {
        guard let (writes, ticket) = held else { return }
        held = nil
        if isLost {
            for write in writes { apply(write) }
            return
        }
        end(writes, ticket)
        pump()
    }

    // MARK: What others do

    /// Nobody checks here whether an address follows from its keys, so there are as many as a test wants.
    func member(_ index: Int) -> Identity {
        if index < Harness.identities.count { return Harness.identities[index].withoutSecret }
        return Identity(address: Address(0x10_0000_0000 + UInt64(index)), publicKeys: Harness.identities[1].publicKeys)
    }

    @discardableResult
    func ask(
        _ id: NetworkID, _ member: Identity, token: String? = nil, knowsRules: Bool = true
    ) -> PacketID {
        lastPacket += 1
        var metadata = RequestMetadata()
        if let token { metadata.authorization = "token:\(token)" }
        if !knowsRules { metadata.rulesEngineRevision = 0 }
        let request = NetworkConfigRequest(network: id, metadata: metadata.dictionary.encoded)
        engine.receive(request.encoded, from: member, packetID: PacketID(lastPacket), now: now)
        pump()
        return PacketID(lastPacket)
    }

    @discardableResult
    func create(_ describe: (inout NetworkRecord) -> Void = { _ in }) throws -> NetworkID {
        lastTicket += 1
        let id = try engine.createNetwork(nil, AdministrationTicket(lastTicket), now: now, describe)
        pump()
        return id
    }

    @discardableResult
    func change(_ id: NetworkID, _ change: (inout NetworkRecord) -> Void) throws -> UInt64 {
        lastTicket += 1
        try engine.changeNetwork(id, AdministrationTicket(lastTicket), now: now, change)
        pump()
        return lastTicket
    }

    @discardableResult
    func change(_ member: Address, of id: NetworkID, _ change: (inout MemberRecord) -> Void) throws -> UInt64 {
        lastTicket += 1
        try engine.changeMember(member, of: id, AdministrationTicket(lastTicket), now: now, change)
        pump()
        return lastTicket
    }

    @discardableResult
    func delete(_ id: NetworkID) throws -> UInt64 {
        lastTicket += 1
        try engine.deleteNetwork(id, AdministrationTicket(lastTicket), now: now)
        pump()
        return lastTicket
    }

    // MARK: What is read

    func member(_ member: Address, of id: NetworkID) -> MemberRecord? { engine.member(member, of: id) }
    func network(_ id: NetworkID) -> NetworkRecord? { engine.network(id) }
    func waiting(_ id: NetworkID) -> [Address] { engine.waitingNodes(of: id).map(\.address) }
    func drops(_ reason: ControllerDrop) -> UInt64 { engine.drops(reason) }

    // MARK: What came

    /// The configurations that a member got since the last call, each checked: signed and addressed as it must be.
    func configurations(of member: Address) throws -> [NetworkConfig] {
        var result: [NetworkConfig] = []
        for packet in packets where packet.destination == member {
            let payload: [UInt8]
            switch packet.verb {
            case .ok: payload = try OKHeader.split(packet.payload).body
            case .networkConfig: payload = packet.payload
            default: continue
            }
            let chunk = try NetworkConfigChunk(decoding: payload)
            precondition(chunk.verdict { _ in identity.withoutSecret } == .valid)
            let config = try NetworkConfig(decoding: chunk.data)
            precondition(config.issuedTo == member)
            result.append(config)
        }
        packets.removeAll { $0.destination == member && ($0.verb == .ok || $0.verb == .networkConfig) }
        return result
    }

    func errors(to member: Address) throws -> [ErrorReply.Reason] {
        defer { packets.removeAll { $0.destination == member && $0.verb == .error } }
        return try packets.filter { $0.destination == member && $0.verb == .error }
            .map { try ErrorReply(decoding: $0.payload).reason }
    }

    func revocations(to member: Address) throws -> [Revocation] {
        defer { packets.removeAll { $0.destination == member && $0.verb == .networkCredentials } }
        return try packets.filter { $0.destination == member && $0.verb == .networkCredentials }
            .flatMap { try NetworkCredentials(decoding: $0.payload).revocations }
    }
}
