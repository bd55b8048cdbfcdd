//  PUSH_DIRECT_PATHS: where a peer says it can be reached. Every address is tried; only one that answers counts.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    mutating func receivePushDirectPaths(_ payload: [UInt8], _ opened: OpenedPacket, now: Now) -> Opened {
        guard let push = try? PushDirectPaths(decoding: payload) else { return drop(.malformed) }
        noteReceived(opened, now: now)
        let id = opened.peer
        guard
            topology.peers[id].mayFollowPush(limit: shared.configuration.limits.pathPushes, now.monotonic)
        else { return drop(.pushLimit) }
        // What came from an endpoint that proved nothing pays for our question there, or for the tries: not for both.
        if !isConfirmed(opened) {
            let rest = shared.answers.take(atMost: opened.wireLength, of: opened.path.remote, now.monotonic)
            topology.peers[id].earn(rest)
        }
        var attempts: [Int: Int] = [:]
        let isTrusted = topology.peers[id].isTrusted(now.monotonic)
        var isRedirected = false
        for record in push.records where !record.isForget && shared.isAllowed(record.endpoint, for: opened.source) {
            // From the socket that the push came to nothing leaves for the other family.
            let isReachable = opened.path.leads(to: record.endpoint)
            if record.isClusterRedirect {
                if !isRedirected, isTrusted || isReachable, topology.peers[id].attemptGate.allow(now.monotonic) {
                    topology.peers[id].follow(redirect: record.endpoint, from: opened.path, now.monotonic)
                }
                isRedirected = true
                continue
            }
            guard !topology.peers[id].hasPath(to: record.endpoint, now.monotonic) else { continue }
            let address = record.endpoint.address
            let kind = Int(shared.scopes.scope(of: address).rawValue) * 2 + (address.isIPv4 ? 1 : 0)
            guard attempts[kind, default: 0] < ProtocolLimits.directPathAttempts else { continue }
            guard isTrusted || isReachable else {
                // Its first frame may be on its way: then these are tried.
                topology.peers[id].hold(record.endpoint)
                continue
            }
            guard topology.peers[id].attemptGate.allow(now.monotonic) else { break }
            attempts[kind, default: 0] += 1
            // Where it came from it is answered from where it was asked.
            let isAny = isTrusted && record.endpoint != opened.path.remote
            let socket = isAny ? PhysicalPath.anySocket : opened.path.localSocket
            let path = PhysicalPath(localSocket: socket, remote: record.endpoint)
            topology.peers[id].probe(path, toldBy: opened.source, isSingle: !isTrusted, now.monotonic)
        }
        tryEndpoints(of: id, now)
        return .handled
    }

}
