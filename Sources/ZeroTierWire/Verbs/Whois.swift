//  WHOIS (0x04): one or more 5-byte addresses from offset 28 on. OK(WHOIS): binary identities from offset 37 on.

package import NetPrimitives

/// The payload of WHOIS. An incomplete address at the end is ignored.
package struct Whois: WirePayload, Hashable {
    /// The addresses whose identities are asked for.
    package var addresses: [Address]

    package init(_ addresses: [Address]) {
        self.addresses = addresses
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        addresses = [try reader.address("whois.address")]
        while reader.remaining >= Address.size {
            addresses.append(try reader.address("whois.address"))
        }
    }

    package func encode(into writer: inout ByteWriter) {
        for address in addresses { writer.address(address) }
    }
}

/// The body of OK(WHOIS), behind `OKHeader`. The reference reads the first identity only. We read all, and stop without
/// an error at the first malformed one behind it.
package struct WhoisReply: WirePayload, Hashable {
    /// At least one identity, none of them validated.
    package var identities: [Identity]

    package init(_ identities: [Identity]) {
        self.identities = identities
    }

    package init(decoding body: [UInt8]) throws(WireError) {
        var reader = WireReader(body)
        identities = [try Identity(from: &reader)]
        while let identity = try? Identity(from: &reader) {
            identities.append(identity)
        }
    }

    package func encode(into writer: inout ByteWriter) {
        for identity in identities { identity.encode(into: &writer) }
    }
}
