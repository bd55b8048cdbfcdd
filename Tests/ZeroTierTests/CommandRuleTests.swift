import Foundation
import Testing

@testable import ZeroTier

extension CommandTests {
    /// `zerotier rules` and `zerotier diagnose`.
    @Suite struct Rules {
        private let directory = TemporaryDirectory()

        init() throws {
            try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        }

        private func write(_ name: String, _ text: String) throws -> String {
            let path = "\(directory.path)/\(name)"
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            return path
        }

        private func object(_ text: String) throws -> [String: Any] {
            try #require(try Command.json(text) as? [String: Any])
        }

        private let script = """
            tag team
              id 1 default blue enum 1 blue enum 2 red
            ;
            cap ssh id 5 accept ipprotocol tcp and dport 22;;
            # no other team
            drop not tdiff team 0 and not ethertype arp;
            break ipprotocol tcp and dport 22;
            accept;

            """

        @Test func `text becomes JSON and what is sent, and all of them text again`() async throws {
            let file = try write("net.rules", script)
            let compiled = try await Command.run("rules", "compile", file, "--json")
            #expect(compiled.status == 0)
            let config = try #require(try object(compiled.output)["config"] as? [String: Any])
            #expect((config["rules"] as? [Any])?.count == 7)
            let json = try write("net.json", compiled.output)
            let indented = try write("net.indented.json", try await Command.run("rules", "compile", file).output)
            let shown = try await Command.run("rules", "show", file).output
            #expect(shown.contains("drop not tdiff team 0 and not ethertype arp;\n"))
            #expect(try await Command.run("rules", "show", json).output == shown)
            #expect(try await Command.run("rules", "show", indented).output == shown)
            let wire = try await Command.run("rules", "compile", file, "--wire", "--json")
            let digits = try #require(try object(wire.output)["rules"] as? String)
            #expect(digits == "ac080000000100000000a50208060000240106280400160016050001" + "00")
            let table = try await Command.run("rules", "show", try write("net.hex", digits))
            #expect(table.output.hasSuffix("accept;\n") && table.output.contains("drop not tdiff 1 0 and"))
        }

        @Test func `an error names file, line and column`() async throws {
            let file = try write("bad.rules", "accept;\ndrop ethertipe arp;\n")
            let result = try await Command.run("rules", "compile", file)
            #expect(result.status == 1)
            #expect(
                result.output == "Error: \(file): line 2, column 6: ethertipe is no match; did you mean ethertype?\n")
            let json = try write("bad.json", "[{\"type\": \"ACTION_DORP\"}]")
            let refused = try await Command.run("rules", "show", json, "--json")
            #expect(refused.status == 1)
            #expect(try object(refused.output)["code"] as? String == "rules")
            let odd = try write("odd.rules", "drop ipsrc fd00::1/64;")
            #expect(try await Command.run("rules", "compile", odd).output.contains("\(odd): line 1, column 12: "))
        }

