// 10,000 random tables on random frames: the evaluator against a slow one, and what it explains against what it did.

import NetPrimitives
import Testing
import ZeroTierCrypto
import ZeroTierRules
import ZeroTierWire

@testable import ZeroTierEthernet

/// Tables, frames and members from a seed, so that matches hold about as often as not.
private struct RandomScenes {
    static let network = NetworkID(0x0102_0304_0500_0001)
    static let myself = Address(0x11_1111_1111)
    static let other = Address(0x22_2222_2222)
    static let observer = Address(0x33_3333_3333)

    var random: RandomSource
    private let controller: Identity

    init(seed: UInt64) {
        random = RandomSource(seed: seed)
        let keys = SecretKeys.generate(using: &random)
        controller = Identity(
            address: RandomScenes.network.controller, publicKeys: keys.publicKeys, secretKeys: keys)
    }

    private mutating func pick<Value>(_ values: [Value]) -> Value { values[random.next(below: values.count)] }

    private static let addresses4: [UInt32] = [0x0a00_0001, 0x0a00_0002, 0x0a01_0001]
    private static let addresses6 = ["fd00::1", "fd00::2", "fd01::1"].compactMap { IPAddress($0) }

    // MARK: Frames

    mutating func frame() -> (etherType: UInt16, bytes: [UInt8]) {
        switch random.next(below: 8) {
        case 0: return (0x0806, random.bytes(6 + random.next(below: 40)))
        case 1: return (pick([0x1234, 0x88cc]), random.bytes(random.next(below: 80)))
        case 2, 3, 4: return (0x0800, packet4())
        default: return (0x86dd, packet6())
        }
    }

    private mutating func upper() -> (UInt8, [UInt8]) {
        let proto: UInt8 = pick([6, 17, 1, 58, 132, 99])
        var bytes = random.bytes(pick([0, 1, 4, 5, 8, 14, 15, 20, 40]))
        for place in [0, 2] where bytes.count >= place + 2 {
            bytes[place] = 0
            bytes[place + 1] = pick([0, 22, 80])
        }
        return (proto, bytes)
    }

    private mutating func packet4() -> [UInt8] {
        let (proto, payload) = upper()
        let options = random.next(below: 3)
        let length = 20 + options * 4 + payload.count
        var writer = ByteWriter()
        writer.bytes([UInt8(0x45 + options), pick([0, 0x20, 0xb8])])
        writer.uint16(UInt16(length))
        writer.bytes([0, 0, 0, 0, 64, proto, 0, 0])
        writer.uint32(pick(RandomScenes.addresses4))
        writer.uint32(pick(RandomScenes.addresses4))
        writer.bytes([UInt8](repeating: 1, count: options * 4) + payload)
        return writer.bytes
    }

    private mutating func packet6() -> [UInt8] {
        let (proto, payload) = upper()
        var chain: [UInt8] = []
        var first = proto
        for kind: UInt8 in [60, 43, 0] where random.next(below: 4) == 0 {
            let extra = random.next(below: 2)
            chain = [first, UInt8(extra)] + [UInt8](repeating: 0, count: 6 + extra * 8) + chain
            first = kind
        }
        var writer = ByteWriter()
        writer.bytes([0x60, pick([0, 0x20, 0xb0]), 0, 0])
        writer.uint16(UInt16(chain.count + payload.count))
        writer.bytes([first, 64])
        writer.bytes(pick(RandomScenes.addresses6).bytes + pick(RandomScenes.addresses6).bytes + chain + payload)
        return writer.bytes
    }

    // MARK: Rules

    mutating func table() -> [Rule] {
        var rules: [Rule] = []
        for _ in 0..<(1 + random.next(below: 8)) {
            for _ in 0..<random.next(below: 4) {
                rules.append(Rule(match(), not: random.next(below: 3) == 0, or: random.next(below: 3) == 0))
            }
            rules.append(Rule(action()))
        }
        return rules
    }

