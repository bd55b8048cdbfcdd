//  What we know and owe of one other node. Read first: zerotier/ZeroTierOne node/Peer.hpp (facts only).
//
//  A peer exists once its identity is known. Its paths are those that answered us; without one it is relayed.
//
//      (no paths) --OK on a path--> direct --all paths silent 19 s or in doubt--> relayed --OK--> direct

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// A remote endpoint that is being tried for a peer.
struct PathProbe: Sendable {
    /// Where to; the socket is `anySocket` when every one is to try.
    var path: PhysicalPath
    /// Tries made so far.
    var attempts = 0
    /// When the next one is due.
    var due: MonotonicInstant
    /// Whether it is tried only once: who told of it never proved to be in a network of ours.
    var isSingle = false
    /// The peer or root that named it and pays for the tries; nil when it is our own wish.
    var teller: Address?
    /// When it was last named.
    var since: MonotonicInstant
}

/// Whose turn it is among the endpoints of a root. True is IPv4.
struct ContactTurns: Sendable {
    private var ipv4: Int?
    private var ipv6: Int?

    subscript(isIPv4: Bool) -> Int? {
        get { isIPv4 ? ipv4 : ipv6 }
        set { if isIPv4 { ipv4 = newValue } else { ipv6 = newValue } }
    }
}

/// One other node.
struct Peer: ~Copyable {
    private let inPlace = InPlace()
    let identity: Identity
    /// Its place in the topology; that names nothing until it is there.
    var id = PeerID.none
    /// Key schedules of the pair.
    let cipher: PacketCipher
    /// Position in the topology's list of all peers.
    var orderIndex = 0
    var role: PeerRole
    /// The source prefix of the first path that was confirmed; nil until then.
    var origin: IPAddress?
    /// From its HELLO or OK(HELLO); 0 until known.
    var protocolVersion: UInt8 = 0
    var softwareVersion: SoftwareVersion?

    var paths: [Path] = []
    /// Index of the path that was hit last.
    private var recentPath = 0

    let createdAt: MonotonicInstant
    /// Anything authentic; traffic of networks, in or out; a full round of HELLOs.
    var lastReceive: MonotonicInstant?
    var lastActivity: MonotonicInstant?
    var lastFullHello: MonotonicInstant?
    var lastTrust: MonotonicInstant?
    var lastPathPush: MonotonicInstant?
    /// When the running count of the peer's path pushes began.
    var pathPushesSince: MonotonicInstant?
    var pathPushCount = 0
    var lastPathChange: MonotonicInstant?
    var traffic = PeerTraffic()

    /// The root's path by which packets went that could not go directly, and how long datagrams through it may be.
    var relay: PhysicalPath?
    var relayedDatagramSize = DatagramSize()

    /// Endpoints being tried.
    var probes: [PathProbe] = []
    /// HELLOs to a root since it was last heard from, and when the next is due.
    var contactAttempts = 0
    var contactDue: MonotonicInstant
    /// Which of its endpoints is asked next, for each IP version.
    var contactTurns = ContactTurns()

    /// The address to which the peer redirected us, and the priority of the path when it answers.
    var redirect: (endpoint: SocketEndpoint, priority: Int)?

    /// Unknown paths of this peer that are asked to confirm themselves, with the time of the last question.
    var confirmations: [(path: PhysicalPath, at: MonotonicInstant)] = []
    var confirmationGate = RateLimiter(
        burst: ProtocolLimits.confirmationBurst, interval: ProtocolLimits.confirmationInterval)
    /// HELLOs newer than all before, and the others: only these can be replays.
    var helloGate = RateLimiter(burst: ProtocolLimits.helloBurst, interval: ProtocolLimits.helloInterval)
    var oldHelloGate = RateLimiter(burst: ProtocolLimits.helloBurst, interval: ProtocolLimits.oldHelloInterval)
    /// The newest timestamp that a HELLO of the peer had, by its own clock, and when that came.
    var lastHelloTimestamp: UInt64?
    var lastHelloAt = MonotonicInstant.zero
    /// When the question left whose answer last told the version.
    var versionAskedAt = MonotonicInstant.zero
    /// Endpoints that are tried because the peer says so, introductions, and messages.
    var attemptGate = RateLimiter(burst: ProtocolLimits.attemptBurst, interval: ProtocolLimits.attemptInterval)
    /// Bytes that came from it and were not yet spent on what it wishes, and how many of them came through a root.
    private var attemptCredit = 0
    private var relayedCredit = 0
    var rendezvousGate = RateLimiter(
        burst: ProtocolLimits.rendezvousBurst, interval: ProtocolLimits.rendezvousInterval)
    var userMessageGate = RateLimiter(
        burst: ProtocolLimits.userMessageBurst, interval: ProtocolLimits.userMessageInterval)
    /// Questions to a root for worlds that are newer than ours.
    var worldGate = RateLimiter(burst: 1, interval: ProtocolLimits.pingCheck)
    /// Endpoints that the peer told before it proved to be in a network of ours.
    var heldEndpoints: [SocketEndpoint] = []
    /// Whether worlds were left out of an answer, because the path was not confirmed.
    var isOwedWorlds = false
    /// What came before.
    var replays = ReplayFilter()
    var outdatedGate = RateLimiter(burst: 1, interval: ProtocolLimits.outdatedInterval)
    /// HELLOs through a root, until one is answered.
    var relayedHelloGate = RateLimiter(burst: 1, interval: ProtocolLimits.relayedHelloInterval)
    /// Paths that a HELLO newer than all before came by: recordings do not use these tokens up.
    var newHelloGate = RateLimiter(
        burst: ProtocolLimits.confirmationBurst, interval: ProtocolLimits.confirmationInterval)
    var whoisGate = RateLimiter(burst: 1, interval: ProtocolLimits.whoisAnswerInterval)
    /// WHOIS that a root answers.
    var rootWhoisGate = RateLimiter(
        burst: ProtocolLimits.rootWhoisBurst, interval: ProtocolLimits.rootWhoisInterval)
    /// ECHOs that come by relay or by paths not learned.
    var otherEchoGate = RateLimiter(burst: ProtocolLimits.echoBurst, interval: ProtocolLimits.echoInterval)

