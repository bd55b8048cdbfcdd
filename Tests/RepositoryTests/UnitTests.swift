import Foundation
import TestSupport
import Testing

/// The units for systemd, line by line, and as systemd reads them.
@Suite struct UnitTests {
    private static let names = ["zerotier", "zerotier-root", "zerotier-controller"]

    /// The assignments below [Service]. None of them comes twice.
    private static func service(_ name: String) throws -> [String: String] {
        var section = ""
        var result: [String: String] = [:]
        for line in try text("\(name).service").split(separator: "\n") where !line.hasPrefix("#") {
            if line.hasPrefix("[") {
                section = String(line)
            } else if section == "[Service]" {
                let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                try #require(parts.count == 2 && result[parts[0]] == nil, "\(name): \(line)")
                result[parts[0]] = parts[1]
            }
        }
        return result
    }

    private static func text(_ name: String) throws -> String {
        try String(contentsOf: RepositoryFiles.root.appendingPathComponent("Tools/\(name)"), encoding: .utf8)
    }

    private static func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }

    private static func run(_ words: [String]) throws -> (status: Int32, output: String) {
        let output = Pipe()
        let process = try ChildProcess("/usr/bin/env", words, output: output, errors: output)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    // What a node needs none of, in every unit.
    @Test(arguments: names)
    func `a unit gives the node no more than it needs`(name: String) throws {
        let unit = try Self.service(name)
        let closed = [
            "NoNewPrivileges", "ProtectHome", "PrivateDevices", "PrivateTmp", "ProtectClock", "ProtectControlGroups",
            "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "LockPersonality",
            "MemoryDenyWriteExecute", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID",
        ]
        for key in closed { #expect(unit[key] == "yes", "\(key)") }
        #expect(unit["CapabilityBoundingSet"]?.isEmpty == true && unit["ProtectSystem"] == "strict")
        #expect(unit["AmbientCapabilities"] == nil)
        #expect(unit["RestrictAddressFamilies"] == "AF_INET AF_INET6 AF_NETLINK AF_UNIX")
        #expect(unit["SystemCallArchitectures"] == "native" && unit["SystemCallFilter"] == "@system-service")
        #expect(unit["ProtectProc"] == "invisible" && unit["UMask"] == "0077" && unit["StateDirectoryMode"] == "0700")
        // Nobody's superuser: a user that comes and goes with the node, or one of its own.
        #expect((unit["DynamicUser"] == "yes") != (unit["User"] != nil) && unit["User"] != "root")
        let home = try #require(unit["StateDirectory"])
        #expect(unit["ExecStart"]?.contains(" --home /var/lib/\(home)") == true)
        #expect(unit["ExecStart"]?.hasPrefix("@PREFIX@/bin/zerotier ") == true)
    }

    @Test func `the controller's unit serves, reads its settings again, and has time for its end`() throws {
        let unit = try Self.service("zerotier-controller")
        let start = try #require(unit["ExecStart"])
        #expect(start.contains(" run --service --controller ") && start.hasSuffix(" $OPTIONS"))
        #expect(unit["Environment"] == #""OPTIONS=--udp-port 9993""#)
        #expect(unit["EnvironmentFile"] == "-/etc/default/zerotier-controller")
        #expect(unit["ExecReload"] == "/bin/kill -HUP $MAINPID")
        // SIGTERM is systemd's own choice, and what ends a node with status 0.
        #expect(unit["KillSignal"] == nil && unit["TimeoutStopSec"] == "15")
        // A node without a service ends by SIGHUP.
        for name in ["zerotier", "zerotier-root"] { #expect(try Self.service(name)["ExecReload"] == nil) }
    }

    @Test(.enabled(if: MachineProgram.isExpected("systemd-analyze"), "there is systemd-analyze"), arguments: names)
    func `systemd takes a unit`(name: String) throws {
        try Self.withFolder { folder in
            // Its program must be there.
            let text = try Self.text("\(name).service").replacing("@PREFIX@/bin/zerotier", with: "/bin/true")
            let path = "\(folder)/\(name).service"
            try text.write(toFile: path, atomically: false, encoding: .utf8)
            let answer = try Self.run(["systemd-analyze", "verify", "--man=no", path])
            #expect(answer.status == 0 && answer.output.isEmpty, "\(answer.output)")
        }
    }

    @Test(.enabled(if: MachineProgram.isExpected("systemd-sysusers"), "there is systemd-sysusers"))
    func `the controller's user is made, without a shell`() throws {
        let unit = try Self.service("zerotier-controller")
        let (user, group) = (try #require(unit["User"]), try #require(unit["Group"]))
        try Self.withFolder { folder in
            try FileManager.default.createDirectory(atPath: "\(folder)/etc", withIntermediateDirectories: true)
            let path = RepositoryFiles.root.appendingPathComponent("Tools/zerotier-controller.sysusers").path
            let answer = try Self.run(["systemd-sysusers", "--root=\(folder)", path])
            #expect(answer.status == 0, "\(answer.output)")
            let users = try String(contentsOfFile: "\(folder)/etc/passwd", encoding: .utf8).split(separator: "\n")
            #expect(users.count == 1 && users.first?.hasPrefix("\(user):x:") == true, "\(users)")
            #expect(users.first?.hasSuffix(":/var/lib/zerotier-one:/usr/sbin/nologin") == true, "\(users)")
            let groups = try String(contentsOfFile: "\(folder)/etc/group", encoding: .utf8)
            #expect(groups.hasPrefix("\(group):"), "\(groups)")
        }
    }
}
