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
        /// What thread 0 waits for may end from outside: its socket is closed, or its node stopped.
        var mayEnd = false
        /// The time of a wait of thread 0 may be over.
        var mayTimeOut = false
        /// A mistake, to see whether it is found: a thread that leaves the role forgets a wake-up that came last.
        var forgetsLastWake = false
    }

    /// Where a thread stands. What follows each step is `advance`.
    enum Place: Hashable {
        case start, beginShift, dismissForShift, kick, pollTake, pollReceive
        case look, leadTake, leadStart, leadCheck, leadDismiss, leadLook, sleepFlag, sleepCheck, asleep, awake, receive
        case leadStop, leadLast
        case feed, wakes, leave, recall
        case followWish, parked
        case ended
        // The driver's thread.
        case loop, waiting, waitingInShift, driverTake, driverReceive, driverDismiss, endShift
    }

    /// One thread.
    struct Agent: Hashable {
        var place: Place
        /// Where it goes on after feeding and after leaving the role.
        var afterFeed = Place.leave
        var afterLeave = Place.look
        var callsLeft: Int8 = 0
        /// Datagrams in its hands, by thread: received, not yet fed.
        var hands: [Int8] = []
        /// Threads whose lists it is about to signal.
        var wakes: [Int8] = []
        /// Whether its list has it.
        var isRegistered = false
        /// Its wake-ups go to the leader's event.
        var isLeading = false
        /// It was woken where it parks.
        var isSignalled = false
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
    var isLeaderWoken = false
    var isLeaderAsleep = false
    var isLeaderSignalled = false
    /// What thread 0 waits for has ended, and the list is about to be signalled.
    var isEnded = false
    var isEndToBeTold = false
    /// The time of thread 0 is over.
    var isTimeOver = false
    /// The last is the driver.
    var agents: [Agent]

    init(_ rules: Rules) {
        let threads = rules.threads
        kernel = []
        coming = [Int8](repeating: Int8(rules.calls), count: threads)
        inbox = [Int8](repeating: 0, count: threads)
        agents = (0..<threads).map { _ in Agent(place: .start, callsLeft: Int8(rules.calls)) }
        agents.append(Agent(place: .loop))
    }

    /// Threads that receive or sleep on the sockets: at most one may.
    var holders: Int {
        agents.count { agent in
            switch agent.place {
            case .pollReceive, .receive, .leadStart, .leadCheck, .leadDismiss, .leadLook, .sleepFlag, .sleepCheck,
                .asleep, .awake, .leadStop, .leadLast, .driverReceive, .feed, .wakes, .leave:
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
        if rules.mayEnd { result += endings() }
        if rules.mayTimeOut, !isTimeOver {
            var next = self
            next.isTimeOver = true
            result.append(next)
        }
        for index in agents.indices { step(index, rules, &result) }
        return result
    }

    // Under the lock what thread 0 waits for ends; after it its list is signalled.
    private func endings() -> [DutyWorld] {
        var next = self
        if !isEnded {
            next.isEnded = true
            next.isEndToBeTold = true
            return [next]
        }
        guard isEndToBeTold else { return [] }
        next.isEndToBeTold = false
        next.signal(0)
        return [next]
    }

    // Wakes a thread that is in its list. The leader's flag is set first and its sleep looked at afterwards; a leader that falls
    // asleep does it the other way round.
    private mutating func signal(_ thread: Int8) {
        let index = Int(thread)
        guard agents[index].isRegistered else { return }
        agents[index].isRegistered = false
        if agents[index].isLeading {
            isLeaderWoken = true
            if isLeaderAsleep { isLeaderSignalled = true }
        } else {
            agents[index].isSignalled = true
        }
    }

    private func isOver(_ index: Int) -> Bool { index == 0 && (isEnded || isTimeOver) }

    private func go(_ index: Int, _ place: Place, _ change: (inout DutyWorld) -> Void = { _ in }) -> DutyWorld {
        var next = self
        next.agents[index].place = place
        change(&next)
        return next
    }

    private func step(_ index: Int, _ rules: Rules, _ result: inout [DutyWorld]) {
        switch agents[index].place {
        case .start, .look, .beginShift, .dismissForShift, .kick, .pollTake, .followWish, .parked:
            callStep(index, rules, &result)
        case .leadTake, .leadStart, .leadCheck, .leadDismiss, .leadLook, .sleepFlag, .sleepCheck, .asleep, .awake,
            .leadStop, .leadLast:
            leadStep(index, rules, &result)
        case .pollReceive, .receive, .driverReceive, .feed, .wakes, .leave, .recall: roleStep(index, &result)
        case .loop, .waiting, .waitingInShift, .driverTake, .driverDismiss, .endShift: driverStep(index, &result)
        case .ended: break
        }
    }

    // A call looks under the lock whether there is something for it, and is in its list before it lets the lock go.
    private func callStep(_ index: Int, _ rules: Rules, _ result: inout [DutyWorld]) {
        switch agents[index].place {
        case .start:
            result.append(go(index, .look))
            if rules.mayBeginShift { result.append(go(index, .beginShift)) }
        case .beginShift:
            result.append(
                go(index, .pollTake) { if $0.duty.beginShift() { $0.agents[index].place = .dismissForShift } })
        case .dismissForShift: result.append(go(index, .kick) { $0.dismiss() })
        case .kick: result.append(go(index, .pollTake) { $0.isKicked = true })
        case .pollTake:
            result.append(go(index, .look) { if $0.duty.take() { $0.agents[index].place = .pollReceive } })
        case .look:
            if inbox[index] > 0 {
                result.append(finished(index))
            } else if isOver(index) {
                result.append(go(index, .ended) { $0.agents[index].isRegistered = false })
            } else {
                result.append(go(index, .leadTake) { $0.agents[index].isRegistered = true })
            }
        case .followWish:
            result.append(go(index, .parked))
            if rules.mayHandOver { result.append(go(index, .parked) { $0.duty.want() }) }
        default:
            if agents[index].isSignalled { result.append(go(index, .look) { $0.agents[index].isSignalled = false }) }
            if index == 0, isTimeOver { result.append(go(index, .look)) }
        }
    }

    private func finished(_ index: Int) -> DutyWorld {
        go(index, agents[index].callsLeft > 1 ? .start : .ended) { next in
            next.agents[index].isRegistered = false
            next.inbox[index] -= 1
            next.agents[index].callsLeft -= 1
        }
    }

    private func leadStep(_ index: Int, _ rules: Rules, _ result: inout [DutyWorld]) {
        switch agents[index].place {
        case .leadTake:
            result.append(go(index, .followWish) { if $0.duty.take() { $0.agents[index].place = .leadStart } })
        case .leadStart: result.append(go(index, .leadCheck) { $0.agents[index].isLeading = true })
        case .leadCheck:
            result.append(
                go(index, .leadDismiss) { next in
                    guard next.agents[index].isSignalled else { return }
                    next.agents[index].isSignalled = false
                    next.stop(index, .look)
                })
        case .leadDismiss: result.append(go(index, .leadLook) { $0.dismiss() })
        case .leadLook:
            if isLeaderWoken || (index == 0 && isTimeOver) {
                result.append(
                    go(index, .leadLook) { next in
                        next.isLeaderWoken = false
                        next.stop(index, .look)
                    })
                return
            }
            // It serves at once, or sleeps on the sockets.
            result.append(go(index, .receive))
            result.append(go(index, .sleepFlag))
            if rules.mayHandOver, duty.isWanted {
                result.append(
                    go(index, .leadLook) { next in
                        _ = next.duty.takeWish()
                        next.stop(index, .followWish)
                    })
            }
        case .sleepFlag: result.append(go(index, .sleepCheck) { $0.isLeaderAsleep = true })
        case .sleepCheck: result.append(go(index, isLeaderWoken ? .awake : .asleep))
        case .asleep:
            if !kernel.isEmpty || isLeaderSignalled || (index == 0 && isTimeOver) { result.append(go(index, .awake)) }
        case .awake:
            result.append(
                go(index, kernel.isEmpty ? .leadLook : .receive) { next in
                    next.isLeaderAsleep = false
                    next.isLeaderSignalled = false
                })
        case .leadStop: result.append(go(index, .leadLast) { $0.agents[index].isLeading = false })
        default:
            result.append(
                go(index, .leave) { next in
                    if next.isLeaderWoken, !rules.forgetsLastWake { next.agents[index].afterLeave = .look }
                    next.isLeaderWoken = false
                })
        }
    }

    private mutating func stop(_ index: Int, _ then: Place) {
        agents[index].place = .leadStop
        agents[index].afterLeave = then
    }

    private func roleStep(_ index: Int, _ result: inout [DutyWorld]) {
        switch agents[index].place {
        case .pollReceive: result.append(received(index, then: .leave) { $0.agents[index].afterLeave = .look })
        case .driverReceive: result.append(received(index, then: .leave) { $0.agents[index].afterLeave = .loop })
        case .receive: result.append(received(index, then: .leadLook))
        case .feed:
            result.append(
                go(index, .wakes) { next in
                    for thread in next.agents[index].hands {
                        next.inbox[Int(thread)] += 1
                        if next.agents[Int(thread)].isRegistered { next.agents[index].wakes.append(thread) }
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
                    next.signal(wake)
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
