//  What the outside sees us as: the addresses that other nodes report in HELLO and OK(HELLO). Read first:
//  zerotier/ZeroTierOne node/SelfAwareness.cpp (facts only).

import NetPrimitives
import ZeroTierWire

/// Reports of our own addresses.
struct SurfaceAddresses: Sendable {
    private struct Report: Sendable {
        let reporter: Address
        let localSocket: Int32
        let reporterEndpoint: SocketEndpoint
        let scope: AddressScope
        let isTrusted: Bool
        let surface: SocketEndpoint
        let at: MonotonicInstant
    }

    /// What follows from a report.
    enum OnReport: Equatable, Sendable {
        case nothing
        /// Our address of this scope and family is another one now: paths made with the old one are void.
        case addressChanged(Kind)
    }

    /// Addresses that change together.
    struct Kind: Equatable, Sendable {
        let scope: AddressScope
        let isIPv4: Bool
    }

    // The oldest first.
    private var reports: [Report] = []

    /// One node's view of us. `isTrusted`: it is a root.
    mutating func report(
        _ surface: SocketEndpoint, reporter: Address, path: PhysicalPath, scopes: PathScopes, isTrusted: Bool,
        _ now: MonotonicInstant
    ) -> OnReport {
        let scope = scopes.scope(of: surface.address)
        guard scope == scopes.scope(of: path.remote.address), scope != .none, scope != .loopback, scope != .multicast,
            surface.address.isIPv4 == path.remote.address.isIPv4
        else { return .nothing }
        expire(now)
        let index = reports.firstIndex {
            $0.reporter == reporter && $0.localSocket == path.localSocket && $0.reporterEndpoint == path.remote
                && $0.scope == scope
        }
        let report = Report(
            reporter: reporter, localSocket: path.localSocket, reporterEndpoint: path.remote, scope: scope,
            isTrusted: isTrusted, surface: surface, at: now)
        guard let index else {
            if reports.count >= ProtocolLimits.surfaceReports {
                // What roots say goes last.
                reports.remove(at: reports.firstIndex { !$0.isTrusted } ?? 0)
            }
            reports.append(report)
            return .nothing
        }
        let before = reports.remove(at: index)
        reports.append(report)
        guard isTrusted, before.surface.address != surface.address else { return .nothing }
        // What others saw, and this one by our other sockets, is the same change. Another line of ours has an address of its own.
        reports.removeAll { $0.scope == scope && $0.surface.address == before.surface.address }
        return .addressChanged(Kind(scope: scope, isIPv4: surface.address.isIPv4))
    }

    /// The distinct addresses of the last ten minutes, in ascending order.
    mutating func all(_ now: MonotonicInstant) -> [SocketEndpoint] {
        expire(now)
        var result: [SocketEndpoint] = []
        for report in reports where !result.contains(report.surface) { result.append(report.surface) }
        return result.sorted()
    }

    /// The addresses to tell others: what roots say first, then what peers say, the newest before the older, and so many of
    /// each family.
    mutating func preferred(_ now: MonotonicInstant) -> [SocketEndpoint] {
        expire(now)
        var result: [SocketEndpoint] = []
        for isTrusted in [true, false] {
            for report in reports.reversed() where report.isTrusted == isTrusted && !result.contains(report.surface) {
                let isIPv4 = report.surface.address.isIPv4
                guard result.count(where: { $0.address.isIPv4 == isIPv4 }) < ProtocolLimits.surfacesPushed else {
                    continue
                }
                result.append(report.surface)
            }
        }
        return result
    }

    private mutating func expire(_ now: MonotonicInstant) {
        reports.removeAll { now - $0.at >= ProtocolLimits.surfaceEntry }
    }
}
