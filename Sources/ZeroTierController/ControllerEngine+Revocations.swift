//  Those who were let out: revocations, several times to everybody who is there, and the end of a network.

import NetPrimitives
import ZeroTierWire

/// A packet of many.
struct Letter: Sendable {
    let destination: Address
    let verb: Verb
    let payload: [UInt8]
}

/// Revocations on their way to the members of a network: each goes several times, and a member gets one packet a second.
struct RevocationRounds: Sendable {
    struct Entry: Sendable {
        let network: NetworkID
        let revocation: Revocation
        let isForAll: Bool
        var rounds: Int
        /// Nobody was told yet.
        var isNews = true
    }

    /// Somebody who is to be revoked.
    struct Wish: Sendable {
        let network: NetworkID
        let target: Address
        /// Not only those hear of it who are there: a controller that has just started knows of nobody.
        var isForAll = false
    }

    struct Return: Hashable, Sendable {
        let network: NetworkID
        let member: Address
    }

    private(set) var entries: [Entry] = []
    var lastRound: MonotonicInstant?
    /// When news left last, with a round or without.
    var lastNews: MonotonicInstant?
    private var wanted: BoundedQueue<Wish>
    private let currentLimit: Int
    private let returnLimit: Int
    // Handed out to be signed.
    private var signing = 0
    /// Who was there when its network was deleted: while any of its revocations is not yet through.
    private(set) var departed: [NetworkID: [Address]] = [:]
    // Revocations of a network from their wish to their last round.
    private var open: [NetworkID: Int] = [:]
    /// Members that were away, or no members, and have not heard what was revoked meanwhile; and how often they are told.
    private var returned: [Return: Int] = [:]

    init(_ configuration: ControllerConfiguration) {
        wanted = BoundedQueue(capacity: max(2, configuration.wantedRevocations))
        currentLimit = max(1, configuration.currentRevocations)
        returnLimit = max(1, configuration.returners)
    }

    // MARK: Wishes

    /// Whether one more member may be let out, besides those whose letting out is not durable yet. They and this one find room
    /// later: deletions take no more than the other half.
    func hasRoom(besides pending: Int) -> Bool { wanted.count + pending < wanted.capacity / 2 }

    /// Whether one of many may be revoked: of a deleted network, or at the start.
    var hasRoomForMany: Bool { wanted.count < wanted.capacity / 2 }

    /// False if there is no room.
    mutating func want(_ wish: Wish) -> Bool {
        guard wanted.tryAppend(wish) else { return false }
        open[wish.network, default: 0] += 1
        return true
    }

    /// The next one to be signed. Not while too many are on their way: then who wants more hears that there is no room.
    mutating func nextWish() -> Wish? {
        guard entries.count + signing < currentLimit, let wish = wanted.popFirst() else { return nil }
        signing += 1
        return wish
    }

    /// One that was handed out is signed.
    mutating func append(_ revocation: Revocation, _ wish: Wish) {
        signing -= 1
        entries.append(
            Entry(
                network: wish.network, revocation: revocation, isForAll: wish.isForAll,
                rounds: ControllerLimits.revocationRounds))
    }

    // MARK: Rounds

    /// Those that leave in this round, by network: as many as fit into a packet, those first that nobody has heard yet.
    func due() -> [NetworkID: [Int]] {
        var due: [NetworkID: [Int]] = [:]
        for rounds in stride(from: ControllerLimits.revocationRounds, to: 0, by: -1) {
            for (index, entry) in entries.enumerated()
            where entry.rounds == rounds && (due[entry.network]?.count ?? 0) < ControllerLimits.revocationsPerPacket {
                due[entry.network, default: []].append(index)
            }
        }
        return due
    }

    /// Those that nobody has heard yet, as many as fit into a packet.
    func news() -> [NetworkID: [Int]] {
        var news: [NetworkID: [Int]] = [:]
        for (index, entry) in entries.enumerated()
        where entry.isNews && (news[entry.network]?.count ?? 0) < ControllerLimits.revocationsPerPacket {
            news[entry.network, default: []].append(index)
        }
        return news
    }

    /// Somebody was told.
    mutating func noteTold(_ told: [NetworkID: [Int]]) {
        for index in told.values.joined() { entries[index].isNews = false }
    }

    /// They have left once more.
    mutating func finish(_ due: [NetworkID: [Int]]) {
        for index in due.values.joined() { entries[index].rounds -= 1 }
        for entry in entries where entry.rounds <= 0 {
            let left = (open[entry.network] ?? 1) - 1
            open[entry.network] = left > 0 ? left : nil
        }
        entries.removeAll { $0.rounds <= 0 }
        departed = departed.filter { open[$0.key] != nil }
    }

