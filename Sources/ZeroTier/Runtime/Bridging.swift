// Between the public names and those of the targets below.

import ZeroTierWire

extension NodeID {
    init(_ address: Address) { self.init(address.value) }

    var address: Address { Address(value) }
}

extension NetworkID {
    init(_ network: ZeroTierWire.NetworkID) { self.init(network.value) }

    var wire: ZeroTierWire.NetworkID { ZeroTierWire.NetworkID(value) }

    /// Why no network can have this ID; nil if one can.
    var whyImpossible: String? {
        if !isAdHoc {
            return value >> 24 == 0
                ? "\(self) is no network ID: its first ten digits are the controller's address" : nil
        }
        switch AdHocNetwork(wire) {
        case .ports(let first, let last) where first > last:
            return "\(self) is no network ID: its ports would go from \(first) down to \(last)"
        case .ports, .ipv4: return nil
        case nil:
            return
                "\(self) is no network ID: an ad-hoc one is ff, two ports of four digits and 000000, or ff, an octet, "
                + "ten digits and 01"
        }
    }
}