    private mutating func action() -> Rule.Kind {
        let target = pick([RandomScenes.myself, RandomScenes.other, RandomScenes.observer, Address(0x44_4444_4444)])
        return pick([
            .drop, .drop, .accept, .accept, .break, .priority(3), .unknown(9), .redirect(target, flags: 0, length: 0),
            .tee(target, flags: 0, length: pick([0, 16, 65_535])), .watch(target, flags: 0, length: pick([0, 16])),
        ])
    }

    private mutating func match() -> Rule.Kind {
        let (id, value) = (UInt32(random.next(below: 3)), UInt32(random.next(below: 4)))
        let port: UInt16 = pick([0, 22, 80])
        let (bits4, bits6) = (UInt8(random.next(below: 33)), UInt8(random.next(below: 129)))
        let (address4, address6) = (pick(RandomScenes.addresses4), pick(RandomScenes.addresses6))
        let size = UInt16(random.next(below: 80))
        let member = pick([RandomScenes.myself, RandomScenes.other])
        let matches: [Rule.Kind] = [
            .sourceAddress(member), .destinationAddress(member), .vlanID(UInt16(value)), .vlanPriority(UInt8(value)),
            .vlanDropEligible(0), .sourceMAC(RandomScenes.network.mac(of: member)), .destinationMAC(.broadcast),
            .sourceIPv4(address4, bits: bits4), .destinationIPv4(address4, bits: bits4),
            .sourceIPv6(address6, bits: bits6), .destinationIPv6(address6.masked(to: Int(bits6)), bits: bits6),
            .typeOfService(mask: 0xfc, from: 0, to: pick([0, 0x20, 0xff])), .ipProtocol(pick([6, 17, 1, 58])),
            .etherType(pick([0x0800, 0x86dd, 0x0806])),
            .icmp(type: UInt8(random.next(below: 256)), code: 0, flags: UInt8(random.next(below: 2))),
            .sourcePorts(from: min(port, 22), to: max(port, 22)), .destinationPorts(from: port, to: 80),
            .characteristics(random.nextUInt64() & random.nextUInt64() & 0xfc00_0000_0000_0fff),
            .characteristics(pick([1 << 63, 1 << 62, 1 << 61, 1 << 60, 2, 16])),
            .frameSize(from: size, to: size &+ 40), .tagsDifference(id: id, value: value),
            .tagsAnd(id: id, value: value), .tagsOr(id: id, value: value), .tagsXor(id: id, value: value),
            .tagsEqual(id: id, value: value), .tagSender(id: id, value: value), .tagReceiver(id: id, value: value),
            .integerRange(
                start: 0, end: random.nextUInt64() >> UInt64(random.next(below: 64)),
                index: UInt16(random.next(below: 60)), format: UInt8(random.next(below: 256))),
            .unknown(60),
        ]
        return pick(matches)
    }

    // MARK: Members

    mutating func tags() -> [UInt32: UInt32] {
        var tags: [UInt32: UInt32] = [:]
        for id in 0..<UInt32(3) where random.next(below: 2) == 0 { tags[id] = UInt32(random.next(below: 4)) }
        return tags
    }

    mutating func owned() -> [IPAddress] {
        random.next(below: 2) == 0 ? [] : [IPAddress(v4: pick(RandomScenes.addresses4)), pick(RandomScenes.addresses6)]
    }

    func credentials(_ tags: [UInt32: UInt32], _ owned: [IPAddress], of member: Address) -> (
        [ZeroTierWire.Tag], [Ownership]
    ) {
        let issued = tags.sorted { $0.key < $1.key }.map { id, value in
            ZeroTierWire.Tag(
                network: RandomScenes.network, timestamp: 1, id: id, value: value, issuedTo: member,
                signedBy: controller)
        }
        guard !owned.isEmpty else { return (issued, []) }
        let ownership = Ownership(
            network: RandomScenes.network, timestamp: 1, id: 1, things: owned.map { .ip($0) }, issuedTo: member,
            signedBy: controller)
        return (issued, [ownership])
    }

    func member(_ tags: [ZeroTierWire.Tag], _ owned: [Ownership]) -> Member {
        var member = Member()
        for tag in tags { _ = member.add(tag) { _ in controller } }
        for item in owned { _ = member.add(item) { _ in controller } }
        return member
    }
}

