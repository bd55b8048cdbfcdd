// Between the public names and those of the targets below.

import ZeroTierWire

extension NodeID {
    init(_ address: Address) { self.init(address.value) }

    var address: Address { Address(value) }
}

extension NetworkID {
    init(_ network: ZeroTierWire.NetworkID) { self.init(network.value) }

    var wire: ZeroTierWire.NetworkID { ZeroTierWire.NetworkID(value) }
}
