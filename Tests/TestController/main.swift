// A root that is also the controller of its networks, with answers from a script: what the events of a library's life are
// tested with. It ends by a signal or after a while.
//
//   test-controller FOLDER PORT CONTROL SECONDS COLLIDING ENDPOINT...
//
// FOLDER gets `planet`, which lists this root with its ENDPOINTs ("10.0.0.1/9993"); it listens there, at PORT. A node with
// the address COLLIDING (10 digits; - for none) is told that its address belongs to another. Script.swift says what the
// networks answer, Sockets.swift what datagrams to 127.0.0.1, port CONTROL do.

import Glibc
import NetPrimitives
import ZeroTierWire

/// The command line.
private struct Settings {
    var folder: String
    var port: UInt16
    var control: UInt16
    var seconds: Int
    var colliding: Address?
    var endpoints: [SocketEndpoint]

    init?(_ words: [String]) {
        guard words.count >= 6, let port = UInt16(words[1]), let control = UInt16(words[2]),
            let seconds = Int(words[3])
        else { return nil }
        let endpoints = words[5...].compactMap { SocketEndpoint($0) }
        guard endpoints.count == words.count - 5 else { return nil }
        if words[4] != "-" {
            guard let address = Address(text: words[4]) else { return nil }
            colliding = address
        }
        (folder, self.port, self.control, self.seconds, self.endpoints) = (words[0], port, control, seconds, endpoints)
    }
}

guard let settings = Settings(Array(CommandLine.arguments.dropFirst())) else {
    print("usage: test-controller FOLDER PORT CONTROL SECONDS COLLIDING ENDPOINT...")
    exit(2)
}
do {
    let sockets = try Sockets(
        addresses: settings.endpoints.map(\.address), port: settings.port, control: settings.control)
    let peer = TestPeer(sockets, endpoints: settings.endpoints, colliding: settings.colliding)
    try sockets.publish(peer.planet, in: settings.folder)
    peer.run(.seconds(settings.seconds))
} catch {
    print("test-controller: \(error)")
    exit(1)
}
