//  What runs on the hosts: pings, and transfers over TCP that are checked byte by byte.
//
//  A transfer: the client connects and sends `size` bytes, the first eight say which transfer it is, and ends its direction;
//  the server reads to the end, sends `replySize` bytes and closes.

package import NetPrimitives
import NetStack
import ZeroTierNode
package import ZeroTierWire

/// One direction of pings between two hosts, one a second.
package struct PingStream: Sendable {
    package let from: Int
    package let to: Int
    package let network: NetworkID
    /// The receiver is not in the network: no answer may ever come.
    package let isStray: Bool
    package internal(set) var isActive = true
    /// Requests that were made, and answers.
    package internal(set) var sent = 0
    package internal(set) var answered = 0
    package internal(set) var lastAnswer: MonotonicInstant?
    /// Whether the last answer came in a datagram of the host that gave it: seen by the network, not told by a node.
    package internal(set) var isLastAnswerDirect = false
    package internal(set) var lastRoundTrip: Duration?
}

/// A transfer over TCP.
package struct Transfer: Sendable {
    /// How far it is.
    package enum State: Sendable, Hashable {
        case planned, open
        /// Both directions came whole.
        case done
        /// One of the ends was restarted meanwhile: nothing can be asked of it.
        case void
        /// It broke though both ends stayed.
        case failed
    }

    package let from: Int
    package let to: Int
    package internal(set) var network: NetworkID
    package let size: Int
    package let replySize: Int
    package internal(set) var state = State.planned
    package internal(set) var attempts = 0
    package internal(set) var startedAt: MonotonicInstant?
    package internal(set) var doneAt: MonotonicInstant?
    // The client's side.
    var client: SocketID?
    var isConnected = false
    var sent = 0
    var isShut = false
    var replyReceived = 0
    // The server's side.
    package internal(set) var received = 0
    var replySent = 0
}

