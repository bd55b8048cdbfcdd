//  The controller of this node's own networks, sans I/O: requests in, signed answers out.
//  Read first: Docs/decisions/0030-the-controller.md; zerotier/ZeroTierOne controller/EmbeddedNetworkController.cpp (facts only).
//
//      receive(request)  ----> decide ----> ledger ----> nextJob: commit ----> complete(commit)
//      changeNetwork ... ---/                                                       |
//      nextEffect <---- complete(signed) <---- nextJob: sign <---- unsigned <-------+
//
//  Nothing is told before the store has it. Time and randomness come as parameters, the store and the signer are jobs.

package import NetPrimitives
package import ZeroTierWire

/// The controller's machine. One owner.
package struct ControllerEngine: ~Copyable {
    private let inPlace = InPlace()
    enum Timer: Hashable, Sendable {
        case housekeeping
        /// Revocations are sent again, or have waited for their members to look at the next packet.
        case revocations
        /// Revocations that nobody was told yet.
        case news
        /// The next group of packets to many members.
        case mail
    }

    /// A configuration that waits for its signature.
    struct Unsigned: Sendable {
        let network: NetworkID
        let member: Address
        let reply: ConfigurationReply
    }

    /// What a signature under way is for.
    enum Purpose: Sendable {
        case configuration(NetworkID, Address, ConfigurationReply)
        case revocation(RevocationRounds.Wish)
    }

    let identity: Identity
    let configuration: ControllerConfiguration
    var random: RandomSource
    var networks = SlotTable<ControlledNetworkState>()
    var slots: [NetworkID: SlotID] = [:]
    var ledger = WriteLedger()
    var deadlines = DeadlineQueue<Timer>()
    var effects: BoundedQueue<ControllerEffect>
    private var answers: BoundedQueue<ControllerEffect>
    var unsigned: BoundedQueue<Unsigned>
    var pushes: PushQueue
    var signing: [ControllerTicket: Purpose] = [:]
    var revocations: RevocationRounds
    var mail: BoundedQueue<Letter>
    /// When it started with the records of a store.
    private(set) var resumed: MonotonicInstant?
    private var lastTicket: UInt64 = 0
    private var commitTicket: ControllerTicket?
    /// The latest time in a configuration or revocation, Unix milliseconds: the clock may go back, these must not.
    private var latestStamp: UInt64 = 0
    /// Requests of nodes and of this one.
    var requests: UInt64 = 0
    private var drops = [UInt64](repeating: 0, count: ControllerDrop.allCases.count)

    /// A controller without networks; `load` gives it those of a store. The identity is this node's, with its secret.
    package init(
        identity: Identity, configuration: ControllerConfiguration = ControllerConfiguration(), random: RandomSource,
        now: Now
    ) {
        self.identity = identity
        self.configuration = configuration
        self.random = random
        effects = BoundedQueue(capacity: max(1, configuration.effects))
        answers = BoundedQueue(capacity: max(1, configuration.waiting) + 2 * max(1, configuration.effects))
        unsigned = BoundedQueue(capacity: max(1, configuration.unsigned))
        pushes = PushQueue(capacity: max(1, configuration.pushes))
        mail = BoundedQueue(capacity: max(1, configuration.effects))
        revocations = RevocationRounds(configuration)
        deadlines.schedule(.housekeeping, at: now.monotonic + ControllerLimits.housekeeping)
    }

    /// Takes a record of the store at the start: a network before its members. Throws what is wrong with it.
    package mutating func load(_ stored: RecordWrite) throws(WireError) {
        switch stored {
        case .putNetwork(let id, let bytes):
            guard id.controller == address, slots[id] == nil else {
                throw .invalid(field: "network.id", expected: "one of this node's, once", found: id.value)
            }
            var record = try NetworkRecord(id: id, decoding: bytes)
            try ControllerEngine.check(id) { () throws(ControllerError) in try record.validate() }
            slots[id] = networks.insert(ControlledNetworkState(record))
        case .putMember(let id, let member, let bytes):
            guard let slot = slots[id] else {
                throw .invalid(field: "member.network", expected: "a network that there is", found: id.value)
            }
            var record = try MemberRecord(address: member, decoding: bytes)
            try ControllerEngine.check(id) { () throws(ControllerError) in try record.validate() }
            networks[slot].setMember(member, record)
        case .removeNetwork(let id), .removeMember(let id, _):
            throw .invalid(field: "record", expected: "a network or a member", found: id.value)
        }
    }

    // What nobody can have written is damage.
    private static func check(_ id: NetworkID, _ body: () throws(ControllerError) -> Void) throws(WireError) {
        do throws(ControllerError) {
            try body()
        } catch {
            guard case .fieldInvalid(let field, let reason) = error else { return }
            throw .invalid(field: field, expected: reason, found: id.value)
        }
    }

    /// Everything is loaded. Who was let out lately is revoked again: nobody knows how many members heard of it.
    package mutating func resume(now: Now) {
        if !slots.isEmpty { resumed = now.monotonic }
        let time = UInt64(clamping: now.unixMilliseconds)
        for slot in networks.ids { revokeAgain(of: slot, since: time) }
    }

    /// The identities of members that this node has validated before. They need not be validated again: it takes the very same
    /// keys and the same address to be one of them, and who can write into the store can let in whom they like.
    package var provenIdentities: [Identity] {
        networks.ids.flatMap { slot in
            networks[slot].members.values.compactMap { member in
                guard member.isIdentityProven, let keys = member.identity else { return nil }
                return Identity(address: member.address, publicKeys: keys)
            }
        }
    }

    /// This node's address: the first ten digits of its networks' IDs.
    package var address: Address { identity.address }

    // MARK: Reading: what is durable

    /// The networks, ascending.
    package var networkIDs: [NetworkID] { slots.keys.sorted().filter { network($0) != nil } }

    /// A network; nil if there is none.
    package func network(_ id: NetworkID) -> NetworkRecord? {
        slots[id].flatMap { ledger.durable(networks[$0].record, id) }
    }

    /// Members of a network that have a record, by ascending address: the first ones, or those behind one, at most so many.
    package func members(of id: NetworkID, after former: Address? = nil, limit: Int) -> [MemberRecord] {
        guard let slot = slots[id], network(id) != nil else { return [] }
        let differences = ledger.durableDifferences(of: id)
        // As many of these may not be there yet; others may still be there.
        let wanted = min(max(1, limit), Int.max - differences.count) + differences.count
        let page = networks[slot].addresses(after: former, limit: wanted)
        if differences.isEmpty { return page.compactMap { networks[slot].members[$0] } }
        var known: [Address: MemberRecord] = [:]
        for member in page { known[member] = networks[slot].members[member] }
        let end = page.count < wanted ? nil : page.last
        for (member, record) in differences {
            if let former, member <= former { continue }
            if let end, member > end { continue }
            known[member] = record
        }
        return Array(known.values.sorted { $0.address < $1.address }.prefix(limit))
    }

    /// A member; nil if it has no record.
    package func member(_ member: Address, of id: NetworkID) -> MemberRecord? {
        slots[id].flatMap { ledger.durable(networks[$0].members[member], member, of: id) }
    }

    /// Nodes that ask for a network, have no record and were not let in, by ascending address.
    package func waitingNodes(of id: NetworkID) -> [WaitingNode] {
        guard let slot = slots[id] else { return [] }
        return networks[slot].strangers.map { WaitingNode(address: $0.key, since: $0.value.firstRequest) }
            .sorted { $0.address < $1.address }
    }

    /// Whether a member asked lately.
    package func isOnline(_ member: Address, of id: NetworkID, now: Now) -> Bool {
        slots[id].flatMap { networks[$0].presences[member]?.isOnline(now.monotonic) } ?? false
    }

    /// How many requests and packets died of a cause.
    package func drops(_ reason: ControllerDrop) -> UInt64 { drops[reason.rawValue] }

    /// What was done since the start.
    package var counters: ControllerCounters {
        var counters = ledger.counters
        counters.requests = requests
        return counters
    }

    /// Configurations that wait for their signature.
    package var waitingSignatures: Int { unsigned.count + signing.count }

    // MARK: Out

    /// The next thing to be done at once.
    package mutating func nextEffect() -> ControllerEffect? { effects.popFirst() ?? answers.popFirst() }

    /// The next piece of work for another thread.
    package mutating func nextJob(now: Now) -> ControllerJob? {
        while true {
            if let writes = ledger.begin() {
                let ticket = makeTicket()
                commitTicket = ticket
                return .commit(writes, ticket)
            }
            guard signing.count < max(1, configuration.signing) else { return nil }
            let time = stamp(now)
            if let wish = revocations.nextWish() {
                // Whatever is issued from now on is newer.
                latestStamp += 1
                let draft = RevocationDraft(
                    number: random.nextUInt32(), network: wish.network, target: wish.target, threshold: time)
                return .sign(job(.revocation(draft), for: .revocation(wish)))
            }
            if let next = unsigned.popFirst() {
                guard let draft = draft(next, now) else { continue }
                return .sign(
                    job(.configuration(draft), for: .configuration(next.network, next.member, next.reply)))
            }
            guard ledger.count < configuration.waiting, let push = pushes.popFirst() else { return nil }
            refresh(push.member, of: push.network, now)
        }
    }

    private mutating func job(_ work: SigningJob.Work, for purpose: Purpose) -> SigningJob {
        let ticket = makeTicket()
        signing[ticket] = purpose
        return SigningJob(ticket: ticket, work: work, signer: identity)
    }

    private mutating func makeTicket() -> ControllerTicket {
        lastTicket += 1
        return ControllerTicket(value: lastTicket)
    }

    // MARK: Results

    /// The store is done with a commit. `failure`: it took nothing, and why.
    package mutating func complete(_ ticket: ControllerTicket, failure: String?, now: Now) {
        guard ticket == commitTicket else { return }
        commitTicket = nil
        if let failure { return rollBack(.storeFailed(failure)) }
        for consequence in ledger.commit() { perform(consequence, now) }
    }

    // What was decided is as if it had never been. Members ask again.
    private mutating func rollBack(_ error: ControllerError) {
        let (formerNetworks, formerMembers, cancelled) = ledger.rollBack()
        for (key, former) in formerMembers {
            if let slot = slots[key.network] { networks[slot].setMember(key.member, former) }
        }
        for (id, former) in formerNetworks {
            guard let slot = slots[id] else { continue }
            if let former {
                networks[slot].record = former
                networks[slot].isLeaving = false
            } else {
                _ = networks.remove(slot)
                slots[id] = nil
            }
        }
        for consequence in cancelled {
            switch consequence {
            case .answer(let ticket): answer(ticket, error)
            case .configure, .refuse: count(.storeFailed)
            case .event, .pushAll, .push, .revoke, .remove: break
            }
        }
    }

    /// Something is signed.
    package mutating func complete(_ result: SigningResult, now: Now) {
        guard let purpose = signing.removeValue(forKey: result.ticket) else { return }
        switch (purpose, result.product) {
        case (.configuration(let id, let member, let reply), .configuration(let signed)):
            deliver(signed, to: member, of: id, reply, now)
        case (.revocation(let wish), .revocation(let revocation)): announce(revocation, wish, now)
        default: break
        }
    }

    // MARK: Time

    /// When `handleDeadlines` wants to be called.
    package mutating func nextDeadline() -> MonotonicInstant? { deadlines.next() }

    /// Does what is due.
    package mutating func handleDeadlines(now: Now) {
        while let timer = deadlines.popDue(now.monotonic) {
            switch timer {
            case .housekeeping:
                for slot in networks.ids { networks[slot].expire(now.monotonic) }
                deadlines.schedule(.housekeeping, at: now.monotonic + ControllerLimits.housekeeping)
            case .revocations: sendRevocations(now)
            case .news: sendNews(now)
            case .mail: sendMail(now)
            }
        }
    }

    /// The time for a configuration: never earlier than one that was given before.
    mutating func stamp(_ now: Now) -> UInt64 {
        latestStamp = max(latestStamp, UInt64(clamping: now.unixMilliseconds))
        return latestStamp
    }

    // MARK: Small things

    /// A file may say any number: the last one stays the last.
    static func revision(after former: UInt64) -> UInt64 { former == .max ? former : former + 1 }

    mutating func count(_ drop: ControllerDrop) { drops[drop.rawValue] &+= 1 }

    mutating func emit(_ effect: ControllerEffect) {
        if !effects.tryAppend(effect) { count(.effectsFull) }
    }

    /// Somebody waits for it, so it has a room of its own, in which all that wait for the store find theirs.
    mutating func answer(_ ticket: AdministrationTicket, _ error: ControllerError?) {
        if !answers.tryAppend(.answer(ticket, error)) { count(.effectsFull) }
    }

    /// Something follows from what was decided about a network: at once if all of that is durable.
    mutating func then(_ consequence: Consequence, about id: NetworkID, _ now: Now) {
        if ledger.isSettled(id) { return perform(consequence, now) }
        if let due = ledger.append(consequence) { perform(due, now) }
    }

    /// Puts a member's record in the place of the former one, for the next commit; nil takes it away.
    mutating func setMember(_ member: Address, of slot: SlotID, _ new: MemberRecord?, _ now: Now) {
        let old = networks[slot].members[member]
        var new = new
        if new != nil {
            new?.revision = ControllerEngine.revision(after: old?.revision ?? 0)
            new?.creationTime = old?.creationTime ?? UInt64(clamping: now.unixMilliseconds)
            networks[slot].strangers[member] = nil
        }
        ledger.put(member, of: networks[slot].record.id, from: old, to: new)
        networks[slot].setMember(member, new)
    }
}

/// Members whose configuration is to be pushed, each once, in order.
struct PushQueue: Sendable {
    struct Entry: Hashable, Sendable {
        let network: NetworkID
        let member: Address
    }

    private var queue: BoundedQueue<Entry>
    private var waiting: Set<Entry> = []

    init(capacity: Int) { queue = BoundedQueue(capacity: capacity) }

    /// False if there is no room.
    mutating func append(_ entry: Entry) -> Bool {
        guard !waiting.contains(entry) else { return true }
        guard queue.tryAppend(entry) else { return false }
        waiting.insert(entry)
        return true
    }

    mutating func popFirst() -> Entry? {
        guard let entry = queue.popFirst() else { return nil }
        waiting.remove(entry)
        return entry
    }
}
