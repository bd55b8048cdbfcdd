//  PUSH_DIRECT_PATHS: where a peer says it can be reached. Every address is tried; only one that answers counts.

import NetPrimitives
import ZeroTierWire

extension PeerEngine {
    mutating func receivePushDirectPaths(_ payload: [UInt8], _ opened: OpenedPacket, now: Now) -> Opened {
        noteReceived(opened, now: now)
        let id = opened.peer
        guard mayFollowPush(id, now.monotonic) else { return drop(.pushLimit) }
        guard let push = try? PushDirectPaths(decoding: payload) else { return drop(.malformed) }
        var attempts: [Int: Int] = [:]
        let isTrusted = topology.peers[id].isTrusted(now.monotonic)
        // Who proved nothing gets no more sent for it than it sent itself: by one socket, and from an endpoint that answered nothing
        // yet out of the account that our own question there is paid from.
        var credit = opened.wireLength
        let account = isConfirmed(opened) ? nil : opened.path.remote
        let cost =
            topology.peers[id].answersEchoPerPath
            ? PacketHeader.payloadOffset : ProtocolLimits.helloLengthAtMost
        var isRedirected = false
        for record in push.records where !record.isForget && isAllowed(record.endpoint, for: id) {
            if record.isClusterRedirect {
                if !isRedirected, isTrusted || opened.path.leads(to: record.endpoint) && credit >= cost,
                    topology.peers[id].attemptGate.allow(now.monotonic),
                    isTrusted || account.map({ answers.allow(cost, to: $0, now.monotonic) }) ?? true
                {
                    redirect(id, from: opened, to: record.endpoint, now: now)
                    credit -= cost
                }
                isRedirected = true
                continue
            }
            guard !topology.peers[id].hasPath(to: record.endpoint, now.monotonic) else { continue }
            let address = record.endpoint.address
            let kind = Int(scopes.scope(of: address).rawValue) * 2 + (address.isIPv4 ? 1 : 0)
            guard attempts[kind, default: 0] < ProtocolLimits.directPathAttempts else { continue }
            // From the socket that the push came to nothing leaves for the other family.
            let isReachable = opened.path.leads(to: record.endpoint)
            guard isTrusted || isReachable && credit >= cost else {
                // Its first frame may be on its way: then these are tried.
                topology.peers[id].hold(record.endpoint)
                continue
            }
            guard topology.peers[id].attemptGate.allow(now.monotonic),
                isTrusted || account.map({ answers.allow(cost, to: $0, now.monotonic) }) ?? true
            else { break }
            credit -= cost
            attempts[kind, default: 0] += 1
            let socket = isTrusted ? PhysicalPath.anySocket : opened.path.localSocket
            topology.peers[id].probe(
                PhysicalPath(localSocket: socket, remote: record.endpoint), isSingle: !isTrusted, now.monotonic)
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
        sendProbe(to: id, path, isWish: true, now)
    }
}
