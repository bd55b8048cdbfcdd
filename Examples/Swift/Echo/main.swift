// The README's example: an echo server on an ad-hoc network. `Tests/RepositoryTests` holds the two equal.

import ZeroTier

try await Node.with(.init(storage: .directory("server"))) { node in
    let network = try await node.join(.adHoc(ports: 7...9))
    print("connect to [\(network.addresses[0].address)]:7")
    try await node.listen(port: 7).serve { socket in
        for try await bytes in socket { try await socket.write(bytes) }
    }
}
