//  Claims of others where an IP address is (ARP, neighbour discovery), held against what is known to be true. Read
//  first: RFC 826, RFC 4861 4.3 and 4.4.
//
//  Known to be true are, in this order: addresses that name their member (RFC 4193 and 6PLANE plans), and addresses
//  that the controller certified to belong to a member (certificates of ownership). The stack judges all others, by
//  asking.

import NetPrimitives
import ZeroTierWire

/// A frame's claim: the sender has this address, at this MAC.
struct AddressClaim: Hashable, Sendable {
    let address: IPAddress
    /// The link-layer address in the message, if it has one.
    let link: MACAddress?

    private static let solicitation: UInt8 = 0x87
    private static let advertisement: UInt8 = 0x88

    /// Reads the claim of a frame, `length` bytes from `offset` on; nil if it makes none.
    init?(etherType: UInt16, _ frame: RawSpan, at offset: Int, length: Int) {
        guard length <= frame.byteCount - offset else { return nil }
        switch etherType {
        case AddressResolution.arpEtherType:
            guard length >= 28, frame.loadUInt32(at: offset) == 0x0001_0800, frame.loadUInt16(at: offset + 4) == 0x0604
            else { return nil }
            let sender = IPAddress(v4: frame.loadUInt32(at: offset + 14))
            // A station that asks whether an address is free (RFC 5227) wants to have it.
            address = sender.isUnspecified ? IPAddress(v4: frame.loadUInt32(at: offset + 24)) : sender
            link = MACAddress(frame.loadUInt48(at: offset + 8))
        case AddressResolution.ipv6EtherType:
            // Behind extension headers the stack takes no such message.
            guard length >= 64, frame.loadUInt8(at: offset + 6) == 58 else { return nil }
            let type = frame.loadUInt8(at: offset + 40)
            guard type == AddressClaim.solicitation || type == AddressClaim.advertisement else { return nil }
            let source = AddressClaim.ipv6(frame, at: offset + 8)
            let target = AddressClaim.ipv6(frame, at: offset + 48)
            let isSolicitation = type == AddressClaim.solicitation
            // As with ARP: the sender of a solicitation from nowhere wants to have its target.
            address = isSolicitation && !source.isUnspecified ? source : target
            link = AddressClaim.option(isSolicitation ? 1 : 2, frame, from: offset + 64, to: offset + length)
        default: return nil
        }
    }

    private static func ipv6(_ frame: RawSpan, at offset: Int) -> IPAddress {
        IPAddress(v6High: frame.loadUInt64(at: offset), low: frame.loadUInt64(at: offset + 8))
    }

    private static func option(_ kind: UInt8, _ frame: RawSpan, from start: Int, to end: Int) -> MACAddress? {
        var position = start
        var found: MACAddress?
        while position + 8 <= end {
            let length = Int(frame.loadUInt8(at: position + 1)) * 8
            guard length > 0 else { return found }
            // The stack takes the last one.
            if frame.loadUInt8(at: position) == kind { found = MACAddress(frame.loadUInt48(at: position + 2)) }
            position += length
        }
        return found
    }
}

/// Which members the controller certified to own which IP addresses, as far as their certificates are here.
struct AddressOwners: Sendable {
    fileprivate var epoch: UInt64 = 0
    fileprivate var owners: [IPAddress: Set<Address>] = [:]
}

extension VirtualNetwork {
    /// Why a frame's claim is not passed to the stack; nil if it makes none or may be true.
    mutating func refusal(
        ofClaimIn frame: RawSpan, at offset: Int, length: Int, etherType: UInt16, from peer: Address,
        sourceMAC: MACAddress, _ shared: EthernetShared
    ) -> EthernetDrop? {
        guard let claim = AddressClaim(etherType: etherType, frame, at: offset, length: length) else { return nil }
        // Another station behind the same bridge may speak for a station there.
        if let link = claim.link, link != sourceMAC, !activeBridges.contains(peer) { return .forgedLinkAddress }
        for own in active.addresses where own.address.isIPv6 {
            guard let member = id.member(of: claim.address, under: own) else { continue }
            if member != peer { return .claimRefused }
        }
        if active.ownerships.contains(where: { $0.owns(claim.address) }),
            members[peer]?.owns(claim.address, active) != true
        {
            return .claimRefused
        }
        if let owners = certifiedOwners(of: claim.address, shared), !owners.contains(peer) { return .claimRefused }
        return nil
    }

    // Gathered anew when credentials changed, and only when somebody claims something.
    private mutating func certifiedOwners(of address: IPAddress, _ shared: EthernetShared) -> Set<Address>? {
        if addressOwners.epoch != shared.flowEpoch {
            addressOwners.epoch = shared.flowEpoch
            addressOwners.owners.removeAll(keepingCapacity: true)
            for (member, state) in members {
                for thing in state.ownedAddresses(active) { addressOwners.owners[thing, default: []].insert(member) }
            }
        }
        return addressOwners.owners[address]
    }
}
