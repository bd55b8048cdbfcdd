// What the owner of a node decides when it is made.

package import NetPrimitives
import NetStack
package import ZeroTierStore

extension Node {
    /// Where a node keeps its identity and what it learned.
    public struct Storage: Sendable {
        enum Kind: Sendable {
            case memory
            case directory(String)
            case store(any StateStore)
        }

        let kind: Kind

        /// In memory: each start makes another node.
        public static let memory = Storage(kind: .memory)
        /// In a directory, made if there is none. One node at a time can use it.
        public static func directory(_ path: String) -> Storage { Storage(kind: .directory(path)) }
        /// In your own store, or in a `MemoryStore` that outlives the node.
        public static func store(_ store: any StateStore) -> Storage { Storage(kind: .store(store)) }
    }

    /// How TCP finds the rate at which it may send.
    @nonexhaustive
    public enum CongestionControl: String, Sendable, Hashable, CaseIterable {
        /// BBR version 3: by a model of the path. The default.
        case bbr
        /// CUBIC (RFC 9438): until something is lost.
        case cubic
        /// Reno (RFC 5681): the oldest, for comparison.
        case reno
    }

    /// What makes a node a root by itself.
    ///
    ///     var configuration = Node.Configuration(storage: .directory("root"))
    ///     configuration.port = 9993
    ///     configuration.root = Node.Root(endpoints: [SocketEndpoint("203.0.113.5/9993")!])
    ///     try await Node.with(configuration) { root in
    ///         let planet = try root.planet()    // for `Configuration.planet` of the nodes that are to use it
    ///     }
    ///
    /// The first start makes a signing key and a planet that names this node alone. They are kept in the storage as
    /// `planet.key`, a secret, and `planet`. Later starts keep that planet and its endpoints. A start with other endpoints
    /// signs a new version; nodes that still reach this root learn it from there. Nothing is signed before the port is bound.
    /// Another planet in the storage is not replaced: the start throws `invalidWorld`.
    ///
    /// For one root of several, sign a `RootSet` with all of them and give it to each as `Configuration.planet`: a node that
    /// its planet names is a root. In C, `zts_util_sign_root_set` and `zts_init_set_roots` do that.
    public struct Root: Hashable, Sendable {
        /// Where nodes reach this root: at most 32. Empty: those of the stored planet, or else the addresses of this machine.
        public var endpoints: [SocketEndpoint]

        /// A root at these endpoints.
        public init(endpoints: [SocketEndpoint] = []) { self.endpoints = endpoints }
    }

    /// Asks a silent TCP peer whether it is still there (RFC 9293 3.8.4). If it answers none of the questions, reads and
    /// writes throw `timedOut`. No questions are needed while bytes wait for an acknowledgement: they are sent again.
    public struct KeepAlive: Hashable, Sendable {
        /// Silence before the first question, at least 1 s.
        public var idle: Duration
        /// Time between questions, at least 1 s.
        public var interval: Duration
        /// After so many questions without an answer the peer counts as gone. 1 to 127.
        public var count: Int

        /// With the defaults a peer that is gone is found within two minutes.
        public init(idle: Duration = .seconds(60), interval: Duration = .seconds(10), count: Int = 6) {
            self.idle = idle
            self.interval = interval
            self.count = count
        }

        func apply(to options: inout ConnectionOptions) {
            options.keepAlive = true
            options.keepAliveIdle = min(max(idle, .seconds(1)), .seconds(32_767))
            options.keepAliveInterval = min(max(interval, .seconds(1)), .seconds(32_767))
            options.keepAliveCount = min(max(count, 1), 127)
        }
    }

