//  Two stacks and a link between them that the input makes bad: loss, repetition, reordering, flipped bits. Whatever the
//  link does, a stream arrives as a prefix of what was sent; and when the link becomes good, all of it arrives.
//
//  operation = u8: low 3 bits choose, 0x08 is the direction, the rest is the operation's own.

import NetPrimitives
import NetStack

/// A TCP connection over a link made of the input.
package func fuzzPair(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var link = FuzzLink(settings: input.uint8())
    var steps = 0
    while !input.isAtEnd, steps < 128 {
        link.step(&input)
        steps += 1
    }
    link.finish()
}

/// What one application sent and got.
private struct StreamLog {
    var socket: SocketID?
    var sent = 0
    var received = 0
    var isWriteShut = false
    var sawEnd = false
    var hasFailed = false

    static func byte(_ offset: Int) -> UInt8 { UInt8(truncatingIfNeeded: offset &* 31 &+ offset >> 8) }
}

/// The two ends and what is between them.
private struct FuzzLink: ~Copyable {
    private static let maximumFlying = 256
    private static let maximumStream = 200_000

    private var near = StackHarness(seed: 1)
    private var far = StackHarness(isPeer: true, seed: 2)
    private var toFar: [SentPacket] = []
    private var toNear: [SentPacket] = []
    private var nearLog = StreamLog()
    private var farLog = StreamLog()
    private var listener: SocketID?
    private var readsPaused = false

    init(settings: UInt8) {
        let isIPv4 = settings & 1 == 0
        let local = SocketEndpoint(isIPv4 ? StackHarness.peer4 : StackHarness.peer6, port: 7)
        var options = ConnectionOptions()
        options.noDelay = settings & 2 != 0
        options.congestionControl = .cubic
        if settings & 4 != 0 { options.receiveBufferMaximum = 4096 }
        if settings & 8 != 0 { options.maximumSegmentSize = 200 }
        listener = try? far.stack.tcpListen(on: local, backlog: 1, connectionOptions: options, now: far.now)
        nearLog.socket = try? near.stack.tcpConnect(to: local, connectionOptions: options, now: near.now)
        precondition(listener != nil && nearLog.socket != nil, "two new stacks can listen and connect")
        settle()
    }

    // MARK: The link

    mutating func step(_ input: inout FuzzInput) {
        let operation = input.uint8()
        let isToFar = operation & 8 == 0
        let count = Int(operation >> 4)
        switch operation & 7 {
        case 0: deliver(isToFar, count + 1)
        case 1:
            deliver(true, count + 1)
            deliver(false, count + 1)
        case 2: _ = take(isToFar, count)
        case 3:
            // Once more, or out of turn.
            guard let packet = take(isToFar, count) else { break }
            give(packet, isToFar)
            if count & 1 == 0 { give(packet, isToFar) }
        case 4:
            guard var packet = take(isToFar, 0) else { break }
            let bit = Int(input.uint16()) % (packet.bytes.count * 8)
            packet.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            give(packet, isToFar)
        case 5:
            pass(
                [.milliseconds(1), .milliseconds(50), .milliseconds(300), .seconds(1), .seconds(5), .seconds(60)][
                    count % 6])
        case 6: write(isToFar, Int(input.uint8()) * 37)
        default: control(count, isToFar)
        }
        settle()
    }

    private mutating func take(_ isToFar: Bool, _ index: Int) -> SentPacket? {
        if isToFar { return toFar.isEmpty ? nil : toFar.remove(at: index % toFar.count) }
        return toNear.isEmpty ? nil : toNear.remove(at: index % toNear.count)
    }

    private mutating func give(_ packet: SentPacket, _ isToFar: Bool) {
        if isToFar {
            far.receive(
                packet.bytes, etherType: packet.etherType, source: StackHarness.mac, destination: packet.destination)
        } else {
            near.receive(packet.bytes, etherType: packet.etherType, destination: packet.destination)
        }
    }

    private mutating func deliver(_ isToFar: Bool, _ count: Int) {
        for _ in 0..<count {
            guard let packet = take(isToFar, 0) else { return }
            give(packet, isToFar)
        }
    }

    private mutating func pass(_ duration: Duration) {
        near.advance(duration)
        far.advance(duration)
    }

