// The commands that move bytes.

import ZeroTier

private let chunkSize = 65_536
private let datagramLimit = 65_507

/// Test data: bytes made from a seed, the same as the other host's.
private struct PatternStream {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    /// Overwrites the bytes with the next ones of the stream.
    mutating func fill(_ bytes: inout [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var word = state ^ (state >> 29)
            for index in offset..<min(offset + 8, bytes.count) {
                bytes[index] = UInt8(truncatingIfNeeded: word)
                word >>= 8
            }
            offset += 8
        }
    }

    mutating func next(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        fill(&bytes)
        return bytes
    }
}

/// FNV-1a, 64 bits.
private struct Checksum {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: [UInt8]) {
        var hash = value
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        value = hash
    }
}

/// What a transfer came to.
private struct Transfer {
    var bytes = 0
    var checksum = Checksum()
    var start = ContinuousClock.now

    mutating func add(_ chunk: [UInt8]) {
        checksum.add(chunk)
        bytes += chunk.count
    }

    var words: String {
        let milliseconds = (ContinuousClock.now - start).inMilliseconds
        let rate = milliseconds > 0 ? Double(bytes) * 8 / milliseconds / 1e3 : 0
        return "bytes=\(bytes) checksum=\(checksum.value.hexadecimal) ms=\(milliseconds.short) mbit=\(rate.short)"
    }
}

extension Host {
    func performTraffic(_ command: Command) async throws -> String? {
        switch command.name {
        case "tcp-listen": return "socket=\(keep(try node().listen(on: try command.local())))"
        case "tcp-accept":
            let socket = try await listener(command).accept(timeout: command.timeout)
            try socket.setNoDelay(true)
            return "socket=\(keep(socket))"
        case "tcp-connect": return try await connect(command)
        case "tcp-send": return try await send(command)
        case "tcp-receive": return try await receive(command)
        case "tcp-echo": return try await Host.echo(try stream(command)).words
        case "tcp-echo-serve": return try serveStreams(command)
        case "tcp-exchange": return try await exchange(command)
        case "tcp-ping": return try await pingPong(command)
        case "tcp-connects": return try await connectOften(command)
        case "udp-open": return "socket=\(keep(try node().datagramSocket(bind: try command.local())))"
        case "udp-echo-serve": return try serveDatagrams(command)
        case "udp-exchange": return try await exchangeDatagrams(command)
        case "shutdown":
            if command.count("how", 1) == 1 { try stream(command).closeWrite() } else { try stream(command).abort() }
            return ""
        case "close":
            close(command)
            return ""
        default: throw CommandError(what: "unknown-command")
        }
    }

    // MARK: TCP

    private func connect(_ command: Command) async throws -> String {
        let start = ContinuousClock.now
        let socket = try await node().connect(to: try command.remote(), timeout: command.timeout)
        try socket.setNoDelay(true)
        return "socket=\(keep(socket)) ms=\((ContinuousClock.now - start).inMilliseconds.short)"
    }

    private func send(_ command: Command) async throws -> String {
        let socket = try stream(command)
        let total = command.count("bytes", 0)
        var pattern = PatternStream(seed: command.number("seed", 1))
        var transfer = Transfer()
        while transfer.bytes < total {
            let chunk = pattern.next(min(chunkSize, total - transfer.bytes))
            try await socket.write(chunk)
            transfer.add(chunk)
        }
        if command.count("shutdown", 0) != 0 { try socket.closeWrite() }
        return transfer.words
    }

    // Time counts from the first byte.
    private func receive(_ command: Command) async throws -> String {
        let socket = try stream(command)
        let total = command.count("bytes", 0)
        let timeout = command.timeout
        var transfer = Transfer()
        while total == 0 || transfer.bytes < total {
            let most = total == 0 ? chunkSize : min(chunkSize, total - transfer.bytes)
            let chunk = try await within(timeout) { try await socket.read(upTo: most) ?? [] }
            if chunk.isEmpty { break }
            if transfer.bytes == 0 { transfer.start = .now }
            transfer.add(chunk)
        }
        guard transfer.bytes >= total else { throw CommandError(what: "receive", details: "bytes=\(transfer.bytes)") }
        return transfer.words
    }

    // Everything comes back, to the end of the stream.
    private static func echo(_ socket: StreamSocket) async throws -> Transfer {
        var transfer = Transfer()
        while let chunk = try await socket.read(upTo: chunkSize) {
            transfer.add(chunk)
            try await socket.write(chunk)
        }
        socket.close()
        return transfer
    }

    private func serveStreams(_ command: Command) throws -> String {
        let listener = try node().listen(on: try command.local())
        Task.detached {
            for try await socket in listener {
                try? socket.setNoDelay(true)
                Task.detached {
                    do {
                        _ = try await Host.echo(socket)
                    } catch {
                        writeError("echo: \(error)\n")
                    }
                }
            }
        }
        return "socket=\(keep(listener))"
    }

