// What a node, its networks and its peers are at one moment.

import ZeroTierPeers
import ZeroTierWire

/// A node at one moment.
public struct NodeStatus: Hashable, Sendable {
    /// The node's address.
    public var id: NodeID
    /// Whether a root answers.
    public var isOnline: Bool
    /// The UDP port.
    public var port: UInt16
    /// The addresses of this machine that peers are told.
    public var localEndpoints: [SocketEndpoint]
    /// This node's addresses as the roots see them.
    public var surfaceEndpoints: [SocketEndpoint]
    /// The public identity in text form.
    public var publicIdentity: String
    /// Peers held in memory.
    public var peerCount: Int
    /// Why the node is not online, as a sentence; nil if it is.
    public var offlineReason: String?
    /// UDP datagrams given to the kernel.
    public var datagramsSent: UInt64
    /// System calls it took.
    public var sendCalls: UInt64
    /// How often the kernel's send buffer was full, so that datagrams had to wait.
    public var sendsBlocked: UInt64
    /// Datagrams relayed for others.
    public var relayedPackets: UInt64
    /// Whether this node is a root.
    public var isRoot: Bool
    /// Authentic packets that came, by the cipher suite in their header.
    public var packetsBySuite: SuiteCounts
    /// Datagrams, packets and frames that were dropped, by reason. Reasons with a count of 0 are left out.
    public var drops: [DropReason: UInt64]

    /// Packets by cipher suite.
    public struct SuiteCounts: Hashable, Sendable {
        /// Suite 0, authenticated but not encrypted: the first packets of two nodes.
        public var authenticatedOnly: UInt64
        /// Suite 1, Salsa20/12 and Poly1305: with nodes of protocol 11 and older, and before the newer suite is agreed on.
        public var salsa: UInt64
        /// Suite 3, AES-GMAC-SIV: with all others.
        public var gmacSIV: UInt64
    }
}

/// What a peer is to this node.
@nonexhaustive
public enum PeerRole: String, Hashable, Sendable {
    /// An ordinary node.
    case leaf
    /// A root of a moon.
    case moon
    /// A root of the planet.
    case planet
}

/// A peer at one moment.
public struct PeerStatus: Hashable, Sendable {
    /// A way to the peer.
    public struct Path: Hashable, Sendable {
        /// Where the peer's datagrams come from.
        public var endpoint: SocketEndpoint
        /// Whether something came this way lately.
        public var isAlive: Bool
        /// Whether packets go this way now.
        public var isPreferred: Bool
        /// Time since something came; nil for never.
        public var sinceReceive: Duration?
        /// Time since something was sent; nil for never.
        public var sinceSend: Duration?
        /// Round trip time.
        public var latency: Duration?
    }

    /// What went between the peer and this node since it is known, directly or through roots: authentic packets, and their bytes
    /// without the headers of UDP and IP.
    public struct Traffic: Hashable, Sendable {
        /// Packets that came.
        public var packetsReceived: UInt64 = 0
        /// Bytes that came.
        public var bytesReceived: UInt64 = 0
        /// Packets that were sent.
        public var packetsSent: UInt64 = 0
        /// Bytes that were sent.
        public var bytesSent: UInt64 = 0
        /// Packets in its name that were not authentic. They are not among those that came.
        public var packetsRefused: UInt64 = 0
    }

    /// The peer's address.
    public var id: NodeID
    /// What it is to this node.
    public var role: PeerRole
    /// The protocol version it announced; 0 if it never did.
    public var protocolVersion: Int
    /// The release it announced.
    public var version: String?
    /// Round trip time of the preferred path.
    public var latency: Duration?
    /// Whether packets to it go directly, not through a root.
    public var isDirect: Bool
    /// Whether packets reach it: by a path that answers, or through a root if the peer said something lately. Roots are not
    /// reached through roots.
    public var isReachable: Bool = false
    /// Time since anything authentic came from it, directly or through a root; nil for never.
    public var sinceReceive: Duration? = nil
    /// What came and went. It begins anew when a peer that was forgotten comes back.
    public var traffic = Traffic()
    /// Its paths.
    public var paths: [Path]
}

/// A joined network at one moment.
public struct NetworkStatus: Hashable, Sendable {
    /// How far the network has come.
    @nonexhaustive
    public enum State: String, Hashable, Sendable {
        /// Waiting for the controller's answer.
        case requestingConfiguration
        /// Usable.
        case ok
        /// The controller does not admit this node.
        case accessDenied
        /// The controller does not know the network.
        case notFound
        /// The virtual interface could not be made.
        case portError
        /// The controller wants a newer protocol.
        case clientTooOld
        /// The controller wants the user to sign on.
        case authenticationRequired
    }

    /// A route of the network.
    public struct Route: Hashable, Sendable {
        /// Where it leads.
        public var target: IPPrefix
        /// The gateway; nil for a route to the network itself.
        public var via: IPAddress?

        /// A route to a target, by a gateway or on the network itself.
        public init(target: IPPrefix, via: IPAddress? = nil) {
            self.target = target
            self.via = via
        }
    }

    /// Whether frames pass. Addresses are kept while they do not, for sockets that are bound to them.
    public var isUsable: Bool { state == .ok }
    /// The network's ID.
    public var id: NetworkID
    /// The name that its administrator gave it.
    public var name: String
    /// How far it has come.
    public var state: State
    /// This node's Ethernet address on it.
    public var mac: MACAddress
    /// The longest packet.
    public var mtu: Int
    /// This node's addresses on it.
    public var addresses: [IPPrefix]
    /// Its routes.
    public var routes: [Route]
    /// Whether only admitted nodes are members.
    public var isPrivate: Bool
    /// Whether broadcasts reach all members.
    public var isBroadcastEnabled: Bool
    /// Name servers of the network; none unless `NetworkSettings.allowsDNS`.
    public var nameServers: [IPAddress]
    /// The domain that they serve; empty without name servers.
    public var nameDomain: String
    /// Where the user signs on, while the state is `authenticationRequired`: a page to open in a browser. Nil if the controller
    /// names none.
    public var authenticationURL: String?
}

/// The answer to a `ping`.
public struct EchoResult: Hashable, Sendable {
    /// Who answered.
    public var address: IPAddress
    /// Position in the series.
    public var sequence: Int
    /// Time from the request to the answer.
    public var roundTrip: Duration
    /// What is left of the answer's hop limit.
    public var hopLimit: Int
}
