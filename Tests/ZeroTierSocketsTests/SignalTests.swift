// Signals, cancellation and forks of the program, and what its blocking calls and the node make of them.
// Read first: signal(7), "Interruption of system calls and library functions by signal handlers".

import Foundation
import NetPrimitives
import Synchronization
import Testing
import ZeroTier
import ZeroTierSockets

/// A thread of the program with a blocking call, for signals to be sent to.
private final class CallingProgram<Value: Sendable>: @unchecked Sendable {
    private let begun = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)
    private var result: Result<Value, any Error>?
    private var thread = pthread_t()
    private let over = Atomic(false)

    /// Whether the call has returned.
    var isOver: Bool { over.load(ordering: .acquiring) }

    init(_ body: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread { [self] in
            // Threads of Dispatch have signals blocked, and those that they make inherit that.
            var all = sigset_t()
            sigfillset(&all)
            pthread_sigmask(SIG_UNBLOCK, &all, nil)
            thread = pthread_self()
            begun.signal()
            result = Result { try body() }
            over.store(true, ordering: .releasing)
            done.signal()
        }
        begun.wait()
    }

    func signal(_ number: Int32) { pthread_kill(thread, number) }

    func value() throws -> Value {
        #expect(done.wait(timeout: .now() + 25) == .success, "the call did not return")
        return try #require(result).get()
    }
}

private let handled = Atomic(0)

// Whether the handler of a signal makes calls go on.
private func install(_ number: Int32, restarts: Bool, _ handler: @escaping @convention(c) (Int32) -> Void) {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = handler
    action.sa_flags = restarts ? SA_RESTART : 0
    sigaction(number, &action, nil)
}

private let counting: @convention(c) (Int32) -> Void = { _ in handled.add(1, ordering: .relaxed) }

@Suite(.serialized) struct SignalTests {
    // Long enough for the thread to be asleep in its call; whether it is does not change what the tests say.
    private func settle() { usleep(50_000) }

    private func signalUntilHandled<Value>(_ program: CallingProgram<Value>, _ number: Int32) throws {
        let before = handled.load(ordering: .relaxed)
        settle()
        // A thread that is gone handles nothing.
        try #require(!program.isOver, "the call has returned")
        program.signal(number)
        try eventually("the handler") { handled.load(ordering: .relaxed) > before }
    }

    @Test func `a handler without SA_RESTART interrupts receive and accept, one with it does not`()
        async throws
    {
        install(SIGUSR1, restarts: false, counting)
        install(SIGUSR2, restarts: true, counting)
        let (layer, node) = try Lab.alone()
        try await blocking {
            defer { node.shutdownBlocking() }
            let (client, server) = try layer.pair()
            let (listening, address) = try layer.listener()
            let datagrams = try layer.udp()
            try layer.bind(datagrams, to: SocketEndpoint(IPAddress("127.0.0.1")!, port: 0))
            let calls: [@Sendable () throws -> Void] = [
                { _ = try layer.receive(client, 1) }, { _ = try layer.accept(listening) },
                { _ = try layer.receive(datagrams, 1) },
            ]
            for call in calls {
                let program = CallingProgram(call)
                try signalUntilHandled(program, SIGUSR1)
                #expect(errno { try program.value() } == .interrupted)
            }
            let receiving = CallingProgram { try layer.receive(client, 1) }
            let accepting = CallingProgram { _ = try layer.accept(listening) }
            for _ in 0..<3 {
                try signalUntilHandled(receiving, SIGUSR2)
                try signalUntilHandled(accepting, SIGUSR2)
            }
            try layer.send(server, [7])
            #expect(try receiving.value() == [7])
            let other = try layer.stream()
            try layer.connect(other, to: address)
            try accepting.value()
        }
    }

