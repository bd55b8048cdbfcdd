//  The dictionary of a configuration. Keys in the order in which current controllers write them:
//
//  v nwid ts ctmd r id tt tl f ml t n mtu   numbers, text     C   membership         S  specialists, u64 each
//  CAP TAG COO  credentials, one after another                RT  routes: inet target, inet via, u16 flags, u16 metric
//  I   own addresses: inet each, port = prefix length         R   rules
//  DNS 128 bytes domain, 4 inet     ssov ssoe aurl aexpt iurl ssoce sson ssos ssocid ssop   single sign-on

import NetPrimitives

extension NetworkConfig {
    /// Reads a configuration. Tolerant where the reference is: capabilities and tags end at the first malformed one, and
    /// entries beyond the limits are left out. Anything else that is malformed refuses the whole.
    package init(decoding bytes: [UInt8]) throws(WireError) {
        guard bytes.count <= ProtocolLimits.maximumConfigurationLength else {
            throw .tooLong(
                field: "config", limit: ProtocolLimits.maximumConfigurationLength, found: bytes.count)
        }
        try self.init(WireDictionary(decoding: bytes))
    }

    package init(_ dictionary: WireDictionary) throws(WireError) {
        let version = dictionary.integer("v")
        guard version >= ProtocolLimits.minimumConfigurationVersion else {
            throw .invalid(field: "config.version", expected: "6 or later", found: version)
        }
        let network = NetworkID(dictionary.integer("nwid"))
        guard network.value != 0 else { throw .invalid(field: "config.network", expected: "an ID", found: 0) }
        let issuedTo = dictionary.address("id")
        guard issuedTo.value != 0 else { throw .invalid(field: "config.issuedTo", expected: "an address", found: 0) }
        self.init(network: network, issuedTo: issuedTo, timestamp: dictionary.integer("ts"))
        credentialWindow = dictionary.integer("ctmd")
        revision = dictionary.integer("r")
        traceTarget = dictionary.address("tt")
        traceLevel = dictionary.integer("tl")
        flags = dictionary.integer("f")
        multicastLimit = dictionary.integer("ml")
        isPublic = dictionary.integer("t") == 1
        name = NetworkConfig.text(dictionary["n"] ?? [], limit: ProtocolLimits.networkNameLength)
        let stated = dictionary.integer("mtu", default: UInt64(ProtocolLimits.virtualMTU))
        mtu = min(
            max(Int(clamping: stated), ProtocolLimits.minimumVirtualMTU), ProtocolLimits.maximumVirtualMTU)
        try readCredentials(dictionary)
        try readTables(dictionary)
        dns = try NetworkConfig.readDNS(dictionary["DNS"] ?? [])
        singleSignOn = NetworkConfig.readSingleSignOn(dictionary)
    }

    private mutating func readCredentials(_ dictionary: WireDictionary) throws(WireError) {
        if let bytes = dictionary["C"], !bytes.isEmpty { membership = try Membership(decoding: bytes) }
        var reader = WireReader(dictionary["CAP"] ?? [])
        while !reader.isAtEnd, capabilities.count < ProtocolLimits.capabilities,
            let capability = try? Capability(from: &reader)
        {
            capabilities.append(capability)
        }
        capabilities.sort { $0.id < $1.id }
        reader = WireReader(dictionary["TAG"] ?? [])
        while !reader.isAtEnd, tags.count < ProtocolLimits.tags, let tag = try? Tag(from: &reader) {
            tags.append(tag)
        }
        tags.sort { $0.id < $1.id }
        reader = WireReader(dictionary["COO"] ?? [])
        while !reader.isAtEnd {
            let ownership = try Ownership(from: &reader)
            if ownerships.count < ProtocolLimits.ownerships { ownerships.append(ownership) }
        }
    }

    private mutating func readTables(_ dictionary: WireDictionary) throws(WireError) {
        var reader = WireReader(dictionary["S"] ?? [])
        while !reader.isAtEnd {
            let specialist = Specialist(try reader.uint64("config.specialist"))
            if specialists.count < ProtocolLimits.specialists { specialists.append(specialist) }
        }
        reader = WireReader(dictionary["RT"] ?? [])
        while !reader.isAtEnd {
            let target = try PhysicalAddressCodec.decode(from: &reader, "config.routeTarget")
            let via = try PhysicalAddressCodec.decode(from: &reader, "config.routeVia")
            let flags = try reader.uint16("config.routeFlags")
            let metric = try reader.uint16("config.routeMetric")
            guard let target, routes.count < ProtocolLimits.routes else { continue }
            routes.append(
                NetworkRoute(
                    target: IPPrefix(target.address, length: Int(target.port)), via: via?.address, flags: flags,
                    metric: metric))
        }
        reader = WireReader(dictionary["I"] ?? [])
        while !reader.isAtEnd {
            let endpoint = try PhysicalAddressCodec.decode(from: &reader, "config.address")
            guard let endpoint, addresses.count < ProtocolLimits.staticAddresses else { continue }
            addresses.append(IPPrefix(endpoint.address, length: Int(endpoint.port)))
        }
        rules = try Rule.table(decoding: dictionary["R"] ?? [], limit: ProtocolLimits.baseRules)
    }

