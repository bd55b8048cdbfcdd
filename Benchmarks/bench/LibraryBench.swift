// The C library's rows: a stream, ping-pong and connections through zts_send and zts_recv, to the same server as the Swift
// interface's rows.

import CZeroTier
import Foundation
import Synchronization
import ZeroTier
import ZeroTierC
import ZeroTierLibrary

/// The process's own node of the C interface as a client.
enum LibraryBench {
    private static func check(_ result: Int32, _ call: String) throws {
        guard result >= 0 else {
            throw NodeBench.Failure(description: "\(call): \(result), errno \(unsafe zts_errno_location().pointee)")
        }
    }

    /// Starts the node with its state in `directory`, where a planet lies, and waits until `network` has an address.
    static func start(directory: String, network: NetworkID) throws {
        LibraryNode.allowsLoopbackPaths = true
        try check(unsafe zts_start(directory, { _ in }, 0), "zts_start")
        try wait("online") { zts_get_node_status() == 2 }
        try check(zts_join(network.value), "zts_join")
        try wait("the network") { zts_get_network_status(network.value) == 38 }
    }

    private static func wait(_ what: String, _ condition: () -> Bool) throws {
        for _ in 0..<2000 {
            if condition() { return }
            Thread.sleep(forTimeInterval: 0.01)
        }
        throw NodeBench.Failure(description: "\(what) does not come")
    }

    static func stop() throws { try check(zts_stop(), "zts_stop") }

