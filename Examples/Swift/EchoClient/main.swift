// The README's example: the other side of the echo. `Tests/RepositoryTests` holds the two equal.

import ZeroTier

try await Node.with(.init(storage: .directory("client"))) { node in
    try await node.join(.adHoc(ports: 7...9))
    try await node.withConnection(to: SocketEndpoint(CommandLine.arguments[1])!) { socket in
        try await socket.write("hello")
        print(String(decoding: try await socket.read(exactly: 5), as: UTF8.self))
    }
}
