// What the service answers about the networks that the node controls. Nothing is decided here: the controller reads, checks and
// writes the records. Read first: Docs/service.md.

import JSONValues
import ZeroTier

/// The routes of a controller.
struct ControllerRoutes: Sendable {
    let controller: NetworkController
    /// The node's own address, with which the IDs of its networks begin.
    let address: NodeID

    // Some milliseconds under the node's lock.
    static let pageSize = 1024
    static let networksPerPage = 16

    var routes: [ServiceRoute] { networkRoutes + memberRoutes + listRoutes }

    // MARK: Networks

    private var networkRoutes: [ServiceRoute] {
        let path = "/controller/network/{network}"
        return [
            ServiceRoute(.get, "/controller") { _ in
                // Throws unless this node is one.
                _ = try controller.networkIDs()
                return .json(
                    .object([
                        ("apiVersion", .integer(4)), ("clock", NodeForm.clock), ("controller", .bool(true)),
                        ("databaseReady", .bool(true)),
                    ]))
            },
            ServiceRoute(.get, "/controller/network") { _ in
                .json(.array(try controller.networkIDs().map { .string("\($0)") }))
            },
            ServiceRoute(.post, "/controller/network") { call in
                try await changed(call) { .json(try await controller.createRecord($0)) }
            },
            ServiceRoute(.post, "/controller/network/{controller}") { call in
                guard NodeID(call.number(0)) == address else { return .empty(400) }
                return try await changed(call) { .json(try await controller.createRecord($0)) }
            },
            ServiceRoute(.get, path) { call in
                try controller.networkRecord(call.network).map { ServiceAnswer.json($0) } ?? .empty(404)
            },
            ServiceRoute(.post, path) { call in
                try await changed(call) { .json(try await controller.changeRecord(of: call.network, $0)) }
            },
            ServiceRoute(.delete, path) { call in .json(try await controller.deleteRecord(of: call.network)) },
        ]
    }

    // MARK: Members

    private var memberRoutes: [ServiceRoute] {
        let path = "/controller/network/{network}/member/{node}"
        return [
            ServiceRoute(.get, "/controller/network/{network}/member") { call in
                try RevisionList.answer(controller, call.network) ?? .empty(404)
            },
            ServiceRoute(.get, path) { call in
                try controller.seenMember(NodeID(call.number(1)), of: call.network).map { ServiceAnswer.json($0.json) }
                    ?? .empty(404)
            },
            ServiceRoute(.post, path) { call in
                try await changed(call) {
                    .json(try await controller.changeMemberRecord(NodeID(call.number(1)), of: call.network, $0))
                }
            },
            ServiceRoute(.delete, path) { call in
                .json(try await controller.deleteMemberRecord(NodeID(call.number(1)), of: call.network))
            },
        ]
    }

    // A body that is no JSON at all is the field's 500. The controller says what is wrong with a field.
    private func changed(
        _ call: ServiceCall, _ change: ([UInt8]) async throws -> ServiceAnswer
    ) async throws -> ServiceAnswer {
        let body = call.request.body
        do {
            return try await change(ControllerRoutes.saysNothing(body) ? [] : body)
        } catch let error as ZeroTierError where error.code == .invalidArgument {
            return .error(ControllerRoutes.isNoJSON(body) ? 500 : 400, error.message)
        }
    }

    private static func isNoJSON(_ body: [UInt8]) -> Bool {
        if body.isEmpty { return false }
        do throws(JSONError) {
            _ = try JSONDocument(body)
            return false
        } catch {
            return error.isNoJSON
        }
    }

    // Tools send these where they have nothing to say.
    private static func saysNothing(_ body: [UInt8]) -> Bool {
        guard body.count < 64 else { return false }
        let blank: Set<UInt8> = [9, 10, 13, 32]
        if body.allSatisfy(blank.contains) { return true }
        guard let root = (try? JSONDocument(body))?.root else { return false }
        return root == .null || root == .array([])
    }

    // MARK: Lists of records

    private var listRoutes: [ServiceRoute] {
        [
            ServiceRoute(.get, "/unstable/controller/network") { _ in
                RecordList.answer(
                    NetworkPages(controller, try controller.networkIDs(), show: NetworkPages.object), .withNumbers)
            },
            ServiceRoute(.get, "/unstable/controller/network/{network}") { call in
                guard let counted = try controller.countedNetwork(call.network) else { return .empty(404) }
                return .json(NetworkPages.object(counted))
            },
            ServiceRoute(.get, "/unstable/controller/network/{network}/member") { call in
                guard let pages = try MemberPages(controller, call.network, show: \.json) else { return .empty(404) }
                return RecordList.answer(pages, .withNumbers)
            },
        ]
    }
}
