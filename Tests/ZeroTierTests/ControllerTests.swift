import Foundation
import NetPrimitives
import Testing
import ZeroTierController

@testable import ZeroTier

extension DriverTests {
    /// Networks of one's own over real sockets: the root of the other tests is their controller too, with a directory.
    @Suite struct ControllerTests {
        private struct Lab {
            let folder: String
            let port: UInt16
            let planet: RootSet
            let controller: Node
            let first: Node
            let second: Node

            init() async throws {
                folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                let secret = folder + "/identity.secret"
                _ = FileManager.default.createFile(
                    atPath: secret, contents: Data(TestIdentity.root.utf8), attributes: [.posixPermissions: 0o600])
                port = try Node.findFreePort()
                planet = try Constellation.makePlanet(port: port)
                controller = try await Lab.startController(folder, port, planet)
                first = try await Node.start(Constellation.configuration(TestIdentity.first, planet))
                second = try await Node.start(Constellation.configuration(TestIdentity.second, planet))
                try await first.waitUntilOnline(timeout: .seconds(20))
                try await second.waitUntilOnline(timeout: .seconds(20))
            }

            static func startController(_ folder: String, _ port: UInt16, _ planet: RootSet) async throws -> Node {
                var settings = Node.Configuration(storage: .directory(folder))
                settings.planet = planet
                settings.allowsLoopbackPaths = true
                settings.port = port
                settings.isController = true
                return try await Node.start(settings)
            }

            func end() async {
                for node in [first, second, controller] { await node.shutdown() }
                try? FileManager.default.removeItem(atPath: folder)
            }
        }

        private func state(_ node: Node, _ id: NetworkID) throws -> NetworkStatus.State? {
            try node.networks().first { $0.id == id }?.state
        }

        private func waits(_ condition: () throws -> Bool) async throws -> Bool {
            let end = ContinuousClock.now + .seconds(20)
            while ContinuousClock.now < end {
                if try condition() { return true }
                try await Task.sleep(for: .milliseconds(20))
            }
            return false
        }

        private func failure(_ body: () async throws -> Void) async -> ZeroTierError? {
            do {
                try await body()
                return nil
            } catch { return error as? ZeroTierError }
        }

        @Test func `a member is refused, let in, talks, is let out, and all is there after a restart`() async throws {
            let lab = try await Lab()
            let network = try await lab.controller.controller.create {
                $0.name = "lab"
                $0.assign(IPPrefix("10.77.0.0/24")!)
            }
            #expect(network.settings.isPrivate && network.id.controller == lab.controller.id)
            var changes = lab.controller.controller.changes.makeAsyncIterator()
            for node in [lab.first, lab.second] { try node.startJoining(network.id) }
            var waiting: Set<NodeID> = []
            while waiting.count < 2, let change = await changes.next() {
                if case .memberWaiting(network.id, let node) = change { waiting.insert(node) }
            }
            #expect(waiting == [lab.first.id, lab.second.id])
            #expect(try await waits { try state(lab.first, network.id) == .accessDenied })
            #expect(try Set(lab.controller.controller.waitingNodes(of: network.id)) == waiting)
            let refusal = await failure { _ = try await lab.first.ping(IPAddress("10.77.0.9")!, timeout: .seconds(1)) }
            #expect(refusal?.message.contains("does not admit this node yet") == true, "\(refusal as Any)")
            for node in [lab.first, lab.second] {
                let member = try await lab.controller.controller.authorize(node.id, on: network.id)
                #expect(member.settings.isAuthorized && member.admission == .administrator && member.isOnline)
            }
            let other = try #require(try lab.second.network(network.id))
            try await other.waitUntilReady(timeout: .seconds(20))
            try await #require(try lab.first.network(network.id)).waitUntilReady(timeout: .seconds(20))
            let address = try #require(other.addresses.first?.address)
            #expect(IPPrefix("10.77.0.0/24")!.contains(address))
            _ = try await lab.first.ping(address, timeout: .seconds(20))
            // Let out: it hears of it by asking, and the other one does not answer it any more.
            try await lab.controller.controller.authorize(lab.second.id, on: network.id, false)
            #expect(try await waits { try state(lab.second, network.id) == .accessDenied })
            let silence = await failure { _ = try await lab.first.ping(address, timeout: .seconds(3)) }
            #expect(silence?.code == .timedOut)
            // A new node on the same directory has everything.
            let before = try lab.controller.controller.members(of: network.id)
            #expect(before.map(\.settings.isAuthorized).filter(\.self).count == 1)
            await lab.controller.shutdown()
            let again = try await Lab.startController(lab.folder, lab.port, lab.planet)
            #expect(try again.controller.networks() == [network])
            let after = try again.controller.members(of: network.id)
            #expect(after.map(\.id) == before.map(\.id) && after.map(\.settings) == before.map(\.settings))
            try await again.controller.authorize(lab.second.id, on: network.id)
            _ = try await lab.first.ping(address, timeout: .seconds(30))
            try await again.controller.delete(network.id)
            #expect(try again.controller.networks().isEmpty)
            // The first one has not asked the new node yet: it hears of it with its next question.
            #expect(try await waits { try state(lab.second, network.id) == .notFound })
            await again.shutdown()
            await lab.end()
        }

