import NetStack
import Testing
import ZeroTierController
import ZeroTierEthernet
import ZeroTierPeers

@testable import ZeroTier

/// What the machines count has public names and words.
@Suite struct DropReasonTests {
    private func names<Reason>(_ reasons: [Reason]) -> Set<String> { Set(reasons.map { "\($0)" }) }

    @Test func `every reason of the machines has a public one of the same name`() {
        #expect(names(DropReason.Peers.allCases) == names(ZeroTierPeers.PeerDrop.allCases))
        #expect(
            names(DropReason.Ethernet.allCases).subtracting(["frameUnwritten"]) == names(EthernetDrop.allCases))
        #expect(names(DropReason.Controller.allCases) == names(ControllerDrop.allCases))
        #expect(names(DropReason.Stack.allCases) == names(StackDropReason.allCases))
    }

    @Test func `every reason is explained by a sentence of its own layer`() {
        let layers = [
            DropReason.Peers.allCases.map { DropReason.peers($0) },
            DropReason.Ethernet.allCases.map { DropReason.ethernet($0) },
            DropReason.Stack.allCases.map { DropReason.stack($0) },
            DropReason.Controller.allCases.map { DropReason.controller($0) },
            DropReason.Kernel.allCases.map { DropReason.kernel($0) },
        ]
        for reasons in layers {
            for reason in reasons {
                let text = reason.explanation
                #expect(
                    (text.hasSuffix(".") || text.hasSuffix("?")) && text.contains(" ")
                        && text.first?.isUppercase == true, "\(reason)")
            }
            #expect(Set(reasons.map(\.explanation)).count == reasons.count)
        }
        let all = layers.flatMap(\.self)
        #expect(Set(all.map(\.description)).count == all.count)
        #expect(DropReason.ethernet(.ruleOutbound).description == "ethernet.ruleOutbound")
    }
}
