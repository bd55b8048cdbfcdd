//  What the owner of a node decides once, at its making.

package import NetStack
package import ZeroTierEthernet
package import ZeroTierPeers
package import ZeroTierWire

/// Settings of a `Node`.
package struct NodeConfiguration: Sendable {
    /// Roots, timings and limits of the transport.
    package var peers: PeerConfiguration
    /// Limits of the virtual Ethernet.
    package var ethernet = EthernetConfiguration()
    /// Choices and limits of the TCP/IP stack.
    package var stack = StackConfiguration()

    /// The defaults, with a planet. `nil` is a node that knows no root: nothing reaches it until it is given one.
    package init(planet: World?) {
        peers = PeerConfiguration(planet: planet)
    }
}
