//  The scope of a physical address. The numbers are the protocol's: they weigh the quality of paths and order the
//  search of an introduction. Read first: zerotier/ZeroTierOne node/InetAddress.cpp (facts only).

package import NetPrimitives

/// The scope of a physical address. Higher numbers are better for a path, as far as they may be used for one.
package enum AddressScope: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    case none = 0
    case multicast = 1
    case loopback = 2
    /// Address space of organisations that never announce it, used by many as if it were private.
    case pseudoPrivate = 3
    case global = 4
    case linkLocal = 5
    /// No address has this scope.
    case shared = 6
    case `private` = 7

    /// The scope of `address`.
    package init(of address: IPAddress) {
        self = address.isIPv4 ? AddressScope(ipv4: address.v4) : AddressScope(ipv6: address)
    }

    /// Whether an address of this scope may be the path to a peer.
    package var isUsableForPaths: Bool {
        switch self {
        case .pseudoPrivate, .global, .shared, .private: true
        case .none, .multicast, .loopback, .linkLocal: false
        }
    }

    package static func < (left: AddressScope, right: AddressScope) -> Bool { left.rawValue < right.rawValue }

    private init(ipv4 address: UInt32) {
        switch address >> 24 {
        case 0, 255: self = .none
        case 10: self = .private
        case 127: self = .loopback
        case 6, 11, 21, 22, 25, 26, 28, 29, 30, 51, 55, 56: self = .pseudoPrivate
        case 100 where address >> 22 == 0x6440_0000 >> 22: self = .private
        case 169 where address >> 16 == 0xa9fe: self = .linkLocal
        case 172 where address >> 20 == 0xac1: self = .private
        case 192 where address >> 16 == 0xc0a8 || address >> 8 == 0xc0_0002: self = .private
        case 198 where address >> 17 == 0xc612_0000 >> 17 || address >> 8 == 0xc6_3364: self = .private
        case 203 where address >> 8 == 0xcb_0071: self = .private
        case 224...239: self = .multicast
        case 240...254: self = .pseudoPrivate
        default: self = .global
        }
    }

    private init(ipv6 address: IPAddress) {
        let isLinkLocalOne = address.high == 0xfe80 << 48 && address.low == 1
        let isMappedLoopback = address.high == 0 && address.low >> 24 == 0xffff_7f
        if address.isUnspecified {
            self = .none
        } else if address.isMulticast {
            self = .multicast
        } else if address.isLoopback || isLinkLocalOne || isMappedLoopback {
            self = .loopback
        } else if address.isLinkLocal {
            self = .linkLocal
        } else if address.high >> 57 == 0xfc >> 1 {
            self = .private
        } else {
            self = .global
        }
    }
}

extension IPAddress {
    /// Whether the address is of a tunnel broker (2001:470::/32), which is never used as a path: a tunnel in a tunnel.
    package var isTunnelBroker: Bool { isIPv6 && high >> 32 == 0x2001_0470 }

    /// Whether the address may be the path to a peer. Judges by the address alone.
    package var isUsableForPaths: Bool { AddressScope(of: self).isUsableForPaths && !isTunnelBroker }
}
