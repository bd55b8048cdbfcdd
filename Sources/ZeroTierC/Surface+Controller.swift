// What can be asked of a node's controller, by every face of the interface: records in JSON, in and out. Read first: Surface.swift.

import CZeroTier
import ZeroTier
import ZeroTierLibrary

/// Where a call puts a text: the buffer, and its room, which becomes the length or what is needed.
@unsafe
struct TextTarget {
    let buffer: UnsafeMutablePointer<CChar>?
    let length: UnsafeMutablePointer<Int>?

    /// Why it is refused. A buffer that is NULL asks how long the text is.
    fileprivate var problem: CallFailure? { unsafe length == nil ? .null("len") : nil }

    fileprivate func take(_ text: String) throws(CallFailure) {
        unsafe try copy(text, to: buffer, length: length!)
    }
}

extension CallFailure {
    /// Why a member's ID is refused: no node can have it.
    fileprivate static func node(_ id: UInt64) -> CallFailure? {
        if id == 0 { return because(.argument, "0 is no node ID") }
        return NodeID(id).value == id ? nil : because(.argument, "a node ID has 40 bits")
    }
}

extension Surface {
    /// The program's text; the program promises its final zero.
    private func bytes(_ json: UnsafePointer<CChar>) -> [UInt8] {
        // Sound: a C string by the interface's promise.
        unsafe Array(String(cString: json).utf8)
    }

    private func onController(
        _ problem: CallFailure?, _ body: (NetworkController) throws -> Void
    ) -> Int32 {
        outcome(problem, needs: .running) { try body($0.controller) }
    }

    func enableController(_ isOn: Bool) -> Int32 {
        generation.outcome {
            let library = try library()
            if library.isFreed { throw CallFailure.because(.service, "everything was freed") }
            try library.setController(isOn)
        }
    }

    // MARK: Networks

    func createNetwork(_ id: UnsafeMutablePointer<UInt64>?, _ json: UnsafePointer<CChar>?) -> Int32 {
        onController(unsafe id == nil || json == nil ? .null("the network's ID or the JSON") : nil) { controller in
            unsafe id!.pointee = try controller.createNetwork(bytes(json!)).value
        }
    }

    func setNetwork(_ id: UInt64, _ json: UnsafePointer<CChar>?) -> Int32 {
        onController(.network(id) ?? (unsafe json == nil ? .null("the JSON") : nil)) { controller in
            try controller.setNetwork(NetworkID(id), unsafe bytes(json!))
        }
    }

    func deleteNetwork(_ id: UInt64) -> Int32 {
        onController(.network(id)) { try $0.deleteNetwork(NetworkID(id)) }
    }

    func listNetworks(_ target: TextTarget) -> Int32 {
        onController(unsafe target.problem) { unsafe try target.take($0.networkList()) }
    }

    func getNetwork(_ id: UInt64, _ target: TextTarget) -> Int32 {
        onController(.network(id) ?? (unsafe target.problem)) { unsafe try target.take($0.networkText(NetworkID(id))) }
    }

    // MARK: Members

    func setMember(_ node: UInt64, of id: UInt64, _ json: UnsafePointer<CChar>?) -> Int32 {
        onController(.network(id) ?? .node(node) ?? (unsafe json == nil ? .null("the JSON") : nil)) { controller in
            try controller.setMember(NodeID(node), of: NetworkID(id), unsafe bytes(json!))
        }
    }

    func authorizeMember(_ node: UInt64, of id: UInt64, _ isAuthorized: Bool) -> Int32 {
        onController(.network(id) ?? .node(node)) {
            try $0.authorizeMember(NodeID(node), of: NetworkID(id), isAuthorized)
        }
    }

    func deleteMember(_ node: UInt64, of id: UInt64) -> Int32 {
        onController(.network(id) ?? .node(node)) { try $0.deleteMember(NodeID(node), of: NetworkID(id)) }
    }

    func listMembers(of id: UInt64, _ target: TextTarget) -> Int32 {
        onController(.network(id) ?? (unsafe target.problem)) {
            unsafe try target.take($0.memberList(of: NetworkID(id)))
        }
    }

    func getMember(_ node: UInt64, of id: UInt64, _ target: TextTarget) -> Int32 {
        onController(.network(id) ?? .node(node) ?? (unsafe target.problem)) {
            unsafe try target.take($0.memberText(NodeID(node), of: NetworkID(id)))
        }
    }
}
