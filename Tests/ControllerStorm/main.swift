// A controller on a file that changes as fast as it can and says on its standard output what it told others. It is made to be killed:
// what it said must be in the file.
//
//     controller-storm FILE SEED [BYTES]      BYTES: no file may become longer, as on a full disk
//
// given MEMBER ADDRESS...   a configuration left          name MEMBER NUMBER    an administrator was answered
// deleting MEMBER           before anything happens       gone MEMBER           an administrator was answered
// refused MESSAGE           the store took nothing        kept                  after many refusals: what is read is what is stored

import Glibc
import NetPrimitives
import ZeroTierController
import ZeroTierCrypto
import ZeroTierStore
import ZeroTierWire

/// Says a line at once: this process may have no later.
func say(_ line: String) {
    var bytes = Array((line + "\n").utf8)[...]
    while !bytes.isEmpty {
        // Sound: as many bytes as the slice has.
        let count = unsafe bytes.withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        guard count > 0 else { exit(1) }
        bytes = bytes.dropFirst(count)
    }
}

/// Ends with the reason.
func fail(_ reason: String) -> Never {
    say("cannot \(reason)")
    exit(3)
}

/// The controller, its file, and what goes on.
struct Storm: ~Copyable {
    /// Anybody's: what it signs is checked by nobody.
    private static let owner =
        "0432feaef1:0:c06e697a3bb7f3a82447103f071a824a7bbb8908f5b327c376c11f65359bb965cdd21315d2f3b297982b6f9"
        + "e9c181a598dd6157b103fec20d16abaac88f2cb0b:dbc6c8478ed6b6e5414e9ff97b77f26ee110c8651a2cd696abe6f5e2c5"
        + "b83af1e1634096332cdb2807bec40cbf3a44840188712857e79a44441ab72798bc8f7c"
    private static let refusals = 20

    private let store: SQLiteStore
    private var engine: ControllerEngine
    private var random: RandomSource
    private let id: NetworkID
    private var now: Now
    private var lastTicket: UInt64 = 1
    private var answers: [UInt64: String] = [:]
    private var members: [Address] = []
    private var refused = 0
    private var lastName = 0

    init(_ path: String, seed: UInt64) throws {
        guard let identity = Identity(text: Storm.owner) else { fail("read the owner") }
        let id = NetworkID(controller: identity.address, number: 1)
        var random = RandomSource(seed: seed)
        // Each life comes after those before.
        let now = Now(
            monotonic: MonotonicInstant(nanoseconds: 1_000_000_000),
            unixMilliseconds: 1_790_000_000_000 + Int64(seed) * 1_000_000)
        let store = try SQLiteStore(path: path)
        let stored = try store.load()
        engine = ControllerEngine(identity: identity, random: random.fork(), now: now)
        self.store = store
        self.random = random
        self.id = id
        self.now = now
        for record in stored {
            do { try engine.load(record) } catch { fail("load a record: \(error)") }
        }
        engine.resume(now: now)
        let known = engine.members(of: id, limit: .max)
        members = known.map(\.address)
        lastName = known.compactMap { Int($0.name) }.max() ?? 0
    }

