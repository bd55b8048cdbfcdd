// What the socket functions of both generations share: preconditions, error numbers, memory of the program as spans.

import CZeroTier
import Glibc
import NetPrimitives
import ZeroTier
import ZeroTierLibrary
import ZeroTierSockets

/// Runs socket calls and sets `zts_errno`.
enum SocketCalls {
    static let failed = -1

    /// A failure with its number, which the thread's message explains.
    static func fail(_ number: SocketErrno) -> Int {
        czerotier_fail(number.rawValue)
        return failed
    }

    /// A failure with its number; the message is its reason, or explains the number.
    static func fail(_ error: SocketError) -> Int {
        guard let reason = error.reason else { return fail(error.number) }
        czerotier_set_errno(error.number.rawValue)
        LastMessage.set(reason)
        return failed
    }

    /// Runs a call; -1 and the number if it fails.
    static func run(_ body: () throws(SocketError) -> Int) -> Int {
        do throws(SocketError) {
            let result = try CallingThread.run(body)
            czerotier_set_errno(0)
            return result
        } catch {
            return fail(error)
        }
    }

    /// The node does not run: the generation's code, and ENETDOWN for who asks for the number.
    static func failWithoutNode(_ generation: Generation) -> Int {
        czerotier_set_errno(SocketErrno.networkDown.rawValue)
        return Int(generation.fail(.notRunning))
    }

    /// Runs a call on a descriptor whose node runs; the service code if it does not.
    static func on(
        _ descriptor: Int32, _ generation: Generation, _ body: (SocketPlace) throws(SocketError) -> Int
    ) -> Int {
        guard let place = SocketPlace(descriptor) else {
            return LibraryNode.shared.isStarted
                ? fail(.badDescriptor) : failWithoutNode(generation)
        }
        guard place.library.isStarted else { return failWithoutNode(generation) }
        return run { () throws(SocketError) in try body(place) }
    }

    // MARK: Single calls

    static func socket(_ family: Int32, _ type: Int32, _ number: Int32, _ generation: Generation) -> Int {
        guard LibraryNode.shared.isStarted else { return failWithoutNode(generation) }
        return run { () throws(SocketError) in
            try Int(SocketLayer.shared.socket(family: outsideFamily(family), type: type, protocol: number))
        }
    }

    /// The host's number of IPv6 where it is another.
    static func outsideFamily(_ family: Int32) -> Int32 { family == 30 ? SocketLimits.familyIPv6 : family }

    /// Closes, also while the service does not run. Calls on closed descriptors fail with EBADF.
    static func close(_ descriptor: Int32, _ generation: Generation) -> Int {
        let place = SocketPlace(descriptor)
        if (place?.library ?? LibraryNode.shared).isFreed {
            return Int(generation.fail(.because(.service, "everything was freed, this socket too")))
        }
        guard let place else { return fail(.badDescriptor) }
        return run { () throws(SocketError) in
            try place.layer.close(place.descriptor)
            return 0
        }
    }

    static func connect(
        _ descriptor: Int32, _ address: UnsafeRawPointer, _ length: UInt32, _ generation: Generation
    ) -> Int {
        on(descriptor, generation) { (place) throws(SocketError) in
            switch unsafe try AddressMemory.read(address, length: length) {
            case .unspecified: try place.layer.connect(place.descriptor, to: nil)
            case .endpoint(let endpoint):
                try connecting(to: endpoint, of: place.library) { () throws(SocketError) in
                    try place.layer.connect(place.descriptor, to: endpoint)
                }
            }
            return 0
        }
    }

    /// Runs a connect call; a failure says why there is no way, as the node's networks tell.
    static func connecting(
        to remote: SocketEndpoint, of library: LibraryNode, _ body: () throws(SocketError) -> Void
    ) throws(SocketError) {
        do throws(SocketError) {
            try body()
        } catch {
            guard error.number == .networkUnreachable || error.number == .timedOut,
                let networks = try? library.node?.networks(), !remote.address.isLoopback
            else { throw error }
            let address = remote.address
            if networks.isEmpty { throw SocketError(error.number, "no network is joined: none leads to \(address)") }
            let own = networks.flatMap(\.addresses)
            if !own.contains(where: { $0.address.isIPv4 == address.isIPv4 }) {
                throw SocketError(
                    error.number, "no joined network has given this node an address of the family of \(address)")
            }
            guard error.number == .networkUnreachable else { throw error }
            throw SocketError(error.number, "no joined network leads to \(address)")
        }
    }

