//  ERROR (0x02): why something was not done.
//
//  offset size  field
//   28     9    `OKHeader`: verb and packet ID in question
//   37     1    code
//   38     ..   by code: mostly the network ID
//
//  8 UNWANTED_MULTICAST adds 6 bytes MAC and u32 ADI; 9 NETWORK_AUTHENTICATION_REQUIRED adds, optionally, u16 length
//  and a dictionary.

package import NetPrimitives

/// The payload of ERROR.
package struct ErrorReply: WirePayload, Hashable {
    /// The number of a reason on the wire.
    package enum Code: UInt8, Hashable, Sendable, CaseIterable {
        case invalidRequest = 0x01
        case badProtocolVersion = 0x02
        case objectNotFound = 0x03
        case identityCollision = 0x04
        case unsupportedOperation = 0x05
        case needMembershipCertificate = 0x06
        case networkAccessDenied = 0x07
        case unwantedMulticast = 0x08
        case networkAuthenticationRequired = 0x09
    }

    /// Why.
    package enum Reason: Hashable, Sendable {
        case invalidRequest
        case badProtocolVersion
        /// The network does not exist; without an ID when the question was not about a network.
        case objectNotFound(NetworkID?)
        case identityCollision
        /// Not a controller of that network.
        case unsupportedOperation(NetworkID?)
        /// The original's NEED_MEMBERSHIP_CERTIFICATE: push your credentials.
        case needMembershipCertificate(NetworkID)
        case networkAccessDenied(NetworkID)
        /// `distinguisher` is the original's ADI.
        case unwantedMulticast(NetworkID, mac: MACAddress, distinguisher: UInt32)
        /// Single sign-on; the dictionary's bytes may be empty.
        case networkAuthenticationRequired(NetworkID, info: [UInt8])
        /// A number that this implementation does not know.
        case other(UInt8)
    }

    package var header: OKHeader
    package var reason: Reason

    package init(inReplyTo verb: Verb, packetID: PacketID, reason: Reason) {
        header = OKHeader(inReplyTo: verb, packetID: packetID)
        self.reason = reason
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        header = try OKHeader(from: &reader)
        let number = try reader.uint8("error.code")
        guard let code = Code(rawValue: number) else {
            reason = .other(number)
            return
        }
        reason = try ErrorReply.readReason(code, &reader)
    }

    private static func readReason(_ code: Code, _ reader: inout WireReader) throws(WireError) -> Reason {
        let field = "error.network"
        switch code {
        case .invalidRequest: return .invalidRequest
        case .badProtocolVersion: return .badProtocolVersion
        case .identityCollision: return .identityCollision
        case .objectNotFound: return .objectNotFound(reader.isAtEnd ? nil : try reader.networkID(field))
        case .unsupportedOperation: return .unsupportedOperation(reader.isAtEnd ? nil : try reader.networkID(field))
        case .needMembershipCertificate: return .needMembershipCertificate(try reader.networkID(field))
        case .networkAccessDenied: return .networkAccessDenied(try reader.networkID(field))
        case .unwantedMulticast:
            let network = try reader.networkID(field)
            let mac = MACAddress(try reader.uint48("error.mac"))
            return .unwantedMulticast(network, mac: mac, distinguisher: try reader.uint32("error.distinguisher"))
        case .networkAuthenticationRequired:
            let network = try reader.networkID(field)
            guard !reader.isAtEnd else { return .networkAuthenticationRequired(network, info: []) }
            let length = Int(try reader.uint16("error.infoLength"))
            guard length <= ProtocolLimits.maximumAuthenticationInfo else {
                throw .tooLong(
                    field: "error.infoLength", limit: ProtocolLimits.maximumAuthenticationInfo, found: length)
            }
            return .networkAuthenticationRequired(network, info: try reader.bytes(length, "error.info"))
        }
    }

    package func encode(into writer: inout ByteWriter) {
        header.encode(into: &writer)
        writer.uint8(reason.number)
        switch reason {
        case .invalidRequest, .badProtocolVersion, .identityCollision, .other: break
        case .objectNotFound(let network), .unsupportedOperation(let network):
            if let network { writer.networkID(network) }
        case .needMembershipCertificate(let network), .networkAccessDenied(let network):
            writer.networkID(network)
        case .unwantedMulticast(let network, let mac, let distinguisher):
            writer.networkID(network)
            writer.uint48(mac.bits)
            writer.uint32(distinguisher)
        case .networkAuthenticationRequired(let network, let info):
            writer.networkID(network)
            if info.isEmpty { return }
            let kept = info.prefix(ProtocolLimits.maximumAuthenticationInfo)
            writer.uint16(UInt16(kept.count))
            writer.bytes(Array(kept))
        }
    }
}

extension ErrorReply.Reason {
    /// The code on the wire.
    package var number: UInt8 {
        switch self {
        case .invalidRequest: ErrorReply.Code.invalidRequest.rawValue
        case .badProtocolVersion: ErrorReply.Code.badProtocolVersion.rawValue
        case .objectNotFound: ErrorReply.Code.objectNotFound.rawValue
        case .identityCollision: ErrorReply.Code.identityCollision.rawValue
        case .unsupportedOperation: ErrorReply.Code.unsupportedOperation.rawValue
        case .needMembershipCertificate: ErrorReply.Code.needMembershipCertificate.rawValue
        case .networkAccessDenied: ErrorReply.Code.networkAccessDenied.rawValue
        case .unwantedMulticast: ErrorReply.Code.unwantedMulticast.rawValue
        case .networkAuthenticationRequired: ErrorReply.Code.networkAuthenticationRequired.rawValue
        case .other(let number): number
        }
    }

    /// The network in question, if the reason names one.
    package var network: NetworkID? {
        switch self {
        case .invalidRequest, .badProtocolVersion, .identityCollision, .other: nil
        case .objectNotFound(let network), .unsupportedOperation(let network): network
        case .needMembershipCertificate(let network), .networkAccessDenied(let network): network
        case .unwantedMulticast(let network, _, _): network
        case .networkAuthenticationRequired(let network, _): network
        }
    }
}