        @Test func `a trial says which line decides and why, in both directions`() async throws {
            let file = try write("net.rules", script)
            let frame = [
                "--source", "10.0.0.1", "--destination", "10.0.0.2", "--protocol", "tcp", "--destination-port", "22",
            ]
            func test(_ more: [String]) async throws -> (status: Int32, output: String) {
                let output = Pipe()
                let process = try Command.start(["rules", "test", file] + frame + more, output: output)
                return await Command.end(of: process, output: output)
            }
            let refused = try await test([])
            #expect(refused.status == 0 && refused.output.hasPrefix("not delivered\n"))
            #expect(refused.output.contains("sender 1111111111: dropped, as no rule decides\n"))
            #expect(refused.output.contains("line 7: break: leaves the table without a verdict\n"))
            let allowed = try await test(["--from-cap", "ssh"])
            #expect(allowed.output.hasPrefix("delivered\n"))
            #expect(
                allowed.output.contains(
                    "receiver 2222222222: accepted in line 4 by `accept ipprotocol tcp and dport 22;` of the capability ssh\n"
                ))
            let strangers = try object(try await test(["--to-tag", "team=red", "--json"]).output)
            #expect(strangers["delivered"] as? Bool == false)
            let outbound = try #require(strangers["outbound"] as? [String: Any])
            #expect((outbound["decision"] as? [String: Any])?["line"] as? Int == 6)
            let first = try object(
                try await test(["--to-tag", "team=red", "--first-contact", "--from-cap", "ssh", "--json"]).output)
            #expect((first["outbound"] as? [String: Any])?["result"] as? String == "accepted")
            #expect((first["inbound"] as? [String: Any])?["result"] as? String == "dropped")
            for (mistake, words) in [
                (["--to-tag", "taem=red"], "the rules have no tag taem; there are team"),
                (["--to-tag", "team=green"], "the tag team has no value green"),
                (["--from-cap", "x"], "the rules have no capability x; there are ssh"),
                (["--tcp-flags", "x"], "flags are fin, syn"), (["--from", "2222222222"], "are two nodes"),
            ] {
                let result = try await test(mistake)
                #expect(result.status != 0 && result.output.contains(words), "\(result.output)")
            }
        }

        @Test func `a frame out of a capture is tried`() async throws {
            let file = try write("net.rules", "drop ethertype arp;\naccept;\n")
            let header: [UInt8] = [
                0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0,
            ]
            let arp: [UInt8] =
                [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6] + [UInt8](repeating: 0, count: 28)
            let record: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, UInt8(arp.count), 0, 0, 0, UInt8(arp.count), 0, 0, 0]
            let capture = "\(directory.path)/arp.pcap"
            try Data(header + record + arp).write(to: URL(fileURLWithPath: capture))
            let result = try await Command.run("rules", "test", file, "--packet", capture)
            #expect(result.output.contains("dropped in line 1 by `drop ethertype arp;`"), "\(result.output)")
            let missing = try await Command.run("rules", "test", file, "--packet", capture, "--number", "2")
            #expect(missing.output == "Error: \(capture): the capture has 1 packets, and no packet 2\n")
        }

        @Test func `a running node shows its rules, what they did, and why a frame would pass`() async throws {
            let home = "\(directory.path)/home"
            let planet = "\(directory.path)/given.planet"
            try Data(Constellation.makePlanet(port: 1).bytes).write(to: URL(fileURLWithPath: planet))
            let network = NetworkID.adHoc(ports: 80...80).description
            let node = try Program(
                Command.path, ["run", "--home", home, "--planet", planet, "--join", network])
            _ = try await node.line(containing: "ready")
            let closed = try await Command.run(
                "diagnose", "frame", network, "1122334455", "--home", home, "--source", "fd00::1", "--tcp-flags", "syn",
                "--destination-port", "22")
            #expect(closed.status == 0)
            #expect(closed.output.contains("to 1122334455: dropped by `"), "\(closed.output)")
            let open = try object(
                try await Command.run(
                    "diagnose", "frame", network, "1122334455", "--home", home, "--source", "fd00::1", "--tcp-flags",
                    "syn", "--destination-port", "80", "--json"
                ).output)
            for direction in ["outbound", "inbound"] {
                #expect((open[direction] as? [String: Any])?["result"] as? String == "accepted", "\(open)")
            }
            // One of a kind that nobody answers; the rules are asked all the same.
            let peer = try #require(NetworkID(network)).wire.sixPlaneAddress(of: .init(0x11_2233_4455))
            _ = try await Command.run("ping", "--home", home, peer.description, "--count", "1", "--timeout", "1")
            let shown = try await Command.run("rules", "show", "--network", network, "--home", home)
            #expect(shown.output.hasPrefix("FRAMES  RULE\n"), "\(shown.output)")
            let account = try object(
                try await Command.run("rules", "show", "--network", network, "--home", home, "--json").output)
            let frames = try #require(account["frames"] as? [Int])
            #expect(frames.count == (account["rules"] as? [Any])?.count)
            #expect(frames.reduce(0, +) > 0, "\(shown.output)")
            let unknown = try await Command.run("rules", "show", "--network", "8056c2e21c000001", "--home", home)
            #expect(unknown.output == "Error: the node has not joined network 8056c2e21c000001\n")
            node.interrupt()
            #expect(try await node.end() == 0)
        }
    }
}
