// A stream as lines of text.

/// The lines of a connection, without their ends: `StreamSocket.lines`.
public struct StreamLines: AsyncSequence, Sendable {
    /// What it consists of.
    public typealias Element = String

    let socket: StreamSocket
    let longest: Int
    let timeout: Duration?

    /// Takes the lines one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let socket: StreamSocket
        let longest: Int
        let timeout: Duration?
        // Bytes that have come. Those before `start` were given, and those before `searched` hold no end of a line.
        var bytes: [UInt8] = []
        var start = 0
        var searched = 0
        var isEnded = false

        /// The next line; nil at the end of the stream. A last line without an end of line counts too. Throws
        /// `limitReached` for a line that is too long.
        public mutating func next() async throws -> String? {
            while true {
                if let end = bytes[searched...].firstIndex(of: 0x0a) {
                    try check(end - start)
                    let line = bytes[start..<end]
                    start = end + 1
                    searched = start
                    return text(line)
                }
                searched = bytes.count
                try check(bytes.count - start)
                bytes.removeFirst(start)
                searched -= start
                start = 0
                if isEnded { return nil }
                guard let chunk = try await socket.read(timeout: timeout) else {
                    isEnded = true
                    if bytes.isEmpty { return nil }
                    defer {
                        bytes = []
                        searched = 0
                    }
                    return text(bytes[...])
                }
                bytes += chunk
            }
        }

        private func check(_ length: Int) throws(ZeroTierError) {
            guard length > longest else { return }
            throw ZeroTierError(
                .limitReached, "a line of the peer is longer than \(longest) bytes: abort the connection")
        }

        private func text(_ line: ArraySlice<UInt8>) -> String {
            String(decoding: line.last == 0x0d ? line.dropLast() : line, as: UTF8.self)
        }
    }

    /// Iterators share the stream: each takes what it reads.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(socket: socket, longest: longest, timeout: timeout)
    }
}

extension StreamSocket {
    /// The stream as lines of UTF-8. A line ends with a line feed, or with a carriage return and a line feed. Bytes that are
    /// no UTF-8 become U+FFFD. A line of more than `longest` bytes throws `limitReached`. That much is kept in memory, and
    /// one chunk. `timeout` limits each wait.
    public func lines(longest: Int = 65_536, timeout: Duration? = nil) -> StreamLines {
        StreamLines(socket: self, longest: longest, timeout: timeout)
    }
}