        @Test func `a token lets in, rules reach members, and a bad one changes nothing`() async throws {
            let lab = try await Lab()
            let controller = lab.controller.controller
            let network = try await controller.create {
                $0.assign(IPPrefix("10.78.0.0/24")!)
                $0.tokens = [ControlledNetwork.Token("open sesame = 1")]
            }
            let first = try await lab.first.join(network.id, token: "open sesame = 1", timeout: .seconds(20))
            #expect(try controller.member(lab.first.id, of: network.id)?.admission == .token("open sesame = 1"))
            // The other one is refused without it, and let in when it shows it.
            let second = try lab.second.startJoining(network.id, token: "shut")
            #expect(try await waits { try state(lab.second, network.id) == .accessDenied })
            try lab.second.startJoining(network.id, token: "open sesame = 1")
            try await second.waitUntilReady(timeout: .seconds(20))
            let target = try #require(second.addresses.first?.address)
            _ = try await lab.first.ping(target, timeout: .seconds(20))
            let rules = try NetworkRules("tag level id 7 default 3; drop ipprotocol icmp; accept;")
            let changed = try await controller.change(network.id) { $0.rules = rules }
            #expect(changed.settings.rules == rules && changed.settings.rules.tags.first?.name == "level")
            #expect(try await waits { try lab.first.ruleReport(of: network.id).report.rules.count == 3 })
            let member = try controller.member(lab.first.id, of: network.id)
            #expect(member?.settings.tags == [7: 3])
            let silence = await failure { _ = try await lab.first.ping(target, timeout: .seconds(2)) }
            #expect(silence?.code == .timedOut || silence?.code == .hostUnreachable)
            // Too long a text for a record: nothing of it is taken, nor of what came with it.
            let long = try NetworkRules("accept;" + String(repeating: "#", count: 300_000))
            let refused = await failure {
                _ = try await controller.change(network.id) {
                    $0.name = "changed"
                    $0.rules = long
                }
            }
            #expect(refused?.code == .invalidArgument && refused?.message.contains("rulesSource") == true)
            #expect(try controller.network(network.id) == changed)
            for token in ["", String(repeating: "t", count: 129), "a\u{0}b"] {
                let wrong = await failure { try lab.first.startJoining(network.id, token: token) }
                #expect(wrong?.code == .invalidArgument)
            }
            #expect(first.id == network.id)
            await lab.end()
        }

        @Test func `what cannot be is refused with its reason, and changes nothing`() async throws {
            var settings = Constellation.configuration(TestIdentity.first, try Constellation.makePlanet(port: 1))
            let node = try await Node.start(settings)
            let controller = node.controller
            let disabled = await failure { _ = try await controller.create() }
            #expect(disabled?.code == .controllerDisabled)
            try await node.enableController()
            try await node.enableController()
            let network = try await controller.create(NetworkID(node.id.value << 24 | 5))
            let taken = await failure { _ = try await controller.create(network.id) }
            let foreign = await failure { _ = try await controller.create(NetworkID(7)) }
            let unknown = await failure { _ = try await controller.change(NetworkID(7)) { _ in } }
            let invalid = await failure { _ = try await controller.change(network.id) { $0.mtu = 1 } }
            let nobody = await failure { try await controller.remove(NodeID(5), from: network.id) }
            #expect([taken, foreign, invalid].allSatisfy { $0?.code == .invalidArgument })
            #expect(unknown?.code == .networkNotFound && nobody?.code == .memberNotFound)
            #expect(invalid?.message.contains("mtu") == true)
            #expect(try controller.networks() == [network])
            await node.shutdown()
            // A file that is no store of ours stops the start and stays as it is.
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let notes = Data(String(repeating: "notes of somebody ", count: 100).utf8)
            try notes.write(to: URL(fileURLWithPath: folder + "/controller.db"))
            settings = Node.Configuration(storage: .directory(folder))
            settings.isController = true
            let damaged = settings
            let refused = await failure { _ = try await Node.start(damaged) }
            #expect(refused?.code == .storageUnavailable && refused?.message.contains("controller.db") == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: folder + "/controller.db")) == notes)
        }
    }
}
