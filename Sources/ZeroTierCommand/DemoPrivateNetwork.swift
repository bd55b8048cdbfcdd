// The second part of `zerotier demo`: a private network, its controller, and two members.

import ArgumentParser
import ZeroTier

extension DemoTour {
    /// A controller of one's own and two members: D is refused, let in, talks with C, is let out and cut off.
    func showPrivateNetwork() async throws {
        let (home, planet) = ("\(directory)/controller", "\(directory)/root/planet")
        let controller = try start(
            "controller",
            [
                "run", "--controller", "--home", home, "--planet", planet, "--loopback-paths", "--end-with-input",
                "--plain-log",
            ] + options)
        _ = try await controller.line(containing: "state in")
        let made = try await administer(
            ["network", "create", "--name", "demo", "--subnet", "10.147.17.0/24"], home)
        guard let network = made.lazy.compactMap(DemoTour.network).first else {
            throw Failure("failed", "no network was made")
        }
        let party = ["demo-party", "member", "--planet", planet, "--network", network] + options
        let first = try start("member C", party)
        let firstNode = try await node(first)
        _ = try await controller.line(containing: "node \(firstNode) waits")
        _ = try await administer(["member", "authorize", network, firstNode], home)
        let address = try await first.line(containing: "my address is").split(separator: " ").last ?? ""

        let second = try start("member D", party + ["--to", String(address)])
        let secondNode = try await node(second)
        _ = try await second.line(containing: "does not let this node in")
        _ = try await administer(["member", "authorize", network, secondNode], home)
        _ = try await second.line(containing: "came back as they were sent")
        _ = try await administer(["member", "deauthorize", network, secondNode], home)
        for member in [first, second] { _ = try await member.line(containing: "all done") }
    }

    // Runs a command as an administrator types it; its lines.
    private func administer(_ words: [String], _ home: String) async throws -> [String] {
        say("$ zerotier controller " + words.joined(separator: " "))
        return try await start("shell", ["controller"] + words + ["--home", home]).lines()
    }

    private func node(_ member: ChildProcess) async throws -> String {
        let words = try await member.line(containing: "on UDP port").split(separator: " ")
        guard words.count > 1 else { throw Failure("failed", "a member does not say who it is") }
        return String(words[1])
    }

    // Of a line `network ID NAME`.
    private static func network(_ line: String) -> String? {
        let words = line.split(separator: " ").map(String.init)
        return words.count >= 2 && words[0] == "network" && NetworkID(words[1]) != nil ? words[1] : nil
    }
}

extension DemoPartyCommand {
    /// A member of the private network.
    struct Member: AsyncParsableCommand {
        @OptionGroup var options: Options
        @Option(transform: Parse.address) var to: IPAddress?

        func run() async throws {
            endWithStandardInput()
            let node = try await options.start(waits: false)
            guard let network = try node.network(options.network) else { throw Failure("failed", "no network") }
            let changes = network.changes
            for await status in changes {
                if status.state == .accessDenied { Output.log("the controller does not let this node in") }
                if let address = status.addresses.first?.address, status.state == .ok {
                    Output.log("my address is \(address)")
                    break
                }
            }
            if let to { try await talk(node, changes, to) } else { try await answer(node) }
            await node.shutdown()
            Output.log("all done")
            waitForEnd()
        }

        // Talks until the controller lets this node out.
        private func talk(_ node: Node, _ changes: NetworkChanges, _ to: IPAddress) async throws {
            let echo = try await node.connect(
                to: SocketEndpoint(to, port: Options.echoPort), timeout: .seconds(10))
            let echoed = try await Transfer.sendAndCompare(100_000, over: echo, patience: .seconds(20))
            Output.log("echo: \(echoed.bytes) bytes came back as they were sent")
            for await status in changes where status.state == .accessDenied { break }
            Output.log("the controller has let this node out")
            // The others hear of it a moment later.
            for _ in 0..<20 {
                do {
                    _ = try await node.ping(to, timeout: .seconds(1))
                } catch let error as ZeroTierError {
                    return Output.log("cut off: \(error.message)")
                }
                try await Task.sleep(for: .milliseconds(100))
            }
            throw Failure("failed", "a node that was let out still reaches a member")
        }

        // Answers a member, and looks for as long as it is there.
        private func answer(_ node: Node) async throws {
            let socket = try await node.listen(port: Options.echoPort).accept()
            let peer = socket.remoteEndpoint.address
            let echoed = try await Transfer.echo(socket)
            Output.log("echoed \(echoed.bytes) bytes of \(peer)")
            do {
                while true {
                    _ = try await node.ping(peer, timeout: .seconds(1))
                    try await Task.sleep(for: .milliseconds(50))
                }
            } catch let error as ZeroTierError {
                Output.log("\(peer) is not reached any more: \(error.message)")
            }
        }
    }
}
