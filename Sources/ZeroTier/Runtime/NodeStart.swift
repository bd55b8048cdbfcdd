// From a configuration to a running node: storage, identity, planet, port, and what earlier runs left.

import NetPrimitives
import NetStack
import ZeroTierCrypto
import ZeroTierNode
import ZeroTierPeers
import ZeroTierWire

/// The steps of a start. Nothing is left behind when one of them fails.
enum NodeStart {
    struct Parts {
        let driver: NodeDriver
        let identity: Identity
        let port: UInt16
    }

    /// Ports tried for a node that may have any as the reference does.
    private static let portTrials = 256
    private static let randomPorts: ClosedRange<UInt16> = 20_000...65_535
    /// What a node can announce: the last version without AES, and ours.
    private static let protocolVersions = 11...12
    /// Peers not heard of for so long are not remembered.
    private static let peerLifetime: Int64 = 30 * 86_400
    /// How many damaged files a warning names.
    private static let namedFiles = 8

    static func run(
        _ configuration: Node.Configuration, keeping kept: KeptStack? = nil
    ) throws(ZeroTierError) -> Parts {
        guard protocolVersions.contains(configuration.protocolVersion) else {
            throw ZeroTierError(
                .invalidArgument,
                "protocol version \(configuration.protocolVersion): there are \(protocolVersions.lowerBound), with the older "
                    + "cipher, and \(protocolVersions.upperBound)")
        }
        guard Node.Configuration.relayLimits.contains(configuration.relayedBytesPerSecond) else {
            throw ZeroTierError(
                .invalidArgument,
                "relayed bytes a second are \(Node.Configuration.relayLimits.lowerBound) to "
                    + "\(Node.Configuration.relayLimits.upperBound), not \(configuration.relayedBytesPerSecond)")
        }
        guard configuration.root == nil || configuration.planet == nil else {
            throw ZeroTierError(
                .invalidArgument, "a root by itself makes its planet: leave out the planet, or else `root`")
        }
        let (store, onEnd) = try openStore(configuration.storage)
        var configuration = configuration
        do throws(ZeroTierError) {
            var random = RandomSource(seed: SystemRandom.bytes(32))
            var warnings = (store as? any WarningStore)?.warnings ?? []
            if configuration.traces == nil {
                let (traces, warning) = Node.Traces.unsaid(environment: Environment.value(of: Node.Traces.variable))
                configuration.traces = traces
                if let warning { warnings.append(warning) }
            }
            let identity = try loadIdentity(store, &random, &warnings)
            // Before a planet is stored or signed: a start that fails here has changed nothing that others rely on.
            var port = try openPort(configuration, store, &random)
            port.silence = configuration.silence
            let number = port.port
            let planet = try planet(configuration, store, identity, number)
            let moons = try moons(configuration, store)
            // Who has such roots has them on this machine: nobody else means them.
            if ([planet] + moons).contains(where: \.hasLoopbackRoots) { configuration.allowsLoopbackPaths = true }
            let now = SystemClock.now()
            let kept = Kept(kept)
            let room = kept.room
            var node = ZeroTierNode.Node(
                identity: identity, configuration: settings(configuration, planet, moons),
                random: random.fork(), keeping: kept.stack, now: now)
            let sealed = SealedStore(store, of: identity)
            for peer in peers(sealed, &warnings) {
                _ = node.importPeer(peer.record, isValidated: peer.isOwn, now: now)
            }
            for (id, bytes) in try networks(store) {
                let settings = try store.read(StateName.settings(of: id)).map {
                    ZeroTierWire.NetworkSettings(decoding: $0)
                }
                _ = node.join(id, saved: bytes, settings: settings ?? ZeroTierWire.NetworkSettings(), now: now)
            }
            try store.write(StateName.port, Array(String(number).utf8), isSecret: false)
            let directory = (store as? any LocatedStore)?.directory
            let driver = try start(node, room, port, sealed, directory, configuration, onEnd)
            try begin(driver, configuration, warnings)
            return Parts(driver: driver, identity: Identity(identity.withoutSecret), port: number)
        } catch {
            onEnd()
            throw error
        }
    }

