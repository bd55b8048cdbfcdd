// What the controller answers: by the number of the network, and by the step that a test has put the member at.
//
//   1  both families, routes by link and by gateway, name service
//   2  access denied; from step 1 on an IPv4 address
//   3  not found, as every number that is not in this list
//   4  an IPv4 address; step 1 adds IPv6, which is no new revision of the network; step 2 replaces both by another IPv4
//      address; step 3 leaves none
//   5  an IPv4 address; from step 1 on access denied
//   6  a private network whose configuration comes in pieces
//   7  wants its user to sign on first

import NetPrimitives
import ZeroTierWire

/// A member's configuration, less what all have in common.
struct Plan {
    var name: String
    var revision: UInt64 = 1
    var mtu = 2800
    var isPublic = true
    var addresses: [IPPrefix] = []
    var routes: [NetworkRoute] = []
    var rules = [Rule(.accept)]
    var dns = NetworkDNS()

    init(_ name: String) { self.name = name }

    /// Adds an address, with the route of its link.
    mutating func add(_ prefix: IPPrefix) {
        addresses.append(prefix)
        routes.append(NetworkRoute(target: prefix.network))
    }

    /// 10.`second`.`third`.`host`/24.
    static func ipv4(_ second: UInt8, _ third: UInt8, _ host: UInt8) -> IPPrefix {
        IPPrefix(IPAddress(v4: 10 << 24 | UInt32(second) << 16 | UInt32(third) << 8 | UInt32(host)), length: 24)
    }

    /// fd00:`second`:`third`::`host`/64, in hexadecimal digits.
    static func ipv6(_ second: UInt8, _ third: UInt8, _ host: UInt8) -> IPPrefix {
        let high = UInt64(0xfd00) << 48 | UInt64(second) << 32 | UInt64(third) << 16
        return IPPrefix(IPAddress(v6High: high, low: UInt64(host)), length: 64)
    }
}

/// The answer to a request.
enum Script {
    case plan(Plan)
    case refusal(ErrorReply.Reason)

    init(_ network: NetworkID, step: UInt8, host: UInt8) {
        let number = network.value & 0xff_ffff
        switch (number, step) {
        case (1, _): self = .plan(Script.everything(host))
        case (2, 0), (5, 1...): self = .refusal(.networkAccessDenied(network))
        case (2, _), (5, _):
            var plan = Plan("admitted")
            plan.add(Plan.ipv4(144, UInt8(number), host))
            self = .plan(plan)
        case (4, _): self = .plan(Script.changes(step, host))
        case (6, _): self = .plan(Script.pieces(host))
        case (7, _): self = .refusal(.networkAuthenticationRequired(network, info: Script.signOn))
        default: self = .refusal(.objectNotFound(network))
        }
    }

    private static func everything(_ host: UInt8) -> Plan {
        var plan = Plan("everything")
        plan.mtu = 2000
        plan.add(Plan.ipv4(144, 1, host))
        plan.add(Plan.ipv6(0x90, 1, host))
        plan.routes.append(
            NetworkRoute(
                target: IPPrefix(IPAddress(v4: 0x0ac8_0000), length: 16), via: IPAddress(v4: 0x0a90_0101)))
        plan.dns = NetworkDNS(domain: "matrix.test", servers: [IPAddress(v4: 0x0a90_0101)])
        return plan
    }

    private static func changes(_ step: UInt8, _ host: UInt8) -> Plan {
        var plan = Plan("step \(step)")
        switch step {
        case 0, 1:
            plan.name = "link"
            plan.add(Plan.ipv4(144, 4, host))
            plan.add(Plan.ipv6(0x90, 4, host))
            if step == 0 { plan.addresses.removeLast() }
        case 2:
            plan.revision = 2
            plan.mtu = 1400
            plan.add(Plan.ipv4(145, 4, host))
        default: plan.revision = 3
        }
        return plan
    }

    private static var signOn: [UInt8] {
        var info = WireDictionary()
        info.append("aV", integer: 0)
        info.append("aU", text: "https://sign.on.test/")
        return info.encoded
    }

    // More rules than one piece holds.
    private static func pieces(_ host: UInt8) -> Plan {
        var plan = Plan("pieces")
        plan.isPublic = false
        plan.add(Plan.ipv4(144, 6, host))
        let never = [Rule(.sourceIPv6(IPAddress(v6High: 0, low: 1), bits: 128)), Rule(.drop)]
        plan.rules = Array(repeating: never, count: 500).flatMap { $0 } + [Rule(.accept)]
        return plan
    }
}
