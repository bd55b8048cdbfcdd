// Moving bytes over a connection and counting, summing and timing them: for `echo` and `demo`.

import ZeroTier

/// What a transfer came to.
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

    /// Writes so many bytes of a pattern that does not repeat, and ends the writing direction.
    static func send(_ count: Int, to socket: StreamSocket) async throws(ZeroTierError) -> TransferResult {
        var digest = StreamDigest()
        var block = pattern()
        let start = ContinuousClock.now
        var sent = 0
        while sent < count {
            let number = UInt64(sent)
            for index in 0..<8 { block[index] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(index))) }
            let part = count - sent < block.count ? Array(block[..<(count - sent)]) : block
            digest.update(part)
            try await socket.write(part)
            sent += part.count
        }
        try socket.closeWrite()
        return TransferResult(bytes: sent, digest: digest.finish(), duration: ContinuousClock.now - start)
    }

    /// Reads to the end of the stream.
    static func receive(from socket: StreamSocket) async throws(ZeroTierError) -> TransferResult {
        var digest = StreamDigest()
        var received = 0
        var start: ContinuousClock.Instant?
        while let chunk = try await socket.read(upTo: blockSize) {
            // The time before the first byte is the peer's.
            start = start ?? .now
            digest.update(chunk)
            received += chunk.count
        }
        return TransferResult(
            bytes: received, digest: digest.finish(), duration: start.map { ContinuousClock.now - $0 } ?? .zero)
    }

    /// Writes back whatever comes, to the end of the stream.
    static func echo(_ socket: StreamSocket) async throws(ZeroTierError) -> TransferResult {
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
    static func receiveAndConfirm(_ socket: StreamSocket) async throws(ZeroTierError) -> TransferResult {
        let result = try await receive(from: socket)
        try await socket.write(Array(result.digest.utf8))
        try socket.closeWrite()
        return result
    }

    /// Sends and waits for the digest. The duration is that until the peer had everything.
    static func sendAndConfirm(_ count: Int, to socket: StreamSocket) async throws -> TransferResult {
        let start = ContinuousClock.now
        var result = try await send(count, to: socket)
        var answer: [UInt8] = []
        while let chunk = try await socket.read() { answer += chunk }
        result.duration = ContinuousClock.now - start
        let digest = String(decoding: answer, as: UTF8.self)
        guard digest == result.digest else {
            throw TransferError(message: "the peer received other bytes: \(digest) instead of \(result.digest)")
        }
        return result
    }

    /// Sends, reads what comes back, and compares.
    static func sendAndCompare(_ count: Int, over socket: StreamSocket) async throws -> TransferResult {
        let start = ContinuousClock.now
        async let returned = receive(from: socket)
        var result = try await send(count, to: socket)
        let echoed = try await returned
        result.duration = ContinuousClock.now - start
        guard echoed.bytes == result.bytes, echoed.digest == result.digest else {
            throw TransferError(
                message: "\(echoed.bytes) bytes with SHA-256 \(echoed.digest) came back for \(result.bytes) bytes "
                    + "with \(result.digest)")
        }
        return result
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

/// A transfer that did not give what it should have.
struct TransferError: Error, CustomStringConvertible {
    let message: String
    var description: String { message }
}