    static func bind(
        _ descriptor: Int32, _ address: UnsafeRawPointer, _ length: UInt32, _ generation: Generation
    ) -> Int {
        on(descriptor, generation) { (place) throws(SocketError) in
            let endpoint: SocketEndpoint
            switch unsafe try AddressMemory.read(address, length: length) {
            case .endpoint(let given): endpoint = given
            case .unspecified(let given):
                // Programs older than the rule leave the family out for the wildcard address of IPv4.
                guard given.address.isUnspecified,
                    try place.socket.family == SocketLimits.familyIPv4
                else { throw SocketError(.familyNotSupported, "the address has no family") }
                endpoint = given
            }
            try place.layer.bind(place.descriptor, to: endpoint)
            return 0
        }
    }

    static func accept(
        _ descriptor: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutablePointer<UInt32>?,
        nonBlocking: Bool = false, _ generation: Generation
    ) -> Int {
        on(descriptor, generation) { (place) throws(SocketError) in
            let (new, remote) = try place.layer.accept(place.descriptor, nonBlocking: nonBlocking)
            unsafe AddressMemory.write(remote, to: address, length: length)
            return Int(place.outside(new))
        }
    }

    static func name(
        _ descriptor: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutablePointer<UInt32>?,
        _ generation: Generation, _ endpoint: (SocketPlace) throws(SocketError) -> SocketEndpoint
    ) -> Int {
        on(descriptor, generation) { (place) throws(SocketError) in
            unsafe AddressMemory.write(try endpoint(place), to: address, length: length)
            return 0
        }
    }

    // MARK: Data

    /// Flags as lwIP has them, or as Linux has them: then one is among them that lwIP does not have. Alone, lwIP's
    /// MSG_WAITALL and Linux's MSG_PEEK are one number.
    static func flags(_ flags: Int32) -> MessageFlags {
        let ofHost = flags & 0xffff & ~0x1f
        var result: MessageFlags = []
        if flags & ZTS_MSG_WAITFORONE != 0 { result.insert(.waitForOne) }
        guard ofHost != 0 else { return result.union(MessageFlags(rawValue: flags & 0x1f)) }
        let meanings: [(Int32, MessageFlags)] = [
            (0x01, .outOfBand), (0x02, .peek), (0x20, .wholeLength), (0x40, .dontWait), (0x100, .waitAll),
            (0x4000, .noSignal), (0x8000, .more),
        ]
        for (bit, meaning) in meanings where flags & bit != 0 { result.insert(meaning) }
        // Of lwIP's, these mean nothing to Linux.
        if flags & 0x08 != 0 { result.insert(.dontWait) }
        if flags & 0x10 != 0 { result.insert(.more) }
        return result
    }

    static func send(
        _ descriptor: Int32, _ buffer: UnsafeRawPointer?, _ length: Int, _ flags: Int32,
        _ generation: Generation, _ address: UnsafeRawPointer? = nil, _ addressLength: UInt32 = 0
    ) -> Int {
        on(descriptor, generation) { (place) throws(SocketError) in
            var destination: SocketEndpoint?
            if let address = unsafe address,
                case .endpoint(let endpoint) = unsafe try AddressMemory.read(address, length: addressLength)
            {
                destination = endpoint
            }
            // Sound: the program's promise of `length` bytes for the call.
            let bytes = unsafe UnsafeRawBufferPointer(start: buffer, count: length).bytes
            return try place.socket.send(bytes, flags: SocketCalls.flags(flags), to: destination)
        }
    }

    static func receive(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ length: Int, _ flags: Int32,
        _ generation: Generation, _ address: UnsafeMutableRawPointer? = nil,
        _ addressLength: UnsafeMutablePointer<UInt32>? = nil
    ) -> Int {
        on(descriptor, generation) { (place) throws(SocketError) in
            // Sound: the program's promise of `length` bytes for the call.
            let memory = unsafe UnsafeMutableRawBufferPointer(start: buffer, count: length)
            var target = unsafe memory.mutableBytes
            if unsafe address == nil {
                return try place.socket.receive(into: &target, flags: SocketCalls.flags(flags)).count
            }
            let message = try place.socket.receive(into: &target, flags: SocketCalls.flags(flags))
            if let source = message.source {
                unsafe AddressMemory.write(source, to: address, length: addressLength)
            } else {
                unsafe addressLength?.pointee = 0
            }
            return message.count
        }
    }

    /// Pieces of the program's memory: (address, length) by index.
    typealias Pieces = (Int) -> (start: UnsafeMutableRawPointer?, length: Int)

