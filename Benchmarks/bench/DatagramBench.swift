// UDP as fast as a program sends: what leaves, and what arrives at a reader in another process.

import Foundation
import NetPrimitives
import ZeroTier

/// Datagrams from one node to another, by single calls and by calls for many.
enum DatagramBench {
    /// Asks the reader how many datagrams it has got.
    static let question: [UInt8] = [1, 2, 3]
    static let sizes = [64, 1200]
    /// Datagrams of one call for many.
    static let batch = 64

    /// Through the Swift interface, by blocking calls.
    static func run(_ node: Node, _ target: SocketEndpoint, _ seconds: Double) throws -> [String: Double] {
        guard let local = try node.networks().first?.addresses.first?.address else { return [:] }
        let socket = try node.datagramSocket(bind: SocketEndpoint(local, port: 0))
        defer { socket.close() }
        let answer = { try? socket.receiveBlocking(timeout: .milliseconds(200)).bytes }
        let single = try measure("ours.udp", 1, seconds) { bytes, _ in
            try socket.sendBlocking(bytes, to: target)
        } answer: {
            answer()
        }
        let many = try measure("ours.batch", batch, seconds) { bytes, size in
            try bytes.withBytes { try socket.sendBlocking($0, inDatagramsOf: size, to: target) }
        } answer: {
            answer()
        }
        return single.merging(many) { $1 }
    }

    /// Sends datagrams of each size for some seconds, `perCall` at once, then asks how many came. `send` gets their bytes
    /// in one buffer, and the size of each.
    static func measure(
        _ group: String, _ perCall: Int, _ seconds: Double, send: ([UInt8], Int) throws -> Void,
        answer: () throws -> [UInt8]?
    ) throws -> [String: Double] {
        var result: [String: Double] = [:]
        for size in sizes {
            _ = try count(send, answer)
            let bytes = [UInt8](repeating: 0x5a, count: size * perCall)
            var sent = 0
            let start = ContinuousClock.now
            let end = start + .seconds(seconds)
            while ContinuousClock.now < end {
                for _ in 0..<64 / perCall { try send(bytes, size) }
                sent += 64
            }
            let duration = NodeBench.value(ContinuousClock.now - start)
            let received = try count(send, answer)
            result["\(group)\(size)_sent_mbit"] = Double(sent * size) * 8 / duration / 1e6
            result["\(group)\(size)_received_mbit"] = received * Double(size) * 8 / duration / 1e6
            result["\(group)\(size)_loss_percent"] = (1 - received / Double(sent)) * 100
        }
        return result
    }

    // The reader answers once it has read all that came before.
    private static func count(
        _ send: ([UInt8], Int) throws -> Void, _ answer: () throws -> [UInt8]?
    ) throws -> Double {
        for _ in 0..<50 {
            try send(question, question.count)
            guard let bytes = try answer(), bytes.count == 8 else { continue }
            return Double(bytes.reduce(0) { UInt64($0) << 8 | UInt64($1) })
        }
        throw NodeBench.Failure(description: "the reader of datagrams does not answer")
    }

    /// The reader: counts datagrams; a short one asks how many there were.
    static func read(_ socket: DatagramSocket) {
        let room = 2048
        var number: UInt64 = 0
        var buffer = [UInt8](repeating: 0, count: batch * room)
        var places: [DatagramPlace] = []
        while true {
            do {
                try buffer.withMutableBytes { try socket.receiveBlocking(into: &$0, stride: room, &places) }
            } catch {
                return
            }
            for place in places {
                guard place.range.count == question.count else {
                    number += 1
                    continue
                }
                let answer = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
                try? socket.sendBlocking(answer, to: place.source)
                number = 0
            }
        }
    }
}
