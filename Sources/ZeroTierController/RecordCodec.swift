//  Records as bytes, for a store. Integers are big-endian.
//
//  network  u8 3 | u64 creation | u64 revision | text name | u8 flags | u32 multicast limit | u16 MTU | u64 credential window
//           | u16 n, pools: first, last | u16 n, routes: target, u8 length, u8 has gateway [gateway], u16 flags, u16 metric
//           | table rules | long text rule source | u16 n, capabilities: u32 id, u8 default, table rules
//           | u16 n, tags: u32 id, u8 has default, u32 default | text domain, u8 n, servers
//           | u16 n, tokens: text, u64 expiry | 5 trace target | u32 trace level
//           | u16 n, texts of addresses: u8 kind, u16 index, text | u64 former ID or 0          without these: u8 1
//           | text note                                                                       without it: u8 2
//  member   u8 2 | u64 creation | u64 revision | u64 authorised | u64 deauthorised | u8 flags | u8 admission [text token]
//           | [64 public keys] | [u16 major, minor, revision, protocol] | u16 n, addresses | u16 n, tags: u32 id, u32 value
//           | u16 n, capabilities: u32 id | text name | 5 trace target | u32 trace level
//           | text note | u8 marks                                                            without these: u8 1
//
//  A record is written in the first form that holds it: an earlier release reads all that it could have written itself.
//
//  text: u16 length, UTF-8   long text, table: u32 length, bytes   address: u8 4 or 16, bytes

import NetPrimitives
import ZeroTierCrypto
package import ZeroTierWire

/// The forms of records. A store of a later release may hold another one, which is refused.
private enum RecordForm {
    /// Without texts of addresses, and without the former ID.
    static let firstNetwork: UInt8 = 1
    static let plainNetwork: UInt8 = 2
    /// With a note.
    static let network: UInt8 = 3
    static let plainMember: UInt8 = 1
    /// With a note, and marks that the flags have no room for.
    static let member: UInt8 = 2
}

extension NetworkRecord {
    private enum Flag {
        static let isPrivate: UInt8 = 0x01
        static let broadcast: UInt8 = 0x02
        static let ipv4: UInt8 = 0x04
        static let ipv6: UInt8 = 0x08
        static let sixPlane: UInt8 = 0x10
        static let rfc4193: UInt8 = 0x20
        static let showsDNS: UInt8 = 0x40
    }

