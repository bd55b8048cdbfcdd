// What the service answers about the node itself. Read first: Docs/service.md.

import JSONValues
import ZeroTier
import ZeroTierController

/// The routes of a node.
struct NodeRoutes: Sendable {
    let node: Node
    let home: String
    let settings: LocalSettings
    let metrics: NodeMetrics

    var routes: [ServiceRoute] { stateRoutes + networkRoutes + peerRoutes + moonRoutes + bondRoutes }

    // MARK: State

    private var stateRoutes: [ServiceRoute] {
        [
            ServiceRoute(.get, "/status") { _ in
                .json(NodeForm.status(try node.status(), try node.planet(), home: home, local: settings.current))
            },
            ServiceRoute(.get, "/health") { _ in .json(NodeForm.health(isOnline: try node.status().isOnline)) },
            ServiceRoute(.get, "/config") { _ in .json(settings.current.shown.sortedByKey) },
            ServiceRoute(.post, "/config/settings") { call in try configure(call.request.body) },
            ServiceRoute(.get, "/metrics") { _ in
                ServiceAnswer(status: 200, contentType: "text/plain", body: .bytes(Array(try metrics.text(node).utf8)))
            },
        ]
    }

    private func configure(_ body: [UInt8]) throws -> ServiceAnswer {
        if body.isEmpty { return .emptyObject }
        let changes: [(key: String, value: JSONValue)]
        do throws(JSONError) {
            let members = try JSONField(JSONDocument(body).root).members()
            changes = members.map { (key: $0.key, value: $0.field.value) }
        } catch {
            return .error(error.isNoJSON ? 500 : 400, "\(error)")
        }
        try settings.set(changes)
        return .emptyObject
    }

    // MARK: Networks

    private var networkRoutes: [ServiceRoute] {
        [
            ServiceRoute(.get, "/network") { _ in
                // One that is left meanwhile has no settings any more.
                let all = try node.networkDetails().sorted { $0.status.id < $1.status.id }.compactMap { details in
                    (try? node.settings(of: details.status.id)).map { object(details, $0) }
                }
                return .json(.array(all))
            },
            ServiceRoute(.get, "/network/{network}") { call in try shown(call.network) },
            ServiceRoute(.post, "/network/{network}") { call in try join(call.network, call.request.body) },
            ServiceRoute(.delete, "/network/{network}") { call in
                guard try node.networkDetails(of: call.network) != nil else { return .emptyObject }
                try node.leave(call.network)
                return .json(.object([("result", .bool(true))]))
            },
        ]
    }

    private func object(_ details: NetworkDetails, _ settings: NetworkSettings) -> JSONValue {
        .object(NodeForm.network(details, settings).map { ($0.key, $0.value) })
    }

    private func shown(_ id: NetworkID) throws(ZeroTierError) -> ServiceAnswer {
        guard let details = try node.networkDetails(of: id), let settings = try? node.settings(of: id) else {
            return .json(.object([]), status: 404)
        }
        return .json(object(details, settings))
    }

    // Everything is read before anything is done.
    private func join(_ id: NetworkID, _ body: [UInt8]) throws -> ServiceAnswer {
        var changes: [(path: WritableKeyPath<NetworkSettings, Bool>, isAllowed: Bool)] = []
        // What is no JSON says nothing: some send an empty body or a form.
        do throws(JSONError) {
            changes = try JSONDocument(body).read { (json) throws(JSONError) in try NodeRoutes.changes(json) }
        } catch  where error.isNoJSON {
            changes = []
        } catch {
            return .error(400, "\(error)")
        }
        let isJoined = try node.networkDetails(of: id) != nil
        if !isJoined { try node.startJoining(id) }
        if !changes.isEmpty {
            var settings = try node.settings(of: id)
            for (path, isAllowed) in changes { settings[keyPath: path] = isAllowed }
            try node.setSettings(settings, of: id)
        }
        return try shown(id)
    }

    private static func changes(
        _ json: JSONField
    ) throws(JSONError) -> [(path: WritableKeyPath<NetworkSettings, Bool>, isAllowed: Bool)] {
        let names: [(String, WritableKeyPath<NetworkSettings, Bool>)] = [
            ("allowDNS", \.allowsDNS), ("allowDefault", \.allowsDefault), ("allowGlobal", \.allowsGlobal),
            ("allowManaged", \.allowsManaged),
        ]
        var changes: [(path: WritableKeyPath<NetworkSettings, Bool>, isAllowed: Bool)] = []
        for (name, path) in names {
            if let field = json.said(name) { changes.append((path: path, isAllowed: try field.looseBool())) }
        }
        return changes
    }

    // MARK: Peers

    private var peerRoutes: [ServiceRoute] {
        [
            ServiceRoute(.get, "/peer") { _ in
                .json(.array(try node.peers().sorted { $0.id < $1.id }.map(NodeForm.peer)))
            },
            ServiceRoute(.get, "/peer/{node}") { call in
                .json(try node.peer(NodeID(call.number(0))).map(NodeForm.peer) ?? .object([]))
            },
        ]
    }

    // MARK: Moons

    private var moonRoutes: [ServiceRoute] {
        [
            ServiceRoute(.get, "/moon") { _ in .json(.array(try node.moons().map(NodeForm.moon))) },
            ServiceRoute(.get, "/moon/{moon}") { call in .json(try moon(call.number(0)) ?? .object([])) },
            ServiceRoute(.post, "/moon/{moon}") { call in try orbit(call.number(0), call.request.body) },
            ServiceRoute(.delete, "/moon/{moon}") { call in
                try node.deorbit(call.number(0))
                return .json(.object([("result", .bool(true))]))
            },
        ]
    }

    private func moon(_ id: UInt64) throws(ZeroTierError) -> JSONValue? {
        try node.moons().first { $0.id == id }.map(NodeForm.moon)
    }

    private func orbit(_ id: UInt64, _ body: [UInt8]) throws -> ServiceAnswer {
        if let held = try moon(id) { return .json(held) }
        let said = (try? JSONDocument(body))?.root
        guard let said, case .string(let text)? = JSONField(said).said("seed")?.value,
            let seed = UInt64(text, radix: 16), seed != 0, id != 0
        else { return .emptyObject }
        try node.orbit(id, seed: NodeID(seed))
        return .json(NodeForm.waitingMoon(id))
    }

    // MARK: Bonds

    // What the field answers where nothing is bonded.
    private var bondRoutes: [ServiceRoute] {
        let none: ServiceRoute.Answer = { _ in .json(.object([]), status: 400) }
        return [
            ServiceRoute(.get, "/bond/show/{node}", none), ServiceRoute(.post, "/bond/rotate/{node}", none),
            ServiceRoute(.post, "/bond/setmtu/{word}/{word}/{word}", none),
        ]
    }
}
