// The words of traces, all in one place.

import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers

/// Makes lines of what happened.
enum TraceText {
    /// The whole line.
    static func line(_ line: TraceLine, of node: String, after leftOut: Int) -> String {
        let lost = leftOut > 0 ? "(\(leftOut) lines were left out) " : ""
        return "\(SystemClock.universalTime()) trace \(line.part) \(node) \(lost)\(line.text)"
    }

    /// An event of the node; nil for those that are about a consumer.
    static func line(_ event: NodeEvent) -> TraceLine? {
        let (part, text): (Node.Traces, String) =
            switch event {
            case .rootsAsked(let endpoints): (.transport, "asks the roots at \(list(endpoints))")
            case .online: (.transport, "online")
            case .offline: (.transport, "offline")
            case .identityCollision: (.transport, "the roots know another node with this address")
            case .warning(let error): (.transport, "warning: \(error.message)")
            case .stopped: (.transport, "stopped")
            case .message(let source, let type, let data):
                (.transport, "message of type \(type) from \(source), \(data.count) bytes")
            case .peerDirect(let peer, let endpoint): (.paths, "peer \(peer) is direct at \(endpoint)")
            case .peerRelayed(let peer): (.paths, "peer \(peer) is relayed")
            case .peerUnreachable(let peer): (.paths, "peer \(peer) does not answer")
            case .peerExpired(let peer): (.paths, "peer \(peer) is forgotten")
            case .path(let peer, let endpoint, let change): (.paths, "path of \(peer) at \(endpoint): \(change)")
            case .address(let network, let prefix, let isAdded):
                (.networks, "network \(network) has \(isAdded ? "the" : "no longer the") address \(prefix)")
            case .route(let network, let route, let isAdded):
                (.networks, "network \(network) has \(isAdded ? "the" : "no longer the") route to \(route.target)")
            case .localAddressesChanged(let endpoints): (.paths, "own endpoints: \(list(endpoints))")
            case .networkReady(let network, let addresses):
                (.networks, "network \(network) is ready with \(list(addresses))")
            case .networkChanged(let network): (.networks, "network \(network) has changed")
            case .networkFailed(let network, let error): (.networks, "network \(network) failed: \(error.message)")
            case .networkLeft(let network): (.networks, "network \(network) was left")
            case .addressConflict(let network, let address):
                (.arp, "\(address) on network \(network) is used by another machine too")
            case .memberWaiting(let network, let node): (.networks, "node \(node) waits to be let in on \(network)")
            case .controlledNetworkChanged(let network): (.networks, "the controller changed network \(network)")
            case .networkMemberChanged(let network, let node):
                (.networks, "the controller changed member \(node) of network \(network)")
            case .memberAddressMissing(let network, let node):
                (.networks, "no address is left for member \(node) of network \(network)")
            case .storageFailed(let error): (.storage, error.message)
            case .missed: ([], "")
            }
        return part.isEmpty ? nil : TraceLine(part: part, text: text)
    }

    /// What of the machines' events is no event of the node.
    static func line(_ event: ZeroTierNode.NodeEvent) -> TraceLine? {
        switch event {
        case .addressReady(let network, let address):
            TraceLine(part: .arp, text: "\(address) on network \(network) can be used")
        case .echoReply(let reply):
            TraceLine(part: .ip, text: "echo reply \(reply.sequence) from \(reply.source) after \(reply.roundTrip)")
        case .echoFailed(let address, _, let sequence, let reporter, let error):
            TraceLine(part: .ip, text: "echo request \(sequence) to \(address) failed, says \(reporter): \(error)")
        case .echoTimedOut(let address, _, let sequence):
            TraceLine(part: .ip, text: "echo request \(sequence) to \(address) was not answered")
        default: nil
        }
    }

    /// Something happened to a TCP socket.
    static func connection(
        _ edges: SocketEvents, _ state: StreamInformation, local: SocketEndpoint?, remote: SocketEndpoint?
    ) -> TraceLine {
        var what: [String] = []
        if edges.contains(.connected) { what.append("connected") }
        if edges.contains(.acceptable) { what.append("has a connection to accept") }
        if edges.contains(.error) { what.append("failed") }
        if edges.contains(.closed) { what.append("closed") }
        let way = (local.map { "\($0)" } ?? "-") + (remote.map { " to \($0)" } ?? "")
        let left = state.unacknowledged > 0 ? ", \(state.unacknowledged) bytes not acknowledged" : ""
        let roundTrip = state.roundTripTime.map { ", round trip \($0)" } ?? ""
        return TraceLine(
            part: .tcp, text: "\(way) \(what.joined(separator: ", ")); state \(state.state)\(roundTrip)\(left)")
    }

