//  Numbers of the Ethernet layer (VL2): counts, sizes and windows of configurations, credentials and rules.
//  Read first: zerotier/ZeroTierOne include/ZeroTierOne.h and node/NetworkConfig.hpp (facts only).

extension ProtocolLimits {
    // MARK: Configuration

    /// Config format that is written and asked for; older ones are refused. Fixed.
    package static let configurationVersion: UInt64 = 7
    package static let minimumConfigurationVersion: UInt64 = 6
    /// Longest dictionary of a configuration: the reference's buffer less its final NUL.
    package static let maximumConfigurationLength = 484_519
    /// Longest metadata dictionary of a request. Reference: ZT_NETWORKCONFIG_METADATA_DICT_CAPACITY.
    package static let maximumRequestMetadata = 1024
    /// Longest token that lets a node in, in bytes. Each may take two in the metadata, and controllers of the field read 511.
    package static let joinTokenLength = 128
    /// A controller cuts the dictionary into pieces of this length: longest packet less header and 256.
    package static let configurationChunkLength = maximumPacketLength - PacketHeader.payloadOffset - 256
    /// Most pieces of one update that are taken.
    package static let configurationChunks = 474
    /// Updates that may be under assembly at once, per network.
    package static let configurationAssemblies = 3
    package static let baseRules = 1024
    package static let capabilities = 128
    package static let rulesPerCapability = 64
    package static let tags = 128
    /// Certificates of ownership, and things in each.
    package static let ownerships = 4
    package static let thingsPerOwnership = 16
    package static let staticAddresses = 32
    package static let routes = 128
    /// Taken from a controller; releases of the field take the first 256.
    package static let specialists = 512
    package static let dnsServers = 4
    package static let dnsDomainLength = 128
    package static let networkNameLength = 127

    // MARK: Credentials

    package static let membershipQualifiers = 8
    package static let custodyChain = 7
    /// Default and greatest window within which credentials of two members agree, in milliseconds.
    package static let credentialWindowMilliseconds: UInt64 = 1_800_000
    package static let maximumCredentialWindowMilliseconds: UInt64 = 7_200_000
    /// Credentials are pushed to a peer in use this often. The reference daemon uses 500 s, libzt 30 s.
    package static let credentialPush: Duration = .milliseconds(30_000)

    // MARK: Multicast

    /// Records in one MULTICAST_LIKE, of 18 bytes each.
    package static let likeRecordLength = 18
    package static let likeRecordsPerPacket = maximumPayloadLength / likeRecordLength
    /// Frames that wait per group for subscribers. Reference: ZT_TX_QUEUE_SIZE of the multicaster.
    package static let multicastQueue = 32
    /// Nodes that one explicit gather asks.
    package static let gatherTargets = 16
    /// Active bridges that one frame to an unknown MAC goes to.
    package static let bridgesPerFrame = 32
}
