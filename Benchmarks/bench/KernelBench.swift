// The kernel's own TCP over loopback, two threads, unencrypted: what the machine can do.

import Foundation

/// One stream of the kernel.
enum KernelBench {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func run(bytes total: Int = 2 << 30) throws -> [String: Double] {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw Failure(description: "no socket") }
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listener, $0, length) == 0 && listen(listener, 1) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        guard bound else { throw Failure(description: "cannot listen on the loopback interface") }
        let target = address
        let sender = Thread {
            let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var target = target
            let chunk = [UInt8](repeating: 0x5a, count: 65_536)
            let connected = unsafe withUnsafePointer(to: &target) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            var sent = 0
            while connected, sent < total {
                let count = unsafe chunk.withUnsafeBytes { unsafe send(connection, $0.baseAddress, $0.count, 0) }
                guard count > 0 else { break }
                sent += count
            }
            close(connection)
        }
        sender.start()
        let connection = accept(listener, nil, nil)
        defer { close(connection) }
        var sink = [UInt8](repeating: 0, count: 65_536)
        var received = 0
        let seconds = Bench.seconds {
            while received < total {
                let count = unsafe sink.withUnsafeMutableBytes { unsafe recv(connection, $0.baseAddress, $0.count, 0) }
                guard count > 0 else { break }
                received += count
            }
        }
        return ["kernel.stream1_mbit": Double(received) * 8 / seconds / 1e6]
    }
}
