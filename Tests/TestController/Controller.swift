// Requests in, signed answers out. Read first: Script.swift for what is answered; the file of NetworkConfigChunk for how.

import NetPrimitives
import ZeroTierWire

/// A controller that remembers of its members no more than where they stand.
struct Controller {
    /// Something for a member.
    struct Packet {
        var verb: Verb
        var payload: [UInt8]
        var destination: Address
    }

    private struct Place: Hashable {
        var network: NetworkID
        var member: Address
    }

    private let identity: Identity
    private var random: RandomSource
    private var steps: [Place: UInt8] = [:]
    /// Who has a configuration: changes are pushed to those. Who was refused learns it by asking again.
    private var served: [Place: Identity] = [:]
    private var hosts: [Place: UInt8] = [:]

    init(_ identity: Identity, random: RandomSource) {
        self.identity = identity
        self.random = random
    }

    /// The answer to a request; the first configuration comes as a push, too, as real controllers have it.
    mutating func answer(
        _ request: NetworkConfigRequest, from member: Identity, packetID: PacketID, _ now: Now
    ) -> [Packet] {
        guard request.network.controller == identity.address else { return [] }
        let place = Place(network: request.network, member: member.address)
        let header = OKHeader(inReplyTo: .networkConfigRequest, packetID: packetID)
        switch script(place) {
        case .plan(let plan):
            let chunks = chunks(of: plan, for: member, place, now)
            var packets = chunks.map { Packet(verb: .ok, payload: header.payload($0), destination: member.address) }
            if served.updateValue(member, forKey: place) == nil { packets += push(chunks, to: member.address) }
            return packets
        case .refusal(let reason):
            served[place] = nil
            let reply = ErrorReply(inReplyTo: .networkConfigRequest, packetID: packetID, reason: reason)
            return [Packet(verb: .error, payload: reply.encoded, destination: member.address)]
        }
    }

    /// Puts a member at a step, and tells it if there is a configuration to replace.
    mutating func put(_ member: Address, of network: NetworkID, at step: UInt8, _ now: Now) -> [Packet] {
        let place = Place(network: network, member: member)
        guard steps.updateValue(step, forKey: place) != step, let known = served[place],
            case .plan(let plan) = script(place)
        else { return [] }
        return push(chunks(of: plan, for: known, place, now), to: member)
    }

    // Members are numbered in the order in which they come.
    private mutating func script(_ place: Place) -> Script {
        let host = hosts[place] ?? UInt8(truncatingIfNeeded: 2 + hosts.keys.count { $0.network == place.network })
        hosts[place] = host
        return Script(place.network, step: steps[place] ?? 0, host: host)
    }

    private func push(_ chunks: [[UInt8]], to member: Address) -> [Packet] {
        chunks.map { Packet(verb: .networkConfig, payload: $0, destination: member) }
    }

    private mutating func chunks(of plan: Plan, for member: Identity, _ place: Place, _ now: Now) -> [[UInt8]] {
        let timestamp = UInt64(now.unixMilliseconds)
        var config = NetworkConfig(network: place.network, issuedTo: member.address, timestamp: timestamp)
        config.credentialWindow = Controller.window
        config.revision = plan.revision
        config.flags = NetworkConfig.broadcastFlag
        config.multicastLimit = 32
        config.isPublic = plan.isPublic
        config.name = plan.name
        config.mtu = plan.mtu
        config.addresses = plan.addresses
        config.routes = plan.routes
        config.rules = plan.rules
        config.dns = plan.dns
        // Both as for every member, public network or not.
        config.membership = Membership(
            network: place.network, issuedTo: member, timestamp: timestamp, window: Controller.window,
            signedBy: identity)
        if !plan.addresses.isEmpty {
            let things = plan.addresses.map { Ownership.Thing.ip($0.address) }
            config.ownerships = [
                Ownership(
                    network: place.network, timestamp: timestamp, id: 1, things: things, issuedTo: member.address,
                    signedBy: identity)
            ]
        }
        return NetworkConfigChunk.chunks(
            of: config.encoded, network: place.network, updateID: random.nextUInt64() | 1, signedBy: identity
        ).map(\.encoded)
    }

    private static let window: UInt64 = 1_800_000
}
