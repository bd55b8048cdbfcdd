//  What a stranger can make others do. Its addresses answer nothing and nobody was told of them, so no node has a wish of its own
//  to send anything there:
//
//      bytes that a node sends there <= bytes that came to it from there
//      no path leads there
//      key agreements and validations for one of its prefixes <= what PeerLimits gives a prefix
//      signatures checked for it <= what EthernetLimits gives a stranger
//      identities that it makes up are nobody's peers, and what waits because of it has a bound:
//      identities, look-ups, packets, parts, pairs that were introduced
//
//  And whatever is said again was said already: a datagram that gave a frame gives none a second time.

import NetPrimitives
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// Bytes in and out, for each node and each account of addresses; work, for each node and each prefix.
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

    private struct WorkKey: Hashable {
        let host: Int
        let prefix: IPAddress
    }

    private struct Work {
        var agreements = 0
        var validations = 0
    }

    private var work: [WorkKey: Work] = [:]
    /// Identities that do not exist, with the prefix that each is used in.
    private var invented: [Address: IPAddress] = [:]
    private var start: MonotonicInstant?
    /// Key agreements for what came from watched addresses, and validations of invented identities.
    package private(set) var agreements = 0
    package private(set) var validations = 0
    /// Signatures of the adversary's that were checked, by host.
    private var signaturesAt: [Int: Int] = [:]
    package var signatures: Int { signaturesAt.values.reduce(0, +) }
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

    /// An identity that does not exist says hello from an address.
    mutating func noteInvention(_ address: Address, at source: IPAddress) { invented[address] = source.sourcePrefix }

    /// Whether an identity was made up.
    func isInvented(_ address: Address) -> Bool { invented[address] != nil }

    /// A node did so many key agreements for a datagram.
    mutating func noteAgreements(_ count: Int, for source: IPAddress, at host: Int, _ time: MonotonicInstant) {
        guard count > 0, accountsOf[source] != nil else { return }
        start = start ?? time
        work[WorkKey(host: host, prefix: source.sourcePrefix), default: Work()].agreements += count
        agreements += count
    }

    /// A node validates an identity.
    mutating func noteValidation(of address: Address, at host: Int) {
        guard let prefix = invented[address] else { return }
        work[WorkKey(host: host, prefix: prefix), default: Work()].validations += 1
        validations += 1
    }

    /// A node checked so many signatures because of what the adversary sent in its own name.
    mutating func noteSignatures(_ count: Int, at host: Int, _ time: MonotonicInstant) {
        start = start ?? time
        signaturesAt[host, default: 0] += count
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
                if isInvented(peer.address) {
                    result.append("\(host.name) took \(peer.address) for a peer, which is invented")
                }
                for path in peer.paths where accountsOf[path.path.remote.address] != nil {
                    result.append("\(host.name) has a path to \(peer.address) at a stranger's \(path.path.remote)")
                }
            }
        }
        return result + excesses(simulation)
    }

    // Who worked more for a prefix than its limits say, or keeps more.
    private func excesses(_ simulation: Simulation) -> [String] {
        var result: [String] = []
        let limits = PeerLimits()
        let time = start.map { simulation.time - $0 } ?? .zero
        for (key, work) in work.sorted(by: { ($0.key.host, $0.key.prefix) < ($1.key.host, $1.key.prefix) }) {
            let host = simulation.hosts[key.host]
            // A node that started again has full buckets.
            let agreements = limits.agreements(ofPrefixIn: time, starts: host.epoch)
            if work.agreements > agreements {
                result.append(
                    "\(host.name) made \(work.agreements) key agreements for \(key.prefix), \(agreements) at most")
            }
            let validations = limits.validations(ofPrefixIn: time, starts: host.epoch)
            if work.validations > validations {
                result.append(
                    "\(host.name) validated \(work.validations) identities of \(key.prefix), \(validations) at most")
            }
        }
        for (index, count) in signaturesAt.sorted(by: { $0.key < $1.key }) {
            let host = simulation.hosts[index]
            let most = EthernetLimits.signatures(ofStrangerIn: time, starts: host.epoch)
            if count > most { result.append("\(host.name) checked \(count) signatures of a stranger, \(most) at most") }
        }
        for host in simulation.hosts where host.isRunning {
            let work = host.node.peers.strangerWork
            let kept = [
                (work.identitiesWaiting, limits.pendingValidations + limits.lookups, "identities that wait"),
                (work.lookups, limits.lookups, "look-ups"),
                (work.packetsWaiting, limits.waitingInbound + limits.waitingOutbound, "packets that wait"),
                (work.incompletePackets, limits.incompletePackets, "packets without some of their parts"),
                (work.incompleteBytes, limits.incompleteBytes, "bytes of parts"),
                (work.introducedPairs, limits.introducedPairs, "introduced pairs"),
            ]
            for (count, most, what) in kept where count > most {
                result.append("\(host.name) keeps \(count) \(what), \(most) at most")
            }
        }
        return result
    }
}
