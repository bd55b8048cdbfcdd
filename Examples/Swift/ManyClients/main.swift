// A room: every client sends lines, and all clients get them. `example-chat [ADDRESS]:7` enters it.

import ZeroTier

actor Room {
    private var members: [StreamSocket] = []

    func enter(_ socket: StreamSocket) { members.append(socket) }

    func tell(_ line: String) async {
        for member in members {
            do {
                try await member.write("\(line)\n", timeout: .seconds(1))
            } catch {
                // It has left, or takes nothing: the others do not wait for it.
                member.abort()
                members.removeAll { $0 === member }
            }
        }
    }
}

try await Node.with(.init(storage: .directory("room"))) { node in
    let network = try await node.join(.adHoc(ports: 7...9))
    print("the room is at [\(network.addresses[0].address)]:7")
    let room = Room()
    try await node.listen(port: 7).serve(atMost: 1000) { socket in
        await room.enter(socket)
        for try await line in socket.lines(longest: 200) { await room.tell(line) }
    }
}
