// Moving bytes over a connection and counting, summing and timing them: for `echo` and `demo`.

import JSONValues
import Synchronization
import ZeroTier

/// The result of a transfer.
struct TransferResult: Sendable {
    var bytes: Int
    var digest: String
    var duration: Duration

    var megabytesPerSecond: Double { Double(bytes) / 1e6 / max(duration.seconds, 1e-9) }
    var megabitsPerSecond: Double { megabytesPerSecond * 8 }

    func report(_ name: String) -> Report {
        Report(
            text: "\(name): \(bytes) bytes in \(rounded(duration.seconds)) s, \(rounded(megabytesPerSecond)) MB/s "
                + "(\(rounded(megabitsPerSecond)) Mbit/s), SHA-256 \(digest)",
            json: .object([
                ("event", .string(name)), ("bytes", .integer(Int64(bytes))), ("seconds", .number(duration.seconds)),
                ("megabitsPerSecond", .number(megabitsPerSecond)), ("sha256", .string(digest)),
            ]))
    }

    private func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}

enum Transfer {
    static let blockSize = 1 << 20
    private static let watchedSize = 1 << 16

    /// Writes so many bytes of a pattern that does not repeat, and ends the writing direction.
    static func send(
        _ count: Int, to socket: StreamSocket, _ progress: Progress? = nil
    ) async throws -> TransferResult {
        var digest = StreamDigest()
        var block = pattern()
        let start = ContinuousClock.now
        var sent = 0
        while sent < count {
            let number = UInt64(sent)
            for index in 0..<8 { block[index] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(index))) }
            let part = count - sent < block.count ? Array(block[..<(count - sent)]) : block
            digest.update(part)
            try await write(part, to: socket, progress)
            sent += part.count
        }
        try socket.closeWrite()
        return TransferResult(bytes: sent, digest: digest.finish(), duration: ContinuousClock.now - start)
    }

    /// Reads to the end of the stream. More than `limit` bytes end the connection.
    static func receive(
        from socket: StreamSocket, limit: Int = .max, _ progress: Progress? = nil
    ) async throws -> TransferResult {
        var digest = StreamDigest()
        var received = 0
        var start: ContinuousClock.Instant?
        while let chunk = try await socket.read(upTo: blockSize) {
            // The time before the first byte is the peer's.
            start = start ?? .now
            progress?.note(received: chunk.count)
            digest.update(chunk)
            received += chunk.count
            if received > limit {
                socket.abort()
                break
            }
        }
        return TransferResult(
            bytes: received, digest: digest.finish(), duration: start.map { ContinuousClock.now - $0 } ?? .zero)
    }

    /// Writes back everything that comes, to the end of the stream.
    static func echo(_ socket: StreamSocket) async throws -> TransferResult {
        var digest = StreamDigest()
        var count = 0
        let start = ContinuousClock.now
        while let chunk = try await socket.read() {
            digest.update(chunk)
            count += chunk.count
            try await socket.write(chunk)
        }
        try socket.closeWrite()
        return TransferResult(bytes: count, digest: digest.finish(), duration: ContinuousClock.now - start)
    }

    /// Receives to the end and answers with the digest's 64 digits.
    static func receiveAndConfirm(_ socket: StreamSocket) async throws -> TransferResult {
        let result = try await receive(from: socket)
        try await socket.write(Array(result.digest.utf8))
        try socket.closeWrite()
        return result
    }

    /// Sends and waits for the digest. The duration ends when the peer has everything. Gives up if nothing moves for
    /// `patience`.
    static func sendAndConfirm(
        _ count: Int, to socket: StreamSocket, patience: Duration
    ) async throws -> TransferResult {
        try await watch(socket, patience) { progress in
            let start = ContinuousClock.now
            // Reads at the same time, so that a peer that sends everything back is noticed at once.
            async let digest = readDigest(socket, progress)
            var result: TransferResult
            do {
                result = try await send(count, to: socket, progress)
            } catch {
                // The answer says more than a failed write does.
                _ = try await digest
                throw error
            }
            let answer = try await digest
            result.duration = ContinuousClock.now - start
            guard answer == result.digest else {
                throw Failure(
                    "transferFailed", "the peer received other bytes: \(answer) instead of \(result.digest)")
            }
            return result
        }
    }

    private static func readDigest(_ socket: StreamSocket, _ progress: Progress) async throws -> String {
        var answer: [UInt8] = []
        while let chunk = try await socket.read() {
            progress.note(received: chunk.count)
            answer += chunk
            if answer.count > 64 { break }
        }
        let digits = Array("0123456789abcdef".utf8)
        guard answer.count == 64, answer.allSatisfy({ digits.contains($0) }) else {
            socket.abort()
            throw Failure("transferFailed", "the peer does not answer with a SHA-256: does it serve with --discard?")
        }
        return String(decoding: answer, as: UTF8.self)
    }

    /// Sends, reads what comes back, and compares. Gives up when nothing has moved for `patience`.
    static func sendAndCompare(
        _ count: Int, over socket: StreamSocket, patience: Duration
    ) async throws -> TransferResult {
        try await watch(socket, patience) { progress in
            let start = ContinuousClock.now
            async let returned = receive(from: socket, limit: count, progress)
            var result: TransferResult
            do {
                result = try await send(count, to: socket, progress)
            } catch {
                guard try await returned.bytes > count else { throw error }
                throw Failure("transferFailed", "the peer sends more than it was sent")
            }
            let echoed = try await returned
            result.duration = ContinuousClock.now - start
            guard echoed.bytes == result.bytes, echoed.digest == result.digest else {
                throw Failure(
                    "transferFailed",
                    "\(echoed.bytes) bytes with SHA-256 \(echoed.digest) came back for \(result.bytes) bytes "
                        + "with \(result.digest)" + (echoed.bytes == 64 ? ": does the peer serve with --discard?" : ""))
            }
            return result
        }
    }

    // In small parts, so that a slow peer shows as progress.
    private static func write(
        _ bytes: [UInt8], to socket: StreamSocket, _ progress: Progress?
    ) async throws {
        guard let progress else { return try await socket.write(bytes) }
        var offset = 0
        while offset < bytes.count {
            let end = min(bytes.count, offset + watchedSize)
            try await socket.write(Array(bytes[offset..<end]))
            progress.note(sent: end - offset)
            offset = end
        }
    }

    // Runs the body. If nothing moves for so long, the connection ends, and the body with it.
    private static func watch(
        _ socket: StreamSocket, _ patience: Duration,
        _ body: @escaping @Sendable (Progress) async throws -> TransferResult
    ) async throws -> TransferResult {
        let progress = Progress()
        let watcher = Task {
            while true {
                let left = patience - progress.idleTime
                if left <= .zero { break }
                try await Task.sleep(for: left)
            }
            progress.giveUp()
            socket.abort()
        }
        defer { watcher.cancel() }
        do {
            return try await body(progress)
        } catch {
            guard let (sent, received) = progress.countsAtEnd else { throw error }
            throw Failure(
                "timedOut",
                "nothing moved for \(patience), after \(sent) bytes sent and \(received) received: does the other side "
                    + "run, and with the same options?")
        }
    }

    private static func pattern() -> [UInt8] {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        var bytes: [UInt8] = []
        bytes.reserveCapacity(blockSize)
        while bytes.count < blockSize {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: state >> shift))
            }
        }
        return bytes
    }
}

/// How far a transfer is, for its watcher.
final class Progress: Sendable {
    private struct State {
        var last = ContinuousClock.now
        var sent = 0
        var received = 0
        var isGivenUp = false
    }

    private let state = Mutex(State())

    var idleTime: Duration { ContinuousClock.now - state.withLock { $0.last } }

    /// How much had moved when the watcher gave up; nil if it did not.
    var countsAtEnd: (sent: Int, received: Int)? {
        state.withLock { $0.isGivenUp ? ($0.sent, $0.received) : nil }
    }

    func note(sent: Int = 0, received: Int = 0) {
        state.withLock { state in
            state.last = .now
            state.sent += sent
            state.received += received
        }
    }

    func giveUp() { state.withLock { $0.isGivenUp = true } }
}
