// The driver's thread and some threads of an application around the receive role, reduced to the steps at which another
// thread can get in between. The flags are the product's own `ReceiveDuty`; the order of the steps is that of
// `NodeDriver+Waiting` and `NodeDriver.run`.

@testable import ZeroTier

/// What a whole node is in, as far as waiting and receiving go.
struct DutyWorld: Hashable {
    /// How a thread may wait.
    struct Rules {
        /// Threads that make blocking calls; each call wants one datagram.
        var threads = 2
        var calls = 2
        /// Threads that are seen as calling often, so that they may begin a shift.
        var mayBeginShift = true
        var mayHandOver = true
        /// One call of thread 0 may be cancelled from outside.
        var mayCancel = false
    }

    /// Whose wake-up is to come, and by which way it waits.
    struct Wake: Hashable {
        var thread: Int8
        var isLeader: Bool
    }

    /// Where a thread stands. What follows each step is `advance`.
    enum Place: Hashable {
        case start, beginShift, dismissForShift, kick, pollTake, pollReceive
        case call, leadTake, leadAttempt, leadLook, withdraw, sleepFlag, sleepCheck, asleep, awake, receive
        case feed, wakes, leave, recall
        case followWish, followAttempt, parked
        case ended
        // The driver's thread.
        case loop, waiting, waitingInShift, driverTake, driverReceive, driverDismiss, endShift
    }

    /// One thread.
    struct Agent: Hashable {
        var place: Place
        /// Where it goes on after feeding and after leaving the role.
        var afterFeed = Place.leave
        var afterLeave = Place.call
        var callsLeft: Int8 = 0
        /// Datagrams in its hands, by thread: received, not yet fed.
        var hands: [Int8] = []
        var wakes: [Wake] = []
        var isParkerSignalled = false
    }

    var duty = ReceiveDuty()
    /// The driver's poller looks at the sockets.
    var isDriverInterested = true
    var isKicked = false
    /// Datagrams in the kernel, and those that are still to come, by thread.
    var kernel: [Int8]
    var coming: [Int8]
    /// Datagrams that the machine has for each thread.
    var inbox: [Int8]
    /// Who is registered under the node's lock: nil, as leader (true) or as follower (false).
    var waiting: [Bool?]
    var hasLeaderResult = false
    var isLeaderAsleep = false
    var isLeaderSignalled = false
    var isCancelled = false
    var canceller: [Wake] = []
    /// The last is the driver.
    var agents: [Agent]

    init(_ rules: Rules) {
        let threads = rules.threads
        kernel = []
        coming = [Int8](repeating: Int8(rules.calls), count: threads)
        inbox = [Int8](repeating: 0, count: threads)
        waiting = [Bool?](repeating: nil, count: threads)
        agents = (0..<threads).map { _ in Agent(place: .start, callsLeft: Int8(rules.calls)) }
        agents.append(Agent(place: .loop))
    }

    /// Threads that receive or sleep on the sockets: at most one may.
    var holders: Int {
        agents.count { agent in
            switch agent.place {
            case .pollReceive, .receive, .leadAttempt, .leadLook, .withdraw, .sleepFlag, .sleepCheck, .asleep, .awake,
                .driverReceive, .feed, .wakes, .leave:
                true
            default: false
            }
        }
    }

    /// Every thread has had what it wanted, or was told to give up, and nothing is left in the kernel.
    var isComplete: Bool {
        kernel.isEmpty && agents.dropLast().allSatisfy { $0.place == .ended }
    }

    // MARK: Steps

    /// All that may happen next.
    func successors(_ rules: Rules) -> [DutyWorld] {
        var result: [DutyWorld] = []
        for thread in coming.indices where coming[thread] > 0 {
            var next = self
            next.coming[thread] -= 1
            next.kernel.append(Int8(thread))
            result.append(next)
        }
        if rules.mayCancel { result += cancellations() }
        for index in agents.indices { step(index, rules, &result) }
        return result
    }

