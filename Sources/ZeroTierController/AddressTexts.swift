//  How a network's addresses were written by who sent them. Tools look for a route or a pool that they made by its text, so records
//  show it as it came; the field keeps host bits of a target too. What is in our own form takes no room here.

import NetPrimitives
import ZeroTierWire

/// Texts that are not in our own form, by what they mean.
package struct AddressTexts: Hashable, Sendable {
    /// Of a route's target.
    var targets: [IPPrefix: String] = [:]
    /// Of a route's gateway, by its target.
    var gateways: [IPPrefix: String] = [:]
    /// Of a pool's first and last address.
    var firsts: [AddressPool: String] = [:]
    var lasts: [AddressPool: String] = [:]
    /// Of a name server.
    var servers: [IPAddress: String] = [:]

    /// Whether everything is in our own form.
    var isEmpty: Bool {
        targets.isEmpty && gateways.isEmpty && firsts.isEmpty && lasts.isEmpty && servers.isEmpty
    }

    /// Bytes of the longest text: an IPv6 address that ends as IPv4, and its bits, have 49.
    static let longest = 64
}

/// A value and the text that it came as.
struct Written<Value: Sendable>: Sendable {
    let value: Value
    let text: String

    /// The text if it is worth keeping: another one than ours, and not blown up by zeros.
    func text(unless own: String) -> String? { text == own || text.utf8.count > AddressTexts.longest ? nil : text }
}

/// A route and its texts.
struct WrittenRoute: Sendable {
    let route: NetworkRoute
    let target: Written<IPPrefix>
    let gateway: Written<IPAddress>?
}

extension AddressTexts {
    mutating func set(routes: [WrittenRoute]) {
        (targets, gateways) = ([:], [:])
        for written in routes {
            let key = written.route.target.network
            targets[key] = written.target.text(unless: "\(key)")
            gateways[key] = written.gateway.flatMap { $0.text(unless: "\($0.value)") }
        }
    }

    mutating func set(pools: [(first: Written<IPAddress>, last: Written<IPAddress>)]) {
        (firsts, lasts) = ([:], [:])
        for (first, last) in pools {
            let key = AddressPool(first: first.value, last: last.value)
            firsts[key] = first.text(unless: "\(key.first)")
            lasts[key] = last.text(unless: "\(key.last)")
        }
    }

    mutating func set(servers written: [Written<IPAddress>]) {
        servers = [:]
        for server in written { servers[server.value] = server.text(unless: "\(server.value)") }
    }
}

extension NetworkRecord {
    /// Forgets texts that mean nothing which is there any more.
    mutating func keepTexts() {
        if texts.isEmpty { return }
        let ways = Dictionary(routes.map { ($0.target, $0.via) }) { first, _ in first }
        let (ranges, names) = (Set(pools), Set(dns.servers))
        texts.targets = texts.targets.filter { ways[$0] != nil && IPPrefix($1)?.network == $0 }
        texts.gateways = texts.gateways.filter { target, text in
            (ways[target] ?? nil).map { $0 == IPAddress(text) } ?? false
        }
        texts.firsts = texts.firsts.filter { ranges.contains($0) && IPAddress($1) == $0.first }
        texts.lasts = texts.lasts.filter { ranges.contains($0) && IPAddress($1) == $0.last }
        texts.servers = texts.servers.filter { names.contains($0) && IPAddress($1) == $0 }
    }

    /// As they are stored: the kind, the index in its list, the text.
    var storedTexts: [(kind: UInt8, index: Int, text: String)] {
        var all: [(kind: UInt8, index: Int, text: String)] = []
        for (index, route) in routes.enumerated() {
            if let text = texts.targets[route.target] { all.append((0, index, text)) }
            if let text = texts.gateways[route.target] { all.append((1, index, text)) }
        }
        for (index, pool) in pools.enumerated() {
            if let text = texts.firsts[pool] { all.append((2, index, text)) }
            if let text = texts.lasts[pool] { all.append((3, index, text)) }
        }
        for (index, server) in dns.servers.enumerated() {
            if let text = texts.servers[server] { all.append((4, index, text)) }
        }
        return all
    }

    /// Takes one that was stored. False if there is nothing of this kind and index.
    mutating func take(storedText text: String, kind: UInt8, index: Int) -> Bool {
        switch kind {
        case 0 where routes.indices.contains(index): texts.targets[routes[index].target] = text
        case 1 where routes.indices.contains(index): texts.gateways[routes[index].target] = text
        case 2 where pools.indices.contains(index): texts.firsts[pools[index]] = text
        case 3 where pools.indices.contains(index): texts.lasts[pools[index]] = text
        case 4 where dns.servers.indices.contains(index): texts.servers[dns.servers[index]] = text
        default: return false
        }
        return true
    }
}
