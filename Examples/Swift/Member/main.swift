// A member of a private network: `example-member NETWORK`. It waits until somebody lets it in.

import ZeroTier

try await Node.with(.init(storage: .directory("member"))) { node in
    print("this is \(node.id)")
    let network = try await node.join(NetworkID(CommandLine.arguments[1])!, timeout: nil)
    print("let in, as \(network.addresses[0].address)")
}
