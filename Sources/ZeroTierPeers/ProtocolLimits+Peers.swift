//  The numbers that bound what remote nodes can make the VL1 machine keep and do, and its own rhythm where the reference
//  leaves it free. All are this implementation's choice.

import NetPrimitives
import ZeroTierWire

extension ProtocolLimits {
    // MARK: Length of datagrams

    /// Probes of full length without an answer before a way is thought to carry only the base (RFC 8899 5.1.2: MAX_PROBES).
    static let pathMTUProbes = 3
    /// How long an answer to one may take: twice the round trip within these bounds, or so long where it is unknown.
    static let pathMTUPatience: Duration = .milliseconds(400)
    static let pathMTUPatienceLeast: Duration = .milliseconds(100)
    static let pathMTUPatienceMost: Duration = .seconds(1)
    /// A way that carried a probe is asked again after this, while long packets go by it.
    static let pathMTUConfirmation: Duration = .seconds(30)
    /// The same for one that did not (RFC 8899 5.1.1: PMTU_RAISE_TIMER).
    static let pathMTURaise: Duration = .seconds(600)
    /// Least distance of two searches on a way that does not answer at all, or is in doubt.
    static let pathMTURetry: Duration = .seconds(1)

    // MARK: Silence

    /// Silence after which a peer that was always relayed is taken for gone: members of a common network say something every two
    /// minutes.
    package static let relayedSilence: Duration = .seconds(150)

    // MARK: Memory

    /// Peers that are not roots (about 2 KB each).
    static let peers = 16_384
    /// A new peer takes the place of one of so many picked at random, best of one that was silent for so long.
    static let evictionSamples = 32
    static let evictionSilence: Duration = .seconds(60)
    /// A peer of no network of ours that confirmed no path within this may give way although it speaks.
    static let evictionConfirmation: Duration = .seconds(10)
    /// Records of peers that are kept over restarts.
    package static let storedPeers = 1024
    /// Paths kept of a peer; a real node keeps 64, of which it uses one.
    static let pathsKept = 16
    /// Endpoints tried for a peer at one time.
    static let probesPerPeer = 32
    static let incompletePackets = 64
    static let incompletePacketsPerSource = 32
    static let incompleteBytes = 512 * 1024
    static let lookups = 256
    /// A root asks other roots for what it is asked and does not know: so many addresses in all, and for one peer.
    static let lookupsForOthers = 64
    static let lookupsPerAsker = 16
    static let waitingInbound = 64
    static let waitingOutbound = 128
    static let earlyRendezvous = 32
    static let expectedReplies = 4096
    static let expectedReplyLife: Duration = .seconds(30)
    static let controlPackets = 1024
    static let peerEvents = 4096
    static let readyPackets = 256
    static let surfaceReports = 256
    /// Changes of our own address that are believed at once, and the time in which one more is.
    static let surfaceChangeBurst = 4
    static let surfaceChangeInterval: Duration = .seconds(10)
    /// Addresses seen by others that are pushed, of each family: receivers try the first few only.
    static let surfacesPushed = 4
    static let moonSeeds = 32
    static let rememberedIdentities = 4096

    // MARK: What a root does for others

    static let agreementBurstPerPrefix = 16
    static let agreementIntervalPerPrefix: Duration = .milliseconds(50)
    /// 4000 agreements per second, each 31 us, and twice that with all that follows: a quarter of one core, which only sources of
    /// hundreds of prefixes get. Nothing cheaper tells a newcomer from garbage.
    static let agreementBurst = 1024
    static let agreementInterval: Duration = .microseconds(250)
    /// Prefixes that used up their own tokens share half of the burst, and one in so many of what comes after it.
    static let spareShare = 16
    static let validationBurstPerPrefix = 16
    static let validationIntervalPerPrefix: Duration = .milliseconds(500)
    static let validationBurst = 64
    /// 40 validations of 17 ms per second for prefixes that had their share: two thirds of one core.
    static let validationInterval: Duration = .milliseconds(25)
    /// Strangers that wait for their validation, or for the proof that has to come before.
    static let pendingValidations = 1024
    /// Jobs given out at one time: the others can still be put into another order.
    static let validationsUnderWay = 4
    /// From so many on that wait or are under way, a newcomer's endpoint has to answer before the work is done.
    static let validationPressure = 16
    /// Endpoints of one identity that are asked back at one time, besides that of its first HELLO; how often each is, and for how
    /// long its answer is waited for.
    static let challengesAtOnce = 8
    static let challengeInterval: Duration = .milliseconds(250)
    static let challengeLife: Duration = .seconds(2)
    /// Slots of the table of source prefixes.
    static let prefixSlots = 1024
    static let relayedBytesPerSecond = 16 * 1024 * 1024
    static let relayedBytesBurst = 16 * 1024 * 1024
    static let relaySources = 4096
    static let trustedPaths = 256
    static let introducedPairs = 4096
    /// One sender may have one in so many of them, the senders of one source prefix half.
    static let introductionShare = 16
    /// Two peers whose endpoints changed are introduced again after this.
    static let reintroduction: Duration = .seconds(1)

    // MARK: Answers