    /// A connected stream.
    static func connect(_ address: IPAddress, _ port: UInt16) throws -> Int32 {
        let socket = zts_socket(10, 1, 0)
        try check(socket, "zts_socket")
        var remote = sockaddr_in6()
        remote.sin6_family = sa_family_t(AF_INET6)
        remote.sin6_port = port.bigEndian
        unsafe inet_pton(AF_INET6, address.description, &remote.sin6_addr)
        let result = unsafe withUnsafePointer(to: &remote) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe zts_connect(socket, $0, 28) }
        }
        try check(result, "zts_connect")
        return socket
    }

    /// Megabits per second of one stream, until the sink has seen its end.
    static func stream(_ address: IPAddress, _ port: UInt16, _ seconds: Double) throws -> Double {
        let socket = try connect(address, port)
        let chunk = [UInt8](repeating: 0x5a, count: 131_072)
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        var sent = 0
        while ContinuousClock.now < end {
            let count = unsafe zts_send(socket, chunk, chunk.count, 0)
            try check(Int32(clamping: count), "zts_send")
            sent += Int(count)
        }
        try check(zts_shutdown(socket, 1), "zts_shutdown")
        var byte: UInt8 = 0
        try check(Int32(clamping: unsafe zts_recv(socket, &byte, 1, 0)), "zts_recv")
        let duration = NodeBench.value(ContinuousClock.now - start)
        try check(zts_close(socket), "zts_close")
        return Double(sent) * 8 / duration / 1e6
    }

    /// Some streams at once, a thread each.
    static func streams(
        _ address: IPAddress, _ port: UInt16, _ count: Int, _ seconds: Double
    ) throws -> [String: Double] {
        let outcome = Mutex<(rates: [Double], failure: (any Error)?)>(([], nil))
        let done = DispatchSemaphore(value: 0)
        for _ in 0..<count {
            Thread.detachNewThread {
                let result = Swift.Result { try stream(address, port, seconds) }
                outcome.withLock {
                    switch result {
                    case .success(let rate): $0.rates.append(rate)
                    case .failure(let error): $0.failure = error
                    }
                }
                done.signal()
            }
        }
        for _ in 0..<count { done.wait() }
        return try outcome.withLock {
            if let failure = $0.failure { throw failure }
            let sum = $0.rates.reduce(0, +)
            let result = StreamBench.Outcome(rates: $0.rates, megabits: sum, megabytes: 0)
            return ["library.stream\(count)_mbit": sum, "library.stream\(count)_jain": result.fairness]
        }
    }

    /// Microseconds of every round trip of 64 bytes.
    static func pingPong(_ address: IPAddress, _ port: UInt16, _ seconds: Double) throws -> [Double] {
        let socket = try connect(address, port)
        var on: Int32 = 1
        try check(unsafe zts_setsockopt(socket, 6, 1, &on, 4), "zts_setsockopt")
        let message = [UInt8](repeating: 1, count: 64)
        var buffer = [UInt8](repeating: 0, count: 64)
        var times: [Double] = []
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            let start = ContinuousClock.now
            try check(Int32(clamping: unsafe zts_send(socket, message, 64, 0)), "zts_send")
            var got = 0
            while got < 64 {
                let count = unsafe zts_recv(socket, &buffer, 64 - got, 0)
                guard count > 0 else { throw NodeBench.Failure(description: "the echo ended") }
                got += Int(count)
            }
            times.append(NodeBench.value(ContinuousClock.now - start) * 1e6)
        }
        try check(zts_close(socket), "zts_close")
        return times
    }

    /// Datagrams as fast as `zts_sendto` and `zts_sendmmsg` take them.
    static func datagrams(_ address: IPAddress, _ port: UInt16, _ seconds: Double) throws -> [String: Double] {
        let socket = zts_socket(10, 2, 0)
        try check(socket, "zts_socket")
        var remote = sockaddr_in6()
        remote.sin6_family = sa_family_t(AF_INET6)
        remote.sin6_port = port.bigEndian
        unsafe inet_pton(AF_INET6, address.description, &remote.sin6_addr)
        // SO_RCVTIMEO: seconds and microseconds.
        try check(unsafe zts_setsockopt(socket, 1, 20, [0, 200_000], 16), "zts_setsockopt")
        let answer = {
            var buffer = [UInt8](repeating: 0, count: 64)
            let count = unsafe zts_recv(socket, &buffer, 64, 0)
            return count > 0 ? Array(buffer[..<Int(count)]) : nil
        }
        let single = try DatagramBench.measure("library.udp", 1, seconds) { bytes, _ in
            let count = unsafe withUnsafePointer(to: &remote) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe zts_sendto(socket, bytes, bytes.count, 0, $0, 28)
                }
            }
            try check(Int32(clamping: count), "zts_sendto")
        } answer: {
            answer()
        }
        let many = try DatagramBench.measure("library.batch", DatagramBench.batch, seconds) { bytes, size in
            try sendBatch(socket, bytes, size, &remote)
        } answer: {
            answer()
        }
        try check(zts_close(socket), "zts_close")
        return single.merging(many) { $1 }
    }

    // One message for each `size` bytes.
    private static func sendBatch(
        _ socket: Int32, _ bytes: [UInt8], _ size: Int, _ remote: inout sockaddr_in6
    ) throws {
        let count = bytes.count / size
        // Sound: what is pointed at stays for the call, which only reads it.
        let sent = unsafe withUnsafeMutablePointer(to: &remote) { remote in
            unsafe bytes.withUnsafeBytes { bytes in
                unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: count) { vectors in
                    unsafe withUnsafeTemporaryAllocation(of: zts_mmsghdr.self, capacity: count) { messages in
                        for index in 0..<count {
                            let start = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress! + index * size)
                            unsafe vectors.initializeElement(at: index, to: iovec(iov_base: start, iov_len: size))
                            let header = unsafe msghdr(
                                msg_name: remote, msg_namelen: 28, msg_iov: vectors.baseAddress! + index,
                                msg_iovlen: 1, msg_control: nil, msg_controllen: 0, msg_flags: 0)
                            unsafe messages.initializeElement(
                                at: index, to: zts_mmsghdr(msg_hdr: header, msg_len: 0))
                        }
                        return unsafe zts_sendmmsg(socket, messages.baseAddress, UInt32(count), 0)
                    }
                }
            }
        }
        try check(sent, "zts_sendmmsg")
        guard sent == count else { throw NodeBench.Failure(description: "zts_sendmmsg sent \(sent) of \(count)") }
    }

    /// Connections per second, one after the other, each until the server has closed it.
    static func connects(_ address: IPAddress, _ port: UInt16, _ count: Int) throws -> Double {
        let start = ContinuousClock.now
        for _ in 0..<count {
            let socket = try connect(address, port)
            var byte: UInt8 = 0
            try check(Int32(clamping: unsafe zts_recv(socket, &byte, 1, 0)), "zts_recv")
            try check(zts_close(socket), "zts_close")
        }
        return Double(count) / NodeBench.value(ContinuousClock.now - start)
    }
}
