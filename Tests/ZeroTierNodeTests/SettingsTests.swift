// What a controller may set: addresses, routes, name servers, by the settings of the network.

import NetPrimitives
import NetStack
import Testing
import ZeroTierWire

@testable import ZeroTierNode

@Suite struct SettingsTests {
    private let lab = Lab(nodes: 1)
    private let first = NetworkID(0x1122_3344_5500_0001)
    private let second = NetworkID(0x1122_3344_5500_0002)

    private func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }

    private func configuration(_ id: NetworkID, _ addresses: [String], _ routes: [String]) throws -> [UInt8] {
        var config = NetworkConfig(
            network: id, issuedTo: lab.hosts[1].node.address, timestamp: UInt64(lab.now.unixMilliseconds))
        config.isPublic = true
        config.rules = [Rule(.accept)]
        config.addresses = try addresses.map(prefix)
        config.routes = try routes.map { text in
            let target = try prefix(text)
            return NetworkRoute(target: target, via: target.address.isIPv4 ? IPAddress("10.1.0.1") : nil)
        }
        config.dns = NetworkDNS(domain: "lan", servers: [IPAddress(v4: 0x0a01_0001)])
        return config.encoded
    }

    private func routes(_ id: NetworkID) -> Set<String> {
        guard let interface = lab.hosts[1].node.interface(of: id) else { return [] }
        return Set(lab.hosts[1].node.stack.allRoutes.filter { $0.interface == interface }.map(\.prefix.description))
    }

    private func addresses(_ id: NetworkID) -> Set<String> {
        guard let interface = lab.hosts[1].node.interface(of: id) else { return [] }
        return Set(lab.hosts[1].node.stack.addresses(of: interface).map(\.description).filter { !$0.hasPrefix("fe80") })
    }

    @Test func `by default no default route and nothing global is taken from a controller`() throws {
        let now = lab.now
        let saved = try configuration(
            first, ["10.1.0.5/16", "9.9.9.9/24"],
            ["0.0.0.0/0", "8.0.0.0/8", "10.7.0.0/16", "127.0.0.0/8", "0.0.0.0/1", "128.0.0.0/1", "::/0", "2000::/3"])
        let isJoined = lab.hosts[1].node.join(first, saved: saved, now: now)
        #expect(isJoined)
        #expect(addresses(first) == ["10.1.0.5/16"])
        #expect(routes(first) == ["10.7.0.0/16"])
        #expect(lab.hosts[1].node.network(first)?.dns.servers.isEmpty == true)
        #expect(lab.hosts[1].node.network(first)?.addresses.map(\.description) == ["10.1.0.5/16"])

        var settings = NetworkSettings()
        settings.allowsGlobal = true
        func set() {
            let isSet = lab.hosts[1].node.setSettings(settings, of: first, now: now)
            #expect(isSet)
        }
        set()
        #expect(addresses(first) == ["10.1.0.5/16", "9.9.9.9/24"])
        #expect(routes(first) == ["8.0.0.0/8", "10.7.0.0/16", "2000::/3"])
        settings.allowsDefault = true
        settings.allowsDNS = true
        set()
        #expect(routes(first).isSuperset(of: ["0.0.0.0/0", "::/0", "128.0.0.0/1"]))
        #expect(lab.hosts[1].node.network(first)?.dns.servers == [IPAddress(v4: 0x0a01_0001)])
        settings = NetworkSettings()
        settings.allowsManaged = false
        set()
        #expect(addresses(first).isEmpty && routes(first).isEmpty)
        settings.allowsManaged = true
        settings.managedPrefixes = [try prefix("10.1.0.0/16")]
        set()
        #expect(addresses(first) == ["10.1.0.5/16"] && routes(first).isEmpty)
    }

    @Test func `a controller takes no part of another network's addresses, unless its range is named`() throws {
        let now = lab.now
        _ = lab.hosts[1].node.join(first, saved: try configuration(first, ["10.1.0.5/16"], []), now: now)
        let saved = try configuration(second, ["10.2.0.5/16"], ["10.1.7.0/24", "10.3.0.0/16", "10.0.0.0/8"])
        _ = lab.hosts[1].node.join(second, saved: saved, now: now)
        #expect(routes(second) == ["10.3.0.0/16", "10.0.0.0/8"])
        var settings = NetworkSettings()
        settings.managedPrefixes = try [prefix("10.2.0.0/16"), prefix("10.1.7.0/24")]
        _ = lab.hosts[1].node.setSettings(settings, of: second, now: now)
        #expect(routes(second) == ["10.1.7.0/24"])
    }

    @Test func `the address of an ad-hoc network is its owner's choice, global or not`() {
        let id = NetworkID(0xff2d_0000_0000_0001)
        let now = lab.now
        _ = lab.hosts[1].node.join(id, now: now)
        #expect(addresses(id).contains { $0.hasPrefix("45.") })
        var settings = NetworkSettings()
        settings.allowsManaged = false
        _ = lab.hosts[1].node.setSettings(settings, of: id, now: now)
        #expect(addresses(id).isEmpty)
    }

    @Test func `settings are stored, come back, and go with the network`() throws {
        let now = lab.now
        _ = lab.hosts[1].node.join(first, saved: try configuration(first, ["10.1.0.5/16"], []), now: now)
        while lab.hosts[1].node.nextEvent() != nil {}
        var settings = NetworkSettings()
        settings.allowsGlobal = true
        settings.managedPrefixes = try [prefix("10.1.0.0/16"), prefix("fd00::/8")]
        _ = lab.hosts[1].node.setSettings(settings, of: first, now: now)
        var stored: [UInt8]?
        while let event = lab.hosts[1].node.nextEvent() {
            if case .store(.networkSettings(first), let bytes) = event { stored = bytes }
        }
        #expect(NetworkSettings(decoding: try #require(stored)) == settings)
        _ = lab.hosts[1].node.leave(first, now: now)
        var isDeleted = false
        while let event = lab.hosts[1].node.nextEvent() {
            if case .delete(.networkSettings(first)) = event { isDeleted = true }
        }
        #expect(isDeleted)
        _ = lab.hosts[1].node.join(first, settings: settings, now: now)
        #expect(lab.hosts[1].node.settings(of: first) == settings)
        let isUnknown = lab.hosts[1].node.setSettings(settings, of: second, now: now)
        #expect(!isUnknown)
    }

    @Test func `the file of settings is read as upstream reads it`() {
        func read(_ text: String) -> NetworkSettings { NetworkSettings(decoding: Array(text.utf8)) }
        #expect(read("") == NetworkSettings())
        #expect(read("allowManaged=0\n").allowsManaged == false)
        #expect(read("allowManaged=true\nallowGlobal=t\nallowDefault=1\nallowDNS=T\n").allowsDNS)
        let listed = read("allowManaged=10.0.0.0/8,fd00::/8\nallowGlobal=0\n")
        #expect(listed.allowsManaged && listed.managedPrefixes.count == 2 && !listed.allowsGlobal)
        // Rubbish in the place of a list allows nothing.
        #expect(!read("allowManaged=rubbish\n").allowsManaged)
        for settings in [listed, NetworkSettings(), read("allowManaged=::/0,::/0\n")] {
            #expect(NetworkSettings(decoding: settings.encoded) == settings)
        }
        let long = read("allowManaged=" + (0..<4000).map { "10.\($0 % 250).0.0/16" }.joined(separator: ","))
        #expect(long.managedPrefixes.count <= NetworkSettings.prefixLimit)
    }
}
