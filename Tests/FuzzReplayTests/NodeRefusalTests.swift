//  What the transport and the Ethernet layer refuse changes nothing but counters: over every saved input of the targets "node" and
//  "sealed" and mutations of them.

import NetPrimitives
import Testing
import ZeroTierWire

@testable import FuzzBodies
@testable import ZeroTierEthernet
@testable import ZeroTierNode
@testable import ZeroTierPeers

@Suite struct NodeRefusalTests {
    /// What an authentic packet says whatever else it is: that its sender lives, and where bytes came from. A path that lives again is
    /// told of, and an endpoint that proved nothing is asked.
    private static let life: Set<String> = [
        "signs of life", "replays", "answers", "timers", "wishes", "expected", "numbers",
    ]

    /// Reasons for which a datagram is refused, and the parts of the transport that may be others afterwards.
    private static func allowed(_ reason: PeerDrop) -> Set<String>? {
        switch reason {
        // Not authentic, or not even looked at.
        case .tooShort, .tooLong, .ownSource, .reservedSource, .unknownSuite, .untrustedPath, .clearVerb, .badMAC,
            .badFragment, .duplicateFragment, .relayNotAllowed, .relayHopLimit, .relayBudget, .relayUnknownDestination,
            .agreementLimit, .invalidIdentity:
            []
        // Authentic: it is not taken a second time.
        case .malformed, .badCompression, .notUpstream, .unexpectedReply, .oldProtocol, .identityMismatch: ["replays"]
        // A peer all of whose packets are old is asked how it is.
        case .replayed: ["replays", "control", "expected", "numbers"]
        // Parts that make no packet are used up.
        case .fragmentsTooLong: ["defragmenter", "timers"]
        // Over the quota: who sends too much lives.
        case .helloLimit, .echoLimit, .whoisLimit, .pushLimit, .rendezvousLimit, .userMessageLimit: life
        // The refusal is said.
        case .identityCollision: ["wishes", "numbers"]
        // Who might give way is drawn.
        case .peerTableFull: ["numbers", "answers"]
        case .validationLimit: ["answers"]
        // Of packets that were right, or of others that gave way to this one.
        case .noRoomToWait, .senderUnknown, .fragmentsTimedOut, .fragmentsDisplaced, .unconfirmedEndpoint, .wishesFull,
            .eventOverflow, .noRoomToReply, .controlQueueFull, .destinationUnreachable, .packetTooLong:
            nil
        }
    }

    /// Reasons for which a packet is refused that the transport took, and the parts of the Ethernet layer that may be others.
    private static func allowed(_ reason: EthernetDrop) -> Set<String>? {
        switch reason {
        case .networkNotJoined, .notFromController, .badSignature, .duplicateChunk, .unaskedAnswer, .unexpectedVerb: []
        // Behind the gate: a member that sends is in use, and is told our groups when it is time. Rules may draw.
        case .malformed, .membershipMissing, .ruleInbound, .unreadableHeaders, .forgedLinkAddress, .claimRefused,
            .ownSource, .bridgingNotAllowed, .notForUs:
            ["uses of members", "random"]
        // Pieces that the controller signed and that make no right whole are used up.
        case .badConfiguration, .outdatedConfiguration: ["assembly"]
        // Of the several things in one packet each is judged for itself.
        case .credentialsTooOften, .signatureLimit, .credentialInvalid, .notAuthorised, .likeLimitPerPeer,
            .likeLimitTotal:
            nil
        // Of what leaves, or of others that gave way.
        case .noSuchNetwork, .noConfiguration, .frameTooLong, .notABridge, .ruleOutbound, .redirected,
            .multicastDisabled, .broadcastDisabled, .noBridge, .packetQueueFull, .localQueueFull, .waitingQueueFull,
            .waitingTimedOut, .passedOnTooOften:
            nil
        }
    }

    /// What a frame that was refused may have changed in the transport: its packet was authentic, of a network, and perhaps of a
    /// member. What the gate has to say, and the acknowledgement that an observer gives, leaves by the control queue.
    private static let transportOfFrames = life.union(["control"])

    private struct Before {
        var peers: Fingerprint = [:]
        var ethernet: Fingerprint = [:]
        var peerDrops = DropCounters()
        var ethernetDrops: [EthernetDrop: UInt64] = [:]
    }

