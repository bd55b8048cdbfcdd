// What a flood is told on its command line.

import NetPrimitives
import ZeroTierWire

/// An address in a network: `ADDRESS%NETWORK`.
struct Place {
    let network: NetworkID
    let address: IPAddress

    init(network: NetworkID, address: IPAddress) {
        self.network = network
        self.address = address
    }

    init?(_ text: String) {
        let parts = text.split(separator: "%").map(String.init)
        guard parts.count == 2, let address = IPAddress(parts[0]), let network = NetworkID(text: parts[1]) else {
            return nil
        }
        self.init(network: network, address: address)
    }
}

/// `NAME=VALUE` words.
struct FloodSettings {
    /// The target's `identity.public` (a file), and where it listens.
    let target: Target
    /// The address of this host.
    let own: IPAddress
    /// A /16 from which sources are invented, and which is named to others.
    let forged: UInt32
    /// The planet of the honest nodes (a file).
    let planet: String
    /// The hostile root: its state directory and its port.
    let rootHome: String
    let rootPort: UInt16
    /// The networks of the target, and its addresses there.
    let networks: [NetworkID]
    let victims: [Place]
    /// The address of another node, and its IPv4 address in the target's network.
    let other: Address?
    let otherAddress: IPAddress?
    /// Valid identities, with their secrets (a file).
    let identities: [Identity]

    init(_ words: [String]) throws {
        var values: [String: String] = [:]
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw FloodFailure("\(word) is not NAME=VALUE") }
            values[parts[0]] = parts[1]
        }
        func need(_ name: String) throws -> String {
            guard let value = values[name] else { throw FloodFailure("\(name)= is missing") }
            return value
        }
        let text = String(decoding: try readFile(need("target")), as: UTF8.self)
        guard let identity = Identity(text: text.filter { !$0.isNewline }),
            let endpoint = SocketEndpoint(try need("at")), let own = IPAddress(try need("own")),
            let forged = IPAddress(try need("forged"))
        else { throw FloodFailure("target=, at=, own= or forged= is wrong") }
        target = Target(identity: identity, endpoint: endpoint)
        self.own = own
        self.forged = UInt32(truncatingIfNeeded: forged.low) & 0xffff_0000
        planet = values["planet"] ?? ""
        rootHome = values["roothome"] ?? ""
        rootPort = values["rootport"].flatMap { UInt16($0) } ?? 0
        networks = (values["networks"] ?? "").split(separator: ",").compactMap { NetworkID(text: $0) }
        victims = (values["victims"] ?? "").split(separator: ",").compactMap { Place(String($0)) }
        other = values["other"].flatMap { Address(text: $0) }
        otherAddress = values["otheraddress"].flatMap { IPAddress($0) }
        identities = try values["identities"].map { try FloodSettings.identities($0) } ?? []
    }

    /// Who the hostile root is.
    func hostileRoot() throws -> Identity {
        guard let identity = try FloodSettings.identities(rootHome + "/identity.secret").first else {
            throw FloodFailure("roothome= is missing")
        }
        return identity
    }

    private static func identities(_ file: String) throws -> [Identity] {
        String(decoding: try readFile(file), as: UTF8.self).split(whereSeparator: \.isNewline).compactMap {
            Identity(text: $0)
        }
    }
}
