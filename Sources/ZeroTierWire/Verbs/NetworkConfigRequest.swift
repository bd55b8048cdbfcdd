//  NETWORK_CONFIG_REQUEST (0x0b): a member asks the controller for its configuration.
//
//  offset size  field
//   28     8    network ID
//   36     2    length of the dictionary
//   38     ..   metadata dictionary: what the member understands
//   ..     8    revision of the configuration held   (both 0 without one; may be absent)
//   ..     8    its timestamp

package import NetPrimitives

/// The payload of NETWORK_CONFIG_REQUEST.
package struct NetworkConfigRequest: WirePayload, Hashable {
    package var network: NetworkID
    /// A dictionary's bytes, at most 1024.
    package var metadata: [UInt8]
    package var revision: UInt64
    package var timestamp: UInt64

    package init(network: NetworkID, metadata: [UInt8], revision: UInt64 = 0, timestamp: UInt64 = 0) {
        self.network = network
        self.metadata = metadata
        self.revision = revision
        self.timestamp = timestamp
    }

    package init(decoding payload: [UInt8]) throws(WireError) {
        var reader = WireReader(payload)
        network = try reader.networkID("request.network")
        let length = Int(try reader.uint16("request.length"))
        guard length <= ProtocolLimits.maximumRequestMetadata else {
            throw .tooLong(field: "request.length", limit: ProtocolLimits.maximumRequestMetadata, found: length)
        }
        metadata = try reader.bytes(length, "request.metadata")
        revision = reader.isAtEnd ? 0 : try reader.uint64("request.revision")
        timestamp = reader.isAtEnd ? 0 : try reader.uint64("request.timestamp")
    }

    package func encode(into writer: inout ByteWriter) {
        writer.networkID(network)
        let kept = metadata.prefix(ProtocolLimits.maximumRequestMetadata)
        writer.uint16(UInt16(kept.count))
        writer.bytes(Array(kept))
        writer.uint64(revision)
        writer.uint64(timestamp)
    }
}

/// A member's description of itself in a request for a configuration.
package struct RequestMetadata: Hashable, Sendable {
    package var configurationVersion: UInt64 = ProtocolLimits.configurationVersion
    package var vendor: UInt64 = 1
    package var protocolVersion: UInt64 = UInt64(ProtocolLimits.protocolVersion)
    package var majorVersion: UInt64 = 1
    package var minorVersion: UInt64 = 14
    package var revision: UInt64 = 1
    package var maximumRules: UInt64 = UInt64(ProtocolLimits.baseRules)
    package var maximumCapabilities: UInt64 = UInt64(ProtocolLimits.capabilities)
    package var maximumCapabilityRules: UInt64 = UInt64(ProtocolLimits.rulesPerCapability)
    package var maximumTags: UInt64 = UInt64(ProtocolLimits.tags)
    package var flags: UInt64 = 0
    package var rulesEngineRevision: UInt64 = 1
    /// `linux/x86_64` and the like; left out when empty.
    package var platform = ""
    /// `token:<token>`; left out when empty.
    package var authorization = ""

    package init() {}

    package init(_ dictionary: WireDictionary) {
        configurationVersion = dictionary.integer("v")
        vendor = dictionary.integer("vend")
        protocolVersion = dictionary.integer("pv")
        majorVersion = dictionary.integer("majv")
        minorVersion = dictionary.integer("minv")
        revision = dictionary.integer("revv")
        maximumRules = dictionary.integer("mr")
        maximumCapabilities = dictionary.integer("mc")
        maximumCapabilityRules = dictionary.integer("mcr")
        maximumTags = dictionary.integer("mt")
        flags = dictionary.integer("f")
        rulesEngineRevision = dictionary.integer("revr")
        platform = dictionary.text("o") ?? ""
        authorization = dictionary.text("a") ?? ""
    }

    /// The dictionary in the reference's order.
    package var dictionary: WireDictionary {
        var result = WireDictionary()
        result.append("v", integer: configurationVersion)
        result.append("vend", integer: vendor)
        result.append("pv", integer: protocolVersion)
        result.append("majv", integer: majorVersion)
        result.append("minv", integer: minorVersion)
        result.append("revv", integer: revision)
        result.append("mr", integer: maximumRules)
        result.append("mc", integer: maximumCapabilities)
        result.append("mcr", integer: maximumCapabilityRules)
        result.append("mt", integer: maximumTags)
        result.append("f", integer: flags)
        result.append("revr", integer: rulesEngineRevision)
        if !platform.isEmpty { result.append("o", text: platform) }
        if !authorization.isEmpty { result.append("a", text: authorization) }
        return result
    }
}
