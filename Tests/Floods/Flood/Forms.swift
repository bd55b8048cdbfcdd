// The forms of floods, each a way to make one more packet. Read first: HelloForms.swift, VerbForms.swift, LANForms.swift.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// What all forms are made with.
struct Forms {
    /// The forms by their names on the command line.
    enum Kind: String {
        // By who is nobody.
        case helloInvented = "hello-invented"
        case helloForged = "hello-forged"
        case helloGarbage = "hello-garbage"
        case helloReal = "hello-real"
        case strangers
        case parts
        // By an identity that the target knows.
        case helloOK = "hello-ok"
        case echo
        case push
        case redirect
        case relay
        case whois
        case gather
        case like
        case config
        case credentials
        case pieces
        case messages
        case pushMember = "push-member"
        case redirectMember = "redirect-member"
        case credentialsMember = "credentials-member"
        case piecesMember = "pieces-member"
        // By a root.
        case rendezvous
        // By a member, in frames.
        case syn
        case synOwn = "syn-own"
        case ping
        case fragments
        case unreachable
        case resets
        case arp
        case solicitations

        var standing: Session.Standing? {
            switch self {
            case .helloInvented, .helloForged, .helloGarbage, .helloReal, .strangers, .parts: nil
            case .helloOK, .echo, .push, .redirect, .relay, .whois, .gather, .like, .config, .credentials, .pieces,
                .messages:
                .stranger
            case .rendezvous: .root
            default: .member
            }
        }

        var sessionCount: Int { self == .relay ? 12 : 1 }
    }

    let settings: FloodSettings
    var random = RandomSource(seed: 13)
    /// Who talks: what the sessions are known by, or the identities of the file, or invented ones.
    var sealers: [Sealer] = []
    /// Where they talk from.
    let own: SocketEndpoint
    let places: [Place]
    var turn = 0

    init(_ kind: Kind, _ settings: FloodSettings, _ sessions: [Session]) throws {
        self.settings = settings
        own = sessions.first?.endpoint ?? SocketEndpoint(settings.own, port: 40_000)
        places = sessions.first?.places ?? []
        endpoints = sessions.map(\.endpoint)
        let target = settings.target.identity
        switch kind {
        case .helloInvented, .helloForged: for _ in 0..<Forms.inventedIdentities { try invent() }
        case .helloReal:
            sealers = settings.identities.compactMap { Sealer($0, for: target) }
        default: sealers = sessions.compactMap { Sealer($0.identity, for: target) }
        }
    }

    /// Where each session is.
    let endpoints: [SocketEndpoint]

    // More than a node remembers of false ones.
    private static let inventedIdentities = 6000

    /// One more packet.
    mutating func append(_ kind: Kind, to burst: inout Burst) {
        turn &+= 1
        switch kind {
        case .helloInvented: appendHello(from: SocketEndpoint(settings.own, port: port()), planet: nil, to: &burst)
        case .helloForged, .helloReal: appendHello(from: forged(), planet: nil, to: &burst)
        case .helloGarbage: appendGarbage(to: &burst)
        case .strangers: appendStranger(to: &burst)
        case .parts: appendPart(to: &burst)
        case .helloOK:
            let old = WorldReference(id: planetID, timestampMilliseconds: 1)
            appendHello(from: forged(), planet: old, to: &burst)
        case .relay: appendRelayed(to: &burst)
        case .syn, .synOwn, .ping, .fragments, .unreachable, .resets, .arp, .solicitations:
            appendFrame(kind, to: &burst)
        default: appendVerb(kind, to: &burst)
        }
    }

    /// The ID of the planet that the target has.
    private(set) lazy var planetID: UInt64 = {
        (try? World(decoding: readFile(settings.planet)))?.id ?? 0
    }()

    /// A piece of a configuration of the target's network, signed by the wrong one.
    private(set) lazy var pieceTemplate = NetworkConfigChunk(
        network: settings.networks.first ?? NetworkID(0), data: random.bytes(64), updateID: 1, totalLength: 200,
        offset: 0, signedBy: sealers[0].identity)

    /// A place that others own: sources that are not ours, and endpoints that are named to the target.
    mutating func forged() -> SocketEndpoint {
        let host = random.nextUInt32() & 0xffff
        return SocketEndpoint(IPAddress(v4: settings.forged | host), port: port())
    }

    mutating func port() -> UInt16 { UInt16(truncatingIfNeeded: 1024 + random.nextUInt32() % 60_000) }

    mutating func address() -> Address { Address(random.nextUInt64() & 0xff_ffff_ffff | 1 << 36) }

    /// Sends a verb in the name of a session.
    mutating func seal(
        _ verb: Verb, _ payload: [UInt8], isCompressed: Bool = false, from source: SocketEndpoint? = nil,
        to burst: inout Burst
    ) {
        let index = turn % sealers.count
        let packet = sealers[index].packet(verb, payload, isCompressed: isCompressed, using: &random)
        burst.append(packet, from: source ?? endpoints[index], to: settings.target.endpoint)
    }
}
