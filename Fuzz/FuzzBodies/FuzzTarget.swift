//  The table of what is fuzzed. Run one with `make fuzz TARGET=<name>`; its corpus is Fuzz/Corpus/<name>.

/// One body with its name.
package struct FuzzTarget: Sendable {
    /// The name on the command line, and of the corpus folder.
    package let name: String
    /// Runs one input; traps on a finding.
    package let body: @Sendable ([UInt8]) -> Void
    /// Longest input worth trying, bytes.
    package let maximumLength: Int
    /// Mutated inputs that the replay test tries; slow bodies get few.
    package let replayMutations: Int

    init(_ name: String, length: Int = 1024, mutations: Int = 3000, _ body: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.body = body
        maximumLength = length
        replayMutations = mutations
    }

    /// Every target, cheap ones first.
    package static let all: [FuzzTarget] = [
        FuzzTarget("packet", length: 2048, mutations: 800, fuzzPacket),
        FuzzTarget("verbs", length: 1024, fuzzVerbs),
        FuzzTarget("identity", length: 512, fuzzIdentity),
        FuzzTarget("world", length: 1024, mutations: 1000, fuzzWorld),
        FuzzTarget("dictionary", length: 1024, fuzzDictionary),
        FuzzTarget("config", length: 2048, mutations: 1500, fuzzConfig),
        FuzzTarget("credentials", length: 1024, mutations: 1500, fuzzCredentials),
        FuzzTarget("rules", length: 512, mutations: 500, fuzzRules),
        FuzzTarget("filter", length: 512, mutations: 600, fuzzFilter),
        FuzzTarget("lz4", length: 512, mutations: 1500, fuzzLZ4),
        FuzzTarget("text", length: 128, fuzzText),
        FuzzTarget("json", length: 512, fuzzJSON),
        FuzzTarget("ruletext", length: 1024, mutations: 1500, fuzzRuleText),
        FuzzTarget("rulejson", length: 1024, mutations: 1500, fuzzRuleJSON),
        FuzzTarget("record", length: 1024, mutations: 500, fuzzRecord),
        FuzzTarget("controller", length: 512, mutations: 150, fuzzController),
        FuzzTarget("service", length: 1024, mutations: 400, fuzzService),
        FuzzTarget("import", length: 2048, mutations: 1500, fuzzImport),
        FuzzTarget("stack", length: 1024, mutations: 250, fuzzStack),
        FuzzTarget("pair", length: 256, mutations: 100, fuzzPair),
        FuzzTarget("sealed", length: 1024, mutations: 100, fuzzSealed),
        FuzzTarget("node", length: 512, mutations: 20, fuzzNode),
    ]

    /// The target of a name.
    package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}
