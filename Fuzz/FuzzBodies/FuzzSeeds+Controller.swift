//  Inputs to begin with for the controller: lives of a network, and records.

import NetPrimitives
import ZeroTierController
import ZeroTierCrypto
import ZeroTierWire

extension FuzzSeed {
    static var controllerPrograms: [FuzzSeed] { lives + records }

    private static var lives: [FuzzSeed] {
        func seed(_ name: String, _ program: [UInt8]) -> FuzzSeed {
            FuzzSeed(target: "controller", name: name, bytes: program)
        }
        let metadata = RequestMetadata().dictionary.encoded
        let length = [UInt8(metadata.count >> 8), UInt8(metadata.count & 0xff)]
        let later: [UInt8] = [0x0b, 0, 0x01, 0x00]
        let authorize: [UInt8] = [0x09, 0, 0, 0, 0, 0, 0]
        return [
            // It asks, is let in, asks, is let out, asks.
            seed(
                "private",
                [0x00, 0] + length + metadata + authorize + later + [0x02, 0] + authorize + later + [0x02, 0]),
            // A public one: more ask than there are addresses.
            seed("public", [0x12, 0, 0x12, 1, 0x12, 2, 0x12, 3] + later + [0x12, 0, 0x12, 4]),
            seed("token", [0x03, 0] + Array("ab".utf8) + [1, 0x03, 1] + Array("cd".utf8) + [0]),
            // The store waits, dies after writing, fails.
            seed(
                "death",
                [0x0d, 0, 1, 0x12, 0, 0x12, 1, 0x0e, 0, 1, 0x12, 1, 0x0e, 0, 0, 0x0c, 0, 1, 0x12, 2, 0x0c, 0, 0]),
            seed("changes", (0..<10).flatMap { [0x07, 0, $0, 0, 0, 5, 0x78, 1, 0x61] + later }),
            seed(
                "deletion", [0x12, 0, 0x12, 1, 0x1a, 0, 0x12, 0] + later + [0x18, 0] + later + [0x12, 1, 0x16, 0, 1]),
            seed("itself", [0x15, 0] + length + metadata + [0x05, 0] + length + metadata),
            seed(
                "revoked",
                [0x12, 0, 0x12, 1, 0x19, 0, 0, 0, 0, 0, 0, 0x19, 1, 0, 0, 0, 0, 0, 0x0f, 0] + later + [0x12, 2]),
        ]
    }

    private static var records: [FuzzSeed] {
        var network = NetworkRecord(id: ControllerLab.networks[0])
        network.isPrivate = false
        network.assignsIPv4 = true
        network.assignsIPv6 = true
        network.assigns6PLANE = true
        network.pools = [
            AddressPool(first: IPAddress(v4: 0x0a09_0001), last: IPAddress(v4: 0x0a09_00fe)),
            AddressPool(first: StackHarness.address6, last: IPAddress(v6High: StackHarness.address6.high, low: .max)),
        ]
        network.routes = [
            NetworkRoute(target: IPPrefix(IPAddress(v4: 0x0a09_0000), length: 24)),
            NetworkRoute(target: IPPrefix(StackHarness.address6, length: 64).network),
        ]
        network.capabilities = [
            CapabilityDefinition(id: 3, isDefault: true, rules: [Rule(.etherType(0x806)), Rule(.accept)])
        ]
        network.tags = [TagDefinition(id: 1, defaultValue: 2)]
        network.dns = NetworkDNS(domain: "lab", servers: [IPAddress(v4: 0x0a09_0001)])
        network.tokens = [AuthorizationToken(text: "ab", expires: 9)]
        var member = MemberRecord(address: FuzzFixture.attacker.address)
        member.isAuthorized = true
        member.addresses = [IPAddress(v4: 0x0a09_0005)]
        member.tags = [TagValue(id: 1, value: 3)]
        member.capabilities = [3]
        member.name = "one"
        func bytes(_ network: NetworkRecord, _ member: MemberRecord) -> [UInt8] {
            let first = network.encoded
            return [UInt8(first.count >> 8), UInt8(first.count & 0xff)] + first + member.encoded
        }
        let plain = NetworkRecord(id: ControllerLab.networks[0])
        return [
            FuzzSeed(target: "record", name: "full", bytes: bytes(network, member)),
            FuzzSeed(
                target: "record", name: "plain",
                bytes: bytes(plain, MemberRecord(address: FuzzFixture.attacker.address))),
        ]
    }
}
