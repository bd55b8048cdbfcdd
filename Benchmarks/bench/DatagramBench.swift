// UDP as fast as a program sends: what leaves, and what arrives at a reader in another process.

import Foundation
import ZeroTier

/// Datagrams from one node to another.
enum DatagramBench {
    /// Asks the reader how many datagrams it has got.
    static let question: [UInt8] = [1, 2, 3]
    static let sizes = [64, 1200]

    /// Through the Swift interface, by blocking calls.
    static func run(_ node: Node, _ target: SocketEndpoint, _ seconds: Double) throws -> [String: Double] {
        guard let local = try node.networks().first?.addresses.first?.address else { return [:] }
        let socket = try node.datagramSocket(bind: SocketEndpoint(local, port: 0))
        defer { socket.close() }
        return try measure("ours", seconds) { bytes in
            try socket.sendBlocking(bytes, to: target)
        } answer: {
            try? socket.receiveBlocking(timeout: .milliseconds(200)).bytes
        }
    }

    /// Sends datagrams of each size for some seconds, then asks how many came.
    static func measure(
        _ group: String, _ seconds: Double, send: ([UInt8]) throws -> Void, answer: () throws -> [UInt8]?
    ) throws -> [String: Double] {
        var result: [String: Double] = [:]
        for size in sizes {
            _ = try count(send, answer)
            let bytes = [UInt8](repeating: 0x5a, count: size)
            var sent = 0
            let start = ContinuousClock.now
            let end = start + .seconds(seconds)
            while ContinuousClock.now < end {
                for _ in 0..<64 { try send(bytes) }
                sent += 64
            }
            let duration = NodeBench.value(ContinuousClock.now - start)
            let received = try count(send, answer)
            result["\(group).udp\(size)_sent_mbit"] = Double(sent * size) * 8 / duration / 1e6
            result["\(group).udp\(size)_received_mbit"] = received * Double(size) * 8 / duration / 1e6
            result["\(group).udp\(size)_loss_percent"] = (1 - received / Double(sent)) * 100
        }
        return result
    }

    // The reader answers once it has read all that came before.
    private static func count(_ send: ([UInt8]) throws -> Void, _ answer: () throws -> [UInt8]?) throws -> Double {
        for _ in 0..<50 {
            try send(question)
            guard let bytes = try answer(), bytes.count == 8 else { continue }
            return Double(bytes.reduce(0) { UInt64($0) << 8 | UInt64($1) })
        }
        throw NodeBench.Failure(description: "the reader of datagrams does not answer")
    }
}
