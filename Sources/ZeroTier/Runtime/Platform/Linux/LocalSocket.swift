// A Unix socket on which one line is asked and a text is answered. Read first: unix(7).

import CZeroTierSystem
import Glibc
import Synchronization

/// Answers requests from processes of the same user.
package final class LocalListener: Sendable {
    /// The longest request, in bytes, and the time in which it must have come. A text of rules is the longest one.
    private static let requestLimit = 1 << 20
    private static let patience = Duration.seconds(5)

    private let path: String
    private let descriptor: Descriptor
    private let wake: WakeEvent
    private let isStopping = Mutex(false)
    private let thread = Mutex<Thread?>(nil)

    /// Listens on a path, with mode 0600. A socket file left over there is replaced: the caller holds the directory's lock.
    package init(path: String) throws(ZeroTierError) {
        self.path = path
        do throws(SystemError) {
            // Sound: the path is copied to a C string for the call.
            let result = unsafe csystem_local_listen(path)
            descriptor = Descriptor(owning: try SystemError.check(result, "listen on \(path)"))
            wake = try WakeEvent()
        } catch {
            throw ZeroTierError(.system, "cannot \(error)", systemError: error.number)
        }
    }

    /// Serves on a thread of its own until `stop`.
    package func start(_ answer: @escaping @Sendable (String) async -> String) throws(ZeroTierError) {
        do throws(SystemError) {
            let poller = try Poller()
            try poller.add(descriptor, token: 0, for: .readable)
            try poller.add(wake.descriptor, token: 1, for: .readable)
            let started = try Thread(name: "zt-control") { [self] in
                var ready = Poller.ReadyList()
                while !isStopping.withLock({ $0 }) {
                    poller.wait(&ready)
                    guard (0..<ready.count).contains(where: { ready[$0].token == 0 }) else { continue }
                    let number = csystem_local_accept(descriptor.number)
                    guard number >= 0 else {
                        // Too many descriptors are open, and the asker still waits: later.
                        usleep(50_000)
                        continue
                    }
                    let connection = Descriptor(owning: number)
                    // Asking takes a moment; a second request is not to wait for a slow first one.
                    Task {
                        guard let request = LocalListener.readLine(connection) else { return }
                        LocalListener.send(await answer(request), to: connection)
                    }
                }
            }
            thread.withLock { $0 = started }
        } catch {
            throw ZeroTierError(error)
        }
    }

    /// Stops serving and removes the socket file. Stopping again does nothing.
    package func stop() {
        let isFirst = isStopping.withLock { isStopping in
            defer { isStopping = true }
            return !isStopping
        }
        guard isFirst else { return }
        wake.signal()
        thread.withLock { $0 }?.join()
        _ = unsafe unlink(path)
    }

    /// Asks a listener and returns the whole answer. Throws if nobody listens, and ETIMEDOUT if nothing comes for so long: a
    /// process that hangs still has its socket.
    package static func ask(
        path: String, _ request: String, patience: Duration = .seconds(5)
    ) throws(ZeroTierError) -> String {
        // Sound: as above.
        let result = unsafe csystem_local_connect(path)
        guard result >= 0 else {
            // The queue of those who wait for it is full.
            let number = -result == EAGAIN ? ETIMEDOUT : -result
            throw ZeroTierError(SystemError(number, "connect to \(path)"))
        }
        let connection = Descriptor(owning: result)
        send(request + "\n", to: connection)
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var end = ContinuousClock.now + patience
        while true {
            let left = (end - .now) / .milliseconds(1)
            guard left > 0 else { throw ZeroTierError(SystemError(ETIMEDOUT, "read an answer of \(path)")) }
            if csystem_wait_readable(connection.number, Int32(min(left.rounded(.up), 1e9))) == 0 { continue }
            // Sound: at most as many bytes as the chunk has.
            let count = unsafe read(connection.number, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            answer.append(contentsOf: chunk[..<count])
            end = .now + patience
        }
        guard !answer.isEmpty else { throw ZeroTierError(.failed, "\(path) gave no answer") }
        return String(decoding: answer, as: UTF8.self)
    }

    private static func readLine(_ connection: Descriptor) -> String? {
        var line: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let end = ContinuousClock.now + patience
        while line.count < requestLimit {
            let left = (end - .now) / .milliseconds(1)
            guard left > 0, csystem_wait_readable(connection.number, Int32(left)) == 1 else { return nil }
            let count = unsafe read(connection.number, &chunk, chunk.count)
            guard count > 0 else { return nil }
            let end = chunk[..<count].firstIndex(of: 0x0a)
            line.append(contentsOf: chunk[..<(end ?? count)])
            if end != nil { return String(decoding: line, as: UTF8.self) }
        }
        return nil
    }

    private static func send(_ text: String, to connection: Descriptor) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            // Sound: the rest of the array, from an offset within it.
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe csystem_local_send(
                    connection.number, raw.baseAddress.map { unsafe $0 + offset }, raw.count - offset)
            }
            guard count > 0 else { return }
            offset += count
        }
    }
}