    /// Whether there is another round.
    var isIdle: Bool { entries.isEmpty && returned.isEmpty }

    /// Notes who was there when a network was deleted, as many as there is room for.
    mutating func noteDeparture(of members: [Address], from network: NetworkID) {
        let room = departed.values.reduce(returnLimit) { $0 - $1.count }
        departed[network] = Array(members.prefix(max(0, room)))
    }

    /// False if there is no room.
    mutating func noteReturn(of member: Address, to network: NetworkID) -> Bool {
        let entry = Return(network: network, member: member)
        guard returned.count < returnLimit || returned[entry] != nil else { return false }
        returned[entry] = ControllerLimits.revocationRounds
        return true
    }

    /// Those of them who are told in this round, by network and address.
    mutating func takeReturned() -> [Return] {
        let due = returned.keys.sorted { ($0.network, $0.member) < ($1.network, $1.member) }
        returned = returned.compactMapValues { $0 > 1 ? $0 - 1 : nil }
        return due
    }
}

extension ControllerEngine {
    /// A member was let out. It may ask at once, and hears why.
    mutating func revoke(_ member: Address, on id: NetworkID, _ now: Now) {
        if !revocations.want(RevocationRounds.Wish(network: id, target: member)) { count(.revocationsFull) }
        if member == address { emit(.refuseSelf(id, .accessDenied)) }
        guard let slot = slots[id] else { return }
        let presence = networks[slot].presences[member]
        guard presence?.isOnline(now.monotonic) ?? hasJustResumed(now) else { return }
        networks[slot].presences[member]?.gateOpens = .zero
        // No member of the field compares the packet's number, and a controller that has just started has none.
        let packet = presence?.lastPacket ?? PacketID(0)
        if member != address { sendError(.networkAccessDenied(id), packet, to: member) }
    }

    /// Who was let out lately is revoked again, with all members: nobody knows how many of them heard of it.
    mutating func revokeAgain(of slot: SlotID, since time: UInt64) {
        let (id, window) = (networks[slot].record.id, networks[slot].record.credentialWindow)
        let revoked = networks[slot].members.values.filter { member in
            !member.isAuthorized && member.lastDeauthorizedTime > 0 && member.identity != nil
                && member.lastDeauthorizedTime.addingReportingOverflow(window).partialValue > time
        }
        for member in revoked.map(\.address).sorted().prefix(ControllerLimits.revocationsPerDeletion) {
            want(RevocationRounds.Wish(network: id, target: member, isForAll: true))
        }
    }

    // One of many.
    private mutating func want(_ wish: RevocationRounds.Wish) {
        if !revocations.hasRoomForMany || !revocations.want(wish) { count(.revocationsFull) }
    }

    /// A revocation is signed: everybody who is there hears of it.
    mutating func announce(_ revocation: Revocation, _ wish: RevocationRounds.Wish, _ now: Now) {
        if let slot = slots[wish.network] {
            networks[slot].note(revocation, now, limit: configuration.revocationsPerNetwork)
        }
        revocations.append(revocation, wish)
        let earliest = (revocations.lastRound ?? .zero) + ControllerLimits.revocationInterval
        guard revocations.lastRound != nil, now.monotonic < earliest else { return sendRevocations(now) }
        deadlines.schedule(.revocations, at: earliest)
        // Members of other releases do not look before the next round. Ours do, and tell them.
        let soonest = (revocations.lastNews ?? .zero) + ControllerLimits.newsInterval
        guard now.monotonic < soonest else { return sendNews(now) }
        deadlines.schedule(.news, at: soonest)
    }

    /// What nobody was told yet, between two rounds.
    mutating func sendNews(_ now: Now) {
        revocations.lastNews = now.monotonic
        let news = revocations.news()
        tell(news, [], now)
        revocations.noteTold(news)
        sendMail(now)
    }

    /// One round: each member that is there gets what is on its way, as much as one packet holds.
    mutating func sendRevocations(_ now: Now) {
        revocations.lastRound = now.monotonic
        revocations.lastNews = now.monotonic
        let due = revocations.due()
        tell(due, revocations.takeReturned(), now)
        revocations.noteTold(due)
        revocations.finish(due)
        if !revocations.isIdle {
            deadlines.schedule(.revocations, at: now.monotonic + ControllerLimits.revocationInterval)
        }
        sendMail(now)
    }

