//  Flow rules: a controller's decisions about frames. Wire form, without evaluation. Read first: zerotier/ZeroTierOne
//  node/Capability.hpp and include/ZeroTierOne.h (facts only).
//
//  u8 type: bit 7 NOT, bit 6 OR, bits 5...0 the kind | u8 length | field
//  Kinds 0...15 are actions, the others matches. A reader takes the length for the step, so that longer and unknown
//  fields are passed over; they are kept here, since a signature may cover them.

package import NetPrimitives

/// One entry of a rule table.
package struct Rule: Hashable, Sendable {
    /// The match or action of a rule. Numbers are the wire's.
    package enum Kind: Hashable, Sendable {
        case drop
        case accept
        /// Copy to an observer, up to `length` bytes (0: all).
        case tee(Address, flags: UInt32, length: UInt16)
        /// The same, and the observer acknowledges.
        case watch(Address, flags: UInt32, length: UInt16)
        /// Send to another member instead.
        case redirect(Address, flags: UInt32, length: UInt16)
        /// Leave the table without a verdict.
        case `break`
        /// Accept into a class of service. The wire form has no field, so that the class reads as 0.
        case priority(UInt8)
        case sourceAddress(Address)
        case destinationAddress(Address)
        case vlanID(UInt16)
        case vlanPriority(UInt8)
        case vlanDropEligible(UInt8)
        case sourceMAC(MACAddress)
        case destinationMAC(MACAddress)
        case sourceIPv4(UInt32, bits: UInt8)
        case destinationIPv4(UInt32, bits: UInt8)
        case sourceIPv6(IPAddress, bits: UInt8)
        case destinationIPv6(IPAddress, bits: UInt8)
        case typeOfService(mask: UInt8, from: UInt8, to: UInt8)
        case ipProtocol(UInt8)
        case etherType(UInt16)
        /// `flags` bit 0: the code counts too.
        case icmp(type: UInt8, code: UInt8, flags: UInt8)
        case sourcePorts(from: UInt16, to: UInt16)
        case destinationPorts(from: UInt16, to: UInt16)
        case characteristics(UInt64)
        case frameSize(from: UInt16, to: UInt16)
        /// True with probability `(value + 1) / 2^32`.
        case random(UInt32)
        case tagsDifference(id: UInt32, value: UInt32)
        case tagsAnd(id: UInt32, value: UInt32)
        case tagsOr(id: UInt32, value: UInt32)
        case tagsXor(id: UInt32, value: UInt32)
        case tagsEqual(id: UInt32, value: UInt32)
        case tagSender(id: UInt32, value: UInt32)
        case tagReceiver(id: UInt32, value: UInt32)
        /// A number read from the frame: `format` bits 0...5 are its width less 1, bit 7 says little-endian.
        case integerRange(start: UInt64, end: UInt64, index: UInt16, format: UInt8)
        case unknown(UInt8)
    }

    package var kind: Kind
    /// Bit 7: a match counts when it is false. Carried but without effect on actions.
    package var isNegated: Bool
    /// Bit 6: joined to what stands before by OR instead of AND.
    package var isAlternative: Bool
    /// Bytes of the field beyond what the kind needs; for an unknown kind the whole field.
    package var extra: [UInt8]

    package init(_ kind: Kind, not isNegated: Bool = false, or isAlternative: Bool = false, extra: [UInt8] = []) {
        self.kind = kind
        self.isNegated = isNegated
        self.isAlternative = isAlternative
        self.extra = extra
    }

    /// Whether the rule decides something rather than asks.
    package var isAction: Bool { kind.number < 16 }

    // MARK: Tables

    /// Reads a table that fills all of `bytes`; rules beyond `limit` are checked for form and passed over.
    package static func table(decoding bytes: [UInt8], limit: Int) throws(WireError) -> [Rule] {
        var reader = WireReader(bytes)
        var rules: [Rule] = []
        while !reader.isAtEnd {
            let rule = try Rule(from: &reader)
            if rules.count < limit { rules.append(rule) }
        }
        return rules
    }

    /// A table's bytes.
    package static func encode(_ rules: [Rule]) -> [UInt8] {
        var writer = ByteWriter()
        for rule in rules { rule.encode(into: &writer) }
        return writer.bytes
    }
}