    // What the node does from the start. If it cannot, it ends.
    private static func begin(
        _ driver: NodeDriver, _ configuration: Node.Configuration, _ warnings: [ZeroTierError]
    ) throws(ZeroTierError) {
        do throws(ZeroTierError) {
            if configuration.isController { try driver.enableController() }
            try driver.call { (core, _) throws(ZeroTierError) in
                for warning in warnings { core.outbox.append(.warning(warning)) }
            }
        } catch {
            driver.stopBlocking()
            throw error
        }
    }

    // What is taken over of an earlier node, if there was one.
    private struct Kept: ~Copyable {
        var stack: StackHandover?
        var room = WaitingRoom()

        init(_ kept: KeptStack?) {
            guard let parts = kept?.take() else { return }
            room = parts.room
            stack = parts.giveStack()
        }
    }

    private static func start(
        _ node: consuming ZeroTierNode.Node, _ room: WaitingRoom, _ port: consuming UDPPort,
        _ store: any StateStore, _ directory: String?,
        _ configuration: Node.Configuration, _ onEnd: @escaping @Sendable () -> Void
    ) throws(ZeroTierError) -> NodeDriver {
        do throws(SystemError) {
            let driver = try NodeDriver(
                node: node, room: room, port: port, store: store,
                hub: EventHub(capacity: configuration.eventCapacity),
                settings: NodeDriver.Settings(
                    allowLoopback: configuration.allowsLoopbackPaths, bindAddresses: configuration.bindAddresses,
                    refusedInterfaces: configuration.refusedInterfaces, log: configuration.log,
                    keepAlive: configuration.keepAlive, linger: max(.zero, configuration.shutdownLinger),
                    directory: directory, controllerStore: configuration.controllerStore,
                    onEnd: onEnd,
                    traces: configuration.traces ?? [], traceOutput: configuration.traceOutput))
            try driver.start()
            return driver
        } catch {
            throw ZeroTierError(error)
        }
    }

    // MARK: State

    private static func openStore(
        _ storage: Node.Storage
    ) throws(ZeroTierError) -> (any StateStore, @Sendable () -> Void) {
        switch storage.kind {
        case .memory: return (MemoryStore(), {})
        case .store(let store): return (store, {})
        case .directory(let path):
            let store = try DirectoryStore(path: path)
            return (store, { store.unlock() })
        }
    }

    // A stored identity that is damaged is never replaced: it may be the only proof of membership in many networks.
    private static func loadIdentity(
        _ store: any StateStore, _ random: inout RandomSource, _ warnings: inout [ZeroTierError]
    ) throws(ZeroTierError) -> ZeroTierWire.Identity {
        guard let bytes = try store.read(StateName.secretIdentity) else {
            let identity = ZeroTierWire.Identity.generate(using: &random)
            let secret = Array(identity.text(includeSecret: true).utf8)
            try store.write(StateName.secretIdentity, secret, isSecret: true)
            writePublic(identity, store, &warnings)
            return identity
        }
        let location = store.location(of: StateName.secretIdentity)
        guard let identity = ZeroTierWire.Identity(text: String(decoding: bytes, as: UTF8.self)) else {
            throw ZeroTierError(
                .invalidIdentity, "\(location) does not hold an identity; it was left as it is. Restore or remove it.")
        }
        guard identity.secretKeys != nil, identity.hasMatchingSecret else {
            throw ZeroTierError(
                .invalidIdentity, "\(location) has no secret keys that fit the identity; it was left as it is.")
        }
        guard identity.validate() else {
            throw ZeroTierError(
                .invalidIdentity,
                "the address \(identity.address) in \(location) does not follow from its keys; it was left as it is.")
        }
        writePublic(identity, store, &warnings)
        return identity
    }

    // It follows from the secret one, and nothing reads it but people and tools: no reason not to start.
    private static func writePublic(
        _ identity: ZeroTierWire.Identity, _ store: any StateStore, _ warnings: inout [ZeroTierError]
    ) {
        do throws(ZeroTierError) {
            try store.write(StateName.publicIdentity, Array(identity.text(includeSecret: false).utf8), isSecret: false)
        } catch {
            warnings.append(error)
        }
    }