    @Test func `a handler without SA_RESTART interrupts a connect, which goes on and is not begun again`() async throws
    {
        install(SIGUSR1, restarts: false, counting)
        let lab = try await Lab()
        try await blocking {
            let client = try lab.first.stream(10)
            // An address that names a node which is nowhere.
            var bytes = lab.secondAddress.bytes
            bytes[15] = 1
            bytes[10] ^= 0x55
            let nobody = SocketEndpoint(try #require(IPAddress(bytes)), port: 80)
            let connecting = CallingProgram { try lab.first.connect(client, to: nobody) }
            try signalUntilHandled(connecting, SIGUSR1)
            #expect(errno { try connecting.value() } == .interrupted)
            // As Linux does: who would wait waits for the same attempt.
            try lab.first.setNonBlocking(client, true)
            #expect(errno { try lab.first.connect(client, to: nobody) } == .already)
            try lab.first.close(client)
        }
        await lab.shutdown()
    }

    @Test func `a call with a time-out and a poll are interrupted by any handler`() async throws {
        install(SIGUSR2, restarts: true, counting)
        let (layer, node) = try Lab.alone()
        try await blocking {
            defer { node.shutdownBlocking() }
            let (client, _) = try layer.pair()
            let polling = CallingProgram {
                var entries = [PollEntry(client, .input)]
                _ = try layer.poll(&entries, timeout: nil)
            }
            try signalUntilHandled(polling, SIGUSR2)
            #expect(errno { try polling.value() } == .interrupted)
            let selecting = CallingProgram {
                var (read, write, except) = (DescriptorSet(), DescriptorSet(), DescriptorSet())
                read[client] = true
                _ = try layer.select(
                    count: Int(client) + 1, read: &read, write: &write, except: &except, timeout: .seconds(20))
            }
            try signalUntilHandled(selecting, SIGUSR2)
            #expect(errno { try selecting.value() } == .interrupted)
            try layer.setOption(client, .receiveTimeout, .duration(.seconds(20)))
            let receiving = CallingProgram { try layer.receive(client, 1) }
            try signalUntilHandled(receiving, SIGUSR2)
            #expect(errno { _ = try receiving.value() } == .interrupted)
        }
    }

    @Test func `a receive of all that is interrupted gives what has come, a send what was taken`() async throws {
        install(SIGUSR1, restarts: false, counting)
        let (layer, node) = try Lab.alone()
        try await blocking {
            defer { node.shutdownBlocking() }
            let (client, server) = try layer.pair()
            try layer.send(server, [1, 2, 3])
            let receiving = CallingProgram { try layer.receive(client, 10, .waitAll) }
            try signalUntilHandled(receiving, SIGUSR1)
            #expect(try receiving.value() == [1, 2, 3])
            let sending = CallingProgram { try layer.send(client, [UInt8](repeating: 1, count: 64 << 20)) }
            try eventually("bytes") { try layer.bytesAvailable(server) > 0 }
            try signalUntilHandled(sending, SIGUSR1)
            let sent = try sending.value()
            #expect(sent > 0 && sent < 64 << 20)
            #expect(try layer.receive(server, 1) == [1])
        }
    }

    @Test func `a slow handler in a thread that waits keeps nobody else waiting`() async throws {
        install(SIGUSR1, restarts: true) { _ in
            handled.add(1, ordering: .relaxed)
            while handled.load(ordering: .relaxed) < 1_000_000 { usleep(1_000) }
        }
        let lab = try await Lab()
        try await blocking {
            let (listening, address) = try lab.second.listener(lab.secondAddress)
            let client = try lab.first.stream(10)
            try lab.first.connect(client, to: address, retryingFor: .seconds(20))
            let (server, _) = try lab.second.accept(listening)
            let idle = try lab.first.udp(10)
            handled.store(0, ordering: .relaxed)
            let waiting = CallingProgram { _ = try lab.first.receive(idle, 1) }
            try signalUntilHandled(waiting, SIGUSR1)
            for byte in 0..<20 as Range<UInt8> {
                let receiving = Background { try lab.first.receive(client, 1) }
                try lab.second.send(server, [byte])
                #expect(try receiving.value() == [byte])
            }
            handled.store(1_000_000, ordering: .relaxed)
            try lab.first.close(idle)
            #expect(errno { try waiting.value() } == .badDescriptor)
        }
        await lab.shutdown()
    }

    @Test func `threads of a node block signals, those of the program do not`() async throws {
        let (_, node) = try Lab.alone()
        defer { node.shutdownBlocking() }
        var masks: [String: UInt64] = [:]
        // A thread that begins has everything blocked for a moment.
        let faults = [SIGSEGV, SIGBUS, SIGILL, SIGFPE].reduce(0 as UInt64) { $0 | 1 << UInt64($1 - 1) }
        try eventually("threads of the node") {
            masks = try nodeThreads()
            return masks.count >= 2 && masks.values.allSatisfy { $0 & faults == 0 }
        }
        for (name, mask) in masks {
            for number in [SIGINT, SIGTERM, SIGUSR1, SIGALRM, SIGCHLD, SIGPROF] {
                #expect(mask >> UInt64(number - 1) & 1 == 1, "\(name) \(number)")
            }
        }
    }

    // The signals that each thread of a node has blocked.
    private func nodeThreads() throws -> [String: UInt64] {
        var masks: [String: UInt64] = [:]
        for task in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task") {
            guard let name = try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8),
                name.hasPrefix("zt-"),
                let status = try? String(contentsOfFile: "/proc/self/task/\(task)/status", encoding: .utf8),
                let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigBlk:") }),
                let mask = UInt64(line.split(separator: "\t")[1], radix: 16)
            else { continue }
            masks["\(name) \(task)"] = mask
        }
        return masks
    }

    @Test func `a thread that is cancelled while it waits is gone, and the node goes on`() async throws {
        let lab = try await Lab()
        try await blocking {
            let idle = try lab.first.udp(10)
            var thread = pthread_t()
            let context = Unmanaged.passRetained(Waiting(layer: lab.first, descriptor: idle))
            pthread_create(
                &thread, nil,
                { context in
                    let waiting = Unmanaged<Waiting>.fromOpaque(context!).takeUnretainedValue()
                    do {
                        _ = try CallingThread.run { try waiting.layer.receive(waiting.descriptor, 1) }
                        Issue.record("it returned")
                    } catch {
                        Issue.record(error)
                    }
                    return nil
                }, context.toOpaque())
            usleep(50_000)
            pthread_cancel(thread)
            var result: UnsafeMutableRawPointer?
            #expect(pthread_join(thread, &result) == 0)
            context.release()
            #expect(result == UnsafeMutableRawPointer(bitPattern: -1), "PTHREAD_CANCELED")
            let (listening, address) = try lab.second.listener(lab.secondAddress)
            let client = try lab.first.stream(10)
            try lab.first.connect(client, to: address, retryingFor: .seconds(20))
            let (server, _) = try lab.second.accept(listening)
            try lab.second.send(server, [9])
            #expect(try lab.first.receive(client, 1) == [9])
            try lab.first.close(idle)
        }
        await lab.shutdown()
    }

    private final class Waiting: Sendable {
        let layer: SocketLayer
        let descriptor: Int32
        init(layer: SocketLayer, descriptor: Int32) {
            self.layer = layer
            self.descriptor = descriptor
        }
    }

    @Test func `a fork has no node and is told so, and the parent has it still`() async throws {
        let (layer, node) = try Lab.alone()
        try await blocking {
            defer { node.shutdownBlocking() }
            let (client, server) = try layer.pair()
            // Swift's module leaves `fork` out.
            let fork = unsafeBitCast(dlsym(nil, "fork"), to: (@convention(c) () -> pid_t).self)
            let child = fork()
            if child == 0 {
                let isTold =
                    errno { _ = try layer.receive(client, 1) } == .networkDown
                    && (try? node.status()) == nil && CallingThread.isForked
                _exit(isTold ? 0 : 1)
            }
            var status: Int32 = -1
            #expect(waitpid(child, &status, 0) == child)
            #expect(status == 0)
            try layer.send(server, [1])
            #expect(try layer.receive(client, 1) == [1])
            #expect(!CallingThread.isForked)
        }
    }
}
