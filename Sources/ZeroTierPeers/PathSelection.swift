//  Which path a packet takes. Read first: zerotier/ZeroTierOne node/Peer.cpp getAppropriatePath (facts only).

import NetPrimitives
import ZeroTierWire

/// Chooses among the paths of one peer.
enum PathSelection {
    /// What a path must be to be chosen.
    enum Requirement {
        /// Heard from within 19 s and not in doubt.
        case alive
        /// Heard from within 243 s.
        case unexpired
        /// Anything that is in the list.
        case any
    }

    /// The index of the best path that meets the requirement: least quality by priority, on ties the later one. A path
    /// that was superseded by a later port of the same address is taken only when nothing else is there.
    static func best(_ paths: [Path], _ requirement: Requirement, _ now: MonotonicInstant) -> Int? {
        best(paths, requirement, now, superseded: false) ?? best(paths, requirement, now, superseded: true)
    }

    private static func best(
        _ paths: [Path], _ requirement: Requirement, _ now: MonotonicInstant, superseded: Bool
    ) -> Int? {
        var choice: Int?
        var bestQuality = Int64.max
        let isAlone = paths.count == 1
        for index in paths.indices where paths[index].isSuperseded == superseded {
            switch requirement {
            case .alive: guard paths[index].isAlive(now) else { continue }
            case .unexpired: guard paths[index].isUnexpired(now) else { continue }
            case .any: break
            }
            // Nothing to compare it with.
            if isAlone { return index }
            let quality = paths[index].quality(now) / Int64(max(1, paths[index].priority))
            if quality <= bestQuality {
                bestQuality = quality
                choice = index
            }
        }
        return choice
    }

    /// The best path of one scope and family, for introducing two peers; expired ones do not count.
    static func best(
        _ paths: [Path], scope: AddressScope, isIPv4: Bool, _ now: MonotonicInstant
    ) -> Int? {
        var choice: Int?
        var bestQuality = Int64.max
        for index in paths.indices {
            let path = paths[index]
            guard path.scope == scope, path.physical.remote.address.isIPv4 == isIPv4, path.isUnexpired(now),
                !path.isSuperseded
            else { continue }
            let quality = path.quality(now)
            if quality <= bestQuality {
                bestQuality = quality
                choice = index
            }
        }
        return choice
    }
}
