// A question about a frame in JSON: the text of rules, two members, and the frame's fields; and its answer.

import JSONValues
import NetPrimitives
import ZeroTierController
import ZeroTierEthernet
import ZeroTierRules
import ZeroTierWire

/// A frame between two members that exist nowhere, under a text of rules. What is not said of a member is as with a new one.
struct FrameQuery {
    private let compiled: CompiledRules
    private let sender: TrialMember
    private let receiver: TrialMember
    private let isFirstContact: Bool
    private let sourceMAC: MACAddress?
    private let destinationMAC: MACAddress?
    private let etherType: UInt16
    private let payload: [UInt8]

    init(_ json: JSONField) throws(JSONError) {
        let source = try json.required("source")
        let text = Array(try source.string().utf8)
        do throws(RuleTextError) {
            compiled = try CompiledRules(text: text)
        } catch {
            throw source.error("\(error)")
        }
        let frame = try json.required("frame")
        let fields = try FrameFields(frame)
        sourceMAC = try frame.mac("sourceMAC")
        destinationMAC = try frame.mac("destinationMAC")
        do throws(FrameFields.Mistake) {
            (etherType, payload) = try fields.frame()
        } catch {
            throw frame.error(error.description)
        }
        let (from, to) = (try json.required("from"), try json.required("to"))
        sender = try FrameQuery.member(from, compiled.set, [fields.source].compactMap { $0 })
        receiver = try FrameQuery.member(to, compiled.set, [])
        guard sender.address != receiver.address else {
            throw to.error("the receiver is another node than the sender")
        }
        isFirstContact = try json.said("firstContact")?.bool() ?? false
    }

    private static func member(
        _ json: JSONField, _ set: RuleSet, _ defaultAddresses: [IPAddress]
    ) throws(JSONError) -> TrialMember {
        let field = try json.required("address")
        guard let number = Hexadecimal.decodeNumber(try field.string(), digits: 10), !Address(number).isReserved else {
            throw field.error("a node's address is expected: ten hexadecimal digits, not 0 and not from ff on")
        }
        var member = TrialMember(address: Address(number))
        member.tags = set.tags.compactMap { tag in tag.defaultValue.map { (id: tag.id, value: $0) } }
        if let field = json.said("tags") {
            member.tags = []
            for pair in try field.elements(atMost: ProtocolLimits.tags) {
                let parts = try pair.elements(atMost: 2)
                guard parts.count == 2 else { throw pair.error("a tag is its number and its value") }
                let id: UInt32 = try parts[0].integer()
                guard !member.tags.contains(where: { $0.id == id }) else { throw pair.error("\(id) is there twice") }
                member.tags.append((id: id, value: try parts[1].integer()))
            }
        }
        var held = Set(set.capabilities.filter(\.isDefault).map(\.id))
        if let field = json.said("capabilities") {
            held = []
            for id in try field.elements(atMost: ProtocolLimits.capabilities) { held.insert(try id.integer()) }
        }
        member.capabilities = set.capabilities.filter { held.contains($0.id) }.map { (id: $0.id, rules: $0.rules) }
        member.addresses = defaultAddresses
        if let field = json.said("addresses") {
            member.addresses = []
            for address in try field.elements(atMost: ProtocolLimits.thingsPerOwnership) {
                member.addresses.append(try address.ip())
            }
        }
        return member
    }

    /// What becomes of the frame, and why.
    var answer: JSONValue {
        var trial = RuleTrial(
            rules: compiled.set.rules, from: sender, to: receiver, network: FrameQuery.network,
            isFirstContact: isFirstContact, seed: 1)
        let (outbound, inbound) = trial.explain(
            source: sourceMAC ?? trial.network.mac(of: sender.address),
            destination: destinationMAC ?? trial.network.mac(of: receiver.address), etherType: etherType,
            payload: payload)
        let renderer = RuleRenderer(set: compiled.set, compiled: compiled)
        return .object([
            ("delivered", .bool(RuleRenderer.isDelivered(outbound, inbound))), ("outbound", renderer.json(outbound)),
            ("inbound", renderer.json(inbound)),
        ])
    }

    // Any: the two are members of it alone.
    private static let network = NetworkID(0x0102_0304_0500_0001)
}

extension FrameFields {
    /// Reads the members of an object: those of `zerotier rules test`, under the same names.
    fileprivate init(_ json: JSONField) throws(JSONError) {
        self.init()
        _ = try json.members()
        source = try json.said("source")?.ip()
        destination = try json.said("destination")?.ip()
        etherType = try json.word("etherType", "ipv4, ipv6, arp, another name, or a number") {
            FrameFields.etherType($0)
        }
        ipProtocol = try json.word("protocol", "tcp, udp, icmp, icmp6, another name, or a number up to 255") {
            FrameFields.ipProtocol($0)
        }
        sourcePort = try json.said("sourcePort")?.looseInteger()
        destinationPort = try json.said("destinationPort")?.looseInteger()
        tcpFlags = try json.word("tcpFlags", "fin, syn, rst, psh, ack, urg, ece and cwr with commas between") {
            FrameFields.tcpFlags($0)
        }
        icmpType = try json.said("icmpType")?.looseInteger()
        icmpCode = try json.said("icmpCode")?.looseInteger()
        trafficClass = try json.said("tos")?.looseInteger() ?? 0
        length = try json.said("length")?.looseInteger()
        if let mac = try json.mac("sourceMAC") { sourceMAC = mac }
    }
}

extension JSONField {
    fileprivate func ip() throws(JSONError) -> IPAddress {
        let text = try string()
        guard let address = IPAddress(text) else {
            throw error("an IP address is expected, such as 10.147.17.5, not \"\(text.prefix(80))\"")
        }
        return address
    }

    fileprivate func mac(_ key: String) throws(JSONError) -> MACAddress? {
        guard let field = said(key) else { return nil }
        let text = try field.string()
        guard let mac = MACAddress(text: text) else {
            throw field.error("an Ethernet address is like 02:11:22:33:44:55, not \"\(text.prefix(80))\"")
        }
        return mac
    }

    fileprivate func word<Value>(
        _ key: String, _ words: String, _ read: (String) -> Value?
    ) throws(JSONError) -> Value? {
        guard let field = said(key) else { return nil }
        let text = try field.looseString()
        guard let value = read(text) else { throw field.error("\(words): not \"\(text.prefix(80))\"") }
        return value
    }
}
