// poll, select and event descriptors: what sockets are ready for, and waiting for many with one wait.
// Read first: poll(2), select(2).

import NetPrimitives
import NetStack
import Synchronization
import ZeroTier

extension BlockingSocket {
    /// What the socket is ready for, by what was asked; with `willWait` the stack is told to report what is missing.
    func readiness(
        _ state: inout State, _ stack: inout NetworkStack, _ asked: PollEvents, willWait: Bool
    ) -> PollEvents {
        if state.isClosed { return .invalid }
        var ready: PollEvents = []
        if state.pendingError != nil { ready.insert(.error) }
        guard let id = state.id else { return ready.union(isStream ? [.output, .hangUp] : .output) }
        guard let facts = try? stack.readiness(of: id) else { return [.error, .hangUp, .input, .output] }
        if facts.contains(.readable), hasEnough(id, facts, state, &stack, willWait: willWait) { ready.insert(.input) }
        if facts.contains(.writable) { ready.insert(.output) }
        if facts.contains(.error) { ready.insert(.error) }
        if facts.contains(.hangUp) { ready.insert(.hangUp) }
        if willWait, asked.contains(.output) || asked.contains(.outputNormal), !ready.contains(.output) {
            try? stack.requestWritableEvent(id)
        }
        return ready
    }

    // SO_RCVLOWAT: fewer bytes are none, unless no more will come.
    private func hasEnough(
        _ id: SocketID, _ facts: NetStack.Readiness, _ state: borrowing State, _ stack: inout NetworkStack,
        willWait: Bool
    ) -> Bool {
        guard state.lowWater > 1, id.kind == .stream, facts.isDisjoint(with: [.readHangUp, .error]) else { return true }
        if let available = try? stack.receiveAvailable(id), available >= state.lowWater { return true }
        if willWait { try? stack.requestProgressEvent(id) }
        return false
    }

    /// What a socket is ready for whose node is gone.
    func readinessWithoutNode(_ state: borrowing State) -> PollEvents {
        if state.isClosed { return .invalid }
        if state.id != nil { return [.error, .hangUp, .input, .output] }
        return isStream ? [.output, .hangUp] : .output
    }

    /// Makes the event descriptor say what is.
    func refreshEvent(_ state: inout State, _ stack: inout NetworkStack) {
        let wantsOutput = state.wantsOutput || state.wantsConnection
        let ready = readiness(&state, &stack, wantsOutput ? .output : [], willWait: true)
        let isUsed = state.id != nil
        waiters.setEvent(
            ready.contains(.invalid) || ready.contains(.input) || ready.contains(.error)
                || (isUsed && ready.contains(.hangUp)) || (wantsOutput && ready.contains(.output)))
    }

    /// A descriptor of the operating system that is readable while the socket has something to receive, an error, or room
    /// again after a send or connect that would have blocked. Owned by the socket: only to be polled.
    package func eventDescriptor() throws(SocketError) -> Int32 {
        let number: Int32
        do throws(SystemError) {
            number = try waiters.eventDescriptor()
        } catch {
            throw SocketError(.tooManyDescriptors, "\(error)")
        }
        try state.withLock { (state) throws(SocketError) in
            if state.isClosed { throw .closed }
            state.hasEvent = true
        }
        // The look at the socket that every call ends with sets the descriptor; without a node it comes later.
        do throws(SocketError) {
            try control { (state, stack, room, _) throws(SocketError) in
                if !isStream { _ = try datagram(&state, &stack, &room) }
            }
        } catch {
            guard error.number == .networkDown else { throw error }
        }
        return number
    }
}

extension SocketLayer {
    // One descriptor of a poll or select call.
    private struct Asked {
        let socket: BlockingSocket?
        let events: PollEvents
        /// What is told without being asked for.
        var always: PollEvents = [.error, .hangUp, .invalid]
        var ready: PollEvents = []

        // What is given back of what is.
        mutating func answer(_ state: PollEvents) {
            var all = state
            if state.contains(.input) { all.insert(.inputNormal) }
            if state.contains(.output) { all.insert(.outputNormal) }
            ready = all.intersection(events.union(always))
        }
    }

    // MARK: Poll

    /// Waits until at least one entry is ready and gives how many are; 0 when the time is over. A timeout of zero only
    /// looks, nil waits for ever. EINTR after a handler of a signal.
    package func poll(_ entries: inout [PollEntry], timeout: Duration?) throws(SocketError) -> Int {
        var asked = entries.map { entry in
            Asked(socket: find(entry.descriptor), events: entry.events)
        }
        for index in asked.indices where asked[index].socket == nil && entries[index].descriptor >= 0 {
            asked[index].ready = .invalid
        }
        try wait(&asked, timeout)
        var count = 0
        for index in asked.indices {
            entries[index].ready = asked[index].ready
            if !asked[index].ready.isEmpty { count += 1 }
        }
        return count
    }

