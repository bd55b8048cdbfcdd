//  The limits that a node's owner puts on the controller of one network: the file `networks.d/<id>.local.conf`. Read
//  first: zerotier/ZeroTierOne service/OneService.cpp (facts only).
//
//  key           value                                                        without it
//  allowManaged  begins with 1, t, T; longer than five: list of allowed nets  yes
//  allowGlobal   begins with 1, t, T                                          no
//  allowDefault  the same                                                     no
//  allowDNS      the same                                                     no
//  joinToken     what this node shows the controller to be let in; ours alone none

package import NetPrimitives

/// The settings of one network. The defaults let a controller assign private addresses and routes, and nothing else.
package struct NetworkSettings: Hashable, Sendable {
    /// Addresses and routes of the controller are taken at all.
    package var allowsManaged = true
    /// If not empty: only those that lie in one of these.
    package var managedPrefixes: [IPPrefix] = []
    /// Also addresses and routes in global address space.
    package var allowsGlobal = false
    /// Also a route to everywhere.
    package var allowsDefault = false
    /// The controller's name servers are shown to the program.
    package var allowsDNS = false
    /// What lets this node in, if the controller knows it; empty for nothing.
    package var joinToken = ""

    /// The longest file that is looked at, bytes; and the most prefixes that are kept.
    private static let limit = 4096
    package static let prefixLimit = 128

    package init() {}

    package init(decoding bytes: [UInt8]) {
        let dictionary = WireDictionary(decoding: Array(bytes.prefix(NetworkSettings.limit)))
        func isTrue(_ text: String?, default fallback: Bool) -> Bool {
            guard let first = text?.utf8.first else { return fallback }
            return [UInt8(ascii: "1"), UInt8(ascii: "t"), UInt8(ascii: "T")].contains(first)
        }
        let managed = dictionary.text("allowManaged")
        if let managed, managed.utf8.count > 5 {
            managedPrefixes = managed.split(separator: ",").prefix(NetworkSettings.prefixLimit)
                .compactMap { IPPrefix(String($0)) }
            // A list in which nothing can be read allows nothing.
            allowsManaged = !managedPrefixes.isEmpty
        } else {
            allowsManaged = isTrue(managed, default: true)
        }
        allowsGlobal = isTrue(dictionary.text("allowGlobal"), default: false)
        allowsDefault = isTrue(dictionary.text("allowDefault"), default: false)
        allowsDNS = isTrue(dictionary.text("allowDNS"), default: false)
        let token = dictionary.text("joinToken") ?? ""
        if token.utf8.count <= ProtocolLimits.joinTokenLength { joinToken = token }
    }

    package var encoded: [UInt8] {
        var dictionary = WireDictionary()
        let prefixes = managedPrefixes.prefix(NetworkSettings.prefixLimit)
        if allowsManaged, !prefixes.isEmpty {
            // Longer than five characters, whatever the prefixes: `::/0` has four.
            let list = prefixes.map(\.description).joined(separator: ",")
            dictionary.append("allowManaged", text: list.utf8.count > 5 ? list : list + "," + list)
        } else {
            dictionary.append("allowManaged", boolean: allowsManaged)
        }
        dictionary.append("allowGlobal", boolean: allowsGlobal)
        dictionary.append("allowDefault", boolean: allowsDefault)
        dictionary.append("allowDNS", boolean: allowsDNS)
        if !joinToken.isEmpty { dictionary.append("joinToken", text: joinToken) }
        return dictionary.encoded
    }

    /// Whether the owner named this range, or one around it.
    package func names(_ prefix: IPPrefix) -> Bool {
        managedPrefixes.contains { $0.length <= prefix.length && $0.contains(prefix.address) }
    }

    /// Whether an assigned address, or the target of a route, is taken.
    package func allows(_ prefix: IPPrefix) -> Bool {
        guard allowsManaged, managedPrefixes.isEmpty || names(prefix) else { return false }
        if prefix.length == 0 { return allowsDefault }
        switch AddressScope(of: prefix.address) {
        case .none, .multicast, .loopback, .linkLocal: return false
        // Half of everything is as good as all of it.
        case .global: return allowsGlobal && (prefix.length > 1 || allowsDefault)
        case .pseudoPrivate, .shared, .private: return true
        }
    }
}
