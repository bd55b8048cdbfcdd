// Return codes of both generations, and the words behind them.

import CZeroTier
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

/// Why a call of the C interface failed: the kind, which gives the code, and the reason in words.
struct CallFailure: Error {
    enum Kind {
        case argument
        case service
        case invalidOperation
        case noResult
        case general
    }

    let kind: Kind
    /// For the program's author: what is wrong with this call, and what to do about it, if that is known.
    let reason: String

    static func because(_ kind: Kind, _ reason: String) -> CallFailure { CallFailure(kind: kind, reason: reason) }

    static var notRunning: CallFailure {
        CallingThread.isForked
            ? forked : because(.service, "the service does not run: it was not started, or was stopped")
    }
    static let forked = because(.service, LibraryNode.forkedReason)
    static let noAddress = because(
        .noResult, "this node has no address of this family on the network: see the network's status")
    static let noFamily = because(.argument, "the family is neither ZTS_AF_INET nor ZTS_AF_INET6")
}

/// Which header the program was compiled with.
enum Generation {
    case first, second

    private func code(_ kind: CallFailure.Kind) -> Int32 {
        switch (self, kind) {
        case (.first, .argument): -2
        case (.first, .service): -3
        case (.first, .invalidOperation): -4
        case (.first, .noResult): -5
        case (.first, .general): -6
        case (.second, .argument): -3
        case (.second, .service), (.second, .invalidOperation): -2
        case (.second, .noResult): -4
        case (.second, .general): -5
        }
    }

    /// The failure's code. Every code is made here, and the calling thread's message gets the reason.
    func fail(_ failure: CallFailure) -> Int32 {
        LastMessage.set(failure.reason)
        return code(failure.kind)
    }

    /// The code of a call with a wrong argument.
    func refuse(_ reason: String) -> Int32 { fail(.because(.argument, reason)) }

    /// Runs a call and gives its result or the failure's code.
    func result(_ body: () throws -> Int32) -> Int32 {
        if CallingThread.isForked { return fail(.forked) }
        do {
            return try CallingThread.run(body)
        } catch {
            return fail(CallFailure(error))
        }
    }

    /// As `result`, for a call whose success is 0.
    func outcome(_ body: () throws -> Void) -> Int32 {
        result {
            try body()
            return 0
        }
    }

    /// As `result`, for a call whose result is an identifier: codes become huge numbers.
    func identifier(_ body: () throws -> UInt64) -> UInt64 {
        do {
            if CallingThread.isForked { throw CallFailure.forked }
            return try CallingThread.run(body)
        } catch {
            return UInt64(bitPattern: Int64(fail(CallFailure(error))))
        }
    }
}

/// The message of the calling thread: why its last failed call failed. In a callback: what the event is about.
enum LastMessage {
    static func set(_ text: String) {
        // Sound: the buffer belongs to the calling thread, has this size, and the copy ends with a zero.
        guard let buffer = unsafe czerotier_new_message() else { return }
        let bytes = Array(text.utf8)
        var length = min(bytes.count, Int(CZEROTIER_MESSAGE_SIZE) - 1)
        // A text that is cut ends with a whole character.
        if length < bytes.count {
            while length > 0, bytes[length] & 0xc0 == 0x80 { length -= 1 }
        }
        for index in 0..<length { unsafe buffer[index] = CChar(bitPattern: bytes[index]) }
        unsafe buffer[length] = 0
    }
}

extension CallFailure {
    /// The form of any failure for the C interface.
    init(_ error: any Error) {
        switch error {
        case let failure as CallFailure: self = failure
        case let failure as LifeFailure: self.init(failure)
        case let error as ZeroTierError: self.init(error)
        default: self.init(kind: .general, reason: "\(error)")
        }
    }

    /// The form of a node's failure for the C interface.
    init(_ error: ZeroTierError) {
        let kind: Kind =
            switch error.code {
            case .nodeStopped, .controllerDisabled: .service
            case .invalidArgument: .argument
            case .notJoined, .networkNotFound, .memberNotFound: .noResult
            default: .general
            }
        self.init(kind: kind, reason: error.message.isEmpty ? "\(error.code)" : error.message)
    }
}
