//  What a status report shows and only the machines know.

package import NetPrimitives
import ZeroTierPeers

extension Node {
    /// What the roots see as our addresses.
    package mutating func surfaceAddresses(now: Now) -> [SocketEndpoint] { peers.surfaceAddresses(now: now) }
}
