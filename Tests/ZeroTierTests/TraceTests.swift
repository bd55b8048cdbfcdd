import Foundation
import Glibc
import NetPrimitives
import Synchronization
import Testing

@testable import ZeroTier

/// What a node prints.
private final class TraceRecorder: Sendable {
    private let kept = Mutex<[String]>([])

    var lines: [String] { kept.withLock { $0 } }
    /// The parts that said something.
    var parts: Set<String> { Set(lines.map { String($0.split(separator: " ")[2]) }) }

    var sink: @Sendable (String) -> Void { { [self] line in kept.withLock { $0.append(line) } } }

    func clear() { kept.withLock { $0 = [] } }

    /// Waits until a line of a part says so.
    func wait(for part: String, _ words: String) async throws {
        for _ in 0..<400 {
            if lines.contains(where: { $0.contains(" trace \(part) ") && $0.contains(words) }) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("no line of \(part) says \(words): \(lines)")
    }
}

@Suite struct TraceNameTests {
    private typealias Traces = Node.Traces

    @Test func `traces are named between commas, and their description names them again`() {
        #expect(Traces("transport,tcp") == [.transport, .tcp])
        #expect(Traces(" TCP, ndp ,") == [.tcp, .arp])
        #expect(Traces("all") == .all && Traces("basic") == .basic && Traces("none") == [] && Traces("") == [])
        #expect(Traces.all.description == "transport,paths,networks,rules,arp,ip,udp,tcp,sockets,storage")
        #expect(Traces(Traces.all.description) == .all)
        #expect(Traces([]).description == "none")
        #expect(Traces("tcp,nonsense") == nil)
    }

    @Test func `where the program says nothing the environment does, and a name that it has wrong is told`() {
        #expect(Traces.unsaid(environment: nil).traces == Traces.ofBuild)
        #expect(Traces.unsaid(environment: nil).warning == nil)
        #expect(Traces.unsaid(environment: "udp,rules").traces == [.udp, .rules])
        #expect(Traces.unsaid(environment: "none").traces == [])
        let wrong = Traces.unsaid(environment: "udp,everything")
        #expect(wrong.traces == Traces.ofBuild)
        #expect(wrong.warning?.message.contains("everything") == true)
    }
}

@Suite struct TraceOutputTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

    private func lines(_ count: Int) -> [TraceLine] {
        (0..<count).map { TraceLine(part: .ip, text: "number \($0)") }
    }

    @Test func `beyond its pace a node leaves lines out and says how many`() throws {
        let recorder = TraceRecorder()
        let output = TraceOutput(name: "e579b42b36", sink: recorder.sink)
        output.enable(.ip)
        output.write(lines(TraceOutput.linesAtOnce + 50), leftOut: 7, at: start)
        #expect(recorder.lines.count == TraceOutput.linesAtOnce)
        #expect(recorder.lines[0].contains("trace ip e579b42b36 (7 lines were left out) number 0"))
        #expect(recorder.lines[1].hasSuffix("e579b42b36 number 1"))
        output.write(lines(1), leftOut: 0, at: start + .milliseconds(4))
        #expect(recorder.lines.count == TraceOutput.linesAtOnce)
        output.write(lines(1), leftOut: 0, at: start + .milliseconds(5))
        #expect(try #require(recorder.lines.last).contains("(51 lines were left out)"))
    }

    @Test func `what is off is not even made`() {
        let recorder = TraceRecorder()
        let output = TraceOutput(name: "e579b42b36", sink: recorder.sink)
        var made = 0
        func text() -> String {
            made += 1
            return "text"
        }
        output.write(.tcp, text())
        output.enable([.ip, .udp])
        output.write(.tcp, text())
        #expect(made == 0)
        output.write(.udp, text())
        output.enable([])
        output.write(.udp, text())
        #expect(made == 1 && recorder.lines.count == 1)
    }

