//  NETWORK_CREDENTIALS (0x0a): proofs that the sender shows, or passes on.
//
//  memberships, each beginning with u8 1 | u8 0 | u16 n, capabilities | u16 n, tags | u16 n, revocations
//  | u16 n, ownerships.   May end after any list. Networks may be mixed.

package import NetPrimitives

/// The payload of NETWORK_CREDENTIALS.
package struct NetworkCredentials: WirePayload, Hashable {
    package var memberships: [Membership] = []
    package var capabilities: [Capability] = []
    package var tags: [Tag] = []
    package var revocations: [Revocation] = []
    package var ownerships: [Ownership] = []

    package init() {}

    package var isEmpty: Bool {
        memberships.isEmpty && capabilities.isEmpty && tags.isEmpty && revocations.isEmpty && ownerships.isEmpty
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        var rest = reader
        while try rest.uint8("credentials.mark") != 0 {
            memberships.append(try Membership(from: &reader))
            rest = reader
        }
        reader = rest
        for _ in 0..<(try NetworkCredentials.count(&reader)) { capabilities.append(try Capability(from: &reader)) }
        for _ in 0..<(try NetworkCredentials.count(&reader)) { tags.append(try Tag(from: &reader)) }
        for _ in 0..<(try NetworkCredentials.count(&reader)) { revocations.append(try Revocation(from: &reader)) }
        for _ in 0..<(try NetworkCredentials.count(&reader)) { ownerships.append(try Ownership(from: &reader)) }
    }

    // The end of the packet before a count means that there are no more lists.
    private static func count(_ reader: inout WireReader) throws(WireError) -> Int {
        reader.isAtEnd ? 0 : Int(try reader.uint16("credentials.count"))
    }

    package func encode(into writer: inout ByteWriter) {
        for membership in memberships { membership.encode(into: &writer) }
        writer.uint8(0)
        writer.uint16(UInt16(truncatingIfNeeded: capabilities.count))
        for capability in capabilities { capability.encode(into: &writer) }
        writer.uint16(UInt16(truncatingIfNeeded: tags.count))
        for tag in tags { tag.encode(into: &writer) }
        writer.uint16(UInt16(truncatingIfNeeded: revocations.count))
        for revocation in revocations { revocation.encode(into: &writer) }
        writer.uint16(UInt16(truncatingIfNeeded: ownerships.count))
        for ownership in ownerships { ownership.encode(into: &writer) }
    }

    /// Splits into packets that fit. Order: memberships, capabilities, tags, revocations, ownerships.
    package func packets(limit: Int = ProtocolLimits.maximumPayloadLength) -> [NetworkCredentials] {
        let overhead = 9
        var result: [NetworkCredentials] = []
        var current = NetworkCredentials()
        var size = overhead
        func room(_ length: Int) {
            if size + length > limit, !current.isEmpty {
                result.append(current)
                current = NetworkCredentials()
                size = overhead
            }
            size += length
        }
        for item in memberships {
            room(item.encoded.count)
            current.memberships.append(item)
        }
        for item in capabilities {
            room(item.encoded.count)
            current.capabilities.append(item)
        }
        for item in tags {
            room(item.encoded.count)
            current.tags.append(item)
        }
        for item in revocations {
            room(item.encoded.count)
            current.revocations.append(item)
        }
        for item in ownerships {
            room(item.encoded.count)
            current.ownerships.append(item)
        }
        if !current.isEmpty { result.append(current) }
        return result
    }
}
