// The kernel's own TCP over loopback, two threads, unencrypted: what the machine can do, in bulk and in round trips.

import Foundation
import Synchronization

/// One stream of the kernel.
enum KernelBench {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func run(bytes total: Int = 2 << 30, seconds: Double = 1) throws -> [String: Double] {
        let times = try pair(
            client: { connection in
                var times: [Double] = []
                var message = [UInt8](repeating: 1, count: 64)
                let end = ContinuousClock.now + .seconds(seconds)
                while ContinuousClock.now < end {
                    let start = ContinuousClock.now
                    guard write(connection, message, 64), read(connection, &message, 64) else { break }
                    times.append(NodeBench.value(ContinuousClock.now - start) * 1e6)
                }
                return times
            },
            server: { connection in
                var message = [UInt8](repeating: 0, count: 64)
                while read(connection, &message, 64), write(connection, message, 64) {}
            })
        let received = Atomic<Int>(0)
        let duration = Bench.seconds {
            _ = try? pair(
                client: { connection -> Int in
                    let chunk = [UInt8](repeating: 0x5a, count: 65_536)
                    var sent = 0
                    while sent < total, write(connection, chunk, chunk.count) { sent += chunk.count }
                    return sent
                },
                server: { connection in
                    var sink = [UInt8](repeating: 0, count: 65_536)
                    while true {
                        let count = unsafe sink.withUnsafeMutableBytes {
                            unsafe recv(connection, $0.baseAddress, $0.count, 0)
                        }
                        guard count > 0 else { break }
                        received.add(count, ordering: .relaxed)
                    }
                })
        }
        return [
            "kernel.stream1_mbit": Double(received.load(ordering: .relaxed)) * 8 / duration / 1e6,
            "kernel.pingpong64_p50_us": Bench.quantile(times, 0.5),
            "kernel.pingpong64_p99_us": Bench.quantile(times, 0.99),
        ]
    }

    private static func write(_ connection: Int32, _ bytes: [UInt8], _ count: Int) -> Bool {
        var sent = 0
        while sent < count {
            let number = unsafe bytes.withUnsafeBytes {
                unsafe send(
                    connection, $0.baseAddress.map { unsafe $0 + sent }, count - sent, Int32(MSG_NOSIGNAL))
            }
            guard number > 0 else { return false }
            sent += number
        }
        return true
    }

    private static func read(_ connection: Int32, _ bytes: inout [UInt8], _ count: Int) -> Bool {
        let number = unsafe bytes.withUnsafeMutableBytes {
            unsafe recv(connection, $0.baseAddress, count, Int32(MSG_WAITALL))
        }
        return number == count
    }

    // A connection between two threads; each end is closed when its body returns. The client's result.
    private static func pair<Value: Sendable>(
        client: @escaping @Sendable (Int32) -> Value, server: @escaping @Sendable (Int32) -> Void
    ) throws -> Value {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw Failure(description: "no socket") }
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let isReady = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listener, $0, length) == 0 && listen(listener, 1) == 0
                    && getsockname(listener, $0, &length) == 0 && connect(connection, $0, length) == 0
            }
        }
        guard isReady else { throw Failure(description: "no connection over the loopback interface") }
        var on: Int32 = 1
        unsafe setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        let other = accept(listener, nil, nil)
        unsafe setsockopt(other, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            server(other)
            close(other)
            done.signal()
        }
        let result = client(connection)
        close(connection)
        done.wait()
        return result
    }
}
