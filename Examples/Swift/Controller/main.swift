// The controller of a private network: lets in whom the person at the terminal says yes to.

import ZeroTier

var settings = Node.Configuration(storage: .directory("controller"))
settings.isController = true

try await Node.with(settings) { node in
    var network = try node.controller.networks().first
    if network == nil { network = try await node.controller.create { $0.assign(IPPrefix("10.147.17.0/24")!) } }
    let id = network!.id
    print("the network is \(id)")
    for await change in node.controller.changes {
        guard case .memberWaiting(id, let member) = change else { continue }
        print("is \(member) to be let in?")
        if readLine() == "yes" { try await node.controller.authorize(member, on: id) }
    }
}
