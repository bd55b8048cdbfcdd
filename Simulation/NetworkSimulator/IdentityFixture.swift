//  Identities made once and kept: deriving one takes a quarter of a second. The file is Simulation/Fixtures/identities.txt;
//  who runs a simulation reads it and hands the text over, for this target touches no files.

import NetPrimitives
package import ZeroTierWire

/// Identities of simulated nodes. Their secrets are public, so they are worth nothing.
package struct IdentityFixture: Sendable {
    /// With secrets, in the order of the file.
    package let identities: [Identity]
    private let byAddress: [Address: Identity]

    /// Reads the text: one identity a line, lines with `#` are comments. Nil when a line is no identity with a secret.
    package init?(text: String) {
        var identities: [Identity] = []
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let identity = Identity(text: line), identity.secretKeys != nil else { return nil }
            identities.append(identity)
        }
        self.init(identities)
    }

    /// Takes identities that are known to be valid.
    package init(_ identities: [Identity]) {
        self.identities = identities
        byAddress = Dictionary(identities.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The result of validating an identity: those of the fixture were validated when they were made, any other is
    /// validated now, at its real cost.
    func isValid(_ identity: Identity) -> Bool {
        byAddress[identity.address] == identity || identity.validate()
    }

    /// The text of a new fixture, with its comment. Takes a quarter of a second each.
    package static func makeText(count: Int, seed: UInt64) -> String {
        var random = RandomSource(seed: seed)
        var text =
            "# Identities of simulated nodes, secrets included: throwaway keys, made by `simulate --make-identities`.\n"
        for _ in 0..<count {
            text += Identity.generate(using: &random).text(includeSecret: true) + "\n"
        }
        return text
    }
}
