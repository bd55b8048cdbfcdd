// Floods of an identity that the target knows.

import CFlood
import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

extension Forms {
    mutating func appendVerb(_ kind: Kind, to burst: inout Burst) {
        switch kind {
        case .echo:
            seal(.echo, Forms.longEcho, isCompressed: true, from: forged(), to: &burst)
        case .push, .pushMember: seal(.pushDirectPaths, push(flags: 0), to: &burst)
        case .redirect, .redirectMember:
            seal(.pushDirectPaths, push(flags: PushDirectPaths.Record.clusterRedirectFlag), to: &burst)
        case .whois:
            let known = settings.other.map { [$0] } ?? []
            let asked = known + (0..<16).map { _ in address() }
            seal(.whois, Whois(asked).encoded, from: forged(), to: &burst)
        case .gather:
            let gather = MulticastGather(network: network, group: .broadcast, limit: 1000)
            seal(.multicastGather, gather.encoded, from: forged(), to: &burst)
        case .like:
            let records = (0..<32).map { _ in
                MulticastLike.Record(
                    network: NetworkID(random.nextUInt64()),
                    group: MulticastGroup(mac: MACAddress(random.nextUInt64() | 0x0100_0000_0000)))
            }
            seal(.multicastLike, MulticastLike(records).encoded, to: &burst)
        case .config:
            let network = NetworkID(
                controller: settings.target.identity.address, number: random.nextUInt32() & 0xff_ffff)
            let metadata = RequestMetadata().dictionary.encoded
            seal(
                .networkConfigRequest, NetworkConfigRequest(network: network, metadata: metadata).encoded,
                to: &burst)
        case .credentials, .credentialsMember: seal(.networkCredentials, credentials(), to: &burst)
        case .pieces, .piecesMember: seal(.networkConfig, piece(), to: &burst)
        case .messages:
            seal(.userMessage, UserMessage(type: 1, data: random.bytes(200)).encoded, to: &burst)
        case .rendezvous:
            let whom = settings.other ?? address()
            seal(.rendezvous, Rendezvous(peer: whom, endpoint: forged()).encoded, to: &burst)
        default: break
        }
    }

    private var network: NetworkID { settings.networks.first ?? NetworkID(0xff1c_0000_0000_0001) }

    // 8 KB that take a few bytes on the wire.
    private static let longEcho = LZ4Block.compress([UInt8](repeating: 0, count: 8000)) ?? []

    private mutating func push(flags: UInt8) -> [UInt8] {
        let records = (0..<8).map { _ in PushDirectPaths.Record(flags: flags, endpoint: forged()) }
        return PushDirectPaths(records).encoded
    }

    // Certificates in the controller's name, signed by nobody.
    private mutating func credentials() -> [UInt8] {
        var credentials = NetworkCredentials()
        let member = sealers[turn % sealers.count].identity
        for _ in 0..<4 {
            let time = Membership.Qualifier(id: 0, value: cflood_unix_milliseconds(), maximumDelta: 1_800_000)
            let place = Membership.Qualifier(id: 1, value: network.value, maximumDelta: 0)
            let whom = Membership.Qualifier(id: 2, value: member.address.value, maximumDelta: .max)
            credentials.memberships.append(
                Membership(
                    qualifiers: [time, place, whom], signer: network.controller,
                    signature: random.bytes(ProtocolLimits.signatureLength)))
        }
        return credentials.encoded
    }

    // A piece of a configuration in the controller's name.
    private mutating func piece() -> [UInt8] {
        var chunk = pieceTemplate
        chunk.placement?.flags = UInt8(turn & 1)
        chunk.placement?.updateID = random.nextUInt64() | 1
        chunk.placement?.signature = random.bytes(ProtocolLimits.signatureLength)
        return chunk.encoded
    }

    /// A packet from one known node to another, or between one known and one invented: each pair wants to be introduced.
    mutating func appendRelayed(to burst: inout Burst) {
        let first = turn % sealers.count
        let second = (turn / sealers.count + first + 1) % sealers.count
        let destination = turn % 3 == 0 ? settings.other ?? address() : sealers[second].identity.address
        let source = turn % 5 == 0 ? address() : sealers[first].identity.address
        var header = PacketHeader(id: .random(using: &random), destination: destination, source: source)
        header.flagsByte = CipherSuite.gmacSIV.rawValue << 3
        header.authenticator = random.nextUInt64()
        var bytes = random.bytes(40)
        bytes.withMutableBytes { header.write(into: &$0) }
        burst.append(bytes, from: turn % 7 == 0 ? forged() : endpoints[first], to: settings.target.endpoint)
    }
}
