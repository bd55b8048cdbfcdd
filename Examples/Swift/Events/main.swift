// What a window would show of a node. The model belongs to the main actor, as views do; here each change is a line.

import ZeroTier

@MainActor final class Model {
    private(set) var headline = "starting" { didSet { print(headline) } }
    private(set) var isReady = false

    func take(_ event: NodeEvent) {
        switch event {
        case .online: headline = "online"
        case .offline: headline = "offline"
        case .peerDirect(let peer, let endpoint): headline = "\(peer) is direct at \(endpoint)"
        case .networkFailed(_, let error), .warning(let error): headline = error.message
        default: break
        }
    }

    func take(_ network: NetworkStatus) {
        headline = "\(network.id) is \(network.state): \(network.addresses.map(\.description).joined(separator: " "))"
        isReady = network.state == .ok
    }
}

let model = Model()
try await Node.with(.init(storage: .directory("window"))) { node in
    // Before anything happens: a sequence has what comes after it was made.
    let events = node.events
    let network = try node.startJoining(.adHoc(ports: 7...9))
    async let networkShown: Void = { for await status in network.changes { await model.take(status) } }()
    for await event in events {
        model.take(event)
        // A window would go on until it is closed.
        if event == .online { break }
    }
    try network.leave()
    await networkShown
}
