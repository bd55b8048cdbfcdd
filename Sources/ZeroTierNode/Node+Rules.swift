//  What a node tells of the rules of its networks.

package import NetPrimitives
package import ZeroTierEthernet
package import ZeroTierWire

extension Node {
    /// The rules of a joined network and what they did; nil if it is not joined or has no configuration.
    package func ruleReport(_ id: NetworkID) -> RuleReport? {
        ethernet.slot(of: id).flatMap { ethernet.ruleReport(network: $0) }
    }

    /// Why a frame of this node to a member would go on or not, and why one from that member would be let in or not. MACs
    /// that are not given are those of the two. Nil if the network is not joined.
    package func explainFrame(
        _ id: NetworkID, with member: Address, source: MACAddress?, destination: MACAddress?, etherType: UInt16,
        payload: [UInt8]
    ) -> (outbound: FrameExplanation, inbound: FrameExplanation)? {
        let (mine, theirs) = (id.mac(of: ethernet.address), id.mac(of: member))
        guard let slot = ethernet.slot(of: id),
            let outbound = ethernet.explainOutbound(
                network: slot, source: source ?? mine, destination: destination ?? theirs, etherType: etherType,
                payload: payload),
            let inbound = ethernet.explainInbound(
                network: slot, from: member, source: source ?? theirs, destination: destination ?? mine,
                etherType: etherType, payload: payload)
        else { return nil }
        return (outbound, inbound)
    }
}