    /// What was last told about how the peer is reached; nil when nothing was.
    var reported: Reach?
    /// Paths that are gone, to be told of.
    var lostPaths: [Path] = []
    /// Whether a wake-up of this peer is in the deadline queue for keepalive.
    var isKeptAlive = false

    init(identity: Identity, cipher: consuming PacketCipher, role: PeerRole, now: MonotonicInstant) {
        self.identity = identity.withoutSecret
        self.cipher = cipher
        self.role = role
        createdAt = now
        contactDue = now
        if role != .leaf { attemptCredit = ProtocolLimits.rootAttemptCredit }
    }

    var address: Address { identity.address }
    var isUpstream: Bool { role != .leaf }

    /// The newest suite that the peer is known to understand.
    @inline(__always)
    var suite: CipherSuite {
        protocolVersion >= ProtocolLimits.gmacSIVProtocolVersion ? .gmacSIV : .salsa
    }

    /// Whether the peer is known to answer ECHO path by path. Nodes before 1.8.9 answer one per second whatever the path,
    /// those before protocol 5 and release 1.1.0 none at all: they are asked with HELLO, which has no gate. So are nodes of this
    /// implementation: OK(ECHO) is longer than its question, and goes to confirmed endpoints only.
    var answersEchoPerPath: Bool {
        guard !replays.isGrowing else { return false }
        guard protocolVersion >= ProtocolLimits.echoProtocolVersion, let version = softwareVersion else { return false }
        return (version.major, version.minor, version.revision) >= (1, 8, 9)
    }

    /// Whether the peer answers an ECHO from anywhere, with no more bytes than it has: it is of this implementation. One that did
    /// not answer a HELLO of ours yet gets that, since it says what we promise.
    var answersPaidEcho: Bool { paysForEcho && versionAskedAt != .zero }

    /// Whether the peer is of this implementation and answers ECHO: from an endpoint that proved nothing if that pays for it.
    var paysForEcho: Bool { replays.isGrowing && protocolVersion >= ProtocolLimits.echoProtocolVersion }

    /// Whether the peer is of this implementation: it asks whoever sends from a new place, and moves when that answers.
    var movesAtOnce: Bool { replays.isGrowing || softwareVersion.map { $0.major >= 2 } ?? false }

    /// Whether the peer answers ECHO at all.
    var answersEcho: Bool {
        protocolVersion >= ProtocolLimits.echoProtocolVersion
            && softwareVersion != SoftwareVersion(major: 1, minor: 1, revision: 0)
    }

    // MARK: Credit

    /// So many authentic bytes came from the peer.
    @inline(__always)
    mutating func earn(_ byteCount: Int) {
        attemptCredit = min(attemptCredit &+ byteCount, ProtocolLimits.attemptCredit)
    }

    /// The same, through a root.
    mutating func earnRelayed(_ byteCount: Int) {
        earn(byteCount)
        relayedCredit = min(relayedCredit &+ byteCount, ProtocolLimits.attemptCredit)
    }

    /// Takes bytes from what came; false, and nothing taken, when that is not enough.
    mutating func pay(_ byteCount: Int) -> Bool {
        guard attemptCredit >= byteCount else { return false }
        attemptCredit -= byteCount
        relayedCredit = min(relayedCredit, attemptCredit)
        return true
    }

