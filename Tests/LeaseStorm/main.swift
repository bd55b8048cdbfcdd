// One of several controllers with one identity and one database. While it has the lease it changes networks, a hundred times a
// second, and says on its standard output what it told others. It is made to be killed, or cut off.
//
//     lease-storm DATABASE SEED NAME
//
// Each line begins with the time, nanoseconds of the machine's monotonic clock, and the epoch of the lease; 0: none.
//
// begins                    it looks on                       holds                     it has the lease and has read all records
// given MEMBER ADDRESS...   a configuration left              name MEMBER NUMBER        an administrator was answered
// deleting MEMBER           before anything happens           gone MEMBER               an administrator was answered
// ends                      it has the lease no longer        cannot MESSAGE            something is wrong

import Glibc
import NetPrimitives
import Synchronization
import ZeroTier
import ZeroTierController
import ZeroTierCrypto
import ZeroTierStore
import ZeroTierStorePostgres
import ZeroTierWire

/// Says a line at once: this process may have no later.
func say(_ epoch: UInt64, _ fact: String) {
    var bytes = Array("\(SystemClock.monotonic().nanoseconds) \(epoch) \(fact)\n".utf8)[...]
    while !bytes.isEmpty {
        // Sound: as many bytes as the slice has.
        let count = unsafe bytes.withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        guard count > 0 else { exit(1) }
        bytes = bytes.dropFirst(count)
    }
}

/// Ends with the reason.
func fail(_ reason: String) -> Never {
    say(0, "cannot \(reason)")
    exit(3)
}

/// Until when this controller may speak.
final class Term: Sendable {
    private let end = Mutex<MonotonicInstant>(.zero)

    func take(_ news: LeaseKeeper.News) {
        switch news {
        case .holding(_, let until): end.withLock { $0 = until }
        case .ended, .standby: end.withLock { $0 = .zero }
        case .failing: break
        }
    }

    var isOn: Bool { SystemClock.monotonic() < end.withLock { $0 } }
}

/// The controller of one epoch, and what goes on.
struct Storm: ~Copyable {
    /// Anybody's: what it signs is checked by nobody.
    static let owner =
        "0432feaef1:0:c06e697a3bb7f3a82447103f071a824a7bbb8908f5b327c376c11f65359bb965cdd21315d2f3b297982b6f9"
        + "e9c181a598dd6157b103fec20d16abaac88f2cb0b:dbc6c8478ed6b6e5414e9ff97b77f26ee110c8651a2cd696abe6f5e2c5"
        + "b83af1e1634096332cdb2807bec40cbf3a44840188712857e79a44441ab72798bc8f7c"
    /// Between two changes: a hundred in a second, also after a commit that took its time.
    private static let pause = Duration.milliseconds(10)
    private static let mostAtOnce = 50

    private let term: Term
    private let epoch: UInt64
    private let store: any ControllerStore
    private var engine: ControllerEngine
    private var random: RandomSource
    private let id: ZeroTierWire.NetworkID
    private var now = SystemClock.now()
    private var lastTicket: UInt64 = 1
    private var answers: [UInt64: String] = [:]
    private var members: [Address] = []
    private var lastName = 0
    // Nobody knows whether the last commit was written: nothing more is told.
    private var isOver = false

    init(
        _ identity: ZeroTierWire.Identity, _ store: any ControllerStore, epoch: UInt64, term: Term, seed: UInt64
    ) throws {
        id = ZeroTierWire.NetworkID(controller: identity.address, number: 1)
        random = RandomSource(seed: seed &* 1_000_003 &+ epoch)
        let stored = try store.load()
        engine = ControllerEngine(identity: identity, random: random.fork(), now: now)
        self.store = store
        self.epoch = epoch
        self.term = term
        for record in stored {
            do { try engine.load(record) } catch { fail("load a record: \(error)") }
        }
        engine.resume(now: now)
        let known = engine.members(of: id, limit: .max)
        members = known.map(\.address)
        lastName = known.compactMap { Int($0.name) }.max() ?? 0
    }