    /// The record as bytes.
    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 256)
        writer.uint8(note.isEmpty ? RecordForm.plainNetwork : RecordForm.network)
        writer.uint64(creationTime)
        writer.uint64(revision)
        writer.text(name)
        var flags: UInt8 = 0
        if isPrivate { flags |= Flag.isPrivate }
        if isBroadcastEnabled { flags |= Flag.broadcast }
        if assignsIPv4 { flags |= Flag.ipv4 }
        if assignsIPv6 { flags |= Flag.ipv6 }
        if assigns6PLANE { flags |= Flag.sixPlane }
        if assignsRFC4193 { flags |= Flag.rfc4193 }
        if showsDNS { flags |= Flag.showsDNS }
        writer.uint8(flags)
        writer.uint32(multicastLimit)
        writer.uint16(UInt16(clamping: mtu))
        writer.uint64(credentialWindow)
        writer.list(pools) { writer, pool in
            writer.ip(pool.first)
            writer.ip(pool.last)
        }
        writer.list(routes) { writer, route in
            writer.ip(route.target.address)
            writer.uint8(UInt8(clamping: route.target.length))
            writer.uint8(route.via == nil ? 0 : 1)
            if let via = route.via { writer.ip(via) }
            writer.uint16(route.flags)
            writer.uint16(route.metric)
        }
        writer.block(Rule.encode(rules))
        writer.block(Array(ruleSource.utf8))
        writer.list(capabilities) { writer, capability in
            writer.uint32(capability.id)
            writer.uint8(capability.isDefault ? 1 : 0)
            writer.block(Rule.encode(capability.rules))
        }
        writer.list(tags) { writer, tag in
            writer.uint32(tag.id)
            writer.uint8(tag.defaultValue == nil ? 0 : 1)
            writer.uint32(tag.defaultValue ?? 0)
        }
        writer.text(dns.domain)
        writer.list(dns.servers) { writer, server in writer.ip(server) }
        writer.list(tokens) { writer, token in
            writer.text(token.text)
            writer.uint64(token.expires)
        }
        writer.address(traceTarget)
        writer.uint32(traceLevel)
        writer.list(storedTexts) { writer, stored in
            writer.uint8(stored.kind)
            writer.uint16(UInt16(clamping: stored.index))
            writer.text(stored.text)
        }
        writer.uint64(former?.value ?? 0)
        if !note.isEmpty { writer.text(note) }
        return writer.bytes
    }

    /// Reads a record. Throws if it is damaged, or of a later release.
    package init(id: NetworkID, decoding bytes: [UInt8]) throws(WireError) {
        self.init(id: id)
        var reader = WireReader(bytes)
        let form = try reader.recordForm(
            RecordForm.firstNetwork...RecordForm.network, "network.version")
        creationTime = try reader.uint64("network.creationTime")
        revision = try reader.uint64("network.revision")
        name = try reader.text("network.name")
        let flags = try reader.uint8("network.flags")
        isPrivate = flags & Flag.isPrivate != 0
        isBroadcastEnabled = flags & Flag.broadcast != 0
        assignsIPv4 = flags & Flag.ipv4 != 0
        assignsIPv6 = flags & Flag.ipv6 != 0
        assigns6PLANE = flags & Flag.sixPlane != 0
        assignsRFC4193 = flags & Flag.rfc4193 != 0
        showsDNS = flags & Flag.showsDNS != 0
        multicastLimit = try reader.uint32("network.multicastLimit")
        mtu = Int(try reader.uint16("network.mtu"))
        credentialWindow = try reader.uint64("network.credentialWindow")
        pools = try reader.list("network.pools") { (reader) throws(WireError) in
            AddressPool(first: try reader.ip("network.pool"), last: try reader.ip("network.pool"))
        }
        routes = try reader.list("network.routes") { (reader) throws(WireError) in
            let address = try reader.ip("network.route")
            let target = IPPrefix(address, length: Int(try reader.uint8("network.route")))
            let via = try reader.uint8("network.route") == 0 ? nil : try reader.ip("network.route")
            let flags = try reader.uint16("network.route")
            return NetworkRoute(target: target, via: via, flags: flags, metric: try reader.uint16("network.route"))
        }
        rules = try reader.rules(ProtocolLimits.baseRules, "network.rules")
        ruleSource = String(decoding: try reader.block("network.ruleSource"), as: UTF8.self)
        try readDefinitions(&reader)
        if form >= RecordForm.plainNetwork { try readTexts(&reader) }
        if form >= RecordForm.network { note = try reader.text("network.note") }
        try reader.expectEnd("network")
    }

    private mutating func readDefinitions(_ reader: inout WireReader) throws(WireError) {
        capabilities = try reader.list("network.capabilities") { (reader) throws(WireError) in
            let id = try reader.uint32("network.capability")
            let isDefault = try reader.uint8("network.capability") != 0
            let rules = try reader.rules(ProtocolLimits.rulesPerCapability, "network.capability")
            return CapabilityDefinition(id: id, isDefault: isDefault, rules: rules)
        }
        tags = try reader.list("network.tags") { (reader) throws(WireError) in
            let id = try reader.uint32("network.tag")
            let hasDefault = try reader.uint8("network.tag") != 0
            let value = try reader.uint32("network.tag")
            return TagDefinition(id: id, defaultValue: hasDefault ? value : nil)
        }
        dns.domain = try reader.text("network.domain")
        dns.servers = try reader.list("network.servers") { (reader) throws(WireError) in try reader.ip("network.server")
        }
        tokens = try reader.list("network.tokens") { (reader) throws(WireError) in
            AuthorizationToken(text: try reader.text("network.token"), expires: try reader.uint64("network.token"))
        }
        traceTarget = try reader.address("network.traceTarget")
        traceLevel = try reader.uint32("network.traceLevel")
    }

    private mutating func readTexts(_ reader: inout WireReader) throws(WireError) {
        for _ in 0..<(try reader.uint16("network.texts")) {
            let kind = try reader.uint8("network.text")
            let index = try reader.uint16("network.text")
            guard take(storedText: try reader.text("network.text"), kind: kind, index: Int(index)) else {
                throw .invalid(field: "network.text", expected: "one of an address", found: UInt64(index))
            }
        }
        let value = try reader.uint64("network.former")
        if value != 0 { former = NetworkID(value) }
    }
}

