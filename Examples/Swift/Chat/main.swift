// Two people type lines to each other: `example-chat` waits for a friend, `example-chat [ADDRESS]:7` calls one.

import ZeroTier

try await Node.with(.init(storage: .directory("chat"))) { node in
    let network = try await node.join(.adHoc(ports: 7...9))
    let socket: StreamSocket
    if CommandLine.arguments.count > 1 {
        socket = try await node.connect(to: SocketEndpoint(CommandLine.arguments[1])!)
    } else {
        print("a friend calls [\(network.addresses[0].address)]:7")
        socket = try await node.listen(port: 7).accept()
    }
    // Beside the main thread, which waits for the keyboard.
    async let hearing: Void = {
        for try await line in socket.lines() { print("> \(line)") }
    }()
    while let line = readLine() { try await socket.write("\(line)\n") }
    try socket.closeWrite()
    try await hearing
}
