// A server that ends well at SIGTERM and Ctrl-C: what it has written still reaches its clients.

import Dispatch
import Glibc
import ZeroTier

let server = Task {
    try await Node.with(.init(storage: .directory("server"))) { node in
        let network = try await node.join(.adHoc(ports: 7...9))
        print("a greeting is at [\(network.addresses[0].address)]:7")
        try await node.listen(port: 7).serve { socket in try await socket.write("hello") }
    }
}

let watched = [SIGTERM, SIGINT].map { number in
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .main)
    source.setEventHandler { server.cancel() }
    source.resume()
    return source
}

do {
    try await server.value
} catch is CancellationError {
    print("ended by a signal")
}
for source in watched { source.cancel() }
