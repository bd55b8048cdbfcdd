//  Who takes part in fuzzing: throwaway identities made for tests (Tests/Vectors/identities.txt), whose secrets protect
//  nothing, and what they agree on.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// The cast, made once per process.
enum FuzzFixture {
    /// The node under attack.
    static let victim = identity(
        """
        d77abc8aa1:0:533cef2d37c89f38f44d4cc0eb22aa9f5d7edb50bb301a8aba4b8396b3c8c37a5b4e63ec027ed3016f549d2\
        b41a01a88e7403baf76c6403f8daeeef88cf9ea9f:a893eccd350ec9a14f0372c0d247fa5e80a47dd9a3e7c862d879b320a9\
        944017eeb2392c9bd64a86c9ff2fe6034c72f8e7b4b923cc39019163f7444b4fd665b3
        """)
    /// A member that misbehaves; the victim knows it.
    static let attacker = identity(
        """
        ccddb5d128:0:6b43044a0ffa8c32e1c0d1bc19934011f9eeab7b05341d7838518f69ff80150763c08cdfe6bd54eebda5414\
        e84d7dace431f8e03dc9ca7738044a1ec89c36d36:c657e0ed7784e053732d5341074c1844a52e39d2bf8eb4c082b4690c53\
        da2e100a6d455f1dd57b65c19fb127cab8802a5d421c13dd1471756d1c63989798f111
        """)
    /// A root of the victim's planet that misbehaves.
    static let root = identity(
        """
        a395f91836:0:115552c407ac2bc32cbafb9da36115cd8c45d6c318f5af5285a3ad29146c17060807e3aa414cce8adc2146b\
        8e7c31c9fefc574974f0d0305f67447ac1ef4f2d3:a5d039e8b53dff0c66ea2056649823b38460baf886ffcd1f70e829ba3e\
        780346f620964d836305b68557a8ea1d8ad7d6cff0d3f91c5247e482ff2cdd4d54e159
        """)
    /// The controller of the victim's networks.
    static let controller = identity(
        """
        0432feaef1:0:c06e697a3bb7f3a82447103f071a824a7bbb8908f5b327c376c11f65359bb965cdd21315d2f3b297982b6f9\
        e9c181a598dd6157b103fec20d16abaac88f2cb0b:dbc6c8478ed6b6e5414e9ff97b77f26ee110c8651a2cd696abe6f5e2c5\
        b83af1e1634096332cdb2807bec40cbf3a44840188712857e79a44441ab72798bc8f7c
        """)
    /// An honest node.
    static let leaf = identity(
        """
        88cc0395b7:0:e45e56b52fa52c0e4d0333800fdcb9fcc2ba586d1b48c2278e42b57377945940e7f7b4a91847b417ad46b0c\
        6ef234640c12d8945af460e365a5be17a3a56e67c:088e747b631e7a73152775943db1060af9b68e2c35d852aa19321fc2f7\
        e5403338929422d80aebb77e2706e432f8c4e2d170d65b57894c351b41156169cdeabe
        """)

    private static func identity(_ text: String) -> Identity {
        guard let identity = Identity(text: text), identity.secretKeys != nil else {
            preconditionFailure("a fixture is no identity")
        }
        return identity
    }

    /// Both clocks at the start of every input.
    static let start = Now(
        monotonic: MonotonicInstant(nanoseconds: 1_000_000_000), unixMilliseconds: 1_750_000_000_000)

    /// `192.168.<net>.<host>:9993`.
    static func endpoint(_ net: UInt32, _ host: UInt32) -> SocketEndpoint {
        SocketEndpoint(IPAddress(v4: 0xc0a8_0000 | net << 8 | host), port: 9993)
    }

    static let rootEndpoint = endpoint(1, 1)
    static let leafEndpoint = endpoint(2, 1)

    /// The planet with the one root, signed by the controller's keys.
    static let planet: World = {
        let world = World(
            kind: .planet, id: 77, timestampMilliseconds: 1_700_000_000_000, updateKey: controller.publicKeys,
            roots: [World.Root(identity: root, endpoints: [rootEndpoint])])
        return controller.secretKeys.map { world.signed(with: $0) } ?? world
    }()

    // MARK: Networks

    /// A network of the controller without admission: frames get in by MACs and rules alone.
    static let publicNetwork = NetworkID(controller: controller.address, number: 1)
    /// A network of the controller with certificates of membership.
    static let privateNetwork = NetworkID(controller: controller.address, number: 2)

    /// When the controller issued everything.
    static let issued = UInt64(1_750_000_000_000)

    /// The attacker's certificate for the private network.
    static let membership = Membership(
        network: privateNetwork, issuedTo: attacker, timestamp: issued, window: 7_200_000, signedBy: controller)

    /// A configuration of one of the networks for the victim.
    static func configuration(_ network: NetworkID, rules: [Rule] = [Rule(.accept)]) -> NetworkConfig {
        var config = NetworkConfig(network: network, issuedTo: victim.address, timestamp: issued)
        config.revision = 1
        config.flags = NetworkConfig.broadcastFlag | NetworkConfig.neighbourEmulationFlag
        config.multicastLimit = 32
        config.isPublic = network == publicNetwork
        config.rules = rules
        config.addresses = [
            IPPrefix(IPAddress(v4: 0x0a09_0001), length: 24),
            IPPrefix(network.sixPlaneAddress(of: victim.address), length: 40),
        ]
        if !config.isPublic {
            config.membership = Membership(
                network: network, issuedTo: victim, timestamp: issued, window: 7_200_000, signedBy: controller)
        }
        return config
    }

    static let publicConfiguration = configuration(publicNetwork).encoded
    static let privateConfiguration = configuration(privateNetwork).encoded

    // MARK: Keys

    /// The victim and the attacker.
    static let pair = FuzzPair(victim, attacker)
}

/// The key schedule of two nodes, at hand for both.
final class FuzzPair: Sendable {
    let cipher: PacketCipher

    init(_ one: Identity, _ other: Identity) {
        guard let key = one.secretKeys?.agree(with: other.publicKeys) else {
            preconditionFailure("two fixtures have no key")
        }
        cipher = PacketCipher(key)
    }
}
