//  What an administrator says about a network, and what the controller keeps of it.
//  Field names in comments are those of the reference's records.

package import NetPrimitives
package import ZeroTierWire

/// A range of addresses that members get theirs from; both ends are of one family.
package struct AddressPool: Hashable, Sendable {
    package var first: IPAddress
    package var last: IPAddress

    package init(first: IPAddress, last: IPAddress) {
        self.first = first
        self.last = last
    }

    func contains(_ address: IPAddress) -> Bool {
        address.isIPv4 == first.isIPv4 && first <= address && address <= last
    }
}

/// A capability that the network defines.
package struct CapabilityDefinition: Hashable, Sendable {
    package var id: UInt32
    /// Whether members get it at their first configuration.
    package var isDefault: Bool
    package var rules: [Rule]

    package init(id: UInt32, isDefault: Bool, rules: [Rule]) {
        self.id = id
        self.isDefault = isDefault
        self.rules = rules
    }
}

/// A tag that the network defines.
package struct TagDefinition: Hashable, Sendable {
    package var id: UInt32
    /// What members get that have no value; nil: none.
    package var defaultValue: UInt32?

    package init(id: UInt32, defaultValue: UInt32?) {
        self.id = id
        self.defaultValue = defaultValue
    }
}

/// A text that lets its bearer in.
package struct AuthorizationToken: Hashable, Sendable {
    package var text: String
    /// Unix milliseconds; 0 for never.
    package var expires: UInt64

    package init(text: String, expires: UInt64) {
        self.text = text
        self.expires = expires
    }
}

/// A network as its controller keeps it.
package struct NetworkRecord: Hashable, Sendable {
    package internal(set) var id: NetworkID
    /// Unix milliseconds.
    package internal(set) var creationTime: UInt64 = 0
    /// Counts the saved changes.
    package internal(set) var revision: UInt64 = 0

    package var name = ""
    /// A text for administrators, which members do not see. The reference has none; Central calls it `description`.
    package var note = ""
    /// `private`: members must be let in.
    package var isPrivate = true
    /// `enableBroadcast`.
    package var isBroadcastEnabled = true
    /// `multicastLimit`: copies of a frame; 0 disables multicast.
    package var multicastLimit: UInt32 = 32
    /// 1280...10000.
    package var mtu = ProtocolLimits.virtualMTU
    /// `v4AssignMode.zt`, `v6AssignMode.zt`: members get addresses of the pools.
    package var assignsIPv4 = false
    package var assignsIPv6 = false
    /// `v6AssignMode.6plane` and `.rfc4193`: members get the addresses that follow from their own.
    package var assigns6PLANE = false
    package var assignsRFC4193 = false
    /// `ipAssignmentPools`, in the order in which they are tried.
    package var pools: [AddressPool] = []
    package var routes: [NetworkRoute] = []
    package var rules = [Rule(.accept)]
    /// `rulesSource`: what a person wrote the rules as. Nothing here reads it.
    package var ruleSource = ""
    /// By ascending ID.
    package var capabilities: [CapabilityDefinition] = []
    package var tags: [TagDefinition] = []
    package var dns = NetworkDNS()
    /// Whether `dns` was set as an object. Then it is shown as one, though it is empty: the form of ZTNET's page wants one.
    package var showsDNS = false
    /// `authTokens`.
    package var tokens: [AuthorizationToken] = []
    package var traceTarget = Address(0)
    package var traceLevel: UInt32 = 0
    /// `certificateTimeoutWindowSize`, in milliseconds.
    package var credentialWindow = ProtocolLimits.credentialWindowMilliseconds
    /// How addresses of routes, pools and name servers were written.
    package internal(set) var texts = AddressTexts()
    /// The ID that it had at the controller from whose files it came, if it is another one.
    package internal(set) var former: NetworkID?

    /// A private network with the defaults of the field: no addresses, one rule that accepts.
    package init(id: NetworkID) { self.id = id }

    /// Whether a token lets its bearer in at a time, in Unix milliseconds.
    func admits(token: String, at time: UInt64) -> Bool {
        tokens.contains { $0.text == token && ($0.expires == 0 || $0.expires > time) }
    }
}
