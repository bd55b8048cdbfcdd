// A frame that the command line names, and what rules would do with it.

import JSONValues
import NetPrimitives
import ZeroTierEthernet
import ZeroTierRules
import ZeroTierService
import ZeroTierWire

/// A frame between two members that exist nowhere.
struct FrameTrial {
    private let rules: LoadedRules
    private let sender: TrialMember
    private let receiver: TrialMember
    private let options: TrialOptions
    private let frame: GivenFrame

    init(_ rules: LoadedRules, _ options: TrialOptions, _ frame: GivenFrame) throws(Failure) {
        self.rules = rules
        self.options = options
        self.frame = frame
        var sender = try FrameTrial.member(
            options.from, options.fromTag, options.fromCap, rules.set, options.noDefaults)
        receiver = try FrameTrial.member(options.to, options.toTag, options.toCap, rules.set, options.noDefaults)
        sender.addresses = options.fromIP.isEmpty ? [frame.sourceIP].compactMap { $0 } : options.fromIP
        self.sender = sender
    }

    private static func member(
        _ address: Address, _ tags: [String], _ capabilities: [String], _ set: RuleSet, _ noDefaults: Bool
    ) throws(Failure) -> TrialMember {
        var member = TrialMember(address: address)
        var values: [UInt32: UInt32] = [:]
        var held = Set<UInt32>()
        if !noDefaults {
            for tag in set.tags { values[tag.id] = tag.defaultValue }
            held = Set(set.capabilities.filter(\.isDefault).map(\.id))
        }
        for word in tags {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw Failure("usage", "a tag is given as tag=value, not \(word)") }
            guard let tag = set.tag(parts[0]) else {
                let known = set.tags.map { $0.name ?? "\($0.id)" }.joined(separator: ", ")
                throw Failure(
                    "usage",
                    "the rules have no tag \(parts[0]); \(known.isEmpty ? "they have none" : "there are \(known)")")
            }
            guard let value = tag.value(parts[1]) else {
                throw Failure(
                    "usage", "the tag \(parts[0]) has no value \(parts[1]): give a number or one of its names")
            }
            values[tag.id] = value
        }
        for word in capabilities {
            guard let capability = set.capability(word) else {
                let known = set.capabilities.map { $0.name ?? "\($0.id)" }.joined(separator: ", ")
                throw Failure(
                    "usage",
                    "the rules have no capability \(word); \(known.isEmpty ? "they have none" : "there are \(known)")")
            }
            held.insert(capability.id)
        }
        member.tags = values.map { (id: $0.key, value: $0.value) }
        member.capabilities = set.capabilities.filter { held.contains($0.id) }.map { (id: $0.id, rules: $0.rules) }
        return member
    }

    func report() -> Report {
        var trial = RuleTrial(
            rules: rules.set.rules, from: sender, to: receiver, network: NetworkID(0x0102_0304_0500_0001),
            isFirstContact: options.firstContact, seed: options.seed)
        let (outbound, inbound) = trial.explain(
            source: frame.source ?? trial.network.mac(of: options.from),
            destination: frame.destination ?? trial.network.mac(of: options.to), etherType: frame.etherType,
            payload: frame.payload)
        let renderer = RuleRenderer(set: rules.set, compiled: rules.compiled)
        let isDelivered = RuleRenderer.isDelivered(outbound, inbound)
        let lines =
            [isDelivered ? "delivered" : "not delivered"]
            + renderer.lines(outbound, who: "sender \(options.from)")
            + renderer.lines(inbound, who: "receiver \(options.to)")
        return Report(
            text: lines.joined(separator: "\n"),
            json: .object([
                ("delivered", .bool(isDelivered)), ("outbound", renderer.json(outbound)),
                ("inbound", renderer.json(inbound)),
            ]))
    }
}

extension RuleRefusal {
    /// The other member in words.
    var memberText: String { member.value == 0 ? "a group" : "\(member)" }
}
