// The README's example: the other side of the echo. `Tests/RepositoryTests` holds the two equal.

import ZeroTier

let node = try await Node.start(.init(storage: .directory("client")))
try await node.join(NetworkID.adHoc(ports: 7...9))
let socket = try await node.connect(to: SocketEndpoint(CommandLine.arguments[1])!)
try await socket.write(Array("hello".utf8))
print(String(decoding: try await socket.read(exactly: 5), as: UTF8.self))
await node.shutdown()
