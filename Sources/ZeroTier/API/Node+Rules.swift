// What a running node tells of the rules of its networks, for the command `zerotier`.

package import NetPrimitives
package import ZeroTierEthernet
import ZeroTierNode
import ZeroTierWire

extension Node {
    /// The rules of a joined network, what they did, and the moment of the answer on the clock of the refusals. Throws if the
    /// network is not joined or has no configuration.
    package func ruleReport(
        of network: NetworkID
    ) throws(ZeroTierError) -> (report: RuleReport, now: MonotonicInstant) {
        try driver.call { (core, now) throws(ZeroTierError) in
            guard core.node.network(network.wire) != nil else {
                throw ZeroTierError(.notJoined, "the node has not joined network \(network)")
            }
            guard let report = core.node.ruleReport(network.wire) else {
                throw ZeroTierError(
                    .controllerUnreachable, "network \(network) has no configuration yet, and so no rules")
            }
            return (report, now.monotonic)
        }
    }

    /// Why a frame between this node and a member of a network would pass or not, in both directions. Nothing is sent.
    package func explainFrame(
        of network: NetworkID, with member: NodeID, source: MACAddress?, destination: MACAddress?, etherType: UInt16,
        payload: [UInt8]
    ) throws(ZeroTierError) -> (outbound: FrameExplanation, inbound: FrameExplanation) {
        try driver.call { (core, _) throws(ZeroTierError) in
            guard
                let answer = core.node.explainFrame(
                    network.wire, with: Address(member.value), source: source, destination: destination,
                    etherType: etherType, payload: payload)
            else { throw ZeroTierError(.notJoined, "the node has not joined network \(network)") }
            return answer
        }
    }
}