    /// Goes on until the lease is over.
    mutating func run() throws {
        say(epoch, "holds")
        if engine.network(id) == nil {
            _ = try engine.createNetwork(id, AdministrationTicket(1), now: now) {
                $0.isPrivate = false
                $0.assignsIPv4 = true
                $0.routes = [NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a00_0000), length: 16))]
                $0.pools = [AddressPool(first: IPAddress(v4: 0x0a00_0001), last: IPAddress(v4: 0x0a00_0fff))]
            }
            pump()
        }
        var due = SystemClock.monotonic()
        while term.isOn, !isOver {
            now = SystemClock.now()
            var steps = 0
            while due <= now.monotonic, steps < Storm.mostAtOnce {
                step()
                steps += 1
                due = due + Storm.pause
            }
            pump()
            usleep(1000)
        }
    }

    // What is told is told while the lease lasts, or not at all.
    private func tell(_ fact: String) {
        if term.isOn { say(epoch, fact) }
    }

    private mutating func step() {
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
            say(epoch, "deleting \(member)")
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
            request.encoded, from: ZeroTierWire.Identity(address: member, publicKeys: keys), packetID: PacketID(1),
            now: now)
    }

    private mutating func administer(
        _ fact: String,
        _ body: (inout ControllerEngine, ZeroTierWire.NetworkID, AdministrationTicket, Now) throws(ControllerError) ->
            Void
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
        while !isOver {
            var isQuiet = true
            while let effect = engine.nextEffect() {
                isQuiet = false
                take(effect)
            }
            while !isOver, let job = engine.nextJob(now: now) {
                isQuiet = false
                switch job {
                case .sign(let job): engine.complete(job.run(), now: now)
                case .commit(let writes, let ticket): commit(writes, ticket)
                }
            }
            if isQuiet { return }
        }
    }

    private mutating func commit(_ writes: [RecordWrite], _ ticket: ControllerTicket) {
        do throws(StoreError) {
            try store.commit(writes)
            engine.complete(ticket, failure: nil, now: now)
        } catch {
            isOver = error.isUncertain
            if !isOver { engine.complete(ticket, failure: error.message, now: now) }
            if term.isOn, !error.isUncertain { fail("write: \(error.message)") }
        }
    }

    private mutating func take(_ effect: ControllerEffect) {
        switch effect {
        case .answer(let ticket, nil):
            if let fact = answers.removeValue(forKey: ticket.value) { tell(fact) }
        case .send(.ok, let payload, let member):
            guard let body = try? OKHeader.split(payload).body, let chunk = try? NetworkConfigChunk(decoding: body),
                let config = try? NetworkConfig(decoding: chunk.data)
            else { fail("read a configuration") }
            tell((["given \(member)"] + config.addresses.map(\.address.description)).joined(separator: " "))
        default: break
        }
    }
}

let words = CommandLine.arguments
guard words.count == 4, let seed = UInt64(words[2]), let identity = ZeroTierWire.Identity(text: Storm.owner) else {
    print("usage: lease-storm DATABASE SEED NAME")
    exit(2)
}
do {
    let term = Term()
    let keeper = try LeaseKeeper(DatabaseAddress(words[1]), controller: identity.address, name: words[3]) {
        term.take($0)
    }
    try keeper.start()
    say(0, "begins")
    while true {
        guard case .holding(let row, _) = keeper.lease.state, term.isOn, let store = keeper.store() else {
            if case .ended = keeper.lease.state { keeper.standBy() }
            usleep(2000)
            continue
        }
        do {
            var storm = try Storm(identity, store, epoch: row.epoch, term: term, seed: seed)
            try storm.run()
        } catch let error as StoreError where !term.isOn {
            say(row.epoch, "stopped by \(error.message)")
        }
        say(row.epoch, "ends")
        // The keeper sees the end of the lease a moment after this thread did.
        while case .holding(let held, _) = keeper.lease.state, held.epoch == row.epoch { usleep(2000) }
    }
} catch let error as StoreError {
    fail(error.message)
} catch {
    fail("\(error)")
}