    /// A socket call of the interface.
    static func call(_ text: String) -> TraceLine { TraceLine(part: .sockets, text: text) }

    /// Lines for what was counted between two looks.
    static func lines(from former: [TraceCount], to latter: [TraceCount]) -> [TraceLine] {
        var lines: [TraceLine] = []
        var last: (part: Node.Traces, group: String)?
        var texts: [String] = []
        func finish() {
            guard let last, !texts.isEmpty else { return }
            let group = last.group.isEmpty ? "" : "\(last.group) "
            lines.append(TraceLine(part: last.part, text: group + texts.joined(separator: ", ")))
            texts = []
        }
        for (before, after) in zip(former, latter) where after.value != before.value {
            if last?.part != after.part || last?.group != after.group { finish() }
            last = (after.part, after.group)
            texts.append("\(after.name) \(after.value &- before.value)")
        }
        finish()
        return lines
    }

    private static func list(_ values: [some CustomStringConvertible]) -> String {
        values.isEmpty ? "none" : values.map(\.description).joined(separator: " ")
    }
}

/// A counter of a node, with the part that it belongs to and its place in a line.
struct TraceCount: Sendable {
    let part: Node.Traces
    let group: String
    let name: String
    let value: UInt64

    /// All counters that traces of these parts look at, always the same ones in the same order.
    static func all(_ statistics: NodeStatistics, of parts: Node.Traces) -> [TraceCount] {
        let stack = statistics.stack
        var counts: [TraceCount] = []
        func add(_ part: Node.Traces, _ group: String, _ name: String, _ value: UInt64) {
            guard parts.contains(part) else { return }
            counts.append(TraceCount(part: part, group: group, name: name, value: value))
        }
        func add(_ part: Node.Traces, _ group: String, _ counters: StackStatistics.ProtocolCounters) {
            add(part, group, "received", counters.received)
            add(part, group, "sent", counters.sent)
            add(part, group, "dropped", counters.dropped)
        }
        for reason in ZeroTierPeers.PeerDrop.allCases {
            add(.transport, "dropped", "\(reason)", statistics.peerDrops[reason])
        }
        add(.transport, "", "packets passed on for others", statistics.relayedPackets)
        add(.transport, "for strangers", "key agreements", statistics.strangers.agreements)
        add(.transport, "for strangers", "validations", statistics.strangers.validations)
        add(.networks, "", "signatures checked", statistics.signatures)
        for reason in EthernetDrop.allCases {
            add(reason.part, "dropped", "\(reason)", statistics.ethernetDrops[reason] ?? 0)
        }
        add(.arp, "ARP", stack.arp)
        add(.arp, "neighbour discovery", stack.nd6)
        add(.ip, "IPv4", stack.ipv4)
        add(.ip, "IPv6", stack.ipv6)
        add(.ip, "ICMP", stack.icmp4)
        add(.ip, "ICMPv6", stack.icmp6)
        add(.ip, "IGMP", stack.igmp)
        add(.ip, "fragments", "put together", stack.reassembled)
        add(.ip, "fragments", "sent", stack.fragmentsSent)
        add(.ip, "", "paths became shorter", stack.pathMTUChanges)
        add(.udp, "", stack.udp)
        add(.tcp, "", stack.tcp)
        add(.tcp, "", "sent again", stack.retransmitted)
        add(.tcp, "", "resets sent", stack.resetsSent)
        for reason in StackDropReason.allCases { add(reason.part, "dropped", "\(reason)", stack.dropped(reason)) }
        return counts
    }
}

extension EthernetDrop {
    // Of the parts, the one in whose traces the reason appears.
    fileprivate var part: Node.Traces {
        switch self {
        case .ruleInbound, .ruleOutbound, .unreadableHeaders, .redirected: .rules
        case .forgedLinkAddress, .claimRefused: .arp
        default: .networks
        }
    }
}

extension StackDropReason {
    // Of the parts, the one in whose traces the reason appears.
    fileprivate var part: Node.Traces {
        switch self {
        case .neighbourDiscovery, .routerMessage, .neighbourUnresolved, .contestedNeighbour, .neighbourTableFull: .arp
        case .backlogFull, .groupTransport, .unacceptableSegment: .tcp
        case .queueFull: .udp
        default: .ip
        }
    }
}
