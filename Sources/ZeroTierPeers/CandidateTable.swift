//  Identities that wait for their validation. Found by address and counted by the prefix that they came from, so that a flood of
//  invented ones costs each no more than the first.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// An identity that waits for its validation, or is being validated.
struct Candidate: Sendable {
    /// What was asked of an endpoint.
    struct Challenge: Sendable {
        let packetID: PacketID
        let remote: SocketEndpoint
        let at: MonotonicInstant
    }

    let identity: Identity
    let since: MonotonicInstant
    /// Candidates that came earlier have smaller ones.
    fileprivate(set) var turn: UInt64 = 0
    var ticket: JobTicket?
    /// The HELLO that brought it; nil when only a root told of it.
    var hello: AuthenticHello?
    /// What the HELLO was sealed with; nil without one.
    var key: SharedKey?
    /// The last HELLO of the same identity since: it is looked at when the result is there.
    var later: WaitingPacket?
    /// The root that told of it, when we asked.
    var toldBy: Address?
    /// Whether its endpoint has to answer first.
    var needsProof = false
    var challenges: [Challenge] = []

    init(identity: Identity, since: MonotonicInstant) {
        self.identity = identity
        self.since = since
    }

    /// The prefix that it takes room for.
    fileprivate var prefix: IPAddress? { toldBy == nil ? hello?.path.remote.address.sourcePrefix : nil }
}

/// The candidates that wait, in no order.
struct CandidateTable: Sendable {
    private var candidates: [Candidate] = []
    private var byAddress: [Address: [Int]] = [:]
    private var crowds: [IPAddress: Int] = [:]
    private var nextTurn: UInt64 = 1
    private var draws: UInt64
    /// Those that a root told of.
    private(set) var wishCount = 0
    /// Those that wait for nothing but their turn.
    private(set) var provenCount = 0

    init(seed: UInt64) { draws = seed }

    var count: Int { candidates.count }
    var indices: Range<Int> { candidates.indices }

    /// The candidate at a place. Who it is, where it came from, whether it owes its proof and who told of it change by the
    /// functions below.
    subscript(place: Int) -> Candidate {
        get { candidates[place] }
        _modify { yield &candidates[place] }
    }

    func contains(_ address: Address) -> Bool { byAddress[address] != nil }

    /// Where the candidates of an address are: several only when one of them is false.
    func places(of address: Address) -> [Int] { byAddress[address] ?? [] }

    func place(of identity: Identity) -> Int? {
        byAddress[identity.address]?.first { candidates[$0].identity == identity }
    }

    /// The wish that waits for longest.
    var firstWish: Int? {
        candidates.indices.lazy.filter { candidates[$0].toldBy != nil }
            .min { candidates[$0].turn < candidates[$1].turn }
    }

    mutating func append(_ candidate: Candidate) {
        candidates.append(candidate)
        let place = candidates.count - 1
        candidates[place].turn = nextTurn
        nextTurn += 1
        byAddress[candidate.identity.address, default: []].append(place)
        count(place, by: 1)
    }

    /// Takes a candidate out. The last one takes its place.
    mutating func remove(_ place: Int) -> Candidate {
        count(place, by: -1)
        let last = candidates.count - 1
        candidates.swapAt(place, last)
        let candidate = candidates.removeLast()
        note(candidate.identity.address, from: place, to: nil)
        if place != last { note(candidates[place].identity.address, from: last, to: place) }
        return candidate
    }

    mutating func setHello(_ hello: AuthenticHello, key: SharedKey, at place: Int) {
        count(place, by: -1)
        candidates[place].hello = hello
        candidates[place].key = key
        count(place, by: 1)
    }

    mutating func setWish(toldBy root: Address, at place: Int) {
        count(place, by: -1)
        if candidates[place].toldBy == nil { candidates[place].toldBy = root }
        candidates[place].needsProof = false
        count(place, by: 1)
    }

    mutating func setProven(_ place: Int) {
        count(place, by: -1)
        candidates[place].needsProof = false
        candidates[place].challenges = []
        count(place, by: 1)
    }

    /// Who gives way to a newcomer, of a few picked at random: before all others one that still owes its proof, then one of the
    /// prefix that holds most, then the oldest.
    mutating func victim(for address: IPAddress) -> Int? {
        let own = crowds[address.sourcePrefix] ?? 0
        var choice: (place: Int, crowd: Int, owesProof: Bool)?
        for _ in 0..<ProtocolLimits.evictionSamples {
            draws &+= 0x9e37_79b9_7f4a_7c15
            let place = Int(mix(draws) % UInt64(max(1, candidates.count)))
            guard candidates.indices.contains(place), let prefix = candidates[place].prefix else { continue }
            let crowd = crowds[prefix] ?? 0
            let owesProof = candidates[place].needsProof
            // One more than the newcomer's after it has come: else two prefixes would displace each other for ever.
            guard owesProof ? crowd >= own : crowd > own + 1 else { continue }
            if let choice {
                let isBetter =
                    owesProof != choice.owesProof
                    ? owesProof
                    : crowd == choice.crowd
                        ? candidates[place].turn < candidates[choice.place].turn : crowd > choice.crowd
                guard isBetter else { continue }
            }
            choice = (place, crowd, owesProof)
        }
        return choice?.place
    }

    private mutating func count(_ place: Int, by step: Int) {
        if candidates[place].toldBy != nil { wishCount += step }
        if !candidates[place].needsProof { provenCount += step }
        guard let prefix = candidates[place].prefix else { return }
        let crowd = (crowds[prefix] ?? 0) + step
        crowds[prefix] = crowd > 0 ? crowd : nil
    }

    private mutating func note(_ address: Address, from old: Int, to new: Int?) {
        guard var places = byAddress[address], let index = places.firstIndex(of: old) else { return }
        if let new { places[index] = new } else { places.remove(at: index) }
        byAddress[address] = places.isEmpty ? nil : places
    }
}
