// Who serves the sockets of a node: a state machine of four flags. Threads change it by compare and exchange
// (`SharedDuty`); `ReceiveDutyTests` runs every interleaving of the threads that use it.
// Read first: Docs/architecture.md, "Locks and wake-ups".
//
// The rule that keeps datagrams from waiting for ever: while the driver is dismissed, either a thread has the role, or a
// shift lasts, or a thread is about to recall the driver. `leave` and `endShift` say when the caller is that thread.

/// Who serves the sockets.
struct ReceiveDuty: Equatable, Hashable, Sendable {
    /// The flags in one word.
    private(set) var bits: UInt32

    init(bits: UInt32 = 0) { self.bits = bits }

    /// A thread has the receive role: it receives, or sleeps on the sockets.
    private(set) var isTaken: Bool {
        get { bits & 1 != 0 }
        set { set(1, newValue) }
    }

    /// The driver's poller leaves the sockets alone.
    private(set) var isDriverDismissed: Bool {
        get { bits & 2 != 0 }
        set { set(2, newValue) }
    }

    /// Threads of the application come so often that the driver stays dismissed between them. The driver ends it.
    private(set) var isShift: Bool {
        get { bits & 4 != 0 }
        set { set(4, newValue) }
    }

    /// A thread that is often woken by the one that has the role asks for it.
    private(set) var isWanted: Bool {
        get { bits & 8 != 0 }
        set { set(8, newValue) }
    }

    private mutating func set(_ flag: UInt32, _ isOn: Bool) { bits = isOn ? bits | flag : bits & ~flag }

    // Nobody serves the sockets and nobody will: the driver has to.
    private var isAbandoned: Bool { isDriverDismissed && !isTaken && !isShift }

    /// Takes the role. False if another thread has it.
    mutating func take() -> Bool {
        guard !isTaken else { return false }
        isTaken = true
        return true
    }

    /// Gives the role back. True: the caller must recall the driver.
    mutating func leave() -> Bool {
        isTaken = false
        return isAbandoned
    }

    /// Under the node's lock: the driver is not needed while a thread has the role or a shift lasts. True: the caller takes
    /// the sockets out of the driver's poller before it lets the lock go.
    mutating func dismissDriver() -> Bool {
        guard !isDriverDismissed, isTaken || isShift else { return false }
        isDriverDismissed = true
        return true
    }

    /// Under the node's lock: the driver serves the sockets again, unless somebody does who will recall it. True: the caller
    /// puts the sockets back into the driver's poller before it lets the lock go.
    mutating func recallDriver() -> Bool {
        guard isAbandoned else { return false }
        isDriverDismissed = false
        return true
    }

    /// From here on the driver may stay dismissed while nobody has the role. True: the shift is new, and the driver must be
    /// told to look after it.
    mutating func beginShift() -> Bool {
        guard !isShift else { return false }
        isShift = true
        return true
    }

    /// The shift is over. True: the caller must recall the driver.
    mutating func endShift() -> Bool {
        isShift = false
        return isAbandoned
    }

    /// Asks the thread that has the role to leave it.
    mutating func want() { isWanted = true }

    /// Whether another thread asked for the role since the last call.
    mutating func takeWish() -> Bool {
        defer { isWanted = false }
        return isWanted
    }
}