    /// Takes what both stacks have to send, and lets the applications read.
    private mutating func settle() {
        near.drain()
        far.drain()
        if farLog.socket == nil, let listener, let accepted = try? far.stack.accept(listener, now: far.now) {
            farLog.socket = accepted
        }
        if !readsPaused {
            FuzzLink.read(&far, &farLog, expected: nearLog.sent)
            FuzzLink.read(&near, &nearLog, expected: farLog.sent)
            near.drain()
            far.drain()
        }
        toFar += near.outbox
        toNear += far.outbox
        near.outbox = []
        far.outbox = []
        if toFar.count > FuzzLink.maximumFlying { toFar.removeFirst(toFar.count - FuzzLink.maximumFlying) }
        if toNear.count > FuzzLink.maximumFlying { toNear.removeFirst(toNear.count - FuzzLink.maximumFlying) }
    }

    // MARK: The applications

    private mutating func write(_ isNear: Bool, _ count: Int) {
        if isNear { FuzzLink.write(&near, &nearLog, count) } else { FuzzLink.write(&far, &farLog, count) }
    }

    private static func write(_ end: inout StackHarness, _ log: inout StreamLog, _ count: Int) {
        guard let socket = log.socket, !log.isWriteShut, log.sent < maximumStream else { return }
        let bytes = (0..<count).map { StreamLog.byte(log.sent + $0) }
        let now = end.now
        do {
            let taken = try bytes.withBytes { (span) throws(StackError) in try end.stack.send(socket, span, now: now) }
            precondition(taken <= count)
            log.sent += taken
        } catch {
            if error != .wouldBlock, error != .inProgress, error != .notConnected { log.hasFailed = true }
        }
    }

    private static func read(_ end: inout StackHarness, _ log: inout StreamLog, expected: Int) {
        guard let socket = log.socket, !log.sawEnd else { return }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let now = end.now
        while true {
            do {
                let count = try buffer.withMutableBytes { (target) throws(StackError) in
                    try end.stack.receive(socket, into: &target, now: now)
                }
                guard count > 0 else {
                    log.sawEnd = true
                    return
                }
                precondition(log.received + count <= expected, "more arrived than was sent")
                for index in 0..<count {
                    precondition(buffer[index] == StreamLog.byte(log.received + index), "another byte than was sent")
                }
                log.received += count
            } catch {
                if error != .wouldBlock, error != .inProgress, error != .notConnected { log.hasFailed = true }
                return
            }
        }
    }

    private mutating func control(_ choice: Int, _ isNear: Bool) {
        switch choice & 3 {
        case 0: readsPaused.toggle()
        case 1:
            let socket = isNear ? nearLog.socket : farLog.socket
            guard let socket else { return }
            if isNear {
                try? near.stack.shutdown(socket, .write, now: near.now)
                nearLog.isWriteShut = true
            } else {
                try? far.stack.shutdown(socket, .write, now: far.now)
                farLog.isWriteShut = true
            }
        case 2: near.stack.setMTU(choice & 4 == 0 ? 1280 : 1500, of: near.interface, now: near.now)
        default: write(isNear, 60_000)
        }
    }

    // MARK: The end

    /// A good link: whoever has no error must have everything.
    mutating func finish() {
        readsPaused = false
        for round in 0..<4000 {
            settle()
            if toFar.isEmpty, toNear.isEmpty {
                if isDone || round > 3900 { break }
                let deadline = min(near.stack.nextDeadline ?? .distantFuture, far.stack.nextDeadline ?? .distantFuture)
                guard deadline < .distantFuture else { break }
                let pause = max(.microseconds(1), deadline - near.now.monotonic)
                // Longer than any retransmission waits: nothing is going to happen.
                if pause > .seconds(300) { break }
                pass(pause)
                continue
            }
            deliver(true, toFar.count)
            deliver(false, toNear.count)
            pass(.milliseconds(1))
        }
        guard !nearLog.hasFailed, !farLog.hasFailed, farLog.socket != nil else { return }
        precondition(farLog.received == nearLog.sent, "the near stream did not arrive whole")
        precondition(nearLog.received == farLog.sent, "the far stream did not arrive whole")
        precondition(!nearLog.isWriteShut || farLog.sawEnd, "the end of the near stream did not arrive")
        precondition(!farLog.isWriteShut || nearLog.sawEnd, "the end of the far stream did not arrive")
    }

    private var isDone: Bool {
        farLog.received == nearLog.sent && nearLog.received == farLog.sent && farLog.sawEnd == nearLog.isWriteShut
            && nearLog.sawEnd == farLog.isWriteShut
    }
}
