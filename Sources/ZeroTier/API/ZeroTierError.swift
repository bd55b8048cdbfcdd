// The one error type of the public interface. It says what went wrong, to the person who has to act on it.

import NetPrimitives

/// Why a call failed. `code` is for programs, `message` for people. Codes may be added; those that exist stay.
///
/// Calls that do not wait, and calls for threads, throw this type by name, so a `catch` for them alone has it. Calls that wait
/// throw `CancellationError` too, so their `catch` has an `any Error`: print `"\(error)"`. Foundation's `localizedDescription`
/// says nothing there, because this library does without Foundation.
public struct ZeroTierError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A kind of failure. More may come: compare with `==` and have a default.
    public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        /// A stable name.
        public let rawValue: String

        /// Names a code.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The stable name.
        public var description: String { rawValue }

        /// The UDP port is in use.
        public static let portTaken = Code(rawValue: "portTaken")
        /// The state directory, or a file in it, cannot be written or read.
        public static let storageUnavailable = Code(rawValue: "storageUnavailable")
        /// The state directory, or a secret in it, can be changed or read by others.
        public static let storageUnsafe = Code(rawValue: "storageUnsafe")
        /// Another node runs with this state directory.
        public static let storageInUse = Code(rawValue: "storageInUse")
        /// The stored identity is damaged or its address does not follow from its key. It was left as it is.
        public static let invalidIdentity = Code(rawValue: "invalidIdentity")
        /// A world (planet or moon) is damaged or not signed.
        public static let invalidWorld = Code(rawValue: "invalidWorld")
        /// A network ID, address or option makes no sense.
        public static let invalidArgument = Code(rawValue: "invalidArgument")
        /// No root answered in time.
        public static let noRootAnswered = Code(rawValue: "noRootAnswered")
        /// Another node with this node's address is known to the roots.
        public static let identityCollision = Code(rawValue: "identityCollision")
        /// The network's controller does not admit this node, or not yet.
        public static let notAuthorised = Code(rawValue: "notAuthorised")
        /// The network's controller does not know the network.
        public static let networkNotFound = Code(rawValue: "networkNotFound")
        /// The network has no such member.
        public static let memberNotFound = Code(rawValue: "memberNotFound")
        /// This node controls no networks.
        public static let controllerDisabled = Code(rawValue: "controllerDisabled")
        /// The network's controller did not answer in time.
        public static let controllerUnreachable = Code(rawValue: "controllerUnreachable")
        /// The node has not joined the network.
        public static let notJoined = Code(rawValue: "notJoined")
        /// The node is shut down, perhaps while the call waited.
        public static let nodeStopped = Code(rawValue: "nodeStopped")
        /// The call's time was over.
        public static let timedOut = Code(rawValue: "timedOut")
        /// The peer refused the connection: nothing listens on the port.
        public static let connectionRefused = Code(rawValue: "connectionRefused")
        /// The peer reset the connection.
        public static let connectionReset = Code(rawValue: "connectionReset")
        /// No joined network leads to the address.
        public static let networkUnreachable = Code(rawValue: "networkUnreachable")
        /// The address does not answer.
        public static let hostUnreachable = Code(rawValue: "hostUnreachable")
        /// There is no such name, or it has no address.
        public static let nameNotFound = Code(rawValue: "nameNotFound")
        /// There is no name server to ask.
        public static let noNameServer = Code(rawValue: "noNameServer")
        /// No name server gave an answer that can be used.
        public static let nameServerFailed = Code(rawValue: "nameServerFailed")
        /// Another socket of this node has the address and port.
        public static let addressInUse = Code(rawValue: "addressInUse")
        /// The address is none of this node's.
        public static let addressNotAvailable = Code(rawValue: "addressNotAvailable")
        /// The datagram is too large.
        public static let messageTooLong = Code(rawValue: "messageTooLong")
        /// The socket is closed, or closed for writing.
        public static let closed = Code(rawValue: "closed")
        /// A non-blocking call found nothing to do.
        public static let wouldBlock = Code(rawValue: "wouldBlock")
        /// A bound on memory or on the number of sockets is reached.
        public static let limitReached = Code(rawValue: "limitReached")
        /// The operating system refused something; `systemError` is its number.
        public static let system = Code(rawValue: "system")
        /// Anything else.
        public static let failed = Code(rawValue: "failed")
    }

    /// What kind of failure it is.
    public let code: Code
    /// What happened and what can be done, as a sentence.
    public let message: String
    /// The operating system's error number, if the system is the reason.
    public let systemError: Int32?

    /// Makes an error.
    public init(_ code: Code, _ message: String, systemError: Int32? = nil) {
        self.code = code
        self.message = message
        self.systemError = systemError
    }

    /// The code and the message.
    public var description: String { "\(code): \(message)" }
    /// The message. Programs with Foundation ask errors for it.
    public var localizedDescription: String { message }
}

extension ZeroTierError {
    init(_ error: SystemError) {
        self.init(.system, error.description, systemError: error.number)
    }

    static func storage(_ error: SystemError, directory: String) -> ZeroTierError {
        ZeroTierError(
            .storageUnavailable, "state directory \(directory): cannot \(error)", systemError: error.number)
    }

    static let stopped = ZeroTierError(.nodeStopped, "the node is shut down")
    static let forked = ZeroTierError(
        .nodeStopped,
        "this process is a fork of the one in which the node runs, and has none: fork, or call daemon(), before the start"
    )
}