    @Test func `a reader that does not read, or is gone, holds nobody up`() {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let line = String(repeating: "x", count: 2000)
        var written = 0
        while TraceOutput.put(line, to: ends[1]), written < 1000 { written += 1 }
        // The pipe's 64 KiB, in cut lines.
        #expect(written > 0 && written < 1000)
        close(ends[0])
        #expect(!TraceOutput.put(line, to: ends[1]))
        close(ends[1])
    }
}

extension DriverTests {
    @Suite struct TraceTests {
        private static let network = NetworkID.adHoc(ports: 7...9)

        private func start(
            _ recorder: TraceRecorder, _ traces: Node.Traces, _ nodes: Constellation
        ) async throws -> Node {
            await nodes.first.shutdown()
            var configuration = Constellation.configuration(TestIdentity.first, nodes.planet)
            configuration.traces = traces
            configuration.traceOutput = recorder.sink
            let node = try await Node.start(configuration)
            try await node.waitUntilOnline(timeout: .seconds(20))
            try await node.join(TraceTests.network)
            return node
        }

        // Makes traffic of every kind between a node and the second one, by an allowed port and one that is not.
        private func work(_ node: Node, _ nodes: Constellation, _ listener: Listener) async throws {
            try await nodes.second.waitUntilOnline(timeout: .seconds(20))
            let remote = try #require(try await nodes.second.join(TraceTests.network).addresses.first?.address)
            _ = try await node.ping(remote)
            let socket = try await node.connect(to: SocketEndpoint(remote, port: 7), timeout: .seconds(20))
            try await socket.write([1, 2, 3])
            let accepted = try await listener.accept(timeout: .seconds(20))
            #expect(try await accepted.read(exactly: 3) == [1, 2, 3])
            let datagrams = try node.datagramSocket(bind: SocketEndpoint(.anyIPv6, port: 0))
            try await datagrams.send([4], to: SocketEndpoint(remote, port: 9))
            await #expect(throws: ZeroTierError.self) {
                _ = try await node.connect(to: SocketEndpoint(remote, port: 80), timeout: .milliseconds(300))
            }
            datagrams.close()
            socket.close()
        }

        @Test func `every part tells what it does`() async throws {
            let nodes = try await Constellation()
            let listener = try nodes.second.listen(port: 7)
            let recorder = TraceRecorder()
            let node = try await start(recorder, .all, nodes)
            try await work(node, nodes, listener)
            let peer = nodes.second.id
            for (part, words) in [
                ("transport", "started on UDP port \(node.port)"), ("transport", "online"), ("paths", "own endpoints"),
                ("paths", "peer \(peer) is direct"), ("networks", "network \(TraceTests.network) is ready"),
                ("rules", "ruleOutbound"), ("arp", "can be used"), ("ip", "echo reply"), ("ip", "IPv6 received"),
                ("udp", "sent 1"), ("tcp", "connected"), ("tcp", "received"), ("sockets", "connect TCP to"),
                ("sockets", "bind UDP"), ("sockets", "close"),
            ] {
                try await recorder.wait(for: part, words)
            }
            #expect(recorder.lines.allSatisfy { $0.contains(" trace ") && $0.contains(" \(node.id) ") })
            await node.shutdown()
            try await recorder.wait(for: "transport", "stopped")
            try await recorder.wait(for: "storage", "wrote peers.d/")
            await nodes.shutdown()
        }

        @Test func `parts are switched on and off while a node runs, and off means silence`() async throws {
            let nodes = try await Constellation()
            let listener = try nodes.second.listen(port: 7)
            let recorder = TraceRecorder()
            let node = try await start(recorder, [], nodes)
            try await work(node, nodes, listener)
            #expect(recorder.lines == [])
            #expect(node.traces == [])
            try node.setTraces([.tcp, .ip])
            #expect(node.traces == [.tcp, .ip])
            try await work(node, nodes, listener)
            try await recorder.wait(for: "tcp", "connected")
            try await recorder.wait(for: "ip", "echo reply")
            #expect(recorder.parts == ["tcp", "ip"])
            try node.setTraces([])
            recorder.clear()
            try await work(node, nodes, listener)
            await node.shutdown()
            #expect(recorder.lines == [])
            await nodes.shutdown()
        }
    }
}
