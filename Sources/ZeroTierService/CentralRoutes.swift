// What the service answers to clients of Central, about the networks that this node controls. Read first:
// Docs/decisions/0042-centrals-api.md.

import JSONValues
import NetPrimitives
import ZeroTier
import ZeroTierController

/// The routes of Central's API.
struct CentralRoutes: Sendable {
    let node: Node
    let face: CentralFace
    private let form: CentralForm
    private let start = SystemClock.monotonic()

    private static let tokenLength = 32

    init(node: Node, face: CentralFace) {
        self.node = node
        self.face = face
        form = CentralForm(owner: "\(node.id)")
    }

    private var controller: NetworkController { node.controller }

    var routes: [ServiceRoute] { networkRoutes + memberRoutes + userRoutes }

    private func route(
        _ method: ServiceRequest.Method, _ path: String, _ answer: @escaping ServiceRoute.Answer
    ) -> ServiceRoute {
        ServiceRoute(method, "\(face.path)\(path)", answer)
    }

    // MARK: Networks

    private var networkRoutes: [ServiceRoute] {
        [
            route(.get, "/network") { _ in
                RecordList.answer(NetworkPages(controller, try controller.networkIDs(), show: form.network), .array)
            },
            route(.post, "/network") { call in try await create(call.request.body) },
            route(.get, "/network/{network}") { call in
                try controller.countedNetwork(call.network).map { .json(form.network($0)) } ?? .empty(404)
            },
            route(.post, "/network/{network}") { call in try await change(call.network, call.request.body) },
            route(.delete, "/network/{network}") { call in
                _ = try await controller.deleteRecord(of: call.network)
                return .emptyObject
            },
        ]
    }

    private func create(_ body: [UInt8]) async throws -> ServiceAnswer {
        try await CentralRoutes.read(body, CentralNetworkChange.init) { change in
            let step = try change.step(from: nil)
            return .json(form.network(try await controller.createNetwork(step)))
        }
    }

    private func change(_ id: NetworkID, _ body: [UInt8]) async throws -> ServiceAnswer {
        guard let current = try controller.countedNetwork(id) else { return .empty(404) }
        return try await CentralRoutes.read(body, CentralNetworkChange.init) { change in
            let step = try change.step(from: current.record)
            return .json(form.network(try await controller.changeNetwork(id, step)))
        }
    }

    // MARK: Members

    private var memberRoutes: [ServiceRoute] {
        let path = "/network/{network}/member/{node}"
        return [
            route(.get, "/network/{network}/member") { call in
                let addresses = try physicalAddresses()
                let pages = try MemberPages(controller, call.network) { form.member($0, addresses) }
                return pages.map { RecordList.answer($0, .array) } ?? .empty(404)
            },
            route(.get, path) { call in
                try controller.seenMember(NodeID(call.number(1)), of: call.network).map(shown) ?? .empty(404)
            },
            route(.post, path) { call in
                let member = NodeID(call.number(1))
                return try await CentralRoutes.read(call.request.body, CentralMemberChange.init) { change in
                    try shown(try await controller.changeMember(member, of: call.network) { change.apply(to: &$0) })
                }
            },
            route(.delete, path) { call in
                _ = try await controller.deleteMemberRecord(NodeID(call.number(1)), of: call.network)
                return .emptyObject
            },
        ]
    }

    private func shown(_ member: SeenMember) throws -> ServiceAnswer {
        let address = try node.peer(member.node).flatMap(CentralRoutes.address)
        return .json(form.member(member, address.map { [member.node: $0] } ?? [:]))
    }

    private func physicalAddresses() throws(ZeroTierError) -> [NodeID: String] {
        var addresses: [NodeID: String] = [:]
        for peer in try node.peers() { addresses[peer.id] = CentralRoutes.address(peer) }
        return addresses
    }

    private static func address(_ peer: PeerStatus) -> String? {
        peer.paths.first { $0.isAlive && $0.isPreferred }.map { "\($0.endpoint.address)" }
    }

    // MARK: The one user

    private var userRoutes: [ServiceRoute] {
        [
            route(.get, "/status") { _ in
                try requireController()
                let uptime = (SystemClock.monotonic() - start).milliseconds
                return .json(form.status(uptime: uptime, tokens: face.tokens.names))
            },
            route(.get, "/randomToken") { _ in
                .json(CentralForm.drawn(ServiceFiles.newToken(CentralRoutes.tokenLength)))
            },
            route(.get, "/user/{node}") { call in
                try isOwner(call) ? .json(form.user(face.tokens.names)) : .empty(404)
            },
            route(.post, "/user/{node}/token") { call in
                guard try isOwner(call) else { return .empty(404) }
                return try await CentralRoutes.read(call.request.body, CentralRoutes.token) { token in
                    try face.tokens.add(token.name, token.text)
                    // The token itself is not shown again.
                    return .json(.object([("tokenName", .string(token.name))]))
                }
            },
            route(.delete, "/user/{node}/token/{word}") { call in
                guard try isOwner(call), try face.tokens.remove(call.arguments[1]) else { return .empty(404) }
                return .emptyObject
            },
        ]
    }

    private func requireController() throws(ZeroTierError) { _ = try controller.networkIDs() }

    private func isOwner(_ call: ServiceCall) throws(ZeroTierError) -> Bool {
        try requireController()
        return NodeID(call.number(0)) == node.id
    }

    // MARK: Bodies

    private static func token(_ json: JSONField) throws(JSONError) -> (name: String, text: String) {
        (name: try json.required("tokenName").string(), text: try json.required("token").string())
    }

    // Every fault of a body is its sender's: 400 with the field's name.
    private static func read<Value>(
        _ body: [UInt8], _ read: (JSONField) throws(JSONError) -> Value,
        _ answer: (Value) async throws -> ServiceAnswer
    ) async throws -> ServiceAnswer {
        do {
            var limits = JSONLimits()
            limits.bytes = ControllerLimits.recordText
            let isBlank = body.allSatisfy { $0 == 9 || $0 == 10 || $0 == 13 || $0 == 32 }
            let document = try JSONDocument(isBlank ? Array("{}".utf8) : body, limits: limits)
            return try await answer(try document.read(read))
        } catch let error as JSONError {
            return .error(400, "\(error)")
        } catch let fault as CentralRuleFault {
            return .json(
                .object([
                    ("error", .integer(400)), ("description", .string("rulesSource: \(fault.words)")),
                    ("line", JSONValue(fault.line)), ("column", JSONValue(fault.column)),
                ]), status: 400)
        } catch let refusal as CentralTokens.Refusal {
            switch refusal {
            case .field(let name, let problem): return .error(400, "\(name): \(problem)")
            case .taken(let problem): return .error(409, problem)
            case .full(let limit): return .error(503, "there are \(limit) tokens, which is as many as there may be")
            }
        }
    }
}
