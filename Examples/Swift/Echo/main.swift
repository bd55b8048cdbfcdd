// The README's example: an echo server on an ad-hoc network. `Tests/RepositoryTests` holds the two equal.

import ZeroTier

let node = try await Node.start(.init(storage: .directory("state")))
try await node.join(NetworkID.adHoc(ports: 0...65535))
let listener = try node.listen(port: 7)
for try await socket in listener {
    Task { for try await bytes in socket { try await socket.write(bytes) } }
}
