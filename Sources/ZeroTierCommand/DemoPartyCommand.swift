// One of the two nodes of `zerotier demo`, as a process of its own. Not meant to be started by hand.

import ArgumentParser
import Foundation
import Glibc
import ZeroTier

struct DemoPartyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-party", abstract: "One of the nodes of the demo.", shouldDisplay: false,
        subcommands: [Serve.self, Send.self, Member.self])

    struct Options: ParsableArguments {
        @Option var planet: String
        @Option(transform: Parse.network) var network: NetworkID
        @Option var size = 100_000
        @Flag(name: .customLong("plain-udp")) var plainUDP = false

        func validate() throws { try Limits.check(size, Limits.streamBytes, "--size") }

        /// Starts a node, which joins the network; and waits until it is in it, if that needs nobody else.
        func start(waits: Bool = true) async throws -> Node {
            var configuration = Node.Configuration()
            configuration.planet = try Files.planet(planet)
            configuration.allowsLoopbackPaths = true
            configuration.usesOffload = !plainUDP
            configuration.log = { event in
                switch event {
                case .online, .offline, .peerDirect, .peerRelayed, .networkReady, .networkFailed:
                    Output.log(Report.event(event).text)
                default: break
                }
            }
            let node = try await Node.start(configuration)
            Output.log("node \(node.id) on UDP port \(node.port)")
            if waits {
                _ = try await node.join(network, timeout: .seconds(20))
            } else {
                try node.startJoining(network)
            }
            return node
        }

        static let echoPort: UInt16 = 7
        static let discardPort: UInt16 = 9
    }

    struct Serve: AsyncParsableCommand {
        @OptionGroup var options: Options

        func run() async throws {
            endWithStandardInput()
            let node = try await options.start()
            try await node.waitUntilOnline(timeout: .seconds(20))
            let echo = try node.listen(port: Options.echoPort)
            let discard = try node.listen(port: Options.discardPort)
            let address = try node.networks().first?.addresses.first?.address
            Output.log("my address is \(address?.description ?? "unknown")")
            let echoed = try await Transfer.echo(try await echo.accept())
            Output.log("echoed \(echoed.bytes) bytes")
            let received = try await Transfer.receiveAndConfirm(try await discard.accept())
            Output.log(received.report("received").text)
            await node.shutdown()
            Output.log("all done")
            waitForEnd()
        }
    }

    struct Send: AsyncParsableCommand {
        @OptionGroup var options: Options
        @Option(transform: Parse.address) var to: IPAddress

        func run() async throws {
            endWithStandardInput()
            let node = try await options.start()
            try await node.waitUntilOnline(timeout: .seconds(20))
            for sequence in 0..<4 {
                let result = try await node.ping(to, sequence: sequence, timeout: .seconds(10))
                Output.log("ping \(Report.echo(result).text)")
            }
            try await showDirect(node)
            for sequence in 4..<8 {
                let result = try await node.ping(to, sequence: sequence, timeout: .seconds(10))
                Output.log("ping \(Report.echo(result).text)")
            }
            let echo = try await node.connect(
                to: SocketEndpoint(to, port: Options.echoPort), timeout: .seconds(10))
            let echoed = try await Transfer.sendAndCompare(100_000, over: echo, patience: .seconds(20))
            Output.log("echo: \(echoed.bytes) bytes came back as they were sent")
            let discard = try await node.connect(
                to: SocketEndpoint(to, port: Options.discardPort), timeout: .seconds(10))
            let sent = try await Transfer.sendAndConfirm(options.size, to: discard, patience: .seconds(20))
            Output.log(sent.report("sent").text)
            Output.log("the receiver confirmed that SHA-256")
            await node.shutdown()
            Output.log("all done")
            waitForEnd()
        }

        // Fails when the peer is still relayed after ten seconds.
        private func showDirect(_ node: Node) async throws {
            for _ in 0..<100 {
                if let peer = try node.peers().first(where: { $0.role == .leaf && $0.isDirect }) {
                    let path = peer.paths.first { $0.isPreferred }
                    Output.log("peer \(peer.id) is reached directly at \(path?.endpoint.description ?? "?")")
                    return
                }
                _ = try? await node.ping(to, timeout: .seconds(2))
                try await Task.sleep(for: .milliseconds(100))
            }
            throw Failure("transferFailed", "the peer is still reached through the root only")
        }
    }
}

/// Ends this process when its standard input ends: when the demo does.
func endWithStandardInput() {
    let thread = Thread {
        var byte: UInt8 = 0
        while true {
            // Sound: one byte, as said.
            let count = unsafe read(STDIN_FILENO, &byte, 1)
            if count == 0 || (count < 0 && errno != EINTR) { exit(0) }
        }
    }
    thread.start()
}

/// Waits for the end that the demo brings: it still reads the last lines.
func waitForEnd() {
    while true { sleep(60) }
}
