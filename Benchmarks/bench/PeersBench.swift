// What a peer costs a root that keeps it: memory, and how often the root wakes by itself. Whole nodes in one thread, in virtual
// time. The peers' identities are those of the simulator.

import CProcessCounts
import Foundation
import NetPrimitives
import ZeroTierCrypto
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// A root and peers that have said hello and are silent.
enum PeersBench {
    private static let rootEndpoint = SocketEndpoint(IPAddress(v4: 0x0a4d_0001), port: 9993)

    static func run() throws -> [String: Double] {
        // `Benchmarks/run` starts this program in the root of the repository.
        let text = try String(contentsOfFile: "Simulation/Fixtures/identities.txt", encoding: .utf8)
        let identities = text.split(separator: "\n").compactMap { Identity(text: $0) }
        guard let first = identities.first, let signer = first.secretKeys else {
            throw NodeBench.Failure(description: "no identities in Simulation/Fixtures/identities.txt")
        }
        var world = Meeting(first, signer)
        // The first hundred pay for tables.
        let head = identities.dropFirst().prefix(100)
        for identity in head { world.meet(identity) }
        let (before, known) = (Int(cprocesscounts_allocated_bytes()), world.peers)
        for identity in identities.dropFirst(1 + head.count) { world.meet(identity) }
        let (after, all) = (Int(cprocesscounts_allocated_bytes()), world.peers)
        guard all > known else { throw NodeBench.Failure(description: "the root keeps no peers") }
        let wakes = world.wakes(minutes: 2)
        return [
            "scale.peers": Double(all),
            "scale.peer_bytes": Double(after - before) / Double(all - known),
            "scale.peers_root_wakeups_per_s": wakes / 120,
        ]
    }

    /// The slabs between two nodes.
    private struct Wire: ~Copyable {
        private var batch = ReceiveBatch()
        private var answers = TransmitBatch()
        var out = TransmitBatch()
        private var replies = TransmitBatch()

        /// Gives all that a node has to send to another, or what of it is for an endpoint, and the answers back.
        mutating func pass(
            from: inout Node, at source: SocketEndpoint, to: inout Node, at target: SocketEndpoint, _ now: Now
        ) {
            while true {
                var turn = PumpTurn()
                while let output = from.next(in: &turn, into: &out, now: now) {
                    switch output {
                    case .datagrams:
                        replies.clear()
                        Wire.give(out, from: source, to: &to, at: target, &batch, &replies, now)
                        giveReplies(from: target, to: &from, at: source, now)
                    case .event, .controllerJob: break
                    // The simulator's identities were validated when they were made.
                    case .job(.validate(_, let ticket)):
                        replies.clear()
                        from.complete(ticket, isValid: true, replies: &replies, now: now)
                        giveReplies(from: source, to: &to, at: target, now)
                    }
                }
                if !turn.hasMore { return }
            }
        }

        /// Gives what lies in `replies`.
        private mutating func giveReplies(
            from source: SocketEndpoint, to: inout Node, at target: SocketEndpoint, _ now: Now
        ) {
            answers.clear()
            Wire.give(replies, from: source, to: &to, at: target, &batch, &answers, now)
            replies.clear()
        }

        private static func give(
            _ slab: borrowing TransmitBatch, from source: SocketEndpoint, to: inout Node, at target: SocketEndpoint,
            _ batch: inout ReceiveBatch, _ replies: inout TransmitBatch, _ now: Now
        ) {
            for run in slab.runs.indices where slab.runs[run].path.remote == target {
                slab.withRun(run) { run, bytes in
                    batch.withStorage { $0.copy(from: bytes, sourceOffset: 0, count: bytes.byteCount, at: 0) }
                    batch.setDatagrams(
                        total: bytes.byteCount, segmentSize: run.stride,
                        path: PhysicalPath(localSocket: 0, remote: source))
                }
                to.receive(&batch, replies: &replies, now: now)
            }
        }
    }

    /// The root, and one other node at a time.
    private struct Meeting: ~Copyable {
        private var root: Node
        private let planet: World
        private var now = Now(
            monotonic: MonotonicInstant(nanoseconds: 1_000_000_000), unixMilliseconds: 1_790_000_000_000)
        private var random = RandomSource(seed: 3)
        private var number: UInt32 = 0
        private var wire = Wire()

        init(_ identity: Identity, _ signer: SecretKeys) {
            planet = World(
                kind: .planet, id: 7, timestampMilliseconds: 1, updateKey: signer.publicKeys,
                roots: [World.Root(identity: identity.withoutSecret, endpoints: [rootEndpoint])]
            ).signed(with: signer)
            root = Node(
                identity: identity, configuration: NodeConfiguration(planet: planet), random: random.fork(), now: now)
        }

        var peers: Int { root.peers.snapshots(now: now).count }

        /// A new node says hello to the root, is answered, and is gone.
        mutating func meet(_ identity: Identity) {
            number += 1
            let endpoint = SocketEndpoint(IPAddress(v4: 0x0a50_0000 + number), port: 9993)
            var leaf = Node(
                identity: identity, configuration: NodeConfiguration(planet: planet), random: random.fork(), now: now)
            for _ in 0..<20_000 where !leaf.peers.isOnline {
                // Hellos of strangers are paced.
                now = now.advanced(by: .milliseconds(20))
                leaf.handleDeadlines(now: now)
                wire.pass(from: &leaf, at: endpoint, to: &root, at: rootEndpoint, now)
                root.handleDeadlines(now: now)
                wire.pass(from: &root, at: rootEndpoint, to: &leaf, at: endpoint, now)
            }
        }

        /// How often the root's deadline comes in some minutes in which nobody says anything.
        mutating func wakes(minutes: Int) -> Double {
            let end = now.monotonic + .seconds(60 * minutes)
            var count = 0.0
            while let next = root.nextDeadline(), next < end {
                now = now.advanced(by: max(next - now.monotonic, .zero))
                root.handleDeadlines(now: now)
                var turn = PumpTurn()
                repeat {
                    turn = PumpTurn()
                    while root.next(in: &turn, into: &wire.out, now: now) != nil {}
                } while turn.hasMore
                count += 1
            }
            return count
        }
    }
}