    // One packet for each member, with those of its networks.
    private mutating func tell(_ due: [NetworkID: [Int]], _ returned: [RevocationRounds.Return], _ now: Now) {
        // A member of several networks gets all of theirs in one packet: it would not look at a second one.
        var recipients: [Address: [NetworkID]] = [:]
        for id in due.keys.sorted() {
            let entries = (due[id] ?? []).map { revocations.entries[$0] }
            let isForAll = entries.contains(where: \.isForAll)
            let targets = entries.map(\.revocation.target)
            for recipient in Set(self.recipients(of: id, isForAll: isForAll, now) + targets) {
                recipients[recipient, default: []].append(id)
            }
        }
        var missed: [Address: [NetworkID]] = [:]
        for entry in returned where slots[entry.network] != nil {
            missed[entry.member, default: []].append(entry.network)
        }
        // Most get the same: it is made once.
        var payloads: [[[NetworkID]]: [UInt8]] = [:]
        for recipient in Set(recipients.keys).union(missed.keys).sorted() {
            let (current, former) = (recipients[recipient] ?? [], missed[recipient] ?? [])
            let payload = payloads[[former, current]] ?? encode(former, current, due)
            payloads[[former, current]] = payload
            if recipient == address {
                emit(.showSelf(payload))
            } else {
                post(.networkCredentials, payload, to: recipient)
            }
        }
    }

    // Each once, the latest if there are too many.
    private func encode(_ former: [NetworkID], _ current: [NetworkID], _ due: [NetworkID: [Int]]) -> [UInt8] {
        let missed = former.flatMap { id in
            slots[id].map { networks[$0].revocations.suffix(ControllerLimits.revocationsPerPacket) } ?? []
        }
        let present = current.flatMap { due[$0] ?? [] }.map { revocations.entries[$0].revocation }
        var seen: Set<Revocation> = []
        var credentials = NetworkCredentials()
        credentials.revocations = (missed.map(\.revocation) + present).filter { seen.insert($0).inserted }
            .suffix(ControllerLimits.revocationsPerPacket)
        return credentials.encoded
    }

    /// Whether it cannot know yet who is there: members ask once a minute.
    func hasJustResumed(_ now: Now) -> Bool {
        resumed.map { now.monotonic < $0 + ControllerLimits.onlineWindow } ?? false
    }

    private func recipients(of id: NetworkID, isForAll: Bool, _ now: Now) -> [Address] {
        if let departed = revocations.departed[id] { return departed }
        guard let slot = slots[id] else { return [] }
        guard isForAll || hasJustResumed(now) else { return networks[slot].onlineMembers(now.monotonic) }
        let all = networks[slot].members.values.filter(\.isAuthorized).map(\.address).sorted()
        return Array(all.prefix(ControllerLimits.recipientsAtStart))
    }

    /// A member is there again, or for the first time: it has not heard what was revoked before.
    mutating func catchUp(_ member: Address, on slot: SlotID, _ now: Now) {
        guard !networks[slot].revocations.isEmpty else { return }
        guard revocations.noteReturn(of: member, to: networks[slot].record.id) else { return count(.returnersFull) }
        let earliest = revocations.lastRound.map { $0 + ControllerLimits.revocationInterval } ?? now.monotonic
        deadlines.schedule(.revocations, at: max(now.monotonic, earliest))
    }

    private mutating func post(_ verb: Verb, _ payload: [UInt8], to destination: Address) {
        if !mail.tryAppend(Letter(destination: destination, verb: verb, payload: payload)) { count(.effectsFull) }
    }

    /// The next group of packets to many.
    mutating func sendMail(_ now: Now) {
        for _ in 0..<ControllerLimits.packetsPerGroup {
            guard let letter = mail.popFirst() else { return }
            emit(.send(letter.verb, letter.payload, to: letter.destination))
        }
        if !mail.isEmpty { deadlines.schedule(.mail, at: now.monotonic + ControllerLimits.groupInterval) }
    }

    // MARK: Deletion

    /// Everybody who is there hears that a network is gone, and that nobody is a member any more.
    mutating func remove(_ id: NetworkID, _ now: Now) {
        guard let slot = slots[id] else { return }
        let present = recipients(of: id, isForAll: false, now)
        revocations.noteDeparture(of: present, from: id)
        for member in present.prefix(ControllerLimits.revocationsPerDeletion)
        where networks[slot].members[member]?.isAuthorized == true {
            want(RevocationRounds.Wish(network: id, target: member))
        }
        for member in present {
            if member == address {
                emit(.refuseSelf(id, .notFound))
            } else {
                let packet = networks[slot].presences[member]?.lastPacket ?? PacketID(0)
                let reply = ErrorReply(
                    inReplyTo: .networkConfigRequest, packetID: packet, reason: .objectNotFound(id))
                post(.error, reply.encoded, to: member)
            }
        }
        _ = networks.remove(slot)
        slots[id] = nil
        sendMail(now)
    }
}