    private func cancellations() -> [DutyWorld] {
        var next = self
        if !isCancelled {
            guard let isLeader = waiting[0] else { return [] }
            next.isCancelled = true
            next.waiting[0] = nil
            next.canceller = [Wake(thread: 0, isLeader: isLeader)]
            return [next]
        }
        guard let wake = canceller.first else { return [] }
        next.canceller = []
        next.deliver(wake)
        return [next]
    }

    // The result is set first and the sleep looked at afterwards; a leader that falls asleep does it the other way round.
    private mutating func deliver(_ wake: Wake) {
        if wake.isLeader {
            hasLeaderResult = true
            if isLeaderAsleep { isLeaderSignalled = true }
        } else {
            agents[Int(wake.thread)].isParkerSignalled = true
        }
    }

    private func go(_ index: Int, _ place: Place, _ change: (inout DutyWorld) -> Void = { _ in }) -> DutyWorld {
        var next = self
        next.agents[index].place = place
        change(&next)
        return next
    }

    private func step(_ index: Int, _ rules: Rules, _ result: inout [DutyWorld]) {
        switch agents[index].place {
        case .start, .call, .beginShift, .dismissForShift, .kick, .pollTake, .followWish, .followAttempt, .parked:
            callStep(index, rules, &result)
        case .leadTake, .leadAttempt, .leadLook, .withdraw, .sleepFlag, .sleepCheck, .asleep, .awake:
            leadStep(index, rules, &result)
        case .pollReceive, .receive, .driverReceive, .feed, .wakes, .leave, .recall: roleStep(index, &result)
        case .loop, .waiting, .waitingInShift, .driverTake, .driverDismiss, .endShift: driverStep(index, &result)
        case .ended: break
        }
    }

    // A call looks under the lock whether there is something for it.
    private func callStep(_ index: Int, _ rules: Rules, _ result: inout [DutyWorld]) {
        let agent = agents[index]
        switch agent.place {
        case .start:
            result.append(go(index, .call))
            if rules.mayBeginShift { result.append(go(index, .beginShift)) }
        case .beginShift:
            result.append(
                go(index, .pollTake) { if $0.duty.beginShift() { $0.agents[index].place = .dismissForShift } })
        case .dismissForShift: result.append(go(index, .kick) { $0.dismiss() })
        case .kick: result.append(go(index, .pollTake) { $0.isKicked = true })
        case .pollTake:
            result.append(go(index, .call) { if $0.duty.take() { $0.agents[index].place = .pollReceive } })
        case .call:
            if inbox[index] > 0 {
                result.append(finished(index))
            } else {
                result.append(go(index, .leadTake))
            }
        case .followWish:
            result.append(go(index, .followAttempt))
            if rules.mayHandOver { result.append(go(index, .followAttempt) { $0.duty.want() }) }
        case .followAttempt:
            if inbox[index] > 0 {
                result.append(finished(index))
            } else {
                result.append(go(index, .parked) { $0.waiting[index] = false })
            }
        default:
            guard agent.isParkerSignalled else { return }
            result.append(woken(index) { $0.agents[index].isParkerSignalled = false })
        }
    }

    // The end of a wait: look again, or give up after the cancellation.
    private func woken(_ index: Int, _ change: (inout DutyWorld) -> Void) -> DutyWorld {
        if index == 0, isCancelled, inbox[0] == 0 { return go(index, .ended, change) }
        return go(index, .call, change)
    }

    private func finished(_ index: Int) -> DutyWorld {
        go(index, agents[index].callsLeft > 1 ? .start : .ended) { next in
            next.inbox[index] -= 1
            next.agents[index].callsLeft -= 1
        }
    }

