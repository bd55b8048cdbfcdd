//  Networks without a controller: the configuration follows from the ID, which begins with 0xff.
//  Read first: zerotier/ZeroTierOne node/Network.cpp, requestConfiguration (facts only).
//
//  form A  ff SSSS EEEE 000000   IPv6 only, TCP connections to ports SSSS...EEEE
//  form B  ff AA hhhhhhhhhh 01   everything, IPv4 AA.x.y.z/8 from the low 24 bits of the address; h is inert

import NetPrimitives

/// The meaning of an ad-hoc network's ID.
package enum AdHocNetwork: Hashable, Sendable {
    /// Form A: first and last TCP port; empty if the last is lower.
    case ports(first: UInt16, last: UInt16)
    /// Form B: first octet of the IPv4 addresses, and a hub that has no role in any release.
    case ipv4(firstOctet: UInt8, hub: Address)

    private static let windowMilliseconds = ProtocolLimits.maximumCredentialWindowMilliseconds

    /// Nil for a network with a controller, and for an ID of neither form.
    package init?(_ network: NetworkID) {
        guard network.isAdHoc else { return nil }
        let value = network.value
        if value & 0xff_ffff == 0 {
            self = .ports(
                first: UInt16(truncatingIfNeeded: value >> 40), last: UInt16(truncatingIfNeeded: value >> 24))
        } else if value & 0xff == 1 {
            self = .ipv4(firstOctet: UInt8(truncatingIfNeeded: value >> 48), hub: Address(value >> 8))
        } else {
            return nil
        }
    }

    /// The configuration that `member` makes for itself; nil if the network cannot exist. `timestamp` is Unix time in
    /// milliseconds.
    package static func configuration(_ network: NetworkID, member: Address, timestamp: UInt64) -> NetworkConfig? {
        guard let form = AdHocNetwork(network) else { return nil }
        var config = NetworkConfig(network: network, issuedTo: member, timestamp: timestamp)
        config.credentialWindow = windowMilliseconds
        config.revision = 1
        config.flags = NetworkConfig.neighbourEmulationFlag
        config.isPublic = true
        config.addresses = [
            IPPrefix(network.sixPlaneAddress(of: member), length: NetworkID.sixPlanePrefixLength)
        ]
        switch form {
        case .ports(let first, let last):
            guard first <= last else { return nil }
            config.name = "adhoc-\(hexadecimal(UInt64(first), digits: 4))-\(hexadecimal(UInt64(last), digits: 4))"
            config.rules = portRules(first, last)
        case .ipv4(let firstOctet, let hub):
            config.multicastLimit = 1024
            config.name = "adhoc-\(firstOctet).0.0.0"
            config.rules = [Rule(.accept)]
            let address = UInt32(firstOctet) << 24 | UInt32(truncatingIfNeeded: member.value & 0xff_ffff)
            config.addresses.append(IPPrefix(IPAddress(v4: address), length: 8))
            if hub.value != 0 { config.specialists = [Specialist(hub, roles: 0)] }
        }
        return config
    }

    // The fourth set accepts everything that opens no TCP connection, UDP included: so do real nodes.
    private static func portRules(_ first: UInt16, _ last: UInt16) -> [Rule] {
        let synchronize: UInt64 = 0x02
        let acknowledge: UInt64 = 0x10
        return [
            Rule(.etherType(0x86dd), not: true), Rule(.drop),
            Rule(.ipProtocol(58)), Rule(.accept),
            Rule(.ipProtocol(17)), Rule(.ipProtocol(6), or: true),
            Rule(.destinationPorts(from: first, to: last)), Rule(.accept),
            Rule(.characteristics(synchronize), not: true), Rule(.accept),
            Rule(.characteristics(synchronize)), Rule(.characteristics(acknowledge)), Rule(.accept),
            Rule(.drop),
        ]
    }
}
