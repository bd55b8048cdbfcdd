// The service as a function from requests to answers, without sockets. Read first: Docs/decisions/0033-the-service.md.

package import ZeroTier

/// The REST service of a node, and of its controller if it is one.
package struct NodeService: Sendable {
    private let access: ServiceAccess
    private let settings: LocalSettings
    let routes: [ServiceRoute]
    private let events: EventStreams

    /// - Parameters:
    ///   - home: the state directory, as it is shown.
    ///   - access: who may ask.
    package init(_ node: Node, home: String, access: ServiceAccess, settings: LocalSettings) {
        self.access = access
        self.settings = settings
        let state = NodeRoutes(node: node, home: home, settings: settings, metrics: NodeMetrics())
        let networks = ControllerRoutes(controller: node.controller, address: node.id)
        events = EventStreams(node)
        let central = access.central.map { CentralRoutes(node: node, face: $0).routes } ?? []
        routes =
            state.routes + networks.routes + RuleRoutes().routes + events.routes + DescriptionRoutes().routes
            + PageRoutes().routes + central
    }

    /// Ends what would last as long as its client wants.
    func endStreams() { events.end() }

    /// Why a request is not answered; nil if it is. Needs no body.
    package func refusal(of request: ServiceRequest) -> ServiceAnswer? {
        access.refusal(of: request, managers: settings.current.managers)
    }

    /// The answer, without its body for HEAD: that is left to who sends it. Throws `CancellationError` alone.
    package func answer(to request: ServiceRequest) async throws -> ServiceAnswer {
        if let refusal = refusal(of: request) { return refusal }
        guard let name = request.parameter("jsonp") else { return try await routed(request) }
        // Before anything is changed.
        if let refusal = ScriptAnswer.refusal(of: name) { return refusal }
        return try await ScriptAnswer.wrap(try await routed(request), name)
    }

    private func routed(_ request: ServiceRequest) async throws -> ServiceAnswer {
        guard let path = request.path, let method = request.method else { return .empty(404) }
        for route in routes where route.method == method {
            guard let arguments = route.arguments(of: path) else { continue }
            do {
                return try await route.answer(ServiceCall(request: request, arguments: arguments))
            } catch let error as ZeroTierError {
                return NodeService.answer(to: error)
            }
        }
        return .empty(404)
    }

    // Nothing was changed in any of these cases.
    private static func answer(to error: ZeroTierError) -> ServiceAnswer {
        switch error.code {
        case .networkNotFound, .memberNotFound, .notJoined: .empty(404)
        case .controllerDisabled: .error(404, error.message)
        case .invalidArgument: .error(400, error.message)
        case .limitReached, .nodeStopped: .error(503, error.message)
        default: .error(500, error.message)
        }
    }
}
