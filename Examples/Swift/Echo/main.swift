// The README's example: an echo server on an ad-hoc network. `Tests/RepositoryTests` holds the two equal.

import ZeroTier

let node = try await Node.start(.init(storage: .directory("server")))
let network = try await node.join(NetworkID.adHoc(ports: 7...9))
print("connect to [\(network.addresses[0].address)]:7")
let listener = try node.listen(port: 7)
for try await socket in listener {
    Task { for try await bytes in socket { try await socket.write(bytes) } }
}
