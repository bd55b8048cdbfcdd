// Return codes of both generations, and the words behind them.
// Public functions are documented in the header that declares them.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CZeroTier
import Glibc
import ZeroTier

/// Why a call of the C interface does not do what it was asked.
enum CallFailure: Error {
    case argument
    case service
    case invalidOperation
    case noResult
    case general

    /// The code in ZeroTier.h.
    var generation1: Int32 {
        switch self {
        case .argument: -2
        case .service: -3
        case .invalidOperation: -4
        case .noResult: -5
        case .general: -6
        }
    }

    /// The code in ZeroTierSockets.h.
    var generation2: Int32 {
        switch self {
        case .argument: -3
        case .service, .invalidOperation: -2
        case .noResult: -4
        case .general: -5
        }
    }
}

/// Which header the program was compiled with.
enum Generation {
    case first, second

    func code(_ failure: CallFailure) -> Int32 {
        switch self {
        case .first: failure.generation1
        case .second: failure.generation2
        }
    }

    /// Runs a call and gives its result or the failure's code.
    func result(_ body: () throws(CallFailure) -> Int32) -> Int32 {
        do throws(CallFailure) {
            return try body()
        } catch {
            return code(error)
        }
    }

    /// As `result`, for a call whose success is 0.
    func outcome(_ body: () throws(CallFailure) -> Void) -> Int32 {
        result { () throws(CallFailure) in
            try body()
            return 0
        }
    }
}

/// The message of the calling thread.
enum LastMessage {
    static func set(_ text: String) {
        // Sound: the buffer belongs to the calling thread, has this size, and the copy ends with a zero.
        guard let buffer = unsafe czerotier_message() else { return }
        let room = Int(CZEROTIER_MESSAGE_SIZE) - 1
        var length = 0
        for byte in text.utf8.prefix(room) {
            unsafe buffer[length] = CChar(bitPattern: byte)
            length += 1
        }
        unsafe buffer[length] = 0
    }
}

extension CallFailure {
    /// The failure with its explanation for `zts_last_error_message`.
    static func because(_ failure: CallFailure, _ text: String) -> CallFailure {
        LastMessage.set(text)
        return failure
    }

    /// What a failure of the node is for the C interface.
    init(_ error: ZeroTierError) {
        LastMessage.set(error.message)
        switch error.code {
        case .nodeStopped: self = .service
        case .invalidArgument: self = .argument
        case .notJoined: self = .noResult
        default: self = .general
        }
    }
}

/// Runs a call of the node.
func asking<Result>(_ body: () throws(ZeroTierError) -> Result) throws(CallFailure) -> Result {
    do throws(ZeroTierError) {
        return try body()
    } catch {
        throw CallFailure(error)
    }
}

extension LibraryNode {
    /// The node, if it is online as generation 1 wants it.
    func needOnline() throws(CallFailure) -> Node {
        guard let node = onlineNode else {
            throw .because(.service, isStarted ? "no root has answered yet" : "the service does not run")
        }
        return node
    }

    /// That the service was started and not stopped: what socket calls want.
    func needStarted() throws(CallFailure) {
        guard isStarted else { throw .because(.service, "the service does not run") }
    }

    /// The node, if it runs as generation 2 wants it.
    func needRunning() throws(CallFailure) -> Node {
        guard let node else {
            throw .because(.service, isStarted ? "the node is starting" : "the node does not run")
        }
        return node
    }
}

// MARK: Texts

private func text(_ code: Int32, _ names: [StaticString]) -> UnsafePointer<CChar>? {
    guard code <= 0 else {
        // Sound: constant texts. Numbers are Linux's everywhere.
        return unsafe czerotier_error_text(code) ?? constant("unknown error")
    }
    let index = -Int(code)
    return unsafe constant(index < names.count ? names[index] : "unknown return code")
}

private func constant(_ text: StaticString) -> UnsafePointer<CChar>? {
    // Sound: a static string is zero-terminated and lives as long as the program.
    unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

@c @implementation
public func zts_strerror(_ code: Int32) -> UnsafePointer<CChar>? {
    unsafe text(
        code,
        [
            "no error", "the socket call failed: see zts_errno", "invalid argument",
            "the service does not run or is not online yet", "not permitted in this state", "no result",
            "general failure",
        ])
}

@c @implementation
public func zts18_strerror(_ code: Int32) -> UnsafePointer<CChar>? {
    unsafe text(
        code,
        [
            "no error", "the socket call failed: see zts_errno", "the node does not run, or runs and must not",
            "invalid argument", "no result", "general failure",
        ])
}

@c @implementation
public func zts_last_error_message() -> UnsafePointer<CChar>? {
    // Sound: the thread's own buffer.
    unsafe UnsafePointer(czerotier_message())
}

@c @implementation
public func zts_get_event_fd() -> Int32 {
    // What free has closed must not come back: nothing would close it.
    if LibraryNode.shared.isFreed { return Generation.first.code(.because(.service, "everything was freed")) }
    return LibraryNode.shared.events.eventDescriptor() ?? Generation.first.code(.general)
}