@Suite struct RuleExplanationTests {
    /// What an evaluator that keeps its steps must have kept.
    private func check(_ traces: RuleTraces, _ rules: [Rule], _ verdict: RuleVerdict, _ name: String) {
        let steps = traces.tables[0].steps
        #expect(traces.tables[0].decided == (verdict.rule < 0 ? nil : Int(verdict.rule)), "\(name)")
        #expect(steps.map(\.rule) == Array(0..<steps.count), "\(name)")
        #expect(steps.count == (verdict.rule < 0 ? rules.count : Int(verdict.rule) + 1), "\(name)")
        // The outcomes of the matches alone make the actions' outcomes.
        var isSet = true
        for step in steps {
            let rule = rules[step.rule]
            switch step.outcome {
            case .held, .leftToReceiver: isSet = true
            case .failed, .notApplicable: isSet = rule.isAlternative && isSet
            case .passedOver: #expect(!isSet && !rule.isAlternative, "\(name)")
            case .notTaken:
                #expect(!isSet && rule.isAction, "\(name)")
                isSet = true
            case .decided, .wentOn, .dropSkipped: #expect(isSet && rule.isAction, "\(name)")
            }
        }
    }

    @Test func `10,000 random tables mean what a slow evaluator says, and the explanation names the rule`() {
        var scenes = RandomScenes(seed: 21)
        var results: [String: Int] = [:]
        // Signing is slow: members serve many frames.
        for _ in 0..<100 {
            let (mine, theirs) = (scenes.tags(), scenes.tags())
            let (myAddresses, theirAddresses) = (scenes.owned(), scenes.owned())
            let own = scenes.credentials(mine, myAddresses, of: RandomScenes.myself)
            let others = scenes.credentials(theirs, theirAddresses, of: RandomScenes.other)
            let member = scenes.member(others.0, others.1)
            var config = NetworkConfig(
                network: RandomScenes.network, issuedTo: RandomScenes.myself, timestamp: 1)
            (config.tags, config.ownerships) = own
            var round = 0
            while round < 100 {
                config.flags = round % 2 == 0 ? NetworkConfig.unknownMatchFlag : 0
                let (isInbound, isKnown) = (round % 4 < 2, round % 8 != 5)
                let rules = scenes.table()
                let (etherType, bytes) = scenes.frame()
                let facts = FrameFacts(
                    isInbound: isInbound, source: isInbound ? RandomScenes.other : RandomScenes.myself,
                    destination: isInbound ? RandomScenes.myself : round % 8 == 7 ? Address(0) : RandomScenes.other,
                    sourceMAC: RandomScenes.network.mac(of: isInbound ? RandomScenes.other : RandomScenes.myself),
                    destinationMAC: round % 16 == 0
                        ? .broadcast
                        : RandomScenes.network.mac(of: isInbound ? RandomScenes.myself : RandomScenes.other),
                    etherType: etherType, length: bytes.count)
                // Solicitations are judged by what they say of their sender: `ClaimTests` has them. Another frame takes their place.
                if etherType == 0x86dd, bytes[6] == 58 { continue }
                var scene = SlowScene()
                (scene.isInbound, scene.source, scene.destination) = (
                    isInbound, facts.source.value, facts.destination.value
                )
                (scene.myself, scene.etherType, scene.bytes) = (RandomScenes.myself.value, Int(etherType), bytes)
                (scene.sourceMAC, scene.destinationMAC) = (facts.sourceMAC.bits, facts.destinationMAC.bits)
                (scene.myTags, scene.theirTags) = (mine, isKnown ? theirs : nil)
                scene.myAddresses = myAddresses.map(\.bytes)
                scene.theirAddresses = theirAddresses.map(\.bytes)
                scene.unknownMatches = config.unknownMatches
                var slow = SlowEvaluator(scene)
                let expected = slow.evaluate(Rule.encode(rules))

                var traces = RuleTraces()
                traces.begin(.base)
                let verdict = evaluate(rules, facts, bytes, config, isKnown ? member : nil, &traces)
                var nobody = NoRuleObserver()
                let plain = evaluate(rules, facts, bytes, config, isKnown ? member : nil, &nobody)
                let name =
                    "\(RuleSet(rules: rules).text) on \(etherType) \(Hexadecimal.encode(bytes)) inbound \(isInbound)"
                #expect(plain == verdict, "\(name)")
                #expect(SlowVerdict(verdict) == expected, "\(name)")
                check(traces, rules, verdict, name)
                results[expected.result, default: 0] += 1
                round += 1
            }
        }
        #expect(results.values.reduce(0, +) == 10_000)
        for result in ["none", "drop", "accept", "super", "redirect"] {
            #expect(results[result, default: 0] > 100, "\(results)")
        }
    }

