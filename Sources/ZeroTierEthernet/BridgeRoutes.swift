//  MACs of stations that are no members: they stand behind an active bridge.

import NetPrimitives
import ZeroTierWire

/// Which bridge a MAC was seen behind. Never ages; bounded.
struct BridgeRoutes: Sendable {
    private var routes: [MACAddress: Address] = [:]
    private var counts: [Address: Int] = [:]

    var count: Int { routes.count }

    /// The bridge behind which a MAC was seen last.
    func bridge(to mac: MACAddress) -> Address? { routes[mac] }

    /// Notes that a frame from `mac` came by `bridge`. When the table is full, the bridge with the most entries loses
    /// all of them.
    mutating func learn(_ mac: MACAddress, behind bridge: Address) {
        if let old = routes.updateValue(bridge, forKey: mac) {
            guard old != bridge else { return }
            decrement(old)
        }
        counts[bridge, default: 0] += 1
        guard routes.count > EthernetLimits.bridgeRoutes else { return }
        var largest: (count: Int, bridge: Address)?
        for (bridge, count) in counts {
            if let best = largest, (best.count, best.bridge) > (count, bridge) { continue }
            largest = (count, bridge)
        }
        if let largest { remove(largest.bridge) }
    }

    /// Forgets everything behind a bridge.
    mutating func remove(_ bridge: Address) {
        guard counts.removeValue(forKey: bridge) != nil else { return }
        routes = routes.filter { $0.value != bridge }
    }

    private mutating func decrement(_ bridge: Address) {
        guard let count = counts[bridge] else { return }
        counts[bridge] = count > 1 ? count - 1 : nil
    }
}

extension VirtualNetwork {
    /// The bridges for a frame to a MAC of no member: the one behind which it was seen, else all, or some if there are many.
    mutating func bridgeTargets(for mac: MACAddress, _ shared: inout EthernetShared) -> [Address] {
        if let known = bridges.bridge(to: mac), known != address, activeBridges.contains(known) { return [known] }
        var candidates = activeBridges.filter { $0 != address }
        guard candidates.count > ProtocolLimits.bridgesPerFrame else { return candidates }
        for index in 0..<ProtocolLimits.bridgesPerFrame {
            candidates.swapAt(index, index + shared.random.next(below: candidates.count - index))
        }
        return Array(candidates.prefix(ProtocolLimits.bridgesPerFrame))
    }
}
