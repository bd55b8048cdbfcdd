// A controller's machine with the store of SQLite, one thread that writes and one that signs, as in a node.

import Foundation
import NetPrimitives
import Synchronization
import ZeroTierController
import ZeroTierCrypto
import ZeroTierStore
import ZeroTierWire

/// The machine between its threads.
final class ControllerRig: Sendable {
    private struct State: ~Copyable {
        var engine: ControllerEngine
        var jobs: [SigningJob] = []
        var commit: (writes: [RecordWrite], ticket: ControllerTicket)?
        /// Whose answer is awaited, since when.
        var asked: [Address: ContinuousClock.Instant] = [:]
        var latencies: [Address: Double] = [:]
        var isEnding = false
    }

    private let state: Mutex<State>
    private let store: SQLiteStore
    private let keeper = DispatchSemaphore(value: 0)
    private let signer = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    init(_ identity: Identity, _ store: SQLiteStore) throws {
        self.store = store
        var engine = ControllerEngine(identity: identity, random: RandomSource(seed: 1), now: ControllerRig.now)
        for record in try store.load() { try engine.load(record) }
        engine.resume(now: ControllerRig.now)
        state = Mutex(State(engine: engine))
        for body in [write, sign] {
            Foundation.Thread { [self] in
                body(); ended.signal()
            }.start()
        }
    }

    func end() {
        state.withLock { $0.isEnding = true }
        keeper.signal()
        signer.signal()
        for _ in 0..<2 { ended.wait() }
    }

    private static var now: Now {
        var time = timespec()
        // Sound: the call fills the structure.
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Now(
            monotonic: MonotonicInstant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)),
            unixMilliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }

    // MARK: Threads

    private func write() {
        while true {
            keeper.wait()
            let commit = state.withLock { state -> (writes: [RecordWrite], ticket: ControllerTicket)? in
                defer { state.commit = nil }
                return state.commit
            }
            guard let commit else {
                if state.withLock({ $0.isEnding }) { return }
                continue
            }
            var failure: String?
            do { try store.commit(commit.writes) } catch { failure = error.message }
            state.withLock { state in
                state.engine.complete(commit.ticket, failure: failure, now: ControllerRig.now)
                drain(&state)
            }
        }
    }

    private func sign() {
        while true {
            signer.wait()
            let jobs = state.withLock { state -> [SigningJob] in
                defer { state.jobs = [] }
                return state.jobs
            }
            if jobs.isEmpty, state.withLock({ $0.isEnding }) { return }
            for job in jobs {
                let result = job.run()
                state.withLock { state in
                    state.engine.complete(result, now: ControllerRig.now)
                    drain(&state)
                }
            }
        }
    }

    // What an owner does after each call.
    private func drain(_ state: inout State) {
        let now = ControllerRig.now
        while let deadline = state.engine.nextDeadline(), deadline <= now.monotonic {
            state.engine.handleDeadlines(now: now)
        }
        while true {
            var isQuiet = true
            while let effect = state.engine.nextEffect() {
                isQuiet = false
                guard case .send(.ok, _, let member) = effect, let since = state.asked.removeValue(forKey: member)
                else {
                    continue
                }
                let left = ContinuousClock.now - since
                state.latencies[member] =
                    Double(left.components.seconds) + Double(left.components.attoseconds) * 1e-18
            }
            while let job = state.engine.nextJob(now: now) {
                isQuiet = false
                switch job {
                case .commit(let writes, let ticket):
                    state.commit = (writes, ticket)
                    keeper.signal()
                case .sign(let job):
                    state.jobs.append(job)
                    signer.signal()
                }
            }
            if isQuiet { return }
        }
    }

    // MARK: What happens

    func create(_ id: NetworkID) throws {
        try state.withLock { state in
            _ = try state.engine.createNetwork(id, AdministrationTicket(1), now: ControllerRig.now) {
                $0.isPrivate = false
                $0.assignsIPv4 = true
                $0.assignsRFC4193 = true
                $0.routes = [NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a00_0000), length: 8))]
                $0.pools = [AddressPool(first: IPAddress(v4: 0x0a00_0001), last: IPAddress(v4: 0x0aff_fffe))]
            }
            drain(&state)
        }
    }

    // Nobody checks whether an address follows from its keys. Addresses are spread as those of nodes are.
    private static func member(_ index: Int) -> Identity {
        var random = RandomSource(seed: UInt64(index))
        let address = Address(random.nextUInt64() % 0xef_ffff_ffff + 1)
        let bytes = (0..<8).flatMap { _ -> [UInt8] in
            let word = random.nextUInt64()
            return (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
        }
        guard let keys = PublicKeys(bytes) else { preconditionFailure("64 bytes are keys") }
        return Identity(address: address, publicKeys: keys)
    }

    private func ask(_ id: NetworkID, _ index: Int, _ since: ContinuousClock.Instant) -> Address {
        let identity = ControllerRig.member(index)
        let request = NetworkConfigRequest(network: id, metadata: RequestMetadata().dictionary.encoded).encoded
        state.withLock { state in
            state.asked[identity.address] = since
            state.engine.receive(
                request, from: identity, packetID: PacketID(UInt64(index) + 1), now: ControllerRig.now)
            drain(&state)
        }
        return identity.address
    }

    /// Asks for all of them, as fast as they are answered.
    func flood(_ id: NetworkID, _ indices: Range<Int>) {
        for index in indices {
            _ = ask(id, index, .now)
            while state.withLock({ $0.asked.count }) > 1000 { usleep(200) }
        }
        while state.withLock({ !$0.asked.isEmpty }) { usleep(200) }
        state.withLock { $0.latencies = [:] }
    }

    /// Asks at a rate; the seconds to the answers of members, and of newcomers.
    func load(
        _ id: NetworkID, _ members: Int, perSecond: Int, _ seconds: Int, _ share: Int
    ) -> (known: [Double], new: [Double]) {
        var newcomers: Set<Address> = []
        let start = ContinuousClock.now
        for number in 0..<perSecond * seconds {
            let due = start + .nanoseconds(1_000_000_000 / perSecond * number)
            while ContinuousClock.now < due { usleep(100) }
            let isNew = number % share == 0
            // Each member once, in an order that is not that of the table.
            let index = isNew ? members + number : number * 7919 % members
            let address = ask(id, index, due)
            if isNew { newcomers.insert(address) }
        }
        let end = ContinuousClock.now + .seconds(30)
        while state.withLock({ !$0.asked.isEmpty }), ContinuousClock.now < end { usleep(1000) }
        return state.withLock { state in
            let parts = state.latencies.reduce(into: (known: [Double](), new: [Double]())) { parts, entry in
                if newcomers.contains(entry.key) {
                    parts.new.append(entry.value)
                } else {
                    parts.known.append(entry.value)
                }
            }
            return parts
        }
    }

    /// Seconds for the list of all members, in parts as a node gives it.
    func list(_ id: NetworkID) -> Double {
        Bench.seconds {
            var last: Address?
            while true {
                let page = state.withLock { $0.engine.members(of: id, after: last, limit: 1024) }
                last = page.last?.address
                if page.count < 1024 { return }
            }
        }
    }
}
