import Foundation
import JSONValues
import NetPrimitives
import TestSupport
import Testing
import ZeroTier

@testable import ZeroTierService

/// Routes of the node that no client of the table uses, or that they use in one way only.
@Suite struct NodeRouteTests {
    @Test func `settings are changed in the file, kept, and shown without secrets`() async throws {
        try await ServiceLab.with(localConfiguration: #"{"physical":{"10.0.0.0/8":{"mtu":1400}}}"#) { lab in
            #expect(try await lab.ask("GET", "/config").text == #"{"physical":{"10.0.0.0/8":{"mtu":1400}}}"#)
            let set = try await lab.ask(
                "PUT", "/config/settings", #"{"allowManagementFrom":["127.0.0.0/8"],"redis":{"password":"hush"}}"#)
            #expect(set.status == 200 && set.text == "{}")
            let shown = try await lab.ask("GET", "/config")
            #expect(
                shown.text
                    == #"{"physical":{"10.0.0.0/8":{"mtu":1400}},"settings":{"allowManagementFrom":["127.0.0.0/8"],"redis":{"password":"(hidden)"}}}"#
            )
            #expect(!(try await lab.ask("GET", "/status").text.contains("hush")))
            let nothing = try await lab.ask("POST", "/config/settings")
            #expect(nothing.status == 200 && nothing.text == "{}")
            let file = try #require(try lab.store.read("local.conf"))
            #expect(String(decoding: file, as: UTF8.self).contains("hush"))
            let deep = String(repeating: "[", count: 63) + String(repeating: "]", count: 63)
            for (body, status) in [
                ("{", 500), ("[1]", 400), (#"{"allowManagementFrom":["x"]}"#, 400), (#"{"a":1,"a":2}"#, 400),
                // What the next start would not read.
                (#"{"a":"\#(String(repeating: "a", count: 1 << 20))"}"#, 400), (#"{"a":\#(deep)}"#, 400),
            ] {
                let reply = try await lab.ask("POST", "/config/settings", body)
                #expect(reply.status == status && reply["description"] != nil, "\(body.prefix(80)): \(reply.text)")
            }
            #expect(try lab.store.read("local.conf") == file)
        }
    }

    @Test func `a join takes loose types, refuses what is none, and does nothing by half`() async throws {
        try await ServiceLab.with { lab in
            let path = "/network/ff00070009000000"
            let refused = try await lab.ask("POST", path, #"{"allowGlobal":true,"allowDNS":"maybe"}"#)
            #expect(refused.status == 400 && refused.text.contains("allowDNS"), "\(refused.text)")
            #expect(try await lab.ask("GET", path).status == 404)
            // Which of the two is meant is not to be guessed.
            let twice = try await lab.ask("POST", path, #"{"allowGlobal":true,"allowGlobal":false}"#)
            #expect(twice.status == 400 && twice.text.contains("allowGlobal"), "\(twice.text)")
            #expect(try await lab.ask("GET", path).status == 404)
            // What is no JSON joins.
            #expect(try await lab.ask("POST", path, "a=b").status == 200)
            let loose = try await lab.ask("PUT", path, #"{"allowGlobal":"true","allowDefault":1,"allowDNS":0}"#)
            #expect(
                Reads.problem(loose.json, "allowGlobal=true allowDefault=true allowDNS=false allowManaged=true") == nil)
            // A list that was set before stays.
            var settings = try lab.node.settings(of: NetworkID("ff00070009000000")!)
            settings.managedPrefixes = [IPPrefix("10.0.0.0/8")!]
            try lab.node.setSettings(settings, of: NetworkID("ff00070009000000")!)
            _ = try await lab.ask("POST", path, #"{"allowManaged":true}"#)
            #expect(
                try lab.node.settings(of: NetworkID("ff00070009000000")!).managedPrefixes == settings.managedPrefixes)
            // Upper case is the same network.
            #expect(try await lab.ask("GET", "/network/FF00070009000000")["id"] == .string("ff00070009000000"))
            let none = try await lab.ask("POST", "/network/0000000000000000", "{}")
            #expect(none.status == 400 && none["error"] == .integer(400), "\(none.text)")
        }
    }

    @Test func `a moon that is held is shown with its roots and its signature`() async throws {
        try await ServiceLab.with { lab in
            #expect(try await lab.ask("GET", "/moon/1122334455").text == "{}")
            #expect(try await lab.ask("POST", "/moon/1122334455", "{}").text == "{}")
            #expect(try await lab.ask("POST", "/moon/1122334455", #"{"seed":"0"}"#).text == "{}")
            #expect(try await lab.ask("POST", "/moon/1122334455", #"{"seed":"xyz"}"#).text == "{}")
            let waiting = try await lab.ask("PUT", "/moon/0011223344556677", #"{"seed":"1122334455"}"#)
            #expect(waiting["id"] == .string("0011223344556677") && waiting["waiting"] == .bool(true))
            #expect(try await lab.ask("GET", "/moon").text == "[]")
        }
        let recorded = try VectorFiles.decode("vl1_worlds.json", as: Worlds.self, keys: .convertFromSnakeCase)
        let world = try #require(recorded.worlds.first { $0.type == 127 })
        let value = NodeForm.moon(try RootSet(bytes: world.bytes))
        #expect(
            Reads.problem(
                value,
                "id:text roots[].identity:text roots[].stableEndpoints[]:text waiting=false timestamp=\(world.timestamp) "
                    + "signature=\"\(world.signature)\" updatesMustBeSignedBy=\"\(world.nextUpdateKey)\"") == nil,
            "\(value.text)")
    }

    private struct Worlds: Decodable {
        let worlds: [World]

        struct World: Decodable {
            let type: Int
            let binary: String
            let timestamp: Int
            let signature: String
            let nextUpdateKey: String

            var bytes: [UInt8] {
                let digits = Array(binary)
                return stride(from: 0, to: digits.count, by: 2).compactMap {
                    UInt8(String(digits[$0..<$0 + 2]), radix: 16)
                }
            }
        }
    }

    @Test func `without a controller its routes say what to do`() async throws {
        try await ServiceLab.with(isController: false) { lab in
            for (method, path) in [
                ("GET", "/controller"), ("GET", "/controller/network"), ("POST", "/controller/network"),
                ("GET", "/controller/network/1122334455000001"), ("GET", "/unstable/controller/network"),
                ("DELETE", "/controller/network/1122334455000001/member/1122334455"),
            ] {
                let reply = try await lab.ask(method, path, method == "POST" ? "{}" : nil)
                #expect(reply.status == 404 && reply.text.contains("--controller"), "\(method) \(path): \(reply.text)")
            }
            #expect(!(try await lab.ask("GET", "/metrics").text.contains("controller_")))
        }
    }

    @Test func `metrics are text, each family explained once, and numbers alone`() async throws {
        try await ServiceLab.with { lab in
            _ = try await lab.makeNetwork()
            _ = try await lab.ask("POST", "/network/ff00070009000000", "{}")
            let reply = try await lab.send("GET", "/metrics", headers: ["Authorization: Bearer \(lab.metricsToken)"])
            #expect(reply.status == 200 && reply.headers["content-type"] == "text/plain")
            var families: Set<String> = []
            for line in reply.text.split(separator: "\n") {
                if line.hasPrefix("# TYPE ") {
                    #expect(families.insert(String(line.split(separator: " ")[2])).inserted, "\(line)")
                } else if !line.hasPrefix("# HELP ") {
                    #expect(line.wholeMatch(of: #/[a-zA-Z_]+(\{[^{}]*\})? -?[0-9]+/#) != nil, "\(line)")
                    #expect(families.contains { line.hasPrefix($0) }, "\(line)")
                }
            }
            for line in [
                "zt_num_networks 1", "controller_network_count 1", "controller_member_count 0", "zerotier_online 1",
                #"zt_network_multicast_groups_subscribed{network_id="ff00070009000000"} "#,
            ] {
                #expect(reply.text.contains("\n\(line)"), "\(line) in \(reply.text)")
            }
            #expect(reply.text.hasSuffix("\n"))
        }
    }

    @Test func `times of peers are counted by size`() {
        var histogram = LatencyHistogram()
        for time: Int64 in [0, 3, 4, 1000, 5000] { histogram.observe(time) }
        var metrics = MetricsText()
        histogram.write("t", [("node_id", "x")], into: &metrics)
        let counts = [1, 2, 3, 3, 3, 3, 3, 3, 3, 4]
        let buckets = zip(LatencyHistogram.bounds, counts).map { "t_bucket{node_id=\"x\",le=\"\($0)\"} \($1)\n" }
            .joined()
        #expect(
            metrics.text
                == "t_count{node_id=\"x\"} 5\nt_sum{node_id=\"x\"} 6007\n\(buckets)t_bucket{node_id=\"x\",le=\"+Inf\"} 5\n"
        )
    }
}