extension MemberRecord {
    private enum Flag {
        static let authorized: UInt8 = 0x01
        static let bridge: UInt8 = 0x02
        static let takesNoAssignment: UInt8 = 0x04
        static let identity: UInt8 = 0x08
        static let version: UInt8 = 0x10
        static let refused: UInt8 = 0x20
        static let identityProven: UInt8 = 0x40
    }

    private enum Mark {
        static let hidden: UInt8 = 0x01
        static let signOnExempt: UInt8 = 0x02
    }

    private var marks: UInt8 { (isHidden ? Mark.hidden : 0) | (isSignOnExempt ? Mark.signOnExempt : 0) }

    /// The record as bytes.
    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 160)
        let isPlain = note.isEmpty && marks == 0
        writer.uint8(isPlain ? RecordForm.plainMember : RecordForm.member)
        writer.uint64(creationTime)
        writer.uint64(revision)
        writer.uint64(lastAuthorizedTime)
        writer.uint64(lastDeauthorizedTime)
        var flags: UInt8 = 0
        if isAuthorized { flags |= Flag.authorized }
        if isActiveBridge { flags |= Flag.bridge }
        if takesNoAssignment { flags |= Flag.takesNoAssignment }
        if identity != nil { flags |= Flag.identity }
        if version != nil { flags |= Flag.version }
        if isRefused { flags |= Flag.refused }
        if isIdentityProven { flags |= Flag.identityProven }
        writer.uint8(flags)
        switch admission {
        case .none: writer.uint8(0)
        case .administrator: writer.uint8(1)
        case .publicNetwork: writer.uint8(2)
        case .token(let token):
            writer.uint8(3)
            writer.text(token)
        }
        if let identity { writer.bytes(identity.bytes) }
        if let version {
            writer.uint16(version.major)
            writer.uint16(version.minor)
            writer.uint16(version.revision)
            writer.uint16(version.protocolVersion)
        }
        writer.list(addresses) { writer, address in writer.ip(address) }
        writer.list(tags) { writer, tag in
            writer.uint32(tag.id)
            writer.uint32(tag.value)
        }
        writer.list(capabilities) { writer, id in writer.uint32(id) }
        writer.text(name)
        writer.address(traceTarget)
        writer.uint32(traceLevel)
        if !isPlain {
            writer.text(note)
            writer.uint8(marks)
        }
        return writer.bytes
    }

    /// Reads a record. Throws if it is damaged, or of a later release.
    package init(address: Address, decoding bytes: [UInt8]) throws(WireError) {
        self.init(address: address)
        var reader = WireReader(bytes)
        let form = try reader.recordForm(RecordForm.plainMember...RecordForm.member, "member.version")
        creationTime = try reader.uint64("member.creationTime")
        revision = try reader.uint64("member.revision")
        lastAuthorizedTime = try reader.uint64("member.lastAuthorizedTime")
        lastDeauthorizedTime = try reader.uint64("member.lastDeauthorizedTime")
        let flags = try reader.uint8("member.flags")
        isAuthorized = flags & Flag.authorized != 0
        isActiveBridge = flags & Flag.bridge != 0
        takesNoAssignment = flags & Flag.takesNoAssignment != 0
        isRefused = flags & Flag.refused != 0
        isIdentityProven = flags & (Flag.identity | Flag.identityProven) == Flag.identity | Flag.identityProven
        let number = try reader.uint8("member.admission")
        switch number {
        case 0: admission = .none
        case 1: admission = .administrator
        case 2: admission = .publicNetwork
        case 3: admission = .token(try reader.text("member.token"))
        default: throw .invalid(field: "member.admission", expected: "0...3", found: UInt64(number))
        }
        if flags & Flag.identity != 0 {
            identity = PublicKeys(try reader.bytes(PublicKeys.size, "member.identity"))
        }
        if flags & Flag.version != 0 {
            version = MemberVersion(
                major: try reader.uint16("member.version"), minor: try reader.uint16("member.version"),
                revision: try reader.uint16("member.version"), protocolVersion: try reader.uint16("member.version"))
        }
        addresses = try reader.list("member.addresses") { (reader) throws(WireError) in try reader.ip("member.address")
        }
        tags = try reader.list("member.tags") { (reader) throws(WireError) in
            TagValue(id: try reader.uint32("member.tag"), value: try reader.uint32("member.tag"))
        }
        capabilities = try reader.list("member.capabilities") { (reader) throws(WireError) in
            try reader.uint32("member.capability")
        }
        name = try reader.text("member.name")
        traceTarget = try reader.address("member.traceTarget")
        traceLevel = try reader.uint32("member.traceLevel")
        if form >= RecordForm.member {
            note = try reader.text("member.note")
            let marks = try reader.uint8("member.marks")
            isHidden = marks & Mark.hidden != 0
            isSignOnExempt = marks & Mark.signOnExempt != 0
        }
        try reader.expectEnd("member")
    }
}

