// A root of one's own and a node that uses it: `example-own-roots 203.0.113.5/9993`, the place where nodes reach the root.

import ZeroTier

let place = SocketEndpoint(CommandLine.arguments[1])!
var settings = Node.Configuration(storage: .directory("root"))
settings.port = place.port
settings.root = Node.Root(endpoints: [place])

try await Node.with(settings) { root in
    // Its bytes are the file `planet` that every other node is given.
    let planet = try root.planet()!
    var settings = Node.Configuration(storage: .directory("member"))
    settings.planet = try RootSet(bytes: planet.bytes)
    try await Node.with(settings) { node in
        try await node.waitUntilOnline(timeout: .seconds(20))
        print("online by \(planet)")
    }
}
