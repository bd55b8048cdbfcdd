// The page for people who would rather look: its files, which are a part of the program. Read first:
// Docs/decisions/0038-the-page.md.

/// Serves the files of the page. They hold no secret; what they show they ask for with the token, as any script does.
struct PageRoutes: Sendable {
    /// The first part of the paths of all files.
    static let folder = "app"

    /// One file.
    struct File: Sendable {
        let name: String
        let contentType: String
        let bytes: [UInt8]
    }

    /// All files. The page is the first.
    static let files: [File] = [
        File(name: "index.html", contentType: "text/html; charset=utf-8", bytes: PackageResources.index_html),
        File(name: "style.css", contentType: "text/css; charset=utf-8", bytes: PackageResources.style_css),
        File(name: "icon.svg", contentType: "image/svg+xml", bytes: PackageResources.icon_svg),
        script("addresses.js", PackageResources.addresses_js),
        script("api.js", PackageResources.api_js),
        script("dialogs.js", PackageResources.dialogs_js),
        script("dom.js", PackageResources.dom_js),
        script("events.js", PackageResources.events_js),
        script("format.js", PackageResources.format_js),
        script("graphs.js", PackageResources.graphs_js),
        script("main.js", PackageResources.main_js),
        script("members.js", PackageResources.members_js),
        script("network.js", PackageResources.network_js),
        script("networks.js", PackageResources.networks_js),
        script("node.js", PackageResources.node_js),
        script("peers.js", PackageResources.peers_js),
        script("rules.js", PackageResources.rules_js),
        script("samples.js", PackageResources.samples_js),
        script("subnets.js", PackageResources.subnets_js),
        script("trial.js", PackageResources.trial_js),
    ]

    private static func script(_ name: String, _ bytes: [UInt8]) -> File {
        File(name: name, contentType: "text/javascript; charset=utf-8", bytes: bytes)
    }

    /// What a browser is told with every file: it runs, shows and asks nothing that is not of this service, and nobody puts the
    /// page into a frame.
    static let headers: [(name: String, value: String)] = [
        (
            name: "Content-Security-Policy",
            value: [
                "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
                "img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
            ].joined(separator: "; ")
        ),
        (name: "Referrer-Policy", value: "no-referrer"), (name: "Cross-Origin-Opener-Policy", value: "same-origin"),
        (name: "Cross-Origin-Resource-Policy", value: "same-origin"),
    ]

    var routes: [ServiceRoute] {
        [
            // Names of the other files are relative to the folder.
            ServiceRoute(.get, "/\(PageRoutes.folder)") { _ in
                var answer = ServiceAnswer.empty(308)
                answer.headers = [(name: "Location", value: "\(PageRoutes.folder)/")]
                return answer
            },
            ServiceRoute(.get, "/\(PageRoutes.folder)/{file}") { call in PageRoutes.answer(call.arguments[0]) },
        ]
    }

    // The folder itself is the page.
    private static func answer(_ name: String) -> ServiceAnswer {
        guard let file = name.isEmpty ? files.first : files.first(where: { $0.name == name }) else {
            return .empty(404)
        }
        var answer = ServiceAnswer(status: 200, contentType: file.contentType, body: .bytes(file.bytes))
        answer.headers = headers
        return answer
    }
}
