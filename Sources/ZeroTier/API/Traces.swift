// Which parts of a node tell what they do.

extension Node {
    /// Parts of a node that can be traced, each by itself. Traces are lines about what happens inside. They help to find
    /// out why something does not work. They go to standard error, or to `Configuration.traceOutput`:
    ///
    ///     2026-11-30T00:12:33.120Z trace paths e579b42b36 peer 166176ae31 is direct at 203.0.113.5/9993
    ///
    /// A node prints at most 200 lines a second and says how many it left out. It never waits for a reader. A part that is
    /// off costs nothing.
    ///
    /// If the program says nothing, the environment variable `ZEROTIER_TRACE` decides, by names as in `init(_:)`. Without the
    /// variable nothing is on. A C library made by `make host_debug` has `basic` on.
    public struct Traces: OptionSet, Hashable, Sendable, CustomStringConvertible {
        /// A bit for each part.
        public let rawValue: UInt16

        /// The parts of these bits.
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// Start and end, roots, collisions, and packets that were dropped before they reached a network, with the reason.
        public static let transport = Traces(rawValue: 1 << 0)
        /// How peers are reached, and this machine's addresses.
        public static let paths = Traces(rawValue: 1 << 1)
        /// Joining, configurations and leaving, and frames and credentials that were dropped, with the reason.
        public static let networks = Traces(rawValue: 1 << 2)
        /// Frames that rules of networks refused.
        public static let rules = Traces(rawValue: 1 << 3)
        /// ARP and IPv6 neighbour discovery: packets, drops, addresses that are ready or another's.
        public static let arp = Traces(rawValue: 1 << 4)
        /// IPv4, IPv6, ICMP and fragments: packets, drops, echo replies.
        public static let ip = Traces(rawValue: 1 << 5)
        /// UDP: datagrams and drops.
        public static let udp = Traces(rawValue: 1 << 6)
        /// TCP: segments, drops, and connections that begin and end.
        public static let tcp = Traces(rawValue: 1 << 7)
        /// Calls that make, bind, connect and close sockets, and how they ended.
        public static let sockets = Traces(rawValue: 1 << 8)
        /// What is written to the storage and removed from it.
        public static let storage = Traces(rawValue: 1 << 9)

        /// Everything outside of the TCP/IP stack. It says little while all goes well.
        public static let basic: Traces = [.transport, .paths, .networks, .rules, .sockets, .storage]
        /// All parts.
        public static let all = Traces(rawValue: (1 << 10) - 1)

        private static let names: [(String, Traces)] = [
            ("transport", .transport), ("paths", .paths), ("networks", .networks), ("rules", .rules), ("arp", .arp),
            ("ip", .ip), ("udp", .udp), ("tcp", .tcp), ("sockets", .sockets), ("storage", .storage),
        ]

        /// The parts named, between commas: `transport`, `paths`, `networks`, `rules`, `arp` (or `ndp`), `ip`, `udp`, `tcp`,
        /// `sockets`, `storage`, or `basic` or `all` for many, or `none`. Nil if a name is none of these.
        public init?(_ names: String) {
            self = []
            for part in names.split(separator: ",") {
                let name = part.lowercased().filter { $0 != " " }
                switch name {
                case "", "none": break
                case "all": formUnion(.all)
                case "basic": formUnion(.basic)
                case "ndp": formUnion(.arp)
                default:
                    guard let known = Traces.names.first(where: { $0.0 == name }) else { return nil }
                    formUnion(known.1)
                }
            }
        }

        /// The names, between commas; `none` for nothing.
        public var description: String {
            let on = Traces.names.filter { contains($0.1) }.map(\.0)
            return on.isEmpty ? "none" : on.joined(separator: ",")
        }

        /// Why `init(_:)` does not take these names.
        package static func whyUnknown(_ names: String) -> String {
            "\"\(names)\" does not name traces: they are \(Traces.all), basic, all and none, between commas"
        }

        /// The environment variable that says what is on.
        static let variable = "ZEROTIER_TRACE"

        /// What is on in this build by default.
        static let ofBuild: Traces = Build.isMadeForDebugging ? .basic : []

        /// What is on if the program says nothing, by the value of the environment variable.
        static func unsaid(environment value: String?) -> (traces: Traces, warning: ZeroTierError?) {
            guard let value else { return (ofBuild, nil) }
            if let traces = Traces(value) { return (traces, nil) }
            return (ofBuild, ZeroTierError(.invalidArgument, "\(variable): \(whyUnknown(value))"))
        }
    }

    /// What is traced at this moment.
    public var traces: Traces { driver.traces.enabled }

    /// Switches traces on and off, at once.
    public func setTraces(_ traces: Traces) throws(ZeroTierError) {
        try driver.call { (core, now) throws(ZeroTierError) in core.setTraces(traces, on: driver.traces, now: now) }
    }
}
