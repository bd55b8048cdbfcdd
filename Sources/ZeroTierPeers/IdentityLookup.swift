//  Addresses whose identity is being asked for by WHOIS, and what waits for the answer.
//
//      unknown --something waits--> asked every 500 ms --identity--> held --valid--> everything is released
//                                        |      ^--another root is asked--/ false
//                                        \--5 s without answer--> everything is dropped

import NetPrimitives
import ZeroTierWire

/// A received packet whose sender is not known yet.
struct WaitingPacket: Sendable {
    let bytes: [UInt8]
    let path: PhysicalPath
    let since: MonotonicInstant
}

/// A RENDEZVOUS that came before the identity of the peer it introduces.
struct EarlyRendezvous: Sendable {
    let endpoint: SocketEndpoint
    let localSocket: Int32
    /// The root that told of it.
    let teller: Address
    let since: MonotonicInstant
}

/// The look-ups under way.
struct IdentityLookup: Sendable {
    /// On whose behalf an address is looked up. A remote node can cause all but the first as it likes, so each of them has a
    /// share of its own.
    private enum Wish: Equatable, Sendable {
        /// We want to send to it.
        case ours
        /// We have something for it that others caused, who named it.
        case named
        /// It introduces itself: a packet or a RENDEZVOUS that names it came in.
        case stranger
        /// This peer asked us for it.
        case asker(Address)
    }

    private struct Entry: Sendable {
        let address: Address
        var wish: Wish
        /// Nothing waits longer than until then.
        var until: MonotonicInstant
        var nextAsk: MonotonicInstant
        /// Whether WHOIS is sent; a kept RENDEZVOUS alone does not ask.
        var asks: Bool
        /// Whether an answer is being validated: nothing is asked, and nothing given up.
        var isHeld = false
        /// The root whose answer was false.
        var refused: Address?
        var inbound: [WaitingPacket] = []
        var outbound: [OutgoingPacket] = []
        var rendezvous: EarlyRendezvous?
    }

    /// What waited for an identity.
    struct Released: Sendable {
        var inbound: [WaitingPacket]
        var outbound: [OutgoingPacket]
        var rendezvous: EarlyRendezvous?
    }

    /// What was given up.
    struct Expired: Sendable {
        var inbound = 0
        var outbound = 0
    }

    // In order of their first wish; a few hundred at most, and never touched for a known peer.
    private var entries: [Entry] = []
    private var inboundCount = 0
    private var outboundCount = 0
    private var rendezvousCount = 0
    private let limits: PeerLimits

    init(limits: PeerLimits) {
        self.limits = limits
    }

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    /// Packets of both directions that wait for an identity.
    var packetsWaiting: Int { inboundCount + outboundCount }

    /// Whether an address is being asked for.
    func isAsking(_ address: Address) -> Bool { entries.contains { $0.address == address && $0.asks } }

    /// The addresses that are being asked for.
    var asked: [Address] { entries.filter(\.asks).map(\.address) }

    /// When something is due: a question or the end of a wait.
    var nextDeadline: MonotonicInstant? {
        var earliest: MonotonicInstant?
        for entry in entries where !entry.isHeld {
            let due = entry.asks ? min(entry.nextAsk, entry.until) : entry.until
            if due < earliest ?? .distantFuture { earliest = due }
        }
        return earliest
    }

    /// Asks for an address with nothing waiting. `isNamed`: others named it, so it gets no more than their share of the room.
    mutating func request(_ address: Address, isNamed: Bool = false, _ now: MonotonicInstant) -> Bool {
        if isNamed, !hasRoomForNamed(address) { return false }
        guard let index = place(address, isNamed ? .named : .ours, now) else { return false }
        entries[index].until = now + ProtocolLimits.queueEntryLife
        return true
    }

