// Where the program's calls come in: by which header, for which node, and in which order things are checked.

import CZeroTier
import NetPrimitives
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

/// One face of the interface. Questions are written once, in the files beside this one. An export names its face and its
/// question.
struct Surface: Sendable {
    /// The state that a call needs its node in.
    enum Need: Sendable {
        case running
        /// Running, and a root answers.
        case online
    }

    /// Generation 1 looks at arguments first, generation 2 at the node.
    let generation: Generation
    /// The number of a further node; nil is the process's own.
    private let number: Int32?
    /// The need of calls that name none.
    private let need: Need

    static let first = Surface(generation: .first, number: nil, need: .online)
    static let second = Surface(generation: .second, number: nil, need: .running)

    /// A further node, by generation 1's rules.
    static func instance(_ number: Int32) -> Surface {
        Surface(generation: .first, number: number, need: .running)
    }

    /// The node that is meant.
    func library() throws(CallFailure) -> LibraryNode {
        guard let number else { return .shared }
        guard let found = LibraryInstances.node(number) else {
            throw .because(.argument, "there is no instance \(number): it was not started, or was freed")
        }
        return found
    }

    // MARK: Calls on the node

    /// Runs a call and returns its result or the failure's code. `problem`: why an argument is refused.
    func value(
        _ problem: @autoclosure () -> CallFailure? = nil, needs: Need? = nil, _ body: (Node) throws -> Int32
    ) -> Int32 {
        generation.result { try enter(problem(), needs, body) }
    }

    /// As `value`, for a call whose success is 0.
    func outcome(
        _ problem: @autoclosure () -> CallFailure? = nil, needs: Need? = nil, _ body: (Node) throws -> Void
    ) -> Int32 {
        generation.outcome { try enter(problem(), needs, body) }
    }

    /// As `value`, for a call whose result is an identifier: codes become huge numbers.
    func identifier(_ problem: @autoclosure () -> CallFailure? = nil, _ body: (Node) throws -> UInt64) -> UInt64 {
        generation.identifier { try enter(problem(), .running, body) }
    }

    /// Runs a step of the life cycle.
    func life(_ body: (LibraryNode) throws -> Void) -> Int32 { generation.outcome { try body(library()) } }

    private func enter<Result>(
        _ problem: @autoclosure () -> CallFailure?, _ need: Need?, _ body: (Node) throws -> Result
    ) throws -> Result {
        let library = try library()
        if generation == .first, let problem = problem() { throw problem }
        let node = try library.node(need ?? self.need)
        if generation == .second, let problem = problem() { throw problem }
        return try body(node)
    }

    // MARK: Calls on sockets

    /// Runs a call on a descriptor. The descriptor says which node has it. `problem`: why an argument is refused.
    func on(
        _ descriptor: Int32, refusing problem: @autoclosure () -> String? = nil,
        _ body: (SocketPlace) throws(SocketError) -> Int
    ) -> Int {
        if generation == .first, let reason = problem() { return Int(generation.refuse(reason)) }
        return CallingThread.run {
            let place = SocketPlace(descriptor)
            guard (place?.library ?? .shared).isStarted else { return withoutNode() }
            if generation == .second, let reason = problem() { return Int(generation.refuse(reason)) }
            guard let place else { return SocketCalls.fail(.badDescriptor) }
            return SocketCalls.inCall { () throws(SocketError) in try body(place) }
        }
    }

    /// Why bytes to send are refused. Datagrams without bytes go by another call in generation 1.
    func problem(_ buffer: UnsafeRawPointer?, _ length: Int) -> String? {
        switch generation {
        case .first where unsafe buffer == nil || length <= 0:
            "buf is NULL or len is 0: a datagram without bytes goes by sendmsg"
        case .second where unsafe buffer == nil || length < 0: "buf is NULL or len is larger than an address space"
        default: nil
        }
    }

    /// Why a call without a message is refused. In generation 1 the call itself refuses it, with an error number.
    func missing<Header>(_ header: UnsafePointer<Header>?) -> String? {
        unsafe generation == .second && header == nil ? "msg is NULL, or its msg_iov while msg_iovlen is not 0" : nil
    }

    /// The node does not run: the generation's code. `zts_errno` is ENETDOWN.
    func withoutNode() -> Int {
        czerotier_set_errno(SocketErrno.networkDown.rawValue)
        return Int(generation.fail(.notRunning))
    }
}

extension LibraryNode {
    /// The node, if it is in the state that a call needs.
    func node(_ need: Surface.Need) throws(CallFailure) -> Node {
        switch need {
        case .online:
            if let node = onlineNode { return node }
            guard isStarted else { throw .notRunning }
            let reason = try? node?.status().offlineReason
            throw .because(.service, "the node is not online: \(reason ?? "no root has answered yet")")
        case .running:
            guard let node else {
                throw .because(.service, isStarted ? "the node is starting" : "the node does not run")
            }
            return node
        }
    }

    /// Throws unless the service was started and not stopped.
    func needStarted() throws(CallFailure) {
        guard isStarted else { throw .notRunning }
    }
}