    // Waits until something is ready or the time is over.
    private func wait(_ asked: inout [Asked], _ timeout: Duration?) throws(SocketError) {
        if CallingThread.isForked { throw .forked }
        let deadline = timeout.map { SystemClock.monotonic() + $0 }
        let mayWait = timeout.map { $0 > .zero } ?? true
        let thread = WaitingThread()
        defer {
            if mayWait { for entry in asked { entry.socket?.waiters.remove(thread) } }
        }
        var isInterrupted = false
        while true {
            if CallingThread.isCancelled { throw .interrupted }
            var isOver = !mayWait || isInterrupted
            if let deadline, deadline <= SystemClock.monotonic() { isOver = true }
            let attached = attachment.now
            look(&asked, attached, isOver ? nil : thread)
            if asked.contains(where: { !$0.ready.isEmpty }) { return }
            // These calls never go on by themselves after a handler, whatever its flags.
            if isInterrupted { throw .interrupted }
            if isOver { return }
            switch attached.current {
            case .restarting: attachment.waitForRestart(thread, until: deadline)
            case .node(let port): isInterrupted = !port.park(thread, until: deadline, restarts: false)
            default: isInterrupted = !thread.parkInterruptibly(until: deadline)
            }
        }
    }

    // Looks at all sockets at one moment. If none is ready, the thread is registered with each before anything can change.
    private func look(_ asked: inout [Asked], _ attached: NodeAttachment.State, _ thread: WaitingThread?) {
        if case .node(let port) = attached.current {
            let isDone: Bool? = port.call { stack, _, _ in
                var isAnyReady = asked.contains { !$0.ready.isEmpty }
                for index in asked.indices {
                    guard let socket = asked[index].socket else { continue }
                    let events = asked[index].events
                    let ready = socket.state.withLock { state -> PollEvents in
                        if state.id != nil, state.epoch != attached.epoch { return socket.readinessWithoutNode(state) }
                        return socket.readiness(&state, &stack, events, willWait: thread != nil)
                    }
                    asked[index].answer(ready)
                    if !asked[index].ready.isEmpty { isAnyReady = true }
                }
                if !isAnyReady, let thread { for entry in asked { entry.socket?.waiters.add(thread) } }
                return true
            }
            if isDone != nil { return }
        }
        // No node: dead sockets are ready for their error. During a restart everything is as it was.
        let now = attachment.now
        for index in asked.indices {
            guard let socket = asked[index].socket else { continue }
            // First the place to wait, then the look: a change in between wakes.
            if let thread { socket.waiters.add(thread) }
            let ready = socket.state.withLock { state -> PollEvents in
                if case .restarting = now.current, state.id != nil { return state.isClosed ? .invalid : [] }
                return socket.readinessWithoutNode(state)
            }
            asked[index].answer(ready)
        }
    }

    // MARK: Select

    /// Waits until at least one descriptor below `count` is ready for what it was named for and gives how many bits remain
    /// set. EINVAL if `count` is not in 0...1024, EBADF if a set names a descriptor that does not exist.
    package func select(
        count: Int, read: inout DescriptorSet, write: inout DescriptorSet, except: inout DescriptorSet,
        timeout: Duration?
    ) throws(SocketError) -> Int {
        guard count >= 0, count <= SocketLimits.selectable else { throw SocketError(.invalid) }
        var asked: [Asked] = []
        var numbers: [Int32] = []
        for number in 0..<Int32(count) where read[number] || write[number] || except[number] {
            guard let socket = find(number) else { throw SocketError(.badDescriptor) }
            var events: PollEvents = []
            if read[number] { events.formUnion([.input, .hangUp, .error]) }
            if write[number] { events.formUnion([.output, .error]) }
            if except[number] { events.insert(.priority) }
            asked.append(Asked(socket: socket, events: events, always: .invalid))
            numbers.append(number)
        }
        try wait(&asked, timeout)
        if asked.contains(where: { $0.ready.contains(.invalid) }) {
            throw SocketError(.badDescriptor, "a descriptor was closed")
        }
        let (wantedRead, wantedWrite) = (read, write)
        read.removeAll()
        write.removeAll()
        except.removeAll()
        var bits = 0
        for (index, number) in numbers.enumerated() {
            let ready = asked[index].ready
            if wantedRead[number], !ready.isDisjoint(with: [.input, .hangUp, .error]) {
                read[number] = true
                bits += 1
            }
            if wantedWrite[number], !ready.isDisjoint(with: [.output, .error]) {
                write[number] = true
                bits += 1
            }
        }
        return bits
    }
}