    /// Asks for an address that a peer asked us for, within what is set aside for such wishes.
    mutating func request(_ address: Address, for asker: Address, _ now: MonotonicInstant) -> Bool {
        if !entries.contains(where: { $0.address == address }) {
            var all = 0
            var own = 0
            for entry in entries {
                guard case .asker(let other) = entry.wish else { continue }
                all += 1
                if other == asker { own += 1 }
            }
            guard all < limits.lookupsForOthers, own < limits.lookupsPerAsker else { return false }
        }
        guard let index = place(address, .asker(asker), now) else { return false }
        entries[index].until = max(entries[index].until, now + ProtocolLimits.queueEntryLife)
        return true
    }

    /// Keeps a received packet until its sender is known. Returns how many packets had to give way; nil when there is no
    /// room at all.
    mutating func park(_ packet: WaitingPacket, from address: Address) -> Int? {
        guard let index = place(address, .stranger, packet.since) else { return nil }
        // One stranger may take half of the room at most.
        guard entries[index].inbound.count < max(1, limits.waitingInbound / 2) else { return nil }
        entries[index].inbound.append(packet)
        entries[index].until = packet.since + ProtocolLimits.queueEntryLife
        inboundCount += 1
        guard inboundCount > limits.waitingInbound else { return 0 }
        displaceInbound()
        return 1
    }

    /// Sources cost nothing to invent, so a full room must not keep a real newcomer out: the oldest packet of the address
    /// that holds most gives way, and the address with it if nothing else wants it.
    private mutating func displaceInbound() {
        var longest = 0
        for index in entries.indices where entries[index].inbound.count > entries[longest].inbound.count {
            longest = index
        }
        entries[longest].inbound.removeFirst()
        inboundCount -= 1
        if entries[longest].inbound.isEmpty, entries[longest].wish == .stranger, entries[longest].rendezvous == nil {
            _ = remove(longest)
        }
    }

    /// Keeps a packet to be sent until its destination is known. Returns how many packets had to give way; nil when there
    /// is no room at all. What others caused has half of the room at most, of addresses as of packets.
    mutating func park(_ packet: OutgoingPacket) -> Int? {
        let wish = packet.verb.traits.isCausedByOthers ? Wish.named : .ours
        if wish == .named, !hasRoomForNamed(packet.destination) { return nil }
        guard let index = place(packet.destination, wish, packet.queuedAt) else { return nil }
        var dropped = 0
        if outboundCount >= limits.waitingOutbound {
            let longest = entries.indices.max { entries[$0].outbound.count < entries[$1].outbound.count }
            guard let longest, !entries[longest].outbound.isEmpty else { return nil }
            entries[longest].outbound.removeFirst()
            outboundCount -= 1
            dropped = 1
        }
        entries[index].outbound.append(packet)
        entries[index].until = packet.queuedAt + ProtocolLimits.queueEntryLife
        outboundCount += 1
        return dropped
    }

    private func hasRoomForNamed(_ address: Address) -> Bool {
        var addresses = 0
        var packets = 0
        var isOurs = false
        for entry in entries {
            if entry.address == address { isOurs = entry.wish == .ours }
            guard entry.wish == .named else { continue }
            if entry.address != address { addresses += 1 }
            packets += entry.outbound.count
        }
        return isOurs || addresses < max(1, limits.lookups / 2) && packets < max(1, limits.waitingOutbound / 2)
    }

    /// Keeps an introduction until the peer is known: the last one per address. It does not ask for the identity, the
    /// packet that it accompanies does.
    mutating func park(_ rendezvous: EarlyRendezvous, for address: Address) -> Bool {
        let isReplaced = entries.contains { $0.address == address && $0.rendezvous != nil }
        guard isReplaced || rendezvousCount < limits.earlyRendezvous,
            let index = place(address, .stranger, asks: false, rendezvous.since)
        else { return false }
        if !isReplaced { rendezvousCount += 1 }
        entries[index].rendezvous = rendezvous
        entries[index].until = max(entries[index].until, rendezvous.since + ProtocolLimits.queueEntryLife)
        return true
    }

