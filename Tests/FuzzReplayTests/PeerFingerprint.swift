// What a node's transport and Ethernet are, as text by part, for "a refused packet changes nothing".
//
// Left out by name, each for a reason:
//
//   limiters          what has been used of a quota is used, whatever became of the packet
//   memos             what was looked up last, and verdicts on flows: forgetting them changes nothing but speed
//   counters          drops, packets by cipher suite

import NetPrimitives
import ZeroTierWire

@testable import ZeroTierEthernet
@testable import ZeroTierNode
@testable import ZeroTierPeers

/// The parts of a machine, by name.
typealias Fingerprint = [String: String]

/// The stored properties of a value but for some.
private func text<Value>(_ value: Value, without names: Set<String> = []) -> String {
    guard !names.isEmpty else { return "\(value)" }
    return Mirror(reflecting: value).children.compactMap { child in
        guard let label = child.label, !names.contains(label) else { return nil }
        return "\(label) \(child.value)"
    }.joined(separator: " ")
}

// MARK: Transport

/// Everything that a datagram from outside may change in the transport.
func fingerprint(_ engine: borrowing PeerEngine) -> Fingerprint {
    var parts: Fingerprint = [:]
    var peers = "\(engine.topology.count) \(engine.topology.upstreamCount)"
    var signsOfLife = ""
    var replays = ""
    for id in engine.topology.peers.ids {
        peers += "\n\(id) " + stable(engine.topology.peers[id])
        signsOfLife += "\n\(id) " + life(engine.topology.peers[id])
        replays += "\n\(id) \(engine.topology.peers[id].replays)"
    }
    parts["peers"] = peers
    parts["signs of life"] = signsOfLife
    parts["replays"] = replays
    parts["roots"] = "\(engine.shared.roots) \(engine.upstreamPeers)"
    parts["lookup"] = text(engine.lookup, without: ["limits"])
    // Its gates are limiters, and what was spent is counted.
    parts["validation"] = text(
        engine.validation, without: ["agreements", "validations", "agreementCount", "validationCount"])
    parts["expected"] = text(engine.expected)
    parts["defragmenter"] = text(engine.defragmenter, without: ["limits"])
    parts["trusted paths"] = text(engine.trustedPaths)
    parts["introductions"] = text(engine.introductions)
    parts["surfaces"] = text(engine.surfaces)
    parts["control"] = text(engine.shared.control)
    parts["wishes"] = text(engine.shared.wishes)
    // The ledger by what it is for: bytes out and credit given.
    parts["answers"] = "\(engine.shared.answers.bytesIn) \(engine.shared.answers.bytesOut)"
    parts["stalled"] = text(engine.stalled)
    // How large its storage is says nothing.
    parts["ready"] = "\(engine.ready.count)"
    parts["events"] = text(engine.shared.events)
    parts["timers"] = text(engine.shared.timers)
    parts["numbers"] = "\(engine.numbers) \(engine.shared.random)"
    parts["network"] =
        "\(engine.shared.localEndpoints) \(engine.lastNetworkChange as Any) \(engine.shared.newPlaceUntil)"
    parts["online"] = "\(engine.isOnline) \(engine.hasCollision)"
    return parts
}

// What a peer is. Its gates are limiters.
private func stable(_ peer: borrowing Peer) -> String {
    var text = "\(peer.address) \(peer.identity) \(peer.role) \(peer.origin as Any) \(peer.protocolVersion)"
    text += " \(peer.softwareVersion as Any) full hello \(peer.lastFullHello as Any)"
    text += " push \(peer.lastPathPush as Any) \(peer.pathPushesSince as Any)"
    text += " change \(peer.lastPathChange as Any) relay \(peer.relay as Any) \(peer.relayedDatagramSize)"
    text += " probes \(peer.probes) contact \(peer.contactAttempts) \(peer.contactDue) \(peer.contactTurns)"
    text += " redirect \(peer.redirect as Any) hello \(peer.lastHelloTimestamp as Any) \(peer.lastHelloAt)"
    text += " asked \(peer.versionAskedAt) held \(peer.heldEndpoints) owed \(peer.isOwedWorlds)"
    for path in peer.paths {
        text += "\n    path " + describe(path, without: ["lastReceive", "doubtedSince", "echoGate"])
    }
    return text
}

// What shows that a peer lives, and where: of an authentic packet it is true whatever else the packet is.
private func life(_ peer: borrowing Peer) -> String {
    var text = "\(peer.lastReceive as Any) confirmations \(peer.confirmations) told \(peer.reported as Any)"
    text += " activity \(peer.lastActivity as Any) trust \(peer.lastTrust as Any) kept \(peer.isKeptAlive)"
    for path in peer.paths { text += " \(path.lastReceive as Any) \(path.doubtedSince as Any)" }
    return text
}

private func describe<Value>(_ value: Value, without names: Set<String>) -> String { text(value, without: names) }

// MARK: Ethernet

/// Everything that a packet from outside may change in the virtual networks.
func fingerprint(_ engine: borrowing EthernetEngine) -> Fingerprint {
    var parts: Fingerprint = [:]
    var networks = "\(engine.slots.count)"
    var uses = ""
    var assembly = ""
    for slot in engine.networks.ids {
        networks += "\n\(slot) " + stable(engine.networks[slot])
        assembly += "\n\(slot) \(engine.networks[slot].assembly)"
        uses += "\n\(slot) \(engine.networks[slot].memberUses.sorted { $0.key < $1.key })"
        for (address, member) in engine.networks[slot].members.sorted(by: { $0.key < $1.key }) {
            uses += " \(address) \(member.lastAnnouncement as Any)"
        }
    }
    parts["networks"] = networks
    parts["uses of members"] = uses
    parts["assembly"] = assembly
    // Gates and signatures are limiters, the epoch is that of the memos.
    parts["shared"] = text(
        engine.shared,
        without: [
            "identity", "configuration", "random", "packets", "drops", "gates", "signatures", "flowEpoch", "identities",
            "wanted",
        ])
    parts["random"] = "\(engine.shared.random)"
    parts["packets"] = text(engine.shared.packets)
    parts["waiting"] = text(engine.waiting)
    parts["deadlines"] = text(engine.deadlines)
    return parts
}

private func stable(_ network: borrowing VirtualNetwork) -> String {
    var text = "\(network.id) \(network.status) \(network.failureInfo as Any) \(network.configSequence)"
    text += " \(network.active) next \(network.nextWant()) announced \(network.lastAnnouncement as Any)"
    text += " passed \(network.passedPieces.count) bridges \(network.bridges)"
    text += " groups \(network.subscriptions) \(network.bridgedGroups.count) \(network.senders)"
    for (address, member) in network.members.sorted(by: { $0.key < $1.key }) {
        text += "\n    \(address) " + describe(member, without: ["lastAnnouncement"])
    }
    return text
}

// MARK: Node

/// The parts of a whole node's own machines: transport and Ethernet.
func fingerprint(_ node: borrowing Node) -> (peers: Fingerprint, ethernet: Fingerprint) {
    (fingerprint(node.peers), fingerprint(node.ethernet))
}