    private struct Tally {
        var transport: Set<PeerDrop> = []
        var ethernet: Set<EthernetDrop> = []
        var count = 0
    }

    private static func isPart(_ datagram: [UInt8]) -> Bool {
        guard datagram.count > 18 else { return false }
        return datagram[13] == FragmentHeader.marker || datagram[18] & PacketHeader.fragmentedFlag != 0
    }

    private static func differences(_ old: Fingerprint, _ new: Fingerprint, but allowed: Set<String>) -> [String] {
        new.keys.sorted().filter { old[$0] != new[$0] && !allowed.contains($0) }.map { part in
            let (before, after) = (Array(old[part] ?? ""), Array(new[part] ?? ""))
            let start = zip(before, after).prefix { $0 == $1 }.count
            let context = max(0, start - 60)
            return
                "\(part): …\(String(before[context...].prefix(160))) became …\(String(after[context...].prefix(160)))"
        }
    }

    private func check(_ tally: inout Tally, _ run: (@escaping NodeHarness.Inspection) -> Void) {
        var before = Before()
        var found = tally
        run { node, datagram, isBefore in
            let statistics = node.statistics
            if isBefore {
                let (peers, ethernet) = fingerprint(node)
                before = Before(
                    peers: peers, ethernet: ethernet, peerDrops: statistics.peerDrops,
                    ethernetDrops: statistics.ethernetDrops)
                return
            }
            let transport = PeerDrop.allCases.filter { statistics.peerDrops[$0] != before.peerDrops[$0] }
            let frames = EthernetDrop.allCases.filter {
                statistics.ethernetDrops[$0] ?? 0 != before.ethernetDrops[$0] ?? 0
            }
            // Of several at once all but one are others'.
            guard statistics.peerDrops.total &- before.peerDrops.total + UInt64(frames.count) == 1 else { return }
            var peersMay: Set<String>?
            var ethernetMay: Set<String> = []
            if let reason = transport.first, let may = Self.allowed(reason) {
                peersMay = may
                found.transport.insert(reason)
            } else if let reason = frames.first, let may = Self.allowed(reason) {
                peersMay = Self.transportOfFrames
                ethernetMay = may
                found.ethernet.insert(reason)
            }
            guard var peersMay else { return }
            if Self.isPart(datagram) { peersMay.formUnion(["defragmenter", "timers"]) }
            found.count += 1
            let (peers, ethernet) = fingerprint(node)
            let changes =
                Self.differences(before.peers, peers, but: peersMay)
                + Self.differences(before.ethernet, ethernet, but: ethernetMay)
            if !changes.isEmpty { Issue.record("\(transport) \(frames): \(changes.joined(separator: "\n"))") }
        }
        tally = found
    }

    @Test func `a datagram that a node refuses changes nothing but what is said of its reason`() throws {
        var tally = Tally()
        for (name, mutations) in [("node", 10), ("sealed", 60)] {
            let target = try #require(FuzzTarget.named(name))
            var inputs = FuzzSeed.all.filter { $0.target == name }.map(\.bytes) + ReplayTests.corpus(target)
            var mutator = Mutator(seed: 4, limit: target.maximumLength)
            for _ in 0..<mutations { inputs.append(mutator.next(from: inputs)) }
            for input in inputs {
                check(&tally) { inspect in
                    if name == "node" {
                        _ = fuzzNode(input, inspect: inspect)
                    } else {
                        fuzzSealed(input, inspect: inspect)
                    }
                }
            }
        }
        #expect(tally.count > 200 && tally.transport.count >= 11 && tally.ethernet.count >= 13, "\(tally)")
    }

    @Test func `hosts that answer nothing get bytes, and no more than came from them`() throws {
        let target = try #require(FuzzTarget.named("node"))
        var mutator = Mutator(seed: 5, limit: target.maximumLength)
        let inputs = ReplayTests.corpus(target)
        var total = (bytesOut: 0, bytesIn: 0)
        for input in inputs + (0..<10).map({ _ in mutator.next(from: inputs) }) {
            let (bytesOut, bytesIn) = fuzzNode(input, inspect: nil)
            #expect(bytesOut <= bytesIn)
            total = (total.bytesOut + bytesOut, total.bytesIn + bytesIn)
        }
        #expect(total.bytesOut > 0 && total.bytesIn > 0, "no input speaks for such a host")
    }
}
