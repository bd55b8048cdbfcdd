import NetPrimitives
import Testing
import ZeroTierController

/// The lease as one controller sees it, with a database that is a few lines long.
@Suite struct LeaseTests {
    /// The row, by a clock of its own: nanoseconds since anything.
    private struct Database {
        var holder = ""
        var epoch: UInt64 = 0
        var expires: UInt64 = 0

        mutating func answer(_ request: LeaseRequest, of name: String, _ terms: LeaseTerms, at time: UInt64) -> LeaseRow
        {
            let end = time + UInt64(terms.duration.nanoseconds)
            switch request {
            case .take where expires <= time: (holder, epoch, expires) = (name, epoch + 1, end)
            case .renew(let mine) where holder == name && epoch == mine: expires = end
            case .release(let mine) where holder == name && epoch == mine: expires = time
            default: break
            }
            let left = expires > time ? Int64(expires - time) : 0
            return LeaseRow(holder: holder, epoch: epoch, since: 0, left: .nanoseconds(left))
        }
    }

    private static func instant(_ milliseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }

    private static func next(_ lease: inout ControllerLease, _ milliseconds: UInt64) throws -> LeaseRequest {
        let request = lease.nextRequest(now: instant(milliseconds))
        return try #require(request)
    }

    private static func until(_ lease: ControllerLease) -> MonotonicInstant? {
        if case .holding(_, let until) = lease.state { return until }
        return nil
    }

    @Test func `a holder counts from the moment before it asked, and ends before the database does`() throws {
        var database = Database()
        var lease = ControllerLease(name: "a", now: Self.instant(0))
        let request = try Self.next(&lease, 0)
        #expect(request == .take)
        let second = lease.nextRequest(now: Self.instant(1))
        #expect(second == nil, "one at a time")
        // It takes 100 ms to the database, and 300 ms back.
        let row = database.answer(request, of: "a", lease.terms, at: 100_000_000)
        lease.complete(row, now: Self.instant(400))
        let until = try #require(Self.until(lease))
        #expect(until == Self.instant(2000 - 20 - 80))
        #expect(until.nanoseconds < database.expires)
        // Half a second after it asked, it asks again.
        #expect(lease.nextDeadline == Self.instant(500))
        let answer1 = lease.nextRequest(now: Self.instant(499))
        #expect(answer1 == nil)
        let answer2 = lease.nextRequest(now: Self.instant(500))
        #expect(answer2 == .renew(epoch: 1))
    }

    @Test func `who cannot renew tries again and again, and is silent when its time is over`() throws {
        var database = Database()
        var lease = ControllerLease(name: "a", now: Self.instant(0))
        let taken = try Self.next(&lease, 0)
        lease.complete(database.answer(taken, of: "a", lease.terms, at: 0), now: Self.instant(1))
        var tries = 0
        for time in UInt64(1)...3000 {
            guard let request = lease.nextRequest(now: Self.instant(time)) else { continue }
            #expect(request == .renew(epoch: 1) && time < 1900)
            tries += 1
            lease.fail("cut off", now: Self.instant(time))
        }
        #expect(tries > 3)
        guard case .ended = lease.state else {
            Issue.record("it still holds the lease: \(lease.state)")
            return
        }
        #expect(lease.failure == "cut off")
        #expect(lease.nextDeadline == nil)
        // Its owner has put everything away.
        lease.standBy(now: Self.instant(3000))
        let answer3 = lease.nextRequest(now: Self.instant(3000))
        #expect(answer3 == .take)
    }

    @Test func `a row of somebody else ends the lease at once`() throws {
        var database = Database()
        var lease = ControllerLease(name: "a", now: Self.instant(0))
        let taken = try Self.next(&lease, 0)
        lease.complete(database.answer(taken, of: "a", lease.terms, at: 0), now: Self.instant(1))
        _ = lease.nextRequest(now: Self.instant(600))
        lease.complete(
            LeaseRow(holder: "b", epoch: 2, since: 0, left: .seconds(2)), now: Self.instant(601))
        #expect(lease.state == .ended(LeaseRow(holder: "b", epoch: 2, since: 0, left: .seconds(2))))
    }

    @Test func `an answer that comes after its lease is over gives nothing`() throws {
        var database = Database()
        var lease = ControllerLease(name: "a", now: Self.instant(0))
        let taken = try Self.next(&lease, 0)
        lease.complete(database.answer(taken, of: "a", lease.terms, at: 0), now: Self.instant(1950))
        #expect(Self.until(lease) == nil)
    }

    @Test func `a lease that its own lost request took is found, and is not longer than the row says`() throws {
        var database = Database()
        var lease = ControllerLease(name: "a", now: Self.instant(0))
        let taken = try Self.next(&lease, 0)
        lease.fail("no answer", now: Self.instant(700))
        // It arrives all the same.
        _ = database.answer(taken, of: "a", lease.terms, at: 800_000_000)
        let again = try Self.next(&lease, 1000)
        lease.complete(database.answer(again, of: "a", lease.terms, at: 1_001_000_000), now: Self.instant(1002))
        let until = try #require(Self.until(lease))
        #expect(until < Self.instant(2800) && until > Self.instant(2500))
        #expect(database.epoch == 1)
    }