    private func leadStep(_ index: Int, _ rules: Rules, _ result: inout [DutyWorld]) {
        switch agents[index].place {
        case .leadTake:
            result.append(go(index, .followWish) { if $0.duty.take() { $0.agents[index].place = .leadAttempt } })
        case .leadAttempt:
            result.append(
                go(index, .leadLook) { next in
                    if next.inbox[index] > 0 {
                        next.hasLeaderResult = true
                    } else {
                        next.waiting[index] = true
                        next.dismiss()
                    }
                })
        case .leadLook:
            if hasLeaderResult {
                result.append(
                    go(index, .leave) { next in
                        next.hasLeaderResult = false
                        let isOver = index == 0 && next.isCancelled && next.inbox[0] == 0
                        next.agents[index].afterLeave = isOver ? .ended : .call
                    })
                return
            }
            // It serves at once, or sleeps on the sockets.
            result.append(go(index, .receive))
            result.append(go(index, .sleepFlag))
            if rules.mayHandOver, duty.isWanted { result.append(go(index, .withdraw) { _ = $0.duty.takeWish() }) }
        case .withdraw:
            result.append(
                go(index, .leadLook) { next in
                    guard next.waiting[index] == true else { return }
                    next.waiting[index] = nil
                    next.agents[index].place = .leave
                    next.agents[index].afterLeave = .followWish
                })
        case .sleepFlag: result.append(go(index, .sleepCheck) { $0.isLeaderAsleep = true })
        case .sleepCheck: result.append(go(index, hasLeaderResult ? .awake : .asleep))
        case .asleep:
            if !kernel.isEmpty || isLeaderSignalled { result.append(go(index, .awake)) }
        default:
            result.append(
                go(index, kernel.isEmpty ? .leadLook : .receive) { next in
                    next.isLeaderAsleep = false
                    next.isLeaderSignalled = false
                })
        }
    }

    private func roleStep(_ index: Int, _ result: inout [DutyWorld]) {
        switch agents[index].place {
        case .pollReceive: result.append(received(index, then: .leave) { $0.agents[index].afterLeave = .call })
        case .driverReceive: result.append(received(index, then: .leave) { $0.agents[index].afterLeave = .loop })
        case .receive: result.append(received(index, then: .leadLook))
        case .feed:
            result.append(
                go(index, .wakes) { next in
                    for thread in next.agents[index].hands {
                        next.inbox[Int(thread)] += 1
                        guard let isLeader = next.waiting[Int(thread)] else { continue }
                        next.waiting[Int(thread)] = nil
                        next.agents[index].wakes.append(Wake(thread: thread, isLeader: isLeader))
                    }
                    next.agents[index].hands = []
                })
        case .wakes:
            guard let wake = agents[index].wakes.first else {
                result.append(go(index, agents[index].afterFeed))
                return
            }
            result.append(
                go(index, .wakes) { next in
                    next.agents[index].wakes.removeFirst()
                    next.deliver(wake)
                })
        case .leave:
            result.append(
                go(index, agents[index].afterLeave) { if $0.duty.leave() { $0.agents[index].place = .recall } })
        default: result.append(go(index, agents[index].afterLeave) { $0.recall() })
        }
    }

    private func received(
        _ index: Int, then place: Place, _ change: (inout DutyWorld) -> Void = { _ in }
    ) -> DutyWorld {
        go(index, kernel.isEmpty ? place : .feed) { next in
            next.agents[index].hands = next.kernel
            next.agents[index].afterFeed = place
            next.kernel = []
            change(&next)
        }
    }

    private func driverStep(_ index: Int, _ result: inout [DutyWorld]) {
        switch agents[index].place {
        case .loop: result.append(go(index, duty.isShift ? .waitingInShift : .waiting))
        case .waiting, .waitingInShift:
            if isKicked { result.append(go(index, .loop) { $0.isKicked = false }) }
            if isDriverInterested, !kernel.isEmpty { result.append(go(index, .driverTake)) }
            // A tick at which the threads still call changes nothing.
            if agents[index].place == .waitingInShift, !isKicked { result.append(go(index, .endShift)) }
        case .endShift:
            result.append(
                go(index, .loop) { next in
                    guard next.duty.endShift() else { return }
                    next.agents[index].place = .recall
                    next.agents[index].afterLeave = .loop
                })
        case .driverTake:
            result.append(
                go(index, .driverDismiss) { if $0.duty.take() { $0.agents[index].place = .driverReceive } })
        default: result.append(go(index, .loop) { $0.dismiss() })
        }
    }

    // Under the node's lock, both.
    private mutating func dismiss() { if duty.dismissDriver() { isDriverInterested = false } }
    private mutating func recall() { if duty.recallDriver() { isDriverInterested = true } }
}
