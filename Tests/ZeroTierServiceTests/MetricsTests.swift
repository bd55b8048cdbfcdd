import Foundation
import JSONValues
import NetPrimitives
import TestSupport
import Testing
import ZeroTier

@testable import ZeroTierService

/// What is counted, under the names of the field's daemon.
@Suite struct MetricsTests {
    /// The samples of a text, by name with labels.
    private static func samples(_ lab: ServiceLab) async throws -> [String: Int] {
        let text = try await lab.send("GET", "/metrics", headers: ["Authorization: Bearer \(lab.metricsToken)"]).text
        var samples: [String: Int] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: " ")
            let value = Int(String(parts[1]))
            #expect(value != nil, "\(line)")
            samples[String(parts[0])] = value
        }
        return samples
    }

    private static let pools = """
        "private":false,"routes":[{"target":"10.9.0.0/24"}],"v4AssignMode":{"zt":true},
        "ipAssignmentPools":[{"ipRangeStart":"10.9.0.1","ipRangeEnd":"10.9.0.9"}]
        """

    private static func join(_ node: Node, _ network: String) async throws -> IPAddress {
        let status = try await node.join(NetworkID(network)!, timeout: .seconds(20))
        return try #require(status.addresses.first).address
    }

    @Test func `packets, bytes and frames move their counters`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork("{\(Self.pools)}")
            let member = try await lab.member()
            _ = try await Self.join(lab.node, network)
            let address = try await Self.join(member, network)
            let before = try await Self.samples(lab)
            for sequence in 1...5 {
                _ = try await lab.node.ping(address, sequence: sequence, timeout: .seconds(20))
            }
            let after = try await Self.samples(lab)
            func grew(_ name: String, by least: Int, line: Int = #line) {
                let growth = (after[name] ?? -1) - (before[name] ?? 0)
                #expect(growth >= least, "\(name) grew by \(growth), line \(line)")
            }
            for direction in ["rx", "tx"] {
                grew("zt_packet{direction=\"\(direction)\",packet_type=\"frame\"}", by: 5)
                grew("zt_data{direction=\"\(direction)\",protocol=\"udp\"}", by: 5 * 60)
                grew(
                    "zt_network_packets{accepted=\"yes\",direction=\"\(direction)\",network_id=\"\(network)\"}", by: 5)
                grew("zt_peer_packets{direction=\"\(direction)\",node_id=\"\(member.id)\"}", by: 5)
                #expect(after["zt_packet{direction=\"\(direction)\",packet_type=\"qos\"}"] == 0)
                #expect(after["zt_data{direction=\"\(direction)\",protocol=\"tcp\"}"] == 0)
            }
            for name in [
                "zt_packet{direction=\"rx\",packet_type=\"hello\"}", "zt_packet{direction=\"tx\",packet_type=\"ok\"}",
                "zt_packet{direction=\"rx\",packet_type=\"network_config_request\"}",
                "controller_network_config_request", "controller_network_change_count",
                "controller_member_change_count",
                "controller_member_auth_count", "controller_db_network_change", "controller_db_member_change",
            ] {
                #expect((after[name] ?? 0) > 0, "\(name)")
            }
            #expect(after["zt_peer_packet_errors{node_id=\"\(member.id)\"}"] == 0)
            #expect(after["controller_member_deauth_count"] == 0)
            await member.shutdown()
        }
    }

    @Test func `what rules and controllers refuse is counted`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork(
                "{\(Self.pools),\"rules\":[{\"type\":\"MATCH_IP_PROTOCOL\",\"ipProtocol\":1},{\"type\":\"ACTION_DROP\"},"
                    + "{\"type\":\"ACTION_ACCEPT\"}]}")
            let member = try await lab.member()
            _ = try await Self.join(lab.node, network)
            let address = try await Self.join(member, network)
            _ = try? await lab.node.ping(address, sequence: 1, timeout: .milliseconds(200))
            let refused = "zt_network_packets{accepted=\"no\",direction=\"tx\",network_id=\"\(network)\"}"
            #expect(try await eventually { (try await Self.samples(lab)[refused] ?? 0) > 0 })
            // A network that there is not.
            try member.startJoining(NetworkID("\(lab.address)ffffff")!)
            let unknown = "zt_packet_error{direction=\"tx\",error_type=\"obj_not_found\"}"
            #expect(try await eventually { (try await Self.samples(lab)[unknown] ?? 0) > 0 })
            let path = "/controller/network/\(network)"
            _ = try await lab.ask("POST", path, #"{"private":true}"#)
            _ = try await lab.ask("POST", "\(path)/member/\(member.id)", #"{"authorized":false}"#)
            #expect(try await Self.samples(lab)["controller_member_deauth_count"] == 1)
            await member.shutdown()
        }
    }

    @Test(.enabled(if: MachineProgram.isExpected("promtool"), "there is promtool, of Debian's package prometheus"))
    func `Prometheus's own tool reads the text, and blames nothing but the daemon's names`() async throws {
        try await ServiceLab.with { lab in
            let network = try await lab.makeNetwork("{\(Self.pools)}")
            let member = try await lab.member()
            _ = try await Self.join(lab.node, network)
            _ = try await Self.join(member, network)
            let reply = try await lab.send(
                "GET", "/metrics", headers: ["Authorization: Bearer \(lab.metricsToken)"])
            #expect(reply.status == 200 && reply.text.contains("zt_peer_packets{"))
            let (status, output) = try await onThread { try Self.check(reply.body) }
            // 3: it was read, and something could be called otherwise. 1: it was not read. 127: there is no such tool.
            try #require(
                status == 0 || status == 3,
                "\(status); promtool is in the package prometheus: \(output)")
            let names = #/(zt|controller|zerotier)_[a-z_]+ /#
            let wishes = [
                #"counter metrics should have "_total" suffix"#,
                #"non-histogram and non-summary metrics should not have "_count" suffix"#,
            ]
            for line in output.split(separator: "\n") {
                let rest = line.trimmingPrefix(names)
                #expect(rest.count < line.count && wishes.contains(String(rest)), "\(line)")
            }
            await member.shutdown()
        }
    }

    private static func check(_ text: [UInt8]) throws -> (status: Int32, output: String) {
        let (input, output) = (Pipe(), Pipe())
        let process = try ChildProcess(
            "/usr/bin/env", ["promtool", "check", "metrics"], input: input, output: output, errors: output)
        Thread.detachNewThread {
            try? input.fileHandleForWriting.write(contentsOf: Data(text))
            try? input.fileHandleForWriting.close()
        }
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, said)
    }
}