    private static func planet(
        _ configuration: Node.Configuration, _ store: any StateStore, _ identity: ZeroTierWire.Identity, _ port: UInt16
    ) throws(ZeroTierError) -> World {
        guard let root = configuration.root else { return try choosePlanet(configuration.planet, store) }
        return try RootPlanet(store: store, identity: Identity(identity.withoutSecret)).choose(root.endpoints) {
            let addresses =
                configuration.bindAddresses.isEmpty
                ? Node.usableAddresses(allowLoopback: configuration.allowsLoopbackPaths) : configuration.bindAddresses
            return addresses.prefix(RootPlanet.mostEndpoints).map { SocketEndpoint($0, port: port) }
        }.world
    }

    /// The planet given, or a newer version of it that was stored; else the stored one, unless it is an older version of
    /// the standard one; else the standard one.
    static func choosePlanet(_ given: RootSet?, _ store: any StateStore) throws(ZeroTierError) -> World {
        var stored: World?
        // libzt 1.8 had another name for it, under which it goes on being found.
        for name in [StateName.planet, StateName.roots] where stored == nil {
            stored = try store.read(name).map { (bytes) throws(ZeroTierError) in
                try world(bytes, .planet, at: store.location(of: name))
            }
        }
        guard let given else {
            guard let stored else { return World.defaultPlanet }
            guard stored.canBeReplaced(by: World.defaultPlanet) else { return stored }
            try store.write(StateName.planet, World.defaultPlanet.encoded, isSecret: false)
            return World.defaultPlanet
        }
        guard given.world.kind == .planet else {
            throw ZeroTierError(.invalidWorld, "the planet given is a moon")
        }
        if let stored, given.world.canBeReplaced(by: stored) { return stored }
        try store.write(StateName.planet, given.bytes, isSecret: false)
        return given.world
    }

    // A damaged one is never passed over: the node would go to other roots than its owner means.
    private static func world(
        _ bytes: [UInt8], _ kind: World.Kind, at location: String
    ) throws(ZeroTierError) -> World {
        guard let world = try? World(decoding: bytes), world.kind == kind else {
            throw ZeroTierError(
                .invalidWorld, "\(location) does not hold a \(kind); it was left as it is. Restore or remove it.")
        }
        return world
    }

    private static func moons(
        _ configuration: Node.Configuration, _ store: any StateStore
    ) throws(ZeroTierError) -> [World] {
        var moons = configuration.moons.map(\.world).filter { $0.kind == .moon }
        for name in try store.list(StateName.moonFolder) where name.hasSuffix(".moon") {
            let path = "\(StateName.moonFolder)/\(name)"
            guard let bytes = try store.read(path) else { continue }
            let moon = try world(bytes, .moon, at: store.location(of: path))
            if let index = moons.firstIndex(where: { $0.id == moon.id }) {
                if moons[index].canBeReplaced(by: moon) { moons[index] = moon }
            } else {
                moons.append(moon)
            }
        }
        return moons
    }

    // All of this can be learned again: what is damaged is told and passed over.
    private static func peers(_ store: SealedStore, _ warnings: inout [ZeroTierError]) -> [SealedStore.Peer] {
        let oldest = SystemClock.now().unixMilliseconds / 1000 - peerLifetime
        var peers: [SealedStore.Peer] = []
        var damaged: [String] = []
        for file in (try? store.list(StateName.peerFolder)) ?? [] where file.hasSuffix(".peer") {
            let name = "\(StateName.peerFolder)/\(file)"
            let location = store.location(of: name)
            if let changed = FileSystem.facts(of: location)?.modified, changed < oldest {
                try? store.remove(name)
            } else if let peer = try? store.peer(name), name == StateObject.peer(peer.address).name {
                peers.append(peer)
            } else {
                damaged.append(location)
            }
        }
        if !damaged.isEmpty {
            let named = damaged.prefix(namedFiles).joined(separator: ", ")
            let more = damaged.count > namedFiles ? " and \(damaged.count - namedFiles) more" : ""
            warnings.append(
                ZeroTierError(
                    .storageUnavailable,
                    "no record of the peer that the name says, left and not used: \(named)\(more). Remove what is not needed."
                ))
        }
        return peers
    }

