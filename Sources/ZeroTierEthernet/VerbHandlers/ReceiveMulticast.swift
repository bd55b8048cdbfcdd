//  MULTICAST_LIKE, MULTICAST_GATHER and its replies.

import NetPrimitives
import ZeroTierWire

extension EthernetEngine {
    // A root takes everyone's word. Others take the word of members, and of nodes that their controller configured
    // lately.
    private mutating func mayUseGroups(_ source: Address, _ id: NetworkID, _ now: Now) -> (Bool, isMember: Bool) {
        let isMember = slots[id].map { networks[$0].gate(source, &shared, now) } ?? false
        return (isMember || shared.isUpstream || shared.isAuthorised(source, id, now), isMember)
    }

    mutating func receiveMulticastLike(_ payload: [UInt8], from source: Address, _ now: Now) -> Reception {
        guard let likes = try? MulticastLike(decoding: payload), source != shared.address else {
            return .drop(.malformed)
        }
        var network: NetworkID?
        var isAllowed = false
        var isTrusted = false
        var isRefused = false
        for record in likes.records {
            if record.network != network {
                network = record.network
                let answer = mayUseGroups(source, record.network, now)
                isAllowed = answer.0
                isTrusted = isTrusted || answer.isMember
            }
            guard isAllowed else {
                isRefused = true
                continue
            }
            let added = shared.groups.add(source, to: record.group, of: record.network, now.monotonic)
            shared.countLike(added)
            if added != .refreshed, let slot = slots[record.network] {
                networks[slot].flushPending(record.group, to: [source], &shared, now)
            }
        }
        if isRefused { shared.count(.notAuthorised) }
        return .done(trusted: isTrusted)
    }

    mutating func receiveMulticastGather(
        _ payload: [UInt8], from source: Address, packetID: PacketID, _ now: Now
    ) -> Reception {
        guard let gather = try? MulticastGather(decoding: payload) else { return .drop(.malformed) }
        let slot = slots[gather.network]
        if let slot, let membership = gather.membership {
            networks[slot].addEmbedded(membership, from: source, &shared, now)
        }
        let (isAllowed, isMember) = mayUseGroups(source, gather.network, now)
        guard isAllowed else { return .drop(.notAuthorised) }
        guard gather.limit > 0 else { return .done(trusted: isMember) }
        let includesSelf = slot.map { networks[$0].wants(gather.group) } ?? false
        let result = shared.gather(
            gather.network, gather.group, limit: gather.limit, for: source, includingSelf: includesSelf, now)
        if !result.members.isEmpty {
            let reply = MulticastGatherReply(network: gather.network, group: gather.group, result: result)
            shared.sendReply(.multicastGather, packetID, reply.encoded, to: source)
        }
        return .done(trusted: isMember)
    }

    mutating func receiveMulticastGatherReply(_ body: [UInt8], from source: Address, _ now: Now) -> Reception {
        guard let reply = try? MulticastGatherReply(decoding: body) else { return .drop(.malformed) }
        guard let slot = slots[reply.network] else { return .drop(.networkNotJoined) }
        guard networks[slot].hasAsked(source, about: reply.group, shared) else { return .drop(.unaskedAnswer) }
        networks[slot].addGathered(reply.result, reply.group, &shared, now)
        return .done(trusted: false)
    }

    mutating func receiveMulticastFrameReply(_ body: [UInt8], from source: Address, _ now: Now) -> Reception {
        guard let reply = try? MulticastFrameReply(decoding: body) else { return .drop(.malformed) }
        guard let slot = slots[reply.network] else { return .drop(.networkNotJoined) }
        if let membership = reply.membership { networks[slot].addEmbedded(membership, from: source, &shared, now) }
        // Only a node that got a frame of the group can know of them.
        guard networks[slot].waitsForMore(reply.group, toldBy: source) else { return .drop(.unaskedAnswer) }
        if let result = reply.result { networks[slot].addGathered(result, reply.group, &shared, now) }
        return .done(trusted: false)
    }
}
