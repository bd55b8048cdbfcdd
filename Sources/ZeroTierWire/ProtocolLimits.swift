//  Every number of the protocol in one place, with where it comes from.
//  Read first: zerotier/ZeroTierOne node/Constants.hpp and node/Packet.hpp (facts only).

/// Numbers of the protocol. Other nodes only understand those marked "fixed". The others are the reference's, or this
/// implementation's choice where that is said.
package enum ProtocolLimits {
    // MARK: Versions

    /// Protocol version announced in HELLO. Fixed: 12 is the first with AES-GMAC-SIV.
    package static let protocolVersion: UInt8 = 12
    /// Peers that announce less are ignored. Reference: ZT_PROTO_VERSION_MIN.
    package static let minimumProtocolVersion: UInt8 = 4
    /// From this version on a peer understands ECHO, and its surface address may carry a port.
    package static let echoProtocolVersion: UInt8 = 5
    /// From this version on a peer is sent suite 3.
    package static let gmacSIVProtocolVersion: UInt8 = 12

    // MARK: Packets

    /// Longest whole packet: 7 parts of the default path MTU. Fixed: ZT_PROTO_MAX_PACKET_LENGTH.
    package static let maximumPacketLength = 10_024
    /// Longest payload after decompression.
    package static let maximumPayloadLength = maximumPacketLength - PacketHeader.payloadOffset
    /// Most parts of a packet, head included. Fixed: ZT_MAX_PACKET_FRAGMENTS.
    package static let maximumParts = 7
    /// A relay drops packets that were relayed this often. Reference: ZT_RELAY_MAX_HOPS.
    package static let relayHops = 3
    /// Payloads up to this length are never compressed. Reference: Packet::compress.
    package static let uncompressedPayloadLength = 64
    /// UDP payload that every path carries: default and bounds of what may be configured.
    package static let physicalMTU = 1432
    package static let physicalMTUs = 1400...10_324
    /// UDP payload that every working path carries (RFC 8899 5.1.2; QUIC needs as much). It is used where longer datagrams
    /// are lost.
    package static let basePathMTU = 1200
    /// The longest packet that can be cut into parts of the base length.
    package static let maximumBasePacketLength =
        basePathMTU + (maximumParts - 1) * (basePathMTU - FragmentHeader.size)
    /// Ethernet payload of a virtual network: default, least, greatest. Reference: ZT_DEFAULT_MTU and bounds.
    package static let virtualMTU = 2800
    package static let minimumVirtualMTU = 1280
    package static let maximumVirtualMTU = 10_000
    /// Bytes of the hole-punch datagram and its time to live. Reference: RENDEZVOUS handling.
    package static let holePunchLength = 4
    package static let holePunchTimeToLive: UInt8 = 2

    // MARK: Identities and keys

    /// First byte of an address that nobody has. Fixed.
    package static let reservedAddressPrefix: UInt8 = 0xff
    package static let publicKeyLength = 64
    package static let secretKeyLength = 64
    package static let signatureLength = 96
    /// Length of an identity's hash in credentials (SHA-384). Fixed.
    package static let fingerprintLength = 48

    // MARK: Worlds

    /// Most roots and endpoints per root; more are rejected. Fixed: World.hpp.
    package static let rootsPerWorld = 4
    package static let endpointsPerRoot = 32
    /// Longest serialised world. Fixed: World.hpp.
    package static let maximumWorldLength = 8480

    // MARK: Verbs

    /// PUSH_DIRECT_PATHS packets are filled up to this length. Reference: Peer.cpp.
    package static let directPathsPacketLength = 1200
    /// Attempts per received PUSH_DIRECT_PATHS for each scope and family.
    package static let directPathAttempts = 8
    /// QOS_MEASUREMENT payload bounds and the most records read.
    package static let qualityPayload = 9...1400
    package static let qualityRecords = 140
    /// The most bytes of a dictionary that comes with ERROR NETWORK_AUTHENTICATION_REQUIRED. Its length field allows
    /// more; the packet does not.
    package static let maximumAuthenticationInfo = 8192

    // MARK: Rhythm

    package static let timerGranularity: Duration = .milliseconds(60)
    package static let pingCheck: Duration = .milliseconds(5000)
    /// Work that may be late by this much is done for all owners at once. A choice of ours: less than what lies between a
    /// heartbeat (14 s) and the end of patience for it at the root's (15.5 s) and the peer's side (19 s).
    package static let wakeGrid: Duration = .milliseconds(1000)
    /// When within a second a node wakes: its address tells, so that the nodes of one machine do not wake together.
    package static func wakePhase(of address: Address) -> Duration { .milliseconds(Int64(address.value % 1000)) }
    package static let housekeeping: Duration = .milliseconds(30_000)
    /// Queues and WHOIS are retried this often.
    package static let retryTick: Duration = .milliseconds(500)
    /// How long a packet waits for an identity, a path or its other parts.
    package static let queueEntryLife: Duration = .milliseconds(5000)
    package static let pathHeartbeat: Duration = .milliseconds(14_000)
    package static let pathAlive: Duration = .milliseconds(19_000)
    package static let fullHelloKeepalive: Duration = .milliseconds(60_000)
    package static let pathExpiration: Duration = .milliseconds(243_000)
    /// A peer that is silent this long is dropped from memory (daemon), or a node offline (libzt).
    package static let peerActivityTimeout: Duration = .milliseconds(500_000)
    package static let onlineTimeout: Duration = .milliseconds(30_000)
    package static let unite: Duration = .milliseconds(30_000)
    package static let trust: Duration = .milliseconds(600_000)
    package static let surfaceEntry: Duration = .milliseconds(600_000)
    package static let networkConfigRefresh: Duration = .milliseconds(60_000)
    package static let multicastLikeAnnounce: Duration = .milliseconds(60_000)
    package static let multicastLikeExpire: Duration = .milliseconds(600_000)
    package static let multicastExplicitGather: Duration = .milliseconds(60_000)
    package static let multicastTransmitTimeout: Duration = .milliseconds(5000)
    package static let controllerAuthorizationMemory: Duration = .milliseconds(180_000)

    // MARK: Gates

    /// WHOIS sent: one per address.
    package static let whoisInterval: Duration = .milliseconds(500)
    /// WHOIS answered by a node that is no root: one per peer.
    package static let whoisAnswerInterval: Duration = .milliseconds(100)
    /// ECHO answered: one per path (since 1.8.9).
    package static let echoInterval: Duration = .milliseconds(166)
    /// HELLO that confirms an unknown path: one per peer and path.
    package static let pathConfirmationInterval: Duration = .milliseconds(1000)
    /// NETWORK_CREDENTIALS taken and pushed: one per peer.
    package static let credentialsInterval: Duration = .milliseconds(1000)
    /// PUSH_DIRECT_PATHS: a push within this time of the last one counts; handled while the count is below the limit.
    package static let directPathsWindow: Duration = .milliseconds(30_000)
    package static let directPathsLimit = 8
    /// Prefixes within which sources share the budget for the validation of unknown identities.
    package static let identityPrefixIPv4 = 24
    package static let identityPrefixIPv6 = 48
    /// Most paths kept of a peer (16 up to 1.8.4).
    package static let pathsPerPeer = 64
}