    /// The settings of a node. The defaults make an ordinary node with a free port and no memory.
    public struct Configuration: Sendable {
        /// Where state is kept.
        public var storage: Storage
        /// The roots; nil for those stored, or else the standard ones.
        public var planet: RootSet?
        /// Additional roots.
        public var moons: [RootSet] = []
        /// Makes this node a root with a planet of its own, as the command `zerotier root` does; nil for an ordinary node.
        public var root: Root?
        /// Whether this node controls networks of its own: see `Node.controller`.
        public var isController = false
        /// Where the controller keeps its records; nil: in `controller.db` of the storage.
        package var controllerStore: (any ControllerStore)?
        /// From when on nothing leaves, until `Node.fallSilent` says otherwise: the node's identity is another's then.
        package var silence: MonotonicInstant?
        /// The UDP port. 0: that of the last run if it is free, else a random one.
        public var port: UInt16 = 0
        /// The addresses to use; empty for all, those that the machine gets later too. An answer leaves from the address that
        /// was asked.
        public var bindAddresses: [IPAddress] = []
        /// Interfaces not to use, by the beginning of their names (`docker` means `docker0` too). Peers are not told their
        /// addresses, nothing leaves from them, and what arrives there is dropped. That holds for interfaces that come later too.
        /// It has no effect beside `bindAddresses`.
        public var refusedInterfaces: [String] = []
        /// Whether peers on this machine may be reached by its loopback interface. For demonstrations and tests. A planet
        /// or moon switches it on if a root of it has endpoints on that interface only.
        public var allowsLoopbackPaths = false
        /// Bytes a second that this node relays for one source (address and port), and the most at once. A root relays
        /// for everybody, another node for members of its networks. Must be in `relayLimits`.
        public var relayedBytesPerSecond = 16 * 1024 * 1024
        /// Whether everything goes through the roots and nothing directly.
        public var isRelayOnly = false
        /// The protocol version to announce: 12, or 11 to make peers use the older cipher.
        public var protocolVersion = 12
        /// Whether the kernel's segmentation and receive offload are used, if it has them.
        public var usesOffload = true
        /// The congestion control of its TCP connections. A connection can have another.
        public var congestionControl = CongestionControl.bbr
        /// Whether connections that it opens ask for congestion marks in place of losses (ECN, RFC 3168). Off by default,
        /// as on most hosts, because some networks lose packets that ask. Peers that ask get them in any case.
        public var requestsCongestionMarks = false
        /// How long a shutdown waits until closed connections have delivered what was written. Connections that have not
        /// by then are reset. A shutdown does not wait if nothing is left to deliver.
        public var shutdownLinger = Duration.seconds(5)
        /// How its TCP connections notice that a silent peer is gone; nil: they do not. A connection can have its own.
        public var keepAlive: KeepAlive? = KeepAlive()
        /// Events that may wait for one consumer. Beyond that the oldest are dropped.
        public var eventCapacity = 256
        /// Called with each event, in order, on a thread of the node. It must return soon: meanwhile at most 1024 events of peers
        /// and 1024 others wait. Beyond that the oldest are dropped, and `missed` tells how many.
        public var log: (@Sendable (NodeEvent) -> Void)?
        /// What is traced from the start; nil: the environment variable `ZEROTIER_TRACE` decides. See `Node.Traces`.
        public var traces: Traces?
        /// Called with each line of the traces, without a line feed, on a thread of the node or of the program; nil: they go to
        /// standard error. Must return soon.
        public var traceOutput: (@Sendable (String) -> Void)?

        /// The defaults, with this storage.
        public init(storage: Storage = .memory) { self.storage = storage }

        /// What `relayedBytesPerSecond` may be: at least one packet.
        public static let relayLimits = 16 * 1024...16 * 1024 * 1024 * 1024
    }
}

extension Node.Storage: CustomStringConvertible, CustomReflectable {
    /// Where it is, never its contents: a program's own store may not hide its secrets.
    public var description: String {
        switch kind {
        case .memory: "memory"
        case .directory(let path): "directory \(path)"
        case .store(let store): "store of type \(type(of: store))"
        }
    }

    /// The same.
    public var customMirror: Mirror { Mirror(self, children: ["kind": description]) }
}
