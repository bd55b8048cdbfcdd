// Identities as a tool or an administrator handles them.

import NetPrimitives
import ZeroTierCrypto
import ZeroTierWire

/// Who a node is: an address and the keys it follows from. `description` never shows the secret.
public struct Identity: Hashable, Sendable, CustomStringConvertible {
    let wire: ZeroTierWire.Identity

    init(_ wire: ZeroTierWire.Identity) { self.wire = wire }

    /// Reads the text form, with or without the secret. Throws for anything else; does not check the address.
    public init(text: String) throws(ZeroTierError) {
        guard let wire = ZeroTierWire.Identity(text: text) else {
            throw ZeroTierError(.invalidIdentity, "this is not an identity in text form")
        }
        self.wire = wire
    }

    /// A new identity. The work is a search: on one core of a machine of 2024 it takes 0.06 seconds (median), one time in a
    /// hundred more than 0.17, and several times that on small machines.
    public static func generate() -> Identity {
        var random = RandomSource(seed: SystemRandom.bytes(32))
        return Identity(ZeroTierWire.Identity.generate(using: &random))
    }

    /// The node's address.
    public var id: NodeID { NodeID(wire.address) }
    /// Whether the secret is there.
    public var hasSecret: Bool { wire.secretKeys != nil }
    /// Whether the address follows from the keys, and the secret belongs to them. Takes about 17 milliseconds.
    public var isValid: Bool {
        wire.validate() && (wire.secretKeys.map { $0.publicKeys == wire.publicKeys } ?? true)
    }
    /// The text form without the secret.
    public var publicText: String { wire.text(includeSecret: false) }
    /// The text form with the secret; nil if it is not there. Everybody who has it can act as this node.
    public var secretText: String? { hasSecret ? wire.text(includeSecret: true) : nil }
    /// The address.
    public var description: String { id.description }
}

extension Identity: CustomReflectable {
    /// The public part: `dump` shows no secret.
    public var customMirror: Mirror { Mirror(self, children: ["id": id, "hasSecret": hasSecret]) }
}
