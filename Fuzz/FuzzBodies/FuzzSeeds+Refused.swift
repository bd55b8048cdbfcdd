//  Seeds of the target "sealed" that the Ethernet layer refuses, a program for each reason.

import NetPrimitives
import ZeroTierWire

extension FuzzSeed {
    // Who seals, by its number in `fuzzSealed`.
    private static let byMember: UInt8 = 0
    private static let byController: UInt8 = 2

    private static let open = FuzzFixture.publicNetwork
    private static let ours = open.mac(of: FuzzFixture.victim.address)
    private static let theirs = open.mac(of: attacker.address)
    private static let foreign = MACAddress(0x0200_0000_0099)

    static var refusedPrograms: [FuzzSeed] {
        (refusedFrames + refusedConfigurations).map { name, program in
            // First a frame that is taken: so the member is known as one, and is told our groups and addresses.
            FuzzSeed(target: "sealed", name: name, bytes: [0] + frame(ping6) + program + [0x0e])
        }
    }

    private static func frame(
        from source: MACAddress = theirs, to destination: MACAddress = ours, etherType: UInt16 = 0x86dd,
        _ data: [UInt8], on network: NetworkID = open, membership: Membership? = nil
    ) -> [UInt8] {
        let frame = ExtendedFrame(
            network: network, membership: membership, destination: destination, source: source, etherType: etherType,
            data: data)
        return sealed(byMember, .extendedFrame, frame.encoded)
    }

    private static func arp(_ link: MACAddress, _ address: [UInt8]) -> [UInt8] {
        [0, 1, 8, 0, 6, 4, 0, 2] + link.bytes + address + ours.bytes + [10, 9, 0, 1]
    }

    // An advertisement of an address that names another member.
    private static var falseAdvertisement: [UInt8] {
        let target = open.sixPlaneAddress(of: FuzzFixture.leaf.address)
        return PacketBytes.ipv6(
            PacketBytes.icmp6, from: target, to: open.sixPlaneAddress(of: FuzzFixture.victim.address),
            [136, 0, 0, 0, 0x60, 0, 0, 0] + target.bytes + [2, 1] + theirs.bytes)
    }

    // Options that are longer than the packet.
    private static var unreadable: [UInt8] {
        PacketBytes.ipv6(
            0, from: open.sixPlaneAddress(of: attacker.address),
            to: open.sixPlaneAddress(of: FuzzFixture.victim.address),
            [6, 40, 1, 4, 0, 0, 0, 0])
    }

    private static var refusedFrames: [(String, [UInt8])] {
        let certified = Ownership(
            network: open, timestamp: issued, id: 9, things: [.ip(IPAddress(v4: 0x0a09_0007))],
            issuedTo: FuzzFixture.leaf.address, signedBy: controller)
        var credentials = NetworkCredentials()
        credentials.ownerships = [certified]
        let elsewhere = NetworkID(controller: controller.address, number: 77)
        return [
            ("bridge", frame(from: foreign, ping6)),
            ("notForUs", frame(to: foreign, ping6)),
            ("ownSource", frame(from: ours, ping6)),
            ("forgedLink", frame(etherType: 0x0806, arp(foreign, [10, 9, 0, 2]))),
            ("computedClaim", frame(falseAdvertisement)),
            (
                "certifiedClaim",
                sealed(byMember, .networkCredentials, credentials.encoded)
                    + frame(etherType: 0x0806, arp(theirs, [10, 9, 0, 7]))
            ),
            ("unreadable", frame(unreadable)),
            ("elsewhere", frame(ping6, on: elsewhere)),
            ("noMember", frame(ping6, on: FuzzFixture.privateNetwork)),
            (
                "shortFrame",
                sealed(byMember, .frame, Array(Frame(network: open, etherType: 0, data: []).encoded.prefix(9)))
            ),
            (
                "requested",
                sealed(
                    byMember, .networkConfigRequest,
                    NetworkConfigRequest(network: open, metadata: RequestMetadata().dictionary.encoded).encoded)
            ),
        ]
    }

    private static func pieces(
        _ bytes: [UInt8], _ updateID: UInt64, signedBy signer: Identity = controller, by sender: UInt8 = byController
    ) -> [UInt8] {
        NetworkConfigChunk.chunks(of: bytes, network: open, updateID: updateID, signedBy: signer).flatMap {
            sealed(sender, .networkConfig, $0.encoded)
        }
    }

    private static var refusedConfigurations: [(String, [UInt8])] {
        var forbidding = FuzzFixture.configuration(open, rules: [Rule(.drop)])
        forbidding.timestamp = issued + 1
        var old = FuzzFixture.configuration(open)
        old.timestamp = issued - 100_000
        let half = NetworkConfigChunk(
            network: open, data: [7], updateID: 21, totalLength: 2, offset: 0, signedBy: controller)
        let member = NetworkConfigChunk(network: open, unsigned: FuzzFixture.publicConfiguration)
        let twice = sealed(byController, .networkConfig, half.encoded)
        return [
            ("ruled", pieces(forbidding.encoded, 11) + frame(ping6)),
            ("badConfiguration", pieces([1, 2, 3], 12)),
            ("oldConfiguration", pieces(old.encoded, 13)),
            ("falseSigner", pieces(forbidding.encoded, 14, signedBy: attacker)),
            ("falseSignerMember", pieces(forbidding.encoded, 15, signedBy: attacker, by: byMember)),
            ("unsignedMember", sealed(byMember, .networkConfig, member.encoded)),
            ("halfTwice", twice + twice),
        ]
    }
}