    // Only what the file's name says is needed: its contents come again from the controller.
    private static func networks(
        _ store: any StateStore
    ) throws(ZeroTierError) -> [(ZeroTierWire.NetworkID, [UInt8])] {
        var networks: [(ZeroTierWire.NetworkID, [UInt8])] = []
        for name in try store.list(StateName.networkFolder) where name.hasSuffix(".conf") {
            guard let id = ZeroTierWire.NetworkID(text: name.dropLast(5)) else { continue }
            if let bytes = try store.read("\(StateName.networkFolder)/\(name)") { networks.append((id, bytes)) }
        }
        return networks
    }

    // MARK: Port

    private static func openPort(
        _ configuration: Node.Configuration, _ store: any StateStore, _ random: inout RandomSource
    ) throws(ZeroTierError) -> UDPPort {
        let mode: UDPMode = configuration.usesOffload ? .automatic : .plain
        let addresses = configuration.bindAddresses
        if configuration.port != 0 {
            do throws(SystemError) {
                return try UDPPort(addresses: addresses, port: configuration.port, mode: mode)
            } catch {
                throw portError(error, configuration.port)
            }
        }
        var candidates: [UInt16] = []
        if let bytes = try store.read(StateName.port), let last = UInt16(String(decoding: bytes, as: UTF8.self)) {
            candidates.append(last)
        }
        var lastError = SystemError(SystemError.addressInUse, "bind a UDP port")
        for trial in 0..<portTrials {
            let candidate =
                trial < candidates.count
                ? candidates[trial] : randomPorts.lowerBound + UInt16(random.next(below: randomPorts.count))
            do throws(SystemError) {
                return try UDPPort(addresses: addresses, port: candidate, mode: mode)
            } catch {
                lastError = error
                guard error.isOfPort else { throw portError(error, candidate) }
            }
        }
        throw portError(lastError, 0)
    }

    private static func portError(_ error: SystemError, _ port: UInt16) -> ZeroTierError {
        switch error.number {
        case SystemError.addressInUse:
            ZeroTierError(
                .portTaken, "UDP port \(port) is in use by another program; choose another, or 0 for any",
                systemError: error.number)
        case SystemError.addressNotAvailable:
            ZeroTierError(
                .addressNotAvailable, "cannot \(error.operation): this machine has no such address",
                systemError: error.number)
        default: ZeroTierError(error)
        }
    }

    // MARK: Settings

    private static func settings(
        _ configuration: Node.Configuration, _ planet: World, _ moons: [World]
    ) -> ZeroTierNode.NodeConfiguration {
        var settings = ZeroTierNode.NodeConfiguration(planet: planet)
        settings.peers.moons = moons
        settings.peers.allowLoopbackPaths = configuration.allowsLoopbackPaths
        settings.peers.directPathsEnabled = !configuration.isRelayOnly
        settings.stack.congestionControl = CongestionAlgorithm(configuration.congestionControl)
        settings.stack.requestsCongestionMarks = configuration.requestsCongestionMarks
        settings.peers.limits.relayedBytesPerSecond = configuration.relayedBytesPerSecond
        settings.peers.limits.relayedBytesBurst = configuration.relayedBytesPerSecond
        settings.peers.softwareVersion = SoftwareVersion(
            major: UInt8(libraryVersion.major), minor: UInt8(libraryVersion.minor),
            revision: UInt16(libraryVersion.revision))
        settings.peers.announcedProtocolVersion = UInt8(clamping: configuration.protocolVersion)
        return settings
    }
}

extension World {
    /// Whether a root is reached by the loopback interface alone.
    fileprivate var hasLoopbackRoots: Bool {
        roots.contains { root in !root.endpoints.isEmpty && root.endpoints.allSatisfy { $0.address.isLoopback } }
    }
}
