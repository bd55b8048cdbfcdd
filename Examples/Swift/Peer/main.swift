// Who is at the other end: a server for the nodes named on its command line, `example-peer 0123456789`, and nobody else.

import ZeroTier

let friends = Set(CommandLine.arguments.dropFirst().compactMap { NodeID($0) })

try await Node.with(.init(storage: .directory("server"))) { node in
    let network = try await node.join(.adHoc(ports: 7...9))
    print("friends connect to [\(network.addresses[0].address)]:7")
    try await node.listen(port: 7).serve { socket in
        let peer = try socket.peer()
        guard let id = peer.node, friends.contains(id) else {
            print("\(peer.endpoint) is not a friend")
            return socket.abort()
        }
        print("\(id) at \(peer.endpoint), \(peer.status?.isDirect == true ? "direct" : "relayed")")
        print("its identity is \(peer.identity?.publicText ?? "not known")")
        for try await bytes in socket { try await socket.write(bytes) }
    }
}
