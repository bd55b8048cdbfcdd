//  Capability: a rule table that a controller gives a member, who shows it to others to be let through.
//  Read first: zerotier/ZeroTierOne node/Capability.hpp (facts only).
//
//  u64 network | i64 timestamp | u32 id | u16 rule count | rules | u8 maximum length of the custody chain, 1...7
//  | custody entries: 5 to, 5 from, signature block | 5 zero bytes | extension
//  Every custodian signs the same bytes: all before the entries.

package import NetPrimitives

/// A capability.
package struct Capability: Hashable, Sendable {
    /// One hand-over of the capability.
    package struct Custody: Hashable, Sendable {
        package var to: Address
        package var from: Address
        package var signature: [UInt8]
    }

    package var network: NetworkID
    /// Controller time in milliseconds.
    package var timestamp: UInt64
    /// Also the order in which the owner's capabilities are tried.
    package var id: UInt32
    package var rules: [Rule]
    package var maximumCustody: UInt8
    package var custody: [Custody]

    /// A capability issued to one member, signed. The controller's identity must have its secret.
    package init(
        network: NetworkID, timestamp: UInt64, id: UInt32, rules: [Rule], issuedTo: Address,
        maximumCustody: UInt8 = 1, signedBy controller: Identity
    ) {
        self.network = network
        self.timestamp = timestamp
        self.id = id
        self.rules = rules
        self.maximumCustody = maximumCustody
        custody = []
        hand(to: issuedTo, signedBy: controller)
    }

    /// Adds an entry to the chain, signed by its present holder.
    package mutating func hand(to next: Address, signedBy holder: Identity) {
        let signature = CredentialForm.sign(signedBytes, with: holder)
        custody.append(Custody(to: next, from: holder.address, signature: signature))
    }

    package init(from reader: inout WireReader) throws(WireError) {
        network = try reader.networkID("capability.network")
        timestamp = try reader.uint64("capability.timestamp")
        id = try reader.uint32("capability.id")
        let count = Int(try reader.uint16("capability.ruleCount"))
        guard count <= ProtocolLimits.rulesPerCapability else {
            throw .tooLong(
                field: "capability.ruleCount", limit: ProtocolLimits.rulesPerCapability, found: count)
        }
        rules = []
        for _ in 0..<count { rules.append(try Rule(from: &reader)) }
        maximumCustody = try reader.uint8("capability.maximumCustody")
        guard (1...ProtocolLimits.custodyChain).contains(Int(maximumCustody)) else {
            throw .invalid(field: "capability.maximumCustody", expected: "1...7", found: UInt64(maximumCustody))
        }
        custody = []
        while true {
            let to = try reader.address("capability.custodyTo")
            guard to.value != 0 else { break }
            guard custody.count < Int(maximumCustody) else {
                throw .tooLong(
                    field: "capability.custodyTo", limit: Int(maximumCustody), found: custody.count + 1)
            }
            let from = try reader.address("capability.custodyFrom")
            let signature = try CredentialForm.readSignature(&reader, "capability.signature")
            custody.append(Custody(to: to, from: from, signature: signature))
        }
        try CredentialForm.skipExtension(&reader, "capability.extension")
    }

    private func writeBody(_ writer: inout ByteWriter) {
        writer.networkID(network)
        writer.uint64(timestamp)
        writer.uint32(id)
        writer.uint16(UInt16(truncatingIfNeeded: rules.count))
        for rule in rules { rule.encode(into: &writer) }
        writer.uint8(maximumCustody)
    }

    package func encode(into writer: inout ByteWriter) {
        writeBody(&writer)
        for entry in custody {
            writer.address(entry.to)
            writer.address(entry.from)
            CredentialForm.writeSignature(entry.signature, &writer)
        }
        writer.address(Address(0))
        writer.uint16(0)
    }

    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 256)
        encode(into: &writer)
        return writer.bytes
    }

    package var signedBytes: [UInt8] {
        var writer = ByteWriter()
        writeBody(&writer)
        return CredentialForm.signedBytes(writer.bytes)
    }

    /// Who holds it: the end of the chain. Zero for an empty chain, which is never valid.
    package var issuedTo: Address { custody.last?.to ?? Address(0) }

    /// Checks the whole chain: it begins at the controller, every holder handed on what it got, every signature is right.
    package func verdict(_ identity: (Address) -> Identity?) -> CredentialVerdict {
        guard !custody.isEmpty, custody.count <= Int(maximumCustody) else { return .invalid }
        let message = signedBytes
        var holder = network.controller
        for entry in custody {
            guard entry.from == holder else { return .invalid }
            let verdict = CredentialForm.check(entry.signature, of: message, by: entry.from, identity)
            guard verdict == .valid else { return verdict }
            holder = entry.to
        }
        return .valid
    }
}
