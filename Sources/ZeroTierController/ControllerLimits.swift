//  Numbers of the network controller: bounds on memory and work, and its rhythms.
//  Read first: zerotier/ZeroTierOne controller/EmbeddedNetworkController.cpp (facts only).

import NetPrimitives
import ZeroTierWire

/// Bounds and rhythms that are a choice of ours, or the field's.
package enum ControllerLimits {
    /// A member that asks again within this time of its last accepted request is not answered. Fixed by the field.
    static let requestInterval: Duration = .milliseconds(1000)
    /// A member is online for so long after its last accepted request. Fixed by the field.
    static let onlineWindow: Duration = .milliseconds(120_000)
    /// A node that nobody let in is forgotten after so long a silence. It asks every 5 s while it waits.
    static let strangerLife: Duration = .milliseconds(600_000)
    /// Between two packets with revocations for one member: members look at one in a second.
    static let revocationInterval: Duration = .milliseconds(1100)
    /// Between two packets with revocations that do not wait for the next round.
    static let newsInterval: Duration = .milliseconds(100)
    /// How often each revocation is sent: packets get lost.
    static let revocationRounds = 3
    /// Revocations in one packet: 152 bytes each.
    static let revocationsPerPacket = 48
    /// Members of a deleted network whose memberships are revoked, of those that are there.
    static let revocationsPerDeletion = 512
    /// Members that hear of earlier revocations when the controller starts.
    static let recipientsAtStart = 4096
    /// Packets to many members leave in groups of so many, so long apart.
    static let packetsPerGroup = 256
    static let groupInterval: Duration = .milliseconds(5)
    static let housekeeping: Duration = .milliseconds(30_000)
    /// Numbers that are tried for a new network before the controller counts as full.
    static let numberTrials = 64
    /// Candidates for an address that one pool gets at one request.
    static let addressTrials = 1000

    /// Warnings about one record.
    static let warnings = 64

    /// Bridges that are named in a configuration: more are lost on members of the field.
    static let activeBridges = 256

    // Of one record.
    static let routes = ProtocolLimits.routes
    static let pools = 128
    static let tokens = 128
    /// Bytes of a token, of a member's name, of a description, of a rule source.
    static let tokenLength = ProtocolLimits.joinTokenLength
    static let memberNameLength = 255
    static let noteLength = 4096
    static let ruleSourceLength = 262_144
    /// Bytes of a record as JSON: the largest that a record can be is some 2 MB.
    package static let recordText = 8 << 20
    /// Bytes of a file with records of many networks or members.
    package static let exportText = 64 << 20
    /// Bytes of all rules on the wire, those of capabilities included.
    static let ruleBytes = 131_072
    /// Addresses of one member. Its configuration has room for the two of the plans besides.
    static let addressesPerMember = ProtocolLimits.staticAddresses - 2
    /// The window in which credentials of two members agree, in milliseconds.
    static let credentialWindows: ClosedRange<UInt64> = 300_000...ProtocolLimits.maximumCredentialWindowMilliseconds
    /// Copies of a multicast frame.
    static let multicastLimit: UInt32 = 65_536
    static let mtus = ProtocolLimits.minimumVirtualMTU...ProtocolLimits.maximumVirtualMTU
}

/// What others can make a controller hold. Tests make these small.
package struct ControllerConfiguration: Sendable {
    /// Networks of one controller.
    package var networks = 8192
    /// Members of one network that have a record, let in or not.
    package var membersPerNetwork = 262_144
    /// Nodes that ask for one network and that nobody let in; the one silent for longest gives way.
    package var strangersPerNetwork = 1024
    /// Requests and changes that wait for the store.
    package var waiting = 8192
    /// Configurations that wait for their signature.
    package var unsigned = 4096
    /// Signatures under way at once.
    package var signing = 64
    /// Packets, events and answers that wait to be taken.
    package var effects = 65_536
    /// Members whose configuration is to be pushed.
    package var pushes = 262_144
    /// Revocations of one network that newcomers are shown.
    package var revocationsPerNetwork = 1024
    /// Revocations that wait for their signature. Half of them is for who is let out one by one, the other half for those of
    /// deleted networks.
    package var wantedRevocations = 16_384
    /// Revocations that are signed and on their way; each goes several times.
    package var currentRevocations = 4096
    /// Members that came back and are to hear what was revoked meanwhile.
    package var returners = 65_536

    package init() {}
}
