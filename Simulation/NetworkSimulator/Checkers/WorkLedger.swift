//  What a stranger can make others do. Its addresses answer nothing and nobody was told of them, so no node has a wish of its own
//  to send anything there:
//
//      bytes that a node sends there <= bytes that came to it from there
//      no path leads there
//
//  And whatever is said again was said already: a datagram that gave a frame gives none a second time.

import NetPrimitives
import ZeroTierNode
import ZeroTierPeers

/// Bytes in and out, for each node and each account of addresses.
package struct WorkLedger {
    private struct Key: Hashable {
        let host: Int
        let account: Int
    }

    private struct Account {
        var bytesIn = 0
        var bytesOut = 0
    }

    private var accountsOf: [IPAddress: Int] = [:]
    private var accountCount = 0
    private var accounts: [Key: Account] = [:]
    /// Bytes that came from watched addresses, and that went there.
    package private(set) var bytesIn = 0
    package private(set) var bytesOut = 0

    package init() {}

    /// Watches an address.
    mutating func watch(_ address: IPAddress) { watch([address]) }

    /// Watches addresses that have one account together.
    mutating func watch(_ addresses: [IPAddress]) {
        for address in addresses { accountsOf[address] = accountCount }
        accountCount += 1
    }

    /// A datagram came to a node.
    mutating func noteArrival(_ byteCount: Int, from address: IPAddress, at host: Int) {
        guard let account = accountsOf[address] else { return }
        accounts[Key(host: host, account: account), default: Account()].bytesIn += byteCount
        bytesIn += byteCount
    }

    /// A node sends a datagram.
    mutating func noteDeparture(_ byteCount: Int, to address: IPAddress, by host: Int) {
        guard let account = accountsOf[address] else { return }
        accounts[Key(host: host, account: account), default: Account()].bytesOut += byteCount
        bytesOut += byteCount
    }

    /// Who sent more than it was sent, and who has a path to a watched address.
    package func findings(_ simulation: Simulation) -> [String] {
        var result: [String] = []
        for (key, account) in accounts.sorted(by: { ($0.key.host, $0.key.account) < ($1.key.host, $1.key.account) })
        where account.bytesOut > account.bytesIn {
            result.append(
                "\(simulation.hosts[key.host].name) sent \(account.bytesOut) bytes to a stranger of whom it had "
                    + "\(account.bytesIn)")
        }
        for host in simulation.hosts where host.isRunning {
            for peer in host.node.peers.snapshots(now: host.clock(simulation.time)) {
                for path in peer.paths where accountsOf[path.path.remote.address] != nil {
                    result.append("\(host.name) has a path to \(peer.address) at a stranger's \(path.path.remote)")
                }
            }
        }
        return result
    }
}
