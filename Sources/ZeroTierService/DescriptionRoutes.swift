// The description of the interface, which is a part of the program. Read first: https://spec.openapis.org/oas/v3.1.0.html.

/// Serves the description. Programs read it before they have a token.
struct DescriptionRoutes: Sendable {
    /// The parts of its path.
    static let path = ["zt", "openapi.json"]

    /// The text: the file `Description/openapi.json`.
    static let bytes = PackageResources.openapi_json

    var routes: [ServiceRoute] {
        [
            ServiceRoute(.get, "/" + DescriptionRoutes.path.joined(separator: "/")) { _ in
                ServiceAnswer(
                    status: 200, contentType: ServiceAnswer.jsonType, body: .bytes(DescriptionRoutes.bytes))
            }
        ]
    }
}
