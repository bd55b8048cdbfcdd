//  Numbers of this implementation of the Ethernet layer; those of the protocol are in `ProtocolLimits`.

import NetPrimitives
import ZeroTierWire

/// Bounds and rhythms of our choice.
package enum EthernetLimits {
    /// Networks that may be joined at once.
    package static let networks = 1024
    /// Packets for peers, and frames for the stack, that wait to be pulled.
    package static let packetQueue = 4096
    package static let localQueue = 1024
    package static let eventQueue = 4096
    /// Packets that wait for credentials or an identity: in all and of one sender. In a full room who has most gives way.
    package static let waitingPackets = 256
    package static let waitingPacketsPerPeer = 16
    package static let waitingLife: Duration = .milliseconds(5000)
    /// How often a waiting packet asks its sender for credentials.
    package static let credentialRequestInterval: Duration = .milliseconds(500)
    /// How often a packet with credentials is looked at that comes from the controller of a joined network. Its budget of signatures
    /// bounds the cost.
    package static let controllerCredentialsInterval: Duration = .milliseconds(50)
    /// Members remembered of one network; of those who proved nothing the one unused longest gives way, and revocations last.
    package static let membersPerNetwork = 8192
    /// Credentials kept of one member.
    package static let revocationsPerMember = 256
    /// A member that was not used for this long is forgotten (its revocations are kept while they matter).
    package static let memberIdle: Duration = .milliseconds(3_600_000)
    /// Identities kept for checking signatures.
    package static let identities = 512
    /// Identities asked for and not yet given.
    package static let wantedIdentities = 512
    /// MULTICAST_LIKE records: of one peer, and in all. Oldest out first.
    package static let likesPerPeer = 4096
    package static let likesTotal = 262_144
    /// Groups of one network that this host subscribes to, and that were seen behind it as a bridge.
    package static let subscriptions = 4096
    package static let bridgedGroups = 1024
    package static let bridgedGroupLife: Duration = .milliseconds(1_200_000)
    /// Members that one multicast frame goes to at most, whatever the controller allows.
    package static let multicastRecipients = 65_536
    /// Groups of one network for which sending state is kept.
    package static let multicastSenders = 512
    /// MACs learned behind bridges, per network.
    package static let bridgeRoutes = 4096
    /// Entries of the tables that space out requests and answers.
    package static let gates = 4096
    /// Signatures, of about 0.1 ms each, that are checked for one stranger, one member, all members, and all strangers together: at
    /// once, and the time in which one more is. A newcomer's are one to a dozen; a controller's configuration has some hundred.
    static let signaturesPerPeer = 64
    static let signatureIntervalPerPeer: Duration = .milliseconds(30)
    static let signaturesPerMember = 2048
    static let signatureIntervalPerMember: Duration = .milliseconds(5)
    static let signaturesOfMembers = 4096
    static let signatureIntervalOfMembers: Duration = .microseconds(500)
    static let signaturesOfStrangers = 1024
    static let signatureIntervalOfStrangers: Duration = .milliseconds(1)
    /// The most signatures that are checked for so many peers in so long.
    package static func signatures(of peers: Int, in time: Duration) -> Int {
        peers * (signaturesPerPeer + signaturesPerMember + 2)
            + peers * Int(time / signatureIntervalPerPeer + time / signatureIntervalPerMember)
    }
    /// The most signatures that are checked for one stranger in so long, by a node that was started so often.
    package static func signatures(ofStrangerIn time: Duration, starts: Int) -> Int {
        starts * (signaturesPerPeer + 1) + Int(time / signatureIntervalPerPeer)
    }
    /// Peers whose signatures are counted.
    static let signatureAccounts = 2048
    package static let authorisations = 65_536
    /// Pieces of configurations that were passed on to other members, per network: each goes once while it is remembered.
    package static let passedPieces = 4096
    package static let passedPieceLife: Duration = .milliseconds(7_200_000)
    /// Updates of one network that are passed on at once, and the time in which one more may be.
    static let passedUpdates = 8
    static let passedUpdateInterval: Duration = .milliseconds(5000)
    /// The loop in which networks ask for configurations and announce groups.
    package static let loopInterval: Duration = .milliseconds(5000)
    /// New credentials are shown to known members so often more, so long apart: they look at one packet in a second.
    static let proofRounds = 2
    static let proofInterval: Duration = .milliseconds(1100)
    package static let housekeeping: Duration = .milliseconds(30_000)
    /// Frames of a network that its rules refused, the last ones; and capabilities whose frames are counted apart.
    static let refusals = 32
    static let countedCapabilities = 256
    /// Verdicts on flows that are remembered, in each direction. A power of two.
    static let flowCacheEntries = 64
}

/// What a node decides about its Ethernet layer at start.
package struct EthernetConfiguration: Sendable {
    /// `os/architecture`, told to controllers.
    package var platform = ""
    /// Software version told to controllers. Rule tables are only given to those who say 1.x.
    package var version: (major: UInt8, minor: UInt8, revision: UInt8) = (1, 14, 1)
    /// Credentials are shown again to a member in use after this long.
    package var credentialPush = ProtocolLimits.credentialPush
    /// Whether this node has a controller, so that networks of its own address can be asked for.
    package var hasController = false
    package var likesPerPeer = EthernetLimits.likesPerPeer
    package var likesTotal = EthernetLimits.likesTotal
    package var membersPerNetwork = EthernetLimits.membersPerNetwork
    package var packetQueue = EthernetLimits.packetQueue
    package var localQueue = EthernetLimits.localQueue

    package init() {}
}
