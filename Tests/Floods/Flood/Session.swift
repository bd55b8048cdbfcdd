// What a hostile node has that is in order: a valid identity that the target knows, and for some floods a place in its network.

import NetPrimitives
import ZeroTier
import ZeroTierWire

/// A node of ours behind a flood: it answers what the target asks of it.
final class Session {
    enum Standing {
        /// The target knows the identity, and nothing else.
        case stranger
        /// A member of the target's network, with a direct path.
        case member
        /// A root of the target's planet.
        case root
    }

    private let node: Node
    let identity: ZeroTierWire.Identity
    let endpoint: SocketEndpoint
    /// The node's addresses in the networks.
    let places: [Place]

    init(_ standing: Standing, _ settings: FloodSettings, _ own: ZeroTierWire.Identity) async throws {
        var configuration = Node.Configuration(storage: .store(MemoryStore(identity: own.text(includeSecret: true))))
        configuration.bindAddresses = [settings.own]
        switch standing {
        case .stranger:
            let target = try ZeroTier.Identity(text: settings.target.identity.text(includeSecret: false))
            configuration.planet = try RootSet(
                id: 1, roots: [.init(identity: target, endpoints: [settings.target.endpoint])], key: .init())
        case .member, .root:
            configuration.planet = try RootSet(bytes: readFile(settings.planet))
        }
        if standing == .root {
            configuration.port = settings.rootPort
        }
        node = try await Node.start(configuration)
        identity = own
        endpoint = SocketEndpoint(settings.own, port: node.port)
        try await node.waitUntilOnline(timeout: .seconds(30))
        guard standing == .member else {
            places = []
            return
        }
        var places: [Place] = []
        for network in settings.networks {
            let status = try await node.join(ZeroTier.NetworkID(network.value), timeout: .seconds(30))
            places += status.addresses.map { Place(network: network, address: $0.address) }
        }
        self.places = places
        for place in settings.victims { _ = try await node.ping(place.address, timeout: .seconds(20)) }
        for _ in 0..<50 {
            let known = try node.peers().first { $0.id == NodeID(settings.target.identity.address.value) }
            if known?.isDirect ?? false { return }
            try await Task.sleep(for: .milliseconds(200))
            for place in settings.victims { _ = try await node.ping(place.address, timeout: .seconds(20)) }
        }
        throw FloodFailure("no direct path to the target")
    }

    func end() async { await node.shutdown() }
}
