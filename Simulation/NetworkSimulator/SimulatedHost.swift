//  One computer: a node, its addresses, its clocks, its disk, and what it runs.

package import NetPrimitives
import ZeroTierEthernet
package import ZeroTierNode
import ZeroTierPeers
package import ZeroTierWire

/// How the pings of one node, and its answers, came to another.
package struct Arrivals: Sendable, Hashable {
    /// From the host of the node that made them.
    package internal(set) var direct = 0
    /// From somebody who passed them on.
    package internal(set) var relayed = 0
}

/// A host and its node.
package final class SimulatedHost {
    package let index: Int
    package let identity: Identity
    /// Its addresses. Routes choose the first of a family.
    package internal(set) var interfaces: [SimulatedInterface]
    package let isRoot: Bool
    package let binding: Binding
    /// The ports of its UDP sockets.
    package internal(set) var ports: [UInt16]
    /// Addresses at which something arrived since the node's start, if one socket is bound to all.
    var numberedAddresses: [IPAddress] = []
    var uplink: Link
    var downlink: Link

    package internal(set) var node: Node
    package internal(set) var isRunning = false
    /// How often the node was started.
    package internal(set) var epoch = 0
    /// What its HELLO announces.
    package var protocolVersion: UInt8 = 12
    package internal(set) var networks: [NetworkID] = []
    /// What outlives the node: its state directory.
    var disk: [StateObject: [UInt8]] = [:]
    /// The disk of its controller; nil if it has none.
    var store: SimulatedStore?
    /// When the one thread that signs for the controller is free.
    var signerFreeAt = MonotonicInstant.zero
    /// Changes that administrators wanted, and whether those that came to an end were made.
    var lastAdministration: UInt64 = 0
    var answers: [UInt64: Bool] = [:]
    var random: RandomSource
    /// How much the monotonic clock is ahead of the simulation's.
    let monotonicSkew: Duration
    /// How much the wall clock is wrong.
    let wallSkewMilliseconds: Int64
    /// When the node is to be woken, in the simulation's time.
    var wake: MonotonicInstant?
    /// Wake-ups at one and the same instant, to catch a machine that spins.
    var wakesAtOnce = (at: MonotonicInstant.zero, count: 0)
    /// When the one thread that validates identities is free.
    var workerFreeAt = MonotonicInstant.zero

    package internal(set) var isOnline = false
    /// When the node became online last.
    package internal(set) var onlineSince: MonotonicInstant?
    /// Datagrams sent, and those of the current second.
    package internal(set) var datagramsSent = 0
    /// Bytes of the longest of them; whoever asks sets it to 0 before.
    package var longestDatagram = 0
    var second = (number: UInt64(0), datagrams: 0)
    package internal(set) var busiestSecond = 0
    /// How often a peer became direct or relayed for its node.
    package internal(set) var linkChanges = 0
    /// Pings and answers that came for this node, by who made them: counted where datagrams arrive, not by the node.
    package internal(set) var arrivals: [Address: Arrivals] = [:]
    /// IDs of the packets with the length of a ping that came.
    var packetsSeen: Set<UInt64> = []
    /// By remote endpoint: the addresses of this host to which it sent something.
    var askedAddresses: [SocketEndpoint: Set<IPAddress>] = [:]
    /// Datagrams that gave the present node a frame.
    var frameGivers: Set<TraceDigest> = []
    /// Frames of networks that it had not joined, in its lives before this one.
    var strayFramesBefore = 0

    init(
        index: Int, identity: Identity, interface: SimulatedInterface, isRoot: Bool, binding: Binding,
        ports: [UInt16], link: LinkModel, random: RandomSource
    ) {
        var random = random
        self.index = index
        self.identity = identity
        interfaces = [interface]
        self.isRoot = isRoot
        self.binding = binding
        self.ports = ports
        uplink = Link(link)
        downlink = Link(link)
        monotonicSkew = .nanoseconds(random.next(below: 1_000_000_000_000_000))
        wallSkewMilliseconds = Int64(random.next(below: 20_000)) - 10_000
        node = Node(
            identity: identity, configuration: NodeConfiguration(planet: nil), random: random.fork(),
            now: Now(monotonic: .zero, unixMilliseconds: 0))
        self.random = random
    }

    /// What the host's clocks show.
    func clock(_ time: MonotonicInstant) -> Now {
        Now(
            monotonic: time + monotonicSkew,
            unixMilliseconds: Simulation.epochMilliseconds + Int64(time.nanoseconds / 1_000_000) + wallSkewMilliseconds)
    }

    /// The node's name in messages.
    package var name: String { "\(isRoot ? "root" : "host") \(index) \(identity.address)" }

    package var link: LinkModel {
        get { uplink.model }
        set {
            uplink.model = newValue
            downlink.model = newValue
        }
    }

    /// The longest datagrams that pass the access line, from the host and to it; 0 for no limit.
    package func limitDatagrams(up: Int, down: Int) {
        uplink.model.largestDatagram = up
        downlink.model.largestDatagram = down
    }

    /// Nothing disturbs the access line any more.
    func endFaults() {
        uplink.model = uplink.model.withoutFaults
        downlink.model = downlink.model.withoutFaults
        isCut = false
    }

    /// Whether the access line is cut.
    package var isCut: Bool {
        get { uplink.isCut }
        set {
            uplink.isCut = newValue
            downlink.isCut = newValue
        }
    }

    /// Whether this node sends to another directly now; nil when it does not know it.
    package func isDirect(to other: SimulatedHost, _ time: MonotonicInstant) -> Bool? {
        node.peers.snapshot(of: other.identity.address, now: clock(time))?.isDirect
    }

    /// Frames of networks that the present node has not joined.
    var strayFramesOfNode: Int { Int(node.statistics.ethernetDrops[.networkNotJoined] ?? 0) }

    /// Frames of networks that it had not joined, since the world began.
    package var strayFrames: Int { strayFramesBefore + (isRunning ? strayFramesOfNode : 0) }

    /// Peers that are known and not reached directly.
    func relayedPeerCount(_ time: MonotonicInstant) -> Int {
        node.peers.snapshots(now: clock(time)).count { $0.role == .leaf && !$0.isDirect }
    }

    /// Physical paths of all peers.
    func pathCount(_ time: MonotonicInstant) -> Int {
        node.peers.snapshots(now: clock(time)).reduce(0) { $0 + $1.paths.count }
    }
}
