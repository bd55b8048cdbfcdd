//  The subnets of all networks, to find those that have addresses in common: prefixes overlap only if one holds the other.

import NetPrimitives
import ZeroTierWire

/// Routes of networks to themselves, at one moment.
package struct SubnetIndex: Sendable {
    private struct Entry: Sendable {
        let subnet: IPPrefix
        let network: NetworkID

        static func < (left: Entry, right: Entry) -> Bool {
            (left.subnet, left.network) < (right.subnet, right.network)
        }
    }

    private var entries: [Entry] = []
    private var lengths: Set<Int> = []

    init(_ networks: [NetworkRecord]) {
        for network in networks {
            for route in network.routes where route.via == nil && route.target.length > 0 {
                entries.append(Entry(subnet: route.target, network: network.id))
                lengths.insert(route.target.length)
            }
        }
        entries.sort { $0 < $1 }
    }

    /// Subnets of other networks that have addresses of this one, at most so many.
    func overlapping(_ subnet: IPPrefix, besides network: NetworkID, limit: Int) -> [(NetworkID, IPPrefix)] {
        var found: [(NetworkID, IPPrefix)] = []
        func take(from start: Int, while holds: (IPPrefix) -> Bool) {
            for entry in entries[start...] {
                guard found.count < limit, holds(entry.subnet) else { return }
                if entry.network != network { found.append((entry.network, entry.subnet)) }
            }
        }
        // Those that begin before it and hold it; then all that begin inside.
        for length in lengths.sorted() where length < subnet.length {
            let wider = IPPrefix(subnet.address.masked(to: length), length: length)
            if wider.address != subnet.address { take(from: place(of: wider)) { $0 == wider } }
        }
        take(from: place(of: IPPrefix(subnet.address, length: 0))) { subnet.contains($0.address) }
        return found
    }

    // Where it stands, or the first one behind it.
    private func place(of subnet: IPPrefix) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].subnet < subnet { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
