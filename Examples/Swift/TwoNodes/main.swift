// Two nodes in one process, each with an identity of its own. They meet as if they were far apart.

import ZeroTier

let network = NetworkID.adHoc(ports: 7...9)

try await Node.with(.init(storage: .directory("first"))) { first in
    try await Node.with(.init(storage: .directory("second"))) { second in
        let here = try await first.join(network)
        try await second.join(network)
        let listener = try first.listen(port: 7)
        async let greeting = listener.accept().read(exactly: 5)
        try await second.withConnection(to: SocketEndpoint(here.addresses[0].address, port: 7)) { socket in
            try await socket.write("hello")
        }
        print("\(first.id) heard \(String(decoding: try await greeting, as: UTF8.self)) from \(second.id)")
    }
}