extension ByteWriter {
    // Validation bounds what is written; a longer text would be cut and not read again.
    fileprivate mutating func text(_ text: String) {
        let bytes = Array(text.utf8.prefix(Int(UInt16.max)))
        uint16(UInt16(bytes.count))
        self.bytes(bytes)
    }

    fileprivate mutating func block(_ block: [UInt8]) {
        uint32(UInt32(clamping: block.count))
        bytes(block)
    }

    fileprivate mutating func ip(_ address: IPAddress) {
        uint8(UInt8(address.byteCount))
        bytes(address.bytes)
    }

    fileprivate mutating func list<Element>(_ elements: [Element], _ write: (inout ByteWriter, Element) -> Void) {
        uint16(UInt16(clamping: elements.count))
        for element in elements { write(&self, element) }
    }
}

extension WireReader {
    fileprivate mutating func recordForm(
        _ known: ClosedRange<UInt8>, _ field: String
    ) throws(WireError) -> UInt8 {
        let found = try uint8(field)
        guard known.contains(found) else {
            throw .invalid(field: field, expected: "\(known.lowerBound)...\(known.upperBound)", found: UInt64(found))
        }
        return found
    }

    fileprivate mutating func text(_ field: String) throws(WireError) -> String {
        String(decoding: try bytes(Int(try uint16(field)), field), as: UTF8.self)
    }

    fileprivate mutating func block(_ field: String) throws(WireError) -> [UInt8] {
        try bytes(Int(try uint32(field)), field)
    }

    fileprivate mutating func rules(_ limit: Int, _ field: String) throws(WireError) -> [Rule] {
        try Rule.table(decoding: try block(field), limit: limit)
    }

    fileprivate mutating func ip(_ field: String) throws(WireError) -> IPAddress {
        let length = try uint8(field)
        guard let address = IPAddress(try bytes(Int(length), field)) else {
            throw .invalid(field: field, expected: "4 or 16 bytes", found: UInt64(length))
        }
        return address
    }

    // A count that the bytes cannot hold fails before anything is set aside for it.
    fileprivate mutating func list<Element>(
        _ field: String, _ read: (inout WireReader) throws(WireError) -> Element
    ) throws(WireError) -> [Element] {
        let count = Int(try uint16(field))
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    fileprivate func expectEnd(_ record: String) throws(WireError) {
        guard isAtEnd else { throw .tooLong(field: record, limit: position, found: end) }
    }
}
