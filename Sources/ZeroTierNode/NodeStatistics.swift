//  Counters of a whole node, copied on request.

package import NetStack
package import ZeroTierController
package import ZeroTierEthernet
package import ZeroTierPeers

/// What a node counted since its start.
package struct NodeStatistics: Sendable {
    /// Datagrams and packets that died in the transport, by reason.
    package var peerDrops: DropCounters
    /// Frames and packets that died in the virtual Ethernet, by reason; only those that happened.
    package var ethernetDrops: [EthernetDrop: UInt64]
    /// What this node's controller did not answer, by reason; only what happened.
    package var controllerDrops: [ControllerDrop: UInt64]
    /// The TCP/IP stack's counters.
    package var stack: StackStatistics
    /// Packets passed on for others.
    package var relayedPackets: UInt64
    /// Authentic packets that came, by cipher suite number (0 authenticated only, 1 Salsa20/12, 3 AES-GMAC-SIV).
    package var suites: SuiteCounters
    /// Packets by verb, both ways.
    package var packets: PacketCounters
    /// What unknown nodes cost the transport.
    package var strangers: StrangerWork
    /// Signatures of credentials and configurations that were checked because of what others sent.
    package var signatures: UInt64
    /// Frames that found no room in the slab, although room was asked for.
    package var framesUnwritten: UInt64
}
