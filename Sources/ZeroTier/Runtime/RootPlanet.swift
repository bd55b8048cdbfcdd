// The planet of a node that is a root by itself: kept, made, or signed anew.

import ZeroTierWire

/// The files of a root in its store. What is damaged is left as it is.
struct RootPlanet {
    static let mostEndpoints = 32

    let store: any StateStore
    /// Without its secret.
    let identity: Identity

    /// The stored planet if it names this root alone and no other endpoints are wanted, else a new version of it, which is
    /// stored. `standard` gives the endpoints of a first one, unless they are given.
    func choose(
        _ wanted: [SocketEndpoint], standard: () -> [SocketEndpoint]
    ) throws(ZeroTierError) -> RootSet {
        guard let bytes = try store.read(StateName.planet) else {
            let endpoints = wanted.isEmpty ? standard() : wanted
            guard !endpoints.isEmpty else {
                throw ZeroTierError(
                    .invalidArgument, "this machine has no address that nodes could reach: give an endpoint")
            }
            if let key = try key() { return try sign(endpoints, key: key, after: nil) }
            return try sign(endpoints, key: try makeKey(), after: nil)
        }
        let stored = try parse(StateName.planet) { () throws(ZeroTierError) in try RootSet(bytes: bytes) }
        let file = store.location(of: StateName.planet)
        guard stored.kind == .planet, stored.roots.count == 1, stored.roots[0].identity == identity else {
            throw ZeroTierError(
                .invalidWorld,
                "\(file) names other roots than this one alone; it was left as it is. One root of several is a node with "
                    + "that planet, a root of its own needs another state directory.")
        }
        if wanted.isEmpty || wanted == stored.roots[0].endpoints { return stored }
        guard let key = try key(), try stored.isSigned(with: key) else {
            throw ZeroTierError(
                .invalidWorld,
                "\(file) has other endpoints, and \(store.location(of: StateName.planetKey)), which could sign a new "
                    + "version, is missing or another one; both were left as they are.")
        }
        return try sign(wanted, key: key, after: stored)
    }

    private func sign(
        _ endpoints: [SocketEndpoint], key: RootSet.SigningKey, after stored: RootSet?
    ) throws(ZeroTierError) -> RootSet {
        let planet = try RootSet(
            id: stored?.id ?? UInt64.random(in: 1...UInt64.max), after: stored,
            roots: [RootSet.Root(identity: identity, endpoints: endpoints)], key: key)
        try store.write(StateName.planet, planet.bytes, isSecret: false)
        return planet
    }

    private func key() throws(ZeroTierError) -> RootSet.SigningKey? {
        guard let bytes = try store.read(StateName.planetKey) else { return nil }
        return try parse(StateName.planetKey) { () throws(ZeroTierError) in try RootSet.SigningKey(bytes: bytes) }
    }

    private func makeKey() throws(ZeroTierError) -> RootSet.SigningKey {
        let key = RootSet.SigningKey()
        try store.write(StateName.planetKey, key.bytes, isSecret: true)
        return key
    }

    private func parse<Value>(
        _ name: String, _ body: () throws(ZeroTierError) -> Value
    ) throws(ZeroTierError) -> Value {
        do throws(ZeroTierError) {
            return try body()
        } catch {
            throw ZeroTierError(
                error.code,
                "\(store.location(of: name)): \(error.message); the file was left as it is: restore or remove it")
        }
    }
}

extension RootSet {
    /// As the other, but newer than an earlier version even if the clock is behind: nodes take newer ones only.
    package init(id: UInt64, after earlier: RootSet?, roots: [Root], key: SigningKey) throws(ZeroTierError) {
        let now = UInt64(max(0, SystemClock.now().unixMilliseconds))
        let next = earlier.map { $0.timestampMilliseconds == .max ? .max : $0.timestampMilliseconds + 1 } ?? 0
        try self.init(id: id, timestampMilliseconds: max(now, next), roots: roots, key: key)
    }

    /// Whether this key signed it: signatures have no randomness, so the same contents give the same bytes.
    package func isSigned(with key: SigningKey) throws(ZeroTierError) -> Bool {
        try RootSet(id: id, timestampMilliseconds: timestampMilliseconds, roots: roots, key: key) == self
    }
}