    @Test func `a standby asks when the lease runs out, and when somebody says so`() throws {
        var lease = ControllerLease(name: "b", now: Self.instant(0))
        _ = lease.nextRequest(now: Self.instant(0))
        lease.complete(LeaseRow(holder: "a", epoch: 1, since: 0, left: .milliseconds(40)), now: Self.instant(1))
        #expect(lease.nextDeadline == Self.instant(46))
        _ = lease.nextRequest(now: Self.instant(46))
        lease.complete(LeaseRow(holder: "a", epoch: 1, since: 0, left: .milliseconds(1990)), now: Self.instant(47))
        #expect(lease.nextDeadline == Self.instant(297))
        lease.look(now: Self.instant(50))
        let answer4 = lease.nextRequest(now: Self.instant(50))
        #expect(answer4 == .take)
    }

    @Test func `a database that is away is asked more and more seldom`() {
        var lease = ControllerLease(name: "b", now: Self.instant(0))
        var tries: [UInt64] = []
        for time in UInt64(0)...20_000 where lease.nextRequest(now: Self.instant(time)) != nil {
            tries.append(time)
            lease.fail("away", now: Self.instant(time))
        }
        #expect(tries.prefix(4) == [0, 50, 150, 350])
        #expect((20...40).contains(tries.count))
    }

    @Test func `who ends gives the lease back, and asks for nothing after that`() throws {
        var database = Database()
        var lease = ControllerLease(name: "a", now: Self.instant(0))
        let taken = try Self.next(&lease, 0)
        lease.complete(database.answer(taken, of: "a", lease.terms, at: 0), now: Self.instant(1))
        let answer5 = lease.release(now: Self.instant(2))
        #expect(answer5 == .release(epoch: 1))
        let answer6 = lease.release(now: Self.instant(2))
        #expect(answer6 == nil)
        let answer7 = lease.nextRequest(now: Self.instant(5000))
        #expect(answer7 == nil)
        let row = database.answer(.release(epoch: 1), of: "a", lease.terms, at: 3_000_000)
        #expect(row.left == .zero)
    }

    /// Three controllers whose clocks differ by up to one percent, messages that take up to 900 ms or get lost, and cuts.
    @Test(arguments: 0..<40)
    func `no two answer at once, and somebody answers again`(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var database = Database()
        let rates: [UInt64] = [990, 1000, 1009]
        var leases = rates.indices.map { ControllerLease(name: "\($0)", now: .zero) }
        func clock(_ index: Int, _ time: UInt64) -> MonotonicInstant {
            MonotonicInstant(nanoseconds: time * rates[index] * 1000)
        }
        struct Message {
            let who: Int
            let request: LeaseRequest
            var arrives: UInt64
            var returns: UInt64
            var row: LeaseRow?
        }
        var messages: [Message] = []
        var cutUntil: [UInt64] = [0, 0, 0]
        var asked: [UInt64] = [0, 0, 0]
        var answered = 0
        for time in UInt64(0)..<30_000 {
            let isCalm = time > 20_000
            for index in messages.indices where messages[index].row == nil && messages[index].arrives <= time {
                let message = messages[index]
                messages[index].row = database.answer(
                    message.request, of: "\(message.who)", leases[message.who].terms, at: time * 1_000_000)
            }
            for message in messages where message.returns <= time && message.arrives <= message.returns {
                if let row = message.row, asked[message.who] != 0, time >= cutUntil[message.who] {
                    leases[message.who].complete(row, now: clock(message.who, time))
                    asked[message.who] = 0
                }
            }
            messages.removeAll { $0.row != nil && $0.returns <= time }
            for who in leases.indices {
                let now = clock(who, time)
                if asked[who] != 0, time - asked[who] > 700 {
                    leases[who].fail("late", now: now)
                    asked[who] = 0
                    // What was sent may still arrive; nobody takes its answer.
                    for index in messages.indices where messages[index].who == who { messages[index].returns = 0 }
                }
                if !isCalm, random.next(below: 3000) == 0 { cutUntil[who] = time + UInt64(random.next(below: 4000)) }
                if isCalm { cutUntil[who] = 0 }
                if case .ended = leases[who].state, random.next(below: 50) == 0 { leases[who].standBy(now: now) }
                guard let request = leases[who].nextRequest(now: now) else { continue }
                asked[who] = max(1, time)
                guard time >= cutUntil[who] else { continue }
                let longest = isCalm ? 5 : 450
                let arrives = time + UInt64(random.next(below: longest))
                messages.append(
                    Message(
                        who: who, request: request, arrives: arrives,
                        returns: arrives + UInt64(random.next(below: longest)), row: nil))
            }
            let speakers = leases.indices.filter { who in
                Self.until(leases[who]).map { clock(who, time) < $0 } ?? false
            }
            #expect(speakers.count <= 1, "at \(time) ms: \(speakers)")
            if isCalm, time > 24_000, speakers.count == 1 { answered += 1 }
        }
        #expect(answered == 5999, "somebody answers all the time, once nothing fails any more")
    }
}
