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

    /// A failure with its number. The thread's message explains it.
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
    static func run(_ body: () throws(SocketError) -> Int) -> Int { CallingThread.run { inCall(body) } }

    /// The same within a call.
    static func inCall(_ body: () throws(SocketError) -> Int) -> Int {
        do throws(SocketError) {
            let result = try body()
            czerotier_set_errno(0)
            return result
        } catch {
            return fail(error)
        }
    }

    // MARK: Single calls

    static func socket(_ family: Int32, _ type: Int32, _ number: Int32, _ surface: Surface) -> Int {
        guard LibraryNode.shared.isStarted else { return surface.withoutNode() }
        return CallingThread.run { socket(family, type, number, inCallOn: .shared) }
    }

    /// Makes a socket, within a call. IPv6 is understood by the host's number too, if that is another one.
    static func socket(_ family: Int32, _ type: Int32, _ number: Int32, inCallOn layer: SocketLayer) -> Int {
        inCall { () throws(SocketError) in
            let family = family == 30 ? SocketLimits.familyIPv6 : family
            return try Int(layer.socket(family: family, type: type, protocol: number))
        }
    }

    /// Closes a descriptor, even while the service does not run. Later calls on it fail with EBADF.
    static func close(_ descriptor: Int32, _ surface: Surface) -> Int {
        CallingThread.run {
            let place = SocketPlace(descriptor)
            if (place?.library ?? LibraryNode.shared).isFreed {
                return Int(surface.generation.fail(.because(.service, "everything was freed, this socket too")))
            }
            guard let place else { return fail(.badDescriptor) }
            return inCall { () throws(SocketError) in
                try place.layer.close(place.descriptor)
                return 0
            }
        }
    }

    static func connect(
        _ descriptor: Int32, _ address: UnsafeRawPointer?, _ length: UInt32, _ surface: Surface
    ) -> Int {
        unsafe surface.on(descriptor, refusing: AddressMemory.problem(address, length)) { (place) throws(SocketError) in
            switch unsafe try AddressMemory.read(address!, length: length) {
            case .unspecified: try place.layer.connect(place.descriptor, to: nil)
            case .endpoint(let endpoint):
                try connecting(to: endpoint, of: place.library) { () throws(SocketError) in
                    try place.layer.connect(place.descriptor, to: endpoint)
                }
            }
            return 0
        }
    }

    /// Runs a connect call. If there is no way to the peer, the failure says why, by the state of the node's networks.
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
        _ descriptor: Int32, _ address: UnsafeRawPointer?, _ length: UInt32, _ surface: Surface
    ) -> Int {
        unsafe surface.on(descriptor, refusing: AddressMemory.problem(address, length)) { (place) throws(SocketError) in
            let endpoint: SocketEndpoint
            switch unsafe try AddressMemory.read(address!, length: length) {
            case .endpoint(let given): endpoint = given
            case .unspecified(let given):
                // Old programs leave the family out for the wildcard address of IPv4.
                guard given.address.isUnspecified,
                    try place.socket.family == SocketLimits.familyIPv4
                else { throw SocketError(.familyNotSupported, "the address has no family") }
                endpoint = given
            }
            try place.layer.bind(place.descriptor, to: endpoint)
            return 0
        }
    }

    static func listen(_ descriptor: Int32, _ backlog: Int32, _ surface: Surface) -> Int {
        surface.on(descriptor) { (place) throws(SocketError) in
            try place.layer.listen(place.descriptor, backlog: Int(backlog))
            return 0
        }
    }

    static func shutdown(_ descriptor: Int32, _ how: Int32, _ surface: Surface) -> Int {
        surface.on(descriptor) { (place) throws(SocketError) in
            guard let side = ShutdownSide(rawValue: how) else {
                throw SocketError(.invalid, "how is none of ZTS_SHUT_RD, ZTS_SHUT_WR and ZTS_SHUT_RDWR")
            }
            try place.layer.shutdown(place.descriptor, side)
            return 0
        }
    }

    static func accept(
        _ descriptor: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutablePointer<UInt32>?,
        nonBlocking: Bool = false, _ surface: Surface
    ) -> Int {
        surface.on(descriptor) { (place) throws(SocketError) in
            let (new, remote) = try place.layer.accept(place.descriptor, nonBlocking: nonBlocking)
            unsafe AddressMemory.write(remote, to: address, length: length)
            return Int(place.outside(new))
        }
    }

    static func localName(
        _ descriptor: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutablePointer<UInt32>?,
        _ surface: Surface
    ) -> Int {
        unsafe name(descriptor, address, length, surface) { (socket) throws(SocketError) in try socket.localEndpoint() }
    }

    static func peerName(
        _ descriptor: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutablePointer<UInt32>?,
        _ surface: Surface
    ) -> Int {
        unsafe name(descriptor, address, length, surface) { (socket) throws(SocketError) in try socket.remoteEndpoint()
        }
    }

    private static func name(
        _ descriptor: Int32, _ address: UnsafeMutableRawPointer?, _ length: UnsafeMutablePointer<UInt32>?,
        _ surface: Surface, _ endpoint: (BlockingSocket) throws(SocketError) -> SocketEndpoint
    ) -> Int {
        var problem: String? {
            guard unsafe address != nil, let length = unsafe length else { return "addr or addrlen is NULL" }
            // Generation 2 takes any room, and cuts.
            if surface.generation == .second { return nil }
            return AddressMemory.isPlausible(unsafe length.pointee) ? nil : AddressMemory.lengths
        }
        return surface.on(descriptor, refusing: problem) { (place) throws(SocketError) in
            unsafe AddressMemory.write(try endpoint(try place.socket), to: address, length: length)
            return 0
        }
    }

    // MARK: Data

    /// Flags with lwIP's numbers or with Linux's. They are Linux's if one is among them that lwIP does not have. lwIP's
    /// MSG_WAITALL and Linux's MSG_PEEK are the same number, which alone means lwIP's.
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
        // These of lwIP's mean nothing to Linux.
        if flags & 0x08 != 0 { result.insert(.dontWait) }
        if flags & 0x10 != 0 { result.insert(.more) }
        return result
    }

    static func send(
        _ descriptor: Int32, _ buffer: UnsafeRawPointer?, _ length: Int, _ flags: Int32, _ surface: Surface
    ) -> Int {
        unsafe surface.on(descriptor, refusing: surface.problem(buffer, length)) { (place) throws(SocketError) in
            // Sound: the program's promise of `length` bytes for the call.
            let bytes = unsafe UnsafeRawBufferPointer(start: buffer, count: length).bytes
            return try place.socket.send(bytes, flags: SocketCalls.flags(flags), to: nil)
        }
    }

    static func sendTo(
        _ descriptor: Int32, _ buffer: UnsafeRawPointer?, _ length: Int, _ flags: Int32,
        _ address: UnsafeRawPointer?, _ addressLength: UInt32, _ surface: Surface
    ) -> Int {
        var problem: String? {
            unsafe surface.problem(buffer, length) ?? AddressMemory.problem(address, addressLength)
        }
        return surface.on(descriptor, refusing: problem) { (place) throws(SocketError) in
            var destination: SocketEndpoint?
            if case .endpoint(let endpoint) = unsafe try AddressMemory.read(address!, length: addressLength) {
                destination = endpoint
            }
            // Sound: the program's promise of `length` bytes for the call.
            let bytes = unsafe UnsafeRawBufferPointer(start: buffer, count: length).bytes
            return try place.socket.send(bytes, flags: SocketCalls.flags(flags), to: destination)
        }
    }

    private static let noRoom = "buf is NULL or len is larger than an address space"

    static func receive(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawPointer?, _ length: Int, _ flags: Int32,
        _ surface: Surface, _ address: UnsafeMutableRawPointer? = nil,
        _ addressLength: UnsafeMutablePointer<UInt32>? = nil
    ) -> Int {
        unsafe surface.on(descriptor, refusing: buffer == nil || length < 0 ? noRoom : nil) {
            (place) throws(SocketError) in
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

    /// Where a message goes; nil is the connected peer.
    static func destination(
        _ address: UnsafeRawPointer?, _ length: UInt32
    ) throws(SocketError) -> SocketEndpoint? {
        guard let address = unsafe address, length > 0 else { return nil }
        guard AddressMemory.isPlausible(length) else { throw SocketError(.invalid, AddressMemory.lengths) }
        guard case .endpoint(let endpoint) = unsafe try AddressMemory.read(address, length: length) else { return nil }
        return endpoint
    }

    private static let noMessage = "msg is NULL, or its msg_iov while msg_iovlen is not 0"

    static func sendMessage<Header: MessageHeader>(
        _ descriptor: Int32, _ header: UnsafePointer<Header>?, _ flags: Int32, _ surface: Surface
    ) -> Int {
        unsafe surface.on(descriptor, refusing: surface.missing(header)) { (place) throws(SocketError) in
            guard let header = unsafe header else { throw SocketError(.badMemory, noMessage) }
            let vectors = unsafe try vectors(of: header.pointee)
            let destination = unsafe try destination(header.pointee.name, header.pointee.nameLength)
            return try place.socket.sendMessage(
                pieces: vectors.count, flags: SocketCalls.flags(flags), to: destination
            ) { index, use in vectors.use(index, use) }
        }
    }

    static func receiveMessage<Header: MessageHeader>(
        _ descriptor: Int32, _ header: UnsafeMutablePointer<Header>?, _ flags: Int32, _ surface: Surface
    ) -> Int {
        unsafe surface.on(descriptor, refusing: surface.missing(header.map { unsafe UnsafePointer($0) })) {
            (place) throws(SocketError) in
            guard let header = unsafe header else { throw SocketError(.badMemory, noMessage) }
            let vectors = unsafe try vectors(of: header.pointee)
            let received = try place.socket.receiveMessage(
                pieces: vectors.count, flags: SocketCalls.flags(flags)
            ) { index, use in vectors.use(index, use) }
            unsafe header.pointee.take(received)
            return received.count
        }
    }

    // The pieces of a message. All are checked before any is used.
    private static func vectors(of header: some MessageHeader) throws(SocketError) -> PieceVectors {
        guard unsafe header.vectors != nil || header.pieces == 0 else { throw SocketError(.badMemory, noMessage) }
        return unsafe try PieceVectors(header.vectors, count: header.pieces)
    }

    /// Sends or receives the pieces of an array of vectors.
    static func sendPieces(
        _ descriptor: Int32, _ vectors: UnsafeRawPointer?, _ count: Int32, _ surface: Surface
    ) -> Int {
        unsafe surface.on(descriptor, refusing: vectors == nil ? "iov is NULL" : nil) { (place) throws(SocketError) in
            let vectors = unsafe try PieceVectors(vectors, count: Int(count))
            return try place.socket.sendMessage(pieces: vectors.count, flags: [], to: nil) { vectors.use($0, $1) }
        }
    }

    static func receivePieces(
        _ descriptor: Int32, _ vectors: UnsafeRawPointer?, _ count: Int32, _ surface: Surface
    ) -> Int {
        unsafe surface.on(descriptor, refusing: vectors == nil ? "iov is NULL" : nil) { (place) throws(SocketError) in
            let vectors = unsafe try PieceVectors(vectors, count: Int(count))
            return try place.socket.receiveMessage(pieces: vectors.count, flags: []) { vectors.use($0, $1) }.count
        }
    }

    // MARK: Modes

    /// `fcntl`. Programs of generation 1 pass the host's flag, since the original understood no other; the documentation says to
    /// pass ours.
    static func control(
        _ descriptor: Int32, _ command: Int32, _ flags: Int32, _ surface: Surface
    ) -> Int {
        surface.on(descriptor) { (place) throws(SocketError) in
            switch command {
            case ZTS_F_GETFL:
                // Read and write, as lwIP has it.
                return try place.socket.isNonBlocking ? Int(ZTS_O_NONBLOCK) | 6 : 6
            case ZTS_F_SETFL:
                let nonBlockingBits = surface.generation == .first ? ZTS_O_NONBLOCK | O_NONBLOCK : ZTS_O_NONBLOCK
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
        _ descriptor: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer?, _ surface: Surface
    ) -> Int {
        unsafe surface.on(descriptor, refusing: argument == nil ? "argp is NULL" : nil) { (place) throws(SocketError) in
            switch request {
            case 0x4008_667f, 0x4004_667f, hostReadable:
                let count = try place.socket.bytesAvailable()
                // Sound: both requests have an int there.
                unsafe argument!.storeBytes(of: Int32(clamping: count), as: Int32.self)
            case 0x8008_667e, 0x8004_667e, hostNonBlocking:
                try place.socket.setNonBlocking(unsafe argument!.loadUnaligned(as: Int32.self) != 0)
            default: throw SocketError(.notImplemented, "ioctl knows ZTS_FIONREAD and ZTS_FIONBIO")
            }
            return 0
        }
    }
}

extension SocketErrno {
    /// EFAULT, ENAMETOOLONG and ENOSYS: only the C interface uses them.
    static let badMemory = SocketErrno(rawValue: 14)
    static let nameTooLong = SocketErrno(rawValue: 36)
    static let notImplemented = SocketErrno(rawValue: 38)
}