    private func evaluate(
        _ rules: [Rule], _ facts: FrameFacts, _ bytes: [UInt8], _ config: NetworkConfig, _ member: Member?,
        _ observer: inout some RuleObserver
    ) -> RuleVerdict {
        var random = RandomSource(seed: 3)
        return bytes.withBytes {
            RuleFilter.evaluate(
                rules.map(RuleStep.init), facts, frame: $0, at: 0, myself: RandomScenes.myself, config: config,
                remote: member, random: &random, observer: &observer)
        }
    }

    // MARK: Whole decisions

    /// What base rules and the sender's capabilities make of a frame, one slow evaluation after the other.
    private func slowDecision(
        _ scene: SlowScene, _ rules: [Rule], _ capabilities: [(id: UInt32, rules: [Rule])]
    ) -> (decision: RuleDecision, verdict: SlowVerdict) {
        func evaluate(_ rules: [Rule]) -> SlowVerdict {
            var slow = SlowEvaluator(scene)
            return slow.evaluate(Rule.encode(rules))
        }
        let base = evaluate(rules)
        if base.result != "none" { return (RuleDecision(.base, Int32(base.rule)), base) }
        for capability in capabilities.sorted(by: { $0.id < $1.id }) {
            let own = evaluate(capability.rules)
            if own.result == "none" || own.result == "drop" { continue }
            return (RuleDecision(.capability(capability.id), Int32(own.rule)), own)
        }
        return (.none, base)
    }