    mutating func run() throws {
        say("begins")
        if engine.network(id) == nil {
            _ = try engine.createNetwork(id, AdministrationTicket(1), now: now) {
                $0.isPrivate = false
                $0.assignsIPv4 = true
                $0.routes = [NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a00_0000), length: 16))]
                $0.pools = [AddressPool(first: IPAddress(v4: 0x0a00_0001), last: IPAddress(v4: 0x0a00_07ff))]
            }
            pump()
        }
        while refused < Storm.refusals {
            step()
            pump()
        }
        // Whatever was refused is as if it had never been.
        let kept = try store.load()
        for case .putMember(_, let member, let bytes) in kept {
            guard engine.member(member, of: id)?.encoded == bytes else { fail("find \(member) as it is stored") }
        }
        guard engine.members(of: id, limit: .max).count == kept.count - 1 else { fail("find all that is stored") }
        say("kept")
    }

    private mutating func step() {
        now = now.advanced(by: .milliseconds(40))
        switch random.next(below: 8) {
        case 0..<5: ask(members.isEmpty || random.next(below: 3) == 0 ? newcomer() : anybody())
        case 5, 6:
            guard !members.isEmpty else { return }
            lastName += 1
            let (member, name) = (anybody(), lastName)
            administer("name \(member) \(name)") { (engine, id, ticket, now) throws(ControllerError) in
                try engine.changeMember(member, of: id, ticket, now: now) { $0.name = "\(name)" }
            }
        default:
            guard members.count > 20 else { return }
            let member = members.remove(at: random.next(below: members.count))
            say("deleting \(member)")
            administer("gone \(member)") { (engine, id, ticket, now) throws(ControllerError) in
                try engine.deleteMember(member, of: id, ticket, now: now)
            }
        }
    }

    private mutating func anybody() -> Address { members[random.next(below: members.count)] }

    private mutating func newcomer() -> Address {
        let member = Address(random.nextUInt64() % 0xef_ffff_ffff + 1)
        members.append(member)
        return member
    }

    private mutating func ask(_ member: Address) {
        guard let keys = PublicKeys([UInt8](repeating: UInt8(truncatingIfNeeded: member.value), count: 64)) else {
            return
        }
        let request = NetworkConfigRequest(network: id, metadata: RequestMetadata().dictionary.encoded)
        engine.receive(
            request.encoded, from: Identity(address: member, publicKeys: keys), packetID: PacketID(1), now: now)
    }

    private mutating func administer(
        _ fact: String,
        _ body: (inout ControllerEngine, NetworkID, AdministrationTicket, Now) throws(ControllerError) -> Void
    ) {
        lastTicket += 1
        do throws(ControllerError) {
            try body(&engine, id, AdministrationTicket(lastTicket), now)
            answers[lastTicket] = fact
        } catch {
            // It was never stored, or too much waits: nothing was said.
        }
    }

    private mutating func pump() {
        engine.handleDeadlines(now: now)
        while true {
            var isQuiet = true
            while let effect = engine.nextEffect() {
                isQuiet = false
                tell(effect)
            }
            while let job = engine.nextJob(now: now) {
                isQuiet = false
                switch job {
                case .sign(let job): engine.complete(job.run(), now: now)
                case .commit(let writes, let ticket):
                    var failure: String?
                    do { try store.commit(writes) } catch { failure = error.message }
                    // More is decided while the store is at work.
                    for _ in 0..<random.next(below: 4) { step() }
                    if let failure {
                        say("refused \(failure)")
                        refused += 1
                    }
                    engine.complete(ticket, failure: failure, now: now)
                }
            }
            if isQuiet { return }
        }
    }

    private mutating func tell(_ effect: ControllerEffect) {
        switch effect {
        case .answer(let ticket, nil):
            if let fact = answers.removeValue(forKey: ticket.value) { say(fact) }
        case .send(.ok, let payload, let member):
            guard let body = try? OKHeader.split(payload).body, let chunk = try? NetworkConfigChunk(decoding: body),
                let config = try? NetworkConfig(decoding: chunk.data)
            else { fail("read a configuration") }
            say((["given \(member)"] + config.addresses.map(\.address.description)).joined(separator: " "))
        default: break
        }
    }
}

let words = CommandLine.arguments
guard words.count >= 3, let seed = UInt64(words[2]) else {
    print("usage: controller-storm FILE SEED [BYTES]")
    exit(2)
}
if words.count > 3, let bytes = UInt(words[3]) {
    // A write beyond the limit is then an error, as one on a full disk.
    _ = signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
    guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { fail("set the limit") }
}
do {
    var storm = try Storm(words[1], seed: seed)
    try storm.run()
} catch let error as StoreError {
    fail(error.message)
} catch {
    fail("\(error)")
}
