// The sockets of the process, and its clock: all that touches the system.
//
// A datagram to the control port sets the step of a member: 8 bytes network ID, 5 bytes address, 1 byte step, big-endian.

import NetPrimitives
import ZeroTier

/// Puts a member at a step of its network's script.
struct StepOrder {
    let network: UInt64
    let member: UInt64
    let step: UInt8

    fileprivate init?(_ bytes: [UInt8]) {
        guard bytes.count == 14, let step = bytes.last else { return nil }
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        network = number(0..<8)
        member = number(8..<13)
        self.step = step
    }
}

/// The port of the peer and that of the orders.
final class Sockets {
    private var port: UDPPort
    private let control: UDPPort
    private var receiver = UDPReceiver()
    private let poller: Poller
    private var ready = Poller.ReadyList()

    init(addresses: [IPAddress], port: UInt16, control: UInt16) throws {
        self.port = try UDPPort(addresses: addresses, port: port, mode: .plain)
        self.control = try UDPPort(addresses: [IPAddress(v4: 0x7f00_0001)], port: control, mode: .plain)
        poller = try Poller()
        for socket in self.port.sockets + self.control.sockets {
            try poller.add(socket.descriptor, token: 0, for: .readable)
        }
    }

    var now: Now { SystemClock.now() }

    /// Bytes to begin randomness with.
    var seed: [UInt8] { SystemRandom.bytes(32) }

    /// Writes the file `planet`, which is whole as soon as it is there.
    func publish(_ planet: [UInt8], in folder: String) throws {
        try FileSystem.write("\(folder)/planet", planet, mode: 0o644)
    }

    /// Waits for a datagram, up to a moment.
    func wait(until end: MonotonicInstant) {
        let left = end - now.monotonic
        // Rounded up: not to look before it is due.
        let milliseconds = Int32(clamping: max(0, left.milliseconds + 1))
        poller.wait(&ready, milliseconds: milliseconds)
    }

    /// Lends what has come for the peer.
    func receive(_ body: (inout ReceiveBatch) -> Void) {
        for socket in port.sockets {
            while receiver.receive(from: socket, { batch, _ in body(&batch) }) == .full {}
        }
    }

    /// The orders that have come.
    func orders() -> [StepOrder] {
        var result: [StepOrder] = []
        for socket in control.sockets {
            let take = { (batch: inout ReceiveBatch) in
                for index in batch.datagrams.indices {
                    let order = batch.withDatagram(index) { StepOrder($0.bytes.copyBytes()) }
                    if let order { result.append(order) }
                }
            }
            while receiver.receive(from: socket, { batch, _ in take(&batch) }) == .full {}
        }
        return result
    }

    /// Sends a batch; what the kernel does not take at once is lost, as datagrams may be.
    func send(_ batch: borrowing TransmitBatch) {
        var cursor = UDPPort.Cursor()
        _ = port.send(batch, from: &cursor)
    }
}