    private static func readDNS(_ bytes: [UInt8]) throws(WireError) -> NetworkDNS {
        guard !bytes.isEmpty else { return NetworkDNS() }
        var reader = WireReader(bytes)
        let domain = try reader.bytes(ProtocolLimits.dnsDomainLength, "config.domain")
        let text = domain.prefix { $0 != 0 }
        var servers: [IPAddress] = []
        for _ in 0..<ProtocolLimits.dnsServers {
            if let server = try PhysicalAddressCodec.decode(from: &reader, "config.dnsServer") {
                servers.append(server.address)
            }
        }
        let limit = ProtocolLimits.dnsDomainLength - 1
        return NetworkDNS(domain: NetworkConfig.text(Array(text), limit: limit), servers: servers)
    }

    /// Text of at most `limit` bytes, cut between two characters. Bytes that are no UTF-8 become replacement characters,
    /// which are longer. The cut comes after that, so that a text written back is read as the same.
    private static func text(_ bytes: [UInt8], limit: Int) -> String {
        var text = String(decoding: bytes.prefix(limit), as: UTF8.self)
        while text.utf8.count > limit { text.unicodeScalars.removeLast() }
        return text
    }

    private static func readSingleSignOn(_ dictionary: WireDictionary) -> SingleSignOn {
        var result = SingleSignOn()
        result.version = dictionary.integer("ssov")
        result.isEnabled = dictionary.boolean("ssoe")
        guard result.isEnabled else { return result }
        if result.version == 0 {
            result.authenticationURL = dictionary.text("aurl") ?? ""
            result.expiryTime = dictionary.integer("aexpt")
        } else {
            result.issuerURL = dictionary.text("iurl") ?? ""
            result.centralURL = dictionary.text("ssoce") ?? ""
            result.nonce = dictionary.text("sson") ?? ""
            result.state = dictionary.text("ssos") ?? ""
            result.clientID = dictionary.text("ssocid") ?? ""
            result.provider = dictionary.text("ssop") ?? ""
        }
        return result
    }

    // MARK: Writing

    /// The configuration as a dictionary, keys in the controllers' order.
    package var dictionary: WireDictionary {
        var result = WireDictionary()
        result.append("v", integer: ProtocolLimits.configurationVersion)
        result.append("nwid", text: network.description)
        result.append("ts", integer: timestamp)
        result.append("ctmd", integer: credentialWindow)
        result.append("r", integer: revision)
        result.append("id", address: issuedTo)
        result.append("tt", address: traceTarget)
        result.append("tl", integer: traceLevel)
        result.append("f", integer: flags)
        result.append("ml", integer: multicastLimit)
        result.append("t", integer: isPublic ? 1 : 0)
        result.append("n", text: name)
        result.append("mtu", integer: UInt64(mtu))
        if let membership { result.append("C", membership.encoded) }
        NetworkConfig.append("CAP", capabilities.flatMap(\.encoded), to: &result)
        NetworkConfig.append("TAG", tags.flatMap(\.encoded), to: &result)
        NetworkConfig.append("COO", ownerships.flatMap(\.encoded), to: &result)
        var writer = ByteWriter()
        for specialist in specialists { writer.uint64(specialist.value) }
        NetworkConfig.append("S", writer.bytes, to: &result)
        NetworkConfig.append("RT", encodedRoutes, to: &result)
        writer = ByteWriter()
        for address in addresses {
            PhysicalAddressCodec.encode(
                SocketEndpoint(address.address, port: UInt16(address.length)), into: &writer)
        }
        NetworkConfig.append("I", writer.bytes, to: &result)
        NetworkConfig.append("R", Rule.encode(rules), to: &result)
        result.append("DNS", encodedDNS)
        appendSingleSignOn(to: &result)
        return result
    }

    /// The dictionary's bytes.
    package var encoded: [UInt8] { dictionary.encoded }

    private static func append(_ key: String, _ value: [UInt8], to dictionary: inout WireDictionary) {
        if !value.isEmpty { dictionary.append(key, value) }
    }

    private var encodedRoutes: [UInt8] {
        var writer = ByteWriter()
        for route in routes {
            PhysicalAddressCodec.encode(
                SocketEndpoint(route.target.address, port: UInt16(route.target.length)), into: &writer)
            PhysicalAddressCodec.encode(route.via.map { SocketEndpoint($0, port: 0) }, into: &writer)
            writer.uint16(route.flags)
            writer.uint16(route.metric)
        }
        return writer.bytes
    }

    private var encodedDNS: [UInt8] {
        let domain = Array(dns.domain.utf8.prefix(ProtocolLimits.dnsDomainLength - 1))
        var writer = ByteWriter()
        writer.bytes(domain + [UInt8](repeating: 0, count: ProtocolLimits.dnsDomainLength - domain.count))
        for index in 0..<ProtocolLimits.dnsServers {
            let server = index < dns.servers.count ? SocketEndpoint(dns.servers[index], port: 0) : nil
            PhysicalAddressCodec.encode(server, into: &writer)
        }
        return writer.bytes
    }

    private func appendSingleSignOn(to dictionary: inout WireDictionary) {
        dictionary.append("ssov", integer: singleSignOn.version)
        dictionary.append("ssoe", boolean: singleSignOn.isEnabled)
        guard singleSignOn.isEnabled else { return }
        if singleSignOn.version == 0 {
            dictionary.append("aurl", text: singleSignOn.authenticationURL)
            dictionary.append("aexpt", integer: singleSignOn.expiryTime)
        } else {
            dictionary.append("iurl", text: singleSignOn.issuerURL)
            dictionary.append("ssoce", text: singleSignOn.centralURL)
            dictionary.append("sson", text: singleSignOn.nonce)
            dictionary.append("ssos", text: singleSignOn.state)
            dictionary.append("ssocid", text: singleSignOn.clientID)
            dictionary.append("ssop", text: singleSignOn.provider)
        }
    }
}