    /// The identity of an address became known: all that waited for it.
    mutating func release(_ address: Address, _ now: MonotonicInstant) -> Released? {
        guard let index = entries.firstIndex(where: { $0.address == address }) else { return nil }
        let entry = remove(index)
        let isFresh: (MonotonicInstant) -> Bool = { now - $0 < ProtocolLimits.queueEntryLife }
        return Released(
            inbound: entry.inbound.filter { isFresh($0.since) },
            outbound: entry.outbound.filter { isFresh($0.queuedAt) },
            rendezvous: entry.rendezvous.flatMap { isFresh($0.since) ? $0 : nil })
    }

    /// A root's answer is being validated.
    mutating func hold(_ address: Address) {
        guard let index = entries.firstIndex(where: { $0.address == address }) else { return }
        entries[index].asks = false
        entries[index].isHeld = true
    }

    /// The answer was false, or could not be used: the address is asked for again, if possible of another root than `root`.
    mutating func refuse(_ address: Address, by root: Address?, _ now: MonotonicInstant) {
        guard let index = entries.firstIndex(where: { $0.address == address && $0.isHeld }) else { return }
        entries[index].isHeld = false
        entries[index].asks = true
        entries[index].nextAsk = root == nil ? now + ProtocolLimits.whoisInterval : now
        entries[index].until = now + ProtocolLimits.queueEntryLife
        entries[index].refused = root
    }

    /// Whether `due` has something.
    func hasDue(_ now: MonotonicInstant) -> Bool {
        entries.contains { $0.asks && $0.nextAsk <= now && $0.until > now }
    }

    /// The addresses to ask a root for now. `refused`: those of which it said something false, else all others; nil for all.
    mutating func due(_ now: MonotonicInstant, of root: Address, refused: Bool?) -> [Address] {
        var result: [Address] = []
        for index in entries.indices where entries[index].asks && entries[index].nextAsk <= now {
            guard entries[index].until > now, refused.map({ $0 == (entries[index].refused == root) }) ?? true else {
                continue
            }
            guard result.count < ProtocolLimits.whoisAddressesPerPacket else { break }
            entries[index].nextAsk = now + ProtocolLimits.whoisInterval
            result.append(entries[index].address)
        }
        return result
    }

    /// Gives up what waited for too long.
    mutating func expire(_ now: MonotonicInstant) -> Expired {
        var expired = Expired()
        var index = 0
        while index < entries.count {
            if entries[index].until <= now, !entries[index].isHeld {
                let entry = remove(index)
                expired.inbound += entry.inbound.count
                expired.outbound += entry.outbound.count
            } else {
                index += 1
            }
        }
        return expired
    }

    private mutating func place(
        _ address: Address, _ wish: Wish, asks: Bool = true, _ now: MonotonicInstant
    ) -> Int? {
        if let index = entries.firstIndex(where: { $0.address == address }) {
            switch (entries[index].wish, wish) {
            case (_, .ours), (.asker, .stranger), (.asker, .named), (.stranger, .named): entries[index].wish = wish
            case (.ours, _), (.named, _), (.stranger, _), (.asker, .asker): break
            }
            if asks, !entries[index].asks, !entries[index].isHeld {
                entries[index].asks = true
                entries[index].nextAsk = now
            }
            return index
        }
        guard entries.count < limits.lookups else { return nil }
        entries.append(
            Entry(
                address: address, wish: wish, until: now + ProtocolLimits.queueEntryLife, nextAsk: now, asks: asks))
        return entries.count - 1
    }

    private mutating func remove(_ index: Int) -> Entry {
        let entry = entries.remove(at: index)
        inboundCount -= entry.inbound.count
        outboundCount -= entry.outbound.count
        if entry.rendezvous != nil { rendezvousCount -= 1 }
        return entry
    }
}