    /// Endpoints that proved nothing whose bytes are counted, the most credit of one, and how long it holds.
    static let answerAccounts = 1024
    static let answerCredit = 64 * 1024
    static let answerCreditLife: Duration = .seconds(30)
    /// Endpoints that are tried because one peer said so.
    static let attemptBurst = 64
    static let attemptInterval: Duration = .milliseconds(125)
    /// Bytes of a peer that are kept to pay for them, and what a datagram costs beyond its payload: its IP and UDP headers.
    static let attemptCredit = 2048
    /// What a root has at first: it introduces peers before it has sent much.
    static let rootAttemptCredit = 512
    static let datagramOverheadIPv4 = 28
    static let datagramOverheadIPv6 = 48
    /// An endpoint that nobody can pay for is looked at again after the pause, and forgotten after so long.
    static let unpaidProbePause: Duration = .milliseconds(250)
    static let probeLife: Duration = .seconds(30)
    /// Bytes of OK(ECHO) without a payload.
    static let echoReplyLength = PacketHeader.payloadOffset + OKHeader.size
    /// Bytes of an ECHO that pay for the answer to it, and for a question back that pays for its own answer.
    static let paidEchoFilling = 2 * echoReplyLength - PacketHeader.payloadOffset
    /// Endpoints kept that a peer told before it was trusted.
    static let heldEndpoints = 16
    /// Introductions of one root that are followed.
    static let rendezvousBurst = 256
    static let rendezvousInterval: Duration = .milliseconds(20)
    /// Messages of one peer that are given to the application.
    static let userMessageBurst = 64
    static let userMessageInterval: Duration = .milliseconds(20)
    /// Packets that leave because others wish it and wait for room in a batch.
    static let wishes = 512

    // MARK: Replays

    /// Packet IDs of a peer in one of two generations: at first, and where packets come fast (16 KiB).
    static let replayGenerationLeast = 64
    static let replayGenerationMost = 4096
    /// A generation that filled up within this has a larger successor, one that took longer than that a smaller one.
    static let replayGenerationFast: Duration = .seconds(10)
    static let replayGenerationSlow: Duration = .seconds(600)
    /// Until a relayed peer's promise of growing numbers is known, its recordings pass after so many packets more: soon.
    static let relayedHelloInterval: Duration = .seconds(1)
    /// A peer whose packets are all too old is asked how it is, at most once in this.
    static let outdatedInterval: Duration = .seconds(2)
    /// Copies of one HELLO, or HELLOs of one instant, from the sockets of a node come within this.
    static let helloCopies: Duration = .seconds(2)
    /// A longer round trip says nothing about a path.
    static let longestRoundTrip: Duration = .seconds(3)
    /// The longest wait for the answer to a doubt.
    static let longestPathDoubt: Duration = .seconds(3)

    // MARK: Gates

    static let echoBurst = 4
    /// HELLOs of a known peer that are answered: a node sends one from each of its sockets at one time.
    static let helloBurst = 16
    static let helloInterval: Duration = .milliseconds(250)
    /// The same for HELLOs that are not newer than the last one.
    static let oldHelloInterval: Duration = .milliseconds(500)
    static let confirmationBurst = 8
    static let confirmationInterval: Duration = .milliseconds(250)
    static let whoisBurst = 64
    static let whoisSendInterval: Duration = .milliseconds(10)
    static let whoisAddressesPerPacket = 32
    /// WHOIS of one peer that a root answers: a real node that starts sends one for each member of its networks at once.
    static let rootWhoisBurst = 512
    static let rootWhoisInterval: Duration = .milliseconds(2)
    /// Addresses of one WHOIS that are answered: identities of 71 bytes in one packet.
    static let whoisAnswers = 128

    // MARK: Rhythm

    /// Pauses before the next HELLO to a root that does not answer; the last one repeats.
    static let contactPauses: [Duration] = [
        .milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(5),
    ]
    /// A real node takes packets from a new port of ours, and sends to there, when the old path was silent for `pathAlive`. So long
    /// after a start or a change of place it gets something at least this often, so that it moves at once.
    static let newPlace: Duration = .milliseconds(20_500)
    static let newPlaceHeartbeat: Duration = .milliseconds(1500)
    /// A root's answer to a keepalive is missed after this.
    static let rootSilence: Duration = .milliseconds(15_500)
    /// Pauses between the tries of an endpoint that was pushed or came by RENDEZVOUS.
    static let probePauses: [Duration] = [
        .milliseconds(150), .milliseconds(350), .milliseconds(700), .milliseconds(1300), .milliseconds(2500),
    ]
    /// `pathAlive` in nanoseconds: asked for every packet, where a `Duration` would cost more than the rest.
    static let pathAliveNanoseconds: UInt64 = 19_000_000_000
    /// `trust`, `housekeeping` and the pauses between pushes of our addresses, for the same reason.
    static let trustNanoseconds: UInt64 = 600_000_000_000
    static let housekeepingNanoseconds: UInt64 = 30_000_000_000
    static let directPathPushRelayedNanoseconds: UInt64 = 15_000_000_000
    static let directPathPushDirectNanoseconds: UInt64 = 120_000_000_000
    /// A path in use that was silent this long is asked for a sign of life.
    static let pathDoubtSilence: Duration = .milliseconds(2500)
    /// Pause between two such questions.
    static let pathDoubtInterval: Duration = .milliseconds(250)
    /// Without an answer for this long packets are relayed, until something comes by the path.
    static let pathDoubtPatience: Duration = .milliseconds(500)
    /// So long after the death of a path in use the peer may answer through a root, before it is told of as unreachable.
    static let relayedDoubtPatience: Duration = .seconds(3)
    /// A path in use that died is asked this often for a while whether it lives again: traffic waits for it.
    static let deadPathProbe: Duration = .seconds(1)
    static let deadPathWatch: Duration = .seconds(20)
    /// At most one change of a peer's port per this.
    static let pathChangeInterval: Duration = .seconds(1)
    /// A path whose use ended with a change of our own address may still answer within this.
    static let resetPathPatience: Duration = .seconds(10)
}
