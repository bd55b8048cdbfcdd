// The members of a network with their revisions, as the field lists them: {"address":revision,...}. Made part by part: a large network
// keeps the node's lock for a moment at a time, and is never held as a whole.

import Synchronization
import ZeroTier

/// Such a list as the body of an answer: members and nodes that wait, by ascending address; a node that waits has 0.
final class RevisionList: Sendable {
    private struct State {
        var waiting: ArraySlice<NodeID>
        var last: NodeID?
        var hasBegun = false
        var hasMembers = false
        var hasEnded = false
    }

    // Bytes of a member: two quotation marks, ten digits, a colon, a comma, and what revisions have as a rule.
    private static let memberBytes = 20

    private let controller: NetworkController
    private let network: NetworkID
    private let state: Mutex<State>

    private init(_ controller: NetworkController, _ network: NetworkID, _ waiting: [NodeID]) {
        self.controller = controller
        self.network = network
        state = Mutex(State(waiting: waiting[...]))
    }

    /// Nil if there is no such network.
    static func answer(
        _ controller: NetworkController, _ network: NetworkID
    ) throws(ZeroTierError) -> ServiceAnswer? {
        guard try controller.networkRecord(network) != nil else { return nil }
        let list = RevisionList(controller, network, try controller.waitingNodes(of: network))
        return ServiceAnswer(status: 200, contentType: ServiceAnswer.jsonType, body: .parts { try list.part() })
    }

    private func part() throws -> [UInt8]? {
        try state.withLock { state -> [UInt8]? in
            guard !state.hasEnded else { return nil }
            let limit = ControllerRoutes.pageSize
            // The network was deleted meanwhile: what was not sent is not there any more.
            let page = try controller.memberRevisions(of: network, after: state.last, limit: limit) ?? []
            state.last = page.last?.node
            state.hasEnded = page.count < limit
            var bytes: [UInt8] = []
            bytes.reserveCapacity((page.count + 2) * RevisionList.memberBytes)
            if !state.hasBegun { bytes.append(UInt8(ascii: "{")) }
            state.hasBegun = true
            for member in page {
                while let node = state.waiting.first, node <= member.node {
                    state.waiting.removeFirst()
                    // A node that has a record meanwhile comes with the others.
                    if node < member.node { RevisionList.write(node, 0, &state, &bytes) }
                }
                RevisionList.write(member.node, member.revision, &state, &bytes)
            }
            if state.hasEnded {
                for node in state.waiting { RevisionList.write(node, 0, &state, &bytes) }
                bytes.append(UInt8(ascii: "}"))
            }
            return bytes
        }
    }

    private static func write(_ node: NodeID, _ revision: UInt64, _ state: inout State, _ bytes: inout [UInt8]) {
        if state.hasMembers { bytes.append(UInt8(ascii: ",")) }
        state.hasMembers = true
        bytes.append(UInt8(ascii: "\""))
        for shift in stride(from: UInt64(36), through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: node.value &>> shift & 15)
            bytes.append(digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10))
        }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: String(revision).utf8)
    }
}
