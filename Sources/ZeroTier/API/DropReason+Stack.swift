// The reasons of the TCP/IP stack. Names as in `NetStack`; a test holds the lists equal.

extension DropReason {
    /// Reasons of the TCP/IP stack.
    @nonexhaustive
    public enum Stack: String, Hashable, Sendable, CaseIterable {
        case noInterface, unknownEtherType, foreignMAC, ownMAC, truncated, malformed, ipChecksum, checksum, options
        case martian, notForUs, unknownProtocol, noSocket, queueFull, fragmentOverlap, fragmentMalformed
        case reassemblyFull, reassemblyTimeout, extensionHeader, neighbourDiscovery, routerMessage, ignoredControl
        case unmatchedError, rateLimited, controlQueueFull, neighbourUnresolved, contestedNeighbour
        case neighbourTableFull, tooManySockets, backlogFull, groupTransport, noRoute, tooBig, unacceptableSegment

        var explanation: String {
            switch self {
            case .noInterface: "Its network has been left."
            case .unknownEtherType: "It is neither IPv4, IPv6 nor ARP."
            case .foreignMAC: "It is for another station, or for a group that no socket is in."
            case .ownMAC: "A frame of this node came back to it."
            case .truncated: "It is shorter than its headers say."
            case .malformed: "A header has a value that it cannot have."
            case .ipChecksum: "The checksum of its IPv4 header is wrong."
            case .checksum: "Its checksum is wrong."
            case .options: "It has an IP option that this node refuses, such as a source route."
            case .martian: "Its source cannot come from outside: loopback, this node's own, or no address at all."
            case .notForUs: "Its destination is none of this node's addresses."
            case .unknownProtocol: "It is neither TCP, UDP nor ICMP."
            case .noSocket: "Nothing listens on its port."
            case .queueFull: "Its socket's receive queue is full: the program reads too slowly."
            case .fragmentOverlap: "Its fragments overlap, which only attacks do."
            case .fragmentMalformed: "One of its fragments cannot be where it says."
            case .reassemblyFull: "Too many datagrams in fragments come at the same time."
            case .reassemblyTimeout: "Some of its fragments did not come in time."
            case .extensionHeader: "It has too many extension headers, or one with an option that forbids going on."
            case .neighbourDiscovery: "A message of neighbour discovery that came from elsewhere or is malformed."
            case .routerMessage: "A router's message. Routes come from the network's controller alone."
            case .ignoredControl: "An ICMP message that this node does not follow, such as a redirect."
            case .unmatchedError: "An ICMP error about a packet that this node did not send."
            case .rateLimited: "More errors, echo replies or resets were due than this node sends."
            case .controlQueueFull: "Too many packets wait for the network."
            case .neighbourUnresolved: "No member of the network answers for its destination."
            case .contestedNeighbour:
                "Two stations say that they have the same address. The one that still answers keeps it."
            case .neighbourTableFull: "There is no room for another neighbour."
            case .tooManySockets: "The node has as many sockets as it may have."
            case .backlogFull: "More connections wait for `accept` than the listener's backlog holds."
            case .groupTransport: "TCP does not go to groups."
            case .noRoute: "No joined network leads to its destination."
            case .tooBig: "It is larger than its path carries, and must not be cut."
            case .unacceptableSegment: "A TCP segment that its connection cannot take: old, repeated or forged."
            }
        }
    }
}
