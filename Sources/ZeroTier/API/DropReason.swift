// Why datagrams, packets and frames were not passed on, in words.

/// Why something was not passed on: the layer that dropped it, and its reason. `NodeStatus.drops` counts them. A few drops are
/// ordinary on any network. Many of one kind say where to look, and `explanation` says what to look for.
@nonexhaustive
public enum DropReason: Hashable, Sendable {
    /// In the transport between nodes.
    case peers(Peers)
    /// In the virtual networks: membership, rules, credentials.
    case ethernet(Ethernet)
    /// In the controller of this node's own networks.
    case controller(Controller)
    /// In the TCP/IP stack of this node.
    case stack(Stack)
    /// Between this node and the operating system's UDP sockets.
    case kernel(Kernel)

    /// What it means, and what the node's owner can do, if anything.
    public var explanation: String {
        switch self {
        case .peers(let reason): reason.explanation
        case .ethernet(let reason): reason.explanation
        case .controller(let reason): reason.explanation
        case .stack(let reason): reason.explanation
        case .kernel(let reason): reason.explanation
        }
    }

    /// Reasons of the operating system's UDP sockets.
    @nonexhaustive
    public enum Kernel: String, Hashable, Sendable, CaseIterable {
        case sendRefused, sendBufferFull, receiveTruncated, interfaceNotUsed

        var explanation: String {
            switch self {
            case .sendRefused: "The system refused to send: no route, a firewall, or an address that is gone."
            case .sendBufferFull: "The system's send buffer was full. Only answers to control packets are dropped then."
            case .receiveTruncated: "A datagram was longer than any of this protocol."
            case .interfaceNotUsed: "A datagram came to an interface that the settings keep this node from."
            }
        }
    }
}

extension DropReason: CustomStringConvertible, Comparable {
    /// Layer and reason, such as `ethernet.ruleOutbound`. Stable: for logs and metrics.
    public var description: String {
        switch self {
        case .peers(let reason): "peers.\(reason)"
        case .ethernet(let reason): "ethernet.\(reason)"
        case .controller(let reason): "controller.\(reason)"
        case .stack(let reason): "stack.\(reason)"
        case .kernel(let reason): "kernel.\(reason)"
        }
    }

    /// Orders by description.
    public static func < (left: DropReason, right: DropReason) -> Bool { left.description < right.description }
}

extension RawRepresentable where RawValue == String, Self: CaseIterable {
    // The case of the same name in a machine's own list. A test holds the lists equal: there is one.
    init?(named reason: some Any) { self.init(rawValue: "\(reason)") }
}
