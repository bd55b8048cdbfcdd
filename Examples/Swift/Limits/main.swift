// A question that waits for nothing without end: `example-limits [ADDRESS]:7`, where `example-echo` answers.

import ZeroTier

let server = SocketEndpoint(CommandLine.arguments[1])!
try await Node.with(.init(storage: .directory("limits"))) { node in
    try await node.waitUntilOnline(timeout: .seconds(20))
    try await node.join(.adHoc(ports: 7...9), timeout: .seconds(20))
    let answer = try await node.withConnection(to: server, timeout: .seconds(20)) { socket in
        try socket.setKeepAlive(.init(idle: .seconds(5), interval: .seconds(1), count: 3))
        try await socket.write("hello", timeout: .seconds(5))
        return try await socket.read(exactly: 5, timeout: .seconds(5))
    }
    print("in time: \(String(decoding: answer, as: UTF8.self))")

    // Nobody has this address. The limit is an error of the library, and says what it waited for.
    let nobody = SocketEndpoint("[fd00::1]:7")!
    do {
        try await node.ping(nobody.address, timeout: .milliseconds(100))
    } catch let error as ZeroTierError {
        print("\(error.code): \(error.message)")
    }

    // A task that is cancelled leaves every wait, here that for a connection nobody makes.
    let waiting = Task { _ = try await node.listen(port: 8).accept() }
    waiting.cancel()
    do {
        try await waiting.value
    } catch is CancellationError {
        print("cancelled")
    }
}