/// The applications of all hosts.
package final class Workload {
    /// Where servers listen.
    static let port: UInt16 = 7000
    static let pingInterval = Duration.seconds(1)
    /// Bytes that a request carries: so many that no packet of the transport itself has the length of one.
    private static let pingPayload = 200

    /// Whether a packet has the length of one that carries an echo, by IPv6 or IPv4: header and verb, network and EtherType,
    /// IP, ICMP.
    static func mayBePing(_ length: Int) -> Bool {
        let rest = length - PacketHeader.payloadOffset - 10 - 8 - pingPayload
        return rest == 40 || rest == 20
    }

    static let chunk = 16_384

    struct Server {
        var transfer: Int?
        var header: [UInt8] = []
        var isEnded = false
    }

    enum Role {
        case listener
        case client(transfer: Int)
        case server(Server)
    }

    package internal(set) var pings: [PingStream] = []
    package internal(set) var transfers: [Transfer] = []
    var sockets: [[SocketID: Role]] = []
    private var scratch = [UInt8](repeating: 0, count: Workload.chunk)

    init() {}

    /// Transfers that are neither done nor void.
    package var openTransfers: [Transfer] { transfers.filter { $0.state == .planned || $0.state == .open } }

    /// Bytes that applications moved so far.
    package var bytesMoved: Int { transfers.reduce(0) { $0 + $1.received + $1.replyReceived } }

    // MARK: Hosts come and go

    func hostStarted(_ host: SimulatedHost, _ simulation: Simulation) {
        while sockets.count <= host.index { sockets.append([:]) }
        sockets[host.index] = [:]
        listen(host, simulation)
    }

    private func listen(_ host: SimulatedHost, _ simulation: Simulation) {
        do {
            let id = try host.node.stack.tcpListen(
                on: SocketEndpoint(.anyIPv6, port: Workload.port), backlog: 64, now: host.clock(simulation.time))
            sockets[host.index][id] = .listener
        } catch {
            simulation.fail("\(host.name) cannot listen: \(error)")
        }
    }

    func hostStopped(_ host: SimulatedHost, _ simulation: Simulation) {
        if host.index < sockets.count { sockets[host.index] = [:] }
        for index in transfers.indices
        where transfers[index].state == .open
            && (transfers[index].from == host.index || transfers[index].to == host.index)
        {
            transfers[index].state = .void
        }
    }

    // MARK: Pings

    /// Begins to ping once a second, by IPv4 where the network has it. `isStray`: the receiver is not in the network.
    package func ping(
        from: SimulatedHost, to: SimulatedHost, on network: NetworkID, isStray: Bool = false, _ simulation: Simulation
    ) {
        pings.append(PingStream(from: from.index, to: to.index, network: network, isStray: isStray))
        nextPing(pings.count - 1, simulation)
    }

    /// Ends all pings.
    package func stopPings() {
        for index in pings.indices { pings[index].isActive = false }
    }

    private func nextPing(_ index: Int, _ simulation: Simulation) {
        guard pings[index].isActive else { return }
        let host = simulation.hosts[pings[index].from]
        if host.isRunning {
            pings[index].sent += 1
            let destination = pings[index].network.virtualAddress(of: simulation.hosts[pings[index].to])
            let now = host.clock(simulation.time)
            let identifier = UInt16(truncatingIfNeeded: index)
            let sequence = UInt16(truncatingIfNeeded: pings[index].sent)
            // Without an address there is no route yet.
            try? StreamContent(transfer: index, isReply: false).bytes(from: 0, count: Workload.pingPayload).withBytes {
                bytes throws(StackError) in
                try host.node.stack.sendEcho(
                    to: destination, identifier: identifier, sequence: sequence, payload: bytes, now: now)
            }
            simulation.drain(host)
        }
        simulation.after(Workload.pingInterval) { self.nextPing(index, $0) }
    }

    // MARK: Transfers

    /// Plans a transfer that starts after a delay.
    package func transfer(
        _ size: Int, reply: Int, from: SimulatedHost, to: SimulatedHost, on network: NetworkID, after delay: Duration,
        _ simulation: Simulation
    ) {
        transfers.append(Transfer(from: from.index, to: to.index, network: network, size: size, replySize: reply))
        let index = transfers.count - 1
        simulation.after(delay) { self.connect(index, $0) }
    }

    private func connect(_ index: Int, _ simulation: Simulation) {
        let transfer = transfers[index]
        guard transfer.state == .planned else { return }
        let host = simulation.hosts[transfer.from]
        guard host.isRunning, simulation.hosts[transfer.to].isRunning else { return retry(index, simulation) }
        let address = transfer.network.virtualAddress(of: simulation.hosts[transfer.to])
        transfers[index].attempts += 1
        do {
            let socket = try host.node.stack.tcpConnect(
                to: SocketEndpoint(address, port: Workload.port), now: host.clock(simulation.time))
            transfers[index].state = .open
            transfers[index].startedAt = simulation.time
            transfers[index].client = socket
            transfers[index].isConnected = false
            transfers[index].sent = 0
            transfers[index].isShut = false
            sockets[host.index][socket] = .client(transfer: index)
            simulation.drain(host)
        } catch {
            retry(index, simulation)
        }
    }

    private func retry(_ index: Int, _ simulation: Simulation) {
        transfers[index].state = .planned
        simulation.after(.seconds(1)) { self.connect(index, $0) }
    }

    // MARK: Events

    func handle(_ event: NodeEvent, of host: SimulatedHost, _ simulation: Simulation) {
        switch event {
        case .echoReply(let reply):
            let index = Int(reply.identifier)
            guard index < pings.count, pings[index].from == host.index else {
                return simulation.fail("\(host.name) got an echo reply that it did not ask for")
            }
            let asked = pings[index].network.virtualAddress(of: simulation.hosts[pings[index].to])
            if reply.source != asked { simulation.fail("\(host.name) asked \(asked), and \(reply.source) answered") }
            pings[index].answered += 1
            pings[index].lastAnswer = simulation.time
            pings[index].isLastAnswerDirect = simulation.arrivalFrom == pings[index].to
            pings[index].lastRoundTrip = reply.roundTrip
        case .socket(let id, let edges):
            guard let role = sockets[host.index][id] else { return }
            switch role {
            case .listener: accept(id, host, simulation)
            case .client(let index):
                if edges.contains(.connected) { transfers[index].isConnected = true }
                pumpClient(index, id, host, simulation)
            case .server(let server): pumpServer(server, id, host, simulation)
            }
        default: break
        }
    }

    private func accept(_ listener: SocketID, _ host: SimulatedHost, _ simulation: Simulation) {
        let now = host.clock(simulation.time)
        while let id = try? host.node.stack.accept(listener, now: now) {
            sockets[host.index][id] = .server(Server())
            pumpServer(Server(), id, host, simulation)
        }
    }

    // MARK: The client

    private func pumpClient(_ index: Int, _ id: SocketID, _ host: SimulatedHost, _ simulation: Simulation) {
        guard transfers[index].client == id, transfers[index].state == .open else { return }
        let now = host.clock(simulation.time)
        do {
            try sendRequest(index, id, host, now)
            try receiveReply(index, id, host, simulation)
        } catch .wouldBlock {
            return
        } catch {
            end(id, host, now)
            if transfers[index].isConnected {
                transfers[index].state = .failed
                simulation.fail(
                    "transfer \(index) from host \(transfers[index].from) to \(transfers[index].to) broke: \(error)")
            } else {
                simulation.note("transfer \(index) cannot connect: \(error)")
                retry(index, simulation)
            }
        }
    }

    private func sendRequest(_ index: Int, _ id: SocketID, _ host: SimulatedHost, _ now: Now) throws(StackError) {
        let content = StreamContent(transfer: index, isReply: false)
        do {
            while transfers[index].sent < transfers[index].size {
                let offset = transfers[index].sent
                let count = min(Workload.chunk, transfers[index].size - offset)
                let taken = try content.bytes(from: offset, count: count).withBytes { bytes throws(StackError) in
                    try host.node.stack.send(id, bytes, now: now)
                }
                transfers[index].sent += taken
            }
            if !transfers[index].isShut {
                try host.node.stack.shutdown(id, .write, now: now)
                transfers[index].isShut = true
            }
        } catch .wouldBlock {
            return
        }
    }

    private func receiveReply(
        _ index: Int, _ id: SocketID, _ host: SimulatedHost, _ simulation: Simulation
    ) throws(StackError) {
        let content = StreamContent(transfer: index, isReply: true)
        let now = host.clock(simulation.time)
        while true {
            let count = try receive(id, host, now)
            guard count > 0 else { break }
            if let place = content.firstDifference(scratch[0..<count], at: transfers[index].replyReceived) {
                simulation.fail("transfer \(index): the reply's byte \(place) is wrong")
            }
            transfers[index].replyReceived += count
        }
        let transfer = transfers[index]
        transfers[index].state = .done
        transfers[index].doneAt = simulation.time
        if transfer.received != transfer.size || transfer.replyReceived != transfer.replySize {
            transfers[index].state = .failed
            simulation.fail(
                "transfer \(index) ended with \(transfer.received) of \(transfer.size) bytes, and "
                    + "\(transfer.replyReceived) of \(transfer.replySize) in reply")
        }
        simulation.note("transfer \(index) done")
        end(id, host, now)
    }

    private func receive(_ id: SocketID, _ host: SimulatedHost, _ now: Now) throws(StackError) -> Int {
        try scratch.withMutableBytes { target throws(StackError) in
            try host.node.stack.receive(id, into: &target, now: now)
        }
    }

    private func end(_ id: SocketID, _ host: SimulatedHost, _ now: Now) {
        host.node.stack.close(id, now: now)
        sockets[host.index][id] = nil
    }

    // MARK: The server

    private func pumpServer(_ state: Server, _ id: SocketID, _ host: SimulatedHost, _ simulation: Simulation) {
        var server = state
        let now = host.clock(simulation.time)
        do {
            while !server.isEnded {
                let count = try receive(id, host, now)
                if count == 0 {
                    server.isEnded = true
                } else {
                    try take(count, &server, id, host, simulation)
                }
            }
            sockets[host.index][id] = .server(server)
            guard let index = server.transfer else { return end(id, host, now) }
            try sendReply(index, id, host, now)
            end(id, host, now)
        } catch .wouldBlock {
            sockets[host.index][id] = .server(server)
        } catch {
            // Whether that matters is seen at the client.
            simulation.note("\(host.name): transfer \(server.transfer ?? -1) ended at the server: \(error)")
            end(id, host, now)
        }
    }

    private func take(
        _ count: Int, _ server: inout Server, _ id: SocketID, _ host: SimulatedHost, _ simulation: Simulation
    ) throws(StackError) {
        var start = 0
        while server.header.count < StreamContent.headerLength, start < count {
            server.header.append(scratch[start])
            start += 1
        }
        guard server.header.count == StreamContent.headerLength else { return }
        if server.transfer == nil {
            let index = server.header.reduce(0) { $0 << 8 | Int($1) }
            guard index < transfers.count else { return simulation.fail("a stream begins with nonsense") }
            server.transfer = index
            let network = transfers[index].network
            let asked = network.virtualAddress(of: host)
            let asker = network.virtualAddress(of: simulation.hosts[transfers[index].from])
            let addresses = try (host.node.stack.localEndpoint(id).address, host.node.stack.remoteEndpoint(id).address)
            if addresses != (asked, asker) {
                simulation.fail("transfer \(index) on \(network) came from \(addresses.1) to \(addresses.0)")
            }
            transfers[index].received = StreamContent.headerLength
            transfers[index].replySent = 0
        }
        guard let index = server.transfer else { return }
        let content = StreamContent(transfer: index, isReply: false)
        if let place = content.firstDifference(scratch[start..<count], at: transfers[index].received) {
            simulation.fail("transfer \(index): byte \(place) is wrong")
        }
        transfers[index].received += count - start
    }

    private func sendReply(_ index: Int, _ id: SocketID, _ host: SimulatedHost, _ now: Now) throws(StackError) {
        let content = StreamContent(transfer: index, isReply: true)
        while transfers[index].replySent < transfers[index].replySize {
            let offset = transfers[index].replySent
            let count = min(Workload.chunk, transfers[index].replySize - offset)
            transfers[index].replySent += try content.bytes(from: offset, count: count).withBytes {
                bytes throws(StackError) in
                try host.node.stack.send(id, bytes, now: now)
            }
        }
    }
}