    /// The same, from what came through a root.
    mutating func payRelayed(_ byteCount: Int) -> Bool {
        guard relayedCredit >= byteCount else { return false }
        relayedCredit -= byteCount
        attemptCredit -= byteCount
        return true
    }

    // MARK: Packets

    /// Checks and decrypts in place. `number`: the ID that the sender chose.
    @inline(__always)
    borrowing func open(_ packet: inout MutableRawSpan, length: Int, number: inout UInt64) -> Bool {
        PacketArmor.open(&packet, length: length, cipher: cipher, number: &number)
    }

    /// Encrypts and authenticates in place.
    @inline(__always)
    borrowing func seal(_ packet: inout MutableRawSpan, length: Int, suite: CipherSuite) {
        PacketArmor.seal(&packet, length: length, suite: suite, cipher: cipher)
    }

    /// Encrypts the inner section of a HELLO and authenticates it.
    borrowing func sealHello(_ packet: inout MutableRawSpan, length: Int, sectionOffset: Int) {
        PacketArmor.sealHello(&packet, length: length, sectionOffset: sectionOffset, cipher: cipher)
    }

    // MARK: Paths

    /// The index of the path of a datagram.
    mutating func pathIndex(_ path: PhysicalPath) -> Int? {
        if recentPath < paths.count, paths[recentPath].matches(path) { return recentPath }
        for index in paths.indices where paths[index].matches(path) {
            recentPath = index
            return index
        }
        return nil
    }

    /// A round trip on a path was measured by our own clock.
    mutating func noteRoundTrip(_ sample: Duration, by path: PhysicalPath) {
        if let index = pathIndex(path) { paths[index].noteRoundTrip(sample) }
    }

    /// Whether an ECHO that came by a path is within what is answered.
    mutating func mayEcho(_ path: PhysicalPath, isDirect: Bool, _ now: MonotonicInstant) -> Bool {
        guard isDirect, let index = pathIndex(path) else { return otherEchoGate.allow(now) }
        return paths[index].echoGate.allow(now)
    }

    /// Whether the list has this remote endpoint, by any socket, not expired.
    func hasPath(to endpoint: SocketEndpoint, _ now: MonotonicInstant) -> Bool {
        paths.contains { $0.physical.remote == endpoint && $0.isUnexpired(now) }
    }

    /// Whether a path to this remote endpoint, by any socket, is alive beyond doubt.
    func isReached(at endpoint: SocketEndpoint, _ now: MonotonicInstant) -> Bool {
        paths.contains { $0.physical.remote == endpoint && $0.isAlive(now) && $0.doubtedSince == nil }
    }

    /// The best of the peer's own paths that meets a requirement.
    func ownWay(_ requirement: PathSelection.Requirement, _ time: MonotonicInstant) -> Way? {
        guard let index = PathSelection.best(paths, requirement, time) else { return nil }
        return Way(path: paths[index].physical, owner: id, index: index)
    }

    /// The best of the peer's paths of one scope and family, for introducing it.
    func bestPath(scope: AddressScope, isIPv4: Bool, _ now: MonotonicInstant) -> PhysicalPath? {
        PathSelection.best(paths, scope: scope, isIPv4: isIPv4, now).map { paths[$0].physical }
    }

    /// Whether packets can go directly.
    func isDirect(_ now: MonotonicInstant) -> Bool { PathSelection.best(paths, .alive, now) != nil }

    /// Whether the peer's paths are kept alive: it takes part in a network and did so lately.
    func isActive(_ now: MonotonicInstant, timeout: Duration) -> Bool {
        guard let lastActivity else { return false }
        return now - lastActivity < timeout
    }

    /// Whether the peer proved lately that we are in one network.
    func isTrusted(_ now: MonotonicInstant) -> Bool {
        guard let lastTrust else { return false }
        return now - lastTrust < ProtocolLimits.trust
    }

    /// The peer proved that we are in one network: until when packets that came by this path may be relayed for it. Nil when that was
    /// written down a moment ago: not with every packet, but twice a minute.
    mutating func extendTrust(in path: PhysicalPath, _ now: MonotonicInstant) -> MonotonicInstant? {
        guard let index = pathIndex(path) else { return nil }
        // In plain numbers, since every frame comes by here.
        let until = MonotonicInstant(nanoseconds: now.nanoseconds &+ ProtocolLimits.trustNanoseconds)
        let written = paths[index].trustedUntil.nanoseconds
        guard until.nanoseconds >= written &+ ProtocolLimits.housekeepingNanoseconds else { return nil }
        paths[index].trustedUntil = until
        return until
    }

    /// Whether our addresses are to be told to the peer, which was heard directly or through a root.
    func isPathPushDue(isDirect: Bool, _ now: MonotonicInstant) -> Bool {
        guard let lastPathPush else { return true }
        let interval =
            isDirect ? ProtocolLimits.directPathPushDirectNanoseconds : ProtocolLimits.directPathPushRelayedNanoseconds
        return now.nanoseconds >= lastPathPush.nanoseconds &+ interval
    }

