// Two players tell each other where they are, 60 times a second: `example-datagrams` waits, `example-datagrams [ADDRESS]:7` begins.

import ZeroTier

try await Node.with(.init(storage: .directory("player"))) { node in
    let network = try await node.join(.adHoc(ports: 7...9))
    try await node.withDatagramSocket(port: 7) { socket in
        let player: SocketEndpoint
        if CommandLine.arguments.count > 1 {
            player = SocketEndpoint(CommandLine.arguments[1])!
        } else {
            print("play with [\(network.addresses[0].address)]:7")
            player = try await socket.receive().source
        }
        async let heard = {
            var count = 0
            while (try? await socket.receive(timeout: .seconds(2))) != nil { count += 1 }
            return count
        }()
        var next = ContinuousClock.now
        for frame in 1...300 {
            try await socket.send(Array("x=\(frame)".utf8), to: player)
            next += .seconds(1) / 60
            try await Task.sleep(until: next, clock: .continuous)
        }
        print("sent 300 places, heard \(await heard)")
    }
}
