//  Only members receive: a node that is in no network never gets a frame, not even one to refuse.

import ZeroTierEthernet
import ZeroTierNode

/// Looks at the nodes that joined nothing.
package enum MembershipChecker {
    /// What outsiders got that was not for them.
    package static func findings(_ simulation: Simulation) -> [String] {
        simulation.hosts.compactMap { host in
            guard host.isRunning, host.networks.isEmpty else { return nil }
            let frames = host.node.statistics.ethernetDrops[.networkNotJoined] ?? 0
            return frames > 0 ? "\(host.name) is in no network and got \(frames) frames" : nil
        }
    }
}