    /// When the peer was last heard from, or made.
    var lastHeard: MonotonicInstant { lastReceive ?? createdAt }

    /// Puts a confirmed path into the list, over an expired or dead one when the list is full. False when one change of port
    /// was made within the last second.
    mutating func learn(_ path: Path, _ now: MonotonicInstant) -> Bool {
        let siblings = paths.indices.filter { paths[$0].isSibling(of: path.physical) && !paths[$0].isSuperseded }
        if siblings.contains(where: { paths[$0].isAlive(now) }) {
            if let lastPathChange, now - lastPathChange < ProtocolLimits.pathChangeInterval { return false }
            lastPathChange = now
        }
        var path = path
        if let redirect, redirect.endpoint == path.physical.remote {
            path.priority = redirect.priority
            removePaths { $0.priority < redirect.priority }
            self.redirect = nil
        }
        for index in paths.indices where paths[index].isSibling(of: path.physical) { paths[index].isSuperseded = true }
        removePaths { $0.isSuperseded && !$0.isAlive(now) }
        if paths.count >= ProtocolLimits.pathsKept {
            let oldest = paths.indices.min { (paths[$0].lastReceive ?? .zero) < (paths[$1].lastReceive ?? .zero) }
            if let oldest { noteLost(paths.remove(at: oldest)) }
        }
        paths.append(path)
        recentPath = paths.count - 1
        probes.removeAll { $0.path.remote == path.physical.remote }
        confirmations.removeAll { $0.path == path.physical }
        return true
    }

    /// Removes what is expired, and lets a superseded path live again when the one that took its place is gone.
    mutating func dropExpiredPaths(_ now: MonotonicInstant) {
        guard !paths.isEmpty else { return }
        removePaths { !$0.isUnexpired(now) && now - $0.lastSend >= ProtocolLimits.resetPathPatience }
        if let priority = paths.map(\.priority).max() { removePaths { $0.priority < priority } }
        let list = paths
        for index in paths.indices where paths[index].isSuperseded {
            let path = paths[index]
            let hasSuccessor = list.contains {
                !$0.isSuperseded && $0.isSibling(of: path.physical) && $0.isAlive(now)
            }
            if !hasSuccessor { paths[index].isSuperseded = false }
        }
    }

    /// What a HELLO is among those of its peer.
    enum HelloAge {
        /// Newer than all before.
        case newest
        /// Of the same instant as the newest: from another socket.
        case current
        /// What is older may be a recording, or come from a peer whose clock was set back.
        case old
    }

    /// What a HELLO with this timestamp is; nil when it is not answered. Old ones use up tokens of their own kind only.
    mutating func admitHello(timestamp: UInt64, _ now: MonotonicInstant) -> HelloAge? {
        if let lastHelloTimestamp, timestamp <= lastHelloTimestamp {
            guard oldHelloGate.allow(now) else { return nil }
            return timestamp == lastHelloTimestamp && now - lastHelloAt < ProtocolLimits.helloCopies ? .current : .old
        }
        guard helloGate.allow(now) else { return nil }
        lastHelloTimestamp = timestamp
        lastHelloAt = now
        return .newest
    }

    /// The newest HELLO of the peer says what it is. `number`: that of the packet, when it came in the clear.
    mutating func noteVersion(_ hello: Hello, number: UInt64?) {
        protocolVersion = hello.protocolVersion
        softwareVersion = hello.softwareVersion
        if let number {
            let isPromised = hello.promises?.contains(.growingNumbers) ?? false
            replays.setGrowing(isPromised, at: number)
        }
    }

    /// The same for the answer to a HELLO of ours that left at an instant.
    mutating func noteVersion(_ reply: HelloReply, askedAt: MonotonicInstant) {
        guard askedAt >= versionAskedAt else { return }
        versionAskedAt = askedAt
        protocolVersion = reply.protocolVersion
        softwareVersion = reply.softwareVersion
        // After a start of ours this comes long before its next HELLO, and recordings of what it sent pass until then.
        if reply.promises?.contains(.growingNumbers) == true {
            replays.setGrowing(true, at: replays.latest)
        }
    }

    /// Whether an unknown path may be asked to confirm itself now: once per second and path, with a bound over all.
    /// `isNewest`: a HELLO newer than all before came by it.
    mutating func mayConfirm(_ path: PhysicalPath, isNewest: Bool, _ now: MonotonicInstant) -> Bool {
        confirmations.removeAll { now - $0.at >= ProtocolLimits.pathConfirmationInterval }
        guard !confirmations.contains(where: { $0.path == path }),
            isNewest ? newHelloGate.allow(now) : confirmationGate.allow(now)
        else { return false }
        confirmations.append((path, now))
        return true
    }
}
