// What one encrypted stream could reach on this machine with no TCP at all: copy in, seal in place, segmentation offload;
// receive offload, open in place, copy out. Two threads over loopback, with the product's own port and cipher.

import Foundation
import NetPrimitives
import Synchronization
import ZeroTier
import ZeroTierCrypto

/// The roofline under `ours.stream1`.
enum RooflineBench {
    private static let datagram = 1427
    private static let payload = 1374

    /// What the two threads share.
    private final class Shared: Sendable {
        let received = Atomic<Int>(0)
        let failures = Atomic<Int>(0)
        let isDone = Atomic<Bool>(false)
    }

    static func run(seconds: Double = 2) throws -> [String: Double] {
        var random = RandomSource(seed: 5)
        let (a, b) = (SecretKeys.generate(using: &random), SecretKeys.generate(using: &random))
        guard let key = a.agree(with: b.publicKeys) else { return [:] }
        let loopback = IPAddress(v4: 0x7f00_0001)
        let receiving = try UDPPort(addresses: [loopback], port: 0, mode: .automatic)
        let target = PhysicalPath(localSocket: 0, remote: SocketEndpoint(loopback, port: receiving.port))
        let socket = receiving.sockets[0]
        let shared = Shared()
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            receive(socket, key, shared)
            done.signal()
        }
        try send(target, key, seconds, shared)
        done.wait()
        return [
            "roofline.stream1_mbit": Double(shared.received.load(ordering: .relaxed)) * 8 / seconds / 1e6,
            "roofline.failures": Double(shared.failures.load(ordering: .relaxed)),
        ]
    }

    private static func send(
        _ target: PhysicalPath, _ key: SharedKey, _ seconds: Double, _ shared: Shared
    ) throws {
        var port = try UDPPort(addresses: [IPAddress(v4: 0x7f00_0001)], port: 0, mode: .automatic)
        let cipher = PacketCipher(key)
        var batch = TransmitBatch()
        // As large as a socket's ring, so that the application's copy misses the cache as it does in life.
        let application = [UInt8](repeating: 0x77, count: 4 << 20)
        var offset = 0
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            batch.clear()
            application.withBytes { source in
                for _ in 0..<44 {
                    _ = batch.append(datagram, to: target) { span in
                        span.storeUInt64(UInt64(offset), at: 0)
                        span.storeUInt8(0x18, at: 18)
                        span.copy(from: source, sourceOffset: offset, count: payload, at: 53)
                        cipher.sealGMACSIV(&span, length: datagram)
                    }
                    offset = (offset + payload) % (application.count - payload)
                }
            }
            var cursor = UDPPort.Cursor()
            while case .blocked = port.send(batch, from: &cursor) { sched_yield() }
        }
        shared.isDone.store(true, ordering: .releasing)
    }

    private static func receive(
        _ socket: UDPPort.Socket, _ key: SharedKey, _ shared: Shared
    ) {
        let cipher = PacketCipher(key)
        var receiver = UDPReceiver()
        var application = [UInt8](repeating: 0, count: 4 << 20)
        var offset = 0
        var bytes = 0
        var bad = 0
        while !shared.isDone.load(ordering: .acquiring) {
            var poll = pollfd(fd: socket.descriptor.number, events: Int16(POLLIN), revents: 0)
            guard unsafe Glibc.poll(&poll, 1, 50) > 0 else { continue }
            _ = receiver.receive(from: socket) { batch, _ in
                for index in 0..<batch.datagrams.count {
                    let length = batch.datagrams[index].length
                    guard length == datagram else { continue }
                    batch.withDatagram(index) { span in
                        guard cipher.openGMACSIV(&span, length: length) else {
                            bad += 1
                            return
                        }
                        let bytesIn = span.bytes
                        application.withMutableBytes {
                            $0.copy(from: bytesIn, sourceOffset: 53, count: payload, at: offset)
                        }
                        offset = (offset + payload) % (4 << 20 - payload)
                        if offset > (4 << 20) - 2 * payload { offset = 0 }
                        bytes += payload
                    }
                }
            }
        }
        shared.received.store(bytes, ordering: .relaxed)
        shared.failures.store(bad, ordering: .relaxed)
    }
}