    @Test func `of 2,000 random networks' frames the explanation names the table and the rule that decided`() {
        var scenes = RandomScenes(seed: 22)
        var decided: [String: Int] = [:]
        // Signing is slow: two members meet many frames.
        for round in 0..<100 {
            var (sender, receiver) = (
                TrialMember(address: RandomScenes.myself), TrialMember(address: RandomScenes.other)
            )
            let (senderTags, receiverTags) = (scenes.tags(), scenes.tags())
            sender.tags = senderTags.map { (id: $0.key, value: $0.value) }
            receiver.tags = receiverTags.map { (id: $0.key, value: $0.value) }
            (sender.addresses, receiver.addresses) = (scenes.owned(), scenes.owned())
            // A short table of the network's own leaves more to capabilities.
            let rules = round % 2 == 0 ? scenes.table() : Array(scenes.table().prefix(2))
            sender.capabilities = (0..<UInt32(round % 4)).map { (id: 9 - $0, rules: scenes.table()) }
            let isFirst = round % 5 == 0
            var trial = RuleTrial(
                rules: rules, from: sender, to: receiver, network: RandomScenes.network, isFirstContact: isFirst,
                seed: UInt64(round))
            var count = 0
            while count < 20 {
                let (etherType, bytes) = scenes.frame()
                // Claims of addresses are judged by what they say: `ClaimTests` has them.
                if etherType == 0x0806 || (etherType == 0x86dd && bytes[6] == 58) { continue }
                count += 1
                let macs = (trial.network.mac(of: sender.address), trial.network.mac(of: receiver.address))
                let answer = trial.explain(
                    source: macs.0, destination: macs.1, etherType: etherType, payload: bytes)
                var scene = SlowScene()
                (scene.source, scene.destination) = (sender.address.value, receiver.address.value)
                (scene.etherType, scene.bytes) = (Int(etherType), bytes)
                (scene.sourceMAC, scene.destinationMAC) = (macs.0.bits, macs.1.bits)
                for explanation in [answer.outbound, answer.inbound] {
                    if explanation.result == .unreadable { continue }
                    scene.isInbound = explanation.isInbound
                    if scene.isInbound {
                        (scene.myself, scene.myTags, scene.theirTags) = (
                            receiver.address.value, receiverTags, senderTags
                        )
                        scene.myAddresses = receiver.addresses.map(\.bytes)
                        scene.theirAddresses = sender.addresses.map(\.bytes)
                    } else {
                        (scene.myself, scene.myTags, scene.theirTags) = (
                            sender.address.value, senderTags, isFirst ? [:] : receiverTags
                        )
                        scene.myAddresses = sender.addresses.map(\.bytes)
                        scene.theirAddresses = isFirst ? [] : receiver.addresses.map(\.bytes)
                    }
                    let (expected, verdict) = slowDecision(scene, rules, sender.capabilities)
                    let name =
                        "\(RuleSet(rules: rules).text) on \(etherType) \(Hexadecimal.encode(bytes)) inbound \(scene.isInbound)"
                    #expect(explanation.decision == expected, "\(name)")
                    let isDropped = verdict.result == "drop" || verdict.result == "none"
                    #expect((explanation.result == .dropped) == isDropped, "\(name)")
                    if verdict.result == "redirect" {
                        #expect(explanation.result == .redirected(Address(verdict.destination)), "\(name)")
                    }
                    // The table that decided is the last that was asked, or nothing decided.
                    if let table = expected.table {
                        #expect(explanation.tables.last?.table == table, "\(name)")
                        #expect(explanation.tables.last?.decided == expected.rule, "\(name)")
                    }
                    switch expected.table {
                    case .base?: decided["base", default: 0] += 1
                    case .capability?: decided["capability", default: 0] += 1
                    case nil: decided["nothing", default: 0] += 1
                    }
                }
            }
        }
        #expect(decided.values.reduce(0, +) > 3_000, "\(decided)")
        for who in ["base", "capability", "nothing"] { #expect(decided[who, default: 0] > 200, "\(decided)") }
    }

    @Test func `a trial decides as the tables say, and names table and rule`() throws {
        let text = """
            tag team id 1 default none enum 0 none enum 1 blue enum 2 red;
            cap ssh id 5 accept ipprotocol tcp and dport 22;;
            drop not tdiff team 0;
            break ipprotocol tcp and dport 22;
            redirect 3333333333 ipprotocol udp and dport 53;
            tee 16 3333333333 ipprotocol tcp;
            accept;
            """
        let set = try CompiledRules(text: Array(text.utf8)).set
        func trial(
            _ fields: FrameFields, teams: (UInt32?, UInt32?) = (1, 1), ssh: Bool = false, first: Bool = false
        ) throws -> (outbound: FrameExplanation, inbound: FrameExplanation) {
            var (sender, receiver) = (
                TrialMember(address: RandomScenes.myself), TrialMember(address: RandomScenes.other)
            )
            sender.tags = teams.0.map { [(id: UInt32(1), value: $0)] } ?? []
            receiver.tags = teams.1.map { [(id: UInt32(1), value: $0)] } ?? []
            if ssh { sender.capabilities = set.capabilities.map { (id: $0.id, rules: $0.rules) } }
            var trial = RuleTrial(
                rules: set.rules, from: sender, to: receiver, network: RandomScenes.network, isFirstContact: first,
                seed: 1)
            let (type, payload) = try fields.frame()
            return trial.explain(
                source: trial.network.mac(of: sender.address), destination: trial.network.mac(of: receiver.address),
                etherType: type, payload: payload)
        }
        var fields = FrameFields()
        (fields.source, fields.destination) = (IPAddress("10.0.0.1"), IPAddress("10.0.0.2"))
        (fields.ipProtocol, fields.destinationPort) = (6, 80)
        let web = try trial(fields)
        #expect(web.outbound.result == .accepted && web.inbound.result == .accepted)
        #expect(web.outbound.decision == RuleDecision(.base, 10) && web.inbound.decision == web.outbound.decision)
        #expect(web.outbound.copies == [FrameExplanation.Copy(to: RandomScenes.observer, length: 16, isWatched: false)])
        #expect(web.outbound.tables[0].rules == set.rules)

        let strangers = try trial(fields, teams: (1, 2))
        #expect(strangers.outbound.result == .dropped && strangers.inbound.result == .dropped)
        #expect(strangers.outbound.decision == RuleDecision(.base, 1))
        #expect(strangers.outbound.tables[0].steps.first?.outcome == .held)
        // The sender does not know the other's tag, and leaves the drop to it.
        let first = try trial(fields, teams: (1, 2), first: true)
        #expect(first.outbound.result == .accepted && first.inbound.result == .dropped)
        #expect(first.outbound.tables[0].steps.prefix(2).map(\.outcome) == [.leftToReceiver, .dropSkipped])

        fields.destinationPort = 22
        let refused = try trial(fields)
        #expect(refused.outbound.result == .dropped && refused.outbound.decision == .none)
        #expect(refused.outbound.tables.map(\.table) == [.base] && refused.outbound.tables[0].decided == 4)
        let allowed = try trial(fields, ssh: true)
        #expect(allowed.outbound.decision == RuleDecision(.capability(5), 2))
        #expect(allowed.inbound.decision == RuleDecision(.capability(5), 2))
        #expect(allowed.inbound.tables.last?.rules == set.capabilities[0].rules)

        (fields.ipProtocol, fields.destinationPort) = (17, 53)
        #expect(try trial(fields).outbound.result == .redirected(RandomScenes.observer))
        let arp: (outbound: FrameExplanation, inbound: FrameExplanation) = try {
            var fields = FrameFields()
            (fields.etherType, fields.source) = (0x0806, IPAddress("10.0.0.1"))
            return try trial(fields, teams: (nil, nil))
        }()
        #expect(arp.outbound.result == .accepted)
        #expect(arp.outbound.tables[0].steps[0].outcome == .notApplicable)
    }

    @Test func `the ledger keeps the last refusals and bounded counts`() {
        var ledger = RuleLedger()
        ledger.reset(baseRules: 3)
        #expect(ledger.place(of: RuleDecision(.base, 2)) == 2)
        #expect(ledger.place(of: .none) == 3)
        for id in 0..<UInt32(1000) { ledger.count(ledger.place(of: RuleDecision(.capability(id), 0))) }
        #expect(ledger.capabilityCounts.count == EthernetLimits.countedCapabilities)
        #expect(ledger.capabilityCounts.allSatisfy { $0.count == 1 })
        ledger.count(2)
        ledger.count(3)
        #expect(Array(ledger.baseCounts) == [0, 0, 1] && ledger.undecided == 1)
        for number in 0..<100 {
            let facts = FrameFacts(
                isInbound: true, source: RandomScenes.other, destination: RandomScenes.myself, sourceMAC: .zero,
                destinationMAC: .zero, etherType: 1, length: number)
            [UInt8](repeating: 0, count: number).withBytes {
                ledger.note(.none, facts, $0, at: 0, MonotonicInstant.zero)
            }
        }
        #expect(ledger.refusals.map(\.length) == Array((100 - EthernetLimits.refusals)..<100))
        ledger.reset(baseRules: 1)
        #expect(ledger.refusals.isEmpty && Array(ledger.baseCounts) == [0] && ledger.capabilityCounts.isEmpty)
    }
}

extension SlowVerdict {
    fileprivate init(_ verdict: RuleVerdict) {
        self.init(destination: verdict.destination.value)
        rule = Int(verdict.rule)
        switch verdict.result {
        case .noMatch: result = "none"
        case .drop: result = "drop"
        case .redirect: result = "redirect"
        case .accept: result = "accept"
        case .superAccept: result = "super"
        }
        if let copied = verdict.copy { copy = [copied.to.value, UInt64(copied.length), copied.isWatched ? 1 : 0] }
    }
}
