//  What the controller keeps of one member of one network.

package import NetPrimitives
package import ZeroTierCrypto
package import ZeroTierWire

/// What let a member in: `lastAuthorizedCredentialType`.
package enum MemberAdmission: Hashable, Sendable {
    /// Nothing yet.
    case none
    /// An administrator.
    case administrator
    /// The network is public, or was then.
    case publicNetwork
    /// A token, which is kept.
    case token(String)
}

/// The version that a member told when it was configured last: `vMajor`, `vMinor`, `vRev`, `vProto`.
package struct MemberVersion: Hashable, Sendable {
    package var major: UInt16
    package var minor: UInt16
    package var revision: UInt16
    package var protocolVersion: UInt16
}

/// A tag's value.
package struct TagValue: Hashable, Sendable {
    package var id: UInt32
    package var value: UInt32

    package init(id: UInt32, value: UInt32) {
        self.id = id
        self.value = value
    }
}

/// A member of a network, let in or not. The defaults cost no memory beyond the structure.
package struct MemberRecord: Hashable, Sendable {
    package let address: Address
    /// Learned at the first request; whoever comes later under this address must have the same.
    package internal(set) var identity: PublicKeys?
    /// Whether it was learned from a packet: then this node had found that the address follows from these keys. One out of a file is
    /// believed only when its bearer comes.
    package internal(set) var isIdentityProven = false
    /// Unix milliseconds.
    package internal(set) var creationTime: UInt64 = 0
    /// Counts the saved changes.
    package internal(set) var revision: UInt64 = 0
    /// Unix milliseconds; 0 for never.
    package internal(set) var lastAuthorizedTime: UInt64 = 0
    package internal(set) var lastDeauthorizedTime: UInt64 = 0
    package internal(set) var admission = MemberAdmission.none
    /// Of the last configuration; nil if it never got one.
    package internal(set) var version: MemberVersion?

    package var isAuthorized = false
    /// An administrator said no: no token lets it in, whether or not it ever was a member. The reference has no such field.
    package var isRefused = false
    package var isActiveBridge = false
    /// `noAutoAssignIps`: it gets its own `addresses` only.
    package var takesNoAssignment = false
    /// `ipAssignments`: assigned by an administrator, or earlier from a pool.
    package var addresses: [IPAddress] = []
    /// By ascending ID.
    package var tags: [TagValue] = []
    /// IDs, ascending.
    package var capabilities: [UInt32] = []
    package var name = ""
    /// A text for administrators. The reference has none; Central calls it `description`.
    package var note = ""
    /// Lists for people leave it out: Central's `hidden`. Nothing here reads it.
    package var isHidden = false
    /// `ssoExempt`: what an administrator said. Without single sign-on every member is.
    package var isSignOnExempt = false
    package var traceTarget = Address(0)
    package var traceLevel: UInt32 = 0

    package init(address: Address) { self.address = address }

    /// Takes the keys of a node that proved to have them.
    mutating func learn(_ keys: PublicKeys) {
        identity = keys
        isIdentityProven = true
    }
}
