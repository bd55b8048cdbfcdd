// Two TCP/IP stacks back to back in one thread: no cipher, no kernel. And two whole nodes back to back: cipher, no kernel.

import NetPrimitives
import NetStack
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// Bulk TCP from one stack to another through memory.
enum StackBench {
    private static let frameBytes = 2800

    static func run() -> [String: Double] {
        var best = Double.infinity
        let total = 512 << 20
        for _ in 0..<3 { best = min(best, transfer(total)) }
        return ["stack.back_to_back_gbit_per_s": Double(total) * 8 / best / 1e9]
    }

    private static func transfer(_ total: Int) -> Double {
        var now = Now(monotonic: MonotonicInstant(nanoseconds: 1_000_000_000), unixMilliseconds: 0)
        var left = NetworkStack(random: RandomSource(seed: 1))
        var right = NetworkStack(random: RandomSource(seed: 2))
        let macs = (MACAddress(0x0200_0000_0001), MACAddress(0x0200_0000_0002))
        let addresses = (IPAddress(v4: 0x0a00_0001), IPAddress(v4: 0x0a00_0002))
        guard
            let leftInterface = left.addInterface(
                mac: macs.0, configuration: InterfaceConfiguration(mtu: frameBytes), now: now),
            let rightInterface = right.addInterface(
                mac: macs.1, configuration: InterfaceConfiguration(mtu: frameBytes), now: now)
        else { return .nan }
        _ = left.addAddress(IPPrefix(addresses.0, length: 24), to: leftInterface, now: now)
        _ = right.addAddress(IPPrefix(addresses.1, length: 24), to: rightInterface, now: now)
        left.setPermanentNeighbour(addresses.1, mac: macs.1, on: leftInterface, now: now)
        right.setPermanentNeighbour(addresses.0, mac: macs.0, on: rightInterface, now: now)
        guard
            let listener = try? right.tcpListen(
                on: SocketEndpoint(.anyIPv4, port: 1), backlog: 1, now: now),
            let client = try? left.tcpConnect(to: SocketEndpoint(addresses.1, port: 1), now: now)
        else { return .nan }
        var slab = [UInt8](repeating: 0, count: frameBytes)
        let chunk = [UInt8](repeating: 0x5a, count: 65_536)
        var sink = [UInt8](repeating: 0, count: 65_536)

        func carry(
            _ from: inout NetworkStack, _ to: inout NetworkStack, _ source: MACAddress, _ interface: InterfaceID
        ) {
            while let burst = from.nextBurst(room: 22, now: now) {
                for segment in 0..<burst.count {
                    let length = slab.withMutableBytes { from.write(burst, segment: segment, into: &$0, at: 0) }
                    slab.withBytes { bytes in
                        to.receive(
                            bytes.extracting(0..<length), etherType: burst.etherType, source: source,
                            destination: burst.destination, on: interface, now: now)
                    }
                }
                to.endBatch(now: now)
            }
        }

        var server: SocketID?
        var sent = 0
        var received = 0
        return Bench.seconds {
            while received < total {
                if server == nil { server = try? right.accept(listener, now: now) }
                if sent < total, let count = try? chunk.withBytes({ try left.send(client, $0, now: now) }) {
                    sent += count
                }
                carry(&left, &right, macs.0, rightInterface)
                if let server {
                    while let count = try? sink.withMutableBytes({ try right.receive(server, into: &$0, now: now) }),
                        count > 0
                    {
                        received += count
                    }
                }
                carry(&right, &left, macs.1, leftInterface)
                now = now.advanced(by: .microseconds(20))
                left.handleDeadlines(now: now)
                right.handleDeadlines(now: now)
            }
        }
    }
}
