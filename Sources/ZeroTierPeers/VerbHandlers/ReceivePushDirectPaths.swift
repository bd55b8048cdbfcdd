//  PUSH_DIRECT_PATHS: where a peer says it can be reached. Every address is tried; only one that answers counts.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    mutating func receivePushDirectPaths(_ payload: [UInt8], _ opened: OpenedPacket, now: Now) -> Opened {
        guard let push = try? PushDirectPaths(decoding: payload) else { return drop(.malformed) }
        noteReceived(opened, now: now)
        let id = opened.peer
        guard mayFollowPush(id, now.monotonic) else { return drop(.pushLimit) }
        // What came from an endpoint that proved nothing pays for our question there, or for the tries: not for both.
        if !isConfirmed(opened) {
            let rest = answers.take(atMost: opened.wireLength, of: opened.path.remote, now.monotonic)
            topology.peers[id].earn(rest)
        }
        var attempts: [Int: Int] = [:]
        let isTrusted = topology.peers[id].isTrusted(now.monotonic)
        var isRedirected = false
        for record in push.records where !record.isForget && isAllowed(record.endpoint, for: id) {
            // From the socket that the push came to nothing leaves for the other family.
            let isReachable = opened.path.leads(to: record.endpoint)
            if record.isClusterRedirect {
                if !isRedirected, isTrusted || isReachable, topology.peers[id].attemptGate.allow(now.monotonic) {
                    redirect(id, from: opened, to: record.endpoint, now: now)
                }
                isRedirected = true
                continue
            }
            guard !topology.peers[id].hasPath(to: record.endpoint, now.monotonic) else { continue }
            let address = record.endpoint.address
            let kind = Int(scopes.scope(of: address).rawValue) * 2 + (address.isIPv4 ? 1 : 0)
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
        serviceProbes(id, now)
        wake(id, at: nextService(of: id, now.monotonic))
        return .handled
    }

    /// So many pushes of a peer are followed in 30 s. The reference counts on until 30 s pass without any:
    /// then one packet replayed now and then would keep the peer's own out for ever.
    private mutating func mayFollowPush(_ id: PeerID, _ time: MonotonicInstant) -> Bool {
        let since = topology.peers[id].pathPushesSince
        if since.map({ time - $0 > ProtocolLimits.directPathsWindow }) ?? true {
            topology.peers[id].pathPushesSince = time
            topology.peers[id].pathPushCount = 0
        }
        guard topology.peers[id].pathPushCount < configuration.limits.pathPushes else { return false }
        topology.peers[id].pathPushCount += 1
        return true
    }

    /// The peer wants to be reached at another address than the one it sent from. Unlike the reference the new
    /// path counts only when it answers: the old ones stay until then.
    private mutating func redirect(_ id: PeerID, from opened: OpenedPacket, to endpoint: SocketEndpoint, now: Now) {
        let path = PhysicalPath(localSocket: opened.path.socket(for: endpoint), remote: endpoint)
        var priority = 1
        if let index = topology.peers[id].pathIndex(opened.path) { priority = topology.peers[id].paths[index].priority }
        topology.peers[id].redirect = (endpoint, priority + 2)
        topology.peers[id].probe(path, toldBy: opened.source, isSingle: true, now.monotonic)
    }
}