    /// Most pieces of one call, as IOV_MAX.
    static let largestPieces = 1024

    // The pieces' number and what each says of itself, before anything is made of them.
    static func check(_ count: Int, _ piece: Pieces) throws(SocketError) {
        guard (0...largestPieces).contains(count) else {
            throw SocketError(.messageTooLong, "a call takes 0 to 1024 pieces")
        }
        var total = 0
        for index in 0..<count {
            let (start, length) = unsafe piece(index)
            let (sum, isTooLarge) = total.addingReportingOverflow(length)
            guard length >= 0, !isTooLarge else {
                throw SocketError(.invalid, "the pieces are longer than memory can be")
            }
            guard unsafe start != nil || length == 0 else {
                throw SocketError(.badMemory, "a piece with a length has no memory")
            }
            total = sum
        }
    }

    /// Where a message goes; nil is the connected peer.
    static func destination(
        _ address: UnsafeRawPointer?, _ length: UInt32
    ) throws(SocketError) -> SocketEndpoint? {
        guard let address = unsafe address, length > 0 else { return nil }
        guard AddressMemory.isPlausible(length) else { throw SocketError(.invalid, AddressMemory.lengths) }
        guard case .endpoint(let endpoint) = unsafe try AddressMemory.read(address, length: length) else { return nil }
        return endpoint
    }

    static func sendMessage(
        _ place: SocketPlace, _ count: Int, _ flags: Int32, _ address: UnsafeRawPointer?, _ addressLength: UInt32,
        _ piece: Pieces
    ) throws(SocketError) -> Int {
        unsafe try check(count, piece)
        let destination = unsafe try destination(address, addressLength)
        return try place.socket.sendMessage(
            pieces: count, flags: SocketCalls.flags(flags), to: destination
        ) { index, use in
            let (start, length) = unsafe piece(index)
            use(unsafe UnsafeRawBufferPointer(start: start, count: length).bytes)
        }
    }

    static func receiveMessage(
        _ place: SocketPlace, _ count: Int, _ flags: Int32, _ piece: Pieces
    ) throws(SocketError) -> ReceivedMessage {
        unsafe try check(count, piece)
        return try place.socket.receiveMessage(
            pieces: count, flags: SocketCalls.flags(flags)
        ) { index, use in
            let (start, length) = unsafe piece(index)
            var span = unsafe UnsafeMutableRawBufferPointer(start: start, count: length).mutableBytes
            use(&span)
        }
    }

    // MARK: Modes

    /// `fcntl`. `nonBlockingBits` are the flags that mean non-blocking.
    static func control(
        _ descriptor: Int32, _ command: Int32, _ flags: Int32, nonBlockingBits: Int32, _ generation: Generation
    ) -> Int {
        on(descriptor, generation) { (place) throws(SocketError) in
            switch command {
            case ZTS_F_GETFL:
                // Read and write, as lwIP has it.
                return try place.socket.isNonBlocking ? Int(ZTS_O_NONBLOCK) | 6 : 6
            case ZTS_F_SETFL:
                try place.socket.setNonBlocking(flags & nonBlockingBits != 0)
                return 0
            default: throw SocketError(.notImplemented, "fcntl knows ZTS_F_GETFL and ZTS_F_SETFL")
            }
        }
    }

    // Linux's numbers of the two requests.
    private static let hostReadable: UInt = 0x541B
    private static let hostNonBlocking: UInt = 0x5421

    static func request(
        _ descriptor: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer, _ generation: Generation
    ) -> Int {
        on(descriptor, generation) { (place) throws(SocketError) in
            switch request {
            case 0x4008_667f, 0x4004_667f, hostReadable:
                let count = try place.socket.bytesAvailable()
                // Sound: both requests have an int there.
                unsafe argument.storeBytes(of: Int32(clamping: count), as: Int32.self)
            case 0x8008_667e, 0x8004_667e, hostNonBlocking:
                try place.socket.setNonBlocking(unsafe argument.loadUnaligned(as: Int32.self) != 0)
            default: throw SocketError(.notImplemented, "ioctl knows ZTS_FIONREAD and ZTS_FIONBIO")
            }
            return 0
        }
    }
}

extension SocketErrno {
    /// EFAULT, ENAMETOOLONG and ENOSYS: only the C interface has a use for them.
    static let badMemory = SocketErrno(rawValue: 14)
    static let nameTooLong = SocketErrno(rawValue: 36)
    static let notImplemented = SocketErrno(rawValue: 38)
}
