//  A peer as remembered between runs: one file `peers.d/<address>.peer`.
//
//  size   field
//   1     record version: 1 up to release 1.8.5, 2 since; same layout
//  71     identity, public
//  2 x 4  protocol, major, minor, revision
//   2     number of paths
//  ..     so many serialised addresses

package import NetPrimitives

/// A peer as remembered in a file.
package struct PeerRecord: Hashable, Sendable {
    /// The version that is written.
    package static let version: UInt8 = 2

    package var identity: Identity
    /// Protocol version, 0 if never learned.
    package var protocolVersion: UInt16
    package var softwareVersion: SoftwareVersion
    /// Where the peer was reached last.
    package var endpoints: [SocketEndpoint]

    package init(
        identity: Identity, protocolVersion: UInt16, softwareVersion: SoftwareVersion, endpoints: [SocketEndpoint]
    ) {
        self.identity = identity.withoutSecret
        self.protocolVersion = protocolVersion
        self.softwareVersion = softwareVersion
        self.endpoints = endpoints
    }

    /// Reads a record of version 1 or 2. Bytes behind it are ignored, and so are endpoints beyond 64.
    package init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes)
        let version = try reader.uint8("peerRecord.version")
        guard version == 1 || version == 2 else {
            throw .invalid(field: "peerRecord.version", expected: "1 or 2", found: UInt64(version))
        }
        identity = try Identity(from: &reader)
        protocolVersion = try reader.uint16("peerRecord.protocol")
        let major = try reader.uint16("peerRecord.major")
        let minor = try reader.uint16("peerRecord.minor")
        let revision = try reader.uint16("peerRecord.revision")
        softwareVersion = SoftwareVersion(
            major: UInt8(clamping: major), minor: UInt8(clamping: minor), revision: revision)
        let count = Int(try reader.uint16("peerRecord.pathCount"))
        endpoints = []
        for _ in 0..<count {
            let endpoint = try PhysicalAddressCodec.decode(from: &reader, "peerRecord.path")
            if let endpoint, endpoints.count < ProtocolLimits.pathsPerPeer { endpoints.append(endpoint) }
        }
    }

    /// The record as bytes.
    package var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.uint8(PeerRecord.version)
        identity.encode(into: &writer)
        writer.uint16(protocolVersion)
        writer.uint16(UInt16(softwareVersion.major))
        writer.uint16(UInt16(softwareVersion.minor))
        writer.uint16(softwareVersion.revision)
        let kept = endpoints.prefix(ProtocolLimits.pathsPerPeer)
        writer.uint16(UInt16(kept.count))
        for endpoint in kept { PhysicalAddressCodec.encode(endpoint, into: &writer) }
        return writer.bytes
    }
}
