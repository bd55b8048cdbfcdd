//  The members that hold each address of a network. A held address is given to nobody else; one with two holders is a warning.

import NetPrimitives
import ZeroTierWire

/// The two families of addresses.
struct AddressFamilies: OptionSet, Sendable {
    let rawValue: UInt8
    static let ipv4 = AddressFamilies(rawValue: 1)
    static let ipv6 = AddressFamilies(rawValue: 2)

    static func of(isIPv4: Bool) -> AddressFamilies { isIPv4 ? .ipv4 : .ipv6 }
}

/// The addresses of a network's members, let in or not. Administrators may give one to several.
struct AddressHolders: Sendable {
    private var holders: [IPAddress: Address] = [:]
    // All of those of an address that more than one have.
    private var sharers: [IPAddress: Set<Address>] = [:]

    /// How many addresses somebody has.
    var count: Int { holders.count }

    func isHeld(_ address: IPAddress) -> Bool { holders[address] != nil }

    /// Two of those who have an address, if more than one do.
    func sharers(of address: IPAddress) -> (Address, Address)? {
        guard let all = sharers[address]?.sorted(), all.count > 1 else { return nil }
        return (all[0], all[1])
    }

    /// Addresses that more than one have, ascending, and two of those who have each.
    var shared: [(address: IPAddress, first: Address, second: Address)] {
        sharers.keys.sorted().prefix(ControllerLimits.warnings).compactMap { address in
            sharers(of: address).map { (address, $0.0, $0.1) }
        }
    }

    mutating func add(_ address: IPAddress, of member: Address) {
        guard let first = holders[address] else {
            holders[address] = member
            return
        }
        sharers[address, default: [first]].insert(member)
    }

    mutating func remove(_ address: IPAddress, of member: Address) {
        guard var rest = sharers[address] else {
            holders[address] = nil
            return
        }
        rest.remove(member)
        holders[address] = rest.min()
        sharers[address] = rest.count > 1 ? rest : nil
    }
}
