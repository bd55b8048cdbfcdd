import CZeroTier
import Foundation
import NetPrimitives
import Synchronization
import Testing
import ZeroTier

@testable import ZeroTierC

/// What the callback was told of the controller.
private struct News: Equatable, Sendable {
    let code: Int32
    let network: UInt64
    let peer: UInt64
    let mtu: Int32
    let routes: UInt32
    let isOwnAlone: Bool
}

private let news = Mutex<[News]>([])
// Nodes that the callback lets in at once.
private let welcome = Mutex<Set<UInt64>>([])
private let welcomes = Mutex<[Int32]>([])

extension SharedNodeTests {
    /// A network of one's own by the C functions: the process's node is the controller, an instance and itself are members.
    @Suite(.serialized) struct ControllerTests {
        private func directory(_ world: LifecycleTests.World, _ identity: String) throws -> String {
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("zt-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
            try Data(world.planet).write(to: path.appendingPathComponent("planet"))
            try Data(identity.utf8).write(to: path.appendingPathComponent("identity.secret"))
            return path.path
        }

        private func until(_ what: String, _ condition: () -> Bool) async throws {
            for _ in 0..<1500 {
                if condition() { return }
                try await Task.sleep(for: .milliseconds(20))
            }
            Issue.record("\(what) does not come: \(news.withLock { $0 })")
        }

        private var message: String { String(cString: zts_last_error_message()) }

        // A record, by the room that is asked for first.
        private func text(_ call: (UnsafeMutablePointer<CChar>?, UnsafeMutablePointer<Int>) -> Int32) throws -> String {
            var room = 0
            #expect(call(nil, &room) == -2)
            try #require(room > 0)
            var buffer = [CChar](repeating: 1, count: room + 1)
            var length = room - 1
            #expect(call(&buffer, &length) == -2 && length == room && buffer.allSatisfy { $0 == 1 })
            #expect(call(&buffer, &length) == 0 && length == room - 1 && buffer[room - 1] == 0 && buffer[room] == 1)
            return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        private func object(_ text: String) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }

        private func start(_ path: String) {
            let result = zts_start(
                path,
                { message in
                    let message = message!.pointee
                    guard message.eventCode >= 160 else { return }
                    let network = message.network?.pointee
                    let peer = message.peer?.pointee.address ?? 0
                    news.withLock {
                        $0.append(
                            News(
                                code: message.eventCode, network: network?.nwid ?? 0, peer: peer,
                                mtu: network?.mtu ?? 0, routes: network?.num_routes ?? 0,
                                isOwnAlone: message.node == nil && message.netif == nil && message.addr == nil))
                    }
                    guard message.eventCode == 160, welcome.withLock({ $0.contains(peer) }) else { return }
                    let result = zts_controller_member_authorize(network!.nwid, peer, true)
                    welcomes.withLock { $0.append(result) }
                }, 0)
            #expect(result == 0)
        }

        private static let home = """
            {"name":"home","mtu":"1500","v4AssignMode":{"zt":true},"routes":[{"target":"10.1.2.0/24"}],
             "ipAssignmentPools":[{"ipRangeStart":"10.1.2.1","ipRangeEnd":"10.1.2.254"}],"nobody":"knows this"}
            """

        @Test func `a private network, made, joined, let in, let out and found again`() async throws {
            let world = try LifecycleTests.World()
            let paths = [try directory(world, TestIdentity.first), try directory(world, TestIdentity.second)]
            defer { for path in paths { try? FileManager.default.removeItem(atPath: path) } }
            // Before the start.
            #expect(zts_controller_enable(true) == 0)
            start(paths[0])
            let instance = zts_instance_start(paths[1], nil, nil, 0)
            try #require(instance > 0)
            let member: UInt64 = 0x16_6176_ae31
            try await until("online") { zts_get_node_status() == 2 && zts_instance_is_online(instance) == 1 }
            var network: UInt64 = 0
            #expect(zts_controller_network_create(&network, Self.home) == 0, "\(message)")
            #expect(network >> 24 == zts_get_node_id() && network & 0xff_ffff != 0)
            try records(network)
            try refusals(network)
            try await admission(network, member, instance)
            try await departure(network, member, instance)
            try instances(instance, network)
            #expect(zts_instance_free(instance) == 0)
            try await again(paths[0], network)
            await world.root.shutdown()
        }

        private func records(_ network: UInt64) throws {
            #expect(try text { zts_controller_network_list($0, $1) } == "[\"\(String(network, radix: 16))\"]")
            let record = try object(try text { zts_controller_network_get(network, $0, $1) })
            #expect(record["name"] as? String == "home" && record["mtu"] as? Int == 1500)
            #expect(record["private"] as? Bool == true && record["revision"] as? Int == 1)
            #expect(record["nobody"] == nil && record["id"] as? String == String(network, radix: 16))
            // The other generation: its own code for room that is too small, the same text.
            var buffer = [CChar](repeating: 0, count: 4096)
            var length = 3
            #expect(zts18_controller_network_get(network, &buffer, &length) == -3 && length > 3)
            length = buffer.count
            #expect(zts18_controller_network_get(network, &buffer, &length) == 0)
            #expect(try textOf(buffer) == text { zts_controller_network_get(network, $0, $1) })
            // Under an ID that is chosen, and gone again.
            let other = network ^ 1
            #expect(zts18_controller_network_set(other, "{\"private\":false}") == 0)
            #expect(zts_controller_network_set(other, "{\"multicastLimit\":0}") == 0)
            let second = try object(try text { zts_controller_network_get(other, $0, $1) })
            #expect(second["private"] as? Bool == false && second["revision"] as? Int == 2)
            #expect(zts_controller_network_delete(other) == 0 && zts_controller_network_delete(other) == -5)
            #expect(zts18_controller_network_delete(other) == -4)
        }

        private func refusals(_ network: UInt64) throws {
            let before = try text { zts_controller_network_get(network, $0, $1) }
            for (json, words) in [
                ("{\"mtu\":\"large\"}", ["line 1, column 8", "mtu"]), ("{\"mtu\":99}", ["mtu", "1280"]),
                ("{\"private\":[]}", ["private", "true or false"]), ("{", ["line 1"]), ("[]", ["object"]),
                ("{\"routes\":[{\"target\":\"10.1.2.0\"}]}", ["routes[0].target"]),
                (
                    #"{"name":"x","ipAssignmentPools":[{"ipRangeStart":"10.1.2.9","ipRangeEnd":"10.1.2.1"}]}"#,
                    ["ipAssignmentPools", "10.1.2.9"]
                ),
                (
                    #"{"rules":[{"type":"ACTION_ACCEPT"},{"type":"MATCH_ALL"}]}"#, ["rules[1].type", "MATCH_ALL"]
                ),
                ("{\"rulesSource\":\"drop\\n  not;\"}", ["rulesSource", "line"]),
                ("{\"tags\":[{\"id\":1},{\"id\":1}]}", ["tags", "twice"]),
            ] as [(String, [String])] {
                #expect(zts_controller_network_set(network, json) == -2, "\(json)")
                for word in words { #expect(message.contains(word), "\(json): \(message)") }
            }
            #expect(zts18_controller_network_set(network, "{\"mtu\":99}") == -3)
            #expect(zts_controller_network_set(1, "{}") == -2 && message.contains("begin with its own address"))
            #expect(zts_controller_member_set(network, 0x11_2233_4455, "{\"ipAssignments\":[7]}") == -2)
            #expect(message.contains("ipAssignments[0]"))
            #expect(zts_controller_member_authorize(network ^ 2, 1, true) == -5)
            var length = 0
            #expect(zts_controller_member_get(network, 0x11_2233_4455, nil, &length) == -5)
            #expect(zts_controller_member_delete(network, 0x11_2233_4455) == -5)
            #expect(try text { zts_controller_network_get(network, $0, $1) } == before)
            // Rules by their source.
            #expect(zts_controller_network_set(network, "{\"rulesSource\":\"drop ethertype arp; accept;\"}") == 0)
            let compiled = try object(try text { zts_controller_network_get(network, $0, $1) })
            let rules = compiled["rules"] as? [[String: Any]]
            #expect(rules?.count == 3 && rules?.first?["type"] as? String == "MATCH_ETHERTYPE")
            #expect(zts_controller_network_set(network, "{\"rules\":[{\"type\":\"ACTION_ACCEPT\"}]}") == 0)
        }

        private func admission(_ network: UInt64, _ member: UInt64, _ instance: Int32) async throws {
            #expect(zts_instance_join(instance, network) == 0)
            try await until("the refusal") { zts_instance_get_network_status(instance, network) == 36 }
            let asked = News(code: 160, network: network, peer: member, mtu: 1500, routes: 1, isOwnAlone: true)
            try await until("the news of it") { news.withLock { $0.contains(asked) } }
            let waiting = try object(try text { zts_controller_member_get(network, member, $0, $1) })
            #expect(waiting["authorized"] as? Bool == false && waiting["revision"] as? Int == 0)
            #expect((waiting["identity"] as? String)?.hasPrefix("166176ae31:0:") == true)
            #expect(try text { zts_controller_member_list(network, $0, $1) } == "{\"166176ae31\":0}")
            #expect(zts_instance_get_num_assigned_addresses(instance, network) == 0)
            // Forgotten, it asks again, and the callback lets it in.
            welcome.withLock { _ = $0.insert(member) }
            #expect(zts_controller_member_delete(network, member) == 0)
            try await until("its address") { zts_instance_get_network_status(instance, network) == 37 }
            // What it lets its controller set.
            var settings = zts_network_settings()
            #expect(zts_instance_get_network_settings(instance, network, &settings) == 0)
            #expect(settings.allow_managed == 1 && settings.allow_dns == 0)
            settings.allow_managed = 0
            #expect(zts_instance_set_network_settings(instance, network, &settings) == 0)
            #expect(zts_instance_get_num_assigned_addresses(instance, network) == 0)
            settings.allow_managed = 2
            #expect(zts_instance_set_network_settings(instance, network, &settings) == -2)
            settings.allow_managed = 1
            #expect(zts_instance_set_network_settings(instance, network, &settings) == 0)
            #expect(zts_instance_get_num_assigned_addresses(instance, network) == 1)
            #expect(welcomes.withLock { $0 } == [0])
            let changed = News(code: 161, network: network, peer: member, mtu: 1500, routes: 1, isOwnAlone: true)
            try await until("the news of the member") { news.withLock { $0.contains(changed) } }
            let record = try object(try text { zts_controller_member_get(network, member, $0, $1) })
            var address = sockaddr_storage()
            #expect(zts_instance_get_address(instance, network, &address, 2) == 0)
            let bytes = withUnsafeBytes(of: &address) { Array($0[4..<8]) }
            #expect((record["ipAssignments"] as? [String])?.first == bytes.map(String.init).joined(separator: "."))
            #expect(record["lastAuthorizedCredentialType"] as? String == "api")
            // The controller itself is a member when it is let in.
            #expect(zts_controller_member_authorize(network, zts_get_node_id(), true) == 0)
            #expect(zts_join(network) == 0)
            try await until("the controller's address") { zts_get_network_status(network) == 37 }
            #expect(zts_controller_network_set(network, "{\"mtu\":2000}") == 0)
            let resized = News(code: 162, network: network, peer: 0, mtu: 2000, routes: 1, isOwnAlone: true)
            try await until("the news of the network") { news.withLock { $0.contains(resized) } }
            var details = zts_network_details()
            try await until("the new MTU") {
                zts_instance_get_network_details(instance, network, &details) == 0 && details.mtu == 2000
            }
        }

        private func departure(_ network: UInt64, _ member: UInt64, _ instance: Int32) async throws {
            welcome.withLock { $0 = [] }
            #expect(zts18_controller_member_authorize(network, member, 0) == 0)
            try await until("the end of it") { zts_instance_get_network_status(instance, network) == 36 }
            let record = try object(try text { zts_controller_member_get(network, member, $0, $1) })
            #expect(record["authorized"] as? Bool == false && (record["lastDeauthorizedTime"] as? Int ?? 0) > 0)
            #expect(zts_controller_member_authorize(network, member, true) == 0)
            try await until("its return") { zts_instance_get_network_status(instance, network) == 37 }
        }

        private func instances(_ instance: Int32, _ network: UInt64) throws {
            var own: UInt64 = 0
            #expect(zts_instance_controller_network_create(instance, &own, "{}") == -3)
            #expect(message.contains("controller"))
            #expect(zts_instance_controller_enable(instance, true) == 0)
            #expect(zts_instance_controller_network_create(instance, &own, "") == 0 && own >> 24 == 0x16_6176_ae31)
            #expect(zts_instance_controller_network_set(instance, own, "{\"name\":\"x\"}") == 0)
            #expect(zts_instance_controller_member_set(instance, own, 7, "{\"name\":\"y\"}") == 0)
            #expect(zts_instance_controller_member_authorize(instance, own, 7, true) == 0)
            let named = try object(try text { zts_instance_controller_network_get(instance, own, $0, $1) })
            #expect(named["name"] as? String == "x")
            #expect(try text { zts_instance_controller_member_list(instance, own, $0, $1) } == "{\"0000000007\":2}")
            let member = try object(try text { zts_instance_controller_member_get(instance, own, 7, $0, $1) })
            #expect(member["name"] as? String == "y" && member["authorized"] as? Bool == true)
            #expect(zts_instance_controller_member_delete(instance, own, 7) == 0)
            #expect(zts_instance_controller_network_delete(instance, own) == 0)
            #expect(try text { zts_instance_controller_network_list(instance, $0, $1) } == "[]")
            #expect(zts_instance_controller_enable(instance, false) == 0)
            #expect(zts_instance_controller_network_create(instance, &own, "{}") == -3)
            // The two nodes have nothing in common.
            #expect(try text { zts_controller_network_list($0, $1) }.contains(String(network, radix: 16)))
        }

        // Another run has the networks of the first, unless it is told not to.
        private func again(_ path: String, _ network: UInt64) async throws {
            let before = try text { zts_controller_network_get(network, $0, $1) }
            #expect(zts_restart() == 0)
            #expect(try text { zts_controller_network_get(network, $0, $1) } == before)
            #expect(zts_stop() == 0)
            try await until("the end") { zts_core_running() == 0 }
            var length = 0
            #expect(zts_controller_network_list(nil, &length) == -3)
            #expect(zts_controller_enable(false) == 0)
            start(path)
            try await until("the start") { zts_get_node_id() >> 40 == 0 }
            #expect(zts_controller_network_list(nil, &length) == -3 && message.contains("no controller"))
            // While it runs.
            #expect(zts18_controller_enable(1) == 0)
            #expect(try text { zts_controller_network_get(network, $0, $1) } == before)
            #expect(zts18_controller_enable(0) == 0)
            #expect(zts_stop() == 0)
        }
    }
}