    // Sends to an echo while it reads, and compares every byte that comes back.
    private func exchange(_ command: Command) async throws -> String {
        let socket = try stream(command)
        let total = command.count("bytes", 0)
        let seed = command.number("seed", 1)
        return try await within(command.timeout) {
            async let sent: Void = Host.sendAll(total, seed, to: socket)
            var expected = PatternStream(seed: seed)
            var transfer = Transfer()
            while transfer.bytes < total {
                let wanted = expected.next(min(chunkSize, total - transfer.bytes))
                guard try await socket.read(exactly: wanted.count) == wanted else {
                    throw CommandError(what: "corrupt", details: "bytes=\(transfer.bytes)")
                }
                transfer.add(wanted)
            }
            try await sent
            return transfer.words
        }
    }

    private static func sendAll(_ total: Int, _ seed: UInt64, to socket: StreamSocket) async throws {
        var pattern = PatternStream(seed: seed)
        var done = 0
        while done < total {
            let chunk = pattern.next(min(chunkSize, total - done))
            try await socket.write(chunk)
            done += chunk.count
        }
    }

    private func pingPong(_ command: Command) async throws -> String {
        let socket = try stream(command)
        var pattern = PatternStream(seed: command.number("seed", 1))
        var samples: [Double] = []
        for _ in 0..<command.count("count", 1000) {
            let out = pattern.next(command.count("size", 64))
            let start = ContinuousClock.now
            try await socket.write(out)
            guard try await socket.read(exactly: out.count) == out else { throw CommandError(what: "corrupt") }
            samples.append((ContinuousClock.now - start).inMilliseconds * 1000)
        }
        guard !samples.isEmpty else { throw CommandError(what: "argument") }
        samples.sort()
        return "count=\(samples.count) " + Host.latency(samples) + " max_us=\(samples[samples.count - 1].short)"
    }

    private static func latency(_ sorted: [Double]) -> String {
        "p50_us=\(sorted[sorted.count / 2].short) p99_us=\(sorted[sorted.count * 99 / 100].short)"
    }

    private func connectOften(_ command: Command) async throws -> String {
        let remote = try command.remote()
        let count = command.count("count", 100)
        let start = ContinuousClock.now
        for index in 0..<count {
            let socket = try await node().connect(to: remote, timeout: command.timeout)
            if command.count("check", 0) != 0 {
                let word = (0..<4).map { UInt8(truncatingIfNeeded: index >> (8 * $0)) }
                try await socket.write(word)
                guard try await socket.read(exactly: 4) == word else { throw CommandError(what: "corrupt") }
            }
            socket.close()
        }
        let milliseconds = (ContinuousClock.now - start).inMilliseconds
        return "count=\(count) ms=\(milliseconds.short) rate=\((Double(count) * 1e3 / milliseconds).short)"
    }

    // MARK: UDP

    private func serveDatagrams(_ command: Command) throws -> String {
        let socket = try node().datagramSocket(bind: try command.local())
        Task.detached {
            for try await datagram in socket {
                // As with any echo over UDP: what cannot be sent is lost.
                try? await socket.send(datagram.bytes, to: datagram.source)
            }
        }
        return "socket=\(keep(socket))"
    }

    private func exchangeDatagrams(_ command: Command) async throws -> String {
        let remote = try command.remote()
        let (count, size) = (command.count("count", 1), command.count("size", 64))
        guard (4...datagramLimit).contains(size), count > 0 else { throw CommandError(what: "argument") }
        let timeout = Duration.milliseconds(command.count("timeout", 1000))
        let local = SocketEndpoint(remote.address.isIPv4 ? .anyIPv4 : .anyIPv6, port: 0)
        let socket = try node().datagramSocket(bind: local)
        defer { socket.close() }
        var pattern = PatternStream(seed: command.number("seed", 1))
        var samples: [Double] = []
        var lost = 0
        for _ in 0..<count {
            let out = pattern.next(size)
            var isBack = false
            for _ in 0..<command.count("tries", 3) where !isBack {
                let start = ContinuousClock.now
                isBack = await Host.askOnce(socket, out, remote, timeout)
                if isBack {
                    samples.append((ContinuousClock.now - start).inMilliseconds * 1000)
                } else {
                    lost += 1
                }
            }
        }
        guard samples.count == count else {
            throw CommandError(what: "udp", details: "good=\(samples.count) lost=\(lost)")
        }
        samples.sort()
        return "good=\(samples.count) lost=\(lost) " + Host.latency(samples)
    }

    // An echo of an earlier attempt may still arrive: reads until the right one, or nothing, comes.
    private static func askOnce(
        _ socket: DatagramSocket, _ bytes: [UInt8], _ remote: SocketEndpoint, _ timeout: Duration
    ) async -> Bool {
        do {
            try await socket.send(bytes, to: remote)
        } catch {
            writeError("send: \(error)\n")
            try? await Task.sleep(for: .milliseconds(100))
        }
        let end = ContinuousClock.now + timeout
        while ContinuousClock.now < end {
            guard let datagram = try? await socket.receive(timeout: end - ContinuousClock.now) else { return false }
            if datagram.bytes == bytes { return true }
        }
        return false
    }
}
