//  The room for identities that wait for their validation: what is counted, who gives way, and what is not even looked at.

import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierWire

@testable import ZeroTierPeers

@Suite struct CandidateTableTests {
    private static let keys = Fixture.identities[24]

    private static func identity(_ number: Int) -> Identity {
        Identity(address: Address(UInt64(0x50_0000_0000 + number)), publicKeys: keys.publicKeys)
    }

    private static func candidate(_ number: Int, from host: Int, owesProof: Bool = true) -> Candidate {
        let hello = Hello(
            softwareVersion: SoftwareVersion(major: 1, minor: 14, revision: 0), timestampMilliseconds: 1,
            identity: identity(number), sentTo: nil, planet: nil)
        var candidate = Candidate(identity: identity(number), since: .zero)
        candidate.hello = AuthenticHello(
            hello: hello, packetID: PacketID(UInt64(number)),
            path: PhysicalPath(localSocket: 0, remote: Fixture.endpoint(host, 1)), hops: 0)
        candidate.needsProof = owesProof
        return candidate
    }

    @Test func `what is counted is what is there, whatever comes and goes`() {
        var table = CandidateTable(seed: 3)
        var model: [Int: (isWish: Bool, owesProof: Bool)] = [:]
        var random = RandomSource(seed: 5)
        for step in 0..<4000 {
            let number = random.next(below: 40)
            let place = table.place(of: CandidateTableTests.identity(number))
            #expect((place != nil) == (model[number] != nil))
            switch random.next(below: 4) {
            case 0, 1:
                if let place {
                    let removed = table.remove(place)
                    #expect(removed.identity == CandidateTableTests.identity(number))
                    model[number] = nil
                } else {
                    let owesProof = random.next(below: 2) == 0
                    table.append(
                        CandidateTableTests.candidate(number, from: 1 + random.next(below: 5), owesProof: owesProof))
                    model[number] = (false, owesProof)
                }
            case 2:
                guard let place else { continue }
                table.setProven(place)
                model[number]?.owesProof = false
            default:
                guard let place else { continue }
                table.setWish(toldBy: Address(UInt64(step + 1)), at: place)
                model[number] = (true, false)
            }
            #expect(table.count == model.count)
            #expect(table.wishCount == model.values.count { $0.isWish })
            #expect(table.provenCount == model.values.count { !$0.owesProof })
        }
    }

    @Test func `a newcomer takes the place of one of the fullest prefix, and never that of one that has proved itself`()
        throws
    {
        var table = CandidateTable(seed: 3)
        for number in 0..<900 { table.append(CandidateTableTests.candidate(number, from: 7)) }
        for number in 900..<1000 { table.append(CandidateTableTests.candidate(number, from: number)) }
        for number in 1000..<1020 {
            table.append(CandidateTableTests.candidate(number, from: 8, owesProof: false))
        }
        for _ in 0..<200 {
            let chosen = table.victim(for: Fixture.endpoint(9, 1).address)
            let victim = try #require(chosen)
            #expect(table[victim].hello?.path.remote.address == Fixture.endpoint(7, 1).address)
        }
        // The prefix that fills the room takes it from itself.
        let choice = table.victim(for: Fixture.endpoint(7, 1).address)
        let own = try #require(choice)
        #expect(table[own].hello?.path.remote.address == Fixture.endpoint(7, 1).address)
        var proven = CandidateTable(seed: 3)
        for number in 0..<100 {
            proven.append(CandidateTableTests.candidate(number, from: number, owesProof: false))
        }
        let nobody = proven.victim(for: Fixture.endpoint(900, 1).address)
        #expect(nobody == nil)
    }

    @Test func `nothing is read of a HELLO for which no agreement is left`() {
        let star = Star(leaves: 0)
        var junk = Prober(Fixture.identities[24], to: star.root.identity).hello(id: 1 << 50)
        junk[60] ^= 1
        let burst = ProtocolLimits.agreementBurst
        for _ in 0..<burst + 64 { star.hub.receive(star.root, [junk], from: Fixture.endpoint(50, 1)) }
        #expect(star.root.drops(.badMAC) >= burst / 2)
        let refused = star.root.drops(.agreementLimit)
        #expect(refused > 0)
        // It cannot even be decoded.
        let scrap = Array(junk[..<60])
        star.hub.receive(star.root, [scrap], from: Fixture.endpoint(50, 1))
        #expect(star.root.drops(.agreementLimit) == refused + 1)
        #expect(star.root.drops(.malformed) == 0)
    }

    @Test func `one prefix gets its own agreements and a share, however much it asks for`() {
        let limits = PeerLimits()
        var gate = PrefixGate(
            burstPerPrefix: limits.agreementBurstPerPrefix, intervalPerPrefix: limits.agreementIntervalPerPrefix,
            burst: limits.agreementBurst, interval: limits.agreementInterval, seed: 1)
        let flooder = Fixture.endpoint(50, 1).address
        var granted = 0
        var refused = 0
        // 20,000 a second for ten seconds; others now and then.
        for step in 0..<200_000 {
            let now = MonotonicInstant(nanoseconds: 1) + .microseconds(50 * step)
            let isExpected = gate.wouldAllow(flooder, now)
            let isGranted = gate.allow(flooder, now)
            #expect(isGranted == isExpected)
            if isGranted { granted += 1 }
            if step % 1000 == 999 {
                if !gate.allow(Fixture.endpoint(100 + step / 1000 % 100, 1).address, now) { refused += 1 }
            }
        }
        // 16 and 20 a second of its own; 512 and 250 a second of all.
        #expect((3000...3300).contains(granted))
        // Of the 100 others one has the flooder's slot: 1 in 256 has.
        #expect(refused <= 4)
    }
}
