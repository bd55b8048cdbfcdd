// From an address on a virtual network to the node that has it.

import NetPrimitives
import NetStack
import ZeroTierEthernet
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

extension DriverCore {
    /// Who is at an address, seen from an own one.
    mutating func peer(at remote: SocketEndpoint, from local: IPAddress, now: Now) -> ConnectionPeer {
        var result = ConnectionPeer(endpoint: remote, network: nil, node: nil, identity: nil, status: nil)
        let networks = node.networks
        if networks.contains(where: { $0.addresses.contains { $0.address == remote.address } })
            || remote.address.isLoopback
        {
            result.node = NodeID(node.address)
            result.identity = Identity(node.identity.withoutSecret)
            return result
        }
        guard let network = networks.first(where: { $0.addresses.contains { $0.address == local } }) else {
            return result
        }
        result.network = NetworkID(network.id)
        guard let member = member(at: remote.address, on: network) else { return result }
        result.node = NodeID(member)
        if let snapshot = node.peers.snapshot(of: member, now: now) {
            result.identity = Identity(snapshot.identity)
            result.status = PeerStatus(snapshot)
        }
        return result
    }

    // The member to which packets for an address go: by the address itself, or by the neighbour or gateway in use.
    private func member(at address: IPAddress, on network: NetworkSnapshot) -> Address? {
        for own in network.addresses {
            if let member = network.id.member(of: address, under: own) { return member }
        }
        guard let interface = node.interface(of: network.id) else { return nil }
        let isOnLink = network.addresses.contains { $0.contains(address) }
        let gateway = network.routes.filter { $0.via != nil && $0.target.contains(address) }
            .max { $0.target.length < $1.target.length }?.via
        guard let mac = node.stack.neighbour(isOnLink ? address : gateway ?? address, on: interface),
            network.id.isMember(mac)
        else { return nil }
        return network.id.address(of: mac)
    }
}
